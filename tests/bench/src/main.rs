//! Measures everything and prints the table.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use takings_bench::history::Life;
use takings_bench::table::Table;
use takings_bench::{Outcome, capture, disk, drain, lists, machine, openings, readers, syncs};

const USAGE: &str = "takings-bench [PART …] [--dir DIR] [--small]

  PART    capture, readers, lists, openings, drain, disk, peers (with that feature); default: all
          profile: what SQLite does in a capture and a drain; anatomy: what lies in the file
  --dir   where ledgers and comparisons are written, on the disk to measure (default target/bench)
  --payments N
          length of the long history (default 1000000)
  --small a thousandth of the work: to see that it runs
";

struct Asked {
    parts: Vec<String>,
    dir: PathBuf,
    payments: u64,
    small: bool,
}

fn main() -> ExitCode {
    let mut table = Table;
    match parse(std::env::args().skip(1)) {
        Ok(asked) => match run(&mut table, &asked) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                table.note(&format!("stopped: {error}"));
                ExitCode::FAILURE
            }
        },
        Err(text) => {
            table.note(&text);
            ExitCode::from(2)
        }
    }
}

fn parse(words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked { parts: Vec::new(), dir: PathBuf::from("target/bench"), payments: 1_000_000, small: false };
    let mut words = words;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--dir" => asked.dir = words.next().ok_or("--dir: a value is missing")?.into(),
            "--payments" => {
                let value = words.next().ok_or("--payments: a value is missing")?;
                asked.payments = value.parse().map_err(|_| format!("--payments {value}: not a number"))?;
            }
            "--small" => asked.small = true,
            "capture" | "readers" | "lists" | "openings" | "drain" | "disk" | "peers" | "profile" | "anatomy" => {
                asked.parts.push(word)
            }
            _ => return Err(format!("{word}?\n\n{USAGE}")),
        }
    }
    if asked.parts.is_empty() {
        let usual = ["capture", "readers", "lists", "openings", "drain", "disk"]
            .iter()
            .chain(cfg!(feature = "peers").then_some(&"peers"));
        asked.parts = usual.map(|part| (*part).to_owned()).collect();
    }
    Ok(asked)
}

fn run(table: &mut Table, asked: &Asked) -> Outcome<()> {
    std::fs::create_dir_all(&asked.dir)?;
    let dir = asked.dir.canonicalize()?;
    for line in machine::describe(&dir) {
        table.note(&line);
    }
    if !syncs::are_ours()? {
        table.note("Sync calls are not counted on this system, and no 2 ms sync call can be made.");
    }
    for part in &asked.parts {
        measure(table, part, &dir, asked)?;
    }
    Ok(())
}

fn measure(table: &mut Table, part: &str, dir: &Path, asked: &Asked) -> Outcome<()> {
    let small = asked.small;
    let ram = Path::new("/dev/shm");
    match part {
        "capture" => {
            let ram = (ram.is_dir() && syncs::are_ours()?).then_some(ram);
            capture::run(table, dir, ram, if small { 40 } else { 1_500 })
        }
        "readers" => readers::run(table, if small { 20 } else { 1_000 }, if small { 3 } else { 51 }),
        "lists" => [1_000, if small { 2_000 } else { asked.payments }].into_iter().try_for_each(|payments| {
            let ledger = lists::prepared(dir, payments, table)?;
            lists::run(table, &ledger, payments, if small { 10 } else { 500 })
        }),
        "openings" => {
            let ledger = lists::prepared(dir, 1_000, table)?;
            openings::run(table, &ledger)
        }
        "drain" => drain::run(table, dir, if small { 100 } else { 10_000 }, if small { 1 } else { 3 }),
        "disk" => disk::run(table, if small { 500 } else { 10_000 }),
        "profile" => drain::profile(table, dir, if small { 200 } else { 10_000 }),
        "anatomy" => [Life::SixEvents, Life::Whole]
            .into_iter()
            .try_for_each(|life| disk::anatomy(table, if small { 1_000 } else { 20_000 }, life)),
        #[cfg(feature = "peers")]
        "peers" => takings_bench::peers::run(table, dir, if small { 40 } else { 1_000 }),
        other => Err(format!("{other}: not in this build; see README").into()),
    }
}
