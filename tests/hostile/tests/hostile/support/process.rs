//! A till in a process of its own: lines in, lines out.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::acquirer::START_MS;

/// The command that starts a till in `dir`.
pub(crate) fn till_process(dir: &Path, url: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostile"));
    command.arg("--dir").arg(dir).args(["--acquirer", url, "--now-ms", &START_MS.to_string()]).args(more);
    if cfg!(feature = "sqlcipher") && !more.contains(&"--key") {
        command.args(["--key", &"5c".repeat(32)]);
    }
    command
}

/// The running process. Dropped, it is killed.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// The next line, none at the end.
    pub(crate) fn hear(&mut self) -> Option<Value> {
        let mut line = String::new();
        (self.output.read_line(&mut line).unwrap() > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    /// Writes bytes as they are, with a line's end, and hears the answer out.
    pub(crate) fn say(&mut self, line: &[u8]) -> Value {
        let input = self.input.as_mut().unwrap();
        input.write_all(line).unwrap();
        input.write_all(b"\n").unwrap();
        input.flush().unwrap();
        loop {
            let line = self.hear().unwrap_or_else(|| panic!("the till is gone"));
            if line.get("ok").is_some() {
                return line;
            }
        }
    }

    pub(crate) fn ask(&mut self, line: &Value) -> Value {
        self.say(line.to_string().as_bytes())
    }

    /// A command that has to work.
    pub(crate) fn must(&mut self, line: &Value) -> Value {
        let answer = self.ask(line);
        assert_eq!(answer["ok"], true, "{line}: {answer}");
        answer
    }

    pub(crate) fn charge(&mut self, amount_minor: i64, mode: &str) -> Value {
        self.ask(&json!({"cmd": "charge", "amount_minor": amount_minor, "mode": mode, "card": {"last_four": "1234"}}))
    }

    /// Ends the input; what was said until the end, on standard error too, and the exit code.
    pub(crate) fn end(mut self) -> (Vec<Value>, String, Option<i32>) {
        drop(self.input.take());
        let mut lines = Vec::new();
        while let Some(line) = self.hear() {
            lines.push(line);
        }
        let mut stderr = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut stderr).unwrap();
        (lines, stderr, self.child.wait().unwrap().code())
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
