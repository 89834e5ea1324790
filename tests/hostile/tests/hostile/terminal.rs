//! Lines to the till on a terminal that are no commands.

use serde_json::{Value, json};

use crate::support::{Process, Stall, till_process};

#[test]
fn lines_that_are_no_commands_are_answered_one_by_one_and_the_till_goes_on() {
    let stall = Stall::in_business();
    let dir = tempfile::tempdir().unwrap();
    let mut till = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &[]));
    till.hear();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let endless = vec![b'{'; 20 * 1024 * 1024];
    let lines: Vec<(&[u8], &str)> = vec![
        (b"hello", "not_json"),
        (b"{", "not_json"),
        (b"{\"cmd\":\"status\"", "not_json"),
        (b"{\"cmd\":\"status\"} {\"cmd\":\"status\"}", "not_json"),
        (b"\0", "not_json"),
        (b"{\"cmd\":\"sta\0tus\"}", "not_json"),
        (b"\xFF\xFE\x00", "not_json"),
        (b"{\"cmd\":\"find\",\"order\":\"\xC3\x28\"}", "not_json"),
        (b"\xEF\xBB\xBF{\"cmd\":\"status\"}", "not_json"),
        (b"NaN", "not_json"),
        (deep.as_bytes(), "not_json"),
        (&endless, "not_json"),
        (b"null", "no_command"),
        (b"[]", "no_command"),
        (b"7", "no_command"),
        (b"{}", "no_command"),
        (b"{\"cmd\":null}", "no_command"),
        (b"{\"cmd\":[\"status\"]}", "no_command"),
        (b"{\"cmd\":\"\"}", "unknown_command"),
        (b"{\"cmd\":\"STATUS\"}", "unknown_command"),
        (b"{\"cmd\":\"rm -rf /\"}", "unknown_command"),
        (b"{\"cmd\":\"status\",\"extra\":1}", "bad_field"),
        (b"{\"cmd\":\"sync\",\"budget_ms\":-1}", "bad_field"),
        (b"{\"cmd\":\"sync\",\"budget_ms\":1e99}", "bad_field"),
        (b"{\"cmd\":\"sync\",\"budget_ms\":\"10\"}", "bad_field"),
        (b"{\"cmd\":\"charge\"}", "bad_field"),
        (b"{\"cmd\":\"charge\",\"amount_minor\":1.5}", "bad_field"),
        (b"{\"cmd\":\"charge\",\"amount_minor\":99999999999999999999}", "bad_field"),
        (b"{\"cmd\":\"charge\",\"amount_minor\":100,\"mode\":\"maybe\"}", "bad_field"),
        (b"{\"cmd\":\"charge\",\"amount_minor\":100,\"card\":{}}", "bad_field"),
        (b"{\"cmd\":\"charge\",\"amount_minor\":100,\"card\":{\"last_four\":\"12345\"}}", "bad_field"),
        (b"{\"cmd\":\"charge\",\"amount_minor\":100,\"tip\":5}", "bad_field"),
        (b"{\"cmd\":\"takings\",\"from\":\"2026-02-30\",\"to\":\"2026-03-01\"}", "bad_field"),
        (b"{\"cmd\":\"alerts\",\"max\":-1}", "bad_field"),
        (b"{\"cmd\":\"receipt\",\"id\":\"x\",\"copy\":\"mine\"}", "bad_field"),
        (b"{\"cmd\":\"advance\",\"ms\":-1}", "bad_field"),
    ];
    for (line, code) in lines {
        let shown = String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned();
        let answer = till.say(line);
        assert_eq!(answer["ok"], false, "{shown}: {answer}");
        assert_eq!(
            (&answer["error"]["kind"], &answer["error"]["code"]),
            (&json!("fix_input"), &json!(code)),
            "{shown}"
        );
        assert!(answer.to_string().len() < 2_000, "{shown}: an answer is no echo");
    }
    till.must(&json!({"cmd": "activate", "code": stall.acquirer.activation_code()}));
    till.must(&json!({"cmd": "sign_on"}));
    assert_eq!(till.charge(500, "offline")["outcome"]["outcome"], "saved");
    assert_eq!(till.must(&json!({"cmd": "verify"}))["report"]["sound"], true);
    let (_, stderr, code) = till.end();
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
}

