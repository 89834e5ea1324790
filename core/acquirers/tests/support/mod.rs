//! An acquirer that signs, a device with a known key, and one operation of each kind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::NaiveDate;
use ed25519_dalek::{Signer as _, SigningKey};
use takings_acquirers::report::LedgerHead;
use takings_acquirers::{
    AcquirerKey, Activation, Alg, Answer, ApprovedBy, Card, ClockReport, ClockSource, DeviceSigner, Identity, Inquiry,
    KeyRing, ListQuery, Lookup, OfflineRisk, Operation, Reversal, SignOn, SigningContext, SoftwareKey, Submission,
    SubmissionKind, SubmitBatch, SubmitOne, signed_input,
};
use takings_domain::event::ReversalReason;
use takings_domain::settlement::Funding;
use takings_domain::{Currency, EntryMode, LedgerId, MaskedCard, Money, OperationId, PaymentId, PayoutId, Scheme};
use zeroize::Zeroizing;

pub(crate) const BASE_URL: &str = "https://acquirer.example";
pub(crate) const CONTEXT: SigningContext = SigningContext { now_ms: 1_795_248_000_000, nonce: [7; 16] };

pub(crate) fn root() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

/// RFC 8032's first test key, so that published vectors hold under `2026a`.
pub(crate) fn listed() -> SigningKey {
    let mut seed = [0; 32];
    let hex = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    for (index, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[index * 2..index * 2 + 2], 16).unwrap();
    }
    SigningKey::from_bytes(&seed)
}

/// Believes the key `2026a`.
pub(crate) fn key_ring() -> KeyRing {
    let mut ring = KeyRing::new(root().verifying_key().to_bytes());
    ring.replace(vec![AcquirerKey { kid: "2026a".into(), public_key: listed().verifying_key().to_bytes() }]);
    ring
}

pub(crate) fn device(alg: Alg) -> SoftwareKey {
    SoftwareKey::from_secret(alg, &Zeroizing::new([3; 32])).unwrap()
}

pub(crate) fn identity(signer: &dyn DeviceSigner) -> Identity<'_> {
    Identity { base_url: BASE_URL, terminal_id: Some("T0000001"), signer }
}

/// An answer as the acquirer signs it: by the root key for the list of keys.
pub(crate) fn signed(operation: &Operation, status: u16, body: &[u8]) -> Answer {
    let (kid, key) = if matches!(operation, Operation::Keys) { ("root", root()) } else { ("2026a", listed()) };
    signed_by(kid, &key, status, body)
}

pub(crate) fn signed_by(kid: &str, key: &SigningKey, status: u16, body: &[u8]) -> Answer {
    let signature = key.sign(&signed_input("ans_1", 1_795_248_001, body)).to_bytes();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = vec![
        header("content-type", "application/json"),
        header("etag", "\"v-1\""),
        header("kid", kid),
        header("webhook-id", "ans_1"),
        header("webhook-timestamp", "1795248001"),
        header("webhook-signature", &format!("v1a,{}", STANDARD.encode(signature))),
    ];
    Answer { status, headers, body: body.to_vec() }
}

pub(crate) fn payment_id(n: u8) -> PaymentId {
    PaymentId::parse(&format!("019ab2c4-7c00-7000-8000-0000000000{n:02x}")).unwrap()
}

fn operation_id(text: &str) -> OperationId {
    OperationId::parse(text).unwrap()
}

pub(crate) fn cny(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::CNY).unwrap()
}

pub(crate) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(crate) fn submission(n: u8, amount_minor: i64, kind: SubmissionKind) -> Submission {
    let offline = OfflineRisk {
        approved_by: ApprovedBy::Merchant,
        policy_version: "1".into(),
        count_open: Some(2),
        total_open: Some(cny(17_300)),
    };
    Submission {
        payment_id: payment_id(n),
        kind,
        amount: cny(amount_minor),
        batch_number: "000001".into(),
        stan: 122 + u32::from(n),
        receipt_number: Some("R-17".into()),
        captured_at_ms: 1_795_227_330_000,
        captured_on: date("2026-11-21"),
        entry_mode: EntryMode::Chip,
        card: Card {
            scheme: Scheme::Visa,
            masked: MaskedCard::new("476173", "0119"),
            funding: Funding::Any,
            format: "magtek_dynaflex_arqc".into(),
            key_id: "9A00".into(),
            ksn: vec![0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x08],
            ciphertext: vec![0xDE, 0xAD, 0xBE, 0xEF],
        },
        emv_tlv: vec![0x9F, 0x27, 0x01, 0x80],
        offline: (kind != SubmissionKind::Live).then_some(offline),
        order_reference: Some("order-17".into()),
        operator_id: Some("wang".into()),
        attempt: 1,
    }
}

const CLOCK: ClockReport = ClockReport { offset_s: -3, uncertainty_s: 2, source: ClockSource::SignOn };

