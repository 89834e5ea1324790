//! Lists go by key, sums are kept, and time decides on reading who needs somebody.

use takings_domain::event::{NoticeKind, Noticed, OverdueNoticed, PaymentReported, Subject};
use takings_domain::payment::{Stage, notice_due};
use takings_domain::settlement::{Basis, ExpectedArrival};
use takings_domain::{Authorization, PayoutStatus};
use takings_store::{Ledger, Page, PageKey, PaymentFilter, PaymentRow, Reader, StoreError, Verification};
use tempfile::{TempDir, tempdir};

use crate::random::{Random, live};
use crate::support::*;

const NOW_MS: i64 = MORNING_MS + 86_400_000;
const LATE_MS: i64 = MORNING_MS + 40 * 86_400_000;

fn reader(dir: &TempDir) -> Reader {
    Reader::open(&config(dir.path())).unwrap()
}

/// Every page of a list, put together.
fn all(reader: &Reader, filter: &PaymentFilter, now_ms: i64, limit: u32) -> Vec<PaymentRow> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = reader.payments(filter, now_ms, after, limit).unwrap();
        assert!(page.rows.len() <= usize::try_from(limit).unwrap());
        rows.extend(page.rows);
        let Some(next) = page.next else { return rows };
        after = Some(next);
    }
}

fn by_stage(stage: Stage) -> PaymentFilter {
    PaymentFilter { stage: Some(stage), ..PaymentFilter::default() }
}

fn stall(dir: &TempDir) -> Ledger {
    let mut ledger = opened(dir);
    for number in 1..=25 {
        keep(&mut ledger, number, cny(i64::try_from(number % 5 + 1).unwrap() * 100));
    }
    for number in 1..=10 {
        answer(&mut ledger, number, if number % 5 == 0 { Authorization::Declined } else { Authorization::Approved });
    }
    ledger
}

#[test]
fn pages_go_newest_first_and_stay_stable_while_payments_come_in() {
    let dir = tempdir().unwrap();
    let mut ledger = stall(&dir);
    let reader = reader(&dir);
    let first = reader.payments(&PaymentFilter::default(), NOW_MS, None, 7).unwrap();
    let ids = |page: &Page<PaymentRow>| page.rows.iter().map(|row| row.payment_id).collect::<Vec<_>>();
    assert_eq!(ids(&first), (19..=25).rev().map(id).collect::<Vec<_>>());
    keep(&mut ledger, 26, cny(100));
    let second = reader.payments(&PaymentFilter::default(), NOW_MS, first.next, 7).unwrap();
    assert_eq!(ids(&second), (12..=18).rev().map(id).collect::<Vec<_>>());
    let text = first.next.unwrap().to_string();
    assert_eq!(text.parse::<PageKey>().ok(), first.next, "a key survives as text");
    assert_eq!(all(&reader, &PaymentFilter::default(), NOW_MS, 7).len(), 26);
    let last = reader.payments(&PaymentFilter::default(), NOW_MS, None, 200).unwrap();
    assert_eq!((last.rows.len(), last.next), (26, None));
}

#[test]
fn conditions_hold_together() {
    let dir = tempdir().unwrap();
    let _ledger = stall(&dir);
    let reader = reader(&dir);
    let count = |filter: PaymentFilter| all(&reader, &filter, NOW_MS, 3).len();
    let any = PaymentFilter::default;
    assert_eq!(count(PaymentFilter { amount_minor: Some(100), ..any() }), 5);
    assert_eq!(count(PaymentFilter { last_four: Some("0007".into()), ..any() }), 1);
    assert_eq!(count(PaymentFilter { order_reference: Some("order-7".into()), ..any() }), 1);
    assert_eq!(count(PaymentFilter { text: Some("der-2".into()), ..any() }), 7);
    assert_eq!(count(PaymentFilter { text: Some("A1B2".into()), ..any() }), 8, "part of an approval code");
    let day = |text: &str| Some(text.parse().unwrap());
    assert_eq!(count(PaymentFilter { from: day("2026-11-21"), to: day("2026-11-21"), ..any() }), 25);
    assert_eq!(count(PaymentFilter { from: day("2026-11-22"), ..any() }), 0);
    assert_eq!(count(PaymentFilter { to: day("2026-11-20"), ..any() }), 0);
    let narrow = PaymentFilter { amount_minor: Some(100), from: day("2026-11-01"), ..by_stage(Stage::NeedsYou) };
    assert_eq!(count(narrow), 2, "declined after the customer had gone");
    assert_eq!(count(by_stage(Stage::SavedOnPhone)), 15);
}

