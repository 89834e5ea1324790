//! Failures at call n, for every n of a short day: an activation, two charges offline, a live one, a contact, a decline, a
//! reversal after an answer that was lost.
//!
//! The failure passes, the day goes on, and at its end the power is cut. No screen may have said *saved* or *approved* of what is
//! not in the ledger then; afterwards everything reaches the acquirer, whose book is the judge. A disk that is full from
//! call n on stays full: the ballast must be room enough for every answer and reversal.

use serde_json::{Value, json};
use takings_domain::event::ChargeMode;
use takings_till::ChargeOutcome;
use takings_till::simulation::{Command, Reply};

use crate::disk::{Counts, Failure, FailureKind};
use crate::power::{FailedRun, TOLD_FAILURES, caught, check_ledger, check_told, hold_against_book};
use crate::stall::{Line, Sale, Stall, StallError};
use crate::streams::Stream;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// What fails at call n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// One call, with an I/O error.
    Io,
    /// Five calls in a row, with I/O errors.
    IoForAWhile,
    /// One call, for want of room.
    Full,
    /// One sync.
    Sync,
    /// The syncs among thirty calls.
    SyncForAWhile,
    /// The disk is full from there on.
    StaysFull,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Io, Self::IoForAWhile, Self::Full, Self::Sync, Self::SyncForAWhile, Self::StaysFull];

    fn begin(self, stall: &Stall, at_call: u64) {
        let plan = |calls, kind| Some(Failure { at_call, calls, kind });
        match self {
            Self::Io => stall.disk.fail(plan(1, FailureKind::Io)),
            Self::IoForAWhile => stall.disk.fail(plan(5, FailureKind::Io)),
            Self::Full => stall.disk.fail(plan(1, FailureKind::Full)),
            Self::Sync => stall.disk.fail(plan(1, FailureKind::Sync)),
            Self::SyncForAWhile => stall.disk.fail(plan(30, FailureKind::Sync)),
            Self::StaysFull => stall.disk.full_at(Some(at_call)),
        }
    }
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepArgs {
    /// Every so many-th call; 1: every one.
    pub every: u64,
    /// Of keys, cards and cuts.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct SweepReport {
    /// Calls of the day without a failure.
    pub calls: u64,
    /// Days, one for each call and trouble.
    pub days: u64,
    /// Payments a screen called saved or approved.
    pub told: u64,
    /// Charges that were refused or answered with an error.
    pub refused: u64,
    /// Live payments that the book shows as undone.
    pub reversed: u64,
    /// Days that ended with the disk still full, and everything answered.
    pub full_to_the_end: u64,
    /// Days that broke a promise, the first of them.
    pub failures: Vec<FailedRun>,
    /// How many there were.
    pub failed: u64,
    /// What the disks did.
    pub disk: Counts,
}

/// Sweeps. `progress` hears how far it is.
///
/// # Errors
/// [`StallError`] if a day cannot be set up; a promise that was broken is in the report, its run numbered by the call.
pub fn run(args: &SweepArgs, progress: &mut dyn FnMut(&SweepReport)) -> Result<SweepReport, StallError> {
    let mut report = SweepReport::default();
    let mut clean = Stall::bare(args.seed)?;
    day(&mut clean);
    report.calls = clean.disk.calls();
    drop(clean);
    for at_call in (1..=report.calls).step_by(usize::try_from(args.every.max(1)).unwrap_or(1)) {
        for trouble in Trouble::ALL {
            let mut stall = Stall::bare(args.seed)?;
            let judged = caught(|| one(&mut stall, trouble, at_call));
            report.days += 1;
            report.disk = report.disk.plus(&stall.disk.counts());
            report.told += stall.told.values().filter(|told| is_good(&told.outcome)).count() as u64;
            match judged {
                Ok(day) => {
                    report.refused += day.refused;
                    report.reversed += day.reversed;
                    report.full_to_the_end += u64::from(day.full_to_the_end);
                }
                Err(what) => {
                    report.failed += 1;
                    if report.failures.len() < TOLD_FAILURES {
                        report.failures.push(FailedRun { seed: at_call, what: format!("{trouble:?}: {what}") });
                    }
                }
            }
            progress(&report);
        }
    }
    Ok(report)
}

fn is_good(outcome: &ChargeOutcome) -> bool {
    matches!(outcome, ChargeOutcome::Saved | ChargeOutcome::Approved { .. })
}

