//! What is to be done and what is to be told.

use std::sync::LazyLock;

use rusqlite::{OptionalExtension, params_from_iter};
use takings_domain::alert::{AlertKind, Told};
use takings_domain::event::Lane;
use takings_domain::payment::{self, PaymentState};
use takings_domain::{Currency, Money};

use super::row::{Row, column_list, insert_sql, rows};
use super::tables::Tables;
use crate::StoreError;

rows! {
    /// One thing to do for one payment. Times are wall clock, milliseconds UTC.
    ToDoRow in "to_do" {
        /// The payment's key.
        subject: u64,
        /// By which lane.
        lane: Lane,
        /// Not before, unless the merchant asks.
        due_ms: i64,
        /// Not before, whoever asks.
        hold_until_ms: Option<i64>,
        /// Too late after.
        deadline_ms: Option<i64>,
    }

    /// One fact worth telling, once.
    AlertRow in "alert" {
        /// The event's number; alerts are told and acknowledged by it.
        seq: u64,
        /// What.
        kind: AlertKind,
        /// Key of the payment or payout; 0 for the ledger.
        subject: u64,
        /// The version of the fact.
        version: i64,
        /// The money it is about, minor units.
        amount_minor: Option<i64>,
        /// Its currency.
        currency: Option<Currency>,
    }
}

static SELECT_TO_DO: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM to_do WHERE subject = ?", column_list::<ToDoRow>()));
static INSERT_TO_DO: LazyLock<String> = LazyLock::new(|| insert_sql::<ToDoRow>("OR REPLACE"));
static INSERT_ALERT: LazyLock<String> = LazyLock::new(|| insert_sql::<AlertRow>("OR IGNORE"));

impl ToDoRow {
    /// What is to be done for this payment: a function of its fold.
    pub(crate) fn of(state: &PaymentState) -> Option<Self> {
        payment::to_do(state).map(|to_do| Self {
            subject: state.key,
            lane: to_do.lane,
            due_ms: to_do.due_ms,
            hold_until_ms: to_do.hold_until_ms,
            deadline_ms: to_do.deadline_ms,
        })
    }

    /// The row as it stands in the table.
    pub(crate) fn load(tables: &Tables<'_>, subject: u64) -> Result<Option<Self>, StoreError> {
        let mut statement = tables.prepare_cached(&SELECT_TO_DO)?;
        statement.query_row([subject.cast_signed()], |row| Ok(Self::read(row, 0))).optional()?.transpose()
    }

    /// Writes or removes the row.
    pub(crate) fn save(tables: &Tables<'_>, state: &PaymentState) -> Result<(), StoreError> {
        let old = Self::load(tables, state.key)?;
        match Self::of(state) {
            new if new == old => {}
            Some(new) => {
                tables.prepare_cached(&INSERT_TO_DO)?.execute(params_from_iter(new.values()))?;
            }
            None => {
                tables.prepare_cached("DELETE FROM to_do WHERE subject = ?")?.execute([state.key.cast_signed()])?;
            }
        }
        Ok(())
    }
}

impl AlertRow {
    /// The alert of one event.
    pub(crate) fn of(seq: u64, subject: u64, told: Told, about: Option<Money>) -> Self {
        let (kind, version) = told;
        Self {
            seq,
            kind,
            subject,
            version,
            amount_minor: about.map(Money::amount_minor),
            currency: about.map(Money::currency),
        }
    }

    /// Queues the alert, unless the same fact was told before.
    pub(crate) fn save(&self, tables: &Tables<'_>) -> Result<(), StoreError> {
        #[cfg(feature = "planted")]
        if takings_domain::planted::is("alert_key_too_narrow") {
            let mut same =
                tables.prepare_cached("SELECT EXISTS (SELECT 1 FROM alert WHERE kind = ? AND version = ?)")?;
            if same.query_row((self.kind.as_str(), self.version), |row| row.get(0))? {
                return Ok(());
            }
        }
        tables.prepare_cached(&INSERT_ALERT)?.execute(params_from_iter(self.values()))?;
        Ok(())
    }
}
