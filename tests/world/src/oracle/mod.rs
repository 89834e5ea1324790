//! The judge of a day. It knows the customers' cards, the acquirer's and the bank's books, what the screens showed and
//! what the files hold; never what the core thinks, and it calls nothing of the core's.
//!
//! * `facts`: what was heard; `book`: the books; `verdict`: what was found broken.
//! * `p1_kept` … `p12_opens`: one file for each promise. What the books decide is judged at the end, for every moment
//!   at which a screen said something; what a screen says against itself or against earlier words, at once.

mod book;
mod facts;
mod p10_drains;
mod p11_adds_up;
mod p12_opens;
mod p1_kept;
mod p2_once;
mod p3_honest;
mod p4_balanced;
mod p5_append_only;
mod p6_evidence;
mod p7_heard;
mod p7_told_once;
mod p8_no_card_data;
mod p9_bounded;
#[cfg(test)]
mod tests;
mod time;
mod verdict;

use serde_json::Value;
use takings_till::ChargeOutcome;
use takings_till::views::{PaymentDetail, PayoutDetail, StatusView, TakingsLine};

use crate::record::{Deed, RawEvent, Seen, Tap, Violation};
use book::Book;
use facts::{Begun, Facts, Look};
use verdict::{At, Verdict};

/// Files of a phone, as raw bytes with their names, and when they were read.
type Files = (At, Vec<(String, Vec<u8>)>);

/// Hears a day and names every promise that was broken.
#[derive(Debug)]
pub struct Oracle {
    facts: Facts,
    verdict: Verdict,
    files: Vec<Files>,
}

impl Oracle {
    /// A judge of so many phones; `merchant_of` says which merchant each belongs to.
    #[must_use]
    pub fn new(phones: usize, merchant_of: Vec<usize>) -> Self {
        Self { facts: Facts::new(phones, merchant_of), verdict: Verdict::default(), files: Vec::new() }
    }

    /// The phone was activated as this terminal. Another one than before means a new ledger.
    pub fn terminal(&mut self, phone: usize, terminal_id: &str) {
        self.facts.terminal(phone, terminal_id);
    }

    /// Whether a card was held to a reader for this payment.
    #[must_use]
    pub fn was_tapped(&self, payment: &str) -> bool {
        !self.facts.taps_of(payment).is_empty()
    }

    /// A card is held to a reader.
    pub fn tap(&mut self, tap: Tap) {
        self.facts.taps.entry(tap.payment.clone()).or_default().push(tap);
    }

    /// Something was done to a phone, or to the world. A policy is told with its publication, the first one too.
    pub fn deed(&mut self, at_ms: i64, phone: Option<usize>, deed: Deed) {
        if let (Deed::SecondProcess { let_in }, Some(phone)) = (&deed, phone) {
            p12_opens::second_process(At { ms: at_ms, phone }, *let_in, &mut self.verdict);
        }
        self.facts.deed(at_ms, phone, deed);
    }

    /// A screen showed something.
    pub fn see(&mut self, at_ms: i64, phone: usize, seen: Seen) {
        let at = At { ms: at_ms, phone };
        match seen {
            Seen::Begun { payment, amount_minor, order, .. } => {
                self.begun(at, payment, Begun { at_ms, amount_minor, order });
            }
            Seen::Outcome { payment, outcome } => self.outcome(at, &payment, outcome),
            Seen::CancelAsked { payment } => {
                if let Some(known) = self.facts.phones.get_mut(phone) {
                    known.sale(&payment).cancel_asked = true;
                }
            }
            Seen::Cancelled { payment } => {
                if let Some(known) = self.facts.phones.get_mut(phone) {
                    known.sale(&payment).cancelled_ms.get_or_insert(at_ms);
                }
            }
            Seen::Payments(list) => self.payments(at, list),
            Seen::Payouts(list) => self.payouts(at, list),
            Seen::Takings(sums) => self.takings(at, sums),
            Seen::Status(status) => self.status(at, *status),
            other => self.other(at, other),
        }
    }

