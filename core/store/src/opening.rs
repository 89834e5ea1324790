//! Opening a ledger: whose it is, whether it is whole, and what the witness says.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use takings_domain::LedgerId;
use takings_domain::event::{LedgerEvent, PaymentEvent, PayoutEvent};

use crate::config::{OpenConfig, ledger_path};
use crate::connection::{self, Found};
use crate::hash::{Hash, genesis};
use crate::head::{Head, HeadFile};
use crate::ledger::{Ledger, Position};
use crate::lock::DirectoryLock;
use crate::migration::{meta, set_meta};
use crate::room::Room;
use crate::write_ahead::Log;
use crate::{StoreError, event_log, find, fit, migration, rebuild};

/// Meta: how many events witnesses knew of that were not here (eight bytes), and the newest such witness: its number
/// (eight bytes) and link. It bears witness until the next event; it is counted once.
const META_LOST: &str = "history_lost";
/// The size of a page of the file: SQLite's own default, and SQLCipher's.
const PAGE_BYTES: u64 = 4_096;
/// How many of the newest events every opening checks. The whole chain is checked by [`Ledger::verify`].
const TAIL: u64 = 64;

/// What an opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReport {
    /// There was no ledger; there is one now.
    pub created: bool,
    /// Events that a witness knew of and the ledger lacks, now or at an earlier opening: history was lost.
    pub missing_events: u64,
    /// The witness, if it knows more than the ledger: what was unsent then is at stake.
    pub at_stake: Option<Head>,
    /// The event whose link is not the one the witness saw: the history was replaced.
    pub differs_at: Option<u64>,
    /// Why nothing can be written, if so: an event of a newer version, newest events that do not verify, or a file that
    /// could not be brought up to this version.
    pub read_only: Option<String>,
    /// It is read-only because a later version of the app wrote in it: upgrade the app.
    pub upgrade_needed: bool,
}

/// What was read from the file.
struct Loaded {
    conn: Connection,
    created: bool,
    id: LedgerId,
    seq: u64,
    hash: Hash,
    kinds: BTreeSet<(String, u32)>,
    differs_at: Option<u64>,
    read_only: Option<String>,
    upgrade_needed: bool,
    log: Log,
}

pub(crate) fn open(config: OpenConfig) -> Result<(Ledger, OpenReport), StoreError> {
    connection::check_key(&config)?;
    fs::create_dir_all(&config.dir)?;
    let lock = DirectoryLock::take(&config.dir)?;
    // SQLite needs a little room even to read its log.
    Room::of(&config).make();
    #[cfg(feature = "planted")]
    if takings_domain::planted::is("log_removed_at_opening") {
        let _ = ["-wal", "-shm"].map(|suffix| fs::remove_file(beside(&config.dir, suffix)));
    }
    let head = Head::read(&config.dir)?.sound();
    if is_emptied(&config.dir, head.as_ref())? {
        return Err(set_aside(&config.dir, head)?);
    }
    let loaded = match load(&config, head.as_ref()) {
        Ok(loaded) => loaded,
        Err(error) if connection::is_corrupt(&error) => return Err(set_aside(&config.dir, head)?),
        Err(error) => return Err(error),
    };
    if loaded.created {
        // The names of the new files must survive too.
        File::open(&config.dir)?.sync_all()?;
    }
    let lags = head.as_ref().is_none_or(|head| head.seq < loaded.seq) && loaded.differs_at.is_none();
    let report = compare(&loaded, head)?;
    let hash = loaded.hash;
    #[cfg(feature = "planted")]
    let hash = if takings_domain::planted::is("chain_restarts_after_reopen") { genesis(loaded.id) } else { hash };
    let mut head = HeadFile::open(&config.dir)?;
    if lags && loaded.read_only.is_none() {
        // A power cut left an older witness. Whatever happens before the next event, this history has one that knows it.
        let _ = head.write(loaded.seq, loaded.hash, find::unsent(&loaded.conn)?);
    }
    let Loaded { seq, kinds, read_only, log, .. } = loaded;
    let position = Position { seq, hash, kinds, head, read_only, broken: false, unknown_commits: 0, log };
    Ok((Ledger::assemble(config, loaded.id, loaded.conn, position, lock), report))
}

fn load(config: &OpenConfig, head: Option<&Head>) -> Result<Loaded, StoreError> {
    let (conn, found, log, unmigrated) = migrated(config)?;
    // One moment, and one lock of the file, for everything that is read here.
    let reading = conn.unchecked_transaction()?;
    let id = migration::ledger_id(&conn)?;
    let kinds = kinds(&conn)?;
    let mut read_only = kinds.iter().find(|(kind, version)| !is_known(kind, *version)).map(|(kind, version)| {
        format!("it holds events of kind {kind} version {version}, which this version does not know: upgrade the app")
    });
    let (seq, hash) = event_log::newest(&conn)?.unwrap_or((0, genesis(id)));
    let mut upgrade_needed = read_only.is_some();
    if read_only.is_none()
        && let Some(trouble) = check_tail(&conn, id, seq)?
    {
        upgrade_needed = matches!(trouble, TailTrouble::Unknown(_));
        read_only = Some(trouble.to_string());
    }
    let differs_at = differs_at(&conn, head, seq)?;
    let projections_are_old = read_only.is_none() && migration::projections_are_old(&conn)?;
    reading.finish()?;
    if projections_are_old {
        match serve(&conn) {
            Err(error) if leaves_it_readable(&error) => {
                read_only = Some(format!("its lists could not be made anew: {error}"));
            }
            served => served?,
        }
    }
    if let Some(error) = unmigrated {
        read_only.get_or_insert(format!("it could not be brought up to this version: {error}"));
    }
    let created = found == Found::Nothing;
    Ok(Loaded { conn, created, id, seq, hash, kinds, differs_at, read_only, upgrade_needed, log })
}

