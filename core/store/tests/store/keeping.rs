//! What is committed is there, what is not never was; sums and rows follow.

use takings_domain::event::{
    Abandoned, AttemptEnd, BlobErased, ChargeStarted, EraseReason, Event, Expired, Lane, LedgerEvent, Opened,
    ParkReason, Parked, SendEnded, SendResult, Subject,
};
use takings_domain::payment::Stage;
use takings_domain::{Authorization, Currency, LedgerId, MaskedCard, PayoutStatus};
use takings_store::{Hint, Patience, StoreError, Verification};
use tempfile::tempdir;

use crate::support::*;

/// The end of a payment's first send.
fn ended(number: u64, result: SendResult, retry_after_ms: Option<i64>) -> SendEnded {
    SendEnded { op: op(number), n: 1, lane: Lane::Drain, result, code: None, retry_after_ms }
}

#[test]
fn p1_kept_what_was_committed_is_there_after_a_restart() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    keep(&mut ledger, 1, cny(1_234));
    let (seq, hash) = (ledger.last_seq(), ledger.last_hash());
    drop(ledger);
    let mut ledger = open(&dir);
    assert_eq!((ledger.last_seq(), ledger.last_hash()), (seq, hash));
    let mut tx = ledger.begin().unwrap();
    let payment = tx.payment(id(1)).unwrap().unwrap();
    assert_eq!(payment.charge.amount, cny(1_234));
    assert!(payment.is_deferred());
    assert_eq!(tx.card_blob(id(1)).unwrap().unwrap().as_slice(), blob(1));
    assert_eq!(tx.last_stan().unwrap(), Some(2));
    drop(tx);
    assert_eq!(ledger.verify().unwrap(), Verification::Sound { events: seq });
}

#[test]
fn a_transaction_that_is_dropped_never_happened() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    let mut tx = ledger.begin().unwrap();
    tx.append(at(1), None, &Subject::Payment(id(1)), charge(1, cny(5))).unwrap();
    drop(tx);
    assert_eq!(ledger.last_seq(), 1);
    let mut tx = ledger.begin().unwrap();
    assert_eq!(tx.payment(id(1)).unwrap(), None);
    let committed = tx.commit().unwrap();
    assert_eq!((committed.wrote, committed.last_seq), (false, 1));
    assert_eq!(ledger.verify().unwrap(), Verification::Sound { events: 1 });
}

#[test]
fn an_event_that_cannot_follow_is_refused_and_the_rest_can_be_committed() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    let payment = Subject::Payment(id(1));
    let mut tx = ledger.begin().unwrap();
    assert!(matches!(tx.append(at(1), None, &payment, attempt(1)), Err(StoreError::Misplaced { .. })));
    tx.append(at(1), None, &payment, charge(1, cny(5))).unwrap();
    assert!(matches!(tx.append(at(1), None, &payment, charge(1, cny(5))), Err(StoreError::Fold(_))));
    assert!(matches!(tx.append(at(1), None, &payment, deferred()), Err(StoreError::Fold(_))));
    assert!(matches!(tx.append(at(1), None, &Subject::Ledger, attempt(1)), Err(StoreError::Misplaced { .. })));
    let other = Subject::Payment(id(2));
    assert!(matches!(tx.append(at(1), None, &other, charge(1, cny(5))), Err(StoreError::Misplaced { .. })));
    tx.append(at(1), None, &payment, attempt(1)).unwrap();
    assert_eq!(tx.commit().unwrap().last_seq, 3);
    assert_eq!(ledger.verify().unwrap(), Verification::Sound { events: 3 });
}

