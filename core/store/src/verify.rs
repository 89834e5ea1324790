//! Checking a ledger from its first byte: chain, folds, projections, sums, witness.
//!
//! One snapshot, one subject in memory at a time; only the sums by day are held together.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use takings_domain::payment::PaymentState;
use takings_domain::payout::PayoutState;
use takings_domain::{alert, balance};

use crate::StoreError;
use crate::event_log::{self, History, history, next_subject};
use crate::hash::genesis;
use crate::head::Head;
use crate::projection::link::link_of;
use crate::projection::payment::{AttemptRow, PaymentRow};
use crate::projection::payout::{EntryRow, PayoutRow};
use crate::projection::row::{Row, column_list, owned};
use crate::projection::tables::Tables;
use crate::projection::told::{AlertRow, ToDoRow};
use crate::projection::totals::{self, BalanceRow, TakingsRow, WaitingRow};
use crate::rebuild::each_step;
use crate::{migration, opening, schema_check};

/// What a check of the whole ledger found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// Everything holds.
    Sound {
        /// How many events there are.
        events: u64,
    },
    /// Something was changed, lost in the middle, or computed wrongly.
    Broken {
        /// The first bad event. Where only a projection is wrong: the newest event of its subject.
        seq: u64,
        /// What is wrong, for support.
        why: String,
    },
    /// What is here holds, but a witness knew of more.
    HeadAhead {
        /// How many events there are.
        events: u64,
        /// How many are missing.
        missing: u64,
    },
}

/// Why a check stopped.
enum Stop {
    Broken(u64, String),
    Error(StoreError),
}

impl<E: Into<StoreError>> From<E> for Stop {
    fn from(error: E) -> Self {
        match error.into() {
            StoreError::Fold(fold) => Self::Broken(fold.seq, fold.to_string()),
            error => Self::Error(error),
        }
    }
}

fn broken<T>(seq: u64, why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Broken(seq, why.into()))
}

/// Checks the ledger behind `conn`, and the witness in `dir`.
pub(crate) fn verify(conn: &Connection, dir: &Path) -> Result<Verification, StoreError> {
    conn.execute_batch("BEGIN")?;
    let found = check(conn, dir).and_then(|found| check_file(conn).map(|()| found));
    conn.execute_batch("ROLLBACK")?;
    match found {
        Ok(verification) => Ok(verification),
        Err(Stop::Broken(seq, why)) => Ok(Verification::Broken { seq, why }),
        Err(Stop::Error(error)) => Err(error),
    }
}

fn check(conn: &Connection, dir: &Path) -> Result<Verification, Stop> {
    let events = check_chain(conn)?;
    if migration::projections_are_old(conn)? {
        // An earlier version's rows say what it made of the events: they serve until this build's are made.
        check_folds(conn)?;
        return check_head(conn, dir, events);
    }
    if let Some(name) = schema_check::missing_column(conn)? {
        return broken(events, format!("the column {name} is missing"));
    }
    let mut sums = Sums::default();
    check_ledger(conn, &mut sums)?;
    let mut after = 0;
    while let Some(key) = next_subject(conn, after)? {
        match history(conn, key)? {
            History::Payment(_) | History::Payout(_) if key > events => {
                return broken(key, "a subject is numbered by its first event");
            }
            History::Payment(list) => check_payment(conn, key, &list, &mut sums)?,
            History::Payout(list) => check_payout(conn, key, &list, &mut sums)?,
            History::Ledger(_) => return broken(key, "the ledger's own events have no key"),
        }
        after = key;
    }
    sums.check(conn, events)?;
    check_head(conn, dir, events)
}

/// The file's pages and indexes fit its tables: lists go by indexes, which no fold looks at.
fn check_file(conn: &Connection) -> Result<(), Stop> {
    let said: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if said == "ok" {
        return Ok(());
    }
    let newest = event_log::newest(conn)?.map_or(0, |(seq, _)| seq);
    broken(newest, said)
}

