//! Power cuts: the real engine at a short day's work, the power cut at any call to the disk, and up to three times more while
//! it recovers. Afterwards everything that the screen called saved or approved must be in the ledger.
//!
//! The ledger is read by a connection of the judge's own and its chain computed here; then by the core's own check; then the
//! acquirer's book is held against what the screen said.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};
use takings_domain::event::ChargeMode;
use takings_store::{Ledger, Verification};
use takings_till::ChargeOutcome;
use takings_till::simulation::Command;

use crate::disk::Counts;
use crate::stall::ledger::{self, Found};
use crate::stall::{Line, Sale, Stall, StallError, Template, Told, store_config};
use crate::streams::Stream;

/// Calls to the disk that a payment makes, more or less: the power goes somewhere among them.
const CALLS_PER_PAYMENT: u64 = 75;
/// Calls of an opening after a cut, more or less.
const CALLS_TO_RECOVER: u64 = 30;
/// One run in so many is held against the acquirer's book at the end.
const BOOK_EVERY: u64 = 4;
/// So many failures are told; more are only counted.
pub(crate) const TOLD_FAILURES: usize = 20;
const MINUTE: i64 = 60_000;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerArgs {
    /// How many runs: each is one power cut at work, and those of its recovery.
    pub cuts: u64,
    /// The first run's; the others follow.
    pub seed: u64,
    /// Without waiting for the disk at each commit: the bug `synchronous_normal`, which this proof must see.
    pub normal: bool,
}

/// A run that broke a promise.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FailedRun {
    /// Repeats it.
    pub seed: u64,
    /// What was broken.
    pub what: String,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct PowerReport {
    /// Runs.
    pub runs: u64,
    /// Power cuts, those of recoveries too.
    pub cuts: u64,
    /// Power cuts while the ledger of an earlier one was opened or taken up again.
    pub cuts_in_recovery: u64,
    /// Runs whose power was cut between two calls, not in one.
    pub cuts_at_rest: u64,
    /// Payments that a screen called saved or approved.
    pub told: u64,
    /// Of these, not in the ledger afterwards. None may be.
    pub lost: u64,
    /// Runs that lost one.
    pub runs_that_lost: u64,
    /// Runs after which the witness knew of more than the ledger held, and said so.
    pub loss_said: u64,
    /// Runs that were held against the acquirer's book.
    pub books: u64,
    /// Runs that broke a promise, the first of them; with `normal`, a loss is none.
    pub failures: Vec<FailedRun>,
    /// How many there were.
    pub failed: u64,
    /// What the disks did.
    pub disk: Counts,
}

/// One run's part of the report.
#[derive(Default)]
struct Run {
    cuts_in_recovery: u64,
    at_rest: bool,
    told: u64,
    lost: Vec<String>,
    loss_said: bool,
    book: bool,
    broken: Option<String>,
}

/// Runs them all. `progress` hears how many are done.
///
/// # Errors
/// [`StallError`] if the proof cannot be set up; a promise that was broken is in the report.
pub fn run(args: &PowerArgs, progress: &mut dyn FnMut(&PowerReport)) -> Result<PowerReport, StallError> {
    plant(args.normal)?;
    let done = run_all(args, progress);
    plant(false)?;
    done
}

fn run_all(args: &PowerArgs, progress: &mut dyn FnMut(&PowerReport)) -> Result<PowerReport, StallError> {
    // One left in good order, one killed with its log full.
    let templates = [Template::new(args.seed, true)?, Template::new(args.seed, false)?];
    let mut report = PowerReport::default();
    let mut stall = Stall::bare(args.seed)?;
    let mut before = Counts::default();
    for seed in args.seed..args.seed.saturating_add(args.cuts) {
        stall.reset(&templates[usize::from(seed % 2 == 1)], seed)?;
        let run = match caught(|| Ok(one(&mut stall, seed, args.normal))) {
            Ok(run) => run,
            Err(what) => {
                let run = Run { broken: Some(what), ..Run::default() };
                report.disk = report.disk.plus(&stall.disk.counts());
                stall = Stall::bare(args.seed)?;
                before = Counts::default();
                run
            }
        };
        report.add(seed, run, args.normal);
        let counts = stall.disk.counts();
        report.cuts += counts.cuts - before.cuts;
        before = counts;
        progress(&report);
    }
    report.disk = report.disk.plus(&stall.disk.counts());
    Ok(report)
}

/// A panic is a broken promise too.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or_default();
        Err(format!("a panic: {text}"))
    })
}

#[cfg(feature = "planted")]
fn plant(normal: bool) -> Result<(), StallError> {
    let bug = normal.then_some("synchronous_normal");
    takings_domain::planted::plant(bug).map_err(|error| StallError::Other(error.to_string()))
}

