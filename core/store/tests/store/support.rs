//! A ledger in a directory of its own, and the events of a day at the stall.

use rusqlite::Connection;
use takings_domain::event::{
    Accepted, AttemptStarted, BlobErased, CardRead, ChargeMode, ChargeStarted, Class, EntriesReported, Entry,
    EraseReason, Lane, Opened, PaymentReported, PayoutReported, SendStarted, Subject, Via,
};
use takings_domain::{
    Arrival, AttemptId, Authorization, Clearing, Currency, Direction, EntryMode, EntryType, Evidence, LedgerId,
    MaskedCard, Money, Now, OperationId, PaymentId, PayoutId, PayoutStatus, Scheme,
};
use takings_store::{Ledger, OpenConfig, OpenReport, StoreError};
use tempfile::TempDir;

/// 2026-11-21 08:00 UTC.
pub(crate) const MORNING_MS: i64 = 1_795_248_000_000;

/// A directory in memory where the machine has such a place: for tests that open and commit thousands of times.
pub(crate) fn memory_dir() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

pub(crate) fn config(dir: &std::path::Path) -> OpenConfig {
    let mut config = OpenConfig::new(dir, LedgerId::from_bytes([0x11; 16]));
    config.key = cfg!(feature = "sqlcipher").then(|| takings_store::DatabaseKey::new([7; 32]));
    config
}

pub(crate) fn try_open(dir: &TempDir) -> Result<(Ledger, OpenReport), StoreError> {
    Ledger::open(config(dir.path()))
}

pub(crate) fn open(dir: &TempDir) -> Ledger {
    try_open(dir).unwrap().0
}

/// A new ledger with its first event.
pub(crate) fn opened(dir: &TempDir) -> Ledger {
    let mut ledger = open(dir);
    let mut tx = ledger.begin().unwrap();
    let event = Opened { ledger_id: LedgerId::from_bytes([0x11; 16]), device_key_thumbprint: "thumbprint".into() };
    tx.append(at(0), None, &Subject::Ledger, event).unwrap();
    tx.commit().unwrap();
    ledger
}

/// So many seconds into the day.
pub(crate) fn at(second: i64) -> Now {
    Now { wall_ms: MORNING_MS + second * 1_000, monotonic_ms: second * 1_000, boot_id: u64::MAX - 5 }
}

pub(crate) fn id(number: u64) -> PaymentId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    PaymentId::from_parts(MORNING_MS, random)
}

pub(crate) fn op(number: u64) -> OperationId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    OperationId::from_bytes(bytes)
}

pub(crate) fn payout_id(number: u64) -> PayoutId {
    PayoutId::new(format!("po_{number}")).unwrap()
}

pub(crate) fn cny(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::CNY).unwrap()
}

pub(crate) fn charge(number: u64, amount: Money) -> ChargeStarted {
    ChargeStarted {
        payment_id: id(number),
        amount,
        order_reference: Some(format!("order-{number}")),
        stan: u32::try_from(number % 999_999 + 1).unwrap(),
        batch_number: "000001".into(),
        captured_on: "2026-11-21".parse().unwrap(),
        mode: ChargeMode::Offline,
        policy_version: Some("p1".into()),
    }
}

pub(crate) fn attempt(number: u64) -> AttemptStarted {
    AttemptStarted { attempt_id: AttemptId::from_bytes(*id(number).as_bytes()), reader_serial: Some("B1".into()) }
}

pub(crate) fn card_read(last_four: &str) -> CardRead {
    CardRead {
        entry_mode: EntryMode::Chip,
        scheme: Scheme::Mastercard,
        card: MaskedCard::new("541333", last_four),
        blob_len: 16,
        blob_sha256: "00".repeat(32),
        captured_at_ms: None,
    }
}

pub(crate) fn deferred() -> Accepted {
    Accepted { class: Class::Deferred, deadline_ms: Some(MORNING_MS + 5 * 86_400_000) }
}

pub(crate) fn send(number: u64, n: u32) -> SendStarted {
    SendStarted { op: op(number), n, lane: Lane::Drain }
}

