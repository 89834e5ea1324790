//! P1, P2, P8 at another maker's reader: killed at every boundary, on a disk that refuses, and with an SDK that says
//! whatever it likes.

use takings_domain::PaymentId;
use takings_domain::event::ReceiptDataRead;
use takings_readers::{Asked, EntryMode, Outcome, SensitiveBytes, VendorAbout, VendorCard, VendorEvent, VendorReceipt};

use super::bench::{Bench, MINUTE};
use super::stall::Sale;
use crate::charge::{ChargeOutcome, Step, VendorAsk, VendorCommand};
use crate::engine::{Command, LinkEvent, Reply};
use crate::error::TillError;

/// What a clear number looks like that an SDK lets slip: a test number of the scheme's.
const CLEAR: &str = "6222020000000000";

fn about() -> VendorAbout {
    VendorAbout {
        serial: CLEAR.to_owned(),
        model: format!("Pocket {CLEAR}"),
        firmware: String::new(),
        battery_percent: None,
        charging: None,
        tampered: false,
        keys_missing: false,
    }
}

pub(super) fn card() -> VendorEvent {
    VendorEvent::Card(VendorCard {
        ciphertext: SensitiveBytes::new((0..=255).collect()),
        format: "acme-dukpt".to_owned(),
        key_id: "bdk-1".to_owned(),
        ksn_hex: "FFFF9876543210E00008".to_owned(),
        // What it calls masked is not.
        masked_number: "6222020000000048".to_owned(),
        entry_mode: EntryMode::Chip,
    })
}

pub(super) fn started(id: PaymentId) -> VendorEvent {
    VendorEvent::Started { charge: id.to_string() }
}

fn step(bench: &mut Bench, id: PaymentId, event: LinkEvent) -> Result<Step, TillError> {
    let ticket = bench.start(Command::Link { payment: id, event });
    match bench.reply(ticket).expect("answered at once")? {
        Reply::Step(step) => Ok(step),
        other => panic!("{other:?}"),
    }
}

pub(super) fn plug_in(bench: &mut Bench, id: PaymentId, generation: u32) -> Result<Step, TillError> {
    step(bench, id, LinkEvent::VendorUp { about: about(), generation })
}

/// A whole charge; what the screen was told.
fn charge(bench: &mut Bench, sale: &Sale) -> Option<ChargeOutcome> {
    let id = bench.begin(sale).unwrap();
    let asked = plug_in(bench, id, 1).unwrap().commands;
    assert!(matches!(asked.as_slice(), [VendorAsk { generation: 1, command: VendorCommand::Start(_) }]));
    for event in [started(id), card(), VendorEvent::Ended(Outcome::Deferred)] {
        bench.link(id, LinkEvent::Vendor { generation: 1, event });
    }
    bench.run();
    let outcome = bench.outcome(id);
    bench.link(id, LinkEvent::Down { generation: 1 });
    outcome
}

#[test]
fn what_an_sdk_tells_for_the_receipt_is_on_record_and_what_is_no_application_is_not() {
    let said = |aid_hex: &str| VendorReceipt {
        aid_hex: aid_hex.to_owned(),
        application_name: format!("Card {CLEAR}"),
        cvm_result_hex: "1E0300".to_owned(),
        tvr_hex: "80400080".to_owned(),
        ..VendorReceipt::default()
    };
    for (aid, kept) in [("A000000333010101", Some("A000000333010101")), (CLEAR, None), ("A0", None)] {
        let mut bench = Bench::ready(1);
        let id = bench.begin(&Sale::offline(1_250)).unwrap();
        plug_in(&mut bench, id, 1).unwrap();
        let events = [started(id), card(), VendorEvent::Ended(Outcome::Deferred), VendorEvent::ReceiptData(said(aid))];
        for event in events {
            bench.link(id, LinkEvent::Vendor { generation: 1, event });
        }
        bench.link(id, LinkEvent::Down { generation: 1 });
        let detail = bench.detail(id);
        let told = detail.timeline.iter().find(|entry| entry.kind == "receipt_data_read").unwrap();
        let told: ReceiptDataRead = serde_json::from_str(&told.body).unwrap();
        assert_eq!((told.aid.as_deref(), told.signature, told.tvr.as_deref()), (kept, true, None), "{told:?}");
        assert!(told.application_name.is_none_or(|name| !name.contains("6222")));
    }
}

fn settle(bench: &mut Bench) {
    bench.live_on(3 * MINUTE);
    bench.drain();
    bench.days_later(3);
    bench.judge();
    bench.assert_verified();
}