/// Every history can be folded.
fn check_folds(conn: &Connection) -> Result<(), Stop> {
    let mut after = 0;
    while let Some(key) = next_subject(conn, after)? {
        match history(conn, key)? {
            History::Payment(events) => drop(PaymentState::fold(&events)?),
            History::Payout(events) => drop(PayoutState::fold(&events)?),
            History::Ledger(_) => return broken(key, "the ledger's own events have no key"),
        }
        after = key;
    }
    let History::Ledger(events) = history(conn, 0)? else { return broken(1, "subject 0 is the ledger") };
    takings_domain::ledger::LedgerState::fold(&events)?;
    Ok(())
}

/// Every link, every number. Answers how many events there are.
fn check_chain(conn: &Connection) -> Result<u64, Stop> {
    let mut hash = genesis(migration::ledger_id(conn)?);
    let mut seq = 0_u64;
    let mut bad = None;
    let mut unlisted = opening::kinds(conn)?;
    let listed = unlisted.clone();
    event_log::walk(conn, i64::MIN.cast_unsigned(), |row| {
        seq = seq.saturating_add(1);
        if bad.is_none() && row.seq != seq {
            bad = Some((seq, "the event is missing"));
        } else if bad.is_none() && !row.follows(&hash) {
            bad = Some((seq, "the event or its hash was changed"));
        }
        hash = row.hash;
        if bad.is_none() {
            let kind = (row.kind.clone(), row.body_version);
            unlisted.remove(&kind);
            if !listed.contains(&kind) {
                bad = Some((seq, "the list of kinds lacks the event's"));
            }
        }
        Ok(())
    })?;
    match bad {
        Some((seq, why)) => broken(seq, why),
        None if !unlisted.is_empty() => broken(seq, "the list of kinds names one of no event"),
        None => Ok(seq),
    }
}

fn check_ledger(conn: &Connection, sums: &mut Sums) -> Result<(), Stop> {
    let History::Ledger(events) = history(conn, 0)? else { return broken(1, "subject 0 is the ledger") };
    let mut state = takings_domain::ledger::LedgerState::default();
    let mut alerts = Vec::new();
    for recorded in &events {
        let told = alert::of_ledger(&state, &recorded.event, recorded.seq);
        let about = alert::about_of_ledger(&recorded.event);
        alerts.extend(told.map(|told| AlertRow::of(recorded.seq, 0, told, about)));
        state.apply(recorded)?;
    }
    sums.check_alerts(conn, 0, state.last_seq, alerts)
}

fn check_payment(
    conn: &Connection,
    key: u64,
    events: &[takings_domain::event::Recorded<takings_domain::event::PaymentEvent>],
    sums: &mut Sums,
) -> Result<(), Stop> {
    let mut alerts = Vec::new();
    let state = each_step(events, PaymentState::fold, PaymentState::apply, |before, recorded, after| {
        sums.post(&balance::payment_postings(before, after))?;
        let told = alert::of_payment(before, &recorded.event, after);
        alerts.extend(told.map(|told| AlertRow::of(recorded.seq, key, told, Some(after.charge.amount))));
        Ok(())
    })?;
    let Some(state) = state.filter(|state| state.key == key) else {
        return broken(key, "a payment is numbered by its first event");
    };
    let Some(row) = PaymentRow::load(&Tables::in_force(conn), key)? else {
        return broken(state.last_seq, "the payment's row is missing");
    };
    if !spread_is_owed(conn, &state)?
        && row != PaymentRow::of(&state, link_of(&Tables::in_force(conn), state.id())?.as_ref())
    {
        return broken(state.last_seq, "the payment's row differs from its events");
    }
    if AttemptRow::load(&Tables::in_force(conn), key)? != AttemptRow::of(&state) {
        return broken(state.last_seq, "the payment's attempts differ from its events");
    }
    if ToDoRow::load(&Tables::in_force(conn), key)? != ToDoRow::of(&state) {
        return broken(state.last_seq, "what is to do differs from the payment's events");
    }
    sums.count_payment(&state, &row);
    sums.check_alerts(conn, key, state.last_seq, alerts)
}

