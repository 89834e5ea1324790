//! Disks that lose power, fail, fill up or were changed by hand, and processes that are killed.

use serde::Serialize;
use world::kill::{self, Asked};
use world::power::{self, PowerArgs};
use world::sweep::{self, SweepArgs};
use world::tamper::{self, TamperArgs};

use super::CommandError;
use super::args::Args;
use super::progress::Progress;

fn keep(args: &Args, report: &impl Serialize) -> Result<(), CommandError> {
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(report)?)?;
    }
    println!("{}", serde_json::to_string_pretty(report)?);
    Ok(())
}

/// Power cuts; with `--normal` the proof that they are seen.
pub(crate) fn power(args: &Args) -> Result<bool, CommandError> {
    let asked = PowerArgs { cuts: args.times.unwrap_or(2_000), seed: args.seed, normal: args.normal };
    let mut progress = Progress::new("runs", asked.cuts);
    let report = power::run(&asked, &mut |so_far| {
        progress
            .show(so_far.runs, &format!("{} cuts, {} payments told, {} lost", so_far.cuts, so_far.told, so_far.lost));
    })?;
    keep(args, &report)?;
    if args.normal {
        println!("without syncs {} of {} runs lost a payment", report.runs_that_lost, report.runs);
        return Ok(report.runs_that_lost * 10 > report.runs);
    }
    println!("{} power cuts, {} payments told, {} lost", report.cuts, report.told, report.lost);
    Ok(report.failed == 0 && report.lost == 0)
}

/// The disk fails from each call of a short day on.
pub(crate) fn sweep(args: &Args) -> Result<bool, CommandError> {
    let asked = SweepArgs { every: args.every, seed: args.seed };
    let mut progress = Progress::new("days", u64::MAX);
    let report = sweep::run(&asked, &mut |so_far| {
        progress.show(so_far.days, &format!("of {} calls, {} broken", so_far.calls, so_far.failed));
    })?;
    keep(args, &report)?;
    Ok(report.failed == 0)
}

/// Files are changed by hand.
pub(crate) fn tamper(args: &Args) -> Result<bool, CommandError> {
    let asked = TamperArgs { files: args.times.unwrap_or(2_000), seed: args.seed };
    let mut progress = Progress::new("files", asked.files);
    let report = tamper::run(&asked, &mut |so_far| {
        progress.show(so_far.files, &format!("{} unnoticed", so_far.failed));
    })?;
    keep(args, &report)?;
    Ok(report.failed == 0)
}

/// Real processes are killed.
pub(crate) fn kill(args: &Args) -> Result<bool, CommandError> {
    let times = args.times.unwrap_or(100);
    let programs = kill::Programs::beside_this()?;
    let asked = Asked {
        times: u32::try_from(times).unwrap_or(u32::MAX),
        seed: args.seed,
        workers: args.workers,
        ..Asked::default()
    };
    let progress = std::sync::Mutex::new(Progress::new("days", times));
    let report = kill::run(&asked, &programs, &|done, all| {
        if let Ok(mut progress) = progress.lock() {
            progress.of(all as u64);
            progress.show(done as u64, "killed");
        }
    })?;
    keep(args, &report)?;
    print!("{report}");
    Ok(report.wrong.is_empty())
}
