//! One payment: the fold of its events, what it says to the merchant, and what is to be done about it.
//!
//! * [`state`]: what is known. `fold`: events apply in order; an event that cannot follow is refused, so that a wrong
//!   history is found.
//! * `sends` and `reading` belong to it: sends of one lane, and what the fold says when asked.
//! * [`standing`]: stage, cause, who acts, next step: the line a merchant reads.
//! * [`next`]: which lane, and when.

mod fold;
pub mod next;
mod reading;
mod sends;
pub mod standing;
pub mod state;

pub use fold::FoldError;
pub use next::{Task, ToDo, notice_due, own_attention_after_ms, pause_ms, task, to_do};
pub use sends::Sends;
pub use standing::{Acts, Base, Cause, NextStep, PayoutLink, Source, Stage, Why, arrival, base, standing_at};
pub use state::{Acceptance, Attempt, Delivery, LIVE_WINDOW_MS, PaymentState, Report, ReversalState};
