//! When a payment's money is due, by whose word, and what the acquirer keeps of it.
//!
//! * [`terms`]: what was agreed: cycle, cut-off, time zone, prices.
//! * [`calendar`]: which days count: the acquirer's list, then built-in data, then weekends only and provisional.
//! * [`mod@expected`]: the day the money is due and the instant it is overdue.
//! * [`fees`]: the fee of one payment, to the minor unit.
//! * [`zone`]: instants and local dates, without a panic at either end of time.

pub mod calendar;
mod calendar_data;
pub mod expected;
pub mod fees;
pub mod terms;
pub mod zone;

use thiserror::Error;

pub use calendar::{Calendar, Certainty, Day, Region};
pub use expected::{Basis, ExpectedArrival, business_date, expected, expected_if_accepted, overdue_after_ms};
pub use fees::{FeeRange, Rate, fee, fee_estimate};
pub use terms::{Account, Cycle, CycleBasis, Funding, PayoutWindow, Price, SettlementTerms};
pub use zone::local_date;

/// Why there is no date, no fee or no document. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SettlementError {
    /// The instant or the date that would follow lies outside the years 1 to 9999.
    #[error("outside the years 1 to 9999")]
    OutOfRange,
    /// Not the JSON of this document: a member is missing or of another type.
    #[error("unreadable at line {line}, column {column}")]
    Unreadable {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A member has a value that cannot be used.
    #[error("{field} is unusable")]
    Invalid {
        /// The member.
        field: &'static str,
    },
    /// No settlement day within a year of the date: the calendar holds none.
    #[error("the calendar has no settlement day in reach")]
    NoSettlementDay,
    /// A fee is asked for a negative amount.
    #[error("no fee on a negative amount")]
    NegativeAmount,
    /// The price is in another currency than the amount, or no price holds for this funding.
    #[error("no price for this payment")]
    NoPrice,
}

impl From<&serde_json::Error> for SettlementError {
    fn from(error: &serde_json::Error) -> Self {
        Self::Unreadable { line: error.line(), column: error.column() }
    }
}
