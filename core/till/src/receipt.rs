//! Receipts as lines of text.

use takings_domain::{Currency, Money};

use crate::views::{ActivationView, PaymentView, Receipt, ReceiptCopy};

/// The word by which printed copies are counted.
pub(crate) fn word(copy: ReceiptCopy) -> &'static str {
    match copy {
        ReceiptCopy::Customer => "customer",
        ReceiptCopy::Merchant => "merchant",
    }
}

/// The receipt. `printed` is how often this copy was printed before.
pub(crate) fn receipt(
    payment: &PaymentView,
    merchant: Option<&ActivationView>,
    copy: ReceiptCopy,
    printed: u32,
) -> Receipt {
    let offline = payment.class.as_deref() == Some("deferred");
    let mut lines = vec![format!("{} COPY", word(copy).to_uppercase())];
    if printed > 0 {
        lines.push(format!("REPRINT {printed}"));
    }
    if let Some(merchant) = merchant {
        lines.push(format!("Merchant {}  Terminal {}", merchant.merchant_id, merchant.terminal_id));
    }
    lines.push(format!("Amount {}", amount(payment.amount_minor, &payment.currency)));
    if let Some(approved) = payment.approved_minor.filter(|_| payment.partly_approved) {
        lines.push(format!("Approved {} only: the balance is due", amount(approved, &payment.currency)));
    }
    lines.push(instant(payment.captured_at_ms));
    if let (Some(last_four), Some(scheme)) = (&payment.last_four, &payment.scheme) {
        let mode = payment.entry_mode.as_deref().unwrap_or("card");
        lines.push(format!("Card {scheme} •••• {last_four} ({mode})"));
    }
    lines.push(format!("STAN {}  Batch {}", payment.stan, payment.batch_number));
    let references = [("RRN", &payment.rrn), ("Approval", &payment.auth_code), ("Order", &payment.order_reference)];
    lines.extend(references.iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {value}"))));
    lines.push(standing(payment, offline));
    Receipt { payment_id: payment.payment_id.clone(), lines, offline, reprint: printed > 0 }
}

/// What this piece of paper may claim.
fn standing(payment: &PaymentView, offline: bool) -> String {
    let line = match payment.stage.as_str() {
        "not_charged" => "NOT CHARGED",
        "saved_on_phone" => "ACCEPTED OFFLINE: the bank has not answered and may still decline",
        "being_confirmed" => "NOT CONFIRMED: this is no proof of payment",
        _ if payment.authorization.as_deref() == Some("declined") => "DECLINED BY THE BANK",
        _ if payment.approved_minor.is_some() && offline => "APPROVED (accepted offline)",
        _ if payment.approved_minor.is_some() => "APPROVED",
        _ => "NOT CONFIRMED: this is no proof of payment",
    };
    line.to_owned()
}

fn amount(amount_minor: i64, currency: &str) -> String {
    let money = Currency::from_code(currency).and_then(|currency| Money::new(amount_minor, currency));
    money.map_or_else(|_| format!("{amount_minor} {currency}"), |money| money.to_string())
}

fn instant(at_ms: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(at_ms);
    at.map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}
