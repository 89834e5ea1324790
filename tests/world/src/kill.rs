//! Real processes killed with SIGKILL: `till-cli` and `sandbox-acquirer` as they ship, judged from outside.
//!
//! What stays under a dead process is what it gave to the operating system: this proves the order of what is said, written
//! and sent, and what an opening makes of it. What a power cut leaves is another proof.
//!
//! * [`run`]: a short day killed before its k-th sync (and, if asked, before its k-th write), for every k; then days killed
//!   at random moments, their acquirer now and then with them.
//! * `till`, `acquirer`: the two processes. `stall`: both of them, and the merchant between, who looks before charging again.
//! * `points`: the k-th system call, by strace. `moments`: chance. `judge`: said saved, the ledger, the acquirer's book. `card_data`: the files' bytes.

mod acquirer;
mod card_data;
mod judge;
mod moments;
mod points;
mod programs;
mod stall;
mod till;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use thiserror::Error;

use judge::Verdict;
pub use programs::Programs;

/// How many kills at random moments a day bears.
const KILLS_A_DAY: u32 = 25;

/// A day that is killed may make this part more calls than the one that was counted.
const SPARE: u32 = 20;

/// Before which system calls of the short day the till is killed, each time in a day of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Points {
    /// None.
    None,
    /// Every call that syncs.
    Syncs,
    /// These, and every write to the ledger, so that transactions are torn.
    Writes,
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The system calls.
    pub points: Points,
    /// How many kills at random moments.
    pub times: u32,
    /// Seed of customers and moments. The same seed gives the same plan; where a moment falls is up to the machine.
    pub seed: u64,
    /// How many days at a time.
    pub workers: usize,
    /// Where the tills live; the system's place for passing files if none is given. A day that goes wrong is left there.
    pub dir: Option<PathBuf>,
    /// The key of the ledgers, 64 hex digits, for an encrypted build of the till.
    pub key: Option<String>,
}

