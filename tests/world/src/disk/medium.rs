//! What one disk remembers: what is certainly on the medium, what was done since, and what is to go wrong.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::PathBuf;

use super::{Counts, Failure, FailureKind};

/// How many versions of the witness a power cut chooses from.
const VERSIONS_BESIDE: usize = 8;
/// The witness beside the ledger: written without SQLite and never synced.
pub(super) const HEAD: &str = "head";

/// Names one file, whatever it is called.
pub(super) type Node = u64;

/// One step that is not certainly on the medium.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Truncate { len: u64 },
}

impl Change {
    /// The whole step.
    pub(super) fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => put(to, *offset, bytes),
            Self::Truncate { len } => to.resize(position(*len), 0),
        }
    }
}

fn position(offset: u64) -> usize {
    // A file of a simulated phone fits in memory.
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// Puts bytes where they belong; what was never written reads as zeros.
pub(super) fn put(to: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let from = position(offset);
    let until = from.saturating_add(bytes.len());
    if to.len() < until {
        to.resize(until, 0);
    }
    if let Some(place) = to.get_mut(from..until) {
        place.copy_from_slice(bytes);
    }
}

/// One file.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// What is certainly on the medium.
    pub(super) durable: Vec<u8>,
    /// What was done since, in order.
    pub(super) since: Vec<Change>,
}

impl Content {
    fn settle(&mut self) {
        for change in self.since.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// A sync failed: some of it reached the medium, the rest is clean in memory and never will.
    fn lose(&mut self, mut pattern: u64) {
        for change in self.since.drain(..) {
            pattern = pattern.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if pattern >> 63 == 1 {
                change.apply(&mut self.durable);
            }
        }
    }
}

/// A call that touches the medium.
pub(super) enum Call<'a> {
    Create,
    Write { node: Node, name: &'a str, offset: u64, bytes: &'a [u8] },
    Truncate { node: Node, len: u64 },
    Sync { node: Node, directory: bool },
    Delete,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is done.
    Go,
    /// It fails with an I/O error; also whatever a dead process calls.
    Fails,
    /// It fails for want of room.
    Full,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Medium {
    pub(super) dir: PathBuf,
    pub(super) calls: u64,
    pub(super) die_at: Option<u64>,
    pub(super) dead: bool,
    pub(super) plan: Option<Failure>,
    pub(super) capacity: Option<u64>,
    pub(super) full_at: Option<u64>,
    pub(super) contents: BTreeMap<Node, Content>,
    /// What is called how now, and what was called how when the directory was synced last.
    pub(super) names: BTreeMap<String, Node>,
    pub(super) durable_names: BTreeMap<String, Node>,
    newest: Node,
    pub(super) beside: VecDeque<Vec<u8>>,
    pub(super) counts: Counts,
}

impl Medium {
    pub(super) fn new(dir: PathBuf) -> Self {
        let mut medium = Self {
            dir,
            calls: 0,
            die_at: None,
            dead: false,
            plan: None,
            capacity: None,
            full_at: None,
            contents: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            newest: 0,
            beside: VecDeque::new(),
            counts: Counts::default(),
        };
        medium.note_beside();
        medium
    }

    /// The file of this name, taken up if it is there and was not known: then it was there before.
    pub(super) fn node(&mut self, name: &str) -> Option<Node> {
        let path = self.dir.join(name);
        if !path.exists() {
            // Set aside by other means than ours, which synced the directory.
            self.names.remove(name);
            return None;
        }
        if let Some(node) = self.names.get(name) {
            return Some(*node);
        }
        let durable = fs::read(&path).ok()?;
        let node = self.add(name, Content { durable, since: Vec::new() });
        self.durable_names.insert(name.to_owned(), node);
        Some(node)
    }

    fn add(&mut self, name: &str, content: Content) -> Node {
        self.newest += 1;
        self.contents.insert(self.newest, content);
        self.names.insert(name.to_owned(), self.newest);
        self.newest
    }

    /// SQLite made a file of this name.
    pub(super) fn created(&mut self, name: &str) -> Node {
        self.counts.creates += 1;
        self.add(name, Content::default())
    }

    /// SQLite deleted the file of this name.
    pub(super) fn deleted(&mut self, name: &str, sync_directory: bool) {
        self.counts.deletes += 1;
        self.names.remove(name);
        if sync_directory {
            self.sync_directory();
        }
    }

