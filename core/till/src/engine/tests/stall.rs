//! What happens at the stall: cards, screens, lists; and the acquirer's book to judge them by.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use sha2::Digest as _;
use takings_domain::event::{Accepted, CardRead, ChargeMode, Class};
use takings_domain::{EntryMode, MaskedCard, PaymentId, Scheme};
use takings_readers::simulated::{CardScript, Stage};

use super::super::book::Book;
use super::super::{Command, LinkEvent, Reply};
use super::bench::Bench;
use crate::charge::{ChargeOutcome, ChargeRequest, Step};
use crate::error::TillError;
use crate::reading::Reading;
use crate::views::{AlertView, PaymentDetail, PaymentQuery, PaymentView, PayoutQuery, PayoutView, StatusView};

const VALUE_LEN: u32 = 244;

/// A sale as the tests speak of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sale {
    pub(super) amount: i64,
    pub(super) mode: ChargeMode,
    pub(super) card: CardScript,
    pub(super) order: Option<String>,
    pub(super) again: bool,
}

impl Sale {
    pub(super) fn offline(amount: i64) -> Self {
        Self {
            amount,
            mode: ChargeMode::Offline,
            card: CardScript::new("6222", "0048", EntryMode::Chip),
            order: None,
            again: false,
        }
    }

    pub(super) fn live(amount: i64) -> Self {
        Self { mode: ChargeMode::PreferOnline, ..Self::offline(amount) }
    }

    /// The n-th of many: another card and another amount each.
    pub(super) fn nth(n: i64) -> Self {
        Self::offline(1_000 + 100 * n).last_four(&format!("{}", 2_000 + n))
    }

    pub(super) fn request(&self) -> ChargeRequest {
        ChargeRequest {
            amount_minor: self.amount,
            currency: "CNY".to_owned(),
            order_reference: self.order.clone(),
            mode: self.mode,
            charge_again: self.again,
            operator: Some("王".to_owned()),
        }
    }

    pub(super) fn last_four(mut self, digits: &str) -> Self {
        self.card.last_four = digits.to_owned();
        self
    }

    pub(super) fn order(mut self, order: &str) -> Self {
        self.order = Some(order.to_owned());
        self
    }
}

impl Bench {
    /// Starts a charge: the intent is on disk.
    pub(super) fn begin(&mut self, sale: &Sale) -> Result<PaymentId, TillError> {
        match self.ask(Command::Charge(sale.request()))? {
            Reply::Charging(id) => Ok(id),
            other => panic!("{other:?}"),
        }
    }

    /// Charges, with the line at work; answers what the screen says at last.
    pub(super) fn charge(&mut self, sale: &Sale) -> (PaymentId, ChargeOutcome) {
        let id = self.begin(sale).unwrap();
        self.present(id, sale);
        self.run();
        (id, self.outcome(id).expect("decided"))
    }

    /// Connects the reader, presents the card, lets the reader say its last word.
    pub(super) fn present(&mut self, id: PaymentId, sale: &Sale) {
        let mut writes = self.connect(id);
        self.talk(id, &mut writes, Some(sale.card.clone()));
        self.lose_link(id);
    }

    pub(super) fn connect(&mut self, id: PaymentId) -> VecDeque<Vec<u8>> {
        self.generation += 1;
        self.reader.link_up(VALUE_LEN as usize);
        let generation = self.generation;
        self.link(id, LinkEvent::Up { value_len: VALUE_LEN, generation }).writes.into()
    }

    pub(super) fn lose_link(&mut self, id: PaymentId) {
        self.reader.link_down();
        let generation = self.generation;
        self.link(id, LinkEvent::Down { generation });
    }

    /// Values go to and fro until neither side has anything to say; the card comes when the reader waits for it.
    pub(super) fn talk(&mut self, id: PaymentId, writes: &mut VecDeque<Vec<u8>>, mut card: Option<CardScript>) {
        let generation = self.generation;
        loop {
            let step = if let Some(value) = writes.pop_front() {
                self.reader.receive(&value);
                self.link(id, LinkEvent::WriteDone { generation })
            } else if let Some(value) = self.reader.outbound() {
                self.link(id, LinkEvent::Bytes { generation, value })
            } else if self.reader.stage() == Stage::WaitingForCard && card.is_some() {
                self.reader.present(card.take().unwrap());
                continue;
            } else {
                return;
            };
            writes.extend(step.writes);
        }
    }

    pub(super) fn link(&mut self, id: PaymentId, event: LinkEvent) -> Step {
        self.try_link(id, event).unwrap()
    }

    pub(super) fn try_link(&mut self, id: PaymentId, event: LinkEvent) -> Result<Step, TillError> {
        let ticket = self.start(Command::Link { payment: id, event });
        let step = match self.reply(ticket).unwrap()? {
            Reply::Step(step) => step,
            other => panic!("{other:?}"),
        };
        if let Some(outcome) = &step.saved {
            self.heard(id, outcome.clone());
        }
        Ok(step)
    }

