//! What goes into a reader engine and what comes out of it, in words that fit every reader.

use std::fmt;

use takings_domain::{MaskedCard, Scheme};

use crate::emv::EmvData;
use crate::online_request::OnlineRequest;
use crate::outcome::Outcome;
use crate::prompt::Prompt;
use crate::trouble::{Asked, Fault, ReaderError, Refusal};
use crate::vendor::{VendorAbout, VendorCommand, VendorEvent};

/// The largest amount: EMV writes it in twelve digits.
const MAX_AMOUNT_MINOR: i64 = 999_999_999_999;
/// Currencies have so many decimal places at most.
const MAX_EXPONENT: u8 = 4;

/// One session with one reader, of whatever kind: the core's own protocol engine, or a vendor's SDK at arm's length.
///
/// Inputs come one at a time; every output of one input is carried out in order before the next.
pub trait ReaderSession: fmt::Debug + Send {
    /// Takes one input and returns what is to be done, in order. Nonsense from the reader is never an error: it becomes
    /// an event.
    ///
    /// # Errors
    /// [`ReaderError`] if the caller may not ask this now; nothing has changed then.
    fn handle(&mut self, input: ReaderInput<'_>) -> Result<Vec<ReaderOutput>, ReaderError>;
}

/// One thing that happened to the reader or that the merchant wants of it.
#[derive(Clone, Copy)]
pub enum ReaderInput<'a> {
    /// The link is up and notifications are enabled.
    LinkUp,
    /// The usable length of one value changed, in bytes (ATT MTU less three): for what is cut from now on.
    ValueLen(usize),
    /// One value from the reader.
    Bytes(&'a [u8]),
    /// The last [`ReaderOutput::Write`] was confirmed.
    WriteDone,
    /// The last [`ReaderOutput::Write`] failed.
    WriteFailed,
    /// The link is gone.
    LinkDown,
    /// A timer set before is due.
    Timer(TimerId),
    /// Take a payment.
    Start(StartRequest),
    /// Stop the payment if that is still possible. A request, not an outcome.
    Cancel,
    /// The cardholder chose this item of [`ReaderEvent::ChooseApplication`], counted from 0.
    ChooseApplication(u8),
    /// A vendor's SDK is connected to its reader: what it knows of it.
    VendorUp(&'a VendorAbout),
    /// A vendor's SDK says something.
    Vendor(&'a VendorEvent),
    /// A [`ReaderOutput::Command`] could not be handed to the SDK, or the SDK threw at it.
    CommandFailed(Asked),
}

impl fmt::Debug for ReaderInput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LinkUp => f.write_str("LinkUp"),
            Self::ValueLen(len) => write!(f, "ValueLen({len})"),
            Self::Bytes(bytes) => write!(f, "Bytes[{}]", bytes.len()),
            Self::WriteDone => f.write_str("WriteDone"),
            Self::WriteFailed => f.write_str("WriteFailed"),
            Self::LinkDown => f.write_str("LinkDown"),
            Self::Timer(id) => write!(f, "Timer({id:?})"),
            Self::Start(request) => write!(f, "{request:?}"),
            Self::Cancel => f.write_str("Cancel"),
            Self::ChooseApplication(index) => write!(f, "ChooseApplication({index})"),
            Self::VendorUp(about) => write!(f, "VendorUp({about:?})"),
            Self::Vendor(event) => write!(f, "Vendor({event:?})"),
            Self::CommandFailed(asked) => write!(f, "CommandFailed({asked:?})"),
        }
    }
}

/// The timers of one link session. Setting one that runs replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerId {
    /// The reader owes a response.
    Response,
    /// The payment must have ended.
    Payment,
    /// Receipt data, or an outcome that belongs to what was said, may still come.
    Closing,
}

/// A payment to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartRequest {
    /// In minor units; 1 to 999 999 999 999.
    pub amount_minor: i64,
    /// ISO 4217 number, 1 to 999.
    pub currency_numeric: u16,
    /// Decimal places, 0 to 4.
    pub currency_exponent: u8,
    /// Seconds for each cardholder step; not 0, which would mean for ever.
    pub timeout_s: u8,
    /// Accept an inserted chip.
    pub contact: bool,
    /// Accept a tap.
    pub contactless: bool,
    /// Accept a swipe.
    pub magstripe: bool,
    /// The chip was tried for this sale and failed: a card with a chip may be swiped.
    pub chip_failed: bool,
}

impl StartRequest {
    /// Holds the request to its bounds.
    ///
    /// # Errors
    /// [`ReaderError`] names the field that is out of bounds.
    pub fn check(&self) -> Result<(), ReaderError> {
        if !(1..=MAX_AMOUNT_MINOR).contains(&self.amount_minor) {
            return Err(ReaderError::InvalidAmount);
        }
        if !(1..=999).contains(&self.currency_numeric) || self.currency_exponent > MAX_EXPONENT {
            return Err(ReaderError::InvalidCurrency);
        }
        if self.timeout_s == 0 {
            return Err(ReaderError::InvalidTimeout);
        }
        if !(self.contact || self.contactless || self.magstripe) {
            return Err(ReaderError::NoInterface);
        }
        Ok(())
    }
}

