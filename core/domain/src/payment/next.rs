//! What is to be done about a payment: which lane, from when. Derived from the fold, so that a rebuild agrees.

use sha2::{Digest, Sha256};

use super::sends::Sends;
use super::standing::{Base, PayoutLink, Stage};
use super::state::{LIVE_WINDOW_MS, PaymentState};
use crate::OperationId;
use crate::event::{Lane, NoticeKind};

/// The first pause before a repeat, milliseconds.
pub const FIRST_PAUSE_MS: i64 = 1_000;
/// The longest pause before a repeat, milliseconds.
pub const LONGEST_PAUSE_MS: i64 = 900_000;
/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// Send the payment, or its id again: always safe, and always the first move.
    Submit,
    /// Ask the acquirer whether it has the payment.
    Inquire,
    /// Send the reversal.
    Reverse,
}

impl Task {
    /// The word in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Inquire => "inquire",
            Self::Reverse => "reverse",
        }
    }
}

/// One thing to do for one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToDo {
    /// By which lane.
    pub lane: Lane,
    /// Not before, wall clock, milliseconds UTC. A merchant who asks for a sync is not kept waiting for it.
    pub due_ms: i64,
    /// The acquirer asked us to wait until then, milliseconds UTC: binding even when the merchant asks.
    pub hold_until_ms: Option<i64>,
    /// Too late to send after, milliseconds UTC.
    pub deadline_ms: Option<i64>,
}

/// What is waiting to be done for this payment, if anything.
#[must_use]
pub fn to_do(payment: &PaymentState) -> Option<ToDo> {
    if payment.is_closed() || payment.parked.is_some() {
        return None;
    }
    if let Some(reversal) = &payment.reversal {
        // Declined or reversed is an answer too: nothing is left to undo.
        let charged = !payment.is_answered() || payment.is_approved();
        let undecided = charged && reversal.outcome.is_none() && reversal.sends.open.is_none();
        return undecided.then(|| due(Lane::Reversal, &reversal.sends, reversal.requested_at_ms, None));
    }
    if payment.is_answered() || payment.expired || payment.sends.open.is_some() || !payment.blob_held {
        return None;
    }
    #[cfg(feature = "planted")]
    if crate::planted::is("given_up_after_three_sends") && payment.sends.count >= 3 {
        return None;
    }
    match payment.acceptance {
        Some(acceptance) => Some(due(Lane::Drain, &payment.sends, acceptance.at_ms, acceptance.deadline_ms)),
        None if payment.sends.count > 0 => {
            Some(due(Lane::Live, &payment.sends, payment.sends.first_at_ms.unwrap_or(payment.started_at_ms), None))
        }
        None => None,
    }
}

/// Which move comes next for a live payment in doubt, or for a waiting one: by what was tried and how long ago.
///
/// `now_ms` is the wall clock, milliseconds UTC.
#[must_use]
pub fn task(payment: &PaymentState, now_ms: i64) -> Option<Task> {
    let to_do = to_do(payment)?;
    #[cfg(feature = "planted")]
    if to_do.lane == Lane::Live && crate::planted::is("not_found_as_not_charged") {
        return Some(Task::Inquire);
    }
    Some(match to_do.lane {
        Lane::Reversal => Task::Reverse,
        Lane::Drain => Task::Submit,
        Lane::Live => {
            let first_ms = payment.sends.first_at_ms.unwrap_or(now_ms);
            if (0..LIVE_WINDOW_MS).contains(&now_ms.saturating_sub(first_ms)) { Task::Submit } else { Task::Inquire }
        }
    })
}

fn due(lane: Lane, sends: &Sends, since_ms: i64, deadline_ms: Option<i64>) -> ToDo {
    let (due_ms, hold_until_ms) = match &sends.last_end {
        None => (since_ms, None),
        Some((end, at_ms)) => {
            let asked = end.retry_after_ms.map(|wait| at_ms.saturating_add(wait));
            (asked.unwrap_or_else(|| at_ms.saturating_add(pause_ms(end.op, end.n))), asked)
        }
    };
    ToDo { lane, due_ms, hold_until_ms, deadline_ms }
}

/// The pause after the `n`-th try: full jitter below a limit that doubles from one second to fifteen minutes. Drawn
/// from the operation's id, so that everybody who folds the same events waits as long.
#[must_use]
pub fn pause_ms(op: OperationId, n: u32) -> i64 {
    let doubled = FIRST_PAUSE_MS.saturating_mul(1_i64 << n.saturating_sub(1).min(10));
    let limit = doubled.min(LONGEST_PAUSE_MS);
    let digest = Sha256::new().chain_update(op.as_bytes()).chain_update(n.to_be_bytes()).finalize();
    let mut draw = [0_u8; 8];
    draw.copy_from_slice(&digest[..8]);
    i64::try_from(u64::from_be_bytes(draw) % u64::try_from(limit.saturating_add(1)).unwrap_or(1)).unwrap_or(0)
}

/// The instant (milliseconds UTC) from which on this payment needs somebody and says so by itself. Money that is late
/// together with its payout is told once, by the payout.
#[must_use]
pub fn own_attention_after_ms(base: &Base, link: Option<&PayoutLink>) -> Option<i64> {
    let by_payout = matches!(base.stage, Stage::OnItsWay | Stage::Approved)
        && link.is_some_and(|link| link.overdue_after_ms.is_some());
    base.attention_after_ms.filter(|_| !by_payout)
}

/// Notices that are due at `now_ms` (milliseconds UTC) and were not given yet. `attention_after_ms` as
/// [`own_attention_after_ms`] gives it.
#[must_use]
pub fn notice_due(payment: &PaymentState, attention_after_ms: Option<i64>, now_ms: i64) -> Option<(NoticeKind, i64)> {
    let after_ms = attention_after_ms.filter(|after| now_ms >= *after)?;
    let kind = match super::standing::base(payment, None).stage {
        // Its deadline ends in an `expired` event, which tells for itself.
        Stage::SavedOnPhone => return None,
        Stage::BeingConfirmed => NoticeKind::InDoubtTooLong,
        _ => NoticeKind::Overdue,
    };
    let notice = (kind, after_ms);
    (!payment.noticed.contains(&notice)).then_some(notice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p10_drains_pauses_grow_are_bounded_and_repeat_exactly() {
        let op = OperationId::from_bytes([3; 16]);
        for n in 1..40 {
            let limit = (FIRST_PAUSE_MS << (n - 1).min(10)).min(LONGEST_PAUSE_MS);
            let pause = pause_ms(op, n);
            assert!((0..=limit).contains(&pause));
            assert_eq!(pause, pause_ms(op, n));
        }
        assert!((1..200).map(|n| pause_ms(op, n)).filter(|pause| *pause > 450_000).count() > 20);
    }
}
