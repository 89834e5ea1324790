//! Chance, in named streams split from the seed: a new fault draws from a stream of its own and shifts nobody else's.

use std::sync::Mutex;

use sha2::{Digest, Sha256};
use takings_till::Randomness;

/// One stream of chance.
#[derive(Debug, Clone)]
pub struct Stream(u64);

impl Stream {
    /// The stream of this name.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(name.as_bytes()).finalize();
        Self(digest.iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte)))
    }

    /// The next 64 bits: splitmix64.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// From 0 to below `end`; 0 for an `end` of 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.word().checked_rem(end).unwrap_or(0)
    }

    /// From `first` to `last`, both included.
    pub fn between(&mut self, first: i64, last: i64) -> i64 {
        let width = last.saturating_sub(first).max(0).unsigned_abs();
        first.saturating_add_unsigned(self.below(width + 1))
    }

    /// True so many times in a thousand.
    pub fn once_in_thousand(&mut self, times: u64) -> bool {
        self.below(1_000) < times
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap_or(0)]
    }
}

/// What a phone's operating system gives out, drawn from a seed: another for every start of the app.
#[derive(Debug)]
pub struct PhoneRandomness {
    seed: [u8; 32],
    drawn: Mutex<u64>,
}

impl PhoneRandomness {
    /// Of this phone's start with this number.
    #[must_use]
    pub fn new(seed: u64, phone: usize, start: u64) -> Self {
        let digest = Sha256::new()
            .chain_update(seed.to_be_bytes())
            .chain_update((phone as u64).to_be_bytes())
            .chain_update(start.to_be_bytes());
        Self { seed: digest.finalize().into(), drawn: Mutex::new(0) }
    }
}

impl Randomness for PhoneRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        let mut drawn = self.drawn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for piece in bytes.chunks_mut(32) {
            *drawn += 1;
            let block = Sha256::new().chain_update(self.seed).chain_update(drawn.to_be_bytes()).finalize();
            piece.copy_from_slice(&block[..piece.len()]);
        }
    }
}
