//! One sale, made once whatever interrupts it: the order is looked up before anything is charged.

use serde_json::{Value, json};
use takings_domain::EntryMode;
use takings_domain::payment::{NextStep, Stage};
use takings_till::texts::{Language, Texts as _};

use crate::day::{Day, Ended};
use crate::error::DayError;
use crate::screen::Look;
use crate::script::Sale;
use crate::telling::{self, text};
use crate::width::pad;
use crate::words::{self, Say as _, When};

/// How often a sale is tried or waited for before the stallholder despairs.
const PATIENCE: u32 = 100;
/// How long the stallholder waits before looking at an unanswered payment again.
const WAIT_MS: i64 = 5_000;

/// What the till knows of an order.
enum Known {
    /// Nothing that counts: charge.
    Nothing,
    /// Sent without an answer: wait.
    Unanswered,
    /// This is how it ended.
    Settled(Box<Value>),
}

impl Day {
    /// Sells, or finds out that it was sold.
    pub(crate) fn sell(&mut self, number: usize) -> Result<(), DayError> {
        let Some(sale) = self.script.sales.get(number).cloned() else { return Ok(()) };
        let mut detail = String::new();
        for attempt in 1..=PATIENCE {
            let found = self.find(&sale.order)?;
            match known(&found) {
                Known::Settled(payment) => {
                    self.tell_sale(&sale, &payment, &detail);
                    return Ok(());
                }
                Known::Unanswered if !self.acquirer.is_up() => {
                    let text = words::perhaps_sent(self.screen.language(), &sale.order);
                    self.screen.event(self.now_ms, Look::Warn, "?", &text);
                    return self.journal.postpone(number);
                }
                Known::Unanswered => {
                    self.wait(WAIT_MS)?;
                    // The till asks by itself; a stallholder who stares at it taps on "sync".
                    if attempt % 3 == 0 {
                        self.must(&json!({"cmd": "sync"}))?;
                    }
                    self.tell_faults()?;
                    self.hear_alerts()?;
                }
                Known::Nothing => detail = self.charge(&sale, found.is_empty())?,
            }
        }
        Err(DayError::Child(format!("order {} does not come to an end", sale.order)))
    }

    /// The sales that had to wait for a line.
    pub(crate) fn make_up(&mut self) -> Result<(), DayError> {
        for number in self.journal.postponed.clone() {
            self.sell(number)?;
            self.journal.made_up(number)?;
        }
        Ok(())
    }

    fn find(&mut self, order: &str) -> Result<Vec<Value>, DayError> {
        let found = self.must(&json!({"cmd": "find", "order": order}))?;
        Ok(found["payments"].as_array().cloned().unwrap_or_default())
    }

    /// Charges; returns what the till says beside the outcome. Accidents happen at the first try only; where there was no
    /// line, nobody tries for one again.
    fn charge(&mut self, sale: &Sale, first: bool) -> Result<String, DayError> {
        let language = self.screen.language();
        let mut command = json!({
            "cmd": "charge", "amount_minor": sale.amount_minor, "currency": sale.currency, "order": sale.order,
            "mode": sale.mode, "operator": "wang", "card": sale.card,
        });
        if !first && !sale.scene.has_line() {
            command["mode"] = json!("offline");
        }
        let link = sale.link.as_ref().filter(|_| first);
        if let Some(moment) = link {
            command["link"] = json!({"lose_at": moment});
        }
        let kill = sale.kill.as_ref().filter(|_| first);
        if let Some(moment) = kill {
            command["hold_at"] = json!(moment);
        }
        match self.ask(&command)? {
            Ended::Holding => {
                let moment = kill.map(String::as_str).unwrap_or_default();
                let text = words::phone_dies(language, &sale.order, when(moment, language));
                self.screen.event(self.now_ms, Look::Warn, "☠", &text);
                self.kill_till()?;
                Ok(String::new())
            }
            Ended::Answer(answer) if answer["ok"] == true => {
                self.tell_faults()?;
                if let Some(moment) = link {
                    let text = words::link_breaks(language, &sale.order, when(moment, language));
                    self.screen.event(self.now_ms, Look::Warn, "⚡", &text);
                }
                if text(&answer["outcome"], "outcome") == "not_confirmed" {
                    let text = words::no_answer(language, &sale.order, NextStep::WaitForAnswer.text(language));
                    self.screen.event(self.now_ms, Look::Warn, "?", &text);
                }
                Ok(text(&answer["outcome"], "detail").to_owned())
            }
            // Somebody charged it a moment ago: look again.
            Ended::Answer(answer) if text(&answer["error"], "code") == "order_already_charged" => Ok(String::new()),
            Ended::Answer(answer) => {
                Err(DayError::Till { command: command.to_string(), error: answer["error"].to_string() })
            }
        }
    }

