//! P10 drains: given a line for long enough everything ends answered, or parked with cause and next step; nobody starves.

use serde_json::json;

use super::bench::{BATCH, Bench, DAY, EVENTS, HOUR, INQUIRE, LIVE, MINUTE, REVERSE, SECOND, SIGN_ON};
use super::line::Fault;
use super::stall::Sale;
use crate::charge::ChargeOutcome;
use crate::engine::{Command, Reply};

/// A small stream of numbers from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn any_fault(dice: &mut Dice) -> Fault {
    match dice.roll(10) {
        0 => Fault::Refused,
        1 => Fault::DropRequest,
        2 | 3 => Fault::DropAnswer,
        4 => Fault::HalfAnswer,
        5 => Fault::FlipByte,
        6 => Fault::Portal,
        7 => Fault::Unsigned(503, Some(7)),
        8 => Fault::TwiceAnswered,
        _ => Fault::FlipSignature,
    }
}

fn any_sale(dice: &mut Dice, n: i64) -> Sale {
    let mut sale = Sale::nth(n);
    if dice.roll(3) == 0 {
        sale = Sale { mode: takings_domain::event::ChargeMode::PreferOnline, ..sale };
    }
    match dice.roll(12) {
        0 => sale.last_four("0099"),
        1 => sale.last_four("0068"),
        2 => sale.last_four("0069"),
        3 => sale.last_four("0051"),
        4 => sale.last_four("0010"),
        _ => sale,
    }
}

#[test]
fn p10_drains_random_faults_for_a_while_then_a_good_line_and_everything_ends() {
    for seed in 1..=12 {
        let mut bench = Bench::ready(seed);
        let mut dice = Dice(seed);
        for n in 0..25 {
            for path in [BATCH, LIVE, EVENTS, INQUIRE, REVERSE, SIGN_ON, "*"] {
                if dice.roll(3) == 0 {
                    let fault = any_fault(&mut dice);
                    bench.spoil(path, 1, fault);
                }
            }
            match dice.roll(8) {
                0 => {
                    bench.plant(json!({"on": BATCH, "kind": "status", "status": 503, "retry_after_s": 30, "count": 1}))
                }
                1 => bench.plant(json!({"on": "*", "kind": "status", "status": 504, "processed": true, "count": 1})),
                2 => bench.plant(json!({"on": BATCH, "kind": "refuse", "problem": "keys-rotated", "count": 1})),
                _ => {}
            }
            let sale = any_sale(&mut dice, n);
            if let Ok(id) = bench.begin(&sale) {
                bench.present(id, &sale);
                bench.run();
            }
            match dice.roll(4) {
                0 => drop(bench.sync()),
                1 => drop(bench.live_on(i64::try_from(dice.roll(120)).unwrap() * SECOND)),
                2 => bench.kill_and_reopen(),
                _ => {}
            }
        }
        bench.good_line();
        bench.live_on(3 * HOUR);
        bench.drain();
        bench.days_later(4);
        for line in bench.payments() {
            let named = line.cause.is_some() && line.next_step.is_some() && line.acts.is_some();
            assert!(
                line.stage == "arrived" || (["needs_you", "not_charged"].contains(&line.stage.as_str()) && named),
                "seed {seed}: {line:?}"
            );
        }
        assert_eq!(bench.waiting(), 0);
        bench.judge();
        bench.assert_verified();
    }
}

#[test]
fn p10_drains_a_till_without_a_line_rests_longer_and_longer_and_goes_on_when_it_is_back() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::offline(1_000)).0;
    bench.line_is_down = true;
    bench.sent.clear();
    let woken = bench.live_on(DAY);
    assert!((60..400).contains(&woken), "woken {woken} times in a day");
    assert!(bench.sent.len() <= woken + 1, "{} requests", bench.sent.len());
    assert_eq!(bench.view(id).delivery.as_deref(), Some("queued"), "nothing left: it can still be cancelled");
    bench.good_line();
    bench.live_on(16 * MINUTE);
    assert_eq!(bench.view(id).authorization.as_deref(), Some("approved"));
}

#[test]
fn p10_drains_a_sale_that_finds_a_line_ends_the_rest() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::offline(1_000)).0;
    bench.line_is_down = true;
    bench.live_on(5 * HOUR);
    bench.line_is_down = false;
    assert_eq!(bench.charge(&Sale::live(2_000)).1, ChargeOutcome::Approved { approved_minor: 2_000 });
    bench.live_on(SECOND);
    assert_eq!(bench.view(id).authorization.as_deref(), Some("approved"), "the queue follows at once");
}

#[test]
fn p10_drains_a_blocked_terminal_is_not_hammered_and_its_queue_is_kept() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::offline(1_000)).0;
    bench.admin("POST", "/admin/terminals/T0000001", &json!({"status": "blocked"}));
    bench.sent.clear();
    bench.live_on(6 * HOUR);
    assert!(bench.sent.len() < 200, "{} requests", bench.sent.len());
    assert_eq!(bench.stage(id).0, "saved_on_phone");
    bench.admin("POST", "/admin/terminals/T0000001", &json!({"status": "active"}));
    bench.drain();
    assert_eq!(bench.authorizations(id), 1);
}

