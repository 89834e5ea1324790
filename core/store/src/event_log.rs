//! Event rows: written once, read in order, each tied to the one before.

use rusqlite::{Connection, OptionalExtension, Row};
use takings_domain::Now;
use takings_domain::event::{Event, LedgerEvent, PaymentEvent, PayoutEvent, Recorded};

use crate::StoreError;
use crate::hash::{Hash, Link};

const COLUMNS: &str = "seq, at_ms, monotonic_ms, boot_id, operator, subject, kind, body_version, body, hash";

/// An event exactly as the file holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// The phone's clocks when it was written.
    pub at: Now,
    /// Who was at the till.
    pub operator: Option<String>,
    /// 0 for the ledger, else the number of the subject's first event.
    pub subject: u64,
    /// Its kind.
    pub kind: String,
    /// The version of its body's form.
    pub body_version: u32,
    /// Its body: JSON, byte for byte.
    pub body: String,
    /// Its link of the chain.
    pub hash: Hash,
    /// The columns hold what this build can have written. If not, what is no UTF-8 stands as U+FFFD, a number out of
    /// range as 0, and the event does not verify.
    pub as_written: bool,
}

impl EventRow {
    /// The link this row must have after `previous`.
    #[must_use]
    pub fn link(&self, previous: &Hash) -> Hash {
        #[cfg(feature = "planted")]
        let previous = if takings_domain::planted::is("hash_of_previous_left_out") { &[0; 32] } else { previous };
        Link::after(previous)
            .int(self.seq.cast_signed())
            .int(self.at.wall_ms)
            .int(self.at.monotonic_ms)
            .int(self.at.boot_id.cast_signed())
            .text_or_null(self.operator.as_deref())
            .int(self.subject.cast_signed())
            .text(&self.kind)
            .int(i64::from(self.body_version))
            .text(&self.body)
            .finish()
    }

    /// True if the row stands as it was written after `previous`.
    pub(crate) fn follows(&self, previous: &Hash) -> bool {
        self.as_written && self.link(previous) == self.hash
    }

    /// The event in it.
    pub(crate) fn event(&self) -> Result<Event, StoreError> {
        Event::read(&self.kind, self.body_version, &self.body)
            .map_err(|source| StoreError::UnknownEvent { seq: self.seq, source })
    }

    pub(crate) fn recorded<E>(&self, event: E) -> Recorded<E> {
        Recorded { seq: self.seq, at: self.at, operator: self.operator.clone(), event }
    }

    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        let mut as_written = true;
        let operator = text(row, 4, &mut as_written)?;
        let kind = text(row, 6, &mut as_written)?.unwrap_or_default();
        let body_version = u32::try_from(row.get::<_, i64>(7)?).unwrap_or_else(|_| {
            as_written = false;
            0
        });
        let body = text(row, 8, &mut as_written)?.unwrap_or_default();
        Ok(Self {
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            at: Now { wall_ms: row.get(1)?, monotonic_ms: row.get(2)?, boot_id: row.get::<_, i64>(3)?.cast_unsigned() },
            operator,
            subject: row.get::<_, i64>(5)?.cast_unsigned(),
            kind,
            body_version,
            body,
            hash: row.get(9)?,
            as_written,
        })
    }
}

/// A column of text, read as bytes: one bad byte must be found at its event, not stop the reading.
fn text(row: &Row<'_>, column: usize, as_written: &mut bool) -> Result<Option<String>, rusqlite::Error> {
    Ok(row.get_ref(column)?.as_bytes_or_null()?.map(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        // Only a replacement makes another string of them.
        *as_written &= text.as_bytes() == bytes;
        text.into_owned()
    }))
}

/// Writes the row.
pub(crate) fn insert(conn: &Connection, row: &EventRow) -> Result<(), StoreError> {
    let sql = "INSERT INTO event (seq, at_ms, monotonic_ms, boot_id, operator, subject, kind, body_version, body, hash)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    conn.prepare_cached(sql)?.execute((
        row.seq.cast_signed(),
        row.at.wall_ms,
        row.at.monotonic_ms,
        row.at.boot_id.cast_signed(),
        &row.operator,
        row.subject.cast_signed(),
        &row.kind,
        row.body_version,
        &row.body,
        &row.hash,
    ))?;
    Ok(())
}

/// The newest event's number and link; none in an empty ledger.
pub(crate) fn newest(conn: &Connection) -> Result<Option<(u64, Hash)>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1")?;
    Ok(statement.query_row([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))).optional()?)
}

/// The link of one event.
pub(crate) fn hash_at(conn: &Connection, seq: u64) -> Result<Option<Hash>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT hash FROM event WHERE seq = ?")?;
    Ok(statement.query_row([seq.cast_signed()], |row| row.get(0)).optional()?)
}

/// Calls `each` with every event after `after`, in order; stops at the first error.
pub(crate) fn walk(
    conn: &Connection,
    after: u64,
    mut each: impl FnMut(&EventRow) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM event WHERE seq > ? ORDER BY seq");
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query([after.cast_signed()])?;
    while let Some(row) = rows.next()? {
        each(&EventRow::read(row)?)?;
    }
    Ok(())
}

