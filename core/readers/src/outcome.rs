//! How a card presentation ended, in words that fit every reader, and the codes of one family of them.
//!
//! An unlisted code is [`Outcome::Unknown`]: never an approval, never a decline.

/// How a card presentation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Approved online and confirmed by the card.
    ApprovedByCard,
    /// The chip approved by itself.
    ApprovedOffline,
    /// The reader leaves the decision to the host: Quick Chip.
    Deferred,
    /// Declined.
    Declined,
    /// The chip declined by itself.
    DeclinedOffline,
    /// Try another interface.
    TryOtherInterface,
    /// Present the card again.
    TryAgain,
    /// The chip failed for technical reasons: insert it again.
    FallbackChipRetry,
    /// The chip does not work: swipe.
    FallbackMagstripe,
    /// Cancelled, by the host or on the reader.
    Cancelled,
    /// No card in time.
    TimedOut,
    /// This card or application is not accepted.
    NotAccepted,
    /// The card could not be read.
    ReadError,
    /// The reader gave up.
    Failed,
    /// Not known: an unlisted code, contradictory data, or an answer that never came.
    Unknown,
}

impl Outcome {
    /// Every outcome, in the order above.
    pub const ALL: &'static [Self] = &[
        Self::ApprovedByCard,
        Self::ApprovedOffline,
        Self::Deferred,
        Self::Declined,
        Self::DeclinedOffline,
        Self::TryOtherInterface,
        Self::TryAgain,
        Self::FallbackChipRetry,
        Self::FallbackMagstripe,
        Self::Cancelled,
        Self::TimedOut,
        Self::NotAccepted,
        Self::ReadError,
        Self::Failed,
        Self::Unknown,
    ];

    /// The outcome of this word; a word that is on no list is [`Outcome::Unknown`].
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        Self::ALL.iter().copied().find(|outcome| outcome.as_str() == word).unwrap_or(Self::Unknown)
    }

    /// An end that means nothing without card data: whoever hears it first waits for that a moment longer.
    #[must_use]
    pub const fn needs_card_data(self) -> bool {
        matches!(self, Self::Deferred | Self::ApprovedByCard | Self::ApprovedOffline)
    }

    /// The word for JSON and the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApprovedByCard => "approved_by_card",
            Self::ApprovedOffline => "approved_offline",
            Self::Deferred => "deferred",
            Self::Declined => "declined",
            Self::DeclinedOffline => "declined_offline",
            Self::TryOtherInterface => "try_other_interface",
            Self::TryAgain => "try_again",
            Self::FallbackChipRetry => "fallback_chip_retry",
            Self::FallbackMagstripe => "fallback_magstripe",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::NotAccepted => "not_accepted",
            Self::ReadError => "read_error",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// What an "operation complete" code means for the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// The transaction ended so.
    Decided(Outcome),
    /// The reader goes online: the end is still to come.
    Interim,
    /// Closes what was already decided.
    Confirmation,
    /// Says nothing about the transaction.
    Irrelevant,
}

const MAGSTRIPE: u8 = 0x08;
const CONTACT: u8 = 0x10;
const CONTACTLESS: u8 = 0x20;

/// Reads a DynaFlex "operation complete" code: technology, reason, detail, extra.
#[must_use]
pub fn completion(code: [u8; 4]) -> Completion {
    use Completion::{Confirmation, Decided, Irrelevant};
    match code {
        [0x00, 0x01, 0x00, 0x00] => Decided(Outcome::TimedOut),
        [0x00, 0x03, 0x01 | 0x02, 0x00] => Decided(Outcome::Cancelled),
        [MAGSTRIPE | 0x07, 0x03, 0x05, 0x00] => Decided(Outcome::ReadError),
        [CONTACT | CONTACTLESS, 0x04, 0x07, 0x00] | [0x07, 0x04, 0x00, 0x00] => Confirmation,
        [CONTACTLESS, 0x05, 0x00, 0x00] => Irrelevant,
        [CONTACT, 0x02, detail, extra] => kernel(detail, extra, true),
        [CONTACTLESS, 0x02, detail, extra] => kernel(detail, extra, false),
        [MAGSTRIPE, 0x02, detail @ (0x06 | 0x07 | 0x80), extra] => kernel(detail, extra, false),
        _ => Decided(Outcome::Unknown),
    }
}

fn kernel(detail: u8, extra: u8, contact: bool) -> Completion {
    let outcome = match (detail, extra) {
        (0x00 | 0x0F, 0x02) if contact => Outcome::FallbackChipRetry,
        (0x08 | 0x09, 0x03) if contact => Outcome::FallbackMagstripe,
        // Extra 01 wants a signature; 04 to 06 tell how models with a touch screen fared with it.
        (0x02, 0x00 | 0x01 | 0x04..=0x06) => Outcome::ApprovedOffline,
        (0x06, 0x00 | 0x01 | 0x04..=0x06) => Outcome::ApprovedByCard,
        (0x07, 0x00 | 0x01 | 0x04..=0x06) => Outcome::Deferred,
        (0x80, 0x00 | 0x01 | 0x04..=0x06) => Outcome::Declined,
        (0x01, 0x00) => Outcome::TryOtherInterface,
        (0x03, 0x00) => Outcome::DeclinedOffline,
        (0x00 | 0x04 | 0x08 | 0x0F, 0x00) => Outcome::Failed,
        (0x05 | 0x09 | 0x10, 0x00) => Outcome::NotAccepted,
        (0x0A, 0x00) => Outcome::Cancelled,
        (0x0B..=0x0D, 0x00) => Outcome::TryAgain,
        (0x0E, 0x00) => return Completion::Interim,
        _ => Outcome::Unknown,
    };
    Completion::Decided(outcome)
}

/// Whether this code asks for the cardholder's signature.
#[must_use]
pub fn signature_wanted(code: [u8; 4]) -> bool {
    matches!(code, [_, 0x02, 0x02 | 0x06 | 0x07 | 0x80, 0x01])
        && completion(code) != Completion::Decided(Outcome::Unknown)
}