#[test]
fn p10_drains_a_feed_that_fails_does_not_stop_the_queue() {
    for status in [500, 504] {
        let mut bench = Bench::ready(1);
        let id = bench.charge(&Sale::offline(1_000)).0;
        bench.plant(json!({"on": EVENTS, "kind": "status", "status": status}));
        bench.sync();
        assert_eq!(bench.view(id).authorization.as_deref(), Some("approved"), "{:?}", bench.sent);
    }
}

#[test]
fn p10_drains_a_poisoned_item_does_not_hold_up_the_others() {
    let mut bench = Bench::ready(1);
    let before: Vec<_> = (0..30).map(|n| bench.charge(&Sale::nth(n)).0).collect();
    // A card whose last digits nobody saw cannot be said in the contract's words.
    let poison = bench.accept_a_card_without_digits();
    let after: Vec<_> = (30..60).map(|n| bench.charge(&Sale::nth(n)).0).collect();
    bench.live_on(10 * MINUTE);
    for id in before.iter().chain(&after) {
        assert_eq!(bench.view(*id).authorization.as_deref(), Some("approved"));
    }
    let view = bench.view(poison);
    assert_eq!((view.stage.as_str(), view.cause.as_deref()), ("needs_you", Some("refused_by_acquirer")));
    assert_eq!(bench.alerts().iter().filter(|alert| alert.alert_kind == "payment_parked").count(), 1);
    assert_eq!(bench.waiting(), 0);
    bench.assert_verified();
}

#[test]
fn p10_drains_a_live_sale_waits_for_no_drain_and_the_next_for_no_longer_than_the_one_before() {
    let mut bench = Bench::ready(1);
    for n in 0..120 {
        bench.charge(&Sale::nth(n));
    }
    bench.spoil(BATCH, 1, Fault::Late);
    let ticket = bench.start(Command::Sync { budget_ms: 120_000 });
    bench.run();
    assert_eq!(bench.charge(&Sale::live(9_900)).1, ChargeOutcome::Approved { approved_minor: 9_900 });
    // Two tills' worth of customers at once: the second waits for the first's answer, and for nothing else.
    bench.spoil(LIVE, 1, Fault::Late);
    let (first, second) = (Sale::live(8_800), Sale::live(7_700));
    let (a, b) = (bench.begin(&first).unwrap(), bench.begin(&second).unwrap());
    bench.present(a, &first);
    bench.present(b, &second);
    bench.run();
    assert_eq!((bench.outcome(a), bench.outcome(b)), (None, None));
    assert!(bench.holds_card_data(b), "its card is on disk meanwhile");
    bench.deliver_late(true);
    assert_eq!(bench.outcome(a), Some(ChargeOutcome::Approved { approved_minor: 8_800 }));
    assert_eq!(bench.outcome(b), Some(ChargeOutcome::Approved { approved_minor: 7_700 }));
    assert!(bench.reply(ticket).is_some());
}

#[test]
fn p10_drains_who_asks_to_wait_is_waited_for_also_by_an_impatient_merchant() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::offline(1_000)).0;
    bench.plant(json!({"on": BATCH, "kind": "status", "status": 429, "retry_after_s": 600, "count": 1}));
    bench.sync();
    bench.sent.clear();
    for _ in 0..9 {
        bench.pass(MINUTE);
        let report = bench.sync();
        assert_eq!(report.ended, "waiting");
        assert!(report.next_due_ms.unwrap() > bench.now.wall_ms);
    }
    // A customer is not kept waiting either: the offline policy decides.
    assert_eq!(bench.charge(&Sale::live(1_100)).1, ChargeOutcome::Saved);
    // A clock that is set changes nothing about it.
    bench.now.wall_ms -= HOUR;
    bench.sync();
    assert_eq!(bench.sent, Vec::<String>::new());
    bench.now.wall_ms += HOUR;
    bench.pass(2 * MINUTE);
    bench.drain();
    assert_eq!(bench.authorizations(id), 1);
    // Who cannot sign may delay, but not for a day.
    bench.spoil(EVENTS, 1, Fault::Unsigned(503, Some(86_400)));
    let id = bench.charge(&Sale::offline(1_200)).0;
    bench.sync();
    bench.pass(16 * MINUTE);
    bench.sync();
    assert_eq!(bench.authorizations(id), 1);
}

#[test]
fn a_line_that_swallows_three_requests_is_left_alone_for_a_while() {
    let mut bench = Bench::ready(1);
    bench.spoil(LIVE, 1_000, Fault::DropRequest);
    for n in 0..5 {
        assert_eq!(bench.charge(&Sale::live(1_000 + n)).1, ChargeOutcome::NotConfirmed);
    }
    bench.sent.clear();
    let report = bench.sync();
    assert_eq!(bench.sent.iter().filter(|name| *name == LIVE).count(), 3, "{:?}", bench.sent);
    assert_eq!((report.ended.as_str(), report.waiting), ("waiting", 5));
    bench.good_line();
    bench.drain();
    bench.judge();
}

