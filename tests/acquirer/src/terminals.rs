//! Activation, sign-on, and what a terminal is.

use serde_json::{Value, json};

use crate::book::{Authorization, Counters, Session, Terminal};
use crate::device::{DeviceKey, claim};
use crate::input::{Fields, is_uuid, sized};
use crate::instant::{batch_date, rfc3339};
use crate::message::Request;
use crate::operations::read_body;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::sandbox::{Caller, Sandbox};

/// How long a session may be used, in milliseconds: a day.
const SESSION_MS: i64 = 86_400_000;

struct Activation {
    request_id: String,
    code: String,
    alg: &'static str,
    key: DeviceKey,
}

struct SignOn {
    request_id: String,
    head: Option<(String, i64, String)>,
}

impl Sandbox {
    /// `POST /v1/terminals`. The signature was verified with the key in the body.
    pub(crate) fn activate(&mut self, request: &Request) -> Result<Reply, Problem> {
        let activation = read_body(request, read_activation, |activation| &activation.request_id, "/request_id")?;
        let thumbprint = activation.key.thumbprint.clone();
        if activation.alg != activation.key.alg() || claim(request).is_ok_and(|claim| claim.keyid != thumbprint) {
            return Err(Problem::invalid("/alg", "not_the_keys"));
        }
        let compared = format!("{}|{}|{}", activation.code, activation.key.jwk, activation.alg);
        if let Some(reply) = self.replay(&thumbprint, "activation", &activation.request_id, &compared)? {
            return Ok(reply);
        }
        let code = self.book.codes.get_mut(&activation.code);
        let usable =
            code.filter(|code| code.used_by.is_none() && code.expires_at_ms.is_none_or(|until| self.now_ms < until));
        let Some(code) = usable else { return Err(Problem::new("activation-code-invalid")) };
        code.used_by = Some(thumbprint.clone());
        let (terminal_id, merchant_id) = (code.terminal_id.clone(), code.merchant_id.clone());
        // The phone before this one is refused from now on.
        let before = self.book.terminals.remove(&terminal_id);
        if let Some(before) = &before {
            self.book.keys.remove(&before.key_thumbprint);
        }
        let terminal = Terminal {
            terminal_id,
            merchant_id,
            status: "active".to_owned(),
            version: before.as_ref().map_or(1, |before| before.version + 1),
            alg: activation.alg,
            key_thumbprint: thumbprint.clone(),
            request_id: activation.request_id.clone(),
            // Its batches go on.
            activated_at_ms: before.as_ref().map_or(self.now_ms, |before| before.activated_at_ms),
            sign_ons: 0,
            witnesses: std::collections::BTreeMap::new(),
        };
        let reply = Reply::json(201, &self.render_terminal(&terminal));
        self.book.keys.insert(thumbprint.clone(), activation.key);
        self.book.terminals.insert(terminal.terminal_id.clone(), terminal);
        self.store(&thumbprint, "activation", &activation.request_id, &compared, &reply);
        Ok(reply)
    }

    fn render_terminal(&self, terminal: &Terminal) -> Value {
        let name = self.book.merchants.get(&terminal.merchant_id).map_or("", String::as_str);
        let mut body = json!({
            "terminal_id": terminal.terminal_id, "merchant_id": terminal.merchant_id, "merchant_name": name,
            "status": terminal.status, "alg": terminal.alg, "key_thumbprint": terminal.key_thumbprint,
            "request_id": terminal.request_id, "activated_at": rfc3339(terminal.activated_at_ms),
            "timezone": "Asia/Shanghai", "currency": "CNY",
        });
        let stans = self.book.payments.values().filter(|payment| payment.terminal_id == terminal.terminal_id);
        if let Some(last) = stans.max_by_key(|payment| (payment.received_at_ms, payment.stan.as_str())) {
            body["last_stan"] = json!(last.stan);
        }
        if let Some(account) = self.terms.current().members.get("account") {
            body["settlement_account"] = account.clone();
        }
        body
    }

    /// `GET /v1/terminals/{terminal_id}`.
    pub(crate) fn get_terminal(&self, terminal_id: &str) -> Result<Reply, Problem> {
        let terminal = self.book.terminals.get(terminal_id).ok_or_else(Problem::not_found)?;
        Ok(Reply::json(200, &self.render_terminal(terminal)).tagged_by_body())
    }

    /// The batch in force: one more at each cut-off since the activation, 000001 after 999999.
    pub(crate) fn batch_in_force(&self, terminal_id: &str) -> String {
        let cut_off = self.terms.current().cut_off();
        let activated = self.book.terminals.get(terminal_id).map_or(self.now_ms, |terminal| terminal.activated_at_ms);
        let days = (batch_date(self.now_ms, cut_off) - batch_date(activated, cut_off)).num_days();
        format!("{:06}", days.rem_euclid(999_999) + 1)
    }

