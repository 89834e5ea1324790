//! What was asked.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

use world::plan::Size;

use super::CommandError;

pub(crate) const USAGE: &str = "cargo world COMMAND

  run [--seeds A..B] [--hours H] [--phones K] [--json FILE]   days at the market, judged; every promise must hold
  replay SEED [--hours H] [--phones K] [--without N,N…]       one day, line by line, up to the first broken promise
  shrink SEED [--hours H] [--phones K]                        the fewest faults with which that day still fails
  planted [--seeds A..B] [--bugs NAME,NAME…] [--json FILE]    plants each bug, and says which day finds it, by which promise
  power [--cuts N] [--seed S] [--normal] [--json FILE]        power cuts at any call of the disk; --normal: without syncs,
                                                              which must lose payments
  sweep [--every N] [--json FILE]                             the disk fails, or is full, from each call of a short day on
  tamper [--files N] [--seed S] [--json FILE]                 files changed by hand: every change must be noticed
  kill [--times N] [--seed S] [--json FILE]                   real processes killed at each sync, and N times at random

  --seeds A..B   from A to before B (default 0..500; planted 0..50)
  --hours H      how long things are sold and go wrong (default 8)
  --phones K     how many phones (default 3; two of a merchant each)
  --workers N    how many at a time (default: as many as there are cores)
  --plant NAME   with a bug planted (needs the feature `planted`)
  --sqlcipher    the encrypted build: cargo run --profile world -p world --no-default-features --features sqlcipher -- …

Exit code: 0 if every promise held, 1 if not, 2 for a wrong argument, 3 if the world itself failed.";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Run,
    /// One of the processes of a run: every `step`-th seed from `first` on.
    Worker {
        first: u64,
        step: u64,
    },
    Replay(u64),
    Planted,
    Shrink(u64),
    Power,
    Sweep,
    Tamper,
    Kill,
}

/// Parsed arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) command: Command,
    pub(crate) seeds: Option<Range<u64>>,
    pub(crate) size: Size,
    pub(crate) json: Option<PathBuf>,
    pub(crate) without: BTreeSet<usize>,
    pub(crate) plant: Option<String>,
    pub(crate) bugs: Vec<String>,
    pub(crate) workers: usize,
    pub(crate) stop_at_first: bool,
    /// How many cuts, files or kills.
    pub(crate) times: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) every: u64,
    pub(crate) normal: bool,
    pub(crate) sqlcipher: bool,
}

/// Reads them.
///
/// # Errors
/// [`CommandError::Usage`] says which argument is wrong.
pub(crate) fn parse(arguments: &[String]) -> Result<Args, CommandError> {
    let mut words = arguments.iter().map(String::as_str);
    let command = match words.next() {
        None | Some("help" | "--help" | "-h") => Command::Help,
        Some("run") => Command::Run,
        Some("worker") => Command::Worker { first: number(words.next())?, step: number(words.next())?.max(1) },
        Some("replay") => Command::Replay(number(words.next())?),
        Some("planted") => Command::Planted,
        Some("shrink") => Command::Shrink(number(words.next())?),
        Some("power") => Command::Power,
        Some("sweep") => Command::Sweep,
        Some("tamper") => Command::Tamper,
        Some("kill") => Command::Kill,
        Some(other) => return Err(CommandError::Usage(format!("unknown command {other}"))),
    };
    let mut args = Args {
        command,
        seeds: None,
        size: Size::default(),
        json: None,
        without: BTreeSet::new(),
        plant: None,
        bugs: Vec::new(),
        workers: std::thread::available_parallelism().map_or(1, usize::from),
        stop_at_first: false,
        times: None,
        seed: 1,
        every: 1,
        normal: false,
        sqlcipher: false,
    };
    while let Some(word) = words.next() {
        match word {
            "--seeds" => args.seeds = Some(range(words.next())?),
            "--hours" => args.size.hours = bounded(words.next(), 1, 48)?,
            "--phones" => args.size.phones = bounded::<usize>(words.next(), 1, 16)?,
            "--json" => args.json = Some(text(words.next())?.into()),
            "--without" => args.without = list(words.next())?.into_iter().collect(),
            "--plant" => args.plant = Some(text(words.next())?.to_owned()),
            "--bugs" => args.bugs = text(words.next())?.split(',').map(str::to_owned).collect(),
            "--workers" => args.workers = bounded::<usize>(words.next(), 1, 64)?,
            "--stop-at-first" => args.stop_at_first = true,
            "--cuts" | "--files" | "--times" => args.times = Some(number(words.next())?),
            "--seed" => args.seed = number(words.next())?,
            "--every" => args.every = number(words.next())?.max(1),
            "--normal" => args.normal = true,
            "--sqlcipher" => args.sqlcipher = true,
            other => return Err(CommandError::Usage(format!("unknown argument {other}"))),
        }
    }
    if args.sqlcipher && !cfg!(feature = "sqlcipher") {
        return Err(CommandError::Usage("this build has no encryption".to_owned()));
    }
    Ok(args)
}

fn text(word: Option<&str>) -> Result<&str, CommandError> {
    word.ok_or_else(|| CommandError::Usage("a value is missing".to_owned()))
}

fn number(word: Option<&str>) -> Result<u64, CommandError> {
    let word = text(word)?;
    word.parse().map_err(|_| CommandError::Usage(format!("{word} is no whole number")))
}

fn bounded<T: TryFrom<u64>>(word: Option<&str>, least: u64, most: u64) -> Result<T, CommandError> {
    let found = number(word)?;
    let refused = || CommandError::Usage(format!("{found}: {least} to {most}"));
    T::try_from(found).ok().filter(|_| (least..=most).contains(&found)).ok_or_else(refused)
}

fn list(word: Option<&str>) -> Result<Vec<usize>, CommandError> {
    let word = text(word)?;
    let wrong = |_| CommandError::Usage(format!("{word}: whole numbers with commas"));
    word.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().map_err(wrong)).collect()
}

fn range(word: Option<&str>) -> Result<Range<u64>, CommandError> {
    let word = text(word)?;
    let wrong = || CommandError::Usage(format!("{word}: A..B is needed"));
    let (first, end) = word.split_once("..").ok_or_else(wrong)?;
    match (first.parse(), end.parse()) {
        (Ok(first), Ok(end)) if first < end => Ok(first..end),
        _ => Err(wrong()),
    }
}
