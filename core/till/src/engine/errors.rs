//! Errors of the crates below, sorted by what the caller does next.

use takings_store::StoreError;

use crate::error::TillError;

/// The code of a ledger part of which cannot be read; an opening that meets it sets the file aside.
pub(super) const UNREADABLE_FILE: &str = "unreadable_file";

impl From<StoreError> for TillError {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::InUse => "in_use",
            StoreError::NotALedger => "not_a_ledger",
            StoreError::NewerLedger { .. } | StoreError::UnknownEvent { .. } => {
                return Self::upgrade_app("newer_ledger", error);
            }
            StoreError::ReadOnly { .. } => "read_only",
            StoreError::WrongKey => "wrong_key",
            StoreError::NotEncrypted => "not_encrypted",
            StoreError::KeyWithoutEncryption => "key_without_encryption",
            StoreError::KeyMissing => "key_missing",
            StoreError::Setting { .. } => "setting",
            StoreError::Damaged { .. } => "damaged",
            StoreError::CommitUnknown { .. } => "commit_unknown",
            StoreError::DiskFull => "disk_full",
            error if error.is_unreadable_file() => UNREADABLE_FILE,
            StoreError::Sqlite(_) => "sqlite",
            StoreError::Io(_) => "io",
            StoreError::Spoiled
            | StoreError::Unbalanced { .. }
            | StoreError::Misplaced { .. }
            | StoreError::Fold(_)
            | StoreError::Money(_)
            | StoreError::Unreadable { .. }
            | StoreError::Json(_) => return Self::internal("ledger", error),
        };
        Self::storage(code, error)
    }
}
