//! What the acquirer said, after its signature held and it fitted the question: plain structs.
//!
//! Money is [`takings_domain::Money`], instants are milliseconds since 1970 UTC, acquirer's ids are bounded text. Open
//! words keep both what came and what this version makes of it ([`Worded`]).

mod documents;
mod events;
mod payments;
mod payouts;
mod terminal;

pub use documents::{CalendarDocument, KeySet, PolicyDocument, TermsDocument};
pub use events::{Event, EventSubject, EventsPage};
pub use payments::{
    BatchReport, Chargeback, ExpectedReport, InquiryReport, ItemReply, ItemReport, LookupReply, LookupReport,
    PaymentEntry, PaymentReport, PaymentsPage, Refund, ReversalReport, SaleReport, Wording,
};
pub use payouts::{AccountReport, EntryReport, PayoutEntriesPage, PayoutFailure, PayoutReport, PayoutsPage};
pub use terminal::{Capabilities, Channel, HealthReport, LedgerHead, SignOnReport, TerminalReport};

/// An open word: what came, and what this version makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worded<T> {
    /// The meaning; for a word that is not known, the contract's default.
    pub value: T,
    /// The word as it came.
    pub raw: String,
}
