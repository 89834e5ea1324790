//! The acquirer's word becomes events. Only verified answers get here; only newer versions are written down.

use takings_acquirers::ProblemSlug;
use takings_acquirers::report::{
    BatchReport, ExpectedReport, InquiryReport, ItemReply, LookupReply, PaymentReport, ReversalReport as HeardReversal,
};
use takings_domain::codes::{CodeClass, class_of};
use takings_domain::event::{
    Accepted, Class, EraseReason, Lane, NoticeKind, Noticed, ParkReason, Parked, PaymentReported, ReversalOutcome,
    ReversalReason, ReversalReported, ReversalRequested, SendEnded, SendResult, Via,
};
use takings_domain::payment::PaymentState;
use takings_domain::settlement::{self, ExpectedArrival};
use takings_domain::{Authorization, Calendar, Now, PaymentId, ReversalId, SettlementTerms};
use takings_store::Transaction;

use super::Engine;
use super::book::Book;
use super::charging::erase_blob;
use super::live::known;
use super::reader::append_last_words;
use super::run::BATCH_ITEMS;
use super::trouble::Trouble;
use crate::charge::ChargeOutcome;
use crate::error::TillError;

/// What reports are judged with.
pub(super) struct Rules<'a> {
    pub(super) terms: Option<&'a SettlementTerms>,
    pub(super) calendar: Option<Calendar>,
}

impl Engine {
    /// The answer to a live send.
    pub(super) fn on_live_report(&mut self, id: PaymentId, report: &PaymentReport, now: Now) -> Result<(), TillError> {
        let (operator, words) = (self.operator_of(id), self.last_words(id));
        let rules = Rules { terms: self.documents.terms.as_ref(), calendar: self.documents.calendar() };
        let mut tx = self.ledger.begin()?;
        append_last_words(&mut tx, now, operator.as_deref(), id, &words)?;
        apply(&mut tx, now, operator.as_deref(), report, Via::Answer, &rules)?;
        let payment = known(&mut tx, id)?;
        tx.commit()?;
        self.last_words_are_written(id, &words);
        self.count(&payment);
        self.tell(&payment);
        // There is a line: what waits need not wait for the end of a rest.
        self.rest_over();
        Ok(())
    }

    /// Each item of a batch is answered for itself.
    pub(super) fn on_batch(&mut self, ids: &[PaymentId], report: BatchReport, now: Now) -> Result<(), TillError> {
        let rules = Rules { terms: self.documents.terms.as_ref(), calendar: self.documents.calendar() };
        let mut answered = Vec::new();
        let mut tx = self.ledger.begin()?;
        for item in report.items.iter().filter(|item| ids.contains(&item.payment_id)) {
            match &item.reply {
                ItemReply::Payment(report) => match apply(&mut tx, now, None, report, Via::Answer, &rules) {
                    Ok(()) => answered.push(known(&mut tx, item.payment_id)?),
                    // One item that cannot be takes nothing from the others.
                    Err(error) if error.is_about_one_subject() => {
                        let trouble = Trouble::Unverified { why: error.to_string(), unknown_key: false };
                        drain_trouble(&mut tx, now, item.payment_id, &trouble)?;
                    }
                    Err(error) => return Err(error),
                },
                ItemReply::Problem(problem) => {
                    drain_trouble(&mut tx, now, item.payment_id, &Trouble::of(problem))?;
                }
                ItemReply::Missing => {
                    let why = "missing from the answer".to_owned();
                    let trouble = Trouble::Maybe { why, retry_after_ms: None, signed: true };
                    drain_trouble(&mut tx, now, item.payment_id, &trouble)?;
                }
                ItemReply::Unverified(why) => {
                    drain_trouble(&mut tx, now, item.payment_id, &Trouble::unverified(why))?;
                }
            }
        }
        // What the answer does not even name stays in doubt.
        for id in ids {
            if known(&mut tx, *id)?.sends.open.is_some() {
                let why = "missing from the answer".to_owned();
                let trouble = Trouble::Maybe { why, retry_after_ms: None, signed: true };
                drain_trouble(&mut tx, now, *id, &trouble)?;
            }
        }
        tx.commit()?;
        self.batch_items = BATCH_ITEMS;
        for payment in &answered {
            self.count(payment);
        }
        Ok(())
    }

