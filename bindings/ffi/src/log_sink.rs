//! Lines for the app's log.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use takings_till::TillError;

use crate::callbacks::Foreign;
use crate::error::TakingsError;

/// Lines that wait for a slow sink; what comes when it is full is lost.
const MOST_WAITING: usize = 256;

/// Where the app writes its log. Called on a thread of its own, one line after the other; a slow sink loses lines and
/// delays nobody. It may call the till.
#[uniffi::export(foreign)]
pub trait LogSink: Send + Sync {
    /// One line. `level` is `warn` or `error`, `target` the call it is about, `text` says what went wrong, without card
    /// data.
    fn write(&self, level: String, target: String, text: String) -> Result<(), TakingsError>;
}

struct Line {
    level: &'static str,
    target: &'static str,
    text: String,
}

/// The way to the app's log, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Log(Option<SyncSender<Line>>);

impl Log {
    #[expect(clippy::disallowed_methods, reason = "the sink runs on a thread of its own")]
    pub(crate) fn to(sink: Option<Foreign<dyn LogSink>>) -> Result<Self, TakingsError> {
        let Some(sink) = sink else { return Ok(Self::default()) };
        let (sender, lines) = sync_channel::<Line>(MOST_WAITING);
        thread::Builder::new()
            .name("takings-log".into())
            .spawn(move || {
                for Line { level, target, text } in lines {
                    // There is nowhere to tell that the log does not work.
                    drop(sink.call_freely(|sink| sink.write(level.to_owned(), target.to_owned(), text)));
                }
            })
            .map_err(|error| TakingsError::internal("thread", error))?;
        Ok(Self(Some(sender)))
    }

    pub(crate) fn failed(&self, target: &'static str, error: &TillError) {
        let level =
            if matches!(error, TillError::Internal { .. } | TillError::Storage { .. }) { "error" } else { "warn" };
        self.line(level, target, error.to_string());
    }

    pub(crate) fn trouble(&self, target: &'static str, text: &str) {
        self.line("warn", target, text.to_owned());
    }

    fn line(&self, level: &'static str, target: &'static str, text: String) {
        if let Some(sender) = &self.0 {
            drop(sender.try_send(Line { level, target, text }));
        }
    }
}
