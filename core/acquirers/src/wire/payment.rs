//! Payments, batches, inquiries and reversals as answers write them.

use serde::Deserialize;
use serde_json::value::RawValue;
use takings_domain::event::ReversalOutcome;
use takings_domain::{Arrival, Authorization, Clearing, Evidence, Money, PaymentId, PayoutId, ReversalId};

use super::value::{Date, Id, Instant, List, MoneyIn, Name, Prose, Text, Version, text, worded};
use crate::message::Unverified;
use crate::report::{
    Chargeback, ExpectedReport, PaymentEntry, PaymentReport, PaymentsPage, Refund, ReversalReport, SaleReport, Wording,
};

#[derive(Deserialize)]
pub(crate) struct WirePayment {
    payment_id: Id,
    terminal_id: Name,
    kind: Option<Name>,
    amount: MoneyIn,
    batch_number: Option<Text<6>>,
    stan: Option<Text<6>>,
    captured_at: Option<Instant>,
    captured_on: Option<Date>,
    order_reference: Option<Text<256>>,
    version: Version,
    authorization: Name,
    clearing: Name,
    arrival: Name,
    evidence: Name,
    response_code: Option<Text<8>>,
    response_text: Option<WireWording>,
    rrn: Option<Text<12>>,
    auth_code: Option<Text<6>>,
    approved_amount: Option<MoneyIn>,
    acquirer_payment_id: Name,
    received_at: Instant,
    accepted_at: Option<Instant>,
    updated_at: Instant,
    reason: Option<Name>,
    source: Option<Name>,
    acts: Option<Name>,
    payout_id: Option<Name>,
    entry: Option<WireEntry>,
    withheld: Option<MoneyIn>,
    released: Option<MoneyIn>,
    fee_estimate: Option<WireRange>,
    expected_arrival: Option<WireExpected>,
    refunds: List<WireRefund, 100>,
    chargebacks: List<WireChargeback, 100>,
}

#[derive(Deserialize, Default)]
pub(crate) struct WireWording {
    zh: Option<Prose>,
    en: Option<Prose>,
}

impl From<WireWording> for Wording {
    fn from(wire: WireWording) -> Self {
        Self { zh: text(wire.zh), en: text(wire.en) }
    }
}

#[derive(Deserialize)]
struct WireEntry {
    gross: MoneyIn,
    fee: MoneyIn,
    net: MoneyIn,
}

#[derive(Deserialize)]
struct WireRange {
    min: MoneyIn,
    max: MoneyIn,
}

#[derive(Deserialize)]
struct WireExpected {
    date: Date,
    earliest: Date,
    latest: Date,
    basis: Text<40>,
    provisional: bool,
}

#[derive(Deserialize)]
struct WireRefund {
    id: Name,
    version: Version,
    state: Name,
}

#[derive(Deserialize)]
struct WireChargeback {
    id: Name,
    version: Version,
    state: Name,
    amount: MoneyIn,
}

/// The acquirer's id of a payout.
pub(crate) fn payout_id(name: Name) -> Result<PayoutId, Unverified> {
    PayoutId::new(name.0).map_err(|_| Unverified::malformed("a payout's id"))
}

/// Refuses money in another currency than the object's own.
fn same_currency(amount: Money, others: &[Option<MoneyIn>]) -> Result<(), Unverified> {
    let same = others.iter().flatten().all(|other| other.0.currency() == amount.currency());
    if same { Ok(()) } else { Err(Unverified::Mismatch { field: "currency" }) }
}

impl WirePayment {
    fn check_money(&self) -> Result<(), Unverified> {
        let amount = self.amount.0;
        if amount.amount_minor() <= 0 {
            return Err(Unverified::malformed("an amount that is not positive"));
        }
        let entry = self.entry.as_ref();
        let estimate = self.fee_estimate.as_ref();
        same_currency(
            amount,
            &[
                self.approved_amount,
                self.withheld,
                self.released,
                entry.map(|entry| entry.gross),
                entry.map(|entry| entry.fee),
                entry.map(|entry| entry.net),
                estimate.map(|range| range.min),
                estimate.map(|range| range.max),
            ],
        )?;
        let sound = |approved: MoneyIn| (0..=amount.amount_minor()).contains(&approved.0.amount_minor());
        if self.approved_amount.is_some_and(|approved| !sound(approved)) {
            return Err(Unverified::Mismatch { field: "approved_amount" });
        }
        Ok(())
    }

    /// The sale, for a till that does not know it: what one knows it never takes from here.
    fn sale(&self) -> Option<SaleReport> {
        Some(SaleReport {
            kind: self.kind.as_ref()?.0.clone(),
            batch_number: self.batch_number.as_ref()?.0.clone(),
            stan: self.stan.as_ref()?.0.parse().ok()?,
            captured_at_ms: self.captured_at.as_ref()?.0,
            captured_on: self.captured_on.as_ref()?.0,
            order_reference: self.order_reference.as_ref().map(|text| text.0.clone()),
        })
    }