#[test]
fn what_is_due_follows_from_the_events() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    for number in [1, 2, 3] {
        keep(&mut ledger, number, cny(100));
    }
    let now_ms = MORNING_MS + 60_000;
    let mut tx = ledger.begin().unwrap();
    let due = |tx: &mut takings_store::Transaction<'_>, patience| {
        let items = tx.due(Lane::Drain, now_ms, patience, 0, 10).unwrap();
        items.into_iter().map(|item| item.payment_id).collect::<Vec<_>>()
    };
    assert_eq!(due(&mut tx, Patience::Due), [id(1), id(2), id(3)]);
    assert_eq!(tx.next_due_ms(Some(Lane::Live)).unwrap(), None);
    assert!(tx.next_due_ms(None).unwrap().is_some());
    assert_eq!(tx.waiting_on(Lane::Drain).unwrap(), 3);
    // One is refused for a while, one is under way: both in this very transaction.
    let payment = Subject::Payment(id(1));
    tx.append(at(60), None, &payment, send(1, 1)).unwrap();
    tx.append(at(60), None, &payment, ended(1, SendResult::NotSent, Some(600_000))).unwrap();
    tx.append(at(60), None, &Subject::Payment(id(2)), send(2, 1)).unwrap();
    assert_eq!(due(&mut tx, Patience::Due), [id(3)]);
    assert_eq!(due(&mut tx, Patience::Asked), [id(3)], "what the acquirer asked for binds even the merchant");
    assert_eq!(tx.open_work(10).unwrap(), [id(2)]);
    assert_eq!(tx.past_deadline(MORNING_MS + 6 * 86_400_000, 10).unwrap(), [id(1), id(3)]);
    assert_eq!(tx.card_count(&MaskedCard::new("541333", "0001"), "2026-11-21".parse().unwrap()).unwrap(), Some(1));
    assert_eq!(tx.card_count(&MaskedCard::new("54", ""), "2026-11-21".parse().unwrap()).unwrap(), None);
    assert_eq!(tx.offline_sequence().unwrap(), 4);
    assert_eq!(tx.offline_span_ms(Currency::CNY).unwrap().map(|(oldest, ..)| oldest), Some(at(1).wall_ms));
    assert_eq!(tx.payments_of_order("order-2").unwrap(), [id(2)]);
    tx.commit().unwrap();
    answer(&mut ledger, 3, Authorization::Approved);
    let mut tx = ledger.begin().unwrap();
    let waiting = tx.waiting().unwrap();
    assert!(waiting.iter().all(|row| (row.count, row.amount_minor) == (2, 200)), "{waiting:?}");
}

#[test]
fn what_is_parked_or_expired_does_not_limit_the_offline_policy_for_ever() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    for number in [1, 2, 3] {
        keep(&mut ledger, number, cny(100));
    }
    let sums = |ledger: &mut takings_store::Ledger| {
        let mut tx = ledger.begin().unwrap();
        let sum = |rows: &[takings_store::WaitingRow], what| {
            rows.iter().find(|row| row.what == what).map_or((0, 0), |row| (row.count, row.amount_minor))
        };
        let rows = tx.waiting().unwrap();
        (
            sum(&rows, "offline"),
            sum(&rows, "unsent"),
            tx.offline_span_ms(Currency::CNY).unwrap().map(|(oldest, ..)| oldest),
        )
    };
    assert_eq!(sums(&mut ledger), ((3, 300), (3, 300), Some(at(1).wall_ms)));
    let week = at(7 * 86_400);
    let deadline_ms = MORNING_MS + 5 * 86_400_000;
    let mut tx = ledger.begin().unwrap();
    let parked = Parked { reason: ParkReason::CounterBroken, code: Some("94".into()) };
    tx.append(at(60), None, &Subject::Payment(id(1)), parked).unwrap();
    tx.append(week, None, &Subject::Payment(id(2)), Expired { by_ms: deadline_ms }).unwrap();
    // In doubt when its deadline passed: at stake, and yet over.
    tx.append(at(61), None, &Subject::Payment(id(3)), send(3, 1)).unwrap();
    let ended = ended(3, SendResult::Maybe, None);
    tx.append(at(62), None, &Subject::Payment(id(3)), ended).unwrap();
    tx.commit().unwrap();
    assert_eq!(sums(&mut ledger), ((1, 100), (3, 300), Some(at(3).wall_ms)), "in doubt may still be answered");
    let mut tx = ledger.begin().unwrap();
    tx.append(week, None, &Subject::Payment(id(3)), Expired { by_ms: deadline_ms }).unwrap();
    tx.commit().unwrap();
    assert_eq!(sums(&mut ledger), ((0, 0), (3, 300), None));
    ledger.rebuild_projections().unwrap();
    assert_eq!(sums(&mut ledger), ((0, 0), (3, 300), None));
    assert!(matches!(ledger.verify().unwrap(), Verification::Sound { .. }));
}

