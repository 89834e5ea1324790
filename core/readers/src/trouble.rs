//! What a reader refuses, what goes wrong with it, and what its owner asked at the wrong time.

use crate::outcome::Outcome;

/// At this charge readers warn by themselves, in percent.
pub const LOW_BATTERY_PERCENT: u8 = 15;

/// A request a reader may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// [`crate::ReaderInput::Start`].
    Start,
    /// [`crate::ReaderInput::Cancel`], or a cancel of an overdue payment.
    Cancel,
    /// [`crate::ReaderInput::ChooseApplication`].
    Choice,
}

/// Why the reader refused a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The operation failed.
    Failed,
    /// It was opened.
    Tampered,
    /// A fault inside the reader.
    ReaderFault,
    /// It did not understand us.
    Protocol,
    /// No keys, or tampered.
    OutOfService,
    /// A key is missing or not usable.
    Keys,
    /// It is locked.
    Locked,
    /// This model cannot do that.
    Unsupported,
    /// A parameter was wrong.
    BadRequest,
    /// No transaction is running.
    NoTransaction,
    /// Too late to cancel: wait for the outcome.
    TooLateToCancel,
    /// Something else is running.
    Busy,
    /// Not in this state.
    WrongState,
    /// Five percent or less.
    BatteryTooLow,
    /// It did not answer in time.
    NoAnswer,
    /// A status that is on no list.
    Unlisted([u8; 4]),
}

/// Something went wrong. Carries codes, never data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A value or message made no sense.
    Malformed,
    /// A response that belongs to no open request.
    UnmatchedResponse {
        /// The command it names.
        command: u16,
    },
    /// The reader owes a response to this command.
    NoAnswer {
        /// The command.
        command: u16,
    },
    /// The card data could not be used: nothing can be charged with it.
    CardData,
    /// Card data came while no payment wanted it; it was dropped.
    StrayCardData,
    /// Two different ends were told for one payment; the first stands.
    ContradictoryOutcome {
        /// The code that came first.
        first: [u8; 4],
        /// The code that came later.
        second: [u8; 4],
    },
    /// The same from a reader without codes; the first stands.
    ContradictoryEnd {
        /// The outcome that came first.
        first: Outcome,
        /// The outcome that came later.
        second: Outcome,
    },
    /// The reader restarted.
    ReaderReset,
    /// Too cold to work; degrees Celsius.
    TooCold(i8),
    /// Too hot to work; degrees Celsius.
    TooHot(i8),
    /// Writing to the reader failed.
    WriteFailed,
}

/// Why an input was refused. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReaderError {
    /// The session is over; make a new engine for the new link.
    #[error("the link session is over")]
    SessionOver,
    /// Not connected, still asking the reader about itself, or out of service.
    #[error("the reader is not ready")]
    NotReady,
    /// A payment is running.
    #[error("a payment is running")]
    Busy,
    /// No payment is running.
    #[error("no payment is running")]
    NoPayment,
    /// Zero, negative or more than twelve digits.
    #[error("the amount is out of bounds")]
    InvalidAmount,
    /// Not an ISO 4217 number, or too many decimal places.
    #[error("the currency is out of bounds")]
    InvalidCurrency,
    /// Zero would wait for ever.
    #[error("the timeout is out of bounds")]
    InvalidTimeout,
    /// No way to read a card is enabled.
    #[error("no interface is enabled")]
    NoInterface,
    /// This is for another kind of reader.
    #[error("this kind of reader takes no such input")]
    OtherKind,
    /// The reader did not ask, or not for this item.
    #[error("there is no such choice")]
    NoSuchChoice,
}
