//! The sandbox: its state, and the way of a request through it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde_json::Value;

use crate::book::Book;
use crate::calendar::Calendar;
use crate::contacts::Contact;
use crate::device::{DeviceKey, Refusal, WINDOW_S, claim};
use crate::documents::Versions;
use crate::events::Feeds;
use crate::faults::{Faults, Kind};
use crate::input::quoted_uuid;
use crate::instant::{http_date, rfc3339};
use crate::jobs::Jobs;
use crate::journal::{Journal, Line};
use crate::keys::AcquirerKeys;
use crate::message::{Delivery, Request, Response};
use crate::problem::Problem;
use crate::random::Stream;
use crate::reply::Reply;
use crate::routes::{Operation, route};

/// Largest request body the contract takes, in bytes.
pub(crate) const BODY_BYTES: usize = 8 * 1024 * 1024;

/// What a sandbox starts with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Seed of keys, codes, orders and faults.
    pub seed: u64,
    /// Start of the clock, milliseconds since 1970 UTC.
    pub start_ms: i64,
    /// The address clients sign for (no final slash); without it `http://` and the `Host` header.
    pub public_url: Option<String>,
    /// Where accepted requests are kept and replayed from.
    pub journal: Option<PathBuf>,
}

/// The journal cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the journal cannot be used: {0}")]
pub struct OpenError(#[from] io::Error);

/// A stored answer of an idempotent request.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) compared: String,
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// The journal, which a backup does not go on writing.
#[derive(Debug)]
struct Kept(Option<Journal>);

impl Clone for Kept {
    fn clone(&self) -> Self {
        Self(None)
    }
}

/// Who sent a verified request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) terminal_id: String,
    pub(crate) merchant_id: String,
}

