//! Alerts, told until they are acknowledged.

use rusqlite::{Connection, OptionalExtension};
use takings_domain::alert::AlertKind;
use takings_domain::event::{Event, LedgerEvent, Subject};
use takings_domain::{Money, PaymentId, PayoutId};

use crate::StoreError;
use crate::find::column;
use crate::projection::row::{Column, Row, column_list_of};
use crate::projection::told::AlertRow;

/// One fact worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The number of its event: acknowledge up to it.
    pub seq: u64,
    /// When the event was written, wall clock, milliseconds UTC.
    pub at_ms: i64,
    /// What.
    pub kind: AlertKind,
    /// About what.
    pub subject: Subject,
    /// The version of the fact.
    pub version: i64,
    /// The money it is about.
    pub amount: Option<Money>,
    /// The serial number of the card reader it is about.
    pub reader: Option<String>,
}

/// The newest acknowledged number; 0 if none was.
pub(crate) fn acknowledged(conn: &Connection) -> Result<u64, StoreError> {
    let mut statement = conn.prepare_cached("SELECT upto FROM alert_ack WHERE id = 1")?;
    let upto: Option<i64> = statement.query_row([], |row| row.get(0)).optional()?;
    Ok(upto.map_or(0, i64::cast_unsigned))
}

/// Alerts after a number, in order.
pub(crate) fn after(conn: &Connection, seq: u64, limit: u32) -> Result<Vec<Alert>, StoreError> {
    let columns = column_list_of::<AlertRow>("a");
    let sql = format!(
        "SELECT e.at_ms, p.payment_id, o.payout_id, e.kind, e.body_version, e.body, {columns} FROM alert AS a JOIN event AS e ON e.seq = a.seq
         LEFT JOIN payment AS p ON p.key = a.subject LEFT JOIN payout AS o ON o.key = a.subject
         WHERE a.seq > ? ORDER BY a.seq LIMIT ?"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map((seq.cast_signed(), limit), |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

fn read(row: &rusqlite::Row<'_>) -> Result<Alert, StoreError> {
    let payment: Option<PaymentId> = column(row, 1, "payment.payment_id")?;
    let payout = Option::<PayoutId>::from_value(row.get_ref(2)?).ok_or(StoreError::Unreadable { what: "payout_id" })?;
    let alert = AlertRow::read(row, 6)?;
    let amount = match (alert.amount_minor, alert.currency) {
        (Some(amount_minor), Some(currency)) => Some(Money::new(amount_minor, currency)?),
        _ => None,
    };
    let subject = match (payment, payout) {
        (Some(id), _) => Subject::Payment(id),
        (None, Some(id)) => Subject::Payout(id),
        (None, None) => Subject::Ledger,
    };
    let reader = match subject {
        Subject::Ledger => reader_of(row)?,
        Subject::Payment(_) | Subject::Payout(_) => None,
    };
    Ok(Alert { seq: alert.seq, at_ms: row.get(0)?, kind: alert.kind, subject, version: alert.version, amount, reader })
}

fn reader_of(row: &rusqlite::Row<'_>) -> Result<Option<String>, StoreError> {
    let (kind, version, body): (String, u32, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
    Ok(match Event::read(&kind, version, &body) {
        Ok(Event::Ledger(LedgerEvent::ReaderSeen(seen))) => Some(seen.serial),
        _ => None,
    })
}