#[cfg(not(feature = "planted"))]
fn plant(normal: bool) -> Result<(), StallError> {
    if normal { Err(StallError::Other("only a build with the feature `planted` can".to_owned())) } else { Ok(()) }
}

impl PowerReport {
    fn add(&mut self, seed: u64, run: Run, normal: bool) {
        self.runs += 1;
        self.cuts_in_recovery += run.cuts_in_recovery;
        self.cuts_at_rest += u64::from(run.at_rest);
        self.told += run.told;
        self.lost += run.lost.len() as u64;
        self.runs_that_lost += u64::from(!run.lost.is_empty());
        self.loss_said += u64::from(run.loss_said);
        self.books += u64::from(run.book);
        let lost = (!normal && !run.lost.is_empty()).then(|| run.lost.join("; "));
        if let Some(what) = run.broken.or(lost) {
            self.failed += 1;
            if self.failures.len() < TOLD_FAILURES {
                self.failures.push(FailedRun { seed, what });
            }
        }
    }
}

/// One run: a day's work, the power cut, its recovery, the judgement.
fn one(stall: &mut Stall, seed: u64, normal: bool) -> Run {
    let mut work = Stream::new(seed, "work");
    let mut disk = Stream::new(seed, "disk");
    let mut run = Run::default();
    if let Err(error) = stall.open() {
        run.broken = Some(format!("it does not open in the morning: {error}"));
        return run;
    }
    let payments = 3 + disk.below(10);
    stall.disk.die_at(Some(stall.disk.calls() + 1 + disk.below(payments * CALLS_PER_PAYMENT)));
    let mut intents = 0;
    while intents < payments && !stall.is_dead() {
        intents += u64::from(step(stall, &mut work));
    }
    run.at_rest = !stall.is_dead();
    stall.kill();
    cut(stall, &mut disk);
    for _ in 0..disk.below(4) {
        stall.disk.die_at(Some(stall.disk.calls() + 1 + disk.below(CALLS_TO_RECOVER)));
        // Dead or not: what it says of an opening that died is heard by nobody.
        if let Err(error) = stall.open()
            && !stall.disk.is_dead()
        {
            run.broken = Some(format!("it did not open after a cut: {error}"));
            return run;
        }
        stall.live_on(MINUTE);
        stall.kill();
        cut(stall, &mut disk);
        run.cuts_in_recovery += 1;
    }
    stall.line = Line::Good;
    run.broken = judge(stall, (seed, normal), &mut run).err();
    stall.end_process();
    run
}

fn cut(stall: &mut Stall, disk: &mut Stream) {
    stall.end_process();
    stall.disk.cut_power(&mut |end| disk.below(end));
    stall.boot(MINUTE);
}

/// Something the merchant does. True for a sale.
fn step(stall: &mut Stall, work: &mut Stream) -> bool {
    let amount_minor = 1_000 + 100 * work.between(0, 80);
    let sale = |mode, last_four| Sale { amount_minor, mode, last_four };
    match work.below(20) {
        0..8 => drop(stall.sell(&sale(ChargeMode::Offline, "0048"))),
        8..12 => drop(stall.sell(&sale(ChargeMode::PreferOnline, "0048"))),
        12 => drop(stall.sell(&sale(ChargeMode::PreferOnline, "0051"))),
        13 => {
            stall.line = Line::AnswersLost;
            stall.sell(&sale(ChargeMode::PreferOnline, "0048"));
            stall.line = Line::Good;
            stall.live_on(MINUTE);
        }
        14 => {
            stall.line = Line::Down;
            stall.sell(&sale(ChargeMode::PreferOnline, "0048"));
            stall.line = Line::Good;
        }
        number => {
            rest(stall, number);
            return false;
        }
    }
    stall.pass(MINUTE);
    true
}

fn rest(stall: &mut Stall, number: u64) {
    match number {
        15 | 16 => drop(stall.sync()),
        // Whoever looks holds a connection of his own, until he looks away or the process ends. A dead one shows nothing.
        17 => drop(stall.list()),
        18 => {
            stall.look_away();
            drop(stall.ask(Command::Background));
        }
        _ => {
            // Closed in good order: the log is folded in and deleted.
            stall.end_process();
            if !stall.disk.is_dead() && stall.open().is_err() {
                stall.engine = None;
            }
        }
    }
}