    /// As [`Bench::present`], by a shell that gives the reader up at the first error.
    pub(super) fn try_to_present(&mut self, id: PaymentId, sale: &Sale) {
        let mut writes = self.connect(id);
        let generation = self.generation;
        let mut card = Some(sale.card.clone());
        loop {
            let step = if let Some(value) = writes.pop_front() {
                self.reader.receive(&value);
                self.try_link(id, LinkEvent::WriteDone { generation })
            } else if let Some(value) = self.reader.outbound() {
                self.try_link(id, LinkEvent::Bytes { generation, value })
            } else if self.reader.stage() == Stage::WaitingForCard && card.is_some() {
                self.reader.present(card.take().unwrap());
                continue;
            } else {
                break;
            };
            match step {
                Ok(step) => writes.extend(step.writes),
                Err(error) => {
                    assert!(matches!(error, TillError::Storage { .. } | TillError::Internal { .. }), "{error:?}");
                    break;
                }
            }
        }
        self.reader.link_down();
        drop(self.try_link(id, LinkEvent::Down { generation }));
    }

    /// What the screen says of the charge now, if it is decided.
    pub(super) fn outcome(&mut self, id: PaymentId) -> Option<ChargeOutcome> {
        let ticket = self.start(Command::Outcome { payment: id });
        match self.reply(ticket)? {
            Ok(Reply::Outcome(outcome)) => {
                self.heard(id, outcome.clone());
                Some(outcome)
            }
            other => panic!("{other:?}"),
        }
    }

    /// What the screen says of the charge at this moment.
    pub(super) fn outcome_now(&mut self, id: PaymentId) -> Option<ChargeOutcome> {
        self.engine().charges.get(&id).and_then(|charge| charge.outcome.clone())
    }

    /// The reader's values one by one until the screen says how the charge stands.
    pub(super) fn talk_until_saved(&mut self, id: PaymentId, card: CardScript) {
        self.talk_until(id, card, |bench| bench.outcome_now(id).is_some());
    }

    /// The reader's values one by one until something is sent.
    pub(super) fn talk_until_sent(&mut self, id: PaymentId, card: CardScript) {
        self.talk_until(id, card, |bench| !bench.outbox.is_empty());
    }

    fn talk_until(&mut self, id: PaymentId, card: CardScript, done: impl Fn(&mut Self) -> bool) {
        let generation = self.generation;
        self.reader.present(card);
        let mut writes: VecDeque<Vec<u8>> = VecDeque::new();
        while !done(self) {
            let step = match writes.pop_front() {
                Some(value) => {
                    self.reader.receive(&value);
                    self.link(id, LinkEvent::WriteDone { generation })
                }
                None => {
                    let value = self.reader.outbound().expect("the reader has more to say");
                    self.link(id, LinkEvent::Bytes { generation, value })
                }
            };
            writes.extend(step.writes);
        }
    }

    fn heard(&mut self, id: PaymentId, outcome: ChargeOutcome) {
        let told = self.told.entry(id).or_default();
        if told.last() != Some(&outcome) {
            told.push(outcome);
        }
    }

    pub(super) fn cancel(&mut self, id: PaymentId) -> Result<(), TillError> {
        self.ask(Command::Cancel { payment: id, operator: None }).map(|_| ())
    }

    /// A payment accepted with a card of which the reader showed nothing.
    pub(super) fn accept_a_card_without_digits(&mut self) -> PaymentId {
        let id = self.begin(&Sale::offline(1_000)).unwrap();
        let now = self.now;
        let engine = self.engine();
        let mut tx = engine.ledger.begin().unwrap();
        let blank = CardRead {
            entry_mode: EntryMode::Chip,
            scheme: Scheme::Visa,
            card: MaskedCard::new("", ""),
            blob_len: 64,
            blob_sha256: crate::hex::encode(&sha2::Sha256::digest([2; 64])),
            captured_at_ms: None,
        };
        tx.append_payment(now, None, id, blank.into()).unwrap();
        // Format, key, key serial number and ciphertext, each with its length.
        let parts: [&[u8]; 4] = [b"dynaflex", b"9010010B61", &[1; 10], &[2; 64]];
        let record: Vec<u8> =
            parts.iter().flat_map(|part| [&(part.len() as u32).to_be_bytes()[..], part].concat()).collect();
        tx.put_card_blob(id, &record).unwrap();
        let accepted = Accepted { class: Class::Deferred, deadline_ms: Some(now.wall_ms + super::bench::DAY) };
        tx.append_payment(now, None, id, accepted.into()).unwrap();
        tx.commit().unwrap();
        id
    }

    // What the merchant sees.

    pub(super) fn reading(&self) -> Reading {
        Reading::open(&self.store(), self.outlook.clone()).unwrap()
    }

    pub(super) fn detail(&self, id: PaymentId) -> PaymentDetail {
        self.reading().payment(id, self.now).unwrap()
    }

    pub(super) fn view(&self, id: PaymentId) -> PaymentView {
        self.detail(id).payment
    }

    /// Stage and cause.
    pub(super) fn stage(&self, id: PaymentId) -> (String, String) {
        let view = self.view(id);
        (view.stage, view.cause.unwrap_or_default())
    }

