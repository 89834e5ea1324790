//! The one writer.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use rusqlite::Connection;
use takings_domain::LedgerId;

use crate::config::OpenConfig;
use crate::connection::{self, Found};
use crate::hash::{Hash, genesis};
use crate::head::HeadFile;
use crate::lock::DirectoryLock;
use crate::opening::{self, OpenReport};
use crate::projection::apply::{SPREAD_CHUNK, spread};
use crate::projection::tables::Tables;
use crate::rebuild::Stands;
use crate::room::Room;
use crate::transaction::Transaction;
use crate::verify::{self, Verification};
use crate::write_ahead::{Log, checkpoint, fold_on_close, put_on_disk, settle};
use crate::{StoreError, event_log, migration, rebuild, settings};

/// An open ledger: the only writer of its directory, until it is dropped.
pub struct Ledger {
    config: OpenConfig,
    ledger_id: LedgerId,
    conn: Option<Connection>,
    pub(crate) position: Position,
    room: Room,
    // Last, so that the file is closed before somebody else may open it.
    _lock: DirectoryLock,
}

/// Projections in the making.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuild {
    /// The number of the last event they hold.
    pub done: u64,
    /// The number of the newest event.
    pub of: u64,
}

/// Where the history ends, and what goes with writing its next event.
pub(crate) struct Position {
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
    pub(crate) kinds: BTreeSet<(String, u32)>,
    pub(crate) head: HeadFile,
    pub(crate) read_only: Option<String>,
    /// The connection's state is unknown: drop it and look again.
    pub(crate) broken: bool,
    /// Of so many commits nobody knows what became of them.
    pub(crate) unknown_commits: u64,
    /// No event goes behind a log that a power cut can take.
    pub(crate) log: Log,
}

impl Ledger {
    /// Opens the ledger of a directory, or makes a new one.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::NotALedger`], [`StoreError::NewerLedger`], [`StoreError::WrongKey`],
    /// [`StoreError::KeyMissing`], [`StoreError::KeyWithoutEncryption`]: the file was not touched.
    /// [`StoreError::Damaged`]: it was set aside. [`StoreError::Setting`], [`StoreError::Io`], [`StoreError::Sqlite`].
    pub fn open(config: OpenConfig) -> Result<(Self, OpenReport), StoreError> {
        opening::open(config)
    }

    pub(crate) fn assemble(
        config: OpenConfig,
        ledger_id: LedgerId,
        conn: Connection,
        position: Position,
        lock: DirectoryLock,
    ) -> Self {
        let room = Room::of(&config);
        Self { config, ledger_id, conn: Some(conn), position, room, _lock: lock }
    }

