//! What the tests do not do by themselves.
//!
//! `takings-fuzz try TARGET FILE…`: these inputs through a target, one after the other; a panic names what it found.
//! `takings-fuzz days FROM TO [TIMES] [SEED]`: days at the market of the folder FROM, each changed in a few places, into TO.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use takings_fuzz::mutation::{Chance, changed_json};
use takings_fuzz::{TARGETS, Target};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ended = match words[..] {
        ["try", target, ref files @ ..] => try_files(target, files),
        ["days", from, to, ref numbers @ ..] => days(Path::new(from), Path::new(to), numbers),
        _ => Err(io::Error::other("try TARGET FILE… | days FROM TO [TIMES] [SEED]")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "takings-fuzz: {error}");
            ExitCode::from(2)
        }
    }
}

fn try_files(name: &str, files: &[&str]) -> io::Result<()> {
    let target: Target = TARGETS
        .iter()
        .find(|(known, ..)| *known == name)
        .map(|(_, target, ..)| *target)
        .ok_or_else(|| io::Error::other(format!("no target is called {name}")))?;
    for file in files {
        target(&std::fs::read(file)?);
        writeln!(io::stdout(), "{file}: nothing found")?;
    }
    Ok(())
}

fn days(from: &Path, to: &Path, numbers: &[&str]) -> io::Result<()> {
    let number = |at: usize, usual: u64| match numbers.get(at) {
        Some(text) => text.parse().map_err(|_| io::Error::other(format!("{text} is no number"))),
        None => Ok(usual),
    };
    let (times, seed) = (number(0, 200)?, number(1, 1)?);
    let mut files: Vec<PathBuf> = std::fs::read_dir(from)?.map(|file| Ok(file?.path())).collect::<io::Result<_>>()?;
    files.sort();
    let mut chance = Chance::new(seed);
    for n in 0..times {
        let file = files.get(chance.below(files.len())).ok_or_else(|| io::Error::other("no days"))?;
        let day = changed_json(&std::fs::read(file)?, &mut chance).map_err(io::Error::other)?;
        std::fs::write(to.join(format!("changed-{seed}-{n:04}.json")), day)?;
    }
    Ok(())
}
