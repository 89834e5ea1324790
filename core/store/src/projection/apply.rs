//! What one event changes in the projections.

use rusqlite::{Connection, OptionalExtension};
use takings_domain::event::{LedgerEvent, PaymentEvent, PayoutEvent, Recorded};
use takings_domain::ledger::LedgerState;
use takings_domain::payment::PaymentState;
use takings_domain::payout::PayoutState;
use takings_domain::{Money, PaymentId, alert, balance};
#[cfg(feature = "planted")]
use takings_domain::{PayoutStatus, planted};

use super::link::{dependents, link_of, pays_again};
use super::payment::{AttemptRow, PaymentRow};
use super::payout::{EntryRow, PayoutRow};
use super::tables::Tables;
use super::told::{AlertRow, ToDoRow};
use super::totals;
use crate::StoreError;
use crate::event_log::{History, history, known_of_ledger};

/// How many payments one step of a payout's change reaches.
pub(crate) const SPREAD_CHUNK: usize = 500;

/// An event of the ledger itself.
pub(crate) fn ledger_event(
    tables: &Tables<'_>,
    before: &LedgerState,
    recorded: &Recorded<LedgerEvent>,
) -> Result<(), StoreError> {
    match alert::of_ledger(before, &recorded.event, recorded.seq) {
        Some(told) => AlertRow::of(recorded.seq, 0, told, alert::about_of_ledger(&recorded.event)).save(tables),
        None => Ok(()),
    }
}

/// An event of a payment: balances and alert. Its rows follow with [`refresh_payment`].
pub(crate) fn payment_event(
    tables: &Tables<'_>,
    before: Option<&PaymentState>,
    recorded: &Recorded<PaymentEvent>,
    after: &PaymentState,
) -> Result<(), StoreError> {
    totals::post(tables, &balance::payment_postings(before, after))?;
    match alert::of_payment(before, &recorded.event, after) {
        Some(told) => AlertRow::of(recorded.seq, after.key, told, Some(after.charge.amount)).save(tables),
        None => Ok(()),
    }
}

/// An event of a payout: balances, alert, and its rows. Its payments follow: those returned with
/// [`refresh_payment`], the rest with [`spread`].
pub(crate) fn payout_event(
    tables: &Tables<'_>,
    before: Option<&PayoutState>,
    recorded: &Recorded<PayoutEvent>,
    after: &PayoutState,
) -> Result<Vec<PaymentId>, StoreError> {
    let postings = balance::payout_postings(before, after);
    #[cfg(feature = "planted")]
    let postings = match after.report.status {
        PayoutStatus::Returned if planted::is("balance_not_updated_on_return") => Vec::new(),
        _ => postings,
    };
    totals::post(tables, &postings)?;
    if let Some(told) = alert::of_payout(before, &recorded.event, after) {
        let about: Money = match &recorded.event {
            PayoutEvent::Reconciled(reconciled) => reconciled.difference,
            _ => after.report.net,
        };
        AlertRow::of(recorded.seq, after.key, told, Some(about)).save(tables)?;
    }
    PayoutRow::of(after).save(tables)?;
    let heard = before.map_or(0, |before| before.entries.len());
    let lines = EntryRow::of(after, heard);
    EntryRow::save(tables, &lines)?;
    match recorded.event {
        PayoutEvent::EntriesReported(_) if lines.len() <= SPREAD_CHUNK => {
            return Ok(lines.iter().filter_map(EntryRow::pays_for).collect());
        }
        #[cfg(feature = "planted")]
        PayoutEvent::PayoutReported(_) if planted::is("payout_change_not_spread") => {}
        PayoutEvent::PayoutReported(_) | PayoutEvent::EntriesReported(_) => owe_spread(tables, after.key)?,
        PayoutEvent::Reconciled(_) | PayoutEvent::OverdueNoticed(_) => {}
    }
    Ok(Vec::new())
}

