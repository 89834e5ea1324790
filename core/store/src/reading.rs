//! Reading for the screen, on connections of their own: a list never waits for the engine, nor the engine for a list.
//!
//! * [`Reader`]: one read-only connection. [`Page`], [`PageKey`]: lists go by key, newest first.
//! * `payments`, `takings`, `payouts`, [`alerts`]: what can be asked.

pub mod alerts;
pub mod payments;
pub mod payouts;
pub mod takings;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use rusqlite::{Connection, OptionalExtension};
use takings_domain::{PaymentId, PayoutId};

use crate::config::OpenConfig;
use crate::due::OLDEST_UNSENT;
use crate::event_log::{self, EventRow};
use crate::projection::row::{Column, Row, column_list, owned};
use crate::projection::tables::Tables;
use crate::projection::totals::{BalanceRow, UNSENT, WaitingRow};
use crate::verify::{self, Verification};
use crate::{PaymentRow, StoreError, connection, find};
use alerts::Alert;

/// The most rows a page holds.
pub const MOST_ROWS: u32 = 200;

/// Where a page ended: pass it on for the next one. As text: digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageKey(pub(crate) u64);

impl fmt::Display for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PageKey {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; none on the last.
    pub next: Option<PageKey>,
}

impl<T> Page<T> {
    /// Of up to `limit + 1` rows, the first `limit` and the key of the last of them if one was too many.
    fn cut(mut rows: Vec<T>, limit: u32, key: impl Fn(&T) -> u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(|row| PageKey(key(row))) } else { None };
        Self { rows, next }
    }
}

/// Everything about one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentDetail {
    /// Its line.
    pub row: PaymentRow,
    /// Its events, oldest first.
    pub timeline: Vec<EventRow>,
}

/// How the ledger stands, from kept figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What the acquirer has not confirmed, by currency.
    pub unsent: Vec<WaitingRow>,
    /// When the oldest of these was captured, wall clock, milliseconds UTC.
    pub oldest_unsent_ms: Option<i64>,
    /// The number of the newest event; 0 if there is none.
    pub last_seq: u64,
    /// Events that a witness knew of and the ledger lacks, as noted at openings.
    pub missing_events: u64,
}

/// A read-only connection to a ledger that somebody in this process has open.
pub struct Reader {
    conn: Connection,
    dir: PathBuf,
}

impl Reader {
    /// Opens a connection; the ledger must exist.
    ///
    /// # Errors
    /// As [`crate::Ledger::open`], without the lock.
    pub fn open(config: &OpenConfig) -> Result<Self, StoreError> {
        Ok(Self { conn: connection::open_reader(config)?, dir: config.dir.clone() })
    }

    /// One payment with its history; none if it is not in this ledger.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payment(&self, id: PaymentId) -> Result<Option<PaymentDetail>, StoreError> {
        self.snapshot(|conn| {
            let Some(key) = find::payment_key(&Tables::in_force(conn), id)? else { return Ok(None) };
            let Some(row) = PaymentRow::load(&Tables::in_force(conn), key)? else { return Ok(None) };
            Ok(Some(PaymentDetail { row, timeline: event_log::of_subject(conn, key)? }))
        })
    }

    /// The events of one payout, oldest first; empty if it is not in this ledger.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payout_timeline(&self, id: &PayoutId) -> Result<Vec<EventRow>, StoreError> {
        self.snapshot(|conn| match find::payout_key(conn, id)? {
            Some(key) => event_log::of_subject(conn, key),
            None => Ok(Vec::new()),
        })
    }

    /// How the ledger stands.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn status(&self) -> Result<Status, StoreError> {
        self.snapshot(|conn| {
            let sql = format!("SELECT {} FROM waiting WHERE what = ? ORDER BY currency", column_list::<WaitingRow>());
            let mut oldest = conn.prepare_cached(OLDEST_UNSENT)?;
            Ok(Status {
                unsent: read_rows(conn, &sql, [UNSENT])?,
                oldest_unsent_ms: oldest.query_row([], |row| row.get(0)).optional()?.flatten(),
                last_seq: event_log::newest(conn)?.map_or(0, |(seq, _)| seq),
                missing_events: crate::opening::Lost::read(conn)?.events,
            })
        })
    }

    /// The balances of every account and business day.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn balances(&self) -> Result<Vec<BalanceRow>, StoreError> {
        let columns = column_list::<BalanceRow>();
        let sql = format!("SELECT {columns} FROM balance ORDER BY account, currency, business_day");
        read_rows(&self.conn, &sql, [])
    }

    /// Alerts not acknowledged yet, in the order of the events, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn next_alerts(&self, limit: u32) -> Result<Vec<Alert>, StoreError> {
        self.snapshot(|conn| alerts::after(conn, alerts::acknowledged(conn)?, limit))
    }

    /// As [`crate::Ledger::verify`], beside the engine.
    ///
    /// # Errors
    /// As [`crate::Ledger::verify`].
    pub fn verify(&self) -> Result<Verification, StoreError> {
        verify::verify(&self.conn, &self.dir)
    }

    /// Several reads of one moment.
    fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let tx = self.conn.unchecked_transaction()?;
        let found = read(&tx)?;
        tx.finish()?;
        Ok(found)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("dir", &self.dir).finish_non_exhaustive()
    }
}

fn read_rows<R: Row>(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<Vec<R>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(params, |row| Ok(R::read(row, 0)))?;
    rows.map(|row| row?).collect()
}

/// A condition of a list with the value it compares with.
struct Condition {
    sql: &'static str,
    value: rusqlite::types::Value,
}

impl Condition {
    fn new(sql: &'static str, value: impl Column) -> Self {
        Self { sql, value: owned(&value) }
    }
}