/// The file in this build's form; or as it was, with the reason why it could not be brought up to it.
fn migrated(config: &OpenConfig) -> Result<(Connection, Found, Log, Option<StoreError>), StoreError> {
    let (conn, found, log) = connection::open_writer(config, Log::Doubtful)?;
    #[cfg(test)]
    let conn = migration::tests::spoilt(conn);
    let failed = match found {
        Found::Nothing => {
            migration::create(&conn, config.new_ledger_id)?;
            None
        }
        Found::Ledger(schema) => migration::migrate(&conn, schema).err(),
    };
    #[cfg(test)]
    let conn = migration::tests::mended(conn);
    let Some(error) = failed else { return Ok((conn, found, log, None)) };
    if !leaves_it_readable(&error) {
        return Err(error);
    }
    // What became of a commit that failed stands in the file alone.
    drop(conn);
    let (conn, found, log) = connection::open_writer(config, Log::Doubtful)?;
    let unmigrated = found != Found::Ledger(migration::newest());
    Ok((conn, found, log, unmigrated.then_some(error)))
}

/// What failed says something of this build or of the room there is, not of the file: reading it goes on.
fn leaves_it_readable(error: &StoreError) -> bool {
    use rusqlite::ErrorCode as Code;
    match error {
        StoreError::Sqlite(error) | StoreError::CommitUnknown { source: error } => !matches!(
            error.sqlite_error_code(),
            Some(Code::DatabaseCorrupt | Code::NotADatabase | Code::SystemIoFailure | Code::CannotOpen)
        ),
        StoreError::Io(_) | StoreError::InUse => false,
        _ => true,
    }
}

/// Lists and decisions on projections of another version: fitted to this build they serve while the next ones are made;
/// if nothing fits, the next ones are made first.
pub(crate) fn serve(conn: &Connection) -> Result<(), StoreError> {
    rebuild::begin(conn)?;
    if fit::make_fit(conn)? { Ok(()) } else { rebuild::finish(conn) }
}

pub(crate) fn kinds(conn: &Connection) -> Result<BTreeSet<(String, u32)>, StoreError> {
    let mut statement = conn.prepare("SELECT kind, body_version FROM event_kind ORDER BY kind, body_version")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn is_known(kind: &str, body_version: u32) -> bool {
    #[cfg(feature = "planted")]
    if kind == "reversal_requested" && takings_domain::planted::is("event_kind_forgotten") {
        return false;
    }
    body_version == 1
        && [LedgerEvent::KINDS, PaymentEvent::KINDS, PayoutEvent::KINDS].iter().any(|kinds| kinds.contains(&kind))
}

/// What is wrong with the newest events.
#[derive(Debug, thiserror::Error)]
enum TailTrouble {
    #[error("event {0} is missing")]
    Missing(u64),
    #[error("event {0} does not verify")]
    Changed(u64),
    #[error("{0}")]
    Unknown(StoreError),
}

/// Checks the newest events; the reason to write nothing more, if they do not hold.
fn check_tail(conn: &Connection, id: LedgerId, newest: u64) -> Result<Option<TailTrouble>, StoreError> {
    let before = newest.saturating_sub(TAIL);
    let mut expected = before;
    let Some(mut hash) = (if before == 0 { Some(genesis(id)) } else { event_log::hash_at(conn, before)? }) else {
        return Ok(Some(TailTrouble::Missing(before)));
    };
    let mut trouble = None;
    event_log::walk(conn, before, |row| {
        expected = expected.saturating_add(1);
        if trouble.is_some() {
            return Ok(());
        }
        if row.seq != expected || !row.follows(&hash) {
            trouble = Some(TailTrouble::Changed(expected));
        } else if let Err(error) = row.event() {
            trouble = Some(TailTrouble::Unknown(error));
        }
        hash = row.hash;
        Ok(())
    })?;
    Ok(trouble)
}

/// Holds the ledger against its witness.
fn compare(loaded: &Loaded, head: Option<Head>) -> Result<OpenReport, StoreError> {
    let lost = Lost::read(&loaded.conn)?;
    let missing_events = lost.with(head.as_ref(), loaded.seq);
    let ahead = head.filter(|head| head.seq > loaded.seq);
    if let Some(head) = &ahead
        && missing_events > lost.events
        && loaded.read_only.is_none()
    {
        // The witness moves on with the next event: the loss is noted where it stays.
        let note = [&missing_events.to_be_bytes()[..], &head.seq.to_be_bytes(), &head.hash].concat();
        migration::in_transaction(&loaded.conn, |conn| set_meta(conn, META_LOST, &note))?;
    }
    Ok(OpenReport {
        created: loaded.created,
        missing_events,
        at_stake: ahead,
        differs_at: loaded.differs_at,
        read_only: loaded.read_only.clone(),
        upgrade_needed: loaded.upgrade_needed,
    })
}

/// What was found lost at earlier openings.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// How many events.
    pub(crate) events: u64,
    witness: Option<(u64, Hash)>,
}

