//! A new phone for a terminal that was active before: its payments and payouts are read from the acquirer's lists, page by
//! page, into the fresh ledger. Each page is one commit together with the place of the next, so that a crash or the end
//! of a budget costs nothing. What the earlier phone had not sent is nowhere in these lists, and the merchant is told so.

use takings_acquirers::report::{PaymentReport, PaymentsPage, PayoutsPage, TerminalReport};
use takings_acquirers::{ListQuery, Operation};
use takings_domain::event::{Activated, ChargeMode, ChargeStarted, Class, HistoryRestored, Restored, Via};
use takings_domain::{Now, PaymentId};
use takings_store::Transaction;

use super::Engine;
use super::book::Book;
use super::exchange::Asked;
use super::feed::PAGE_ITEMS;
use super::payouts::{self, leads_on};
use super::reports::{Rules, apply};
use super::trouble::Trouble;
use crate::error::TillError;

/// Where the place in the lists is kept: the list, how many were read of each, and the cursor of the next page.
const RESTORE_META: &str = "restore";
/// Where the trace number is kept after which this phone's own begin.
pub(super) const STAN_META: &str = "stan_after";
/// So far beyond the last one that the acquirer has: what the earlier phone had not sent has numbers of its own.
const STAN_GAP: u32 = 1_000;

/// Which list is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Payments,
    Payouts,
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Restore {
    list: List,
    payments: u64,
    payouts: u64,
    cursor: Option<String>,
    /// The acquirer could not be asked in this run.
    skipped: bool,
}

impl Restore {
    fn begin() -> Self {
        Self { list: List::Payments, payments: 0, payouts: 0, cursor: None, skipped: false }
    }

    fn to_text(&self) -> String {
        let list = if self.list == List::Payments { "payments" } else { "payouts" };
        format!("{list} {} {} {}", self.payments, self.payouts, self.cursor.as_deref().unwrap_or_default())
    }

    /// None once all is read.
    fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ' ');
        let list = match parts.next()? {
            "payments" => List::Payments,
            "payouts" => List::Payouts,
            _ => return None,
        };
        let (payments, payouts) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let cursor = parts.next().filter(|cursor| !cursor.is_empty()).map(str::to_owned);
        Some(Self { list, payments, payouts, cursor, skipped: false })
    }
}

impl Engine {
    /// Looks for a reading that an earlier run did not end.
    pub(super) fn look_for_restore(&mut self) -> Result<(), TillError> {
        let text = self.ledger.begin()?.kept_text(RESTORE_META)?;
        self.restore = text.as_deref().and_then(Restore::from_text);
        Ok(())
    }

    /// Writes the binding down, and with it that there is a history to be read.
    pub(super) fn write_activated(
        &mut self,
        activated: Activated,
        terminal: &TerminalReport,
        now: Now,
    ) -> Result<(), TillError> {
        self.write_ledger(|tx| {
            tx.append_ledger(now, None, activated.into())?;
            if let Some(last_stan) = terminal.last_stan {
                tx.set_meta(RESTORE_META, Restore::begin().to_text().as_bytes())?;
                tx.set_meta(STAN_META, last_stan.saturating_add(STAN_GAP).to_string().as_bytes())?;
            }
            Ok(())
        })?;
        self.look_for_restore()
    }

    /// The next page of the history, if there is one to be read.
    pub(super) fn next_of_restore(&self) -> Option<Asked> {
        let restore = self.restore.as_ref().filter(|restore| !restore.skipped)?;
        Some(match restore.list {
            List::Payments => Asked::EarlierPayments,
            List::Payouts => Asked::EarlierPayouts,
        })
    }

    pub(super) fn restore_question(&self, asked: &Asked) -> Operation {
        let cursor = self.restore.as_ref().and_then(|restore| restore.cursor.clone());
        let query = ListQuery { updated_since_ms: None, status: None, cursor, limit: PAGE_ITEMS };
        if *asked == Asked::EarlierPayments { Operation::ListPayments(query) } else { Operation::ListPayouts(query) }
    }

    /// A page of earlier payments: those that are not here begin here.
    pub(super) fn on_earlier_payments(&mut self, page: &PaymentsPage, now: Now) -> Result<(), TillError> {
        let Some(mut restore) = self.restore.clone() else { return Ok(()) };
        leads_on(restore.cursor.as_deref(), page.next_cursor.as_deref(), page.payments.len())?;
        let rules = Rules { terms: self.documents.terms.as_ref(), calendar: self.documents.calendar() };
        let mut tx = self.ledger.begin()?;
        let quiet = tx.next_alerts(1)?.is_empty();
        for report in &page.payments {
            if begin_again(&mut tx, now, report)? {
                restore.payments = restore.payments.saturating_add(1);
            }
            match apply(&mut tx, now, None, report, Via::Feed, &rules) {
                Err(error) if error.is_about_one_subject() => continue,
                done => done?,
            }
        }
        if page.next_cursor.is_none() {
            restore.list = List::Payouts;
        }
        restore.cursor.clone_from(&page.next_cursor);
        keep(&mut tx, &restore, quiet)?;
        tx.commit()?;
        self.restore = Some(restore);
        Ok(())
    }

