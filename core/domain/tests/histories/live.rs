//! The customer waits. Each row: the event => delivery | stage: cause | what is to be done | money | what is told.

use takings_domain::event::{
    BlobErased, EraseReason, Lane, OfflineRefused, ParkReason, ReversalOutcome, SendEnded, SendResult,
};
use takings_domain::{Authorization, Clearing};

use crate::history::{
    AMOUNT_MINOR, History, card_read, deferred, not_received, parked, report, reversal, story, taken_live, undone,
};
use takings_domain::event::{ChargeMode, PaymentReported};

#[test]
fn approved() {
    let history = story! {
        History::asked(ChargeMode::PreferOnline);
        |_| card_read() => "- | being_confirmed | - | - | -";
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |_| report(1, Authorization::Approved) => "delivered | approved | - | acquirer 1800 | -";
        |_| taken_live() => "delivered | approved | - | acquirer 1800 | -";
        |_| BlobErased { why: EraseReason::Answered } => "delivered | approved | - | acquirer 1800 | -";
    };
    assert_eq!(history.state.approved_minor(), AMOUNT_MINOR);
    assert!(!history.state.blob_held);
}

#[test]
fn declined() {
    story! {
        History::live();
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |_| report(1, Authorization::Declined) => "delivered | not_charged: declined | - | - | -";
    };
}

#[test]
fn approved_in_part() {
    let history = story! {
        History::live();
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |_| report(1, Authorization::PartiallyApproved) => "delivered | approved | - | acquirer 1000 | -";
        |_| taken_live() => "delivered | approved | - | acquirer 1000 | -";
    };
    assert_eq!(history.state.approved_minor(), 1_000);
}

#[test]
fn processing_first_the_answer_later() {
    story! {
        History::live();
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |_| report(1, Authorization::Processing) =>
            "in_doubt | being_confirmed | submit after a pause by live | - | -";
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |_| report(2, Authorization::Approved) => "delivered | approved | - | acquirer 1800 | -";
        |_| taken_live() => "delivered | approved | - | acquirer 1800 | -";
    };
}

#[test]
fn nothing_left_the_phone_so_the_offline_policy_decides() {
    let not_sent = story! {
        History::live();
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |h| h.ended(SendResult::NotSent) => "queued | being_confirmed | submit after a pause by live | - | -";
    };
    story! {
        not_sent.clone();
        |_| deferred() => "queued | saved_on_phone | submit now by drain | phone 1800 | -";
        |h| h.send(Lane::Drain) => "sending | being_confirmed | - | phone 1800 | -";
        |_| report(1, Authorization::Approved) => "delivered | approved | - | acquirer 1800 | -";
    };
    story! {
        not_sent;
        |_| OfflineRefused { rule: "amount".into() } => "- | not_charged: offline_refused | - | - | -";
        |_| BlobErased { why: EraseReason::Refused } => "- | not_charged: offline_refused | - | - | -";
    };
}

#[test]
fn in_doubt_then_sent_again_then_approved() {
    story! {
        History::live();
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |h| h.ended(SendResult::Maybe) => "in_doubt | being_confirmed | submit after a pause by live | - | -";
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |h| h.ended(SendResult::NotSent) => "in_doubt | being_confirmed | submit after a pause by live | - | -";
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |_| report(1, Authorization::Approved) => "delivered | approved | - | acquirer 1800 | -";
        |_| taken_live() => "delivered | approved | - | acquirer 1800 | -";
    };
}

#[test]
fn an_answer_that_cannot_be_believed_is_a_doubt() {
    for result in [SendResult::Maybe, SendResult::InProgress, SendResult::Unverified] {
        let history = History::live();
        let history = history.clone().then(history.send(Lane::Live));
        let history = history.clone().then(history.ended(result));
        assert_eq!(history.line(), "in_doubt | being_confirmed | submit after a pause by live | - | -", "{result}");
    }
}

#[test]
fn the_customers_patience_ends_with_a_question() {
    let history = History::in_doubt();
    assert_eq!(history.clone().wait(58_000).line(), "in_doubt | being_confirmed | submit now by live | - | -");
    let late = history.wait(59_000);
    assert_eq!(late.line(), "in_doubt | needs_you: in_doubt | inquire now by live | - | -");
    story! {
        late.clone();
        |_| not_received(false) => "in_doubt | needs_you: in_doubt | inquire now by live | - | -";
    };
    story! {
        late.clone();
        |_| not_received(true) => "- | not_charged: not_received | - | - | -";
        |_| BlobErased { why: EraseReason::Answered } => "- | not_charged: not_received | - | - | -";
    };
    story! {
        late;
        |_| report(1, Authorization::Approved) => "delivered | approved | - | acquirer 1800 | -";
        |_| taken_live() => "delivered | approved | - | acquirer 1800 | payment_confirmed_late";
    };
}