/// An acquirer and a bank: no clock but the `now_ms` it is given, no randomness but its seed. A clone is a backup of its
/// books; it keeps no journal.
#[derive(Clone, Debug)]
pub struct Sandbox {
    pub(crate) seed: u64,
    pub(crate) public_url: Option<String>,
    pub(crate) now_ms: i64,
    clock_is_set: bool,
    pub(crate) keys: AcquirerKeys,
    pub(crate) policy: Versions,
    pub(crate) terms: Versions,
    pub(crate) calendar: Calendar,
    pub(crate) channels: BTreeMap<String, Value>,
    pub(crate) book: Book,
    pub(crate) feeds: Feeds,
    pub(crate) jobs: Jobs,
    pub(crate) faults: Faults,
    pub(crate) shuffle: Stream,
    pub(crate) codes: Stream,
    /// First answers by (scope, operation, key).
    pub(crate) stored: BTreeMap<(String, &'static str, String), Stored>,
    /// Used nonces by key, and when they may be forgotten.
    nonces: BTreeMap<(String, String), i64>,
    /// Answered requests by operation and status.
    pub(crate) requests: BTreeMap<String, BTreeMap<String, u32>>,
    /// What each payment and payout said when it was read first, by path.
    first_read: BTreeMap<String, Vec<u8>>,
    /// Requests about one payment, in order.
    pub(crate) contacts: Vec<Contact>,
    journal: Kept,
    journal_broken: bool,
}

impl Sandbox {
    /// A new sandbox, or the one its journal describes: the journal's seed and start then win.
    ///
    /// # Errors
    /// [`OpenError`] if the journal cannot be opened, read or written.
    pub fn new(config: Config) -> Result<Self, OpenError> {
        let Some(path) = config.journal.clone() else {
            return Ok(Self::empty(config.seed, config.start_ms, config.public_url));
        };
        let (mut journal, lines) = Journal::open(&path)?;
        let mut lines = lines.into_iter();
        let mut sandbox = match lines.next() {
            None => {
                let public_url = config.public_url.clone();
                journal.append(&Line::Began { seed: config.seed, start_ms: config.start_ms, public_url })?;
                Self::empty(config.seed, config.start_ms, config.public_url.clone())
            }
            Some(Line::Began { seed, start_ms, public_url }) => Self::empty(seed, start_ms, public_url),
            Some(_) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the first line is not a beginning").into());
            }
        };
        for line in lines {
            match line {
                Line::Request { now_ms, method, target, headers, body } => {
                    let request = Request { method, target, headers, body: body.bytes() };
                    sandbox.process(now_ms, &request);
                }
                Line::Moved { public_url } => sandbox.public_url = public_url,
                Line::Began { .. } => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a second beginning").into());
                }
            }
        }
        if sandbox.public_url != config.public_url {
            journal.append(&Line::Moved { public_url: config.public_url.clone() })?;
            sandbox.public_url = config.public_url;
        }
        sandbox.journal = Kept(Some(journal));
        Ok(sandbox)
    }

    fn empty(seed: u64, start_ms: i64, public_url: Option<String>) -> Self {
        let mut sandbox = Self {
            seed,
            public_url,
            now_ms: start_ms,
            clock_is_set: false,
            keys: AcquirerKeys::new(seed, start_ms),
            policy: Versions::policy(start_ms),
            terms: Versions::terms(start_ms),
            calendar: Calendar::new(),
            channels: BTreeMap::new(),
            book: Book::default(),
            feeds: Feeds::default(),
            jobs: Jobs::default(),
            faults: Faults::default(),
            shuffle: Stream::new(seed, "shuffle"),
            codes: Stream::new(seed, "activation codes"),
            stored: BTreeMap::new(),
            nonces: BTreeMap::new(),
            requests: BTreeMap::new(),
            first_read: BTreeMap::new(),
            contacts: Vec::new(),
            journal: Kept(None),
            journal_broken: false,
        };
        sandbox.plan_days();
        sandbox
    }

    /// The sandbox's time, milliseconds since 1970 UTC.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// When the next job is due, milliseconds since 1970 UTC.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<i64> {
        self.jobs.next_due_ms()
    }

    /// Whether an administrator set the clock: it then moves only by his hand.
    #[must_use]
    pub fn clock_is_set(&self) -> bool {
        self.clock_is_set
    }

    /// Sets the clock by hand, running first what is due until then.
    pub(crate) fn set_clock(&mut self, now_ms: i64) {
        self.advance(now_ms);
        self.clock_is_set = true;
    }

    /// Answers one request at `now_ms` (milliseconds since 1970 UTC). Jobs due until then run first; a
    /// `now_ms` before the sandbox's own time counts as that time.
    pub fn handle(&mut self, now_ms: i64, request: &Request) -> Response {
        if self.journal_broken {
            return plain(503, &serde_json::json!({"error": "the journal cannot be written"}));
        }
        let changes_nothing = request.method == "GET" && request.path().starts_with("/admin/") && now_ms <= self.now_ms;
        let response = self.process(now_ms, request);
        if !changes_nothing
            && let Some(journal) = &mut self.journal.0
            && journal.append(&Line::request(now_ms, request)).is_err()
        {
            // What was done is not on record: nothing may be answered any more.
            self.journal_broken = true;
            return plain(503, &serde_json::json!({"error": "the journal cannot be written"}));
        }
        response
    }

    fn process(&mut self, now_ms: i64, request: &Request) -> Response {
        self.advance(now_ms);
        let path = request.path();
        if path == "/admin" || path.starts_with("/admin/") {
            let (status, body) = self.admin(request);
            let mut response = plain(status, &body);
            response.headers.push(("date".to_owned(), http_date(self.now_ms)));
            return response;
        }
        let strike = self.faults.strike(self.now_ms, &request.method, path);
        if strike == Some(Kind::DropRequest) {
            self.count(request, "dropped");
            self.note_contact(request, 0, strike.as_ref());
            return Response { status: 0, headers: Vec::new(), body: Vec::new(), fault: Some(Delivery::DropRequest) };
        }
        let reply = match &strike {
            Some(Kind::Refuse { problem }) => {
                Problem::named(problem).unwrap_or_else(|| Problem::new("maintenance")).into()
            }
            Some(Kind::Status { status, retry_after_s, processed }) => {
                if *processed {
                    self.answer(request, false);
                }
                let problem = Problem::of_status(*status);
                match retry_after_s {
                    Some(seconds) => problem.after(*seconds).into(),
                    None => Reply::from(problem),
                }
            }
            _ => self.answer(request, strike == Some(Kind::Duplicate)),
        };
        let mut reply = about(request, reply);
        self.remember_first(request, &mut reply, strike == Some(Kind::OlderAnswer));
        self.count(request, &reply.status.to_string());
        self.note_contact(request, reply.status, strike.as_ref());
        let mut response = self.sign(reply, strike == Some(Kind::WrongSignature));
        response.fault = strike.as_ref().and_then(Kind::delivery);
        response
    }

    /// Keeps what an object said when it was read first, and says it again if asked to.
    fn remember_first(&mut self, request: &Request, reply: &mut Reply, again: bool) {
        let object = matches!(route(&request.method, request.path()), Ok(Operation::Payment(_) | Operation::Payout(_)));
        if object && reply.status == 200 {
            let first = self.first_read.entry(request.path().to_owned()).or_insert_with(|| reply.body.clone());
            if again {
                reply.body.clone_from(first);
            }
        }
    }

    fn count(&mut self, request: &Request, status: &str) {
        let name = match route(&request.method, request.path()) {
            Ok(operation) => operation.name(),
            Err(_) => "other",
        };
        *self.requests.entry(name.to_owned()).or_default().entry(status.to_owned()).or_default() += 1;
    }

    /// Routes, verifies and executes (twice if asked; the second answer counts).
    fn answer(&mut self, request: &Request, twice: bool) -> Reply {
        let result = self.admit(request).and_then(|(operation, caller)| {
            if twice {
                let _ = self.execute(&operation, caller.as_ref(), request);
            }
            self.execute(&operation, caller.as_ref(), request)
        });
        let reply = result.unwrap_or_else(Reply::from);
        unless_modified(request, reply)
    }

    /// The checks before the schema: address, size, content type, signature, terminal.
    fn admit(&mut self, request: &Request) -> Result<(Operation, Option<Caller>), Problem> {
        let operation = route(&request.method, request.path())?;
        if request.body.len() > BODY_BYTES {
            return Err(Problem::new("payload-too-large"));
        }
        if request.method == "POST" && !is_json(request) {
            return Err(Problem::new("unsupported-media-type"));
        }
        if operation.is_public() {
            return Ok((operation, None));
        }
        if operation == Operation::Activate {
            let key = body_key(request)?;
            self.verify(request, &key)?;
            return Ok((operation, None));
        }
        let caller = self.authenticate(request)?;
        Ok((operation, Some(caller)))
    }

    fn authenticate(&mut self, request: &Request) -> Result<Caller, Problem> {
        let claim = claim(request).map_err(|refusal| self.unauthorized(refusal))?;
        let key = self.book.keys.get(&claim.keyid).cloned();
        let key = key.ok_or_else(|| self.unauthorized(Refusal::Wrong))?;
        self.verify(request, &key)?;
        let terminal = request.header("x-terminal-id").and_then(|id| self.book.terminals.get(id));
        let Some(terminal) = terminal.filter(|terminal| terminal.key_thumbprint == key.thumbprint) else {
            return Err(Problem::new("terminal-unknown"));
        };
        if terminal.status != "active" {
            return Err(Problem::new("terminal-blocked"));
        }
        Ok(Caller { terminal_id: terminal.terminal_id.clone(), merchant_id: terminal.merchant_id.clone() })
    }

    fn verify(&mut self, request: &Request, key: &DeviceKey) -> Result<(), Problem> {
        let claim = claim(request).map_err(|refusal| self.unauthorized(refusal))?;
        let base = match &self.public_url {
            Some(url) => url.clone(),
            None => format!("http://{}", request.header("host").unwrap_or("")),
        };
        let target_uri = format!("{base}{}", request.target);
        claim.verify(request, &target_uri, key, self.now_ms).map_err(|refusal| self.unauthorized(refusal))?;
        let now_s = self.now_ms.div_euclid(1000);
        let nonce = (key.thumbprint.clone(), claim.nonce.clone());
        if self.nonces.get(&nonce).is_some_and(|until| *until >= now_s) {
            return Err(self.unauthorized(Refusal::Replayed));
        }
        // A nonce whose `created` has left the window cannot come back.
        if self.nonces.len() >= 4096 {
            self.nonces.retain(|_, until| *until >= now_s);
        }
        self.nonces.insert(nonce, claim.created + WINDOW_S);
        Ok(())
    }

    fn unauthorized(&self, refusal: Refusal) -> Problem {
        match refusal {
            Refusal::Skew => Problem::new("clock-skew").with("server_time", Value::String(rfc3339(self.now_ms))),
            other => Problem::new("signature-invalid").with("detail", Value::String(other.text().to_owned())),
        }
    }

    fn sign(&mut self, reply: Reply, wrongly: bool) -> Response {
        self.book.counters.answers += 1;
        let id = format!("ans_{:016}", self.book.counters.answers);
        let timestamp = self.now_ms.div_euclid(1000);
        let signature = if wrongly {
            self.keys.sign_wrongly(&id, timestamp, &reply.body)
        } else {
            self.keys.sign(reply.root, &id, timestamp, &reply.body)
        };
        let kid = if reply.root { crate::keys::ROOT } else { self.keys.current() }.to_owned();
        let mut headers = vec![
            ("date".to_owned(), http_date(self.now_ms)),
            ("webhook-id".to_owned(), id),
            ("webhook-timestamp".to_owned(), timestamp.to_string()),
            ("webhook-signature".to_owned(), format!("v1a,{signature}")),
            ("kid".to_owned(), kid),
        ];
        if !reply.body.is_empty() {
            let content_type = if reply.problem { "application/problem+json" } else { "application/json" };
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        headers.extend(reply.headers);
        Response { status: reply.status, headers, body: reply.body, fault: None }
    }
}

