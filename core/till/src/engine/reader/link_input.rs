//! What the shell tells of the link to the reader, and what that means for the session with it.

use takings_domain::Now;
use takings_readers::{Asked, ReaderInput, StartRequest, TimerId, VendorAbout, VendorEvent};
use zeroize::Zeroizing;

use crate::engine::charging::OpenCharge;

/// What the shell tells of the link to the reader.
pub enum LinkEvent {
    /// See `Charge::link_up`.
    Up {
        /// The longest value of the link, bytes.
        value_len: u32,
        /// Counts connections.
        generation: u32,
    },
    /// See `Charge::value_length`.
    ValueLen {
        /// Of which connection.
        generation: u32,
        /// The longest value of the link from now on, bytes.
        value_len: u32,
    },
    /// See `Charge::bytes`.
    Bytes {
        /// Of which connection.
        generation: u32,
        /// One notification.
        value: Vec<u8>,
    },
    /// See `Charge::write_done`.
    WriteDone {
        /// Of which connection.
        generation: u32,
    },
    /// See `Charge::write_failed`.
    WriteFailed {
        /// Of which connection.
        generation: u32,
    },
    /// See `Charge::link_down`.
    Down {
        /// Of which connection.
        generation: u32,
    },
    /// See `Charge::vendor_up`.
    VendorUp {
        /// What the SDK says of the reader.
        about: VendorAbout,
        /// Counts connections.
        generation: u32,
    },
    /// See `Charge::vendor_event`.
    Vendor {
        /// Of which connection.
        generation: u32,
        /// What the SDK says.
        event: VendorEvent,
    },
    /// See `Charge::vendor_failed`.
    VendorFailed {
        /// Of which connection.
        generation: u32,
        /// What could not be told.
        asked: Asked,
    },
    /// See `Charge::choose`.
    Choose(u32),
    /// See `Charge::cancel`.
    Cancel,
    /// See `Charge::tick`.
    Tick,
}

/// A reader input that owns its bytes, so that it can be kept while the engine is borrowed.
pub(super) enum OwnedInput {
    LinkUp,
    ValueLen(usize),
    Bytes(Zeroizing<Vec<u8>>),
    WriteDone,
    WriteFailed,
    LinkDown,
    Timer(TimerId),
    Start(StartRequest),
    Cancel,
    Choose(u8),
    VendorUp(VendorAbout),
    Vendor(VendorEvent),
    CommandFailed(Asked),
}

impl OwnedInput {
    pub(super) fn borrow(&self) -> ReaderInput<'_> {
        match self {
            Self::LinkUp => ReaderInput::LinkUp,
            Self::ValueLen(len) => ReaderInput::ValueLen(*len),
            Self::Bytes(bytes) => ReaderInput::Bytes(bytes),
            Self::WriteDone => ReaderInput::WriteDone,
            Self::WriteFailed => ReaderInput::WriteFailed,
            Self::LinkDown => ReaderInput::LinkDown,
            Self::Timer(id) => ReaderInput::Timer(*id),
            Self::Start(start) => ReaderInput::Start(*start),
            Self::Cancel => ReaderInput::Cancel,
            Self::Choose(index) => ReaderInput::ChooseApplication(*index),
            Self::VendorUp(about) => ReaderInput::VendorUp(about),
            Self::Vendor(event) => ReaderInput::Vendor(event),
            Self::CommandFailed(asked) => ReaderInput::CommandFailed(*asked),
        }
    }
}

/// What a link event means for the reader engine. Events of another link's generation mean nothing.
pub(super) fn inputs(charge: &mut OpenCharge, event: &LinkEvent, now: Now) -> Vec<OwnedInput> {
    let current = charge.generation();
    let if_current = |generation: &u32, input| if current == Some(*generation) { vec![input] } else { Vec::new() };
    match event {
        LinkEvent::Up { .. } => vec![OwnedInput::LinkUp],
        LinkEvent::ValueLen { generation, value_len } => {
            let value_len = usize::try_from(*value_len).unwrap_or(usize::MAX);
            if_current(generation, OwnedInput::ValueLen(value_len))
        }
        LinkEvent::Bytes { generation, value } => {
            if_current(generation, OwnedInput::Bytes(Zeroizing::new(value.clone())))
        }
        LinkEvent::WriteDone { generation } => if_current(generation, OwnedInput::WriteDone),
        LinkEvent::WriteFailed { generation } => if_current(generation, OwnedInput::WriteFailed),
        LinkEvent::Down { generation } => if_current(generation, OwnedInput::LinkDown),
        LinkEvent::VendorUp { about, .. } => vec![OwnedInput::VendorUp(about.clone())],
        LinkEvent::Vendor { generation, event } => if_current(generation, OwnedInput::Vendor(event.clone())),
        LinkEvent::VendorFailed { generation, asked } => if_current(generation, OwnedInput::CommandFailed(*asked)),
        LinkEvent::Choose(index) => u8::try_from(*index).map(OwnedInput::Choose).into_iter().collect(),
        LinkEvent::Cancel => vec![OwnedInput::Cancel],
        LinkEvent::Tick => {
            let due: Vec<TimerId> =
                charge.timers.iter().filter(|(_, due)| **due <= now.monotonic_ms).map(|(id, _)| *id).collect();
            for id in &due {
                charge.timers.remove(id);
            }
            due.into_iter().map(OwnedInput::Timer).collect()
        }
    }
}
