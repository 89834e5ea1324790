//! What holds whatever happens: random histories, plausible and not, under the promises by name.
//!
//! Each step picks a kind of event and makes it from the state before it, mostly so that it can follow; the fold then
//! either refuses it or keeps every promise.

use std::collections::BTreeSet;

use proptest::prelude::*;
use takings_domain::alert::AlertKind;
use takings_domain::balance::{Account, payment_postings};
use takings_domain::event::{
    Abandoned, Accepted, AttemptEnd, AttemptEnded, AttemptStarted, BlobErased, CancelledUnsent, ChargeMode, Class,
    EraseReason, Event, Expired, Lane, NoticeKind, Noticed, OfflineRefused, ParkReason, PaymentEvent, PaymentReported,
    ReaderConcluded, ReversalOutcome, SendEnded, SendResult, SendStarted, ServiceMarked,
};
use takings_domain::payment::{self, Acts, Cause, Delivery, PaymentState, PayoutLink, Stage};
use takings_domain::{Arrival, AttemptId, Authorization, Clearing, Evidence, PayoutId, PayoutStatus};

use crate::history::{
    AMOUNT_MINOR, Books, DEADLINE_MS, History, card_read, not_received, op, parked, post, report, reversal, undone,
};
use crate::runs;

/// What to try next: a kind, a choice within it, and how much later, milliseconds.
type Step = (u8, u8, i64);

fn steps() -> impl Strategy<Value = (ChargeMode, Vec<Step>)> {
    let mode = prop::sample::select(ChargeMode::ALL);
    let wait = prop_oneof![Just(0), 0_i64..2_000, 0_i64..100_000, 0_i64..1_000_000_000];
    (mode, prop::collection::vec((0_u8..36, any::<u8>(), wait), 1..40))
}

fn pick<T: Copy>(all: &[T], choice: u8) -> T {
    all[usize::from(choice) % all.len()]
}

/// The event of a step, made to fit the state where it can.
fn event(kind: u8, choice: u8, history: &History) -> PaymentEvent {
    let state = &history.state;
    match kind {
        0..=3 => card_read().into(),
        4 | 5 => Accepted { class: pick(Class::ALL, choice), deadline_ms: Some(DEADLINE_MS) }.into(),
        6 => Accepted { class: Class::Deferred, deadline_ms: Some(DEADLINE_MS) }.into(),
        7..=11 => send(state, choice).into(),
        12..=16 => ended(state, choice).into(),
        17..=21 => heard(state, choice).into(),
        22 => not_received(choice.is_multiple_of(2)).into(),
        23 | 24 => reversal().into(),
        25 => undone(pick(ReversalOutcome::ALL, choice)).into(),
        26 => parked(pick(ParkReason::ALL, choice)).into(),
        27 => Expired { by_ms: DEADLINE_MS }.into(),
        28 => CancelledUnsent {}.into(),
        29 => BlobErased { why: pick(EraseReason::ALL, choice) }.into(),
        30 => Noticed { kind: pick(NoticeKind::ALL, choice), due_ms: i64::from(choice / 8) }.into(),
        31 => OfflineRefused { rule: "amount".into() }.into(),
        32 => Abandoned { why: pick(AttemptEnd::ALL, choice) }.into(),
        33 => AttemptEnded { why: pick(AttemptEnd::ALL, choice) }.into(),
        34 => AttemptStarted { attempt_id: AttemptId::from_bytes([choice; 16]), reader_serial: None }.into(),
        _ if choice.is_multiple_of(2) => ServiceMarked { given: choice.is_multiple_of(4) }.into(),
        _ => ReaderConcluded { outcome: "declined".into(), code: "06".into(), unexpected: true }.into(),
    }
}

fn lane_of(state: &PaymentState, choice: u8) -> Lane {
    match (choice % 8, &state.reversal, state.acceptance.is_some()) {
        (0, ..) => pick(Lane::ALL, choice / 8),
        (_, Some(_), _) => Lane::Reversal,
        (_, None, true) => Lane::Drain,
        (_, None, false) => Lane::Live,
    }
}

fn count_of(state: &PaymentState, lane: Lane) -> u32 {
    match (lane, &state.reversal) {
        (Lane::Reversal, Some(reversal)) => reversal.sends.count,
        (Lane::Reversal, None) => 0,
        (Lane::Live | Lane::Drain, _) => state.sends.count,
    }
}

fn send(state: &PaymentState, choice: u8) -> SendStarted {
    let lane = lane_of(state, choice);
    let n = count_of(state, lane) + 1;
    SendStarted { op: op(n), n, lane }
}

fn ended(state: &PaymentState, choice: u8) -> SendEnded {
    let lane = lane_of(state, choice);
    let n = count_of(state, lane);
    let retry_after_ms = choice.is_multiple_of(5).then_some(30_000);
    SendEnded { op: op(n), n, lane, result: pick(SendResult::ALL, choice / 8), code: None, retry_after_ms }
}

