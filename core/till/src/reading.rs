//! Lists and details, read on a connection of their own beside the engine, as the records a shell shows.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::NaiveDate;
use takings_domain::event::Subject;
use takings_domain::payment::Stage;
use takings_domain::{LedgerId, Now, PaymentId, PayoutId, PayoutStatus};
use takings_store::reading::payments::PaymentFilter;
use takings_store::reading::{PageKey, Reader};
use takings_store::{Alert, DatabaseKey, EntryRow, EventRow, OpenConfig, PaymentRow, PayoutRow};

use crate::config::TillConfig;
use crate::error::TillError;
use crate::outlook::Outlook;
use crate::views::{
    AlertView, PaymentDetail, PaymentQuery, PaymentView, PaymentsPage, PayoutDetail, PayoutEntryView, PayoutQuery,
    PayoutView, PayoutsPage, TakingsLine, TimelineEntry,
};

/// Rows of a page where the caller does not say.
const USUAL_ROWS: u32 = 50;
/// The most rows of a page.
const MOST_ROWS: u32 = 200;

/// How the store is opened for this configuration.
pub(crate) fn store_config(config: &TillConfig, new_ledger_id: LedgerId) -> OpenConfig {
    let mut store = OpenConfig::new(&config.dir, new_ledger_id);
    store.key = config.encryption_key.as_ref().map(|key| DatabaseKey::new(**key));
    store.vfs.clone_from(&config.vfs);
    store.free_bytes = config.free_bytes;
    store
}

/// See the module.
pub struct Reading {
    reader: Mutex<Connection>,
    outlook: Outlook,
}

/// The connection, and how it is opened again after a rest.
struct Connection {
    store: OpenConfig,
    open: Option<Reader>,
}

impl Reading {
    /// The reading connection of a ledger that an engine opened.
    pub fn open(store: &OpenConfig, outlook: Outlook) -> Result<Self, TillError> {
        let open = Some(Reader::open(store)?);
        Ok(Self { reader: Mutex::new(Connection { store: store.clone(), open }), outlook })
    }

    /// Closes the connection, and with it every lock; the next read opens it again.
    pub fn rest(&self) {
        self.connection().open = None;
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, read: impl FnOnce(&Reader) -> Result<T, TillError>) -> Result<T, TillError> {
        let mut connection = self.connection();
        let reader = match connection.open.take() {
            Some(reader) => reader,
            None => Reader::open(&connection.store)?,
        };
        read(connection.open.insert(reader))
    }

    /// See [`Outlook::local_time`].
    pub(crate) fn local_time(&self, at_ms: i64) -> String {
        self.outlook.local_time(at_ms)
    }

    /// See `Till::payments`.
    pub fn payments(&self, query: &PaymentQuery, now: Now) -> Result<PaymentsPage, TillError> {
        let now_ms = self.outlook.server_ms(now);
        let filter = PaymentFilter {
            stage: query.stage.as_deref().map(stage).transpose()?,
            from: query.from,
            to: query.to,
            amount_minor: query.amount_minor,
            last_four: query.last_four.clone(),
            order_reference: query.order_reference.clone(),
            text: query.text.clone(),
        };
        let (after, limit) = (page_key(query.after.as_deref())?, rows(query.limit)?);
        let page = self.with(|reader| Ok(reader.payments(&filter, now_ms, after, limit)?))?;
        let payments = page.rows.iter().map(|row| self.payment_view(row, now_ms)).collect();
        Ok(PaymentsPage { payments, next: page.next.map(|key| key.to_string()) })
    }

    /// See `Till::payment`.
    pub fn payment(&self, id: PaymentId, now: Now) -> Result<PaymentDetail, TillError> {
        let now_ms = self.outlook.server_ms(now);
        let found = self.with(|reader| Ok(reader.payment(id)?))?.ok_or_else(|| TillError::not_found("payment", id))?;
        let timeline = found.timeline.into_iter().map(timeline_entry).collect();
        Ok(PaymentDetail { payment: self.payment_view(&found.row, now_ms), timeline })
    }

