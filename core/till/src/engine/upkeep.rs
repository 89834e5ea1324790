//! What time alone brings, and the merchant's commands that need no line.

use takings_domain::event::{
    CancelledUnsent, ClockJumped, EraseReason, Expired, NoticeKind, Noticed, OverdueNoticed, ServiceMarked,
};
use takings_domain::payment::{self, Delivery};
use takings_domain::{Now, PaymentId};
use takings_store::Verification;

use super::book::Book;
use super::charging::{OpenCharge, erase_blob};
use super::live::known;
use super::pace::LOOK_AGAIN_MS;
use super::refill;
use super::run::Wanted;
use super::{Effect, Engine, Reply};
use crate::error::TillError;
use crate::views::{ActivationView, OfflineRiskView, StatusView, SumView, VerifyReport};

/// The wall clock may drift this far against the monotonic one without remark, milliseconds.
pub(super) const CLOCK_DRIFT_MS: i64 = 60_000;
/// So much is done per tick; the rest waits for the next.
const PER_TICK: u32 = 200;
/// The pause between two chunks of a payout's change while a card is at the reader, milliseconds.
const SPREAD_AGAIN_MS: i64 = 200;
/// How long a contact that time began may last, milliseconds.
const OWN_BUDGET_MS: i64 = 60_000;

impl Engine {
    pub(super) fn on_tick(&mut self, now: Now) {
        if self.read_only.is_some() {
            return;
        }
        self.look_again_at_ms = now.wall_ms.saturating_add(LOOK_AGAIN_MS);
        let before = self.trouble_here.take();
        // Each for itself: what one cannot write must not keep the others waiting. Where money is comes before how late.
        for done in [self.settle_left_open(now), self.expire(now), self.spread(), self.notice(now), self.refill()] {
            if let Err(error) = done {
                self.note(&error);
            }
        }
        // The same trouble as before began before.
        if let Some((here, before)) = self.trouble_here.as_mut().zip(before)
            && here.detail == before.detail
        {
            here.at_ms = before.at_ms;
        }
        if self.run.is_none() && self.something_due(now) {
            self.begin_run(Wanted::Time, OWN_BUDGET_MS, now);
        } else if self.run.is_none() {
            self.idle_maintenance();
        }
    }

    fn something_due(&mut self, now: Now) -> bool {
        if self.state.activated.is_none() || self.rests(now) {
            return false;
        }
        let due = self.ledger.begin().and_then(|mut tx| tx.next_due_from_ms(now.wall_ms));
        self.left_open || due.is_ok_and(|due| due.is_some_and(|due| due <= now.wall_ms)) || self.wants_news(now)
    }

    /// Money seems late, and the acquirer was not heard since it does.
    pub(super) fn wants_news(&mut self, now: Now) -> bool {
        let next = self.ledger.begin().and_then(|mut tx| tx.next_notices());
        next.is_ok_and(|next| self.is_unheard(next.late_ms, now))
    }

    fn is_unheard(&self, late_ms: Option<i64>, now: Now) -> bool {
        let now_ms = self.server_ms(now);
        late_ms.is_some_and(|late| late <= now_ms && self.news_as_of_ms.is_none_or(|news| news < late))
    }

