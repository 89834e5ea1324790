//! Receipts as lines of text.

use takings_domain::{Currency, Money};

use crate::texts::{Language, ReceiptText as R, Texts};
use crate::views::{ActivationView, PaymentView, Receipt, ReceiptCopy};

/// The word by which printed copies are counted.
pub(crate) fn word(copy: ReceiptCopy) -> &'static str {
    match copy {
        ReceiptCopy::Customer => "customer",
        ReceiptCopy::Merchant => "merchant",
    }
}

/// The receipt. `printed` is how often this copy was printed before, `at` when the card was read.
pub(crate) fn receipt(
    payment: &PaymentView,
    merchant: Option<&ActivationView>,
    copy: ReceiptCopy,
    printed: u32,
    language: Language,
    at: String,
) -> Receipt {
    let text = |label: R| label.text(language);
    let offline = payment.class.as_deref() == Some("deferred");
    let heading = match copy {
        ReceiptCopy::Customer => R::CustomerCopy,
        ReceiptCopy::Merchant => R::MerchantCopy,
    };
    let mut lines = vec![text(heading).to_owned()];
    if printed > 0 {
        lines.push(format!("{} {printed}", text(R::Reprint)));
    }
    if let Some(merchant) = merchant {
        let (merchant_id, terminal_id) = (&merchant.merchant_id, &merchant.terminal_id);
        lines.push(format!("{} {merchant_id}  {} {terminal_id}", text(R::Merchant), text(R::Terminal)));
    }
    lines.push(format!("{} {}", text(R::Amount), amount(payment.amount_minor, &payment.currency)));
    if let Some(approved) = payment.approved_minor.filter(|_| payment.partly_approved) {
        lines.push(format!("{}: {}", text(R::ApprovedOnly), amount(approved, &payment.currency)));
    }
    lines.push(at);
    if let (Some(last_four), Some(scheme)) = (&payment.last_four, &payment.scheme) {
        let mode = payment.entry_mode.as_deref().unwrap_or_default();
        lines.push(format!("{} {scheme} •••• {last_four} {mode}", text(R::Card)));
    }
    lines.push(format!("{} {}  {} {}", text(R::Stan), payment.stan, text(R::Batch), payment.batch_number));
    let references = [(R::Rrn, &payment.rrn), (R::Approval, &payment.auth_code), (R::Order, &payment.order_reference)];
    let line = |(label, value): &(R, &Option<String>)| value.as_ref().map(|value| format!("{} {value}", text(*label)));
    lines.extend(references.iter().filter_map(line));
    lines.push(text(standing(payment, offline)).to_owned());
    Receipt { payment_id: payment.payment_id.clone(), lines, offline, reprint: printed > 0 }
}

/// What this piece of paper may claim.
fn standing(payment: &PaymentView, offline: bool) -> R {
    match payment.stage.as_str() {
        "not_charged" => R::NotCharged,
        "saved_on_phone" => R::AcceptedOffline,
        "being_confirmed" => R::NotConfirmed,
        _ if payment.authorization.as_deref() == Some("declined") => R::Declined,
        _ if payment.approved_minor.is_some() && offline => R::ApprovedAfterOffline,
        _ if payment.approved_minor.is_some() => R::Approved,
        _ => R::NotConfirmed,
    }
}

fn amount(amount_minor: i64, currency: &str) -> String {
    let money = Currency::from_code(currency).and_then(|currency| Money::new(amount_minor, currency));
    money.map_or_else(|_| format!("{amount_minor} {currency}"), |money| money.to_string())
}