#[test]
fn then_it_is_undone_until_the_acquirer_answers() {
    let undoing = story! {
        History::in_doubt().wait(60_000);
        |_| reversal() => "in_doubt | needs_you: in_doubt | reverse now by reversal | - | -";
        |h| h.send(Lane::Reversal) => "in_doubt | needs_you: in_doubt | - | - | -";
        |h| h.ended(SendResult::Maybe) => "in_doubt | needs_you: in_doubt | reverse after a pause by reversal | - | -";
        |h| h.send(Lane::Reversal) => "in_doubt | needs_you: in_doubt | - | - | -";
        |h| h.ended(SendResult::NotSent) => "in_doubt | needs_you: in_doubt | reverse after a pause by reversal | - | -";
        |h| h.send(Lane::Reversal) => "in_doubt | needs_you: in_doubt | - | - | -";
    };
    for outcome in [ReversalOutcome::Reversed, ReversalOutcome::NothingToReverse, ReversalOutcome::AlreadyReversed] {
        let history = undoing.clone().then(undone(outcome));
        assert_eq!(history.line(), "- | not_charged: reversed | - | - | payment_reversed");
        let heard = history.then(report(1, Authorization::Reversed));
        assert_eq!(heard.line(), "delivered | not_charged: reversed | - | - | -", "told once, whoever says it again");
    }
    story! {
        undoing;
        |_| undone(ReversalOutcome::AlreadyCleared) => "parked | needs_you: already_cleared | - | - | payment_parked";
        |_| PaymentReported { clearing: Clearing::Cleared, ..report(4, Authorization::Approved) } =>
            "parked | needs_you: already_cleared | - | acquirer 1800 | -";
        |_| report(5, Authorization::Reversed) => "delivered | not_charged: reversed | - | - | payment_reversed";
    };
}

#[test]
fn an_approval_that_crosses_its_reversal_is_not_the_last_word() {
    let crossed = story! {
        History::undoing();
        |_| report(1, Authorization::Approved) => "delivered | needs_you: in_doubt | - | acquirer 1800 | -";
        |h| h.ended(SendResult::Maybe) =>
            "delivered | needs_you: in_doubt | reverse after a pause by reversal | acquirer 1800 | -";
    };
    assert_eq!(crossed.refuses(taken_live()), "it is being undone");
    story! {
        crossed;
        |h| h.send(Lane::Reversal) => "delivered | needs_you: in_doubt | - | acquirer 1800 | -";
        |_| undone(ReversalOutcome::Reversed) => "delivered | not_charged: reversed | - | - | payment_reversed";
    };
}

#[test]
fn a_reversal_heard_of_before_its_answer_is_told_once() {
    let history = story! {
        History::undoing();
        |_| report(2, Authorization::Reversed) => "delivered | not_charged: reversed | - | - | payment_reversed";
        |_| undone(ReversalOutcome::AlreadyReversed) => "delivered | not_charged: reversed | - | - | -";
    };
    assert_eq!(history.told.len(), 1);
}

#[test]
fn a_code_on_no_list_is_undone_while_the_customer_waits() {
    story! {
        History::live();
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |_| PaymentReported { code: Some("ZZ".into()), ..report(1, Authorization::Processing) } =>
            "in_doubt | being_confirmed | submit after a pause by live | - | -";
        |_| reversal() => "in_doubt | being_confirmed | reverse now by reversal | - | -";
        |h| h.send(Lane::Reversal) => "in_doubt | being_confirmed | - | - | -";
        |_| undone(ReversalOutcome::Reversed) => "in_doubt | not_charged: reversed | - | - | payment_reversed";
    };
}

#[test]
fn refused_by_the_acquirer_nothing_is_charged() {
    story! {
        History::live();
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |h| h.ended(SendResult::Refused) => "- | not_charged: refused_by_acquirer | - | - | -";
        |_| BlobErased { why: EraseReason::Answered } => "- | not_charged: refused_by_acquirer | - | - | -";
    };
    story! {
        History::live();
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |h| h.ended(SendResult::Refused) => "- | not_charged: refused_by_acquirer | - | - | -";
        |_| parked(ParkReason::CounterBroken) => "- | not_charged: counter_broken | - | - | payment_parked";
    };
}

#[test]
fn refused_after_a_doubt_is_no_answer_to_the_doubt() {
    story! {
        History::in_doubt();
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |h| h.ended(SendResult::Refused) => "parked | needs_you: refused_by_acquirer | - | - | payment_parked";
        |_| report(1, Authorization::Declined) => "delivered | not_charged: declined | - | - | -";
    };
}

#[test]
fn what_was_given_up_here_but_charged_there_is_shown() {
    let refused = story! {
        History::live();
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |h| h.ended(SendResult::NotSent) => "queued | being_confirmed | submit after a pause by live | - | -";
        |_| OfflineRefused { rule: "amount".into() } => "- | not_charged: offline_refused | - | - | -";
        |_| BlobErased { why: EraseReason::Refused } => "- | not_charged: offline_refused | - | - | -";
    };
    // The line said that nothing left. It was wrong, and the feed says so.
    story! {
        refused.clone();
        |_| report(1, Authorization::Approved) => "delivered | needs_you: already_cleared | - | acquirer 1800 | payment_parked";
        |_| report(2, Authorization::Reversed) => "delivered | not_charged: offline_refused | - | - | -";
    };
    story! {
        refused.clone();
        |_| report(1, Authorization::Processing) => "in_doubt | being_confirmed | - | - | -";
        |_| report(2, Authorization::Approved) => "delivered | needs_you: already_cleared | - | acquirer 1800 | payment_parked";
    };
    story! {
        refused;
        |_| report(1, Authorization::Declined) => "delivered | not_charged: offline_refused | - | - | -";
    };
}

#[test]
fn the_acquirer_asks_to_wait() {
    let history = story! {
        History::live();
        |h| h.send(Lane::Live) => "sending | being_confirmed | - | - | -";
        |h| SendEnded { retry_after_ms: Some(30_000), ..h.ended(SendResult::Maybe) } =>
            "in_doubt | being_confirmed | submit when let by live | - | -";
    };
    let to_do = takings_domain::payment::to_do(&history.state).unwrap();
    assert_eq!((to_do.due_ms, to_do.hold_until_ms), (history.now_ms + 30_000, Some(history.now_ms + 30_000)));
}