    /// Asks to be woken when the next thing is due. What was left open is settled at once, unless a tick has just tried.
    pub(super) fn wake(&mut self, after_tick: bool, now: Now) {
        if self.run.is_some() || self.read_only.is_some() {
            return;
        }
        // What is dated by the acquirer's clock, on the phone's.
        let offset_ms = now.wall_ms.saturating_sub(self.server_ms(now));
        let found = self
            .ledger
            .begin()
            .and_then(|mut tx| Ok((tx.next_due_from_ms(now.wall_ms)?, tx.next_deadline_ms()?, tx.next_notices()?)));
        let Ok((due, deadline, next)) = found else {
            // Nobody knows what is due: it is looked at again.
            return self.effects.push(Effect::WakeAt(now.wall_ms.saturating_add(LOOK_AGAIN_MS)));
        };
        let wants_news = self.state.activated.is_some() && self.is_unheard(next.late_ms, now);
        let dated = [deadline, next.doubt_ms, next.late_ms.filter(|_| !wants_news)];
        let [deadline, doubt, late] = dated.map(|at| at.map(|at| at.saturating_add(offset_ms)));
        let due = if (self.left_open && !after_tick) || wants_news { Some(now.wall_ms) } else { due };
        let trouble = (self.left_open || self.trouble_here.is_some()).then_some(now.wall_ms);
        let due = due.map(|due| due.max(self.rest_until_wall_ms(now)).max(now.wall_ms.saturating_add(1)));
        // Whatever could be done about the others was done at the last tick: they are not looked at again in a hurry.
        let look_again_ms = self.look_again_at_ms.clamp(now.wall_ms, now.wall_ms.saturating_add(LOOK_AGAIN_MS));
        let others = [doubt, deadline, late, trouble].into_iter().flatten().map(|at| at.max(look_again_ms));
        let left = self.spread_owed || (self.tidy_owed && !self.card_at_reader());
        let left = left.then(|| now.wall_ms.saturating_add(SPREAD_AGAIN_MS));
        let pause_ms = if self.trouble_here.is_some() { LOOK_AGAIN_MS } else { refill::AGAIN_MS };
        let refill = (self.refill_owed && !self.card_at_reader()).then(|| now.wall_ms.saturating_add(pause_ms));
        self.effects.extend(due.into_iter().chain(others).chain(left).chain(refill).min().map(Effect::WakeAt));
    }