/// Brings a payment's rows up to its fold and its payout.
pub(crate) fn refresh_payment(tables: &Tables<'_>, state: &PaymentState) -> Result<(), StoreError> {
    let link = link_of(tables, state.id())?;
    let old = PaymentRow::load(tables, state.key)?;
    let new = PaymentRow::of(state, link.as_ref());
    if old.as_ref() != Some(&new) {
        new.save(tables, old.as_ref())?;
        totals::replace(tables, old.as_ref(), &new)?;
    }
    AttemptRow::save(tables, state)?;
    #[cfg(feature = "planted")]
    if planted::is("outbox_outside_transaction") {
        return Ok(());
    }
    ToDoRow::save(tables, state)
}

/// What is to do for these payments, by itself.
#[cfg(feature = "planted")]
pub(crate) fn write_outbox(conn: &Connection, payments: &std::collections::BTreeMap<PaymentId, Option<PaymentState>>) {
    for payment in payments.values().flatten().filter(|_| planted::is("outbox_outside_transaction")) {
        let _ = ToDoRow::save(&Tables::in_force(conn), payment);
    }
}

/// Notes that this payout's payments, and those of the payouts it pays again, are to be looked at from the first on.
pub(crate) fn owe_spread(tables: &Tables<'_>, payout: u64) -> Result<(), StoreError> {
    for payout in pays_again(tables, payout)? {
        tables
            .prepare_cached("INSERT OR REPLACE INTO spread (payout, after) VALUES (?, 0)")?
            .execute([payout.cast_signed()])?;
    }
    Ok(())
}

/// Takes payouts' changes to at most `limit` of their payments. True if more are waiting.
pub(crate) fn spread(tables: &Tables<'_>, limit: usize) -> Result<bool, StoreError> {
    let mut left = limit;
    while let Some((payout, after)) = next_spread(tables)? {
        if left == 0 {
            return Ok(true);
        }
        let lines = dependents(tables, payout, after, left)?;
        for (_, key) in &lines {
            if let Some(state) = load_payment(tables.conn(), *key)? {
                refresh_payment(tables, &state)?;
            }
        }
        match lines.last() {
            Some((last, _)) if lines.len() == left => {
                tables
                    .prepare_cached("UPDATE spread SET after = ? WHERE payout = ?")?
                    .execute((last.cast_signed(), payout.cast_signed()))?;
            }
            _ => {
                tables.prepare_cached("DELETE FROM spread WHERE payout = ?")?.execute([payout.cast_signed()])?;
            }
        }
        left = left.saturating_sub(lines.len());
    }
    Ok(false)
}

fn next_spread(tables: &Tables<'_>) -> Result<Option<(u64, u64)>, StoreError> {
    let mut statement = tables.prepare_cached("SELECT payout, after FROM spread ORDER BY payout LIMIT 1")?;
    let next: Option<(i64, i64)> = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(next.map(|(payout, after)| (payout.cast_unsigned(), after.cast_unsigned())))
}

/// The fold of a payment's events, by its key.
pub(crate) fn load_payment(conn: &Connection, key: u64) -> Result<Option<PaymentState>, StoreError> {
    match history(conn, key)? {
        History::Payment(events) => Ok(PaymentState::fold(&events)?),
        History::Ledger(_) | History::Payout(_) => Ok(None),
    }
}

/// The fold of a payout's events, by its key.
pub(crate) fn load_payout(conn: &Connection, key: u64) -> Result<Option<PayoutState>, StoreError> {
    match history(conn, key)? {
        History::Payout(events) => Ok(PayoutState::fold(&events)?),
        History::Ledger(_) | History::Payment(_) => Ok(None),
    }
}

/// The fold of those of the ledger's own events that this build knows: for a ledger that is only read.
pub(crate) fn load_ledger_as_known(conn: &Connection) -> Result<LedgerState, StoreError> {
    let mut state = LedgerState::default();
    for event in known_of_ledger(conn)? {
        // One that builds on an unknown one says nothing here.
        let _ = state.apply(&event);
    }
    Ok(state)
}

/// The fold of the ledger's own events.
pub(crate) fn load_ledger(conn: &Connection) -> Result<LedgerState, StoreError> {
    match history(conn, 0)? {
        History::Ledger(events) => Ok(LedgerState::fold(&events)?),
        History::Payment(_) | History::Payout(_) => Ok(LedgerState::default()),
    }
}
