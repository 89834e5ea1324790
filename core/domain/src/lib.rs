//! What is true. Pure: no clock, no randomness, no I/O, no async.
//!
//! * [`money`], [`ids`], [`time`], [`axes`]: the words everything else is written in.

pub mod axes;
pub mod card;
pub mod ids;
pub mod money;
pub mod time;

pub use axes::{Arrival, Authorization, Clearing, Direction, EntryType, Evidence, PayoutStatus};
pub use card::{EntryMode, MaskedCard, Scheme};
pub use ids::{AttemptId, IdError, LedgerId, OperationId, PaymentId, PayoutId, ReversalId};
pub use money::{Currency, MAX_AMOUNT_MINOR, Money, MoneyError};
pub use time::{Now, TimeAnchor};
