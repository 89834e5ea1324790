//! What the acquirer says of payouts and their lines becomes events.

use std::collections::BTreeSet;

use takings_acquirers::report::{PayoutEntriesPage, PayoutReport, PayoutsPage};
use takings_domain::event::{EntriesReported, Entry, PayoutReported, Reconciled};
use takings_domain::settlement::overdue_after_ms;
use takings_domain::{Now, PayoutId};

use super::Engine;
use super::book::Book;
use super::feed::CURSOR_META;
use super::lists::ALL_LISTED_META;
use crate::error::TillError;

impl Engine {
    /// A page of payouts. After the last one the feed is read from the oldest event that it still has.
    pub(super) fn on_payouts(&mut self, page: &PayoutsPage, now: Now) -> Result<(), TillError> {
        let asked = self.feed.missed.as_ref().and_then(|missed| missed.payouts_cursor.as_deref());
        leads_on(asked, page.next_cursor.as_deref(), page.payouts.len())?;
        for report in &page.payouts {
            match self.write_payout(report, now) {
                Err(error) if error.is_about_one_subject() => self.note(&error),
                done => drop(done?),
            }
        }
        let Some(mut missed) = self.feed.missed.take() else { return Ok(()) };
        let as_of_ms = *missed.as_of_ms.get_or_insert(page.as_of_ms);
        if page.next_cursor.is_some() {
            missed.payouts_cursor.clone_from(&page.next_cursor);
            self.feed.missed = Some(missed);
            return Ok(());
        }
        let mut tx = self.ledger.begin()?;
        tx.set_meta(ALL_LISTED_META, as_of_ms.to_string().as_bytes())?;
        if missed.place_lost {
            tx.set_meta(CURSOR_META, b"0")?;
        }
        tx.commit()?;
        if let Some(run) = self.run.as_mut().filter(|_| missed.place_lost) {
            run.feed_read = false;
        }
        Ok(())
    }

    pub(super) fn on_payout_read(&mut self, report: &PayoutReport, now: Now) -> Result<(), TillError> {
        let newer = self.write_payout(report, now)?;
        if newer { Ok(()) } else { self.skip(report.payout_id.to_string()) }
    }

    /// Writes a payout's report down if it is newer than what is known; false if it is not.
    fn write_payout(&mut self, report: &PayoutReport, now: Now) -> Result<bool, TillError> {
        let overdue_after_ms = self.overdue_after_ms(report);
        let mut tx = self.ledger.begin()?;
        let newer = write(&mut tx, now, report, overdue_after_ms)?;
        tx.commit()?;
        Ok(newer)
    }

    /// From when on it is late, milliseconds UTC.
    pub(super) fn overdue_after_ms(&self, report: &PayoutReport) -> Option<i64> {
        let calendar = self.documents.calendar();
        let zone = self.documents.terms.as_ref().map(|terms| terms.timezone);
        let overdue = report.expected_arrival_date.zip(calendar).zip(zone);
        overdue.and_then(|((date, calendar), zone)| overdue_after_ms(date, &calendar, zone).ok())
    }

    pub(super) fn on_entries(&mut self, page: &PayoutEntriesPage, now: Now) -> Result<(), TillError> {
        let id = &page.payout_id;
        let mut tx = self.ledger.begin()?;
        let Some(payout) = tx.payout(id)? else { return Ok(()) };
        let home = payout.report.net.currency();
        if page.entries.iter().any(|entry| entry.gross.currency() != home) {
            return Err(TillError::retry_later("unverified", "lines in another currency than their payout's"));
        }
        let asked = self.feed.entries_cursor.as_ref().filter(|(payout, _)| payout == id);
        leads_on(asked.map(|(_, cursor)| cursor.as_str()), page.next_cursor.as_deref(), page.entries.len())?;
        if !payout.complete {
            let heard: BTreeSet<&str> = payout.entries.iter().map(|entry| entry.entry_id.as_str()).collect();
            let entries: Vec<Entry> =
                page.entries.iter().filter(|entry| !heard.contains(entry.entry_id.as_str())).map(entry).collect();
            #[cfg(feature = "planted")]
            let entries = one_for_each_amount(entries);
            let last = page.next_cursor.is_none();
            if last || !entries.is_empty() {
                let (report_version, number) = (page.version, payout.pages);
                let reported = EntriesReported { report_version, page: number, last, entries };
                tx.append_payout(now, id, reported.into())?;
            }
            if last {
                reconcile(&mut tx, now, id)?;
            }
        }
        tx.commit()?;
        self.feed.entries_cursor = page.next_cursor.clone().map(|cursor| (id.clone(), cursor));
        Ok(())
    }
}

