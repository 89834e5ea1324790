//! A vendor's card reader: what its SDK is told, and what it says.

use std::fmt;

use takings_till::SensitiveBytes;

use crate::wire::Wire;

/// A payment for the SDK to take.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct VendorStart {
    /// Which charge this is: give it back in `VendorEvent.Started`. Keep it beside this start, not in a variable that the
    /// next one overwrites: what an SDK says late of an older payment is known by it.
    pub charge: String,
    /// Minor units, above zero.
    pub amount_minor: i64,
    /// ISO 4217, `CNY`.
    pub currency: String,
    /// ISO 4217 number, 156.
    pub currency_numeric: u32,
    /// Decimal places of the currency.
    pub currency_exponent: u32,
    /// How long the cardholder has for each step, seconds.
    pub timeout_s: u32,
}

impl Wire for takings_till::VendorStart {
    type Out = VendorStart;

    fn wire(self) -> VendorStart {
        let Self { charge, amount_minor, currency, currency_numeric, currency_exponent, timeout_s } = self;
        let (currency_numeric, currency_exponent) = (currency_numeric.into(), currency_exponent.into());
        VendorStart { charge, amount_minor, currency, currency_numeric, currency_exponent, timeout_s }
    }
}

/// What the SDK knows of the reader it is connected to. Printed it shows lengths.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug, Display)]
pub struct VendorAbout {
    /// Serial number.
    pub serial: String,
    /// Model name; empty if it does not tell.
    #[uniffi(default = "")]
    pub model: String,
    /// Firmware version; empty if it does not tell.
    #[uniffi(default = "")]
    pub firmware: String,
    /// Percent, 0 to 100; null if it does not tell.
    #[uniffi(default)]
    pub battery_percent: Option<u32>,
    /// It is on a charger; null if it does not tell.
    #[uniffi(default)]
    pub charging: Option<bool>,
    /// It was opened: it takes no payments.
    #[uniffi(default = false)]
    pub tampered: bool,
    /// It has no key to encrypt with: it takes no payments.
    #[uniffi(default = false)]
    pub keys_missing: bool,
}

impl fmt::Debug for VendorAbout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        takings_till::VendorAbout::from(self.clone()).fmt(f)
    }
}

/// What each language prints.
impl fmt::Display for VendorAbout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl From<VendorAbout> for takings_till::VendorAbout {
    fn from(about: VendorAbout) -> Self {
        let VendorAbout { serial, model, firmware, battery_percent, charging, tampered, keys_missing } = about;
        Self { serial, model, firmware, battery_percent, charging, tampered, keys_missing }
    }
}

/// Card data as the SDK hands it out: **ciphertext only**. Printed it shows lengths; do not log it in another way. It is not
/// kept after the payment's final answer.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug, Display)]
pub struct VendorCard {
    /// What the SDK encrypted for the acquirer's host, verbatim, 1 byte to 16 KiB. What looks like a clear number, track,
    /// name or expiry is refused (numbers in text; tracks in half-bytes; the tags 57, 5A, 5F20, 5F24; all that in hex, too).
    /// That is a net with holes: Base64, six-bit tracks or a bare number in half-bytes pass. The adapter answers for what
    /// it passes.
    pub ciphertext: Vec<u8>,
    /// How the acquirer's host reads it, a word agreed with the acquirer: 1 to 40 of `a-z 0-9 _ . -`.
    pub format: String,
    /// What the acquirer finds the key by: 1 to 64 of `A-Z a-z 0-9 _ . : -`, and nothing that could be a card number.
    pub key_id: String,
    /// The key serial number in hex, 10 to 32 bytes; empty if there is none.
    #[uniffi(default = "")]
    pub ksn_hex: String,
    /// The number as the SDK masks it, 12 to 19 digits with `*`, `X`, `#` or `•` for hidden ones, or the last four alone.
    /// It is masked again: at most the first six and the last four are kept.
    pub masked_number: String,
    /// How the card was read.
    pub entry: VendorEntry,
}

impl fmt::Debug for VendorCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ciphertext, format, key_id, ksn_hex, masked_number, entry } = self;
        let texts = [format, key_id, ksn_hex, masked_number].map(String::len);
        write!(f, "VendorCard[{}, {texts:?}, {entry:?}]", ciphertext.len())
    }
}