    pub(super) fn kinds(&self, id: PaymentId) -> Vec<String> {
        self.detail(id).timeline.into_iter().map(|entry| entry.kind).collect()
    }

    pub(super) fn count(&self, id: PaymentId, kind: &str) -> usize {
        self.kinds(id).iter().filter(|known| *known == kind).count()
    }

    pub(super) fn payments(&self) -> Vec<PaymentView> {
        let mut query = PaymentQuery { limit: Some(200), ..PaymentQuery::default() };
        let mut found = Vec::new();
        loop {
            let page = self.reading().payments(&query, self.now).unwrap();
            found.extend(page.payments);
            query.after = page.next;
            if query.after.is_none() {
                return found;
            }
        }
    }

    pub(super) fn payouts(&self) -> Vec<PayoutView> {
        self.reading().payouts(&PayoutQuery::default(), self.now).unwrap().payouts
    }

    pub(super) fn alerts(&self) -> Vec<AlertView> {
        self.reading().alerts(200).unwrap()
    }

    /// How often alerts of this kind were told.
    pub(super) fn told(&self, kind: &str) -> usize {
        self.alerts().iter().filter(|alert| alert.alert_kind == kind).count()
    }

    pub(super) fn status(&mut self) -> StatusView {
        match self.ask(Command::Status) {
            Ok(Reply::Status(status)) => *status,
            other => panic!("{other:?}"),
        }
    }

    /// The ciphertext is on the phone.
    pub(super) fn holds_card_data(&mut self, id: PaymentId) -> bool {
        self.engine().ledger.begin().unwrap().card_blob(id).unwrap().is_some()
    }

    pub(super) fn assert_verified(&mut self) {
        match self.ask(Command::Verify) {
            Ok(Reply::Verified(report)) => assert!(report.sound, "{report:?}"),
            other => panic!("{other:?}"),
        }
    }

    // What the acquirer's book says.

    pub(super) fn book(&mut self) -> Value {
        self.admin("GET", "/admin/ledger", &json!({}))
    }

    pub(super) fn in_book(&mut self, id: PaymentId) -> Option<Value> {
        let book = self.book();
        let payments = book["payments"].as_array().unwrap();
        payments.iter().find(|payment| payment["payment_id"] == json!(id.to_string())).cloned()
    }

    /// How often the bank was asked for this payment.
    pub(super) fn authorizations(&mut self, id: PaymentId) -> u64 {
        self.in_book(id).map_or(0, |payment| payment["authorizations"].as_u64().unwrap())
    }

    /// The days go by until the money of everything accepted so far has moved.
    pub(super) fn days_later(&mut self, days: i64) {
        for _ in 0..days {
            self.pass(super::bench::DAY);
            self.sync();
        }
    }

    /// The rules that hold whatever happened: nothing authorised or captured twice, nothing deferred undone by itself,
    /// whatever the screen called good is there.
    pub(super) fn judge(&mut self) {
        let book = self.book();
        let mut sales: BTreeMap<(String, i64, i64), u32> = BTreeMap::new();
        for record in book["authorizations"].as_array().unwrap() {
            let sale = (
                record["last_four"].as_str().unwrap().to_owned(),
                record["amount_minor"].as_i64().unwrap(),
                record["captured_at_ms"].as_i64().unwrap(),
            );
            *sales.entry(sale).or_default() += 1;
        }
        assert!(sales.values().all(|times| *times == 1), "charged twice: {sales:?}");
        let reversed: Vec<&str> =
            book["reversals"].as_array().unwrap().iter().filter_map(|entry| entry["payment_id"].as_str()).collect();
        for payment in book["payments"].as_array().unwrap() {
            let captures = payment["captures"].as_u64().unwrap();
            assert!(captures <= 1, "captured twice: {payment}");
            if payment["kind"] != json!("live") {
                let id = payment["payment_id"].as_str().unwrap();
                assert!(!reversed.contains(&id), "a deferred payment was undone: {payment}");
            }
        }
        let listed = self.payments();
        for (id, told) in self.told.clone() {
            let line = listed.iter().find(|line| line.payment_id == id.to_string()).expect("what was told is kept");
            match told.last() {
                Some(ChargeOutcome::Saved) => assert_eq!(line.class.as_deref(), Some("deferred"), "{line:?}"),
                Some(ChargeOutcome::Approved { approved_minor }) => {
                    assert_eq!(line.approved_minor, Some(*approved_minor), "{line:?}");
                    assert_eq!(self.authorizations(id), 1);
                }
                Some(ChargeOutcome::NotCharged { .. }) => {
                    assert_eq!(line.stage, "not_charged", "{line:?}");
                    let there = self.in_book(id);
                    let free = there.as_ref().is_none_or(|payment| {
                        matches!(payment["authorization"].as_str(), Some("declined" | "referred" | "reversed"))
                    });
                    assert!(free, "told free, and charged: {there:?}");
                }
                Some(ChargeOutcome::NotConfirmed) | None => {}
            }
        }
    }
}