#[derive(Default)]
struct Day {
    refused: u64,
    reversed: u64,
    full_to_the_end: bool,
}

fn one(stall: &mut Stall, trouble: Trouble, at_call: u64) -> Result<Day, String> {
    trouble.begin(stall, at_call);
    let mut done = Day { refused: day(stall), ..Day::default() };
    stall.disk.fail(None);
    // Before the first charge there is no ballast, and nothing that must be answered.
    if trouble == Trouble::StaysFull && stall.sold > 0 {
        // It is still full: whatever is open comes to its end in the room of the ballast.
        settle(stall)?;
        done.full_to_the_end = true;
    }
    stall.disk.full_at(None);
    if trouble != Trouble::StaysFull {
        let mut cut = Stream::new(at_call, "disk");
        stall.kill();
        stall.end_process();
        stall.disk.cut_power(&mut |end| cut.below(end));
        stall.boot(MINUTE);
    } else {
        stall.end_process();
    }
    stall.disk.set_capacity(None);
    let found = check_ledger(stall)?;
    check_told(stall, &found)?;
    stall.open().map_err(|error| format!("it does not open: {error}"))?;
    if !stall.is_activated() {
        // What was begun is taken up with the same code, and burns nothing.
        stall.activate().map_err(|error| format!("it is not activated afterwards: {error}"))?;
    }
    // Session and policy may be what is missing: without them nothing is taken offline.
    let report = stall.sync();
    let after = Sale { amount_minor: 9_900, mode: ChargeMode::Offline, last_four: "0048" };
    let id = stall.sell(&after).ok_or_else(|| format!("no charge afterwards: {:?} {report:?}", stall.errors))?;
    if stall.told.get(&id).map(|told| &told.outcome) != Some(&ChargeOutcome::Saved) {
        return Err(format!("a charge afterwards: {:?}", stall.told.get(&id)));
    }
    settle(stall)?;
    hold_against_book(stall)?;
    let undone = |payment: &&Value| payment["authorization"] == json!("reversed");
    done.reversed = stall.book()["payments"].as_array().into_iter().flatten().filter(undone).count() as u64;
    stall.end_process();
    let found = check_ledger(stall)?;
    check_told(stall, &found)?;
    Ok(done)
}

/// The day. Whatever cannot be done is not done. Answers how many charges were refused.
fn day(stall: &mut Stall) -> u64 {
    stall.line = Line::Good;
    for _ in 0..3 {
        if ensure_open(stall) && (stall.is_activated() || stall.activate().is_ok()) {
            break;
        }
        stall.pass(MINUTE);
    }
    let sale = |amount_minor, mode, last_four| Sale { amount_minor, mode, last_four };
    let mut refused = 0;
    let mut sell = |stall: &mut Stall, line, sale: Sale| {
        ensure_open(stall);
        stall.line = line;
        let id = stall.sell(&sale);
        refused += u64::from(id.is_none());
        stall.pass(30 * SECOND);
    };
    sell(stall, Line::Good, sale(1_000, ChargeMode::Offline, "0048"));
    sell(stall, Line::Down, sale(1_100, ChargeMode::PreferOnline, "0048"));
    sell(stall, Line::Good, sale(1_200, ChargeMode::PreferOnline, "0048"));
    stall.sync();
    sell(stall, Line::Good, sale(1_300, ChargeMode::PreferOnline, "0051"));
    sell(stall, Line::LiveAnswersLost, sale(1_400, ChargeMode::PreferOnline, "0048"));
    // Sent again, asked after, undone at last, all without an answer.
    stall.live_on(3 * MINUTE);
    stall.line = Line::Good;
    stall.live_on(3 * MINUTE);
    stall.sync();
    refused
}

fn ensure_open(stall: &mut Stall) -> bool {
    stall.engine.is_some() || stall.open().is_ok()
}

/// With a good line everything comes to its answer.
fn settle(stall: &mut Stall) -> Result<(), String> {
    stall.line = Line::Good;
    for _ in 0..8 {
        if !ensure_open(stall) {
            continue;
        }
        stall.sync();
        stall.live_on(5 * MINUTE);
    }
    match stall.ask(Command::Status) {
        Some(Ok(Reply::Status(status))) if status.unsent_count == 0 => Ok(()),
        Some(Ok(Reply::Status(status))) => Err(format!("still unsent: {}, {:?}", status.unsent_count, status.trouble)),
        other => Err(format!("no status: {other:?}")),
    }
}
