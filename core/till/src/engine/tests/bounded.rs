//! P9 bounded risk: the signed policy in force, judged by the clock that makes things older, before and after the card.

use serde_json::{Value, json};
use takings_domain::EntryMode;
use takings_readers::simulated::CardScript;

use super::bench::{BATCH, Bench, DAY, HOUR, MINUTE, SIGN_ON};
use super::line::Fault;
use super::stall::Sale;
use crate::charge::ChargeOutcome;
use crate::engine::{Command, Input};

fn with_policy(change: Value) -> Bench {
    let mut bench = Bench::ready(1);
    bench.admin("POST", "/admin/policy", &change);
    bench.sync();
    bench.sync();
    bench.line_is_down = true;
    bench
}

fn limits(change: Value) -> Value {
    let mut limit = json!({
        "currency": "CNY", "max_amount": 50_000, "max_amount_contactless_no_pin": 50_000, "max_count_open": 500,
        "max_total_open": 5_000_000, "max_count_per_card_per_day": 20,
    });
    limit.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    json!({"limits": [limit]})
}

fn refused(rule: &str) -> ChargeOutcome {
    ChargeOutcome::NotCharged { cause: "offline_refused".to_owned(), detail: Some(rule.to_owned()) }
}

/// Refused before the card: on record, with its trace number, and the reader never starts.
fn refused_before_the_card(bench: &mut Bench, sale: &Sale, rule: &str) {
    let id = bench.begin(sale).unwrap();
    assert_eq!(bench.outcome(id), Some(refused(rule)));
    assert_eq!(bench.kinds(id), ["charge_started", "offline_refused"]);
    let before: u32 = bench.view(id).stan.parse().unwrap();
    let next = bench.begin(&Sale::offline(1)).unwrap();
    assert_eq!(bench.view(next).stan.parse::<u32>().unwrap(), before + 1, "the trace number is used up");
}

fn refused_after_the_card(bench: &mut Bench, sale: &Sale, rule: &str) {
    let (id, outcome) = bench.charge(sale);
    assert_eq!(outcome, refused(rule));
    assert_eq!(
        bench.kinds(id)[..5],
        ["charge_started", "attempt_started", "card_read", "offline_refused", "blob_erased"]
    );
    assert!(!bench.holds_card_data(id));
}

fn card(leading: &str, last_four: &str, entry_mode: EntryMode) -> Sale {
    Sale { card: CardScript::new(leading, last_four, entry_mode), ..Sale::offline(1_000) }
}

#[test]
fn p9_bounded_amount_count_and_total_are_judged_before_the_card() {
    let mut bench = with_policy(limits(json!({"max_amount": 2_000, "max_count_open": 2, "max_total_open": 2_500})));
    refused_before_the_card(&mut bench, &Sale::offline(2_001), "amount_over_limit");
    assert_eq!(bench.charge(&Sale::offline(2_000)).1, ChargeOutcome::Saved);
    refused_before_the_card(&mut bench, &Sale::offline(501), "total_over_limit");
    let second = bench.charge(&Sale::offline(500));
    assert_eq!(second.1, ChargeOutcome::Saved);
    refused_before_the_card(&mut bench, &Sale::offline(1), "too_many_open");
    // What is cancelled or answered makes room again.
    bench.cancel(second.0).unwrap();
    assert_eq!(bench.charge(&Sale::offline(500)).1, ChargeOutcome::Saved);
    bench.good_line();
    bench.drain();
    bench.line_is_down = true;
    assert_eq!(bench.charge(&Sale::offline(2_000)).1, ChargeOutcome::Saved);
}

#[test]
fn p9_bounded_what_was_counted_before_the_card_is_counted_again_after_it() {
    let mut bench = with_policy(limits(json!({"max_count_open": 1})));
    let first = bench.begin(&Sale::offline(1_000)).unwrap();
    let second = bench.begin(&Sale::offline(1_000)).unwrap();
    bench.present(first, &Sale::offline(1_000));
    bench.present(second, &Sale::offline(1_000));
    assert_eq!(bench.outcome(first), Some(ChargeOutcome::Saved));
    assert_eq!(bench.outcome(second), Some(refused("too_many_open")));
}

