//! The customer has gone with the goods. Each row as in `live`.

use takings_domain::event::{
    Accepted, BlobErased, CancelledUnsent, Class, EraseReason, Expired, Lane, NoticeKind, Noticed, ParkReason,
    PaymentReported, SendResult, ServiceMarked,
};
use takings_domain::payment::notice_due;
use takings_domain::{Arrival, Authorization, Clearing, Evidence, payment};

use crate::history::{
    DAY_MS, DEADLINE_MS, History, NOON_MS, OVERDUE_MS, card_read, deferred, not_received, parked, report, story,
};
use takings_domain::event::ChargeMode;

const EXPIRED: Expired = Expired { by_ms: DEADLINE_MS };

#[test]
fn saved_sent_lost_sent_again_approved() {
    let history = story! {
        History::asked(ChargeMode::Offline);
        |_| card_read() => "- | being_confirmed | - | - | -";
        |_| deferred() => "queued | saved_on_phone | submit now by drain | phone 1800 | -";
        |h| h.send(Lane::Drain) => "sending | being_confirmed | - | phone 1800 | -";
        |h| h.ended(SendResult::NotSent) => "queued | saved_on_phone | submit after a pause by drain | phone 1800 | -";
        |h| h.send(Lane::Drain) => "sending | being_confirmed | - | phone 1800 | -";
        |h| h.ended(SendResult::Maybe) => "in_doubt | being_confirmed | submit after a pause by drain | phone 1800 | -";
        |h| h.send(Lane::Drain) => "sending | being_confirmed | - | phone 1800 | -";
        |h| h.ended(SendResult::NotSent) => "in_doubt | being_confirmed | submit after a pause by drain | phone 1800 | -";
        |h| h.send(Lane::Drain) => "sending | being_confirmed | - | phone 1800 | -";
        |_| report(1, Authorization::Approved) => "delivered | approved | - | acquirer 1800 | -";
        |_| BlobErased { why: EraseReason::Answered } => "delivered | approved | - | acquirer 1800 | -";
    };
    assert_eq!(history.state.sends.count, 4);
}

#[test]
fn declined_after_the_customer_has_gone() {
    story! {
        History::sending();
        |_| report(1, Authorization::Declined) =>
            "delivered | needs_you: declined_after_deferral | - | - | declined_after_deferral";
        |_| report(2, Authorization::Referred) => "delivered | needs_you: declined_after_deferral | - | - | -";
    };
}

#[test]
fn reversed_by_the_acquirer_of_its_own() {
    story! {
        History::approved();
        |_| report(2, Authorization::Reversed) => "delivered | not_charged: reversed | - | - | payment_reversed";
        |_| report(3, Authorization::Voided) => "delivered | not_charged: reversed | - | - | -";
    };
}

#[test]
fn refused_by_the_acquirer() {
    story! {
        History::sending();
        |h| h.ended(SendResult::Refused) => "parked | needs_you: refused_by_acquirer | - | phone 1800 | payment_parked";
        |_| report(1, Authorization::Approved) => "delivered | approved | - | acquirer 1800 | -";
    };
}

#[test]
fn never_uploaded() {
    let late = History::saved().until(DEADLINE_MS);
    assert_eq!(late.line(), "queued | needs_you: not_uploaded | submit now by drain | phone 1800 | -");
    story! {
        late;
        |_| EXPIRED => "parked | needs_you: expired | - | - | payment_expired";
        |_| BlobErased { why: EraseReason::Expired } => "parked | needs_you: expired | - | - | -";
    };
}

#[test]
fn never_answered_stays_a_doubt_and_a_late_answer_counts() {
    let late = story! {
        History::sending();
        |h| h.ended(SendResult::Maybe) => "in_doubt | being_confirmed | submit after a pause by drain | phone 1800 | -";
    };
    let late = late.until(DEADLINE_MS);
    assert_eq!(late.line(), "in_doubt | needs_you: in_doubt | submit now by drain | phone 1800 | -");
    story! {
        late;
        |_| EXPIRED => "parked | needs_you: expired_in_doubt | - | - | payment_expired";
        |_| BlobErased { why: EraseReason::Expired } => "parked | needs_you: expired_in_doubt | - | - | -";
        |_| PaymentReported { expected: None, ..report(1, Authorization::Approved) } => "delivered | approved | - | acquirer 1800 | -";
    };
}

