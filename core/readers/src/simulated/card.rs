//! The card a simulated customer holds, as a script.

use takings_domain::EntryMode;

use crate::digits::passes_luhn;
use crate::emv;

/// What the card and its holder do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Quick Chip to its end: card data, deferred, batch.
    Normal,
    /// The chip card is pulled before it was read.
    RemovedEarly,
    /// Two cards on the antenna first, then one.
    CollisionThenNormal,
    /// The card holds several applications; the cardholder has to choose.
    ChooseApplication(Vec<String>),
    /// The holder cancels on the reader.
    UserCancels,
    /// Ends with this "operation complete" code and no card data.
    EndsWith([u8; 4]),
    /// Card data, and then this code in place of "deferred".
    OnlineThenEndsWith([u8; 4]),
    /// Quick Chip, with the card data sent twice.
    CardDataTwice,
    /// A card with a chip is swiped, though nobody tried its chip.
    ChipCardSwiped,
}

/// One presentation of one card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardScript {
    /// Leading digits of the number; the reader shows the first four, or six where it was told to.
    pub leading: String,
    /// The last four digits.
    pub last_four: String,
    /// How many digits the number has, 14 to 19.
    pub number_len: usize,
    /// How it is presented.
    pub entry_mode: EntryMode,
    /// How its holder is verified, as EMV tag `9F34` says it: `1F0302` not at all, `1E0300` by signature.
    pub cvm_result: [u8; 3],
    /// What happens then.
    pub behaviour: Behaviour,
}

/// Nobody is asked for anything.
pub const NO_VERIFICATION: [u8; 3] = [0x1F, 0x03, 0x02];
/// The holder signs the receipt.
pub const BY_SIGNATURE: [u8; 3] = [0x1E, 0x03, 0x00];

impl CardScript {
    /// A card of 16 digits that behaves.
    #[must_use]
    pub fn new(leading: &str, last_four: &str, entry_mode: EntryMode) -> Self {
        Self {
            leading: leading.to_owned(),
            last_four: last_four.to_owned(),
            number_len: 16,
            entry_mode,
            cvm_result: NO_VERIFICATION,
            behaviour: Behaviour::Normal,
        }
    }

    /// The same card behaving so.
    #[must_use]
    pub fn behaving(mut self, behaviour: Behaviour) -> Self {
        self.behaviour = behaviour;
        self
    }

    /// Whether card data comes of it.
    #[must_use]
    pub fn gives_data(&self) -> bool {
        !matches!(self.behaviour, Behaviour::RemovedEarly | Behaviour::UserCancels | Behaviour::EndsWith(_))
    }

    /// The same card, its holder verified so.
    #[must_use]
    pub fn verified(mut self, cvm_result: [u8; 3]) -> Self {
        self.cvm_result = cvm_result;
        self
    }

    pub(super) fn wants_signature(&self) -> bool {
        emv::verification(self.cvm_result, self.entry_mode).is_some_and(emv::wants_signature)
    }

    /// A stripe has no application.
    pub(super) fn has_chip_data(&self) -> bool {
        matches!(self.entry_mode, EntryMode::Chip | EntryMode::Contactless)
    }

    /// First byte of every code that tells of this card.
    pub(super) fn technology(&self) -> u8 {
        match self.entry_mode {
            EntryMode::Chip => 0x10,
            EntryMode::Contactless => 0x20,
            EntryMode::Stripe | EntryMode::Fallback => 0x08,
            EntryMode::Manual => 0x07,
        }
    }

    /// The card type in the card data.
    pub(super) fn card_type(&self) -> u8 {
        match self.entry_mode {
            EntryMode::Stripe if self.behaviour == Behaviour::ChipCardSwiped => 0x07,
            EntryMode::Chip => 0x05,
            EntryMode::Contactless => 0x06,
            EntryMode::Stripe => 0x01,
            EntryMode::Fallback => 0x07,
            EntryMode::Manual => 0x03,
        }
    }

    /// ISO 8583 entry mode, for the receipt.
    pub(super) fn entry_mode_code(&self) -> u8 {
        match self.entry_mode {
            EntryMode::Chip => 0x05,
            EntryMode::Contactless => 0x07,
            EntryMode::Stripe => 0x90,
            EntryMode::Fallback => 0x80,
            EntryMode::Manual => 0x01,
        }
    }

    /// The application the batch names: by scheme, as on real cards.
    pub(super) fn aid(&self) -> &'static [u8] {
        use takings_domain::Scheme;
        match crate::masked_card::scheme_of(&self.leading) {
            Scheme::Visa => &[0xA0, 0, 0, 0, 0x03, 0x10, 0x10],
            Scheme::Amex => &[0xA0, 0, 0, 0, 0x25, 0x01],
            Scheme::Discover | Scheme::Diners => &[0xA0, 0, 0, 0x01, 0x52, 0x30, 0x10],
            Scheme::Jcb => &[0xA0, 0, 0, 0, 0x65, 0x10, 0x10],
            Scheme::Unionpay => &[0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01, 0x01],
            Scheme::Mastercard | Scheme::Unknown => &[0xA0, 0, 0, 0, 0x04, 0x10, 0x10],
        }
    }

    /// The name the batch gives the application.
    pub(super) fn application_name(&self) -> &'static str {
        use takings_domain::Scheme;
        match crate::masked_card::scheme_of(&self.leading) {
            Scheme::Visa => "VISA CREDIT",
            Scheme::Amex => "AMERICAN EXPRESS",
            Scheme::Discover | Scheme::Diners => "DISCOVER",
            Scheme::Jcb => "JCB CREDIT",
            Scheme::Unionpay => "UNIONPAY DEBIT",
            Scheme::Mastercard | Scheme::Unknown => "MASTERCARD",
        }
    }

    /// The masked number as a real reader writes it: so many digits, zeros with one of them changed so
    /// that the check digit fits, four digits.
    pub(super) fn masked_number(&self, visible: u8) -> Vec<u8> {
        let len = self.number_len.clamp(14, 19);
        let mut digits: Vec<u8> = vec![b'0'; len];
        let plain = |text: &str| -> Vec<u8> { text.bytes().filter(u8::is_ascii_digit).collect() };
        for (digit, &from) in digits.iter_mut().zip(plain(&self.leading).iter().take(usize::from(visible.min(6)))) {
            *digit = from;
        }
        let last = plain(&self.last_four);
        for (digit, &from) in digits.iter_mut().rev().zip(last.iter().rev().take(4)) {
            *digit = from;
        }
        for value in b'0'..=b'9' {
            if let Some(digit) = digits.get_mut(len / 2) {
                *digit = value;
            }
            let values: Vec<u8> = digits.iter().map(|digit| digit.wrapping_sub(b'0')).collect();
            if passes_luhn(&values) {
                break;
            }
        }
        digits
    }
}
