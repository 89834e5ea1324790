//! The engine: one link session with one reader.
//!
//! * `exchange`: one request at a time, one value at a time, response timers.
//! * `setup`: what is asked after connecting.
//! * `payment`: one payment from start to outcome.
//! * `notes`: what the reader says by itself.

mod exchange;
mod notes;
mod payment;
mod setup;

use std::collections::VecDeque;
use std::fmt;

use crate::interface::{LinkLoss, ReaderEvent, ReaderInput, ReaderOutput, ReaderSession, TimerId};
use crate::link::{MIN_VALUE_LEN, Reassembler, Segmenter};
use crate::masked_card::MaskRule;
use crate::trouble::{Fault, ReaderError};

use super::commands::Command;
use super::message::{self, Message};
use super::property::Property;
use exchange::Awaiting;
use payment::Payment;
use setup::Setup;

/// What the reader's characteristic takes, in bytes, whatever the link could carry.
const MAX_VALUE_LEN: usize = 244;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    New,
    Up,
    Over,
}

/// One link session with one DynaFlex II Go. A new link needs a new engine.
///
/// Inputs come one at a time; every output of one input is carried out in order before the next.
pub struct Reader {
    generation: u32,
    value_len: usize,
    session: Session,
    inbound: Reassembler,
    outbound: Segmenter,
    unsent: VecDeque<Vec<u8>>,
    writing: bool,
    /// A value could not be written: nothing is written on this link any more.
    mute: bool,
    pending: VecDeque<Command>,
    awaiting: Option<Awaiting>,
    next_reference: u8,
    setup: Setup,
    /// What it was told to show of a card's number: each once on a link, its memory wears.
    told_to_show: Vec<Property>,
    mask: MaskRule,
    payment: Option<Payment>,
    outputs: Vec<ReaderOutput>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("generation", &self.generation)
            .field("session", &self.session)
            .field("setup", &self.setup)
            .field("payment", &self.payment)
            .finish_non_exhaustive()
    }
}

impl ReaderSession for Reader {
    fn handle(&mut self, input: ReaderInput<'_>) -> Result<Vec<ReaderOutput>, ReaderError> {
        Self::handle(self, input)
    }
}

impl Reader {
    /// An engine for the link with this generation number. `value_len` is the usable length of one
    /// value in bytes (ATT MTU less three); it is kept within 20 to 244.
    #[must_use]
    pub fn new(generation: u32, value_len: usize) -> Self {
        Self {
            generation,
            value_len: usable(value_len),
            session: Session::New,
            inbound: Reassembler::new(),
            outbound: Segmenter::new(),
            unsent: VecDeque::new(),
            writing: false,
            mute: false,
            pending: VecDeque::new(),
            awaiting: None,
            next_reference: 0,
            setup: Setup::start(),
            told_to_show: Vec::new(),
            mask: MaskRule::default(),
            payment: None,
            outputs: Vec::new(),
        }
    }

    /// The generation number of the link this engine belongs to.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether a payment is open: started and without an outcome.
    #[must_use]
    pub fn has_open_payment(&self) -> bool {
        self.payment.as_ref().is_some_and(Payment::is_open)
    }

    /// How many bytes wait in this engine, in both directions: bounded, whatever arrives.
    #[must_use]
    pub fn buffered_len(&self) -> usize {
        self.inbound.held_len() + self.unsent.iter().map(Vec::len).sum::<usize>()
    }

    /// Takes one input and returns what is to be done, in order.
    ///
    /// Nonsense from the reader is never an error: it becomes [`ReaderEvent::Fault`] or
    /// [`ReaderEvent::FrameLost`].
    ///
    /// # Errors
    /// [`ReaderError`] if the caller may not ask this now; nothing has changed then.
    pub fn handle(&mut self, input: ReaderInput<'_>) -> Result<Vec<ReaderOutput>, ReaderError> {
        match input {
            ReaderInput::LinkUp => self.link_up()?,
            ReaderInput::ValueLen(len) => self.value_len = usable(len),
            ReaderInput::LinkDown => self.end_session(),
            ReaderInput::Bytes(value) => self.receive(value),
            ReaderInput::WriteDone => self.write_done(),
            ReaderInput::WriteFailed => self.write_failed(),
            ReaderInput::Timer(id) => self.timer(id),
            ReaderInput::Start(request) => self.start(request)?,
            ReaderInput::Cancel => self.cancel()?,
            ReaderInput::ChooseApplication(index) => self.choose(index)?,
            ReaderInput::VendorUp(_) | ReaderInput::Vendor(_) | ReaderInput::CommandFailed(_) => {
                return Err(ReaderError::OtherKind);
            }
        }
        Ok(std::mem::take(&mut self.outputs))
    }

    fn link_up(&mut self) -> Result<(), ReaderError> {
        match self.session {
            Session::Over => return Err(ReaderError::SessionOver),
            Session::Up => {}
            Session::New => {
                self.session = Session::Up;
                self.begin_setup();
            }
        }
        Ok(())
    }

    /// Ends the session, from whichever side it ended, and says where that leaves the payment.
    fn end_session(&mut self) {
        let was_up = self.session == Session::Up;
        self.session = Session::Over;
        self.inbound = Reassembler::new();
        self.drop_requests();
        let payment = self.payment.take();
        if was_up {
            for id in [TimerId::Response, TimerId::Payment, TimerId::Closing] {
                self.outputs.push(ReaderOutput::ClearTimer(id));
            }
            let loss = payment.map_or(LinkLoss::Idle, |payment| payment.link_loss());
            self.tell(ReaderEvent::LinkLost(loss));
        }
    }

    /// Gives the link up ourselves.
    fn disconnect(&mut self) {
        self.outputs.push(ReaderOutput::Disconnect);
        self.end_session();
    }

    fn receive(&mut self, value: &[u8]) {
        if self.session != Session::Up {
            return;
        }
        let received = self.inbound.push(value);
        if received.lost
            && let Some(payment) = self.payment.as_mut()
        {
            payment.note_loss();
        }
        if received.lost || received.repeated {
            self.tell(ReaderEvent::FrameLost);
        }
        if received.problem.is_some() {
            self.fault(Fault::Malformed);
        }
        if let Some(bytes) = received.message {
            match message::parse(&bytes) {
                Ok(Message::Response { reference, command, status, body }) => {
                    self.response(reference, command, status, body);
                }
                Ok(Message::Notification { id, detail, body }) => self.note(id, detail, body),
                // Requests and files do not come this way.
                Ok(Message::Request { .. } | Message::DataFile { .. }) | Err(_) => {
                    self.fault(Fault::Malformed);
                }
            }
        }
    }

    fn timer(&mut self, id: TimerId) {
        if self.session != Session::Up {
            return;
        }
        match id {
            TimerId::Response => self.response_overdue(),
            TimerId::Payment => self.payment_overdue(),
            TimerId::Closing => self.closing_due(),
        }
    }

    fn tell(&mut self, event: ReaderEvent) {
        self.outputs.push(ReaderOutput::Event(event));
    }

    fn fault(&mut self, fault: Fault) {
        self.tell(ReaderEvent::Fault(fault));
    }

    fn set_timer(&mut self, id: TimerId, after_ms: u64) {
        self.outputs.push(ReaderOutput::SetTimer { id, after_ms });
    }

    fn clear_timer(&mut self, id: TimerId) {
        self.outputs.push(ReaderOutput::ClearTimer(id));
    }
}

fn usable(value_len: usize) -> usize {
    value_len.clamp(MIN_VALUE_LEN, MAX_VALUE_LEN)
}