#[test]
fn cancelled_before_anything_left() {
    story! {
        History::saved();
        |_| CancelledUnsent {} => "- | not_charged: cancelled_unsent | - | - | -";
        |_| BlobErased { why: EraseReason::Cancelled } => "- | not_charged: cancelled_unsent | - | - | -";
    };
    story! {
        History::sending();
        |h| h.ended(SendResult::NotSent) => "queued | saved_on_phone | submit after a pause by drain | phone 1800 | -";
        |_| CancelledUnsent {} => "- | not_charged: cancelled_unsent | - | - | -";
        |_| report(1, Authorization::Approved) => "delivered | needs_you: already_cleared | - | acquirer 1800 | payment_parked";
    };
}

#[test]
fn still_processing_is_asked_again_after_a_pause() {
    story! {
        History::sending();
        |_| report(1, Authorization::Processing) =>
            "in_doubt | being_confirmed | submit after a pause by drain | phone 1800 | -";
        |h| h.send(Lane::Drain) => "sending | being_confirmed | - | phone 1800 | -";
        |h| h.ended(SendResult::InProgress) =>
            "in_doubt | being_confirmed | submit after a pause by drain | phone 1800 | -";
        |_| report(2, Authorization::Approved) => "delivered | approved | - | acquirer 1800 | -";
    };
}

#[test]
fn a_code_on_no_list_stands_until_the_acquirer_says_more() {
    story! {
        History::sending();
        |_| PaymentReported { code: Some("ZZ".into()), ..report(1, Authorization::Processing) } =>
            "in_doubt | being_confirmed | submit after a pause by drain | phone 1800 | -";
        |_| parked(ParkReason::UnlistedCode) => "parked | needs_you: unlisted_code | - | phone 1800 | payment_parked";
        |_| report(2, Authorization::Declined) =>
            "delivered | needs_you: declined_after_deferral | - | - | declined_after_deferral";
    };
}

#[test]
fn a_broken_counter_stops_and_tells() {
    story! {
        History::sending();
        |h| h.ended(SendResult::NotSent) => "queued | saved_on_phone | submit after a pause by drain | phone 1800 | -";
        |_| parked(ParkReason::CounterBroken) => "parked | needs_you: counter_broken | - | phone 1800 | payment_parked";
    };
}

#[test]
fn certainly_not_received_is_queued_again() {
    story! {
        History::sending();
        |h| h.ended(SendResult::Maybe) => "in_doubt | being_confirmed | submit after a pause by drain | phone 1800 | -";
        |_| not_received(false) => "in_doubt | being_confirmed | submit now by drain | phone 1800 | -";
        |_| not_received(true) => "queued | saved_on_phone | submit now by drain | phone 1800 | -";
        |h| h.send(Lane::Drain) => "sending | being_confirmed | - | phone 1800 | -";
        |_| report(1, Authorization::Approved) => "delivered | approved | - | acquirer 1800 | -";
    };
}

#[test]
fn the_chip_itself_approved() {
    let accepted = Accepted { class: Class::ChipOffline, deadline_ms: Some(DEADLINE_MS) };
    let history = story! {
        History::asked(ChargeMode::Offline);
        |_| card_read() => "- | being_confirmed | - | - | -";
        |_| accepted => "queued | saved_on_phone | submit now by drain | phone 1800 | -";
    };
    assert_eq!(history.state.class(), Some(Class::ChipOffline));
}

#[test]
fn held_back_then_let_go() {
    let held = |version, arrival| PaymentReported { arrival, ..report(version, Authorization::Approved) };
    story! {
        History::approved();
        |_| held(2, Arrival::Held) => "delivered | needs_you: risk_hold | - | acquirer 1800 | payment_held";
        |_| held(3, Arrival::Held) => "delivered | needs_you: risk_hold | - | acquirer 1800 | -";
        |_| held(4, Arrival::Scheduled) => "delivered | approved | - | acquirer 1800 | payment_released";
        |_| held(5, Arrival::Held) => "delivered | needs_you: risk_hold | - | acquirer 1800 | payment_held";
    };
}

