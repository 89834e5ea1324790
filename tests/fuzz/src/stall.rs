//! A till on a ledger in memory, with a reader, an acquirer, and a line on which answers are changed.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use sandbox_acquirer::{Config, Request, Sandbox};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use takings_acquirers::http::Carried;
use takings_acquirers::{Alg, Answer, SignedRequest, SoftwareKey};
use takings_domain::event::ChargeMode;
use takings_domain::{EntryMode, LedgerId, Now, OperationId, PaymentId};
use takings_readers::simulated::{CardScript, SimulatedReader, Stage};
use takings_store::OpenConfig;
use takings_till::simulation::{
    Command, Effect, Engine, EngineConfig, Failures, Input, LinkEvent, Outlook, Reply, Ticket,
};
use takings_till::{ChargeRequest, Randomness, TillError};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::seal;

const ACQUIRER: &str = "https://acquirer.example";
/// Saturday 2026-11-21, 10:00 in Shanghai.
const START_MS: i64 = 1_795_226_400_000;
pub(crate) const DAY_MS: i64 = 86_400_000;
const VALUE_LEN: u32 = 244;
/// More requests in one go than any piece of work needs.
const ENDLESS: usize = 3_000;

/// What carries requests.
pub(crate) trait Line {
    /// Carries one to the acquirer, or not.
    fn carry(&mut self, acquirer: &mut Acquirer, request: &Request) -> Carried;
}

/// A line that changes nothing.
pub(crate) struct Honest;

impl Line for Honest {
    fn carry(&mut self, acquirer: &mut Acquirer, request: &Request) -> Carried {
        Carried::Answer(acquirer.answer(request, |_| {}))
    }
}

/// The sandbox, answering under our keys.
#[derive(Clone)]
pub(crate) struct Acquirer {
    sandbox: Sandbox,
    /// True time, milliseconds UTC.
    pub(crate) now_ms: i64,
}

impl Acquirer {
    /// The genuine answer as `change` leaves it, signed.
    pub(crate) fn answer(&mut self, request: &Request, change: impl FnOnce(&mut Answer)) -> Answer {
        let response = self.sandbox.handle(self.now_ms, request);
        let mut answer = Answer { status: response.status, headers: response.headers, body: response.body };
        if answer.status == 200
            && let Ok(mut body) = serde_json::from_slice(&answer.body)
        {
            seal::put_ours(request.path(), &mut body);
            answer.body = body.to_string().into_bytes();
        }
        change(&mut answer);
        seal::sign(&mut answer, request.path().ends_with("/keys"));
        answer
    }

    /// Asks its administration; what it refuses does not happen.
    pub(crate) fn admin(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let response = self.sandbox.handle(self.now_ms, &Request::json(method, path, body));
        serde_json::from_slice(&response.body).unwrap_or_default()
    }
}

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

/// A ledger's files, by name.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// A stall after some days, as every input finds it: money that arrived, a decline, payments that wait, one in doubt.
pub(crate) struct Base {
    /// The ledger as a till leaves it that was closed.
    pub(crate) closed: Files,
    /// As a till leaves it that was killed: its newest events are in the log beside it.
    pub(crate) killed: Files,
    pub(crate) now: Now,
    acquirer: Acquirer,
    reader: SimulatedReader,
    payments: Vec<PaymentId>,
}

/// The same for all inputs of a process.
pub(crate) fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let mut stall = Stall::new();
        stall.days();
        let killed = files(stall.dir.path());
        stall.engine = None;
        Base {
            closed: files(stall.dir.path()),
            killed,
            now: stall.now,
            acquirer: stall.acquirer,
            reader: stall.reader,
            payments: stall.payments,
        }
    })
}

/// In memory where the machine has such a place.
pub(crate) fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn files(dir: &Path) -> Files {
    let keep = |name: &str| name.starts_with("ledger.db") && !name.ends_with("-shm") || name == "head";
    let mut files: Files = std::fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap())
        .map(|file| (file.file_name().into_string().unwrap(), file.path()))
        .filter(|(name, _)| keep(name))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

