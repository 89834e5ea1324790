//! One charge, and what can happen to its card, its link and its process.

use serde_json::{Value, json};

use crate::{Acquirer, Dir, Till};

/// What the till must know of an order after a charge: how many payments, and the stages.
fn stages(till: &mut Till, order: &str) -> Vec<String> {
    let found = till.must(&json!({"cmd": "find", "order": order}));
    let payments = found["payments"].as_array().unwrap();
    payments.iter().map(|payment| payment["stage"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_link_may_go_at_any_moment() {
    let dir = Dir::new("links");
    let acquirer = Acquirer::start(&dir);
    let mut till = Till::ready(&dir, &acquirer);
    let cases = [
        ("before_card", "give_up", "not_charged"),
        ("during_card_data", "give_up", "not_charged"),
        ("between_card_and_answer", "give_up", "saved"),
        ("after_answer", "give_up", "saved"),
        ("before_card", "reconnect", "saved"),
        ("during_card_data", "reconnect", "saved"),
    ];
    for (number, (lose_at, then, outcome)) in cases.into_iter().enumerate() {
        let order = format!("L-{number}");
        let (events, answer) = till.ask(&json!({
            "cmd": "charge", "amount_minor": 1_000, "order": order, "mode": "offline", "card": {"last_four": "1234"},
            "link": {"lose_at": lose_at, "then": then},
        }));
        assert_eq!(answer["outcome"]["outcome"], outcome, "{lose_at}, {then}: {answer}");
        assert_eq!(events.iter().any(|event| event["event"] == "saved"), outcome == "saved", "{lose_at}, {then}");
        let stage = if outcome == "saved" { "saved_on_phone" } else { "not_charged" };
        assert_eq!(stages(&mut till, &order), [stage], "{lose_at}, {then}");
        if outcome == "not_charged" {
            // Safe to repeat, under the same order.
            till.must(&json!({"cmd": "charge", "amount_minor": 1_000, "order": order, "mode": "offline", "card": {"last_four": "1234"}}));
        }
    }
    till.must(&json!({"cmd": "sync"}));
    let ledger = acquirer.admin("GET", "/admin/ledger", &json!({}));
    assert_eq!(ledger["payments"].as_array().unwrap().len(), cases.len(), "each order once");
}

#[test]
fn a_live_charge_goes_on_without_its_reader() {
    let dir = Dir::new("live-link");
    let acquirer = Acquirer::start(&dir);
    let mut till = Till::ready(&dir, &acquirer);
    let answer = till.must(&json!({
        "cmd": "charge", "amount_minor": 1_000, "order": "L", "card": {"last_four": "1234"},
        "link": {"lose_at": "between_card_and_answer"},
    }));
    assert_eq!(answer["outcome"], json!({"outcome": "approved", "approved_minor": 1_000}));
}

#[test]
fn customers_do_what_they_want() {
    let dir = Dir::new("customers");
    let acquirer = Acquirer::start(&dir);
    let mut till = Till::ready(&dir, &acquirer);
    let cases = [
        (json!("normal"), "saved"),
        (json!("collision_then_normal"), "saved"),
        (json!("card_data_twice"), "saved"),
        (json!({"choose_application": ["A", "B"]}), "saved"),
        (json!("removed_early"), "not_charged"),
        (json!("user_cancels"), "not_charged"),
        (json!({"online_then_ends_with": "01050000"}), "saved"),
    ];
    for (behaviour, outcome) in cases {
        let answer = till.must(&json!({
            "cmd": "charge", "amount_minor": 1_000, "mode": "offline",
            "card": {"last_four": "1234", "behaviour": behaviour, "choose": 1, "entry_mode": entry_mode(&behaviour)},
        }));
        assert_eq!(answer["outcome"]["outcome"], outcome, "{behaviour}: {answer}");
    }
    let before = till.must(&json!({"cmd": "status"}))["now_ms"].as_i64().unwrap();
    let nobody = till.must(&json!({"cmd": "charge", "amount_minor": 1_000, "mode": "offline"}));
    assert_eq!(
        (&nobody["outcome"]["outcome"], &nobody["outcome"]["detail"]),
        (&json!("not_charged"), &json!("timed_out"))
    );
    assert!(nobody["now_ms"].as_i64().unwrap() - before >= 60_000, "the customer had a minute");
    let unsent = till.must(&json!({"cmd": "status"}))["status"]["unsent_count"].as_u64();
    assert_eq!(unsent, Some(5));
}

fn entry_mode(behaviour: &Value) -> &'static str {
    if behaviour == "collision_then_normal" { "contactless" } else { "chip" }
}

#[test]
fn a_charge_that_is_held_can_be_killed_or_go_on() {
    for (moment, stage) in [
        ("started", "not_charged"),
        ("before_card", "not_charged"),
        ("card_data", "not_charged"),
        ("saved", "saved_on_phone"),
    ] {
        let dir = Dir::new(&format!("hold-{moment}"));
        let acquirer = Acquirer::start(&dir);
        let mut till = Till::ready(&dir, &acquirer);
        let charge = |order: &str| {
            json!({
                "cmd": "charge", "amount_minor": 1_000, "order": order, "mode": "offline", "card": {"last_four": "1234"}, "hold_at": moment,
            })
        };
        let held = charge("goes on");
        use std::io::Write as _;
        writeln!(till.child.stdin.as_mut().unwrap(), "{held}\n{{\"cmd\":\"go\"}}").unwrap();
        let (events, answer) = {
            let mut events = Vec::new();
            loop {
                let mut line = String::new();
                std::io::BufRead::read_line(&mut till.lines, &mut line).unwrap();
                let line: Value = serde_json::from_str(&line).unwrap();
                if line.get("ok").is_some() {
                    break (events, line);
                }
                events.push(line);
            }
        };
        assert!(events.iter().any(|event| event["event"] == "holding" && event["at"] == moment), "{moment}");
        assert_eq!(answer["outcome"]["outcome"], "saved", "{moment}");
        // Standard input ends while the charge is held: the process ends as if it were killed.
        writeln!(till.child.stdin.as_mut().unwrap(), "{}", charge("dies")).unwrap();
        drop(till);
        let mut again = Till::start(&dir.0, &acquirer.url);
        assert_eq!(stages(&mut again, "dies"), [stage], "{moment}");
        assert_eq!(stages(&mut again, "goes on"), ["saved_on_phone"]);
    }
}
