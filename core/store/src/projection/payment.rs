//! A payment's line and its attempts.

use std::sync::LazyLock;

use chrono::NaiveDate;
use rusqlite::{OptionalExtension, params_from_iter};
use takings_domain::event::Class;
use takings_domain::payment::{self, Cause, Delivery, PaymentState, PayoutLink, Stage};
use takings_domain::{
    Arrival, AttemptId, Authorization, Clearing, Currency, EntryMode, Evidence, PaymentId, PayoutId, Scheme,
};

use super::row::{Column, Row, column_list, insert_sql, rows};
use super::tables::Tables;
use crate::StoreError;

rows! {
    /// A payment as lists show it. Times are wall clock, milliseconds UTC; amounts minor units of `currency`.
    PaymentRow in "payment" {
        /// The number of its first event: its place in the ledger and the key of pages.
        key: u64,
        /// The payment.
        payment_id: PaymentId,
        /// What was asked.
        amount_minor: i64,
        /// Its currency.
        currency: Currency,
        /// The day of the sale in the acquirer's zone.
        captured_on: NaiveDate,
        /// The merchant's number for the sale.
        order_reference: Option<String>,
        /// System trace audit number.
        stan: u32,
        /// The acquirer's batch at the sale.
        batch_number: String,
        /// Who asked.
        operator: Option<String>,
        /// When the card was read, else when the charge began.
        captured_at_ms: i64,
        /// Card scheme, once read.
        scheme: Option<Scheme>,
        /// How the card was read.
        entry_mode: Option<EntryMode>,
        /// The visible leading digits.
        card_first: Option<String>,
        /// The last four digits.
        last_four: Option<String>,
        /// Class, as screens show it.
        class: Option<Class>,
        /// The phone's own view.
        delivery: Option<Delivery>,
        /// Must be uploaded before.
        deadline_ms: Option<i64>,
        /// The acquirer's version, once it reported.
        report_version: Option<u64>,
        /// The acquirer's first axis.
        authorization: Option<Authorization>,
        /// The second.
        clearing: Option<Clearing>,
        /// The third, with the payout's word where the payment is in one.
        arrival: Option<Arrival>,
        /// On whose word it arrived.
        evidence: Evidence,
        /// Response code as it came.
        response_code: Option<String>,
        /// Retrieval reference number.
        rrn: Option<String>,
        /// Approval code.
        auth_code: Option<String>,
        /// Approved; none without an approval.
        approved_minor: Option<i64>,
        /// Accepted by the acquirer, its clock.
        accepted_at_ms: Option<i64>,
        /// The day the money should be there.
        expected_date: Option<NaiveDate>,
        /// True while that day may still move.
        expected_provisional: bool,
        /// Held back out of this payment.
        withheld_minor: Option<i64>,
        /// Whether the goods were handed over.
        service_given: Option<bool>,
        /// The payout it is in, or that the acquirer names.
        payout_id: Option<PayoutId>,
        /// Its share of the payout before fees.
        gross_minor: Option<i64>,
        /// Its fee, a positive cost.
        fee_minor: Option<i64>,
        /// Its share after fees.
        net_minor: Option<i64>,
        /// What the sums of takings count: approved where there is an approval, else asked.
        taken_minor: i64,
        /// Why, for *not charged* and *needs you*.
        cause: Option<Cause>,
        /// The base stage, free of time.
        stage: Stage,
        /// From this instant on it needs somebody.
        attention_after_ms: Option<i64>,
        /// From this instant on there is something to tell that was not told yet.
        notice_after_ms: Option<i64>,
        /// The acquirer has not confirmed it, and it may be parked or expired: what is at stake on this phone.
        unsent: bool,
        /// A send without an end, or a charge the app left in the middle: looked at when the ledger opens.
        open_work: bool,
        /// Key of the payout that has an entry for it.
        payout_key: Option<u64>,
        /// Taken by another phone, or into a ledger that is lost, and read in from the acquirer.
        from_acquirer: bool,
    }

    /// One presentation of a card.
    AttemptRow in "attempt" {
        /// The payment's key.
        subject: u64,
        /// From 1.
        number: u32,
        /// Its id.
        attempt_id: AttemptId,
        /// The reader, if known.
        reader_serial: Option<String>,
        /// When it began, wall clock, milliseconds UTC.
        started_at_ms: i64,
        /// Why it ended without a card.
        ended: Option<String>,
        /// How the reader concluded.
        outcome: Option<String>,
    }
}

