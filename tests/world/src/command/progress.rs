//! What is seen while it runs.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

/// A line on standard error that is written over; where nobody watches, one line now and then.
pub(crate) struct Progress {
    what: &'static str,
    all: u64,
    began: Instant,
    written: Option<Instant>,
    is_watched: bool,
}

const WIDTH: u64 = 30;

impl Progress {
    pub(crate) fn new(what: &'static str, all: u64) -> Self {
        Self { what, all, began: Instant::now(), written: None, is_watched: std::io::stderr().is_terminal() }
    }

    /// So many are done; `note` is said beside it.
    pub(crate) fn show(&mut self, done: u64, note: &str) {
        let pause_ms = if self.is_watched { 100 } else { 15_000 };
        if done < self.all && self.written.is_some_and(|at| at.elapsed().as_millis() < pause_ms) {
            return;
        }
        self.written = Some(Instant::now());
        let elapsed_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let tenths = done.saturating_mul(10_000) / elapsed_ms;
        let filled = (done.saturating_mul(WIDTH) / self.all.max(1)).min(WIDTH);
        let bar: String = (0..WIDTH).map(|at| if at < filled { '#' } else { '.' }).collect();
        // Of what has no end yet only the count is said.
        let of = if self.all == u64::MAX { String::new() } else { format!("/{}", self.all) };
        let line = format!("[{bar}] {done}{of} {}, {}.{}/s, {note}", self.what, tenths / 10, tenths % 10);
        if self.is_watched {
            eprint!("\r{line}\x1b[K");
            let _ = std::io::stderr().flush();
            if done >= self.all {
                eprintln!();
            }
        } else {
            eprintln!("{line}");
        }
    }

    /// There is so much to do, as it turns out.
    pub(crate) fn of(&mut self, all: u64) {
        self.all = all;
    }

    /// How long it took, milliseconds.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
