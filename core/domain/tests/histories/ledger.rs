//! The ledger's own state: who we are to the acquirer, the session, the documents in force.

use takings_domain::alert::{self, AlertKind};
use takings_domain::event::{
    Activated, ActivationStarted, ClockJumped, HistoryLost, HistoryRestored, LedgerEvent, Opened, PolicyAdopted,
    ReaderSeen, ReaderTrouble, Recorded, SignedOn, TermsAdopted, UnsentThen,
};
use takings_domain::ledger::LedgerState;
use takings_domain::{LedgerId, OperationId};

use crate::history::{NOON_MS, at, cny, sale_day};

fn opened() -> LedgerEvent {
    Opened { ledger_id: LedgerId::from_bytes([7; 16]), device_key_thumbprint: "thumbprint".into() }.into()
}

fn activated() -> LedgerEvent {
    Activated {
        merchant_id: "M000001".into(),
        merchant_name: "Stall 14".into(),
        terminal_id: "T0000001".into(),
        root_key: "root".into(),
        alg: "ecdsa-p256-sha256".into(),
    }
    .into()
}

fn signed_on(session: &str) -> LedgerEvent {
    SignedOn {
        session_id: session.into(),
        batch_number: "000117".into(),
        business_date: sale_day(),
        server_ms: NOON_MS + 4_000,
        offset_ms: 4_000,
        sign_on_again_before_ms: NOON_MS + 86_400_000,
    }
    .into()
}

fn terms(version: &str) -> LedgerEvent {
    TermsAdopted { version: version.into(), digest: "d".into(), valid_from_ms: 0, valid_until_ms: None }.into()
}

fn recorded(events: &[LedgerEvent]) -> Vec<Recorded<LedgerEvent>> {
    (1..)
        .zip(events)
        .map(|(seq, event)| Recorded { seq, at: at(NOON_MS), operator: None, event: event.clone() })
        .collect()
}

#[test]
fn a_ledger_opens_is_activated_and_signs_on() {
    let started = ActivationStarted { request_id: OperationId::from_bytes([1; 16]), code_sha256: "ab".into() };
    let policy = PolicyAdopted { version: "2".into(), digest: "d".into(), valid_from_ms: 0, valid_until_ms: None };
    let events = recorded(&[
        opened(),
        started.clone().into(),
        activated(),
        signed_on("s1"),
        policy.clone().into(),
        ClockJumped { by_ms: -7_200_000 }.into(),
        signed_on("s2"),
    ]);
    let state = LedgerState::fold(&events).unwrap();
    assert_eq!(state.activation, Some(started));
    assert_eq!(state.policy, Some(policy));
    assert_eq!(state.session.map(|session| session.session_id), Some("s2".into()));
    assert_eq!(state.anchor.map(|anchor| anchor.trusted_ms(at(NOON_MS + 1_000))), Some(NOON_MS + 5_000));
    assert_eq!((state.clock_jumps, state.last_seq), (1, 7));
}

/// However often a clock is set back, what is kept is bounded, and nothing that was dated before looks younger for it.
#[test]
fn p9_every_setting_back_that_nobody_vouched_for_counts() {
    let jumps: Vec<i64> = (1..=40).map(|n| if n % 4 == 0 { 9_000 * n } else { -1_000 * n }).collect();
    let jumped = jumps.iter().map(|&by_ms| ClockJumped { by_ms }.into());
    let events = recorded(&[opened()].into_iter().chain(jumped).collect::<Vec<LedgerEvent>>());
    let state = LedgerState::fold(&events).unwrap();
    assert!(state.set_back.len() <= 16, "{:?}", state.set_back);
    for dated in 1..=41_u64 {
        let after = |seq: u64| seq > dated;
        let counted: i64 = state.set_back.iter().filter(|(seq, _)| after(*seq)).map(|(_, by_ms)| by_ms).sum();
        let back = (2_u64..).zip(&jumps).filter(|(seq, by_ms)| after(*seq) && **by_ms < 0);
        let passed: i64 = back.map(|(_, by_ms)| -by_ms).sum();
        assert!(counted >= passed, "dated by event {dated}: {counted} of {passed}");
        assert!(dated > 1 || counted == passed, "and none counts twice");
    }

    // With the acquirer's clock heard since the phone was switched on nothing is dated by the wall clock.
    let vouched = recorded(&[opened(), activated(), signed_on("s1"), ClockJumped { by_ms: -7_200_000 }.into()]);
    assert_eq!(LedgerState::fold(&vouched).unwrap().set_back, []);
}

#[test]
fn what_cannot_happen_to_a_ledger() {
    let rows = [
        (vec![], activated(), "a ledger begins with its opening"),
        (vec![opened()], opened(), "a ledger is opened once"),
        (vec![opened(), activated()], activated(), "a ledger belongs to one terminal"),
    ];
    for (before, event, why) in rows {
        let mut state = LedgerState::fold(&recorded(&before)).unwrap();
        let kept = state.clone();
        let stray = Recorded { seq: 99, at: at(NOON_MS), operator: None, event };
        assert_eq!(state.apply(&stray).map_err(|error| error.why), Err(why));
        assert_eq!(state, kept, "a refused event changes nothing");
    }
}

