//! Bugs that are planted, and the days that find them.

use super::CommandError;
use super::args::Args;

/// Plants a bug in this process.
#[cfg(feature = "planted")]
pub(crate) fn plant(name: Option<&str>) -> Result<(), CommandError> {
    takings_domain::planted::plant(name).map_err(|error| CommandError::Bug(error.to_string()))
}

/// Nothing can be planted in this build.
#[cfg(not(feature = "planted"))]
pub(crate) fn plant(name: Option<&str>) -> Result<(), CommandError> {
    match name {
        None => Ok(()),
        Some(_) => {
            Err(CommandError::Bug("this build cannot plant anything: it lacks the feature `planted`".to_owned()))
        }
    }
}

/// Builds what can plant, and hands over to it.
#[cfg(not(feature = "planted"))]
pub(crate) fn run(_args: &Args) -> Result<bool, CommandError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut process = std::process::Command::new(cargo);
    process.args(["run", "--quiet", "--profile", "world", "--package", "world", "--features", "planted", "--"]);
    Ok(process.args(std::env::args_os().skip(1)).status()?.success())
}

/// Plants each bug in turn and plays days until one finds it; then the same days with none.
#[cfg(feature = "planted")]
pub(crate) fn run(args: &Args) -> Result<bool, CommandError> {
    use std::collections::BTreeMap;

    use super::progress::Progress;
    use super::workers;
    use takings_domain::planted::ALL;
    use world::world::DayReport;

    let seeds = args.seeds.clone().unwrap_or(0..50);
    let asked = |name: &str| args.bugs.is_empty() || args.bugs.iter().any(|bug| bug == name);
    let bugs: Vec<_> = ALL.iter().filter(|bug| asked(bug.name)).collect();
    let mut progress = Progress::new("bugs", u64::try_from(bugs.len()).unwrap_or(0));
    let mut found: BTreeMap<&str, Option<(u64, Vec<String>)>> = BTreeMap::new();
    for (done, bug) in (0..).zip(&bugs) {
        progress.show(done, bug.name);
        let with = Args { plant: Some(bug.name.to_owned()), stop_at_first: true, ..args.clone() };
        let mut first: Option<DayReport> = None;
        workers::play(&with, &seeds, &mut |report| {
            let earlier = first.as_ref().is_none_or(|first| report.seed < first.seed);
            if !report.violations.is_empty() && earlier {
                first = Some(report);
            }
        })?;
        let line = first.map(|report| (report.seed, report.violations));
        match &line {
            Some((seed, violations)) => {
                let caught: String = violations[0].chars().take(100).collect();
                println!("{:<34} seed {seed:>3}  {:<4} {caught}", bug.name, bug.promise);
            }
            None => println!("{:<34} NOT FOUND ({})", bug.name, bug.what),
        }
        found.insert(bug.name, line);
    }
    progress.show(u64::try_from(bugs.len()).unwrap_or(0), "done");
    let mut clean = true;
    workers::play(&Args { plant: None, ..args.clone() }, &seeds, &mut |report| {
        for violation in &report.violations {
            println!("BROKEN with nothing planted, seed {}: {violation}", report.seed);
            clean = false;
        }
    })?;
    let missed = found.values().filter(|line| line.is_none()).count();
    println!("{} of {} planted bugs found within {} seeds", found.len() - missed, found.len(), seeds.end - seeds.start);
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(&found)?)?;
    }
    Ok(clean && missed == 0)
}
