//! From the command line to the exit code.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::args::{Args, Asked, USAGE};
use crate::children;
use crate::day::Day;
use crate::error::{About, DayError};
use crate::screen::{Look, Screen};
use crate::words;

const WRONG: u8 = 1;
const WRONG_ARGUMENT: u8 = 2;
const NOT_PLAYED: u8 = 3;
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Whether these arguments, after the program's name, are ones it takes.
///
/// # Errors
/// What is wrong, in one line.
pub fn check(words: &[String]) -> Result<(), String> {
    Asked::parse(words).map(|_| ())
}

/// Runs the program with the arguments after its name.
#[must_use]
pub fn main(words: Vec<String>) -> ExitCode {
    if let Some(code) = children::play(&words) {
        return code;
    }
    match Asked::parse(&words) {
        Ok(Asked::Help) => {
            let _ = io::stdout().write_all(USAGE.as_bytes());
            ExitCode::SUCCESS
        }
        Ok(Asked::Run(args)) => play(&args),
        Err(line) => complain(&line, WRONG_ARGUMENT),
    }
}

fn complain(line: &str, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "market-day: {line}");
    ExitCode::from(code)
}

fn play(args: &Args) -> ExitCode {
    match play_in_directory(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(WRONG),
        Err(error) => complain(&error.to_string(), NOT_PLAYED),
    }
}

fn play_in_directory(args: &Args) -> Result<bool, DayError> {
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => fresh_directory(),
    };
    fs::create_dir_all(&dir).about(dir.display().to_string())?;
    let _alone = alone_in(&dir)?;
    let mut screen = Screen::new(args.language);
    let hint = words::kept_in(args.language, args.seed, args.payments, dir.display());
    let hint = screen.paint(Look::Dim, &hint);
    screen.line(&hint);
    let right = Day::open(args, &dir, screen)?.play(args.json.as_deref())?;
    if !right {
        let _ = writeln!(io::stderr(), "market-day: {}", words::not_right(args.language, dir.display()));
    } else if args.dir.is_none() {
        remove(&dir);
    }
    Ok(right)
}

/// Nobody else plays here. One that was killed a moment ago may take a moment to be gone.
fn alone_in(dir: &Path) -> Result<File, DayError> {
    for _ in 0..LOCK_TRIES {
        if let Ok(lock) = children::alone(&dir.join("day.lock"), false) {
            return Ok(lock);
        }
        thread::sleep(LOCK_PAUSE);
    }
    Err(DayError::Unfit(format!("another day is being played in {}", dir.display())))
}

fn fresh_directory() -> PathBuf {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    std::env::temp_dir().join(format!("market-day-{}-{since}", std::process::id()))
}

/// What cannot be removed lies in the system's directory for such things.
fn remove(dir: &Path) {
    let _ = fs::remove_dir_all(dir);
}