/// What each language prints.
impl fmt::Display for VendorCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl From<VendorCard> for takings_till::VendorCard {
    fn from(card: VendorCard) -> Self {
        let VendorCard { ciphertext, format, key_id, ksn_hex, masked_number, entry } = card;
        let ciphertext = SensitiveBytes::new(ciphertext);
        Self { ciphertext, format, key_id, ksn_hex, masked_number, entry_mode: entry.into() }
    }
}

/// What the SDK tells for the receipt, as EMV writes it, in hex. What is empty or of an impossible size is taken for untold.
/// Printed it shows lengths.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug, Display)]
pub struct VendorReceipt {
    /// The application, tag `9F06`: 5 to 16 bytes.
    #[uniffi(default = "")]
    pub aid_hex: String,
    /// Its name, `9F12` or `50`, as text.
    #[uniffi(default = "")]
    pub application_name: String,
    /// How the cardholder was verified, `9F34`: 3 bytes.
    #[uniffi(default = "")]
    pub cvm_result_hex: String,
    /// Terminal verification results, `95`: 5 bytes.
    #[uniffi(default = "")]
    pub tvr_hex: String,
    /// Transaction status information, `9B`: 2 bytes.
    #[uniffi(default = "")]
    pub tsi_hex: String,
    /// The cardholder has to sign: the merchant's copy gets a line for it.
    #[uniffi(default = false)]
    pub signature_needed: bool,
}

impl fmt::Debug for VendorReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        takings_till::VendorReceipt::from(self.clone()).fmt(f)
    }
}

/// What each language prints.
impl fmt::Display for VendorReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl From<VendorReceipt> for takings_till::VendorReceipt {
    fn from(receipt: VendorReceipt) -> Self {
        let VendorReceipt { aid_hex, application_name, cvm_result_hex, tvr_hex, tsi_hex, signature_needed } = receipt;
        Self { aid_hex, application_name, cvm_result_hex, tvr_hex, tsi_hex, signature_needed }
    }
}

/// How a card was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum VendorEntry {
    /// Inserted.
    Chip,
    /// Tapped.
    Contactless,
    /// Swiped, a card without chip.
    Stripe,
    /// Swiped after the chip failed.
    Fallback,
}

impl From<VendorEntry> for takings_till::EntryMode {
    fn from(entry: VendorEntry) -> Self {
        match entry {
            VendorEntry::Chip => Self::Chip,
            VendorEntry::Contactless => Self::Contactless,
            VendorEntry::Stripe => Self::Stripe,
            VendorEntry::Fallback => Self::Fallback,
        }
    }
}

/// How a payment ended at the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum VendorEnd {
    /// The bank decides later: the usual end of Quick Chip.
    Deferred,
    /// The card approved it after the SDK's own answer.
    ApprovedByCard,
    /// The card approved it by itself.
    ApprovedOffline,
    /// Declined.
    Declined,
    /// The card declined it by itself.
    DeclinedOffline,
    /// Chip, tap or swipe: another of them.
    TryOtherInterface,
    /// The same again.
    TryAgain,
    /// The chip was not read: once more.
    FallbackChipRetry,
    /// The chip does not work: swipe.
    FallbackMagstripe,
    /// Stopped, by the cardholder or because it was told to.
    Cancelled,
    /// The cardholder took too long.
    TimedOut,
    /// The card is not accepted.
    NotAccepted,
    /// The card could not be read.
    ReadError,
    /// The reader or the card failed.
    Failed,
    /// Anything else: it is unknown how it ended.
    Other,
}

impl From<VendorEnd> for takings_till::ReaderOutcome {
    fn from(end: VendorEnd) -> Self {
        match end {
            VendorEnd::Deferred => Self::Deferred,
            VendorEnd::ApprovedByCard => Self::ApprovedByCard,
            VendorEnd::ApprovedOffline => Self::ApprovedOffline,
            VendorEnd::Declined => Self::Declined,
            VendorEnd::DeclinedOffline => Self::DeclinedOffline,
            VendorEnd::TryOtherInterface => Self::TryOtherInterface,
            VendorEnd::TryAgain => Self::TryAgain,
            VendorEnd::FallbackChipRetry => Self::FallbackChipRetry,
            VendorEnd::FallbackMagstripe => Self::FallbackMagstripe,
            VendorEnd::Cancelled => Self::Cancelled,
            VendorEnd::TimedOut => Self::TimedOut,
            VendorEnd::NotAccepted => Self::NotAccepted,
            VendorEnd::ReadError => Self::ReadError,
            VendorEnd::Failed => Self::Failed,
            VendorEnd::Other => Self::Unknown,
        }
    }
}

