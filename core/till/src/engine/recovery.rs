//! Opening: what a crash left open is settled before anything else happens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use takings_acquirers::DeviceSigner;
use takings_domain::event::{
    Abandoned, AttemptEnd, AttemptEnded, EraseReason, HistoryLost, Lane, LedgerEvent, Opened, SendEnded, SendResult,
    UnsentThen,
};
use takings_domain::payment::PaymentState;
use takings_domain::{Currency, LedgerId, Money, Now, OperationId, PaymentId};
use takings_store::{Head, Ledger, StoreError, Transaction, Unsent};

use super::book::Book;
use super::charging::{OpenCharge, erase_blob};
use super::documents::Documents;
use super::errors::UNREADABLE_FILE;
use super::exchange::InFlight;
use super::feed::FeedState;
use super::live::known;
use super::run::BATCH_ITEMS;
use super::{Engine, EngineConfig, Line};
use crate::charge::ChargeOutcome;
use crate::error::TillError;
use crate::ports::Randomness;
use crate::views::TroubleView;

impl Engine {
    /// Opens the ledger and settles what a crash left open: a send without an end is in doubt; a card that was neither
    /// sent nor accepted is *interrupted*: not charged, safe to repeat.
    pub fn open(
        config: EngineConfig,
        key: Arc<dyn DeviceSigner>,
        randomness: Arc<dyn Randomness>,
        now: Now,
    ) -> Result<Self, TillError> {
        let new_ledger_id = config.store.new_ledger_id;
        let (ledger, report) = Ledger::open(config.store)?;
        let mut engine = Self {
            ledger,
            key,
            randomness,
            acquirer_url: config.acquirer_url,
            app_version: config.app_version,
            request_timeout_ms: config.request_timeout_ms,
            state: Default::default(),
            documents: Documents::default(),
            outlook: config.outlook,
            failures: config.failures,
            keys: None,
            root_ring: None,
            session_refused: false,
            line: Line::Unknown,
            pace: Default::default(),
            left_open: false,
            told_clock: None,
            batch_items: BATCH_ITEMS,
            pending: None,
            feed: FeedState::default(),
            in_flight: BTreeMap::new(),
            run: None,
            charges: BTreeMap::new(),
            waiting_live: VecDeque::new(),
            waiting_charges: Vec::new(),
            away: BTreeMap::new(),
            heard: BTreeMap::new(),
            ticks: Vec::new(),
            repeated: BTreeSet::new(),
            missing_events: report.missing_events,
            read_only: report.read_only,
            upgrade_needed: report.upgrade_needed,
            spread_owed: false,
            restore: None,
            refill_owed: false,
            tidy_owed: false,
            resting: false,
            look_again_at_ms: i64::MIN,
            news_as_of_ms: None,
            feed_silent_since_ms: None,
            trouble_here: None,
            trouble_there: None,
            last_now: now,
            effects: Vec::new(),
            #[cfg(feature = "planted")]
            planted: Default::default(),
        };
        if let Some(failed) = engine.failures.count() {
            let detail = format!("the engine failed at an answer ({:?})", failed.slot());
            engine.trouble_there = Some(TroubleView { at_ms: now.wall_ms, detail });
        }
        match engine.resume(new_ledger_id, report.at_stake.as_ref(), now) {
            // What the store's own look did not meet.
            Err(error) if error.code() == UNREADABLE_FILE => Err(engine.ledger.set_aside().into()),
            resumed => resumed.map(|()| engine),
        }
    }

    /// Takes up the work where the last run left it.
    fn resume(&mut self, new_ledger_id: LedgerId, at_stake: Option<&Head>, now: Now) -> Result<(), TillError> {
        self.state = self.ledger.begin()?.ledger_state()?;
        self.introduce(new_ledger_id, at_stake, now)?;
        self.load_documents()?;
        if self.read_only.is_none() {
            match self.settle(now) {
                // A disk without room keeps no till shut: what was left open is settled once there is some.
                Err(error @ TillError::Storage { .. }) if error.code() != UNREADABLE_FILE => {
                    self.note(&error);
                    self.left_open = true;
                }
                settled => settled?,
            }
            self.spread()?;
            self.look_for_refill()?;
            self.look_for_restore()?;
        }
        self.outlook.set_clock(self.server_clock());
        #[cfg(feature = "planted")]
        (self.planted.opened_seq = self.ledger.last_seq());
        Ok(())
    }