    /// A page of earlier payouts. Their lines are asked for afterwards, like those of any payout.
    pub(super) fn on_earlier_payouts(&mut self, page: &PayoutsPage, now: Now) -> Result<(), TillError> {
        let Some(mut restore) = self.restore.clone() else { return Ok(()) };
        leads_on(restore.cursor.as_deref(), page.next_cursor.as_deref(), page.payouts.len())?;
        let late: Vec<Option<i64>> = page.payouts.iter().map(|report| self.overdue_after_ms(report)).collect();
        let mut tx = self.ledger.begin()?;
        let quiet = tx.next_alerts(1)?.is_empty();
        for (report, late) in page.payouts.iter().zip(late) {
            match payouts::write(&mut tx, now, report, late) {
                // Its hint in the feed asks for it by itself.
                Err(error) if error.is_about_one_subject() => continue,
                newer => restore.payouts = restore.payouts.saturating_add(u64::from(newer?)),
            }
        }
        restore.cursor.clone_from(&page.next_cursor);
        keep(&mut tx, &restore, quiet)?;
        if restore.cursor.is_some() {
            tx.commit()?;
            self.restore = Some(restore);
            return Ok(());
        }
        let (payments, payouts) = (restore.payments, restore.payouts);
        tx.append_ledger(now, None, HistoryRestored { payments, payouts }.into())?;
        tx.set_meta(RESTORE_META, b"done")?;
        let state = tx.ledger_state()?;
        tx.commit()?;
        (self.state, self.restore) = (state, None);
        Ok(())
    }

    /// The lists could not be read: the next run goes on, from the first page if its place is not known there any more.
    pub(super) fn restore_trouble(&mut self, trouble: &Trouble) -> Result<(), TillError> {
        let Some(restore) = &mut self.restore else { return Ok(()) };
        restore.skipped = true;
        if matches!(trouble, Trouble::Refused { .. }) && restore.cursor.take().is_some() {
            let text = restore.to_text();
            let mut tx = self.ledger.begin()?;
            tx.set_meta(RESTORE_META, text.as_bytes())?;
            tx.commit()?;
        }
        Ok(())
    }

    /// A new run: what could not be asked in the last one is asked again.
    pub(super) fn take_up_restore(&mut self) {
        if let Some(restore) = &mut self.restore {
            restore.skipped = false;
        }
    }
}

/// The first events of a payment that another phone took; false if it is here already.
fn begin_again(tx: &mut Transaction<'_>, now: Now, report: &PaymentReport) -> Result<bool, TillError> {
    let id: PaymentId = report.payment_id;
    let Some(sale) = report.sale.as_ref().filter(|_| report.amount.amount_minor() > 0) else { return Ok(false) };
    if tx.payment(id)?.is_some() {
        return Ok(false);
    }
    let class = match sale.kind.as_str() {
        "live" => Class::Live,
        "offline_advice" => Class::ChipOffline,
        _ => Class::Deferred,
    };
    let charge = ChargeStarted {
        payment_id: id,
        amount: report.amount,
        order_reference: sale.order_reference.clone(),
        stan: sale.stan,
        batch_number: sale.batch_number.clone(),
        captured_on: sale.captured_on,
        mode: if class == Class::Live { ChargeMode::RequireOnline } else { ChargeMode::Offline },
        policy_version: None,
    };
    tx.append_payment(now, None, id, charge.into())?;
    tx.append_payment(now, None, id, Restored { class, captured_at_ms: sale.captured_at_ms }.into())?;
    Ok(true)
}

/// Keeps the place of the next page. Old news is told by the lists alone; whatever waits to be heard beside it stays.
fn keep(tx: &mut Transaction<'_>, restore: &Restore, quiet: bool) -> Result<(), TillError> {
    if quiet && let Some(last) = tx.next_alerts(u32::MAX)?.last() {
        tx.acknowledge(last.seq)?;
    }
    tx.set_meta(RESTORE_META, restore.to_text().as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_lists_reads_back_as_it_was_written() {
        let begun = Restore::begin();
        let middle =
            Restore { list: List::Payouts, payments: 412, payouts: 3, cursor: Some("c 7".into()), ..Restore::begin() };
        for restore in [begun, middle] {
            assert_eq!(Restore::from_text(&restore.to_text()), Some(restore));
        }
        for text in ["done", "", "payments", "payouts x 1 c"] {
            assert_eq!(Restore::from_text(text), None, "{text}");
        }
    }
}
