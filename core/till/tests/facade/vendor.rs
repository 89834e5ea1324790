//! A charge at another maker's reader: what its SDK says, repeats, leaves out, and says too late.

use serde_json::json;
use takings_domain::event::ChargeMode;
use takings_till::{
    Asked, Charge, ChargeOutcome, EntryMode, ReaderOutcome, SensitiveBytes, Step, Till, TillError, VendorAbout,
    VendorCard, VendorCommand, VendorEvent,
};

use super::stall::{Stall, request};

const MINUTE_MS: i64 = 60_000;

/// The SDK's end of one connection.
struct Sdk<'a> {
    charge: &'a Charge,
    generation: u32,
    outcome: Option<ChargeOutcome>,
    told: Vec<VendorCommand>,
    wait_ms: Option<u64>,
    disconnect: bool,
}

fn about() -> VendorAbout {
    VendorAbout {
        serial: "WSC-0042".to_owned(),
        model: "Pocket".to_owned(),
        firmware: "1.2".to_owned(),
        battery_percent: None,
        charging: None,
        tampered: false,
        keys_missing: false,
    }
}

fn card(last_four: &str) -> VendorCard {
    VendorCard {
        ciphertext: SensitiveBytes::new(vec![0xC1; 96]),
        format: "acme-dukpt".to_owned(),
        key_id: "bdk-1".to_owned(),
        ksn_hex: "FFFF9876543210E00008".to_owned(),
        masked_number: format!("622248******{last_four}"),
        entry_mode: EntryMode::Chip,
    }
}

fn ended(word: &str) -> VendorEvent {
    VendorEvent::Ended(ReaderOutcome::from_word(word))
}

fn not_charged(cause: &str, detail: &str) -> Option<ChargeOutcome> {
    Some(ChargeOutcome::NotCharged { cause: cause.to_owned(), detail: Some(detail.to_owned()) })
}

impl<'a> Sdk<'a> {
    fn up(charge: &'a Charge, generation: u32) -> Self {
        let mut sdk = Self { charge, generation, outcome: None, told: Vec::new(), wait_ms: None, disconnect: false };
        sdk.take(charge.vendor_up(about(), generation).unwrap());
        sdk
    }

    /// Connected, told to start, and running.
    fn running(charge: &'a Charge, generation: u32) -> Self {
        let mut sdk = Self::up(charge, generation);
        assert!(matches!(sdk.told.as_slice(), [VendorCommand::Start(_)]), "{:?}", sdk.told);
        sdk.say(sdk.started());
        sdk
    }

    fn take(&mut self, step: Step) {
        assert!(step.writes.is_empty(), "an SDK has no bytes");
        self.outcome = step.saved.or(self.outcome.take());
        for asked in step.commands {
            assert_eq!(asked.generation, self.generation);
            self.told.push(asked.command);
        }
        self.wait_ms = step.wait_ms;
        self.disconnect |= step.disconnect;
    }

    fn started(&self) -> VendorEvent {
        VendorEvent::Started { charge: self.charge.payment_id().to_owned() }
    }

    fn say(&mut self, event: VendorEvent) {
        self.take(self.charge.vendor_event(self.generation, event).unwrap());
    }

    fn give_card(&mut self, last_four: &str) {
        self.say(VendorEvent::Card(card(last_four)));
    }

    fn down(&mut self) {
        self.take(self.charge.link_down(self.generation).unwrap());
    }
}

/// Stage and cause on the phone; how often the bank was asked for this payment.
async fn stands(stall: &Stall, till: &Till, charge: &Charge) -> (String, Option<String>, usize) {
    let payment = till.payment(charge.payment_id()).await.unwrap().payment;
    assert!(till.verify().await.unwrap().sound);
    let book = stall.server.admin("GET", "/admin/ledger", &json!({}));
    let asked = book["authorizations"].as_array().unwrap();
    let asked = asked.iter().filter(|asked| asked["payment_id"] == charge.payment_id()).count();
    (payment.stage, payment.cause, asked)
}

fn nothing_charged(cause: &str) -> (String, Option<String>, usize) {
    ("not_charged".to_owned(), Some(cause.to_owned()), 0)
}

fn once(stage: &str) -> (String, Option<String>, usize) {
    (stage.to_owned(), None, 1)
}