/// The payout a payment is in, with its key.
pub(crate) type KeyedLink = (u64, PayoutLink);

/// Columns that are written together, so that an update touches as few indexes as can be: a column stands in the group
/// of the indexes it is part of; all others make one more group.
const UPDATE_GROUPS: [&[&str]; 3] = [
    &["captured_at_ms", "scheme", "entry_mode", "card_first", "last_four"],
    &["stage", "attention_after_ms", "notice_after_ms", "unsent", "open_work", "payout_key"],
    &["key", "payment_id", "amount_minor", "currency", "captured_on", "order_reference"],
];

/// The columns of one group, by their place, and the statement that writes them.
struct Update {
    columns: Vec<usize>,
    sql: String,
}

/// Texts of statements are made once: making them took longer than running them.
static UPDATES: LazyLock<Vec<Update>> = LazyLock::new(|| {
    let group = |column: &str| UPDATE_GROUPS.iter().position(|group| group.contains(&column));
    let groups = (0..UPDATE_GROUPS.len()).map(Some).chain([None]);
    groups
        .map(|wanted| {
            let of_all = 0..PaymentRow::COLUMNS.len();
            let columns: Vec<usize> = of_all.filter(|at| group(PaymentRow::COLUMNS[*at]) == wanted).collect();
            let set = columns.iter().map(|at| format!("{} = ?", PaymentRow::COLUMNS[*at]));
            let set = set.collect::<Vec<_>>().join(", ");
            Update { columns, sql: format!("UPDATE payment SET {set} WHERE key = ?") }
        })
        .collect()
});
static INSERT: LazyLock<String> = LazyLock::new(|| insert_sql::<PaymentRow>(""));
static SELECT: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM payment WHERE key = ?", column_list::<PaymentRow>()));
static INSERT_ATTEMPT: LazyLock<String> = LazyLock::new(|| insert_sql::<AttemptRow>("OR REPLACE"));
static SELECT_ATTEMPTS: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM attempt WHERE subject = ? ORDER BY number", column_list::<AttemptRow>()));

impl PaymentRow {
    /// The line of this payment: a function of its fold and of the payout it is in, nothing else.
    pub(crate) fn of(state: &PaymentState, link: Option<&KeyedLink>) -> Self {
        let payout = link.map(|(_, link)| link);
        let base = payment::base(state, payout);
        let own_attention_after_ms = payment::own_attention_after_ms(&base, payout);
        let card = state.card.as_ref().map(|(card, _)| card);
        let report = state.report.as_ref();
        let approved = state.is_approved().then(|| state.approved_minor());
        let own = report.map(|report| report.arrival);
        let arrival = own.map(|own| payment::arrival(own, payout));
        // The payout's word counts where it speaks for the payment.
        let speaks = payout.filter(|link| arrival == Some(link.status.arrival()));
        let expected = report.and_then(|report| report.expected.as_ref());
        Self {
            key: state.key,
            payment_id: state.id(),
            amount_minor: state.charge.amount.amount_minor(),
            currency: state.charge.amount.currency(),
            captured_on: state.charge.captured_on,
            order_reference: state.charge.order_reference.clone(),
            stan: state.charge.stan,
            batch_number: state.charge.batch_number.clone(),
            operator: state.operator.clone(),
            captured_at_ms: state.captured_at_ms(),
            scheme: card.map(|card| card.scheme),
            entry_mode: card.map(|card| card.entry_mode),
            card_first: card.map(|card| card.card.first().to_owned()),
            last_four: card.map(|card| card.card.last_four().to_owned()),
            class: state.class(),
            delivery: state.delivery(),
            deadline_ms: state.acceptance.and_then(|acceptance| acceptance.deadline_ms),
            report_version: report.map(|report| report.report_version),
            authorization: report.map(|report| report.authorization),
            clearing: report.map(|report| report.clearing),
            arrival,
            evidence: speaks
                .map(|link| link.evidence)
                .or(report.map(|report| report.evidence))
                .unwrap_or(Evidence::None),
            response_code: report.and_then(|report| report.code.clone()),
            rrn: report.and_then(|report| report.rrn.clone()),
            auth_code: report.and_then(|report| report.auth_code.clone()),
            approved_minor: approved,
            accepted_at_ms: report.and_then(|report| report.accepted_at_ms),
            expected_date: payout
                .and_then(|link| link.expected_date)
                .or_else(|| expected.map(|expected| expected.date)),
            expected_provisional: payout.and_then(|link| link.expected_date).is_none()
                && expected.is_some_and(|expected| expected.provisional),
            withheld_minor: report.and_then(|report| report.withheld_minor),
            service_given: state.service_given,
            payout_id: payout
                .map(|link| link.payout_id.clone())
                .or_else(|| report.and_then(|report| report.payout_id.clone())),
            gross_minor: payout.map(|link| link.gross_minor),
            fee_minor: payout.map(|link| link.fee_minor),
            net_minor: payout.map(|link| link.net_minor),
            taken_minor: approved.unwrap_or(state.charge.amount.amount_minor()),
            cause: base.why.map(|why| why.cause),
            stage: base.stage,
            attention_after_ms: base.attention_after_ms,
            notice_after_ms: payment::notice_due(state, own_attention_after_ms, i64::MAX).map(|(_, after)| after),
            unsent: is_unsent(state),
            open_work: has_open_work(state),
            payout_key: link.map(|(key, _)| *key),
            from_acquirer: state.restored.is_some(),
        }
    }

