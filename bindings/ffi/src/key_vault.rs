//! The key of the ledger file.

use std::path::Path;

use zeroize::Zeroizing;

use crate::callbacks::Foreign;
use crate::error::TakingsError;

/// Where the app keeps the key of the ledger file: Android Keystore, Apple Keychain. Called while a till opens, on a
/// thread of the library's.
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

/// The key in the vault, or at the first opening a new one.
pub(crate) fn ledger_key(vault: &Foreign<dyn KeyVault>, dir: &Path) -> Result<Zeroizing<[u8; 32]>, TakingsError> {
    if let Some(key) = load(vault)? {
        return Ok(key);
    }
    if dir.join("ledger.db").exists() {
        return Err(TakingsError::storage("key_lost", "there is a ledger, and the vault has no key for it"));
    }
    let mut fresh = Zeroizing::new([0_u8; 32]);
    fill(&mut fresh[..])?;
    vault.call(|vault| vault.store(fresh.to_vec()))?;
    // A ledger must not be written with a key that is not there tomorrow.
    if load(vault)?.is_none_or(|kept| *kept != *fresh) {
        return Err(TakingsError::storage("key_not_kept", "the vault does not return the key it was given"));
    }
    Ok(fresh)
}

fn load(vault: &Foreign<dyn KeyVault>) -> Result<Option<Zeroizing<[u8; 32]>>, TakingsError> {
    let Some(key) = vault.call(|vault| vault.load())? else { return Ok(None) };
    let key = Zeroizing::new(key);
    let key: [u8; 32] = key
        .as_slice()
        .try_into()
        .map_err(|_| TakingsError::storage("key_damaged", "the vault's key is not 32 bytes"))?;
    Ok(Some(Zeroizing::new(key)))
}

/// Randomness of the operating system.
#[expect(clippy::disallowed_methods, reason = "here the platform's randomness enters")]
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), TakingsError> {
    getrandom::fill(bytes).map_err(|error| TakingsError::internal("randomness", error))
}