#[test]
fn p9_bounded_scheme_entry_mode_and_card_per_day_are_judged_after_the_card() {
    let mut bench = with_policy(limits(json!({"max_count_per_card_per_day": 2, "max_amount_contactless_no_pin": 900})));
    refused_after_the_card(&mut bench, &card("3714", "8431", EntryMode::Chip), "scheme_denied");
    refused_after_the_card(&mut bench, &card("6222", "0048", EntryMode::Stripe), "entry_mode_denied");
    refused_after_the_card(&mut bench, &card("6222", "0048", EntryMode::Contactless), "contactless_over_limit");
    refused_after_the_card(&mut bench, &card("9999", "0048", EntryMode::Chip), "scheme_unknown");
    for _ in 0..2 {
        assert_eq!(bench.charge(&card("6222", "0048", EntryMode::Chip)).1, ChargeOutcome::Saved);
    }
    refused_after_the_card(&mut bench, &card("6222", "0048", EntryMode::Chip), "card_limit_reached");
    assert_eq!(bench.charge(&card("6222", "0049", EntryMode::Chip)).1, ChargeOutcome::Saved);
    bench.pass(DAY);
    assert_eq!(bench.charge(&card("6222", "0048", EntryMode::Chip)).1, ChargeOutcome::Saved, "another day");
}

#[test]
fn p9_bounded_every_nth_goes_online() {
    let mut bench = with_policy(json!({"online_required_if": [{"rule": "every_nth", "n": 3}]}));
    let outcomes: Vec<ChargeOutcome> = (0..4).map(|n| bench.charge(&Sale::nth(n)).1).collect();
    assert_eq!(outcomes[..3], [ChargeOutcome::Saved, ChargeOutcome::Saved, refused("online_required")]);
    assert_eq!(outcomes[3], refused("online_required"), "a refused one does not start a new count");
}

#[test]
fn p9_bounded_no_policy_an_expired_one_and_one_that_allows_nothing_deny() {
    let mut bench = with_policy(json!({"offline_allowed": false}));
    refused_before_the_card(&mut bench, &Sale::offline(1_000), "offline_not_allowed");
    let mut bench = Bench::ready(1);
    let until = "2026-11-21T14:00:00+08:00";
    bench.admin("POST", "/admin/policy", &json!({"valid_until": until}));
    bench.sync();
    bench.sync();
    bench.line_is_down = true;
    bench.pass(4 * HOUR - MINUTE);
    assert_eq!(bench.charge(&Sale::offline(1_000)).1, ChargeOutcome::Saved);
    bench.pass(MINUTE);
    refused_before_the_card(&mut bench, &Sale::offline(1_000), "policy_expired");
    // Set back, the clock does not make it valid again.
    bench.now.wall_ms -= DAY;
    refused_before_the_card(&mut bench, &Sale::offline(1_000), "policy_expired");
}

#[test]
fn p9_bounded_an_old_queue_and_an_untrusted_clock_deny() {
    let mut bench = with_policy(json!({"max_age_h": 24, "max_clock_age_h": 48}));
    assert_eq!(bench.charge(&Sale::nth(1)).1, ChargeOutcome::Saved);
    bench.pass(24 * HOUR);
    assert_eq!(bench.charge(&Sale::nth(2)).1, ChargeOutcome::Saved);
    bench.pass(MINUTE);
    refused_before_the_card(&mut bench, &Sale::offline(1_000), "too_old_open");

    // Sold under a clock that was set ahead after a reboot, and put right since: nobody knows how old that is.
    let mut bench = with_policy(json!({"max_age_h": 24, "max_clock_age_h": 48}));
    bench.now.boot_id += 1;
    bench.now.monotonic_ms = 1_000;
    bench.now.wall_ms += 5 * HOUR;
    assert_eq!(bench.charge(&Sale::nth(1)).1, ChargeOutcome::Saved);
    bench.now.wall_ms -= 5 * HOUR;
    refused_before_the_card(&mut bench, &Sale::offline(1_000), "too_old_open");

    let mut bench = with_policy(json!({"max_age_h": 240, "max_clock_age_h": 48}));
    bench.pass(48 * HOUR);
    assert_eq!(bench.charge(&Sale::nth(1)).1, ChargeOutcome::Saved);
    bench.pass(MINUTE);
    refused_before_the_card(&mut bench, &Sale::offline(1_000), "clock_untrusted");
    // A clock set back, with or without a reboot, makes nobody younger.
    bench.now.wall_ms -= 3 * DAY;
    refused_before_the_card(&mut bench, &Sale::offline(1_000), "clock_untrusted");
    bench.good_line();
    bench.sync();
    bench.line_is_down = true;
    assert_eq!(bench.charge(&Sale::nth(3)).1, ChargeOutcome::Saved);
}