    /// What concerns one judge alone.
    fn other(&mut self, at: At, seen: Seen) {
        let Some(phone) = self.facts.phones.get_mut(at.phone) else { return };
        let verdict = &mut self.verdict;
        match seen {
            Seen::Refused { error } => {
                phone.refusals += 1;
                p12_opens::refused(phone, at, &error, verdict);
            }
            Seen::Alerts(alerts) => p7_told_once::shown(phone, at, &alerts, verdict),
            Seen::Acknowledged { upto } => phone.acknowledged = phone.acknowledged.max(upto),
            Seen::Synced(report) => phone.synced.push((at.ms, report.ended)),
            Seen::Verified(report) => {
                p5_append_only::missing(phone, at, report.missing_events, verdict);
                p5_append_only::counted(phone, at, report.events, verdict);
                p4_balanced::verified(phone, at, &report, verdict);
                phone.shown_seq = phone.shown_seq.max(report.events);
            }
            Seen::NotOpened { error, excused } => p12_opens::not_opened(at, &error, excused, verdict),
            Seen::Trouble { error, excused } => p12_opens::trouble(at, &error, excused, verdict),
            _ => {}
        }
    }

    fn begun(&mut self, at: At, payment: String, begun: Begun) {
        if let Some(other) = self.facts.begun_at.insert(payment.clone(), at.phone) {
            let what = format!("payment id {payment} was given before, at phone {other}");
            self.verdict.broken("P2", at, what);
        }
        if let Some(known) = self.facts.phones.get_mut(at.phone) {
            known.sale(&payment).begun = Some(begun);
        }
    }

    fn outcome(&mut self, at: At, payment: &str, outcome: ChargeOutcome) {
        let Some(known) = self.facts.phones.get_mut(at.phone) else { return };
        let sale = known.sale(payment);
        p3_honest::outcome(sale, at, payment, &outcome, &mut self.verdict);
        if sale.told.last().map(|(_, last)| last) != Some(&outcome) {
            sale.told.push((at.ms, outcome));
        }
    }

    fn payments(&mut self, at: At, list: Vec<PaymentDetail>) {
        let (facts, verdict) = (&mut self.facts, &mut self.verdict);
        p1_kept::list(facts, at, &list, verdict);
        p3_honest::list(facts, at, &list, verdict);
        p4_balanced::list(at, &list, verdict);
        p6_evidence::list(at, &list, verdict);
        let Some(phone) = facts.phones.get_mut(at.phone) else { return };
        p2_once::list(phone, at, &list, verdict);
        p5_append_only::list(phone, at, &list, verdict);
        let place = phone.place();
        for detail in &list {
            let sale = phone.sale(&detail.payment.payment_id);
            sale.look(at.ms, &detail.payment);
            sale.timeline.clone_from(&detail.timeline);
            sale.listed_ms = Some(at.ms);
        }
        let newest = list.iter().filter_map(|detail| detail.timeline.last()).map(|entry| entry.seq).max();
        phone.shown_seq = phone.shown_seq.max(newest.unwrap_or(0));
        // The rows may have come and gone between two looks of the judge's: the merchant knows what he sold.
        let gone = |sale: &facts::Sale| {
            (sale.begun.is_some() || sale.listed_ms.is_some()) && sale.listed_ms.is_none_or(|when| when < at.ms)
        };
        let lost = |sale: &facts::Sale| gone(sale) && phone.forgot(sale.since_ms());
        // What an earlier copy took, the witness beside the newest one does not know.
        let since_ms = phone.last_copy_but_one_ms();
        let just_now = |sale: &facts::Sale| lost(sale) && sale.listed_ms.unwrap_or(sale.since_ms()) >= since_ms;
        let (lost, just_now) = (phone.sales.values().any(lost), phone.sales.values().any(just_now));
        if lost {
            phone.history_lost_ms.get_or_insert(at.ms);
            phone.loss_is_witnessed |= just_now && phone.witness_stayed();
        }
        phone.lists.push(at.ms);
        phone.payments = Some(Look { at_ms: at.ms, place, seen: list });
        self.together(at);
    }

    fn payouts(&mut self, at: At, list: Vec<PayoutDetail>) {
        let Some(phone) = self.facts.phones.get_mut(at.phone) else { return };
        p11_adds_up::list(phone, at, &list, &mut self.verdict);
        p6_evidence::payouts(at, &list, &mut self.verdict);
        for detail in &list {
            let looks = phone.payout_looks.entry(detail.payout.payout_id.clone()).or_default();
            if looks.last().map(|(_, last)| last) != Some(detail) {
                looks.push((at.ms, detail.clone()));
            }
        }
        let place = phone.place();
        phone.payouts = Some(Look { at_ms: at.ms, place, seen: list });
    }

    fn takings(&mut self, at: At, sums: Vec<TakingsLine>) {
        let Some(phone) = self.facts.phones.get_mut(at.phone) else { return };
        let place = phone.place();
        phone.takings = Some(Look { at_ms: at.ms, place, seen: sums });
        self.together(at);
    }

