//! What a payment says to the merchant: one stage, and where somebody is needed the cause, the source, who acts and
//! the next step.
//!
//! The base is free of time, so that it can be stored and counted. The one thing time changes is that a payment
//! starts to need somebody: the base says when, and [`standing_at`] looks at the clock.

use chrono::NaiveDate;

use super::state::{Delivery, LIVE_WINDOW_MS, PaymentState};
use crate::axes::words;
use crate::event::{ChargeMode, Class, ParkReason};
use crate::{Arrival, Authorization, Clearing, Evidence, PayoutId, PayoutStatus};

words! {
    /// The one line a merchant reads.
    Stage {
        /// Nothing was or will be debited: safe to repeat.
        NotCharged => "not_charged",
        /// Somebody has to act; cause, source and next step say who and how.
        NeedsYou => "needs_you",
        /// Refunded.
        GivenBack => "given_back",
        /// Consumed by refunds, chargebacks or fees.
        SettledByOffset => "settled_by_offset",
        /// Charged back.
        TakenBack => "taken_back",
        /// The money is there, on the word of the evidence.
        Arrived => "arrived",
        /// In a payout.
        OnItsWay => "on_its_way",
        /// Approved, in no payout yet.
        Approved => "approved",
        /// Sent, not answered.
        BeingConfirmed => "being_confirmed",
        /// On this phone alone.
        SavedOnPhone => "saved_on_phone",
    }
}

words! {
    /// Why the money is not there, or why nothing was charged.
    Cause {
        /// The app or the link ended before a card was read.
        Interrupted => "interrupted",
        /// Given up at the till before a card was read.
        Abandoned => "abandoned",
        /// The offline policy refused.
        OfflineRefused => "offline_refused",
        /// The issuer declined while the customer waited.
        Declined => "declined",
        /// The merchant cancelled before anything was sent.
        CancelledUnsent => "cancelled_unsent",
        /// Undone by a reversal.
        Reversed => "reversed",
        /// The acquirer promises that it never came.
        NotReceived => "not_received",
        /// The issuer declined after the customer had gone.
        DeclinedAfterDeferral => "declined_after_deferral",
        /// No answer, past the window.
        InDoubt => "in_doubt",
        /// No answer before the deadline: nobody here can find out any more.
        ExpiredInDoubt => "expired_in_doubt",
        /// Not uploaded in time.
        Expired => "expired",
        /// The acquirer refused the item.
        RefusedByAcquirer => "refused_by_acquirer",
        /// The terminal's counter repeats itself.
        CounterBroken => "counter_broken",
        /// An answer that is neither approval nor decline.
        UnlistedCode => "unlisted_code",
        /// Undoing came too late.
        AlreadyCleared => "already_cleared",
        /// The acquirer holds the money back.
        RiskHold => "risk_hold",
        /// The bank sent the payout back.
        ReturnedByBank => "returned_by_bank",
        /// The payout was refused: account number or name.
        AccountInvalid => "account_invalid",
        /// Clearing refused it.
        SettlementRejected => "settlement_rejected",
        /// The day passed, nobody says why.
        UnknownOverdue => "unknown_overdue",
        /// Not uploaded yet, and the deadline passed or is near.
        NotUploaded => "not_uploaded",
    }
}

words! {
    /// Where it stuck.
    Source {
        /// This phone.
        Device => "device",
        /// The card reader.
        Reader => "reader",
        /// The line between phone and acquirer.
        Network => "network",
        /// The payment gateway.
        Gateway => "gateway",
        /// The acquirer.
        Acquirer => "acquirer",
        /// Clearing.
        Clearing => "clearing",
        /// The merchant's bank.
        BeneficiaryBank => "beneficiary_bank",
        /// The merchant.
        Merchant => "merchant",
    }
}

