//! The phone's clocks and randomness.

use std::time::SystemTime;

use rustix::time::{ClockId, clock_gettime};
use takings_domain::Now;
use takings_till::{Clock, Randomness};

use crate::error::TakingsError;
use crate::key_vault;

/// The clock that goes on while the phone sleeps: on Apple's systems the monotonic one does.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SINCE_BOOT: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

/// The platform's clocks.
pub(crate) struct PhoneClock {
    boot_id: u64,
}

impl PhoneClock {
    /// `boot` names this start of the phone as the app knows it. Without it Linux is asked; else each start of the app
    /// counts as a start of the phone, which only makes the clock trusted less.
    pub(crate) fn new(boot: Option<&str>) -> Result<Self, TakingsError> {
        let known = boot.map(str::to_owned).or_else(|| std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok());
        let boot_id = match known {
            Some(text) => fnv1a(text.trim()),
            None => {
                let mut bytes = [0; 8];
                key_vault::fill(&mut bytes)?;
                u64::from_be_bytes(bytes)
            }
        };
        // The ledger keeps it as a signed number.
        Ok(Self { boot_id: boot_id >> 1 })
    }
}

/// FNV-1a: the same text, the same number, in every version.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

impl Clock for PhoneClock {
    #[expect(clippy::disallowed_methods, reason = "here the platform's clock enters")]
    fn now(&self) -> Now {
        let since_boot = clock_gettime(SINCE_BOOT);
        let wall_ms = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        let monotonic_ms = since_boot.tv_sec.saturating_mul(1_000).saturating_add(since_boot.tv_nsec / 1_000_000);
        Now { wall_ms, monotonic_ms, boot_id: self.boot_id }
    }
}

/// The operating system's randomness.
pub(crate) struct PhoneRandomness;

impl Randomness for PhoneRandomness {
    #[expect(clippy::panic, reason = "ids that repeat would be worse; the engine opens again")]
    fn fill(&self, bytes: &mut [u8]) {
        if key_vault::fill(bytes).is_err() {
            panic!("the operating system has no randomness");
        }
    }
}
