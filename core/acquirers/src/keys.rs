//! The acquirer's keys: the root that came with the activation code, and those it lists.

use serde::{Deserialize, Serialize};

use crate::jwk::ed25519_verifies;
use crate::message::{Answer, Unverified};
use crate::webhook::{self, SignedDocument};

/// The name the root key signs under; it signs nothing but the list of keys.
pub const ROOT_KID: &str = "root";

/// One key of the acquirer's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcquirerKey {
    /// Its name.
    pub kid: String,
    /// The Ed25519 public key.
    pub public_key: [u8; 32],
}

/// Who is believed: the root key for the list of keys, the listed keys for everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRing {
    root_key: [u8; 32],
    keys: Vec<AcquirerKey>,
}

impl KeyRing {
    /// A ring that believes nothing but a list of keys signed by this root.
    #[must_use]
    pub fn new(root_key: [u8; 32]) -> Self {
        Self { root_key, keys: Vec::new() }
    }

    /// Believes these keys and no others from now on. They come from a verified answer to
    /// [`crate::Operation::Keys`], or from [`crate::decode_keys`] over the document kept of one.
    pub fn replace(&mut self, keys: Vec<AcquirerKey>) {
        self.keys = keys;
    }

    /// The root key.
    #[must_use]
    pub fn root_key(&self) -> &[u8; 32] {
        &self.root_key
    }

    /// The keys believed now.
    #[must_use]
    pub fn keys(&self) -> &[AcquirerKey] {
        &self.keys
    }

    fn listed(&self, kid: &str) -> Option<&[u8; 32]> {
        self.keys.iter().find(|key| key.kid == kid).map(|key| &key.public_key)
    }

    /// Checks a signature by a listed key.
    pub(crate) fn check(&self, kid: &str, message: &[u8], signature: &[u8]) -> Result<(), Unverified> {
        let key = self.listed(kid).ok_or_else(|| Unverified::UnknownKey { kid: kid.to_owned() })?;
        if ed25519_verifies(key, message, signature) { Ok(()) } else { Err(Unverified::BadSignature) }
    }

    /// Checks a signature by the root key.
    pub(crate) fn check_root(&self, kid: &str, message: &[u8], signature: &[u8]) -> Result<(), Unverified> {
        if kid != ROOT_KID {
            return Err(Unverified::UnknownKey { kid: kid.to_owned() });
        }
        if ed25519_verifies(&self.root_key, message, signature) { Ok(()) } else { Err(Unverified::BadSignature) }
    }

    /// Checks the signature of a document that was kept, as at the start of the app.
    ///
    /// # Errors
    /// [`Unverified`] if it is not by a key believed now; the caller fetches the document again.
    pub fn verify(&self, document: &SignedDocument) -> Result<(), Unverified> {
        let (message, signature) = document.signed_parts().ok_or(Unverified::BadSignature)?;
        self.check(&document.kid, &message, &signature)
    }

    /// Checks the signature of an answer; `by_root` for the list of keys.
    pub(crate) fn verify_answer(&self, answer: &Answer, by_root: bool) -> Result<webhook::Seal, Unverified> {
        let seal = webhook::Seal::of(answer)?;
        let message = webhook::signed_input(&seal.message_id, seal.timestamp_s, &answer.body);
        let check = |signature: &[u8]| {
            if by_root {
                self.check_root(&seal.kid, &message, signature)
            } else {
                self.check(&seal.kid, &message, signature)
            }
        };
        check(&webhook::signature_bytes(&seal.signature).ok_or(Unverified::BadSignature)?)?;
        Ok(seal)
    }
}