/// A payout's change is on its way to this payment: its row may lag.
fn spread_is_owed(conn: &Connection, state: &PaymentState) -> Result<bool, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM payout_entry AS e JOIN spread AS s ON s.payout = e.payout
                        WHERE e.payment_id = ? AND e.entry_type = 'payment')",
    )?;
    Ok(statement.query_row([state.id().as_bytes()], |row| row.get(0))?)
}

fn check_payout(
    conn: &Connection,
    key: u64,
    events: &[takings_domain::event::Recorded<takings_domain::event::PayoutEvent>],
    sums: &mut Sums,
) -> Result<(), Stop> {
    let mut alerts = Vec::new();
    let state = each_step(events, PayoutState::fold, PayoutState::apply, |before, recorded, after| {
        sums.post(&balance::payout_postings(before, after))?;
        let about = match &recorded.event {
            takings_domain::event::PayoutEvent::Reconciled(reconciled) => reconciled.difference,
            _ => after.report.net,
        };
        let told = alert::of_payout(before, &recorded.event, after);
        alerts.extend(told.map(|told| AlertRow::of(recorded.seq, key, told, Some(about))));
        Ok(())
    })?;
    let Some(state) = state.filter(|state| state.key == key) else {
        return broken(key, "a payout is numbered by its first event");
    };
    if PayoutRow::load(&Tables::in_force(conn), key)?.as_ref() != Some(&PayoutRow::of(&state)) {
        return broken(state.last_seq, "the payout's row differs from its events");
    }
    if EntryRow::load(&Tables::in_force(conn), key, 0, u32::MAX)? != EntryRow::of(&state, 0) {
        return broken(state.last_seq, "the payout's entries differ from its events");
    }
    sums.count_payout(&state);
    sums.check_alerts(conn, key, state.last_seq, alerts)
}

fn check_head(conn: &Connection, dir: &Path, events: u64) -> Result<Verification, Stop> {
    let head = Head::read(dir).map_err(StoreError::from)?.sound();
    if let Some(seq) = opening::differs_at(conn, head.as_ref(), events)? {
        return broken(seq, "the witness saw another history");
    }
    let missing = opening::Lost::read(conn)?.with(head.as_ref(), events);
    Ok(if missing > 0 { Verification::HeadAhead { events, missing } } else { Verification::Sound { events } })
}

/// What the tables must add up to.
#[derive(Default)]
struct Sums {
    balances: BTreeMap<Vec<String>, i64>,
    takings: BTreeMap<Vec<String>, (i64, i64)>,
    waiting: BTreeMap<Vec<String>, (i64, i64)>,
    rows: BTreeMap<&'static str, u64>,
}

impl Sums {
    fn post(&mut self, postings: &[balance::Posting]) -> Result<(), StoreError> {
        totals::balanced(postings)?;
        for posting in postings {
            let key = vec![
                posting.account.as_str().to_owned(),
                posting.currency.code().to_owned(),
                posting.business_day.to_string(),
            ];
            let sum = self.balances.entry(key).or_default();
            *sum = sum.saturating_add(posting.amount_minor);
        }
        Ok(())
    }

    fn count(&mut self, table: &'static str, rows: usize) {
        let sum = self.rows.entry(table).or_default();
        *sum = sum.saturating_add(u64::try_from(rows).unwrap_or(u64::MAX));
    }

    fn count_payment(&mut self, state: &PaymentState, row: &PaymentRow) {
        self.count(PaymentRow::TABLE, 1);
        self.count(AttemptRow::TABLE, state.attempts.len());
        self.count(ToDoRow::TABLE, usize::from(ToDoRow::of(state).is_some()));
        let code = row.currency.code().to_owned();
        let key = vec![row.captured_on.to_string(), code.clone(), row.stage.as_str().to_owned()];
        add(self.takings.entry(key).or_default(), row.taken_minor);
        for (what, counts) in [(totals::UNSENT, row.unsent), (totals::OFFLINE, row.waits_offline())] {
            if counts {
                add(self.waiting.entry(vec![what.to_owned(), code.clone()]).or_default(), row.amount_minor);
            }
        }
    }

