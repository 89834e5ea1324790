//! The till as the shells see it, from Rust: a day in the demo world, its repetition, and every kind of refusal.

#![expect(clippy::unwrap_used, reason = "a helper that fails has found something, or is wrong")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use takings_ffi::demo::{CardEntry, CardPlay, DemoCard, DemoReader, DemoWorld};
use takings_ffi::records::{
    ChargeMode, ChargeOutcome, ChargeRequest, Language, PaymentQuery, PayoutQuery, ReceiptCopy, TillConfig,
};
use takings_ffi::{DeviceKey, KeyVault, TakingsError, Till, WordKind, at_stake, text_of};
use tempfile::TempDir;

/// Saturday 2026-11-21, 10:00 in Shanghai.
const SATURDAY_MS: i64 = 1_795_226_400_000;
const DAY_MS: u64 = 86_400_000;

fn now<F: Future>(call: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(call)
}

fn path(dir: &TempDir) -> String {
    dir.path().to_str().unwrap().to_owned()
}

fn request(amount_minor: i64, order: &str) -> ChargeRequest {
    ChargeRequest {
        amount_minor,
        currency: "CNY".into(),
        order_reference: Some(order.into()),
        mode: ChargeMode::PreferOnline,
        charge_again: false,
        operator: Some("li.na".into()),
    }
}

fn play() -> CardPlay {
    CardPlay {
        card: Some(DemoCard::usual(CardEntry::Chip)),
        next_cards: Vec::new(),
        choose: 0,
        lose_link_at: None,
        reconnect: false,
        cancel_at: None,
        stop_at: None,
    }
}

async fn sell(till: &Till, reader: &DemoReader, amount_minor: i64, order: &str) -> ChargeOutcome {
    let charge = till.charge(request(amount_minor, order)).await.unwrap();
    reader.take_card(charge, play()).unwrap().outcome.unwrap()
}

async fn ready(world: &DemoWorld, dir: &TempDir) -> Arc<Till> {
    let till = world.open_till(path(dir), Language::En).await.unwrap();
    till.activate(world.activation_code().unwrap()).await.unwrap();
    till
}

/// A morning offline, the line back, days until the money is there. Answers the chain and what was told.
fn a_day(seed: u64) -> (String, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let world = DemoWorld::new(seed, SATURDAY_MS).unwrap();
    now(async {
        let till = ready(&world, &dir).await;
        let reader = world.new_reader().unwrap();
        world.set_line("down".into()).unwrap();
        assert_eq!(sell(&till, &reader, 1_250, "A-1").await, ChargeOutcome::Saved);
        assert_eq!(at_stake(path(&dir)).unwrap().unwrap().unsent[0].amount_minor, 1_250);
        world.set_line("up".into()).unwrap();
        assert_eq!(till.sync(120_000).await.unwrap().approved, 1);
        assert_eq!(sell(&till, &reader, 500, "A-2").await, ChargeOutcome::Approved { approved_minor: 500 });
        for _ in 0..8 {
            world.advance(DAY_MS).unwrap();
            till.tick().await.unwrap();
            till.sync(120_000).await.unwrap();
        }
        let page = till.payments(PaymentQuery::default()).await.unwrap();
        assert!(page.payments.iter().all(|payment| payment.stage == "arrived"), "{page:?}");
        let payouts = till.payouts(PayoutQuery { status: None, after: None, limit: None }).await.unwrap().payouts;
        assert_eq!(payouts[0].difference_minor, Some(0));
        let entries = till.payout(payouts[0].payout_id.clone()).await.unwrap().entries;
        assert_eq!(entries.iter().map(|entry| entry.net_minor).sum::<i64>(), payouts[0].net_minor);
        let book = world.admin("GET".into(), "/admin/ledger".into(), String::new()).unwrap();
        assert!(book.contains("\"captures\""), "{book}");
        let sums = till.takings("2026-11-21".into(), "2026-11-21".into()).await.unwrap();
        assert_eq!(sums.iter().map(|sum| sum.amount_minor).sum::<i64>(), 1_750);
        let receipt = till.receipt(page.payments[0].payment_id.clone(), ReceiptCopy::Customer).await.unwrap();
        assert!(!receipt.reprint && receipt.lines.iter().any(|line| line.contains("5.00")), "{receipt:?}");
        let alerts = till.next_alerts(50).await.unwrap();
        till.acknowledge(alerts.last().unwrap().alert).await.unwrap();
        assert!(till.next_alerts(50).await.unwrap().is_empty());
        assert!(till.verify().await.unwrap().sound);
        till.shutdown().await.unwrap();
        let told = alerts.into_iter().map(|alert| alert.alert_kind).collect();
        (world.chain_hash(path(&dir)).unwrap(), told)
    })
}

