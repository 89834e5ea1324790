//! Submission of payments, alone and in batches, and reading them.

use serde_json::{Value, json};

use crate::authorise::{self, LATER_MS, Verdict};
use crate::book::{Arrival, Authorization, AuthorizationRecord, Clearing, Counters, Evidence, Payment};
use crate::documents::OfflineFacts;
use crate::input::{Errors, Fields, is_uuid};
use crate::instant::{batch_date, rrn_prefix};
use crate::jobs::Job;
use crate::message::Request;
use crate::operations::{body_and_key, read_body};
use crate::problem::Problem;
use crate::reply::{Reply, Search, page};
use crate::sandbox::{Caller, Sandbox};
use crate::submission::{Submission, item_id, read_envelope, read_submission};

/// How a submission ended: the payment stands, new or known.
struct Taken {
    payment_id: String,
    replayed: bool,
}

impl Sandbox {
    pub(crate) fn render_payment(&self, payment: &Payment) -> Value {
        crate::render::payment(&self.book, &self.terms, &self.calendar, payment)
    }

    /// `POST /v1/payments`.
    pub(crate) fn create_payment(&mut self, caller: &Caller, request: &Request) -> Result<Reply, Problem> {
        let read = |fields: &Fields<'_>| {
            let session_id = read_envelope(fields);
            let payment = fields.object("payment").and_then(|payment| read_submission(&payment));
            Some((session_id?, payment?))
        };
        let (session_id, submission) =
            read_body(request, read, |(_, payment)| &payment.payment_id, "/payment/payment_id")?;
        // A known payment is answered whatever the session: it executes nothing.
        if !self.book.payments.contains_key(&submission.payment_id) {
            self.check_session(caller, &session_id)?;
            let in_force = self.batch_in_force(&caller.terminal_id);
            if submission.kind == "live" && submission.batch_number != in_force {
                let problem = Problem::new("batch-mismatch").with("batch_number", json!(in_force));
                return Err(problem.with("response_code", json!("77")));
            }
        }
        let taken = self.submit(caller, &submission)?;
        let (status, body) = self.taken(&taken);
        let reply = Reply::json(status, &body);
        let reply =
            if status == 202 { reply.with("location", &format!("/v1/payments/{}", taken.payment_id)) } else { reply };
        Ok(if taken.replayed { reply.replayed() } else { reply })
    }

    /// Status and body for a payment that stands.
    fn taken(&self, taken: &Taken) -> (u16, Value) {
        let Some(payment) = self.book.payments.get(&taken.payment_id) else {
            return (500, Problem::new("internal").body());
        };
        let status = match (payment.authorization, taken.replayed) {
            (Authorization::Processing, _) => 202,
            (_, true) => 200,
            (_, false) => 201,
        };
        (status, self.render_payment(payment))
    }

    /// `POST /v1/payments/batch`.
    pub(crate) fn create_batch(&mut self, caller: &Caller, request: &Request) -> Result<Reply, Problem> {
        let (body, _) = body_and_key(request)?;
        let read = |fields: &Fields<'_>| {
            let session_id = read_envelope(fields);
            let batch_id = fields.text("batch_id", is_uuid);
            let items = fields.list("items", 1, 100)?;
            let ids: Vec<Option<&str>> = items.iter().map(item_id).collect();
            for (index, id) in ids.iter().enumerate() {
                match id {
                    None => fields.error(&format!("items/{index}/payment_id"), "format"),
                    Some(_) if ids[..index].contains(id) => fields.error(&format!("items/{index}/payment_id"), "twice"),
                    Some(_) => {}
                }
            }
            let ids: Vec<&str> = ids.into_iter().flatten().collect();
            Some((batch_id?.to_owned(), session_id?, ids.join(",")))
        };
        let (batch_id, session_id, ids) = read_body(request, read, |(batch_id, ..)| batch_id, "/batch_id")?;
        if let Some(reply) = self.replay(&caller.terminal_id, "batch", &batch_id, &ids)? {
            return Ok(reply);
        }
        self.check_session(caller, &session_id)?;
        let items = body.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut results: Vec<Value> = items.iter().map(|item| self.batch_item(caller, item)).collect();
        self.shuffle.shuffle(&mut results);
        let reply = Reply::json(200, &json!({"batch_id": batch_id, "results": results}));
        self.store(&caller.terminal_id, "batch", &batch_id, &ids, &reply);
        Ok(reply)
    }

    fn batch_item(&mut self, caller: &Caller, item: &Value) -> Value {
        let payment_id = item_id(item).unwrap_or("").to_owned();
        match self.submit_item(caller, item) {
            Ok(taken) => {
                let (http_status, payment) = self.taken(&taken);
                json!({"payment_id": payment_id, "http_status": http_status, "payment": payment})
            }
            Err(problem) => json!({"payment_id": payment_id, "http_status": problem.status, "problem": problem.body()}),
        }
    }

    fn submit_item(&mut self, caller: &Caller, item: &Value) -> Result<Taken, Problem> {
        let errors = Errors::default();
        let submission = Fields::of(item, "/payment", &errors).and_then(|fields| read_submission(&fields));
        let submission = errors.finish(submission)?;
        if submission.kind == "live" {
            return Err(Problem::invalid("/payment/kind", "not_in_a_batch"));
        }
        self.submit(caller, &submission)
    }

    /// Takes a payment once. A known id executes nothing.
    fn submit(&mut self, caller: &Caller, submission: &Submission) -> Result<Taken, Problem> {
        let payment_id = submission.payment_id.clone();
        *self.book.submissions.entry(payment_id.clone()).or_default() += 1;
        let fingerprint = submission.fingerprint(&caller.terminal_id);
        if let Some(known) = self.book.payments.get(&payment_id) {
            if known.fingerprint != fingerprint {
                return Err(Problem::new("idempotency-key-reused"));
            }
            return Ok(Taken { payment_id, replayed: true });
        }
        self.judge(caller, submission)?;
        let payment = self.authorise(caller, submission, fingerprint);
        self.book.natural_keys.insert(payment.natural_key(), payment_id.clone());
        if payment.is_approved() {
            self.book.uncleared.insert(payment_id.clone());
        }
        self.book.payments.insert(payment_id.clone(), payment);
        Ok(Taken { payment_id, replayed: false })
    }

    /// The business rules before the bank is asked.
    fn judge(&self, caller: &Caller, submission: &Submission) -> Result<(), Problem> {
        if self.book.closed.contains(&(caller.terminal_id.clone(), submission.payment_id.clone())) {
            return Err(Problem::new("late-original"));
        }
        if submission.amount.currency != "CNY" {
            return Err(Problem::invalid("/payment/amount/currency", "not_offered"));
        }
        if submission.type_ != "purchase" || submission.kind == "completion" {
            return Err(Problem::invalid("/payment/type", "not_offered"));
        }
        if submission.batch_number > self.batch_in_force(&caller.terminal_id) {
            return Err(Problem::invalid("/payment/batch_number", "out_of_range"));
        }
        let key = (
            caller.merchant_id.clone(),
            caller.terminal_id.clone(),
            submission.batch_number.clone(),
            submission.stan.clone(),
            submission.captured_on.clone(),
        );
        if let Some(other) = self.book.natural_keys.get(&key) {
            let problem = Problem::new("duplicate-transaction").with("payment_id", json!(other));
            return Err(problem.with("response_code", json!("94")));
        }
        if submission.is_stored() { self.judge_offline(submission) } else { Ok(()) }
    }

    fn judge_offline(&self, submission: &Submission) -> Result<(), Problem> {
        let refused = |rule: &str| Err(Problem::new("policy-violation").with("rule", json!(rule)));
        let version = submission.policy_version.as_deref().unwrap_or("");
        let Some(policy) = self.policy.find(version) else { return refused("policy_version") };
        if self.now_ms - submission.captured_ms > policy.upload_deadline_ms() {
            return Err(Problem::new("offline-too-old"));
        }
        let facts = OfflineFacts {
            captured_ms: submission.captured_ms,
            amount: submission.amount.amount,
            currency: &submission.amount.currency,
            entry_mode: submission.entry_mode,
            scheme: &submission.scheme,
            bin: submission.bin(),
        };
        policy.offline_refusal(&facts).map_or(Ok(()), refused)
    }

    /// Asks the bank, once, and makes the payment of its verdict.
    fn authorise(&mut self, caller: &Caller, submission: &Submission, fingerprint: String) -> Payment {
        let number = Counters::next(&mut self.book.counters.payments);
        let amount = submission.amount.amount;
        let verdict = authorise::verdict(submission.last_four(), amount);
        let mut payment = self.blank(caller, submission, fingerprint, number);
        match verdict {
            Verdict::Approved => self.approve(&mut payment, amount, "00"),
            Verdict::Partly(part) => self.approve(&mut payment, part, "10"),
            Verdict::Declined(code) => decline(&mut payment, code),
            Verdict::Referred => {
                decline(&mut payment, "01");
                payment.authorization = Authorization::Referred;
            }
            Verdict::Later(code) => {
                payment.response_code = "68".to_owned();
                let job = Job::Finalise { payment_id: payment.payment_id.clone(), code: code.to_owned() };
                self.jobs.plan(self.now_ms + LATER_MS, job);
            }
            Verdict::Unlisted => payment.response_code = "ZZ".to_owned(),
        }
        self.book.authorizations.push(AuthorizationRecord {
            at_ms: self.now_ms,
            payment_id: payment.payment_id.clone(),
            last_four: payment.last_four.clone(),
            amount_minor: amount,
            currency: payment.currency.clone(),
            captured_at_ms: payment.captured_at_ms,
            response_code: payment.response_code.clone(),
        });
        payment
    }

    fn blank(&self, caller: &Caller, submission: &Submission, fingerprint: String, number: u32) -> Payment {
        Payment {
            payment_id: submission.payment_id.clone(),
            acquirer_payment_id: format!("ap_{number:06}"),
            merchant_id: caller.merchant_id.clone(),
            terminal_id: caller.terminal_id.clone(),
            kind: submission.kind,
            type_: submission.type_,
            amount_minor: submission.amount.amount,
            currency: submission.amount.currency.clone(),
            batch_number: submission.batch_number.clone(),
            stan: submission.stan.clone(),
            captured_at: submission.captured_at.clone(),
            captured_at_ms: submission.captured_ms,
            captured_on: submission.captured_on.clone(),
            entry_mode: submission.entry_mode,
            scheme: submission.scheme.clone(),
            masked_pan: submission.masked_pan.clone(),
            last_four: submission.last_four().to_owned(),
            funding: authorise::funding(&submission.masked_pan),
            policy_version: submission.policy_version.clone(),
            order_reference: submission.order_reference.clone(),
            operator_id: submission.operator_id.clone(),
            fingerprint,
            version: 1,
            authorization: Authorization::Processing,
            clearing: Clearing::None,
            arrival: Arrival::Unknown,
            evidence: Evidence::None,
            response_code: String::new(),
            rrn: format!("{}{:06}", rrn_prefix(self.now_ms), number % 1_000_000),
            auth_code: None,
            approved_minor: None,
            received_at_ms: self.now_ms,
            accepted_at_ms: None,
            updated_at_ms: self.now_ms,
            reason: None,
            source: None,
            acts: None,
            payout_id: None,
            gross_minor: None,
            fee_minor: None,
            net_minor: None,
            batch_date: None,
            expected_date: None,
            terms_number: self.terms.current().number,
            reversals: Vec::new(),
        }
    }

    /// Approved now: the acceptance that cut-off and cycle count from.
    pub(crate) fn approve(&self, payment: &mut Payment, amount: i64, code: &str) {
        let terms = self.terms.current();
        let date = batch_date(self.now_ms, terms.cut_off());
        let partly = amount < payment.amount_minor;
        payment.authorization = if partly { Authorization::PartiallyApproved } else { Authorization::Approved };
        payment.clearing = Clearing::Accepted;
        payment.arrival = Arrival::Pending;
        payment.response_code = code.to_owned();
        let digits = payment.acquirer_payment_id.trim_start_matches("ap_");
        payment.auth_code = Some(format!("A{}", digits.get(digits.len().saturating_sub(5)..).unwrap_or(digits)));
        payment.approved_minor = Some(amount);
        payment.accepted_at_ms = Some(self.now_ms);
        payment.batch_date = Some(date);
        payment.expected_date = Some(terms.due_date(&self.calendar, date));
        payment.terms_number = terms.number;
    }

    /// The final answer to a payment that is still processing; the feed tells it.
    pub(crate) fn finalise(&mut self, payment_id: &str, code: &str) {
        let Some(mut payment) = self.book.payments.get(payment_id).cloned() else { return };
        if payment.authorization != Authorization::Processing {
            return;
        }
        if code == "00" {
            let amount = payment.amount_minor;
            self.approve(&mut payment, amount, code);
            self.book.uncleared.insert(payment_id.to_owned());
        } else {
            decline(&mut payment, code);
        }
        payment.touch(self.now_ms);
        self.emit_payment("payment.updated", &payment);
        self.book.payments.insert(payment_id.to_owned(), payment);
    }

    /// `GET /v1/payments/{payment_id}`.
    pub(crate) fn get_payment(&self, caller: &Caller, payment_id: &str) -> Result<Reply, Problem> {
        let payment = self.book.payments.get(payment_id).filter(|payment| payment.terminal_id == caller.terminal_id);
        let payment = payment.ok_or_else(Problem::not_found)?;
        Ok(Reply::json(200, &self.render_payment(payment)).tagged(&format!("\"v-{}\"", payment.version)))
    }

    /// `GET /v1/payments`.
    pub(crate) fn list_payments(&self, caller: &Caller, search: &Search) -> Result<Reply, Problem> {
        let since = search.instant("updated_since")?.unwrap_or(i64::MIN);
        let status = search.word("status")?;
        let wanted = |payment: &&Payment| {
            payment.terminal_id == caller.terminal_id
                && payment.updated_at_ms >= since
                && status.is_none_or(|status| json!(payment.authorization) == status)
        };
        let found = self.book.payments.values().filter(wanted);
        let items = found.map(|payment| ((payment.updated_at_ms, payment.payment_id.clone()), payment)).collect();
        Ok(Reply::json(200, &page(search, self.now_ms, items, |payment| self.render_payment(payment))?)
            .tagged_by_body())
    }
}

pub(crate) fn decline(payment: &mut Payment, code: &str) {
    payment.authorization = Authorization::Declined;
    payment.clearing = Clearing::None;
    payment.arrival = Arrival::NotEligible;
    payment.response_code = code.to_owned();
    payment.approved_minor = None;
    payment.auth_code = None;
    payment.accepted_at_ms = None;
    payment.batch_date = None;
    payment.expected_date = None;
}