fn sending_operations() -> Vec<(&'static str, Operation)> {
    let activation = Activation {
        request_id: operation_id("019ab2c4-7c00-7000-8000-0000000000a1"),
        code: "STALL-7QK4-92".into(),
        public_key: device(Alg::Ed25519).public_jwk(),
        app_version: "0.1.0".into(),
        platform: "android".into(),
    };
    let sign_on = SignOn {
        request_id: operation_id("019ab2c4-7c00-7000-8000-0000000000b1"),
        app_version: "0.1.0".into(),
        device_ms: 1_795_248_003_000,
        queue_count: 2,
        queue_totals: vec![cny(17_300)],
        queue_oldest_captured_at_ms: Some(1_795_227_330_000),
        ledger_head: Some(LedgerHead { ledger_id: LedgerId::from_bytes([9; 16]), seq: 94, hash: [0xAB; 32] }),
    };
    let one =
        SubmitOne { session_id: "s_000001".into(), clock: CLOCK, payment: submission(1, 12_800, SubmissionKind::Live) };
    let batch = SubmitBatch {
        batch_id: operation_id("019ab2c4-7c00-7000-8000-0000000000d1"),
        session_id: "s_000001".into(),
        clock: CLOCK,
        items: vec![
            submission(1, 12_800, SubmissionKind::DeferredAuthorization),
            submission(2, 4_500, SubmissionKind::DeferredAuthorization),
            submission(3, 900, SubmissionKind::OfflineAdvice),
            submission(4, 700, SubmissionKind::DeferredAuthorization),
        ],
    };
    let inquiry = Inquiry {
        request_id: operation_id("019ab2c4-7c00-7000-8000-0000000000c1"),
        lookups: vec![
            Lookup { payment_id: payment_id(1), amount: Some(cny(12_800)), close_if_unknown: false },
            Lookup { payment_id: payment_id(2), amount: Some(cny(4_500)), close_if_unknown: true },
            Lookup { payment_id: payment_id(3), amount: None, close_if_unknown: false },
        ],
    };
    let reversal = Reversal {
        payment_id: payment_id(1),
        amount: cny(12_800),
        reason: ReversalReason::Timeout,
        batch_number: "000001".into(),
        stan: 123,
        captured_on: date("2026-11-21"),
        attempt: 2,
    };
    vec![
        ("activate", Operation::Activate(activation)),
        ("sign_on", Operation::SignOn(sign_on)),
        ("payment", Operation::Payment(Box::new(one))),
        ("batch", Operation::Batch(batch)),
        ("inquiry", Operation::Inquire(inquiry)),
        ("reversal", Operation::Reverse(reversal)),
    ]
}

/// One operation of each kind, by the name of its golden files.
pub(crate) fn operations() -> Vec<(&'static str, Operation)> {
    let payout_id = PayoutId::new("po_20261123_1").unwrap();
    let list =
        ListQuery { updated_since_ms: Some(1_795_248_000_000), status: None, cursor: Some("abc~1".into()), limit: 50 };
    let mut operations = sending_operations();
    operations.extend([
        ("capabilities", Operation::Capabilities),
        ("keys", Operation::Keys),
        ("health", Operation::Health),
        ("terminal", Operation::Terminal { if_none_match: None }),
        ("risk_policy", Operation::RiskPolicy { if_none_match: Some("\"policy-1\"".into()) }),
        ("read_payment", Operation::ReadPayment { payment_id: payment_id(1), amount: Some(cny(12_800)) }),
        ("list_payments", Operation::ListPayments(ListQuery { status: Some("approved".into()), ..list.clone() })),
        ("terms", Operation::Terms { if_none_match: None }),
        ("calendar", Operation::Calendar { from: date("2026-02-13"), to: date("2026-02-15"), if_none_match: None }),
        ("list_payouts", Operation::ListPayouts(list)),
        ("read_payout", Operation::ReadPayout { payout_id: payout_id.clone() }),
        ("payout_entries", Operation::PayoutEntries { payout_id, cursor: None, limit: 200 }),
        ("events", Operation::Events { after: 6, limit: 100, wait_s: 25 }),
    ]);
    operations
}

pub(crate) fn operation(name: &str) -> Operation {
    operations().into_iter().find(|(known, _)| *known == name).unwrap().1
}

fn golden_path(part: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(part)
}

pub(crate) fn golden_bytes(part: &str) -> Vec<u8> {
    std::fs::read(golden_path(part)).unwrap_or_else(|error| panic!("{part}: {error}"))
}

/// Compares with a golden file. `TAKINGS_BLESS=1` writes it instead: look at the difference before you commit it.
pub(crate) fn assert_golden(part: &str, text: &str) {
    if std::env::var_os("TAKINGS_BLESS").is_some() {
        std::fs::write(golden_path(part), text).unwrap();
    }
    let kept = String::from_utf8(golden_bytes(part)).unwrap();
    assert!(kept == text, "{part} differs:\n{text}");
}
