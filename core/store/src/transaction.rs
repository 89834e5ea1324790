//! One handled input, one transaction: events, projections, balances and what is to do, all or nothing, one fsync.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rusqlite::Connection;
use takings_domain::event::{Event, LedgerEvent, PaymentEvent, PayoutEvent, Recorded, Subject};
use takings_domain::ledger::LedgerState;
use takings_domain::payment::PaymentState;
use takings_domain::payout::PayoutState;
use takings_domain::{Now, PaymentId, PayoutId};

use crate::event_log::{self, EventRow};
use crate::hash::Hash;
use crate::head::Unsent;
use crate::ledger::Position;
use crate::projection::apply;
use crate::projection::tables::Tables;
use crate::write_ahead::Log;
use crate::{StoreError, find, kept};

/// A commit that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The number of the ledger's newest event.
    pub last_seq: u64,
    /// Its link of the chain.
    pub hash: Hash,
    /// False if there was nothing to write: that cost no fsync.
    pub wrote: bool,
}

/// An open transaction. Dropped without [`Transaction::commit`], it never happened.
pub struct Transaction<'a> {
    pub(crate) conn: &'a Connection,
    position: &'a mut Position,
    seq: u64,
    hash: Hash,
    own: Option<LedgerState>,
    payments: BTreeMap<PaymentId, Option<PaymentState>>,
    payouts: BTreeMap<PayoutId, Option<PayoutState>>,
    /// Payments whose rows lag behind their folds or their payouts.
    lagging: BTreeSet<PaymentId>,
    new_kinds: BTreeSet<(String, u32)>,
    wrote: bool,
    spoiled: bool,
    /// A hint was followed: the inbox may have grown too long.
    pub(crate) followed: bool,
}

impl<'a> Transaction<'a> {
    pub(crate) fn begin(conn: &'a Connection, position: &'a mut Position) -> Result<Self, StoreError> {
        // A read-only ledger is only read: it never asks for the write lock.
        conn.execute_batch(if position.read_only.is_some() { "BEGIN" } else { "BEGIN IMMEDIATE" })?;
        Ok(Self {
            conn,
            seq: position.seq,
            hash: position.hash,
            position,
            own: None,
            payments: BTreeMap::new(),
            payouts: BTreeMap::new(),
            lagging: BTreeSet::new(),
            new_kinds: BTreeSet::new(),
            wrote: false,
            spoiled: false,
            followed: false,
        })
    }

    /// All that is known of the ledger itself.
    ///
    /// # Errors
    /// [`StoreError::UnknownEvent`], [`StoreError::Fold`], [`StoreError::Sqlite`].
    pub fn ledger_state(&mut self) -> Result<LedgerState, StoreError> {
        if let Some(state) = &self.own {
            return Ok(state.clone());
        }
        let state = match &self.position.read_only {
            Some(_) => apply::load_ledger_as_known(self.conn)?,
            None => apply::load_ledger(self.conn)?,
        };
        self.own = Some(state.clone());
        Ok(state)
    }

    /// All that is known of a payment; none if it is not in this ledger.
    ///
    /// # Errors
    /// [`StoreError::UnknownEvent`], [`StoreError::Fold`], [`StoreError::Sqlite`].
    pub fn payment(&mut self, id: PaymentId) -> Result<Option<PaymentState>, StoreError> {
        if let Some(known) = self.payments.get(&id) {
            return Ok(known.clone());
        }
        let state = match find::payment_key(&Tables::in_force(self.conn), id)? {
            Some(key) => apply::load_payment(self.conn, key)?,
            None => None,
        };
        self.payments.insert(id, state.clone());
        Ok(state)
    }

    /// All that is known of a payout; none if it is not in this ledger.
    ///
    /// # Errors
    /// [`StoreError::UnknownEvent`], [`StoreError::Fold`], [`StoreError::Sqlite`].
    pub fn payout(&mut self, id: &PayoutId) -> Result<Option<PayoutState>, StoreError> {
        if let Some(known) = self.payouts.get(id) {
            return Ok(known.clone());
        }
        let state = match find::payout_key(self.conn, id)? {
            Some(key) => apply::load_payout(self.conn, key)?,
            None => None,
        };
        self.payouts.insert(id.clone(), state.clone());
        Ok(state)
    }

