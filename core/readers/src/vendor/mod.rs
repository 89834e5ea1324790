//! A vendor's own SDK at arm's length: it runs the card and hands out ciphertext that only the acquirer's host can open.
//!
//! [`VendorSession`] stands beside the protocol engines, behind the same [`ReaderSession`](crate::ReaderSession). It
//! believes nothing: what an SDK says is bounded, masked again and put in order before anybody hears of it.
//!
//! * [`VendorAbout`], [`VendorEvent`], [`VendorCard`], [`VendorReceipt`]: what the SDK says. [`VendorCommand`]: what it is told.
//! * `session`: the order of things; `payment`: what is known of one. `checks`: what a word and a number may look like. `clear_data`: a net for what is no
//!   ciphertext.
//!
//! # What an adapter must keep to
//!
//! * The SDK runs as Quick Chip: it gives the card's online request away and ends the payment at the card by itself. No
//!   answer of the issuer's goes back to it.
//! * [`VendorEvent::Started`] comes first and names the start it answers: what comes before it, and after one that names
//!   another, is taken for another payment's.
//! * The clear number, tracks, name, expiry and code never leave the SDK. Only ciphertext is passed.

mod checks;
mod clear_data;
mod payment;
mod session;

use std::fmt;

use takings_domain::EntryMode;

use crate::interface::{Interface, StartRequest};
use crate::outcome::Outcome;
use crate::sensitive::SensitiveBytes;
use crate::trouble::Asked;

pub use session::VendorSession;

/// What a vendor's SDK knows of the reader it is connected to.
#[derive(Clone, PartialEq, Eq)]
pub struct VendorAbout {
    /// Its serial; what looks like a card number is shortened.
    pub serial: String,
    /// Model name; empty if it does not tell.
    pub model: String,
    /// Firmware version; empty if it does not tell.
    pub firmware: String,
    /// Percent, 0 to 100; none if it does not tell.
    pub battery_percent: Option<u32>,
    /// It is on a charger; none if it does not tell.
    pub charging: Option<bool>,
    /// It was opened: it takes no payments.
    pub tampered: bool,
    /// It has no key to encrypt with: it takes no payments.
    pub keys_missing: bool,
}

/// What to tell the SDK. Each is a request: what comes of it is told by events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VendorCommand {
    /// Take a payment.
    Start(StartRequest),
    /// Stop it if that is still possible.
    Cancel,
    /// The cardholder chose this of the items offered, counted from 0.
    ChooseApplication(u8),
}

impl VendorCommand {
    /// What [`ReaderInput::CommandFailed`](crate::ReaderInput::CommandFailed) names it by.
    #[must_use]
    pub const fn asked(&self) -> Asked {
        match self {
            Self::Start(_) => Asked::Start,
            Self::Cancel => Asked::Cancel,
            Self::ChooseApplication(_) => Asked::Choice,
        }
    }
}

/// What a vendor's SDK says.
#[derive(Clone, PartialEq, Eq)]
pub enum VendorEvent {
    /// It runs a payment: before this, and after it was said of another, nothing it says is about ours.
    Started {
        /// Of which start, as it was told there.
        charge: String,
    },
    /// Show this: the id of a [`Prompt`](crate::Prompt), or a text in any language; empty takes the last one away.
    Prompt {
        /// The id or the text.
        text: String,
        /// Offer to cancel.
        cancellable: bool,
    },
    /// Ask the cardholder which of these; answered by [`VendorCommand::ChooseApplication`].
    ChooseApplication(Vec<String>),
    /// A card is there.
    CardSeen(Interface),
    /// The card is gone.
    CardRemoved,
    /// Several cards were held to the reader.
    SeveralCards,
    /// The card data.
    Card(VendorCard),
    /// How it ended.
    Ended(Outcome),
    /// It cannot do what it was asked, as it says later.
    Failed(Asked),
    /// What the receipt needs, once, after the card data.
    ReceiptData(VendorReceipt),
    /// Charge the reader: percent left.
    BatteryLow(u32),
    /// It restarts by itself in so many minutes.
    RestartsSoon {
        /// Minutes left.
        minutes: u32,
    },
}

