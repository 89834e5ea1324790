//! Ledgers that somebody or something changed: a bit flipped, a file cut short, pages or frames swapped, an older copy of the file or
//! of its log put back, the witness left as it was.
//!
//! Every one must be noticed: by the opening, or by the check of everything. The one exception is what SQLite never reads, or
//! would have written over: then the ledger must be the same event for event and row for row, and it is counted apart.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use takings_domain::Now;
use takings_domain::event::ChargeMode;
use takings_till::TillError;
use takings_till::simulation::{Command, Reply};

use crate::directory::copy_files;
use crate::power::{FailedRun, TOLD_FAILURES, caught};
use crate::stall::ledger::{self, Found};
use crate::stall::{Sale, Stall, StallError};
use crate::streams::Stream;

const FILE: &str = "ledger.db";
const LOG: &str = "ledger.db-wal";
/// Size of a page, and of what stands before each in the log and before the first of them there, bytes.
const PAGE: usize = 4_096;
const FRAME_HEADER: usize = 24;
const LOG_HEADER: usize = 32;
const MINUTE: i64 = 60_000;
/// Sales before the copies are taken, in between, and after.
const SALES: [i64; 3] = [4, 4, 4];

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TamperArgs {
    /// How many files.
    pub files: u64,
    /// The first one's; the others follow. One that draws nothing to change is passed over.
    pub seed: u64,
}

/// How the files of a ledger were changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// A bit of the file is another.
    FlipFile,
    /// A bit of the log is another.
    FlipLog,
    /// The file ends early.
    CutFile,
    /// The log ends early, or is gone.
    CutLog,
    /// Two pages of the file changed places.
    SwapPages,
    /// Two frames of the log changed places.
    SwapFrames,
    /// An older copy of the file, with its log of that time.
    RollBackBoth,
    /// An older copy of the file, with today's log.
    RollBackFile,
    /// An older copy of the log, with today's file.
    RollBackLog,
}

impl Deed {
    const ALL: [Self; 9] = [
        Self::FlipFile,
        Self::FlipLog,
        Self::CutFile,
        Self::CutLog,
        Self::SwapPages,
        Self::SwapFrames,
        Self::RollBackBoth,
        Self::RollBackFile,
        Self::RollBackLog,
    ];
}

/// What came of it, by deed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Files.
    pub files: u64,
    /// Noticed by the opening.
    pub by_opening: u64,
    /// Noticed by the check of everything.
    pub by_check: u64,
    /// Proved to have changed nothing.
    pub harmless: u64,
    /// Not noticed. None may be.
    pub unnoticed: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct TamperReport {
    /// Files.
    pub files: u64,
    /// The ledgers were encrypted.
    pub encrypted: bool,
    /// By deed.
    pub deeds: BTreeMap<Deed, Tally>,
    /// Files that went unnoticed, or that made the store fall; the first of them.
    pub failures: Vec<FailedRun>,
    /// How many there were.
    pub failed: u64,
}

/// One ledger: its files now, the phone's clocks then, its files at two earlier moments, and what it holds.
struct Original {
    now: tempfile::TempDir,
    at: Now,
    earlier: Vec<tempfile::TempDir>,
    found: Found,
}

/// By whom, and by what words.
enum Noticed {
    ByOpening(String),
    ByCheck(String),
    Harmless,
}