    pub(super) fn batch_trouble(&mut self, ids: &[PaymentId], trouble: &Trouble, now: Now) -> Result<(), TillError> {
        // A refused envelope says nothing of its items: the next contact sends fewer, until one is refused alone. What
        // the terminal is refused for holds the queue up, and is no payment's fault.
        let of_terminal = trouble.is_about_the_terminal();
        let trouble = match trouble {
            Trouble::Refused { .. } if ids.len() == 1 && !of_terminal => trouble.clone(),
            Trouble::Refused { code, .. } => {
                if !of_terminal {
                    self.batch_items = u32::try_from(ids.len() / 2).unwrap_or(1).max(1);
                }
                let error = trouble.error();
                if let Some(run) = &mut self.run {
                    run.stop("waiting", Some(error));
                }
                Trouble::NotExecuted { code: code.clone(), retry_after_ms: None, session: false, server_ms: None }
            }
            other => other.clone(),
        };
        let mut tx = self.ledger.begin()?;
        for id in ids {
            drain_trouble(&mut tx, now, *id, &trouble)?;
        }
        tx.commit()?;
        Ok(())
    }

    /// The answer to the question after a live payment in doubt.
    pub(super) fn on_inquiry(&mut self, id: PaymentId, report: InquiryReport, now: Now) -> Result<(), TillError> {
        let reply = report.lookups.into_iter().find(|lookup| lookup.payment_id == id).map(|lookup| lookup.reply);
        match reply {
            Some(LookupReply::Found(report)) => {
                let operator = self.operator_of(id);
                let rules = Rules { terms: self.documents.terms.as_ref(), calendar: self.documents.calendar() };
                let mut tx = self.ledger.begin()?;
                apply(&mut tx, now, operator.as_deref(), &report, Via::Inquiry, &rules)?;
                let payment = known(&mut tx, id)?;
                tx.commit()?;
                self.count(&payment);
                if payment.is_answered() || payment.is_undone() {
                    self.tell(&payment);
                    return Ok(());
                }
                // Still undecided there after all that waiting: undone, so that the customer can pay otherwise.
                self.request_reversal(id, ReversalReason::Timeout, now)
            }
            #[cfg(feature = "planted")]
            Some(LookupReply::NotReceived { as_of_ms, .. })
                if takings_domain::planted::is("not_found_as_not_charged") =>
            {
                self.not_received(id, as_of_ms, true, now)
            }
            Some(LookupReply::NotReceived { as_of_ms, is_final }) => self.not_received(id, as_of_ms, is_final, now),
            Some(LookupReply::Ambiguous { .. } | LookupReply::Missing | LookupReply::Unverified(_)) | None => {
                self.request_reversal(id, ReversalReason::Timeout, now)
            }
        }
    }

    /// The question brought nothing. Without a line it is asked again; else the payment is undone.
    pub(super) fn inquiry_trouble(&mut self, id: PaymentId, trouble: &Trouble, now: Now) -> Result<(), TillError> {
        match trouble {
            Trouble::NotSent { .. } | Trouble::NotExecuted { .. } => Ok(()),
            #[cfg(feature = "planted")]
            Trouble::Maybe { .. } if takings_domain::planted::is("not_found_as_not_charged") => {
                self.not_received(id, now.wall_ms, true, now)
            }
            Trouble::Maybe { .. } => self.request_reversal(id, ReversalReason::Timeout, now),
            Trouble::Unverified { .. } => self.request_reversal(id, ReversalReason::BadResponseSignature, now),
            Trouble::Refused { .. } => self.request_reversal(id, ReversalReason::Other, now),
        }
    }