#[test]
fn p1_kept_a_vendors_charge_killed_at_every_boundary() {
    for (sale, least) in [(Sale::offline(1_000), 6), (Sale::live(1_000), 8)] {
        let mut stages = std::collections::BTreeSet::new();
        for at in 1.. {
            let mut bench = Bench::ready(u64::from(at));
            let killed = bench.killed_at(at, |bench| {
                charge(bench, &sale);
            });
            if !killed {
                assert!(at > least, "{at} boundaries");
                break;
            }
            bench.open().unwrap();
            let [line] = &bench.payments()[..] else { panic!("killed at {at}: the intent is on disk") };
            let id = PaymentId::parse(&line.payment_id).unwrap();
            let told_saved = bench.told.values().any(|told| told.contains(&ChargeOutcome::Saved));
            assert!(!told_saved || line.stage != "not_charged", "killed at {at}: told saved, and gone");
            assert_eq!(bench.holds_card_data(id), ["saved_on_phone", "being_confirmed"].contains(&line.stage.as_str()));
            stages.insert(line.stage.clone());
            settle(&mut bench);
            let [line] = &bench.payments()[..] else { panic!("killed at {at}") };
            assert!(["arrived", "not_charged"].contains(&line.stage.as_str()), "killed at {at}: {line:?}");
            assert!(!bench.holds_card_data(id), "killed at {at}");
        }
        assert!(stages.contains("not_charged") && stages.len() > 1, "{stages:?}");
    }
}

#[test]
fn p1_kept_a_reader_is_told_to_start_only_when_that_is_on_the_disk() {
    let mut bench = Bench::ready(1);
    let id = bench.begin(&Sale::offline(1_000)).unwrap();
    plug_in(&mut bench, id, 1).unwrap();
    bench.link(id, LinkEvent::Down { generation: 1 });
    bench.refuse_to_write("attempt_started");
    assert!(matches!(plug_in(&mut bench, id, 2), Err(TillError::Storage { .. })), "and it heard no command");
    bench.mend_the_disk();
    assert_eq!(plug_in(&mut bench, id, 3).unwrap().commands.len(), 1);
    // Nor is a card accepted that could not be written.
    bench.link(id, LinkEvent::Vendor { generation: 3, event: started(id) });
    bench.refuse_to_write("card_read");
    assert!(step(&mut bench, id, LinkEvent::Vendor { generation: 3, event: card() }).is_err());
    bench.mend_the_disk();
    assert!(matches!(bench.outcome(id), Some(ChargeOutcome::NotCharged { .. })));
    settle(&mut bench);
    assert_eq!(bench.stage(id).0, "not_charged");
    assert_eq!(bench.authorizations(id), 0);
}

/// One thing an SDK, its connection or the merchant does.
fn act(id: PaymentId, drawn: u64, generation: u32) -> LinkEvent {
    let asked = [Asked::Start, Asked::Cancel, Asked::Choice][usize::try_from(drawn >> 8).unwrap() % 3];
    let ends = [Outcome::Deferred, Outcome::Declined, Outcome::ApprovedOffline, Outcome::Cancelled, Outcome::Unknown];
    let end = ends[usize::try_from(drawn >> 12).unwrap() % ends.len()];
    // Now and then from a connection before.
    let generation = if drawn.is_multiple_of(7) { generation.saturating_sub(1) } else { generation };
    let event = match (drawn >> 20) % 16 {
        // Now and then it runs another one.
        0 if drawn.is_multiple_of(5) => VendorEvent::Started { charge: CLEAR.to_owned() },
        0..=4 => started(id),
        5..=8 => card(),
        9 | 10 => VendorEvent::Ended(end),
        11 => VendorEvent::Failed(asked),
        12 => VendorEvent::Prompt { text: format!("card {CLEAR}"), cancellable: true },
        13 => return LinkEvent::VendorFailed { generation, asked },
        14 => return LinkEvent::Down { generation },
        _ => return if drawn.is_multiple_of(2) { LinkEvent::Cancel } else { LinkEvent::Tick },
    };
    LinkEvent::Vendor { generation, event }
}

#[test]
fn p2_p8_whatever_an_sdk_says_the_bank_is_asked_once_and_no_number_is_kept() {
    let (mut charged, mut not_charged) = (0, 0);
    for seed in 1..=40_u64 {
        let mut bench = Bench::ready(seed);
        let mut drawn = seed;
        let mut said = String::new();
        let sale = if seed.is_multiple_of(2) { Sale::live(1_000) } else { Sale::offline(1_000) };
        let id = bench.begin(&sale).unwrap();
        let mut generation = 1;
        said.push_str(&format!("{:?}", plug_in(&mut bench, id, generation)));
        for _ in 0..40 {
            drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let event = act(id, drawn >> 16, generation);
            let down = matches!(event, LinkEvent::Down { .. });
            said.push_str(&format!("{:?}", step(&mut bench, id, event)));
            if down {
                // After the end of another connection this one is still up.
                let up = plug_in(&mut bench, id, generation + 1);
                generation += u32::from(up.is_ok());
                said.push_str(&format!("{up:?}"));
            }
        }
        bench.run();
        bench.start(Command::Leave { payment: id });
        settle(&mut bench);
        let asked = bench.authorizations(id);
        assert!(asked <= 1 && bench.count(id, "card_read") <= 1, "seed {seed}: {asked}");
        assert_eq!(bench.stage(id).0 == "not_charged", asked == 0, "seed {seed}");
        if asked == 1 {
            charged += 1
        } else {
            not_charged += 1
        }
        said.push_str(&format!("{:?}", bench.detail(id)));
        assert!(!said.contains(CLEAR) && !said.contains("62220200000"), "seed {seed}: {said}");
    }
    assert!(charged > 10 && not_charged > 10, "{charged} charged, {not_charged} not");
}
