//! What can go wrong with a ledger.

use std::io;
use std::path::PathBuf;

use takings_domain::event::UnknownEvent;
use thiserror::Error;

use crate::head::Head;

/// Why a ledger could not be opened, read or written. No variant carries what the merchant or a customer entered.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process, or another opener in this one, has the ledger. Retry when it is gone.
    #[error("the ledger is in use by another process")]
    InUse,
    /// The file is a database of somebody else, or no database at all. It was not touched.
    #[error("the file is not a ledger")]
    NotALedger,
    /// A later version of the app wrote this ledger. Upgrade the app; the file was not touched.
    #[error("the ledger was written by a newer version (schema {found}, this version knows {known})")]
    NewerLedger {
        /// The schema in the file.
        found: i64,
        /// The newest schema this build knows.
        known: i64,
    },
    /// The ledger is open for reading only; see the reason in the report of the opening.
    #[error("the ledger is read-only: {reason}")]
    ReadOnly {
        /// Why.
        reason: String,
    },
    /// An event that this build cannot read. Upgrade the app.
    #[error("event {seq}: {source}")]
    UnknownEvent {
        /// Its number.
        seq: u64,
        /// What is unknown about it.
        source: UnknownEvent,
    },
    /// The key does not fit, or the file's first page is damaged: with encryption the two look alike.
    #[error("the ledger cannot be read with this key")]
    WrongKey,
    /// The file is not encrypted, and this build opens only what is. It was not touched.
    #[error("the file is not encrypted")]
    NotEncrypted,
    /// A key was given to a build without encryption, which would have ignored it.
    #[error("a key was given, but this build cannot encrypt")]
    KeyWithoutEncryption,
    /// This build encrypts and no key was given.
    #[error("this build encrypts and needs a key")]
    KeyMissing,
    /// A setting that the promises rest on did not take.
    #[error("setting {name}: wanted {wanted}, found {found}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it must be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// The file is damaged. It was set aside, not deleted; the witness says how much it should have held.
    #[error("the ledger is damaged and was set aside")]
    Damaged {
        /// Where the damaged file lies now.
        set_aside: PathBuf,
        /// What the witness beside it said: length of the history and what was unsent. Boxed for size.
        head: Option<Box<Head>>,
    },
    /// A commit failed in a way that leaves its outcome unknown. Look the subject up before doing it again.
    #[error("it is unknown whether the last change was kept: {source}")]
    CommitUnknown {
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// An earlier step of this transaction failed; nothing of it can be committed.
    #[error("an earlier step of this transaction failed")]
    Spoiled,
    /// The disk is full. Nothing was written.
    #[error("the disk is full")]
    DiskFull,
    /// Postings that do not sum to zero in one currency: nothing was written (promise P4).
    #[error("postings in {currency} are out of balance by {difference_minor} minor units")]
    Unbalanced {
        /// The currency.
        currency: String,
        /// Their sum, minor units.
        difference_minor: i64,
    },
    /// An event that cannot stand where it was put: a second beginning, an event before the first, another subject's.
    #[error("a {kind} event cannot follow here: {why}")]
    Misplaced {
        /// The kind of the event.
        kind: &'static str,
        /// Why.
        why: &'static str,
    },
    /// An event that its subject's history does not allow.
    #[error(transparent)]
    Fold(#[from] takings_domain::payment::FoldError),
    /// A sum left the range of money.
    #[error(transparent)]
    Money(#[from] takings_domain::MoneyError),
    /// A value in the file has a form this build never writes.
    #[error("a value in {what} cannot be read")]
    Unreadable {
        /// Table or column.
        what: &'static str,
    },
    /// SQLite failed otherwise.
    #[error("database: {0}")]
    Sqlite(rusqlite::Error),
    /// A file operation failed.
    #[error("file: {0}")]
    Io(#[from] io::Error),
    /// A body could not be written as JSON.
    #[error("json: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Self::InUse,
            _ => Self::Sqlite(error),
        }
    }
}
