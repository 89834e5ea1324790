//! From the command line to the last line.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use takings_till::Till;

use crate::answer::Refused;
use crate::args::{Asked, USAGE};
use crate::session::Session;

/// Whether these arguments, after the program's name, are ones it takes.
///
/// # Errors
/// What is wrong, in one line.
pub fn check(words: impl IntoIterator<Item = String>) -> Result<(), String> {
    Asked::parse(words).map(|_| ())
}

/// Runs a till: `words` are the arguments after the program's name. Ends when `input` ends or after `shutdown`.
///
/// Exit code 0 after a shutdown or the end of `input`, 1 if the till could not be opened or closed, 2 for a wrong
/// argument.
pub fn run(words: impl IntoIterator<Item = String>, input: impl BufRead, mut output: impl Write) -> ExitCode {
    let args = match Asked::parse(words) {
        Ok(Asked::Run(args)) => args,
        Ok(Asked::Help) => {
            let _ = output.write_all(USAGE.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(line) => {
            let _ = writeln!(std::io::stderr(), "till-cli: {line}");
            return ExitCode::from(2);
        }
    };
    if args.begin_anew {
        let line = match Till::begin_anew(&args.ledger_dir()) {
            Ok(stake) => serde_json::json!({"ok": true, "begun_anew": stake}),
            Err(error) => serde_json::json!({"ok": false, "error": Refused::from(error).to_json()}),
        };
        let _ = writeln!(output, "{line}");
        if line["ok"] != true {
            return ExitCode::FAILURE;
        }
    }
    let opened = Session::open(&args, input, &mut output);
    let ended = match opened {
        Ok(session) => session.serve(),
        Err(refused) => {
            let mut line = serde_json::json!({"ok": false, "error": refused.to_json()});
            if let Ok(Some(stake)) = Till::at_stake(&args.ledger_dir()) {
                line["at_stake"] = serde_json::json!(stake);
            }
            let _ = writeln!(output, "{line}");
            Err(refused)
        }
    };
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
