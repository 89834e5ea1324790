//! The till's words in plain English.

use serde_json::Value;

use crate::screen::Look;

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

/// The stage of a payment, with the cause where there is one, and its colour.
pub(crate) fn stage(payment: &Value) -> (String, Look) {
    let (words, look) = match text(payment, "stage") {
        "not_charged" => ("not charged", Look::Dim),
        "needs_you" => ("needs you", Look::Bad),
        "arrived" if text(payment, "evidence") == "acquirer" => ("paid out, says the acquirer", Look::Good),
        "arrived" => ("in your bank", Look::Good),
        "on_its_way" => ("on its way", Look::Info),
        "approved" => ("approved", Look::Info),
        "being_confirmed" => ("being confirmed", Look::Warn),
        "saved_on_phone" => ("saved on this phone", Look::Warn),
        other => return (other.replace('_', " "), Look::Plain),
    };
    let cause = cause(text(payment, "cause"));
    (if cause.is_empty() { words.to_owned() } else { format!("{words}: {cause}") }, look)
}

/// Why.
pub(crate) fn cause(word: &str) -> String {
    match word {
        "interrupted" => "interrupted",
        "abandoned" => "given up",
        "offline_refused" => "not allowed offline",
        "declined" => "declined by the bank",
        "declined_after_deferral" => "declined later",
        "in_doubt" => "no answer yet",
        "returned_by_bank" => "sent back by the bank",
        "unknown_overdue" => "overdue",
        "reversed" => "undone",
        other => return other.replace('_', " "),
    }
    .to_owned()
}

/// Why the offline policy refuses.
pub(crate) fn rule(word: &str) -> String {
    match word {
        "amount_over_limit" => "over the limit".to_owned(),
        "scheme_denied" => "this scheme".to_owned(),
        other => other.replace('_', " "),
    }
}

/// What an alert says of its subject, with its colour and sign.
pub(crate) fn alert(alert: &Value, subject: &str) -> (String, Look, &'static str) {
    let amount = alert
        .get("amount_minor")
        .and_then(Value::as_i64)
        .map(|minor| format!(", {}", money(minor)))
        .unwrap_or_default();
    let (words, look, sign) = match text(alert, "alert_kind") {
        "declined_after_deferral" => ("The bank declined a payment whose customer has gone", Look::Bad, "✗"),
        "payment_parked" => ("A payment stands still until you act", Look::Bad, "!"),
        "payment_in_doubt" => ("No answer for a payment yet; the till keeps asking", Look::Warn, "?"),
        "payment_reversed" => ("A payment without an answer was undone", Look::Warn, "↺"),
        "payment_overdue" => ("The day passed and the money is not there", Look::Bad, "!"),
        "payout_sent" => ("A payout is on its way to the bank", Look::Info, "→"),
        "payout_arrived" => ("A payout arrived", Look::Good, "✓"),
        "payout_returned" => ("The bank sent a payout back", Look::Bad, "↩"),
        "payout_failed" => ("A payout was refused", Look::Bad, "✗"),
        "payout_overdue" => ("A payout is overdue", Look::Bad, "!"),
        "payout_difference" => ("A payout does not add up", Look::Bad, "≠"),
        "terms_changed" => ("The settlement terms changed", Look::Warn, "§"),
        other => return (format!("{}: {subject}{amount}", other.replace('_', " ")), Look::Warn, "•"),
    };
    (format!("{words}: {subject}{amount}"), look, sign)
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