#[test]
fn p9_bounded_what_a_clock_ahead_dated_is_older_by_how_far_it_was_set_back() {
    let mut bench = with_policy(json!({"max_age_h": 24, "max_clock_age_h": 48}));
    boot_with_wrong_clock(&mut bench, 5 * HOUR);
    assert_eq!(bench.charge(&Sale::nth(1)).1, ChargeOutcome::Saved);
    bench.pass(HOUR);
    bench.now.wall_ms -= 5 * HOUR;
    bench.handle(Input::Tick);
    bench.pass(22 * HOUR);
    assert_eq!(bench.charge(&Sale::nth(2)).1, ChargeOutcome::Saved, "23 hours, and it looks like 18");
    // On record, so the next process knows, too.
    bench.kill_and_reopen();
    bench.pass(HOUR + MINUTE);
    refused_before_the_card(&mut bench, &Sale::offline(1_000), "too_old_open");

    // What is sold after it was set back is dated right.
    let mut bench = with_policy(json!({"max_age_h": 24, "max_clock_age_h": 48}));
    boot_with_wrong_clock(&mut bench, 5 * HOUR);
    bench.now.wall_ms -= 5 * HOUR;
    bench.handle(Input::Tick);
    assert_eq!(bench.charge(&Sale::nth(1)).1, ChargeOutcome::Saved);
    bench.pass(23 * HOUR);
    assert_eq!(bench.charge(&Sale::nth(2)).1, ChargeOutcome::Saved);

    // With the acquirer's clock heard since the phone was switched on nothing is dated by the wall clock.
    let mut bench = with_policy(json!({"max_age_h": 24, "max_clock_age_h": 48}));
    bench.now.wall_ms += 5 * HOUR;
    assert_eq!(bench.charge(&Sale::nth(1)).1, ChargeOutcome::Saved);
    bench.now.wall_ms -= 5 * HOUR;
    bench.pass(23 * HOUR);
    assert_eq!(bench.charge(&Sale::nth(2)).1, ChargeOutcome::Saved);
}

#[test]
fn p9_bounded_after_a_reboot_the_wall_clock_counts_and_a_future_one_denies() {
    let mut bench = with_policy(json!({"max_clock_age_h": 48}));
    bench.kill();
    bench.now = takings_domain::Now { wall_ms: bench.now.wall_ms + HOUR, monotonic_ms: 5, boot_id: 2 };
    bench.open().unwrap();
    assert_eq!(bench.charge(&Sale::nth(1)).1, ChargeOutcome::Saved);
    bench.kill();
    bench.now = takings_domain::Now { wall_ms: bench.now.wall_ms + 3 * DAY, monotonic_ms: 5, boot_id: 3 };
    bench.open().unwrap();
    refused_before_the_card(&mut bench, &Sale::offline(1_000), "clock_untrusted");
}

#[test]
fn p9_bounded_a_till_that_never_signed_on_charges_nothing() {
    let mut bench = Bench::new(1);
    assert_eq!(bench.begin(&Sale::offline(1_000)).unwrap_err().code(), "never_signed_on");
    assert_eq!(bench.payments(), []);
}

#[test]
fn p9_bounded_a_deadline_that_passes_stops_the_upload_and_says_so() {
    let mut bench = with_policy(json!({"upload_deadline_days": 1, "max_clock_age_h": 96}));
    let id = bench.charge(&Sale::offline(1_000)).0;
    bench.live_on(DAY - HOUR);
    assert_eq!(bench.stage(id).0, "saved_on_phone");
    bench.live_on(2 * HOUR);
    assert_eq!(bench.stage(id), ("needs_you".into(), "expired".into()));
    assert!(!bench.holds_card_data(id));
    assert_eq!(bench.alerts().iter().filter(|alert| alert.alert_kind == "payment_expired").count(), 1);
    bench.good_line();
    bench.sync();
    assert_eq!(bench.in_book(id), None, "nothing is sent after its deadline");
    bench.assert_verified();
}

