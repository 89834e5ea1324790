//! What happened, in order: a hash over all of it, and lines for people.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// See the module. Hashed are inputs, effects, answers and the events in the ledgers; never the bytes of a database file.
#[derive(Default)]
pub struct Trace {
    hash: Sha256,
    told: Option<Vec<String>>,
}

impl Trace {
    /// One that keeps lines, or one that only hashes.
    #[must_use]
    pub fn new(told: bool) -> Self {
        Self { hash: Sha256::new(), told: told.then(Vec::new) }
    }

    /// Something that a person wants to read.
    pub fn tell(&mut self, at_ms: i64, who: &str, what: &str) {
        self.bytes(who, what.as_bytes());
        if let Some(told) = &mut self.told {
            told.push(format!("{} {who:<9} {what}", clock(at_ms)));
        }
    }

    /// Something that only counts.
    pub fn bytes(&mut self, kind: &str, bytes: &[u8]) {
        self.hash.update((kind.len() as u64).to_be_bytes());
        self.hash.update(kind.as_bytes());
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }

    /// The hash, hex.
    #[must_use]
    pub fn finish(&self) -> String {
        self.hash.clone().finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The lines, if they were kept.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.told.as_deref().unwrap_or_default()
    }
}

/// An instant as Shanghai's clocks show it.
#[must_use]
pub fn clock(at_ms: i64) -> String {
    const SHANGHAI_MS: i64 = 8 * 3_600_000;
    chrono::DateTime::from_timestamp_millis(at_ms + SHANGHAI_MS)
        .map_or_else(String::new, |at| at.format("%m-%d %H:%M:%S%.3f").to_string())
}
