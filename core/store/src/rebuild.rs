//! Making the projections anew, a piece at a time, while the ledger is in use.
//!
//! The next tables are made beside those in force, event by event in the ledger's order; how far they have come stands
//! in `meta` and moves in the transaction of each piece. So an event is taken once: those appended meanwhile come last,
//! and whoever appends them need not know. When the next tables hold every event they take the place of the others in
//! one transaction that only changes names; the old ones are emptied afterwards, a piece at a time too.
//!
//! While that lasts, lists and decisions go by the tables in force, which every commit keeps up to date. Those of an
//! earlier version serve if they can be made to fit (`fit`); if not, the next ones are made before anything else.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension};
use takings_domain::PaymentId;
use takings_domain::event::{Event, LedgerEvent, PaymentEvent, PayoutEvent, Recorded};
use takings_domain::ledger::LedgerState;
use takings_domain::payment::{FoldError, PaymentState};
use takings_domain::payout::PayoutState;

use crate::event_log::{self, EventRow, History};
use crate::migration::{META_PROJECTIONS, in_transaction, meta, set_meta};
use crate::projection::apply;
use crate::projection::tables::{NEXT, OLD, Tables, renamed};
use crate::projection::{self, TABLES};
use crate::{StoreError, find};

/// Events of one piece where nobody waits for its end.
pub(crate) const PIECE_EVENTS: u32 = 500;
/// Bytes of their bodies, about: a page of a payout's lines is as long as a hundred other events.
const PIECE_BYTES: usize = 256 * 1024;
/// Payments of one piece to which a payout's change is taken.
const PIECE_PAYMENTS: usize = 500;
/// Rows of a replaced table that one piece removes.
const PIECE_ROWS: u32 = 2_000;

/// Meta: the version of the tables in the making (four bytes), and the number of the last event they hold (eight).
const META_NEXT: &str = "projection_next";

/// How a rebuild stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    /// The next tables hold the events up to this number.
    Making(u64),
    /// The next tables are in force; the old ones are being removed.
    Clearing,
    /// There is nothing to do.
    Done,
}

/// How it stands, as the file says.
pub(crate) fn stands(conn: &Connection) -> Result<Stands, StoreError> {
    if let Some((_, upto)) = in_the_making(conn)? {
        return Ok(Stands::Making(upto));
    }
    Ok(if left_over(conn, OLD)?.is_some() { Stands::Clearing } else { Stands::Done })
}

/// Begins the next tables, unless this build has begun them already.
pub(crate) fn begin(conn: &Connection) -> Result<(), StoreError> {
    if in_the_making(conn)?.is_some_and(|(version, _)| version == projection::VERSION) {
        return Ok(());
    }
    begin_anew(conn)
}

/// Begins the next tables; what another build made of them goes.
pub(crate) fn begin_anew(conn: &Connection) -> Result<(), StoreError> {
    in_transaction(conn, |conn| {
        for prefix in [NEXT, OLD] {
            for (table, _) in TABLES {
                conn.execute_batch(&format!("DROP TABLE IF EXISTS {prefix}{table}"))?;
            }
        }
        conn.execute_batch(&renamed(projection::SCHEMA, NEXT, &free_index_prefix(conn)?))?;
        set_next(conn, 0)
    })
}

/// Does one piece of the work, of so many events at most; how it stands then. Each piece is one transaction: one that was cut off never happened.
pub(crate) fn step(conn: &Connection, events: u32) -> Result<Stands, StoreError> {
    match stands(conn)? {
        Stands::Making(upto) => {
            let stands = in_transaction(conn, |conn| take_events(conn, upto, events))?;
            if stands == Stands::Clearing {
                // Statements prepared for the old tables are of no use.
                conn.flush_prepared_statement_cache();
            }
            Ok(stands)
        }
        Stands::Clearing => in_transaction(conn, clear),
        Stands::Done => Ok(Stands::Done),
    }
}

/// Does what is left of the making, all of it. The old tables are removed later.
pub(crate) fn finish(conn: &Connection) -> Result<(), StoreError> {
    while let Stands::Making(_) = step(conn, PIECE_EVENTS)? {}
    Ok(())
}

fn in_the_making(conn: &Connection) -> Result<Option<(u32, u64)>, StoreError> {
    let Some(note) = meta(conn, META_NEXT)? else { return Ok(None) };
    let parts = note.split_first_chunk::<4>().and_then(|(version, rest)| Some((version, rest.try_into().ok()?)));
    let (version, upto) = parts.ok_or(StoreError::Unreadable { what: "meta.projection_next" })?;
    Ok(Some((u32::from_be_bytes(*version), u64::from_be_bytes(upto))))
}

