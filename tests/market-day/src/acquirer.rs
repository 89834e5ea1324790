//! The acquirer: a process of our own that can be stopped, or somebody else's; and its administration.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;

use serde_json::{Value, json};

use crate::args::External;
use crate::children::{self, ACQUIRER, Running};
use crate::error::{About, DayError};
use crate::http;

/// The acquirer of this day.
pub(crate) struct Acquirer {
    source: Source,
    up: bool,
}

enum Source {
    Own { dir: PathBuf, seed: u64, running: Option<(Child, std::process::ChildStdin, String)> },
    External(External),
}

impl Acquirer {
    /// The acquirer, not yet started.
    pub(crate) fn new(dir: &Path, seed: u64, external: Option<External>) -> Self {
        let source = match external {
            Some(external) => Source::External(external),
            None => Source::Own { dir: dir.to_path_buf(), seed, running: None },
        };
        Self { source, up: false }
    }

    /// Whether it can be asked.
    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    /// Starts it where it is ours: it goes on from its journal.
    pub(crate) fn start(&mut self, now_ms: i64) -> Result<(), DayError> {
        if let Source::Own { dir, seed, running } = &mut self.source
            && running.is_none()
        {
            let journal = dir.join("acquirer.journal").display().to_string();
            let (now, seed) = (now_ms.to_string(), seed.to_string());
            let words = ["--journal", &journal, "--now-ms", &now, "--seed", &seed].map(str::to_owned);
            let Running { child, input, output } = children::start(ACQUIRER, dir, &words)?;
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line).about("the acquirer")?;
            let listening: Value = serde_json::from_str(&line)
                .map_err(|_| DayError::Child("the acquirer does not start; see acquirer.log".to_owned()))?;
            let url = listening["listening"].as_str().unwrap_or_default().to_owned();
            *running = Some((child, input, url));
        }
        self.up = true;
        self.clock(now_ms)
    }

    /// Stops it where it is ours. A call from anywhere is refused from then on.
    pub(crate) fn stop(&mut self) -> Result<(), DayError> {
        self.up = false;
        if let Source::Own { running, .. } = &mut self.source
            && let Some((mut child, input, url)) = running.take()
        {
            drop(input);
            child.wait().about("the acquirer")?;
            if TcpStream::connect(http::address(&url)?).is_ok() {
                return Err(DayError::Child("the acquirer was stopped and still answers".to_owned()));
            }
        }
        Ok(())
    }

    /// Whether it is a process of ours.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.source, Source::Own { .. })
    }

    /// Its base address, while it runs.
    pub(crate) fn url(&self) -> &str {
        match &self.source {
            Source::Own { running, .. } => running.as_ref().map_or("", |(_, _, url)| url),
            Source::External(external) => &external.url,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Result<SocketAddr, DayError> {
        http::address(self.url())
    }

    /// Asks its administration.
    pub(crate) fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, DayError> {
        let base = match &self.source {
            Source::Own { .. } => self.url(),
            Source::External(external) => &external.admin,
        };
        http::ask(base, method, path, body)
    }

    /// Moves its clock, with everything that is due until then. A clock that is further already stays.
    pub(crate) fn clock(&self, now_ms: i64) -> Result<(), DayError> {
        match self.admin("PUT", "/admin/clock", Some(&json!({"now_ms": now_ms}))) {
            Err(DayError::Admin { status: 409, body, .. }) => Err(DayError::Unfit(format!(
                "the acquirer's clock is past this day already; it must be fresh ({body})"
            ))),
            other => other.map(|_| ()),
        }
    }
}
