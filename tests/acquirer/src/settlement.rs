//! Cut-off, clearing and payouts.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::book::{
    Arrival, BankPlan, CaptureRecord, Clearing, Counters, Entry, Evidence, Payment, Payout, PayoutStatus,
};
use crate::instant::{local, local_date};
use crate::jobs::{Job, payout_step_ms, payout_time};
use crate::problem::Problem;
use crate::render;
use crate::reply::{Reply, Search, page};
use crate::sandbox::{Caller, Sandbox};

impl Sandbox {
    /// Ends a batch date: everything accepted for it is cleared and its payout is planned.
    pub(crate) fn cut_off(&mut self, date: NaiveDate) {
        let cleared: Vec<String> = self
            .book
            .uncleared
            .iter()
            .filter(|id| {
                self.book.payments.get(*id).and_then(|payment| payment.batch_date).is_some_and(|day| day <= date)
            })
            .cloned()
            .collect();
        let mut due_today = false;
        for id in cleared {
            self.book.uncleared.remove(&id);
            let Some(mut payment) = self.book.payments.get(&id).cloned() else { continue };
            payment.clearing = Clearing::Cleared;
            let held = payment.arrival == Arrival::Held;
            if !held {
                payment.arrival = Arrival::Scheduled;
            }
            payment.touch(self.now_ms);
            due_today |= payment.expected_date.is_some_and(|due| due <= date);
            self.book.captures.push(CaptureRecord {
                at_ms: self.now_ms,
                payment_id: id.clone(),
                amount_minor: payment.approved_minor.unwrap_or(0),
                currency: payment.currency.clone(),
                batch_date: payment.batch_date.unwrap_or(date),
            });
            self.emit_payment(if held { "payment.updated" } else { "payment.scheduled" }, &payment);
            self.book.awaiting.insert(id.clone());
            self.book.payments.insert(id, payment);
        }
        // A cycle of T+0 or D+0 cannot wait for the next morning.
        if due_today {
            self.make_payouts(date);
        }
    }

    /// Makes the payouts due on `date`, one per merchant.
    pub(crate) fn make_payouts(&mut self, date: NaiveDate) {
        let settlement_day = self.calendar.is_settlement_day(date);
        let mut due: BTreeMap<String, Vec<Payment>> = BTreeMap::new();
        for payment in self.book.awaiting.iter().filter_map(|id| self.book.payments.get(id)) {
            let ripe = payment.expected_date.is_some_and(|day| day == date || (day < date && settlement_day));
            if ripe && payment.arrival == Arrival::Scheduled {
                due.entry(payment.merchant_id.clone()).or_default().push(payment.clone());
            }
        }
        for (merchant_id, mut payments) in due {
            payments.sort_by(|one, other| {
                (one.accepted_at_ms, &one.payment_id).cmp(&(other.accepted_at_ms, &other.payment_id))
            });
            self.make_payout(&merchant_id, date, payments);
        }
    }

