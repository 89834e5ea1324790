//! Plays days at the market through the exports of takings-ffi; see README.md.
//!
//! * [`mod@file`]: what a day may say. [`pattern`]: what is expected. [`plain`]: what the exports give, as JSON.
//! * [`day`]: a day while it is played. [`steps`]: what each step does.

mod day;
mod file;
mod pattern;
mod plain;
mod steps;

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

/// Where the days and their form are.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Why a day has no result.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The file is not a day.
    NoDay(String),
    /// The day is not as it says.
    Wrong(String),
}

impl Trouble {
    /// Says where.
    pub(crate) fn at(self, place: &str) -> Self {
        match self {
            Self::NoDay(what) => Self::NoDay(format!("{place}: {what}")),
            Self::Wrong(what) => Self::Wrong(format!("{place}: {what}")),
        }
    }
}

/// As much of it as a line of an error bears.
pub(crate) fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The file does not lie, but this machine does not do what it should.
pub(crate) fn machine(error: impl ToString) -> Trouble {
    Trouble::Wrong(error.to_string())
}

fn read(path: &Path) -> Result<Value, Trouble> {
    let text = fs::read_to_string(path).map_err(|error| Trouble::NoDay(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| Trouble::NoDay(error.to_string()))
}

fn play(path: &Path) -> Result<Value, Trouble> {
    let (schema, always) =
        (read(&Path::new(HERE).join("day.schema.json"))?, read(&Path::new(HERE).join("always.json"))?);
    let said = read(path)?;
    file::check(&schema, &said)?;
    let dir = tempfile::tempdir().map_err(machine)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(machine)?;
    let mut result = runtime.block_on(day::play(&said, &always, &dir.path().to_string_lossy()))?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    result.insert("day".into(), name.into());
    Ok(result.into())
}

fn days() -> io::Result<Vec<PathBuf>> {
    let asked: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    if !asked.is_empty() {
        return Ok(asked);
    }
    let mut all = Vec::new();
    for entry in fs::read_dir(Path::new(HERE).join("days"))? {
        all.push(entry?.path());
    }
    all.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    all.sort();
    Ok(all)
}

fn main() -> io::Result<ExitCode> {
    let mut code = 0;
    for path in days()? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match play(&path) {
            // A JSON object of this library is sorted by its members' names.
            Ok(result) => writeln!(io::stdout(), "{result}")?,
            Err(Trouble::Wrong(what)) => {
                code = code.max(1);
                writeln!(io::stderr(), "{name}: {what}")?;
            }
            Err(Trouble::NoDay(what)) => {
                code = 2;
                writeln!(io::stderr(), "{name}: {what}")?;
            }
        }
    }
    Ok(ExitCode::from(code))
}