/// The key in an activation's own body: proof that the device holds it.
fn body_key(request: &Request) -> Result<DeviceKey, Problem> {
    if claim(request).is_err() {
        return Err(Problem::new("signature-invalid"));
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|_| Problem::not_json())?;
    let key = body.get("public_key").ok_or_else(|| Problem::invalid("/public_key", "missing"))?;
    DeviceKey::from_jwk(key).ok_or_else(|| Problem::invalid("/public_key", "format"))
}

fn is_json(request: &Request) -> bool {
    let value = request.header("content-type").unwrap_or("");
    value.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

/// A refusal of a POST names the request it refuses, so that its signature fits no other.
fn about(request: &Request, mut reply: Reply) -> Reply {
    let key = request.header("idempotency-key").and_then(quoted_uuid);
    if reply.problem
        && request.method == "POST"
        && let Some(key) = key
        && let Ok(Value::Object(mut body)) = serde_json::from_slice(&reply.body)
    {
        body.insert("instance".to_owned(), Value::String(format!("urn:uuid:{key}")));
        reply.body = Value::Object(body).to_string().into_bytes();
    }
    reply
}

/// 304 if the client names the tag of this answer.
fn unless_modified(request: &Request, reply: Reply) -> Reply {
    let Some(etag) = reply.headers.iter().find(|(name, _)| name == "etag").map(|(_, value)| value.clone()) else {
        return reply;
    };
    let wanted = request.header("if-none-match").unwrap_or("");
    let same = wanted.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag);
    if reply.status != 200 || !same {
        return reply;
    }
    Reply { status: 304, headers: vec![("etag".to_owned(), etag)], body: Vec::new(), problem: false, root: reply.root }
}

fn plain(status: u16, body: &Value) -> Response {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Response { status, headers, body: body.to_string().into_bytes(), fault: None }
}