    /// The answer to a reversal.
    pub(super) fn on_reversal(&mut self, id: PaymentId, report: &HeardReversal, now: Now) -> Result<(), TillError> {
        let rules = Rules { terms: self.documents.terms.as_ref(), calendar: self.documents.calendar() };
        let mut tx = self.ledger.begin()?;
        let payment = known(&mut tx, id)?;
        if payment.reversal.as_ref().is_none_or(|reversal| reversal.outcome.is_some()) {
            return Ok(());
        }
        match report.outcome {
            Some(outcome) => {
                tx.append_payment(now, None, id, ReversalReported { outcome }.into())?;
                if outcome == ReversalOutcome::AlreadyCleared {
                    let parked = Parked { reason: ParkReason::AlreadyCleared, code: report.response_code.clone() };
                    tx.append_payment(now, None, id, parked.into())?;
                } else {
                    erase_blob(&mut tx, now, None, id, EraseReason::Answered)?;
                }
            }
            None => end_send(&mut tx, now, id, Lane::Reversal, SendResult::InProgress, None, None)?,
        }
        if let Some(report) = &report.payment {
            apply(&mut tx, now, None, report, Via::Answer, &rules)?;
        }
        let payment = known(&mut tx, id)?;
        tx.commit()?;
        self.tell(&payment);
        Ok(())
    }

    /// A reversal is repeated until it is answered; a refusal of it is no answer.
    pub(super) fn reversal_trouble(&mut self, id: PaymentId, trouble: &Trouble, now: Now) -> Result<(), TillError> {
        let result = match trouble {
            Trouble::NotSent { .. } | Trouble::NotExecuted { .. } => SendResult::NotSent,
            Trouble::Maybe { .. } | Trouble::Refused { .. } => SendResult::Maybe,
            Trouble::Unverified { .. } => SendResult::Unverified,
        };
        let mut tx = self.ledger.begin()?;
        #[cfg(feature = "planted")]
        if result == SendResult::Maybe && takings_domain::planted::is("reversal_unanswered_counts_as_done") {
            tx.append_payment(now, None, id, ReversalReported { outcome: ReversalOutcome::Reversed }.into())?;
        }
        let code = trouble.code().map(str::to_owned);
        end_send(&mut tx, now, id, Lane::Reversal, result, code, trouble.retry_after_ms())?;
        tx.commit()?;
        Ok(())
    }

    /// Tells a customer who waits, or was told that nobody knows, how a live charge stands now.
    pub(super) fn tell(&mut self, payment: &PaymentState) {
        if !payment.is_deferred() && self.waits_for_answer(payment.id()) {
            self.decide(payment.id(), live_outcome(payment));
        }
    }

    fn count(&mut self, payment: &PaymentState) {
        let Some(run) = &mut self.run else { return };
        if payment.is_answered() {
            run.report.answered = run.report.answered.saturating_add(1);
            let approved = u32::from(payment.is_approved());
            run.report.approved = run.report.approved.saturating_add(approved);
            run.report.declined = run.report.declined.saturating_add(1 - approved);
        }
    }
}

