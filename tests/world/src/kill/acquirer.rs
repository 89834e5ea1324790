//! The acquirer's process and its administration: one request a connection, JSON both ways.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{About as _, KillError, Programs};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A sandbox that keeps a journal: killed and started again, it is where it was, at another address.
pub(super) struct Acquirer {
    program: PathBuf,
    journal: PathBuf,
    child: Child,
    alive: bool,
    /// Closed, it ends; so it never outlives the test.
    _input: Option<ChildStdin>,
    pub(super) url: String,
}

impl Acquirer {
    pub(super) fn start(programs: &Programs, dir: &Path, seed: u64, now_ms: i64) -> Result<Self, KillError> {
        let journal = dir.join("acquirer.jsonl");
        let first = ["--seed".to_owned(), seed.to_string(), "--now-ms".to_owned(), now_ms.to_string()];
        let (child, input, url) = open(&programs.acquirer, &journal, &first)?;
        Ok(Self { program: programs.acquirer.clone(), journal, child, alive: true, _input: input, url })
    }

    /// SIGKILL; nobody answers until [`Acquirer::start_again`].
    pub(super) fn kill(&mut self) -> Result<(), KillError> {
        self.alive = false;
        self.child.kill().about("killing the acquirer")?;
        self.child.wait().about("the acquirer's end").map(|_| ())
    }

    pub(super) fn start_again(&mut self) -> Result<(), KillError> {
        let (child, input, url) = open(&self.program, &self.journal, &[])?;
        (self.child, self.alive, self._input, self.url) = (child, true, input, url);
        Ok(())
    }

    /// Moves its clock; whatever is due until then happens. A dead one's stands still.
    pub(super) fn clock(&self, now_ms: i64) -> Result<(), KillError> {
        if !self.alive {
            return Ok(());
        }
        self.admin("PUT", "/admin/clock", &json!({"now_ms": now_ms})).map(|_| ())
    }

    pub(super) fn book(&self) -> Result<Value, KillError> {
        self.admin("GET", "/admin/ledger", &Value::Null)
    }

    pub(super) fn admin(&self, method: &str, path: &str, body: &Value) -> Result<Value, KillError> {
        let host = self.url.trim_start_matches("http://");
        let about = || format!("{method} {path}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(host).about(about())?;
        stream.set_read_timeout(Some(TIMEOUT)).about(about())?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).about(about())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).about(about())?;
        parse(&answer).ok_or_else(|| {
            KillError::Unfit(format!(
                "{method} {path}: {}",
                String::from_utf8_lossy(answer.get(..300).unwrap_or(&answer))
            ))
        })
    }
}

impl Drop for Acquirer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn open(program: &Path, journal: &Path, more: &[String]) -> Result<(Child, Option<ChildStdin>, String), KillError> {
    let mut child = Command::new(program)
        .arg("--journal")
        .arg(journal)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .about(program.display().to_string())?;
    let input = child.stdin.take();
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line).about("the acquirer's first line")?;
    }
    let said: Value = serde_json::from_str(&line).unwrap_or_default();
    match said.get("listening").and_then(Value::as_str) {
        Some(url) => Ok((child, input, url.to_owned())),
        None => Err(KillError::Unfit(format!("the acquirer does not start: {line}"))),
    }
}

/// The body of a good answer.
fn parse(answer: &[u8]) -> Option<Value> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let status: u16 = head.lines().next()?.split(' ').nth(1)?.parse().ok()?;
    if !(200..300).contains(&status) {
        return None;
    }
    serde_json::from_slice(answer.get(end + 4..)?).ok()
}
