//! Small look-ups by key.

use rusqlite::{Connection, OptionalExtension};
use takings_domain::{PaymentId, PayoutId};

use crate::StoreError;
use crate::head::Unsent;
use crate::projection::row::Column;
use crate::projection::tables::Tables;
use crate::projection::totals;

/// The key of a payment.
pub(crate) fn payment_key(tables: &Tables<'_>, id: PaymentId) -> Result<Option<u64>, StoreError> {
    let mut statement = tables.prepare_cached("SELECT key FROM payment WHERE payment_id = ?")?;
    let key: Option<i64> = statement.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
    Ok(key.map(i64::cast_unsigned))
}

/// The key of a payout.
pub(crate) fn payout_key(conn: &Connection, id: &PayoutId) -> Result<Option<u64>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT key FROM payout WHERE payout_id = ?")?;
    let key: Option<i64> = statement.query_row([id.as_str()], |row| row.get(0)).optional()?;
    Ok(key.map(i64::cast_unsigned))
}

/// What the witness says is at stake.
pub(crate) fn unsent(conn: &Connection) -> Result<Vec<Unsent>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT currency, count, amount_minor FROM waiting WHERE what = ? ORDER BY currency")?;
    let rows = statement.query_map([totals::UNSENT], |row| {
        let count: i64 = row.get(1)?;
        Ok(Unsent { currency: row.get(0)?, count: u64::try_from(count).unwrap_or(0), amount_minor: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A column of a result as one of our types.
pub(crate) fn column<T: Column>(row: &rusqlite::Row<'_>, at: usize, what: &'static str) -> Result<T, StoreError> {
    T::from_value(row.get_ref(at)?).ok_or(StoreError::Unreadable { what })
}
