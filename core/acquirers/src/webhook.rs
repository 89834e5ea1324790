//! The signature of an answer: Standard Webhooks' asymmetric scheme over the exact body bytes.

use serde::{Deserialize, Serialize};

use crate::encoding::from_base64;
use crate::message::{Answer, Unverified};

/// The longest id or key name that is looked at, in bytes.
const MAX_NAME_LEN: usize = 64;

/// What an Ed25519 signature of the acquirer's covers: `<id>.<timestamp>.<bytes>`.
#[must_use]
pub fn signed_input(message_id: &str, timestamp_s: i64, bytes: &[u8]) -> Vec<u8> {
    let mut input = format!("{message_id}.{timestamp_s}.").into_bytes();
    input.extend_from_slice(bytes);
    input
}

/// The 64 bytes of `v1a,<base64>`. With several signatures, separated by blanks, the first of this kind.
pub(crate) fn signature_bytes(text: &str) -> Option<Vec<u8>> {
    let encoded = text.split(' ').find_map(|part| part.strip_prefix("v1a,"))?;
    from_base64(encoded).filter(|bytes| bytes.len() == 64)
}

/// The four headers that seal an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seal {
    pub(crate) kid: String,
    pub(crate) message_id: String,
    pub(crate) timestamp_s: i64,
    pub(crate) signature: String,
}

impl Seal {
    pub(crate) fn of(answer: &Answer) -> Result<Self, Unverified> {
        let header = |name| answer.header(name).ok_or(Unverified::NoSignature);
        let name = |text: &str| (1..=MAX_NAME_LEN).contains(&text.len()).then(|| text.to_owned());
        let timestamp = header("webhook-timestamp")?;
        let timestamp_s: i64 = timestamp.parse().map_err(|_| Unverified::BadSignature)?;
        // Only the canonical text: what is signed is built anew from the number.
        if timestamp_s < 0 || timestamp_s.to_string() != timestamp {
            return Err(Unverified::BadSignature);
        }
        Ok(Self {
            kid: name(header("kid")?).ok_or(Unverified::BadSignature)?,
            message_id: name(header("webhook-id")?).ok_or(Unverified::BadSignature)?,
            timestamp_s,
            signature: header("webhook-signature")?.to_owned(),
        })
    }
}

/// A document as the acquirer signed it: policy, terms, calendar, keys. Kept whole, so that it can be verified again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedDocument {
    /// The exact bytes, JSON text.
    pub body: String,
    /// The key it is signed by.
    pub kid: String,
    /// The id under the signature.
    pub message_id: String,
    /// The acquirer's time under the signature, Unix seconds.
    pub timestamp_s: i64,
    /// `v1a,<base64>`.
    pub signature: String,
    /// The entity tag, quotes included, to ask later whether it changed.
    pub etag: Option<String>,
}

impl SignedDocument {
    pub(crate) fn new(seal: Seal, body: &str, etag: Option<String>) -> Self {
        let Seal { kid, message_id, timestamp_s, signature } = seal;
        Self { body: body.to_owned(), kid, message_id, timestamp_s, signature, etag }
    }

    /// What is signed, and the signature.
    pub(crate) fn signed_parts(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let message = signed_input(&self.message_id, self.timestamp_s, self.body.as_bytes());
        Some((message, signature_bytes(&self.signature)?))
    }
}
