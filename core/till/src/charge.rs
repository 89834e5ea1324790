//! Taking a card: what is asked, and what each step of the reader's link brings.

use serde::{Deserialize, Serialize};
use takings_domain::event::ChargeMode;

pub use takings_readers::{
    Asked, EntryMode, Interface, Outcome as ReaderOutcome, SensitiveBytes, VendorAbout, VendorCard, VendorEvent,
    VendorReceipt,
};

/// What the merchant asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeRequest {
    /// Minor units, above zero.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// The merchant's own number for the sale; the guard against charging twice.
    pub order_reference: Option<String>,
    /// How it may reach the acquirer.
    pub mode: ChargeMode,
    /// Charge although an earlier payment has the same order reference.
    pub charge_again: bool,
    /// Who is at the till.
    pub operator: Option<String>,
}

/// How a charge stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ChargeOutcome {
    /// Accepted offline and on disk: let the customer go. The bank may still decline.
    Saved,
    /// Approved by the acquirer while the customer waited.
    Approved {
        /// Approved, minor units; less than asked for a partial approval.
        approved_minor: i64,
    },
    /// Nothing is charged; safe to repeat.
    NotCharged {
        /// A word of `takings_domain::payment::Cause`.
        cause: String,
        /// The policy's rule, the response code or the reader's word.
        detail: Option<String>,
    },
    /// Sent, and nobody knows: do not hand over, do not charge again. The till finds out.
    NotConfirmed,
}

/// Something to show while the reader works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PromptView {
    /// Our own word for the text, or `text` for an unknown one.
    pub id: String,
    /// The reader's own words.
    pub text: String,
    /// Applications to choose from, if that is the question.
    pub choices: Vec<String>,
}

/// What a vendor's SDK is told. The intent is on disk when it is told to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum VendorCommand {
    /// Take a payment.
    Start(VendorStart),
    /// Stop it if that is still possible: a request, not an outcome.
    Cancel,
    /// The cardholder chose this application, counted from 0.
    ChooseApplication {
        /// Which.
        index: u32,
    },
}

impl VendorCommand {
    /// What `Charge::vendor_failed` names it by.
    #[must_use]
    pub const fn asked(&self) -> Asked {
        match self {
            Self::Start(_) => Asked::Start,
            Self::Cancel => Asked::Cancel,
            Self::ChooseApplication { .. } => Asked::Choice,
        }
    }
}

/// A command, and which connection it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VendorAsk {
    /// As `Charge::vendor_up` numbered it: the SDK of another connection is not told.
    pub generation: u32,
    /// What to tell.
    #[serde(flatten)]
    pub command: VendorCommand,
}

/// A payment for a vendor's SDK to take: a purchase, as Quick Chip, by chip, tap or swipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VendorStart {
    /// The payment's id: `VendorEvent::Started` gives it back.
    pub charge: String,
    /// Minor units, above zero.
    pub amount_minor: i64,
    /// ISO 4217, `CNY`.
    pub currency: String,
    /// ISO 4217 number, 156.
    pub currency_numeric: u16,
    /// Decimal places.
    pub currency_exponent: u8,
    /// How long the cardholder has for each step, seconds.
    pub timeout_s: u32,
}

/// What one step of the link brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Values to write to the reader, in order; the next only after the former was confirmed.
    pub writes: Vec<Vec<u8>>,
    /// What to tell a vendor's SDK, in order. What cannot be told is answered by `Charge::vendor_failed`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<VendorAsk>,
    /// Something to show.
    pub prompt: Option<PromptView>,
    /// Call `tick` after this many milliseconds if nothing else happened.
    pub wait_ms: Option<u64>,
    /// How the charge stands, once it is decided; the record is on disk.
    pub saved: Option<ChargeOutcome>,
    /// Let the reader go.
    pub disconnect: bool,
}
