//! One process of `till-cli`. Whole lines it said before it died are still heard; a torn one was not said.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{About as _, KillError, Trouble};

/// Longer than anything takes here, also on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a till is started.
pub(super) struct Start<'a> {
    pub(super) program: &'a Path,
    pub(super) dir: &'a Path,
    pub(super) url: &'a str,
    pub(super) now_ms: i64,
    pub(super) seed: u64,
    pub(super) key: Option<&'a str>,
    /// Another program in front, with its arguments: strace.
    pub(super) under: &'a [OsString],
    /// When it is killed, if it is.
    pub(super) dies: Option<Dies>,
}

/// When a till is killed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dies {
    /// So long after its start: it may still be opening.
    AfterStart(Duration),
    /// So long after it said that it is open.
    AfterOpening(Duration),
}

/// See the module.
pub(super) struct Till {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    helpers: Vec<JoinHandle<()>>,
    /// Payments it called saved.
    pub(super) saved: Vec<String>,
}

/// What a till did.
pub(super) enum Heard {
    /// Its answer.
    Answer(Value),
    /// It died before.
    Dead,
}

impl Till {
    /// Starts one and waits until it says that it is open, or dies.
    pub(super) fn start(how: &Start<'_>) -> Result<(Self, bool), Trouble> {
        let mut words = how.under.to_vec();
        words.push(how.program.into());
        let numbers = [how.now_ms.to_string(), how.seed.to_string()];
        words.extend(["--dir".into(), how.dir.into(), "--acquirer".into(), how.url.into()]);
        words.extend(["--now-ms".into(), (&numbers[0]).into(), "--seed".into(), (&numbers[1]).into()]);
        if let Some(key) = how.key {
            words.extend(["--key".into(), key.into()]);
        }
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .about(words[0].to_string_lossy())?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(KillError::Unfit("a till without pipes".to_owned()).into());
        };
        let (said, lines) = channel();
        let helpers = vec![std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = String::new();
            while output.read_line(&mut line).is_ok_and(|read| read > 0) && line.ends_with('\n') {
                if said.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        })];
        let mut till = Self { child, input, lines, helpers, saved: Vec::new() };
        if let Some(Dies::AfterStart(after)) = how.dies {
            till.die(after);
        }
        match till.hear()? {
            Some(line) if line.get("event").is_some_and(|event| event == "opened") => {
                if let Some(Dies::AfterOpening(after)) = how.dies {
                    till.die(after);
                }
                Ok((till, true))
            }
            Some(line) => Err(Trouble::Wrong(format!("the till does not open: {line}"))),
            None => Ok((till, false)),
        }
    }

    fn die(&mut self, after: Duration) {
        let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return };
        // Until it is waited for, which is after this thread's end, its number is nobody else's.
        self.helpers.push(std::thread::spawn(move || {
            std::thread::sleep(after);
            let _ = kill_process(pid, Signal::KILL);
        }));
    }

    /// Sends a command and hears it out.
    pub(super) fn ask(&mut self, command: &Value) -> Result<Heard, Trouble> {
        // A dead till does not take it; what it said before is still to be read.
        let _ = self.input.write_all(format!("{command}\n").as_bytes());
        while let Some(line) = self.hear()? {
            if line.get("event").is_some_and(|event| event == "saved")
                && let Some(id) = line.get("payment_id").and_then(Value::as_str)
            {
                self.saved.push(id.to_owned());
            }
            // It stands still where it was asked to: it dies there.
            if line.get("event").is_some_and(|event| event == "holding") {
                self.child.kill().about("the till")?;
            }
            if line.get("ok").is_some() {
                return Ok(Heard::Answer(line));
            }
        }
        Ok(Heard::Dead)
    }

    fn hear(&mut self) -> Result<Option<Value>, Trouble> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => serde_json::from_str(&line).map(Some).map_err(|_| Trouble::Wrong(format!("no JSON: {line}"))),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                let _ = self.child.kill();
                Err(Trouble::Wrong("the till does not answer".to_owned()))
            }
        }
    }

    /// Waits for its end; true if it was killed. An end of its own that is not in order is wrong.
    pub(super) fn bury(mut self) -> Result<bool, Trouble> {
        drop(self.input);
        for helper in self.helpers {
            let _ = helper.join();
        }
        let status = self.child.wait().about("the till's end")?;
        let killed = status.signal() == Some(Signal::KILL.as_raw());
        if killed || status.success() {
            Ok(killed)
        } else {
            Err(Trouble::Wrong(format!("the till ended with {status}")))
        }
    }
}
