//! One till at one stall: the real engine on a disk that can fail, its reader, its acquirer, and the only clock. What the disk's
//! proofs stand on ([`crate::power`], [`crate::sweep`], [`crate::tamper`]).
//!
//! A process that dies stays dead until [`Stall::end_process`]: what it would do then is not done, and nothing here fails for it.

pub mod ledger;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;

use sandbox_acquirer::{Config, Request, Sandbox};
use serde_json::{Value, json};
use takings_acquirers::http::Carried;
use takings_acquirers::{Alg, Answer, SignedRequest, SoftwareKey};
use takings_domain::event::ChargeMode;
use takings_domain::{EntryMode, LedgerId, Now, OperationId, PaymentId};
use takings_readers::simulated::{CardScript, SimulatedReader, Stage};
use takings_store::OpenConfig;
use takings_till::simulation::{
    Command, Effect, Engine, EngineConfig, Failures, Input, LinkEvent, Outlook, Reading, Reply, Ticket,
};
use takings_till::views::{PaymentQuery, PaymentView, SyncReport};
use takings_till::{ChargeOutcome, ChargeRequest, TillError};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::directory::{copy_files, directory};
use crate::disk::{Disk, VFS, seed_sqlite};
use crate::streams::PhoneRandomness;

/// The key of every ledger here, where it is encrypted.
pub const KEY: [u8; 32] = [9; 32];
/// Saturday 2026-11-21, 10:00 in Shanghai.
const SATURDAY_MS: i64 = 1_795_226_400_000;
const ACQUIRER: &str = "https://acquirer.example";
const VALUE_LEN: u32 = 244;
const SYNC_BUDGET_MS: u64 = 120_000;
/// More than any honest piece of work needs.
const ENDLESS: usize = 2_000;

