//! The till's words in the stallholder's language; their texts are the till's own.

use serde_json::Value;
use takings_domain::Evidence;
use takings_domain::alert::AlertKind;
use takings_domain::payment::{Cause, NextStep, Stage};
use takings_domain::policy::Rule;
use takings_till::texts::{Language, Texts};

use crate::screen::Look;
use crate::words::{self, Label, Say};

/// An amount in yuan.
pub(crate) fn money(minor: i64) -> String {
    let (sign, minor) = (if minor < 0 { "-" } else { "" }, minor.unsigned_abs());
    let whole = (minor / 100).to_string();
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{:02}", minor % 100)
}

/// A member as text; empty if it is not there.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member as a number; 0 if it is not there.
pub(crate) fn int(value: &Value, name: &str) -> i64 {
    value.get(name).and_then(Value::as_i64).unwrap_or(0)
}

/// A word of the till in the day's own texts. One that is not known yet is shown as it came.
pub(crate) fn word<T: Say>(language: Language, word: &str, known: fn(&str) -> Option<T>) -> String {
    known(word).map_or_else(|| plain(word), |known| known.say(language).to_owned())
}

/// The same in the till's texts.
fn core<T: Texts>(language: Language, word: &str, known: fn(&str) -> Option<T>) -> String {
    known(word).map_or_else(|| plain(word), |known| known.text(language).to_owned())
}

fn plain(word: &str) -> String {
    word.replace('_', " ")
}

/// The stage of a payment, with the cause and what to do where there is such, and its colour.
pub(crate) fn stage(language: Language, payment: &Value) -> (String, Look) {
    let stage = Stage::from_word(text(payment, "stage"));
    let look = match stage {
        Some(Stage::NeedsYou | Stage::TakenBack) => Look::Bad,
        Some(Stage::NotCharged) => Look::Dim,
        Some(Stage::Arrived) => Look::Good,
        Some(Stage::OnItsWay | Stage::Approved) => Look::Info,
        Some(Stage::BeingConfirmed | Stage::SavedOnPhone) => Look::Warn,
        Some(Stage::GivenBack | Stage::SettledByOffset) | None => Look::Plain,
    };
    // Not the same as money in the bank, and not said with the same words.
    let only_paid_out = stage == Some(Stage::Arrived) && text(payment, "evidence") == Evidence::Acquirer.as_str();
    let mut said = if only_paid_out {
        Label::PaidOut.say(language).to_owned()
    } else {
        core(language, text(payment, "stage"), Stage::from_word)
    };
    let (cause, step) = (text(payment, "cause"), text(payment, "next_step"));
    if !cause.is_empty() {
        said = words::because(language, said, core(language, cause, Cause::from_word));
    }
    if stage == Some(Stage::NeedsYou) && !step.is_empty() {
        said = words::and(language, said, core(language, step, NextStep::from_word));
    }
    (said, look)
}

/// Why the offline policy refuses.
pub(crate) fn rule(language: Language, word: &str) -> String {
    core(language, word, Rule::from_word)
}

/// What an alert says of its subject, with its colour and sign.
pub(crate) fn alert(language: Language, alert: &Value, subject: &str) -> (String, Look, &'static str) {
    let word = text(alert, "alert_kind");
    let (look, sign) = match AlertKind::from_word(word) {
        Some(AlertKind::DeclinedAfterDeferral | AlertKind::PayoutFailed) => (Look::Bad, "✗"),
        Some(AlertKind::PaymentParked | AlertKind::PaymentOverdue | AlertKind::PayoutOverdue) => (Look::Bad, "!"),
        Some(AlertKind::PaymentConfirmedLate) => (Look::Warn, "!"),
        Some(AlertKind::PaymentInDoubt) => (Look::Warn, "?"),
        Some(AlertKind::PaymentReversed) => (Look::Warn, "↺"),
        Some(AlertKind::PayoutSent) => (Look::Info, "→"),
        Some(AlertKind::PayoutArrived) => (Look::Good, "✓"),
        Some(AlertKind::PayoutReturned) => (Look::Bad, "↩"),
        Some(AlertKind::PayoutDifference) => (Look::Bad, "≠"),
        Some(AlertKind::TermsChanged) => (Look::Warn, "§"),
        _ => (Look::Warn, "•"),
    };
    let mut said = words::because(language, capital(&core(language, word, AlertKind::from_word)), subject);
    if let Some(minor) = alert.get("amount_minor").and_then(Value::as_i64) {
        said = words::and(language, said, money(minor));
    }
    (said, look, sign)
}

/// As a sentence begins.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::money;

    #[test]
    fn amounts() {
        assert_eq!(money(0), "0.00");
        assert_eq!(money(123_456_789), "1,234,567.89");
        assert_eq!(money(-5), "-0.05");
        assert_eq!(money(100_000), "1,000.00");
    }
}