    fn make_payout(&mut self, merchant_id: &str, date: NaiveDate, payments: Vec<Payment>) {
        let minimum = self.terms.current().minimum_payout();
        let drafts: Vec<(i64, i64)> = payments.iter().map(|payment| self.gross_and_fee(payment)).collect();
        let mut total: i64 = drafts.iter().map(|(gross, fee)| gross + fee).sum();
        if total < minimum {
            self.carry_over(date, payments);
            return;
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(payments.len());
        for (payment, (gross, fee)) in payments.iter().zip(drafts) {
            entries.push(Entry {
                entry_id: self.next_entry_id(),
                type_: "payment",
                kind: None,
                payment_id: Some(payment.payment_id.clone()),
                rrn: Some(payment.rrn.clone()),
                captured_on: Some(payment.captured_on.clone()),
                gross_minor: gross,
                fee_minor: fee,
                net_minor: gross + fee,
                note: None,
            });
        }
        // A service fee is taken only from a payout that can bear it.
        for fee in std::mem::take(&mut self.book.waiting_fees) {
            if fee.merchant_id != merchant_id || total - fee.amount_minor < minimum.max(1) {
                self.book.waiting_fees.push(fee);
                continue;
            }
            total -= fee.amount_minor;
            entries.push(Entry {
                entry_id: self.next_entry_id(),
                type_: "service_fee",
                kind: Some(fee.kind),
                payment_id: None,
                rrn: None,
                captured_on: None,
                gross_minor: -fee.amount_minor,
                fee_minor: 0,
                net_minor: -fee.amount_minor,
                note: fee.note,
            });
        }
        let business_date = payments.iter().filter_map(|payment| payment.batch_date).max().unwrap_or(date);
        let accepted = || payments.iter().filter_map(|payment| payment.accepted_at_ms);
        let period_ms = (accepted().min().unwrap_or(self.now_ms), accepted().max().unwrap_or(self.now_ms));
        self.open_payout(merchant_id, date, business_date, period_ms, entries, None);
    }

    /// Less than the minimum: everything waits one settlement day more.
    fn carry_over(&mut self, date: NaiveDate, payments: Vec<Payment>) {
        let next = self.calendar.after(date, 1);
        for mut payment in payments {
            payment.expected_date = Some(next);
            payment.why("minimum_payout", "acquirer", "nobody");
            payment.touch(self.now_ms);
            self.emit_payment("payment.updated", &payment);
            self.book.payments.insert(payment.payment_id.clone(), payment);
        }
    }

    fn gross_and_fee(&self, payment: &Payment) -> (i64, i64) {
        let gross = payment.approved_minor.unwrap_or(0);
        (gross, -self.terms.numbered(payment.terms_number).fee(payment.funding, gross))
    }

    fn next_entry_id(&mut self) -> String {
        format!("e_{:08}", Counters::next(&mut self.book.counters.entries))
    }

    /// Creates a payout of these entries, moves its payments into it and plans its sending.
    pub(crate) fn open_payout(
        &mut self,
        merchant_id: &str,
        date: NaiveDate,
        business_date: NaiveDate,
        period_ms: (i64, i64),
        entries: Vec<Entry>,
        reissue_of: Option<&str>,
    ) -> String {
        let number = Counters::next(&mut self.book.counters.payouts);
        let day = date.format("%Y%m%d");
        let payout_id = format!("po_{day}_{number}");
        let sum = |of: fn(&Entry) -> i64, wanted: fn(&str) -> bool| -> i64 {
            entries.iter().filter(|entry| wanted(entry.type_)).map(of).sum()
        };
        let payout = Payout {
            payout_id: payout_id.clone(),
            merchant_id: merchant_id.to_owned(),
            version: 1,
            type_: if reissue_of.is_some() { "reissue" } else { "batch" },
            status: PayoutStatus::Created,
            currency: "CNY".to_owned(),
            gross_minor: sum(|entry| entry.gross_minor, |kind| kind == "payment"),
            fee_minor: sum(|entry| entry.fee_minor, |kind| kind == "payment"),
            adjustments_minor: sum(|entry| entry.net_minor, |kind| kind != "payment"),
            net_minor: sum(|entry| entry.net_minor, |_| true),
            business_date,
            payout_date: date,
            period_ms,
            created_at_ms: self.now_ms,
            updated_at_ms: self.now_ms,
            sent_at_ms: None,
            arrived_at_ms: None,
            returned_at_ms: None,
            failure: None,
            end_to_end_id: format!("TK{day}{:05}", number % 100_000),
            bank_reference: None,
            evidence: Evidence::None,
            reissue_of: reissue_of.map(str::to_owned),
            reissued_by: None,
            plan: self.take_plan(business_date, date),
            entries,
        };
        for entry in &payout.entries {
            let Some(payment) = entry.payment_id.as_ref().and_then(|id| self.book.payments.get_mut(id)) else {
                continue;
            };
            payment.payout_id = Some(payout_id.clone());
            payment.gross_minor = Some(entry.gross_minor);
            payment.fee_minor = Some(entry.fee_minor);
            payment.net_minor = Some(entry.net_minor);
            payment.expected_date = Some(date);
            self.book.awaiting.remove(&payment.payment_id);
        }
        self.move_payments(&payout, Arrival::InPayout, None);
        self.emit_payout("payout.created", &payout);
        self.jobs.plan(self.now_ms + payout_step_ms(self.now_ms), Job::Send(payout_id.clone()));
        self.book.payouts.insert(payout_id.clone(), payout);
        payout_id
    }

    /// The first waiting bank action that fits a new payout.
    fn take_plan(&mut self, business_date: NaiveDate, payout_date: NaiveDate) -> Option<BankPlan> {
        let fits = |plan: &crate::book::WaitingPlan| {
            plan.business_date.is_none_or(|day| day == business_date)
                && plan.payout_date.is_none_or(|day| day == payout_date)
        };
        let index = self.book.waiting_plans.iter().position(fits)?;
        Some(self.book.waiting_plans.remove(index).plan)
    }

    /// Moves every payment of a payout with it, in silence: the payout's own event tells it.
    pub(crate) fn move_payments(&mut self, payout: &Payout, arrival: Arrival, why: Option<(&str, &'static str)>) {
        for entry in &payout.entries {
            let Some(payment) = entry.payment_id.as_ref().and_then(|id| self.book.payments.get_mut(id)) else {
                continue;
            };
            payment.arrival = arrival;
            payment.evidence = payout.evidence;
            match why {
                Some((reason, acts)) => payment.why(reason, "beneficiary_bank", acts),
                None => payment.no_reason(),
            }
            payment.touch(self.now_ms);
        }
    }

    /// Gives a payout to the bank.
    pub(crate) fn send_payout(&mut self, payout_id: &str) {
        let Some(mut payout) = self.book.payouts.get(payout_id).cloned() else { return };
        if payout.status != PayoutStatus::Created {
            return;
        }
        payout.status = PayoutStatus::Sent;
        payout.sent_at_ms = Some(self.now_ms);
        self.settle(payout, "payout.sent", Arrival::Sent, None);
        self.jobs.plan(self.now_ms + payout_step_ms(self.now_ms), Job::Bank(payout_id.to_owned()));
    }

    /// Records a payout's next version, moves its payments and tells it.
    pub(crate) fn settle(
        &mut self,
        mut payout: Payout,
        event: &str,
        arrival: Arrival,
        why: Option<(&str, &'static str)>,
    ) {
        payout.version += 1;
        payout.updated_at_ms = self.now_ms;
        self.move_payments(&payout, arrival, why);
        self.emit_payout(event, &payout);
        self.book.payouts.insert(payout.payout_id.clone(), payout);
    }

    /// Pays again what came back: the same entries in a new payout.
    pub(crate) fn reissue(&mut self, payout_id: &str) {
        let Some(mut old) = self.book.payouts.get(payout_id).cloned() else { return };
        let came_back = matches!(old.status, PayoutStatus::Returned | PayoutStatus::Failed);
        if !came_back || old.reissued_by.is_some() {
            return;
        }
        let mut entries = old.entries.clone();
        for entry in &mut entries {
            entry.entry_id = self.next_entry_id();
        }
        let date = local_date(self.now_ms);
        let merchant_id = old.merchant_id.clone();
        let new_id = self.open_payout(&merchant_id, date, old.business_date, old.period_ms, entries, Some(payout_id));
        old.reissued_by = Some(new_id);
        old.version += 1;
        old.updated_at_ms = self.now_ms;
        self.emit_payout("payout.reissued", &old);
        self.book.payouts.insert(payout_id.to_owned(), old);
    }

    /// The next day a payout run can take something that is ready now.
    pub(crate) fn next_run(&self) -> NaiveDate {
        let now = local(self.now_ms);
        let today = self.calendar.is_settlement_day(now.date()) && now.time() < payout_time();
        if today { now.date() } else { self.calendar.after(now.date(), 1) }
    }

    fn render_payout(&self, payout: &Payout) -> serde_json::Value {
        render::payout(payout, self.terms.current().members.get("account"))
    }

    /// `GET /v1/payouts`.
    pub(crate) fn list_payouts(&self, caller: &Caller, search: &Search) -> Result<Reply, Problem> {
        let since = search.instant("updated_since")?.unwrap_or(i64::MIN);
        let (from, to) = (search.date("arrival_from")?, search.date("arrival_to")?);
        let status = search.word("status")?;
        let wanted = |payout: &&Payout| {
            payout.merchant_id == caller.merchant_id
                && payout.updated_at_ms >= since
                && from.is_none_or(|from| payout.payout_date >= from)
                && to.is_none_or(|to| payout.payout_date <= to)
                && status.is_none_or(|status| serde_json::json!(payout.status) == status)
        };
        let found = self.book.payouts.values().filter(wanted);
        let items = found.map(|payout| ((payout.updated_at_ms, payout.payout_id.clone()), payout)).collect();
        Ok(Reply::json(200, &page(search, self.now_ms, items, |payout| self.render_payout(payout))?).tagged_by_body())
    }

    fn payout_of(&self, caller: &Caller, payout_id: &str) -> Result<&Payout, Problem> {
        let payout = self.book.payouts.get(payout_id).filter(|payout| payout.merchant_id == caller.merchant_id);
        payout.ok_or_else(Problem::not_found)
    }

    /// `GET /v1/payouts/{payout_id}`.
    pub(crate) fn get_payout(&self, caller: &Caller, payout_id: &str) -> Result<Reply, Problem> {
        let payout = self.payout_of(caller, payout_id)?;
        Ok(Reply::json(200, &self.render_payout(payout)).tagged(&format!("\"v-{}\"", payout.version)))
    }

    /// `GET /v1/payouts/{payout_id}/entries`.
    pub(crate) fn list_entries(&self, caller: &Caller, payout_id: &str, search: &Search) -> Result<Reply, Problem> {
        let payout = self.payout_of(caller, payout_id)?;
        let items = payout.entries.iter().map(|entry| ((0, entry.entry_id.clone()), entry)).collect();
        let mut body = page(search, self.now_ms, items, |entry| render::entry(payout, entry))?;
        body["payout_id"] = serde_json::json!(payout.payout_id);
        body["version"] = serde_json::json!(payout.version);
        Ok(Reply::json(200, &body).tagged_by_body())
    }
}
