//! What the engine asks before it decides: what is due, what waits, what was left in the middle.

use chrono::NaiveDate;
use rusqlite::{OptionalExtension, Params};
use takings_domain::event::{Lane, NoticeKind};
use takings_domain::payment::Stage;
use takings_domain::payment::next::LONGEST_PAUSE_MS;
use takings_domain::{Currency, MaskedCard, PaymentId, PayoutId};

use crate::StoreError;
use crate::find::column;
use crate::projection::row::{Column, Row, column_list, column_list_of};
use crate::projection::told::ToDoRow;
use crate::projection::totals::WaitingRow;
use crate::transaction::Transaction;

/// As far back as [`Transaction::offline_sequence`] looks: no policy asks for every thousandth payment.
const LONGEST_SEQUENCE: u32 = 1_000;

/// The longest wait the acquirer can ask for, milliseconds.
const LONGEST_HOLD_MS: i64 = 86_400_000;

/// See [`Transaction::oldest_unsent_ms`].
pub(crate) const OLDEST_UNSENT: &str = "SELECT min(captured_at_ms) FROM payment WHERE unsent = 1";

/// No pause of ours, by the clock as it is.
const IS_DUE: &str = "t.due_ms NOT BETWEEN ?1 + 1 AND ?2";
/// No wait that the acquirer asked for.
const IS_FREE: &str = "ifnull(t.hold_until_ms NOT BETWEEN ?1 + 1 AND ?3, 1)";

/// The latest ends of a pause and of a wait that can have been set at `now_ms` or before it: later ones were set by a
/// clock that has been set back since.
fn latest(now_ms: i64) -> (i64, i64) {
    (now_ms.saturating_add(LONGEST_PAUSE_MS), now_ms.saturating_add(LONGEST_HOLD_MS))
}

/// One payment with something to do. Times are wall clock, milliseconds UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueItem {
    /// The payment.
    pub payment_id: PaymentId,
    /// What is to be done for it, and when.
    pub to_do: ToDoRow,
}

/// When something is to be told next, the acquirer's clock, milliseconds UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextNotices {
    /// A payment has then been in doubt too long.
    pub doubt_ms: Option<i64>,
    /// Money is then late, a payment's or a payout's.
    pub late_ms: Option<i64>,
}

/// Which pauses are respected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Our own pauses and the acquirer's.
    Due,
    /// Only the acquirer's: the merchant asked for a sync.
    Asked,
}

