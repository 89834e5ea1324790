//! What a phone would lend the core: a clock, randomness, a device key.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use takings_acquirers::Alg;
use takings_domain::Now;
use takings_till::{Clock, Randomness, SoftwareKey};
use zeroize::Zeroizing;

use crate::args::hex_bytes;

const KEY_FILE: &str = "device-key";
const KEY_MARK: &str = "TEST KEY ";

/// Wall and monotonic time of one till.
pub(crate) enum TillClock {
    /// Moves only when told to.
    Virtual(Mutex<Now>),
    /// The machine's.
    Real { since: Instant, boot_id: u64 },
}

impl TillClock {
    /// A virtual clock at `wall_ms`; `jumped_ms` of it never passed.
    pub(crate) fn starting_at(wall_ms: i64, jumped_ms: i64, boot_id: u64) -> Self {
        Self::Virtual(Mutex::new(Now { wall_ms, monotonic_ms: wall_ms.saturating_sub(jumped_ms), boot_id }))
    }

    /// The machine's clock; each process counts as a boot of its own.
    pub(crate) fn real(boot_id: u64) -> Self {
        Self::Real { since: Instant::now(), boot_id }
    }

    /// Lets time pass. False for a real clock: it passes by itself.
    pub(crate) fn advance(&self, ms: i64) -> bool {
        self.shift(ms, ms)
    }

    /// Sets the wall clock without time passing.
    pub(crate) fn jump(&self, ms: i64) -> bool {
        self.shift(ms, 0)
    }

    fn shift(&self, wall_ms: i64, monotonic_ms: i64) -> bool {
        let Self::Virtual(now) = self else { return false };
        let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
        now.wall_ms = now.wall_ms.saturating_add(wall_ms);
        now.monotonic_ms = now.monotonic_ms.saturating_add(monotonic_ms);
        true
    }
}

impl Clock for TillClock {
    fn now(&self) -> Now {
        match self {
            Self::Virtual(now) => *now.lock().unwrap_or_else(PoisonError::into_inner),
            Self::Real { since, boot_id } => Now {
                wall_ms: SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
                monotonic_ms: i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX),
                boot_id: *boot_id,
            },
        }
    }
}

/// SHA-256 in counter mode over the seed and the number of this start.
pub(crate) struct SeededRandomness {
    seed: [u8; 32],
    drawn: Mutex<u64>,
}

impl SeededRandomness {
    pub(crate) fn new(seed: u64, starts: u64) -> Self {
        let seed = Sha256::new()
            .chain_update(b"till-cli randomness")
            .chain_update(seed.to_be_bytes())
            .chain_update(starts.to_be_bytes());
        Self { seed: seed.finalize().into(), drawn: Mutex::new(0) }
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.chunks_mut(32) {
            *drawn = drawn.wrapping_add(1);
            let block = Sha256::new().chain_update(self.seed).chain_update(drawn.to_be_bytes()).finalize();
            piece.copy_from_slice(&block[..piece.len()]);
        }
    }
}

/// The device key of this directory: made from the randomness at the first start, then read back. A test key.
pub(crate) fn device_key(dir: &Path, randomness: &dyn Randomness) -> io::Result<SoftwareKey> {
    let path = dir.join(KEY_FILE);
    let refused = || io::Error::new(io::ErrorKind::InvalidData, "device-key holds no test key");
    match fs::read_to_string(&path) {
        Ok(text) => {
            let secret = text.trim_end().strip_prefix(KEY_MARK).and_then(hex_bytes).ok_or_else(refused)?;
            SoftwareKey::from_secret(Alg::EcdsaP256Sha256, &Zeroizing::new(secret)).map_err(|_| refused())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => loop {
            let mut secret = Zeroizing::new([0; 32]);
            randomness.fill(&mut secret[..]);
            let Ok(key) = SoftwareKey::from_secret(Alg::EcdsaP256Sha256, &secret) else { continue };
            let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            let fresh = dir.join("device-key.new");
            fs::write(&fresh, format!("{KEY_MARK}{hex}\n"))?;
            fs::rename(fresh, &path)?;
            return Ok(key);
        },
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_starts_draw_differently_and_one_start_repeats() {
        let draw = |seed, starts| {
            let mut bytes = [0; 70];
            SeededRandomness::new(seed, starts).fill(&mut bytes);
            bytes
        };
        assert_eq!(draw(1, 1), draw(1, 1));
        assert_ne!(draw(1, 1), draw(1, 2));
        assert_ne!(draw(1, 1), draw(2, 1));
    }

    #[test]
    fn a_jump_moves_the_wall_alone() {
        let clock = TillClock::starting_at(1_000, 100, 3);
        assert!(clock.advance(5) && clock.jump(50));
        assert_eq!(clock.now(), Now { wall_ms: 1_055, monotonic_ms: 905, boot_id: 3 });
    }
}