impl Lost {
    /// As noted in the ledger.
    pub(crate) fn read(conn: &Connection) -> Result<Self, StoreError> {
        let Some(note) = meta(conn, META_LOST)? else { return Ok(Self::default()) };
        let number = |from: usize| note.get(from..from + 8).and_then(|bytes| bytes.try_into().ok());
        let hash = note.get(16..).and_then(|bytes| Hash::try_from(bytes).ok());
        match (number(0), number(8), hash) {
            (Some(events), Some(seq), Some(hash)) => {
                Ok(Self { events: u64::from_be_bytes(events), witness: Some((u64::from_be_bytes(seq), hash)) })
            }
            _ => Err(StoreError::Unreadable { what: "meta.history_lost" }),
        }
    }

    /// With what the witness knows beyond the newest event, unless that was noted.
    pub(crate) fn with(&self, head: Option<&Head>, newest: u64) -> u64 {
        #[cfg(feature = "planted")]
        let head = head.filter(|_| !takings_domain::planted::is("tail_loss_unnoticed"));
        let ahead = match head {
            Some(head) if self.witness != Some((head.seq, head.hash)) => head.seq.saturating_sub(newest),
            _ => 0,
        };
        self.events.saturating_add(ahead)
    }
}

/// Where the witness saw another event than the one that stands there, if it did.
pub(crate) fn differs_at(conn: &Connection, head: Option<&Head>, newest: u64) -> Result<Option<u64>, StoreError> {
    match head {
        Some(head) if (1..=newest).contains(&head.seq) => {
            Ok((event_log::hash_at(conn, head.seq)? != Some(head.hash)).then_some(head.seq))
        }
        _ => Ok(None),
    }
}

/// An empty file where the witness or a log says there was a ledger. SQLite would take it for a new one, and drop the
/// log.
fn is_emptied(dir: &Path, head: Option<&Head>) -> Result<bool, StoreError> {
    let len = |path: PathBuf| match fs::metadata(path) {
        Ok(found) => Ok(Some(found.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let logged = len(beside(dir, "-wal"))?.is_some_and(|len| len > 0);
    Ok(match len(ledger_path(dir))? {
        Some(0) => logged || head.is_some_and(|head| head.seq > 0),
        // Less than its first page: nothing of it can be read.
        Some(len) if len < PAGE_BYTES => head.is_some_and(|head| head.seq > 0),
        Some(_) => false,
        None => logged,
    })
}

fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(ledger_path(dir));
    name.push(suffix);
    name.into()
}

impl Ledger {
    /// Gives up a ledger whose content proved broken as its first user read it: sets it aside as an opening does. Answers
    /// [`StoreError::Damaged`], or why that failed.
    #[must_use]
    pub fn set_aside(mut self) -> StoreError {
        self.rest();
        let aside = |dir: &Path| set_aside(dir, Head::read(dir)?.sound());
        aside(self.dir()).unwrap_or_else(|error| error)
    }
}

/// Puts the ledger of a directory aside because the merchant says so: its key is lost, or the phone's own is. Nothing is
/// deleted, the witness stays, and the next opening begins a new ledger that knows what is missing. Answers where the
/// file lies now; none if there was no ledger.
///
/// # Errors
/// [`StoreError::InUse`]: nothing was touched. [`StoreError::Io`].
pub fn begin_anew(dir: &Path) -> Result<Option<PathBuf>, StoreError> {
    if !ledger_path(dir).exists() {
        return Ok(None);
    }
    let _lock = DirectoryLock::take(dir)?;
    move_aside(dir, "put-aside").map(Some)
}

/// Sets a broken file aside; the next opening starts a new ledger, and the witness stays.
fn set_aside(dir: &Path, head: Option<Head>) -> Result<StoreError, StoreError> {
    let set_aside = move_aside(dir, "damaged")?;
    Ok(StoreError::Damaged { set_aside, head: head.map(Box::new) })
}

/// Renames the file and SQLite's own beside it.
fn move_aside(dir: &Path, why: &str) -> Result<PathBuf, StoreError> {
    let name = |number: u32, suffix: &str| beside(dir, &format!(".{why}-{number}{suffix}"));
    let mut number = 1;
    while ["", "-wal", "-shm"].iter().any(|suffix| name(number, suffix).exists()) {
        number += 1;
    }
    for suffix in ["", "-wal", "-shm"] {
        match fs::rename(beside(dir, suffix), name(number, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    File::open(dir)?.sync_all()?;
    Ok(name(number, ""))
}
