//! Alerts: each is told once, whatever dies between hearing it and saying so.

use serde_json::{Value, json};

use crate::day::Day;
use crate::error::DayError;
use crate::journal::Heard;
use crate::screen::Look;
use crate::telling::{self, text};
use crate::words::{Line, Say as _};

/// How often a merchant taps on "sync" when the till says "again in a moment".
const TAPS: u32 = 3;
/// Between two taps, milliseconds.
const TAP_PAUSE_MS: i64 = 40_000;

impl Day {
    /// A look at the phone: what is new?
    pub(crate) fn look(&mut self) -> Result<(), DayError> {
        for _ in 0..TAPS {
            let report = self.must(&json!({"cmd": "sync"}))?["report"].clone();
            self.tell_faults()?;
            if text(&report, "ended") == "done" {
                break;
            }
            self.wait(TAP_PAUSE_MS)?;
        }
        self.hear_alerts()
    }

    /// Tells what the till has to tell, and then lets it forget it. Once a day the phone dies in between: the same alerts
    /// come again under the same numbers, and are not told again.
    pub(crate) fn hear_alerts(&mut self) -> Result<(), DayError> {
        loop {
            let heard = self.must(&json!({"cmd": "alerts", "max": 100}))?;
            let alerts = heard["alerts"].as_array().cloned().unwrap_or_default();
            let Some(upto) = alerts.last().and_then(|alert| alert["alert"].as_u64()) else { return Ok(()) };
            for alert in &alerts {
                if self.journal.heard_alert(alert)? == Heard::New {
                    let subject = self.subject(alert)?;
                    let (text, look, sign) = telling::alert(self.screen.language(), alert, &subject);
                    self.screen.event(self.now_ms, look, sign, &text);
                }
            }
            let arrived = alerts.iter().any(|alert| text(alert, "alert_kind") == "payout_arrived");
            if self.script.head.kill && arrived && !self.journal.has_heard_again() {
                self.screen.event(
                    self.now_ms,
                    Look::Warn,
                    "☠",
                    Line::DiesBeforeAcknowledging.say(self.screen.language()),
                );
                self.kill_till()?;
                continue;
            }
            self.must(&json!({"cmd": "acknowledge", "upto": upto}))?;
            self.journal.acknowledged(upto)?;
        }
    }

    /// What an alert is about, in the stallholder's words: the order, or the payout.
    fn subject(&mut self, alert: &Value) -> Result<String, DayError> {
        let id = text(alert, "subject_id");
        if text(alert, "subject_kind") != "payment" {
            return Ok(id.to_owned());
        }
        let detail = self.must(&json!({"cmd": "payment", "id": id}))?;
        Ok(text(&detail["payment"], "order_reference").to_owned())
    }
}
