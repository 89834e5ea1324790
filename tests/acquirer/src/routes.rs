//! Which operation a method and a path name.

use crate::input::is_acquirer_id;
use crate::problem::Problem;

/// An operation of the contract, with the id in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Capabilities,
    Keys,
    Health,
    Activate,
    Terminal(String),
    SignOn(String),
    RiskPolicy(String),
    CreatePayment,
    ListPayments,
    CreateBatch,
    Inquire,
    Payment(String),
    Reverse(String),
    Terms,
    Calendar,
    ListPayouts,
    Payout(String),
    Entries(String),
    Events,
}

impl Operation {
    /// The contract's `operationId`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Capabilities => "getCapabilities",
            Self::Keys => "getKeys",
            Self::Health => "getHealth",
            Self::Activate => "activateTerminal",
            Self::Terminal(_) => "getTerminal",
            Self::SignOn(_) => "signOn",
            Self::RiskPolicy(_) => "getRiskPolicy",
            Self::CreatePayment => "createPayment",
            Self::ListPayments => "listPayments",
            Self::CreateBatch => "createPaymentBatch",
            Self::Inquire => "createInquiry",
            Self::Payment(_) => "getPayment",
            Self::Reverse(_) => "createReversal",
            Self::Terms => "getSettlementTerms",
            Self::Calendar => "getSettlementCalendar",
            Self::ListPayouts => "listPayouts",
            Self::Payout(_) => "getPayout",
            Self::Entries(_) => "listPayoutEntries",
            Self::Events => "listEvents",
        }
    }

    /// Answered without a signature.
    pub(crate) fn is_public(&self) -> bool {
        matches!(self, Self::Capabilities | Self::Keys | Self::Health)
    }
}

/// The operation, or the problem 404 or 405.
pub(crate) fn route(method: &str, path: &str) -> Result<Operation, Problem> {
    let Some(rest) = path.strip_prefix("/v1/") else { return Err(Problem::not_found()) };
    let segments: Vec<&str> = rest.split('/').collect();
    let id = |text: &str| if is_acquirer_id(text) { Ok(text.to_owned()) } else { Err(Problem::not_found()) };
    let (get, post) = match segments.as_slice() {
        ["capabilities"] => (Some(Operation::Capabilities), None),
        ["keys"] => (Some(Operation::Keys), None),
        ["health"] => (Some(Operation::Health), None),
        ["terminals"] => (None, Some(Operation::Activate)),
        ["terminals", terminal] => (Some(Operation::Terminal(id(terminal)?)), None),
        ["terminals", terminal, "sign-ons"] => (None, Some(Operation::SignOn(id(terminal)?))),
        ["terminals", terminal, "risk-policy"] => (Some(Operation::RiskPolicy(id(terminal)?)), None),
        ["payments"] => (Some(Operation::ListPayments), Some(Operation::CreatePayment)),
        ["payments", "batch"] => (None, Some(Operation::CreateBatch)),
        ["payments", "inquiries"] => (None, Some(Operation::Inquire)),
        ["payments", payment] => (Some(Operation::Payment(id(payment)?)), None),
        ["payments", payment, "reversals"] => (None, Some(Operation::Reverse(id(payment)?))),
        ["settlement", "terms"] => (Some(Operation::Terms), None),
        ["settlement", "calendar"] => (Some(Operation::Calendar), None),
        ["payouts"] => (Some(Operation::ListPayouts), None),
        ["payouts", payout] => (Some(Operation::Payout(id(payout)?)), None),
        ["payouts", payout, "entries"] => (Some(Operation::Entries(id(payout)?)), None),
        ["events"] => (Some(Operation::Events), None),
        _ => return Err(Problem::not_found()),
    };
    let allow = match (&get, &post) {
        (Some(_), Some(_)) => "GET, POST",
        (Some(_), None) => "GET",
        _ => "POST",
    };
    let found = match method {
        "GET" => get,
        "POST" => post,
        _ => None,
    };
    found.ok_or_else(|| {
        let mut problem = Problem::new("method-not-allowed");
        problem.allow = Some(allow);
        problem
    })
}