#[test]
fn a_clock_that_was_set_back_does_not_stop_work() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    for number in [1, 2] {
        keep(&mut ledger, number, cny(100));
    }
    let day_s = 86_400;
    let mut tx = ledger.begin().unwrap();
    // The clock is three days fast: one ends without a word, one is asked to wait an hour.
    for (number, wait) in [(1, None), (2, Some(3_600_000))] {
        let payment = Subject::Payment(id(number));
        tx.append(at(3 * day_s), None, &payment, send(number, 1)).unwrap();
        tx.append(at(3 * day_s), None, &payment, ended(number, SendResult::NotSent, wait)).unwrap();
    }
    let found = |tx: &mut takings_store::Transaction<'_>, now_ms| {
        let items = tx.due(Lane::Drain, now_ms, Patience::Due, 0, 10).unwrap();
        items.into_iter().map(|item| item.payment_id).collect::<Vec<_>>()
    };
    let fast_ms = at(3 * day_s).wall_ms;
    let hour_ms = 3_600_000;
    assert_eq!(found(&mut tx, fast_ms + 1_001), [id(1)], "the right clock waits as it was asked");
    assert_eq!(found(&mut tx, fast_ms + hour_ms), [id(1), id(2)]);
    // Set back by three days: neither can have been set by this clock.
    let now_ms = fast_ms - 3 * 86_400_000;
    assert_eq!(found(&mut tx, now_ms), [id(1), id(2)]);
    assert!(tx.next_due_ms(None).unwrap().unwrap() >= fast_ms);
    assert_eq!(tx.next_due_from_ms(now_ms).unwrap(), Some(now_ms));
    // Set back by an hour: the wait the acquirer asked for still binds.
    let now_ms = fast_ms - hour_ms;
    assert_eq!(found(&mut tx, now_ms), [id(1)]);
    assert_eq!(tx.due(Lane::Drain, now_ms, Patience::Asked, 0, 10).unwrap().len(), 1);
    assert_eq!(tx.next_due_from_ms(now_ms).unwrap(), Some(now_ms));
    tx.append(at(3 * day_s), None, &Subject::Payment(id(1)), send(11, 2)).unwrap();
    assert_eq!(tx.next_due_from_ms(now_ms).unwrap(), Some(fast_ms + hour_ms), "all that is left is asked to wait");
}

#[test]
fn an_order_that_was_charged_is_found_behind_any_number_of_vain_tries() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    let mut tx = ledger.begin().unwrap();
    for number in 1..=40 {
        let payment = Subject::Payment(id(number));
        let order_reference = Some("table 7".into());
        tx.append(at(1), None, &payment, ChargeStarted { order_reference, ..charge(number, cny(100)) }).unwrap();
        if number > 1 {
            tx.append(at(2), None, &payment, Abandoned { why: AttemptEnd::Cancelled }).unwrap();
        }
    }
    assert_eq!(tx.payments_of_order("table 7").unwrap(), [id(1)]);
}

#[test]
fn followed_hints_are_forgotten_when_there_are_far_too_many() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    let hint = |feed_seq: u64| {
        let (kind, subject) = ("payment.updated".into(), "p".into());
        Hint { event_id: format!("ev_{feed_seq}"), feed_seq, kind, subject, version: None }
    };
    let mut tx = ledger.begin().unwrap();
    for feed_seq in 1..=11_002 {
        assert!(tx.put_hint(&hint(feed_seq)).unwrap());
        if feed_seq > 1 {
            tx.follow_hint(&format!("ev_{feed_seq}")).unwrap();
        }
    }
    tx.commit().unwrap();
    let mut tx = ledger.begin().unwrap();
    assert_eq!(tx.pending_hints(10).unwrap(), [hint(1)], "what was not followed stays");
    assert!(!tx.put_hint(&hint(1_003)).unwrap(), "the newest ten thousand are known");
    assert!(tx.put_hint(&hint(1_002)).unwrap(), "older ones are not");
}

