//! P12 opens: ledgers as released versions wrote them, in `tests/fixtures/ledgers/<schema>-<version>`. The builder writes the
//! folder of this version where there is none; those of older ones stay as they are for ever.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use takings_domain::event::{
    Abandoned, Activated, ActivationStarted, AttemptEnd, AttemptEnded, BlobErased, CalendarAdopted, CancelledUnsent,
    ChargeMode, ChargeStarted, Class, ClockJumped, DuplicateOverridden, EraseReason, Event, Expired, HistoryLost,
    HistoryRestored, Lane, LedgerEvent, NotReceived, NoticeKind, Noticed, OfflineRefused, OverdueNoticed, ParkReason,
    Parked, PaymentEvent, PayoutEvent, PolicyAdopted, ReaderConcluded, ReaderSeen, ReaderTrouble, ReceiptDataRead,
    Reconciled, Restored, ReversalOutcome, ReversalReason, ReversalReported, ReversalRequested, SendEnded, SendResult,
    SendStarted, ServiceMarked, SignedOn, Subject, TermsAdopted, UnsentThen, Verification as Verified,
};
use takings_domain::{Authorization, OperationId, PayoutStatus, ReversalId};
use takings_store::reading::payments::PaymentFilter;
use takings_store::{Hint, Ledger, Patience, Reader, Verification};

use crate::support::*;

/// The version whose folder the builder writes.
const VERSION: &str = env!("CARGO_PKG_VERSION");
const KIND: &str = if cfg!(feature = "sqlcipher") { "encrypted" } else { "plain" };
const LATER_MS: i64 = MORNING_MS + 3 * 86_400_000;

fn ledgers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/ledgers")
}

/// Appends to one subject, an event a minute.
struct Writer<'a> {
    ledger: &'a mut Ledger,
    minute: i64,
}

impl Writer<'_> {
    fn write<const N: usize>(&mut self, subject: &Subject, events: [Event; N]) {
        for event in events {
            self.minute += 1;
            let mut tx = self.ledger.begin().unwrap();
            let (blob_of, erased) = match (&event, subject) {
                (Event::Payment(PaymentEvent::CardRead(_)), Subject::Payment(id)) => (Some(*id), None),
                (Event::Payment(PaymentEvent::BlobErased(_)), Subject::Payment(id)) => (None, Some(*id)),
                _ => (None, None),
            };
            tx.append(at(60 * self.minute), Some("Li"), subject, event).unwrap();
            if let Some(id) = blob_of {
                tx.put_card_blob(id, b"<<ciphertext of nobody's card>>").unwrap();
            }
            if let Some(id) = erased {
                tx.erase_card_blob(id).unwrap();
            }
            tx.commit().unwrap();
        }
    }

    fn pay<const N: usize>(&mut self, number: u64, events: [Event; N]) {
        self.write(&Subject::Payment(id(number)), events);
    }

    /// Up to the acceptance without a line.
    fn saved(&mut self, number: u64) {
        let amount = cny(100 * i64::try_from(number).unwrap());
        let card = card_read(&format!("{number:04}"));
        self.pay(number, [charge(number, amount).into(), attempt(number).into(), card.into(), deferred().into()]);
    }
}

fn sent(number: u64, lane: Lane) -> Event {
    SendStarted { op: op(number), n: 1, lane }.into()
}

fn doubtful(number: u64, lane: Lane) -> Event {
    let (result, code) = (SendResult::Maybe, None);
    SendEnded { op: op(number), n: 1, lane, result, code, retry_after_ms: None }.into()
}

fn erased(why: EraseReason) -> Event {
    BlobErased { why }.into()
}