/// The events of one subject, in order.
pub(crate) fn of_subject(conn: &Connection, subject: u64) -> Result<Vec<EventRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM event WHERE subject = ? ORDER BY seq");
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map([subject.cast_signed()], EventRow::read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The next events after a number: as many as asked for, fewer if their bodies are long, and at least one if there is one.
pub(crate) fn after(conn: &Connection, seq: u64, most: u32, most_bytes: usize) -> Result<Vec<EventRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM event WHERE seq > ? ORDER BY seq LIMIT ?");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query((seq.cast_signed(), most))?;
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next()? {
        let row = EventRow::read(row)?;
        bytes = bytes.saturating_add(row.body.len());
        found.push(row);
        if bytes >= most_bytes {
            break;
        }
    }
    Ok(found)
}

/// The next subject after `after`: subjects are numbered by their first events.
pub(crate) fn next_subject(conn: &Connection, after: u64) -> Result<Option<u64>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT subject FROM event WHERE subject > ? ORDER BY subject LIMIT 1")?;
    let subject: Option<i64> = statement.query_row([after.cast_signed()], |row| row.get(0)).optional()?;
    Ok(subject.map(i64::cast_unsigned))
}

/// The history of one subject, typed by what its first event is about.
#[derive(Debug)]
pub(crate) enum History {
    Ledger(Vec<Recorded<LedgerEvent>>),
    Payment(Vec<Recorded<PaymentEvent>>),
    Payout(Vec<Recorded<PayoutEvent>>),
}

/// Reads the history of one subject.
pub(crate) fn history(conn: &Connection, subject: u64) -> Result<History, StoreError> {
    typed(&of_subject(conn, subject)?)
}

/// Reads the history of one subject before an event.
pub(crate) fn history_before(conn: &Connection, subject: u64, seq: u64) -> Result<History, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM event WHERE subject = ? AND seq < ? ORDER BY seq");
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map((subject.cast_signed(), seq.cast_signed()), EventRow::read)?;
    typed(&rows.collect::<Result<Vec<_>, _>>()?)
}

fn typed(rows: &[EventRow]) -> Result<History, StoreError> {
    let mut history = match rows.first().map(EventRow::event).transpose()? {
        None | Some(Event::Ledger(_)) => History::Ledger(Vec::new()),
        Some(Event::Payment(_)) => History::Payment(Vec::new()),
        Some(Event::Payout(_)) => History::Payout(Vec::new()),
    };
    for row in rows {
        match (&mut history, row.event()?) {
            (History::Ledger(events), Event::Ledger(event)) => events.push(row.recorded(event)),
            (History::Payment(events), Event::Payment(event)) => events.push(row.recorded(event)),
            (History::Payout(events), Event::Payout(event)) => events.push(row.recorded(event)),
            (_, event) => {
                return Err(StoreError::Misplaced { kind: event.kind(), why: "it is about something else" });
            }
        }
    }
    Ok(history)
}

/// The ledger's own events, but for those that this build does not know: for a ledger that is only read.
pub(crate) fn known_of_ledger(conn: &Connection) -> Result<Vec<Recorded<LedgerEvent>>, StoreError> {
    let rows = of_subject(conn, 0)?;
    let known = rows.iter().filter_map(|row| match row.event() {
        Ok(Event::Ledger(event)) => Some(row.recorded(event)),
        _ => None,
    });
    Ok(known.collect())
}

#[cfg(test)]
mod tests {
    use takings_domain::LedgerId;

    use super::*;
    use crate::hash::genesis;

    fn row(seq: u64, at: (i64, i64), operator: Option<&str>, kind: &str, body: &str) -> EventRow {
        EventRow {
            seq,
            at: Now { wall_ms: at.0, monotonic_ms: at.1, boot_id: 7 },
            operator: operator.map(str::to_owned),
            subject: 0,
            kind: kind.to_owned(),
            body_version: 1,
            body: body.to_owned(),
            hash: [0; 32],
            as_written: true,
        }
    }

    /// The worked example of ARCHITECTURE.md, computed there by other means.
    #[test]
    fn p5_the_published_chain_is_ours() {
        let hex = |hash: Hash| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let opened = r#"{"ledger_id":"11111111-1111-1111-1111-111111111111","device_key_thumbprint":"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}"#;
        let start = genesis(LedgerId::from_bytes([0x11; 16]));
        let first = row(1, (1_795_233_600_000, 1_000), None, "opened", opened).link(&start);
        assert_eq!(hex(first), "8cbda52e406864f4921dc955e5c2bb09d6a02849199637a39d8e1ba9f5f01eb3");
        let jumped = r#"{"by_ms":-7200000}"#;
        let second = row(2, (1_795_233_660_000, 61_000), Some("zhang.wei"), "clock_jumped", jumped).link(&first);
        assert_eq!(hex(second), "157daf2f3d9fec4b53389ed90e6d683615aafbaf51673728b2292914452620a1");
    }

    /// Numbers beyond what a signed column holds come back as they were.
    #[test]
    fn p5_append_only_the_first_link_of_a_known_ledger() {
        let row = EventRow {
            seq: 1,
            at: Now { wall_ms: 1_795_248_000_000, monotonic_ms: 500, boot_id: u64::MAX - 5 },
            operator: None,
            subject: 0,
            kind: "opened".into(),
            body_version: 1,
            body: r#"{"ledger_id":"11111111-1111-1111-1111-111111111111","device_key_thumbprint":"thumbprint"}"#.into(),
            hash: [0; 32],
            as_written: true,
        };
        let link = row.link(&genesis(LedgerId::from_bytes([0x11; 16])));
        let hex: String = link.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "0d894a704ad95bc8b1f9c5a3df422fdbb7f127f0659e56241e7ca49df49815d3");
    }
}
