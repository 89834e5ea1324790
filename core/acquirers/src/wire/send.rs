//! Bodies of requests.

use serde::Serialize;

use super::value::{MoneyOut, instant_text};
use crate::encode::EncodeError;
use crate::encoding::{base64, hex_lower, hex_upper};
use crate::jwk::PublicJwk;
use crate::operation::{
    Activation, ApprovedBy, Card, ClockReport, ClockSource, Inquiry, OfflineRisk, Reversal, SignOn, Submission,
    SubmissionKind, SubmitBatch, SubmitOne,
};
use takings_domain::settlement::Funding;

/// The most bytes of ciphertext: 64 Ki characters of base64.
const MAX_CIPHERTEXT_LEN: usize = 48 * 1024;
/// The most bytes of EMV tags.
const MAX_EMV_LEN: usize = 2048;
/// The most items of a batch and look-ups of an inquiry.
const MAX_ITEMS: usize = 100;

type Result<T> = std::result::Result<T, EncodeError>;

fn require(sound: bool, field: &'static str) -> Result<()> {
    if sound { Ok(()) } else { Err(EncodeError::Invalid { field }) }
}

fn instant(at_ms: i64, field: &'static str) -> Result<String> {
    instant_text(at_ms).ok_or(EncodeError::Invalid { field })
}

/// 1 to `most` bytes without control characters.
fn sound_text<'a>(text: &'a str, most: usize, field: &'static str) -> Result<&'a str> {
    require(!text.is_empty() && text.len() <= most && !text.chars().any(char::is_control), field)?;
    Ok(text)
}

fn sound_option<'a>(value: Option<&'a String>, most: usize, field: &'static str) -> Result<Option<&'a str>> {
    value.map(|text| sound_text(text, most, field)).transpose()
}

/// Six digits, as batches and trace numbers are written.
fn six_digits<'a>(text: &'a str, field: &'static str) -> Result<&'a str> {
    require(text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()), field)?;
    Ok(text)
}

fn stan(number: u32) -> Result<String> {
    require((1..=999_999).contains(&number), "stan")?;
    Ok(format!("{number:06}"))
}

#[derive(Serialize)]
pub(crate) struct ActivationBody<'a> {
    request_id: String,
    activation_code: &'a str,
    alg: &'static str,
    public_key: PublicJwk,
    device: DeviceBody<'a>,
}

#[derive(Serialize)]
struct DeviceBody<'a> {
    app_version: &'a str,
    platform: &'a str,
}

impl<'a> ActivationBody<'a> {
    pub(crate) fn new(activation: &'a Activation) -> Result<Self> {
        Ok(Self {
            request_id: activation.request_id.to_string(),
            activation_code: sound_text(&activation.code, 64, "code")?,
            alg: activation.public_key.alg().as_str(),
            public_key: activation.public_key,
            device: DeviceBody {
                app_version: sound_text(&activation.app_version, 40, "app_version")?,
                platform: sound_text(&activation.platform, 40, "platform")?,
            },
        })
    }
}

#[derive(Serialize)]
pub(crate) struct SignOnBody<'a> {
    request_id: String,
    app_version: &'a str,
    device_time: String,
    queue: QueueBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger_head: Option<HeadBody>,
}

#[derive(Serialize)]
struct QueueBody {
    count: u32,
    totals: Vec<MoneyOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_captured_at: Option<String>,
}

#[derive(Serialize)]
struct HeadBody {
    ledger_id: String,
    seq: u64,
    hash: String,
}

impl<'a> SignOnBody<'a> {
    pub(crate) fn new(sign_on: &'a SignOn) -> Result<Self> {
        require(sign_on.queue_totals.len() <= 20, "queue_totals")?;
        let oldest = sign_on.queue_oldest_captured_at_ms;
        Ok(Self {
            request_id: sign_on.request_id.to_string(),
            app_version: sound_text(&sign_on.app_version, 40, "app_version")?,
            device_time: instant(sign_on.device_ms, "device_ms")?,
            queue: QueueBody {
                count: sign_on.queue_count,
                totals: sign_on.queue_totals.iter().copied().map(MoneyOut::from).collect(),
                oldest_captured_at: oldest.map(|at| instant(at, "queue_oldest_captured_at_ms")).transpose()?,
            },
            ledger_head: sign_on.ledger_head.map(|head| HeadBody {
                ledger_id: head.ledger_id.to_string(),
                seq: head.seq,
                hash: hex_lower(&head.hash),
            }),
        })
    }
}