fn set_next(conn: &Connection, upto: u64) -> Result<(), StoreError> {
    let note = [&projection::VERSION.to_be_bytes()[..], &upto.to_be_bytes()].concat();
    set_meta(conn, META_NEXT, &note)
}

/// Indexes keep their names when their table gets another: each rebuild needs names of its own.
fn free_index_prefix(conn: &Connection) -> Result<String, StoreError> {
    let mut taken = conn.prepare("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?)")?;
    for number in 1_u64.. {
        let prefix = format!("r{number}_");
        let found: bool = taken.query_row([format!("{prefix}alert_once")], |row| row.get(0))?;
        if !found {
            return Ok(prefix);
        }
    }
    Err(StoreError::Unreadable { what: "sqlite_schema" })
}

/// The next events; when there are no more, what payouts still owe their payments; then the change of names, in the same
/// transaction: whoever goes on selling cannot put it off for ever.
fn take_events(conn: &Connection, upto: u64, events: u32) -> Result<Stands, StoreError> {
    let rows = event_log::after(conn, upto, events.max(1), PIECE_BYTES)?;
    let next = Tables::next(conn);
    let mut piece = Piece::new(&next);
    rows.iter().try_for_each(|row| piece.take(row))?;
    piece.refresh()?;
    let upto = rows.last().map_or(upto, |row| row.seq);
    let newest = event_log::newest(conn)?.map_or(0, |(seq, _)| seq);
    if upto < newest || apply::spread(&next, PIECE_PAYMENTS)? {
        set_next(conn, upto)?;
        return Ok(Stands::Making(upto));
    }
    change_names(conn)?;
    Ok(Stands::Clearing)
}

fn change_names(conn: &Connection) -> Result<(), StoreError> {
    for (table, _) in TABLES {
        if exists(conn, table)? {
            conn.execute_batch(&format!("ALTER TABLE {table} RENAME TO {OLD}{table}"))?;
        }
    }
    for (table, _) in TABLES {
        conn.execute_batch(&format!("ALTER TABLE {NEXT}{table} RENAME TO {table}"))?;
    }
    set_meta(conn, META_PROJECTIONS, &projection::VERSION.to_be_bytes())?;
    conn.execute("DELETE FROM meta WHERE key = ?", [META_NEXT])?;
    Ok(())
}

/// Removes a piece of what was replaced.
fn clear(conn: &Connection) -> Result<Stands, StoreError> {
    let Some((table, key)) = left_over(conn, OLD)? else { return Ok(Stands::Done) };
    let name = format!("{OLD}{table}");
    let removed =
        conn.execute(&format!("DELETE FROM {name} WHERE ({key}) IN (SELECT {key} FROM {name} LIMIT ?)"), [PIECE_ROWS])?;
    if u32::try_from(removed).is_ok_and(|removed| removed < PIECE_ROWS) {
        conn.execute_batch(&format!("DROP TABLE {name}"))?;
    }
    Ok(if left_over(conn, OLD)?.is_some() { Stands::Clearing } else { Stands::Done })
}

/// The first table with this prefix that is there; those that refer come before those referred to.
fn left_over(conn: &Connection, prefix: &str) -> Result<Option<(&'static str, &'static str)>, StoreError> {
    for (table, key) in TABLES {
        if exists(conn, &format!("{prefix}{table}"))? {
            return Ok(Some((table, key)));
        }
    }
    Ok(None)
}

pub(crate) fn exists(conn: &Connection, table: &str) -> Result<bool, StoreError> {
    let mut statement = conn.prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?")?;
    Ok(statement.query_row([table], |_| Ok(())).optional()?.is_some())
}

/// A few hundred events on their way into the next tables, with the folds they belong to.
struct Piece<'a> {
    next: &'a Tables<'a>,
    own: Option<LedgerState>,
    payments: BTreeMap<u64, Option<PaymentState>>,
    payouts: BTreeMap<u64, Option<PayoutState>>,
    /// Payments named by a payout's lines.
    named: BTreeSet<PaymentId>,
}

impl<'a> Piece<'a> {
    fn new(next: &'a Tables<'a>) -> Self {
        let (payments, payouts) = (BTreeMap::new(), BTreeMap::new());
        Self { next, own: None, payments, payouts, named: BTreeSet::new() }
    }