#[test]
fn p8_no_card_data_an_erased_blob_is_nowhere_in_the_files() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    keep(&mut ledger, 1, cny(100));
    keep(&mut ledger, 2, cny(100));
    let found = |number: u64| {
        ["ledger.db", "ledger.db-wal"].iter().any(|name| {
            let bytes = std::fs::read(dir.path().join(name)).unwrap();
            let needle = blob(number)[..34].to_vec();
            bytes.windows(needle.len()).any(|window| window == needle)
        })
    };
    let encrypted = cfg!(feature = "sqlcipher");
    assert_eq!(found(1), !encrypted);
    assert!(!ledger.truncate_after_erase().unwrap(), "nothing was erased");
    answer(&mut ledger, 1, Authorization::Approved);
    assert!(ledger.truncate_after_erase().unwrap());
    assert!(!found(1));
    assert_eq!(found(2), !encrypted);
    assert!(!ledger.truncate_after_erase().unwrap(), "once is enough");
    let mut tx = ledger.begin().unwrap();
    assert_eq!(tx.card_blob(id(1)).unwrap(), None);
    assert!(tx.card_blob(id(2)).unwrap().is_some());
}

#[test]
fn a_payouts_change_reaches_all_its_payments_in_chunks_that_survive_a_restart() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    let count = 1_203_u64;
    let mut tx = ledger.begin().unwrap();
    for number in 0..count {
        let payment = Subject::Payment(id(number));
        tx.append(at(1), None, &payment, charge(number, cny(200))).unwrap();
        tx.append(at(1), None, &payment, attempt(number)).unwrap();
        tx.append(at(1), None, &payment, card_read("0001")).unwrap();
        tx.append(at(1), None, &payment, deferred()).unwrap();
        tx.append(at(1), None, &payment, report(1, Authorization::Approved)).unwrap();
        tx.append(at(1), None, &payment, BlobErased { why: EraseReason::Answered }).unwrap();
    }
    let lines: Vec<_> = (0..count).map(|number| line(1, number, 200, 1)).collect();
    let subject = Subject::Payout(payout_id(1));
    let net = 199 * i64::try_from(count).unwrap();
    tx.append(at(2), None, &subject, payout(1, 1, PayoutStatus::Sent, net, 1_203)).unwrap();
    tx.append(at(2), None, &subject, page(1, 0, true, lines)).unwrap();
    tx.commit().unwrap();
    assert!(ledger.begin().unwrap().spread_is_owed().unwrap());
    assert!(ledger.spread_chunk().unwrap());
    drop(ledger);
    let mut ledger = open(&dir);
    assert!(matches!(ledger.verify().unwrap(), Verification::Sound { .. }), "rows on their way are no fault");
    while ledger.spread_chunk().unwrap() {}
    assert!(!ledger.begin().unwrap().spread_is_owed().unwrap());
    assert!(matches!(ledger.verify().unwrap(), Verification::Sound { .. }));
    let reader = takings_store::Reader::open(&config(dir.path())).unwrap();
    let takings = reader.takings(None, None, MORNING_MS).unwrap();
    assert_eq!(takings.len(), 1);
    assert_eq!((takings[0].stage, takings[0].count), (Stage::OnItsWay, 1_203));
}

#[test]
fn a_reissue_speaks_for_the_payments_of_the_payout_that_came_back() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    keep(&mut ledger, 1, cny(200));
    answer(&mut ledger, 1, Authorization::Approved);
    let (first, again) = (Subject::Payout(payout_id(1)), Subject::Payout(payout_id(2)));
    let mut tx = ledger.begin().unwrap();
    tx.append(at(2), None, &first, payout(1, 1, PayoutStatus::Sent, 199, 1)).unwrap();
    tx.append(at(2), None, &first, page(1, 0, true, vec![line(1, 1, 200, 1)])).unwrap();
    tx.append(at(2), None, &first, payout(1, 2, PayoutStatus::Returned, 199, 1)).unwrap();
    tx.commit().unwrap();
    let reader = takings_store::Reader::open(&config(dir.path())).unwrap();
    let stage = || reader.payment(id(1)).unwrap().unwrap().row;
    assert_eq!(stage().stage, Stage::NeedsYou);
    let mut tx = ledger.begin().unwrap();
    let mut reissue = payout(2, 1, PayoutStatus::Sent, 199, 0);
    reissue.reissue_of = Some(payout_id(1));
    tx.append(at(3), None, &again, reissue).unwrap();
    tx.commit().unwrap();
    assert_eq!(stage().stage, Stage::OnItsWay);
    let mut tx = ledger.begin().unwrap();
    let mut arrived = payout(2, 2, PayoutStatus::Arrived, 199, 0);
    arrived.reissue_of = Some(payout_id(1));
    tx.append(at(4), None, &again, arrived).unwrap();
    tx.commit().unwrap();
    let row = stage();
    assert_eq!((row.stage, row.payout_id, row.net_minor), (Stage::Arrived, Some(payout_id(2)), Some(199)));
    assert!(matches!(ledger.verify().unwrap(), Verification::Sound { .. }));
}

