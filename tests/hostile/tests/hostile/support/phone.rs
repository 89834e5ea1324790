//! A phone with a till on it, a simulated reader beside it, and customers with cards.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use takings_acquirers::Alg;
use takings_domain::event::ChargeMode;
use takings_domain::{EntryMode, Now};
use takings_readers::simulated::{CardScript, SimulatedReader, Stage};
use takings_till::views::{PaymentQuery, PaymentView, SyncReport};
use takings_till::{
    ChargeOutcome, ChargeRequest, Clock, Ports, Randomness, SoftwareKey, Step, Till, TillConfig, TillError,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use super::acquirer::{Acquirer, START_MS};
use super::lie::Lie;

/// Test key of the ledger, where the build encrypts.
pub(crate) const KEY: [u8; 32] = [0x5C; 32];

struct HandClock(Mutex<Now>);

impl Clock for HandClock {
    fn now(&self) -> Now {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Counted(Mutex<u64>, u64);

impl Randomness for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        let mut drawn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.chunks_mut(32) {
            *drawn += 1;
            let block = Sha256::new().chain_update(self.1.to_be_bytes()).chain_update(drawn.to_be_bytes()).finalize();
            piece.copy_from_slice(&block[..piece.len()]);
        }
    }
}

/// The till, its clock, its runtime. The ledger lies in `dir`.
pub(crate) struct Phone {
    pub(crate) dir: PathBuf,
    clock: Arc<HandClock>,
    runtime: Runtime,
    till: Option<Till>,
    url: String,
    starts: u64,
}

impl Phone {
    /// A phone whose till is not open yet.
    pub(crate) fn new(dir: &Path, url: &str) -> Self {
        Self {
            dir: dir.to_owned(),
            clock: Arc::new(HandClock(Mutex::new(Now { wall_ms: START_MS, monotonic_ms: 0, boot_id: 1 }))),
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            till: None,
            url: url.to_owned(),
            starts: 0,
        }
    }

    pub(crate) fn config(&self) -> TillConfig {
        let mut config = TillConfig::new(&self.dir, &self.url);
        config.encryption_key = cfg!(feature = "sqlcipher").then(|| Zeroizing::new(KEY));
        config.own_timer = false;
        config
    }

    pub(crate) fn open_with(&mut self, config: TillConfig) -> Result<(), TillError> {
        self.till = None;
        self.starts += 1;
        let ports = Ports {
            clock: Arc::<HandClock>::clone(&self.clock),
            randomness: Arc::new(Counted(Mutex::new(0), self.starts)),
            device_key: Arc::new(SoftwareKey::from_secret(Alg::EcdsaP256Sha256, &Zeroizing::new([0x11; 32])).unwrap()),
            line: None,
        };
        self.till = Some(self.runtime.block_on(Till::open(config, ports))?);
        Ok(())
    }

    pub(crate) fn try_open(&mut self) -> Result<(), TillError> {
        self.open_with(self.config())
    }

    /// The app is closed properly.
    pub(crate) fn close(&mut self) {
        if let Some(till) = self.till.take() {
            self.runtime.block_on(till.shutdown()).unwrap();
        }
    }

    pub(crate) fn till(&self) -> &Till {
        self.till.as_ref().unwrap()
    }

    /// Awaits something of the till's.
    pub(crate) fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    fn shift(&self, wall_ms: i64, monotonic_ms: i64) {
        let mut now = self.clock.0.lock().unwrap_or_else(PoisonError::into_inner);
        now.wall_ms += wall_ms;
        now.monotonic_ms += monotonic_ms;
    }

    /// Time passes.
    pub(crate) fn pass(&self, ms: i64) {
        self.shift(ms, ms);
    }

    /// Somebody sets the wall clock.
    pub(crate) fn set_clock(&self, by_ms: i64) {
        self.shift(by_ms, 0);
    }

    /// The phone is restarted: the monotonic clock begins anew.
    pub(crate) fn reboot(&mut self) {
        self.close();
        {
            let mut now = self.clock.0.lock().unwrap_or_else(PoisonError::into_inner);
            now.monotonic_ms = 0;
            now.boot_id += 1;
        }
        self.try_open().unwrap();
    }

    pub(crate) fn sync(&self) -> SyncReport {
        self.wait(self.till().sync(600_000)).unwrap()
    }

    pub(crate) fn payment(&self, id: &str) -> PaymentView {
        self.wait(self.till().payment(id)).unwrap().payment
    }

    pub(crate) fn payments(&self) -> Vec<PaymentView> {
        let query = PaymentQuery { limit: Some(200), ..PaymentQuery::default() };
        self.wait(self.till().payments(query)).unwrap().payments
    }

    /// One card at the reader, from start to the decision.
    pub(crate) fn charge(&self, request: ChargeRequest, card: &Card) -> Result<(String, ChargeOutcome), TillError> {
        let charge = self.till().charge(request)?;
        let id = charge.payment_id().to_owned();
        let mut reader = SimulatedReader::new(card.seed, "B50C1A7");
        reader.link_up(244);
        let mut presented = false;
        let mut step = charge.link_up(244, 1)?;
        let mut writes = VecDeque::new();
        for _ in 0..200 {
            if let Some(outcome) = absorb(&mut writes, step) {
                charge.link_down(1)?;
                return Ok((id, outcome));
            }
            step = if let Some(value) = writes.pop_front() {
                reader.receive(&value);
                charge.write_done(1)?
            } else if let Some(value) = reader.outbound() {
                charge.bytes(1, &value)?
            } else if reader.stage() == Stage::WaitingForCard && !presented {
                presented = true;
                reader.present(CardScript::new("622200", card.last_four, EntryMode::Chip));
                Step::default()
            } else {
                break;
            };
        }
        // The reader has said everything: the rest is between the till and the acquirer.
        let outcome = self.wait(charge.outcome())?;
        charge.link_down(1)?;
        Ok((id, outcome))
    }
}

fn absorb(writes: &mut VecDeque<Vec<u8>>, step: Step) -> Option<ChargeOutcome> {
    writes.extend(step.writes);
    step.saved
}

/// A customer's card.
pub(crate) struct Card {
    pub(crate) last_four: &'static str,
    pub(crate) seed: u64,
}

impl Card {
    pub(crate) fn new(last_four: &'static str) -> Self {
        Self { last_four, seed: 3 }
    }
}

pub(crate) fn charge_request(amount_minor: i64, currency: &str, mode: ChargeMode) -> ChargeRequest {
    ChargeRequest {
        amount_minor,
        currency: currency.to_owned(),
        order_reference: None,
        mode,
        charge_again: false,
        operator: Some("Li".to_owned()),
    }
}

/// Five yuan or so, accepted offline.
pub(crate) fn offline(amount_minor: i64) -> ChargeRequest {
    charge_request(amount_minor, "CNY", ChargeMode::Offline)
}

/// True for an error of this kind and code.
pub(crate) fn is_error(error: &TillError, kind: &str, code: &str) -> bool {
    let value = serde_json::to_value(error).unwrap();
    value["kind"] == kind && value["code"] == code
}

/// A stall in business: a phone that is signed on, and its acquirer.
pub(crate) struct Stall {
    pub(crate) phone: Phone,
    pub(crate) acquirer: Acquirer,
    _dir: TempDir,
}

impl Stall {
    /// Not activated yet.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let acquirer = Acquirer::start();
        let mut phone = Phone::new(&dir.path().join("ledger"), acquirer.url());
        phone.try_open().unwrap();
        Self { phone, acquirer, _dir: dir }
    }

    /// Activated and signed on.
    pub(crate) fn in_business() -> Self {
        let stall = Self::new();
        stall.activate();
        stall
    }

    pub(crate) fn activate(&self) {
        let code = self.acquirer.activation_code();
        self.phone.wait(self.phone.till().activate(&code)).unwrap();
        self.phone.wait(self.phone.till().sign_on()).unwrap();
    }

    /// Time passes for everybody.
    pub(crate) fn pass(&self, ms: i64) {
        self.acquirer.pass(ms);
        self.phone.pass(ms);
        self.phone.wait(self.phone.till().tick()).unwrap();
    }

    /// So many syncs, each after so long.
    pub(crate) fn syncs(&self, times: u32, after_ms: i64) {
        for _ in 0..times {
            self.pass(after_ms);
            self.phone.sync();
        }
    }

    /// Days go by, each with a sign-on, if it can be had, and a sync.
    pub(crate) fn days(&self, days: u32) {
        for _ in 0..days {
            self.pass(86_400_000);
            let _ = self.phone.wait(self.phone.till().sign_on());
            self.phone.sync();
        }
    }

    pub(crate) fn try_charge(&self, amount_minor: i64, mode: ChargeMode) -> Result<(String, ChargeOutcome), TillError> {
        self.phone.charge(charge_request(amount_minor, "CNY", mode), &Card::new("1234"))
    }

    /// A payment kept on the phone.
    pub(crate) fn keep(&self, amount_minor: i64) -> String {
        let (id, outcome) = self.try_charge(amount_minor, ChargeMode::Offline).unwrap();
        assert_eq!(outcome, ChargeOutcome::Saved);
        id
    }

    /// A batch answered with any of these lies stays in doubt, and is made good when the acquirer is honest again.
    pub(crate) fn drain_in_doubt(&self, lies: &[Lie]) {
        let mut kept = Vec::new();
        for lie in lies {
            let id = self.keep(500);
            self.acquirer.lie("POST /payments/batch", lie.clone());
            let report = self.phone.sync();
            assert!(report.waiting > 0 && report.answered == 0, "{}: {report:?}", lie.name());
            let payment = self.phone.payment(&id);
            assert_eq!(payment.delivery.as_deref(), Some("in_doubt"), "{}: {payment:?}", lie.name());
            assert_eq!((payment.stage.as_str(), payment.authorization), ("being_confirmed", None), "{}", lie.name());
            kept.push(id);
            self.heals(&kept, lie.name());
        }
    }

    /// A live payment answered with this lie is not confirmed.
    pub(crate) fn not_confirmed(&self, lie: &Lie) -> String {
        self.acquirer.lie("POST /v1/payments", lie.clone());
        let (id, outcome) = self.try_charge(700, ChargeMode::PreferOnline).unwrap();
        assert_eq!(outcome, ChargeOutcome::NotConfirmed, "{}", lie.name());
        id
    }

    /// Honest again: everything kept ends approved, once at the acquirer, and the ledger verifies.
    pub(crate) fn heals(&self, ids: &[String], after: &str) {
        self.acquirer.be_honest();
        self.syncs(3, 20 * 60_000);
        for id in ids {
            let payment = self.phone.payment(id);
            assert_eq!(payment.authorization.as_deref(), Some("approved"), "after {after}: {payment:?}");
            self.captured_once(id, after);
        }
        self.verifies(after);
    }

    /// Captured at most once, and asked for once: captures follow at the cut-off.
    pub(crate) fn captured_once(&self, id: &str, after: &str) {
        let theirs = self.acquirer.payment(id).unwrap_or_else(|| panic!("after {after}: not at the acquirer"));
        assert_eq!(theirs["authorizations"], 1, "after {after}");
        assert!(theirs["captures"].as_u64() <= Some(1), "after {after}: {theirs}");
    }

    pub(crate) fn verifies(&self, after: &str) {
        let report = self.phone.wait(self.phone.till().verify()).unwrap();
        assert!(report.sound, "after {after}: {report:?}");
    }
}
