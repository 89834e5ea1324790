//! How a till is set up.

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::texts::Language;

/// Everything [`crate::Till::open`] needs to know.
pub struct TillConfig {
    /// The directory of this merchant and terminal; made if it is not there. One till at a time.
    pub dir: PathBuf,
    /// The raw 256-bit key of the ledger file. Builds without encryption refuse one; builds with it demand one.
    pub encryption_key: Option<Zeroizing<[u8; 32]>>,
    /// The acquirer's base address, without `/v1`. `https`, or `http` to this machine.
    pub acquirer_url: String,
    /// The shell's version, told to the acquirer at sign-on.
    pub app_version: String,
    /// Until a connection stands, milliseconds.
    pub connect_timeout_ms: u64,
    /// Until an answer is complete, milliseconds; at most 35,000.
    pub request_timeout_ms: u64,
    /// SQLite's virtual file system, for tests; none: the system's.
    pub vfs: Option<String>,
    /// How much is free on the disk of a directory, bytes; none: as the operating system says. For worlds that are played.
    pub free_bytes: Option<fn(&Path) -> u64>,
    /// The language of receipts.
    pub language: Language,
    /// True: the till wakes by its own timer. False: somebody calls [`crate::Till::tick`] (virtual time).
    pub own_timer: bool,
}

impl TillConfig {
    /// The usual settings for a ledger in `dir` and an acquirer at `acquirer_url`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, acquirer_url: impl Into<String>) -> Self {
        Self {
            dir: dir.into(),
            encryption_key: None,
            acquirer_url: acquirer_url.into(),
            app_version: env!("CARGO_PKG_VERSION").to_owned(),
            connect_timeout_ms: 10_000,
            request_timeout_ms: 35_000,
            vfs: None,
            free_bytes: None,
            language: Language::En,
            own_timer: true,
        }
    }
}

impl fmt::Debug for TillConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TillConfig")
            .field("encrypted", &self.encryption_key.is_some())
            .field("acquirer_url", &self.acquirer_url)
            .field("own_timer", &self.own_timer)
            .finish_non_exhaustive()
    }
}