/// One thing to do or to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderOutput {
    /// Write this value, with response. The next one comes after [`ReaderInput::WriteDone`].
    Write(Vec<u8>),
    /// Tell the vendor's SDK; [`ReaderInput::CommandFailed`] if that fails.
    Command(VendorCommand),
    /// Call back with [`ReaderInput::Timer`] after this long.
    SetTimer {
        /// Which timer.
        id: TimerId,
        /// Milliseconds from now.
        after_ms: u64,
    },
    /// Forget this timer.
    ClearTimer(TimerId),
    /// Close the link. The session is over; connect again with a new engine.
    Disconnect,
    /// Something to know.
    Event(ReaderEvent),
}

/// Something to know about the reader or the payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderEvent {
    /// The reader can take payments.
    Ready {
        /// What it says of itself.
        about: ReaderAbout,
    },
    /// The reader cannot take payments.
    OutOfService {
        /// What it says of itself; the serial is empty if it did not tell.
        about: ReaderAbout,
        /// Why.
        reason: OutOfServiceReason,
    },
    /// Show this.
    Prompt {
        /// What.
        prompt: Prompt,
        /// Offer to cancel.
        cancellable: bool,
    },
    /// Ask the cardholder, then send [`ReaderInput::ChooseApplication`].
    ChooseApplication(Vec<String>),
    /// A card is there.
    CardSeen(Interface),
    /// The card is gone.
    CardRemoved,
    /// Several cards were held to the reader.
    SeveralCards,
    /// The reader runs the payment.
    Started,
    /// The card data to send to the acquirer. At most once per payment. Keep it on disk before
    /// anything is said to the merchant.
    OnlineRequest(OnlineRequest),
    /// How the payment ended at the reader. At most once per payment.
    Outcome {
        /// In words that fit every reader.
        outcome: Outcome,
        /// The reader's own code; none if no code came and the outcome is unknown.
        code: Option<[u8; 4]>,
    },
    /// What the receipt needs.
    ReceiptData(ReceiptData),
    /// Charge the reader: percent left.
    BatteryLow(u8),
    /// The reader restarts by itself in so many minutes.
    ResetSoon {
        /// Minutes left.
        minutes: u8,
    },
    /// The reader switches off within a minute.
    PowerDownSoon,
    /// At least one message from the reader did not arrive, or one came again and was dropped. A running payment stays
    /// open.
    FrameLost,
    /// The link is gone, or the reader restarted behind it; and the payment with it or without it.
    LinkLost(LinkLoss),
    /// The reader refused a request. A refused start ends the payment: it never began.
    Refused {
        /// What was asked.
        asked: Asked,
        /// Why it was refused.
        refusal: Refusal,
    },
    /// Something went wrong that does not decide the payment by itself.
    Fault(Fault),
}

/// What a reader says of itself when it is connected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReaderAbout {
    /// As the reader tells it: seven hex digits, or a vendor's own form; may be empty there.
    pub serial: String,
    /// Model name; empty if the reader does not tell.
    pub model: String,
    /// Firmware version; empty if the reader does not tell.
    pub firmware: String,
    /// Charge left, percent; none if the reader does not tell.
    pub battery_percent: Option<u8>,
    /// It is on a charger; none if the reader does not tell.
    pub charging: Option<bool>,
    /// The terminal's number as it stands in the reader; empty if the reader does not tell.
    pub terminal_id: String,
}

/// Where the payment was when the link went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkLoss {
    /// No payment was open.
    Idle,
    /// The card data had not come: nothing can have been charged.
    BeforeOnlineRequest,
    /// The card data had come: the payment goes on without the reader.
    AfterOnlineRequest,
}

/// Why the reader cannot take payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutOfServiceReason {
    /// It was opened.
    Tampered,
    /// It says so; the bits say why: 0 tamper, 1 master key, 2 keys, 3 clock, 4 random numbers,
    /// 5 cryptography, 6 magnetic head.
    Offline {
        /// The reader's bits; none if it did not tell.
        detail: Option<u8>,
    },
    /// No transaction key is loaded: nothing could be encrypted.
    KeysMissing,
    /// It did not answer what must be known before a payment.
    NoAnswer(Refusal),
}

/// Where a card was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// Chip slot.
    Contact,
    /// Antenna.
    Contactless,
    /// Magnetic head.
    Magstripe,
}

/// What the receipt needs, allow-listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptData {
    /// The tags that may be kept.
    pub emv: EmvData,
    /// 00 no signature needed, 01 needed, 02 available, 03 done, 04 failed.
    pub signature: Option<u8>,
    /// The card, masked.
    pub card: Option<(MaskedCard, Scheme)>,
}