    /// A new ledger gets its first event; an old one must belong to this device key. What a witness knows beyond it is
    /// lost, and that is written down first: the next commit makes the witness forget.
    fn introduce(&mut self, ledger_id: LedgerId, at_stake: Option<&Head>, now: Now) -> Result<(), TillError> {
        let thumbprint = self.key.public_jwk().thumbprint();
        let is_new = match &self.state.opened {
            Some(opened) if opened.device_key_thumbprint == thumbprint => false,
            None if self.read_only.is_some() => return Ok(()),
            Some(_) => return Err(TillError::storage("another_key", "this ledger belongs to another device key")),
            None => true,
        };
        #[cfg(feature = "planted")]
        let at_stake = at_stake.filter(|_| !takings_domain::planted::is("tail_loss_unnoticed"));
        // A witness is written without a sync: after a power cut an older one may say again what was noted already.
        let noted = |head: &Head| self.state.lost.as_ref().is_some_and(|(_, lost)| lost.witness_seq == head.seq);
        let new = at_stake.filter(|head| self.read_only.is_none() && !noted(head));
        let lost = new.map(|head| lost(head, self.ledger.last_seq()));
        let mut tx = self.ledger.begin()?;
        if is_new {
            let opened = Opened { ledger_id, device_key_thumbprint: thumbprint };
            tx.append_ledger(now, None, opened.into())?;
        }
        if let Some(lost) = lost {
            tx.append_ledger(now, None, lost.into())?;
        }
        let state = tx.ledger_state()?;
        tx.commit()?;
        self.state = state;
        Ok(())
    }

    /// What the merchant reads until the alert of it is acknowledged: what may be lost, by count and sum, and that what an
    /// earlier phone had not sent is not here.
    pub(super) fn loss_notice(&mut self, acknowledged: u64) -> Option<TroubleView> {
        let at_ms = self.last_now.wall_ms;
        if let Some((seq, lost)) = self.state.lost.as_ref().filter(|(seq, _)| *seq > acknowledged) {
            let missing = lost.witness_seq.saturating_sub(lost.found_seq);
            let sums = lost.unsent.iter().map(|sum| {
                let (code, minor) = (sum.total.currency().code(), sum.total.amount_minor());
                format!("{} payments, {minor} minor units {code}", sum.count)
            });
            let sums = sums.collect::<Vec<_>>().join("; ");
            let sums = if sums.is_empty() { "nothing" } else { &sums };
            let detail = format!("{missing} events are lost (noted as event {seq}); unsent then: {sums}");
            return Some(TroubleView { at_ms, detail });
        }
        let (_, restored) = self.state.restored.as_ref().filter(|(seq, _)| *seq > acknowledged)?;
        let detail = format!(
            "{} payments and {} payouts were fetched from the acquirer; what the earlier phone had not sent is not here",
            restored.payments, restored.payouts
        );
        Some(TroubleView { at_ms, detail })
    }

    /// Appends an event about the ledger in a transaction of its own.
    pub(super) fn append_ledger(&mut self, now: Now, event: LedgerEvent) -> Result<(), TillError> {
        self.write_ledger(|tx| tx.append_ledger(now, None, event).map(drop))
    }

    /// What is written of the ledger is known once it is on disk. Of a commit that failed the file says what became of it.
    pub(super) fn write_ledger(
        &mut self,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<(), StoreError>,
    ) -> Result<(), TillError> {
        let mut tx = self.ledger.begin()?;
        write(&mut tx)?;
        let state = tx.ledger_state()?;
        tx.commit()?;
        self.state = state;
        Ok(())
    }

    /// After something could not be written: the same as after a crash, but for what is still under way.
    pub(super) fn settle_left_open(&mut self, now: Now) -> Result<(), TillError> {
        if self.left_open {
            self.settle(now)?;
            self.left_open = false;
            self.look_for_restore()?;
            self.tell_what_was_kept()?;
        }
        Ok(())
    }