fn the_ledger_itself(writer: &mut Writer<'_>) {
    let adopted = |version: &str| (version.to_owned(), "ab".repeat(32), MORNING_MS, None);
    let terms = |version: &str| {
        let (version, digest, valid_from_ms, valid_until_ms) = adopted(version);
        Event::from(TermsAdopted { version, digest, valid_from_ms, valid_until_ms })
    };
    let (version, digest, valid_from_ms, valid_until_ms) = adopted("1");
    let policy = PolicyAdopted { version: version.clone(), digest: digest.clone(), valid_from_ms, valid_until_ms };
    let calendar = CalendarAdopted { version, digest, valid_from_ms, valid_until_ms };
    let activated = Activated {
        merchant_id: "M000001".into(),
        merchant_name: "王记早点".into(),
        terminal_id: "T0000001".into(),
        root_key: "cm9vdA".into(),
        alg: "ed25519".into(),
    };
    let signed_on = SignedOn {
        session_id: "s_000001".into(),
        batch_number: "000001".into(),
        business_date: "2026-11-21".parse().unwrap(),
        server_ms: MORNING_MS,
        offset_ms: 0,
        sign_on_again_before_ms: MORNING_MS + 86_400_000,
    };
    let unsent = vec![UnsentThen { count: 2, total: cny(700) }];
    let reader = ReaderSeen {
        serial: "B61378A".into(),
        model: "DynaFlex II Go".into(),
        firmware: "1000009550-A0".into(),
        battery_percent: Some(9),
        charging: Some(false),
        trouble: Some(ReaderTrouble::BatteryLow),
    };
    writer.write(
        &Subject::Ledger,
        [
            ActivationStarted { request_id: OperationId::from_bytes([3; 16]), code_sha256: "cd".repeat(32) }.into(),
            activated.into(),
            signed_on.into(),
            policy.into(),
            terms("1"),
            calendar.into(),
            terms("2"),
            ClockJumped { by_ms: -7_200_000 }.into(),
            HistoryLost { witness_seq: 12, found_seq: 0, unsent }.into(),
            HistoryRestored { payments: 1, payouts: 0 }.into(),
            reader.into(),
        ],
    );
}

fn payments(writer: &mut Writer<'_>) {
    let approved = || Event::from(report(1, Authorization::Approved));
    for number in [1, 2, 3, 4, 5, 10, 12, 13] {
        writer.saved(number);
    }
    writer.pay(2, [sent(2, Lane::Drain), doubtful(2, Lane::Drain)]);
    let given = ServiceMarked { given: true }.into();
    writer.pay(3, [sent(3, Lane::Drain), approved(), erased(EraseReason::Answered), given]);
    let declined = report(1, Authorization::Declined).into();
    writer.pay(4, [sent(4, Lane::Drain), declined, erased(EraseReason::Answered)]);
    let parked = Parked { reason: ParkReason::UnlistedCode, code: Some("ZZ".into()) }.into();
    writer.pay(5, [sent(5, Lane::Drain), report(1, Authorization::Processing).into(), parked]);
    let live = ChargeStarted { mode: ChargeMode::PreferOnline, ..charge(6, cny(600)) };
    writer.pay(
        6,
        [
            live.into(),
            attempt(6).into(),
            card_read("0006").into(),
            sent(6, Lane::Live),
            doubtful(6, Lane::Live),
            NotReceived { as_of_ms: MORNING_MS, is_final: false }.into(),
            ReversalRequested { reversal_id: ReversalId::of(id(6)), reason: ReversalReason::Timeout }.into(),
            sent(66, Lane::Reversal),
            ReversalReported { outcome: ReversalOutcome::Reversed }.into(),
            erased(EraseReason::Answered),
        ],
    );
    let why = AttemptEnd::TimedOut;
    let (ended, abandoned) = (AttemptEnded { why }.into(), Abandoned { why }.into());
    writer.pay(7, [charge(7, cny(700)).into(), attempt(7).into(), ended, abandoned]);
    writer.pay(8, [charge(8, cny(800)).into(), OfflineRefused { rule: "amount".into() }.into()]);
    let again = ChargeStarted { order_reference: Some("order-3".into()), ..charge(9, cny(300)) };
    let concluded = ReaderConcluded { outcome: "deferred".into(), code: "22".into(), unexpected: false };
    let for_the_receipt = ReceiptDataRead {
        aid: Some("A000000333010101".into()),
        application_name: Some("UNIONPAY DEBIT".into()),
        verification: Some(Verified::Signature),
        signature: true,
        tvr: None,
        tsi: None,
    };
    writer.pay(
        9,
        [
            again.into(),
            DuplicateOverridden { other: id(3) }.into(),
            attempt(9).into(),
            card_read("0009").into(),
            concluded.into(),
            for_the_receipt.into(),
            deferred().into(),
            CancelledUnsent {}.into(),
            erased(EraseReason::Cancelled),
        ],
    );
    writer.pay(10, [Expired { by_ms: MORNING_MS + 5 * 86_400_000 }.into(), erased(EraseReason::Expired)]);
    let restored = Restored { class: Class::Deferred, captured_at_ms: MORNING_MS - 86_400_000 };
    writer.pay(11, [charge(11, cny(1_100)).into(), restored.into(), approved()]);
    let noticed = Noticed { kind: NoticeKind::Overdue, due_ms: LATER_MS }.into();
    writer.pay(12, [sent(12, Lane::Drain), approved(), noticed]);
    writer.pay(13, [sent(13, Lane::Drain)]);
}