/// Tampers. `progress` hears how far it is.
///
/// # Errors
/// [`StallError`] if the ledgers cannot be made; what went unnoticed is in the report.
pub fn run(args: &TamperArgs, progress: &mut dyn FnMut(&TamperReport)) -> Result<TamperReport, StallError> {
    let mut stall = Stall::bare(args.seed)?;
    let mut originals = Vec::new();
    for kind in [Log::Whole, Log::Rest, Log::None] {
        originals.push(original(&mut stall, args.seed, kind)?);
    }
    let mut report = TamperReport { encrypted: cfg!(feature = "sqlcipher"), ..TamperReport::default() };
    let mut seed = args.seed.saturating_sub(1);
    while report.files < args.files {
        seed = seed.saturating_add(1);
        let mut chance = Stream::new(seed, "tamper");
        let original = chance.pick(&originals);
        stall.now = original.at;
        stall.take_files(original.now.path(), args.seed)?;
        let deed = *chance.pick(&Deed::ALL);
        let Some(what) = tamper(deed, original, stall.dir(), &mut chance)? else { continue };
        let noticed = caught(|| judge(&mut stall, &original.found));
        let tally = report.deeds.entry(deed).or_default();
        tally.files += 1;
        report.files += 1;
        match noticed {
            Ok(Noticed::ByOpening(_)) => tally.by_opening += 1,
            Ok(Noticed::ByCheck(_)) => tally.by_check += 1,
            Ok(Noticed::Harmless) => tally.harmless += 1,
            Err(why) => {
                tally.unnoticed += 1;
                report.failed += 1;
                if report.failures.len() < TOLD_FAILURES {
                    report.failures.push(FailedRun { seed, what: format!("{deed:?}, {what}: {why}") });
                }
            }
        }
        progress(&report);
    }
    Ok(report)
}

/// How much of a ledger's history waits in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    /// All of it.
    Whole,
    /// Since the last start.
    Rest,
    /// None: the till was closed in good order.
    None,
}

/// A ledger after a morning's sales, and what the till says of it, undisturbed.
fn original(judge_stall: &mut Stall, seed: u64, log: Log) -> Result<Original, StallError> {
    let mut stall = Stall::bare(seed)?;
    stall.open()?;
    stall.activate()?;
    let mut copies = Vec::new();
    for (part, sales) in SALES.iter().enumerate() {
        for sale in 0..*sales {
            let amount_minor = 1_000 * (1 + sale) + i64::try_from(part).unwrap_or(0);
            let mode = if sale % 2 == 0 { ChargeMode::Offline } else { ChargeMode::PreferOnline };
            stall.sell(&Sale { amount_minor, mode, last_four: "0048" });
            stall.pass(MINUTE);
        }
        if part == 1 {
            stall.sync();
        }
        if log == Log::None {
            stall.end_process();
        }
        let copy = tempfile::tempdir_in(stall.dir().parent().unwrap_or(Path::new(".")))?;
        copy_files(stall.dir(), copy.path())?;
        remove_shared_memory(copy.path())?;
        copies.push(copy);
        if log != Log::Whole {
            stall.end_process();
            stall.open()?;
        }
    }
    let at = stall.now;
    stall.kill();
    stall.end_process();
    let Some(now) = copies.pop() else { return Err(StallError::Other("no copy was made".to_owned())) };
    judge_stall.now = at;
    judge_stall.take_files(now.path(), seed)?;
    match judge(judge_stall, &Found::default()) {
        // Nothing was compared yet: that it differs from nothing is what an undisturbed ledger comes to.
        Err(_) => {}
        Ok(Noticed::ByOpening(why) | Noticed::ByCheck(why)) => {
            return Err(StallError::Other(format!("an undisturbed ledger was called disturbed: {why}")));
        }
        Ok(Noticed::Harmless) => return Err(StallError::Other("a ledger without a row".to_owned())),
    }
    let found = look(judge_stall).map_err(StallError::Other)?;
    Ok(Original { now, at, earlier: copies, found })
}