    /// See `Till::takings`.
    pub fn takings(&self, from: NaiveDate, to: NaiveDate, now: Now) -> Result<Vec<TakingsLine>, TillError> {
        let now_ms = self.outlook.server_ms(now);
        let sums = self.with(|reader| Ok(reader.takings(Some(from), Some(to), now_ms)?))?;
        let line = |sum: takings_store::reading::takings::TakingsSum| TakingsLine {
            stage: sum.stage.as_str().to_owned(),
            currency: sum.currency.code().to_owned(),
            count: sum.count,
            amount_minor: sum.amount_minor,
        };
        Ok(sums.into_iter().map(line).collect())
    }

    /// See `Till::payouts`.
    pub fn payouts(&self, query: &PayoutQuery, now: Now) -> Result<PayoutsPage, TillError> {
        let now_ms = self.outlook.server_ms(now);
        let unknown = || TillError::fix_input("status", "not a status of a payout");
        let status =
            query.status.as_deref().map(|word| PayoutStatus::from_word(word).ok_or_else(unknown)).transpose()?;
        let (after, limit) = (page_key(query.after.as_deref())?, rows(query.limit)?);
        self.with(|reader| {
            let page = reader.payouts(status, after, limit)?;
            let mut payouts = Vec::with_capacity(page.rows.len());
            for row in &page.rows {
                let reissued_by = reader.payout(&row.payout_id)?.and_then(|found| found.reissued_by);
                payouts.push(payout_view(row, reissued_by, now_ms));
            }
            Ok(PayoutsPage { payouts, next: page.next.map(|key| key.to_string()) })
        })
    }

