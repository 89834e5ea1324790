//! A phone's disk that can lose what was not synced: a SQLite VFS over the system's own, on a real directory.
//!
//! Locks, shared memory and reading are the system's. Beside the real files stands, for each, what is certainly on the medium
//! and what was done since: a power cut keeps, drops or tears each of those steps at 512-byte sectors. A process that
//! is killed keeps them all. Names too: a file that was made may be missing, and one that was deleted may come back,
//! until SQLite syncs the directory (at the first sync of a log or journal it opened, and where it deletes with care).
//! Calls fail, or the process dies, at a chosen call.
//!
//! [`Disk`] is the face; `medium` what a disk remembers, `cut` what a power cut makes of it, `vfs` the calls from SQLite.

mod cut;
mod medium;
mod vfs;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use medium::{Call, Medium, Verdict};

/// The name of the VFS, for `OpenConfig::vfs`. [`Disk::new`] and [`seed_sqlite`] register it.
pub const VFS: &str = "world";

/// Registers the VFS and starts SQLite's own generator, one for the process, from `seed`.
pub fn seed_sqlite(seed: u64) {
    vfs::register();
    vfs::seed(seed);
}

/// Calls that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// The first call that fails; the first call of all is 1, the next one `calls() + 1`.
    pub at_call: u64,
    /// How many calls in a row, those of another kind counted too.
    pub calls: u64,
    /// How.
    pub kind: FailureKind,
}

/// How calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Every call, with an I/O error.
    Io,
    /// Whatever takes room: no write succeeds and no file is made.
    Full,
    /// Syncs alone. What they should have brought to the medium reads back and may never get there, as on Linux.
    Sync,
}

/// What happened so far on a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Files made.
    pub creates: u64,
    /// Writes.
    pub writes: u64,
    /// What was written, bytes.
    pub bytes: u64,
    /// Files cut short or made longer.
    pub truncates: u64,
    /// Syncs of a file.
    pub syncs: u64,
    /// Syncs of the directory that went with one.
    pub directory_syncs: u64,
    /// Files deleted.
    pub deletes: u64,
    /// Calls that were made to fail.
    pub failed: u64,
    /// Processes that died at a call.
    pub deaths: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Steps that survived a cut.
    pub kept: u64,
    /// Writes of which some sectors survived a cut.
    pub torn: u64,
    /// Steps that did not survive a cut.
    pub dropped: u64,
    /// Files whose steps were put on the medium in another order than they were done.
    pub reordered: u64,
    /// New files that were missing after a cut.
    pub names_lost: u64,
    /// Deleted files that were there again after a cut.
    pub names_back: u64,
    /// Witnesses that were older, torn or missing after a cut.
    pub old_heads: u64,
}

impl Counts {
    /// With those of another disk.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            creates: self.creates + other.creates,
            writes: self.writes + other.writes,
            bytes: self.bytes + other.bytes,
            truncates: self.truncates + other.truncates,
            syncs: self.syncs + other.syncs,
            directory_syncs: self.directory_syncs + other.directory_syncs,
            deletes: self.deletes + other.deletes,
            failed: self.failed + other.failed,
            deaths: self.deaths + other.deaths,
            cuts: self.cuts + other.cuts,
            kept: self.kept + other.kept,
            torn: self.torn + other.torn,
            dropped: self.dropped + other.dropped,
            reordered: self.reordered + other.reordered,
            names_lost: self.names_lost + other.names_lost,
            names_back: self.names_back + other.names_back,
            old_heads: self.old_heads + other.old_heads,
        }
    }
}

/// One phone's disk: a directory. Clones are the same disk; it is forgotten with the last of them.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<Medium>>);

/// Disks by directory, as SQLite names it.
static DISKS: Mutex<BTreeMap<PathBuf, Weak<Mutex<Medium>>>> = Mutex::new(BTreeMap::new());

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking test left is still what the disk holds.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn real_path(dir: &Path) -> PathBuf {
    fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned())
}