impl Transaction<'_> {
    /// What can be done now on a lane, oldest payment first, at most `limit`, of those whose key is above `after_key`.
    /// `now_ms` is the wall clock. One that was set back must not stop work: a pause that ends later than the longest
    /// there is counts as over, and so does a wait of more than a day.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn due(
        &mut self,
        lane: Lane,
        now_ms: i64,
        patience: Patience,
        after_key: u64,
        limit: u32,
    ) -> Result<Vec<DueItem>, StoreError> {
        let columns = column_list_of::<ToDoRow>("t");
        let sql = format!(
            "SELECT p.payment_id, {columns} FROM to_do AS t JOIN payment AS p ON p.key = t.subject
             WHERE t.lane = ?4 AND (?5 OR {IS_DUE}) AND {IS_FREE} AND t.subject > ?6
             ORDER BY t.subject LIMIT ?7"
        );
        self.catch_up()?;
        let mut statement = self.conn.prepare_cached(&sql)?;
        let asked = patience == Patience::Asked;
        let (due_ms, hold_ms) = latest(now_ms);
        let params = (now_ms, due_ms, hold_ms, lane.as_str(), asked, after_key.cast_signed(), limit);
        let rows = statement.query_map(params, |row| {
            Ok(column(row, 0, "payment.payment_id")
                .and_then(|payment_id| Ok(DueItem { payment_id, to_do: ToDoRow::read(row, 1)? })))
        })?;
        rows.map(|row| row?).collect()
    }

    /// The instant from which something can be done on a lane, or on any; it may have passed. By the clock as it was
    /// when the pauses were set: [`Transaction::next_due_from_ms`] looks at the clock as it is.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn next_due_ms(&mut self, lane: Option<Lane>) -> Result<Option<i64>, StoreError> {
        match lane {
            None => self.one("SELECT min(max(due_ms, ifnull(hold_until_ms, due_ms))) FROM to_do", []),
            Some(lane) => self.one(
                "SELECT min(max(due_ms, ifnull(hold_until_ms, due_ms))) FROM to_do WHERE lane = ?",
                [lane.as_str()],
            ),
        }
    }

    /// The instant from which [`Transaction::due`] finds something on any lane: `now_ms` if only a clock that was set
    /// back makes it look later. It may have passed; at most a day away.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn next_due_from_ms(&mut self, now_ms: i64) -> Result<Option<i64>, StoreError> {
        let next = self.next_due_ms(None)?;
        let (latest_due_ms, latest_hold_ms) = latest(now_ms);
        // The index answers all but the rare case: nothing within the longest pause.
        if next.is_none_or(|next| next <= latest_due_ms) {
            return Ok(next);
        }
        let sql = format!("SELECT EXISTS (SELECT 1 FROM to_do AS t WHERE {IS_DUE} AND {IS_FREE})");
        let mut statement = self.conn.prepare_cached(&sql)?;
        let found: bool = statement.query_row((now_ms, latest_due_ms, latest_hold_ms), |row| row.get(0))?;
        Ok(if found { Some(now_ms) } else { next })
    }

    /// How many payments have something to do on a lane, due or not.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn waiting_on(&mut self, lane: Lane) -> Result<u64, StoreError> {
        self.one("SELECT count(*) FROM to_do WHERE lane = ?", [lane.as_str()])
    }

    /// Payments still to be sent whose deadline has passed, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn past_deadline(&mut self, now_ms: i64, limit: u32) -> Result<Vec<PaymentId>, StoreError> {
        self.ids(
            "SELECT p.payment_id FROM to_do AS t JOIN payment AS p ON p.key = t.subject
             WHERE t.deadline_ms <= ? ORDER BY t.subject LIMIT ?",
            (now_ms, limit),
        )
    }

    /// The next deadline of a payment still to be sent.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn next_deadline_ms(&mut self) -> Result<Option<i64>, StoreError> {
        self.one("SELECT min(deadline_ms) FROM to_do WHERE deadline_ms IS NOT NULL", [])
    }

    /// Payments with something to tell that was not told, in doubt too long or their money late, each with the instant
    /// it was due; earliest first. What exactly: `takings_domain::payment::notice_due`.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn notices_due(
        &mut self,
        about: NoticeKind,
        now_ms: i64,
        limit: u32,
    ) -> Result<Vec<(PaymentId, i64)>, StoreError> {
        self.catch_up()?;
        // Doubts are few, and found by their stage; late money by its time.
        let which = match about {
            NoticeKind::InDoubtTooLong => "stage = ?2 AND +notice_after_ms <= ?1",
            NoticeKind::Overdue => "stage <> ?2 AND notice_after_ms <= ?1",
            // Given with the report itself.
            NoticeKind::Held => return Ok(Vec::new()),
        };
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT payment_id, notice_after_ms FROM payment WHERE {which} ORDER BY notice_after_ms, key LIMIT ?3"
        ))?;
        let rows = statement.query_map((now_ms, Stage::BeingConfirmed.as_str(), limit), |row| {
            Ok(column(row, 0, "payment.payment_id").and_then(|id| Ok((id, row.get(1)?))))
        })?;
        rows.map(|row| row?).collect()
    }

    /// Payouts that are overdue without that having been told, each with the instant since which; earliest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payouts_overdue(&mut self, now_ms: i64, limit: u32) -> Result<Vec<(PayoutId, i64)>, StoreError> {
        self.catch_up()?;
        let mut statement = self.conn.prepare_cached(
            "SELECT payout_id, notice_after_ms FROM payout WHERE notice_after_ms <= ?
             ORDER BY notice_after_ms, key LIMIT ?",
        )?;
        let rows = statement.query_map((now_ms, limit), |row| {
            Ok(column(row, 0, "payout.payout_id").and_then(|id| Ok((id, row.get(1)?))))
        })?;
        rows.map(|row| row?).collect()
    }

    /// The next instants at which something new is to be told; they may have passed.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn next_notices(&mut self) -> Result<NextNotices, StoreError> {
        self.catch_up()?;
        let mut statement = self.conn.prepare_cached(
            "SELECT (SELECT min(+notice_after_ms) FROM payment WHERE stage = ?1),
                    (SELECT min(at) FROM (
                         SELECT min(notice_after_ms) AS at FROM payment WHERE notice_after_ms IS NOT NULL AND stage <> ?1
                         UNION ALL SELECT min(notice_after_ms) FROM payout WHERE notice_after_ms IS NOT NULL))",
        )?;
        let stage = Stage::BeingConfirmed.as_str();
        let next = |row: &rusqlite::Row<'_>| Ok(NextNotices { doubt_ms: row.get(0)?, late_ms: row.get(1)? });
        Ok(statement.query_row([stage], next)?)
    }

    /// Payments with a send without an end, or left between intent and acceptance: what an opening looks at first.
    /// Oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn open_work(&mut self, limit: u32) -> Result<Vec<PaymentId>, StoreError> {
        self.ids("SELECT payment_id FROM payment WHERE open_work = 1 ORDER BY key LIMIT ?", [limit])
    }

    /// What waits for the acquirer, by `what` and currency: `unsent` counts what is parked or expired too, `offline`
    /// does not.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn waiting(&mut self) -> Result<Vec<WaitingRow>, StoreError> {
        self.catch_up()?;
        let sql = format!("SELECT {} FROM waiting ORDER BY what, currency", column_list::<WaitingRow>());
        let mut statement = self.conn.prepare_cached(&sql)?;
        let rows = statement.query_map([], |row| Ok(WaitingRow::read(row, 0)))?;
        rows.map(|row| row?).collect()
    }

    /// When the oldest payment that the acquirer has not confirmed was captured, milliseconds UTC.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn oldest_unsent_ms(&mut self) -> Result<Option<i64>, StoreError> {
        self.one(OLDEST_UNSENT, [])
    }

    /// When the oldest and the newest payment that were accepted offline and can still be sent or answered were captured,
    /// wall clock, milliseconds UTC, and the number of the first event of any of them.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn offline_span_ms(&mut self, currency: Currency) -> Result<Option<(i64, i64, u64)>, StoreError> {
        self.catch_up()?;
        // Each by itself: so the index answers it.
        let of = |which: &str| {
            format!(
                "SELECT {which} FROM payment
                 WHERE unsent = 1 AND currency = ?1 AND class IN ('deferred', 'chip_offline')
                   AND delivery IN ('queued', 'sending', 'in_doubt')"
            )
        };
        let [oldest, newest, first] = ["min(captured_at_ms)", "max(captured_at_ms)", "min(key)"].map(of);
        let mut statement = self.conn.prepare_cached(&format!("SELECT ({oldest}), ({newest}), ({first})"))?;
        let span: (Option<i64>, Option<i64>, Option<i64>) =
            statement.query_row([currency.code()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(match span {
            (Some(oldest), Some(newest), Some(first)) => Some((oldest, newest, first.cast_unsigned())),
            _ => None,
        })
    }

    /// How many payments of this card were accepted offline on this day: all with its last four digits, since readers
    /// show different parts of one number. That counts too many rather than too few. None if they are hidden.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn card_count(&mut self, card: &MaskedCard, captured_on: NaiveDate) -> Result<Option<u32>, StoreError> {
        if card.last_four().len() < 4 {
            return Ok(None);
        }
        self.one(
            "SELECT count(*) FROM payment WHERE last_four = ? AND captured_on = ?
             AND class IN ('deferred', 'chip_offline')",
            (card.last_four(), captured_on.to_value()),
        )
        .map(Some)
    }

    /// The number a payment accepted offline now would have since the last live one: 1, 2, … up to a thousand.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn offline_sequence(&mut self) -> Result<u32, StoreError> {
        self.catch_up()?;
        let mut statement = self.conn.prepare_cached(
            "SELECT class = 'live' AND approved_minor IS NOT NULL, class != 'live'
             FROM payment WHERE class IS NOT NULL ORDER BY key DESC LIMIT ?",
        )?;
        let mut rows = statement.query([LONGEST_SEQUENCE])?;
        let mut sequence = 1;
        while let Some(row) = rows.next()? {
            let (authorised_live, offline): (bool, bool) = (row.get(0)?, row.get(1)?);
            if authorised_live {
                break;
            }
            sequence += u32::from(offline);
        }
        Ok(sequence)
    }

    /// Payments with this order reference that are charged or may be, newest first, at most five: however often it
    /// was tried in vain since.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payments_of_order(&mut self, order_reference: &str) -> Result<Vec<PaymentId>, StoreError> {
        self.ids(
            "SELECT payment_id FROM payment WHERE order_reference = ? AND stage != ? ORDER BY key DESC LIMIT 5",
            (order_reference, Stage::NotCharged.as_str()),
        )
    }

    /// The STAN of the newest charge of this phone's own.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn last_stan(&mut self) -> Result<Option<u32>, StoreError> {
        self.catch_up()?;
        let mut statement =
            self.conn.prepare_cached("SELECT stan FROM payment WHERE from_acquirer = 0 ORDER BY key DESC LIMIT 1")?;
        Ok(statement.query_row([], |row| row.get(0)).optional()?)
    }

    /// Payouts whose entries were not all heard, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn incomplete_payouts(&mut self, limit: u32) -> Result<Vec<PayoutId>, StoreError> {
        self.catch_up()?;
        let mut statement =
            self.conn.prepare_cached("SELECT payout_id FROM payout WHERE complete = 0 ORDER BY key LIMIT ?")?;
        let rows = statement.query_map([limit], |row| Ok(column(row, 0, "payout.payout_id")))?;
        rows.map(|row| row?).collect()
    }

    /// Some payout's change has not reached all its payments: call [`crate::Ledger::spread_chunk`].
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn spread_is_owed(&mut self) -> Result<bool, StoreError> {
        self.one("SELECT EXISTS (SELECT 1 FROM spread)", []).map(|found: u32| found == 1)
    }

    fn one<T: Column>(&mut self, sql: &str, params: impl Params) -> Result<T, StoreError> {
        self.catch_up()?;
        let mut statement = self.conn.prepare_cached(sql)?;
        statement.query_row(params, |row| Ok(column(row, 0, "a count")))?
    }

    fn ids(&mut self, sql: &str, params: impl Params) -> Result<Vec<PaymentId>, StoreError> {
        self.catch_up()?;
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map(params, |row| Ok(column(row, 0, "payment.payment_id")))?;
        rows.map(|row| row?).collect()
    }
}