    /// See `Till::payout`.
    pub fn payout(&self, id: &str, now: Now) -> Result<PayoutDetail, TillError> {
        let now_ms = self.outlook.server_ms(now);
        let payout_id = PayoutId::new(id).map_err(|error| TillError::fix_input("payout_id", error))?;
        self.with(|reader| {
            let found = reader.payout(&payout_id)?.ok_or_else(|| TillError::not_found("payout", id))?;
            let (mut entries, mut after) = (Vec::new(), None);
            loop {
                let page = reader.payout_entries(&payout_id, after, MOST_ROWS)?;
                entries.extend(page.rows.iter().map(entry_view));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            Ok(PayoutDetail { payout: payout_view(&found.row, found.reissued_by, now_ms), entries })
        })
    }

    /// See `Till::next_alerts`.
    pub fn alerts(&self, max: u32) -> Result<Vec<AlertView>, TillError> {
        let most = rows(Some(max))?;
        self.with(|reader| Ok(reader.next_alerts(most)?.into_iter().map(alert_view).collect()))
    }

    fn payment_view(&self, row: &PaymentRow, now_ms: i64) -> PaymentView {
        let (stage, why) = row.standing_at(now_ms);
        let word = |text: &'static str| Some(text.to_owned());
        let waits = matches!(stage, Stage::SavedOnPhone | Stage::BeingConfirmed);
        let if_sent = waits.then(|| self.outlook.if_sent_at(now_ms)).flatten();
        PaymentView {
            payment_id: row.payment_id.to_string(),
            captured_at_ms: row.captured_at_ms,
            captured_on: row.captured_on,
            amount_minor: row.amount_minor,
            currency: row.currency.code().to_owned(),
            order_reference: row.order_reference.clone(),
            class: row.class.map(|class| class.as_str().to_owned()),
            delivery: row.delivery.map(|delivery| delivery.as_str().to_owned()),
            authorization: row.authorization.map(|axis| axis.as_str().to_owned()),
            clearing: row.clearing.map(|axis| axis.as_str().to_owned()),
            arrival: row.arrival.map(|axis| axis.as_str().to_owned()),
            stage: stage.as_str().to_owned(),
            cause: why.and_then(|why| word(why.cause.as_str())),
            source: why.and_then(|why| word(why.source.as_str())),
            acts: why.and_then(|why| word(why.acts.as_str())),
            next_step: why.and_then(|why| word(why.next_step.as_str())),
            expected_date: row.expected_date.or(if_sent),
            expected_provisional: row.expected_provisional || (row.expected_date.is_none() && if_sent.is_some()),
            evidence: row.evidence.as_str().to_owned(),
            payout_id: row.payout_id.as_ref().map(ToString::to_string),
            gross_minor: row.gross_minor,
            fee_minor: row.fee_minor,
            net_minor: row.net_minor,
            accepted_at_ms: row.accepted_at_ms,
            approved_minor: row.approved_minor,
            scheme: row.scheme.map(|scheme| scheme.as_str().to_owned()),
            last_four: row.last_four.clone(),
            entry_mode: row.entry_mode.map(|mode| mode.as_str().to_owned()),
            stan: format!("{:06}", row.stan),
            batch_number: row.batch_number.clone(),
            rrn: row.rrn.clone(),
            auth_code: row.auth_code.clone(),
            response_code: row.response_code.clone(),
            partly_approved: row.approved_minor.is_some_and(|approved| approved < row.amount_minor),
            service_given: row.service_given,
            from_acquirer: row.from_acquirer,
        }
    }
}

fn stage(word: &str) -> Result<Stage, TillError> {
    Stage::from_word(word).ok_or_else(|| TillError::fix_input("stage", "not a stage"))
}

fn page_key(text: Option<&str>) -> Result<Option<PageKey>, TillError> {
    text.map(|text| text.parse().map_err(|_| TillError::fix_input("after", "not a page key"))).transpose()
}

fn rows(limit: Option<u32>) -> Result<u32, TillError> {
    match limit.unwrap_or(USUAL_ROWS) {
        limit @ 1..=MOST_ROWS => Ok(limit),
        _ => Err(TillError::fix_input("limit", "1 to 200")),
    }
}

fn timeline_entry(row: EventRow) -> TimelineEntry {
    TimelineEntry { seq: row.seq, at_ms: row.at.wall_ms, operator: row.operator, kind: row.kind, body: row.body }
}

fn payout_view(row: &PayoutRow, reissued_by: Option<PayoutId>, now_ms: i64) -> PayoutView {
    let overdue = row.overdue_after_ms.is_some_and(|after| now_ms >= after);
    let on_its_way = matches!(row.status, PayoutStatus::Created | PayoutStatus::Sent);
    PayoutView {
        payout_id: row.payout_id.to_string(),
        status: row.status.as_str().to_owned(),
        direction: row.direction.as_str().to_owned(),
        business_date: row.business_date,
        expected_date: row.expected_date,
        arrived_at_ms: row.arrived_at_ms,
        evidence: row.evidence.as_str().to_owned(),
        currency: row.currency.code().to_owned(),
        gross_minor: row.gross_minor,
        fee_minor: row.fee_minor,
        net_minor: row.net_minor,
        entry_count: row.entry_count,
        entries_heard: row.entries_heard,
        difference_minor: row.difference_minor,
        end_to_end_id: row.end_to_end_id.clone(),
        reissue_of: row.reissue_of.as_ref().map(ToString::to_string),
        reissued_by: reissued_by.map(|id| id.to_string()),
        failure_code: row.failure_code.clone(),
        overdue: overdue && on_its_way,
    }
}

fn entry_view(row: &EntryRow) -> PayoutEntryView {
    PayoutEntryView {
        entry_id: row.entry_id.clone(),
        entry_type: row.entry_type.as_str().to_owned(),
        payment_id: row.payment_id.map(|id| id.to_string()),
        gross_minor: row.gross_minor,
        fee_minor: row.fee_minor,
        net_minor: row.net_minor,
    }
}

fn alert_view(alert: Alert) -> AlertView {
    let (subject_kind, subject_id) = match &alert.subject {
        Subject::Ledger => match alert.reader {
            Some(serial) => ("reader", serial),
            None => ("ledger", String::new()),
        },
        Subject::Payment(id) => ("payment", id.to_string()),
        Subject::Payout(id) => ("payout", id.to_string()),
    };
    AlertView {
        alert: alert.seq,
        at_ms: alert.at_ms,
        alert_kind: alert.kind.as_str().to_owned(),
        subject_kind: subject_kind.to_owned(),
        subject_id,
        amount_minor: alert.amount.map(|money| money.amount_minor()),
        currency: alert.amount.map(|money| money.currency().code().to_owned()),
    }
}
