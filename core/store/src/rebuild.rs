//! Dropping every projection and recomputing it from the events.
//!
//! Payments first, each by itself; then payouts, whose lines look payments up; then what payouts say of their
//! payments. While it runs, the version in the file is none: a crash makes the next opening start over.

use rusqlite::Connection;
use takings_domain::event::Recorded;
use takings_domain::ledger::LedgerState;
use takings_domain::payment::{FoldError, PaymentState};
use takings_domain::payout::PayoutState;

use crate::StoreError;
use crate::event_log::{History, history, next_subject};
use crate::migration::{META_PROJECTIONS, in_transaction, set_meta};
use crate::projection::{self, apply};

/// Subjects per transaction.
const CHUNK: usize = 500;

/// Recomputes everything.
pub(crate) fn rebuild(conn: &Connection) -> Result<(), StoreError> {
    in_transaction(conn, |conn| {
        set_meta(conn, META_PROJECTIONS, &[])?;
        for (table, _) in projection::TABLES {
            conn.execute_batch(&format!("DROP TABLE IF EXISTS {table}"))?;
        }
        conn.execute_batch(projection::SCHEMA)?;
        replay_ledger(conn)
    })?;
    // Statements prepared for the old tables are of no use.
    conn.flush_prepared_statement_cache();
    let mut payouts = Vec::new();
    let mut after = 0;
    while let Some(last) = in_transaction(conn, |conn| replay_payments(conn, after, &mut payouts))? {
        after = last;
    }
    for chunk in payouts.chunks(CHUNK) {
        in_transaction(conn, |conn| chunk.iter().try_for_each(|key| replay_payout(conn, *key)))?;
    }
    while in_transaction(conn, |conn| apply::spread(conn, CHUNK))? {}
    in_transaction(conn, |conn| set_meta(conn, META_PROJECTIONS, &projection::VERSION.to_be_bytes()))
}

fn replay_ledger(conn: &Connection) -> Result<(), StoreError> {
    let History::Ledger(events) = history(conn, 0)? else { return Ok(()) };
    let mut state = LedgerState::default();
    for recorded in &events {
        let before = state.clone();
        state.apply(recorded)?;
        apply::ledger_event(conn, &before, recorded)?;
    }
    Ok(())
}

/// Replays the payments among the next subjects and notes the payouts. Answers the last subject looked at.
fn replay_payments(conn: &Connection, after: u64, payouts: &mut Vec<u64>) -> Result<Option<u64>, StoreError> {
    let mut last = None;
    for _ in 0..CHUNK {
        let Some(key) = next_subject(conn, last.unwrap_or(after))? else { break };
        match history(conn, key)? {
            History::Payment(events) => {
                let state = each_step(&events, PaymentState::fold, PaymentState::apply, |before, recorded, after| {
                    apply::payment_event(conn, before, recorded, after)
                })?;
                if let Some(state) = state {
                    apply::refresh_payment(conn, &state)?;
                }
            }
            History::Payout(_) => payouts.push(key),
            History::Ledger(_) => {}
        }
        last = Some(key);
    }
    Ok(last)
}

fn replay_payout(conn: &Connection, key: u64) -> Result<(), StoreError> {
    let History::Payout(events) = history(conn, key)? else { return Ok(()) };
    each_step(&events, PayoutState::fold, PayoutState::apply, |before, recorded, after| {
        apply::payout_event(conn, before, recorded, after).map(drop)
    })?;
    // Every payment it names, however its lines came.
    apply::owe_spread(conn, key)
}

/// Folds a subject's events one by one, showing each step what was before and after.
pub(crate) fn each_step<E, S: Clone>(
    events: &[Recorded<E>],
    fold: impl Fn(&[Recorded<E>]) -> Result<Option<S>, FoldError>,
    apply: impl Fn(&mut S, &Recorded<E>) -> Result<(), FoldError>,
    mut step: impl FnMut(Option<&S>, &Recorded<E>, &S) -> Result<(), StoreError>,
) -> Result<Option<S>, StoreError> {
    let mut state: Option<S> = None;
    for recorded in events {
        let before = state;
        let after = match before.clone() {
            None => fold(std::slice::from_ref(recorded))?,
            Some(mut known) => {
                apply(&mut known, recorded)?;
                Some(known)
            }
        };
        if let Some(after) = &after {
            step(before.as_ref(), recorded, after)?;
        }
        state = after;
    }
    Ok(state)
}