/// Writes a report down if it is newer than what is known, with what follows from it.
pub(super) fn apply(
    tx: &mut Transaction<'_>,
    now: Now,
    operator: Option<&str>,
    report: &PaymentReport,
    via: Via,
    rules: &Rules<'_>,
) -> Result<(), TillError> {
    let id = report.payment_id;
    let payment = known(tx, id)?;
    if report.amount != payment.charge.amount {
        return Err(TillError::retry_later("unverified", "the report is about another amount"));
    }
    let reported = reported(report, via, rules);
    let undecided = reported.authorization == Authorization::Processing;
    if payment.sends.open.is_some() && via == Via::Answer && undecided {
        end_send(tx, now, id, Lane::Drain, SendResult::InProgress, None, None)?;
    }
    let newer = payment.report.as_ref().is_none_or(|known| known.report_version < reported.report_version);
    #[cfg(feature = "planted")]
    let newer = newer || takings_domain::planted::is("version_ignored");
    if !newer {
        return Ok(());
    }
    // Said to be not charged, perhaps charged again since: an approval now is no acceptance, it needs somebody.
    let given_up = payment.is_closed();
    let unlisted = undecided && reported.code.as_deref().is_some_and(|code| class_of(code).is_none());
    let code = reported.code.clone();
    tx.append_payment(now, operator, id, reported.into())?;
    let payment = known(tx, id)?;
    if payment.held_untold {
        tx.append_payment(now, None, id, Noticed { kind: NoticeKind::Held, due_ms: now.wall_ms }.into())?;
    }
    if unlisted {
        // What the acquirer has as deferred was told saved before this ledger went back in time.
        let deferred = report.sale.as_ref().is_some_and(|sale| sale.kind != "live");
        return not_confirmed(tx, now, operator, &payment, deferred, code);
    }
    let acceptable = payment.acceptance.is_none() && payment.reversal.is_none() && !given_up;
    if payment.is_approved() && acceptable {
        tx.append_payment(now, operator, id, Accepted { class: Class::Live, deadline_ms: None }.into())?;
    }
    if payment.is_answered() {
        erase_blob(tx, now, operator, id, EraseReason::Answered)?;
    }
    Ok(())
}

/// An answer that is neither approval nor decline: undone while the customer waits, else it stands until somebody acts.
fn not_confirmed(
    tx: &mut Transaction<'_>,
    now: Now,
    operator: Option<&str>,
    payment: &PaymentState,
    deferred: bool,
    code: Option<String>,
) -> Result<(), TillError> {
    let id = payment.id();
    if payment.acceptance.is_some() || payment.restored.is_some() || deferred {
        tx.append_payment(now, operator, id, Parked { reason: ParkReason::UnlistedCode, code }.into())?;
    } else if payment.reversal.is_none() && !payment.is_closed() {
        let requested = ReversalRequested { reversal_id: ReversalId::of(id), reason: ReversalReason::Other };
        tx.append_payment(now, operator, id, requested.into())?;
    }
    Ok(())
}

fn reported(report: &PaymentReport, via: Via, rules: &Rules<'_>) -> PaymentReported {
    let unlisted = report.response_code.as_deref().is_some_and(|code| class_of(code).is_none());
    let doubtful = report.response_code.as_deref().and_then(class_of) == Some(CodeClass::InDoubt);
    let approved = matches!(report.authorization.value, Authorization::Approved | Authorization::PartiallyApproved);
    // Promise P3: what no list explains is not confirmed, whatever word stands beside it. An undoing is explained by its
    // own word: the code is still that of the payment it undid.
    let undone = matches!(report.authorization.value, Authorization::Reversed | Authorization::Voided);
    let unconfirmed = !undone && (unlisted || (doubtful && approved));
    let authorization = if unconfirmed { Authorization::Processing } else { report.authorization.value };
    #[cfg(feature = "planted")]
    let authorization = match authorization {
        Authorization::Processing if unlisted && takings_domain::planted::is("unlisted_code_as_decline") => {
            Authorization::Declined
        }
        Authorization::Processing if doubtful && takings_domain::planted::is("issuer_timeout_as_approval") => {
            Authorization::Approved
        }
        authorization => authorization,
    };
    let approved_amount = report.approved_amount;
    #[cfg(feature = "planted")]
    let approved_amount = approved_amount.filter(|_| !takings_domain::planted::is("partial_approval_as_full"));
    let (expected, computed) = expected_arrival(report, approved, rules);
    let differs = match (&expected, &computed) {
        (Some(theirs), Some(ours)) if theirs.date != ours.date => Some(ours.date),
        _ => None,
    };
    PaymentReported {
        via,
        report_version: report.version,
        authorization,
        clearing: report.clearing.value,
        arrival: report.arrival.value,
        evidence: report.evidence.value,
        code: report.response_code.clone(),
        rrn: report.rrn.clone(),
        auth_code: report.auth_code.clone(),
        approved_amount_minor: approved_amount.map(|amount| amount.amount_minor()),
        accepted_at_ms: report.accepted_at_ms,
        expected,
        computed_date: differs,
        reason: report.reason.clone(),
        payout_id: report.payout_id.clone(),
        withheld_minor: report.withheld.map(|amount| amount.amount_minor()),
    }
}