fn payouts(writer: &mut Writer<'_>) {
    let reconciled = |difference| Event::from(Reconciled { report_version: 1, difference: cny(difference) });
    let out = |number| Subject::Payout(payout_id(number));
    let reported = |number, version, status, net| Event::from(payout(number, version, status, net, 1));
    writer.write(
        &out(1),
        [
            reported(1, 1, PayoutStatus::Sent, 297),
            page(1, 0, true, vec![line(1, 3, 300, 3)]).into(),
            reconciled(0),
            reported(1, 2, PayoutStatus::Arrived, 297),
        ],
    );
    let overdue = OverdueNoticed { due_ms: LATER_MS }.into();
    let lines = page(1, 0, true, vec![line(2, 12, 1_200, 12)]).into();
    writer.write(&out(2), [reported(2, 1, PayoutStatus::Sent, 1_190), lines, reconciled(2), overdue]);
    let lines = page(1, 0, true, vec![line(3, 11, 1_100, 11)]).into();
    writer.write(
        &out(3),
        [reported(3, 1, PayoutStatus::Sent, 1_089), lines, reported(3, 2, PayoutStatus::Returned, 1_089)],
    );
    let mut again = payout(4, 1, PayoutStatus::Created, 1_089, 1);
    again.reissue_of = Some(payout_id(3));
    writer.write(&out(4), [again.into()]);
}

fn beside_the_events(ledger: &mut Ledger) {
    let hint = |feed_seq: u64| Hint {
        event_id: format!("ev_{feed_seq}"),
        feed_seq,
        kind: "payout".into(),
        subject: "po_1".into(),
        version: Some(2),
    };
    let mut tx = ledger.begin().unwrap();
    tx.put_reference(&"ab".repeat(32), "policy", b"{\"version\":\"1\"}").unwrap();
    tx.set_meta("feed_after", b"7").unwrap();
    assert!(tx.put_hint(&hint(7)).unwrap() && tx.put_hint(&hint(8)).unwrap());
    tx.follow_hint("ev_7").unwrap();
    let second = tx.next_alerts(9).unwrap()[1].seq;
    tx.acknowledge(second).unwrap();
    tx.commit().unwrap();
}

