//! The queue: one contact after the other until everything has its answer.

use serde_json::json;
use takings_till::texts::Language;

use crate::args::Faults;
use crate::day::Day;
use crate::error::DayError;
use crate::screen::Look;
use crate::telling::{int, text};
use crate::words::{self, Ended, Label, Moment, Say as _};

/// How many contacts a queue may need before something is wrong with it.
const PATIENCE: u32 = 200;
/// Between two contacts, if the till does not say when: milliseconds.
const PAUSE_MS: i64 = 30_000;
/// The shortest and longest wait between two contacts, milliseconds.
const PAUSES_MS: (i64, i64) = (1_000, 900_000);

impl Day {
    /// Drains the queue; on a bad line the sale of this number happens after the first contact, on a good one before it.
    pub(crate) fn drain(&mut self, meanwhile: Option<usize>) -> Result<(), DayError> {
        let language = self.screen.language();
        let good = self.script.head.faults == Faults::None;
        if let Some(number) = meanwhile.filter(|_| good) {
            self.sell(number)?;
        }
        self.make_up()?;
        self.weaken_line()?;
        let waiting = self.waiting()?;
        let mut total = waiting;
        if waiting > 0 {
            let text = words::queue(language, waiting);
            self.screen.event(self.now_ms, Look::Info, "⇡", &text);
        }
        self.screen.bar(Label::Sending.say(language), 0, total);
        for contact in 1..=PATIENCE {
            let report = self.must(&json!({"cmd": "sync"}))?["report"].clone();
            self.tell_faults()?;
            let left = report["waiting"].as_u64().unwrap_or(0);
            total = total.max(left);
            let ended = text(&report, "ended");
            if total > 0 {
                let words = words::contact(
                    language,
                    contact,
                    int(&report, "sent"),
                    int(&report, "approved"),
                    int(&report, "declined"),
                    left,
                    why(language, ended),
                );
                self.screen.event(self.now_ms, Look::Plain, "⇡", &words);
            }
            self.screen.bar(Label::Sending.say(language), total - left, total);
            self.hear_alerts()?;
            if let Some(number) = meanwhile.filter(|_| contact == 1 && !good) {
                self.screen.event(self.now_ms, Look::Info, "+", Moment::CustomerComes.say(language));
                self.sell(number)?;
            }
            if left == 0 && ended == "done" && self.waiting()? == 0 {
                self.screen.bar(Label::Sending.say(language), total, total);
                self.screen.keep_bar();
                return self.mend();
            }
            let due_in_ms = report["next_due_ms"].as_i64().map_or(PAUSE_MS, |due| due.saturating_sub(self.now_ms));
            self.wait(due_in_ms.clamp(PAUSES_MS.0, PAUSES_MS.1))?;
            let still = self.waiting()?;
            self.tell_faults()?;
            if still < left {
                let words = words::by_itself(language, left - still, still);
                self.screen.event(self.now_ms, Look::Plain, "⇡", &words);
                self.screen.bar(Label::Sending.say(language), total - still.min(total), total);
            }
        }
        Err(DayError::Child("the queue does not drain".to_owned()))
    }

    fn waiting(&mut self) -> Result<u64, DayError> {
        Ok(self.must(&json!({"cmd": "status"}))?["status"]["unsent_count"].as_u64().unwrap_or(0))
    }
}

/// How a contact ended.
fn why(language: Language, ended: &str) -> String {
    let words = match ended {
        "done" => Ended::Done,
        "no_line" => Ended::NoLine,
        "waiting" => Ended::Waiting,
        "budget" => Ended::Budget,
        "sign_in" => Ended::SignIn,
        "unverified" => Ended::Unverified,
        other => return other.to_owned(),
    };
    words.say(language).to_owned()
}
