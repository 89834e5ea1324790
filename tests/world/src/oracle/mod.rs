//! The judge of a day. It knows the customers' cards, the acquirer's and the bank's books, what the screens showed and
//! what the files hold; never what the core thinks, and it calls nothing of the core's.

use serde_json::Value;

use crate::record::{Deed, RawEvent, Seen, Tap, Violation};

/// Hears a day and names every promise that was broken.
#[derive(Debug)]
pub struct Oracle {
    violations: Vec<Violation>,
}

impl Oracle {
    /// A judge of so many phones; `merchant_of` says which merchant each belongs to.
    #[must_use]
    pub fn new(phones: usize, merchant_of: Vec<usize>) -> Self {
        let _ = (phones, merchant_of);
        Self { violations: Vec::new() }
    }

    /// The phone was activated as this terminal.
    pub fn terminal(&mut self, phone: usize, terminal_id: &str) {
        let _ = (phone, terminal_id);
    }

    /// A card was held to a reader.
    pub fn tap(&mut self, tap: Tap) {
        let _ = tap;
    }

    /// Something was done to a phone, or to the world.
    pub fn deed(&mut self, at_ms: i64, phone: Option<usize>, deed: Deed) {
        let _ = (at_ms, phone, deed);
    }

    /// A screen showed something.
    pub fn see(&mut self, at_ms: i64, phone: usize, seen: Seen) {
        let _ = (at_ms, phone, seen);
    }

    /// The rows of a phone's ledger: all of them, or those since the last call. After an older copy was put back and
    /// after each opening it must be all of them.
    pub fn rows(&mut self, at_ms: i64, phone: usize, rows: Vec<RawEvent>) {
        let _ = (at_ms, phone, rows);
    }

    /// What the reader gave out for a payment; a piece of 24 bytes is enough.
    pub fn ciphertext(&mut self, phone: usize, payment: &str, bytes: &[u8]) {
        let _ = (phone, payment, bytes);
    }

    /// The raw bytes of every file of a phone's directory, at the end.
    pub fn files(&mut self, at_ms: i64, phone: usize, files: &[(String, Vec<u8>)]) {
        let _ = (at_ms, phone, files);
    }

    /// What was broken so far.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The end: the acquirer's and the bank's books, after healing and some days.
    pub fn finish(&mut self, at_ms: i64, book: &Value) {
        let _ = (at_ms, book);
    }
}
