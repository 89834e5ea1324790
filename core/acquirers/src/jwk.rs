//! Public keys as JSON Web Keys, their thumbprint (RFC 7638) and their signatures.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeMap};
use sha2::{Digest, Sha256};

use crate::encoding::base64url;

/// A signature algorithm, fixed for a device at activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alg {
    /// ECDSA over P-256 with SHA-256: what hardware keys of phones do. A signature is r ‖ s, 64 bytes.
    EcdsaP256Sha256,
    /// Ed25519. A signature is 64 bytes.
    Ed25519,
}

impl Alg {
    /// The name in RFC 9421's registry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::Ed25519 => "ed25519",
        }
    }

    /// The algorithm of this name, or none.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::EcdsaP256Sha256, Self::Ed25519].into_iter().find(|alg| alg.as_str() == word)
    }
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PublicJwk {
    /// A point on P-256, both coordinates big endian.
    P256 {
        /// The x coordinate.
        x: [u8; 32],
        /// The y coordinate.
        y: [u8; 32],
    },
    /// An Ed25519 public key.
    Ed25519 {
        /// The 32 bytes.
        x: [u8; 32],
    },
}

impl PublicJwk {
    /// The algorithm this key verifies.
    #[must_use]
    pub fn alg(&self) -> Alg {
        match self {
            Self::P256 { .. } => Alg::EcdsaP256Sha256,
            Self::Ed25519 { .. } => Alg::Ed25519,
        }
    }

    /// The RFC 7638 thumbprint: SHA-256 over the required members in alphabetical order, base64url.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let canonical = match self {
            Self::P256 { x, y } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, base64url(x), base64url(y))
            }
            Self::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url(x)),
        };
        base64url(&Sha256::digest(canonical.as_bytes()))
    }

    /// Whether `signature` (64 bytes) is this key's over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256 { x, y } => p256_verifies(x, y, message, signature),
            Self::Ed25519 { x } => ed25519_verifies(x, message, signature),
        }
    }
}

fn p256_verifies(x: &[u8; 32], y: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    use p256::ecdsa::{Signature, VerifyingKey, signature::Verifier as _};
    let point = [&[4_u8][..], x, y].concat();
    match (VerifyingKey::from_sec1_bytes(&point), Signature::from_slice(signature)) {
        (Ok(key), Ok(signature)) => key.verify(message, &signature).is_ok(),
        _ => false,
    }
}

/// Strict verification: small-order keys and malleable signatures are refused.
pub(crate) fn ed25519_verifies(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    use ed25519_dalek::{Signature, VerifyingKey};
    match (VerifyingKey::from_bytes(key), Signature::from_slice(signature)) {
        (Ok(key), Ok(signature)) => key.verify_strict(message, &signature).is_ok(),
        _ => false,
    }
}

impl fmt::Debug for PublicJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.alg().as_str(), self.thumbprint())
    }
}

impl Serialize for PublicJwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::P256 { x, y } => {
                map.serialize_entry("kty", "EC")?;
                map.serialize_entry("crv", "P-256")?;
                map.serialize_entry("x", &base64url(x))?;
                map.serialize_entry("y", &base64url(y))?;
            }
            Self::Ed25519 { x } => {
                map.serialize_entry("kty", "OKP")?;
                map.serialize_entry("crv", "Ed25519")?;
                map.serialize_entry("x", &base64url(x))?;
            }
        }
        map.end()
    }
}