/// What an SDK tells for the receipt, as EMV writes it, in hex. What is empty or of an impossible size is taken for untold.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct VendorReceipt {
    /// The application, tag `9F06`: 5 to 16 bytes.
    pub aid_hex: String,
    /// Its name, `9F12` or `50`, as text.
    pub application_name: String,
    /// How the cardholder was verified, `9F34`: 3 bytes.
    pub cvm_result_hex: String,
    /// Terminal verification results, `95`: 5 bytes.
    pub tvr_hex: String,
    /// Transaction status information, `9B`: 2 bytes.
    pub tsi_hex: String,
    /// The cardholder has to sign.
    pub signature_needed: bool,
}

/// Card data as a vendor's SDK hands it out.
#[derive(Clone, PartialEq, Eq)]
pub struct VendorCard {
    /// Ciphertext and what opens it, verbatim, 1 byte to 16 KiB.
    pub ciphertext: SensitiveBytes,
    /// How the acquirer's host reads it, as agreed with the acquirer: 1 to 40 of `a-z 0-9 _ . -`.
    pub format: String,
    /// What the acquirer finds the key by: 1 to 64 of `A-Z a-z 0-9 _ . : -`. One that could be a card number is refused.
    pub key_id: String,
    /// The key serial number in hex, 10 to 32 bytes; empty if there is none.
    pub ksn_hex: String,
    /// The masked number, 12 to 19 digits with `*`, `X`, `#` or `•` for hidden ones; or the last four alone.
    pub masked_number: String,
    /// How the card was read.
    pub entry_mode: EntryMode,
}

impl fmt::Debug for VendorAbout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { serial, model, firmware, battery_percent, charging, tampered, keys_missing } = self;
        let (serial, model, firmware) = (serial.len(), model.len(), firmware.len());
        write!(f, "VendorAbout[{serial}, {model}, {firmware}, {battery_percent:?}, charging {charging:?}, ")?;
        write!(f, "tampered {tampered}, keys missing {keys_missing}]")
    }
}

/// Whatever an SDK puts in a text may be card data: only lengths are shown.
impl fmt::Debug for VendorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { charge } => write!(f, "Started[{}]", charge.len()),
            Self::Prompt { text, cancellable } => write!(f, "Prompt[{}, cancellable {cancellable}]", text.len()),
            Self::ChooseApplication(items) => write!(f, "ChooseApplication[{}]", items.len()),
            Self::CardSeen(interface) => write!(f, "CardSeen({interface:?})"),
            Self::CardRemoved => f.write_str("CardRemoved"),
            Self::SeveralCards => f.write_str("SeveralCards"),
            Self::Card(card) => write!(f, "{card:?}"),
            Self::Ended(outcome) => write!(f, "Ended({outcome:?})"),
            Self::Failed(asked) => write!(f, "Failed({asked:?})"),
            Self::ReceiptData(receipt) => write!(f, "{receipt:?}"),
            Self::BatteryLow(percent) => write!(f, "BatteryLow({percent})"),
            Self::RestartsSoon { minutes } => write!(f, "RestartsSoon({minutes})"),
        }
    }
}

impl fmt::Debug for VendorReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { aid_hex, application_name, cvm_result_hex, tvr_hex, tsi_hex, signature_needed } = self;
        let texts = [aid_hex, application_name, cvm_result_hex, tvr_hex, tsi_hex].map(String::len);
        write!(f, "VendorReceipt[{texts:?}, signature {signature_needed}]")
    }
}

impl fmt::Debug for VendorCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VendorCard")
            .field("ciphertext", &self.ciphertext.len())
            .field("format", &self.format.len())
            .field("key_id", &self.key_id.len())
            .field("ksn_hex", &self.ksn_hex.len())
            .field("masked_number", &self.masked_number.len())
            .field("entry_mode", &self.entry_mode)
            .finish()
    }
}
