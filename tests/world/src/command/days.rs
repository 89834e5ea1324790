//! Many days.

use std::collections::BTreeMap;
use std::fs;

use serde::Serialize;
use world::rare;
use world::world::DayReport;

use super::CommandError;
use super::args::Args;
use super::progress::Progress;
use super::workers;

/// From so many days on every rare state must have been reached.
const ENOUGH_DAYS: u64 = 200;
const HOUR_MS: i64 = 3_600_000;

/// What came of all of them.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    days: u64,
    virtual_hours: i64,
    real_ms: u64,
    virtual_over_real: i64,
    charges: u64,
    requests: u64,
    inputs: u64,
    faults_in_all: u64,
    faults: rare::Counts,
    rare: rare::Counts,
    never_reached: Vec<String>,
    broken: BTreeMap<u64, Vec<String>>,
    traces: BTreeMap<u64, String>,
}

impl Summary {
    pub(crate) fn hear(&mut self, report: DayReport) {
        self.days += 1;
        self.virtual_hours += report.virtual_ms / HOUR_MS;
        self.charges += report.charges;
        self.requests += report.requests;
        self.inputs += report.inputs;
        for (name, count) in report.faults {
            self.faults_in_all += count;
            *self.faults.entry(name).or_default() += count;
        }
        for (name, count) in report.rare {
            *self.rare.entry(name).or_default() += count;
        }
        if !report.violations.is_empty() {
            self.broken.insert(report.seed, report.violations);
        }
        self.traces.insert(report.seed, report.trace);
    }

    fn close(&mut self, real_ms: u64) {
        self.real_ms = real_ms;
        let real_ms = i64::try_from(real_ms).unwrap_or(i64::MAX).max(1);
        self.virtual_over_real = self.virtual_hours.saturating_mul(HOUR_MS) / real_ms;
        self.never_reached = self.rare.iter().filter(|(_, count)| **count == 0).map(|(name, _)| name.clone()).collect();
    }

    fn print(&self) {
        println!(
            "{} days, {} virtual hours ({} times real time), {} charges, {} requests, {} faults",
            self.days, self.virtual_hours, self.virtual_over_real, self.charges, self.requests, self.faults_in_all
        );
        let counts = |counts: &rare::Counts| {
            counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
        };
        println!("faults: {}", counts(&self.faults));
        println!("rare states: {}", counts(&self.rare));
        for name in &self.never_reached {
            let meaning = rare::ALL.iter().find(|(known, _)| known == name).map_or("", |(_, meaning)| meaning);
            println!("never reached: {name}: {meaning}");
        }
        for (seed, violations) in &self.broken {
            for violation in violations.iter().take(3) {
                println!("BROKEN seed {seed}: {violation}");
            }
        }
        println!("{} of {} days broke a promise", self.broken.len(), self.days);
    }
}

/// Plays them, judged; true if every promise held and nothing rare was missed.
pub(crate) fn run(args: &Args) -> Result<bool, CommandError> {
    let seeds = args.seeds.clone().unwrap_or(0..500);
    let mut summary = Summary::default();
    let mut progress = Progress::new("seeds", seeds.end - seeds.start);
    workers::play(args, &seeds, &mut |report| {
        summary.hear(report);
        let note = format!("{} faults, {} broken", summary.faults_in_all, summary.broken.len());
        progress.show(summary.days, &note);
    })?;
    summary.close(progress.elapsed_ms());
    summary.print();
    if let Some(path) = &args.json {
        fs::write(path, serde_json::to_vec_pretty(&summary)?)?;
    }
    if summary.days != seeds.end - seeds.start {
        return Err(CommandError::Worker(format!("nothing of {} days", seeds.end - seeds.start - summary.days)));
    }
    let reached = summary.never_reached.is_empty() || summary.days < ENOUGH_DAYS;
    Ok(summary.broken.is_empty() && reached)
}