    /// Begins the transaction of one handled input.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], or as [`Ledger::open`] if the file had to be opened again.
    pub fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        if self.room.is_low() && self.position.read_only.is_none() {
            self.make_room();
        }
        self.reopen_if_needed()?;
        self.is_log_synced()?;
        let conn = self.conn.as_ref().ok_or(StoreError::Spoiled)?;
        Transaction::begin(conn, &mut self.position)
    }

    /// Asks before a new charge whether it will fit, with everything that must fit after it: answers and reversals.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`]: nothing was written.
    pub fn room_for_charge(&mut self) -> Result<(), StoreError> {
        if self.room.is_enough_for_a_charge() {
            return Ok(());
        }
        self.make_room();
        if self.room.is_enough_for_a_charge() { Ok(()) } else { Err(StoreError::DiskFull) }
    }

    /// Whether the log is on the disk; one that may not be is written once more. Until it is, nothing goes behind it, and
    /// nothing of it into the file: a power cut would leave half of each.
    fn is_log_synced(&mut self) -> Result<bool, StoreError> {
        if self.position.log == Log::Doubtful {
            self.position.log = put_on_disk(&self.config)?;
            if let Some(conn) = &self.conn {
                fold_on_close(conn, self.position.log)?;
            }
        }
        Ok(self.position.log == Log::Synced)
    }

    /// The disk is as good as full: the ballast goes, and the log is written back into the file, so that its room is
    /// used again. What fails here fails again, and is told, when something is written.
    fn make_room(&mut self) {
        self.room.make();
        if !self.reopen_if_needed().and_then(|()| self.is_log_synced()).unwrap_or(false) {
            return;
        }
        let _ = self.connection().and_then(|conn| {
            conn.busy_timeout(std::time::Duration::ZERO)?;
            let done = checkpoint(conn, "TRUNCATE");
            conn.busy_timeout(connection::BUSY_TIMEOUT)?;
            done
        });
    }

    /// The connection, opened again if the last one was given up.
    pub(crate) fn connection(&mut self) -> Result<&Connection, StoreError> {
        self.reopen_if_needed()?;
        self.conn.as_ref().ok_or(StoreError::Spoiled)
    }

    fn reopen_if_needed(&mut self) -> Result<(), StoreError> {
        if self.position.broken {
            self.conn = None;
        }
        if self.conn.is_none() {
            let log = if self.position.broken { Log::Doubtful } else { self.position.log };
            let (conn, found, log) = connection::open_writer(&self.config, log)?;
            self.position.log = log;
            fold_on_close(&conn, log)?;
            if found == Found::Nothing || migration::ledger_id(&conn)? != self.ledger_id {
                return Err(StoreError::NotALedger);
            }
            if self.position.broken {
                if log == Log::Doubtful {
                    return Err(StoreError::DiskFull);
                }
                settle(&conn, &self.config)?;
            }
            if self.position.read_only.is_none() && migration::projections_are_old(&conn)? {
                opening::serve(&conn)?;
            }
            (self.position.seq, self.position.hash) = event_log::newest(&conn)?.unwrap_or((0, genesis(self.ledger_id)));
            self.position.broken = false;
            self.conn = Some(conn);
        }
        Ok(())
    }

    /// This ledger.
    #[must_use]
    pub fn ledger_id(&self) -> LedgerId {
        self.ledger_id
    }

    /// The number of the newest event; 0 if there is none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.position.seq
    }

    /// The link of the newest event, or the genesis.
    #[must_use]
    pub fn last_hash(&self) -> Hash {
        self.position.hash
    }

    /// The link of an event; none beyond the newest.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn hash_at(&mut self, seq: u64) -> Result<Option<Hash>, StoreError> {
        event_log::hash_at(self.connection()?, seq)
    }

    /// How many transactions failed at their commit since the opening: what became of them only the file says. Whoever sees
    /// it grow looks up what was left half done, as after a crash.
    #[must_use]
    pub fn unknown_commits(&self) -> u64 {
        self.position.unknown_commits
    }

    /// Why nothing can be written, if so.
    #[must_use]
    pub fn read_only(&self) -> Option<&str> {
        self.position.read_only.as_deref()
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.config.dir
    }

    /// How this ledger was opened: what [`crate::Reader::open`] takes.
    #[must_use]
    pub fn config(&self) -> &OpenConfig {
        &self.config
    }

    /// Takes a payout's change to the next few hundred of its payments. True if more are waiting: call again.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::ReadOnly`], [`StoreError::CommitUnknown`].
    pub fn spread_chunk(&mut self) -> Result<bool, StoreError> {
        self.writable()?;
        self.guarded(|conn| migration::in_transaction(conn, |conn| spread(&Tables::in_force(conn), SPREAD_CHUNK)))
    }

    /// Writes the log back into the file if enough of it waits: for idle moments. True if it did.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn checkpoint_idle(&mut self) -> Result<bool, StoreError> {
        self.reopen_if_needed()?;
        if !self.is_log_synced()? {
            return Ok(false);
        }
        let conn = self.connection()?;
        let worthwhile = checkpoint(conn, "NOOP")?.waiting() >= settings::IDLE_PAGES;
        if worthwhile {
            checkpoint(conn, "PASSIVE")?;
        }
        Ok(worthwhile)
    }

    /// If card data was erased since the last time: writes the log back and empties it, so that the ciphertext is
    /// nowhere in the files. For idle moments after a drain, never once per payment. True if it did; false if there
    /// was nothing to do or a reader was in the way.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::CommitUnknown`].
    pub fn truncate_after_erase(&mut self) -> Result<bool, StoreError> {
        #[cfg(feature = "planted")]
        if takings_domain::planted::is("erased_blob_stays_in_log") {
            return Ok(false);
        }
        self.reopen_if_needed()?;
        if !self.is_log_synced()? {
            return Ok(false);
        }
        let conn = self.connection()?;
        if migration::meta(conn, crate::kept::META_ERASED)?.is_none() {
            return Ok(false);
        }
        // A reader in the middle of a page must not make the till wait.
        conn.busy_timeout(std::time::Duration::ZERO)?;
        let done = checkpoint(conn, "TRUNCATE");
        conn.busy_timeout(connection::BUSY_TIMEOUT)?;
        if done?.busy {
            return Ok(false);
        }
        self.guarded(|conn| {
            migration::in_transaction(conn, |conn| {
                conn.execute("DELETE FROM meta WHERE key = ?", [crate::kept::META_ERASED])?;
                Ok(())
            })
        })?;
        Ok(true)
    }

    /// Checks everything: the chain, the folds, every projection, every sum, the witness. Reads in one snapshot and
    /// holds one subject in memory at a time; its time grows with the history: for support and idle moments.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::UnknownEvent`], [`StoreError::Io`]. What is wrong with the ledger is not
    /// an error but the answer.
    pub fn verify(&mut self) -> Result<Verification, StoreError> {
        let dir = self.config.dir.clone();
        verify::verify(self.connection()?, &dir)
    }

    /// Makes every projection anew from the events, beside the ones in force, which stay as they are until all is done.
    ///
    /// # Errors
    /// [`StoreError::UnknownEvent`], [`StoreError::Fold`], [`StoreError::Sqlite`], [`StoreError::ReadOnly`].
    pub fn rebuild_projections(&mut self) -> Result<(), StoreError> {
        self.writable()?;
        self.guarded(|conn| rebuild::begin_anew(conn).and_then(|()| rebuild::finish(conn)))?;
        while self.rebuild_chunk(rebuild::PIECE_EVENTS)? {}
        Ok(())
    }

    /// Begins to make every projection anew; [`Ledger::rebuild_chunk`] does it. What was begun before is begun again.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::DiskFull`], [`StoreError::ReadOnly`].
    pub fn begin_rebuild(&mut self) -> Result<(), StoreError> {
        self.writable()?;
        self.guarded(rebuild::begin_anew)
    }

    /// Takes the next events, at most so many, into the projections in the making, or removes a piece of those that were
    /// replaced: one transaction, for idle moments. Lists and decisions go by the ones in force until all is done. True
    /// if more is to be done: call again, now or after the next opening.
    ///
    /// # Errors
    /// [`StoreError::UnknownEvent`], [`StoreError::Fold`], [`StoreError::Sqlite`], [`StoreError::DiskFull`],
    /// [`StoreError::ReadOnly`], [`StoreError::CommitUnknown`].
    pub fn rebuild_chunk(&mut self, events: u32) -> Result<bool, StoreError> {
        self.writable()?;
        // The next tables take as much room as those in force: never that of a charge or an answer.
        let making = matches!(rebuild::stands(self.connection()?)?, Stands::Making(_));
        if making && !self.room.is_enough_for_a_charge() {
            return Err(StoreError::DiskFull);
        }
        Ok(self.guarded(|conn| rebuild::step(conn, events))? != Stands::Done)
    }

    /// How far the projections in the making have come, if there are any.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn rebuild_progress(&mut self) -> Result<Option<Rebuild>, StoreError> {
        let of = self.position.seq;
        Ok(match rebuild::stands(self.connection()?)? {
            Stands::Making(done) => Some(Rebuild { done, of }),
            Stands::Clearing => Some(Rebuild { done: of, of }),
            Stands::Done => None,
        })
    }

    fn writable(&self) -> Result<(), StoreError> {
        match &self.position.read_only {
            Some(reason) => Err(StoreError::ReadOnly { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Closes the file and with it every lock of SQLite's, for going to the background. The directory stays ours;
    /// the next use opens the file again.
    pub fn rest(&mut self) {
        self.conn = None;
    }

    /// Closes the ledger and lets the directory go.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] if SQLite could not close the file; what was committed is kept.
    pub fn close(mut self) -> Result<(), StoreError> {
        match self.conn.take() {
            Some(conn) => conn.close().map_err(|(_, error)| error.into()),
            None => Ok(()),
        }
    }

    fn guarded<T>(&mut self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let done = work(self.connection()?);
        if matches!(done, Err(StoreError::CommitUnknown { .. })) {
            self.position.broken = true;
        }
        done
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("dir", &self.config.dir).field("seq", &self.position.seq).finish_non_exhaustive()
    }
}