#[derive(Serialize)]
struct ClockBody {
    offset_s: i64,
    uncertainty_s: u32,
    source: &'static str,
}

impl From<ClockReport> for ClockBody {
    fn from(clock: ClockReport) -> Self {
        let source = match clock.source {
            ClockSource::SignOn => "sign_on",
            ClockSource::Network => "network",
            ClockSource::None => "none",
        };
        let offset_s = clock.offset_s.clamp(-4_000_000_000, 4_000_000_000);
        Self { offset_s, uncertainty_s: clock.uncertainty_s.min(4_000_000_000), source }
    }
}

#[derive(Serialize)]
pub(crate) struct OneBody<'a> {
    session_id: &'a str,
    sent_at: String,
    clock: ClockBody,
    payment: ItemBody<'a>,
}

impl<'a> OneBody<'a> {
    pub(crate) fn new(one: &'a SubmitOne, now_ms: i64) -> Result<Self> {
        Ok(Self {
            session_id: sound_text(&one.session_id, 64, "session_id")?,
            sent_at: instant(now_ms, "now_ms")?,
            clock: one.clock.into(),
            payment: ItemBody::new(&one.payment)?,
        })
    }
}

#[derive(Serialize)]
pub(crate) struct BatchBody<'a> {
    batch_id: String,
    session_id: &'a str,
    sent_at: String,
    clock: ClockBody,
    items: Vec<ItemBody<'a>>,
}

impl<'a> BatchBody<'a> {
    pub(crate) fn new(batch: &'a SubmitBatch, now_ms: i64) -> Result<Self> {
        require((1..=MAX_ITEMS).contains(&batch.items.len()), "items")?;
        let mut ids: Vec<_> = batch.items.iter().map(|item| item.payment_id).collect();
        ids.sort_unstable();
        require(ids.windows(2).all(|pair| pair[0] != pair[1]), "items")?;
        require(batch.items.iter().all(|item| item.kind != SubmissionKind::Live), "kind")?;
        Ok(Self {
            batch_id: batch.batch_id.to_string(),
            session_id: sound_text(&batch.session_id, 64, "session_id")?,
            sent_at: instant(now_ms, "now_ms")?,
            clock: batch.clock.into(),
            items: batch.items.iter().map(ItemBody::new).collect::<Result<_>>()?,
        })
    }
}

#[derive(Serialize)]
struct ItemBody<'a> {
    payment_id: String,
    kind: &'static str,
    #[serde(rename = "type")]
    payment_type: &'static str,
    amount: MoneyOut,
    batch_number: &'a str,
    stan: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_number: Option<&'a str>,
    captured_at: String,
    captured_on: String,
    entry_mode: &'static str,
    card: CardBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emv: Option<EmvBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offline: Option<OfflineBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_id: Option<&'a str>,
    attempt: u32,
}

impl<'a> ItemBody<'a> {
    fn new(item: &'a Submission) -> Result<Self> {
        require(item.amount.amount_minor() > 0, "amount")?;
        require(item.emv_tlv.len() <= MAX_EMV_LEN, "emv_tlv")?;
        require(item.kind == SubmissionKind::Live || item.offline.is_some(), "offline")?;
        let kind = match item.kind {
            SubmissionKind::Live => "live",
            SubmissionKind::DeferredAuthorization => "deferred_authorization",
            SubmissionKind::OfflineAdvice => "offline_advice",
        };
        let emv = (!item.emv_tlv.is_empty()).then(|| EmvBody { tlv_hex: hex_upper(&item.emv_tlv) });
        Ok(Self {
            payment_id: item.payment_id.to_string(),
            kind,
            payment_type: "purchase",
            amount: item.amount.into(),
            batch_number: six_digits(&item.batch_number, "batch_number")?,
            stan: stan(item.stan)?,
            receipt_number: sound_option(item.receipt_number.as_ref(), 20, "receipt_number")?,
            captured_at: instant(item.captured_at_ms, "captured_at_ms")?,
            captured_on: item.captured_on.format("%Y-%m-%d").to_string(),
            entry_mode: item.entry_mode.as_str(),
            card: CardBody::new(&item.card)?,
            emv,
            offline: item.offline.as_ref().map(OfflineBody::new).transpose()?,
            order_reference: sound_option(item.order_reference.as_ref(), 64, "order_reference")?,
            operator_id: sound_option(item.operator_id.as_ref(), 64, "operator_id")?,
            attempt: item.attempt.max(1),
        })
    }
}

