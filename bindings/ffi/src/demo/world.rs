//! The world a demonstration plays in.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use sandbox_acquirer::Request;
use serde_json::json;
use takings_readers::simulated::SimulatedReader;
use takings_till::{Clock, Line, Ports, Randomness};
use zeroize::Zeroizing;

use super::phone::{DemoKey, DemoVault, Phones, free_bytes};
use super::reader::DemoReader;
use super::surroundings::{ACQUIRER_URL, SeededRandomness, Surroundings, lock};
use crate::callbacks::Foreign;
use crate::calls;
use crate::error::TakingsError;
use crate::guard::{guarded, guarded_async};
use crate::key_vault::{HostVault, KeyVault};
use crate::lane::LONGEST_ANSWER_MS;
use crate::log_sink::Log;
use crate::opening;
use crate::records::Language;
use crate::till::Till;

/// Beyond this, a typing error would play a century of days.
const LONGEST_ADVANCE_MS: u64 = 10 * 366 * 86_400_000;

/// A stall, its phone, its reader, a bad network, an acquirer and a bank, all inside the library: nothing is charged, no
/// network is used, and time moves only by hand. The same seed and the same calls make the same ledger in every language.
#[derive(uniffi::Object)]
pub struct DemoWorld {
    surroundings: Arc<Surroundings>,
    phones: Mutex<Phones>,
}

#[uniffi::export]
impl DemoWorld {
    /// A new world in which it is `start_ms`, milliseconds since 1970 UTC. Saturday 2026-11-21, 10:00 in Shanghai, is
    /// 1795226400000.
    #[uniffi::constructor]
    pub fn new(seed: u64, start_ms: i64) -> Result<Arc<Self>, TakingsError> {
        guarded(|| {
            let surroundings = Arc::new(Surroundings::new(seed, start_ms)?);
            Ok(Arc::new(Self { surroundings, phones: Mutex::default() }))
        })
    }

    /// Opens the till of the ledger in `dir`: each directory is a phone of its own, with its own keys. Its requests reach
    /// this world's acquirer over this world's line; it wakes only by `Till.tick`. Open it again after `Till.shutdown`, as
    /// after the end of the app.
    pub async fn open_till(&self, dir: String, language: Language) -> Result<Arc<Till>, TakingsError> {
        guarded_async(async {
            let surroundings = Arc::clone(&self.surroundings);
            let place = lock(&self.phones).open(&PathBuf::from(dir));
            opening::on_a_thread(move || {
                let key = Zeroizing::new(surroundings.drawn("ledger key", place.vault));
                let vault: Arc<dyn KeyVault> = Arc::new(DemoVault { key, world: Arc::clone(&surroundings) });
                let key = HostVault::new(Foreign::new(vault), LONGEST_ANSWER_MS)?.ledger_key(&place.dir)?;
                let mut config = takings_till::TillConfig::new(place.dir, ACQUIRER_URL);
                config.encryption_key = Some(key);
                config.free_bytes = Some(free_bytes);
                config.language = language.into();
                config.own_timer = false;
                let randomness = SeededRandomness::new(surroundings.drawn("ids", place.opening));
                let key = surroundings.device_key(place.phone)?;
                let ports = Ports {
                    device_key: Arc::new(DemoKey { key, world: Arc::clone(&surroundings) }),
                    randomness: Arc::new(randomness) as Arc<dyn Randomness>,
                    line: Some(Arc::clone(&surroundings) as Arc<dyn Line>),
                    clock: surroundings as Arc<dyn Clock>,
                };
                Ok(Till::new(calls::wait_for(takings_till::Till::open(config, ports))?, Log::default()))
            })
            .await
        })
        .await
    }

    /// A code that makes a till a terminal, as a merchant gets it from the acquirer.
    pub fn activation_code(&self) -> Result<String, TakingsError> {
        guarded(|| {
            let merchant_id = lock(&self.phones).merchant_id().map(str::to_owned);
            let asked = merchant_id.map_or_else(|| "{}".to_owned(), |id| json!({ "merchant_id": id }).to_string());
            let answer = self.ask("POST", "/admin/activation-codes", &asked)?;
            let answer: serde_json::Value =
                serde_json::from_str(&answer).map_err(|error| TakingsError::internal("acquirer", error))?;
            let code = answer.get("activation_code").and_then(serde_json::Value::as_str);
            code.map(str::to_owned).ok_or_else(|| TakingsError::internal("acquirer", "no code"))
        })
    }

