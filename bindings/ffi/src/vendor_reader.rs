//! Another maker's card reader, behind its own SDK.

use std::sync::Arc;

use takings_till::{Asked, VendorCommand};

use crate::callbacks::Foreign;
use crate::error::TakingsError;
use crate::lane::{Lane, Unanswered};
use crate::records::VendorStart;
use crate::wire::Wire;

/// How long one call of the SDK may take.
const LONGEST_CALL_MS: u64 = 10_000;

/// A vendor's card reader (BBPOS, Datecs, …), as the app connects it: each method asks the SDK for something and returns.
/// What comes of it, the app tells `Charge.vendor_event`, in the order in which the SDK said it. Called on a thread of the
/// library's, one call after the other.
///
/// The SDK runs as Quick Chip: it gives the card's online request away and ends the payment at the card by itself; no
/// answer of the issuer's goes back to it. Only ciphertext that the acquirer's host alone can open may be passed: the
/// clear number, tracks, name, expiry and code never leave the SDK.
///
/// A call that throws, or takes longer than ten seconds, has failed. A start that failed before the card ends the charge:
/// nothing is charged, the reader is told to cancel, and what it says later is dropped. A call back into the charge or the
/// till from inside one of these methods is an error (`called_back`): where an SDK speaks while it is asked, put what it
/// says in a queue, and tell it from the thread that serves the reader.
#[uniffi::export(foreign)]
pub trait VendorReader: Send + Sync {
    /// Take a payment: a purchase by chip, tap or swipe. It is on the disk that it was begun. Tell `Started` when the SDK
    /// runs it, within twenty seconds; what came before that is taken for an older payment's.
    fn start(&self, request: VendorStart) -> Result<(), TakingsError>;

    /// Stop if that is still possible: a request. The SDK's end of it is told as an event like any other; if it is too
    /// late, tell `Failed`.
    fn cancel(&self) -> Result<(), TakingsError>;

    /// The cardholder chose this of the applications the SDK offered, counted from 0.
    fn choose_application(&self, index: u32) -> Result<(), TakingsError>;
}

/// The app's reader as a charge sees it.
pub(crate) struct HostReader {
    pub(crate) generation: u32,
    lane: Lane<VendorCommand, ()>,
}

impl HostReader {
    pub(crate) fn new(reader: Arc<dyn VendorReader>, generation: u32) -> Result<Self, TakingsError> {
        let reader = Foreign::new(reader);
        let serve = move |command| {
            reader.call(|reader| match command {
                VendorCommand::Start(start) => reader.start(start.wire()),
                VendorCommand::Cancel => reader.cancel(),
                VendorCommand::ChooseApplication { index } => reader.choose_application(index),
            })
        };
        Ok(Self { generation, lane: Lane::open("takings-vendor", LONGEST_CALL_MS, serve)? })
    }

    /// Tells the SDK, and waits until it heard. What it did not do comes back.
    pub(crate) fn carry(&self, command: VendorCommand) -> Result<(), Asked> {
        let asked = command.asked();
        self.lane.ask(command).map_err(|why| {
            if matches!((&why, asked), (Unanswered::Busy, Asked::Cancel)) {
                // It is not waited for, but a reader that comes back should not go on waiting for a card.
                self.lane.tell(VendorCommand::Cancel);
            }
            asked
        })
    }
}
