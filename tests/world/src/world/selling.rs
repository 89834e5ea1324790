//! Customers, their cards, and the merchant who looks at his phone.

use takings_domain::PaymentId;
use takings_domain::event::ChargeMode;
use takings_readers::simulated::{Behaviour, Stage};
use takings_till::charge::Step;
use takings_till::simulation::{Command, LinkEvent};
use takings_till::views::{PaymentDetail, PaymentQuery, PayoutQuery};
use takings_till::{ChargeOutcome, ChargeRequest, TillError};

use super::{Happening, World};
use crate::charge::{Charging, Next, VALUE_LEN};
use crate::phone::Purpose;
use crate::plan::{HOUR, MINUTE, SECOND, entry_mode};
use crate::rare;
use crate::record::{Seen, Tap};
use crate::streams::Stream;

/// Longer than this nobody stands at a reader, milliseconds.
const READER_PATIENCE_MS: i64 = 150 * SECOND;
/// A customer comes back so often.
const MOST_RETURNS: u32 = 3;

impl World {
    /// A customer comes.
    pub(super) fn customer(&mut self, sale: usize, again: bool) {
        let of = self.plan.sales[sale].clone();
        let phone = of.phone;
        let this = &self.phones[phone];
        if again {
            let returns = self.returns.entry(sale).or_default();
            *returns += 1;
            if *returns > MOST_RETURNS || self.healed {
                return;
            }
        }
        if this.engine.is_none() || this.charging.is_some() || !this.activated {
            return self.at(self.now_ms + 40 * SECOND, Happening::Customer { sale, again: true });
        }
        self.trace.tell(self.now_ms, &format!("phone {phone}"), &format!("sale {sale}: {} fen", of.amount_minor));
        let request = ChargeRequest {
            amount_minor: of.amount_minor,
            currency: "CNY".to_owned(),
            order_reference: of.order,
            mode: if of.offline { ChargeMode::Offline } else { ChargeMode::PreferOnline },
            charge_again: false,
            operator: Some("王".to_owned()),
        };
        self.command(phone, Purpose::Charge(sale), Command::Charge(request));
    }

    pub(super) fn charge_refused(&mut self, phone: usize, sale: usize, error: TillError) {
        self.tell(phone, &format!("sale {sale} refused: {error}"));
        match error.code() {
            "order_already_charged" => self.rare.count("order_guard"),
            "disk_full" => self.rare.count("charge_refused_for_room"),
            _ => {}
        }
        self.see(phone, Seen::Refused { error: error.clone() });
        self.trouble(phone, &error);
    }

    /// The intent is on disk: the reader is connected.
    pub(super) fn begun(&mut self, phone: usize, sale: usize, id: PaymentId) {
        self.charges += 1;
        let of = self.plan.sales[sale].clone();
        self.tell(phone, &format!("{id} begun"));
        let begun = Seen::Begun {
            payment: id.to_string(),
            amount_minor: of.amount_minor,
            order: of.order.clone(),
            offline: of.offline,
        };
        self.see(phone, begun);
        // Two were asked for while the till waited for its session: the app lets go of the one nobody stands before.
        if let Some(earlier) = self.phones[phone].charging.take() {
            self.command(phone, Purpose::Other, Command::Leave { payment: earlier.id });
        }
        for failure in &of.failures {
            self.tell(phone, &format!("{id}: the reader will fail: {failure:?}"));
            self.phones[phone].reader.fail(*failure);
        }
        self.phones[phone].charging = Some(Charging::new(id, sale, &of, self.now_ms));
        let life = self.phones[phone].life;
        self.command(phone, Purpose::Outcome(id), Command::Outcome { payment: id });
        self.at(self.now_ms + 2 * SECOND, Happening::LinkBack { phone, life });
    }

