//! The facade as a shell uses it: over sockets, with threads, futures that are dropped, and an app that simply ends.

#![expect(clippy::unwrap_used, reason = "a helper that fails has found something, or is wrong")]

mod server;
mod stall;
mod vendor;

use serde_json::json;
use takings_domain::event::ChargeMode;
use takings_till::views::{PaymentQuery, PayoutQuery, ReceiptCopy};
use takings_till::{ChargeOutcome, TillError};

use stall::{Stall, present, request};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_first_opening_to_the_money_in_the_bank() {
    let stall = Stall::new();
    let till = stall.open().await.unwrap();
    assert!(till.status().await.unwrap().activation.is_none());
    assert!(matches!(till.sync(60_000).await, Err(TillError::SignIn { .. })));
    let activated = till.activate(&stall.activation_code()).await.unwrap();
    assert_eq!(activated.merchant_id, "M000001");
    assert_eq!(till.sign_on().await.unwrap().policy_version.as_deref(), Some("1"));

    // Blocking calls, made in the middle of somebody else's runtime.
    let saved = till.charge(request(1_000, ChargeMode::Offline)).unwrap();
    assert_eq!(present(&saved), Some(ChargeOutcome::Saved));
    let live = till.charge(request(2_000, ChargeMode::PreferOnline)).unwrap();
    present(&live);
    assert_eq!(live.outcome().await.unwrap(), ChargeOutcome::Approved { approved_minor: 2_000 });

    let first = till.receipt(saved.payment_id(), ReceiptCopy::Customer).await.unwrap();
    assert!(first.offline && !first.reprint);
    assert!(till.receipt(saved.payment_id(), ReceiptCopy::Customer).await.unwrap().reprint);
    let report = till.sync(60_000).await.unwrap();
    assert_eq!((report.ended.as_str(), report.approved, report.waiting), ("done", 1, 0));

    stall.clock.pass(3 * DAY);
    till.sync(60_000).await.unwrap();
    let payouts = till.payouts(PayoutQuery::default()).await.unwrap().payouts;
    assert_eq!((payouts.len(), payouts[0].status.as_str(), payouts[0].gross_minor), (1, "arrived", 3_000));
    assert_eq!(till.payout(&payouts[0].payout_id).await.unwrap().entries.len(), 2);
    let payments = till.payments(PaymentQuery::default()).await.unwrap().payments;
    assert!(payments.iter().all(|payment| payment.stage == "arrived"), "{payments:?}");
    let takings = till.takings("2026-11-21".parse().unwrap(), "2026-11-21".parse().unwrap()).await.unwrap();
    assert_eq!(takings.iter().map(|line| line.amount_minor).sum::<i64>(), 3_000);
    let alerts = till.next_alerts(10).await.unwrap();
    till.acknowledge(alerts.last().unwrap().alert).await.unwrap();
    assert!(till.next_alerts(10).await.unwrap().is_empty());
    assert!(till.verify().await.unwrap().sound);
    till.shutdown().await.unwrap();
    assert!(matches!(till.status().await, Err(TillError::Internal { code: "stopped", .. })));
    till.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_opened_says_why_and_leaves_nothing_running() {
    let stall = Stall::new();
    for url in ["http://example.com", "ftp://127.0.0.1", "nonsense", "http://127.0.0.1:1/"] {
        let mut config = stall.config();
        config.acquirer_url = url.to_owned();
        let refused = takings_till::Till::open(config, stall.ports()).await.err().unwrap();
        assert_eq!(refused.code(), "acquirer_url", "{url}");
    }
    let mut config = stall.config();
    std::fs::write(stall.dir.path().join("file"), b"x").unwrap();
    config.dir = stall.dir.path().join("file");
    assert!(matches!(takings_till::Till::open(config, stall.ports()).await, Err(TillError::Storage { .. })));
    let till = stall.open().await.unwrap();
    assert!(matches!(stall.open().await, Err(TillError::Storage { code: "in_use", .. })));
    drop(till);
    stall.open().await.unwrap();
}

#[tokio::test]
async fn a_till_dropped_without_a_word_is_opened_again_at_once_and_keeps_what_it_said() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let charge = till.charge(request(1_000, ChargeMode::Offline)).unwrap();
    assert_eq!(present(&charge), Some(ChargeOutcome::Saved));
    let id = charge.payment_id().to_owned();
    // A send is under way while the app goes.
    stall.server.shut("/v1/payments");
    let live = till.charge(request(2_000, ChargeMode::PreferOnline)).unwrap();
    present(&live);
    stall.server.until_somebody_waits();
    let live_id = live.payment_id().to_owned();
    drop((charge, live, till));
    let till = stall.open().await.unwrap();
    assert_eq!(till.payment(&id).await.unwrap().payment.stage, "saved_on_phone");
    let doubtful = till.payment(&live_id).await.unwrap().payment;
    assert_eq!((doubtful.stage.as_str(), doubtful.delivery.as_deref()), ("being_confirmed", Some("in_doubt")));
    stall.server.open();
    till.sync(60_000).await.unwrap();
    assert_eq!(till.payment(&live_id).await.unwrap().payment.stage, "approved");
    let book = stall.server.admin("GET", "/admin/ledger", &json!({}));
    assert_eq!(book["totals"]["authorizations"], json!(2));
}

