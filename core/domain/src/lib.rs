//! What is true. Pure: no clock, no randomness, no I/O, no async.
//!
//! * [`money`], [`ids`], [`time`], [`axes`]: the words everything else is written in.
//! * [`event`]: what is written down. [`payment`], [`payout`], [`ledger`]: what it folds to.
//! * [`codes`]: what a response code means.
//! * [`balance`]: where the money is. [`alert`]: what is worth telling.
//! * [`policy`]: what may be accepted without a line. [`settlement`]: when the money is due, and what of it.
//! * `planted`: bugs that judges must find. No part of what ships.

pub mod alert;
pub mod axes;
pub mod balance;
pub mod card;
pub mod codes;
pub mod event;
pub mod ids;
pub mod ledger;
pub mod money;
pub mod payment;
pub mod payout;
#[cfg(feature = "planted")]
pub mod planted;
pub mod policy;
pub mod settlement;
pub mod time;

pub use axes::{Arrival, Authorization, Clearing, Direction, EntryType, Evidence, PayoutStatus};
pub use card::{EntryMode, MaskedCard, Scheme};
pub use ids::{AttemptId, IdError, LedgerId, OperationId, PaymentId, PayoutId, ReversalId};
pub use money::{Currency, MAX_AMOUNT_MINOR, Money, MoneyError};
pub use policy::RiskPolicy;
pub use settlement::{Calendar, ExpectedArrival, SettlementTerms};
pub use time::{Now, TimeAnchor};