    /// The report, if it is about this payment and, where known, for this amount.
    pub(crate) fn into_report(
        self,
        asked: Option<PaymentId>,
        asked_amount: Option<Money>,
    ) -> Result<PaymentReport, Unverified> {
        if asked.is_some_and(|asked| asked != self.payment_id.0) {
            return Err(Unverified::Mismatch { field: "payment_id" });
        }
        if asked_amount.is_some_and(|asked| asked.currency() != self.amount.0.currency()) {
            return Err(Unverified::Mismatch { field: "currency" });
        }
        if asked_amount.is_some_and(|asked| asked != self.amount.0) {
            return Err(Unverified::Mismatch { field: "amount" });
        }
        self.check_money()?;
        let sale = self.sale();
        let refunds = self.refunds.0.into_iter();
        let chargebacks = self.chargebacks.0.into_iter();
        Ok(PaymentReport {
            sale,
            payment_id: self.payment_id.0,
            terminal_id: self.terminal_id.0,
            amount: self.amount.0,
            version: self.version.0,
            authorization: worded(self.authorization, Authorization::from_word, Authorization::Processing),
            clearing: worded(self.clearing, Clearing::from_word, Clearing::None),
            arrival: worded(self.arrival, Arrival::from_word, Arrival::Unknown),
            evidence: worded(self.evidence, acquirers_evidence, Evidence::None),
            response_code: text(self.response_code),
            response_text: self.response_text.unwrap_or_default().into(),
            rrn: text(self.rrn),
            auth_code: text(self.auth_code),
            approved_amount: self.approved_amount.map(|money| money.0),
            acquirer_payment_id: self.acquirer_payment_id.0,
            received_at_ms: self.received_at.0,
            accepted_at_ms: self.accepted_at.map(|at| at.0),
            updated_at_ms: self.updated_at.0,
            reason: text(self.reason),
            source: text(self.source),
            acts: text(self.acts),
            payout_id: self.payout_id.map(payout_id).transpose()?,
            entry: self.entry.map(|line| PaymentEntry { gross: line.gross.0, fee: line.fee.0, net: line.net.0 }),
            withheld: self.withheld.map(|money| money.0),
            released: self.released.map(|money| money.0),
            fee_estimate: self.fee_estimate.map(|range| (range.min.0, range.max.0)),
            expected: self.expected_arrival.map(expected),
            refunds: refunds
                .map(|refund| Refund { id: refund.id.0, version: refund.version.0, state: refund.state.0 })
                .collect(),
            chargebacks: chargebacks.map(chargeback).collect(),
        })
    }
}

/// What an acquirer may say of the evidence: the merchant's own word is not its to give.
pub(crate) fn acquirers_evidence(word: &str) -> Option<Evidence> {
    Evidence::from_word(word).filter(|evidence| *evidence != Evidence::Merchant)
}

fn expected(wire: WireExpected) -> ExpectedReport {
    ExpectedReport {
        date: wire.date.0,
        earliest: wire.earliest.0,
        latest: wire.latest.0,
        basis: wire.basis.0,
        provisional: wire.provisional,
    }
}

fn chargeback(wire: WireChargeback) -> Chargeback {
    Chargeback { id: wire.id.0, version: wire.version.0, state: wire.state.0, amount: wire.amount.0 }
}

#[derive(Deserialize)]
pub(crate) struct WirePaymentPage {
    data: List<WirePayment, 200>,
    next_cursor: Option<Text<256>>,
    as_of: Instant,
}

impl WirePaymentPage {
    pub(crate) fn into_page(self) -> Result<PaymentsPage, Unverified> {
        let payments = self.data.0.into_iter().map(|payment| payment.into_report(None, None));
        Ok(PaymentsPage {
            payments: payments.collect::<Result<_, _>>()?,
            next_cursor: text(self.next_cursor),
            as_of_ms: self.as_of.0,
        })
    }
}

/// Items stay unread until each is judged for itself: one bad item spoils no other.
#[derive(Deserialize)]
pub(crate) struct WireBatch {
    pub(crate) batch_id: Text<36>,
    pub(crate) results: Vec<WireItem>,
}

#[derive(Deserialize)]
pub(crate) struct WireItem {
    pub(crate) payment_id: Id,
    pub(crate) http_status: u16,
    pub(crate) payment: Option<Box<RawValue>>,
    pub(crate) problem: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
pub(crate) struct WireInquiry {
    pub(crate) request_id: Text<36>,
    pub(crate) results: Vec<WireLookup>,
}

#[derive(Deserialize)]
pub(crate) struct WireLookup {
    #[serde(rename = "ref")]
    pub(crate) reference: Name,
    pub(crate) outcome: Name,
    pub(crate) payment: Option<Box<RawValue>>,
    pub(crate) as_of: Option<Instant>,
    #[serde(rename = "final")]
    pub(crate) is_final: Option<bool>,
    pub(crate) candidates: Option<List<Id, 20>>,
}

#[derive(Deserialize)]
pub(crate) struct WireReversal {
    reversal_id: Text<36>,
    payment_id: Id,
    amount: MoneyIn,
    outcome: Name,
    response_code: Option<Text<8>>,
    processed_at: Instant,
    payment: Option<WirePayment>,
}

impl WireReversal {
    pub(crate) fn into_report(self, payment: PaymentId, amount: Money) -> Result<ReversalReport, Unverified> {
        let reversal_id = ReversalId::of(payment);
        if self.reversal_id.0 != reversal_id.to_string() {
            return Err(Unverified::Mismatch { field: "reversal_id" });
        }
        if self.payment_id.0 != payment {
            return Err(Unverified::Mismatch { field: "payment_id" });
        }
        if self.amount.0 != amount {
            return Err(Unverified::Mismatch { field: "amount" });
        }
        let report = self.payment.map(|wire| wire.into_report(Some(payment), Some(amount))).transpose()?;
        let outcome = ReversalOutcome::from_word(&self.outcome.0);
        #[cfg(feature = "planted")]
        let outcome = outcome.map(|word| match word {
            ReversalOutcome::AlreadyCleared if takings_domain::planted::is("too_late_reversal_as_done") => {
                ReversalOutcome::Reversed
            }
            word => word,
        });
        Ok(ReversalReport {
            reversal_id,
            payment_id: payment,
            outcome,
            outcome_raw: self.outcome.0,
            response_code: text(self.response_code),
            processed_at_ms: self.processed_at.0,
            payment: report.map(Box::new),
        })
    }
}