#[test]
fn time_moves_payments_to_those_that_need_somebody_without_a_write() {
    let dir = tempdir().unwrap();
    let mut ledger = stall(&dir);
    let reader = reader(&dir);
    let before = ledger.last_seq();
    assert_eq!(all(&reader, &by_stage(Stage::NeedsYou), NOW_MS, 4).len(), 2);
    let late = all(&reader, &by_stage(Stage::NeedsYou), LATE_MS, 4);
    assert_eq!(late.len(), 17, "fifteen were not uploaded in time");
    assert!(late.is_sorted_by(|a, b| a.key > b.key));
    assert!(late.iter().all(|row| row.standing_at(LATE_MS).0 == Stage::NeedsYou));
    assert_eq!(all(&reader, &by_stage(Stage::SavedOnPhone), LATE_MS, 4).len(), 0);
    let sum = |now_ms, stage| {
        let sums = reader.takings(None, None, now_ms).unwrap();
        sums.into_iter().find(|sum| sum.stage == stage).map(|sum| (sum.count, sum.amount_minor))
    };
    assert_eq!(sum(NOW_MS, Stage::NeedsYou), Some((2, 200)));
    assert_eq!(sum(NOW_MS, Stage::SavedOnPhone), Some((15, 4_500)));
    assert_eq!(sum(LATE_MS, Stage::NeedsYou), Some((17, 4_700)));
    assert_eq!(sum(LATE_MS, Stage::SavedOnPhone), None);
    assert_eq!(ledger.begin().unwrap().commit().unwrap().last_seq, before);
}

#[test]
fn a_list_and_its_sums_agree_with_a_plain_count_at_any_time() {
    for seed in [21, 22, 23] {
        let dir = tempdir().unwrap();
        let mut ledger = opened(&dir);
        live(&mut ledger, seed, 50, 1_500);
        let reader = reader(&dir);
        let every = all(&reader, &PaymentFilter::default(), NOW_MS, 13);
        let mut random = Random(seed);
        for _ in 0..20 {
            let now_ms = MORNING_MS + i64::try_from(random.below(10 * 86_400_000)).unwrap();
            let mut total = 0;
            for stage in Stage::ALL {
                let listed = all(&reader, &by_stage(*stage), now_ms, 1 + u32::try_from(random.below(9)).unwrap());
                let counted: Vec<_> = every.iter().filter(|row| row.standing_at(now_ms).0 == *stage).cloned().collect();
                assert_eq!(listed, counted, "seed {seed}, {stage}");
                let sums = reader.takings(None, None, now_ms).unwrap();
                let sum = sums.iter().find(|sum| sum.stage == *stage);
                let expected = counted.iter().map(|row| row.taken_minor).sum::<i64>();
                assert_eq!(sum.map_or((0, 0), |sum| (sum.count, sum.amount_minor)), (counted.len() as u64, expected));
                total += counted.len();
            }
            assert_eq!(total, every.len());
        }
        assert!(matches!(reader.verify().unwrap(), Verification::Sound { .. }));
    }
}

#[test]
fn a_late_payout_is_told_once_and_not_by_its_payments() {
    let dir = tempdir().unwrap();
    let mut ledger = stall(&dir);
    let subject = Subject::Payout(payout_id(1));
    let mut tx = ledger.begin().unwrap();
    tx.append(at(1), None, &subject, payout(1, 1, PayoutStatus::Sent, 99, 1)).unwrap();
    tx.append(at(1), None, &subject, page(1, 0, true, vec![line(1, 1, 100, 1)])).unwrap();
    let due_ms = MORNING_MS + 5 * 86_400_000;
    assert_eq!(tx.next_notices().unwrap().late_ms, Some(due_ms));
    assert_eq!(tx.payouts_overdue(due_ms - 1, 10).unwrap(), []);
    assert_eq!(tx.payouts_overdue(due_ms, 10).unwrap(), [(payout_id(1), due_ms)]);
    assert_eq!(tx.notices_due(NoticeKind::Overdue, due_ms, 10).unwrap(), []);
    tx.append(at(2), None, &subject, OverdueNoticed { due_ms }).unwrap();
    assert_eq!(tx.payouts_overdue(due_ms, 10).unwrap(), []);
    assert!(tx.append(at(2), None, &subject, OverdueNoticed { due_ms }).is_err(), "once");
    assert_eq!(tx.next_notices().unwrap().late_ms, None);
    tx.commit().unwrap();
    let row = reader(&dir).payment(id(1)).unwrap().unwrap().row;
    assert_eq!(row.standing_at(due_ms).0, Stage::NeedsYou, "it was told, and it still needs somebody");
}

