//! A till as a shell has it: a directory, ports, a reader.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::json;
use sha2::{Digest, Sha256};
use takings_acquirers::Alg;
use takings_domain::event::ChargeMode;
use takings_domain::{EntryMode, Now};
use takings_readers::simulated::{CardScript, SimulatedReader, Stage};
use takings_till::{
    Charge, ChargeOutcome, ChargeRequest, Clock, Ports, Randomness, SoftwareKey, Step, Till, TillConfig, TillError,
};
use zeroize::Zeroizing;

use super::server::Server;

/// Saturday 2026-11-21, 10:00 in Shanghai.
pub(crate) const SATURDAY_MS: i64 = 1_795_226_400_000;

/// The one clock of a test.
pub(crate) struct StallClock(Mutex<Now>);

impl StallClock {
    pub(crate) fn wall_ms(&self) -> i64 {
        self.0.lock().unwrap().wall_ms
    }

    pub(crate) fn pass(&self, ms: i64) {
        let mut now = self.0.lock().unwrap();
        now.wall_ms += ms;
        now.monotonic_ms += ms;
    }
}

impl Clock for StallClock {
    fn now(&self) -> Now {
        *self.0.lock().unwrap()
    }
}

struct Seeded(Mutex<u64>);

impl Randomness for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        let mut drawn = self.0.lock().unwrap();
        for piece in bytes.chunks_mut(32) {
            *drawn += 1;
            piece.copy_from_slice(&Sha256::digest(drawn.to_be_bytes())[..piece.len()]);
        }
    }
}

pub(crate) struct Stall {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Arc<StallClock>,
    pub(crate) server: Server,
    randomness: Arc<Seeded>,
    pub(crate) own_timer: bool,
}

impl Stall {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(StallClock(Mutex::new(Now { wall_ms: SATURDAY_MS, monotonic_ms: 1_000, boot_id: 1 })));
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let server = Server::start(&clock);
        Self { dir, clock, server, randomness: Arc::new(Seeded(Mutex::new(0))), own_timer: false }
    }

    pub(crate) fn config(&self) -> TillConfig {
        let mut config = TillConfig::new(self.dir.path(), self.server.url());
        config.own_timer = self.own_timer;
        if cfg!(feature = "sqlcipher") {
            config.encryption_key = Some(Zeroizing::new([9; 32]));
        }
        config
    }

    pub(crate) fn ports(&self) -> Ports {
        let key = SoftwareKey::from_secret(Alg::EcdsaP256Sha256, &Zeroizing::new([7; 32])).unwrap();
        Ports {
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            randomness: Arc::clone(&self.randomness) as Arc<dyn Randomness>,
            device_key: Arc::new(key),
            line: None,
        }
    }

    pub(crate) async fn open(&self) -> Result<Till, TillError> {
        Till::open(self.config(), self.ports()).await
    }

    pub(crate) fn activation_code(&self) -> String {
        let answer = self.server.admin("POST", "/admin/activation-codes", &json!({}));
        answer["activation_code"].as_str().unwrap().to_owned()
    }

    /// Open, activated, signed on.
    pub(crate) async fn ready(&self) -> Till {
        let till = self.open().await.unwrap();
        till.activate(&self.activation_code()).await.unwrap();
        till
    }
}

pub(crate) fn request(amount_minor: i64, mode: ChargeMode) -> ChargeRequest {
    ChargeRequest {
        amount_minor,
        currency: "CNY".to_owned(),
        order_reference: None,
        mode,
        charge_again: false,
        operator: None,
    }
}

/// Serves the charge with a reader until nothing moves any more; a plain blocking call, as from a reader's thread.
pub(crate) fn present(charge: &Charge) -> Option<ChargeOutcome> {
    let mut reader = SimulatedReader::new(1, "B61378A");
    reader.link_up(244);
    let mut saved = None;
    let mut writes = VecDeque::new();
    let mut card = Some(CardScript::new("6222", "0048", EntryMode::Chip));
    let mut absorb = |step: Step, writes: &mut VecDeque<Vec<u8>>| {
        writes.extend(step.writes);
        saved = step.saved.or(saved.take());
    };
    absorb(charge.link_up(244, 1).unwrap(), &mut writes);
    loop {
        if let Some(value) = writes.pop_front() {
            reader.receive(&value);
            absorb(charge.write_done(1).unwrap(), &mut writes);
        } else if let Some(value) = reader.outbound() {
            absorb(charge.bytes(1, &value).unwrap(), &mut writes);
        } else if reader.stage() == Stage::WaitingForCard && card.is_some() {
            reader.present(card.take().unwrap());
        } else {
            break;
        }
    }
    absorb(charge.link_down(1).unwrap(), &mut writes);
    saved
}
