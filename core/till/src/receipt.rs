//! Receipts as lines of text.

use takings_domain::event::{ReaderConcluded, ReceiptDataRead, Verification};
use takings_domain::{Currency, EntryMode, Money, Scheme};
use takings_readers::emv;
use takings_readers::outcome::signature_wanted;

use crate::texts::{Language, ReceiptText as R, Texts};
use crate::views::{ActivationView, PaymentDetail, PaymentView, Receipt, ReceiptCopy};

/// The word by which printed copies are counted.
pub(crate) fn word(copy: ReceiptCopy) -> &'static str {
    match copy {
        ReceiptCopy::Customer => "customer",
        ReceiptCopy::Merchant => "merchant",
    }
}

/// Everything that stands on a receipt.
pub(crate) struct Paper<'a> {
    pub(crate) detail: &'a PaymentDetail,
    pub(crate) merchant: Option<&'a ActivationView>,
    pub(crate) copy: ReceiptCopy,
    /// How often this copy was printed before.
    pub(crate) printed: u32,
    pub(crate) language: Language,
    /// When the card was read, as its place writes it.
    pub(crate) at: String,
}

/// The receipt.
pub(crate) fn receipt(paper: &Paper<'_>) -> Receipt {
    let payment = &paper.detail.payment;
    let text = |label: R| label.text(paper.language);
    let offline = payment.class.as_deref() == Some("deferred");
    let heading = match paper.copy {
        ReceiptCopy::Customer => R::CustomerCopy,
        ReceiptCopy::Merchant => R::MerchantCopy,
    };
    let mut lines = vec![text(heading).to_owned()];
    if paper.printed > 0 {
        lines.push(format!("{} {}", text(R::Reprint), paper.printed));
    }
    if let Some(merchant) = paper.merchant {
        let (merchant_id, terminal_id) = (&merchant.merchant_id, &merchant.terminal_id);
        lines.push(format!("{} {merchant_id}  {} {terminal_id}", text(R::Merchant), text(R::Terminal)));
    }
    lines.push(format!("{} {}", text(R::Amount), amount(payment.amount_minor, &payment.currency)));
    if let Some(approved) = payment.approved_minor.filter(|_| payment.partly_approved) {
        lines.push(format!("{}: {}", text(R::ApprovedOnly), amount(approved, &payment.currency)));
    }
    lines.push(paper.at.clone());
    let told = of_the_card(paper.detail);
    lines.extend(card_lines(payment, told.as_ref(), paper.language));
    lines.push(format!("{} {}  {} {}", text(R::Stan), payment.stan, text(R::Batch), payment.batch_number));
    let references = [(R::Rrn, &payment.rrn), (R::Approval, &payment.auth_code), (R::Order, &payment.order_reference)];
    let line = |(label, value): &(R, &Option<String>)| value.as_ref().map(|value| format!("{} {value}", text(*label)));
    lines.extend(references.iter().filter_map(line));
    lines.push(text(standing(payment, offline)).to_owned());
    let signed = told.is_some_and(|told| told.signature) || signature_asked_by_code(paper.detail);
    let signed = signed && payment.stage != "not_charged";
    if signed && paper.copy == ReceiptCopy::Merchant {
        lines.push(text(R::Signature).to_owned());
    }
    Receipt { payment_id: payment.payment_id.clone(), lines, offline, reprint: paper.printed > 0 }
}

/// What the reader told for the receipt: it stands in the payment's history.
fn of_the_card(detail: &PaymentDetail) -> Option<ReceiptDataRead> {
    let told = detail.timeline.iter().find(|entry| entry.kind == "receipt_data_read")?;
    serde_json::from_str(&told.body).ok()
}

/// The receipt's data may never have come: how the reader ended the payment says it, too.
fn signature_asked_by_code(detail: &PaymentDetail) -> bool {
    let ends = detail.timeline.iter().filter(|entry| entry.kind == "reader_concluded");
    let mut codes = ends.filter_map(|entry| serde_json::from_str::<ReaderConcluded>(&entry.body).ok());
    codes.any(|end| {
        let code = crate::hex::decode(&end.code).and_then(|code| code.try_into().ok());
        code.is_some_and(signature_wanted)
    })
}

fn card_lines(payment: &PaymentView, told: Option<&ReceiptDataRead>, language: Language) -> Vec<String> {
    let text = |label: R| label.text(language);
    let mut lines = Vec::new();
    if let (Some(last_four), Some(scheme)) = (&payment.last_four, &payment.scheme) {
        let mode = payment.entry_mode.as_deref().and_then(EntryMode::from_word).map_or("", |mode| mode.text(language));
        let scheme = scheme_of(scheme, told);
        lines.push(format!("{} {scheme} •••• {last_four} {mode}", text(R::Card)));
    }
    let Some(told) = told else { return lines };
    if let Some(aid) = &told.aid {
        let name = told.application_name.as_deref().unwrap_or_default();
        lines.push(format!("{} {name} AID {aid}", text(R::Application)).replace("  ", " "));
    }
    if let Some(verification) = told.verification.filter(|verification| *verification != Verification::None) {
        lines.push(format!("{} {}", text(R::Verified), verification.text(language)));
    }
    let results = [("TVR", &told.tvr), ("TSI", &told.tsi)];
    let results: Vec<String> =
        results.iter().filter_map(|(name, bits)| bits.as_ref().map(|bits| format!("{name} {bits}"))).collect();
    if !results.is_empty() {
        lines.push(format!("{} {}", text(R::Results), results.join(" ")));
    }
    lines
}

/// Where the reader hides the leading digits, the application says whose card it is.
fn scheme_of(scheme: &str, told: Option<&ReceiptDataRead>) -> String {
    let aid = told.and_then(|told| told.aid.as_deref()).and_then(crate::hex::decode);
    // A card of two schemes has one number; its application says which it was.
    let of_application = aid.map(|aid| emv::scheme_of_application(&aid)).filter(|found| *found != Scheme::Unknown);
    of_application.map_or_else(|| scheme.to_owned(), |found| found.as_str().to_owned())
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