    pub(super) fn link_back(&mut self, phone: usize, life: u64) {
        let this = &mut self.phones[phone];
        let Some(charging) = this.charging.as_mut() else { return };
        if this.life != life || !charging.link_is_down || charging.reader_is_gone {
            return;
        }
        charging.link_is_down = false;
        this.generation += 1;
        this.reader.link_up(usize::try_from(VALUE_LEN).unwrap_or(20));
        let (id, generation) = (charging.id, this.generation);
        self.link(phone, id, LinkEvent::Up { value_len: VALUE_LEN, generation });
        self.at(self.now_ms + 30, Happening::Value { phone, life });
    }

    pub(super) fn link(&mut self, phone: usize, id: PaymentId, event: LinkEvent) {
        if let LinkEvent::Bytes { value, .. } = &event {
            self.trace.bytes("value", value);
        }
        self.command(phone, Purpose::Link(id), Command::Link { payment: id, event });
    }

    pub(super) fn step(&mut self, phone: usize, id: PaymentId, step: Step) {
        let this = &mut self.phones[phone];
        let Some(charging) = this.charging.as_mut().filter(|charging| charging.id == id) else { return };
        charging.writes.extend(step.writes);
        let news = step.saved.filter(|outcome| charging.last_told.as_ref() != Some(outcome));
        if step.disconnect && !charging.link_is_down {
            charging.reader_is_gone = true;
            charging.lose_link(&mut this.reader);
            let generation = this.generation;
            self.link(phone, id, LinkEvent::Down { generation });
        }
        if let Some(prompt) = step.prompt.filter(|prompt| !prompt.choices.is_empty()) {
            self.tell(phone, &format!("{id}: choose of {:?}", prompt.choices));
            self.link(phone, id, LinkEvent::Choose(0));
        }
        if let Some(outcome) = news {
            self.told(phone, id, outcome);
        }
    }

    /// What the screen says has consequences: goods go over the counter, or the card is taken once more.
    pub(super) fn told(&mut self, phone: usize, id: PaymentId, outcome: ChargeOutcome) {
        let charging = self.phones[phone].charging.as_mut().filter(|charging| charging.id == id);
        let sale = charging.map(|charging| {
            charging.told |= outcome != ChargeOutcome::NotConfirmed;
            let again = charging.last_told.as_ref() == Some(&outcome);
            charging.last_told = Some(outcome.clone());
            (charging.sale, again)
        });
        if let Some((_, true)) = sale {
            return;
        }
        if let Some((sale, _)) = sale {
            let (repeated, cancelled) = (self.plan.sales[sale].repeated, self.plan.sales[sale].cancelled);
            if matches!(outcome, ChargeOutcome::NotCharged { .. }) && repeated {
                self.at(self.now_ms + 20 * SECOND, Happening::Customer { sale, again: true });
            }
            // Somebody who is told that nobody knows tries again all the same.
            if outcome == ChargeOutcome::NotConfirmed && repeated {
                self.at(self.now_ms + 70 * SECOND, Happening::Customer { sale, again: true });
            }
            if matches!(outcome, ChargeOutcome::Saved | ChargeOutcome::NotConfirmed) && cancelled {
                let wait_ms = Stream::new(self.plan.seed, &format!("cancel {sale}")).between(SECOND, 40 * MINUTE);
                self.at(self.now_ms + wait_ms, Happening::Cancels { phone, payment: id });
            }
        }
        self.outcome(phone, id, outcome);
    }

