//! The list of payments.

use chrono::NaiveDate;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use takings_domain::payment::{self, Base, Cause, Stage, Why};

use super::{Condition, MOST_ROWS, Page, PageKey, Reader, read_rows};
use crate::projection::row::column_list;
use crate::{PaymentRow, StoreError};

/// How far a search for text goes back in one page, in events: it must not hold the screen up.
const TEXT_WINDOW: u64 = 200_000;

/// Which payments. All given conditions hold together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentFilter {
    /// Only this stage, as it is at the moment of asking.
    pub stage: Option<Stage>,
    /// Sold on or after.
    pub from: Option<NaiveDate>,
    /// Sold on or before.
    pub to: Option<NaiveDate>,
    /// Exactly this amount, minor units.
    pub amount_minor: Option<i64>,
    /// The card's last four digits.
    pub last_four: Option<String>,
    /// Exactly this order reference.
    pub order_reference: Option<String>,
    /// Part of an order reference, RRN or approval code.
    pub text: Option<String>,
}

impl PaymentRow {
    /// Stage and reason at this moment, wall clock, milliseconds UTC.
    #[must_use]
    pub fn standing_at(&self, now_ms: i64) -> (Stage, Option<Why>) {
        let why = self.cause.map(Cause::why);
        payment::standing_at(Base { stage: self.stage, why, attention_after_ms: self.attention_after_ms }, now_ms)
    }
}

impl Reader {
    /// Payments, newest first, at most `limit` (1 to 200) after the given key. `now_ms` (wall clock, milliseconds
    /// UTC) decides which of them need somebody by now. A search for text looks at a bounded stretch of the history
    /// at a time: its page may be short, or empty, and still have a next one.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payments(
        &self,
        filter: &PaymentFilter,
        now_ms: i64,
        after: Option<PageKey>,
        limit: u32,
    ) -> Result<Page<PaymentRow>, StoreError> {
        let limit = limit.clamp(1, MOST_ROWS);
        self.snapshot(|conn| {
            let Some((mut lowest, highest)) = key_range(conn, filter, after)? else {
                return Ok(Page { rows: Vec::new(), next: None });
            };
            let windowed = filter.text.is_some() && {
                let window = highest.min(newest(conn)?.saturating_add(1)).saturating_sub(TEXT_WINDOW);
                let more = window > lowest;
                lowest = lowest.max(window);
                more
            };
            let find = |by, more| select(conn, by, filter, more, (lowest, highest), limit);
            let rows = match filter.stage {
                None => find(By::Key, Vec::new())?,
                Some(Stage::NeedsYou) => {
                    let word = Stage::NeedsYou.as_str().to_owned();
                    let mut rows = find(By::Key, vec![Condition::new("stage = ?", word)])?;
                    // What needs somebody by its base has no such instant: the two never overlap.
                    rows.extend(find(By::Attention, vec![Condition::new("attention_after_ms <= ?", now_ms)])?);
                    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.key));
                    rows
                }
                Some(stage) => {
                    let stage = Condition::new(stage_condition(filter), stage.as_str().to_owned());
                    find(By::Key, vec![stage, Condition::new("ifnull(attention_after_ms > ?, 1)", now_ms)])?
                }
            };
            let mut page = Page::cut(rows, limit, |row| row.key);
            if windowed && page.next.is_none() {
                page.next = Some(PageKey(lowest));
            }
            Ok(page)
        })
    }
}

/// What leads to the rows of a page.
#[derive(Clone, Copy)]
enum By {
    /// The key, or whatever index narrows it best.
    Key,
    /// Not the key: the planner would walk the whole history backwards for the few that match. The plus hides it.
    Attention,
}

fn newest(conn: &Connection) -> Result<u64, StoreError> {
    let newest: Option<i64> = conn.prepare_cached("SELECT max(key) FROM payment")?.query_row([], |row| row.get(0))?;
    Ok(newest.map_or(0, i64::cast_unsigned))
}

/// A stage holds many payments: where a narrower condition is given, its index is the one to use.
fn stage_condition(filter: &PaymentFilter) -> &'static str {
    let narrower = filter.amount_minor.is_some() || filter.last_four.is_some() || filter.order_reference.is_some();
    if narrower { "+stage = ?" } else { "stage = ?" }
}

/// The keys between which the answer lies: from, and before. Days are narrowed through the few days there are, so
/// that neither an old day nor a long range makes a page walk the whole history.
fn key_range(
    conn: &Connection,
    filter: &PaymentFilter,
    after: Option<PageKey>,
) -> Result<Option<(u64, u64)>, StoreError> {
    let before = after.map_or(i64::MAX.cast_unsigned(), |key| key.0.min(i64::MAX.cast_unsigned()));
    if filter.from.is_none() && filter.to.is_none() {
        return Ok(Some((0, before)));
    }
    let mut statement = conn.prepare_cached(
        "SELECT min(lowest), max(highest) FROM (
             SELECT (SELECT min(key) FROM payment WHERE captured_on = day) AS lowest,
                    (SELECT max(key) FROM payment WHERE captured_on = day) AS highest
             FROM (SELECT DISTINCT captured_on AS day FROM takings
                   WHERE captured_on >= ? AND captured_on <= ? ORDER BY captured_on))",
    )?;
    let day = |date: Option<NaiveDate>, open: &str| date.map_or(open.to_owned(), |date| date.to_string());
    let (lowest, highest): (Option<i64>, Option<i64>) = statement
        .query_row((day(filter.from, "0000"), day(filter.to, "9999-12-31")), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(match (lowest, highest) {
        (Some(lowest), Some(highest)) => {
            Some((lowest.cast_unsigned(), before.min(highest.cast_unsigned().saturating_add(1))))
        }
        _ => None,
    })
}

fn select(
    conn: &Connection,
    by: By,
    filter: &PaymentFilter,
    mut conditions: Vec<Condition>,
    (lowest, before): (u64, u64),
    limit: u32,
) -> Result<Vec<PaymentRow>, StoreError> {
    let mut add = |sql, value: Option<Value>| {
        if let Some(value) = value {
            conditions.push(Condition { sql, value });
        }
    };
    let text = |text: &String| Value::Text(text.clone());
    add("amount_minor = ?", filter.amount_minor.map(Value::Integer));
    add("last_four = ?", filter.last_four.as_ref().map(text));
    add("order_reference = ?", filter.order_reference.as_ref().map(text));
    // The plus keeps the planner from sorting whole days: the order is the key's.
    add("+captured_on >= ?", filter.from.map(|date| Value::Text(date.to_string())));
    add("+captured_on <= ?", filter.to.map(|date| Value::Text(date.to_string())));
    add(
        "instr(ifnull(order_reference, '') || char(10) || ifnull(rrn, '') || char(10) || ifnull(auth_code, ''), ?) > 0",
        filter.text.as_ref().map(text),
    );
    let (from, until, order) = match by {
        By::Key => ("key >= ?", "key < ?", "key"),
        By::Attention => ("+key >= ?", "+key < ?", "+key"),
    };
    conditions.extend([Condition::new(from, lowest), Condition::new(until, before)]);
    let clauses = conditions.iter().map(|condition| condition.sql).collect::<Vec<_>>().join(" AND ");
    let columns = column_list::<PaymentRow>();
    let sql = format!("SELECT {columns} FROM payment WHERE {clauses} ORDER BY {order} DESC LIMIT ?");
    let values = conditions.into_iter().map(|condition| condition.value);
    let one_more = i64::from(limit).saturating_add(1);
    read_rows(conn, &sql, params_from_iter(values.chain([Value::Integer(one_more)])))
}
