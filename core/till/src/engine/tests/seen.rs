//! What the merchant sees without asking for anything: the state of the till, and lists under a wrong clock.

use serde_json::json;
use takings_domain::event::{EntriesReported, Entry, PayoutReported};
use takings_domain::{Currency, Direction, EntryType, Evidence, Money, PaymentId, PayoutId, PayoutStatus};

use super::super::Input;
use super::super::book::Book;
use super::bench::{Bench, DAY, EVENTS, HOUR, LIVE};
use super::line::Fault;
use super::stall::Sale;

/// A payment in a payout that the bank never makes good, on the Tuesday before that is called late.
fn on_the_last_day_of_grace() -> (Bench, PaymentId) {
    let mut bench = Bench::ready(1);
    bench.admin("POST", "/admin/bank", &json!({"action": "never"}));
    let id = bench.charge(&Sale::offline(10_000)).0;
    bench.drain();
    bench.live_on(3 * DAY + 10 * HOUR);
    bench.sync();
    (bench, id)
}

#[test]
fn the_status_says_how_much_of_the_offline_limits_is_used() {
    let mut bench = Bench::ready(1);
    let limits = json!({"limits": [{
        "currency": "CNY", "max_amount": 50_000, "max_count_open": 7, "max_total_open": 90_000,
    }]});
    bench.admin("POST", "/admin/policy", &limits);
    bench.sync();
    bench.line_is_down = true;
    for n in 0..3 {
        bench.charge(&Sale::nth(n));
    }
    bench.pass(HOUR);
    let status = bench.status();
    let [risk] = status.offline_risk.as_slice() else { panic!("{status:?}") };
    assert_eq!((risk.currency.as_str(), risk.count, risk.max_count), ("CNY", 3, 7));
    assert_eq!((risk.amount_minor, risk.max_amount_minor), (3_300, 90_000));
    assert!(risk.oldest_age_ms.is_some_and(|age_ms| (HOUR..HOUR + 60_000).contains(&age_ms)), "{risk:?}");
    assert_eq!((status.unsent_count, status.unsent[0].amount_minor), (3, 3_300));
    bench.good_line();
    bench.drain();
    let status = bench.status();
    assert_eq!((status.offline_risk[0].count, status.offline_risk[0].oldest_age_ms), (0, None));
    assert_eq!((status.unsent_count, status.oldest_unsent_age_ms), (0, None));
}

#[test]
fn the_status_says_what_went_wrong_until_it_is_made_good() {
    let mut bench = Bench::ready(1);
    assert_eq!(bench.status().trouble, None);
    bench.line_is_down = true;
    bench.charge(&Sale::offline(1_000));
    bench.sync();
    assert!(bench.status().trouble.is_some_and(|trouble| trouble.detail.contains("line")), "{:?}", bench.status());
    bench.good_line();
    bench.drain();
    assert_eq!(bench.status().trouble, None);
    // Nobody asked for anything: the disk refuses what time alone would write.
    bench.admin("POST", "/admin/bank", &json!({"action": "never"}));
    bench.live_on(3 * DAY + 10 * HOUR);
    bench.sync();
    bench.refuse_to_write("overdue_noticed");
    bench.pass(5 * DAY);
    bench.live_on(HOUR);
    assert_eq!(bench.told("payout_overdue"), 0);
    assert!(bench.status().trouble.is_some(), "{:?}", bench.status());
    bench.mend_the_disk();
    bench.live_on(DAY);
    bench.sync();
    assert_eq!(bench.told("payout_overdue"), 1);
    assert_eq!(bench.status().trouble, None);
}

#[test]
fn a_wrong_clock_makes_no_money_late_and_hides_none_that_is() {
    let (mut bench, id) = on_the_last_day_of_grace();
    bench.now.wall_ms += 30 * DAY;
    assert_eq!(bench.stage(id).0, "on_its_way", "Tuesday: one day of grace");
    assert!(bench.payouts().iter().all(|payout| !payout.overdue));
    bench.now.wall_ms -= 60 * DAY;
    bench.live_on(5 * DAY);
    assert_eq!(bench.stage(id).1, "unknown_overdue");
    assert!(bench.payouts().iter().all(|payout| payout.overdue));
    assert_eq!(bench.told("payout_overdue"), 1);
}

