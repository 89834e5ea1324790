//! P2 once: whatever is repeated, reordered or cut off, the acquirer charges each payment once.

use serde_json::json;

use super::bench::{BATCH, Bench, LIVE, SECOND};
use super::line::Fault;
use super::stall::Sale;
use crate::charge::ChargeOutcome;

/// Every fault of the line, and what else the acquirer does in the sandbox's own words.
fn faults() -> Vec<Fault> {
    vec![
        Fault::Refused,
        Fault::DropRequest,
        Fault::DropAnswer,
        Fault::HalfAnswer,
        Fault::FlipByte,
        Fault::FlipSignature,
        Fault::Portal,
        Fault::Unsigned(302, None),
        Fault::Unsigned(401, None),
        Fault::Unsigned(429, Some(5)),
        Fault::Unsigned(500, None),
        Fault::Unsigned(503, Some(5)),
        Fault::TwiceAnswered,
    ]
}

fn planted() -> Vec<serde_json::Value> {
    vec![
        json!({"kind": "duplicate"}),
        json!({"kind": "drop_request"}),
        json!({"kind": "drop_answer"}),
        json!({"kind": "half_answer"}),
        json!({"kind": "wrong_signature"}),
        json!({"kind": "status", "status": 429, "retry_after_s": 5}),
        json!({"kind": "status", "status": 503, "retry_after_s": 5}),
        json!({"kind": "status", "status": 500}),
        json!({"kind": "status", "status": 500, "processed": true}),
        json!({"kind": "status", "status": 504, "processed": true}),
        json!({"kind": "refuse", "problem": "keys-rotated"}),
        json!({"kind": "refuse", "problem": "terminal-not-signed-on"}),
        json!({"kind": "refuse", "problem": "clock-skew"}),
    ]
}

/// Every fault, planted on one path `times` times by whoever does it.
fn every_fault(path: &str, times: u32, mut case: impl FnMut(Bench, String)) {
    for (index, fault) in faults().into_iter().enumerate() {
        let mut bench = Bench::ready(index as u64 + 1);
        bench.spoil(path, times, fault.clone());
        case(bench, format!("{fault:?}"));
    }
    for (index, mut fault) in planted().into_iter().enumerate() {
        let mut bench = Bench::ready(index as u64 + 101);
        let word = fault.to_string();
        fault["on"] = json!(path);
        fault["count"] = json!(times);
        bench.plant(fault);
        case(bench, word);
    }
}

#[test]
fn p2_once_a_deferred_payment_survives_every_fault_of_its_batch() {
    for times in [1, 3] {
        every_fault(BATCH, times, |mut bench, fault| {
            let (id, outcome) = bench.charge(&Sale::offline(1_230));
            assert_eq!(outcome, ChargeOutcome::Saved, "{fault}");
            bench.drain();
            assert_eq!(bench.authorizations(id), 1, "{fault}");
            assert_eq!(bench.view(id).authorization.as_deref(), Some("approved"), "{fault}");
            assert!(!bench.holds_card_data(id), "{fault}");
            bench.days_later(3);
            assert_eq!(bench.in_book(id).unwrap()["captures"], json!(1), "{fault}");
            assert_eq!(bench.view(id).stage, "arrived", "{fault}");
            bench.judge();
            bench.assert_verified();
        });
    }
}

#[test]
fn p2_once_a_live_payment_survives_every_fault_and_is_charged_once_or_not_at_all() {
    for times in [1, 2, 40] {
        every_fault(LIVE, times, |mut bench, fault| {
            let (id, _) = bench.charge(&Sale::live(1_230));
            bench.live_on(3 * 60 * SECOND);
            bench.good_line();
            bench.drain();
            bench.days_later(3);
            bench.judge();
            let captures = bench.in_book(id).map_or(0, |payment| payment["captures"].as_u64().unwrap());
            let (stage, cause) = bench.stage(id);
            match stage.as_str() {
                "arrived" => assert_eq!(captures, 1, "{fault}"),
                "not_charged" => assert_eq!(captures, 0, "{fault} {cause}"),
                other => panic!("{fault} x{times}: {other} {cause} {:?}", bench.kinds(id)),
            }
            assert!(!bench.holds_card_data(id), "{fault}");
            bench.assert_verified();
        });
    }
}