    fn count_payout(&mut self, state: &PayoutState) {
        self.count(PayoutRow::TABLE, 1);
        self.count(EntryRow::TABLE, state.entries.len());
    }

    /// The alerts of one subject: each fact once, the first time.
    fn check_alerts(
        &mut self,
        conn: &Connection,
        subject: u64,
        last_seq: u64,
        mut expected: Vec<AlertRow>,
    ) -> Result<(), Stop> {
        let mut told = Vec::new();
        expected.retain(|row| {
            let fact = (row.kind, row.version);
            let first = !told.contains(&fact);
            told.push(fact);
            first
        });
        let sql = format!("SELECT {} FROM alert WHERE subject = ? ORDER BY seq", column_list::<AlertRow>());
        let found = read_all::<AlertRow>(conn, &sql, vec![owned(&subject)])?;
        self.count(AlertRow::TABLE, found.len());
        if found == expected { Ok(()) } else { broken(last_seq, "its alerts differ from its events") }
    }

    /// `last` is the newest event: a sum has no event of its own to name.
    fn check(mut self, conn: &Connection, last: u64) -> Result<(), Stop> {
        self.balances.retain(|_, sum| *sum != 0);
        let balances = read_table::<BalanceRow>(conn, "account, currency, business_day")?;
        let key = |row: &BalanceRow| {
            vec![row.account.as_str().to_owned(), row.currency.code().to_owned(), row.business_day.to_string()]
        };
        if balances.iter().map(|row| (key(row), row.amount_minor)).collect::<BTreeMap<_, _>>() != self.balances {
            return broken(last, "balances differ from the events");
        }
        let mut by_currency: BTreeMap<&str, i128> = BTreeMap::new();
        for row in &balances {
            *by_currency.entry(row.currency.code()).or_default() += i128::from(row.amount_minor);
        }
        if by_currency.values().any(|sum| *sum != 0) {
            return broken(last, "balances do not sum to zero");
        }
        let takings = read_table::<TakingsRow>(conn, "captured_on, currency, stage")?;
        let key = |row: &TakingsRow| {
            vec![row.captured_on.to_string(), row.currency.code().to_owned(), row.stage.as_str().to_owned()]
        };
        let takings: BTreeMap<_, _> = takings.iter().map(|row| (key(row), (row.count, row.amount_minor))).collect();
        if takings != self.takings {
            return broken(last, "takings differ from the payments");
        }
        let waiting = read_table::<WaitingRow>(conn, "what, currency")?;
        let key = |row: &WaitingRow| vec![row.what.clone(), row.currency.code().to_owned()];
        let waiting: BTreeMap<_, _> = waiting.iter().map(|row| (key(row), (row.count, row.amount_minor))).collect();
        if waiting != self.waiting {
            return broken(last, "what waits differs from the payments");
        }
        for table in ["payment", "attempt", "to_do", "payout", "payout_entry", "alert"] {
            let sql = format!("SELECT count(*) FROM {table}");
            let found: i64 = conn.query_row(&sql, [], |row| row.get(0))?;
            if u64::try_from(found).ok() != Some(self.rows.get(table).copied().unwrap_or(0)) {
                return broken(last, format!("table {table} holds rows of no event"));
            }
        }
        Ok(())
    }
}

fn add(sum: &mut (i64, i64), amount_minor: i64) {
    *sum = (sum.0.saturating_add(1), sum.1.saturating_add(amount_minor));
}

fn read_table<R: Row>(conn: &Connection, order: &str) -> Result<Vec<R>, StoreError> {
    let sql = format!("SELECT {} FROM {} ORDER BY {order}", column_list::<R>(), R::TABLE);
    read_all(conn, &sql, Vec::new())
}

fn read_all<R: Row>(conn: &Connection, sql: &str, params: Vec<Value>) -> Result<Vec<R>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(params), |row| Ok(R::read(row, 0)))?;
    rows.map(|row| row?).collect()
}
