//! The till as a process: JSON lines there and back.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout};

use serde_json::{Value, json};
use takings_till::texts::Language;

use crate::children::{self, TILL};
use crate::error::{About, DayError};

/// A running till.
pub(crate) struct Till {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What came back from one command.
#[derive(Debug, Clone)]
pub(crate) enum Heard {
    /// Something on the way to the answer.
    Event(Value),
    /// The answer.
    Answer(Value),
}

impl Till {
    /// Starts a till at this time and waits until it is open.
    pub(crate) fn start(
        dir: &Path,
        acquirer: &str,
        seed: u64,
        now_ms: i64,
        language: Language,
    ) -> Result<Self, DayError> {
        let ledger_dir = dir.join("till").display().to_string();
        let (now_ms, seed) = (now_ms.to_string(), seed.to_string());
        let tag = match language {
            Language::Zh => "zh",
            Language::En => "en",
        };
        let words = ["--dir", &ledger_dir, "--acquirer", acquirer, "--now-ms", &now_ms, "--seed", &seed, "--lang", tag];
        let running = children::start(TILL, dir, &words.map(str::to_owned))?;
        let mut till = Self { child: running.child, input: running.input, output: BufReader::new(running.output) };
        match till.hear()? {
            Heard::Event(event) if event["event"] == "opened" => Ok(till),
            Heard::Event(line) | Heard::Answer(line) => Err(DayError::Child(format!("the till does not open: {line}"))),
        }
    }

    /// Sends a command; its answer is heard later.
    pub(crate) fn say(&mut self, command: &Value) -> Result<(), DayError> {
        writeln!(self.input, "{command}").and_then(|()| self.input.flush()).about("the till")
    }

    /// The next line.
    pub(crate) fn hear(&mut self) -> Result<Heard, DayError> {
        let mut line = String::new();
        if self.output.read_line(&mut line).about("the till")? == 0 {
            return Err(DayError::Child("the till ended; see till.log".to_owned()));
        }
        let line: Value = serde_json::from_str(&line).about("the till's line")?;
        Ok(if line.get("event").is_some() { Heard::Event(line) } else { Heard::Answer(line) })
    }

    /// SIGKILL: nothing is said, nothing is put away.
    pub(crate) fn kill(mut self) -> Result<(), DayError> {
        self.child.kill().about("the till")?;
        self.child.wait().about("the till")?;
        Ok(())
    }

    /// Lets it end in order.
    pub(crate) fn close(mut self) -> Result<(), DayError> {
        self.say(&json!({"cmd": "shutdown"}))?;
        while let Heard::Event(_) = self.hear()? {}
        self.child.wait().about("the till")?;
        Ok(())
    }
}
