//! One request at a time, one value at a time.

use crate::dynaflex::commands::Command;
use crate::dynaflex::status::Status;
use crate::interface::{ReaderOutput, TimerId};
use crate::trouble::Fault;

use super::setup::Setup;
use super::{Reader, Session};

/// How long after a value that could not be written the link may take to say that it is gone, in milliseconds.
const LOSS_MS: u64 = 5_000;

/// The request the reader owes a response to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Awaiting {
    reference: u8,
    command: Command,
}

impl Reader {
    /// Queues a request and sends it as soon as the one before is answered.
    pub(super) fn ask(&mut self, command: Command) {
        self.pending.push_back(command);
        self.send_next();
    }

    /// Whether this command is queued or waits for its response.
    pub(super) fn is_asking(&self, number: u16) -> bool {
        self.pending.iter().any(|command| command.number() == number)
            || self.awaiting.as_ref().is_some_and(|awaiting| awaiting.command.number() == number)
    }

    /// Drops a queued request that was not sent; says whether there was one.
    pub(super) fn take_back(&mut self, number: u16) -> bool {
        let before = self.pending.len();
        self.pending.retain(|command| command.number() != number);
        self.pending.len() != before
    }

    /// What is said to this command is heard no more.
    pub(super) fn stop_awaiting(&mut self, number: u16) {
        if self.awaiting.take_if(|awaiting| awaiting.command.number() == number).is_some() {
            self.clear_timer(TimerId::Response);
            self.send_next();
        }
    }

    /// Forgets whatever is asked, queued and half written. A value that is being written is still awaited.
    pub(super) fn drop_requests(&mut self) {
        self.unsent.clear();
        self.pending.clear();
        self.awaiting = None;
    }

    fn send_next(&mut self) {
        if self.awaiting.is_some() || !self.unsent.is_empty() || self.mute || self.session != Session::Up {
            return;
        }
        let Some(command) = self.pending.pop_front() else { return };
        let reference = self.next_reference;
        self.next_reference = reference.wrapping_add(1);
        self.unsent = self.outbound.segment(&command.encode(reference), self.value_len).into();
        self.set_timer(TimerId::Response, command.response_ms());
        self.awaiting = Some(Awaiting { reference, command });
        self.write_next();
    }

    fn write_next(&mut self) {
        if !self.writing
            && let Some(value) = self.unsent.pop_front()
        {
            self.writing = true;
            self.outputs.push(ReaderOutput::Write(value));
        }
    }

    pub(super) fn write_done(&mut self) {
        if self.session == Session::Up && self.writing && !self.mute {
            self.writing = false;
            self.write_next();
            self.send_next();
        }
    }

    /// A value must never be sent twice, so after a failed one nothing is written on this link. Mostly it is gone, and
    /// will say so; what it still brings is heard until then. One that stays up is given up.
    pub(super) fn write_failed(&mut self) {
        if self.session == Session::Up && self.writing && !self.mute {
            self.mute = true;
            self.fault(Fault::WriteFailed);
            self.drop_requests();
            self.set_timer(TimerId::Response, LOSS_MS);
        }
    }

    /// A response counts only if both its reference and its command are those of the open request.
    pub(super) fn response(&mut self, reference: u8, command: u16, status: Status, body: &[u8]) {
        match self.awaiting.take_if(|awaiting| awaiting.reference == reference && awaiting.command.number() == command)
        {
            Some(awaiting) => {
                self.clear_timer(TimerId::Response);
                self.answered(&awaiting.command, status, body);
                self.send_next();
            }
            None => self.fault(Fault::UnmatchedResponse { command }),
        }
    }

    fn answered(&mut self, command: &Command, status: Status, body: &[u8]) {
        if self.setup.is_asking() {
            self.setup_answered(command, status, body);
            return;
        }
        match command {
            Command::Start(_) => self.start_answered(status),
            Command::Cancel => self.cancel_answered(status),
            Command::Select(_) => self.choice_answered(status),
            Command::Subscribe | Command::Get(_) | Command::Set(..) => {}
        }
    }

    pub(super) fn response_overdue(&mut self) {
        if self.mute {
            return self.disconnect();
        }
        let Some(awaiting) = self.awaiting.take() else { return };
        self.fault(Fault::NoAnswer { command: awaiting.command.number() });
        if let Setup::Asking(known) = &mut self.setup {
            // What was not wholly written cannot be answered, and nothing can be written after it.
            let was_written = !self.writing && self.unsent.is_empty();
            match known.ask_again(awaiting.command).filter(|_| was_written) {
                Some(command) => self.ask(command),
                None => self.disconnect(),
            }
            return;
        }
        if let Command::Start(_) = awaiting.command {
            self.start_unanswered();
        }
        self.send_next();
    }
}