    /// An answer whose commit failed and was kept all the same: its customer was told that nobody knows.
    fn tell_what_was_kept(&mut self) -> Result<(), TillError> {
        let told_unknown = |charge: &OpenCharge| charge.outcome == Some(ChargeOutcome::NotConfirmed);
        let ids: Vec<PaymentId> =
            self.charges.iter().filter(|(_, charge)| told_unknown(charge)).map(|(id, _)| *id).collect();
        for id in ids {
            let payment = self.ledger.begin()?.payment(id)?;
            if let Some(payment) = payment.filter(PaymentState::is_answered) {
                self.tell(&payment);
            }
        }
        Ok(())
    }

    fn settle(&mut self, now: Now) -> Result<(), TillError> {
        let mut tx = self.ledger.begin()?;
        let state = tx.ledger_state()?;
        #[cfg(feature = "planted")]
        if takings_domain::planted::is("queue_cancelled_at_start") {
            for id in tx.past_deadline(i64::MAX, u32::MAX)? {
                if known(&mut tx, id)?.delivery() == Some(takings_domain::payment::Delivery::Queued) {
                    tx.append_payment(now, None, id, takings_domain::event::CancelledUnsent {}.into())?;
                }
            }
        }
        for id in tx.open_work(u32::MAX)? {
            end_open_sends(&mut tx, id, &self.in_flight, now)?;
            let payment = known(&mut tx, id)?;
            let at_reader = self.charges.get(&id).is_some_and(|charge| charge.outcome.is_none());
            if at_reader || !payment.is_unfinished() {
                continue;
            }
            interrupt(&mut tx, &payment, now)?;
        }
        tx.commit()?;
        self.state = state;
        Ok(())
    }

    /// A payment of which nothing was sent or accepted is given up: not charged, safe to repeat.
    pub(super) fn give_up_interrupted(&mut self, id: PaymentId, now: Now) -> Result<(), TillError> {
        let mut tx = self.ledger.begin()?;
        let payment = known(&mut tx, id)?;
        interrupt(&mut tx, &payment, now)?;
        tx.commit()?;
        Ok(())
    }
}

fn interrupt(tx: &mut Transaction<'_>, payment: &PaymentState, now: Now) -> Result<(), TillError> {
    let (id, why) = (payment.charge.payment_id, AttemptEnd::Interrupted);
    if payment.attempts.last().is_some_and(|attempt| attempt.ended.is_none()) {
        tx.append_payment(now, None, id, AttemptEnded { why }.into())?;
    }
    tx.append_payment(now, None, id, Abandoned { why }.into())?;
    erase_blob(tx, now, None, id, EraseReason::Answered)
}

fn lost(head: &Head, found_seq: u64) -> HistoryLost {
    let sum = |sum: &Unsent| {
        let total = Currency::from_code(&sum.currency).ok().and_then(|code| Money::new(sum.amount_minor, code).ok());
        Some(UnsentThen { count: sum.count, total: total? })
    };
    HistoryLost { witness_seq: head.seq, found_seq, unsent: head.unsent.iter().filter_map(sum).collect() }
}

/// Ends the sends that nobody carries any more: they may have arrived.
fn end_open_sends(
    tx: &mut Transaction<'_>,
    id: PaymentId,
    in_flight: &BTreeMap<OperationId, InFlight>,
    now: Now,
) -> Result<(), TillError> {
    let payment = known(tx, id)?;
    let lane = if payment.is_deferred() { Lane::Drain } else { Lane::Live };
    let reversal = payment.reversal.as_ref().map(|reversal| (&reversal.sends, Lane::Reversal));
    for (sends, lane) in std::iter::once((&payment.sends, lane)).chain(reversal) {
        if let Some(op) = sends.open.filter(|op| !in_flight.contains_key(op)) {
            let (n, result) = (sends.count, SendResult::Maybe);
            let ended = SendEnded { op, n, lane, result, code: None, retry_after_ms: None };
            tx.append_payment(now, None, id, ended.into())?;
        }
    }
    Ok(())
}