pub(crate) fn report(version: u64, authorization: Authorization) -> PaymentReported {
    let approved = authorization == Authorization::Approved;
    PaymentReported {
        via: Via::Answer,
        report_version: version,
        authorization,
        clearing: if approved { Clearing::Accepted } else { Clearing::None },
        arrival: if approved { Arrival::Pending } else { Arrival::NotEligible },
        evidence: Evidence::None,
        code: Some(if approved { "00" } else { "05" }.into()),
        rrn: Some("112233445566".into()),
        auth_code: approved.then(|| "A1B2C3".into()),
        approved_amount_minor: None,
        accepted_at_ms: Some(MORNING_MS + 3_600_000),
        expected: None,
        computed_date: None,
        reason: None,
        payout_id: None,
        withheld_minor: None,
    }
}

pub(crate) fn payout(number: u64, version: u64, status: PayoutStatus, net_minor: i64, lines: u32) -> PayoutReported {
    PayoutReported {
        payout_id: payout_id(number),
        report_version: version,
        status,
        direction: Direction::Credit,
        gross: cny(net_minor),
        fee: cny(0),
        net: cny(net_minor),
        entry_count: lines,
        business_date: "2026-11-23".parse().unwrap(),
        expected_date: Some("2026-11-24".parse().unwrap()),
        overdue_after_ms: Some(MORNING_MS + 5 * 86_400_000),
        arrived_at_ms: (status == PayoutStatus::Arrived).then_some(MORNING_MS + 3 * 86_400_000),
        evidence: if status == PayoutStatus::Arrived { Evidence::BankNotification } else { Evidence::None },
        end_to_end_id: Some(format!("E{number}")),
        bank_reference: None,
        reissue_of: None,
        failure_code: None,
    }
}

pub(crate) fn line(payout: u64, payment: u64, gross_minor: i64, fee_minor: i64) -> Entry {
    Entry {
        entry_id: format!("en_{payout}_{payment}"),
        entry_type: EntryType::Payment,
        payment_id: Some(id(payment)),
        captured_on: Some("2026-11-21".parse().unwrap()),
        gross_minor,
        fee_minor,
        net_minor: gross_minor - fee_minor,
    }
}

pub(crate) fn page(version: u64, page: u32, last: bool, entries: Vec<Entry>) -> EntriesReported {
    EntriesReported { report_version: version, page, last, entries }
}

/// A payment kept offline: intent in one commit, card and acceptance in the next.
pub(crate) fn keep(ledger: &mut Ledger, number: u64, amount: Money) {
    let payment = Subject::Payment(id(number));
    let now = at(i64::try_from(number).unwrap());
    let mut tx = ledger.begin().unwrap();
    tx.append(now, Some("Li"), &payment, charge(number, amount)).unwrap();
    tx.append(now, Some("Li"), &payment, attempt(number)).unwrap();
    tx.commit().unwrap();
    let mut tx = ledger.begin().unwrap();
    tx.append(now, Some("Li"), &payment, card_read(&format!("{:04}", number % 10_000))).unwrap();
    tx.put_card_blob(id(number), &blob(number)).unwrap();
    tx.append(now, Some("Li"), &payment, deferred()).unwrap();
    tx.commit().unwrap();
}

/// Ciphertext nobody else writes.
pub(crate) fn blob(number: u64) -> Vec<u8> {
    format!("<<ciphertext of payment {number:08}>>").repeat(20).into_bytes()
}

/// The answer to a kept payment, with its card data erased.
pub(crate) fn answer(ledger: &mut Ledger, number: u64, authorization: Authorization) {
    let payment = Subject::Payment(id(number));
    let now = at(10_000 + i64::try_from(number).unwrap());
    let mut tx = ledger.begin().unwrap();
    tx.append(now, None, &payment, send(number, 1)).unwrap();
    tx.commit().unwrap();
    let mut tx = ledger.begin().unwrap();
    tx.append(now, None, &payment, report(1, authorization)).unwrap();
    tx.append(now, None, &payment, BlobErased { why: EraseReason::Answered }).unwrap();
    assert!(tx.erase_card_blob(id(number)).unwrap());
    tx.commit().unwrap();
}

/// The file behind the ledger's back.
pub(crate) fn raw(dir: &TempDir) -> Connection {
    let conn = Connection::open(dir.path().join("ledger.db")).unwrap();
    if cfg!(feature = "sqlcipher") {
        conn.execute_batch(&format!("PRAGMA key = \"x'{}'\"", "07".repeat(32))).unwrap();
    }
    conn
}
