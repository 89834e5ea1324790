//! Between intent and card. Each row as in `live`.

use takings_domain::AttemptId;
use takings_domain::event::{
    Abandoned, AttemptEnd, AttemptEnded, AttemptStarted, BlobErased, ChargeMode, DuplicateOverridden, EraseReason,
    ReaderConcluded, ReceiptDataRead, Verification,
};

use crate::history::{History, card_read, deferred, id, story};

fn presented(number: u8) -> AttemptStarted {
    AttemptStarted { attempt_id: AttemptId::from_bytes([number; 16]), reader_serial: None }
}

#[test]
fn given_up_before_the_card() {
    for (why, line) in [
        (AttemptEnd::Cancelled, "- | not_charged: abandoned | - | - | -"),
        (AttemptEnd::TimedOut, "- | not_charged: abandoned | - | - | -"),
        (AttemptEnd::ReadError, "- | not_charged: abandoned | - | - | -"),
        (AttemptEnd::Unknown, "- | not_charged: abandoned | - | - | -"),
        (AttemptEnd::LinkLost, "- | not_charged: interrupted | - | - | -"),
        (AttemptEnd::Interrupted, "- | not_charged: interrupted | - | - | -"),
    ] {
        let ended = History::asked(ChargeMode::Offline).then(AttemptEnded { why });
        assert_eq!(ended.line(), "- | being_confirmed | - | - | -", "one attempt is not the charge");
        assert!(ended.state.is_unfinished());
        assert_eq!(ended.then(Abandoned { why }).line(), line, "{why}");
    }
}

#[test]
fn the_app_ended_between_card_and_acceptance() {
    story! {
        History::live();
        |_| AttemptEnded { why: AttemptEnd::Interrupted } => "- | being_confirmed | - | - | -";
        |_| Abandoned { why: AttemptEnd::Interrupted } => "- | not_charged: interrupted | - | - | -";
        |_| BlobErased { why: EraseReason::Answered } => "- | not_charged: interrupted | - | - | -";
    };
}

#[test]
fn a_card_that_cannot_be_read_is_presented_again() {
    let history = story! {
        History::asked(ChargeMode::Offline);
        |_| AttemptEnded { why: AttemptEnd::ReadError } => "- | being_confirmed | - | - | -";
        |_| presented(2) => "- | being_confirmed | - | - | -";
        |_| card_read() => "- | being_confirmed | - | - | -";
        |_| deferred() => "queued | saved_on_phone | submit now by drain | phone 1800 | -";
    };
    let ends: Vec<_> = history.state.attempts.iter().map(|attempt| attempt.ended).collect();
    assert_eq!(ends, [Some(AttemptEnd::ReadError), None]);
}

#[test]
fn a_later_completion_code_only_adds() {
    let quick = |outcome: &str, code: &str, unexpected| ReaderConcluded {
        outcome: outcome.into(),
        code: code.into(),
        unexpected,
    };
    for concluded in [quick("deferred", "22", false), quick("declined", "06", true), quick("unknown", "7f", true)] {
        let before = History::saved();
        let after = before.clone().then(concluded.clone());
        assert_eq!(after.line(), before.line(), "the sale stands as it was accepted");
        let last = after.state.attempts.last().and_then(|attempt| attempt.concluded.clone());
        assert_eq!(last, Some(concluded), "and the code is kept, with its flag");
    }
}

#[test]
fn a_repeat_knows_its_original() {
    let other = takings_domain::PaymentId::from_parts(1_795_233_500_000, [2; 10]);
    let history = History::asked(ChargeMode::Offline).then(DuplicateOverridden { other });
    assert_eq!(history.state.repeats, Some(other));
    assert_eq!(history.state.id(), id());
}

#[test]
fn what_the_receipt_needs_is_read_once_after_the_card_and_changes_nothing() {
    let told = || ReceiptDataRead {
        aid: Some("A000000333010101".into()),
        application_name: None,
        verification: Some(Verification::Signature),
        signature: true,
        tvr: None,
        tsi: None,
    };
    let asked = History::asked(ChargeMode::Offline);
    assert_eq!(asked.refuses(told()), "no card was read");
    let saved = History::saved();
    let line = saved.line();
    let told_once = saved.then(told());
    assert_eq!(told_once.line(), line);
    assert_eq!(told_once.state.receipt, Some(told()));
    assert_eq!(told_once.refuses(told()), "a receipt's data is read once");
}
