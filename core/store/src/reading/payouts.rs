//! The list of payouts, and their lines.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params_from_iter};
use takings_domain::{PayoutId, PayoutStatus};

use super::{Condition, MOST_ROWS, Page, PageKey, Reader, read_rows};
use crate::find::{self, column};
use crate::projection::row::column_list;
use crate::projection::tables::Tables;
use crate::{EntryRow, PayoutRow, StoreError};

/// One payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutDetail {
    /// Its line.
    pub row: PayoutRow,
    /// The payout that pays it again, if one is known.
    pub reissued_by: Option<PayoutId>,
}

impl Reader {
    /// Payouts, newest first, at most `limit` (1 to 200) after the given key.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payouts(
        &self,
        status: Option<PayoutStatus>,
        after: Option<PageKey>,
        limit: u32,
    ) -> Result<Page<PayoutRow>, StoreError> {
        let limit = limit.clamp(1, MOST_ROWS);
        let mut conditions = Vec::new();
        conditions.extend(status.map(|status| Condition::new("status = ?", status)));
        conditions.push(Condition::new("key < ?", after.map_or(i64::MAX.cast_unsigned(), |key| key.0)));
        let clauses = conditions.iter().map(|condition| condition.sql).collect::<Vec<_>>().join(" AND ");
        let columns = column_list::<PayoutRow>();
        let sql = format!("SELECT {columns} FROM payout WHERE {clauses} ORDER BY key DESC LIMIT ?");
        let values = conditions.into_iter().map(|condition| condition.value);
        let one_more = Value::Integer(i64::from(limit).saturating_add(1));
        let rows = read_rows(&self.conn, &sql, params_from_iter(values.chain([one_more])))?;
        Ok(Page::cut(rows, limit, |row: &PayoutRow| row.key))
    }

    /// One payout; none if it is not in this ledger.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payout(&self, id: &PayoutId) -> Result<Option<PayoutDetail>, StoreError> {
        self.snapshot(|conn| {
            let Some(key) = find::payout_key(conn, id)? else { return Ok(None) };
            let Some(row) = PayoutRow::load(&Tables::in_force(conn), key)? else { return Ok(None) };
            let mut statement =
                conn.prepare_cached("SELECT payout_id FROM payout WHERE reissue_of = ? ORDER BY key DESC LIMIT 1")?;
            let reissued_by = statement
                .query_row([id.as_str()], |row| Ok(column(row, 0, "payout.payout_id")))
                .optional()?
                .transpose()?;
            Ok(Some(PayoutDetail { row, reissued_by }))
        })
    }

    /// The lines of a payout in the acquirer's order, at most `limit` (1 to 200) after the given key; empty if the
    /// payout is not in this ledger.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payout_entries(
        &self,
        id: &PayoutId,
        after: Option<PageKey>,
        limit: u32,
    ) -> Result<Page<EntryRow>, StoreError> {
        let limit = limit.clamp(1, MOST_ROWS);
        self.snapshot(|conn| {
            let Some(key) = find::payout_key(conn, id)? else {
                return Ok(Page { rows: Vec::new(), next: None });
            };
            let after = after.map_or(0, |key| u32::try_from(key.0).unwrap_or(u32::MAX));
            let rows = EntryRow::load(&Tables::in_force(conn), key, after, limit.saturating_add(1))?;
            Ok(Page::cut(rows, limit, |row| u64::from(row.number)))
        })
    }
}