#[tokio::test]
async fn a_sale_live_offline_and_declined() {
    let stall = Stall::new();
    let till = stall.ready().await;

    let live = till.charge(request(1_250, ChargeMode::PreferOnline)).unwrap();
    let mut sdk = Sdk::running(&live, 1);
    let [VendorCommand::Start(start)] = sdk.told.as_slice() else { panic!("{:?}", sdk.told) };
    let asked = (start.amount_minor, start.currency.as_str(), start.currency_numeric, start.currency_exponent);
    assert_eq!(asked, (1_250, "CNY", 156, 2));
    assert_eq!(start.charge, live.payment_id());
    sdk.give_card("0048");
    sdk.say(ended("deferred"));
    assert_eq!(live.outcome().await.unwrap(), ChargeOutcome::Approved { approved_minor: 1_250 });
    sdk.down();
    assert!(sdk.disconnect);
    assert_eq!(stands(&stall, &till, &live).await, once("approved"));
    let detail = till.payment(live.payment_id()).await.unwrap();
    let kinds: Vec<&str> = detail.timeline.iter().map(|entry| entry.kind.as_str()).collect();
    let begun: &[&str] = &["charge_started", "attempt_started", "card_read", "send_started"];
    assert_eq!(&kinds[..4], begun);
    assert_eq!(
        (detail.payment.last_four.as_deref(), detail.payment.scheme.as_deref()),
        (Some("0048"), Some("unionpay"))
    );

    let saved = till.charge(request(900, ChargeMode::Offline)).unwrap();
    let mut sdk = Sdk::running(&saved, 2);
    sdk.give_card("0048");
    assert_eq!(sdk.outcome, Some(ChargeOutcome::Saved));
    sdk.say(ended("deferred"));
    sdk.down();
    till.sync(60_000).await.unwrap();
    assert_eq!(stands(&stall, &till, &saved).await, once("approved"));

    let declined = till.charge(request(800, ChargeMode::PreferOnline)).unwrap();
    let mut sdk = Sdk::running(&declined, 3);
    sdk.give_card("0051");
    let refused = declined.outcome().await.unwrap();
    assert!(matches!(refused, ChargeOutcome::NotCharged { .. }), "{refused:?}");
    sdk.say(ended("deferred"));
    let (stage, cause, asked) = stands(&stall, &till, &declined).await;
    assert_eq!((stage.as_str(), asked), ("not_charged", 1), "{cause:?}");
}

#[tokio::test]
async fn an_sdk_that_dies_after_the_card_changes_nothing() {
    let stall = Stall::new();
    let till = stall.ready().await;
    // It says nothing any more; then its connection goes; then it comes back and says everything again.
    let charge = till.charge(request(1_000, ChargeMode::PreferOnline)).unwrap();
    let mut sdk = Sdk::running(&charge, 1);
    sdk.give_card("0048");
    assert_eq!(charge.outcome().await.unwrap(), ChargeOutcome::Approved { approved_minor: 1_000 });
    stall.clock.pass(5 * MINUTE_MS);
    sdk.take(charge.tick().unwrap());
    stall.clock.pass(MINUTE_MS);
    sdk.take(charge.tick().unwrap());
    sdk.down();
    let mut again = Sdk::up(&charge, 2);
    assert!(again.told.is_empty() && again.disconnect, "the card was read: nothing is started again");
    again.say(again.started());
    again.give_card("0048");
    assert_eq!(again.outcome, Some(ChargeOutcome::Approved { approved_minor: 1_000 }));
    assert_eq!(stands(&stall, &till, &charge).await, once("approved"));
}

#[tokio::test]
async fn a_connection_lost_before_the_card_waits_for_a_new_one() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let charge = till.charge(request(1_000, ChargeMode::Offline)).unwrap();
    let mut first = Sdk::running(&charge, 1);
    first.down();
    assert_eq!(first.outcome, None);
    let mut second = Sdk::running(&charge, 2);
    // What the first connection still had to say comes late.
    first.give_card("0048");
    first.say(ended("cancelled"));
    first.take(charge.vendor_failed(1, Asked::Start).unwrap());
    assert_eq!(first.outcome, None);
    second.give_card("0048");
    assert_eq!(second.outcome, Some(ChargeOutcome::Saved));
    second.down();
    till.sync(60_000).await.unwrap();
    assert_eq!(stands(&stall, &till, &charge).await, once("approved"));

    let given_up = till.charge(request(700, ChargeMode::Offline)).unwrap();
    let mut sdk = Sdk::running(&given_up, 3);
    sdk.down();
    sdk.take(given_up.cancel().unwrap());
    assert_eq!(sdk.outcome, not_charged("abandoned", "cancelled"));
    assert_eq!(stands(&stall, &till, &given_up).await.0, "not_charged");
}