/// The acquirer's day wins where it gives one; ours is computed too, so that a difference is on record.
fn expected_arrival(
    report: &PaymentReport,
    approved: bool,
    rules: &Rules<'_>,
) -> (Option<ExpectedArrival>, Option<ExpectedArrival>) {
    let (Some(terms), Some(calendar), true) = (rules.terms, &rules.calendar, approved) else { return (None, None) };
    let computed = report.accepted_at_ms.and_then(|at_ms| settlement::expected(terms, calendar, at_ms).ok());
    let theirs = report.expected.as_ref().and_then(|expected: &ExpectedReport| {
        let window = Some((expected.earliest, expected.latest));
        ExpectedArrival::of_acquirer(expected.date, window, expected.provisional, calendar, terms.timezone).ok()
    });
    (theirs.or(computed), computed)
}

/// How a drain send ended for one item, without a report.
fn drain_trouble(tx: &mut Transaction<'_>, now: Now, id: PaymentId, trouble: &Trouble) -> Result<(), TillError> {
    let code = trouble.code().map(str::to_owned);
    let result = trouble.result();
    if let Trouble::Refused { code, .. } = trouble
        && code == ProblemSlug::DuplicateTransaction.as_str()
    {
        end_send(tx, now, id, Lane::Drain, SendResult::NotSent, Some(code.clone()), None)?;
        let parked = Parked { reason: ParkReason::CounterBroken, code: Some(code.clone()) };
        tx.append_payment(now, None, id, parked.into())?;
        return Ok(());
    }
    end_send(tx, now, id, Lane::Drain, result, code, trouble.retry_after_ms())?;
    #[cfg(feature = "planted")]
    if matches!(trouble, Trouble::Maybe { .. }) && takings_domain::planted::is("reverse_deferred") {
        let (reversal_id, reason) = (ReversalId::of(id), ReversalReason::Timeout);
        tx.append_payment(now, None, id, ReversalRequested { reversal_id, reason }.into())?;
    }
    Ok(())
}

fn end_send(
    tx: &mut Transaction<'_>,
    now: Now,
    id: PaymentId,
    lane: Lane,
    result: SendResult,
    code: Option<String>,
    retry_after_ms: Option<i64>,
) -> Result<(), TillError> {
    let payment = known(tx, id)?;
    let sends = match lane {
        Lane::Reversal => payment.reversal.as_ref().map(|reversal| &reversal.sends),
        Lane::Live | Lane::Drain => Some(&payment.sends),
    };
    let lane = match lane {
        Lane::Reversal => lane,
        _ if payment.acceptance.is_some() => Lane::Drain,
        _ => Lane::Live,
    };
    if let Some((op, n)) = sends.and_then(|sends| sends.open.map(|op| (op, sends.count))) {
        let ended = SendEnded { op, n, lane, result, code, retry_after_ms };
        tx.append_payment(now, None, id, ended.into())?;
    }
    Ok(())
}

/// How a live charge stands after a report.
fn live_outcome(payment: &PaymentState) -> ChargeOutcome {
    if payment.is_undone() {
        return ChargeOutcome::NotCharged { cause: "reversed".to_owned(), detail: None };
    }
    if payment.is_approved() && payment.reversal.is_none() {
        return ChargeOutcome::Approved { approved_minor: payment.approved_minor() };
    }
    let code = payment.report.as_ref().and_then(|report| report.code.clone());
    match payment.decision() {
        Some(Authorization::Approved | Authorization::PartiallyApproved) | None => ChargeOutcome::NotConfirmed,
        Some(Authorization::Reversed | Authorization::Voided) => {
            ChargeOutcome::NotCharged { cause: "reversed".to_owned(), detail: None }
        }
        Some(_) => ChargeOutcome::NotCharged { cause: "declined".to_owned(), detail: code },
    }
}