#[test]
fn a_screen_that_asks_all_the_time_keeps_nothing_from_being_told() {
    let watch = |bench: &mut Bench, ms: i64| {
        for _ in 0..ms / 30_000 {
            bench.doze(30_000);
            bench.status();
        }
    };
    let mut bench = on_the_last_day_of_grace().0;
    watch(&mut bench, 2 * DAY);
    assert_eq!(bench.told("payout_overdue"), 1);
    // Nor where the till has nothing to send for an hour.
    let mut bench = Bench::ready(1);
    bench.spoil(LIVE, 1, Fault::DropAnswer);
    bench.plant(json!({"on": "*", "kind": "status", "status": 429, "retry_after_s": 3_600}));
    bench.charge(&Sale::live(1_000));
    watch(&mut bench, HOUR / 12);
    assert_eq!(bench.told("payment_in_doubt"), 1);
}

#[test]
fn p7_told_once_a_phone_that_was_off_for_a_week_hears_the_news_before_it_calls_anything_late() {
    for bank_pays in [true, false] {
        let mut bench = Bench::ready(1);
        if !bank_pays {
            bench.admin("POST", "/admin/bank", &json!({"action": "never"}));
        }
        for n in 0..5 {
            bench.charge(&Sale::nth(n));
        }
        bench.drain();
        bench.kill();
        bench.pass(7 * DAY);
        bench.open().unwrap();
        bench.live_on(HOUR);
        assert_eq!(bench.told("payment_overdue"), 0, "bank pays: {bank_pays}");
        assert_eq!(bench.told("payout_overdue"), usize::from(!bank_pays), "bank pays: {bank_pays}");
        assert_eq!(bench.told("payout_arrived"), usize::from(bank_pays), "bank pays: {bank_pays}");
    }
}

#[test]
fn p7_told_once_without_a_line_nothing_is_called_late_and_with_one_it_is() {
    let (mut bench, id) = on_the_last_day_of_grace();
    bench.line_is_down = true;
    // The phone starts anew with a clock that is forty days ahead.
    bench.kill();
    bench.now.boot_id += 1;
    bench.now.wall_ms += 40 * DAY;
    bench.open().unwrap();
    bench.live_on(HOUR);
    assert_eq!(bench.told("payout_overdue"), 0);
    bench.now.wall_ms -= 40 * DAY;
    bench.good_line();
    bench.live_on(HOUR);
    bench.sync();
    assert_eq!((bench.told("payout_overdue"), bench.stage(id).0.as_str()), (0, "on_its_way"), "Tuesday");
    bench.live_on(2 * DAY);
    assert_eq!((bench.told("payout_overdue"), bench.stage(id).1.as_str()), (1, "unknown_overdue"));
}

#[test]
fn a_feed_that_stays_silent_for_a_day_does_not_hide_late_money() {
    let mut bench = on_the_last_day_of_grace().0;
    bench.spoil(EVENTS, 1_000_000, Fault::Unsigned(500, None));
    bench.live_on(DAY);
    assert_eq!(bench.told("payout_overdue"), 0);
    bench.live_on(2 * DAY);
    assert_eq!(bench.told("payout_overdue"), 1);
}

#[test]
fn nothing_is_tidied_up_while_a_card_is_at_the_reader() {
    let mut bench = Bench::ready(1);
    for n in 0..40 {
        bench.charge(&Sale::nth(n));
    }
    let log = bench.store().dir.join("ledger.db-wal");
    let length = || std::fs::metadata(&log).map_or(0, |found| found.len());
    let sale = Sale::offline(1_000);
    let id = bench.begin(&sale).unwrap();
    let before = length();
    bench.sync();
    assert!(length() >= before, "{before} then {}", length());
    bench.present(id, &sale);
    bench.live_on(1_000);
    assert!(length() < before, "{before} then {}: made up for", length());
}