#[test]
fn commands_of_no_sense_get_the_tills_own_errors() {
    let stall = Stall::in_business();
    let dir = tempfile::tempdir().unwrap();
    let mut till = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &[]));
    till.hear();
    let huge = format!("{{\"cmd\":\"find\",\"order\":\"{}\"}}", "x".repeat(200_000));
    // Well formed and of no sense: the till's own errors.
    for (line, kind) in [
        (json!({"cmd": "payment", "id": "x"}), "fix_input"),
        (json!({"cmd": "payment", "id": "01a1fb67-1800-7145-a2c3-357b64f7b3a0"}), "not_found"),
        (json!({"cmd": "payment", "id": "\u{0}"}), "fix_input"),
        (json!({"cmd": "payout", "id": "'; DROP TABLE payout; --"}), "not_found"),
        (json!({"cmd": "payout", "id": ""}), "fix_input"),
        (json!({"cmd": "activate", "code": ""}), "fix_input"),
        (json!({"cmd": "activate", "code": "a.b.c"}), "fix_input"),
        (json!({"cmd": "activate", "code": "x".repeat(100_000)}), "fix_input"),
        (json!({"cmd": "sign_on"}), "sign_in"),
        (json!({"cmd": "sync"}), "sign_in"),
        (json!({"cmd": "charge", "amount_minor": 100}), "sign_in"),
        (json!({"cmd": "charge", "amount_minor": 0}), "fix_input"),
        (json!({"cmd": "payments", "limit": 0}), "fix_input"),
        (json!({"cmd": "payments", "limit": 4_000_000_000_u32}), "fix_input"),
        (json!({"cmd": "payments", "after": "x"}), "fix_input"),
        (json!({"cmd": "payments", "stage": "rich"}), "fix_input"),
        (json!({"cmd": "payouts", "status": "lost"}), "fix_input"),
        (json!({"cmd": "cancel", "id": "x"}), "fix_input"),
        (json!({"cmd": "mark_service", "id": "01a1fb67-1800-7145-a2c3-357b64f7b3a0", "given": true}), "not_found"),
    ] {
        let answer = till.ask(&line);
        assert_eq!(answer["error"]["kind"], kind, "{line}: {answer}");
    }
    // Odd, but harmless.
    for line in [
        huge.as_bytes(),
        br#"{"cmd":"payments","text":"'; DROP TABLE payment; --"}"#,
        br#"{"cmd":"payments","last_four":"%%%%"}"#,
        br#"{"cmd":"acknowledge","upto":18446744073709551615}"#,
        br#"{"cmd":"takings","from":"2026-11-30","to":"2026-11-01"}"#,
        br#"{"cmd":"takings","from":"0001-01-01","to":"9999-12-31"}"#,
    ] {
        let answer = till.say(line);
        assert!(answer["ok"] == true || answer["error"]["kind"] == "fix_input", "{answer}");
    }
    till.must(&json!({"cmd": "status"}));
}

#[test]
fn clocks_at_the_ends_of_time_end_no_till() {
    let stall = Stall::in_business();
    let dir = tempfile::tempdir().unwrap();
    let mut till = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &[]));
    till.hear();
    till.must(&json!({"cmd": "activate", "code": stall.acquirer.activation_code()}));
    till.must(&json!({"cmd": "sign_on"}));
    let id = till.charge(500, "offline")["payment_id"].clone();
    for ms in [i64::MAX, i64::MIN, i64::MAX, -1, i64::MIN / 2] {
        till.must(&json!({"cmd": "clock_jump", "ms": ms}));
        till.must(&json!({"cmd": "status"}));
        assert!(!till.must(&json!({"cmd": "payments"}))["payments"].as_array().unwrap().is_empty(), "{ms}");
        let charge = till.charge(100, "offline");
        let outcome = &charge["outcome"]["outcome"];
        assert!(charge["ok"] == false || outcome == "not_charged" || outcome == "saved", "{ms}: {charge}");
        let payment = till.must(&json!({"cmd": "payment", "id": id}));
        // It may have been sent meanwhile; it is never given up.
        let payment = &payment["payment"];
        assert!(payment["authorization"] == "approved" || payment["stage"] == "saved_on_phone", "{ms}: {payment}");
    }
    // Time itself comes to its end.
    till.must(&json!({"cmd": "advance", "ms": i64::MAX}));
    till.must(&json!({"cmd": "status"}));
    assert_eq!(till.must(&json!({"cmd": "verify"}))["report"]["sound"], true);
}