/// What every version must find in a ledger.
fn lists(ledger: &mut Ledger) -> Value {
    let reader = Reader::open(ledger.config()).unwrap();
    let rows = reader.payments(&PaymentFilter::default(), MORNING_MS, None, 200).unwrap().rows;
    let mut tx = ledger.begin().unwrap();
    let payments: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "key": row.key, "payment_id": row.payment_id.to_string(), "amount_minor": row.amount_minor,
                "currency": row.currency.code(), "captured_on": row.captured_on.to_string(),
                "order_reference": row.order_reference, "stan": row.stan, "operator": row.operator,
                "last_four": row.last_four, "class": row.class.map(|word| word.as_str()),
                "delivery": row.delivery.map(|word| word.as_str()), "stage": row.stage.as_str(),
                "cause": row.cause.map(|word| word.as_str()), "rrn": row.rrn, "auth_code": row.auth_code,
                "approved_minor": row.approved_minor, "net_minor": row.net_minor, "service_given": row.service_given,
                "payout_id": row.payout_id.as_ref().map(ToString::to_string), "unsent": row.unsent,
                "events": reader.payment(row.payment_id).unwrap().unwrap().timeline.len(),
                "card_data": tx.card_blob(row.payment_id).unwrap().map(|bytes| bytes.len()),
            })
        })
        .collect();
    let payouts: Vec<Value> = reader
        .payouts(None, None, 200)
        .unwrap()
        .rows
        .iter()
        .map(|row| {
            json!({
                "payout_id": row.payout_id.to_string(), "status": row.status.as_str(), "net_minor": row.net_minor,
                "entries_heard": row.entries_heard, "difference_minor": row.difference_minor,
                "reissue_of": row.reissue_of.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    let takings: BTreeMap<String, (u64, i64)> = reader
        .takings(None, None, MORNING_MS)
        .unwrap()
        .into_iter()
        .map(|sum| (sum.stage.as_str().to_owned(), (sum.count, sum.amount_minor)))
        .collect();
    let balances: BTreeMap<String, i64> = reader
        .balances()
        .unwrap()
        .into_iter()
        .map(|row| (format!("{} {} {}", row.account.as_str(), row.currency.code(), row.business_day), row.amount_minor))
        .collect();
    let alerts = tx.next_alerts(200).unwrap();
    let due = tx.due(Lane::Drain, LATER_MS, Patience::Asked, 0, 200).unwrap();
    json!({
        "payments": payments, "payouts": payouts, "takings": takings, "balances": balances,
        "alerts": alerts.iter().map(|alert| json!([alert.seq, alert.kind.as_str()])).collect::<Vec<_>>(),
        "due": due.iter().map(|item| item.payment_id.to_string()).collect::<Vec<_>>(),
        "open_work": tx.open_work(200).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "waiting": tx.waiting().unwrap().iter().map(|row| json!([row.what, row.count, row.amount_minor])).collect::<Vec<_>>(),
        "pending_hints": tx.pending_hints(9).unwrap().iter().map(|hint| hint.feed_seq).collect::<Vec<_>>(),
        "feed_after": tx.meta("feed_after").unwrap().map(|bytes| String::from_utf8(bytes).unwrap()),
        "policy": tx.reference(&"ab".repeat(32)).unwrap().map(|bytes| bytes.len()),
        "trace_number": tx.last_stan().unwrap(),
    })
}

/// With `TAKINGS_BLESS=1` and no folder of this kind and version yet it writes one; else what the builder makes must be what
/// lies there: another version of the app, or another schema, needs a folder of its own.
#[test]
fn p12_opens_the_ledger_of_this_version_is_among_the_fixtures() {
    let dir = memory_dir();
    let mut ledger = opened(&dir);
    let mut writer = Writer { ledger: &mut ledger, minute: 0 };
    the_ledger_itself(&mut writer);
    payments(&mut writer);
    payouts(&mut writer);
    beside_the_events(&mut ledger);
    assert!(matches!(ledger.verify().unwrap(), Verification::Sound { .. }));
    let found = serde_json::to_string_pretty(&lists(&mut ledger)).unwrap() + "\n";
    ledger.close().unwrap();
    let conn = raw(&dir);
    let schema: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    for kind in [LedgerEvent::KINDS, PaymentEvent::KINDS, PayoutEvent::KINDS].concat() {
        let sql = "SELECT count(*) FROM event_kind WHERE kind = ?";
        assert_eq!(conn.query_row(sql, [kind], |row| row.get::<_, i64>(0)).unwrap(), 1, "{kind} belongs into it");
    }
    drop(conn);
    let folder = ledgers().join(format!("{schema}-{VERSION}"));
    let (of_kind, path) = (folder.join(KIND), folder.join("lists.json"));
    if std::env::var_os("TAKINGS_BLESS").is_some() && !of_kind.exists() {
        fs::create_dir_all(&of_kind).unwrap();
        for file in ["ledger.db", "head"] {
            fs::copy(dir.path().join(file), of_kind.join(file)).unwrap();
        }
        if !path.exists() {
            fs::write(&path, &found).unwrap();
        }
    }
    assert!(of_kind.exists(), "{}: TAKINGS_BLESS=1 writes it, with and without sqlcipher", of_kind.display());
    assert_eq!(fs::read_to_string(&path).unwrap(), found, "{}: what a version wrote stays", path.display());
}

#[test]
fn p12_opens_ledgers_of_every_released_version_open_verify_and_go_on() {
    let mut seen = 0;
    for folder in fs::read_dir(ledgers()).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let dir = memory_dir();
        for file in ["ledger.db", "head"] {
            fs::copy(folder.join(KIND).join(file), dir.path().join(file)).unwrap();
        }
        let (mut ledger, report) = try_open(&dir).unwrap();
        assert_eq!((report.created, report.missing_events, report.differs_at), (false, 0, None), "{name}");
        assert_eq!((report.read_only, report.at_stake), (None, None), "{name}");
        let wanted: Value = serde_json::from_str(&fs::read_to_string(folder.join("lists.json")).unwrap()).unwrap();
        // Before the lists of an older version are made anew, and after.
        loop {
            let events = ledger.last_seq();
            assert_eq!(ledger.verify().unwrap(), Verification::Sound { events }, "{name}");
            if ledger.rebuild_progress().unwrap().is_none() {
                break;
            }
            while ledger.rebuild_chunk(10).unwrap() {}
        }
        let found = lists(&mut ledger);
        for (list, wanted) in wanted.as_object().unwrap() {
            assert_eq!(&found[list], wanted, "{name}: {list}");
        }
        keep(&mut ledger, 100, cny(900));
        answer(&mut ledger, 100, Authorization::Approved);
        let events = ledger.last_seq();
        assert_eq!(ledger.verify().unwrap(), Verification::Sound { events }, "{name}: one more sale");
        seen += 1;
    }
    assert!(seen > 0, "the fixtures lie in {}", ledgers().display());
}