    fn take(&mut self, row: &EventRow) -> Result<(), StoreError> {
        match row.event()? {
            Event::Ledger(event) => self.take_ledger(&row.recorded(event)),
            Event::Payment(event) => self.take_payment(row.subject, &row.recorded(event)),
            Event::Payout(event) => self.take_payout(row.subject, &row.recorded(event)),
        }
    }

    fn take_ledger(&mut self, recorded: &Recorded<LedgerEvent>) -> Result<(), StoreError> {
        let before = match self.own.take() {
            Some(state) => state,
            None => match event_log::history_before(self.next.conn(), 0, recorded.seq)? {
                History::Ledger(events) => LedgerState::fold(&events)?,
                History::Payment(_) | History::Payout(_) => LedgerState::default(),
            },
        };
        let mut after = before.clone();
        after.apply(recorded)?;
        self.own = Some(after);
        apply::ledger_event(self.next, &before, recorded)
    }

    fn take_payment(&mut self, key: u64, recorded: &Recorded<PaymentEvent>) -> Result<(), StoreError> {
        let before = match self.payments.remove(&key) {
            Some(state) => state,
            None => match event_log::history_before(self.next.conn(), key, recorded.seq)? {
                History::Payment(events) => PaymentState::fold(&events)?,
                History::Ledger(_) | History::Payout(_) => None,
            },
        };
        let after = one_more(before.as_ref(), recorded, PaymentState::fold, PaymentState::apply)?;
        if let Some(after) = &after {
            apply::payment_event(self.next, before.as_ref(), recorded, after)?;
        }
        self.payments.insert(key, after);
        Ok(())
    }

    fn take_payout(&mut self, key: u64, recorded: &Recorded<PayoutEvent>) -> Result<(), StoreError> {
        let before = match self.payouts.remove(&key) {
            Some(state) => state,
            None => match event_log::history_before(self.next.conn(), key, recorded.seq)? {
                History::Payout(events) => PayoutState::fold(&events)?,
                History::Ledger(_) | History::Payment(_) => None,
            },
        };
        let after = one_more(before.as_ref(), recorded, PayoutState::fold, PayoutState::apply)?;
        if let Some(after) = &after {
            self.named.extend(apply::payout_event(self.next, before.as_ref(), recorded, after)?);
        }
        self.payouts.insert(key, after);
        Ok(())
    }

    /// Brings the rows of the payments it touched up to their folds, as far as these events go.
    fn refresh(&self) -> Result<(), StoreError> {
        for state in self.payments.values().flatten() {
            apply::refresh_payment(self.next, state)?;
        }
        for id in &self.named {
            // One that comes later, or that is another phone's, has no row yet: it looks for its payout itself.
            let Some(key) = find::payment_key(self.next, *id)? else { continue };
            if !self.payments.contains_key(&key)
                && let Some(state) = apply::load_payment(self.next.conn(), key)?
            {
                apply::refresh_payment(self.next, &state)?;
            }
        }
        Ok(())
    }
}

fn one_more<E: Clone, S: Clone>(
    before: Option<&S>,
    recorded: &Recorded<E>,
    fold: impl Fn(&[Recorded<E>]) -> Result<Option<S>, FoldError>,
    apply: impl Fn(&mut S, &Recorded<E>) -> Result<(), FoldError>,
) -> Result<Option<S>, FoldError> {
    match before.cloned() {
        None => fold(std::slice::from_ref(recorded)),
        Some(mut state) => {
            apply(&mut state, recorded)?;
            Ok(Some(state))
        }
    }
}

/// Folds a subject's events one by one, showing each step what was before and after.
pub(crate) fn each_step<E: Clone, S: Clone>(
    events: &[Recorded<E>],
    fold: impl Fn(&[Recorded<E>]) -> Result<Option<S>, FoldError>,
    apply: impl Fn(&mut S, &Recorded<E>) -> Result<(), FoldError>,
    mut step: impl FnMut(Option<&S>, &Recorded<E>, &S) -> Result<(), StoreError>,
) -> Result<Option<S>, StoreError> {
    let mut state: Option<S> = None;
    for recorded in events {
        let after = one_more(state.as_ref(), recorded, &fold, &apply)?;
        if let Some(after) = &after {
            step(state.as_ref(), recorded, after)?;
        }
        state = after;
    }
    Ok(state)
}