    /// Appends an event and answers its number. An event that cannot follow is refused and leaves everything as it
    /// was; after any other error the transaction cannot be committed.
    ///
    /// # Errors
    /// [`StoreError::Misplaced`], [`StoreError::Fold`], [`StoreError::Unbalanced`], [`StoreError::ReadOnly`],
    /// [`StoreError::DiskFull`], [`StoreError::Sqlite`].
    pub fn append(
        &mut self,
        now: Now,
        operator: Option<&str>,
        subject: &Subject,
        event: impl Into<Event>,
    ) -> Result<u64, StoreError> {
        self.may_write()?;
        let seq = self.seq.saturating_add(1);
        let operator = operator.map(str::to_owned);
        match (subject, event.into()) {
            (Subject::Ledger, Event::Ledger(event)) => self.append_ledger(Recorded { seq, at: now, operator, event }),
            (Subject::Payment(id), Event::Payment(event)) => {
                self.append_payment(*id, Recorded { seq, at: now, operator, event })
            }
            (Subject::Payout(id), Event::Payout(event)) => {
                self.append_payout(id, Recorded { seq, at: now, operator, event })
            }
            (_, event) => Err(StoreError::Misplaced { kind: event.kind(), why: "it is about something else" }),
        }?;
        Ok(seq)
    }

    fn append_ledger(&mut self, recorded: Recorded<LedgerEvent>) -> Result<(), StoreError> {
        let before = self.ledger_state()?;
        let mut after = before.clone();
        after.apply(&recorded)?;
        self.or_spoil(|tx| {
            tx.insert(0, &recorded, Event::from(recorded.event.clone()))?;
            apply::ledger_event(&Tables::in_force(tx.conn), &before, &recorded)
        })?;
        self.own = Some(after);
        Ok(())
    }

    fn append_payment(&mut self, id: PaymentId, recorded: Recorded<PaymentEvent>) -> Result<(), StoreError> {
        let before = self.payment(id)?;
        let after = match (before.clone(), &recorded.event) {
            (Some(mut state), _) => {
                state.apply(&recorded)?;
                state
            }
            (None, PaymentEvent::ChargeStarted(charge)) if charge.payment_id == id => {
                let (seq, at, operator) = (recorded.seq, recorded.at, recorded.operator.clone());
                PaymentState::open(&Recorded { seq, at, operator, event: charge.clone() })
            }
            (None, event) => {
                return Err(StoreError::Misplaced { kind: event.kind(), why: "the payment has not begun" });
            }
        };
        self.or_spoil(|tx| {
            tx.insert(after.key, &recorded, Event::from(recorded.event.clone()))?;
            apply::payment_event(&Tables::in_force(tx.conn), before.as_ref(), &recorded, &after)
        })?;
        self.payments.insert(id, Some(after));
        self.lagging.insert(id);
        Ok(())
    }

    fn append_payout(&mut self, id: &PayoutId, recorded: Recorded<PayoutEvent>) -> Result<(), StoreError> {
        let before = self.payout(id)?;
        let after = match (before.clone(), &recorded.event) {
            (Some(mut state), _) => {
                state.apply(&recorded)?;
                state
            }
            (None, PayoutEvent::PayoutReported(report)) if report.payout_id == *id => {
                let (seq, at, operator) = (recorded.seq, recorded.at, recorded.operator.clone());
                PayoutState::open(&Recorded { seq, at, operator, event: report.clone() })
            }
            (None, event) => {
                return Err(StoreError::Misplaced { kind: event.kind(), why: "the payout was not reported" });
            }
        };
        let touched = self.or_spoil(|tx| {
            tx.insert(after.key, &recorded, Event::from(recorded.event.clone()))?;
            apply::payout_event(&Tables::in_force(tx.conn), before.as_ref(), &recorded, &after)
        })?;
        self.lagging.extend(touched);
        self.payouts.insert(id.clone(), Some(after));
        Ok(())
    }

