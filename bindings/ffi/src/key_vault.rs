//! The key of the ledger file.

use std::path::Path;

use zeroize::Zeroizing;

use crate::callbacks::Foreign;
use crate::error::TakingsError;
use crate::lane::Lane;

/// Where the app keeps the key of the ledger file: Android Keystore, Apple Keychain. Called while a till opens, on a
/// thread of the library's, one call after the other. One that has not returned after ten seconds has failed (`silent`), and
/// the till does not open; a call back into a till from here is an error.
///
/// The library makes the key. Keep it as long as the ledger: without it nothing in the ledger can be read, and only
/// `at_stake` still says how much is unsent. Do not let it leave the phone in a backup.
#[uniffi::export(foreign)]
pub trait KeyVault: Send + Sync {
    /// The key that was stored; null if none ever was. An error if it cannot be read just now.
    fn load(&self) -> Result<Option<Vec<u8>>, TakingsError>;

    /// Keeps the key, 32 bytes. It must be safe when this returns.
    fn store(&self, key: Vec<u8>) -> Result<(), TakingsError>;
}

/// What the vault is asked.
enum Ask {
    Load,
    Store(Zeroizing<Vec<u8>>),
}

/// The app's vault on a thread of its own, waited for with patience that ends.
pub(crate) struct HostVault(Lane<Ask, Option<Zeroizing<Vec<u8>>>>);

impl HostVault {
    pub(crate) fn new(vault: Foreign<dyn KeyVault>, patience_ms: u64) -> Result<Self, TakingsError> {
        let serve = move |ask| {
            vault.call(|vault| match ask {
                Ask::Load => Ok(vault.load()?.map(Zeroizing::new)),
                Ask::Store(key) => vault.store(key.to_vec()).map(|()| None),
            })
        };
        Ok(Self(Lane::open("takings-vault", patience_ms, serve)?))
    }

    /// The key in the vault, or at the first opening a new one.
    pub(crate) fn ledger_key(&self, dir: &Path) -> Result<Zeroizing<[u8; 32]>, TakingsError> {
        if let Some(key) = self.load()? {
            return Ok(key);
        }
        if dir.join("ledger.db").exists() {
            return Err(TakingsError::storage("key_lost", "there is a ledger, and the vault has no key for it"));
        }
        let mut fresh = Zeroizing::new([0_u8; 32]);
        fill(&mut fresh[..])?;
        self.0.ask(Ask::Store(Zeroizing::new(fresh.to_vec())))?;
        // A ledger must not be written with a key that is not there tomorrow.
        if self.load()?.is_none_or(|kept| *kept != *fresh) {
            return Err(TakingsError::storage("key_not_kept", "the vault does not return the key it was given"));
        }
        Ok(fresh)
    }

    fn load(&self) -> Result<Option<Zeroizing<[u8; 32]>>, TakingsError> {
        let Some(key) = self.0.ask(Ask::Load)? else { return Ok(None) };
        let key: [u8; 32] = key
            .as_slice()
            .try_into()
            .map_err(|_| TakingsError::storage("key_damaged", "the vault's key is not 32 bytes"))?;
        Ok(Some(Zeroizing::new(key)))
    }
}

/// Randomness of the operating system.
#[expect(clippy::disallowed_methods, reason = "here the platform's randomness enters")]
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), TakingsError> {
    getrandom::fill(bytes).map_err(|error| TakingsError::internal("randomness", error))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Returns from each call when it is told to.
    struct Blocks(Mutex<Receiver<()>>);

    impl KeyVault for Blocks {
        fn load(&self) -> Result<Option<Vec<u8>>, TakingsError> {
            let _ = self.0.lock().unwrap().recv();
            Ok(None)
        }

        fn store(&self, _: Vec<u8>) -> Result<(), TakingsError> {
            Ok(())
        }
    }

    #[test]
    fn a_vault_that_blocks_is_an_error_and_not_asked_again_before_it_is_back() {
        let dir = tempfile::tempdir().unwrap();
        let (go, goes) = channel();
        let vault = HostVault::new(Foreign::new(Arc::new(Blocks(Mutex::new(goes)))), 1).unwrap();
        let code = |error| match error {
            TakingsError::Internal { code, .. } => code,
            other => panic!("{other}"),
        };
        // A slow machine may withdraw the question before it began: then it was never asked.
        let first = code(vault.ledger_key(dir.path()).unwrap_err());
        assert!(first == "silent" || first == "busy", "{first}");
        drop(go);
    }
}