/// The disk of a directory, if it is one.
fn disk_of(dir: &Path) -> Option<Arc<Mutex<Medium>>> {
    locked(&DISKS).get(dir).and_then(Weak::upgrade)
}

impl Disk {
    /// The disk of a directory, made if it is missing; what is in it now is on the medium. A directory that is a disk already
    /// is that disk, with what was put there meanwhile by other means than SQLite's, and a process that lives.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        vfs::register();
        // A directory that cannot be made is told by the opening.
        let _ = fs::create_dir_all(dir);
        let dir = real_path(dir);
        let mut disks = locked(&DISKS);
        disks.retain(|_, disk| disk.strong_count() > 0);
        if let Some(disk) = disks.get(&dir).and_then(Weak::upgrade) {
            locked(&disk).take_up();
            return Self(disk);
        }
        let medium = Arc::new(Mutex::new(Medium::new(dir.clone())));
        disks.insert(dir, Arc::downgrade(&medium));
        Self(medium)
    }

    /// How many calls touched the medium so far: a file made, written, cut short, synced, deleted.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.medium().calls
    }

    /// From this call on the process is dead: this and every later call fails; closing and unlocking still let go of
    /// what they hold. The call itself was under way: a power cut may find it done, [`Disk::revive`] does not. The next
    /// call is `calls() + 1`.
    pub fn die_at(&self, call: Option<u64>) {
        self.medium().die_at = call;
    }

    /// The process is dead from now on.
    pub fn kill(&self) {
        self.medium().kill();
    }

    /// The process died.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.medium().dead
    }

    /// A new process after a kill: what was written is there. Call it after the engine was dropped.
    pub fn revive(&self) {
        self.medium().revive();
    }

    /// The power goes, and a new process starts. Call it after the engine and every reader were dropped: the files become
    /// what could have survived. `choose(n)` draws from `0..n`.
    pub fn cut_power(&self, choose: &mut dyn FnMut(u64) -> u64) {
        cut::cut(&mut self.medium(), choose);
    }

    /// Remembers what the witness beside the ledger holds now, as one more version that a power cut may leave; the
    /// newest eight are kept. Call it whenever something was committed.
    pub fn note_beside(&self) {
        self.medium().note_beside();
    }

    /// Calls that fail from now on; none: no more.
    pub fn fail(&self, plan: Option<Failure>) {
        self.medium().plan = plan;
    }

    /// How much the directory may hold, bytes; none: as much as is written. A write beyond it fails as on a full disk.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.medium().capacity = bytes;
    }

    /// At this call the disk becomes full: from then on it holds what it holds at that moment, and no more.
    pub fn full_at(&self, call: Option<u64>) {
        self.medium().full_at = call;
    }

    /// What the directory holds now, bytes.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.medium().used_bytes()
    }

    /// What is free in a directory, bytes: for `OpenConfig::free_bytes`.
    #[must_use]
    pub fn free_bytes(dir: &Path) -> u64 {
        disk_of(&real_path(dir)).map_or(u64::MAX, |medium| locked(&medium).free_bytes())
    }

    /// Writes a file's bytes once more where they are, and syncs it: for `OpenConfig::write_again`.
    ///
    /// # Errors
    /// What the disk says; also that it is none of ours.
    pub fn write_again(path: &Path) -> io::Result<()> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
        let disk = path.parent().and_then(|dir| disk_of(&real_path(dir))).ok_or(io::ErrorKind::NotFound)?;
        let bytes = fs::read(path)?;
        let mut medium = locked(&disk);
        let node = medium.node(name).ok_or(io::ErrorKind::NotFound)?;
        let calls = [Call::Write { node, name, offset: 0, bytes: &bytes }, Call::Sync { node, directory: false }];
        for call in &calls {
            match medium.call(call) {
                Verdict::Go => {}
                Verdict::Full => return Err(io::ErrorKind::StorageFull.into()),
                Verdict::Fails => return Err(io::Error::other("the disk fails")),
            }
        }
        Ok(())
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.medium().counts
    }

    fn medium(&self) -> MutexGuard<'_, Medium> {
        locked(&self.0)
    }
}