    /// The next value between reader and phone.
    pub(super) fn value(&mut self, phone: usize, life: u64) {
        let at_ms = self.now_ms;
        let this = &mut self.phones[phone];
        if this.life != life {
            return;
        }
        let Some(mut charging) = this.charging.take() else { return };
        let (id, began_ms) = (charging.id, charging.began_ms);
        let next = charging.next(&mut this.reader, this.generation);
        let over = at_ms - began_ms > READER_PATIENCE_MS;
        let idle = charging.told && (this.reader.stage() == Stage::Idle || charging.link_is_down);
        let (lost, gone) = (charging.link_is_down, charging.reader_is_gone);
        let sale = charging.sale;
        this.charging = Some(charging);
        match next {
            Next::Tell(event) => {
                let down = matches!(event, LinkEvent::Down { .. });
                if matches!(event, LinkEvent::WriteFailed { .. }) {
                    self.rare.count("write_failed");
                }
                self.look_for_ciphertext(phone, id, &event);
                self.link(phone, id, event);
                if down {
                    self.rare.count("reader_lost");
                    if !gone {
                        self.at(at_ms + 5 * SECOND, Happening::LinkBack { phone, life });
                    }
                }
                self.at(at_ms + if down { SECOND } else { 30 }, Happening::Value { phone, life });
            }
            Next::Card(card) => {
                let of = &self.plan.sales[sale];
                let tap = Tap {
                    at_ms,
                    phone,
                    payment: id.to_string(),
                    leading: card.leading.clone(),
                    last_four: card.last_four.clone(),
                    entry_mode: entry_mode(&card),
                    pays: card.gives_data() && card.behaviour != Behaviour::ChipCardSwiped,
                    amount_minor: of.amount_minor,
                };
                if self.oracle.was_tapped(&tap.payment) {
                    self.rare.count(if tap.entry_mode == "fallback" {
                        "chip_card_swiped"
                    } else {
                        "card_presented_again"
                    });
                }
                self.oracle.tap(tap);
                self.phones[phone].reader.present(card);
                self.at(at_ms + 30, Happening::Value { phone, life });
            }
            Next::Silence if idle || over || (gone && lost && at_ms - began_ms > 30 * SECOND) => {
                self.finish_at_reader(phone, life, id);
            }
            Next::Silence => {
                if !lost {
                    self.phones[phone].reader.advance_ms(1_000);
                    self.link(phone, id, LinkEvent::Tick);
                }
                self.at(at_ms + SECOND, Happening::Value { phone, life });
            }
        }
    }

    /// The reader is let go; the customer waits for his answer, or goes.
    fn finish_at_reader(&mut self, phone: usize, life: u64, id: PaymentId) {
        let this = &mut self.phones[phone];
        let generation = this.generation;
        this.reader.link_down();
        this.reader.take_card_away();
        let Some(charging) = this.charging.as_ref() else { return };
        let (told, sale, down) = (charging.told, charging.sale, charging.link_is_down);
        for failure in this.reader.forget_failures() {
            self.rare.count(rare::of_reader(failure));
        }
        if !down {
            self.link(phone, id, LinkEvent::Down { generation });
        }
        self.phones[phone].charging = None;
        let wait_ms = if told { SECOND } else { self.plan.sales[sale].patience_ms };
        self.at(self.now_ms + wait_ms, Happening::Goes { phone, life, payment: id });
    }

    pub(super) fn customer_goes(&mut self, phone: usize, life: u64, payment: PaymentId) {
        if self.phones[phone].life == life {
            self.command(phone, Purpose::Outcome(payment), Command::Outcome { payment });
            self.command(phone, Purpose::Other, Command::Leave { payment });
        }
    }

    pub(super) fn cancel(&mut self, phone: usize, payment: PaymentId) {
        if self.phones[phone].engine.is_some() {
            self.see(phone, Seen::CancelAsked { payment: payment.to_string() });
        }
        self.command(phone, Purpose::Cancel(payment), Command::Cancel { payment, operator: Some("王".to_owned()) });
    }

    /// Whoever stood at the reader when the phone died tries again.
    pub(super) fn take_up_sale_again(&mut self, phone: usize) {
        if let Some(sale) = self.phones[phone].charging.as_ref().map(|charging| charging.sale) {
            self.at(self.now_ms + 4 * MINUTE, Happening::Customer { sale, again: true });
        }
    }

    /// What the reader gives out of a card must not be found on the phone afterwards.
    fn look_for_ciphertext(&mut self, phone: usize, id: PaymentId, event: &LinkEvent) {
        let gave = self.phones[phone].charging.as_ref().is_some_and(|charging| charging.gave_card_data);
        if let LinkEvent::Bytes { value, .. } = event
            && gave
            && value.len() >= 100
        {
            let middle = value.len() / 2;
            self.oracle.ciphertext(phone, &id.to_string(), &value[middle - 12..middle + 12]);
        }
    }