#[test]
fn p9_bounded_a_clock_set_forward_puts_no_deadline_off() {
    let mut bench = with_policy(json!({"upload_deadline_days": 1, "max_clock_age_h": 96}));
    bench.now.wall_ms += 3 * HOUR;
    let id = bench.charge(&Sale::offline(1_000)).0;
    bench.live_on(DAY - HOUR);
    assert_eq!(bench.stage(id).0, "saved_on_phone");
    bench.live_on(2 * HOUR);
    assert_eq!(bench.stage(id), ("needs_you".into(), "expired".into()));
}

/// The phone starts anew, its wall clock being wrong by so much since.
fn boot_with_wrong_clock(bench: &mut Bench, by_ms: i64) {
    bench.kill();
    (bench.now.boot_id, bench.now.monotonic_ms) = (bench.now.boot_id + 1, 1_000);
    bench.now.wall_ms += by_ms;
    bench.open().unwrap();
}

#[test]
fn p10_drains_a_sale_is_dated_right_after_a_wrong_clock_was_put_right() {
    // Signed on while the wall clock was wrong, put right, and then a new start.
    let mut bench = Bench::ready(1);
    bench.now.wall_ms += 40 * DAY;
    bench.ask(Command::SignOn).unwrap();
    bench.now.wall_ms -= 40 * DAY;
    boot_with_wrong_clock(&mut bench, 0);
    saved_and_sent(bench);

    // A refusal told the time while the wall clock was wrong, no sign-on came through, and it was put right.
    let mut bench = Bench::ready(1);
    boot_with_wrong_clock(&mut bench, 40 * DAY);
    bench.spoil(SIGN_ON, 100, Fault::Refused);
    bench.sync();
    bench.now.wall_ms -= 40 * DAY;
    saved_and_sent(bench);
}

/// A sale without a line is dated within a day, waits, and is sent.
fn saved_and_sent(mut bench: Bench) {
    bench.line_is_down = true;
    let (id, outcome) = bench.charge(&Sale::offline(1_000));
    assert_eq!(outcome, ChargeOutcome::Saved);
    let off_ms = bench.view(id).captured_at_ms - bench.world_ms;
    assert!(off_ms.abs() < DAY, "dated {} days off", off_ms / DAY);
    bench.good_line();
    bench.drain();
    assert_eq!(bench.view(id).stage, "approved");
    bench.judge();
}

#[test]
fn p9_bounded_what_is_under_way_at_its_deadline_does_not_expire() {
    let mut bench = with_policy(json!({"upload_deadline_days": 1, "max_clock_age_h": 96}));
    let id = bench.charge(&Sale::offline(1_000)).0;
    bench.pass(DAY - HOUR);
    bench.good_line();
    bench.spoil(BATCH, 1, Fault::Late);
    bench.start(Command::Sync { budget_ms: 120_000 });
    bench.run();
    bench.pass(2 * HOUR);
    bench.handle(Input::Tick);
    assert_eq!(
        (bench.stage(id).0.as_str(), bench.count(id, "expired")),
        ("needs_you", 0),
        "past its deadline, in doubt"
    );
    assert!(bench.holds_card_data(id));
    bench.deliver_late(false);
    assert_eq!(bench.stage(id).0, "approved");
    bench.judge();
}

#[test]
fn p9_bounded_a_clock_that_jumps_is_on_record() {
    let mut bench = Bench::ready(1);
    let jumps = |bench: &mut Bench| {
        let last = bench.engine().ledger.last_seq();
        bench.handle(Input::Tick);
        bench.engine().ledger.last_seq() - last
    };
    assert_eq!(jumps(&mut bench), 0);
    bench.now.wall_ms -= HOUR;
    assert_eq!(jumps(&mut bench), 1);
    assert_eq!(jumps(&mut bench), 0);
    bench.now.wall_ms += 30_000;
    assert_eq!(jumps(&mut bench), 0, "drift is no jump");
}