    /// Speaks to the acquirer's and the bank's administrator, in JSON: faults on the line (`POST /admin/faults`), the bank's
    /// doings (`POST /admin/bank`), policy and terms, and `GET /admin/ledger`, the acquirer's own book of all payments.
    /// The sandbox's README lists every path. `body_json` may be empty. Paths under `/world/` are the phone's: its files,
    /// disk and key store, and another phone in its place; they are listed with the days at the market.
    ///
    /// Throws *fix input* with the code `admin` if he refuses.
    pub fn admin(&self, method: String, path: String, body_json: String) -> Result<String, TakingsError> {
        guarded(|| self.ask(&method, &path, if body_json.is_empty() { "{}" } else { &body_json }))
    }

    /// Time passes for the phone, the readers, the acquirer and the bank, by this many milliseconds. Call `Till.tick`
    /// afterwards: nobody else wakes the till.
    pub fn advance(&self, ms: u64) -> Result<(), TakingsError> {
        guarded(|| {
            if ms > LONGEST_ADVANCE_MS {
                return Err(TakingsError::fix_input("ms", "ten years at once at most"));
            }
            self.surroundings.pass(ms);
            Ok(())
        })
    }

    /// Somebody sets the phone's wall clock, forward or back, by this many milliseconds; no time passes.
    pub fn set_phone_clock(&self, by_ms: i64) -> Result<(), TakingsError> {
        guarded(|| {
            let mut time = lock(&self.surroundings.time);
            time.phone.wall_ms = time.phone.wall_ms.saturating_add(by_ms);
            Ok(())
        })
    }

    /// The phone is switched off and on: its monotonic clock begins anew. Shut the till down before, and open it again.
    pub fn restart_phone(&self) -> Result<(), TakingsError> {
        guarded(|| {
            let mut time = lock(&self.surroundings.time);
            time.phone.monotonic_ms = 1_000;
            time.phone.boot_id = time.phone.boot_id.wrapping_add(1);
            Ok(())
        })
    }

    /// The line between phone and acquirer: `up`, or `down` (nothing leaves the phone). Lost requests and answers are
    /// faults of the administrator's.
    pub fn set_line(&self, state: String) -> Result<(), TakingsError> {
        guarded(|| {
            let up = match state.as_str() {
                "up" => true,
                "down" => false,
                _ => return Err(TakingsError::fix_input("line", "up or down")),
            };
            *lock(&self.surroundings.line_is_up) = up;
            Ok(())
        })
    }

    /// The phone's wall clock, milliseconds since 1970 UTC.
    pub fn now_ms(&self) -> Result<i64, TakingsError> {
        guarded(|| Ok(self.surroundings.now().wall_ms))
    }

    /// Another simulated reader.
    pub fn new_reader(&self) -> Result<Arc<DemoReader>, TakingsError> {
        guarded(|| {
            let mut readers = lock(&self.surroundings.readers);
            let serial = format!("B50C1{:02X}", 0xa7_usize.wrapping_add(readers.len()) & 0xff);
            let reader = Arc::new(Mutex::new(SimulatedReader::new(self.surroundings.seed(), &serial)));
            readers.push(Arc::clone(&reader));
            Ok(DemoReader::new(reader, Arc::clone(&self.surroundings)))
        })
    }

    /// The last link of the hash chain of the ledger in `dir`, in hex: equal chains are equal ledgers, event by event and
    /// byte by byte. (The file itself never repeats: its encryption is salted.)
    pub fn chain_hash(&self, dir: String) -> Result<String, TakingsError> {
        guarded(|| {
            let dir = lock(&self.phones).dir(&PathBuf::from(dir));
            let head = takings_till::Till::chain_hash(&dir)?;
            head.ok_or_else(|| TakingsError::NotFound { code: "head".to_owned(), detail: "no ledger here".to_owned() })
        })
    }
}

impl DemoWorld {
    fn ask(&self, method: &str, path: &str, body: &str) -> Result<String, TakingsError> {
        if path.starts_with("/world/") {
            return lock(&self.phones).ask(&self.surroundings, path, body).map(|answer| answer.to_string());
        }
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let body = if method == "GET" { Vec::new() } else { body.as_bytes().to_vec() };
        if !path.starts_with("/admin/") {
            return Err(TakingsError::fix_input("admin", "a path begins with /admin/"));
        }
        let answer =
            self.surroundings.ask(&Request { method: method.to_owned(), target: path.to_owned(), headers, body });
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.status < 300 { Ok(text) } else { Err(TakingsError::fix_input("admin", text)) }
    }
}
