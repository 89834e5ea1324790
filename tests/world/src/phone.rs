//! One phone: its disk, its clocks, its keys, the app on it and the reader beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use takings_acquirers::{Alg, DeviceSigner, PublicJwk, SignError, SoftwareKey};
use takings_domain::{LedgerId, Now, OperationId, PaymentId};
use takings_readers::simulated::SimulatedReader;
use takings_store::OpenConfig;
use takings_till::TillError;
use takings_till::simulation::{Engine, EngineConfig, Failures, Outlook, Reading, Ticket};
use zeroize::Zeroizing;

use crate::charge::Charging;
use crate::directory::directory;
use crate::disk::{Disk, VFS};
use crate::record::RawEvent;
use crate::streams::PhoneRandomness;

/// Where every phone sends.
pub const ACQUIRER: &str = "https://acquirer.example";

/// What a ticket was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// The phone becomes a terminal.
    Activate,
    /// A customer's charge, by its place in the plan.
    Charge(usize),
    /// A value of the reader's.
    Link(PaymentId),
    /// How a charge ends.
    Outcome(PaymentId),
    /// A contact.
    Sync,
    /// How the till is.
    Status,
    /// Everything is checked.
    Verify,
    /// The merchant has heard the alerts up to here.
    Acknowledge(u64),
    /// The merchant cancels.
    Cancel(PaymentId),
    /// Nobody looks at the answer.
    Other,
}

/// The key of a phone, which can be locked away.
struct PhoneKey {
    key: SoftwareKey,
    away: Arc<AtomicBool>,
}

impl DeviceSigner for PhoneKey {
    fn public_jwk(&self) -> PublicJwk {
        self.key.public_jwk()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(SignError("locked until the first unlock".to_owned()));
        }
        self.key.sign(message)
    }
}

/// How the process is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// SIGKILL.
    Killed,
    /// The power goes.
    PowerCut,
}

/// See the module.
pub struct Phone {
    /// Which.
    pub number: usize,
    seed: u64,
    dir: tempfile::TempDir,
    /// The disk under it.
    pub disk: Disk,
    /// The app, while it runs.
    pub engine: Option<Engine>,
    /// Its lists, while it runs.
    pub reading: Option<Reading>,
    outlook: Outlook,
    failures: Failures,
    keys_away: Arc<AtomicBool>,
    /// The wall clock is wrong by so much, milliseconds.
    pub wall_offset_ms: i64,
    boot_id: u64,
    booted_at_ms: i64,
    starts: u64,
    tickets: Ticket,
    /// Who waits for what.
    pub waiting: BTreeMap<Ticket, Purpose>,
    /// Counts the app's lives: what was for an earlier one is not heard.
    pub life: u64,
    /// The app asked to be woken then, wall clock, milliseconds UTC.
    pub wake_at_wall_ms: Option<i64>,
    /// The reader beside it.
    pub reader: SimulatedReader,
    /// Counts connections with it.
    pub generation: u32,
    /// The charge at the reader.
    pub charging: Option<Charging>,
    /// How it is to die, when the disk is reached so often.
    pub death: Option<Death>,
    /// Once more while it opens again, after so many calls.
    pub dies_again_after: Option<u64>,
    /// Its disk or its keys are out of order, until then, true time, milliseconds UTC.
    pub excused_until_ms: i64,
    /// The newest event a judge has read.
    pub judged_seq: u64,
    /// What it was activated with.
    pub code: String,
    /// It is a terminal.
    pub activated: bool,
    /// Requests that left.
    pub requests: u64,
    /// Of these, the ones whose end was not heard yet.
    pub under_way: BTreeSet<OperationId>,
    /// Its disk is full.
    pub disk_is_full: bool,
    /// The power went, and the till was not opened since: any of its files may be an older one.
    pub power_went: bool,
    /// In which life the card of each payment was read.
    read_in: BTreeMap<i64, u64>,
    /// An older copy of its files, and when it was made, true time, milliseconds UTC.
    pub copy: Option<(i64, tempfile::TempDir)>,
}

impl Phone {
    /// A new phone.
    ///
    /// # Errors
    /// If there is no room for its files.
    pub fn new(number: usize, seed: u64, at_ms: i64) -> io::Result<Self> {
        let dir = directory()?;
        let disk = Disk::new(dir.path());
        Ok(Self {
            number,
            seed,
            dir,
            disk,
            engine: None,
            reading: None,
            outlook: Outlook::default(),
            failures: Failures::default(),
            keys_away: Arc::default(),
            wall_offset_ms: 0,
            boot_id: 1,
            booted_at_ms: at_ms - 1_000,
            starts: 0,
            tickets: 0,
            waiting: BTreeMap::new(),
            life: 0,
            wake_at_wall_ms: None,
            reader: SimulatedReader::new(seed ^ number as u64, &format!("B6137{number:02}")),
            generation: 0,
            charging: None,
            death: None,
            dies_again_after: None,
            excused_until_ms: i64::MIN,
            judged_seq: 0,
            code: String::new(),
            activated: false,
            requests: 0,
            under_way: BTreeSet::new(),
            disk_is_full: false,
            power_went: false,
            read_in: BTreeMap::new(),
            copy: None,
        })
    }