    /// The row as it stands in the table.
    pub(crate) fn load(tables: &Tables<'_>, key: u64) -> Result<Option<Self>, StoreError> {
        let mut statement = tables.prepare_cached(&SELECT)?;
        statement.query_row([key.cast_signed()], |row| Ok(Self::read(row, 0))).optional()?.transpose()
    }

    /// Writes the row, touching only what differs from `old`.
    pub(crate) fn save(&self, tables: &Tables<'_>, old: Option<&Self>) -> Result<(), StoreError> {
        let new = self.values();
        let Some(old) = old.map(Row::values) else {
            tables.prepare_cached(&INSERT)?.execute(params_from_iter(new))?;
            return Ok(());
        };
        for Update { columns, sql } in UPDATES.iter() {
            if columns.iter().all(|at| old[*at] == new[*at]) {
                continue;
            }
            let values = columns.iter().map(|at| new[*at].clone());
            let key = self.key.to_value();
            tables.prepare_cached(sql)?.execute(params_from_iter(values.chain([key])))?;
        }
        Ok(())
    }
}

fn is_unsent(state: &PaymentState) -> bool {
    state.delivery().is_some() && !state.is_answered() && !state.is_closed()
}

fn has_open_work(state: &PaymentState) -> bool {
    let reversing = state.reversal.as_ref().is_some_and(|reversal| reversal.sends.open.is_some());
    state.sends.open.is_some() || reversing || state.is_unfinished()
}

impl AttemptRow {
    /// The attempts of a payment.
    pub(crate) fn of(state: &PaymentState) -> Vec<Self> {
        (1..)
            .zip(&state.attempts)
            .map(|(number, attempt)| Self {
                subject: state.key,
                number,
                attempt_id: attempt.attempt_id,
                reader_serial: attempt.reader_serial.clone(),
                started_at_ms: attempt.started_at_ms,
                ended: attempt.ended.map(|why| why.as_str().to_owned()),
                outcome: attempt.concluded.as_ref().map(|concluded| concluded.outcome.clone()),
            })
            .collect()
    }

    /// The attempts as they stand in the table.
    pub(crate) fn load(tables: &Tables<'_>, subject: u64) -> Result<Vec<Self>, StoreError> {
        let mut statement = tables.prepare_cached(&SELECT_ATTEMPTS)?;
        let rows = statement.query_map([subject.cast_signed()], |row| Ok(Self::read(row, 0)))?;
        rows.map(|row| row?).collect()
    }

    /// Writes those that differ.
    pub(crate) fn save(tables: &Tables<'_>, state: &PaymentState) -> Result<(), StoreError> {
        let old = Self::load(tables, state.key)?;
        for row in Self::of(state) {
            if !old.contains(&row) {
                tables.prepare_cached(&INSERT_ATTEMPT)?.execute(params_from_iter(row.values()))?;
            }
        }
        Ok(())
    }
}