#[tokio::test]
async fn a_connection_lost_after_the_card_is_the_end_of_the_reader_alone() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let charge = till.charge(request(1_000, ChargeMode::Offline)).unwrap();
    let mut sdk = Sdk::running(&charge, 1);
    sdk.give_card("0048");
    sdk.down();
    assert_eq!(sdk.outcome, Some(ChargeOutcome::Saved));
    till.sync(60_000).await.unwrap();
    assert_eq!(stands(&stall, &till, &charge).await, once("approved"));
}

#[tokio::test]
async fn p2_once_card_data_and_ends_told_twice() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let charge = till.charge(request(1_000, ChargeMode::PreferOnline)).unwrap();
    let mut sdk = Sdk::running(&charge, 1);
    sdk.give_card("0048");
    // Another card, even.
    sdk.give_card("1232");
    sdk.say(ended("deferred"));
    sdk.say(ended("declined"));
    sdk.give_card("1232");
    assert_eq!(charge.outcome().await.unwrap(), ChargeOutcome::Approved { approved_minor: 1_000 });
    sdk.down();
    assert_eq!(stands(&stall, &till, &charge).await, once("approved"));
    assert_eq!(till.payment(charge.payment_id()).await.unwrap().payment.last_four.as_deref(), Some("0048"));
}

/// A way in which a charge is given up.
type Way = fn(&mut Sdk<'_>, &Stall);

#[tokio::test]
async fn card_data_after_the_charge_was_given_up_is_dropped() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let ways: [(&str, Way); 6] = [
        ("reader_fault", |sdk, _| sdk.take(sdk.charge.vendor_failed(1, Asked::Start).unwrap())),
        ("reader_fault", |sdk, _| sdk.say(VendorEvent::Failed(Asked::Start))),
        ("timed_out", |sdk, _| sdk.say(ended("timed_out"))),
        ("unknown", |sdk, _| sdk.say(ended("a word of its own"))),
        ("unknown", |sdk, stall| {
            for _ in 0..2 {
                stall.clock.pass(2 * MINUTE_MS);
                sdk.take(sdk.charge.tick().unwrap());
            }
        }),
        ("reader_fault", |sdk, _| {
            let clear = SensitiveBytes::new(b";4111111111111111=26122010000012300000?".to_vec());
            sdk.say(VendorEvent::Card(VendorCard { ciphertext: clear, ..card("1111") }));
        }),
    ];
    for (detail, give_up) in ways {
        let charge = till.charge(request(1_000, ChargeMode::PreferOnline)).unwrap();
        let mut sdk = Sdk::running(&charge, 1);
        give_up(&mut sdk, &stall);
        assert_eq!(sdk.outcome, not_charged("abandoned", detail));
        sdk.say(sdk.started());
        sdk.give_card("0048");
        sdk.say(ended("deferred"));
        sdk.down();
        assert_eq!(sdk.outcome, not_charged("abandoned", detail));
        assert_eq!(stands(&stall, &till, &charge).await, nothing_charged("abandoned"), "{detail}");
    }
}

#[tokio::test]
async fn an_sdk_that_never_starts_ends_the_charge_and_is_told_to_stop() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let charge = till.charge(request(1_000, ChargeMode::PreferOnline)).unwrap();
    let mut sdk = Sdk::up(&charge, 1);
    assert_eq!(sdk.wait_ms, Some(20_000));
    stall.clock.pass(20_000);
    sdk.take(charge.tick().unwrap());
    assert_eq!(sdk.outcome, not_charged("abandoned", "reader_no_answer"));
    assert_eq!(sdk.told.last(), Some(&VendorCommand::Cancel));
    assert_eq!(stands(&stall, &till, &charge).await, nothing_charged("abandoned"));

    let tampered = till.charge(request(1_000, ChargeMode::PreferOnline)).unwrap();
    let step = tampered.vendor_up(VendorAbout { tampered: true, ..about() }, 2).unwrap();
    assert_eq!((step.saved, step.commands), (not_charged("abandoned", "reader_tampered"), Vec::new()));
}

#[tokio::test]
async fn a_cancel_in_time_and_too_late() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let charge = till.charge(request(1_000, ChargeMode::PreferOnline)).unwrap();
    let mut sdk = Sdk::running(&charge, 1);
    sdk.take(charge.cancel().unwrap());
    assert_eq!((sdk.told.last(), &sdk.outcome), (Some(&VendorCommand::Cancel), &None), "a request, not an outcome");
    sdk.say(ended("cancelled"));
    assert_eq!(sdk.outcome, not_charged("abandoned", "cancelled"));
    assert_eq!(stands(&stall, &till, &charge).await, nothing_charged("abandoned"));

    let late = till.charge(request(1_100, ChargeMode::PreferOnline)).unwrap();
    let mut sdk = Sdk::running(&late, 2);
    sdk.take(late.cancel().unwrap());
    sdk.say(VendorEvent::Failed(Asked::Cancel));
    sdk.give_card("0048");
    assert_eq!(late.outcome().await.unwrap(), ChargeOutcome::Approved { approved_minor: 1_100 });
    sdk.take(late.cancel().unwrap());
    sdk.say(ended("cancelled"));
    sdk.down();
    assert_eq!(stands(&stall, &till, &late).await, once("approved"));
}

