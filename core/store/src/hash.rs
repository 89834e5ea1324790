//! The chain: every event carries the hash of the one before, so that a change anywhere shows.
//!
//! genesis = SHA-256("takings ledger 1" ‖ ledger id, 16 bytes);
//! hash = SHA-256(previous hash ‖ every column before `hash`, in the table's order), where a column is one type byte
//! (null 0, integer 1, text 2, blob 3), its length as four bytes and its bytes; an integer is eight bytes.
//! Numbers are big-endian. The previous hash is that of the row above and is not stored again.

use sha2::{Digest, Sha256};
use takings_domain::LedgerId;

/// A link of the chain.
pub type Hash = [u8; 32];

/// What stands before the first event.
#[must_use]
pub fn genesis(ledger_id: LedgerId) -> Hash {
    Sha256::new().chain_update(b"takings ledger 1").chain_update(ledger_id.as_bytes()).finalize().into()
}

/// What an event usually takes in bytes: the columns are put together first, since the digest is slow in small pieces.
const USUAL_LEN: usize = 512;

/// Builds one link, column by column.
pub(crate) struct Link(Vec<u8>);

impl Link {
    pub(crate) fn after(previous: &Hash) -> Self {
        let mut so_far = Vec::with_capacity(USUAL_LEN);
        so_far.extend_from_slice(previous);
        Self(so_far)
    }

    fn column(mut self, kind: u8, bytes: &[u8]) -> Self {
        // A column beyond 4 GiB cannot exist: SQLite refuses far shorter ones.
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.push(kind);
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn int(self, value: i64) -> Self {
        self.column(1, &value.to_be_bytes())
    }

    pub(crate) fn text(self, value: &str) -> Self {
        self.column(2, value.as_bytes())
    }

    pub(crate) fn text_or_null(self, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(value),
            None => self.column(0, &[]),
        }
    }

    pub(crate) fn finish(self) -> Hash {
        Sha256::digest(&self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn p5_the_chain_is_made_of_these_bytes() {
        let genesis = genesis(LedgerId::from_bytes([0x11; 16]));
        assert_eq!(hex(&genesis), "6d151217fcccf9553d935df13190d3e97141f5fd1b7e06551fa568d5ef93d612");
        let hash = Link::after(&genesis).int(1).text_or_null(None).text("opened").finish();
        // Written out by hand: the columns 1, null, "opened".
        let mut bytes = genesis.to_vec();
        bytes.extend([1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend([0, 0, 0, 0, 0]);
        bytes.extend([2, 0, 0, 0, 6]);
        bytes.extend(b"opened");
        assert_eq!(hash, <Hash>::from(Sha256::digest(&bytes)));
    }

    #[test]
    fn p5_null_and_empty_differ() {
        let start = [0; 32];
        assert_ne!(Link::after(&start).text_or_null(None).finish(), Link::after(&start).text("").finish());
    }
}