    /// Its clocks at this true time, milliseconds UTC.
    #[must_use]
    pub fn now(&self, at_ms: i64) -> Now {
        Now { wall_ms: at_ms + self.wall_offset_ms, monotonic_ms: at_ms - self.booted_at_ms, boot_id: self.boot_id }
    }

    /// The files of its till.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn store(&self) -> OpenConfig {
        let mut id = [0; 10];
        id[..8].copy_from_slice(&self.seed.to_be_bytes());
        id[8] = u8::try_from(self.number).unwrap_or(u8::MAX);
        let mut store = OpenConfig::new(self.dir.path(), LedgerId::from_parts(self.booted_at_ms, id));
        store.vfs = Some(VFS.to_owned());
        store.free_bytes = Some(Disk::free_bytes);
        store.write_again = Some(Disk::write_again);
        if cfg!(feature = "sqlcipher") {
            store.key = Some(takings_store::DatabaseKey::new([9; 32]));
        }
        store
    }

    /// Starts the app.
    ///
    /// # Errors
    /// What the till says.
    pub fn open(&mut self, at_ms: i64) -> Result<(), TillError> {
        let engine = self.another_engine(at_ms)?;
        self.engine = Some(engine);
        self.power_went = false;
        self.life += 1;
        Ok(())
    }

    /// Starts the app once more beside whatever runs.
    ///
    /// # Errors
    /// What the till says.
    pub fn another_engine(&mut self, at_ms: i64) -> Result<Engine, TillError> {
        self.starts += 1;
        let secret = Zeroizing::new([7 + u8::try_from(self.number).unwrap_or(0); 32]);
        let Ok(key) = SoftwareKey::from_secret(Alg::Ed25519, &secret) else {
            return Err(TillError::Internal { code: "world", detail: "no key".to_owned() });
        };
        let key = Arc::new(PhoneKey { key, away: Arc::clone(&self.keys_away) });
        let config = EngineConfig {
            store: self.store(),
            acquirer_url: ACQUIRER.to_owned(),
            app_version: "0.1.0".to_owned(),
            request_timeout_ms: 35_000,
            outlook: self.outlook.clone(),
            failures: self.failures.clone(),
        };
        let randomness = Arc::new(PhoneRandomness::new(self.seed, self.number, self.starts));
        Engine::open(config, key, randomness, self.now(at_ms))
    }

    /// The lists, opened if they are not.
    ///
    /// # Errors
    /// What the till says.
    pub fn reading(&mut self) -> Result<&Reading, TillError> {
        let reading = match self.reading.take() {
            Some(reading) => reading,
            None => Reading::open(&self.store(), self.outlook.clone())?,
        };
        Ok(self.reading.insert(reading))
    }

    /// The process is gone, and everything that was only in memory.
    pub fn end(&mut self) {
        self.reading = None;
        self.engine = None;
        self.outlook = Outlook::default();
        self.failures = Failures::default();
        self.waiting.clear();
        self.under_way.clear();
        self.wake_at_wall_ms = None;
        self.charging = None;
        self.reader.link_down();
        self.reader.take_card_away();
        self.reader.forget_failures();
        self.life += 1;
    }

    /// Another boot: the monotonic clock starts anew.
    pub fn boot(&mut self, at_ms: i64) {
        self.boot_id += 1;
        self.booted_at_ms = at_ms - 1_000;
    }

    /// Locks the keys away, or gives them back.
    pub fn lock_keys(&self, away: bool) {
        self.keys_away.store(away, Ordering::Relaxed);
    }

    /// Its process ends at a call of the disk to come.
    pub fn dies_at(&mut self, death: Death, after_calls: u64, again_after: u64) {
        if self.engine.is_some() {
            self.death = Some(death);
            self.dies_again_after = (again_after > 0).then_some(again_after);
            self.disk.die_at(Some(self.disk.calls() + after_calls));
        }
    }

    /// Among these rows the card data of a payment is erased in another life of the app than it was read in.
    pub fn blobs_erased_late(&mut self, rows: &[RawEvent]) -> bool {
        let mut late = false;
        for row in rows {
            match row.columns.kind.as_str() {
                "card_read" => {
                    self.read_in.entry(row.columns.subject).or_insert(self.life);
                }
                "blob_erased" => late |= self.read_in.get(&row.columns.subject).is_some_and(|life| *life != self.life),
                _ => {}
            }
        }
        late
    }

    /// A new ticket for this.
    pub fn ticket(&mut self, purpose: Purpose) -> Ticket {
        self.tickets += 1;
        self.waiting.insert(self.tickets, purpose);
        self.tickets
    }
}