words! {
    /// Who moves next.
    Acts {
        /// The app, by itself.
        App => "app",
        /// The merchant.
        Merchant => "merchant",
        /// The acquirer.
        Acquirer => "acquirer",
        /// The bank.
        Bank => "bank",
        /// Nobody: time.
        Nobody => "nobody",
    }
}

words! {
    /// What to do now.
    NextStep {
        /// Charge again: it is safe.
        ChargeAgain => "charge_again",
        /// Nothing was taken and nothing is to be done.
        Nothing => "nothing",
        /// Get the phone online and sync.
        Connect => "connect",
        /// Wait for the answer; do not hand over and do not charge again.
        WaitForAnswer => "wait_for_answer",
        /// Collect the money another way.
        CollectOtherwise => "collect_otherwise",
        /// Call the acquirer with RRN, STAN and time.
        ContactAcquirer => "contact_acquirer",
        /// Refund it.
        Refund => "refund",
        /// Send the documents the acquirer asks for.
        SendDocuments => "send_documents",
        /// Correct the bank account at the acquirer, then wait for the reissue.
        FixAccount => "fix_account",
        /// Ask the acquirer, then the bank, with the payout's reference.
        AskForPayout => "ask_for_payout",
    }
}

/// What a payment reads from the payout it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutLink {
    /// The payout.
    pub payout_id: PayoutId,
    /// Where it stands.
    pub status: PayoutStatus,
    /// On whose word.
    pub evidence: Evidence,
    /// Expected at the bank.
    pub expected_date: Option<NaiveDate>,
    /// Overdue from this instant, milliseconds UTC.
    pub overdue_after_ms: Option<i64>,
    /// This payment's share: gross, fee (positive cost) and net, minor units.
    pub gross_minor: i64,
    /// Fee as a positive cost, minor units.
    pub fee_minor: i64,
    /// Net, minor units.
    pub net_minor: i64,
}

/// Why somebody is needed, or why nothing was charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Why {
    /// The cause.
    pub cause: Cause,
    /// Where it stuck.
    pub source: Source,
    /// Who moves next.
    pub acts: Acts,
    /// What to do now.
    pub next_step: NextStep,
}

/// The time-free answer, and when it changes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    /// The stage.
    pub stage: Stage,
    /// Why, for *not charged* and *needs you*.
    pub why: Option<Why>,
    /// From this instant (milliseconds UTC) on the payment needs somebody.
    pub attention_after_ms: Option<i64>,
}

impl Cause {
    /// The fixed companions of a cause.
    #[must_use]
    pub fn why(self) -> Why {
        use {Acts as A, NextStep as N, Source as S};
        let (source, acts, next_step) = match self {
            Self::Interrupted => (S::Device, A::Merchant, N::ChargeAgain),
            Self::Abandoned => (S::Merchant, A::Nobody, N::ChargeAgain),
            Self::OfflineRefused => (S::Device, A::Merchant, N::CollectOtherwise),
            Self::Declined => (S::Acquirer, A::Merchant, N::CollectOtherwise),
            Self::CancelledUnsent => (S::Merchant, A::Nobody, N::Nothing),
            Self::Reversed => (S::Network, A::Merchant, N::ChargeAgain),
            Self::NotReceived => (S::Network, A::Merchant, N::ChargeAgain),
            Self::DeclinedAfterDeferral => (S::Acquirer, A::Merchant, N::CollectOtherwise),
            Self::ExpiredInDoubt => (S::Network, A::Merchant, N::ContactAcquirer),
            Self::InDoubt => (S::Network, A::App, N::WaitForAnswer),
            Self::Expired => (S::Device, A::Merchant, N::CollectOtherwise),
            Self::RefusedByAcquirer | Self::CounterBroken => (S::Acquirer, A::Merchant, N::ContactAcquirer),
            Self::UnlistedCode => (S::Acquirer, A::Merchant, N::ContactAcquirer),
            Self::AlreadyCleared => (S::Acquirer, A::Merchant, N::Refund),
            Self::RiskHold => (S::Acquirer, A::Merchant, N::SendDocuments),
            Self::ReturnedByBank => (S::BeneficiaryBank, A::Merchant, N::FixAccount),
            Self::AccountInvalid => (S::BeneficiaryBank, A::Merchant, N::FixAccount),
            Self::SettlementRejected => (S::Clearing, A::Acquirer, N::ContactAcquirer),
            Self::UnknownOverdue => (S::Acquirer, A::Acquirer, N::AskForPayout),
            Self::NotUploaded => (S::Device, A::Merchant, N::Connect),
        };
        Why { cause: self, source, acts, next_step }
    }
}