/// A proof could not be set up: nothing was proved.
#[derive(Debug, thiserror::Error)]
pub enum StallError {
    /// The files.
    #[error("the files: {0}")]
    Files(#[from] io::Error),
    /// The till that every run begins with.
    #[error("the till: {0}")]
    Till(#[from] TillError),
    /// The acquirer.
    #[error("the acquirer: {0}")]
    Acquirer(#[from] sandbox_acquirer::OpenError),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

/// What the line does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// It carries.
    Good,
    /// The connection is refused.
    Down,
    /// Requests arrive, answers do not.
    AnswersLost,
    /// Of live payments and of questions about them the answers do not arrive.
    LiveAnswersLost,
}

/// What the screen said of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The payment.
    pub id: PaymentId,
    /// Asked for, minor units.
    pub amount_minor: i64,
    /// The card's last digits.
    pub last_four: &'static str,
    /// What it said last.
    pub outcome: ChargeOutcome,
}

/// See the module.
pub struct Stall {
    dir: TempDir,
    /// The disk under the till.
    pub disk: Disk,
    /// The acquirer.
    pub sandbox: Sandbox,
    /// The till, while its process lives.
    pub engine: Option<Engine>,
    reading: Option<Reading>,
    outlook: Outlook,
    /// The phone's clocks; its wall clock is right.
    pub now: Now,
    /// What the line does.
    pub line: Line,
    /// What the screens said, by payment.
    pub told: BTreeMap<PaymentId, Told>,
    /// Charges whose intent was taken up.
    pub sold: u64,
    /// Errors the till answered with.
    pub errors: Vec<TillError>,
    reader: SimulatedReader,
    generation: u32,
    tickets: Ticket,
    replies: BTreeMap<Ticket, Result<Reply, TillError>>,
    outbox: VecDeque<(OperationId, SignedRequest)>,
    wake_at_ms: Option<i64>,
    /// What makes the till a terminal: one code, however often it is tried.
    code: Option<String>,
    seed: u64,
    starts: u64,
}

/// An activated till and its acquirer, to begin with again and again.
pub struct Template {
    dir: TempDir,
    sandbox: Sandbox,
    now: Now,
}

fn received_path_ends(request: &SignedRequest, ends: &[&str]) -> bool {
    ends.iter().any(|end| request.url.ends_with(end))
}

/// How a ledger in this directory is opened, on our disk.
#[must_use]
pub fn store_config(dir: &Path) -> OpenConfig {
    let mut store = OpenConfig::new(dir, LedgerId::from_parts(SATURDAY_MS, [5; 10]));
    store.vfs = Some(VFS.to_owned());
    store.free_bytes = Some(Disk::free_bytes);
    store.write_again = Some(Disk::write_again);
    if cfg!(feature = "sqlcipher") {
        store.key = Some(takings_store::DatabaseKey::new(KEY));
    }
    store
}

impl Template {
    /// Activates a till at an acquirer of its own. `closed`: in good order; else its process was killed and the log waits.
    ///
    /// # Errors
    /// If the till cannot be set up.
    pub fn new(seed: u64, closed: bool) -> Result<Self, StallError> {
        let mut stall = Stall::bare(seed)?;
        stall.open()?;
        stall.activate()?;
        // The first charge takes up the ballast.
        stall.sell(&Sale { amount_minor: 100, mode: ChargeMode::PreferOnline, last_four: "0048" });
        if !closed {
            stall.kill();
        }
        stall.end_process();
        let Stall { dir, sandbox, now, .. } = stall;
        Ok(Self { dir, sandbox, now })
    }
}

/// A sale.
#[derive(Debug, Clone, Copy)]
pub struct Sale {
    /// Minor units.
    pub amount_minor: i64,
    /// How it may reach the acquirer.
    pub mode: ChargeMode,
    /// The card's last digits: they decide what the bank says.
    pub last_four: &'static str,
}

impl Stall {
    /// A new phone: nothing on it, the till not open.
    ///
    /// # Errors
    /// If there is no room for its files, or the acquirer does not start.
    pub fn bare(seed: u64) -> Result<Self, StallError> {
        let dir = directory()?;
        let config = Config { seed, start_ms: SATURDAY_MS, public_url: Some(ACQUIRER.to_owned()), journal: None };
        let now = Now { wall_ms: SATURDAY_MS, monotonic_ms: 1_000, boot_id: 1 };
        seed_sqlite(seed);
        Ok(Self {
            disk: Disk::new(dir.path()),
            dir,
            sandbox: Sandbox::new(config)?,
            engine: None,
            reading: None,
            outlook: Outlook::default(),
            now,
            line: Line::Good,
            told: BTreeMap::new(),
            sold: 0,
            errors: Vec::new(),
            reader: SimulatedReader::new(seed, "B61378A"),
            generation: 0,
            tickets: 0,
            replies: BTreeMap::new(),
            outbox: VecDeque::new(),
            wake_at_ms: None,
            code: None,
            seed,
            starts: 0,
        })
    }

    /// Begins anew from a template, on the same disk.
    ///
    /// # Errors
    /// If the files cannot be copied.
    pub fn reset(&mut self, template: &Template, seed: u64) -> Result<(), StallError> {
        self.end_process();
        copy_files(template.dir.path(), self.dir.path())?;
        self.disk = Disk::new(self.dir.path());
        self.disk.fail(None);
        self.disk.set_capacity(None);
        self.sandbox = template.sandbox.clone();
        self.now = template.now;
        (self.seed, self.starts, self.generation) = (seed, 0, 0);
        self.line = Line::Good;
        self.told.clear();
        self.errors.clear();
        self.sold = 0;
        self.reader = SimulatedReader::new(seed, "B61378A");
        seed_sqlite(seed);
        Ok(())
    }

    /// Begins anew with other files: the phone as it was when they were copied.
    ///
    /// # Errors
    /// If the files cannot be copied.
    pub fn take_files(&mut self, from: &Path, seed: u64) -> Result<(), StallError> {
        self.end_process();
        copy_files(from, self.dir.path())?;
        self.disk = Disk::new(self.dir.path());
        (self.seed, self.starts, self.line) = (seed, 0, Line::Down);
        seed_sqlite(seed);
        Ok(())
    }

    /// The till's files.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts the app.
    ///
    /// # Errors
    /// What the till says.
    pub fn open(&mut self) -> Result<(), TillError> {
        self.starts += 1;
        let Ok(key) = SoftwareKey::from_secret(Alg::Ed25519, &Zeroizing::new([7; 32])) else {
            return Err(TillError::Internal { code: "stall", detail: "no key".to_owned() });
        };
        let config = EngineConfig {
            store: store_config(self.dir.path()),
            acquirer_url: ACQUIRER.to_owned(),
            app_version: "0.1.0".to_owned(),
            request_timeout_ms: 35_000,
            outlook: self.outlook.clone(),
            failures: Failures::default(),
        };
        let randomness = Arc::new(PhoneRandomness::new(self.seed, 0, self.starts));
        self.engine = Some(Engine::open(config, Arc::new(key), randomness, self.now)?);
        self.disk.note_beside();
        Ok(())
    }

    /// From here on the process is dead.
    pub fn kill(&mut self) {
        self.disk.kill();
    }

    /// The process is gone, and all that was in memory. In good order, unless it is dead.
    pub fn end_process(&mut self) {
        self.reading = None;
        self.engine = None;
        self.outlook = Outlook::default();
        self.replies.clear();
        self.outbox.clear();
        self.wake_at_ms = None;
        self.reader.link_down();
        self.reader.take_card_away();
    }

    /// Another boot of the phone, so much later.
    pub fn boot(&mut self, after_ms: i64) {
        self.now.wall_ms += after_ms;
        self.now.monotonic_ms = 1_000;
        self.now.boot_id += 1;
    }

    /// Nothing more can be asked of the process.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.engine.is_none() || self.disk.is_dead()
    }

    /// Gives the till its input and takes what comes out.
    pub fn handle(&mut self, input: Input) {
        let now = self.now;
        let Some(engine) = self.engine.as_mut() else { return };
        let effects = engine.handle(input, now);
        self.disk.note_beside();
        for effect in effects {
            match effect {
                Effect::Send { op, request, .. } => self.outbox.push_back((op, request)),
                Effect::Reply(ticket, reply) => {
                    if let Err(error) = &reply {
                        self.errors.push(error.clone());
                    }
                    self.replies.insert(ticket, reply);
                }
                Effect::WakeAt(at_ms) => self.wake_at_ms = Some(at_ms),
            }
        }
    }

    fn start(&mut self, command: Command) -> Ticket {
        self.tickets += 1;
        self.handle(Input::Command(self.tickets, command));
        self.tickets
    }

    /// Gives a command, lets the line do its work, and takes the answer; none if there is none yet, or no process.
    pub fn ask(&mut self, command: Command) -> Option<Result<Reply, TillError>> {
        let ticket = self.start(command);
        self.run();
        self.replies.remove(&ticket)
    }

    /// Carries everything until nothing is under way, or the process is dead.
    pub fn run(&mut self) {
        for _ in 0..ENDLESS {
            if self.is_dead() {
                return;
            }
            let Some((op, request)) = self.outbox.pop_front() else { return };
            let carried = self.carry(&request);
            self.handle(Input::Answer(op, carried));
        }
    }

    fn carry(&mut self, request: &SignedRequest) -> Carried {
        if self.line == Line::Down {
            return Carried::NotSent("connection refused".to_owned());
        }
        let received = Request {
            method: request.method.as_str().to_owned(),
            target: request.url.strip_prefix(ACQUIRER).unwrap_or(&request.url).to_owned(),
            headers: request.headers.clone(),
            body: request.body.clone(),
        };
        let response = self.sandbox.handle(self.now.wall_ms, &received);
        let about_live = received_path_ends(request, &["/v1/payments", "/v1/payments/inquiries"]);
        if self.line == Line::AnswersLost || (self.line == Line::LiveAnswersLost && about_live) {
            return Carried::Maybe("closed".to_owned());
        }
        Carried::Answer(Answer { status: response.status, headers: response.headers, body: response.body })
    }

    fn admin(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let response = self.sandbox.handle(self.now.wall_ms, &Request::json(method, path, body));
        serde_json::from_slice(&response.body).unwrap_or_default()
    }

    /// The acquirer's book.
    pub fn book(&mut self) -> Value {
        self.admin("GET", "/admin/ledger", &json!({}))
    }

    /// Makes the till a terminal.
    ///
    /// # Errors
    /// What the till says.
    pub fn activate(&mut self) -> Result<(), StallError> {
        let code = match self.code.take() {
            Some(code) => code,
            None => {
                let answer = self.admin("POST", "/admin/activation-codes", &json!({}));
                let Some(code) = answer["activation_code"].as_str() else {
                    return Err(StallError::Other(format!("no activation code: {answer}")));
                };
                code.to_owned()
            }
        };
        self.code = Some(code.clone());
        match self.ask(Command::Activate { code }) {
            Some(done) => Ok(done.map(drop)?),
            None => Err(StallError::Other("the activation was not answered".to_owned())),
        }
    }

    /// The till knows that it is a terminal.
    pub fn is_activated(&mut self) -> bool {
        match self.ask(Command::Status) {
            Some(Ok(Reply::Status(status))) => status.activation.is_some(),
            _ => false,
        }
    }

    /// Time passes for a till that wakes by its own timer.
    pub fn live_on(&mut self, ms: i64) {
        let end_ms = self.now.wall_ms + ms;
        for _ in 0..ENDLESS {
            if self.is_dead() {
                break;
            }
            let Some(at_ms) = self.wake_at_ms.filter(|at| *at <= end_ms) else { break };
            self.wake_at_ms = None;
            self.pass((at_ms - self.now.wall_ms).max(0));
            self.handle(Input::Tick);
            self.run();
        }
        self.pass((end_ms - self.now.wall_ms).max(0));
        self.handle(Input::Tick);
        self.run();
    }

    /// Time passes and nobody looks, milliseconds.
    pub fn pass(&mut self, ms: i64) {
        self.now.wall_ms += ms;
        self.now.monotonic_ms += ms;
    }

    /// A sale from its intent to its outcome, as far as it comes. Answers the payment, if the intent was taken up.
    pub fn sell(&mut self, sale: &Sale) -> Option<PaymentId> {
        let request = ChargeRequest {
            amount_minor: sale.amount_minor,
            currency: "CNY".to_owned(),
            order_reference: None,
            mode: sale.mode,
            charge_again: false,
            operator: Some("王".to_owned()),
        };
        let Some(Ok(Reply::Charging(id))) = self.ask(Command::Charge(request)) else { return None };
        self.sold += 1;
        self.present(id, sale);
        self.run();
        if let Some(Ok(Reply::Outcome(outcome))) = self.ask(Command::Outcome { payment: id }) {
            self.heard(id, sale, outcome);
        }
        Some(id)
    }

    /// The reader's values one by one, until neither side has anything to say.
    fn present(&mut self, id: PaymentId, sale: &Sale) {
        self.generation += 1;
        self.reader.link_up(VALUE_LEN as usize);
        let generation = self.generation;
        let mut card = Some(CardScript::new("6222", sale.last_four, EntryMode::Chip));
        let mut writes = VecDeque::new();
        let mut event = Some(LinkEvent::Up { value_len: VALUE_LEN, generation });
        while let Some(next) = event.take() {
            let ticket = self.start(Command::Link { payment: id, event: next });
            if let Some(Ok(Reply::Step(step))) = self.replies.remove(&ticket) {
                writes.extend(step.writes);
                if let Some(outcome) = step.saved {
                    self.heard(id, sale, outcome);
                }
            }
            if self.is_dead() {
                return;
            }
            if self.reader.stage() == Stage::WaitingForCard
                && writes.is_empty()
                && let Some(card) = card.take()
            {
                self.reader.present(card);
            }
            event = match writes.pop_front() {
                Some(value) => {
                    self.reader.receive(&value);
                    Some(LinkEvent::WriteDone { generation })
                }
                None => self.reader.outbound().map(|value| LinkEvent::Bytes { generation, value }),
            };
        }
        self.reader.link_down();
        self.start(Command::Link { payment: id, event: LinkEvent::Down { generation } });
    }

    fn heard(&mut self, id: PaymentId, sale: &Sale, outcome: ChargeOutcome) {
        let Sale { amount_minor, last_four, .. } = *sale;
        self.told.insert(id, Told { id, amount_minor, last_four, outcome });
    }

    /// A contact with the acquirer.
    pub fn sync(&mut self) -> Option<SyncReport> {
        match self.ask(Command::Sync { budget_ms: SYNC_BUDGET_MS }) {
            Some(Ok(Reply::Synced(report))) => Some(report),
            _ => None,
        }
    }

    /// The list of payments, by a connection beside the till's that stays open until [`Stall::look_away`].
    ///
    /// # Errors
    /// What the till says.
    pub fn list(&mut self) -> Result<Vec<PaymentView>, TillError> {
        let reading = match self.reading.take() {
            Some(reading) => reading,
            None => Reading::open(&store_config(self.dir.path()), self.outlook.clone())?,
        };
        let query = PaymentQuery { limit: Some(200), ..PaymentQuery::default() };
        let page = reading.payments(&query, self.now);
        self.reading = Some(reading);
        Ok(page?.payments)
    }

    /// The list is closed.
    pub fn look_away(&mut self) {
        self.reading = None;
    }
}
