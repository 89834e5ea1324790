//! What the merchant asks for beside charging: cancelling, marking, receipts, the reader's moods, opening and closing.

use serde_json::json;
use takings_domain::EntryMode;
use takings_readers::simulated::{Behaviour, CardScript};

use super::bench::{BATCH, Bench, DAY, EVENTS, HOUR, MINUTE, SIGN_ON};
use super::line::Fault;
use super::stall::Sale;
use crate::charge::ChargeOutcome;
use crate::engine::{Command, LinkEvent, Reply};
use crate::error::TillError;

#[test]
fn only_what_certainly_did_not_leave_can_be_cancelled() {
    let mut bench = Bench::ready(1);
    let unsent = bench.charge(&Sale::nth(1)).0;
    bench.cancel(unsent).unwrap();
    assert_eq!(bench.stage(unsent), ("not_charged".into(), "cancelled_unsent".into()));
    assert_eq!(bench.cancel(unsent).unwrap_err().code(), "cannot_cancel");

    let refused = bench.charge(&Sale::nth(2)).0;
    bench.spoil(BATCH, 1, Fault::Refused);
    bench.sync();
    bench.cancel(refused).unwrap();

    let doubtful = bench.charge(&Sale::nth(3)).0;
    bench.spoil(BATCH, 1, Fault::DropRequest);
    bench.sync();
    assert_eq!(bench.cancel(doubtful).unwrap_err().code(), "cannot_cancel");

    let sending = bench.charge(&Sale::nth(4)).0;
    bench.spoil(BATCH, 1, Fault::Late);
    bench.start(Command::Sync { budget_ms: 120_000 });
    bench.run();
    assert_eq!(bench.cancel(sending).unwrap_err().code(), "cannot_cancel");
    bench.deliver_late(false);

    let live = bench.charge(&Sale::live(5_000)).0;
    assert_eq!(bench.cancel(live).unwrap_err().code(), "cannot_cancel");
    bench.drain();
    for gone in [unsent, refused] {
        assert_eq!(bench.in_book(gone), None);
    }
    bench.judge();
}

#[test]
fn service_is_marked_and_receipts_are_counted() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::offline(1_000)).0;
    let mark = |bench: &mut Bench, given| {
        bench.ask(Command::MarkService { payment: id, given, operator: Some("王".into()) }).unwrap();
        bench.view(id).service_given
    };
    assert_eq!(mark(&mut bench, true), Some(true));
    assert_eq!(mark(&mut bench, true), Some(true));
    assert_eq!(mark(&mut bench, false), Some(false));
    assert_eq!(bench.count(id, "service_marked"), 2, "the same mark again is no news");
    let printed = |bench: &mut Bench, copy| match bench.ask(Command::CountReceipt { payment: id, copy }) {
        Ok(Reply::ReceiptCount(count)) => count,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        [printed(&mut bench, "customer"), printed(&mut bench, "customer"), printed(&mut bench, "merchant")],
        [0, 1, 0]
    );
    bench.kill_and_reopen();
    assert_eq!(printed(&mut bench, "customer"), 2);
}

#[test]
fn an_order_is_charged_once_unless_the_merchant_insists_or_nothing_was_charged() {
    let mut bench = Bench::ready(1);
    let sale = Sale::offline(1_000).order("42");
    let first = bench.charge(&sale).0;
    assert_eq!(bench.begin(&sale).unwrap_err().code(), "order_already_charged");
    bench.cancel(first).unwrap();
    let second = bench.charge(&sale).0;
    assert_eq!(bench.begin(&sale).unwrap_err().code(), "order_already_charged");
    let third = bench.begin(&Sale { again: true, ..sale.clone() }).unwrap();
    assert!(bench.detail(third).timeline.iter().any(|entry| entry.body.contains(&second.to_string())));
}

#[test]
fn wrong_input_is_refused_before_anything_is_written() {
    let mut bench = Bench::ready(1);
    let before = bench.engine().ledger.last_seq();
    let refused = |bench: &mut Bench, sale: Sale| bench.begin(&sale).unwrap_err().code();
    assert_eq!(refused(&mut bench, Sale::offline(0)), "amount");
    assert_eq!(refused(&mut bench, Sale::offline(i64::MAX)), "amount");
    assert_eq!(refused(&mut bench, Sale::offline(1).order("")), "order_reference");
    assert_eq!(refused(&mut bench, Sale::offline(1).order("a\nb")), "order_reference");
    assert_eq!(refused(&mut bench, Sale::offline(1).order(&"单".repeat(22))), "order_reference");
    assert_eq!(bench.engine().ledger.last_seq(), before);
    assert_eq!(bench.charge(&Sale::offline(1).order(&"单".repeat(21))).1, ChargeOutcome::Saved);
    bench.drain();
}

