//! The device's key: a trait for hardware, and a key in software.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::jwk::{Alg, PublicJwk};

/// The key could not sign. Nothing left the phone; the caller tries again or asks the merchant to unlock the phone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the device key cannot sign: {0}")]
pub struct SignError(pub String);

/// A private key that stays where it is: a secure element, or [`SoftwareKey`].
pub trait DeviceSigner: Send + Sync {
    /// What it signs with; the same for ever.
    fn alg(&self) -> Alg {
        self.public_jwk().alg()
    }

    /// Its public half.
    fn public_jwk(&self) -> PublicJwk;

    /// Signs the message (not its hash): 64 bytes, for P-256 r ‖ s.
    ///
    /// # Errors
    /// [`SignError`] if the key is gone or locked.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Thirty-two bytes are no private key of this algorithm. Only zero and numbers beyond the curve's order are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a private key")]
pub struct SecretError;

/// Both wipe themselves when dropped.
enum Secret {
    P256(Box<p256::ecdsa::SigningKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

/// A private key in memory, wiped when dropped.
pub struct SoftwareKey {
    secret: Secret,
    public: PublicJwk,
}

impl SoftwareKey {
    /// The key with these secret bytes.
    ///
    /// # Errors
    /// [`SecretError`] if they are none; the caller draws others.
    pub fn from_secret(alg: Alg, secret: &Zeroizing<[u8; 32]>) -> Result<Self, SecretError> {
        match alg {
            Alg::EcdsaP256Sha256 => {
                let key = p256::ecdsa::SigningKey::from_slice(&secret[..]).map_err(|_| SecretError)?;
                let point = key.verifying_key().to_sec1_point(false);
                let bytes: &[u8; 65] = point.as_bytes().try_into().map_err(|_| SecretError)?;
                let (mut x, mut y) = ([0; 32], [0; 32]);
                x.copy_from_slice(&bytes[1..33]);
                y.copy_from_slice(&bytes[33..]);
                Ok(Self { secret: Secret::P256(Box::new(key)), public: PublicJwk::P256 { x, y } })
            }
            Alg::Ed25519 => {
                let key = ed25519_dalek::SigningKey::from_bytes(secret);
                let public = PublicJwk::Ed25519 { x: key.verifying_key().to_bytes() };
                Ok(Self { secret: Secret::Ed25519(Box::new(key)), public })
            }
        }
    }
}

impl DeviceSigner for SoftwareKey {
    fn public_jwk(&self) -> PublicJwk {
        self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(match &self.secret {
            Secret::P256(key) => {
                use p256::ecdsa::{Signature, signature::Signer as _};
                let signature: Signature = key.try_sign(message).map_err(|_| SignError("out of range".into()))?;
                signature.to_bytes().to_vec()
            }
            Secret::Ed25519(key) => {
                use ed25519_dalek::Signer as _;
                key.try_sign(message).map_err(|_| SignError("out of range".into()))?.to_bytes().to_vec()
            }
        })
    }
}

impl fmt::Debug for SoftwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoftwareKey({:?})", self.public)
    }
}