fn remove_shared_memory(dir: &Path) -> io::Result<()> {
    match fs::remove_file(dir.join("ledger.db-shm")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Changes the files; says where. None if there is nothing to change.
fn tamper(deed: Deed, original: &Original, dir: &Path, chance: &mut Stream) -> io::Result<Option<String>> {
    let place = |chance: &mut Stream, end: usize| usize::try_from(chance.below(end as u64)).unwrap_or(0);
    let path = match deed {
        Deed::FlipFile | Deed::CutFile | Deed::SwapPages => dir.join(FILE),
        _ => dir.join(LOG),
    };
    let mut bytes = fs::read(&path).unwrap_or_default();
    let whole = bytes.len();
    let what = match deed {
        Deed::RollBackBoth | Deed::RollBackFile | Deed::RollBackLog => {
            let number = place(chance, original.earlier.len());
            roll_back(deed, original.earlier[number].path(), dir)?;
            return Ok(Some(format!("copy {number}")));
        }
        _ if bytes.is_empty() => return Ok(None),
        Deed::FlipFile | Deed::FlipLog => {
            let (at, bit) = (place(chance, whole), place(chance, 8));
            bytes[at] ^= 1 << bit;
            format!("byte {at} of {whole}, bit {bit}")
        }
        Deed::CutFile | Deed::CutLog => {
            bytes.truncate(place(chance, whole));
            format!("at {} of {whole}", bytes.len())
        }
        Deed::SwapPages | Deed::SwapFrames => {
            let (head, len) = if deed == Deed::SwapPages { (0, PAGE) } else { (LOG_HEADER, FRAME_HEADER + PAGE) };
            let count = whole.saturating_sub(head) / len;
            let (one, other) = (place(chance, count), place(chance, count));
            let (one, other) = (one.min(other), one.max(other));
            let (from, to) = (head + one * len, head + other * len);
            if one == other || bytes[from..from + len] == bytes[to..to + len] {
                return Ok(None);
            }
            let (front, back) = bytes.split_at_mut(to);
            front[from..from + len].swap_with_slice(&mut back[..len]);
            format!("{one} and {other} of {count}")
        }
    };
    fs::write(&path, bytes)?;
    Ok(Some(what))
}

fn roll_back(deed: Deed, earlier: &Path, dir: &Path) -> io::Result<()> {
    let names: &[&str] = match deed {
        Deed::RollBackFile => &[FILE],
        Deed::RollBackLog => &[LOG],
        _ => &[FILE, LOG],
    };
    for name in names {
        match fs::copy(earlier.join(name), dir.join(name)) {
            // There was no log then.
            Err(error) if error.kind() == io::ErrorKind::NotFound => drop(fs::remove_file(dir.join(name))),
            copied => drop(copied?),
        }
    }
    Ok(())
}

/// What the till says of files as they are now. Nobody is asked: the line is down.
fn judge(stall: &mut Stall, original: &Found) -> Result<Noticed, String> {
    match stall.open() {
        Err(TillError::Storage { code: "in_use", .. }) => return Err("in use".to_owned()),
        // Whatever it is called, nobody goes on with it.
        Err(error) => return Ok(Noticed::ByOpening(error.to_string())),
        Ok(()) => {}
    }
    match stall.ask(Command::Status) {
        Some(Ok(Reply::Status(status))) if status.missing_events > 0 || status.read_only.is_some() => {
            return Ok(Noticed::ByOpening(format!("{} missing, {:?}", status.missing_events, status.read_only)));
        }
        Some(Ok(_)) => {}
        // No till without its status: nobody goes on with it either.
        other => return Ok(Noticed::ByOpening(format!("no status: {other:?}"))),
    }
    match stall.ask(Command::Verify) {
        Some(Ok(Reply::Verified(report))) if report.sound => {}
        other => return Ok(Noticed::ByCheck(format!("{other:?}"))),
    }
    let found = look(stall)?;
    if found == *original {
        return Ok(Noticed::Harmless);
    }
    let changed = |(name, digest): &(&String, &[u8; 32])| original.tables.get(*name) != Some(digest);
    let tables: Vec<&String> = found.tables.iter().filter(changed).map(|(name, _)| name).collect();
    Err(format!("{} events are there of {}; other rows in {tables:?}", found.events, original.events))
}

fn look(stall: &mut Stall) -> Result<Found, String> {
    stall.end_process();
    let mut found = ledger::read(stall.dir()).map_err(|error| format!("it cannot be read: {error}"))?;
    found.tables = ledger::tables(stall.dir()).map_err(|error| format!("it cannot be read: {error}"))?;
    Ok(found)
}
