//! One stall: an engine on a directory of its own, an acquirer, a reader, a line, and the only clock.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};

use sandbox_acquirer::{Config, Request, Sandbox};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use takings_acquirers::http::Carried;
use takings_acquirers::{Alg, Identity, Operation, SignedRequest, SigningContext, SoftwareKey, encode};
use takings_domain::{LedgerId, Now, OperationId, PaymentId};
use takings_readers::simulated::SimulatedReader;
use takings_store::OpenConfig;
use zeroize::Zeroizing;

use super::super::{Command, Effect, Engine, EngineConfig, Failures, Input, Reply, Ticket};
use super::line::{self, Fault, Rule};
use crate::charge::ChargeOutcome;
use crate::error::TillError;
use crate::outlook::Outlook;
use crate::ports::Randomness;
use crate::views::SyncReport;

/// Saturday 2026-11-21, 10:00 in Shanghai.
pub(super) const SATURDAY_MS: i64 = 1_795_226_400_000;
pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

pub(super) const ACQUIRER: &str = "https://acquirer.example";
pub(super) const BATCH: &str = "POST /v1/payments/batch";
pub(super) const LIVE: &str = "POST /v1/payments";
pub(super) const REVERSE: &str = "POST /v1/payments/*/reversals";
pub(super) const INQUIRE: &str = "POST /v1/payments/inquiries";
pub(super) const SIGN_ON: &str = "POST /v1/terminals/*/sign-ons";
pub(super) const EVENTS: &str = "GET /v1/events";
/// More exchanges or ticks without an end than any honest piece of work needs.
const ENDLESS: usize = 3_000;

/// The engine was killed here.
struct Killed;

/// Bytes drawn from a seed.
struct Seeded {
    seed: [u8; 32],
    drawn: Mutex<u64>,
}

impl Randomness for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        let mut drawn = self.drawn.lock().unwrap();
        for piece in bytes.chunks_mut(32) {
            *drawn += 1;
            let block = Sha256::new().chain_update(self.seed).chain_update(drawn.to_be_bytes()).finalize();
            piece.copy_from_slice(&block[..piece.len()]);
        }
    }
}