/// Writes a payout's report down if it is newer than what is known; false if it is not.
pub(super) fn write(
    tx: &mut takings_store::Transaction<'_>,
    now: Now,
    report: &PayoutReport,
    overdue_after_ms: Option<i64>,
) -> Result<bool, TillError> {
    let known = tx.payout(&report.payout_id)?;
    let newer = known.is_none_or(|known| known.report.report_version < report.version);
    #[cfg(feature = "planted")]
    let newer = match report.status.value {
        takings_domain::PayoutStatus::Returned if takings_domain::planted::is("returned_payout_ignored") => false,
        _ => newer || takings_domain::planted::is("version_ignored"),
    };
    if newer {
        tx.append_payout(now, &report.payout_id, payout_reported(report, overdue_after_ms).into())?;
        reconcile(tx, now, &report.payout_id)?;
    }
    Ok(newer)
}

/// Refuses a page that brings nothing and ends nothing, or leads back to itself: it would be read for ever.
pub(super) fn leads_on(asked: Option<&str>, next: Option<&str>, items: usize) -> Result<(), TillError> {
    if next.is_some() && (items == 0 || next == asked) {
        return Err(TillError::retry_later("unverified", "a page that leads nowhere"));
    }
    Ok(())
}

/// All lines are here: header and lines are added up, again whenever the difference changes (promise P11).
fn reconcile(tx: &mut takings_store::Transaction<'_>, now: Now, id: &PayoutId) -> Result<(), TillError> {
    let Some(payout) = tx.payout(id)?.filter(|payout| payout.complete) else { return Ok(()) };
    let difference = payout.difference().map_err(|error| TillError::internal("payout_sum", error))?;
    if payout.reconciled.as_ref().is_none_or(|known| known.difference != difference) {
        let reconciled = Reconciled { report_version: payout.report.report_version, difference };
        tx.append_payout(now, id, reconciled.into())?;
    }
    Ok(())
}

fn payout_reported(report: &PayoutReport, overdue_after_ms: Option<i64>) -> PayoutReported {
    PayoutReported {
        payout_id: report.payout_id.clone(),
        report_version: report.version,
        status: report.status.value,
        direction: report.direction.value,
        gross: report.gross,
        // The contract writes a deduction as a negative sum; the ledger keeps a cost as a positive one.
        fee: report.fee.negated(),
        net: report.net,
        entry_count: report.entry_count,
        business_date: report.business_date,
        expected_date: report.expected_arrival_date,
        overdue_after_ms,
        arrived_at_ms: report.arrived_at_ms,
        evidence: report.evidence.value,
        end_to_end_id: Some(report.end_to_end_id.clone()),
        bank_reference: report.bank_reference.clone(),
        reissue_of: report.reissue_of.clone(),
        failure_code: report.failure.as_ref().map(|failure| failure.code.clone()),
    }
}

#[cfg(feature = "planted")]
fn one_for_each_amount(mut entries: Vec<Entry>) -> Vec<Entry> {
    let mut amounts = BTreeSet::new();
    entries.retain(|entry| {
        amounts.insert(entry.gross_minor) || !takings_domain::planted::is("entries_deduplicated_by_amount")
    });
    entries
}

fn entry(report: &takings_acquirers::report::EntryReport) -> Entry {
    let fee = report.fee.negated();
    #[cfg(feature = "planted")]
    let fee = if takings_domain::planted::is("fee_with_wrong_sign") { report.fee } else { fee };
    Entry {
        entry_id: report.entry_id.clone(),
        entry_type: report.entry_type.value,
        payment_id: report.payment_id,
        captured_on: report.captured_on,
        gross_minor: report.gross.amount_minor(),
        fee_minor: fee.amount_minor(),
        net_minor: report.net.amount_minor(),
    }
}
