//! Bytes from a reader that speaks nonsense, through the charge's own face: never a panic, never money out of nothing,
//! and the charge can always be ended.

use takings_readers::simulated::{CardScript, SimulatedReader, Stage};
use takings_till::{ChargeOutcome, Step};

use crate::support::{Stall, offline};

/// Repeatable nonsense.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        let len = self.next() % (most + 1);
        (0..len).map(|_| self.next().to_be_bytes()[3]).collect()
    }
}

/// Everything a reader says of one good payment, value by value.
fn said_by_a_good_reader() -> Vec<Vec<u8>> {
    let stall = Stall::in_business();
    let charge = stall.phone.till().charge(offline(500)).unwrap();
    let mut reader = SimulatedReader::new(3, "B50C1A7");
    reader.link_up(244);
    let (mut said, mut writes, mut presented) = (Vec::new(), Vec::new(), false);
    let mut step = charge.link_up(244, 1).unwrap();
    loop {
        writes.extend(std::mem::take(&mut step.writes));
        step = if !writes.is_empty() {
            let value = writes.remove(0);
            reader.receive(&value);
            charge.write_done(1).unwrap()
        } else if let Some(value) = reader.outbound() {
            said.push(value.clone());
            charge.bytes(1, &value).unwrap()
        } else if reader.stage() == Stage::WaitingForCard && !presented {
            presented = true;
            reader.present(CardScript::new("622200", "1234", takings_domain::EntryMode::Chip));
            Step::default()
        } else {
            return said;
        };
    }
}

/// The charge is ended by whoever holds the phone; nothing was charged unless it said so.
fn ends(stall: &Stall, charge: &takings_till::Charge, saved: Option<ChargeOutcome>, what: &str) {
    let _ = charge.link_down(1);
    let _ = charge.cancel();
    let payment = stall.phone.payment(charge.payment_id());
    match saved {
        Some(ChargeOutcome::Saved) => assert_eq!(payment.stage, "saved_on_phone", "{what}: {payment:?}"),
        _ => assert_eq!(payment.stage, "not_charged", "{what}: {payment:?}"),
    }
}

#[test]
fn random_bytes_charge_nothing_and_the_charge_can_be_ended() {
    let stall = Stall::in_business();
    for seed in 1..40_u64 {
        let mut noise = Noise(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let charge = stall.phone.till().charge(offline(500)).unwrap();
        charge.link_up(244, 1).unwrap();
        let mut saved = None;
        for _ in 0..30 {
            if let Ok(step) = charge.bytes(1, &noise.bytes(300)) {
                saved = step.saved.or(saved);
            }
            if noise.next().is_multiple_of(4) {
                let _ = charge.write_done(1);
            }
        }
        assert_ne!(saved, Some(ChargeOutcome::Saved), "seed {seed}");
        ends(&stall, &charge, saved, &format!("seed {seed}"));
    }
    stall.verifies("random bytes");
}

#[test]
fn truncated_doubled_swapped_and_flipped_values_charge_at_most_what_they_say() {
    let said = said_by_a_good_reader();
    let stall = Stall::in_business();
    let mut kept = 0;
    for seed in 1..60_u64 {
        let mut noise = Noise(seed.wrapping_mul(0xD134_2543_DE82_EF95));
        let charge = stall.phone.till().charge(offline(500)).unwrap();
        charge.link_up(244, 1).unwrap();
        let mut saved = None;
        let mut values = said.clone();
        for value in &mut values {
            match noise.next() % 12 {
                0 => value.truncate(usize::try_from(noise.next()).unwrap_or(0) % (value.len() + 1)),
                1 => value.extend(noise.bytes(20)),
                2 if !value.is_empty() => {
                    let at = usize::try_from(noise.next() >> 1).unwrap_or(0) % value.len();
                    value[at] ^= 1 << (noise.next() % 8);
                }
                _ => {}
            }
        }
        match noise.next() % 4 {
            0 => values.swap(0, said.len() / 2),
            1 => drop(values.remove(usize::try_from(noise.next() >> 1).unwrap_or(0) % said.len())),
            2 => values.extend(said.clone()),
            _ => {}
        }
        for value in values {
            for attempt in [charge.bytes(1, &value), charge.write_done(1)] {
                let Ok(step) = attempt else { continue };
                saved = step.saved.or(saved);
            }
        }
        kept += u32::from(saved == Some(ChargeOutcome::Saved));
        ends(&stall, &charge, saved, &format!("seed {seed}"));
    }
    assert!(kept > 5, "{kept} of 59 still held a whole card: the damage is too great to show anything");
    let status = stall.phone.wait(stall.phone.till().status()).unwrap();
    assert_eq!(status.unsent_count, u64::from(kept), "as many as were said to be saved");
    stall.verifies("damaged values");
}

#[test]
fn values_of_another_link_or_after_the_end_mean_nothing() {
    let said = said_by_a_good_reader();
    let stall = Stall::in_business();
    let charge = stall.phone.till().charge(offline(500)).unwrap();
    charge.link_up(244, 7).unwrap();
    for value in &said {
        // The link before this one is still emptying its queue.
        let step = charge.bytes(6, value).unwrap();
        assert_eq!((step.saved, step.writes.len()), (None, 0));
        for generation in [0, 8, u32::MAX] {
            assert_eq!(charge.bytes(generation, value).unwrap().saved, None);
            charge.write_done(generation).unwrap();
            charge.link_down(generation).unwrap();
        }
    }
    charge.link_down(7).unwrap();
    charge.cancel().unwrap();
    let before = stall.phone.wait(stall.phone.till().status()).unwrap().last_seq;
    for value in &said {
        // Over: an error that says so, or silence.
        if let Ok(step) = charge.bytes(7, value) {
            assert!(!matches!(step.saved, Some(ChargeOutcome::Saved)));
        }
    }
    for odd in [Vec::new(), vec![0; 100_000]] {
        let _ = charge.bytes(7, &odd);
    }
    let _ = (charge.link_up(0, 9), charge.link_up(u32::MAX, 10), charge.choose_application(u32::MAX), charge.tick());
    assert_eq!(stall.phone.wait(stall.phone.till().status()).unwrap().last_seq, before, "nothing more is written");
    assert_eq!(stall.phone.payment(charge.payment_id()).stage, "not_charged");
}

#[test]
fn link_values_of_no_length_are_refused_or_harmless() {
    let stall = Stall::in_business();
    for value_len in [0, 1, 2, 19, 20, 65_535, u32::MAX] {
        let charge = stall.phone.till().charge(offline(500)).unwrap();
        let mut saved = None;
        if let Ok(step) = charge.link_up(value_len, 1) {
            saved = step.saved;
        }
        for value in [vec![], vec![0; 20], vec![0xFF; 244]] {
            let _ = charge.bytes(1, &value);
        }
        ends(&stall, &charge, saved, &format!("values of {value_len} bytes"));
    }
    stall.verifies("odd links");
}