    /// `POST /v1/terminals/{terminal_id}/sign-ons`.
    pub(crate) fn sign_on(&mut self, caller: &Caller, terminal_id: &str, request: &Request) -> Result<Reply, Problem> {
        let sign_on = read_body(request, read_sign_on, |sign_on| &sign_on.request_id, "/request_id")?;
        if let Some(reply) = self.replay(&caller.terminal_id, "sign-on", &sign_on.request_id, "")? {
            return Ok(reply);
        }
        let session_id = format!("s_{:06}", Counters::next(&mut self.book.counters.sessions));
        let until_ms = self.now_ms + SESSION_MS;
        let session = Session {
            terminal_id: terminal_id.to_owned(),
            opened_at_ms: self.now_ms,
            until_ms,
            keys_rotated: false,
            head: sign_on.head.clone(),
        };
        self.book.sessions.insert(session_id.clone(), session);
        let witness = self.witness(terminal_id, sign_on.head);
        let processing =
            self.book.payments.values().filter(|payment| {
                payment.terminal_id == terminal_id && payment.authorization == Authorization::Processing
            });
        let pending: Vec<&str> = processing.map(|payment| payment.payment_id.as_str()).take(200).collect();
        let mut body = json!({
            "request_id": sign_on.request_id, "terminal_id": terminal_id, "session_id": session_id,
            "batch_number": self.batch_in_force(terminal_id),
            "business_date": batch_date(self.now_ms, self.terms.current().cut_off()),
            "server_time": rfc3339(self.now_ms), "policy_etag": self.policy.etag(), "terms_etag": self.terms.etag(),
            "calendar_etag": self.calendar_etag(), "sign_on_again_before": rfc3339(until_ms),
            "offline_upload_deadline": rfc3339(self.policy.current().upload_deadline(self.now_ms)),
            "pending_inquiries": pending,
        });
        if let Some(witness) = witness {
            body["witness"] = witness;
        }
        let reply = Reply::json(201, &body);
        self.store(&caller.terminal_id, "sign-on", &sign_on.request_id, "", &reply);
        Ok(reply)
    }

    /// Counts the sign-on, and returns the head known before of the ledger named.
    fn witness(&mut self, terminal_id: &str, head: Option<(String, i64, String)>) -> Option<Value> {
        let terminal = self.book.terminals.get_mut(terminal_id)?;
        terminal.sign_ons += 1;
        let (ledger_id, ..) = head?;
        let known = terminal.witnesses.get(&ledger_id);
        known.map(|(seq, hash)| json!({"ledger_id": ledger_id, "seq": seq, "hash": hash}))
    }

    /// This session is used: its answer arrived, and its head bears witness if it is the largest.
    fn bear_witness(&mut self, session_id: &str) {
        let Some(session) = self.book.sessions.get_mut(session_id) else { return };
        let (Some((ledger_id, seq, hash)), Some(terminal)) =
            (session.head.take(), self.book.terminals.get_mut(&session.terminal_id))
        else {
            return;
        };
        if terminal.witnesses.get(&ledger_id).is_none_or(|(largest, _)| *largest < seq) {
            terminal.witnesses.insert(ledger_id, (seq, hash));
        }
    }

    /// Refuses a session that is unknown, foreign, over, or older than the keys.
    pub(crate) fn check_session(&mut self, caller: &Caller, session_id: &str) -> Result<(), Problem> {
        let session = self.book.sessions.get(session_id).filter(|session| session.terminal_id == caller.terminal_id);
        match session {
            Some(session) if session.keys_rotated => {
                Err(Problem::new("keys-rotated").with("response_code", json!("A0")))
            }
            Some(session) if self.now_ms < session.until_ms => {
                self.bear_witness(session_id);
                Ok(())
            }
            _ => Err(Problem::new("terminal-not-signed-on")),
        }
    }
}

fn read_activation(fields: &Fields<'_>) -> Option<Activation> {
    let request_id = fields.text("request_id", is_uuid);
    let code = fields.text("activation_code", |text| {
        (4..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    });
    let alg = fields.word("alg", &["ecdsa-p256-sha256", "ed25519"]);
    let key = fields.raw("public_key").and_then(DeviceKey::from_jwk);
    if key.is_none() {
        fields.error("public_key", "format");
    }
    if let Some(device) = fields.object("device") {
        device.text("app_version", sized(1, 40));
        device.text("platform", sized(1, 40));
        device.text_if("model", sized(0, 80));
    }
    Some(Activation { request_id: request_id?.to_owned(), code: code?.to_owned(), alg: alg?, key: key? })
}

fn read_sign_on(fields: &Fields<'_>) -> Option<SignOn> {
    let request_id = fields.text("request_id", is_uuid);
    fields.text("app_version", sized(1, 40));
    fields.instant("device_time");
    if let Some(queue) = fields.object("queue") {
        queue.int("count", 0, 10_000_000);
        queue.monies("totals", 20);
        queue.instant_if("oldest_captured_at");
    }
    let head = fields.object_if("ledger_head").and_then(|head| {
        let ledger_id = head.text("ledger_id", is_uuid);
        let seq = head.int("seq", 0, crate::input::MAX_INTEGER);
        let hash = head.text("hash", |text| {
            text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        Some((ledger_id?.to_owned(), seq?, hash?.to_owned()))
    });
    Some(SignOn { request_id: request_id?.to_owned(), head })
}
