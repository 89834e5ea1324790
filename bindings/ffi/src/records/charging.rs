//! Taking a card: what is asked, and what each step brings.

use crate::wire::Wire;
use crate::wire::mirror;

mirror! {
    /// Something to show while the reader works.
    PromptView of takings_till::PromptView {
        /// Our own word for the text, or `text` for an unknown one.
        id: String,
        /// The reader's own words.
        text: String,
        /// Applications to choose from, if that is the question.
        choices: Vec<String>,
    }
}

/// What one step of the reader brought.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Step {
    /// Values to write to the reader, in order; the next only after the former was confirmed. None for a vendor's reader:
    /// what its SDK is told, the library tells it.
    pub writes: Vec<Vec<u8>>,
    /// Something to show.
    pub prompt: Option<PromptView>,
    /// Call `tick` after this many milliseconds if nothing else happened.
    pub wait_ms: Option<u64>,
    /// How the charge stands, once it is decided; the record is on disk.
    pub saved: Option<ChargeOutcome>,
    /// Let the reader go.
    pub disconnect: bool,
}

impl Wire for takings_till::Step {
    type Out = Step;

    fn wire(self) -> Step {
        // The commands were carried out before the step crosses.
        let Self { writes, commands: _, prompt, wait_ms, saved, disconnect } = self;
        Step { writes, prompt: prompt.wire(), wait_ms, saved: saved.wire(), disconnect }
    }
}

/// What the merchant asks for.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ChargeRequest {
    /// Minor units, above zero.
    pub amount_minor: i64,
    /// ISO 4217, `CNY`.
    pub currency: String,
    /// The merchant's own number for the sale; the guard against charging twice.
    #[uniffi(default)]
    pub order_reference: Option<String>,
    /// How it may reach the acquirer.
    pub mode: ChargeMode,
    /// Charge although an earlier payment has the same order reference.
    #[uniffi(default = false)]
    pub charge_again: bool,
    /// Who is at the till.
    #[uniffi(default)]
    pub operator: Option<String>,
}

impl From<ChargeRequest> for takings_till::ChargeRequest {
    fn from(request: ChargeRequest) -> Self {
        let ChargeRequest { amount_minor, currency, order_reference, mode, charge_again, operator } = request;
        Self { amount_minor, currency, order_reference, mode: mode.into(), charge_again, operator }
    }
}

/// How a charge may reach the acquirer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ChargeMode {
    /// Live if there is a line, else offline within the policy.
    PreferOnline,
    /// Live or not at all.
    RequireOnline,
    /// Straight to the queue, within the policy.
    Offline,
}

impl From<ChargeMode> for takings_domain::event::ChargeMode {
    fn from(mode: ChargeMode) -> Self {
        match mode {
            ChargeMode::PreferOnline => Self::PreferOnline,
            ChargeMode::RequireOnline => Self::RequireOnline,
            ChargeMode::Offline => Self::Offline,
        }
    }
}

/// How a charge stands.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum ChargeOutcome {
    /// Accepted offline and on disk: let the customer go. The bank may still decline.
    Saved,
    /// Approved by the acquirer while the customer waited.
    Approved {
        /// Approved, minor units; less than asked for a partial approval: the balance is due.
        approved_minor: i64,
    },
    /// Nothing is charged; safe to repeat.
    NotCharged {
        /// Why: a word for `text_of` with the kind *cause*.
        cause: String,
        /// The policy's rule, the response code or the reader's word.
        detail: Option<String>,
    },
    /// Sent, and nobody knows: do not hand over, do not charge again. The till finds out.
    NotConfirmed,
}

impl Wire for takings_till::ChargeOutcome {
    type Out = ChargeOutcome;

    fn wire(self) -> ChargeOutcome {
        match self {
            Self::Saved => ChargeOutcome::Saved,
            Self::Approved { approved_minor } => ChargeOutcome::Approved { approved_minor },
            Self::NotCharged { cause, detail } => ChargeOutcome::NotCharged { cause, detail },
            Self::NotConfirmed => ChargeOutcome::NotConfirmed,
        }
    }
}
