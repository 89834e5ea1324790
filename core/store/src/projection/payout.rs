//! A payout's line and its entries.

use std::sync::LazyLock;

use chrono::NaiveDate;
use rusqlite::{OptionalExtension, params_from_iter};
use takings_domain::payout::PayoutState;
use takings_domain::{Currency, Direction, EntryType, Evidence, PaymentId, PayoutId, PayoutStatus};

use super::row::{Row, column_list, insert_sql, rows};
use super::tables::Tables;
use crate::StoreError;

rows! {
    /// A payout as lists show it. Amounts are minor units of `currency`, times milliseconds UTC.
    PayoutRow in "payout" {
        /// The number of its first event: its place in the ledger and the key of pages.
        key: u64,
        /// The payout.
        payout_id: PayoutId,
        /// The acquirer's version.
        report_version: u64,
        /// Where it stands.
        status: PayoutStatus,
        /// Which way the money goes.
        direction: Direction,
        /// Its currency.
        currency: Currency,
        /// Before fees.
        gross_minor: i64,
        /// Fees, a positive cost.
        fee_minor: i64,
        /// What the bank moves.
        net_minor: i64,
        /// How many entries the acquirer announced.
        entry_count: u32,
        /// How many were heard.
        entries_heard: u32,
        /// The last page was heard.
        complete: bool,
        /// Net less the sum of the entries; none until reconciled.
        difference_minor: Option<i64>,
        /// The acquirer's business date.
        business_date: NaiveDate,
        /// Expected at the bank.
        expected_date: Option<NaiveDate>,
        /// Overdue from this instant.
        overdue_after_ms: Option<i64>,
        /// From this instant on it is overdue and that was not told yet.
        notice_after_ms: Option<i64>,
        /// When it arrived.
        arrived_at_ms: Option<i64>,
        /// On whose word.
        evidence: Evidence,
        /// What the bank prints and can search by.
        end_to_end_id: Option<String>,
        /// The bank's own reference.
        bank_reference: Option<String>,
        /// The payout this one pays again.
        reissue_of: Option<PayoutId>,
        /// Why it failed or came back.
        failure_code: Option<String>,
    }

    /// One line of a payout. Amounts are minor units of the payout's currency.
    EntryRow in "payout_entry" {
        /// The payout's key.
        payout: u64,
        /// From 1, in the acquirer's order.
        number: u32,
        /// The acquirer's id of the line.
        entry_id: String,
        /// What it is for.
        entry_type: EntryType,
        /// The payment the acquirer names.
        payment_id: Option<PaymentId>,
        /// The day of the sale.
        captured_on: Option<NaiveDate>,
        /// Before fees.
        gross_minor: i64,
        /// Fee, a positive cost.
        fee_minor: i64,
        /// What it adds to the payout.
        net_minor: i64,
    }
}

static SELECT: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM payout WHERE key = ?", column_list::<PayoutRow>()));

impl PayoutRow {
    /// The line of this payout: a function of its fold.
    pub(crate) fn of(state: &PayoutState) -> Self {
        let report = &state.report;
        Self {
            key: state.key,
            payout_id: report.payout_id.clone(),
            report_version: report.report_version,
            status: report.status,
            direction: report.direction,
            currency: report.net.currency(),
            gross_minor: report.gross.amount_minor(),
            fee_minor: report.fee.amount_minor(),
            net_minor: report.net.amount_minor(),
            entry_count: report.entry_count,
            entries_heard: u32::try_from(state.entries.len()).unwrap_or(u32::MAX),
            complete: state.complete,
            difference_minor: state.reconciled.as_ref().map(|reconciled| reconciled.difference.amount_minor()),
            business_date: report.business_date,
            expected_date: report.expected_date,
            overdue_after_ms: report.overdue_after_ms,
            notice_after_ms: state.notice_after_ms(),
            arrived_at_ms: report.arrived_at_ms,
            evidence: report.evidence,
            end_to_end_id: report.end_to_end_id.clone(),
            bank_reference: report.bank_reference.clone(),
            reissue_of: report.reissue_of.clone(),
            failure_code: report.failure_code.clone(),
        }
    }

    /// The row as it stands in the table.
    pub(crate) fn load(tables: &Tables<'_>, key: u64) -> Result<Option<Self>, StoreError> {
        let mut statement = tables.prepare_cached(&SELECT)?;
        statement.query_row([key.cast_signed()], |row| Ok(Self::read(row, 0))).optional()?.transpose()
    }

    /// Writes the row. `OR REPLACE` would delete it first and its entries with it.
    pub(crate) fn save(&self, tables: &Tables<'_>) -> Result<(), StoreError> {
        let set = Self::COLUMNS[1..].iter().map(|column| format!("{column} = excluded.{column}"));
        let set = set.collect::<Vec<_>>().join(", ");
        let sql = format!("{} ON CONFLICT (key) DO UPDATE SET {set}", insert_sql::<Self>(""));
        tables.prepare_cached(&sql)?.execute(params_from_iter(self.values()))?;
        Ok(())
    }
}

impl EntryRow {
    /// The lines of this payout from the given index on.
    pub(crate) fn of(state: &PayoutState, from: usize) -> Vec<Self> {
        let lines = (1_u32..).zip(&state.entries).skip(from);
        lines
            .map(|(number, entry)| Self {
                payout: state.key,
                number,
                entry_id: entry.entry_id.clone(),
                entry_type: entry.entry_type,
                payment_id: entry.payment_id,
                captured_on: entry.captured_on,
                gross_minor: entry.gross_minor,
                fee_minor: entry.fee_minor,
                net_minor: entry.net_minor,
            })
            .collect()
    }

    /// The payment this line pays for.
    #[must_use]
    pub fn pays_for(&self) -> Option<PaymentId> {
        self.payment_id.filter(|_| self.entry_type == EntryType::Payment)
    }

    /// Writes new lines.
    pub(crate) fn save(tables: &Tables<'_>, rows: &[Self]) -> Result<(), StoreError> {
        let mut statement = tables.prepare_cached(&insert_sql::<Self>(""))?;
        for row in rows {
            statement.execute(params_from_iter(row.values()))?;
        }
        Ok(())
    }

    /// The lines after the given number, in order, at most `limit`.
    pub(crate) fn load(tables: &Tables<'_>, payout: u64, after: u32, limit: u32) -> Result<Vec<Self>, StoreError> {
        let columns = column_list::<Self>();
        let sql = format!("SELECT {columns} FROM payout_entry WHERE payout = ? AND number > ? ORDER BY number LIMIT ?");
        let mut statement = tables.prepare_cached(&sql)?;
        let rows = statement.query_map((payout.cast_signed(), after, limit), |row| Ok(Self::read(row, 0)))?;
        rows.map(|row| row?).collect()
    }
}