pub(crate) fn put_files(files: &Files, dir: &Path) {
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

/// How a ledger in this directory is opened: on a disk that never fills up.
pub(crate) fn store(dir: &Path) -> OpenConfig {
    let mut config = OpenConfig::new(dir, LedgerId::from_parts(START_MS, [5; 10]));
    config.free_bytes = Some(|_| 1 << 40);
    config
}

pub(crate) struct Stall {
    pub(crate) dir: TempDir,
    pub(crate) acquirer: Acquirer,
    engine: Option<Engine>,
    pub(crate) now: Now,
    starts: u64,
    tickets: Ticket,
    replies: BTreeMap<Ticket, Result<Reply, TillError>>,
    outbox: VecDeque<(OperationId, SignedRequest)>,
    reader: SimulatedReader,
    generation: u32,
    pub(crate) payments: Vec<PaymentId>,
    failures: Failures,
}

impl Stall {
    fn new() -> Self {
        let config = Config { seed: 7, start_ms: START_MS, public_url: Some(ACQUIRER.to_owned()), journal: None };
        let mut stall = Self {
            dir: directory(),
            acquirer: Acquirer { sandbox: Sandbox::new(config).unwrap(), now_ms: START_MS },
            engine: None,
            now: Now { wall_ms: START_MS, monotonic_ms: 1_000, boot_id: 1 },
            starts: 0,
            tickets: 0,
            replies: BTreeMap::new(),
            outbox: VecDeque::new(),
            reader: SimulatedReader::new(3, "B61378A"),
            generation: 0,
            payments: Vec::new(),
            failures: Failures::default(),
        };
        assert!(stall.open(), "a new ledger opens");
        stall
    }

    /// The base once more, opened.
    pub(crate) fn of_base() -> Self {
        let base = base();
        let dir = directory();
        put_files(&base.closed, dir.path());
        let mut stall = Self {
            dir,
            acquirer: base.acquirer.clone(),
            engine: None,
            now: base.now,
            starts: 1,
            tickets: 0,
            replies: BTreeMap::new(),
            outbox: VecDeque::new(),
            reader: base.reader.clone(),
            generation: 0,
            payments: base.payments.clone(),
            failures: Failures::default(),
        };
        assert!(stall.open(), "the base opens");
        stall
    }

    fn days(&mut self) {
        let issued = self.acquirer.admin("POST", "/admin/activation-codes", &json!({}));
        let code = seal::activation_code(issued["code"].as_str().unwrap());
        self.ask(Command::Activate { code }, &mut Honest).unwrap().unwrap();
        for (amount, last_four, mode) in [
            (1_100, "2001", ChargeMode::Offline),
            (1_200, "0051", ChargeMode::Offline),
            (1_300, "2003", ChargeMode::PreferOnline),
        ] {
            self.charge(amount, last_four, mode, &mut Honest);
        }
        self.sync(&mut Honest);
        self.pass(3 * DAY_MS);
        self.sync(&mut Honest);
        for (amount, last_four) in [(1_400, "2004"), (1_500, "0069")] {
            self.charge(amount, last_four, ChargeMode::Offline, &mut Honest);
        }
        self.charge(1_600, "2006", ChargeMode::PreferOnline, &mut Lost);
        assert_eq!(self.payments.len(), 6);
    }

    /// Opens the till; false if it does not open.
    pub(crate) fn open(&mut self) -> bool {
        self.starts += 1;
        let key = SoftwareKey::from_secret(Alg::Ed25519, &Zeroizing::new([7; 32])).unwrap();
        let config = EngineConfig {
            store: store(self.dir.path()),
            acquirer_url: ACQUIRER.to_owned(),
            app_version: "0.1.0".to_owned(),
            request_timeout_ms: 35_000,
            outlook: Outlook::default(),
            failures: self.failures.clone(),
        };
        let randomness = Seeded { seed: Sha256::digest(self.starts.to_be_bytes()).into(), drawn: Mutex::new(0) };
        self.engine = Engine::open(config, Arc::new(key), Arc::new(randomness), self.now).ok();
        self.engine.is_some()
    }

    /// What SIGKILL does.
    pub(crate) fn kill(&mut self) {
        self.engine = None;
        self.outbox.clear();
        self.replies.clear();
        self.reader.link_down();
        self.reader.take_card_away();
    }

    fn handle(&mut self, input: Input) {
        let Some(engine) = self.engine.as_mut() else { return };
        for effect in engine.handle(input, self.now) {
            match effect {
                Effect::Send { op, request, .. } => self.outbox.push_back((op, request)),
                Effect::Reply(ticket, reply) => {
                    assert!(self.replies.insert(ticket, reply).is_none(), "answered twice");
                }
                Effect::WakeAt(_) => {}
            }
        }
    }

    fn start(&mut self, command: Command) -> Ticket {
        self.tickets += 1;
        self.handle(Input::Command(self.tickets, command));
        self.tickets
    }

    /// Gives a command and lets the line do its work; none if nobody answers yet.
    pub(crate) fn ask(&mut self, command: Command, line: &mut dyn Line) -> Option<Result<Reply, TillError>> {
        let ticket = self.start(command);
        self.run(line);
        self.replies.remove(&ticket)
    }

    pub(crate) fn sync(&mut self, line: &mut dyn Line) {
        let reply = self.ask(Command::Sync { budget_ms: 120_000 }, line);
        assert!(reply.is_some(), "a contact never ends");
    }

    fn run(&mut self, line: &mut dyn Line) {
        for _ in 0..ENDLESS {
            let Some((op, request)) = self.outbox.pop_front() else { return };
            let asked = Request {
                method: request.method.as_str().to_owned(),
                target: request.url.strip_prefix(ACQUIRER).unwrap_or(&request.url).to_owned(),
                headers: request.headers,
                body: request.body,
            };
            let carried = line.carry(&mut self.acquirer, &asked);
            self.handle(Input::Answer(op, carried));
        }
        panic!("the till asks without end");
    }

    /// Time passes at both ends, and the till is looked at.
    pub(crate) fn pass(&mut self, ms: i64) {
        self.now.wall_ms += ms;
        self.now.monotonic_ms += ms;
        self.acquirer.now_ms += ms;
    }

    /// A customer pays. The payment's intent may be refused.
    pub(crate) fn charge(&mut self, amount_minor: i64, last_four: &str, mode: ChargeMode, line: &mut dyn Line) {
        let request = ChargeRequest {
            amount_minor,
            currency: "CNY".to_owned(),
            order_reference: None,
            mode,
            charge_again: false,
            operator: None,
        };
        let Some(Ok(Reply::Charging(id))) = self.ask(Command::Charge(request), line) else { return };
        self.payments.push(id);
        self.generation += 1;
        self.reader.link_up(usize::try_from(VALUE_LEN).unwrap());
        let generation = self.generation;
        let up = LinkEvent::Up { value_len: VALUE_LEN, generation };
        let mut writes = self.link(id, up);
        let mut card = Some(CardScript::new("6222", last_four, EntryMode::Chip));
        loop {
            let event = if let Some(value) = writes.pop_front() {
                self.reader.receive(&value);
                LinkEvent::WriteDone { generation }
            } else if let Some(value) = self.reader.outbound() {
                LinkEvent::Bytes { generation, value }
            } else if self.reader.stage() == Stage::WaitingForCard && card.is_some() {
                self.reader.present(card.take().unwrap());
                continue;
            } else {
                break;
            };
            let more = self.link(id, event);
            writes.extend(more);
        }
        self.reader.link_down();
        self.link(id, LinkEvent::Down { generation });
        self.run(line);
    }

    fn link(&mut self, payment: PaymentId, event: LinkEvent) -> VecDeque<Vec<u8>> {
        let ticket = self.start(Command::Link { payment, event });
        match self.replies.remove(&ticket) {
            Some(Ok(Reply::Step(step))) => step.writes.into(),
            _ => VecDeque::new(),
        }
    }
}

/// The acquirer hears it, and its answer is lost.
struct Lost;

impl Line for Lost {
    fn carry(&mut self, acquirer: &mut Acquirer, request: &Request) -> Carried {
        acquirer.answer(request, |_| {});
        Carried::Maybe("the answer broke off".to_owned())
    }
}