/// What the SDK was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum VendorAsked {
    /// To take a payment.
    Start,
    /// To stop it.
    Cancel,
    /// To use the application that the cardholder chose.
    Choice,
}

impl From<VendorAsked> for takings_till::Asked {
    fn from(asked: VendorAsked) -> Self {
        match asked {
            VendorAsked::Start => Self::Start,
            VendorAsked::Cancel => Self::Cancel,
            VendorAsked::Choice => Self::Choice,
        }
    }
}

/// What the SDK says. It is bounded, masked again and put in order here: of several card data and several ends of one
/// payment the first stand.
#[derive(Clone, PartialEq, Eq, uniffi::Enum)]
#[uniffi::export(Debug, Display)]
pub enum VendorEvent {
    /// It runs a payment: the first event of each. One of another charge is passed over, with all that follows it.
    Started {
        /// `VendorStart.charge` of the start that it runs.
        charge: String,
    },
    /// Something to show: an id of ours (`insert_card`, `present_card`, `please_wait`, …), or a text in any language.
    Prompt {
        /// The id or the text; empty takes the last one away.
        text: String,
        /// Offer to cancel.
        cancellable: bool,
    },
    /// The cardholder is to choose an application: the step's prompt carries them, `Charge.choose_application` answers.
    ChooseApplication {
        /// Their names, sixteen at most.
        items: Vec<String>,
    },
    /// A card is there.
    CardSeen {
        /// Where.
        entry: VendorEntry,
    },
    /// The card is gone.
    CardRemoved,
    /// Several cards were held to the reader.
    SeveralCards,
    /// The card data. When the call returns it is on the disk, or the charge is not made with it.
    CardData {
        /// Ciphertext, and what tells the acquirer how to open it.
        card: VendorCard,
    },
    /// How it ended at the reader. After the card data this only adds to the record.
    Ended {
        /// How.
        outcome: VendorEnd,
    },
    /// It cannot do what it was asked, as it says later.
    Failed {
        /// What was asked.
        asked: VendorAsked,
    },
    /// What the receipt needs: once, after the card data. It adds to the record alone.
    ReceiptData {
        /// Application, verification, signature.
        receipt: VendorReceipt,
    },
    /// Charge the reader.
    BatteryLow {
        /// Percent left.
        percent: u32,
    },
    /// The reader restarts by itself: no payment is begun in the minute before.
    RestartsSoon {
        /// Minutes left.
        minutes: u32,
    },
}

/// What an SDK calls a text may be card data: only the kind is shown.
impl fmt::Debug for VendorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        takings_till::VendorEvent::from(self.clone()).fmt(f)
    }
}

/// What each language prints.
impl fmt::Display for VendorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl From<VendorEvent> for takings_till::VendorEvent {
    fn from(event: VendorEvent) -> Self {
        match event {
            VendorEvent::Started { charge } => Self::Started { charge },
            VendorEvent::Prompt { text, cancellable } => Self::Prompt { text, cancellable },
            VendorEvent::ChooseApplication { items } => Self::ChooseApplication(items),
            VendorEvent::CardSeen { entry } => Self::CardSeen(match entry {
                VendorEntry::Chip => takings_till::Interface::Contact,
                VendorEntry::Contactless => takings_till::Interface::Contactless,
                VendorEntry::Stripe | VendorEntry::Fallback => takings_till::Interface::Magstripe,
            }),
            VendorEvent::CardRemoved => Self::CardRemoved,
            VendorEvent::SeveralCards => Self::SeveralCards,
            VendorEvent::CardData { card } => Self::Card(card.into()),
            VendorEvent::Ended { outcome } => Self::Ended(outcome.into()),
            VendorEvent::Failed { asked } => Self::Failed(asked.into()),
            VendorEvent::ReceiptData { receipt } => Self::ReceiptData(receipt.into()),
            VendorEvent::BatteryLow { percent } => Self::BatteryLow(percent),
            VendorEvent::RestartsSoon { minutes } => Self::RestartsSoon { minutes },
        }
    }
}
