//! Whether a card may be kept without the acquirer's word: the offline policy, with what is known of the time.

use takings_domain::event::{Accepted, ChargeMode, Class, EraseReason, OfflineRefused};
use takings_domain::payment::PaymentState;
use takings_domain::policy::{self, AfterCard, Refusal, Rule};
use takings_domain::{Now, PaymentId, RiskPolicy};
use takings_store::Transaction;

use super::Engine;
use super::book::{Book, Exposure};
use super::charging::{before_card, erase_blob, refused_outcome};
use super::live::known;
use super::upkeep::CLOCK_DRIFT_MS;
use crate::charge::ChargeOutcome;
use crate::error::TillError;

/// What the policy is judged with.
pub(super) struct Judgement<'a> {
    pub(super) policy: Option<&'a RiskPolicy>,
    pub(super) clock: ClockFacts,
}

/// What is known of the time, for limits of age.
#[derive(Debug, Clone)]
pub(super) struct ClockFacts {
    /// How long ago the acquirer's clock was heard, milliseconds; none: never.
    pub(super) trusted_age_ms: Option<i64>,
    /// The reading that makes things older, milliseconds UTC.
    pub(super) now_pessimistic_ms: i64,
    /// The acquirer's clock as well as we know it, milliseconds UTC.
    pub(super) server_ms: i64,
    /// How far a clock nobody vouched for was set back, milliseconds, after the event of each number.
    set_back: Vec<(u64, i64)>,
}

impl ClockFacts {
    /// The age of something captured at this instant of the acquirer's clock, milliseconds: by the reading that makes it
    /// older.
    pub(super) fn age_ms(&self, captured_at_ms: i64) -> i64 {
        self.now_pessimistic_ms.saturating_sub(captured_at_ms)
    }

    /// The age of the oldest of what waits. Where something waits from a time that has not come, a clock was wrong, and it
    /// may be as old as can be; where a clock was set back since, what it dated before is older by as much.
    pub(super) fn oldest_age_ms(&self, waiting: &Exposure) -> Option<i64> {
        let misdated = waiting.newest_captured_at_ms.is_some_and(|newest| self.age_ms(newest) < -CLOCK_DRIFT_MS);
        if misdated {
            return Some(i64::MAX);
        }
        let first = waiting.first_seq.unwrap_or(u64::MAX);
        let since = self.set_back.iter().filter(|(seq, _)| *seq > first);
        let set_back_ms = since.fold(0, |sum: i64, (_, by_ms)| sum.saturating_add(*by_ms));
        waiting.oldest_captured_at_ms.map(|oldest| self.age_ms(oldest).saturating_add(set_back_ms))
    }
}

impl Engine {
    pub(super) fn clock_facts(&self, now: Now) -> ClockFacts {
        ClockFacts {
            trusted_age_ms: self.state.anchor.map(|anchor| anchor.age_ms(now)),
            now_pessimistic_ms: self.pessimistic_ms(now),
            server_ms: self.server_ms(now),
            set_back: self.state.set_back.clone(),
        }
    }
}

/// Judges a card that was read, by both steps of the policy, and writes the decision into the transaction.
pub(super) fn accept_offline(
    tx: &mut Transaction<'_>,
    now: Now,
    operator: Option<&str>,
    id: PaymentId,
    judgement: &Judgement<'_>,
) -> Result<ChargeOutcome, TillError> {
    let payment = known(tx, id)?;
    match judge(tx, &payment, judgement)? {
        Ok(deadline_ms) => {
            let accepted = Accepted { class: Class::Deferred, deadline_ms: Some(deadline_ms) };
            tx.append_payment(now, operator, id, accepted.into())?;
            Ok(ChargeOutcome::Saved)
        }
        Err(refusal) => {
            let refused = OfflineRefused { rule: refusal.rule.as_str().to_owned() };
            tx.append_payment(now, operator, id, refused.into())?;
            erase_blob(tx, now, operator, id, EraseReason::Refused)?;
            Ok(refused_outcome(&refusal))
        }
    }
}

/// The deadline for uploading, or the rule that refuses.
fn judge(
    tx: &mut Transaction<'_>,
    payment: &PaymentState,
    judgement: &Judgement<'_>,
) -> Result<Result<i64, Refusal>, TillError> {
    let Some(policy) = judgement.policy else { return Ok(Err(Refusal { rule: Rule::NoPolicy })) };
    if payment.charge.mode == ChargeMode::RequireOnline {
        return Ok(Err(Refusal { rule: Rule::OnlineRequired }));
    }
    let Some((read, _)) = &payment.card else {
        return Err(TillError::internal("no_card", "judged without a card"));
    };
    let amount = payment.charge.amount;
    let first = before_card(tx, Some(policy), amount, &judgement.clock)?;
    if let Some(refusal) = first {
        return Ok(Err(refusal));
    }
    let shown = AfterCard {
        amount,
        scheme: read.scheme,
        entry_mode: read.entry_mode,
        pin_entered: false,
        first_digits: read.card.first(),
        card_count_today: tx.card_count(&read.card, payment.charge.captured_on)?,
        // A walk over the newest payments, with the customer waiting: only where a rule asks.
        offline_sequence: if policy.online_required_if.every_nth.is_some() { tx.offline_sequence()? } else { 0 },
        now_pessimistic_ms: judgement.clock.now_pessimistic_ms,
    };
    let verdict = policy::after_card(Some(policy), &shown);
    // By the acquirer's clock: a phone whose wall clock is wrong must not let the payment expire unsent.
    Ok(verdict.map(|()| policy.deadline_ms(judgement.clock.server_ms)))
}
