//! The program as somebody runs it: whole days, other people's acquirers, kills; and the till with everything that can
//! happen between card and link.

#![expect(clippy::unwrap_used, reason = "a test that cannot start its processes may panic")]

mod days;
mod languages;
mod links;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_market-day");

/// A directory that is gone at the end of the test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.0.join(name)).unwrap()).unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn day(words: &[&str]) -> Output {
    Command::new(PROGRAM).args(words).env_remove("NO_COLOR").output().unwrap()
}

/// The sandbox, started as the day starts it.
struct Acquirer {
    child: Child,
    url: String,
}

impl Acquirer {
    fn start(dir: &Dir) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["__acquirer", &dir.path("acquirer.lock")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        Self { child, url: said["listening"].as_str().unwrap().to_owned() }
    }

    fn admin(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = std::net::TcpStream::connect(self.url.trim_start_matches("http://")).unwrap();
        let body = body.to_string();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Acquirer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A till of the same program; activated and signed on.
struct Till {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Till {
    fn ready(dir: &Dir, acquirer: &Acquirer) -> Self {
        let code = acquirer.admin("POST", "/admin/activation-codes", &json!({}));
        let mut till = Self::start(&dir.0, &acquirer.url);
        till.must(&json!({"cmd": "activate", "code": code["activation_code"]}));
        till.must(&json!({"cmd": "sign_on"}));
        till
    }

    fn start(dir: &Path, url: &str) -> Self {
        Self::start_with(dir, url, &[])
    }

    fn start_with(dir: &Path, url: &str, more: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .arg("__till")
            .arg(dir.join("till.lock"))
            .arg("--dir")
            .arg(dir.join("till"))
            .args(["--acquirer", url])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut opened = String::new();
        lines.read_line(&mut opened).unwrap();
        assert!(opened.contains("\"opened\""), "{opened}");
        Self { child, lines }
    }

    /// The events on the way, and the answer.
    fn ask(&mut self, command: &Value) -> (Vec<Value>, Value) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{command}").unwrap();
        let mut events = Vec::new();
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).unwrap();
            let line: Value = serde_json::from_str(&line).unwrap();
            if line.get("ok").is_some() {
                return (events, line);
            }
            events.push(line);
        }
    }

    fn must(&mut self, command: &Value) -> Value {
        let (_, answer) = self.ask(command);
        assert_eq!(answer["ok"], true, "{command}: {answer}");
        answer
    }
}

impl Drop for Till {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
