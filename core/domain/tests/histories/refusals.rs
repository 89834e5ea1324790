//! What cannot happen. Each row: after this history, this event is refused, and why; the state stays as it was.

use takings_domain::event::{
    Abandoned, Accepted, AttemptEnd, AttemptEnded, AttemptStarted, BlobErased, CancelledUnsent, ChargeMode, Class,
    EraseReason, Expired, Lane, NoticeKind, Noticed, OfflineRefused, ParkReason, PaymentEvent, Recorded,
    ReversalOutcome, SendEnded, SendResult, SendStarted,
};
use takings_domain::payment::PaymentState;
use takings_domain::{AttemptId, Authorization};

use crate::history::{
    DEADLINE_MS, History, card_read, deferred, not_received, op, parked, report, reversal, taken_live, undone,
};

const CANCEL: CancelledUnsent = CancelledUnsent {};
const EXPIRE: Expired = Expired { by_ms: DEADLINE_MS };
const GIVE_UP: Abandoned = Abandoned { why: AttemptEnd::Cancelled };

fn refused_by_policy() -> OfflineRefused {
    OfflineRefused { rule: "amount".into() }
}

fn attempt() -> AttemptStarted {
    AttemptStarted { attempt_id: AttemptId::from_bytes([3; 16]), reader_serial: None }
}

fn drained(result: SendResult) -> History {
    let history = History::sending();
    history.clone().then(history.ended(result))
}

fn live_sending() -> History {
    let history = History::live();
    history.clone().then(history.send(Lane::Live))
}

fn check(rows: Vec<(History, PaymentEvent, &str)>) {
    for (history, event, why) in rows {
        assert_eq!(history.refuses(event.clone()), why, "{} after {}", event.kind(), history.line());
    }
}

#[test]
fn p2_once_goods_that_left_are_never_undone_by_the_core() {
    check(vec![
        (History::saved(), reversal().into(), "an accepted payment is never reversed by itself"),
        (drained(SendResult::Maybe), reversal().into(), "an accepted payment is never reversed by itself"),
        (drained(SendResult::Refused), reversal().into(), "an accepted payment is never reversed by itself"),
        (drained(SendResult::Maybe).then(EXPIRE), reversal().into(), "an accepted payment is never reversed by itself"),
        (History::approved(), reversal().into(), "an accepted payment is never reversed by itself"),
        (
            live_sending().then(report(1, Authorization::Approved)).then(taken_live()),
            reversal().into(),
            "an accepted payment is never reversed by itself",
        ),
        (History::undoing(), deferred().into(), "it is being undone"),
    ]);
}

#[test]
fn p2_once_what_may_have_left_cannot_be_taken_back_here() {
    let certain = "only what certainly did not leave can be cancelled";
    let maybe_then_not_sent = {
        let history = drained(SendResult::Maybe);
        let history = history.clone().then(history.send(Lane::Drain));
        history.clone().then(history.ended(SendResult::NotSent))
    };
    check(vec![
        (History::sending(), CANCEL.into(), certain),
        (drained(SendResult::Maybe), CANCEL.into(), certain),
        (drained(SendResult::Unverified), CANCEL.into(), certain),
        (drained(SendResult::InProgress), CANCEL.into(), certain),
        (maybe_then_not_sent, CANCEL.into(), certain),
        (drained(SendResult::Refused), CANCEL.into(), certain),
        (History::approved(), CANCEL.into(), certain),
        (History::saved().then(CANCEL), CANCEL.into(), certain),
        (History::live(), CANCEL.into(), certain),
        (History::in_doubt(), deferred().into(), "it may have been charged live"),
        (live_sending(), deferred().into(), "it may have been charged live"),
        (History::in_doubt(), refused_by_policy().into(), "it may have been charged"),
        (live_sending(), refused_by_policy().into(), "it may have been charged"),
        (live_sending(), GIVE_UP.into(), "it was accepted or sent"),
        (History::saved(), GIVE_UP.into(), "it was accepted or sent"),
        (History::saved(), refused_by_policy().into(), "an accepted payment cannot be refused"),
    ]);
}

#[test]
fn p3_honest_only_the_acquirers_word_makes_a_live_payment_good() {
    check(vec![
        (History::live(), taken_live().into(), "nobody has approved it"),
        (live_sending(), taken_live().into(), "nobody has approved it"),
        (History::in_doubt(), taken_live().into(), "nobody has approved it"),
        (live_sending().then(report(1, Authorization::Processing)), taken_live().into(), "nobody has approved it"),
        (live_sending().then(report(1, Authorization::Declined)), taken_live().into(), "nobody has approved it"),
    ]);
}

#[test]
fn what_is_closed_stays_closed() {
    let refused = History::live().then(refused_by_policy());
    let given_up = History::asked(ChargeMode::Offline).then(GIVE_UP);
    let never_came = History::in_doubt().then(not_received(true));
    let reversed = History::undoing().then(undone(ReversalOutcome::Reversed));
    let closed = "nothing may be sent for a closed payment";
    let live = |n| SendStarted { op: op(n), n, lane: Lane::Live };
    check(vec![
        (refused.clone(), deferred().into(), "it is closed already"),
        (refused.clone(), refused_by_policy().into(), "it is closed already"),
        (refused.clone(), GIVE_UP.into(), "it is closed already"),
        (refused.clone(), live(1).into(), closed),
        (refused, parked(ParkReason::UnlistedCode).into(), "there is nothing to park yet"),
        (given_up.clone(), attempt().into(), "the card was read or the charge given up"),
        (given_up.clone(), card_read().into(), "a card is read once, before it is given up"),
        (given_up, GIVE_UP.into(), "it is closed already"),
        (History::live().then(GIVE_UP), deferred().into(), "it is closed already"),
        (never_came.clone(), live(2).into(), closed),
        (never_came.clone(), deferred().into(), "it is closed already"),
        (never_came, reversal().into(), "there is nothing to undo"),
        (reversed.clone(), live(2).into(), closed),
        (reversed.clone(), undone(ReversalOutcome::AlreadyCleared).into(), "a reversal is answered once"),
        (reversed, parked(ParkReason::AlreadyCleared).into(), "a closed payment needs nobody"),
        (History::saved().then(CANCEL), EXPIRE.into(), "only what waits can expire"),
        (History::saved().then(CANCEL), SendStarted { op: op(1), n: 1, lane: Lane::Drain }.into(), closed),
    ]);
}