    fn sync_directory(&mut self) {
        self.counts.directory_syncs += 1;
        self.durable_names = self.names.clone();
        let named: Vec<Node> = self.names.values().copied().collect();
        self.contents.retain(|node, _| named.contains(node));
    }

    /// Counts a call and says what becomes of it; what goes on is remembered.
    pub(super) fn call(&mut self, call: &Call<'_>) -> Verdict {
        if self.dead {
            return Verdict::Fails;
        }
        self.calls += 1;
        if self.die_at.is_some_and(|at| self.calls >= at) {
            self.kill();
            // It was under way: a power cut may find it done.
            self.remember(call);
            return Verdict::Fails;
        }
        if self.full_at.is_some_and(|at| self.calls >= at) {
            self.full_at = None;
            self.capacity = Some(self.used_bytes());
        }
        let verdict = self.verdict(call);
        match (verdict, call) {
            (Verdict::Go, Call::Sync { node, directory }) => self.synced(*node, *directory),
            (Verdict::Go, call) => self.done(call),
            (Verdict::Fails, Call::Sync { node, .. }) => {
                self.counts.failed += 1;
                let pattern = self.calls;
                if let Some(content) = self.contents.get_mut(node) {
                    content.lose(pattern);
                }
            }
            (Verdict::Fails | Verdict::Full, _) => self.counts.failed += 1,
        }
        verdict
    }

    fn verdict(&self, call: &Call<'_>) -> Verdict {
        let plan = self.plan.filter(|plan| self.calls.checked_sub(plan.at_call).is_some_and(|past| past < plan.calls));
        match (plan.map(|plan| plan.kind), call) {
            (Some(FailureKind::Io), _) | (Some(FailureKind::Sync), Call::Sync { .. }) => return Verdict::Fails,
            (Some(FailureKind::Full), Call::Create | Call::Write { .. }) => return Verdict::Full,
            _ => {}
        }
        let grows = match call {
            Call::Write { name, offset, bytes, .. } if self.capacity.is_some() => {
                let len = fs::metadata(self.dir.join(name)).map_or(0, |found| found.len());
                (offset + bytes.len() as u64).saturating_sub(len)
            }
            Call::Create => 1,
            _ => 0,
        };
        if grows > 0 && grows > self.free_bytes() { Verdict::Full } else { Verdict::Go }
    }

    fn done(&mut self, call: &Call<'_>) {
        match call {
            Call::Write { bytes, .. } => {
                self.counts.writes += 1;
                self.counts.bytes += bytes.len() as u64;
            }
            Call::Truncate { .. } => self.counts.truncates += 1,
            // Counted when it happened: the file may not be there.
            Call::Create | Call::Delete | Call::Sync { .. } => {}
        }
        self.remember(call);
    }

    fn remember(&mut self, call: &Call<'_>) {
        let (node, change) = match call {
            Call::Write { node, offset, bytes, .. } => (node, Change::Write { offset: *offset, bytes: bytes.to_vec() }),
            Call::Truncate { node, len } => (node, Change::Truncate { len: *len }),
            Call::Create | Call::Delete | Call::Sync { .. } => return,
        };
        if let Some(content) = self.contents.get_mut(node) {
            content.since.push(change);
        }
    }

    fn synced(&mut self, node: Node, directory: bool) {
        self.counts.syncs += 1;
        if let Some(content) = self.contents.get_mut(&node) {
            content.settle();
        }
        if directory {
            self.sync_directory();
        }
    }

    pub(super) fn kill(&mut self) {
        if !self.dead {
            self.dead = true;
            self.counts.deaths += 1;
        }
    }

    /// Whatever lies in the directory is on the medium.
    pub(super) fn take_up(&mut self) {
        self.contents.clear();
        self.names.clear();
        self.durable_names.clear();
        self.beside.clear();
        self.note_beside();
        self.revive();
    }

    pub(super) fn revive(&mut self) {
        (self.dead, self.die_at) = (false, None);
    }

    pub(super) fn note_beside(&mut self) {
        let Ok(bytes) = fs::read(self.dir.join(HEAD)) else { return };
        if self.beside.back() != Some(&bytes) {
            self.beside.push_back(bytes);
        }
        if self.beside.len() > VERSIONS_BESIDE {
            self.beside.pop_front();
        }
    }

    /// Whatever lies in the directory, bytes.
    pub(super) fn used_bytes(&self) -> u64 {
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|found| found.len()).sum()
    }

    pub(super) fn free_bytes(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used_bytes()))
    }
}