#[test]
fn p10_drains_of_two_pauses_asked_for_at_once_the_longer_one_counts() {
    let mut bench = Bench::ready(1);
    bench.spoil(LIVE, 1, Fault::DropRequest);
    bench.charge(&Sale::live(1_000));
    bench.charge(&Sale::offline(1_100));
    for (on, retry_after_s) in [(LIVE, 600), (BATCH, 1)] {
        bench.plant(json!({"on": on, "kind": "status", "status": 429, "retry_after_s": retry_after_s, "count": 1}));
    }
    bench.sync();
    assert_eq!(bench.sent[bench.sent.len() - 2..], [LIVE, BATCH]);
    bench.sent.clear();
    for _ in 0..9 {
        bench.pass(MINUTE);
        bench.sync();
    }
    assert_eq!(bench.sent, Vec::<String>::new());
    bench.pass(MINUTE);
    bench.drain();
    bench.judge();
}

#[test]
fn p10_drains_no_send_starts_with_less_than_twelve_seconds_and_time_outs_fit_the_budget() {
    let mut bench = Bench::ready(1);
    for n in 0..120 {
        bench.charge(&Sale::nth(n));
    }
    let ticket = bench.start(Command::Sync { budget_ms: 30_000 });
    let mut batches = 0;
    while let Some(sent) = bench.outbox.pop_front() {
        batches += usize::from(sent.name == BATCH);
        assert!((12_000..=30_000).contains(&sent.timeout_ms), "{} {}", sent.name, sent.timeout_ms);
        bench.pass(9_500);
        bench.carry(sent);
    }
    let Some(Ok(Reply::Synced(report))) = bench.reply(ticket) else { panic!() };
    assert_eq!((report.ended.as_str(), report.approved, report.waiting, batches), ("budget", 50, 70, 1));
    // A customer's time-out is not the sync's.
    bench.start(Command::Sync { budget_ms: 13_000 });
    let sale = Sale::live(9_900);
    let id = bench.begin(&sale).unwrap();
    bench.present(id, &sale);
    let live = bench.outbox.iter().find(|sent| sent.name == LIVE).unwrap();
    assert_eq!(live.timeout_ms, 35_000);
    bench.run();
}

#[test]
fn p10_drains_a_first_sale_of_the_morning_opens_its_own_session() {
    let mut bench = Bench::ready(1);
    bench.pass(26 * HOUR);
    let (id, outcome) = bench.charge(&Sale::live(1_000));
    let kinds = bench.kinds(id);
    assert_eq!(outcome, ChargeOutcome::Approved { approved_minor: 1_000 }, "{:?} {kinds:?}", bench.sent);
    assert_eq!(bench.sent.iter().filter(|name| *name != EVENTS).collect::<Vec<_>>(), [SIGN_ON, LIVE]);
    assert_eq!(bench.view(id).batch_number, "000002");
    // The cut-off passes within one session: another batch, another session.
    bench.pass(4 * HOUR);
    assert_eq!(bench.charge(&Sale::live(1_050)).1, ChargeOutcome::Approved { approved_minor: 1_050 });
    bench.pass(8 * HOUR);
    assert_eq!(bench.charge(&Sale::live(1_060)).1, ChargeOutcome::Approved { approved_minor: 1_060 });
    // Without a line the policy decides, at once.
    bench.pass(26 * HOUR);
    bench.line_is_down = true;
    assert_eq!(bench.charge(&Sale::live(1_100)).1, ChargeOutcome::Saved);
}

#[test]
fn p10_drains_a_clock_off_by_an_hour_is_corrected_and_nothing_is_lost() {
    for off_ms in [-HOUR, HOUR] {
        let mut bench = Bench::ready(1);
        bench.kill();
        // A reboot with a wrong clock: what the till believes is the wall clock now.
        let wall_ms = bench.now.wall_ms + off_ms;
        bench.now = takings_domain::Now { wall_ms, monotonic_ms: 9, boot_id: 2 };
        bench.open().unwrap();
        let (id, outcome) = bench.charge(&Sale::live(1_000));
        assert_eq!(outcome, ChargeOutcome::Approved { approved_minor: 1_000 }, "{:?}", bench.sent);
        bench.pass(MINUTE);
        bench.drain();
        assert_eq!(bench.authorizations(id), 1);
        bench.judge();
    }
}

#[test]
fn p10_drains_with_a_clock_that_somebody_set_and_keys_that_changed_meanwhile() {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::offline(1_000)).0;
    bench.admin("POST", "/admin/keys/rotate", &json!({"drop_old": true}));
    bench.now.wall_ms += 30 * DAY;
    (bench.now.boot_id, bench.now.monotonic_ms) = (bench.now.boot_id + 1, 1_000);
    bench.kill_and_reopen();
    // The refusal that names the time is signed by a key that is new to the till: the list of keys is read first.
    bench.drain();
    assert_eq!(bench.view(id).delivery.as_deref(), Some("delivered"));
    bench.judge();
}
