//! Bluetooth card readers: bytes in, bytes out.
//!
//! Pure: no clock, no randomness, no I/O, no async. The owner moves values between the radio and a
//! [`ReaderSession`], keeps its timers, and acts on its events. There are two kinds of session: a protocol engine of our
//! own, and a vendor's SDK at arm's length. Both make the same events, and the same promises hold.
//!
//! * [`interface`]: what goes in and what comes out, in words that fit every reader. [`trouble`]: what goes wrong.
//! * [`Reader`] in [`dynaflex`]: the engine for the MagTek DynaFlex II Go.
//! * [`VendorSession`] in [`vendor`]: another maker's reader behind its own SDK.
//! * [`emv`]: which tags may be kept, and what they say.
//! * [`online_request`]: the card data for the acquirer.
//! * [`outcome`]: how a card presentation ended; an unlisted code is unknown.
//! * [`prompt`]: the reader's texts as ids.
//! * [`masked_card`]: masking again what a reader calls masked.
//! * [`link`]: messages over Bluetooth values, with loss noticed.
//! * [`tlv`]: the tolerant BER reader and the strict writer.
//! * [`sensitive`]: bytes that are wiped and never printed.
//! * [`simulated`]: a reader that is not there, speaking the same bytes.
//!
//! Full EMV with an issuer answer is not part of this: payments run as Quick Chip.

mod digits;
pub mod dynaflex;
pub mod emv;
pub mod interface;
pub mod link;
pub mod masked_card;
pub mod online_request;
pub mod outcome;
pub mod prompt;
pub mod sensitive;
pub mod simulated;
pub mod tlv;
pub mod trouble;
pub mod vendor;

pub use dynaflex::Reader;
pub use interface::{
    Interface, LinkLoss, OutOfServiceReason, ReaderAbout, ReaderEvent, ReaderInput, ReaderOutput, ReaderSession,
    ReceiptData, StartRequest, TimerId,
};
pub use online_request::{BlobFormat, OnlineRequest};
pub use outcome::Outcome;
pub use prompt::Prompt;
pub use sensitive::SensitiveBytes;
pub use takings_domain::{EntryMode, MaskedCard, Scheme};
pub use trouble::{Asked, Fault, ReaderError, Refusal};
pub use vendor::{VendorAbout, VendorCard, VendorCommand, VendorEvent, VendorReceipt, VendorSession};