impl Base {
    fn plain(stage: Stage, attention_after_ms: Option<i64>) -> Self {
        Self { stage, why: None, attention_after_ms }
    }

    fn because(stage: Stage, cause: Cause) -> Self {
        Self { stage, why: Some(cause.why()), attention_after_ms: None }
    }
}

/// The stage with its cause, from the payment's own fold and the payout it is in.
#[must_use]
pub fn base(payment: &PaymentState, link: Option<&PayoutLink>) -> Base {
    if let Some(cause) = not_charged(payment) {
        return Base::because(Stage::NotCharged, cause);
    }
    if payment.is_charged_after_all() {
        return Base::because(Stage::NeedsYou, Cause::AlreadyCleared);
    }
    if let Some((reason, _)) = &payment.parked {
        #[cfg(feature = "planted")]
        if crate::planted::is("parked_without_reason") {
            return Base::plain(Stage::NeedsYou, None);
        }
        return Base::because(Stage::NeedsYou, parked_cause(*reason));
    }
    if payment.decision() == Some(Authorization::Declined) || payment.decision() == Some(Authorization::Referred) {
        return Base::because(Stage::NeedsYou, Cause::DeclinedAfterDeferral);
    }
    // While it is being undone an approval is not the last word.
    if payment.is_approved() && payment.reversal.is_none() {
        return approved(payment, link);
    }
    if payment.expired {
        // What may have arrived must not be collected a second time.
        let cause = if payment.sends.may_have_arrived { Cause::ExpiredInDoubt } else { Cause::Expired };
        return Base::because(Stage::NeedsYou, cause);
    }
    waiting(payment)
}

fn not_charged(payment: &PaymentState) -> Option<Cause> {
    if payment.is_undone() {
        return Some(Cause::Reversed);
    }
    if payment.is_closed() {
        return Some(given_up(payment));
    }
    match payment.decision().filter(|_| !payment.is_too_late()) {
        Some(Authorization::Reversed | Authorization::Voided) => Some(Cause::Reversed),
        // The customer waited: nothing left the shop, so a decline needs nobody.
        Some(Authorization::Declined | Authorization::Referred) if payment.acceptance.is_none() => {
            Some(Cause::Declined)
        }
        _ => None,
    }
}

fn given_up(payment: &PaymentState) -> Cause {
    use crate::event::AttemptEnd as E;
    match (payment.abandoned, payment.refused_live) {
        _ if payment.cancelled => Cause::CancelledUnsent,
        _ if payment.refused_by.is_some() => Cause::OfflineRefused,
        (Some(E::Interrupted | E::LinkLost), _) => Cause::Interrupted,
        (Some(_), _) => Cause::Abandoned,
        (None, Some(reason)) => parked_cause(reason),
        (None, _) => Cause::NotReceived,
    }
}

fn parked_cause(reason: ParkReason) -> Cause {
    match reason {
        ParkReason::Refused => Cause::RefusedByAcquirer,
        ParkReason::CounterBroken => Cause::CounterBroken,
        ParkReason::UnlistedCode => Cause::UnlistedCode,
        ParkReason::AlreadyCleared => Cause::AlreadyCleared,
    }
}

