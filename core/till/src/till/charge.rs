//! One card at one reader, as a shell holds it.

use std::sync::Arc;

use takings_domain::PaymentId;

use super::{Inner, expect_reply};
use crate::charge::{Asked, ChargeOutcome, Step, VendorAbout, VendorEvent};
use crate::engine::{Command, LinkEvent, Reply};
use crate::error::TillError;

/// One charge: one card at one reader. Synchronous, for the one thread that serves the reader, so that its values
/// cannot overtake each other.
pub struct Charge {
    inner: Arc<Inner>,
    payment: PaymentId,
    payment_text: String,
}

impl Charge {
    pub(super) fn new(inner: Arc<Inner>, payment: PaymentId) -> Self {
        Self { inner, payment, payment_text: payment.to_string() }
    }

    /// The payment this charge is.
    #[must_use]
    pub fn payment_id(&self) -> &str {
        &self.payment_text
    }

    /// The link to the reader is up, notifications are on. `value_len` is the usable length of one value (ATT MTU less
    /// 3); `generation` numbers the link, and values of another generation are ignored: larger for each link of a charge.
    ///
    /// # Errors
    /// *Fix input* while another link is up (`link_is_up`) or for a number that is not larger than the last one
    /// (`generation`); *not found* after the charge is over; *storage* if the disk fails, and then nothing was said to the reader.
    pub fn link_up(&self, value_len: u32, generation: u32) -> Result<Step, TillError> {
        self.step(LinkEvent::Up { value_len, generation })
    }

    /// The usable length of one value changed while the link is up (ATT MTU less 3): for what is written from now on.
    ///
    /// # Errors
    /// As [`Charge::link_up`]; *fix input* for a vendor's reader, which has no values.
    pub fn value_length(&self, generation: u32, value_len: u32) -> Result<Step, TillError> {
        self.step(LinkEvent::ValueLen { generation, value_len })
    }

    /// One value from the reader.
    ///
    /// # Errors
    /// As [`Charge::link_up`].
    pub fn bytes(&self, generation: u32, value: &[u8]) -> Result<Step, TillError> {
        self.step(LinkEvent::Bytes { generation, value: value.to_vec() })
    }

    /// The last write was confirmed.
    ///
    /// # Errors
    /// As [`Charge::link_up`].
    pub fn write_done(&self, generation: u32) -> Result<Step, TillError> {
        self.step(LinkEvent::WriteDone { generation })
    }

    /// The last write failed, mostly because the link is going: nothing is written on it any more, and `link_down` is
    /// waited for. A link that stays up all the same is given up after five seconds.
    ///
    /// # Errors
    /// As [`Charge::link_up`].
    pub fn write_failed(&self, generation: u32) -> Result<Step, TillError> {
        self.step(LinkEvent::WriteFailed { generation })
    }

    /// The link is gone. Before the card was read the charge waits for a new one, or for [`Charge::cancel`];
    /// the twentieth loss ends it.
    ///
    /// # Errors
    /// As [`Charge::link_up`].
    pub fn link_down(&self, generation: u32) -> Result<Step, TillError> {
        self.step(LinkEvent::Down { generation })
    }

    /// A vendor's SDK is connected to its reader: the same charge with another kind of reader. The step's `commands` are
    /// for the SDK; what it says comes back through [`Charge::vendor_event`], the loss of the connection through
    /// [`Charge::link_down`]. `generation` numbers the connection, and what belongs to another is ignored.
    ///
    /// # Errors
    /// As [`Charge::link_up`].
    pub fn vendor_up(&self, about: VendorAbout, generation: u32) -> Result<Step, TillError> {
        self.step(LinkEvent::VendorUp { about, generation })
    }

    /// The vendor's SDK says something. Card data is on disk when this returns, or the charge is not made with it.
    ///
    /// # Errors
    /// As [`Charge::link_up`].
    pub fn vendor_event(&self, generation: u32, event: VendorEvent) -> Result<Step, TillError> {
        self.step(LinkEvent::Vendor { generation, event })
    }

    /// A command of a step could not be told to the SDK, or it threw, or it did not return. A start that failed before
    /// the card is the end of the charge: nothing is charged, and what the SDK says later is dropped.
    ///
    /// # Errors
    /// As [`Charge::link_up`].
    pub fn vendor_failed(&self, generation: u32, asked: Asked) -> Result<Step, TillError> {
        self.step(LinkEvent::VendorFailed { generation, asked })
    }

    /// The cardholder chose an application.
    ///
    /// # Errors
    /// As [`Charge::link_up`].
    pub fn choose_application(&self, index: u32) -> Result<Step, TillError> {
        self.step(LinkEvent::Choose(index))
    }

    /// Stop if that is still possible: a request, not an outcome.
    ///
    /// # Errors
    /// As [`Charge::link_up`].
    pub fn cancel(&self) -> Result<Step, TillError> {
        self.step(LinkEvent::Cancel)
    }

    /// The time a step asked for has passed.
    ///
    /// # Errors
    /// As [`Charge::link_up`].
    pub fn tick(&self) -> Result<Step, TillError> {
        self.step(LinkEvent::Tick)
    }

    /// Waits until the charge is decided, or the send under way ended without an answer (*not confirmed*).
    ///
    /// # Errors
    /// *Not found* after the charge is over.
    pub async fn outcome(&self) -> Result<ChargeOutcome, TillError> {
        let payment = self.payment;
        expect_reply!(self.inner.runtime.ask(Command::Outcome { payment }).await, Reply::Outcome(outcome) => outcome)
    }

    fn step(&self, event: LinkEvent) -> Result<Step, TillError> {
        let payment = self.payment;
        expect_reply!(self.inner.runtime.ask_blocking(Command::Link { payment, event }), Reply::Step(step) => step)
    }
}

/// Let go of before the card was read, the charge is given up: nothing is charged.
impl Drop for Charge {
    fn drop(&mut self) {
        self.inner.runtime.tell(Command::Leave { payment: self.payment });
    }
}
