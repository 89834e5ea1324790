//! What may be known of a card: its scheme, how it was read, and six plus four digits at most.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::axes::words;

words! {
    /// The card scheme, from the leading digits.
    Scheme {
        /// Visa.
        Visa => "visa",
        /// Mastercard.
        Mastercard => "mastercard",
        /// American Express.
        Amex => "amex",
        /// Discover.
        Discover => "discover",
        /// Diners Club.
        Diners => "diners",
        /// JCB.
        Jcb => "jcb",
        /// UnionPay.
        Unionpay => "unionpay",
        /// None of these, or hidden: rules that name schemes deny it.
        Unknown => "unknown",
    }
}

words! {
    /// How the card was read.
    EntryMode {
        /// Inserted chip.
        Chip => "chip",
        /// Tapped.
        Contactless => "contactless",
        /// Swiped.
        Stripe => "stripe",
        /// Swiped after the chip failed.
        Fallback => "fallback",
        /// Digits keyed into the reader, which encrypts them.
        Manual => "manual",
    }
}

/// A card number with everything hidden but the first six digits at most and the last four.
///
/// Both `Debug` and `Display` show `•••• 1234`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RawMaskedCard")]
pub struct MaskedCard {
    first: String,
    last_four: String,
}

/// As it was written; masked again when it is read (promise P8).
#[derive(Deserialize)]
struct RawMaskedCard {
    first: String,
    last_four: String,
}

impl From<RawMaskedCard> for MaskedCard {
    fn from(raw: RawMaskedCard) -> Self {
        Self::new(&raw.first, &raw.last_four)
    }
}

impl MaskedCard {
    /// Keeps at most six leading digits and four last ones. Anything that is not a digit ends the part.
    #[must_use]
    pub fn new(first: &str, last_four: &str) -> Self {
        let first = first.chars().take_while(char::is_ascii_digit).take(6).collect();
        let kept: Vec<char> = last_four.chars().rev().take_while(char::is_ascii_digit).take(4).collect();
        Self { first, last_four: kept.into_iter().rev().collect() }
    }

    /// The visible leading digits, six at most; the reader may show fewer, or none.
    #[must_use]
    pub fn first(&self) -> &str {
        &self.first
    }

    /// The last four digits, as printed on receipts.
    #[must_use]
    pub fn last_four(&self) -> &str {
        &self.last_four
    }
}

impl fmt::Display for MaskedCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "•••• {}", self.last_four)
    }
}

impl fmt::Debug for MaskedCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_no_card_data_beyond_six_and_four() {
        let card = MaskedCard::new("54130000", "80000029");
        assert_eq!((card.first(), card.last_four()), ("541300", "0029"));
        assert_eq!(format!("{card:?} {card}"), "•••• 0029 •••• 0029");
        let read: MaskedCard = serde_json::from_str(r#"{"first":"54130000","last_four":"80000029"}"#).unwrap();
        assert_eq!(read, card);
    }
}
