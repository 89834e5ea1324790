//! What a judge may know of a day: the cards, what the screens showed, what was done to the phones, the files. Nothing of
//! what the core thinks.

use takings_till::views::{AlertView, PaymentDetail, PayoutDetail, StatusView, SyncReport, TakingsLine, VerifyReport};
use takings_till::{ChargeOutcome, TillError};

/// A card at a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tap {
    /// The true time, milliseconds UTC.
    pub at_ms: i64,
    /// At which phone.
    pub phone: usize,
    /// For which charge.
    pub payment: String,
    /// The first digits of the card.
    pub leading: String,
    /// The last.
    pub last_four: String,
    /// `chip`, `contactless`, `stripe`, `fallback`.
    pub entry_mode: &'static str,
    /// Whether a payment can come of it: card data came, and no chip was left untried.
    pub pays: bool,
    /// Asked for, minor units.
    pub amount_minor: i64,
}

/// What a merchant asked for and saw at a phone.
#[derive(Debug, Clone)]
pub enum Seen {
    /// A charge was taken up: its intent is said to be on disk.
    Begun {
        /// The payment.
        payment: String,
        /// Minor units.
        amount_minor: i64,
        /// The merchant's number for the sale.
        order: Option<String>,
        /// The merchant chose to take it without asking the bank.
        offline: bool,
    },
    /// A charge was refused.
    Refused {
        /// Why.
        error: TillError,
    },
    /// The screen said how a charge stands. The merchant acts on it: goods are handed over for *saved* and *approved*.
    Outcome {
        /// The payment.
        payment: String,
        /// What it said.
        outcome: ChargeOutcome,
    },
    /// The merchant cancels a payment; what the till said to it may never have been heard.
    CancelAsked {
        /// The payment.
        payment: String,
    },
    /// A payment was cancelled by the merchant, and the till said yes.
    Cancelled {
        /// The payment.
        payment: String,
    },
    /// Alerts that were shown, oldest first.
    Alerts(Vec<AlertView>),
    /// The merchant has heard everything up to here, and the till said yes.
    Acknowledged {
        /// The last alert heard.
        upto: u64,
    },
    /// A contact ended.
    Synced(SyncReport),
    /// How the till says it is.
    Status(Box<StatusView>),
    /// All payments with their history, newest first.
    Payments(Vec<PaymentDetail>),
    /// All payouts with their lines, newest first.
    Payouts(Vec<PayoutDetail>),
    /// Sums by stage of all days.
    Takings(Vec<TakingsLine>),
    /// What checking everything found.
    Verified(VerifyReport),
    /// The app was opened.
    Opened,
    /// The app could not be opened.
    NotOpened {
        /// Why.
        error: TillError,
        /// The disk, or the keys, were out of order at that moment.
        excused: bool,
    },
    /// The app answered something with an error that no caller expects: the storage, or itself.
    Trouble {
        /// What.
        error: TillError,
        /// The disk, or the keys, were out of order at that moment.
        excused: bool,
    },
}

/// What was done to a phone or to the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// The process was killed: everything written is there.
    Killed,
    /// The power was cut: what was not synced may be gone. The phone started again, with another boot.
    PowerCut,
    /// The phone was switched off and on.
    Restarted,
    /// The wall clock was set, by so many milliseconds.
    ClockSet {
        /// Forward, or back.
        by_ms: i64,
    },
    /// An older copy of the phone's files was put back.
    OlderCopy {
        /// When it was made, milliseconds UTC.
        of_ms: i64,
    },
    /// With the older copy, the witness beside the ledger stayed as it was: it knows of what is gone.
    WitnessStayed,
    /// A second process tried to open the till; true if it was let in.
    SecondProcess {
        /// It was.
        let_in: bool,
    },
    /// A disk that is full, or has room again.
    DiskFull(bool),
    /// Reads or writes of the disk fail, or work again.
    DiskFails(bool),
    /// The acquirer was restored from a backup: it knows nothing of what it was told since.
    AcquirerRestored {
        /// The state it has again is of, milliseconds UTC.
        of_ms: i64,
    },
    /// A new policy, by its members.
    Policy(serde_json::Value),
    /// From here on nothing is done to anybody.
    Healed,
}

/// A row of a ledger as the file holds it, read by a connection of the judge's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// Its number.
    pub seq: u64,
    /// Every column but the link, as the chain takes them: see `core/store/src/hash.rs`.
    pub columns: RawColumns,
    /// The link.
    pub hash: Vec<u8>,
}

/// The columns of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawColumns {
    /// Wall clock, milliseconds UTC.
    pub at_ms: i64,
    /// Milliseconds of this boot.
    pub monotonic_ms: i64,
    /// The boot.
    pub boot_id: i64,
    /// Who was at the till.
    pub operator: Option<String>,
    /// 0 for the ledger, else the number of the subject's first event.
    pub subject: i64,
    /// What happened.
    pub kind: String,
    /// The version of the body.
    pub body_version: i64,
    /// The exact bytes.
    pub body: String,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Violation {
    /// `P1` to `P12`.
    pub promise: &'static str,
    /// The true time, milliseconds UTC.
    pub at_ms: i64,
    /// At which phone; none: everywhere.
    pub phone: Option<usize>,
    /// What was seen, and what should have been.
    pub what: String,
}
