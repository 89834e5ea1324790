//! What the phone stands in: time, line, acquirer, readers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandbox_acquirer::{Delivery, Request, Response, Sandbox};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use takings_acquirers::{Alg, SoftwareKey};
use takings_domain::Now;
use takings_readers::simulated::SimulatedReader;
use takings_till::ports::{Answer, Carried, Later, SignedRequest};
use takings_till::{Clock, Line, Randomness};
use zeroize::Zeroizing;

use crate::error::TakingsError;

/// What tills here believe the acquirer's address to be.
pub(crate) const ACQUIRER_URL: &str = "https://acquirer.example";
/// Where a payment goes while its customer waits.
const LIVE_PAYMENTS: &str = "/v1/payments";

/// Takes the lock, whatever happened to whoever had it before.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The phone's clocks and the true time.
pub(crate) struct Time {
    pub(crate) phone: Now,
    /// What the acquirer's clock says, milliseconds UTC.
    pub(crate) true_ms: i64,
}

/// Answers to customers' payments that do not reach the phone.
#[derive(Default)]
pub(crate) struct KeptAnswers {
    /// The next one is kept.
    pub(crate) next: bool,
    /// Those that are, each with the true time at which nobody waits for it any more, milliseconds UTC.
    kept: Vec<(i64, Later)>,
}

/// See the module.
pub(crate) struct Surroundings {
    seed: u64,
    pub(crate) time: Mutex<Time>,
    pub(crate) line_is_up: Mutex<bool>,
    /// Requests that were lost on their way: they may arrive yet.
    lost_requests: Mutex<Vec<Request>>,
    /// Neither the ledger's key nor the device's can be used now.
    pub(crate) key_store_is_locked: Mutex<bool>,
    pub(crate) kept_answers: Mutex<KeptAnswers>,
    pub(crate) acquirer: Mutex<Sandbox>,
    pub(crate) readers: Mutex<Vec<Arc<Mutex<SimulatedReader>>>>,
}

impl Surroundings {
    pub(crate) fn new(seed: u64, start_ms: i64) -> Result<Self, TakingsError> {
        let config =
            sandbox_acquirer::Config { seed, start_ms, public_url: Some(ACQUIRER_URL.to_owned()), journal: None };
        let acquirer = Sandbox::new(config).map_err(|error| TakingsError::internal("acquirer", error))?;
        let phone = Now { wall_ms: start_ms, monotonic_ms: 1_000, boot_id: 1 };
        Ok(Self {
            seed,
            time: Mutex::new(Time { phone, true_ms: start_ms }),
            line_is_up: Mutex::new(true),
            lost_requests: Mutex::default(),
            key_store_is_locked: Mutex::new(false),
            kept_answers: Mutex::default(),
            acquirer: Mutex::new(acquirer),
            readers: Mutex::new(Vec::new()),
        })
    }

    /// Bytes that follow from the seed, for this purpose and number.
    pub(crate) fn drawn(&self, purpose: &str, number: u64) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.seed.to_be_bytes())
            .chain_update(number.to_be_bytes())
            .chain_update(purpose)
            .finalize()
            .into()
    }

    /// The device key of the so-manieth phone.
    pub(crate) fn device_key(&self, phone: u64) -> Result<SoftwareKey, TakingsError> {
        let secret = Zeroizing::new(self.drawn("device key", phone));
        SoftwareKey::from_secret(Alg::EcdsaP256Sha256, &secret)
            .map_err(|error| TakingsError::internal("device_key", error))
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Time passes for everybody: phone, readers, acquirer and bank.
    pub(crate) fn pass(&self, ms: u64) {
        let by = i64::try_from(ms).unwrap_or(i64::MAX);
        let true_ms = {
            let mut time = lock(&self.time);
            time.phone.wall_ms = time.phone.wall_ms.saturating_add(by);
            time.phone.monotonic_ms = time.phone.monotonic_ms.saturating_add(by);
            time.true_ms = time.true_ms.saturating_add(by);
            time.true_ms
        };
        for reader in lock(&self.readers).iter() {
            lock(reader).advance_ms(ms);
        }
        for (_, later) in lock(&self.kept_answers).kept.extract_if(.., |(until_ms, _)| *until_ms <= true_ms) {
            later.bring(Carried::Maybe("timed out".to_owned()));
        }
        // What is due at the acquirer and its bank happens when they are spoken to.
        lock(&self.acquirer).handle(true_ms, &Request::new("GET", "/admin/clock"));
    }

    /// What was lost arrives after all, oldest first, when nobody waits for it any more. The acquirer's answers: their
    /// statuses and, for a problem, its code.
    pub(crate) fn deliver_lost_requests(&self) -> Value {
        let lost = std::mem::take(&mut *lock(&self.lost_requests));
        let answers = lost.iter().map(|request| {
            let answer = self.ask(request);
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            json!({"status": answer.status, "code": body.get("code")})
        });
        json!({"answers": answers.collect::<Vec<_>>()})
    }

    pub(crate) fn ask(&self, request: &Request) -> Response {
        let true_ms = lock(&self.time).true_ms;
        lock(&self.acquirer).handle(true_ms, request)
    }
}

impl Clock for Surroundings {
    fn now(&self) -> Now {
        lock(&self.time).phone
    }
}

impl Line for Surroundings {
    fn carry(&self, request: &SignedRequest, timeout_ms: u64, later: Later) -> Option<Carried> {
        if !*lock(&self.line_is_up) {
            return Some(Carried::NotSent("the line is down".to_owned()));
        }
        let Some(target) = request.url.strip_prefix(ACQUIRER_URL) else {
            return Some(Carried::NotSent("another acquirer".to_owned()));
        };
        let asked = Request {
            method: request.method.as_str().to_owned(),
            target: target.to_owned(),
            headers: request.headers.clone(),
            body: request.body.clone(),
        };
        let response = self.ask(&asked);
        {
            let mut kept = lock(&self.kept_answers);
            if target == LIVE_PAYMENTS && std::mem::take(&mut kept.next) {
                let until_ms = lock(&self.time).true_ms.saturating_add(i64::try_from(timeout_ms).unwrap_or(i64::MAX));
                kept.kept.push((until_ms, later));
                return None;
            }
        }
        Some(match response.fault {
            Some(Delivery::DropRequest) => {
                lock(&self.lost_requests).push(asked);
                Carried::Maybe("the line was cut".to_owned())
            }
            Some(Delivery::DropAnswer) => Carried::Maybe("the line was cut".to_owned()),
            Some(Delivery::HalfAnswer) => Carried::Maybe("the answer broke off".to_owned()),
            Some(Delivery::Delay { ms }) if ms >= timeout_ms => {
                self.pass(timeout_ms);
                Carried::Maybe("timed out".to_owned())
            }
            fault => {
                // A slow line takes the phone's time, too.
                if let Some(Delivery::Delay { ms }) = fault {
                    self.pass(ms);
                }
                Carried::Answer(Answer { status: response.status, headers: response.headers, body: response.body })
            }
        })
    }
}

/// SHA-256 in counter mode.
pub(crate) struct SeededRandomness {
    seed: [u8; 32],
    drawn: Mutex<u64>,
}

impl SeededRandomness {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: Mutex::new(0) }
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        let mut drawn = lock(&self.drawn);
        for piece in bytes.chunks_mut(32) {
            *drawn = drawn.wrapping_add(1);
            let block = Sha256::new().chain_update(self.seed).chain_update(drawn.to_be_bytes()).finalize();
            for (to, from) in piece.iter_mut().zip(block) {
                *to = from;
            }
        }
    }
}