fn heard(state: &PaymentState, choice: u8) -> PaymentReported {
    let known = state.report.as_ref().map_or(0, |report| report.report_version);
    // One in eight is an old word heard again.
    let report_version = if choice.is_multiple_of(8) { known } else { known + 1 };
    let authorization = pick(Authorization::ALL, choice / 4);
    let mut report = report(report_version, authorization);
    if choice.is_multiple_of(3) {
        report.arrival = pick(Arrival::ALL, choice / 3);
        report.clearing = pick(Clearing::ALL, choice / 5);
    }
    if choice.is_multiple_of(7) {
        report.approved_amount_minor = Some(AMOUNT_MINOR - i64::from(choice));
    }
    report
}

/// Plays the steps; after each one that is taken, `check` sees the state before, the event and the history after.
fn play(
    (mode, steps): (ChargeMode, Vec<Step>),
    mut check: impl FnMut(&PaymentState, &PaymentEvent, &History) -> Result<(), TestCaseError>,
) -> Result<History, TestCaseError> {
    let mut history = History::asked(mode);
    for (kind, choice, wait) in steps {
        history = history.wait(wait);
        let event = event(kind, choice, &history);
        let before = history.state.clone();
        // `try_then` itself checks that a refusal changes nothing, and promise P4.
        if history.try_then(event.clone()).is_ok() {
            check(&before, &event, &history)?;
        }
    }
    Ok(history)
}

/// No payout, and one of every status.
fn links() -> Vec<Option<PayoutLink>> {
    let link = |status| PayoutLink {
        payout_id: PayoutId::new("po_1").unwrap(),
        status,
        evidence: if status == PayoutStatus::Arrived { Evidence::Acquirer } else { Evidence::None },
        expected_date: None,
        overdue_after_ms: Some(DEADLINE_MS),
        gross_minor: AMOUNT_MINOR,
        fee_minor: 11,
        net_minor: AMOUNT_MINOR - 11,
    };
    PayoutStatus::ALL.iter().map(|status| Some(link(*status))).chain([None]).collect()
}