    /// The merchant looks at his phone, and asks for a contact.
    pub(super) fn look(&mut self, phone: usize) {
        let number = self.looks;
        self.looks += 1;
        let mut stream = Stream::new(self.plan.seed, &format!("look {number}"));
        if self.phones[phone].engine.is_some() && self.phones[phone].activated {
            self.command(phone, Purpose::Sync, Command::Sync { budget_ms: 30_000 + stream.below(90_000) });
            self.glance(phone, true);
        } else if self.phones[phone].engine.is_some() {
            let code = self.phones[phone].code.clone();
            self.command(phone, Purpose::Activate, Command::Activate { code });
        }
        let pause_ms = if self.healed { 25 * HOUR } else { stream.between(15, 60) * MINUTE };
        self.at(self.now_ms + pause_ms, Happening::Looks { phone });
    }

    /// Everything the screens show now. `all`: with the history of each payment.
    pub(super) fn glance(&mut self, phone: usize, all: bool) {
        if self.phones[phone].engine.is_none() {
            return;
        }
        self.command(phone, Purpose::Status, Command::Status);
        if let Err(error) = self.read_lists(phone, all) {
            self.phones[phone].reading = None;
            self.trouble(phone, &error);
        }
        if self.phones[phone].engine.is_some() {
            self.judge_rows(phone);
        }
        if self.phones[phone].disk.is_dead() {
            self.die(phone);
        }
    }

    fn read_lists(&mut self, phone: usize, all: bool) -> Result<(), TillError> {
        let now = self.phones[phone].now(self.now_ms);
        let reading = self.phones[phone].reading()?;
        let mut query = PaymentQuery { limit: Some(200), ..PaymentQuery::default() };
        let mut payments = Vec::new();
        loop {
            let page = reading.payments(&query, now)?;
            for payment in page.payments {
                let timeline = match PaymentId::parse(&payment.payment_id) {
                    Ok(id) if all => reading.payment(id, now)?.timeline,
                    _ => Vec::new(),
                };
                payments.push(PaymentDetail { payment, timeline });
            }
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        let mut payouts = Vec::new();
        for payout in reading.payouts(&PayoutQuery { limit: Some(200), ..PayoutQuery::default() }, now)?.payouts {
            payouts.push(reading.payout(&payout.payout_id, now)?);
        }
        let takings = match (chrono::NaiveDate::from_ymd_opt(2025, 1, 1), chrono::NaiveDate::from_ymd_opt(2028, 1, 1)) {
            (Some(from), Some(to)) => reading.takings(from, to, now)?,
            _ => Vec::new(),
        };
        let alerts = reading.alerts(200)?;
        self.see(phone, Seen::Payments(payments));
        self.see(phone, Seen::Payouts(payouts));
        self.see(phone, Seen::Takings(takings));
        self.alerts(phone, alerts);
        Ok(())
    }

    /// The merchant hears alerts, and mostly says so.
    fn alerts(&mut self, phone: usize, alerts: Vec<takings_till::views::AlertView>) {
        for alert in &alerts {
            match alert.alert_kind.as_str() {
                kind if kind.contains("overdue") => self.rare.count("overdue_told"),
                kind if kind.contains("parked") => self.rare.count("parked"),
                _ => {}
            }
        }
        self.trace.bytes("alerts", format!("{alerts:?}").as_bytes());
        let last = alerts.last().map(|alert| alert.alert);
        self.see(phone, Seen::Alerts(alerts));
        let mut stream = Stream::new(self.plan.seed, &format!("hears {phone} {}", self.looks));
        if let Some(upto) = last.filter(|_| stream.below(3) > 0) {
            self.command(phone, Purpose::Acknowledge(upto), Command::Acknowledge { upto });
        }
    }
}
