//! Takings: sums by stage, kept with the payments and corrected by what time alone has changed.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rusqlite::Connection;
use takings_domain::Currency;
use takings_domain::payment::Stage;

use super::Reader;
use crate::StoreError;
use crate::find::column;

/// One sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakingsSum {
    /// Its currency.
    pub currency: Currency,
    /// The stage at the moment of asking.
    pub stage: Stage,
    /// How many payments.
    pub count: u64,
    /// Their sum, minor units: approved where there is an approval, else asked.
    pub amount_minor: i64,
}

type Sums = BTreeMap<(Currency, Stage), (i64, i64)>;

impl Reader {
    /// The sums by currency and stage of the sales from one day to another, both included. `now_ms` (wall clock,
    /// milliseconds UTC) decides which payments need somebody by now.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn takings(
        &self,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
        now_ms: i64,
    ) -> Result<Vec<TakingsSum>, StoreError> {
        let from = from.map_or("0000".to_owned(), |date| date.to_string());
        let to = to.map_or("9999-12-31".to_owned(), |date| date.to_string());
        self.snapshot(|conn| {
            let mut sums = kept(conn, &from, &to)?;
            for ((currency, stage), (count, amount_minor)) in past_attention(conn, &from, &to, now_ms)? {
                add(&mut sums, (currency, stage), -count, amount_minor.saturating_neg());
                add(&mut sums, (currency, Stage::NeedsYou), count, amount_minor);
            }
            sums.retain(|_, sum| *sum != (0, 0));
            Ok(sums
                .into_iter()
                .map(|((currency, stage), (count, amount_minor))| TakingsSum {
                    currency,
                    stage,
                    count: u64::try_from(count).unwrap_or(0),
                    amount_minor,
                })
                .collect())
        })
    }
}

fn add(sums: &mut Sums, key: (Currency, Stage), count: i64, amount_minor: i64) {
    let sum = sums.entry(key).or_default();
    *sum = (sum.0.saturating_add(count), sum.1.saturating_add(amount_minor));
}

fn kept(conn: &Connection, from: &str, to: &str) -> Result<Sums, StoreError> {
    collect(
        conn,
        "SELECT currency, stage, sum(count), sum(amount_minor) FROM takings
         WHERE captured_on >= ? AND captured_on <= ? GROUP BY currency, stage ORDER BY currency, stage",
        (from, to),
    )
}

/// The few payments that need somebody only because an instant has passed.
fn past_attention(conn: &Connection, from: &str, to: &str, now_ms: i64) -> Result<Sums, StoreError> {
    collect(
        conn,
        "SELECT currency, stage, count(*), sum(taken_minor) FROM payment
         WHERE attention_after_ms <= ? AND +captured_on >= ? AND +captured_on <= ?
         GROUP BY currency, stage ORDER BY currency, stage",
        (now_ms, from, to),
    )
}

fn collect(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<Sums, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut sums = Sums::new();
    while let Some(row) = rows.next()? {
        let key = (column(row, 0, "takings.currency")?, column(row, 1, "takings.stage")?);
        sums.insert(key, (row.get(2)?, row.get(3)?));
    }
    Ok(sums)
}