#[tokio::test]
async fn the_cardholder_chooses_and_every_reader_has_its_own_calls() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let charge = till.charge(request(1_000, ChargeMode::Offline)).unwrap();
    let mut sdk = Sdk::running(&charge, 1);
    let step = charge.vendor_event(1, VendorEvent::ChooseApplication(vec!["UnionPay".into(), "Visa".into()])).unwrap();
    assert_eq!(step.prompt.unwrap().choices, ["UnionPay", "Visa"]);
    assert!(matches!(charge.choose_application(2), Err(TillError::FixInput { .. })));
    sdk.take(charge.choose_application(1).unwrap());
    assert_eq!(sdk.told.last(), Some(&VendorCommand::ChooseApplication { index: 1 }));
    let prompt = VendorEvent::Prompt { text: "请插卡".to_owned(), cancellable: true };
    assert_eq!(charge.vendor_event(1, prompt).unwrap().prompt.unwrap().text, "请插卡");
    // Bytes are for the other kind.
    assert!(matches!(charge.bytes(1, &[1, 2, 3]), Err(TillError::FixInput { code: "reader_input", .. })));
    sdk.give_card("0048");
    assert_eq!(sdk.outcome, Some(ChargeOutcome::Saved));
}

#[tokio::test]
async fn an_older_payment_that_runs_late_is_not_this_one() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let older = till.charge(request(9_000, ChargeMode::PreferOnline)).unwrap();
    let mut late = Sdk::up(&older, 1);
    late.take(older.vendor_failed(1, Asked::Start).unwrap());
    let charge = till.charge(request(1_000, ChargeMode::PreferOnline)).unwrap();
    let mut sdk = Sdk::up(&charge, 1);
    sdk.say(late.started());
    sdk.give_card("1232");
    sdk.say(ended("deferred"));
    assert_eq!(sdk.outcome, None);
    sdk.say(sdk.started());
    sdk.give_card("0048");
    assert_eq!(charge.outcome().await.unwrap(), ChargeOutcome::Approved { approved_minor: 1_000 });
    assert_eq!(till.payment(charge.payment_id()).await.unwrap().payment.last_four.as_deref(), Some("0048"));
    assert_eq!(stands(&stall, &till, &older).await, nothing_charged("abandoned"));
}

#[tokio::test]
async fn a_reader_judges_no_payment_on_the_screen() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let charge = till.charge(request(1_000, ChargeMode::PreferOnline)).unwrap();
    let mut sdk = Sdk::running(&charge, 1);
    let shown = |text: &str| {
        let prompt = VendorEvent::Prompt { text: text.to_owned(), cancellable: false };
        charge.vendor_event(1, prompt).unwrap().prompt.map(|prompt| prompt.id)
    };
    assert_eq!(shown("please_wait").as_deref(), Some("please_wait"));
    for verdict in ["approved", "APPROVED", "DECLINED", "交易成功"] {
        assert_eq!(shown(verdict), None, "{verdict}");
    }
    sdk.say(ended("timed_out"));
    assert_eq!(sdk.outcome, not_charged("abandoned", "timed_out"));
    assert_eq!((shown("authorizing"), shown("谢谢")), (None, None), "the charge is decided");
    assert_eq!(shown("remove_card").as_deref(), Some("remove_card"));
}

#[tokio::test]
async fn each_connection_of_a_charge_has_a_number_of_its_own() {
    let stall = Stall::new();
    let till = stall.ready().await;
    let charge = till.charge(request(1_000, ChargeMode::Offline)).unwrap();
    let refused = |result: Result<Step, TillError>| match result {
        Err(TillError::FixInput { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    let mut first = Sdk::running(&charge, 2);
    assert_eq!(refused(charge.vendor_up(about(), 3)), "link_is_up");
    assert_eq!(refused(charge.link_up(244, 3)), "link_is_up");
    first.down();
    for used in [0, 1, 2] {
        assert_eq!(refused(charge.vendor_up(about(), used)), "generation");
        assert_eq!(refused(charge.link_up(244, used)), "generation");
    }
    let mut second = Sdk::running(&charge, 3);
    second.give_card("0048");
    assert_eq!(second.outcome, Some(ChargeOutcome::Saved));
}
