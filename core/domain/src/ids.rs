//! Identifiers: the phone's own are UUIDs made before the fact they name; the acquirer's are opaque text.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::{Builder, Uuid};

/// A text is not a UUID, or an acquirer's id is empty or too long. The caller fixes the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a valid identifier")]
pub struct IdError;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A version 7 UUID from a time in milliseconds since 1970 UTC and ten random bytes.
            #[must_use]
            pub fn from_parts(unix_ms: i64, random: [u8; 10]) -> Self {
                Self(Builder::from_unix_timestamp_millis(u64::try_from(unix_ms).unwrap_or(0), &random).into_uuid())
            }

            /// The id with these bytes.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Parses the hyphenated form.
            ///
            /// # Errors
            /// [`IdError`] if the text is not a UUID.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map(Self).map_err(|_| IdError)
            }

            /// The sixteen bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

uuid_id! {
    /// One payment, made on the phone before the card is read; also its idempotency key at the acquirer.
    PaymentId
}
uuid_id! {
    /// One presentation of a card.
    AttemptId
}
uuid_id! {
    /// The undoing of an unknown payment. Derived from the payment's id, so that a repeat cannot fork.
    ReversalId
}
uuid_id! {
    /// One exchange with the acquirer: a batch, a single send, a look-up. New for each send.
    OperationId
}
uuid_id! {
    /// One ledger: the file of one merchant and terminal on one phone.
    LedgerId
}

impl ReversalId {
    /// The reversal of this payment: a version 8 UUID from SHA-256("reversal" ‖ payment id).
    #[must_use]
    pub fn of(payment: PaymentId) -> Self {
        let digest = Sha256::new().chain_update(b"reversal").chain_update(payment.as_bytes()).finalize();
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(Builder::from_custom_bytes(bytes).into_uuid())
    }
}

/// The longest id of the acquirer's that we keep, in bytes.
pub const MAX_ACQUIRER_ID_LEN: usize = 128;

/// A payout, named by the acquirer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PayoutId(String);

impl PayoutId {
    /// Takes an acquirer's id as it came.
    ///
    /// # Errors
    /// [`IdError`] if it is empty, longer than [`MAX_ACQUIRER_ID_LEN`] bytes or holds control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
        let text = text.into();
        let sound = !text.is_empty() && text.len() <= MAX_ACQUIRER_ID_LEN && !text.chars().any(char::is_control);
        if sound { Ok(Self(text)) } else { Err(IdError) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PayoutId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl From<PayoutId> for String {
    fn from(id: PayoutId) -> Self {
        id.0
    }
}

impl fmt::Display for PayoutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PayoutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reversal_of_one_payment_has_one_id() {
        let payment = PaymentId::from_parts(1_795_000_000_000, [7; 10]);
        assert_eq!(ReversalId::of(payment), ReversalId::of(payment));
        let other = PaymentId::from_parts(1_795_000_000_000, [8; 10]);
        assert_ne!(ReversalId::of(payment), ReversalId::of(other));
        assert_eq!(ReversalId::of(payment).to_string().as_bytes()[14], b'8');
        assert_eq!(payment.to_string().as_bytes()[14], b'7');
    }

    #[test]
    fn an_acquirers_id_is_bounded() {
        assert!(PayoutId::new("").is_err());
        assert!(PayoutId::new("x".repeat(129)).is_err());
        assert!(PayoutId::new("a\nb").is_err());
        assert_eq!(PayoutId::new("po_1").unwrap().as_str(), "po_1");
    }
}