thread_local! {
    /// What is free on the phone's disk, bytes: each test has a thread of its own, and its engine runs there.
    static FREE_BYTES: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// From now on so much is free on the phone's disk.
pub(super) fn say_free_bytes(bytes: u64) {
    FREE_BYTES.with(|free| free.set(bytes));
}

/// In memory where the machine has such a place: what a power cut does to a disk is not asked here.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn copy_files(from: &Path, to: &Path) {
    for file in fs::read_dir(to).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

fn device_key(secret: u8) -> SoftwareKey {
    SoftwareKey::from_secret(Alg::Ed25519, &Zeroizing::new([secret; 32])).unwrap()
}

#[expect(clippy::print_stderr, reason = "whoever sees a test fail wants its seed")]
fn say_seed(seed: u64) {
    eprintln!("seed {seed}");
}

/// A request under way.
pub(super) struct Sent {
    pub(super) op: OperationId,
    pub(super) request: SignedRequest,
    pub(super) name: String,
    pub(super) timeout_ms: u64,
}

pub(super) struct Bench {
    pub(super) seed: u64,
    pub(super) dir: tempfile::TempDir,
    pub(super) sandbox: Sandbox,
    pub(super) engine: Option<Engine>,
    /// The phone's clocks.
    pub(super) now: Now,
    /// The true time, which is the acquirer's.
    pub(super) world_ms: i64,
    pub(super) key_secret: u8,
    starts: u64,
    tickets: Ticket,
    replies: BTreeMap<Ticket, Result<Reply, TillError>>,
    pub(super) outbox: VecDeque<Sent>,
    pub(super) late: VecDeque<(OperationId, Carried)>,
    pub(super) wake_at_ms: Option<i64>,
    pub(super) rules: Vec<Rule>,
    pub(super) line_is_down: bool,
    pub(super) reader: SimulatedReader,
    pub(super) generation: u32,
    /// The code that made this till a terminal.
    pub(super) first_code: String,
    /// What the screen said of each payment, last word last.
    pub(super) told: BTreeMap<PaymentId, Vec<ChargeOutcome>>,
    /// Every request that left, by name.
    pub(super) sent: Vec<String>,
    requests: Vec<SignedRequest>,
    /// How many times an effect could have been lost.
    pub(super) boundary: u32,
    kill_at: Option<u32>,
    pub(super) outlook: Outlook,
    pub(super) failures: Failures,
}

impl Bench {
    /// A till on a new directory, not activated.
    pub(super) fn new(seed: u64) -> Self {
        say_seed(seed);
        let config = Config { seed, start_ms: SATURDAY_MS, public_url: Some(ACQUIRER.to_owned()), journal: None };
        let mut bench = Self {
            seed,
            dir: directory(),
            sandbox: Sandbox::new(config).unwrap(),
            engine: None,
            now: Now { wall_ms: SATURDAY_MS, monotonic_ms: 1_000, boot_id: 1 },
            world_ms: SATURDAY_MS,
            key_secret: 7,
            starts: 0,
            tickets: 0,
            replies: BTreeMap::new(),
            outbox: VecDeque::new(),
            late: VecDeque::new(),
            wake_at_ms: None,
            rules: Vec::new(),
            line_is_down: false,
            reader: SimulatedReader::new(seed, "B61378A"),
            generation: 0,
            first_code: String::new(),
            told: BTreeMap::new(),
            sent: Vec::new(),
            requests: Vec::new(),
            boundary: 0,
            kill_at: None,
            outlook: Outlook::default(),
            failures: Failures::default(),
        };
        bench.open().unwrap();
        bench
    }

    /// Activated and signed on.
    pub(super) fn ready(seed: u64) -> Self {
        let mut bench = Self::new(seed);
        let code = bench.activation_code();
        bench.first_code.clone_from(&code);
        bench.ask(Command::Activate { code }).unwrap();
        bench.sent.clear();
        bench.boundary = 0;
        bench
    }

    /// The phone is gone; another one begins with an empty directory and a key of its own, and becomes the same terminal.
    /// Answers the directory of the old one.
    pub(super) fn on_a_new_phone(&mut self) -> tempfile::TempDir {
        let terminal = self.engine().state.activated.as_ref().unwrap().terminal_id.clone();
        self.kill();
        let old = std::mem::replace(&mut self.dir, directory());
        self.key_secret += 1;
        self.open().unwrap();
        let request = json!({"terminal_id": terminal, "again": true});
        let answer = self.admin("POST", "/admin/activation-codes", &request);
        self.first_code = answer["activation_code"].as_str().unwrap().to_owned();
        let code = self.first_code.clone();
        self.ask(Command::Activate { code }).unwrap();
        old
    }

    pub(super) fn activation_code(&mut self) -> String {
        let answer = self.admin("POST", "/admin/activation-codes", &json!({}));
        answer["activation_code"].as_str().unwrap().to_owned()
    }

    pub(super) fn store(&self) -> OpenConfig {
        let mut config =
            OpenConfig::new(self.dir.path(), LedgerId::from_parts(self.now.wall_ms, [self.seed as u8; 10]));
        config.free_bytes = Some(|_| FREE_BYTES.with(Cell::get));
        if cfg!(feature = "sqlcipher") {
            config.key = Some(takings_store::DatabaseKey::new([9; 32]));
        }
        config
    }

    pub(super) fn open(&mut self) -> Result<(), TillError> {
        self.starts += 1;
        let seed = Sha256::digest([self.seed.to_be_bytes(), self.starts.to_be_bytes()].concat());
        let key = device_key(self.key_secret);
        let config = EngineConfig {
            store: self.store(),
            acquirer_url: ACQUIRER.to_owned(),
            app_version: "0.1.0".to_owned(),
            request_timeout_ms: 35_000,
            outlook: self.outlook.clone(),
            failures: self.failures.clone(),
        };
        let randomness = Arc::new(Seeded { seed: seed.into(), drawn: Mutex::new(0) });
        self.engine = Some(Engine::open(config, Arc::new(key), randomness, self.now)?);
        Ok(())
    }

    /// What SIGKILL does: nothing is finished, nothing is told.
    pub(super) fn kill(&mut self) {
        self.engine = None;
        self.outbox.clear();
        self.late.clear();
        self.replies.clear();
        self.wake_at_ms = None;
        self.reader.link_down();
        self.reader.take_card_away();
    }

    pub(super) fn kill_and_reopen(&mut self) {
        self.kill();
        self.open().unwrap();
    }

    /// Does the work, killed at the `at`-th boundary. True if it was, false if it came to its end before.
    pub(super) fn killed_at(&mut self, at: u32, work: impl FnOnce(&mut Self)) -> bool {
        self.boundary = 0;
        self.kill_at = Some(at);
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        self.kill_at = None;
        match done {
            Ok(()) => false,
            Err(payload) if payload.is::<Killed>() => {
                self.kill();
                true
            }
            Err(payload) => resume_unwind(payload),
        }
    }

    fn may_be_killed(&mut self) {
        self.boundary += 1;
        if self.kill_at == Some(self.boundary) {
            resume_unwind(Box::new(Killed));
        }
    }

    pub(super) fn engine(&mut self) -> &mut Engine {
        self.engine.as_mut().unwrap()
    }

    pub(super) fn handle(&mut self, input: Input) {
        let now = self.now;
        let effects = self.engine().handle(input, now);
        self.may_be_killed();
        for effect in effects {
            match effect {
                Effect::Send { op, request, timeout_ms } => {
                    let name = line::name(&request, ACQUIRER);
                    self.sent.push(name.clone());
                    self.requests.push(request.clone());
                    self.outbox.push_back(Sent { op, request, name, timeout_ms });
                }
                Effect::Reply(ticket, reply) => {
                    assert!(self.replies.insert(ticket, reply).is_none(), "answered twice");
                }
                Effect::WakeAt(at_ms) => self.wake_at_ms = Some(at_ms),
            }
        }
    }

    pub(super) fn start(&mut self, command: Command) -> Ticket {
        self.tickets += 1;
        self.handle(Input::Command(self.tickets, command));
        self.tickets
    }

    pub(super) fn reply(&mut self, ticket: Ticket) -> Option<Result<Reply, TillError>> {
        self.replies.remove(&ticket)
    }

    /// Gives a command, lets the line do its work, and takes the answer.
    pub(super) fn ask(&mut self, command: Command) -> Result<Reply, TillError> {
        let ticket = self.start(command);
        self.run();
        self.reply(ticket).expect("an answer")
    }

    pub(super) fn sync(&mut self) -> SyncReport {
        match self.ask(Command::Sync { budget_ms: 120_000 }) {
            Ok(Reply::Synced(report)) => report,
            other => panic!("{other:?}"),
        }
    }

    /// Carries everything until nothing is under way.
    pub(super) fn run(&mut self) {
        for _ in 0..ENDLESS {
            let Some(sent) = self.outbox.pop_front() else { return };
            self.carry(sent);
        }
        panic!("the engine asks without end: {:?}", &self.sent[self.sent.len() - 20..]);
    }

    pub(super) fn carry(&mut self, sent: Sent) {
        let fault = if self.line_is_down { Some(Fault::Refused) } else { self.fault(&sent.name) };
        let carried = match fault {
            None => self.reach(&sent.request),
            Some(Fault::Refused) => Carried::NotSent("connection refused".to_owned()),
            Some(Fault::DropRequest) => Carried::Maybe("timed out".to_owned()),
            Some(Fault::DropAnswer | Fault::HalfAnswer) => {
                self.reach(&sent.request);
                Carried::Maybe("the answer broke off".to_owned())
            }
            Some(Fault::FlipByte) => line::spoil(self.reach(&sent.request), false),
            Some(Fault::FlipSignature) => line::spoil(self.reach(&sent.request), true),
            Some(Fault::Portal) => line::unsigned(200, None),
            Some(Fault::Unsigned(status, seconds)) => line::unsigned(status, seconds),
            Some(Fault::TwiceAnswered) => {
                let carried = self.reach(&sent.request);
                self.handle(Input::Answer(sent.op, carried.clone()));
                carried
            }
            Some(Fault::Late) => {
                let carried = self.reach(&sent.request);
                self.late.push_back((sent.op, carried));
                return;
            }
            Some(Fault::Hide(id)) => {
                let request = self.without(&sent, id);
                self.reach(&request)
            }
        };
        self.may_be_killed();
        self.handle(Input::Answer(sent.op, carried));
    }

    /// The answers that waited arrive, the last first if asked for.
    pub(super) fn deliver_late(&mut self, backwards: bool) {
        while let Some((op, carried)) = if backwards { self.late.pop_back() } else { self.late.pop_front() } {
            self.handle(Input::Answer(op, carried));
        }
        self.run();
    }

    fn reach(&mut self, request: &SignedRequest) -> Carried {
        let response = self.sandbox.handle(self.world_ms, &line::request_of(request, ACQUIRER));
        line::carried(response)
    }

    /// The same batch without one of its payments, signed by the till's own key.
    fn without(&mut self, sent: &Sent, id: PaymentId) -> SignedRequest {
        let terminal = self.engine().state.activated.as_ref().unwrap().terminal_id.clone();
        let mut operation = self.engine().in_flight[&sent.op].operation.clone();
        let Operation::Batch(batch) = &mut operation else { panic!("not a batch") };
        batch.items.retain(|item| item.payment_id != id);
        let key = device_key(self.key_secret);
        let identity = Identity { base_url: ACQUIRER, terminal_id: Some(&terminal), signer: &key };
        let context = SigningContext { now_ms: self.world_ms, nonce: [0xee; 16] };
        encode(&operation, &identity, &context).unwrap()
    }

    /// A request that was under way for long arrives at last.
    pub(super) fn arrive(&mut self, request: &SignedRequest) {
        self.reach(request);
    }

    pub(super) fn first_sent(&self, name: &str) -> SignedRequest {
        self.requests.iter().find(|request| line::name(request, ACQUIRER) == name).unwrap().clone()
    }

    /// Commits in SQLite's log: frames that end a transaction.
    pub(super) fn commits(&self) -> usize {
        let log = fs::read(self.dir.path().join("ledger.db-wal")).unwrap();
        let word = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
        let (page_size, salts) = (word(8) as usize, [word(16), word(20)]);
        (32..log.len())
            .step_by(24 + page_size)
            .take_while(|at| [word(at + 8), word(at + 12)] == salts)
            .filter(|at| word(at + 4) != 0)
            .count()
    }

    /// A connection beside the engine's, for what no engine would do.
    pub(super) fn raw(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.dir.path().join("ledger.db")).unwrap();
        if cfg!(feature = "sqlcipher") {
            conn.execute_batch(&format!("PRAGMA key = \"x'{}'\"", "09".repeat(32))).unwrap();
        }
        conn
    }

    /// The lists as an earlier version may have made them.
    pub(super) fn as_an_earlier_version(&self) {
        let sql = "ALTER TABLE payment DROP COLUMN from_acquirer; UPDATE payment SET cause = NULL;
                   UPDATE meta SET value = x'00000004' WHERE key = 'projection_version'";
        self.raw().execute_batch(sql).unwrap();
    }

    /// A later version wrote something that this one does not know.
    pub(super) fn put_unknown_event(&self) {
        let sql = "INSERT INTO event_kind (kind, body_version) VALUES ('payment_blessed', 1)";
        self.raw().execute(sql, []).unwrap();
    }

    /// Somebody changes the file by hand.
    pub(super) fn tamper(&self, sql: &str) {
        assert_eq!(self.raw().execute(sql, []).unwrap(), 1, "{sql}");
    }

    /// From now on the disk refuses to write this kind of event.
    pub(super) fn refuse_to_write(&self, kind: &str) {
        let sql = format!(
            "CREATE TRIGGER refused BEFORE INSERT ON event WHEN NEW.kind = '{kind}'
             BEGIN SELECT RAISE(ABORT, 'the disk refuses'); END"
        );
        self.raw().execute_batch(&sql).unwrap();
    }

    /// From now on a commit with this kind of event in it fails.
    pub(super) fn fail_to_commit(&self, kind: &str) {
        let sql = format!(
            "CREATE TABLE trap_parent (id INTEGER PRIMARY KEY);
             CREATE TABLE trap (id INTEGER REFERENCES trap_parent (id) DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER refused AFTER INSERT ON event WHEN NEW.kind = '{kind}'
             BEGIN INSERT INTO trap VALUES (1); END"
        );
        self.raw().execute_batch(&sql).unwrap();
    }

    pub(super) fn mend_the_disk(&self) {
        let sql = "DROP TRIGGER refused; DROP TABLE IF EXISTS trap; DROP TABLE IF EXISTS trap_parent";
        self.raw().execute_batch(sql).unwrap();
    }

    /// The phone is restored from an older copy: the acquirer knows a payment with the trace number that comes next.
    pub(super) fn break_counter(&mut self) {
        self.restore_a_copy(|bench| {
            bench.charge(&super::stall::Sale::offline(4_400));
            bench.drain();
        });
    }

    /// As [`Bench::break_counter`], and the acquirer heard how long the history was, in a session that was used.
    pub(super) fn break_counter_after_sign_on(&mut self) {
        self.restore_a_copy(|bench| {
            bench.ask(Command::SignOn).unwrap();
            bench.charge(&super::stall::Sale::offline(4_400));
            bench.ask(Command::SignOn).unwrap();
            bench.drain();
        });
    }

    fn restore_a_copy(&mut self, meanwhile: impl FnOnce(&mut Self)) {
        let copy = directory();
        copy_files(self.dir.path(), copy.path());
        meanwhile(self);
        self.kill();
        copy_files(copy.path(), self.dir.path());
        self.told.clear();
        self.open().unwrap();
    }

    fn fault(&mut self, name: &str) -> Option<Fault> {
        let rule = self.rules.iter_mut().find(|rule| rule.times > 0 && (rule.on == "*" || rule.on == name))?;
        rule.times -= 1;
        Some(rule.fault.clone())
    }

    pub(super) fn spoil(&mut self, on: &str, times: u32, fault: Fault) {
        self.rules.push(Rule { on: on.to_owned(), times, fault });
    }

    /// The acquirer's own faults.
    pub(super) fn plant(&mut self, fault: Value) {
        self.admin("POST", "/admin/faults", &fault);
    }

    pub(super) fn good_line(&mut self) {
        self.rules.clear();
        self.line_is_down = false;
        self.admin("DELETE", "/admin/faults", &json!({}));
    }

    pub(super) fn admin(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let response = self.sandbox.handle(self.world_ms, &Request::json(method, path, body));
        assert!(response.status < 300, "{} {}", response.status, String::from_utf8_lossy(&response.body));
        serde_json::from_slice(&response.body).unwrap()
    }

    /// Time passes and nobody looks.
    pub(super) fn pass(&mut self, ms: i64) {
        self.now.wall_ms += ms;
        self.now.monotonic_ms += ms;
        self.world_ms += ms;
    }

    /// Time passes for a till that wakes by its own timer, and at the end it is looked at. Answers how often it woke.
    pub(super) fn live_on(&mut self, ms: i64) -> usize {
        let woken = self.doze(ms);
        self.tick();
        woken
    }

    /// Time passes for a till that wakes by its own timer alone. Answers how often it did.
    pub(super) fn doze(&mut self, ms: i64) -> usize {
        let end_ms = self.now.wall_ms + ms;
        for woken in 0..ENDLESS {
            let Some(at_ms) = self.wake_at_ms.filter(|at| *at <= end_ms) else {
                self.pass(end_ms - self.now.wall_ms);
                return woken;
            };
            self.wake_at_ms = None;
            self.pass((at_ms - self.now.wall_ms).max(0));
            self.tick();
        }
        panic!("the till wakes without rest; last asked for {:?}", &self.sent[self.sent.len().saturating_sub(20)..]);
    }

    fn tick(&mut self) {
        self.handle(Input::Tick);
        self.run();
    }

    /// Syncs as an impatient merchant does, until nothing waits; time passes in between.
    pub(super) fn drain(&mut self) {
        for _ in 0..60 {
            self.sync();
            if self.waiting() == 0 {
                return;
            }
            self.pass(20 * MINUTE);
        }
        panic!("{} still waiting", self.waiting());
    }

    pub(super) fn waiting(&mut self) -> u64 {
        let engine = self.engine();
        let mut tx = engine.ledger.begin().unwrap();
        takings_domain::event::Lane::ALL.iter().map(|lane| tx.waiting_on(*lane).unwrap()).sum()
    }
}
