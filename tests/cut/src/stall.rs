//! One stall: an acquirer, a line to it, and a folder for tills.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use relay::{Exchange, Mode, Relay};
use serde_json::{Value, json};

use crate::args::Args;
use crate::plan::{Lengths, Target};
use crate::till::Till;
use crate::{During as _, Wrong, admin};

/// Where the clocks start: Saturday 2026-11-21, 08:00 in Shanghai, milliseconds UTC.
pub(crate) const START_MS: i64 = 1_795_219_200_000;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Answer,
    Request,
}

/// The parts but for the till. Everything ends and is removed with it.
pub(crate) struct Stall {
    sandbox: Child,
    address: SocketAddr,
    relay: Relay,
    dir: PathBuf,
    till_program: PathBuf,
}

impl Stall {
    /// Starts an acquirer and the line to it.
    pub(crate) fn open(args: &Args) -> Result<Self, Wrong> {
        let dir = fresh_dir(&args.dir)?;
        let mut sandbox = Command::new(&args.sandbox)
            .args(["--now-ms", &START_MS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .during(&args.sandbox.display().to_string())?;
        let mut line = String::new();
        if let Some(output) = sandbox.stdout.take() {
            BufReader::new(output).read_line(&mut line).during("the acquirer")?;
        }
        let said: Value = serde_json::from_str(&line).during("the acquirer's line")?;
        let url = said["listening"].as_str().unwrap_or_default();
        let address = url.trim_start_matches("http://").parse().during("the acquirer's address")?;
        let relay = Relay::start(address).during("the relay")?;
        Ok(Self { sandbox, address, relay, dir, till_program: args.till.clone() })
    }

    /// A till of this stall in the folder `name`.
    pub(crate) fn till(&self, name: &str, seed: u64, now_ms: i64) -> Result<Till, Wrong> {
        Till::start(&self.till_program, &self.dir.join(name), &self.relay.url(), seed, now_ms)
    }

    /// A new till, activated and signed on.
    pub(crate) fn new_till(&self, name: &str) -> Result<Till, Wrong> {
        let mut till = self.till(name, 1, START_MS)?;
        let code = self.admin("POST", "/admin/activation-codes", &json!({}))?;
        till.must(&json!({"cmd": "activate", "code": code["activation_code"]}))?;
        till.must(&json!({"cmd": "sign_on"}))?;
        Ok(till)
    }

    /// Asks the acquirer's administration.
    pub(crate) fn admin(&self, method: &str, path: &str, body: &Value) -> Result<Value, Wrong> {
        admin::ask(self.address, method, path, Some(body))
    }

    /// The acquirer's book.
    pub(crate) fn book(&self) -> Result<Value, Wrong> {
        admin::ask(self.address, "GET", "/admin/ledger", None)
    }

    /// The acquirer's next request of this kind goes wrong once.
    pub(crate) fn fault(&self, on: &str, kind: &str) -> Result<(), Wrong> {
        self.admin("POST", "/admin/faults", &json!({"on": on, "kind": kind, "count": 1})).map(drop)
    }

    /// Time passes at both ends.
    pub(crate) fn pass(&self, till: &mut Till, ms: i64) -> Result<(), Wrong> {
        self.admin("PUT", "/admin/clock", &json!({"advance_ms": ms}))?;
        till.must(&json!({"cmd": "advance", "ms": ms})).map(drop)
    }

    /// Each of these is cut once after so many bytes, when it comes by; without a place they are only watched.
    pub(crate) fn arm(&self, targets: &[Target], place: Option<(Way, usize)>) -> Result<(), Wrong> {
        let aims: Vec<_> = targets.iter().map(|target| (target.method, target.path)).collect();
        let times = u32::try_from(aims.len()).unwrap_or(0);
        self.relay.aim(&aims);
        let mode = match place {
            None => Mode::Pass,
            Some((Way::Answer, after_bytes)) => Mode::CutAnswer { after_bytes, times },
            Some((Way::Request, after_bytes)) => Mode::CutRequest { after_bytes, times },
        };
        self.relay.set_mode(mode).during("the relay")
    }

    /// The line is good again. Returns what was aimed at and came by.
    pub(crate) fn disarm(&self) -> Result<Vec<Exchange>, Wrong> {
        let seen = self.relay.seen();
        self.relay.aim(&[]);
        self.relay.set_mode(Mode::Pass).during("the relay")?;
        Ok(seen)
    }

    /// Copies a till that does not run.
    pub(crate) fn copy(&self, from: &str, to: &str) -> Result<(), Wrong> {
        copy_dir(&self.dir.join(from), &self.dir.join(to)).during("copying a till")
    }

    /// Removes a till that does not run.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Wrong> {
        std::fs::remove_dir_all(self.dir.join(name)).during("removing a till")
    }
}

/// The lengths of each target, as far as it came by.
pub(crate) fn lengths(targets: &[Target], seen: &[Exchange]) -> Vec<Lengths> {
    let mut lengths = vec![Lengths::default(); targets.len()];
    for exchange in seen {
        if let Some(lengths) = lengths.get_mut(exchange.aim) {
            lengths.request = lengths.request.max(exchange.request_bytes);
            lengths.answer = lengths.answer.max(exchange.answer_bytes);
        }
    }
    lengths
}

/// Which targets were cut; wrong if one came by that should have been and was not.
pub(crate) fn cuts(targets: &[Target], seen: &[Exchange], way: Way, place: usize) -> Result<Vec<bool>, Wrong> {
    let mut cuts = vec![false; targets.len()];
    for (aim, target) in targets.iter().enumerate() {
        let mine = || seen.iter().filter(|exchange| exchange.aim == aim);
        let bytes =
            |exchange: &Exchange| if way == Way::Answer { exchange.answer_bytes } else { exchange.request_bytes };
        // After the last byte the relay may be a moment late to note it.
        let cut = mine().any(|exchange| exchange.cut || bytes(exchange) == place);
        if !cut && mine().any(|exchange| bytes(exchange) > place) {
            return Err(Wrong(format!("{}: the relay did not cut", target.name)));
        }
        cuts[aim] = cut;
    }
    Ok(cuts)
}

impl Drop for Stall {
    fn drop(&mut self) {
        let _ = self.sandbox.kill();
        let _ = self.sandbox.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn fresh_dir(parent: &Path) -> Result<PathBuf, Wrong> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = parent.join(format!("takings-cut-{}-{count}", std::process::id()));
    std::fs::create_dir_all(&dir).during("a folder")?;
    Ok(dir)
}

fn copy_dir(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
