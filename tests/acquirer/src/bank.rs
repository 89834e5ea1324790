//! The merchant's bank: it credits, is late, refuses or gives back, and keeps a book of its own.

use serde_json::{Value, json};

use crate::book::{Arrival, BankLine, BankPlan, Evidence, Payout, PayoutStatus};
use crate::instant::{at, local_date};
use crate::jobs::{Job, bank_time, payout_step_ms, payout_time, return_time};
use crate::sandbox::Sandbox;

impl Sandbox {
    /// The bank's turn: by plan, else it credits and says so.
    pub(crate) fn bank_acts(&mut self, payout_id: &str) {
        let Some(payout) = self.book.payouts.get(payout_id) else { return };
        match payout.plan.clone() {
            None | Some(BankPlan::Unconfirmed | BankPlan::Return { before_arrival: false, .. }) => {
                self.credit(payout_id)
            }
            Some(BankPlan::Late { days }) => self.plan_credit(payout_id, days),
            Some(BankPlan::Never) => {}
            Some(BankPlan::Return { .. }) => self.give_back(payout_id),
            Some(BankPlan::Reject { reason, reissue }) => self.reject(payout_id, &reason, reissue),
        }
    }

    fn plan_credit(&mut self, payout_id: &str, days: u32) {
        let day = self.calendar.after(local_date(self.now_ms), days);
        self.jobs.plan(at(day, bank_time()).max(self.now_ms), Job::Credit(payout_id.to_owned()));
    }

    fn book_line(&mut self, payout: &Payout, direction: &'static str) -> String {
        let line = self.book.bank_lines.len() + 1;
        let bank_reference = format!("BK{:010}", line);
        self.book.bank_lines.push(BankLine {
            line,
            at_ms: self.now_ms,
            booked_on: local_date(self.now_ms),
            merchant_id: payout.merchant_id.clone(),
            direction,
            amount_minor: payout.net_minor,
            currency: payout.currency.clone(),
            reference: payout.end_to_end_id.clone(),
            bank_reference: bank_reference.clone(),
            payout_id: payout.payout_id.clone(),
        });
        bank_reference
    }

    /// Credits the merchant's account; the acquirer marks the payout arrived.
    pub(crate) fn credit(&mut self, payout_id: &str) {
        let Some(mut payout) = self.book.payouts.get(payout_id).cloned() else { return };
        if payout.status != PayoutStatus::Sent {
            return;
        }
        payout.bank_reference = Some(self.book_line(&payout, "credit"));
        payout.status = PayoutStatus::Arrived;
        payout.arrived_at_ms = Some(self.now_ms);
        payout.evidence = match payout.plan {
            Some(BankPlan::Unconfirmed) => Evidence::Acquirer,
            _ => Evidence::BankNotification,
        };
        let returns = match payout.plan {
            Some(BankPlan::Return { days, .. }) => Some(days),
            _ => None,
        };
        self.settle(payout, "payout.arrived", Arrival::Arrived, None);
        if let Some(days) = returns {
            let day = self.calendar.after(local_date(self.now_ms), days);
            self.jobs.plan(at(day, return_time()).max(self.now_ms), Job::Return(payout_id.to_owned()));
        }
    }

    /// Gives the money back to the acquirer: a debit if it had been credited.
    pub(crate) fn give_back(&mut self, payout_id: &str) {
        let Some(mut payout) = self.book.payouts.get(payout_id).cloned() else { return };
        let Some(BankPlan::Return { reason, reissue, .. }) = payout.plan.clone() else { return };
        match payout.status {
            PayoutStatus::Arrived => {
                self.book_line(&payout, "debit");
            }
            PayoutStatus::Sent => {}
            _ => return,
        }
        payout.status = PayoutStatus::Returned;
        payout.returned_at_ms = Some(self.now_ms);
        payout.failure = Some((reason, self.now_ms));
        payout.evidence = Evidence::None;
        let acts = if reissue { "acquirer" } else { "merchant" };
        self.settle(payout, "payout.returned", Arrival::Returned, Some(("returned_by_bank", acts)));
        self.plan_reissue(payout_id, reissue);
    }

    fn reject(&mut self, payout_id: &str, reason: &str, reissue: bool) {
        let Some(mut payout) = self.book.payouts.get(payout_id).cloned() else { return };
        if payout.status != PayoutStatus::Sent {
            return;
        }
        payout.status = PayoutStatus::Failed;
        payout.failure = Some((reason.to_owned(), self.now_ms));
        let acts = if reissue { "acquirer" } else { "merchant" };
        self.settle(payout, "payout.failed", Arrival::Failed, Some(("account_invalid", acts)));
        self.plan_reissue(payout_id, reissue);
    }

    fn plan_reissue(&mut self, payout_id: &str, reissue: bool) {
        if reissue {
            let day = self.calendar.after(local_date(self.now_ms), 1);
            self.jobs.plan(at(day, payout_time()), Job::Reissue(payout_id.to_owned()));
        }
    }

    /// An administrator's action on a payout that exists.
    pub(crate) fn bank_action(&mut self, payout_id: &str, plan: BankPlan) -> Result<(), String> {
        let Some(payout) = self.book.payouts.get_mut(payout_id) else { return Err("no such payout".to_owned()) };
        let status = payout.status;
        let bank_was_asked = payout.sent_at_ms.is_some_and(|sent| sent + payout_step_ms(sent) <= self.now_ms);
        match (status, &plan) {
            (PayoutStatus::Created | PayoutStatus::Sent, _) => payout.plan = Some(plan.clone()),
            (PayoutStatus::Arrived, BankPlan::Return { before_arrival: false, .. }) => payout.plan = Some(plan.clone()),
            _ => return Err("this payout is past that".to_owned()),
        }
        match (status, plan) {
            (PayoutStatus::Arrived, BankPlan::Return { days: 0, .. }) => self.give_back(payout_id),
            (PayoutStatus::Arrived, BankPlan::Return { days, .. }) => {
                let day = self.calendar.after(local_date(self.now_ms), days);
                self.jobs.plan(at(day, return_time()).max(self.now_ms), Job::Return(payout_id.to_owned()));
            }
            // The bank had kept it without an answer: now it acts.
            _ if bank_was_asked => self.bank_acts(payout_id),
            _ => {}
        }
        Ok(())
    }

    /// The bank's book: lines, and balances by merchant and currency.
    pub(crate) fn bank_book(&self) -> Value {
        let mut balances: std::collections::BTreeMap<String, i64> = std::collections::BTreeMap::new();
        for line in &self.book.bank_lines {
            let signed = if line.direction == "credit" { line.amount_minor } else { -line.amount_minor };
            *balances.entry(format!("{} {}", line.merchant_id, line.currency)).or_default() += signed;
        }
        json!({"lines": self.book.bank_lines, "balances_minor": balances})
    }
}