#[test]
fn a_link_lost_before_the_card_can_come_back_and_after_the_card_changes_nothing() {
    let mut bench = Bench::ready(1);
    let sale = Sale::offline(1_000);
    let id = bench.begin(&sale).unwrap();
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    bench.lose_link(id);
    assert_eq!(bench.outcome_now(id), None);
    bench.present(id, &sale);
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Saved));
    assert_eq!((bench.count(id, "attempt_started"), bench.count(id, "card_read")), (2, 1));

    // Values of an old link, doubled ones, a second card data: nothing.
    let id = bench.begin(&Sale::nth(2)).unwrap();
    let mut twice = Sale::nth(2);
    twice.card = twice.card.behaving(Behaviour::CardDataTwice);
    bench.present(id, &twice);
    assert_eq!(bench.count(id, "card_read"), 1);
    bench.link(id, LinkEvent::Bytes { generation: 999, value: vec![1, 2, 3] });
    assert_eq!(bench.outcome(id), Some(ChargeOutcome::Saved));
    bench.drain();
    bench.judge();
}

#[test]
fn a_card_that_brings_nothing_ends_the_charge_with_its_reason() {
    let cases = [
        (Behaviour::UserCancels, "cancelled"),
        (Behaviour::EndsWith([0x00, 0x01, 0x00, 0x00]), "timed_out"),
        (Behaviour::EndsWith([0x10, 0x77, 0x77, 0x77]), "unknown"),
    ];
    for (behaviour, why) in cases {
        let mut bench = Bench::ready(1);
        let mut sale = Sale::offline(1_000);
        sale.card = sale.card.behaving(behaviour.clone());
        let (id, outcome) = bench.charge(&sale);
        let ChargeOutcome::NotCharged { cause, detail } = outcome else { panic!("{behaviour:?} {outcome:?}") };
        assert_eq!((cause.as_str(), detail.as_deref()), ("abandoned", Some(why)), "{behaviour:?}");
        assert_eq!(bench.stage(id).0, "not_charged");
        bench.sync();
        assert_eq!(bench.in_book(id), None);
    }
}

#[test]
fn a_completion_code_after_the_card_only_adds() {
    let mut bench = Bench::ready(1);
    let mut sale = Sale::offline(1_000);
    sale.card = sale.card.behaving(Behaviour::OnlineThenEndsWith([0x10, 0x77, 0x77, 0x77]));
    let (id, outcome) = bench.charge(&sale);
    assert_eq!(outcome, ChargeOutcome::Saved);
    assert!(bench.detail(id).timeline.iter().any(|entry| entry.body.contains("\"unexpected\":true")));
    bench.drain();
    assert_eq!(bench.view(id).authorization.as_deref(), Some("approved"));
}

#[test]
fn a_charge_that_nobody_holds_is_given_up_before_the_card_and_takes_its_course_after_it() {
    let mut bench = Bench::ready(1);
    let before = bench.begin(&Sale::nth(1)).unwrap();
    bench.ask(Command::Leave { payment: before }).unwrap();
    assert_eq!(bench.stage(before), ("not_charged".into(), "abandoned".into()));
    let sale = Sale::live(2_000);
    let live = bench.begin(&sale).unwrap();
    bench.present(live, &sale);
    bench.ask(Command::Leave { payment: live }).unwrap();
    assert_eq!(bench.view(live).stage, "approved");
    let saved = bench.charge(&Sale::nth(3)).0;
    bench.ask(Command::Leave { payment: saved }).unwrap();
    assert!(bench.engine().charges.is_empty(), "nothing is remembered of what is over");
    bench.told.clear();
    bench.drain();
    assert_eq!(bench.view(saved).authorization.as_deref(), Some("approved"));
    bench.judge();
}

