//! The processes that play days: SQLite's own chance is one for a process, so each world has a process for itself.

use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command as Process, Stdio};
use std::sync::mpsc;

use world::world::{DayReport, World};

use super::CommandError;
use super::args::Args;

/// Plays every `step`-th seed from `first` on and prints a line of JSON for each.
pub(crate) fn work(args: &Args, first: u64, step: u64) -> Result<bool, CommandError> {
    super::planted::plant(args.plant.as_deref())?;
    let end = args.seeds.clone().map_or(first + 1, |seeds| seeds.end);
    let mut seed = first;
    let mut clean = true;
    while seed < end {
        let report = day(args, seed)?;
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, &report)?;
        out.write_all(b"\n")?;
        out.flush()?;
        clean &= report.violations.is_empty();
        if !clean && args.stop_at_first {
            break;
        }
        seed += step;
    }
    Ok(clean)
}

/// One day; a panic of the till breaks a promise like anything else.
pub(crate) fn day(args: &Args, seed: u64) -> Result<DayReport, CommandError> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, args.size, args.without.clone(), false)?;
        world.play()
    }));
    match played {
        Ok(report) => Ok(report?),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Ok(DayReport::panicked(seed, &text.unwrap_or_default()))
        }
    }
}

fn spawn(args: &Args, seeds: &Range<u64>, first: u64, step: u64) -> Result<Child, CommandError> {
    let mut process = Process::new(std::env::current_exe()?);
    process.args(["worker", &first.to_string(), &step.to_string()]);
    process.args(["--seeds", &format!("{}..{}", seeds.start, seeds.end)]);
    process.args(["--hours", &args.size.hours.to_string(), "--phones", &args.size.phones.to_string()]);
    if let Some(plant) = &args.plant {
        process.args(["--plant", plant]);
    }
    if args.stop_at_first {
        process.arg("--stop-at-first");
    }
    Ok(process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

/// Plays all seeds with as many workers as asked for; `heard` gets each report as it comes.
pub(crate) fn play(args: &Args, seeds: &Range<u64>, heard: &mut dyn FnMut(DayReport)) -> Result<(), CommandError> {
    let step = u64::try_from(args.workers).unwrap_or(1).min(seeds.end - seeds.start).max(1);
    let mut children = Vec::new();
    for at in 0..step {
        children.push(spawn(args, seeds, seeds.start + at, step)?);
    }
    let (said, lines) = mpsc::channel();
    std::thread::scope(|scope| {
        for child in &mut children {
            let said = said.clone();
            if let Some(out) = child.stdout.take() {
                scope.spawn(move || {
                    for line in BufReader::new(out).lines().map_while(Result::ok) {
                        let _ = said.send(line);
                    }
                });
            }
        }
        drop(said);
        for line in lines {
            heard(serde_json::from_str(&line).map_err(|_| CommandError::Worker(line))?);
        }
        Ok::<(), CommandError>(())
    })?;
    for child in children {
        let ended = child.wait_with_output()?;
        if !matches!(ended.status.code(), Some(0 | 1)) {
            let text = String::from_utf8_lossy(&ended.stderr).into_owned();
            return Err(CommandError::Worker(format!("{}: {text}", ended.status)));
        }
    }
    Ok(())
}