// The sync has a thread of its own: this one waits for its request without letting others run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_future_changes_nothing_for_anybody_else() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let charge = till.charge(request(1_000, ChargeMode::Offline)).unwrap();
    present(&charge);
    stall.server.shut("/v1/payments/batch");
    let other = till.clone();
    let mut task = tokio::task::JoinSet::new();
    task.spawn(async move { other.sync(60_000).await });
    while till.status().await.unwrap().line != "up" {
        tokio::task::yield_now().await;
    }
    stall.server.until_somebody_waits();
    assert!(matches!(till.sync(60_000).await, Err(TillError::RetryLater { code: "busy", .. })));
    task.abort_all();
    // A sale goes through beside it.
    let live = till.charge(request(2_000, ChargeMode::PreferOnline)).unwrap();
    present(&live);
    assert_eq!(live.outcome().await.unwrap(), ChargeOutcome::Approved { approved_minor: 2_000 });
    stall.server.open();
    let approved = || async { till.payment(charge.payment_id()).await.unwrap().payment.stage == "approved" };
    while !approved().await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_at_once() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let mut callers = tokio::task::JoinSet::new();
    for n in 0..12_i64 {
        let till = till.clone();
        callers.spawn(async move {
            if n % 3 == 0 {
                let charge = till.charge(request(1_000 + 100 * n, ChargeMode::Offline)).unwrap();
                present(&charge);
                assert_eq!(charge.outcome().await.unwrap(), ChargeOutcome::Saved);
            } else if n % 3 == 1 {
                let charge = till.charge(request(5_000 + 100 * n, ChargeMode::PreferOnline)).unwrap();
                present(&charge);
                assert!(matches!(charge.outcome().await.unwrap(), ChargeOutcome::Approved { .. }));
            } else {
                drop(till.sync(60_000).await);
                till.payments(PaymentQuery::default()).await.unwrap();
                till.status().await.unwrap();
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    till.sync(60_000).await.unwrap();
    let payments = till.payments(PaymentQuery::default()).await.unwrap().payments;
    assert_eq!((payments.len(), payments.iter().filter(|payment| payment.stage == "approved").count()), (8, 8));
    assert!(till.verify().await.unwrap().sound);
}

#[tokio::test]
async fn a_charge_that_is_dropped_before_the_card_is_given_up() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let charge = till.charge(request(1_000, ChargeMode::Offline)).unwrap();
    let id = charge.payment_id().to_owned();
    drop(charge);
    till.status().await.unwrap();
    let payment = till.payment(&id).await.unwrap().payment;
    assert_eq!((payment.stage.as_str(), payment.cause.as_deref()), ("not_charged", Some("abandoned")));
}

#[tokio::test]
async fn in_the_background_and_back() {
    let stall = Stall::new();
    let till = stall.ready().await;
    till.going_to_background().await.unwrap();
    assert!(till.payments(PaymentQuery::default()).await.unwrap().payments.is_empty());
    let charge = till.charge(request(1_000, ChargeMode::Offline)).unwrap();
    assert_eq!(present(&charge), Some(ChargeOutcome::Saved));
    till.going_to_background().await.unwrap();
    till.sync(60_000).await.unwrap();
    assert_eq!(till.payment(charge.payment_id()).await.unwrap().payment.stage, "approved");
}

#[tokio::test]
async fn a_till_with_its_own_timer_sends_what_waits_by_itself() {
    let mut stall = Stall::new();
    stall.own_timer = true;
    let till = stall.ready().await;
    let charge = till.charge(request(1_000, ChargeMode::Offline)).unwrap();
    assert_eq!(present(&charge), Some(ChargeOutcome::Saved));
    while till.payment(charge.payment_id()).await.unwrap().payment.stage != "approved" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn p9_bounded_a_reader_that_comes_and_goes_ends_the_charge_and_not_the_ledgers_room() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let charge = till.charge(request(1_000, ChargeMode::Offline)).unwrap();
    let mut saved = None;
    let mut generation = 0;
    while saved.is_none() {
        generation += 1;
        assert!(generation <= 20, "it goes on for ever");
        charge.link_up(244, generation).unwrap();
        saved = charge.link_down(generation).unwrap().saved;
    }
    assert_eq!(generation, 20);
    let detail = Some("link_lost".to_owned());
    assert_eq!(saved, Some(ChargeOutcome::NotCharged { cause: "interrupted".to_owned(), detail }));
    let payment = till.payment(charge.payment_id()).await.unwrap();
    assert_eq!(
        (payment.payment.stage.as_str(), payment.payment.cause.as_deref()),
        ("not_charged", Some("interrupted"))
    );
}
