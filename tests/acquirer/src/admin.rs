//! `/admin/*`: clock, codes, faults, the bank, documents, keys. Plain JSON, unsigned.

use serde_json::{Value, json};

use crate::book::{ActivationCode, Arrival, Authorization, BankPlan, Clearing, Counters, WaitingFee, WaitingPlan};
use crate::events::Subject;
use crate::input::{is_acquirer_id, is_word, parse_date};
use crate::message::Request;
use crate::payments::decline;
use crate::sandbox::Sandbox;

/// Status and body of an administrator's answer.
type Answer = (u16, Value);

fn refused(status: u16, text: &str) -> Answer {
    (status, json!({"error": text}))
}

impl Sandbox {
    /// Answers an administrator.
    pub(crate) fn admin(&mut self, request: &Request) -> Answer {
        let path = request.path().strip_prefix("/admin").unwrap_or("");
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let body = if request.body.is_empty() { Ok(json!({})) } else { serde_json::from_slice::<Value>(&request.body) };
        let Ok(body) = body else { return refused(400, "the body is not JSON") };
        if !body.is_object() {
            return refused(400, "the body is not an object");
        }
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["health"]) => (200, json!({"status": "ok", "now_ms": self.now_ms})),
            ("GET", ["clock"]) => (200, self.clock()),
            ("PUT", ["clock"]) => self.put_clock(&body),
            ("POST", ["activation-codes"]) => self.post_code(&body),
            ("GET", ["faults"]) => (200, json!({"faults": self.faults.rules(), "fired": self.faults.fired()})),
            ("POST", ["faults"]) => match self.faults.plant(&body, self.seed) {
                Ok(rule) => (201, json!(rule)),
                Err(text) => refused(400, &text),
            },
            ("DELETE", ["faults"]) => (200, json!({"removed": self.faults.remove(None)})),
            ("DELETE", ["faults", id]) => (200, json!({"removed": self.faults.remove(Some(id))})),
            ("GET", ["bank"]) => (200, self.bank_state()),
            ("POST", ["bank"]) => self.post_bank(&body),
            ("POST", ["fees"]) => self.post_fee(&body),
            ("POST", ["payments", id]) => self.post_payment(id, &body),
            ("POST", ["terminals", id]) => self.post_terminal(id, &body),
            ("POST", ["channels"]) => self.post_channel(&body),
            ("POST", ["policy"]) => self.post_policy(&body),
            ("POST", ["terms"]) => self.post_terms(&body),
            ("POST", ["calendar"]) => self.post_calendar(&body),
            ("POST", ["keys", "rotate"]) => self.post_rotation(&body),
            ("GET", ["ledger"]) => (200, self.ledger()),
            _ => refused(404, "no such path and method; see the README"),
        }
    }

    fn clock(&self) -> Value {
        json!({"now_ms": self.now_ms, "now": crate::instant::rfc3339(self.now_ms), "set": self.clock_is_set()})
    }

    fn put_clock(&mut self, body: &Value) -> Answer {
        let now_ms = body.get("now_ms").and_then(Value::as_i64);
        let advance_ms = body.get("advance_ms").and_then(Value::as_i64).and_then(|ms| self.now_ms.checked_add(ms));
        // The year 2100: beyond it a typing error would run a century of days.
        match now_ms.or(advance_ms) {
            Some(ms) if (self.now_ms..4_102_444_800_000).contains(&ms) => {
                self.set_clock(ms);
                (200, self.clock())
            }
            Some(_) => refused(409, "the clock does not go back, nor beyond 2100"),
            None => refused(400, "now_ms or advance_ms: whole milliseconds are needed"),
        }
    }

    fn post_code(&mut self, body: &Value) -> Answer {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let merchant_id = text("merchant_id").unwrap_or("M000001").to_owned();
        let number = Counters::next(&mut self.book.counters.terminals);
        let terminal_id = text("terminal_id").map_or_else(|| format!("T{number:07}"), str::to_owned);
        // A new phone for a terminal that is active: asked for in so many words.
        let again = body.get("again").and_then(Value::as_bool).unwrap_or(false);
        let merchant_id = match self.book.terminals.get(&terminal_id).filter(|_| again) {
            Some(terminal) => terminal.merchant_id.clone(),
            None => merchant_id,
        };
        let taken = !again && self.book.codes.values().any(|code| code.terminal_id == terminal_id);
        if !is_acquirer_id(&merchant_id) || !is_acquirer_id(&terminal_id) || taken {
            return refused(400, "merchant_id or terminal_id: not an id, or taken");
        }
        let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
        let random: String =
            (0..8).map(|_| char::from(letters[usize::try_from(self.codes.below(32)).unwrap_or(0)])).collect();
        let number = Counters::next(&mut self.book.counters.codes);
        let code = format!("STALL-{}-{}-{number:02}", &random[..4], &random[4..]);
        let activation_code = self.keys.activation_code(&code);
        let name = text("merchant_name").unwrap_or("王记早点").to_owned();
        self.book.merchants.entry(merchant_id.clone()).or_insert(name);
        let entry = ActivationCode {
            code: code.clone(),
            merchant_id: merchant_id.clone(),
            terminal_id: terminal_id.clone(),
            expires_at_ms: body.get("expires_at_ms").and_then(Value::as_i64),
            used_by: None,
        };
        self.book.codes.insert(code.clone(), entry);
        let answer = json!({
            "activation_code": activation_code, "code": code, "merchant_id": merchant_id, "terminal_id": terminal_id,
        });
        (201, answer)
    }

    pub(crate) fn bank_state(&self) -> Value {
        let mut state = self.bank_book();
        state["waiting"] = json!(self.book.waiting_plans);
        state["waiting_fees"] = json!(self.book.waiting_fees);
        state
    }

    fn post_bank(&mut self, body: &Value) -> Answer {
        let payout_id = body.get("payout_id").and_then(Value::as_str);
        let action = body.get("action").and_then(Value::as_str).unwrap_or("");
        if action == "credit" || action == "reissue" {
            let Some(payout_id) = payout_id.filter(|id| self.book.payouts.contains_key(*id)) else {
                return refused(404, "payout_id: no such payout");
            };
            let version = |sandbox: &Self| sandbox.book.payouts.get(payout_id).map_or(0, |payout| payout.version);
            let before = version(self);
            if action == "credit" {
                self.credit(payout_id)
            } else {
                self.reissue(payout_id)
            }
            let done = version(self) != before;
            return if done {
                (200, json!({"payout": self.book.payouts.get(payout_id)}))
            } else {
                refused(409, "this payout is past that")
            };
        }
        let plan = match bank_plan(action, body) {
            Ok(plan) => plan,
            Err(text) => return refused(400, &text),
        };
        let date = |name: &str| match body.get(name).and_then(Value::as_str) {
            None => Ok(None),
            Some(text) => parse_date(text).map(Some).ok_or(()),
        };
        let (Ok(business_date), Ok(payout_date)) = (date("business_date"), date("payout_date")) else {
            return refused(400, "business_date, payout_date: YYYY-MM-DD is needed");
        };
        let named = business_date.is_some() || payout_date.is_some();
        let existing = self.book.payouts.values().rev().find(|payout| {
            named
                && payout.reissue_of.is_none()
                && business_date.is_none_or(|day| day == payout.business_date)
                && payout_date.is_none_or(|day| day == payout.payout_date)
        });
        match payout_id.map(str::to_owned).or_else(|| existing.map(|payout| payout.payout_id.clone())) {
            Some(payout_id) => match self.bank_action(&payout_id, plan) {
                Ok(()) => (200, json!({"payout": self.book.payouts.get(&payout_id)})),
                Err(text) => refused(409, &text),
            },
            None => {
                let waiting = WaitingPlan { business_date, payout_date, plan };
                self.book.waiting_plans.push(waiting.clone());
                (201, json!({"waiting": waiting}))
            }
        }
    }

    fn post_fee(&mut self, body: &Value) -> Answer {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let amount = body.get("amount_minor").and_then(Value::as_i64).unwrap_or(0);
        let kind = text("kind").unwrap_or("other");
        if amount <= 0 || !is_word(kind) {
            return refused(400, "amount_minor: more than nothing; kind: a word");
        }
        let fee = WaitingFee {
            merchant_id: text("merchant_id").unwrap_or("M000001").to_owned(),
            kind: kind.to_owned(),
            amount_minor: amount,
            note: text("note").map(str::to_owned),
        };
        self.book.waiting_fees.push(fee.clone());
        (201, json!({"waiting_fee": fee}))
    }

    fn post_payment(&mut self, payment_id: &str, body: &Value) -> Answer {
        let Some(mut payment) = self.book.payments.get(payment_id).cloned() else {
            return refused(404, "no such payment");
        };
        let text =
            |name: &str, default: &'static str| body.get(name).and_then(Value::as_str).unwrap_or(default).to_owned();
        let processing = payment.authorization == Authorization::Processing;
        let unpaid = payment.is_approved() && payment.payout_id.is_none();
        let action = body.get("action").and_then(Value::as_str).unwrap_or("");
        let event = match action {
            "hold" if unpaid && payment.arrival != Arrival::Held => {
                let reason = text("reason", "risk_hold");
                if !is_word(&reason) {
                    return refused(400, "reason: a word is needed");
                }
                payment.arrival = Arrival::Held;
                payment.why(&reason, "acquirer", "merchant");
                "payment.held"
            }
            "release" if payment.arrival == Arrival::Held => {
                let cleared = payment.clearing == Clearing::Cleared;
                payment.arrival = if cleared { Arrival::Scheduled } else { Arrival::Pending };
                payment.no_reason();
                payment.expected_date = payment.expected_date.max(cleared.then(|| self.next_run()));
                "payment.released"
            }
            "approve" if processing => {
                let amount = payment.amount_minor;
                self.approve(&mut payment, amount, "00");
                self.book.uncleared.insert(payment_id.to_owned());
                "payment.updated"
            }
            "decline" if processing || (unpaid && payment.clearing != Clearing::Cleared) => {
                decline(&mut payment, &text("code", "05"));
                self.book.uncleared.remove(payment_id);
                "payment.updated"
            }
            "approve_later" | "decline_later" if processing => {
                let code = if action == "approve_later" { "00".to_owned() } else { text("code", "05") };
                let after_ms = body.get("after_ms").and_then(Value::as_i64).unwrap_or(60_000).max(0);
                let job = crate::jobs::Job::Finalise { payment_id: payment_id.to_owned(), code };
                self.jobs.plan(self.now_ms + after_ms, job);
                return (202, json!({"payment": payment}));
            }
            "hold" | "release" | "approve" | "decline" | "approve_later" | "decline_later" => {
                return refused(409, "this payment is past that");
            }
            _ => return refused(400, "action: one of hold, release, approve, decline, approve_later, decline_later"),
        };
        payment.touch(self.now_ms);
        self.emit_payment(event, &payment);
        self.book.payments.insert(payment_id.to_owned(), payment.clone());
        (200, json!({"payment": payment}))
    }

    fn post_terminal(&mut self, terminal_id: &str, body: &Value) -> Answer {
        let status = body.get("status").and_then(Value::as_str).unwrap_or("");
        if !matches!(status, "active" | "blocked" | "closed") {
            return refused(400, "status: one of active, blocked, closed");
        }
        let Some(terminal) = self.book.terminals.get_mut(terminal_id) else { return refused(404, "no such terminal") };
        terminal.status = status.to_owned();
        terminal.version += 1;
        let (merchant_id, version) = (terminal.merchant_id.clone(), terminal.version);
        let subject = Subject { kind: "terminal", id: terminal_id, version };
        self.emit(&merchant_id, "terminal.status", subject, &json!({"status": status}));
        (200, json!({"terminal_id": terminal_id, "status": status}))
    }

    fn post_channel(&mut self, body: &Value) -> Answer {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or("");
        let (name, status) = (text("channel"), text("status"));
        if !matches!(name, "bank_network" | "clearing" | "payouts") || !is_word(status) {
            return refused(400, "channel: bank_network, clearing or payouts; status: a word");
        }
        let mut channel = json!({"channel": name, "status": status});
        if let Some(until_ms) = body.get("until_ms").and_then(Value::as_i64) {
            channel["until"] = json!(crate::instant::rfc3339(until_ms));
        }
        self.channels.insert(name.to_owned(), channel.clone());
        self.emit_to_all("channel.status", "channel", 1, Some(name), &json!({"status": status}));
        (200, channel)
    }

    fn post_policy(&mut self, body: &Value) -> Answer {
        let document = self.policy.publish(body);
        let (number, version) = (document.number, document.version.clone());
        self.emit_to_all("policy.changed", "policy", number, None, &json!({"version": version}));
        (201, json!({"version": version, "etag": self.policy.etag(), "policy": self.policy.current().members}))
    }

    fn post_terms(&mut self, body: &Value) -> Answer {
        let document = self.terms.publish(body);
        let (number, version) = (document.number, document.version.clone());
        self.replan_cut_off();
        self.emit_to_all("terms.changed", "terms", number, None, &json!({"version": version}));
        (201, json!({"version": version, "etag": self.terms.etag(), "terms": self.terms.current().members}))
    }

    fn post_calendar(&mut self, body: &Value) -> Answer {
        let days = body.get("days").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut changed = Vec::new();
        for day in days {
            let date = day.get("date").and_then(Value::as_str).and_then(parse_date);
            let open = day.get("settlement_day").and_then(Value::as_bool);
            let (Some(date), Some(open)) = (date, open) else {
                return refused(400, "days: a list of {date, settlement_day} is needed");
            };
            changed.push((date, open));
        }
        self.calendar.changed.extend(changed);
        self.calendar.version += 1;
        let version = self.calendar.version;
        self.emit_to_all("calendar.changed", "calendar", version, None, &json!({"version": version.to_string()}));
        (201, json!({"calendar_version": version.to_string(), "etag": self.calendar_etag()}))
    }

    fn post_rotation(&mut self, body: &Value) -> Answer {
        let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(false);
        let kid = self.keys.rotate(self.now_ms, flag("announce_only"), flag("drop_old"));
        if flag("refuse_sessions") {
            for session in self.book.sessions.values_mut() {
                session.keys_rotated = true;
            }
            let terminals: Vec<(String, String, u32)> = self
                .book
                .terminals
                .values()
                .map(|terminal| (terminal.merchant_id.clone(), terminal.terminal_id.clone(), terminal.version))
                .collect();
            for (merchant_id, terminal_id, version) in terminals {
                let subject = Subject { kind: "terminal", id: &terminal_id, version };
                self.emit(&merchant_id, "terminal.sign_on_required", subject, &json!({"reason": "keys_rotated"}));
            }
        }
        (200, json!({"kid": kid, "signs": self.keys.current(), "keys": self.keys.jwks()}))
    }

    /// The same event to every merchant; the subject is the merchant unless named.
    fn emit_to_all(&mut self, kind: &str, subject_kind: &str, version: u32, id: Option<&str>, data: &Value) {
        let merchants: Vec<String> = self.book.merchants.keys().cloned().collect();
        for merchant_id in merchants {
            let subject = Subject { kind: subject_kind, id: id.unwrap_or(&merchant_id), version };
            self.emit(&merchant_id, kind, subject, data);
        }
    }
}

fn bank_plan(action: &str, body: &Value) -> Result<BankPlan, String> {
    let flag = |name: &str, default: bool| body.get(name).and_then(Value::as_bool).unwrap_or(default);
    let days = |default: u32| match body.get("days") {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value
            .as_u64()
            .filter(|n| *n <= 365)
            .and_then(|n| u32::try_from(n).ok())
            .ok_or("days: 0 to 365 settlement days".to_owned()),
    };
    let reason = body.get("reason").and_then(Value::as_str).unwrap_or("account_closed").to_owned();
    if !is_word(&reason) {
        return Err("reason: a word is needed".to_owned());
    }
    let reissue = flag("reissue", true);
    Ok(match action {
        "late" => BankPlan::Late { days: days(2)? },
        "never" => BankPlan::Never,
        "return" => BankPlan::Return { before_arrival: flag("before_arrival", false), days: days(0)?, reason, reissue },
        "reject" => BankPlan::Reject { reason, reissue },
        "unconfirmed" => BankPlan::Unconfirmed,
        _ => return Err("action: one of late, never, return, reject, unconfirmed, credit, reissue".to_owned()),
    })
}