/// Every way in which the simulated reader, a card or somebody at the till can end a presentation, by word.
#[test]
fn each_failure_of_a_reader_and_a_card_ends_a_charge_with_its_reason() {
    let stall = Stall::in_business();
    let dir = tempfile::tempdir().unwrap();
    let mut till = Process::start(&mut till_process(dir.path(), stall.acquirer.url(), &[]));
    till.hear();
    till.must(&json!({"cmd": "activate", "code": stall.acquirer.activation_code()}));
    till.must(&json!({"cmd": "sign_on"}));
    let card =
        |entry: &str, behaviour: Value| json!({"last_four": "4321", "entry_mode": entry, "behaviour": behaviour});
    let chip = || card("chip", json!("normal"));
    let unread = || card("chip", json!({"ends_with": "10020F02"}));
    let saved = ("saved", Value::Null);
    let not = |detail: &str| ("not_charged", json!(detail));
    let rows = [
        (json!(["silent"]), chip(), json!({}), not("reader_no_answer")),
        (json!(["silent_after:3"]), chip(), json!({}), not("reader_no_answer")),
        (json!(["silent_after:19"]), chip(), json!({}), not("reader_no_answer")),
        (json!(["restarted"]), chip(), json!({}), saved.clone()),
        (json!(["refuses_start:020119"]), chip(), json!({}), not("reader_keys_missing")),
        (json!(["refuses_start:020316"]), chip(), json!({}), not("reader_battery_too_low")),
        (json!(["refuses_start:7F7F7F"]), chip(), json!({}), not("reader_fault")),
        (json!(["spoils_card_data"]), chip(), json!({}), not("reader_fault")),
        (json!(["no_receipt_data"]), chip(), json!({}), saved.clone()),
        (json!(["other_receipt_data:card"]), chip(), json!({}), saved.clone()),
        (json!(["restarts_after:0", "restarts_after:20"]), chip(), json!({"next_cards": [chip()]}), saved.clone()),
        (json!(["ends_again:10028000"]), chip(), json!({}), saved.clone()),
        (json!(["too_cold:-12", "too_hot:60"]), chip(), json!({}), saved.clone()),
        (json!([]), unread(), json!({}), not("not_accepted")),
        (json!([]), unread(), json!({"next_cards": [unread(), chip()]}), saved.clone()),
        (json!([]), unread(), json!({"next_cards": [unread(), unread(), unread(), unread()]}), not("not_accepted")),
        (
            json!([]),
            unread(),
            json!({"next_cards": [card("fallback", json!("normal"))], "cancel_at": "before_card"}),
            not("cancelled"),
        ),
        (json!([]), chip(), json!({"cancel_at": "before_card"}), not("cancelled")),
        (json!([]), chip(), json!({"cancel_at": "card_data"}), saved.clone()),
        (json!([]), card("stripe", json!("chip_card_swiped")), json!({}), not("not_accepted")),
        (json!([]), card("stripe", json!("chip_card_swiped")), json!({"next_cards": [chip()]}), saved.clone()),
        (json!([]), json!({"last_four": "4321", "signs": true}), json!({}), saved.clone()),
    ];
    for (fails, card, more, (outcome, detail)) in rows {
        let what = format!("{fails} {card} {more}");
        till.must(&json!({"cmd": "reader", "battery_percent": 80, "fails": fails}));
        let mut charge = json!({"cmd": "charge", "amount_minor": 100, "mode": "offline", "card": card});
        charge.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let said = till.must(&charge);
        assert_eq!(
            (&said["outcome"]["outcome"], &said["outcome"]["detail"]),
            (&json!(outcome), &detail),
            "{what}: {said}"
        );
    }
    // Whichever value is lost, the charge ends, and what was saved is in the ledger.
    for damage in ["loses_value", "doubles_value", "repeats_value", "swaps_values", "restarts_after", "silent_after"] {
        for at in 0..30 {
            till.must(&json!({"cmd": "reader", "fails": [format!("{damage}:{at}")]}));
            let said = till.charge(100, "offline");
            let outcome = &said["outcome"]["outcome"];
            assert!(outcome == "saved" || outcome == "not_charged", "{damage} {at}: {said}");
        }
    }
    assert_eq!(till.must(&json!({"cmd": "verify"}))["report"]["sound"], true);
    let (_, stderr, code) = till.end();
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
}