#[test]
fn activation_survives_a_lost_answer_and_a_kill_with_the_same_request() {
    let mut at = 1;
    loop {
        let mut bench = Bench::new(u64::from(at));
        let code = bench.activation_code();
        bench.spoil("POST /v1/terminals", 1, Fault::DropAnswer);
        let killed = bench.killed_at(at, |bench| {
            let answer = bench.ask(Command::Activate { code: code.clone() });
            assert!(matches!(answer, Err(TillError::RetryLater { .. })), "{answer:?}");
        });
        if killed {
            bench.open().unwrap();
        }
        bench.good_line();
        let activated = bench.ask(Command::Activate { code: code.clone() });
        assert!(matches!(activated, Ok(Reply::Activated(_))), "killed at {at}: {activated:?}");
        let book = bench.book();
        assert_eq!(book["terminals"].as_array().unwrap().len(), 1);
        assert_eq!(bench.charge(&Sale::live(1_000)).1, ChargeOutcome::Approved { approved_minor: 1_000 });
        if !killed {
            return;
        }
        at += 1;
    }
}

#[test]
fn an_activation_whose_session_cannot_be_had_is_an_activation() {
    let mut bench = Bench::new(1);
    let code = bench.activation_code();
    bench.spoil(SIGN_ON, 1, Fault::DropAnswer);
    assert!(matches!(bench.ask(Command::Activate { code: code.clone() }), Ok(Reply::Activated(_))));
    assert_eq!(bench.ask(Command::Activate { code }).unwrap_err().code(), "already_activated");
    assert!(matches!(bench.ask(Command::SignOn), Ok(Reply::SignedOn(_))));
}

#[test]
fn a_sign_on_that_did_not_happen_is_not_reported_as_one() {
    let mut bench = Bench::ready(1);
    bench.plant(json!({"on": EVENTS, "kind": "status", "status": 429, "retry_after_s": 60, "count": 1}));
    bench.sync();
    let answer = bench.ask(Command::SignOn);
    assert!(matches!(answer, Err(TillError::RetryLater { .. })), "{answer:?}");
    bench.pass(2 * MINUTE);
    bench.spoil(SIGN_ON, 1, Fault::DropAnswer);
    assert!(bench.ask(Command::SignOn).is_err());
    assert!(bench.ask(Command::SignOn).is_ok());
}

#[test]
fn wrong_codes_and_wrong_keys_are_told_apart() {
    let mut bench = Bench::new(1);
    let code = bench.activation_code();
    assert_eq!(bench.ask(Command::Activate { code: format!("{code}0") }).unwrap_err().code(), "activation_code");
    let other = Bench::new(2).activation_code();
    // Another acquirer's root: nothing that this one signs is believed.
    assert!(matches!(bench.ask(Command::Activate { code: other }), Err(TillError::RetryLater { .. })));
    bench.admin("PUT", "/admin/clock", &json!({"advance_ms": 0}));
    let mut used = Bench::ready(3);
    let spent = used.first_code.clone();
    used.kill();
    used.dir = tempfile::tempdir().unwrap();
    used.key_secret = 8;
    used.open().unwrap();
    let answer = used.ask(Command::Activate { code: spent });
    assert!(matches!(answer, Err(TillError::AskMerchant { .. })), "{answer:?}");
    assert!(bench.ask(Command::Activate { code }).is_ok());
}

#[test]
fn a_ledger_belongs_to_one_key_and_one_till_at_a_time() {
    let mut bench = Bench::ready(1);
    let first = bench.engine.take();
    assert_eq!(bench.open().unwrap_err().code(), "in_use");
    drop(first);
    bench.key_secret = 9;
    assert_eq!(bench.open().unwrap_err().code(), "another_key");
    bench.key_secret = 7;
    bench.open().unwrap();
}

#[test]
fn after_going_to_the_background_the_till_goes_on() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::nth(1)).0;
    bench.ask(Command::Background).unwrap();
    let open = std::fs::read_dir("/proc/self/fd")
        .map(|fds| {
            let ours = bench.dir.path().join("ledger.db");
            fds.filter(|fd| fd.as_ref().is_ok_and(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to == ours)))
                .count()
        })
        .unwrap_or(0);
    assert_eq!(open, 0, "the file is closed, and with it every lock");
    assert_eq!(bench.charge(&Sale::nth(2)).1, ChargeOutcome::Saved);
    bench.ask(Command::Background).unwrap();
    bench.drain();
    assert_eq!(bench.authorizations(id), 1);
    bench.assert_verified();
}