proptest! {
    #![proptest_config(runs())]

    #[test]
    fn p3_honest_only_a_report_decides(steps in steps()) {
        play(steps, |before, event, history| {
            let after = &history.state;
            match event {
                PaymentEvent::PaymentReported(report) => {
                    let word = Some(report.authorization).filter(|word| *word != Authorization::Processing);
                    prop_assert_eq!(after.decision(), word);
                }
                _ => prop_assert_eq!(after.decision(), before.decision()),
            }
            let not_charged = |state: &PaymentState| payment::base(state, None).stage == Stage::NotCharged;
            if matches!(event, PaymentEvent::SendStarted(_) | PaymentEvent::SendEnded(_) | PaymentEvent::Expired(_)) {
                let refused = matches!(event, PaymentEvent::SendEnded(end) if end.result == SendResult::Refused);
                prop_assert!(refused || not_charged(after) == not_charged(before), "{:?}", event);
                let doubt = before.sends.may_have_arrived;
                prop_assert!(!doubt || !not_charged(after) || not_charged(before), "a doubt ends with an answer only");
            }
            prop_assert!(!before.sends.may_have_arrived || after.sends.may_have_arrived
                || matches!(event, PaymentEvent::NotReceived(_)), "{:?}", event);
            Ok(())
        })?;
    }

    #[test]
    fn p2_once_what_left_is_never_cancelled_and_goods_never_reversed(steps in steps()) {
        play(steps, |before, event, history| {
            let after = &history.state;
            prop_assert!(after.reversal.is_none() || after.acceptance.is_none());
            if matches!(event, PaymentEvent::CancelledUnsent(_)) {
                prop_assert!(!before.sends.may_have_arrived && before.sends.open.is_none());
            }
            if let PaymentEvent::SendStarted(started) = event {
                prop_assert!(!before.is_closed());
                prop_assert_eq!(before.reversal.is_some(), started.lane == Lane::Reversal);
            }
            prop_assert_eq!(before.acceptance.is_some() && before.acceptance != after.acceptance, false, "fixed at acceptance");
            Ok(())
        })?;
    }

    #[test]
    fn p4_balanced_folding_all_is_folding_one_by_one(steps in steps()) {
        let history = play(steps, |_, _, _| Ok(()))?;
        let folded = PaymentState::fold(&history.events).unwrap().unwrap();
        prop_assert_eq!(&folded, &history.state);
        let mut books = Books::new();
        post(&mut books, &payment_postings(None, &folded));
        prop_assert_eq!(&books, &history.books);
        for recorded in &history.events {
            let event = Event::Payment(recorded.event.clone());
            let body = event.body().unwrap();
            prop_assert_eq!(Event::read(event.kind(), event.body_version(), &body), Ok(event));
        }
    }

    #[test]
    fn every_stage_says_what_it_must(steps in steps()) {
        play(steps, |_, _, history| {
            for link in links() {
                let state = &history.state;
                let base = payment::base(state, link.as_ref());
                for later_ms in [0, 61_000, 5_000_000_000] {
                    let (stage, why) = payment::standing_at(base, history.now_ms + later_ms);
                    let explained = matches!(stage, Stage::NotCharged | Stage::NeedsYou);
                    prop_assert_eq!(why.is_some(), explained, "{} {:?}", stage, why);
                    if let Some(why) = why {
                        prop_assert_eq!(why, why.cause.why());
                        prop_assert!(stage != Stage::NeedsYou || why.acts != Acts::Nobody, "{:?}", why);
                    }
                }
                if base.stage == Stage::NotCharged {
                    prop_assert_eq!(payment::to_do(state), None, "nothing is to be done");
                    let held = |account| history.books.iter().any(|((at, _, _), _)| *at == account);
                    prop_assert!(!held(Account::Phone) && !held(Account::Acquirer), "and nothing is left: {:?}", history.books);
                }
                let arrived = base.stage == Stage::Arrived;
                let own = state.report.as_ref().is_some_and(|report| report.evidence != Evidence::None);
                let theirs = link.is_some_and(|link| link.evidence != Evidence::None);
                prop_assert!(!arrived || own || theirs, "P6: arrived names its evidence");
            }
            Ok(())
        })?;
    }

    #[test]
    fn time_only_ever_adds_a_need(steps in steps(), earlier in 0_i64..3_000_000_000, longer in 0_i64..3_000_000_000) {
        let history = play(steps, |_, _, _| Ok(()))?;
        for link in links() {
            let base = payment::base(&history.state, link.as_ref());
            let at = |ms| payment::standing_at(base, history.now_ms + ms);
            let (first, then) = (at(earlier), at(earlier + longer));
            prop_assert!(first == then || (first == (base.stage, base.why) && then.0 == Stage::NeedsYou));
        }
    }

    #[test]
    fn p10_drains_what_waits_can_go_and_what_stands_says_why(steps in steps()) {
        play(steps, |_, _, history| {
            let state = &history.state;
            let Some(to_do) = payment::to_do(state) else {
                let in_flight = state.sends.open.is_some()
                    || state.reversal.as_ref().is_some_and(|reversal| reversal.sends.open.is_some());
                let not_begun = state.acceptance.is_none() && state.sends.count == 0;
                // It answered "processing" and will say the rest by its feed.
                let undo_answered = state.reversal.as_ref().is_some_and(|reversal| reversal.outcome.is_some());
                let with_acquirer = state.report.is_some() && (!state.blob_held || undo_answered);
                prop_assert!(
                    state.is_answered() || state.is_closed() || state.parked.is_some() || state.expired
                        || in_flight || not_begun || with_acquirer,
                    "stuck in silence: {}", history.line()
                );
                if state.delivery() == Some(Delivery::Parked) {
                    prop_assert_eq!(payment::base(state, None).stage, Stage::NeedsYou);
                }
                return Ok(());
            };
            let n = count_of(state, to_do.lane) + 1;
            let mut next = history.clone();
            prop_assert!(next.try_then(SendStarted { op: op(n), n, lane: to_do.lane }.into()).is_ok(), "{:?}", to_do);
            prop_assert!(to_do.due_ms <= history.now_ms + payment::next::LONGEST_PAUSE_MS);
            prop_assert!(payment::task(state, history.now_ms).is_some());
            Ok(())
        })?;
    }

    #[test]
    fn p7_told_once_by_kind_and_version(steps in steps()) {
        let mut overdue = BTreeSet::new();
        let history = play(steps, |_, event, _| {
            if let PaymentEvent::Noticed(notice) = event {
                prop_assert!(overdue.insert((notice.kind, notice.due_ms)));
            }
            Ok(())
        })?;
        // Parking may be said twice of one version, by a refusal and by its reason: the queue keeps the first.
        let keys: Vec<_> = history.told.iter().filter(|(kind, _)| *kind != AlertKind::PaymentParked).collect();
        prop_assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{:?}", history.told);
        let reversed = history.told.iter().filter(|(kind, _)| *kind == AlertKind::PaymentReversed).count();
        let undone_twice = history.events.iter().filter(|event| {
            matches!(&event.event, PaymentEvent::PaymentReported(report)
                if matches!(report.authorization, Authorization::Reversed | Authorization::Voided))
        }).count();
        prop_assert!(reversed <= 1 + undone_twice);
    }
}

#[test]
fn every_cause_names_who_acts_and_what_next() {
    for cause in Cause::ALL {
        let why = cause.why();
        assert_eq!(why.cause, *cause);
        if why.next_step == payment::NextStep::Nothing {
            assert_eq!((why.acts, *cause), (Acts::Nobody, Cause::CancelledUnsent));
        }
    }
}
