//! Requests on their way to the acquirer, what comes back, and what its administrator does.

use sandbox_acquirer::{Request, Response};
use serde_json::Value;
use takings_acquirers::SignedRequest;
use takings_acquirers::http::Carried;
use takings_domain::{OperationId, PaymentId};
use takings_till::simulation::Input;

use super::{Happening, World, WorldError};
use crate::network::{self, AnswerFate, Fate};
use crate::plan::FaultKind;
use crate::record::Deed;

impl World {
    /// A request reaches the acquirer; what comes back is on its way.
    #[expect(clippy::too_many_arguments, reason = "all that a request on its way carries")]
    pub(super) fn arrive(
        &mut self,
        phone: usize,
        life: u64,
        op: OperationId,
        request: &SignedRequest,
        fate: &Fate,
        sent_ms: i64,
        again: bool,
    ) {
        let response = self.sandbox.handle(self.now_ms, &network::received(request));
        let name = network::name(request);
        self.trace.bytes("answer", &response.body);
        self.tell(phone, &format!("acquirer answers {name} with {}{}", response.status, code_of(&response)));
        self.count_answer(&name, request, &response, fate.answer);
        if name == "POST /v1/terminals" && response.status < 300 {
            // An acquirer that forgot a terminal can be told by its merchant only.
            self.documents_changed_ms = self.now_ms;
        }
        if again {
            return;
        }
        // What was refused without being looked at does not come again by itself: no client could defend itself against that.
        let looked_at = response.status < 429 && !self.is_refused_unseen(code_of(&response).trim());
        if let Some(again_ms) = fate.again_ms.filter(|_| looked_at) {
            self.rare.count("doubled_request");
            let (request, fate) = (request.clone(), fate.clone());
            let at_ms = self.now_ms + again_ms;
            self.at(at_ms, Happening::Arrives { phone, life, op, request, fate, sent_ms, again: true });
        }
        let slow_ms = if self.is_browned_out() { 20_000 } else { 0 };
        let carried = network::carried(response, fate.answer);
        if matches!(carried, Carried::Maybe(_)) {
            // A line that breaks is noticed at once, one that only stays silent at the time-out.
            if fate.answer == AnswerFate::Lost && fate.back_ms % 2 == 0 {
                return;
            }
        }
        let at_ms = self.now_ms + fate.back_ms + slow_ms;
        let handled_ms = self.now_ms;
        let _ = sent_ms;
        self.at(at_ms, Happening::Answered { phone, life, op, name, carried, handled_ms: Some(handled_ms) });
    }

    /// This problem is one that a fault makes the acquirer answer with, whatever it is asked.
    fn is_refused_unseen(&self, code: &str) -> bool {
        let by_fault =
            |(kind, _): &(FaultKind, String)| matches!(kind, FaultKind::Refuses { problem, .. } if *problem == code);
        self.acquirer_trouble.values().any(by_fault)
    }

    /// A request comes to its end at the phone: the first word counts.
    pub(super) fn answered(
        &mut self,
        phone: usize,
        life: u64,
        op: OperationId,
        name: &str,
        carried: Carried,
        handled_ms: Option<i64>,
    ) {
        if self.phones[phone].life != life || !self.phones[phone].under_way.remove(&op) {
            return;
        }
        self.posting.retain(|_, posting| *posting != op);
        let restarted = handled_ms.is_some_and(|handled| handled <= self.acquirer_restarted_ms);
        let carried = if restarted { Carried::Maybe("the acquirer went away".to_owned()) } else { carried };
        match &carried {
            Carried::Answer(_) => {}
            other => self.tell(phone, &format!("{name}: {other:?}")),
        }
        if matches!(carried, Carried::Answer(_)) && self.phones[phone].disk_is_full {
            self.rare.count("disk_full_during_answer");
        }
        self.feed(phone, Input::Answer(op, carried));
    }

    fn count_answer(&mut self, name: &str, request: &SignedRequest, response: &Response, answer: AnswerFate) {
        let lost = matches!(answer, AnswerFate::Lost | AnswerFate::Half) || response.fault.is_some();
        if answer == AnswerFate::Spoiled {
            self.rare.count("spoiled_answer");
        }
        if lost && response.status < 300 && name.starts_with("POST /v1/payments") {
            self.rare.count("lost_answer");
        }
        if lost && name.ends_with("/reversals") {
            self.rare.count("reversal_lost");
        }
        match code_of(response).trim() {
            "request-in-progress" => self.rare.count("in_progress_409"),
            "batch-mismatch" | "terminal-not-signed-on" | "keys-rotated" => self.rare.count("wrong_batch"),
            _ => {}
        }
        if response.status < 300 && !lost && is_submission(name) {
            let again = payments_of(&request.body).iter().any(|id| self.sends.get(id).is_some_and(|sent| *sent > 1));
            if again {
                self.rare.count("answer_after_resend");
            }
        }
        if response.status < 300 && name == "GET /v1/payments/*" && !self.posting.is_empty() {
            let of = request.url.rsplit('/').next().and_then(|id| PaymentId::parse(id).ok());
            if of.is_some_and(|id| self.posting.contains_key(&id)) {
                self.rare.count("news_before_answer");
            }
        }
    }

    /// Which payments a request sends, and how often they were sent.
    pub(super) fn count_sends(&mut self, op: OperationId, request: &SignedRequest) {
        if !is_submission(&network::name(request)) {
            return;
        }
        for id in payments_of(&request.body) {
            *self.sends.entry(id).or_default() += 1;
            self.posting.insert(id, op);
        }
    }

    fn is_browned_out(&self) -> bool {
        self.acquirer_trouble.values().any(|(kind, _)| matches!(kind, FaultKind::BrownOut))
    }

    /// The acquirer's administrator does something.
    pub(super) fn admin(&mut self, method: &str, path: &str, body: &Value) -> Result<Value, WorldError> {
        let response = self.sandbox.handle(self.now_ms, &Request::json(method, path, body));
        let answer = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        if response.status >= 300 {
            return Err(WorldError::Refused(format!("{method} {path} {body}: {} {answer}", response.status)));
        }
        Ok(answer)
    }

    /// As [`World::admin`], where the acquirer may say no.
    pub(super) fn try_admin(&mut self, method: &str, path: &str, body: &Value) -> Option<Value> {
        self.admin(method, path, body).ok()
    }

    pub(super) fn publish_policy(&mut self, changes: &Value) -> Result<(), WorldError> {
        let answer = self.admin("POST", "/admin/policy", changes)?;
        self.oracle.deed(self.now_ms, None, Deed::Policy(answer["policy"].clone()));
        Ok(())
    }

    /// The acquirer's and the bank's books.
    pub(super) fn book(&mut self) -> Result<Value, WorldError> {
        self.admin("GET", "/admin/ledger", &serde_json::json!({}))
    }
}

/// The problem's code, with a space before it.
fn code_of(response: &Response) -> String {
    if response.status < 400 {
        return String::new();
    }
    let problem: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
    problem["code"].as_str().map_or_else(String::new, |code| format!(" {code}"))
}

fn is_submission(name: &str) -> bool {
    name == "POST /v1/payments" || name == "POST /v1/payments/batch"
}

/// The payments that a body submits.
fn payments_of(body: &[u8]) -> Vec<PaymentId> {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let items = body.as_object().into_iter().flat_map(|members| members.values()).filter_map(Value::as_array).flatten();
    let ids = std::iter::once(&body).chain(items).filter_map(|item| item["payment_id"].as_str());
    ids.filter_map(|id| PaymentId::parse(id).ok()).collect()
}
