//! What is known of the payment of one start.

use crate::outcome::Outcome;

/// The payment of one start.
#[derive(Debug)]
pub(super) struct Payment {
    pub(super) timeout_ms: u64,
    /// The SDK said that it runs this one: whatever it said before is about something older.
    pub(super) running: bool,
    /// It said last that it runs another one: what it says after that is not about this.
    pub(super) another: bool,
    /// It was asked to stop because its time was over.
    pub(super) overdue: bool,
    /// It was asked to stop, and may take so long and no longer for it.
    pub(super) stopping: bool,
    /// It refused to stop, and was given its time anew: once.
    pub(super) refused_to_stop: bool,
    pub(super) card: Card,
    pub(super) receipt_seen: bool,
    pub(super) choices: u8,
    /// How often the cardholder was asked.
    pub(super) offers: u8,
    /// An end that needs card data which has not come yet.
    pub(super) held: Option<Outcome>,
    pub(super) ended: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    Awaited,
    Told,
    /// What came cannot be used: nothing else will be.
    Spoiled,
}

impl Payment {
    pub(super) fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// What the SDK says now is about this payment.
    pub(super) fn is_heard(&self) -> bool {
        self.running && !self.another
    }
}
