//! Seeded histories: random moves, of which the folds take only the legal ones.

use takings_domain::event::{
    Abandoned, AttemptEnd, AttemptEnded, BlobErased, CancelledUnsent, EraseReason, Event, Expired, Lane, NotReceived,
    NoticeKind, Noticed, ParkReason, Parked, ReaderConcluded, Reconciled, SendEnded, SendResult, ServiceMarked,
    Subject,
};
use takings_domain::{Arrival, Authorization, PayoutStatus};
use takings_store::{Ledger, StoreError};

use crate::support::*;

/// SplitMix64: small, seeded, the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// A day of `payments` payments and some payouts, `moves` random moves, a few of them in each transaction.
pub(crate) fn live(ledger: &mut Ledger, seed: u64, payments: u64, moves: u64) -> u64 {
    let mut random = Random(seed);
    let mut appended = 0;
    let mut done = 0;
    while done < moves {
        let mut tx = ledger.begin().unwrap();
        for _ in 0..=random.below(4) {
            done += 1;
            let now = at(i64::try_from(done).unwrap());
            let (subject, event) = random_move(&mut random, payments, done);
            match tx.append(now, Some("Li"), &subject, event) {
                Ok(_) => appended += 1,
                Err(StoreError::Fold(_) | StoreError::Misplaced { .. }) => {}
                Err(error) => panic!("seed {seed}, move {done}: {error}"),
            }
        }
        tx.commit().unwrap();
    }
    while ledger.spread_chunk().unwrap() {}
    appended
}

fn random_move(random: &mut Random, payments: u64, step: u64) -> (Subject, Event) {
    if random.below(8) == 0 {
        return payout_move(random, payments, step);
    }
    let number = random.below(payments);
    let lane = Lane::Drain;
    let n = u32::try_from(1 + random.below(3)).unwrap();
    let sent = op(number * 10 + u64::from(n));
    let event: Event = match random.below(20) {
        0..=2 => charge(number, cny(100 + i64::try_from(number).unwrap())).into(),
        3 | 4 => attempt(number).into(),
        5 | 6 => card_read(&format!("{number:04}")).into(),
        7 | 8 => deferred().into(),
        9 => takings_domain::event::SendStarted { op: sent, n, lane }.into(),
        10 => {
            let result = SendResult::ALL[usize::try_from(random.below(SendResult::ALL.len() as u64)).unwrap()];
            let refused = result == SendResult::Refused;
            SendEnded { op: sent, n, lane, result, code: refused.then(|| "422".into()), retry_after_ms: None }.into()
        }
        11 | 12 => {
            let all = Authorization::ALL;
            let mut report = report(1 + random.below(6), all[usize::try_from(random.below(all.len() as u64)).unwrap()]);
            let arrivals = Arrival::ALL;
            report.arrival = arrivals[usize::try_from(random.below(arrivals.len() as u64)).unwrap()];
            report.withheld_minor = (random.below(4) == 0).then_some(5);
            report.into()
        }
        13 => BlobErased { why: EraseReason::Answered }.into(),
        14 => Parked { reason: ParkReason::UnlistedCode, code: Some("ZZ".into()) }.into(),
        15 => [
            Event::from(CancelledUnsent {}),
            Expired { by_ms: MORNING_MS }.into(),
            Abandoned { why: AttemptEnd::Interrupted }.into(),
        ][usize::try_from(random.below(3)).unwrap()]
        .clone(),
        16 => {
            Noticed { kind: NoticeKind::Overdue, due_ms: MORNING_MS + i64::try_from(random.below(3)).unwrap() }.into()
        }
        17 => AttemptEnded { why: AttemptEnd::TimedOut }.into(),
        18 => ReaderConcluded { outcome: "deferred".into(), code: "00".into(), unexpected: false }.into(),
        _ if random.below(2) == 0 => NotReceived { as_of_ms: MORNING_MS, is_final: true }.into(),
        _ => ServiceMarked { given: random.below(2) == 0 }.into(),
    };
    (Subject::Payment(id(number)), event)
}

fn payout_move(random: &mut Random, payments: u64, step: u64) -> (Subject, Event) {
    let number = random.below(payments / 10 + 2);
    let all = PayoutStatus::ALL;
    let event: Event = match random.below(5) {
        0..=2 => {
            let status = all[usize::try_from(random.below(all.len() as u64)).unwrap()];
            let mut report = payout(number, 1 + random.below(8), status, 1_000, 4);
            report.reissue_of = (number % 3 == 1).then(|| payout_id(number - 1));
            report.into()
        }
        3 => {
            let count = 1 + random.below(4);
            let lines: Vec<_> = (0..count)
                .map(|at| {
                    let payment = random.below(payments);
                    let mut line = line(number, payment, 200, 3);
                    line.entry_id = format!("en_{step}_{at}");
                    line
                })
                .collect();
            page(1, u32::try_from(random.below(3)).unwrap(), random.below(3) == 0, lines).into()
        }
        _ => Reconciled { report_version: 1, difference: cny(i64::try_from(random.below(3)).unwrap() - 1) }.into(),
    };
    (Subject::Payout(payout_id(number)), event)
}
