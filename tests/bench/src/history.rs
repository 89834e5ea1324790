//! Ledgers of a given length, written by the store itself, many payments to a commit.

use std::path::Path;

use sandbox_acquirer::DEFAULT_START_MS;
use takings_acquirers::DeviceSigner as _;
use takings_domain::event::{
    Accepted, AttemptStarted, BlobErased, CardRead, ChargeMode, ChargeStarted, Class, EntriesReported, Entry,
    EraseReason, Event, Lane, Opened, PaymentReported, PayoutReported, ReaderConcluded, Reconciled, SendStarted,
    Subject, Via,
};
use takings_domain::settlement::{Basis, ExpectedArrival};
use takings_domain::{
    Arrival, AttemptId, Authorization, Clearing, Currency, Direction, EntryMode, EntryType, Evidence, LedgerId,
    MaskedCard, Money, Now, OperationId, PaymentId, PayoutId, PayoutStatus, Scheme,
};
use takings_store::{DatabaseKey, Ledger, OpenConfig, Transaction};

use crate::{Outcome, stall};

/// Payments of one business day, and of one payout.
pub const PER_DAY: u64 = 500;
/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;
/// A payout's entries come in pages of this many.
const PER_PAGE: u64 = 100;

/// What is written for each payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Six events: charge, attempt, card, acceptance, send, answer.
    SixEvents,
    /// What the till writes: also the reader's end and the erased card data, and a payout for each day but the last.
    Whole,
}

/// How this build opens a ledger in `dir`.
#[must_use]
pub fn config(dir: &Path) -> OpenConfig {
    let mut config = OpenConfig::new(dir, LedgerId::from_bytes([0x11; 16]));
    config.key = crate::KEY.map(DatabaseKey::new);
    config
}

/// Writes a new ledger of `payments` payments.
///
/// # Errors
/// As the store.
pub fn write(dir: &Path, payments: u64, life: Life) -> Outcome<()> {
    let (mut ledger, _) = Ledger::open(config(dir))?;
    let mut tx = ledger.begin()?;
    let device_key_thumbprint = stall::device_key()?.public_jwk().thumbprint();
    let opened = Opened { ledger_id: LedgerId::from_bytes([0x11; 16]), device_key_thumbprint };
    tx.append(at(0), None, &Subject::Ledger, opened)?;
    tx.commit()?;
    let mut first = 0;
    while first < payments {
        let day = first / PER_DAY;
        let end = payments.min(first + PER_DAY);
        let mut tx = ledger.begin()?;
        for number in first..end {
            payment(&mut tx, number, life)?;
        }
        tx.commit()?;
        if life == Life::Whole && end < payments {
            let mut tx = ledger.begin()?;
            payout(&mut tx, day, first..end)?;
            tx.commit()?;
        }
        ledger.checkpoint_idle()?;
        first = end;
    }
    ledger.close()?;
    Ok(())
}

/// Intent of one payment: charge and attempt.
///
/// # Errors
/// As the store.
pub fn intent(tx: &mut Transaction<'_>, number: u64) -> Outcome<()> {
    let (subject, now) = (Subject::Payment(id(number)), at(number));
    tx.append(now, Some("zhang"), &subject, charge(number)?)?;
    let attempt = AttemptStarted { attempt_id: AttemptId::from_bytes(*id(number).as_bytes()), reader_serial: None };
    tx.append(now, Some("zhang"), &subject, attempt)?;
    Ok(())
}

/// Card, acceptance and ciphertext of one payment: what is on disk before the screen says *saved*.
///
/// # Errors
/// As the store.
pub fn acceptance(tx: &mut Transaction<'_>, number: u64, blob: Option<&[u8]>) -> Outcome<()> {
    let (subject, now) = (Subject::Payment(id(number)), at(number));
    let card = CardRead {
        entry_mode: EntryMode::Chip,
        scheme: Scheme::Mastercard,
        card: MaskedCard::new("541333", &format!("{:04}", number % 10_000)),
        blob_len: 616,
        blob_sha256: "5f".repeat(32),
        captured_at_ms: None,
    };
    tx.append(now, Some("zhang"), &subject, card)?;
    if let Some(blob) = blob {
        tx.put_card_blob(id(number), blob)?;
    }
    let accepted = Accepted { class: Class::Deferred, deadline_ms: Some(now.wall_ms + 10 * DAY_MS) };
    tx.append(now, Some("zhang"), &subject, accepted)?;
    Ok(())
}

fn payment(tx: &mut Transaction<'_>, number: u64, life: Life) -> Outcome<()> {
    intent(tx, number)?;
    acceptance(tx, number, None)?;
    let (subject, now) = (Subject::Payment(id(number)), at(number));
    if life == Life::Whole {
        let outcome = "deferred".to_owned();
        let concluded = ReaderConcluded { outcome, code: "00000000".into(), unexpected: false };
        tx.append(now, Some("zhang"), &subject, concluded)?;
    }
    let sent = SendStarted { op: operation(number / 50), n: 1, lane: Lane::Drain };
    tx.append(now, None, &subject, Event::from(sent))?;
    tx.append(now, None, &subject, Event::from(report(number, now)?))?;
    if life == Life::Whole {
        tx.append(now, None, &subject, BlobErased { why: EraseReason::Answered })?;
    }
    Ok(())
}