/// What the ledger, its witness and the acquirer's book say of what was told.
fn judge(stall: &mut Stall, (seed, normal): (u64, bool), run: &mut Run) -> Result<(), String> {
    let found = check_ledger(stall)?;
    run.loss_said = found.missing_events > 0;
    run.told = stall.told.values().filter(|told| is_kept(told, &found).is_some()).count() as u64;
    run.lost = lost(stall, &found);
    if run.loss_said && !normal {
        return Err(format!("{} events are missing", found.missing_events));
    }
    if !run.loss_said && seed.is_multiple_of(BOOK_EVERY) {
        run.book = true;
        stall.open().map_err(|error| format!("the till does not open: {error}"))?;
        for _ in 0..4 {
            stall.live_on(MINUTE);
            stall.sync();
        }
        hold_against_book(stall)?;
    }
    Ok(())
}

/// The ledger opens, may be written, says no less than its witness knows, and holds: by the core's own check and by ours.
pub(crate) fn check_ledger(stall: &Stall) -> Result<Found, String> {
    let witness = ledger::witness(stall.dir());
    let (mut opened, report) =
        Ledger::open(store_config(stall.dir())).map_err(|error| format!("it does not open: {error}"))?;
    let events = opened.last_seq();
    let verified = opened.verify().map_err(|error| format!("it cannot be checked: {error}"))?;
    opened.close().map_err(|error| format!("it does not close: {error}"))?;
    let mut found = ledger::read(stall.dir()).map_err(|error| format!("it cannot be read: {error}"))?;
    found.missing_events = report.missing_events;
    if let Some(seq) = found.broken_at {
        return Err(format!("the chain breaks at event {seq}"));
    }
    if found.events != events {
        return Err(format!("{} events are there, {events} were opened", found.events));
    }
    if let Some(why) = report.read_only {
        return Err(format!("it is read-only: {why}"));
    }
    let ahead = witness.unwrap_or(0).saturating_sub(events);
    if report.missing_events < ahead {
        return Err(format!("the witness is {ahead} events ahead, {} are said to be missing", report.missing_events));
    }
    match verified {
        Verification::Sound { .. } if report.missing_events == 0 => Ok(found),
        Verification::HeadAhead { missing, .. } if missing == report.missing_events => Ok(found),
        other => Err(format!("{} events are missing, and a check says {other:?}", report.missing_events)),
    }
}

/// Everything the screen called good is in the ledger.
pub(crate) fn check_told(stall: &Stall, found: &Found) -> Result<(), String> {
    if found.missing_events > 0 {
        return Err(format!("{} events are missing", found.missing_events));
    }
    let lost = lost(stall, found);
    if lost.is_empty() { Ok(()) } else { Err(lost.join("; ")) }
}

fn lost(stall: &Stall, found: &Found) -> Vec<String> {
    let lost = stall.told.values().filter(|told| is_kept(told, found) == Some(false));
    lost.map(|told| format!("{told:?}, the ledger: {:?}", found.payments.get(&told.id.to_string()))).collect()
}

/// Whether what the screen called good is in the ledger; none for what it did not call good.
fn is_kept(told: &Told, found: &Found) -> Option<bool> {
    let paid = found.payments.get(&told.id.to_string());
    let paid = paid.filter(|paid| paid.amount_minor == told.amount_minor);
    match &told.outcome {
        ChargeOutcome::Saved => Some(paid.is_some_and(|paid| paid.accepted.as_deref() == Some("deferred"))),
        ChargeOutcome::Approved { approved_minor } => {
            Some(paid.is_some_and(|paid| paid.approved_minor == Some(*approved_minor)))
        }
        ChargeOutcome::NotCharged { .. } | ChargeOutcome::NotConfirmed => None,
    }
}

/// Everything has reached the acquirer: once, with its amount; what was called free is free.
pub(crate) fn hold_against_book(stall: &mut Stall) -> Result<(), String> {
    let book = stall.book();
    let list = |name: &str| book[name].as_array().cloned().unwrap_or_default();
    let payments = list("payments");
    let mut asked = BTreeSet::new();
    for record in list("authorizations") {
        if !asked.insert(record["payment_id"].to_string()) {
            return Err(format!("the bank was asked twice: {record}"));
        }
    }
    if let Some(twice) = payments.iter().find(|payment| payment["captures"].as_u64() > Some(1)) {
        return Err(format!("captured twice: {twice}"));
    }
    for one in stall.told.values() {
        let there = payments.iter().find(|payment| payment["payment_id"] == json!(one.id.to_string()));
        let authorization = there.map_or(&Value::Null, |payment| &payment["authorization"]);
        let held = match &one.outcome {
            // Saved is no approval: the bank may still decline.
            ChargeOutcome::Saved if one.last_four == "0051" => authorization == "declined",
            ChargeOutcome::Saved | ChargeOutcome::Approved { .. } => authorization == "approved",
            ChargeOutcome::NotCharged { .. } => authorization != "approved",
            ChargeOutcome::NotConfirmed => true,
        };
        if !held {
            return Err(format!("the screen said {one:?}, the acquirer's book: {there:?}"));
        }
    }
    Ok(())
}
