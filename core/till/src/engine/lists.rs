//! Changed payments and payouts by pages: when many hints wait, when the feed lost our place, and once a day.

use takings_acquirers::report::PaymentsPage;
use takings_domain::Now;
use takings_domain::event::Via;

use super::Engine;
use super::payouts::leads_on;
use super::reports::{Rules, apply};
use crate::error::TillError;

/// So long after everything that changed was listed last it is listed again, milliseconds: an event can get lost, and an
/// acquirer that was restored from a backup counts its events anew.
pub(super) const LIST_AGAIN_MS: i64 = 24 * 60 * 60 * 1_000;
/// Until when everything was listed, or heard from the feed's beginning, the acquirer's clock, milliseconds UTC.
pub(super) const ALL_LISTED_META: &str = "all_listed_ms";
/// Until when changed payments were read by pages, the acquirer's clock, milliseconds UTC.
pub(super) const LISTED_META: &str = "payments_listed_ms";

/// What is still to be listed: because the feed lost our place, or because it was long ago.
pub(super) struct Missed {
    pub(super) place_lost: bool,
    pub(super) payments_listed: bool,
    pub(super) payouts_cursor: Option<String>,
    /// The acquirer's clock at the first page of payouts, milliseconds UTC.
    pub(super) as_of_ms: Option<i64>,
}

impl Missed {
    pub(super) fn everything(place_lost: bool) -> Self {
        Self { place_lost, payments_listed: false, payouts_cursor: None, as_of_ms: None }
    }
}

/// A walk through the payments that changed.
pub(super) struct Listing {
    /// The acquirer's clock at the first page, milliseconds UTC.
    pub(super) as_of_ms: Option<i64>,
    pub(super) cursor: Option<String>,
}

impl Engine {
    /// A page of changed payments: those that are ours and newer are written down, in one commit.
    pub(super) fn on_payments(&mut self, page: &PaymentsPage, now: Now) -> Result<(), TillError> {
        let asked = self.feed.list.as_ref().and_then(|list| list.cursor.as_deref());
        leads_on(asked, page.next_cursor.as_deref(), page.payments.len())?;
        let rules = Rules { terms: self.documents.terms.as_ref(), calendar: self.documents.calendar() };
        let as_of_ms = self.feed.list.as_ref().and_then(|list| list.as_of_ms).unwrap_or(page.as_of_ms);
        let mut read = Vec::new();
        let mut tx = self.ledger.begin()?;
        for report in &page.payments {
            let ours = tx.payment(report.payment_id)?;
            if ours.is_some_and(|payment| payment.charge.amount == report.amount) {
                match apply(&mut tx, now, None, report, Via::Feed, &rules) {
                    // It is asked for by itself, and what is wrong with it is noted there.
                    Err(error) if error.is_about_one_subject() => {
                        self.feed.asked_for.insert(report.payment_id);
                        continue;
                    }
                    done => done?,
                }
                read.extend(tx.payment(report.payment_id)?);
            }
        }
        if page.next_cursor.is_none() {
            tx.set_meta(LISTED_META, as_of_ms.to_string().as_bytes())?;
        }
        tx.commit()?;
        read.iter().for_each(|payment| self.tell(payment));
        self.feed.listed = page.next_cursor.is_none();
        let next = |cursor: &String| Listing { as_of_ms: Some(as_of_ms), cursor: Some(cursor.clone()) };
        self.feed.list = page.next_cursor.as_ref().map(next);
        if let Some(missed) = self.feed.missed.as_mut().filter(|_| page.next_cursor.is_none()) {
            missed.payments_listed = true;
        }
        Ok(())
    }

    /// The acquirer no longer keeps what lies after our cursor: once in a run payments and payouts are listed, then the
    /// feed is read from the oldest event that it has.
    pub(super) fn feed_lost_our_place(&mut self, why: &str) -> Result<(), TillError> {
        let Some(run) = &mut self.run else { return Ok(()) };
        run.feed_read = true;
        run.report.detail = Some(why.to_owned());
        if run.may_list_missed() {
            self.feed.missed = Some(Missed::everything(true));
        }
        Ok(())
    }
}
