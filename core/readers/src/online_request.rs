//! Card data on its way to the acquirer: ciphertext, and what tells the acquirer's host how to open it.

use std::fmt;

use takings_domain::{EntryMode, MaskedCard, Scheme};

use crate::sensitive::SensitiveBytes;

/// The longest card data of any reader, in bytes: the acquirer's contract takes three times as much.
pub const MAX_BLOB_LEN: usize = 16 * 1024;
/// The longest word for a format that the acquirer's contract takes.
const MAX_FORMAT_LEN: usize = 40;
/// So many digits in a row may be a card number.
const NUMBER_LEN: usize = 12;

/// How to read a blob: a word of 1 to 40 of `a-z 0-9 _ . -`, without anything as long as a card number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobFormat(String);

impl BlobFormat {
    /// The word, if it is one.
    #[must_use]
    pub fn new(word: &str) -> Option<Self> {
        let of_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        let bounded = (1..=MAX_FORMAT_LEN).contains(&word.len()) && word.bytes().all(of_word);
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        (bounded && digits < NUMBER_LEN).then(|| Self(word.to_owned()))
    }

    /// A word of this crate's own, whose form its tests hold.
    pub(crate) fn of_ours(word: &'static str) -> Self {
        Self(word.to_owned())
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Card data for the acquirer. Everything that must not be kept was left behind.
#[derive(Clone, PartialEq, Eq)]
pub struct OnlineRequest {
    /// Ciphertext and what opens it, opaque to everyone but the acquirer's host.
    pub blob: SensitiveBytes,
    /// How to read the blob.
    pub format: BlobFormat,
    /// The key serial number as upper-case hex; empty if the reader has none.
    pub ksn_hex: String,
    /// The key set: what the acquirer finds the key by. Upper-case hex, or a vendor's own word.
    pub key_id: String,
    /// The reader's serial as it stands in the card data.
    pub device_serial: String,
    /// First six digits at most and the last four; all hidden if the reader sent no masked track.
    pub masked_card: MaskedCard,
    /// From the leading digits.
    pub scheme: Scheme,
    /// How the card was read.
    pub entry_mode: EntryMode,
}

/// What names a key is nobody's business but the acquirer's: its length is enough here.
impl fmt::Debug for OnlineRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnlineRequest")
            .field("blob", &self.blob)
            .field("format", &self.format.as_str())
            .field("ksn_len", &self.ksn_hex.len())
            .field("key_id_len", &self.key_id.len())
            .field("device_serial", &self.device_serial)
            .field("masked_card", &self.masked_card)
            .field("scheme", &self.scheme)
            .field("entry_mode", &self.entry_mode)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_a_bounded_word() {
        for word in ["magtek-mms-arqc", "a", "bbpos.dukpt_2", &"x".repeat(40)] {
            assert_eq!(BlobFormat::new(word).unwrap().as_str(), word);
        }
        for none in ["", "A", "a b", "é", &"x".repeat(41), "v411111111111", "4111-1111-1111-1111"] {
            assert_eq!(BlobFormat::new(none), None, "{none}");
        }
        let ours = crate::dynaflex::card_data::BLOB_FORMAT;
        assert_eq!(BlobFormat::new(ours), Some(BlobFormat::of_ours(ours)));
    }
}