impl Default for Asked {
    fn default() -> Self {
        Self { points: Points::Syncs, times: 100, seed: 1, workers: 2, dir: None, key: None }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// As asked.
    pub seed: u64,
    /// How often the short day makes each system call before which it was killed, once at each.
    pub points: BTreeMap<String, u32>,
    /// Days that were over before their call came: they make a few fewer or more each time.
    pub not_reached: u32,
    /// Kills of the till.
    pub kills: u32,
    /// Of these, while it opened.
    pub kills_while_opening: u32,
    /// Of these, while a charge was under way.
    pub kills_while_charging: u32,
    /// Kills of the acquirer.
    pub acquirer_kills: u32,
    /// Payments the merchant saw saved or approved.
    pub said_saved: u64,
    /// Payments the ledgers hold as accepted.
    pub in_ledger: u64,
    /// Of these, never said: the till died between its commit and its word.
    pub kept_unsaid: u64,
    /// Dead tills whose files held ciphertext: what says that the bytes looked for are the right ones.
    pub with_ciphertext: u32,
    /// Payments that waited, with their card data, in the ledgers of dead tills.
    pub waiting_at_death: u64,
    /// Payments in the acquirers' books.
    pub at_acquirer: u64,
    /// Captures there.
    pub captures: u64,
    /// What is wrong; empty if the promises held.
    pub wrong: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points: Vec<String> = self.points.iter().map(|(call, times)| format!("{times} × {call}")).collect();
        match points.is_empty() {
            true => writeln!(f, "seed {}", self.seed)?,
            false => writeln!(
                f,
                "seed {}; a short day killed before each of its {} ({} more days were over before)",
                self.seed,
                points.join(", "),
                self.not_reached
            )?,
        }
        writeln!(
            f,
            "{} kills of the till ({} while it opened, {} during a charge), {} of the acquirer",
            self.kills, self.kills_while_opening, self.kills_while_charging, self.acquirer_kills
        )?;
        writeln!(
            f,
            "{} said saved, {} in the ledgers ({} of them kept but never said), {} at the acquirers, {} captures",
            self.said_saved, self.in_ledger, self.kept_unsaid, self.at_acquirer, self.captures
        )?;
        writeln!(
            f,
            "{} dead tills held ciphertext, for {} payments that waited; none after the last answer",
            self.with_ciphertext, self.waiting_at_death
        )?;
        writeln!(f, "{} violations", self.wrong.len())?;
        self.wrong.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Why there is no report: something beside the till and the acquirer.
#[derive(Debug, Error)]
pub enum KillError {
    /// A file, a process or a socket.
    #[error("{what}: {error}")]
    Machine {
        /// Which.
        what: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// A program that is needed, or what it said.
    #[error("{0}")]
    Unfit(String),
}

/// Why a day ended early.
#[derive(Debug, Error)]
enum Trouble {
    /// A promise is broken.
    #[error("{0}")]
    Wrong(String),
    /// The test itself failed.
    #[error(transparent)]
    Failed(#[from] KillError),
}

/// Says what could not be done.
trait About<T> {
    fn about(self, what: impl Into<String>) -> Result<T, KillError>;
}

impl<T> About<T> for std::io::Result<T> {
    fn about(self, what: impl Into<String>) -> Result<T, KillError> {
        self.map_err(|error| KillError::Machine { what: what.into(), error })
    }
}

/// One day to play.
#[derive(Debug, Clone)]
enum Job {
    /// Killed before the k-th call of this name.
    Point(String, u32),
    /// Killed while a charge is held at this moment.
    Held(&'static str),
    /// With so many kills at random moments.
    Moments { day: u64, kills: u32 },
}

/// Plays all of it. `progress` hears how many days of how many are over, from several threads.
///
/// # Errors
/// [`KillError`] if a program is missing, strace cannot attach, or the machine refuses. Broken promises are in the report.
pub fn run(asked: &Asked, programs: &Programs, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Report, KillError> {
    let calls: &[&str] = match asked.points {
        Points::None => &[],
        Points::Syncs => points::SYNCS,
        Points::Writes => points::WRITES,
    };
    let points = if calls.is_empty() { BTreeMap::new() } else { points::count(asked, programs, calls)? };
    // A few more: the day does not checkpoint at the same moments each time.
    let at_points = points.iter().flat_map(|(call, times)| {
        let last = times.saturating_add(times / SPARE);
        (1..=last).map(move |k| Job::Point(call.clone(), k))
    });
    let days = (0..asked.times.div_ceil(KILLS_A_DAY)).map(|day| {
        let kills = KILLS_A_DAY.min(asked.times - day * KILLS_A_DAY);
        Job::Moments { day: u64::from(day), kills }
    });
    let held = points::MOMENTS.into_iter().map(Job::Held).filter(|_| !calls.is_empty());
    let jobs: Vec<Job> = held.chain(at_points).chain(days).collect();
    let (next, over) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let sum = Mutex::new(Report { seed: asked.seed, points, ..Report::default() });
    let work = || -> Result<(), KillError> {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let verdict = play(job, asked, programs).inspect_err(|_| next.store(jobs.len(), Ordering::Relaxed))?;
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            // With every call killed once, so many days were not.
            sum.not_reached += u32::from(matches!(job, Job::Point(..)) && verdict.kills == 0);
            add(&mut sum, verdict);
            drop(sum);
            progress(over.fetch_add(1, Ordering::Relaxed) + 1, jobs.len());
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..asked.workers.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| Err(KillError::Unfit("a thread of the test panicked".to_owned())))
        })
    })?;
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    if asked.key.is_none() && sum.kills >= KILLS_A_DAY && (sum.with_ciphertext == 0 || sum.waiting_at_death == 0) {
        sum.wrong.push(
            "no dead till held ciphertext, or none for a payment that waits: it is looked for in the wrong place"
                .to_owned(),
        );
    }
    Ok(sum)
}

fn play(job: &Job, asked: &Asked, programs: &Programs) -> Result<Verdict, KillError> {
    match job {
        Job::Point(call, k) => points::play(asked, programs, call, *k),
        Job::Held(moment) => points::play_held(asked, programs, moment),
        Job::Moments { day, kills } => moments::play(asked, programs, *day, *kills),
    }
}

fn add(sum: &mut Report, of: Verdict) {
    sum.kills += of.kills;
    sum.kills_while_opening += of.kills_while_opening;
    sum.kills_while_charging += of.kills_while_charging;
    sum.acquirer_kills += of.acquirer_kills;
    sum.said_saved += of.said_saved;
    sum.in_ledger += of.in_ledger;
    sum.kept_unsaid += of.kept_unsaid;
    sum.with_ciphertext += of.with_ciphertext;
    sum.waiting_at_death += of.waiting_at_death;
    sum.at_acquirer += of.at_acquirer;
    sum.captures += of.captures;
    sum.wrong.extend(of.wrong);
}
