//! One payout: the fold of its events.

use std::collections::BTreeSet;

use crate::event::{EntriesReported, Entry, PayoutEvent, PayoutReported, Reconciled, Recorded};
use crate::payment::{FoldError, PayoutLink};
use crate::{Evidence, Money, MoneyError, PaymentId, PayoutId, PayoutStatus};

/// All that is known of one payout.
#[derive(Debug, Clone, PartialEq)]
pub struct PayoutState {
    /// The number of its first event: its key in the ledger.
    pub key: u64,
    /// The newest report.
    pub report: PayoutReported,
    /// Every entry heard, in the acquirer's order.
    pub entries: Vec<Entry>,
    /// How many pages were heard.
    pub pages: u32,
    /// The last page was heard.
    pub complete: bool,
    /// The comparison of header and entries, once made.
    pub reconciled: Option<Reconciled>,
    /// Instants (milliseconds UTC) since which it was noticed to be overdue.
    pub noticed_ms: Vec<i64>,
    /// The number of its newest event.
    pub last_seq: u64,
    known: BTreeSet<String>,
}

impl PayoutState {
    /// The state after the first event.
    #[must_use]
    pub fn open(first: &Recorded<PayoutReported>) -> Self {
        Self {
            key: first.seq,
            report: with_evidence(&first.event),
            entries: Vec::new(),
            pages: 0,
            complete: false,
            reconciled: None,
            noticed_ms: Vec::new(),
            last_seq: first.seq,
            known: BTreeSet::new(),
        }
    }

    /// Folds a whole history.
    ///
    /// # Errors
    /// [`FoldError`] if it does not begin with a report or an event cannot follow.
    pub fn fold(events: &[Recorded<PayoutEvent>]) -> Result<Option<Self>, FoldError> {
        let Some((first, rest)) = events.split_first() else { return Ok(None) };
        let PayoutEvent::PayoutReported(report) = &first.event else {
            return Err(FoldError { seq: first.seq, kind: first.event.kind(), why: "a payout begins with a report" });
        };
        let operator = first.operator.clone();
        let mut state = Self::open(&Recorded { seq: first.seq, at: first.at, operator, event: report.clone() });
        for event in rest {
            state.apply(event)?;
        }
        Ok(Some(state))
    }

    /// Applies the next event.
    ///
    /// # Errors
    /// [`FoldError`] if it cannot follow; the state is then unchanged.
    pub fn apply(&mut self, recorded: &Recorded<PayoutEvent>) -> Result<(), FoldError> {
        let refuse = |why| FoldError { seq: recorded.seq, kind: recorded.event.kind(), why };
        match &recorded.event {
            PayoutEvent::PayoutReported(report) => {
                let older = report.report_version <= self.report.report_version;
                #[cfg(feature = "planted")]
                let older = older && !crate::planted::is("version_ignored");
                if older {
                    return Err(refuse("only a newer report is written down"));
                }
                if report.payout_id != self.report.payout_id || report.net.currency() != self.report.net.currency() {
                    return Err(refuse("another payout's report"));
                }
                self.report = with_evidence(report);
            }
            PayoutEvent::EntriesReported(page) => self.page(page).map_err(refuse)?,
            PayoutEvent::Reconciled(reconciled) => self.reconcile(reconciled).map_err(refuse)?,
            PayoutEvent::OverdueNoticed(notice) => {
                if self.noticed_ms.contains(&notice.due_ms) {
                    return Err(refuse("the same notice is given once"));
                }
                self.noticed_ms.push(notice.due_ms);
            }
        }
        self.last_seq = recorded.seq;
        Ok(())
    }

    fn page(&mut self, page: &EntriesReported) -> Result<(), &'static str> {
        if self.complete || page.page != self.pages {
            return Err("pages come in order, each once");
        }
        let mut known = self.known.clone();
        if !page.entries.iter().all(|entry| known.insert(entry.entry_id.clone())) {
            return Err("an entry is heard once");
        }
        self.known = known;
        self.entries.extend(page.entries.iter().cloned());
        self.pages = self.pages.saturating_add(1);
        self.complete = page.last;
        Ok(())
    }

    fn reconcile(&mut self, reconciled: &Reconciled) -> Result<(), &'static str> {
        if !self.complete || reconciled.report_version != self.report.report_version {
            return Err("a payout is added up when all its lines are here, for its newest report");
        }
        // Promise P11: the figure is what header and lines give, not what somebody says.
        if self.difference().ok() != Some(reconciled.difference) {
            return Err("header and lines do not give this difference");
        }
        self.reconciled = Some(reconciled.clone());
        Ok(())
    }

    /// The payout's id.
    #[must_use]
    pub fn id(&self) -> &PayoutId {
        &self.report.payout_id
    }

    /// The header's net less the sum of the entries' net (promise P11).
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] if the entries add up to more than money can hold.
    pub fn difference(&self) -> Result<Money, MoneyError> {
        let mut rest = self.report.net;
        for entry in &self.entries {
            rest = rest.checked_sub(Money::new(entry.net_minor, rest.currency())?)?;
        }
        Ok(rest)
    }

    /// The instant (milliseconds UTC) from which on it is to be told that the money is overdue; none once told, and none
    /// when it is not on its way.
    #[must_use]
    pub fn notice_after_ms(&self) -> Option<i64> {
        let on_its_way = matches!(self.report.status, PayoutStatus::Created | PayoutStatus::Sent);
        self.report.overdue_after_ms.filter(|after| on_its_way && !self.noticed_ms.contains(after))
    }

    /// What a payment reads from this payout through the given entry.
    #[must_use]
    pub fn link(&self, entry: &Entry) -> PayoutLink {
        PayoutLink {
            payout_id: self.report.payout_id.clone(),
            status: self.report.status,
            evidence: self.report.evidence,
            expected_date: self.report.expected_date,
            overdue_after_ms: self.report.overdue_after_ms,
            gross_minor: entry.gross_minor,
            fee_minor: entry.fee_minor,
            net_minor: entry.net_minor,
        }
    }

    /// The entries that pay for a payment.
    pub fn payments(&self) -> impl Iterator<Item = (PaymentId, &Entry)> {
        self.entries
            .iter()
            .filter(|entry| entry.entry_type == crate::EntryType::Payment)
            .filter_map(|entry| entry.payment_id.map(|id| (id, entry)))
    }
}

/// Promise P6: *arrived* names its evidence; the report itself is the acquirer's word.
fn with_evidence(report: &PayoutReported) -> PayoutReported {
    let mut report = report.clone();
    if report.status == PayoutStatus::Arrived && report.evidence == Evidence::None {
        report.evidence = Evidence::Acquirer;
    }
    report
}