#[test]
fn money_late_without_a_payout_is_told_once_by_each_payment() {
    let dir = tempdir().unwrap();
    let mut ledger = stall(&dir);
    let due_ms = MORNING_MS + 4 * 86_400_000;
    let mut tx = ledger.begin().unwrap();
    let date = "2026-11-24".parse().unwrap();
    let expected = ExpectedArrival {
        date,
        earliest: date,
        latest: date,
        basis: Basis::Acquirer,
        provisional: false,
        overdue_after_ms: due_ms,
    };
    for number in [1, 2] {
        let expecting = PaymentReported { expected: Some(expected), ..report(2, Authorization::Approved) };
        tx.append(at(1), None, &Subject::Payment(id(number)), expecting).unwrap();
    }
    assert_eq!(tx.next_notices().unwrap().late_ms, Some(due_ms));
    assert_eq!(tx.notices_due(NoticeKind::Overdue, due_ms - 1, 10).unwrap(), []);
    assert_eq!(tx.notices_due(NoticeKind::Overdue, due_ms, 10).unwrap(), [(id(1), due_ms), (id(2), due_ms)]);
    let state = tx.payment(id(1)).unwrap().unwrap();
    let (kind, due_ms) = notice_due(&state, Some(due_ms), due_ms).unwrap();
    tx.append(at(2), None, &Subject::Payment(id(1)), Noticed { kind, due_ms }).unwrap();
    assert_eq!(tx.notices_due(NoticeKind::Overdue, due_ms, 10).unwrap(), [(id(2), due_ms)]);
    // From here on the payout speaks for it.
    let subject = Subject::Payout(payout_id(1));
    tx.append(at(3), None, &subject, payout(1, 1, PayoutStatus::Sent, 99, 1)).unwrap();
    tx.append(at(3), None, &subject, page(1, 0, true, vec![line(1, 2, 100, 1)])).unwrap();
    assert_eq!(tx.notices_due(NoticeKind::Overdue, due_ms, 10).unwrap(), []);
    tx.commit().unwrap();
}

#[test]
fn one_payment_and_one_payout_with_everything() {
    let dir = tempdir().unwrap();
    let mut ledger = stall(&dir);
    let subject = Subject::Payout(payout_id(1));
    let mut tx = ledger.begin().unwrap();
    tx.append(at(1), None, &subject, payout(1, 1, PayoutStatus::Arrived, 396, 4)).unwrap();
    let lines = [1, 2, 3, 4].map(|number| line(1, number, 100, 1)).to_vec();
    tx.append(at(1), None, &subject, page(1, 0, true, lines)).unwrap();
    tx.append(at(1), None, &Subject::Payout(payout_id(2)), payout(2, 1, PayoutStatus::Created, 0, 9)).unwrap();
    assert_eq!(tx.incomplete_payouts(5).unwrap(), [payout_id(2)]);
    tx.commit().unwrap();
    let reader = reader(&dir);
    let detail = reader.payment(id(2)).unwrap().unwrap();
    assert_eq!((detail.row.fee_minor, detail.row.net_minor), (Some(1), Some(99)));
    assert_eq!(detail.row.stage, Stage::Arrived);
    let kinds: Vec<_> = detail.timeline.iter().map(|event| event.kind.as_str()).collect();
    let expected = ["charge_started", "attempt_started", "card_read", "accepted", "send_started", "payment_reported"];
    assert_eq!(kinds[..6], expected);
    assert_eq!(detail.timeline[0].operator.as_deref(), Some("Li"));
    assert_eq!(reader.payment(id(999)).unwrap(), None);

    let page = reader.payouts(None, None, 1).unwrap();
    assert_eq!(page.rows[0].payout_id, payout_id(2));
    let page = reader.payouts(None, page.next, 1).unwrap();
    assert_eq!((page.rows[0].payout_id.clone(), page.next), (payout_id(1), None));
    assert_eq!(reader.payouts(Some(PayoutStatus::Arrived), None, 50).unwrap().rows.len(), 1);
    assert_eq!(reader.payout(&payout_id(1)).unwrap().unwrap().reissued_by, None);
    let entries = reader.payout_entries(&payout_id(1), None, 3).unwrap();
    assert_eq!(entries.rows.len(), 3);
    let rest = reader.payout_entries(&payout_id(1), entries.next, 3).unwrap();
    assert_eq!((rest.rows[0].number, rest.next), (4, None));

    let status = reader.status().unwrap();
    assert_eq!((status.unsent[0].count, status.unsent[0].amount_minor), (15, 4_500));
    assert_eq!((status.oldest_unsent_ms, status.last_seq), (Some(at(11).wall_ms), ledger.last_seq()));
    let sum: i64 = reader.balances().unwrap().iter().map(|row| row.amount_minor).sum();
    assert_eq!(sum, 0);
}

#[test]
fn a_reader_cannot_write_and_needs_a_ledger() {
    let dir = tempdir().unwrap();
    assert!(Reader::open(&config(dir.path())).is_err());
    let mut ledger = stall(&dir);
    let reader = reader(&dir);
    // The engine may rest and come back while a list is open.
    ledger.rest();
    assert_eq!(reader.payments(&PaymentFilter::default(), NOW_MS, None, 1).unwrap().rows.len(), 1);
    keep(&mut ledger, 40, cny(1));
    assert_eq!(reader.payments(&PaymentFilter::default(), NOW_MS, None, 1).unwrap().rows[0].payment_id, id(40));
    assert!(matches!(try_open(&dir), Err(StoreError::InUse)), "at rest the directory stays ours");
}