#[derive(Serialize)]
struct EmvBody {
    tlv_hex: String,
}

#[derive(Serialize)]
struct CardBody<'a> {
    scheme: &'static str,
    masked_pan: String,
    funding: &'static str,
    encrypted: EncryptedBody<'a>,
}

#[derive(Serialize)]
struct EncryptedBody<'a> {
    format: &'a str,
    key_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ksn: Option<String>,
    data: String,
}

impl<'a> CardBody<'a> {
    fn new(card: &'a Card) -> Result<Self> {
        require((1..=MAX_CIPHERTEXT_LEN).contains(&card.ciphertext.len()), "ciphertext")?;
        require(card.ksn.len() <= 32, "ksn")?;
        require(card.masked.last_four().len() == 4, "masked")?;
        let in_format = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        require((1..=40).contains(&card.format.len()) && card.format.bytes().all(in_format), "format")?;
        let funding = match card.funding {
            Funding::Debit | Funding::Credit | Funding::Prepaid => card.funding.as_str(),
            Funding::Any | Funding::Unknown => "unknown",
        };
        Ok(Self {
            scheme: card.scheme.as_str(),
            masked_pan: format!("{}******{}", card.masked.first(), card.masked.last_four()),
            funding,
            encrypted: EncryptedBody {
                format: &card.format,
                key_id: sound_text(&card.key_id, 64, "key_id")?,
                ksn: (!card.ksn.is_empty()).then(|| hex_upper(&card.ksn)),
                data: base64(&card.ciphertext),
            },
        })
    }
}

#[derive(Serialize)]
struct OfflineBody<'a> {
    approved_by: &'static str,
    policy_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk_counters: Option<CountersBody>,
}

#[derive(Serialize)]
struct CountersBody {
    count_open: u32,
    total_open: MoneyOut,
}

impl<'a> OfflineBody<'a> {
    fn new(risk: &'a OfflineRisk) -> Result<Self> {
        let counters = risk.count_open.zip(risk.total_open);
        Ok(Self {
            approved_by: match risk.approved_by {
                ApprovedBy::Card => "card",
                ApprovedBy::Merchant => "merchant",
            },
            policy_version: sound_text(&risk.policy_version, 64, "policy_version")?,
            risk_counters: counters.map(|(count_open, total)| CountersBody { count_open, total_open: total.into() }),
        })
    }
}

#[derive(Serialize)]
pub(crate) struct InquiryBody {
    request_id: String,
    lookups: Vec<LookupBody>,
}

#[derive(Serialize)]
struct LookupBody {
    #[serde(rename = "ref")]
    reference: String,
    payment_id: String,
    close_if_unknown: bool,
}

impl InquiryBody {
    pub(crate) fn new(inquiry: &Inquiry) -> Result<Self> {
        require((1..=MAX_ITEMS).contains(&inquiry.lookups.len()), "lookups")?;
        let lookups = inquiry.lookups.iter().map(|lookup| LookupBody {
            reference: lookup.payment_id.to_string(),
            payment_id: lookup.payment_id.to_string(),
            close_if_unknown: lookup.close_if_unknown,
        });
        Ok(Self { request_id: inquiry.request_id.to_string(), lookups: lookups.collect() })
    }
}

#[derive(Serialize)]
pub(crate) struct ReversalBody<'a> {
    reversal_id: String,
    reason: &'static str,
    amount: MoneyOut,
    natural_key: NaturalKeyBody<'a>,
    sent_at: String,
    attempt: u32,
}

#[derive(Serialize)]
struct NaturalKeyBody<'a> {
    batch_number: &'a str,
    stan: String,
    captured_on: String,
}

impl<'a> ReversalBody<'a> {
    pub(crate) fn new(reversal: &'a Reversal, now_ms: i64) -> Result<Self> {
        require(reversal.amount.amount_minor() > 0, "amount")?;
        Ok(Self {
            reversal_id: reversal.reversal_id().to_string(),
            reason: reversal.reason.as_str(),
            amount: reversal.amount.into(),
            natural_key: NaturalKeyBody {
                batch_number: six_digits(&reversal.batch_number, "batch_number")?,
                stan: stan(reversal.stan)?,
                captured_on: reversal.captured_on.format("%Y-%m-%d").to_string(),
            },
            sent_at: instant(now_ms, "now_ms")?,
            attempt: reversal.attempt.max(1),
        })
    }
}
