//! The other processes: this same program under another name. Each ends when its standard input closes.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use rustix::fs::{FlockOperation, flock};

use crate::error::{About, DayError};

/// The name under which this program is the acquirer.
pub(crate) const ACQUIRER: &str = "__acquirer";
/// The name under which this program is a till.
pub(crate) const TILL: &str = "__till";

/// Plays the part of a child, if `words` asks for one: the name, a file to lock, then the part's own arguments.
pub(crate) fn play(words: &[String]) -> Option<ExitCode> {
    let [name, lock, rest @ ..] = words else { return None };
    if name != ACQUIRER && name != TILL {
        return None;
    }
    // One that was orphaned a moment ago may still be at work here: wait until it is gone.
    let Ok(_lock) = alone(Path::new(lock), true) else { return Some(ExitCode::FAILURE) };
    let rest = rest.to_vec();
    Some(match name.as_str() {
        ACQUIRER => sandbox_acquirer::run(rest),
        _ => till_cli::run(rest, io::stdin().lock(), io::stdout().lock()),
    })
}

/// Takes the lock of this file; it lasts until the file is closed, at the latest with the process.
pub(crate) fn alone(path: &Path, wait: bool) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    flock(&file, if wait { FlockOperation::LockExclusive } else { FlockOperation::NonBlockingLockExclusive })?;
    Ok(file)
}

/// A running child with its two ends.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) input: ChildStdin,
    pub(crate) output: ChildStdout,
}

/// This very program, also if its file was replaced since.
fn this_program() -> Result<PathBuf, DayError> {
    let running = Path::new("/proc/self/exe");
    if running.exists() { Ok(running.to_owned()) } else { std::env::current_exe().about("this program") }
}

/// Starts this program as `name`, with its lock file and its standard error in `dir`.
pub(crate) fn start(name: &str, dir: &Path, words: &[String]) -> Result<Running, DayError> {
    let short = name.trim_start_matches('_');
    let complaints = dir.join(format!("{short}.log"));
    let complaints =
        OpenOptions::new().create(true).append(true).open(&complaints).about(complaints.display().to_string())?;
    let mut child = Command::new(this_program()?)
        .arg(name)
        .arg(dir.join(format!("{short}.lock")))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(complaints)
        .spawn()
        .about(short)?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(input), Some(output)) => Ok(Running { child, input, output }),
        _ => Err(DayError::Child(format!("{short}: no pipes"))),
    }
}
