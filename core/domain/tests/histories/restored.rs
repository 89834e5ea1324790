//! Payments of another phone, read in from the acquirer: shown as they stand there, never sent, never undone from here.

use takings_domain::Authorization;
use takings_domain::alert::AlertKind;
use takings_domain::event::{Accepted, ChargeMode, Class, Lane, ParkReason, Parked, Restored};
use takings_domain::payment::{Cause, Stage, base, to_do};

use crate::history::{AMOUNT_MINOR, History, NOON_MS, card_read, report, reversal};

fn restored(class: Class) -> History {
    History::begun(ChargeMode::PreferOnline).then(Restored { class, captured_at_ms: NOON_MS - 7_000 })
}

#[test]
fn a_restored_payment_is_what_the_acquirer_says() {
    use Authorization as A;
    let rows = [
        (Class::Live, A::Approved, Stage::Approved, None),
        (Class::Live, A::Declined, Stage::NotCharged, Some(Cause::Declined)),
        (Class::Live, A::Reversed, Stage::NotCharged, Some(Cause::Reversed)),
        (Class::Live, A::Processing, Stage::BeingConfirmed, None),
        (Class::Deferred, A::Approved, Stage::Approved, None),
        (Class::Deferred, A::Declined, Stage::NeedsYou, Some(Cause::DeclinedAfterDeferral)),
        (Class::Deferred, A::Processing, Stage::BeingConfirmed, None),
        (Class::ChipOffline, A::Approved, Stage::Approved, None),
    ];
    for (class, authorization, stage, cause) in rows {
        let history = restored(class).then(report(3, authorization));
        let found = base(&history.state, None);
        assert_eq!((found.stage, found.why.map(|why| why.cause)), (stage, cause), "{class:?} {authorization:?}");
        let runs_out = found.attention_after_ms.is_some();
        assert_eq!(runs_out, authorization == A::Approved, "{class:?} {authorization:?}: only its money can be late");
        assert_eq!(history.told, [], "{class:?} {authorization:?}: old news");
        assert_eq!(to_do(&history.state), None, "{class:?} {authorization:?}");
        assert_eq!(history.state.captured_at_ms(), NOON_MS - 7_000);
        let approved = authorization == A::Approved;
        assert_eq!(history.state.approved_minor(), if approved { AMOUNT_MINOR } else { 0 });
    }
}

#[test]
fn what_the_acquirer_says_later_is_told() {
    let history = restored(Class::Deferred).then(report(1, Authorization::Processing));
    let history = history.then(report(2, Authorization::Declined));
    assert_eq!(history.told, [(AlertKind::DeclinedAfterDeferral, 2)]);
}

#[test]
fn p2_once_nothing_is_sent_accepted_again_or_undone_for_a_restored_payment() {
    let live = restored(Class::Live);
    let send = live.send(Lane::Live);
    let deferred = Accepted { class: Class::Deferred, deadline_ms: Some(NOON_MS) };
    let read = History::live();
    for (history, event, why) in [
        (live.clone(), send.into(), "there is no card to charge"),
        (live.clone(), reversal().into(), "it was taken elsewhere"),
        (live.clone(), card_read().into(), "nobody asked for a card"),
        (live.clone(), read.events[1].event.clone(), "it was taken elsewhere"),
        (live.clone(), deferred.into(), "no card was read"),
        (live, Restored { class: Class::Live, captured_at_ms: 1 }.into(), "what was taken elsewhere begins with it"),
        (read, Restored { class: Class::Live, captured_at_ms: 1 }.into(), "what was taken elsewhere begins with it"),
    ] {
        let mut history = history;
        assert_eq!(history.try_then(event).map_err(|error| error.why), Err(why));
    }
    // An answer that no list explains stands until somebody acts.
    let parked = Parked { reason: ParkReason::UnlistedCode, code: Some("ZZ".into()) };
    let unlisted = restored(Class::Live).then(report(1, Authorization::Processing)).then(parked);
    assert_eq!(base(&unlisted.state, None).why.map(|why| why.cause), Some(Cause::UnlistedCode));
    // And an approved live one is accepted as such.
    let approved = restored(Class::Live).then(report(1, Authorization::Approved));
    let approved = approved.then(Accepted { class: Class::Live, deadline_ms: None });
    assert_eq!((approved.state.class(), approved.told.len()), (Some(Class::Live), 0));
}
