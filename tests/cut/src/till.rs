//! The till as a process: JSON lines there and back.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::{During as _, Wrong};

/// A running till. Killed when dropped.
pub(crate) struct Till {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Till {
    /// Starts a till and waits until it is open.
    pub(crate) fn start(program: &Path, dir: &Path, acquirer: &str, seed: u64, now_ms: i64) -> Result<Self, Wrong> {
        let mut child = Command::new(program)
            .arg("--dir")
            .arg(dir)
            .args(["--acquirer", acquirer, "--seed", &seed.to_string(), "--now-ms", &now_ms.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .during(&program.display().to_string())?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Wrong("the till has no pipes".to_owned()));
        };
        let mut till = Self { child, input, output: BufReader::new(output) };
        let opened = till.hear()?;
        if opened["event"] == "opened" { Ok(till) } else { Err(Wrong(format!("the till does not open: {opened}"))) }
    }

    /// Asks and returns the answer, also a refusal.
    pub(crate) fn ask(&mut self, command: &Value) -> Result<Value, Wrong> {
        writeln!(self.input, "{command}").and_then(|()| self.input.flush()).during("the till")?;
        loop {
            let line = self.hear()?;
            if line.get("ok").is_some() {
                return Ok(line);
            }
        }
    }

    /// Asks for something that has to work.
    pub(crate) fn must(&mut self, command: &Value) -> Result<Value, Wrong> {
        let answer = self.ask(command)?;
        if answer["ok"] == true { Ok(answer) } else { Err(Wrong(format!("{command}: {answer}"))) }
    }

    /// Every payment it knows, newest first.
    pub(crate) fn payments(&mut self) -> Result<Vec<Value>, Wrong> {
        let (mut all, mut after) = (Vec::new(), Value::Null);
        loop {
            let mut page = self.must(&json!({"cmd": "payments", "limit": 200, "after": after}))?;
            if let Value::Array(payments) = page["payments"].take() {
                all.extend(payments);
            }
            after = page["next"].take();
            if after.is_null() {
                return Ok(all);
            }
        }
    }

    /// Lets it end in order.
    pub(crate) fn close(mut self) -> Result<(), Wrong> {
        self.must(&json!({"cmd": "shutdown"}))?;
        self.child.wait().during("the till")?;
        Ok(())
    }

    fn hear(&mut self) -> Result<Value, Wrong> {
        let mut line = String::new();
        if self.output.read_line(&mut line).during("the till")? == 0 {
            return Err(Wrong("the till ended".to_owned()));
        }
        serde_json::from_str(&line).during("the till's line")
    }
}

impl Drop for Till {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
