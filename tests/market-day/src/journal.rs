//! How far the day is: a file of JSON lines, each written before the next thing happens.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{About, DayError};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// So many steps are done.
    Done(usize),
    /// Time is about to move here.
    NowMs(i64),
    /// The till said that this payment is saved.
    Saved(String),
    /// The activation code of this day.
    ActivationCode(String),
    /// The faults of this evening are planted.
    Spoilt(u32),
    /// The sale of this number has to wait for a line.
    Postponed(usize),
    /// And has happened.
    MadeUp(usize),
}

/// What the file says.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    file: Option<File>,
    pub(crate) done: usize,
    pub(crate) now_ms: Option<i64>,
    pub(crate) saved: BTreeSet<String>,
    pub(crate) activation_code: Option<String>,
    pub(crate) spoilt: BTreeSet<u32>,
    pub(crate) postponed: BTreeSet<usize>,
}

impl Journal {
    /// Opens the journal of a day; a torn last line counts as not written.
    pub(crate) fn open(path: &Path) -> Result<Self, DayError> {
        let name = path.display().to_string();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).about(name),
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut journal = Self::default();
        for line in text.get(..whole).unwrap_or_default().lines() {
            journal.take(serde_json::from_str(line).about(&name)?);
        }
        let file = OpenOptions::new().create(true).append(true).open(path).about(&name)?;
        file.set_len(u64::try_from(whole).unwrap_or(0)).about(&name)?;
        journal.file = Some(file);
        Ok(journal)
    }

    /// A day was here before.
    pub(crate) fn has_begun(&self) -> bool {
        self.now_ms.is_some()
    }

    pub(crate) fn step_done(&mut self, number: usize) -> Result<(), DayError> {
        self.write(Line::Done(number))
    }

    pub(crate) fn time_moves_to(&mut self, now_ms: i64) -> Result<(), DayError> {
        self.write(Line::NowMs(now_ms))
    }

    pub(crate) fn heard_saved(&mut self, payment_id: &str) -> Result<(), DayError> {
        self.write(Line::Saved(payment_id.to_owned()))
    }

    pub(crate) fn got_code(&mut self, code: &str) -> Result<(), DayError> {
        self.write(Line::ActivationCode(code.to_owned()))
    }

    pub(crate) fn spoilt(&mut self, evening: u32) -> Result<(), DayError> {
        self.write(Line::Spoilt(evening))
    }

    pub(crate) fn postpone(&mut self, number: usize) -> Result<(), DayError> {
        self.write(Line::Postponed(number))
    }

    pub(crate) fn made_up(&mut self, number: usize) -> Result<(), DayError> {
        self.write(Line::MadeUp(number))
    }

    fn write(&mut self, line: Line) -> Result<(), DayError> {
        let mut text = serde_json::to_string(&line).about("progress.jsonl")?;
        text.push('\n');
        if let Some(file) = self.file.as_mut() {
            file.write_all(text.as_bytes()).about("progress.jsonl")?;
        }
        self.take(line);
        Ok(())
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Done(number) => self.done = number,
            Line::NowMs(now_ms) => self.now_ms = Some(self.now_ms.unwrap_or(now_ms).max(now_ms)),
            Line::Saved(id) => {
                self.saved.insert(id);
            }
            Line::ActivationCode(code) => self.activation_code = Some(code),
            Line::Spoilt(evening) => {
                self.spoilt.insert(evening);
            }
            Line::Postponed(number) => {
                self.postponed.insert(number);
            }
            Line::MadeUp(number) => {
                self.postponed.remove(&number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_was_not_written() {
        let path = std::env::temp_dir().join(format!("market-day-journal-{}", std::process::id()));
        let mut journal = Journal::open(&path).unwrap();
        assert!(!journal.has_begun());
        journal.time_moves_to(5).unwrap();
        journal.heard_saved("a").unwrap();
        journal.step_done(3).unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], b"{\"done\":4"].concat()).unwrap();
        let mut again = Journal::open(&path).unwrap();
        assert_eq!((again.done, again.now_ms, again.saved.len()), (3, Some(5), 1));
        again.step_done(4).unwrap();
        assert_eq!(Journal::open(&path).unwrap().done, 4);
        fs::remove_file(path).unwrap();
    }
}