    fn insert<E>(&mut self, subject: u64, recorded: &Recorded<E>, event: Event) -> Result<(), StoreError> {
        let kind = event.kind().to_owned();
        let body_version = event.body_version();
        let known = (kind.clone(), body_version);
        if !self.position.kinds.contains(&known) && self.new_kinds.insert(known) {
            self.conn
                .prepare_cached("INSERT OR IGNORE INTO event_kind (kind, body_version) VALUES (?, ?)")?
                .execute((&kind, body_version))?;
        }
        let mut row = EventRow {
            seq: recorded.seq,
            at: recorded.at,
            operator: recorded.operator.clone(),
            subject,
            kind,
            body_version,
            body: event.body()?,
            hash: [0; 32],
            as_written: true,
        };
        row.hash = row.link(&self.hash);
        event_log::insert(self.conn, &row)?;
        (self.seq, self.hash) = (row.seq, row.hash);
        self.wrote = true;
        Ok(())
    }

    /// Writes everything that was appended and kept, waits for the disk, and answers.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: look the subject up before doing it again. [`StoreError::DiskFull`]: what an earlier
    /// process left is not on disk yet, and there is no room to put it there. [`StoreError::Spoiled`] and all others:
    /// nothing was written.
    pub fn commit(mut self) -> Result<Committed, StoreError> {
        if self.spoiled {
            return Err(StoreError::Spoiled);
        }
        if !self.wrote {
            return Ok(Committed { last_seq: self.seq, hash: self.hash, wrote: false });
        }
        if self.position.log == Log::Doubtful {
            return Err(StoreError::DiskFull);
        }
        self.catch_up()?;
        apply::spread(&Tables::in_force(self.conn), apply::SPREAD_CHUNK)?;
        if self.followed {
            kept::forget_hints(self.conn)?;
        }
        let unsent = find::unsent(self.conn)?;
        #[cfg(feature = "planted")]
        if takings_domain::planted::is("head_written_before_commit") {
            let _ = self.position.head.write(self.seq, self.hash, unsent.clone());
        }
        if let Err(source) = self.conn.execute_batch("COMMIT") {
            self.position.broken = true;
            #[cfg(feature = "planted")]
            if takings_domain::planted::is("failed_commit_believed") {
                return Ok(Committed { last_seq: self.seq, hash: self.hash, wrote: true });
            }
            self.position.unknown_commits = self.position.unknown_commits.saturating_add(1);
            return Err(StoreError::CommitUnknown { source });
        }
        self.advance(unsent);
        #[cfg(feature = "planted")]
        apply::write_outbox(self.conn, &self.payments);
        Ok(Committed { last_seq: self.seq, hash: self.hash, wrote: true })
    }

    fn advance(&mut self, unsent: Vec<Unsent>) {
        let Position { seq, hash, kinds, head, .. } = &mut *self.position;
        if *seq != self.seq {
            // A witness that cannot be written lags behind and says less; it must not make a commit look failed.
            let _ = head.write(self.seq, self.hash, unsent);
        }
        (*seq, *hash) = (self.seq, self.hash);
        kinds.append(&mut self.new_kinds);
    }

    /// The key of a payment that was read or begun in this transaction.
    pub(crate) fn known_key(&self, id: PaymentId) -> Option<u64> {
        self.payments.get(&id).and_then(Option::as_ref).map(|state| state.key)
    }

    /// Brings rows up to the folds, before somebody queries them.
    pub(crate) fn catch_up(&mut self) -> Result<(), StoreError> {
        if self.lagging.is_empty() {
            return Ok(());
        }
        self.or_spoil(|tx| {
            for id in std::mem::take(&mut tx.lagging) {
                // A payout may name payments of another phone: they have no rows here.
                if let Some(state) = tx.payment(id)? {
                    apply::refresh_payment(&Tables::in_force(tx.conn), &state)?;
                }
            }
            Ok(())
        })
    }

    /// Refuses to write into a ledger that is only to be read.
    pub(crate) fn may_write(&self) -> Result<(), StoreError> {
        match &self.position.read_only {
            _ if self.spoiled => Err(StoreError::Spoiled),
            Some(reason) => Err(StoreError::ReadOnly { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Writes something that is no event.
    pub(crate) fn write<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.may_write()?;
        let done = self.or_spoil(|tx| work(tx.conn))?;
        self.wrote = true;
        Ok(done)
    }

    /// Half of a step must never be committed.
    fn or_spoil<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let done = work(self);
        self.spoiled |= done.is_err();
        done
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.conn.is_autocommit() && self.conn.execute_batch("ROLLBACK").is_err() {
            self.position.broken = true;
        }
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("seq", &self.seq).field("wrote", &self.wrote).finish_non_exhaustive()
    }
}