#[test]
fn a_day_in_the_demo_world_ends_with_the_money_in_the_bank_and_repeats() {
    let (chain, told) = a_day(7);
    assert_eq!(told, ["payout_sent", "payout_arrived"]);
    assert_eq!(a_day(7).0, chain);
    assert_ne!(a_day(8).0, chain);
}

#[test]
fn what_a_killed_app_leaves_is_settled_at_the_next_opening() {
    for (moment, stage) in [
        ("started", "not_charged"),
        ("before_card", "not_charged"),
        ("card_data", "not_charged"),
        ("saved", "approved"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let world = DemoWorld::new(3, SATURDAY_MS).unwrap();
        now(async {
            let till = ready(&world, &dir).await;
            let reader = world.new_reader().unwrap();
            let charge = till.charge(request(900, "B-1")).await.unwrap();
            let taken =
                reader.take_card(Arc::clone(&charge), CardPlay { stop_at: Some(moment.into()), ..play() }).unwrap();
            assert!(taken.stopped);
            till.shutdown().await.unwrap();
            let till = world.open_till(path(&dir), Language::Zh).await.unwrap();
            till.sync(120_000).await.unwrap();
            assert_eq!(till.payments(PaymentQuery::default()).await.unwrap().payments[0].stage, stage, "{moment}");
            assert!(matches!(charge.tick(), Err(TakingsError::Internal { .. })), "a charge of a till that ended");
            assert!(till.verify().await.unwrap().sound);
        });
    }
}

#[test]
fn a_wrong_clock_and_a_restart_are_the_phones_alone() {
    let dir = tempfile::tempdir().unwrap();
    let world = DemoWorld::new(4, SATURDAY_MS).unwrap();
    now(async {
        let till = ready(&world, &dir).await;
        world.set_phone_clock(86_400_000).unwrap();
        assert_eq!(world.now_ms().unwrap(), SATURDAY_MS + 86_400_000);
        till.tick().await.unwrap();
        assert_eq!(till.status().await.unwrap().trusted_ms, Some(SATURDAY_MS));
        till.shutdown().await.unwrap();
        world.restart_phone().unwrap();
        let till = world.open_till(path(&dir), Language::En).await.unwrap();
        assert_eq!(till.status().await.unwrap().trusted_ms, Some(SATURDAY_MS + 86_400_000));
        // Never before the sign-on, whatever the wall clock says.
        world.set_phone_clock(-2 * 86_400_000).unwrap();
        assert_eq!(till.status().await.unwrap().trusted_ms, Some(SATURDAY_MS));
    });
}

#[test]
fn every_refusal_says_what_to_do_next() {
    let dir = tempfile::tempdir().unwrap();
    let world = DemoWorld::new(5, SATURDAY_MS).unwrap();
    now(async {
        let till = world.open_till(path(&dir), Language::En).await.unwrap();
        let code = |error: TakingsError| match error {
            TakingsError::RetryLater { code, detail: _ } => format!("retry later: {code}"),
            TakingsError::FixInput { code, detail: _ } => format!("fix input: {code}"),
            TakingsError::SignIn { code, detail: _ } => format!("sign in: {code}"),
            TakingsError::AskMerchant { code, detail: _ } => format!("ask merchant: {code}"),
            TakingsError::Storage { code, detail: _ } => format!("storage: {code}"),
            TakingsError::UpgradeApp { code, detail: _ } => format!("upgrade: {code}"),
            TakingsError::NotFound { code, detail: _ } => format!("not found: {code}"),
            TakingsError::Internal { code, detail: _ } => format!("internal: {code}"),
        };
        let said = [
            code(till.sign_on().await.err().unwrap()),
            code(till.charge(request(1, "C")).await.err().unwrap()),
            code(till.activate("no code".into()).await.err().unwrap()),
            code(till.takings("2026-11-21".into(), "21.11.2026".into()).await.err().unwrap()),
            code(till.payment("11111111-1111-7111-8111-111111111111".into()).await.err().unwrap()),
            code(world.open_till(path(&dir), Language::En).await.err().unwrap()),
            code(world.admin("POST".into(), "/admin/bank".into(), "{}".into()).err().unwrap()),
            code(world.set_line("sideways".into()).err().unwrap()),
            code(text_of(WordKind::Stage, "lost".into(), Language::En).err().unwrap()),
        ];
        assert_eq!(
            said.map(|said| said.split(": ").next().unwrap().to_owned()),
            [
                "sign in",
                "sign in",
                "fix input",
                "fix input",
                "not found",
                "storage",
                "fix input",
                "fix input",
                "not found"
            ]
        );
    });
    assert_eq!(text_of(WordKind::Stage, "on_its_way".into(), Language::En).unwrap(), "on its way");
}

/// An app with a vault that may forget.
#[derive(Default)]
struct App {
    kept: std::sync::Mutex<Option<Vec<u8>>>,
    forgets: AtomicBool,
}

impl KeyVault for App {
    fn load(&self) -> Result<Option<Vec<u8>>, TakingsError> {
        Ok(self.kept.lock().unwrap().clone().filter(|_| !self.forgets.load(Ordering::Relaxed)))
    }

    fn store(&self, key: Vec<u8>) -> Result<(), TakingsError> {
        *self.kept.lock().unwrap() = Some(key);
        Ok(())
    }
}

impl DeviceKey for App {
    fn algorithm(&self) -> Result<String, TakingsError> {
        Ok("ed25519".into())
    }

    fn public_key(&self) -> Result<Vec<u8>, TakingsError> {
        Ok(vec![7; 32])
    }

    fn sign(&self, _: Vec<u8>) -> Result<Vec<u8>, TakingsError> {
        Err(TakingsError::Internal { code: "locked".into(), detail: "not now".into() })
    }
}

fn config(dir: &TempDir) -> TillConfig {
    TillConfig {
        dir: path(dir),
        acquirer_url: "http://127.0.0.1:9".into(),
        app_version: "1".into(),
        language: Language::Zh,
        connect_timeout_ms: 1_000,
        request_timeout_ms: 1_000,
        boot: None,
    }
}

#[test]
fn a_lost_ledger_key_is_said_and_what_is_unsent_still_known() {
    let dir = tempfile::tempdir().unwrap();
    let app = Arc::new(App::default());
    let open = || {
        let key = Arc::clone(&app) as Arc<dyn DeviceKey>;
        now(Till::open(config(&dir), key, Arc::clone(&app) as Arc<dyn KeyVault>, None))
    };
    now(open().unwrap().shutdown()).unwrap();
    now(open().unwrap().shutdown()).unwrap();
    app.forgets.store(true, Ordering::Relaxed);
    let lost = open().err().unwrap();
    assert!(matches!(&lost, TakingsError::Storage { code, detail: _ } if code == "key_lost"), "{lost}");
    assert_eq!(at_stake(path(&dir)).unwrap().unwrap().events, 1);
}