#[test]
fn p7_changed_terms_are_told_and_the_first_are_not() {
    let state = LedgerState::fold(&recorded(&[opened(), activated()])).unwrap();
    assert_eq!(alert::of_ledger(&state, &terms("1"), 3), None);
    let known = LedgerState::fold(&recorded(&[opened(), activated(), terms("1")])).unwrap();
    assert_eq!(alert::of_ledger(&known, &terms("1"), 4), None, "the same terms again");
    assert_eq!(alert::of_ledger(&known, &terms("2"), 4), Some((AlertKind::TermsChanged, 4)));
}

#[test]
fn what_was_lost_and_what_was_read_in_again_is_known_and_told() {
    let unsent = vec![UnsentThen { count: 3, total: cny(4_500) }];
    let lost = HistoryLost { witness_seq: 90, found_seq: 0, unsent };
    let read_in = HistoryRestored { payments: 7, payouts: 2 };
    let state = LedgerState::fold(&recorded(&[opened(), lost.clone().into(), read_in.clone().into()])).unwrap();
    assert_eq!((state.lost, state.restored), (Some((2, lost.clone())), Some((3, read_in.clone()))));
    let before = LedgerState::fold(&recorded(&[opened()])).unwrap();
    let event = LedgerEvent::from(lost.clone());
    assert_eq!(alert::of_ledger(&before, &event, 2), Some((AlertKind::HistoryLost, 2)));
    assert_eq!(alert::about_of_ledger(&event), Some(cny(4_500)));
    let unknown = HistoryLost { unsent: Vec::new(), ..lost };
    assert_eq!(alert::about_of_ledger(&unknown.into()), None);
    assert_eq!(alert::of_ledger(&before, &read_in.into(), 3), Some((AlertKind::HistoryRestored, 3)));
}

fn reader(serial: &str, trouble: Option<ReaderTrouble>) -> LedgerEvent {
    ReaderSeen {
        serial: serial.into(),
        model: "DynaFlex II Go".into(),
        firmware: "1000009550-A0".into(),
        battery_percent: Some(80),
        charging: Some(false),
        trouble,
    }
    .into()
}

#[test]
fn a_reader_is_known_by_what_it_said_last() {
    let at_noon = |seq, after_ms, event| Recorded { seq, at: at(NOON_MS + after_ms), operator: None, event };
    let history = [
        at_noon(1, 0, opened()),
        at_noon(2, 1_000, reader("B61378A", None)),
        at_noon(3, 2_000, reader("C000001", None)),
        at_noon(4, 3_000, reader("B61378A", Some(ReaderTrouble::BatteryLow))),
    ];
    let state = LedgerState::fold(&history).unwrap();
    let known = &state.readers["B61378A"];
    assert_eq!((known.first_seen_ms, known.last_seen_ms, known.seq), (NOON_MS + 1_000, NOON_MS + 3_000, 4));
    assert_eq!(known.seen.trouble, Some(ReaderTrouble::BatteryLow));
    assert_eq!(state.readers.len(), 2);
}

#[test]
fn readers_are_bounded_and_the_one_seen_longest_ago_is_forgotten() {
    let mut events = vec![opened()];
    events.extend((0..100).map(|number| reader(&format!("R{number:03}"), None)));
    events.push(reader("R068", None));
    events.push(reader("R200", None));
    let state = LedgerState::fold(&recorded(&events)).unwrap();
    assert_eq!(state.readers.len(), 32);
    let kept = ["R068", "R099", "R200"].map(|serial| state.readers.contains_key(serial));
    assert_eq!((kept, state.readers.contains_key("R069")), ([true; 3], false));
}

#[test]
fn p7_what_is_wrong_with_a_reader_is_told_when_it_begins() {
    let told = |before: &[LedgerEvent], event: &LedgerEvent| {
        let state = LedgerState::fold(&recorded(before)).unwrap();
        alert::of_ledger(&state, event, 9).map(|(kind, version)| {
            assert_eq!(version, 9);
            kind
        })
    };
    let alerts = [
        (ReaderTrouble::Tampered, Some(AlertKind::ReaderTampered)),
        (ReaderTrouble::KeysMissing, Some(AlertKind::ReaderKeysMissing)),
        (ReaderTrouble::BatteryLow, Some(AlertKind::ReaderBatteryLow)),
        (ReaderTrouble::TooHot, None),
        (ReaderTrouble::NoAnswer, None),
    ];
    for (trouble, kind) in alerts {
        let event = reader("B61378A", Some(trouble));
        assert_eq!(told(&[opened()], &event), kind, "a reader never seen before");
        assert_eq!(told(&[opened(), reader("B61378A", None)], &event), kind, "one that was well");
        assert_eq!(told(&[opened(), event.clone()], &event), None, "it goes on");
        assert_eq!(
            told(&[opened(), reader("C000001", Some(trouble))], &event),
            kind,
            "another reader's is not this one's"
        );
    }
    assert_eq!(told(&[opened()], &reader("B61378A", None)), None);
}
