//! One opener at a time: an exclusive lock of the operating system, gone with the process that held it.

use std::fs::{File, OpenOptions};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::StoreError;

/// Holds the directory's lock until dropped.
#[derive(Debug)]
pub(crate) struct DirectoryLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl DirectoryLock {
    /// Takes the lock without waiting.
    pub(crate) fn take(dir: &Path) -> Result<Self, StoreError> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("lock"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(file)),
            #[cfg(feature = "planted")]
            Err(Errno::WOULDBLOCK) if takings_domain::planted::is("second_process_let_in") => Ok(Self(file)),
            Err(Errno::WOULDBLOCK) => Err(StoreError::InUse),
            Err(errno) => Err(StoreError::Io(errno.into())),
        }
    }
}