#[test]
fn one_send_at_a_time_each_with_its_own_end() {
    let started = |n, lane| PaymentEvent::from(SendStarted { op: op(n), n, lane });
    let ended = |n, lane, result| -> PaymentEvent {
        SendEnded { op: op(n), n, lane, result, code: None, retry_after_ms: None }.into()
    };
    let not_under_way = "this send is not under way";
    check(vec![
        (History::sending(), started(2, Lane::Drain), "one send at a time"),
        (History::saved(), started(2, Lane::Drain), "the attempt counter is out of step"),
        (History::saved(), started(1, Lane::Live), "not the lane of this payment"),
        (History::live(), started(1, Lane::Drain), "not the lane of this payment"),
        (History::live(), started(1, Lane::Reversal), "no reversal was asked for"),
        (History::undoing(), started(2, Lane::Live), "it is being undone"),
        (History::undoing(), started(2, Lane::Reversal), "one send at a time"),
        (History::asked(ChargeMode::PreferOnline), started(1, Lane::Live), "there is no card to charge"),
        (History::approved(), started(2, Lane::Drain), "nothing more is to be sent"),
        (History::saved().then(EXPIRE), started(1, Lane::Drain), "nothing more is to be sent"),
        (drained(SendResult::Refused), started(2, Lane::Drain), "nothing more is to be sent"),
        (History::saved(), ended(1, Lane::Drain, SendResult::Maybe), not_under_way),
        (History::sending(), ended(2, Lane::Drain, SendResult::Maybe), not_under_way),
        (drained(SendResult::Maybe), ended(1, Lane::Drain, SendResult::NotSent), not_under_way),
        (History::approved(), ended(1, Lane::Drain, SendResult::Refused), not_under_way),
        (History::sending(), ended(1, Lane::Reversal, SendResult::Maybe), "no reversal was asked for"),
    ]);
}

#[test]
fn the_acquirers_word_comes_in_order() {
    let newer = "only a newer report is written down";
    check(vec![
        (History::approved(), report(1, Authorization::Declined).into(), newer),
        (
            History::approved().then(report(5, Authorization::Approved)),
            report(4, Authorization::Reversed).into(),
            newer,
        ),
        (History::approved(), not_received(true).into(), "the acquirer has reported on it"),
        (live_sending().then(report(1, Authorization::Declined)), reversal().into(), "there is nothing to undo"),
        (History::live(), reversal().into(), "there is nothing to undo"),
        (History::undoing(), reversal().into(), "a reversal is decided once"),
        (History::in_doubt(), undone(ReversalOutcome::Reversed).into(), "no reversal was asked for"),
    ]);
}

#[test]
fn everything_else_has_its_time_too() {
    let notice = Noticed { kind: NoticeKind::Overdue, due_ms: 7 };
    let held = Noticed { kind: NoticeKind::Held, due_ms: 7 };
    let no_deadline = Accepted { class: Class::Deferred, deadline_ms: None };
    check(vec![
        (History::saved(), card_read().into(), "a card is read once, before it is given up"),
        (History::saved(), attempt().into(), "the card was read or the charge given up"),
        (History::saved(), deferred().into(), "acceptance is decided once"),
        (History::asked(ChargeMode::Offline), deferred().into(), "no card was read"),
        (History::live(), no_deadline.into(), "what is accepted offline has a deadline"),
        (History::live(), EXPIRE.into(), "only what waits can expire"),
        (History::approved(), EXPIRE.into(), "only what waits can expire"),
        (History::saved().then(EXPIRE), EXPIRE.into(), "only what waits can expire"),
        (History::asked(ChargeMode::Offline), parked(ParkReason::Refused).into(), "there is nothing to park yet"),
        (History::saved(), BlobErased { why: EraseReason::Answered }.into(), "the card data is still needed"),
        (History::in_doubt(), BlobErased { why: EraseReason::Answered }.into(), "the card data is still needed"),
        (History::saved(), BlobErased { why: EraseReason::Cancelled }.into(), "the card data is still needed"),
        (
            History::asked(ChargeMode::Offline),
            BlobErased { why: EraseReason::Refused }.into(),
            "there is no card data to erase",
        ),
        (History::approved().then(notice.clone()), notice.into(), "the same notice is given once"),
        (History::approved(), held.into(), "nothing is held back that its report did not tell"),
        (History::saved(), History::saved().events[0].event.clone(), "a payment begins once"),
    ]);
}

#[test]
fn a_history_begins_with_its_charge() {
    let history = History::saved();
    assert_eq!(PaymentState::fold(&[]), Ok(None));
    let error = PaymentState::fold(&history.events[1..]).unwrap_err();
    assert_eq!((error.seq, error.kind, error.why), (2, "attempt_started", "a payment begins with its charge"));
    let Recorded { at, operator, .. } = history.events[0].clone();
    let stray = Recorded { seq: 9, at, operator, event: AttemptEnded { why: AttemptEnd::TimedOut }.into() };
    assert_eq!(PaymentState::fold(&[stray]).unwrap_err().seq, 9);
}