#[test]
fn the_acquirers_axes_without_a_payout() {
    let said = |version, arrival| PaymentReported { arrival, ..report(version, Authorization::Approved) };
    let history = story! {
        History::approved();
        |_| PaymentReported { clearing: Clearing::Rejected, ..report(2, Authorization::Approved) } =>
            "delivered | needs_you: settlement_rejected | - | acquirer 1800 | -";
        |_| said(3, Arrival::InPayout) => "delivered | on_its_way | - | acquirer 1800 | -";
        |_| said(4, Arrival::Sent) => "delivered | on_its_way | - | acquirer 1800 | -";
        |_| said(5, Arrival::Arrived) => "delivered | arrived | - | acquirer 1800 | -";
        |_| said(6, Arrival::Returned) => "delivered | needs_you: returned_by_bank | - | acquirer 1800 | -";
        |_| said(7, Arrival::Failed) => "delivered | needs_you: account_invalid | - | acquirer 1800 | -";
        |_| said(8, Arrival::Netted) => "delivered | settled_by_offset | - | acquirer 1800 | -";
    };
    assert_eq!(history.events.iter().filter(|event| event.event.kind() == "payment_reported").count(), 8);
    let arrived = History::approved().then(said(2, Arrival::Arrived));
    let evidence = arrived.state.report.map(|report| report.evidence);
    assert_eq!(evidence, Some(Evidence::Acquirer), "P6: arrived names its evidence");
}

#[test]
fn overdue_is_noticed_once() {
    let history = History::approved().until(OVERDUE_MS - 1);
    assert_eq!(history.line(), "delivered | approved | - | acquirer 1800 | -");
    let late = history.wait(1);
    assert_eq!(late.line(), "delivered | needs_you: unknown_overdue | - | acquirer 1800 | -");
    let attention = payment::base(&late.state, None).attention_after_ms;
    let (kind, due_ms) = notice_due(&late.state, attention, late.now_ms).unwrap();
    assert_eq!((kind, due_ms), (NoticeKind::Overdue, OVERDUE_MS));
    let told = story! {
        late;
        |_| Noticed { kind, due_ms } =>
            "delivered | needs_you: unknown_overdue | - | acquirer 1800 | payment_overdue";
    };
    assert_eq!(notice_due(&told.state, attention, told.now_ms), None);
    // A new day, missed again, is a new fact.
    let mut moved = report(2, Authorization::Approved);
    let later_ms = OVERDUE_MS + DAY_MS;
    if let Some(expected) = &mut moved.expected {
        expected.overdue_after_ms = later_ms;
    }
    let moved = told.then(moved);
    assert_eq!(moved.line(), "delivered | approved | - | acquirer 1800 | -");
    let attention = payment::base(&moved.state, None).attention_after_ms;
    assert_eq!(notice_due(&moved.state, attention, later_ms), Some((NoticeKind::Overdue, later_ms)));
}

#[test]
fn a_doubt_past_its_window_is_noticed_and_a_queue_is_not() {
    let live = History::in_doubt();
    let window = payment::base(&live.state, None).attention_after_ms.unwrap();
    assert_eq!(window, live.state.sends.first_at_ms.unwrap() + 60_000);
    assert_eq!(notice_due(&live.state, Some(window), window), Some((NoticeKind::InDoubtTooLong, window)));
    let queued = History::saved();
    let deadline = payment::base(&queued.state, None).attention_after_ms;
    assert_eq!(deadline, Some(DEADLINE_MS));
    assert_eq!(notice_due(&queued.state, deadline, DEADLINE_MS), None, "its expiry tells for itself");
}

#[test]
fn the_goods_are_marked() {
    let history = History::saved().then(ServiceMarked { given: true });
    assert_eq!(history.state.service_given, Some(true));
    assert_eq!(history.line(), "queued | saved_on_phone | submit now by drain | phone 1800 | -");
    assert_eq!(history.state.captured_at_ms(), NOON_MS + 2_000);
}
