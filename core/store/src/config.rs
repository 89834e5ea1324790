//! How a ledger is opened.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use takings_domain::LedgerId;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A raw 256-bit database key. Wiped from memory when dropped; prints nothing of itself.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DatabaseKey([u8; 32]);

impl DatabaseKey {
    /// Takes the key's bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key as SQLCipher takes it: `x'…64 hex digits…'`. The caller wipes the text after use.
    #[cfg(feature = "sqlcipher")]
    pub(crate) fn to_sql(&self) -> zeroize::Zeroizing<String> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = zeroize::Zeroizing::new(String::with_capacity(67));
        text.push_str("x'");
        for byte in &self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text.push('\'');
        text
    }
}

impl fmt::Debug for DatabaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseKey({} bytes)", self.0.len())
    }
}

/// Where a ledger lives and how it is opened. The directory holds `ledger.db` (with SQLite's own files beside it),
/// `head` and `lock`, and belongs to one merchant's terminal.
#[derive(Debug, Clone)]
pub struct OpenConfig {
    /// The directory; made if it is missing.
    pub dir: PathBuf,
    /// The key: required by the `sqlcipher` feature, refused without it.
    pub key: Option<DatabaseKey>,
    /// The SQLite VFS to use; none: the system's.
    pub vfs: Option<String>,
    /// How much is free on the disk of a directory, bytes; none: as the operating system says.
    pub free_bytes: Option<fn(&Path) -> u64>,
    /// Writes a file's bytes once more where they are, and syncs it; none: with the operating system's calls. Whoever gives a
    /// VFS with a disk of its own gives this with it.
    pub write_again: Option<fn(&Path) -> io::Result<()>>,
    /// The identity a new ledger gets. An existing ledger keeps its own.
    pub new_ledger_id: LedgerId,
}

impl OpenConfig {
    /// A configuration with the system's VFS and no key.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, new_ledger_id: LedgerId) -> Self {
        Self { dir: dir.into(), key: None, vfs: None, free_bytes: None, write_again: None, new_ledger_id }
    }

    /// The database file.
    #[must_use]
    pub fn ledger_path(&self) -> PathBuf {
        ledger_path(&self.dir)
    }

    /// What SQLite writes ahead of it.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.dir.join("ledger.db-wal")
    }
}

pub(crate) fn ledger_path(dir: &Path) -> PathBuf {
    dir.join("ledger.db")
}
