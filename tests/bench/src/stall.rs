//! A till with a simulated reader, through the public face alone.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sandbox_acquirer::DEFAULT_START_MS;
use sha2::{Digest, Sha256};
use takings_acquirers::Alg;
use takings_domain::event::ChargeMode;
use takings_domain::{EntryMode, Now};
use takings_readers::simulated::{CardScript, SimulatedReader, Stage};
use takings_till::{ChargeOutcome, ChargeRequest, Clock, Ports, Randomness, SoftwareKey, Step, Till, TillConfig};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use crate::Outcome;

/// Values on the link are as long as with a usual Bluetooth MTU.
const VALUE_LEN: u16 = 244;
/// Time enough for any drain.
const BUDGET_MS: u64 = 3_600_000;

/// How long the two waits of a customer took.
#[derive(Debug, Clone, Copy)]
pub struct Captured {
    /// From the merchant's tap until the intent is on disk.
    pub intent: Duration,
    /// From the last value of the card data until the till says *saved*.
    pub saved: Duration,
}

/// See the module.
pub struct Stall {
    /// The till.
    pub till: Till,
    /// Drives the till's futures.
    pub runtime: Runtime,
    reader: SimulatedReader,
    clock: Arc<Ticking>,
    generation: u32,
    sold: u64,
}

impl Stall {
    /// Opens a till in `dir`. The clock is virtual; with the `sqlcipher` feature the ledger is encrypted.
    ///
    /// # Errors
    /// As [`Till::open`].
    pub fn open(dir: &Path, url: &str) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let clock = Arc::new(Ticking(AtomicI64::new(DEFAULT_START_MS)));
        let till = runtime.block_on(open_till(dir, url, Arc::clone(&clock)))?;
        Ok(Self { till, runtime, reader: SimulatedReader::new(1, "B50C1A7"), clock, generation: 0, sold: 0 })
    }

    /// Activates and signs on.
    ///
    /// # Errors
    /// As [`Till::activate`].
    pub fn activate(&self, code: &str) -> Outcome<()> {
        self.runtime.block_on(self.till.activate(code))?;
        Ok(())
    }

    /// Lets time pass.
    pub fn advance(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// Sells something to a customer with a chip card, without a line.
    ///
    /// # Errors
    /// If the till does not save it.
    pub fn capture(&mut self) -> Outcome<Captured> {
        self.sold += 1;
        self.advance(1);
        let request = ChargeRequest {
            amount_minor: i64::try_from(self.sold % 300 + 1)? * 100,
            currency: "CNY".to_owned(),
            order_reference: Some(format!("order-{:07}", self.sold)),
            mode: ChargeMode::Offline,
            charge_again: false,
            operator: Some("zhang".to_owned()),
        };
        let began = Instant::now();
        let charge = self.till.charge(request)?;
        let intent = began.elapsed();
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        self.reader.link_up(usize::from(VALUE_LEN));
        let mut writes: VecDeque<Vec<u8>> = charge.link_up(u32::from(VALUE_LEN), generation)?.writes.into();
        let mut saved = None;
        loop {
            let step: Step = if let Some(value) = writes.pop_front() {
                self.reader.receive(&value);
                charge.write_done(generation)?
            } else if let Some(value) = self.reader.outbound() {
                let began = Instant::now();
                let step = charge.bytes(generation, &value)?;
                let took = began.elapsed();
                match &step.saved {
                    Some(ChargeOutcome::Saved) => saved = saved.or(Some(took)),
                    Some(other) => return Err(format!("not saved: {other:?}").into()),
                    None => {}
                }
                step
            } else if self.reader.stage() == Stage::WaitingForCard && saved.is_none() {
                self.reader.present(self.card());
                continue;
            } else {
                break;
            };
            writes.extend(step.writes);
        }
        self.reader.link_down();
        charge.link_down(generation)?;
        Ok(Captured { intent, saved: saved.ok_or("the reader fell silent")? })
    }

    /// Sends everything that waits; answers how many were approved.
    ///
    /// # Errors
    /// As [`Till::sync`].
    pub fn drain(&self) -> Outcome<u32> {
        Ok(self.runtime.block_on(self.till.sync(BUDGET_MS))?.approved)
    }

    /// Closes the till.
    ///
    /// # Errors
    /// As [`Till::shutdown`].
    pub fn close(self) -> Outcome<()> {
        Ok(self.runtime.block_on(self.till.shutdown())?)
    }

    fn card(&self) -> CardScript {
        CardScript::new("5413330089", &format!("{}", 1_000 + self.sold % 9_000), EntryMode::Chip)
    }
}

/// Opens the same till again, for measuring the opening.
///
/// # Errors
/// As [`Till::open`].
pub fn reopen(dir: &Path, url: &str) -> Outcome<(Till, Runtime)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let clock = Arc::new(Ticking(AtomicI64::new(DEFAULT_START_MS)));
    let till = runtime.block_on(open_till(dir, url, clock))?;
    Ok((till, runtime))
}

/// Threads as a till has them for its line and its reads.
///
/// # Errors
/// As the system.
pub fn line_threads() -> Outcome<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(4).enable_all().build()?)
}

/// The test key of every till here.
///
/// # Errors
/// None for this key.
pub fn device_key() -> Outcome<SoftwareKey> {
    Ok(SoftwareKey::from_secret(Alg::EcdsaP256Sha256, &Zeroizing::new([7; 32])).map_err(|_| "no device key")?)
}

async fn open_till(dir: &Path, url: &str, clock: Arc<Ticking>) -> Outcome<Till> {
    let mut config = TillConfig::new(dir, url);
    config.encryption_key = crate::KEY.map(Zeroizing::new);
    config.own_timer = false;
    let device_key = device_key()?;
    let randomness = Arc::new(Seeded(AtomicU64::new(0)));
    Ok(Till::open(config, Ports { clock, randomness, device_key: Arc::new(device_key), line: None }).await?)
}

/// Wall and monotonic time that pass only when told to.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Now {
        let wall_ms = self.0.load(Ordering::SeqCst);
        Now { wall_ms, monotonic_ms: wall_ms - DEFAULT_START_MS, boot_id: 1 }
    }
}

/// SHA-256 in counter mode.
struct Seeded(AtomicU64);

impl Randomness for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(32) {
            let block = Sha256::digest(self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes());
            piece.copy_from_slice(&block[..piece.len()]);
        }
    }
}