/// A payout of one line more than its own commit and one chunk after it reach.
fn large_payout(bench: &mut Bench, paid: PaymentId) {
    let lines = 1_001;
    let payout_id = PayoutId::new("po_large").unwrap();
    let cny = |amount_minor| Money::new(amount_minor, Currency::CNY).unwrap();
    let day = "2026-11-21".parse().unwrap();
    let report = PayoutReported {
        payout_id: payout_id.clone(),
        report_version: 1,
        status: PayoutStatus::Sent,
        direction: Direction::Credit,
        gross: cny(lines),
        fee: cny(0),
        net: cny(lines),
        entry_count: u32::try_from(lines).unwrap(),
        business_date: day,
        expected_date: None,
        overdue_after_ms: None,
        arrived_at_ms: None,
        evidence: Evidence::None,
        end_to_end_id: None,
        bank_reference: None,
        reissue_of: None,
        failure_code: None,
    };
    let line = |number| Entry {
        entry_id: format!("en_{number}"),
        entry_type: EntryType::Payment,
        payment_id: Some(paid),
        captured_on: Some(day),
        gross_minor: 1,
        fee_minor: 0,
        net_minor: 1,
    };
    let page = EntriesReported { report_version: 1, page: 0, last: true, entries: (0..lines).map(line).collect() };
    let now = bench.now;
    let mut tx = bench.engine().ledger.begin().unwrap();
    tx.append_payout(now, &payout_id, report.into()).unwrap();
    tx.append_payout(now, &payout_id, page.into()).unwrap();
    tx.commit().unwrap();
}

#[test]
fn a_payouts_change_yields_to_a_card_at_the_reader_and_is_made_up_for() {
    let is_owed = |bench: &mut Bench| bench.engine().ledger.begin().unwrap().spread_is_owed().unwrap();
    let mut bench = Bench::ready(1);
    let paid = bench.charge(&Sale::offline(1_000)).0;
    bench.drain();
    let sale = Sale::offline(1_100);
    let id = bench.begin(&sale).unwrap();
    large_payout(&mut bench, paid);
    bench.handle(Input::Tick);
    assert!(is_owed(&mut bench), "one chunk, and the reader's values go first");
    assert!(bench.wake_at_ms.is_some_and(|at_ms| at_ms <= bench.now.wall_ms + 1_000), "{:?}", bench.wake_at_ms);
    bench.present(id, &sale);
    bench.live_on(1_000);
    assert!(!is_owed(&mut bench));
    assert_eq!(bench.stage(paid).0, "on_its_way");
}

/// What the till asks when it follows news, and may not get.
const READS: [&str; 4] = ["GET /v1/payments", "GET /v1/payments/*", "GET /v1/payouts/*", "GET /v1/payouts/*/entries"];

#[test]
fn p7_told_once_news_that_is_half_heard_calls_nothing_late() {
    for fault in [Fault::DropAnswer, Fault::FlipSignature, Fault::Unsigned(500, None), Fault::Portal] {
        // Off before the payout was heard of, and after it was sent.
        for days_before in [0, 2] {
            let mut bench = Bench::ready(1);
            for n in 0..5 {
                bench.charge(&Sale::nth(n));
            }
            bench.drain();
            bench.admin("POST", "/admin/bank", &json!({"action": "late", "days": 1}));
            bench.days_later(days_before);
            bench.kill();
            bench.pass(7 * DAY);
            bench.open().unwrap();
            for read in READS {
                bench.spoil(read, 4, fault.clone());
            }
            // Opened: the first tick comes at once, the others by its own timer.
            bench.live_on(1);
            bench.live_on(2 * HOUR);
            assert!(bench.payments().iter().all(|line| line.stage == "arrived"), "{fault:?}, {days_before} days");
            let late: Vec<_> = bench.alerts().into_iter().filter(|told| told.alert_kind.ends_with("overdue")).collect();
            assert!(late.is_empty(), "{fault:?}, {days_before} days: {late:?}");
        }
    }
}
