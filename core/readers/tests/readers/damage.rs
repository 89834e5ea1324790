//! A payment whose values get lost, come twice or change places: nothing is made up, and the loss is told.

use std::collections::BTreeMap;

use proptest::prelude::*;
use takings_readers::simulated::{Behaviour, CardScript, SimulatedReader};
use takings_readers::*;

use crate::bench::{Bench, cases, online_requests, outcomes, payment};
use crate::outcomes::needs_card_data;

#[derive(Debug, Clone, Copy)]
enum Damage {
    Lost,
    Doubled,
    /// It comes again after so many others.
    Repeated(usize),
    /// It comes after the next one.
    Swapped,
}

use Damage::{Doubled, Lost, Repeated, Swapped};

/// One payment whose reader's values are damaged at these places; also how many values there were.
fn paid(value_len: usize, card: &CardScript, plan: &BTreeMap<usize, Damage>) -> (Bench, Vec<ReaderEvent>, usize) {
    let mut bench = Bench::ready(value_len);
    bench.simulated.present(card.clone());
    let (mut place, mut late) = (0, None);
    let mut copies: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
    let start = ReaderInput::Start(payment(100));
    let mut events = bench
        .give_through(start, |value| {
            let damage = plan.get(&place);
            place += 1;
            let before = late.take();
            let now = match damage {
                Some(Lost) => vec![],
                Some(Doubled) => vec![value.clone(), value],
                Some(Repeated(after)) => {
                    copies.entry(place + after).or_default().push(value.clone());
                    vec![value]
                }
                Some(Swapped) => {
                    late = Some(value);
                    vec![]
                }
                None => vec![value],
            };
            now.into_iter().chain(before).chain(copies.remove(&place).unwrap_or_default()).collect()
        })
        .unwrap();
    // A loss at the very end shows with the next thing that is said.
    bench.simulated.warn_of_reset(3);
    events.extend(bench.give(ReaderInput::WriteDone).unwrap());
    (bench, events, place)
}

const ALL: [Damage; 7] = [Lost, Doubled, Repeated(1), Repeated(2), Repeated(3), Repeated(9), Swapped];

fn cards() -> Vec<CardScript> {
    let chip = || CardScript::new("5413", "0029", EntryMode::Chip);
    vec![
        chip(),
        CardScript::new("4111", "1111", EntryMode::Contactless),
        CardScript::new("6222", "0048", EntryMode::Stripe),
        chip().behaving(Behaviour::CardDataTwice),
        chip().behaving(Behaviour::RemovedEarly),
        chip().behaving(Behaviour::UserCancels),
        chip().behaving(Behaviour::EndsWith([0x10, 0x02, 0x08, 0x03])),
        chip().behaving(Behaviour::EndsWith([0x10, 0x02, 0x02, 0x00])),
        chip().behaving(Behaviour::OnlineThenEndsWith([0x10, 0x02, 0x06, 0x00])),
        chip().behaving(Behaviour::OnlineThenEndsWith([0x10, 0x02, 0x80, 0x00])),
    ]
}

/// Damages one payment and holds it against the same one undamaged.
fn hold_against(value_len: usize, card: &CardScript, plan: &BTreeMap<usize, Damage>) {
    let what = format!("{plan:?} at {value_len} of {card:?}");
    let (_, clean, _) = paid(value_len, card, &BTreeMap::new());
    let (mut bench, mut events, _) = paid(value_len, card, plan);
    assert!(events == clean || events.contains(&ReaderEvent::FrameLost), "{what}: {events:?}");
    // What ends it while it is damaged is what ends it undamaged, or nothing.
    let ends = outcomes(&events);
    assert!(ends.is_empty() || ends == outcomes(&clean), "{what}: {ends:?}");

    // And in the end there is one: that, or nobody knows.
    for id in [TimerId::Response, TimerId::Payment, TimerId::Response, TimerId::Payment, TimerId::Closing] {
        if bench.timers.contains_key(&id) {
            events.extend(bench.fire(id));
        }
    }
    assert!(!bench.reader.has_open_payment(), "{what}");
    let [(end, _)] = outcomes(&events)[..] else { panic!("{what}: {events:?}") };
    assert!(end == Outcome::Unknown || end == outcomes(&clean)[0].0, "{what}: {end:?}");
    let (requests, sent) = (online_requests(&events), online_requests(&clean));
    assert!(requests.is_empty() || requests == sent, "{what}: {requests:?}");
    assert!(!needs_card_data(end) || !requests.is_empty(), "{what}: {end:?} without card data");
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn p2_p3_a_damaged_payment_ends_as_it_was_said_or_nobody_knows(
        value_len in prop_oneof![20_usize..=60, 20_usize..=514],
        card in prop::sample::select(cards()),
        damages in prop::collection::vec(
            (any::<prop::sample::Index>(),
                prop_oneof![Just(Lost), Just(Doubled), Just(Swapped), (1_usize..12).prop_map(Repeated)]), 1..5),
    ) {
        let (.., count) = paid(value_len, &card, &BTreeMap::new());
        let plan = damages.into_iter().map(|(at, damage)| (at.index(count), damage)).collect();
        hold_against(value_len, &card, &plan);
    }
}

#[test]
fn each_value_of_a_payment_lost_doubled_repeated_and_swapped() {
    let card = &cards()[0];
    for value_len in [20, 182, 514] {
        let (_, clean, count) = paid(value_len, card, &BTreeMap::new());
        assert_eq!(outcomes(&clean), [(Outcome::Deferred, Some([0x10, 0x02, 0x07, 0x00]))]);
        let mut told = 0;
        for (at, damage) in (0..count).flat_map(|at| ALL.map(|damage| (at, damage))) {
            let plan = BTreeMap::from([(at, damage)]);
            hold_against(value_len, card, &plan);
            let (_, events, _) = paid(value_len, card, &plan);
            let lost = events.contains(&ReaderEvent::FrameLost);
            // Only a value that comes again and starts nothing takes nothing away.
            assert!(lost || matches!(damage, Doubled | Repeated(_)), "{at} {damage:?} at {value_len}");
            // What comes again when its message is long whole takes nothing from any other.
            if matches!(damage, Repeated(9)) && value_len > 100 {
                let told = |events: &[ReaderEvent]| {
                    events.iter().filter(|event| **event != ReaderEvent::FrameLost).cloned().collect::<Vec<_>>()
                };
                assert_eq!(told(&events), told(&clean), "{at} {damage:?} at {value_len}");
            }
            told += usize::from(lost);
        }
        assert!(told >= 4 * count, "{told} of {count}");
    }
}

#[test]
fn the_bench_itself_loses_nothing() {
    let mut simulated = SimulatedReader::new(7, "B61378A");
    simulated.present(cards()[0].clone());
    let mut bench = Bench::with(simulated, 60);
    bench.give(ReaderInput::LinkUp).unwrap();
    let events = bench.give(ReaderInput::Start(payment(100))).unwrap();
    let (_, through, _) = paid(60, &cards()[0], &BTreeMap::new());
    assert_eq!(through[..events.len()], events);
    assert_eq!(through[events.len()..], [ReaderEvent::ResetSoon { minutes: 3 }]);
}