fn approved(payment: &PaymentState, link: Option<&PayoutLink>) -> Base {
    let report = payment.report.as_ref();
    if report.is_some_and(|report| report.clearing == Clearing::Rejected) {
        return Base::because(Stage::NeedsYou, Cause::SettlementRejected);
    }
    let own = report.map_or(Arrival::Unknown, |report| report.arrival);
    let overdue_after_ms = link
        .and_then(|link| link.overdue_after_ms)
        .or_else(|| report.and_then(|report| report.expected.as_ref()).map(|expected| expected.overdue_after_ms));
    match arrival(own, link) {
        Arrival::Arrived => Base::plain(Stage::Arrived, None),
        Arrival::Held => Base::because(Stage::NeedsYou, Cause::RiskHold),
        Arrival::Returned => Base::because(Stage::NeedsYou, Cause::ReturnedByBank),
        Arrival::Failed => Base::because(Stage::NeedsYou, Cause::AccountInvalid),
        Arrival::Netted => Base::plain(Stage::SettledByOffset, None),
        Arrival::InPayout | Arrival::Sent => Base::plain(Stage::OnItsWay, overdue_after_ms),
        Arrival::Unknown | Arrival::Pending | Arrival::Scheduled | Arrival::NotEligible => {
            Base::plain(Stage::Approved, overdue_after_ms)
        }
    }
}

/// Where the money is: the payout speaks for the payments in it, unless the acquirer singles one out.
#[must_use]
pub fn arrival(own: Arrival, link: Option<&PayoutLink>) -> Arrival {
    match (own, link) {
        (Arrival::Held | Arrival::Netted | Arrival::NotEligible, _) => own,
        (_, Some(link)) => link.status.arrival(),
        (_, None) => own,
    }
}

fn waiting(payment: &PaymentState) -> Base {
    let deadline_ms = payment.acceptance.and_then(|acceptance| acceptance.deadline_ms);
    #[cfg(feature = "planted")]
    if crate::planted::is("in_doubt_shown_as_approved") && payment.delivery() == Some(Delivery::InDoubt) {
        return Base::plain(Stage::Approved, None);
    }
    match payment.delivery() {
        Some(Delivery::Queued) if payment.acceptance.is_some() => Base::plain(Stage::SavedOnPhone, deadline_ms),
        Some(_) => {
            // Sends are dated by the wall clock, this and the deadline by the acquirer's, as the capture is.
            let first_ms = payment.sends.first_at_ms.map(|first| first.saturating_add(payment.clock_offset_ms()));
            let window = first_ms.map(|first| first.saturating_add(LIVE_WINDOW_MS));
            let until = if payment.is_deferred() { deadline_ms } else { window };
            Base::plain(Stage::BeingConfirmed, until)
        }
        // Between intent and card: the reader is at work, or the app ended and recovery has not run yet.
        None => Base::plain(Stage::BeingConfirmed, None),
    }
}

/// The stage at this moment (milliseconds UTC): the base, unless its time has run out.
#[must_use]
pub fn standing_at(base: Base, now_ms: i64) -> (Stage, Option<Why>) {
    match base.attention_after_ms {
        Some(after) if now_ms >= after => {
            let cause = match base.stage {
                Stage::SavedOnPhone => Cause::NotUploaded,
                Stage::BeingConfirmed => Cause::InDoubt,
                _ => Cause::UnknownOverdue,
            };
            (Stage::NeedsYou, Some(cause.why()))
        }
        _ => (base.stage, base.why),
    }
}

impl PaymentState {
    /// The class as screens show it: fixed at acceptance; before it, what it would become; none once refused.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        let elsewhere = self.restored.as_ref().map(|restored| restored.class);
        self.acceptance.map(|acceptance| acceptance.class).or(elsewhere).or(match self.charge.mode {
            ChargeMode::Offline => None,
            ChargeMode::PreferOnline | ChargeMode::RequireOnline
                if self.sends.count > 0 && self.refused_by.is_none() =>
            {
                Some(Class::Live)
            }
            _ => None,
        })
    }
}