#[test]
fn p7_told_once_alerts_wait_in_order_until_they_are_acknowledged() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    for number in [1, 2] {
        keep(&mut ledger, number, cny(100));
        answer(&mut ledger, number, Authorization::Declined);
    }
    let mut tx = ledger.begin().unwrap();
    let alerts = tx.next_alerts(10).unwrap();
    let subjects: Vec<_> = alerts.iter().map(|alert| alert.subject.clone()).collect();
    assert_eq!(subjects, [Subject::Payment(id(1)), Subject::Payment(id(2))]);
    assert_eq!(alerts[0].amount, Some(cny(100)));
    tx.acknowledge(alerts[0].seq).unwrap();
    tx.commit().unwrap();
    drop(ledger);
    let mut ledger = open(&dir);
    ledger.rebuild_projections().unwrap();
    let mut tx = ledger.begin().unwrap();
    assert_eq!(tx.next_alerts(10).unwrap(), alerts[1..]);
    tx.acknowledge(0).unwrap();
    assert_eq!(tx.next_alerts(10).unwrap(), alerts[1..], "an acknowledgement is not taken back");
}

#[test]
fn what_stands_beside_the_events_is_kept() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    let hint = |event_id: &str, feed_seq| Hint {
        event_id: event_id.into(),
        feed_seq,
        kind: "payout.sent".into(),
        subject: "po_1".into(),
        version: Some(2),
    };
    let mut tx = ledger.begin().unwrap();
    assert!(tx.put_hint(&hint("ev_2", 2)).unwrap());
    assert!(tx.put_hint(&hint("ev_1", 1)).unwrap());
    assert!(!tx.put_hint(&hint("ev_1", 1)).unwrap(), "heard before");
    tx.set_meta("cursor", b"c2").unwrap();
    tx.put_reference("ab12", "policy", b"{}").unwrap();
    assert!(tx.commit().unwrap().wrote);
    drop(ledger);
    let mut ledger = open(&dir);
    let mut tx = ledger.begin().unwrap();
    assert_eq!(tx.pending_hints(10).unwrap(), [hint("ev_1", 1), hint("ev_2", 2)]);
    tx.follow_hint("ev_1").unwrap();
    assert_eq!(tx.pending_hints(10).unwrap(), [hint("ev_2", 2)]);
    assert!(!tx.put_hint(&hint("ev_1", 1)).unwrap(), "followed once is followed");
    assert_eq!(tx.meta("cursor").unwrap().as_deref(), Some(&b"c2"[..]));
    assert_eq!(tx.meta("ledger_id").unwrap(), None, "our own keys stand apart");
    assert_eq!(tx.reference("ab12").unwrap().as_deref(), Some(&b"{}"[..]));
}

#[test]
fn a_second_opening_event_is_refused() {
    let dir = tempdir().unwrap();
    let mut ledger = opened(&dir);
    let event = Event::Ledger(LedgerEvent::Opened(Opened {
        ledger_id: LedgerId::from_bytes([1; 16]),
        device_key_thumbprint: String::new(),
    }));
    let mut tx = ledger.begin().unwrap();
    assert!(matches!(tx.append(at(1), None, &Subject::Ledger, event), Err(StoreError::Fold(_))));
}
