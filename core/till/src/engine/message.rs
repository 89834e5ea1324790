//! What comes into the engine, and what goes out of it.

use takings_acquirers::SignedRequest;
use takings_acquirers::http::Carried;
use takings_domain::{OperationId, PaymentId};

use super::reader::LinkEvent;
use crate::charge::{ChargeOutcome, ChargeRequest, Step};
use crate::error::TillError;
use crate::views::{ActivationView, SignOnView, StatusView, SyncReport, VerifyReport};

/// Names the caller of a command, so that its reply finds it.
pub type Ticket = u64;

/// What comes in.
pub enum Input {
    /// A caller wants something; a reply effect with this ticket follows, now or later.
    Command(Ticket, Command),
    /// A request came to its end.
    Answer(OperationId, Carried),
    /// Time passed.
    Tick,
}

/// What a caller can want.
pub enum Command {
    /// See `Till::activate`.
    Activate {
        /// As the acquirer gave it.
        code: String,
    },
    /// See `Till::sign_on`.
    SignOn,
    /// See `Till::charge`.
    Charge(ChargeRequest),
    /// Something happened on the link to the reader.
    Link {
        /// Whose charge.
        payment: PaymentId,
        /// What.
        event: LinkEvent,
    },
    /// Waits until the charge is decided.
    Outcome {
        /// Which.
        payment: PaymentId,
    },
    /// Nobody holds the charge any more.
    Leave {
        /// Which.
        payment: PaymentId,
    },
    /// See `Till::sync`.
    Sync {
        /// Milliseconds.
        budget_ms: u64,
    },
    /// See `Till::cancel`.
    Cancel {
        /// Which.
        payment: PaymentId,
        /// Who is at the till.
        operator: Option<String>,
    },
    /// See `Till::mark_service`.
    MarkService {
        /// Which.
        payment: PaymentId,
        /// The goods were handed over.
        given: bool,
        /// Who is at the till.
        operator: Option<String>,
    },
    /// See `Till::acknowledge`.
    Acknowledge {
        /// The last alert heard.
        upto: u64,
    },
    /// A receipt is printed once more.
    CountReceipt {
        /// Of which payment.
        payment: PaymentId,
        /// Whose copy.
        copy: &'static str,
    },
    /// See `Till::status`.
    Status,
    /// See `Till::verify`.
    Verify,
    /// See `Till::tick`.
    Tick,
    /// See `Till::going_to_background`.
    Background,
    /// Fails in the middle of its work, for tests.
    #[cfg(any(test, feature = "panicking"))]
    Panic,
}

/// What a caller gets.
#[derive(Debug)]
pub enum Reply {
    /// It is done.
    Done,
    /// Whose till it is now.
    Activated(ActivationView),
    /// The session.
    SignedOn(SignOnView),
    /// The intent is on disk.
    Charging(PaymentId),
    /// What the link's event brought.
    Step(Step),
    /// How the charge stands.
    Outcome(ChargeOutcome),
    /// How the contact went.
    Synced(SyncReport),
    /// How often this copy was printed before.
    ReceiptCount(u32),
    /// How the till is.
    Status(Box<StatusView>),
    /// What checking everything found.
    Verified(VerifyReport),
}

/// What goes out, after the commit that records it.
pub enum Effect {
    /// Carry this to the acquirer and come back with [`Input::Answer`].
    Send {
        /// Names the request.
        op: OperationId,
        /// What to carry, once.
        request: SignedRequest,
        /// How long the answer may take, milliseconds.
        timeout_ms: u64,
    },
    /// Answer a caller.
    Reply(Ticket, Result<Reply, TillError>),
    /// Come back with [`Input::Tick`] at this wall-clock instant, milliseconds UTC; replaces any earlier one.
    WakeAt(i64),
}
