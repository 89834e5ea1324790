//! Payouts and their entries as answers write them.

use serde::Deserialize;
use takings_domain::{Direction, EntryType, Evidence, Money, PayoutId, PayoutStatus};

use super::payment::{WireWording, acquirers_evidence, payout_id};
use super::value::{Date, Id, Instant, List, MoneyIn, Name, Prose, Text, Version, text, worded};
use crate::message::Unverified;
use crate::report::{AccountReport, EntryReport, PayoutEntriesPage, PayoutFailure, PayoutReport, PayoutsPage};

#[derive(Deserialize)]
pub(crate) struct WirePayout {
    payout_id: Name,
    version: Version,
    #[serde(rename = "type")]
    payout_type: Name,
    direction: Name,
    status: Name,
    method: Option<Name>,
    gross: MoneyIn,
    fee: MoneyIn,
    tax: MoneyIn,
    adjustments: MoneyIn,
    withheld: MoneyIn,
    net: MoneyIn,
    entry_count: u32,
    business_date: Date,
    created_at: Instant,
    updated_at: Instant,
    sent_at: Option<Instant>,
    expected_arrival_date: Option<Date>,
    arrived_at: Option<Instant>,
    bank_reference: Option<Text<64>>,
    end_to_end_id: Text<35>,
    statement_text: Option<Text<560>>,
    account: Option<WireAccount>,
    failure: Option<WireFailure>,
    returned_at: Option<Instant>,
    reissue_of: Option<Name>,
    reissued_by: Option<Name>,
    netted_into: Option<Name>,
    evidence: Name,
}

#[derive(Deserialize)]
pub(crate) struct WireAccount {
    masked: Text<160>,
    bank_name: Option<Text<400>>,
    holder_masked: Option<Text<400>>,
    class: Option<Name>,
    verified: Option<bool>,
}

impl From<WireAccount> for AccountReport {
    fn from(wire: WireAccount) -> Self {
        Self {
            masked: wire.masked.0,
            bank_name: text(wire.bank_name),
            holder_masked: text(wire.holder_masked),
            class: text(wire.class),
            verified: wire.verified,
        }
    }
}

#[derive(Deserialize)]
struct WireFailure {
    code: Name,
    text: Option<WireWording>,
    at: Instant,
}

/// Refuses sums in several currencies.
fn one_currency(sums: &[Money]) -> Result<(), Unverified> {
    let same = sums.windows(2).all(|pair| pair[0].currency() == pair[1].currency());
    if same { Ok(()) } else { Err(Unverified::Mismatch { field: "currency" }) }
}

impl WirePayout {
    /// The report, if it is about this payout.
    pub(crate) fn into_report(self, asked: Option<&PayoutId>) -> Result<PayoutReport, Unverified> {
        let id = payout_id(self.payout_id)?;
        if asked.is_some_and(|asked| *asked != id) {
            return Err(Unverified::Mismatch { field: "payout_id" });
        }
        let (gross, fee, tax) = (self.gross.0, self.fee.0, self.tax.0);
        let (adjustments, withheld, net) = (self.adjustments.0, self.withheld.0, self.net.0);
        one_currency(&[gross, fee, tax, adjustments, withheld, net])?;
        let failure = self.failure.map(|failure| PayoutFailure {
            code: failure.code.0,
            text: failure.text.unwrap_or_default().into(),
            at_ms: failure.at.0,
        });
        Ok(PayoutReport {
            payout_id: id,
            version: self.version.0,
            payout_type: self.payout_type.0,
            direction: worded(self.direction, Direction::from_word, Direction::Credit),
            status: worded(self.status, PayoutStatus::from_word, PayoutStatus::Created),
            method: text(self.method),
            gross,
            fee,
            tax,
            adjustments,
            withheld,
            net,
            entry_count: self.entry_count,
            business_date: self.business_date.0,
            created_at_ms: self.created_at.0,
            updated_at_ms: self.updated_at.0,
            sent_at_ms: self.sent_at.map(|at| at.0),
            expected_arrival_date: self.expected_arrival_date.map(|date| date.0),
            arrived_at_ms: self.arrived_at.map(|at| at.0),
            bank_reference: text(self.bank_reference),
            end_to_end_id: self.end_to_end_id.0,
            statement_text: text(self.statement_text),
            account: self.account.map(AccountReport::from),
            failure,
            returned_at_ms: self.returned_at.map(|at| at.0),
            reissue_of: self.reissue_of.map(payout_id).transpose()?,
            reissued_by: self.reissued_by.map(payout_id).transpose()?,
            netted_into: self.netted_into.map(payout_id).transpose()?,
            evidence: worded(self.evidence, acquirers_evidence, Evidence::None),
        })
    }
}

#[derive(Deserialize)]
pub(crate) struct WirePayoutPage {
    data: List<WirePayout, 200>,
    next_cursor: Option<Text<256>>,
    as_of: Instant,
}

impl WirePayoutPage {
    pub(crate) fn into_page(self) -> Result<PayoutsPage, Unverified> {
        let payouts = self.data.0.into_iter().map(|payout| payout.into_report(None));
        Ok(PayoutsPage {
            payouts: payouts.collect::<Result<_, _>>()?,
            next_cursor: text(self.next_cursor),
            as_of_ms: self.as_of.0,
        })
    }
}

#[derive(Deserialize)]
pub(crate) struct WireEntryPage {
    payout_id: Name,
    version: Version,
    data: List<WireEntry, 200>,
    next_cursor: Option<Text<256>>,
    as_of: Instant,
}

#[derive(Deserialize)]
struct WireEntry {
    entry_id: Name,
    payout_id: Name,
    #[serde(rename = "type")]
    entry_type: Name,
    kind: Option<Name>,
    payment_id: Option<Id>,
    rrn: Option<Text<12>>,
    captured_on: Option<Date>,
    gross: MoneyIn,
    fee: MoneyIn,
    net: MoneyIn,
    note: Option<Prose>,
}

impl WireEntryPage {
    /// The page, if it is about this payout.
    pub(crate) fn into_page(self, asked: &PayoutId) -> Result<PayoutEntriesPage, Unverified> {
        let of_asked = |id: &Name| id.0 == asked.as_str();
        if !of_asked(&self.payout_id) || !self.data.0.iter().all(|entry| of_asked(&entry.payout_id)) {
            return Err(Unverified::Mismatch { field: "payout_id" });
        }
        let sums: Vec<Money> = self.data.0.iter().flat_map(|entry| [entry.gross.0, entry.fee.0, entry.net.0]).collect();
        one_currency(&sums)?;
        Ok(PayoutEntriesPage {
            payout_id: asked.clone(),
            version: self.version.0,
            entries: self.data.0.into_iter().map(entry).collect(),
            next_cursor: text(self.next_cursor),
            as_of_ms: self.as_of.0,
        })
    }
}

fn entry(wire: WireEntry) -> EntryReport {
    EntryReport {
        entry_id: wire.entry_id.0,
        entry_type: worded(wire.entry_type, EntryType::from_word, EntryType::Adjustment),
        kind: text(wire.kind),
        payment_id: wire.payment_id.map(|id| id.0),
        rrn: text(wire.rrn),
        captured_on: wire.captured_on.map(|date| date.0),
        gross: wire.gross.0,
        fee: wire.fee.0,
        net: wire.net.0,
        note: text(wire.note),
    }
}
