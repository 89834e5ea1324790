//! A payment as a till submits it.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::input::{Fields, Money, is_acquirer_id, is_six_digits, is_uuid, is_word, sized};

/// A submitted payment that fits the schema.
#[derive(Clone, Debug)]
pub(crate) struct Submission {
    pub(crate) payment_id: String,
    pub(crate) kind: &'static str,
    pub(crate) type_: &'static str,
    pub(crate) amount: Money,
    pub(crate) batch_number: String,
    pub(crate) stan: String,
    pub(crate) captured_at: String,
    pub(crate) captured_ms: i64,
    pub(crate) captured_on: String,
    pub(crate) entry_mode: &'static str,
    pub(crate) scheme: String,
    pub(crate) masked_pan: String,
    ciphertext: String,
    pub(crate) policy_version: Option<String>,
    pub(crate) order_reference: Option<String>,
    pub(crate) operator_id: Option<String>,
}

impl Submission {
    /// Whether the customer was let go before the acquirer was asked.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(self.kind, "deferred_authorization" | "offline_advice")
    }

    pub(crate) fn last_four(&self) -> &str {
        self.masked_pan.get(self.masked_pan.len().saturating_sub(4)..).unwrap_or("")
    }

    /// The leading digits that are visible, six at most.
    pub(crate) fn bin(&self) -> &str {
        self.masked_pan.split('*').next().unwrap_or("")
    }

    /// SHA-256 over the fields a repeat must not change.
    pub(crate) fn fingerprint(&self, terminal_id: &str) -> String {
        let mut hash = Sha256::new();
        let amount = self.amount.amount.to_string();
        let captured = self.captured_ms.to_string();
        for part in [self.kind, self.type_, &amount, &self.amount.currency, terminal_id, &captured, &self.ciphertext] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What stands around the payments: session, clock, time of sending.
pub(crate) fn read_envelope(fields: &Fields<'_>) -> Option<String> {
    let session_id = fields.text("session_id", is_acquirer_id);
    fields.instant("sent_at");
    if let Some(clock) = fields.object("clock") {
        clock.int("offset_s", -4_000_000_000, 4_000_000_000);
        clock.int("uncertainty_s", 0, 4_000_000_000);
        clock.word("source", &["sign_on", "network", "none"]);
    }
    session_id.map(str::to_owned)
}

/// Reads one `PaymentSubmission`.
pub(crate) fn read_submission(fields: &Fields<'_>) -> Option<Submission> {
    let payment_id = fields.text("payment_id", is_uuid);
    let kind = fields.word("kind", &["live", "deferred_authorization", "offline_advice", "completion"]);
    let type_ = fields.word("type", &["purchase", "pre_authorization"]);
    let amount = fields.money("amount", 1);
    let batch_number = fields.text("batch_number", is_six_digits);
    let stan = fields.text("stan", is_six_digits);
    fields.text_if("receipt_number", sized(1, 20));
    let captured = fields.instant("captured_at");
    let captured_on = fields.date("captured_on");
    let entry_mode = fields.word("entry_mode", &["chip", "contactless", "stripe", "fallback", "manual", "qr"]);
    let card = fields.object("card").and_then(|card| read_card(&card));
    if let Some(emv) = fields.object_if("emv") {
        let hex = |text: &str| {
            text.len() <= 4096
                && text.len().is_multiple_of(2)
                && text.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
        };
        emv.text("tlv_hex", hex);
    }
    if let Some(pin) = fields.object_if("pin") {
        if pin.raw("present").is_none() {
            pin.error("present", "missing");
        }
        pin.flag("present");
        pin.text_if("block_format", sized(0, 20));
        if let Some(encrypted) = pin.object_if("encrypted") {
            read_encrypted(&encrypted);
        }
    }
    let stored = kind.is_some_and(|kind| kind == "deferred_authorization" || kind == "offline_advice");
    let policy_version = read_offline(fields, stored);
    let order_reference = fields.text_if("order_reference", sized(1, 64));
    let operator_id = fields.text_if("operator_id", sized(1, 64));
    fields.int("attempt", 1, 1_000_000);
    let ((captured_at, captured_ms), (scheme, masked_pan, ciphertext)) = (captured?, card?);
    Some(Submission {
        payment_id: payment_id?.to_owned(),
        kind: kind?,
        type_: type_?,
        amount: amount?,
        batch_number: batch_number?.to_owned(),
        stan: stan?.to_owned(),
        captured_at: captured_at.to_owned(),
        captured_ms,
        captured_on: captured_on?.to_owned(),
        entry_mode: entry_mode?,
        scheme,
        masked_pan,
        ciphertext,
        policy_version,
        order_reference: order_reference.map(str::to_owned),
        operator_id: operator_id.map(str::to_owned),
    })
}

/// The payment id of an item, if it can be read at all.
pub(crate) fn item_id(item: &Value) -> Option<&str> {
    item.get("payment_id").and_then(Value::as_str).filter(|text| is_uuid(text))
}

fn read_offline(fields: &Fields<'_>, needed: bool) -> Option<String> {
    let offline = if needed { fields.object("offline") } else { fields.object_if("offline") }?;
    offline.word("approved_by", &["card", "merchant"]);
    if let Some(counters) = offline.object_if("risk_counters") {
        counters.int("count_open", 0, 1_000_000);
        counters.money("total_open", -crate::input::MAX_INTEGER);
    }
    offline.text("policy_version", sized(1, 64)).map(str::to_owned)
}

fn read_card(card: &Fields<'_>) -> Option<(String, String, String)> {
    let scheme = card.text("scheme", is_word);
    let masked_pan = card.text("masked_pan", is_masked);
    card.text_if("issuer_country", |text| text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()));
    card.word("funding", &["debit", "credit", "prepaid", "unknown"]);
    card.text_if("token", sized(1, 128));
    let ciphertext = card.object("encrypted").and_then(|encrypted| read_encrypted(&encrypted));
    Some((scheme?.to_owned(), masked_pan?.to_owned(), ciphertext?))
}

/// Returns the ciphertext, verbatim: nothing here can open it.
fn read_encrypted(encrypted: &Fields<'_>) -> Option<String> {
    let small = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-');
    encrypted.text("format", |text| (1..=40).contains(&text.len()) && text.bytes().all(small));
    encrypted.text("key_id", sized(1, 64));
    encrypted.text_if("ksn", |text| {
        (2..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
    });
    let data = encrypted.text("data", |text| {
        let digits = text.trim_end_matches('=');
        text.len() - digits.len() <= 2
            && (2..=65_536).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
    });
    data.map(str::to_owned)
}

/// At most six leading digits, three to thirteen stars, four digits.
fn is_masked(text: &str) -> bool {
    let head = text.bytes().take_while(u8::is_ascii_digit).count();
    let stars = text.bytes().skip(head).take_while(|b| *b == b'*').count();
    head <= 6
        && (3..=13).contains(&stars)
        && text.len() == head + stars + 4
        && text.bytes().skip(head + stars).all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::is_masked;

    #[test]
    fn masked_numbers() {
        assert!(is_masked("622848******0000"));
        assert!(is_masked("***0000"));
        assert!(!is_masked("6228480000000000"));
        assert!(!is_masked("6228481*****0000"));
        assert!(!is_masked("622848******00"));
    }
}
