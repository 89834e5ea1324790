//! From the cut-off to the payout: dates, fees, what is held.

use serde_json::json;

use crate::client::{DAY, SATURDAY, id, json_of, ms};
use crate::world::World;

#[test]
fn from_cut_off_to_the_bank_to_the_fen() {
    let mut world = World::new(SATURDAY);
    let amounts =
        [(1, 1, "6228"), (2, 10_050, "6228"), (3, 399_900, "6228"), (4, 10_050, "4761"), (5, 399_900, "4761")];
    for (n, amount, bin) in amounts {
        let mut payment = world.till.payment(n, "live", amount, "0000", SATURDAY);
        payment["card"]["masked_pan"] = json!(format!("{bin}********0000"));
        payment["card"]["scheme"] = json!(if bin == "4761" { "visa" } else { "unionpay" });
        assert_eq!(json_of(&world.submit(&payment))["authorization"], "approved");
    }
    world.pay(6, 20_000, "0010");
    world.go(ms("2026-11-21T23:00:00+08:00"));
    let scheduled = world.get(&format!("/v1/payments/{}", id(1)));
    assert_eq!(
        (&scheduled["clearing"], &scheduled["arrival"], &scheduled["version"]),
        (&json!("cleared"), &json!("scheduled"), &json!(2))
    );
    world.go(ms("2026-11-23T09:29:59+08:00"));
    assert_eq!(world.get("/v1/payouts")["data"], json!([]));
    let mut seen = Vec::new();
    for time in ["09:30", "10:00", "10:30"] {
        world.go(ms(&format!("2026-11-23T{time}:00+08:00")));
        let payment = world.get(&format!("/v1/payments/{}", id(1)));
        seen.push((
            payment["arrival"].as_str().unwrap().to_owned(),
            payment["evidence"].as_str().unwrap().to_owned(),
            payment["version"].as_u64().unwrap(),
        ));
    }
    let wanted = [("in_payout", "none", 3), ("sent", "none", 4), ("arrived", "bank_notification", 5)];
    assert_eq!(seen, wanted.map(|(arrival, evidence, version)| (arrival.to_owned(), evidence.to_owned(), version)));
    let payout = world.get("/v1/payouts?status=arrived")["data"][0].clone();
    let payout_id = payout["payout_id"].as_str().unwrap().to_owned();
    let entries = world.get(&format!("/v1/payouts/{payout_id}/entries?limit=200"))["data"].clone();
    let entries = entries.as_array().unwrap();
    let lines: Vec<[i64; 3]> = entries
        .iter()
        .map(|entry| ["gross", "fee", "net"].map(|name| entry[name]["amount"].as_i64().unwrap()))
        .collect();
    assert_eq!(
        lines,
        [
            [1, 0, 1],
            [10_050, -50, 10_000],
            [399_900, -2000, 397_900],
            [10_050, -60, 9990],
            [399_900, -2399, 397_501],
            [10_000, -50, 9950]
        ]
    );
    let sum: i64 = lines.iter().map(|line| line[2]).sum();
    assert_eq!(
        (&payout["net"]["amount"], &payout["entry_count"], &payout["business_date"]),
        (&json!(sum), &json!(6), &json!("2026-11-21"))
    );
    assert_eq!(payout["gross"]["amount"].as_i64().unwrap() + payout["fee"]["amount"].as_i64().unwrap(), sum);
    let end_to_end = payout["end_to_end_id"].as_str().unwrap();
    assert!(end_to_end.len() <= 15 && end_to_end.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
    let bank = world.ledger()["bank"].clone();
    assert_eq!((&bank["lines"][0]["amount_minor"], &bank["lines"][0]["reference"]), (&json!(sum), &json!(end_to_end)));
    assert_eq!(bank["balances_minor"]["M000001 CNY"], sum);
    let kinds = world.event_kinds();
    assert_eq!(kinds[..6], ["payment.scheduled"; 6].map(str::to_owned));
    assert_eq!(kinds[6..], ["payout.created", "payout.sent", "payout.arrived"].map(str::to_owned));
}

#[test]
fn the_settlement_table() {
    let rows = [
        ("2026-11-20T10:00", ["2026-11-20", "2026-11-23", "2026-11-24", "2026-11-20", "2026-11-21"]),
        ("2026-11-20T23:30", ["2026-11-23", "2026-11-23", "2026-11-24", "2026-11-21", "2026-11-22"]),
        ("2026-11-21T12:00", ["2026-11-23", "2026-11-23", "2026-11-24", "2026-11-21", "2026-11-22"]),
        ("2026-11-22T22:59", ["2026-11-23", "2026-11-23", "2026-11-24", "2026-11-22", "2026-11-23"]),
        ("2026-02-13T15:00", ["2026-02-13", "2026-02-14", "2026-02-24", "2026-02-13", "2026-02-14"]),
        ("2026-02-14T10:00", ["2026-02-14", "2026-02-24", "2026-02-25", "2026-02-14", "2026-02-15"]),
        ("2026-02-14T23:30", ["2026-02-24", "2026-02-24", "2026-02-25", "2026-02-15", "2026-02-16"]),
        ("2026-02-20T09:00", ["2026-02-24", "2026-02-24", "2026-02-25", "2026-02-20", "2026-02-21"]),
        ("2026-09-19T18:00", ["2026-09-20", "2026-09-20", "2026-09-21", "2026-09-19", "2026-09-20"]),
        ("2026-09-30T22:00", ["2026-09-30", "2026-10-08", "2026-10-09", "2026-09-30", "2026-10-01"]),
        ("2026-10-09T12:00", ["2026-10-09", "2026-10-10", "2026-10-12", "2026-10-09", "2026-10-10"]),
        ("2026-04-30T20:00", ["2026-04-30", "2026-05-06", "2026-05-07", "2026-04-30", "2026-05-01"]),
    ];
    let cycles =
        [("business_day", 0), ("business_day", 1), ("business_day", 2), ("calendar_day", 0), ("calendar_day", 1)];
    for (accepted, dates) in rows {
        for ((basis, n), date) in cycles.into_iter().zip(dates) {
            let start = ms(&format!("{accepted}:00+08:00"));
            let mut world = World::new(start);
            world.admin("POST", "/admin/terms", &json!({"cycle": {"basis": basis, "n": n}}));
            let payment = world.pay(1, 1000, "0000");
            assert_eq!(payment["expected_arrival"]["date"], date, "{accepted} {basis} {n}");
            // And the money does move on that day.
            world.go(start + 20 * DAY);
            let payout = world.get("/v1/payouts")["data"][0].clone();
            assert_eq!(
                (&payout["expected_arrival_date"], &payout["status"]),
                (&json!(date), &json!("arrived")),
                "{accepted} {basis} {n}"
            );
            assert_eq!(payout["arrived_at"].as_str().unwrap()[..10], *date, "{accepted} {basis} {n}");
        }
    }
}

#[test]
fn held_payments_wait_and_small_sums_too() {
    let mut world = World::new(SATURDAY);
    world.pay(1, 10_000, "0000");
    world.pay(2, 50, "0000");
    let hold = format!("/admin/payments/{}", id(1));
    world.admin("POST", &hold, &json!({"action": "hold", "reason": "risk_hold"}));
    world.go(ms("2026-11-23T12:00:00+08:00"));
    let held = world.get(&format!("/v1/payments/{}", id(1)));
    assert_eq!(
        (&held["arrival"], &held["reason"], &held["acts"]),
        (&json!("held"), &json!("risk_hold"), &json!("merchant"))
    );
    let small = world.get(&format!("/v1/payments/{}", id(2)));
    assert_eq!(
        (&small["reason"], &small["expected_arrival"]["date"]),
        (&json!("minimum_payout"), &json!("2026-11-24"))
    );
    world.admin("POST", &hold, &json!({"action": "release"}));
    assert_eq!(world.get(&format!("/v1/payments/{}", id(1)))["expected_arrival"]["date"], "2026-11-24");
    world.admin("POST", "/admin/fees", &json!({"amount_minor": 3000, "kind": "sim", "note": "2026"}));
    world.go(ms("2026-11-24T12:00:00+08:00"));
    let payout = world.get("/v1/payouts")["data"][0].clone();
    assert_eq!(
        (&payout["net"]["amount"], &payout["adjustments"]["amount"], &payout["entry_count"]),
        (&json!(10_000 - 50 + 50 - 3000), &json!(-3000), &json!(3))
    );
    let kinds = world.event_kinds();
    let count = |kind: &str| kinds.iter().filter(|other| *other == kind).count();
    assert_eq!(
        [count("payment.held"), count("payment.released"), count("payment.scheduled"), count("payment.updated")],
        [1, 1, 1, 2]
    );
}