    fn tell_sale(&mut self, sale: &Sale, payment: &Value, detail: &str) {
        let last_four =
            payment.get("last_four").and_then(Value::as_str).map(|last| format!("•••• {last}")).unwrap_or_default();
        let language = self.screen.language();
        let (mut stage, look) = telling::stage(language, payment);
        if text(payment, "cause") == "offline_refused" && !detail.is_empty() {
            // The rule says it better than the cause.
            stage = words::not_offline(language, Stage::NotCharged.text(language), telling::rule(language, detail));
        }
        let sign = match look {
            Look::Bad | Look::Dim => "✗",
            Look::Warn => "▪",
            _ => "✓",
        };
        let mut words = format!("{}  {:>9}  {last_four:<9}  ", sale.order, telling::money(sale.amount_minor));
        words.push_str(&pad(text(payment, "scheme"), 11));
        if self.screen.is_roomy() {
            words.push_str(&pad(&telling::word(language, text(payment, "entry_mode"), EntryMode::from_word), 12));
        }
        words.push_str(&stage);
        self.screen.event(self.now_ms, if look == Look::Bad { Look::Bad } else { look }, sign, &words);
    }
}

fn when(moment: &str, language: Language) -> &'static str {
    match moment {
        "before_card" => When::BeforeCard,
        "during_card_data" => When::DuringCardData,
        "card_data" => When::CardToTill,
        "between_card_and_answer" => When::CardToAnswer,
        "saved" => When::Saved,
        "after_answer" => When::AfterAnswer,
        _ => When::Charging,
    }
    .say(language)
}

/// What the payments of one order say together.
fn known(found: &[Value]) -> Known {
    let charged = found.iter().find(|payment| text(payment, "stage") != "not_charged");
    if let Some(payment) = charged {
        // A customer who has gone needs no answer now; one who waits does.
        let gone = matches!(text(payment, "class"), "deferred" | "chip_offline");
        let unanswered = !gone && matches!(text(payment, "delivery"), "sending" | "in_doubt");
        return if unanswered { Known::Unanswered } else { Known::Settled(Box::new(payment.clone())) };
    }
    // Refused and declined is an end; interrupted, given up and undone invites another try.
    let ended = found.iter().find(|payment| matches!(text(payment, "cause"), "offline_refused" | "declined"));
    ended.map_or(Known::Nothing, |payment| Known::Settled(Box::new(payment.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_order_is_charged_again_and_no_other() {
        let payment = |stage: &str, cause: Option<&str>, class: Option<&str>| json!({"stage": stage, "cause": cause, "class": class, "delivery": "in_doubt"});
        assert!(matches!(known(&[]), Known::Nothing));
        assert!(matches!(known(&[payment("not_charged", Some("interrupted"), None)]), Known::Nothing));
        assert!(matches!(known(&[payment("not_charged", Some("declined"), None)]), Known::Settled(_)));
        assert!(matches!(known(&[payment("being_confirmed", None, Some("live"))]), Known::Unanswered));
        assert!(matches!(known(&[payment("being_confirmed", None, Some("deferred"))]), Known::Settled(_)));
        let both =
            [payment("not_charged", Some("interrupted"), None), payment("saved_on_phone", None, Some("deferred"))];
        assert!(matches!(known(&both), Known::Settled(_)));
    }
}