#[test]
fn a_ledger_of_a_newer_version_is_read_and_not_written() {
    if cfg!(feature = "sqlcipher") {
        return;
    }
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::nth(1)).0;
    bench.kill();
    bench.put_unknown_event();
    bench.open().unwrap();
    assert!(bench.status().read_only.is_some());
    assert_eq!(bench.view(id).stage, "saved_on_phone");
    for refused in [
        bench.begin(&Sale::nth(2)).map(|_| ()),
        bench.ask(Command::Sync { budget_ms: 60_000 }).map(|_| ()),
        bench.ask(Command::SignOn).map(|_| ()),
        bench.cancel(id),
        bench.ask(Command::Acknowledge { upto: 1 }).map(|_| ()),
    ] {
        assert!(matches!(refused, Err(TillError::UpgradeApp { .. })), "{refused:?}");
    }
    let verified = bench.ask(Command::Verify);
    assert!(verified.is_ok() || matches!(verified, Err(TillError::UpgradeApp { .. })), "{verified:?}");
    bench.live_on(DAY);
    bench.ask(Command::Background).unwrap();
    assert!(bench.sent.is_empty());
}

#[test]
fn commits_are_counted() {
    let mut bench = Bench::ready(1);
    let commits = |bench: &mut Bench, work: &mut dyn FnMut(&mut Bench)| {
        let before = bench.commits();
        work(bench);
        bench.commits() - before
    };
    let sale = Sale::offline(1_000);
    let mut id = None;
    assert_eq!(commits(&mut bench, &mut |bench| id = Some(bench.begin(&sale).unwrap())), 1, "the intent");
    let id = id.unwrap();
    let mut writes = bench.connect(id);
    assert_eq!(commits(&mut bench, &mut |bench| bench.talk(id, &mut writes, None)), 1, "a reader never seen before");
    let accepted = commits(&mut bench, &mut |bench| {
        bench.talk_until_saved(id, CardScript::new("6222", "0048", EntryMode::Chip));
    });
    assert_eq!(accepted, 1, "card and acceptance");
    bench.lose_link(id);
    let live = Sale::live(2_000);
    let id = bench.begin(&live).unwrap();
    let mut writes = bench.connect(id);
    assert_eq!(commits(&mut bench, &mut |bench| bench.talk(id, &mut writes, None)), 0, "a known reader gets ready");
    let sent = commits(&mut bench, &mut |bench| bench.talk_until_sent(id, live.card.clone()));
    assert_eq!(sent, 1, "card and send");
    assert_eq!(commits(&mut bench, &mut |bench| bench.run()), 1, "the answer");
    assert_eq!(bench.view(id).stage, "approved");
    bench.pass(HOUR);
}

#[test]
fn a_restored_older_copy_is_noticed_at_the_next_sign_on() {
    let mut bench = Bench::ready(1);
    bench.charge(&Sale::nth(1));
    bench.break_counter();
    assert_eq!(bench.status().missing_events, 0, "the copy itself is sound");
    bench.pass(26 * HOUR);
    bench.sync();
    assert_eq!(bench.status().missing_events, 0, "the acquirer has not seen more than this copy holds");

    let mut bench = Bench::ready(1);
    bench.break_counter_after_sign_on();
    // An answer that is lost takes none of it away.
    bench.spoil(SIGN_ON, 2, Fault::DropAnswer);
    for _ in 0..2 {
        assert!(bench.ask(Command::SignOn).is_err());
    }
    assert_eq!(bench.status().missing_events, 0, "nothing was heard yet");
    bench.ask(Command::SignOn).unwrap();
    assert!(bench.status().missing_events > 0, "somebody else remembers more");
}

#[test]
fn a_customer_does_not_wait_long_for_a_session() {
    let mut bench = Bench::ready(1);
    bench.pass(26 * HOUR);
    let ticket = bench.start(Command::Charge(Sale::live(1_000).request()));
    assert!(bench.reply(ticket).is_none(), "the session comes first");
    let sent = bench.outbox.pop_front().unwrap();
    assert_eq!((sent.name.as_str(), sent.timeout_ms), (SIGN_ON, 10_000));
    bench.line_is_down = true;
    bench.carry(sent);
    assert!(matches!(bench.reply(ticket), Some(Ok(Reply::Charging(_)))), "and if there is none, the charge begins");
    // Nobody hopes again until there was a line.
    let ticket = bench.start(Command::Charge(Sale::live(1_100).request()));
    assert!(matches!(bench.reply(ticket), Some(Ok(Reply::Charging(_)))));
}