    /// Payments whose deadline has passed stop here; their card data goes.
    pub(super) fn expire(&mut self, now: Now) -> Result<(), TillError> {
        // Erasing cannot be undone: only time that cannot have been set counts. Until then the acquirer may say
        // "too old", and nobody else.
        let trusted_ms = self.trusted_ms(now);
        #[cfg(feature = "planted")]
        let trusted_ms =
            if takings_domain::planted::is("expired_by_wall_clock") { Some(now.wall_ms) } else { trusted_ms };
        let Some(trusted_ms) = trusted_ms else { return Ok(()) };
        let mut tx = self.ledger.begin()?;
        for id in tx.past_deadline(trusted_ms, PER_TICK)? {
            let payment = known(&mut tx, id)?;
            if payment.sends.open.is_some() {
                continue;
            }
            let by_ms = payment.acceptance.and_then(|acceptance| acceptance.deadline_ms).unwrap_or(trusted_ms);
            tx.append_payment(now, None, id, Expired { by_ms }.into())?;
            erase_blob(&mut tx, now, None, id, EraseReason::Expired)?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Says once what the core noticed by itself: doubts past their window, and late money. Late is what the acquirer,
    /// heard since, knows nothing better of: a phone that was off for a week tells no old news.
    pub(super) fn notice(&mut self, now: Now) -> Result<(), TillError> {
        let (now_ms, news_as_of_ms) = (self.server_ms(now), self.news_as_of_ms.unwrap_or(i64::MIN));
        #[cfg(feature = "planted")]
        let news_as_of_ms = if takings_domain::planted::is("overdue_never_told") { i64::MIN } else { news_as_of_ms };
        let mut tx = self.ledger.begin()?;
        for (about, until_ms) in [(NoticeKind::InDoubtTooLong, now_ms), (NoticeKind::Overdue, news_as_of_ms)] {
            for (id, attention_after_ms) in tx.notices_due(about, until_ms, PER_TICK)? {
                let payment = known(&mut tx, id)?;
                if let Some((kind, due_ms)) = payment::notice_due(&payment, Some(attention_after_ms), until_ms) {
                    tx.append_payment(now, None, id, Noticed { kind, due_ms }.into())?;
                }
            }
        }
        for (id, due_ms) in tx.payouts_overdue(news_as_of_ms, PER_TICK)? {
            tx.append_payout(now, &id, OverdueNoticed { due_ms }.into())?;
        }
        tx.commit()?;
        Ok(())
    }

    /// A payout's state reaches its payments in chunks, each its own transaction. A card at the reader goes first: then
    /// one chunk, and the rest a little later.
    pub(super) fn spread(&mut self) -> Result<(), TillError> {
        loop {
            self.spread_owed = self.ledger.spread_chunk()?;
            if !self.spread_owed || self.card_at_reader() {
                return Ok(());
            }
        }
    }

    pub(super) fn card_at_reader(&self) -> bool {
        !self.charges.values().all(OpenCharge::is_decided)
    }

    /// The wall clock moved on its own: on record, because limits of age lean on it.
    pub(super) fn notice_clock_jump(&mut self, now: Now) -> Result<(), TillError> {
        let before = std::mem::replace(&mut self.last_now, now);
        if before.boot_id != now.boot_id || self.read_only.is_some() {
            return Ok(());
        }
        let passed_ms = now.monotonic_ms.saturating_sub(before.monotonic_ms);
        let by_ms = now.wall_ms.saturating_sub(before.wall_ms).saturating_sub(passed_ms);
        if by_ms.unsigned_abs() > CLOCK_DRIFT_MS.unsigned_abs() {
            self.append_ledger(now, ClockJumped { by_ms }.into())?;
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self, id: PaymentId, operator: Option<String>, now: Now) -> Result<Reply, TillError> {
        self.writable()?;
        let mut tx = self.ledger.begin()?;
        let payment = known(&mut tx, id)?;
        let unsent = payment.delivery() == Some(Delivery::Queued);
        #[cfg(feature = "planted")]
        let unsent = unsent
            || (payment.delivery() == Some(Delivery::InDoubt)
                && takings_domain::planted::is("cancel_allowed_in_doubt"));
        if !unsent || payment.acceptance.is_none() {
            return Err(TillError::ask_merchant("cannot_cancel", "only what certainly did not leave; else refund"));
        }
        tx.append_payment(now, operator.as_deref(), id, CancelledUnsent {}.into())?;
        erase_blob(&mut tx, now, operator.as_deref(), id, EraseReason::Cancelled)?;
        tx.commit()?;
        Ok(Reply::Done)
    }

    pub(super) fn mark_service(
        &mut self,
        id: PaymentId,
        given: bool,
        operator: Option<String>,
        now: Now,
    ) -> Result<Reply, TillError> {
        self.writable()?;
        let mut tx = self.ledger.begin()?;
        if known(&mut tx, id)?.service_given != Some(given) {
            tx.append_payment(now, operator.as_deref(), id, ServiceMarked { given }.into())?;
        }
        tx.commit()?;
        Ok(Reply::Done)
    }

    pub(super) fn acknowledge(&mut self, upto: u64) -> Result<Reply, TillError> {
        self.writable()?;
        let mut tx = self.ledger.begin()?;
        tx.acknowledge(upto)?;
        tx.commit()?;
        Ok(Reply::Done)
    }

    pub(super) fn count_receipt(&mut self, id: PaymentId, copy: &'static str) -> Result<Reply, TillError> {
        let key = format!("receipt/{copy}/{id}");
        let mut tx = self.ledger.begin()?;
        known(&mut tx, id)?;
        let before = tx.kept_text(&key)?.and_then(|count| count.parse::<u32>().ok()).unwrap_or(0);
        if self.read_only.is_none() {
            tx.set_meta(&key, before.saturating_add(1).to_string().as_bytes())?;
            tx.commit()?;
        }
        Ok(Reply::ReceiptCount(before))
    }

    pub(super) fn status(&mut self, now: Now) -> Result<StatusView, TillError> {
        let last_seq = self.ledger.last_seq();
        let mut tx = self.ledger.begin()?;
        let (unsent, oldest, acknowledged) = (tx.unsent()?, tx.oldest_unsent_ms()?, tx.acknowledged()?);
        drop(tx);
        let loss = self.loss_notice(acknowledged);
        let refill = self.refill_notice(now);
        let trouble = loss.as_ref().or(self.trouble_here.as_ref()).or(self.trouble_there.as_ref()).or(refill.as_ref());
        let trouble = trouble.cloned();
        let offline_risk = self.offline_risk(now)?;
        Ok(StatusView {
            activation: self.state.activated.as_ref().map(|activated| ActivationView {
                merchant_id: activated.merchant_id.clone(),
                terminal_id: activated.terminal_id.clone(),
            }),
            signed_on: self.session_valid(now),
            batch_number: self.state.session.as_ref().map(|session| session.batch_number.clone()),
            now_ms: now.wall_ms,
            trusted_ms: self.state.anchor.map(|anchor| anchor.trusted_ms(now)),
            line: self.line.as_str().to_owned(),
            unsent_count: unsent.iter().map(|(count, _)| count).sum(),
            unsent: unsent
                .iter()
                .map(|(_, total)| SumView {
                    currency: total.currency().code().to_owned(),
                    amount_minor: total.amount_minor(),
                })
                .collect(),
            oldest_unsent_age_ms: oldest.map(|oldest| self.server_ms(now).saturating_sub(oldest)),
            policy_version: self.documents.policy.as_ref().map(|policy| policy.version.clone()),
            offline_risk,
            last_seq,
            missing_events: self.missing_events,
            read_only: self.read_only.clone(),
            readers: self.readers(),
            trouble,
        })
    }

    fn offline_risk(&mut self, now: Now) -> Result<Vec<OfflineRiskView>, TillError> {
        let Some(policy) = &self.documents.policy else { return Ok(Vec::new()) };
        let now_ms = self.pessimistic_ms(now);
        let mut tx = self.ledger.begin()?;
        let used = policy.limits.iter().map(|limit| {
            let open = tx.exposure(limit.currency)?;
            Ok(OfflineRiskView {
                currency: limit.currency.code().to_owned(),
                count: open.count,
                max_count: limit.max_count_open,
                amount_minor: open.total.amount_minor(),
                max_amount_minor: limit.max_total_open_minor,
                oldest_age_ms: open.oldest_captured_at_ms.map(|oldest| now_ms.saturating_sub(oldest).max(0)),
            })
        });
        used.collect()
    }

    pub(super) fn verify(&mut self) -> Result<Reply, TillError> {
        if self.read_only.is_none() {
            while self.ledger.spread_chunk()? {}
            while self.ledger.rebuild_chunk(refill::PIECE_EVENTS)? {}
            self.refill_owed = false;
        }
        let (events, broken_at, missing, detail) = match self.ledger.verify()? {
            Verification::Sound { events } => (events, None, 0, None),
            Verification::Broken { seq, why } => (self.ledger.last_seq(), Some(seq), 0, Some(why)),
            Verification::HeadAhead { events, missing } => (events, None, missing, None),
        };
        let (broken_at, detail) = match (broken_at, self.check_keepsakes()?) {
            (None, Some((seq, why))) => (Some(seq), Some(why)),
            _ => (broken_at, detail),
        };
        let missing_events = missing.max(self.missing_events);
        let sound = broken_at.is_none() && missing_events == 0;
        Ok(Reply::Verified(VerifyReport { sound, events, broken_at, missing_events, detail }))
    }

    /// Everything is already on disk; the caller may be suspended when this is answered.
    pub(super) fn background(&mut self, now: Now) -> Result<Reply, TillError> {
        if self.read_only.is_none() {
            let written = self.write_all_last_words(now);
            self.tidy()?;
            written?;
        }
        Ok(Reply::Done)
    }

    /// Nobody waits: what was erased leaves the log too, and the log is folded in. Not while a card is at the reader: its
    /// commit would be the first of a new log, which costs a second sync, and the reader's values would wait.
    pub(super) fn idle_maintenance(&mut self) {
        self.tidy_owed = self.card_at_reader();
        if self.tidy_owed {
            return;
        }
        if let Err(error) = self.tidy() {
            self.note(&error);
        }
    }

    fn tidy(&mut self) -> Result<(), TillError> {
        self.ledger.checkpoint_idle()?;
        self.ledger.truncate_after_erase()?;
        Ok(())
    }
}