    fn status(&mut self, at: At, status: StatusView) {
        if let Some(phone) = self.facts.phones.get(at.phone) {
            p9_bounded::status(&self.facts, phone, at, &status, &mut self.verdict);
        }
        let Some(phone) = self.facts.phones.get_mut(at.phone) else { return };
        p12_opens::status(phone, at, &status, &mut self.verdict);
        p5_append_only::counted(phone, at, status.last_seq, &mut self.verdict);
        p5_append_only::missing(phone, at, status.missing_events, &mut self.verdict);
        phone.shown_seq = phone.shown_seq.max(status.last_seq);
        if phone.policies.last().map(|(_, version)| version) != Some(&status.policy_version) {
            phone.policies.push((at.ms, status.policy_version.clone()));
        }
        let place = phone.place();
        phone.status = Some(Look { at_ms: at.ms, place, seen: status });
        self.together(at);
    }

    /// What was shown at one moment, one right after the other, must fit together.
    fn together(&mut self, at: At) {
        let Some(phone) = self.facts.phones.get(at.phone) else { return };
        let Some(list) = phone.payments.as_ref().filter(|list| list.at_ms == at.ms) else { return };
        let newest = phone.places;
        let near = |at_ms: i64, place: u64| at_ms == at.ms && newest.saturating_sub(place.min(list.place)) <= 3;
        if let Some(sums) = phone.takings.as_ref().filter(|sums| near(sums.at_ms, sums.place)) {
            p4_balanced::takings(at, &list.seen, &sums.seen, &mut self.verdict);
        }
        if let Some(status) = phone.status.as_ref().filter(|status| near(status.at_ms, status.place)) {
            p4_balanced::status(at, &list.seen, &status.seen, &mut self.verdict);
        }
    }

    /// The rows of a phone's ledger: all of them, or those since the last call. After an older copy was put back, and
    /// after a crash or a power cut, it must be all of them.
    pub fn rows(&mut self, at_ms: i64, phone: usize, rows: Vec<RawEvent>) {
        if let Some(known) = self.facts.phones.get_mut(phone) {
            p5_append_only::rows(known, At { ms: at_ms, phone }, rows, &mut self.verdict);
        }
    }

    /// What the reader gave out for a payment; a piece of 24 bytes is enough.
    pub fn ciphertext(&mut self, phone: usize, payment: &str, bytes: &[u8]) {
        if let Some(known) = self.facts.phones.get_mut(phone) {
            known.ciphertexts.push((payment.to_owned(), bytes.to_vec()));
        }
    }

    /// The raw bytes of every file of a phone's directory, at the end, before [`Oracle::finish`].
    pub fn files(&mut self, at_ms: i64, phone: usize, files: &[(String, Vec<u8>)]) {
        let at = At { ms: at_ms, phone };
        p8_no_card_data::numbers(&self.facts, at, files, &mut self.verdict);
        self.files.push((at, files.to_vec()));
    }

    /// What was broken so far.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        self.verdict.found()
    }

    /// The end: the acquirer's and the bank's books, after healing and some days.
    pub fn finish(&mut self, at_ms: i64, book: &Value) {
        let (facts, verdict) = (&self.facts, &mut self.verdict);
        let book = match Book::read(book) {
            Ok(book) => book,
            Err(error) => return verdict.in_book("P4", at_ms, format!("the books cannot be read: {error}")),
        };
        p1_kept::book(facts, &book, at_ms, verdict);
        p2_once::book(facts, &book, at_ms, verdict);
        p3_honest::book(facts, &book, at_ms, verdict);
        p4_balanced::book(facts, &book, at_ms, verdict);
        p6_evidence::book(facts, &book, verdict);
        p6_evidence::ends(facts, &book, at_ms, verdict);
        p7_told_once::true_facts(facts, &book, verdict);
        p7_told_once::all_told(facts, &book, at_ms, verdict);
        p7_heard::book(facts, &book, verdict);
        p9_bounded::book(facts, &book, verdict);
        p9_bounded::refusals(facts, verdict);
        p10_drains::ends(facts, at_ms, verdict);
        p10_drains::not_early(facts, verdict);
        p10_drains::well_formed(&book, at_ms, verdict);
        p11_adds_up::book(facts, &book, at_ms, verdict);
        for (at, files) in &self.files {
            p8_no_card_data::ciphertexts(facts, &book, *at, files, verdict);
        }
    }
}