fn charge(number: u64) -> Outcome<ChargeStarted> {
    Ok(ChargeStarted {
        payment_id: id(number),
        amount: cny(amount_minor(number))?,
        order_reference: Some(format!("order-{number:07}")),
        stan: u32::try_from(number % 999_999 + 1)?,
        batch_number: format!("{:06}", number / PER_DAY % 1_000_000),
        captured_on: date(number / PER_DAY)?,
        mode: ChargeMode::Offline,
        policy_version: Some("2".into()),
    })
}

fn report(number: u64, now: Now) -> Outcome<PaymentReported> {
    let (accepted, day) = (now.wall_ms + 60_000, number / PER_DAY);
    let declined = number % 100 == 99;
    let expected = ExpectedArrival {
        date: date(day + 1)?,
        earliest: date(day + 1)?,
        latest: date(day + 2)?,
        basis: Basis::Acquirer,
        provisional: false,
        overdue_after_ms: accepted + 4 * DAY_MS,
    };
    Ok(PaymentReported {
        via: Via::Answer,
        report_version: 1,
        authorization: if declined { Authorization::Declined } else { Authorization::Approved },
        clearing: if declined { Clearing::None } else { Clearing::Accepted },
        arrival: if declined { Arrival::NotEligible } else { Arrival::Pending },
        evidence: Evidence::None,
        code: Some(if declined { "51" } else { "00" }.into()),
        rrn: Some(format!("{:012}", number + 326_000_000_000)),
        auth_code: (!declined).then(|| format!("{:06}", number % 1_000_000)),
        approved_amount_minor: (!declined).then(|| amount_minor(number)),
        accepted_at_ms: Some(accepted),
        expected: (!declined).then_some(expected),
        computed_date: None,
        reason: None,
        payout_id: None,
        withheld_minor: None,
    })
}

fn payout(tx: &mut Transaction<'_>, day: u64, payments: std::ops::Range<u64>) -> Outcome<()> {
    let payout_id = PayoutId::new(format!("po_{day:08}"))?;
    let subject = Subject::Payout(payout_id.clone());
    let paid: Vec<u64> = payments.filter(|number| number % 100 != 99).collect();
    let gross: i64 = paid.iter().map(|number| amount_minor(*number)).sum();
    let fee: i64 = paid.iter().map(|number| fee_minor(*number)).sum();
    let now = at((day + 1) * PER_DAY);
    let reported = PayoutReported {
        payout_id,
        report_version: 3,
        status: PayoutStatus::Arrived,
        direction: Direction::Credit,
        gross: cny(gross)?,
        fee: cny(fee)?,
        net: cny(gross - fee)?,
        entry_count: u32::try_from(paid.len())?,
        business_date: date(day)?,
        expected_date: Some(date(day + 1)?),
        overdue_after_ms: Some(now.wall_ms + 4 * DAY_MS),
        arrived_at_ms: Some(now.wall_ms),
        evidence: Evidence::BankNotification,
        end_to_end_id: Some(format!("E{day:08}")),
        bank_reference: Some(format!("B{day:08}")),
        reissue_of: None,
        failure_code: None,
    };
    tx.append(now, None, &subject, Event::from(reported))?;
    let pages = paid.chunks(usize::try_from(PER_PAGE)?).enumerate();
    let last = paid.len().div_ceil(usize::try_from(PER_PAGE)?).saturating_sub(1);
    for (page, numbers) in pages {
        let entries = numbers.iter().map(|number| entry(*number)).collect::<Outcome<_>>()?;
        let heard = EntriesReported { report_version: 3, page: u32::try_from(page)?, last: page == last, entries };
        tx.append(now, None, &subject, Event::from(heard))?;
    }
    tx.append(now, None, &subject, Event::from(Reconciled { report_version: 3, difference: cny(0)? }))?;
    Ok(())
}

fn entry(number: u64) -> Outcome<Entry> {
    Ok(Entry {
        entry_id: format!("en_{number:08}"),
        entry_type: EntryType::Payment,
        payment_id: Some(id(number)),
        captured_on: Some(date(number / PER_DAY)?),
        gross_minor: amount_minor(number),
        fee_minor: fee_minor(number),
        net_minor: amount_minor(number) - fee_minor(number),
    })
}

fn amount_minor(number: u64) -> i64 {
    i64::try_from(number % 300 + 1).unwrap_or(1) * 100
}

fn fee_minor(number: u64) -> i64 {
    amount_minor(number) * 6 / 1_000
}

fn cny(amount_minor: i64) -> Outcome<Money> {
    Ok(Money::new(amount_minor, Currency::CNY)?)
}

fn date(day: u64) -> Outcome<chrono::NaiveDate> {
    let first = chrono::NaiveDate::from_ymd_opt(2026, 11, 21).ok_or("no such day")?;
    Ok(first.checked_add_days(chrono::Days::new(day)).ok_or("no such day")?)
}

fn at(number: u64) -> Now {
    let number = i64::try_from(number).unwrap_or(0);
    let per_day = i64::try_from(PER_DAY).unwrap_or(1);
    let passed_ms = number / per_day * DAY_MS + number % per_day * 1_000;
    Now { wall_ms: DEFAULT_START_MS + passed_ms, monotonic_ms: passed_ms, boot_id: 1 }
}

fn id(number: u64) -> PaymentId {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    let mut random = [0; 10];
    random[2..].copy_from_slice(&mixed);
    PaymentId::from_parts(at(number).wall_ms, random)
}

fn operation(number: u64) -> OperationId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    OperationId::from_bytes(bytes)
}
