//! How far the day is: a file of JSON lines, each written before the next thing happens.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{About, DayError};
use crate::telling::text;

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
    /// The relay cut this.
    Cut(Value),
    /// This alert was told, or came when it should not.
    Told(Value),
    /// The alert of this number came again before it was acknowledged.
    HeardAgain(u64),
    /// The alerts up to this number are acknowledged.
    Acknowledged(u64),
}

/// What an alert that came is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Not heard before.
    New,
    /// The same as before, which was not acknowledged.
    Again,
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
    pub(crate) cuts: Vec<Value>,
    /// Every alert in the order it was told, one that came a second time after its acknowledgement twice.
    pub(crate) alerts: Vec<Value>,
    /// How often an alert came again before it was acknowledged, by number.
    pub(crate) heard_again: BTreeMap<u64, u64>,
    acknowledged: u64,
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

    pub(crate) fn line_was_cut(&mut self, cut: &Value) -> Result<(), DayError> {
        self.write(Line::Cut(cut.clone()))
    }

    /// Writes down an alert that came, before it is told.
    pub(crate) fn heard_alert(&mut self, alert: &Value) -> Result<Heard, DayError> {
        let number = number_of(alert);
        let names = ["alert_kind", "subject_kind", "subject_id"];
        let same =
            |told: &&Value| number_of(told) == number && names.iter().all(|name| text(told, name) == text(alert, name));
        if number > self.acknowledged && self.alerts.iter().any(|told| same(&told)) {
            self.write(Line::HeardAgain(number))?;
            return Ok(Heard::Again);
        }
        self.write(Line::Told(alert.clone()))?;
        Ok(Heard::New)
    }

    /// Some alert came again before it was acknowledged.
    pub(crate) fn has_heard_again(&self) -> bool {
        !self.heard_again.is_empty()
    }

    pub(crate) fn acknowledged(&mut self, upto: u64) -> Result<(), DayError> {
        self.write(Line::Acknowledged(upto))
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
            Line::Cut(cut) => self.cuts.push(cut),
            Line::Told(alert) => self.alerts.push(alert),
            Line::HeardAgain(number) => *self.heard_again.entry(number).or_default() += 1,
            Line::Acknowledged(upto) => self.acknowledged = self.acknowledged.max(upto),
        }
    }
}

fn number_of(alert: &Value) -> u64 {
    alert.get("alert").and_then(Value::as_u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alert_may_come_again_until_it_is_acknowledged_and_not_after() {
        let path = std::env::temp_dir().join(format!("market-day-alerts-{}", std::process::id()));
        let mut journal = Journal::open(&path).unwrap();
        let alert = |number: u64, subject: &str| json!({"alert": number, "alert_kind": "payout_sent", "subject_kind": "payout", "subject_id": subject});
        assert_eq!(journal.heard_alert(&alert(1, "a")).unwrap(), Heard::New);
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.heard_alert(&alert(1, "a")).unwrap(), Heard::Again);
        assert!(journal.has_heard_again());
        assert_eq!(journal.heard_alert(&alert(1, "b")).unwrap(), Heard::New, "the number of another fact");
        journal.acknowledged(1).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.heard_alert(&alert(1, "a")).unwrap(), Heard::New, "told twice, and on record as such");
        assert_eq!(journal.alerts.len(), 3);
        fs::remove_file(path).unwrap();
    }

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
