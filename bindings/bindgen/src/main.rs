//! `takings-bindgen OUT_DIR [--accept] [--planted]`: builds the library, makes Kotlin, Swift and Python from it, and holds
//! its face against the committed one.
//!
//! * [`build`]: the library and the generated code. [`face`]: names and signatures as text. [`rules`]: what may not cross.

mod build;
mod face;
mod rules;

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Write as _};
use std::process::ExitCode;

use camino::Utf8PathBuf;

/// The committed face of the library.
const FACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/face.txt");
const USAGE: &str = "takings-bindgen OUT_DIR [--accept] [--planted]

Builds takings-ffi, writes OUT_DIR/kotlin, OUT_DIR/swift and OUT_DIR/python (each with what it needs to be used, the
library included), and checks the public face: its rules, and that it is the one in bindings/bindgen/face.txt.

  --accept   the face is meant to be what it is now: writes face.txt
  --planted  with the exports that fail on purpose, for tests; the face is not compared";

struct Args {
    out: Utf8PathBuf,
    accept: bool,
    planted: bool,
}

fn args() -> Option<Args> {
    let mut found = Args { out: Utf8PathBuf::new(), accept: false, planted: false };
    for word in env::args().skip(1) {
        match word.as_str() {
            "--accept" => found.accept = true,
            "--planted" => found.planted = true,
            flag if flag.starts_with('-') => return None,
            path if found.out.as_str().is_empty() => found.out = path.into(),
            _ => return None,
        }
    }
    (!found.out.as_str().is_empty()).then_some(found)
}

fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    let mut said = io::stdout().lock();
    let library = build::library(args.planted)?;
    let interface = build::interface(&library)?;
    build::languages(&library, &args.out)?;
    writeln!(said, "written: {}/kotlin, swift, python", args.out)?;

    let mut sound = true;
    let broken = rules::broken(&interface);
    for line in &broken {
        sound = false;
        writeln!(said, "BROKEN  {line}")?;
    }
    let exports = face::exports(&interface);
    writeln!(said, "exports: {exports} of at most {}", rules::MOST_EXPORTS)?;
    if args.planted {
        return Ok(sound);
    }
    let now = face::text(&interface);
    let before = fs::read_to_string(FACE).unwrap_or_default();
    if now == before {
        writeln!(said, "the face is the accepted one")?;
    } else if args.accept {
        fs::write(FACE, &now)?;
        writeln!(said, "the face is accepted: bindings/bindgen/face.txt")?;
    } else {
        sound = false;
        writeln!(said, "BROKEN  the face changed; `--accept` if that is meant")?;
        for line in before.lines().filter(|line| !now.lines().any(|other| other == *line)) {
            writeln!(said, "  - {line}")?;
        }
        for line in now.lines().filter(|line| !before.lines().any(|other| other == *line)) {
            writeln!(said, "  + {line}")?;
        }
    }
    Ok(sound)
}

fn main() -> ExitCode {
    let outcome = match args() {
        None => Err(USAGE.into()),
        Some(args) => run(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // There is nowhere else to say it.
            drop(writeln!(io::stderr(), "{error}"));
            ExitCode::from(2)
        }
    }
}
