//! The status of a response: how far the command got, and why it was refused.

use crate::trouble::Refusal;

/// Summary, group, subgroup, code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// How far the command got.
    pub summary: u8,
    /// Group, subgroup and code of the reason.
    pub reason: [u8; 3],
}

/// How far a command got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Done, with or without warnings.
    Done,
    /// Started and running, with or without warnings.
    Started,
    /// Did not start.
    FailedToStart,
    /// Failed while running.
    FailedWhileRunning,
    /// A summary that is not on the list.
    Unlisted,
}

impl Status {
    /// Done, no complaint.
    pub const DONE: Self = Self { summary: 0x00, reason: [0; 3] };
    /// Started, no complaint.
    pub const STARTED: Self = Self { summary: 0x01, reason: [0; 3] };

    /// Failed to start, for this reason.
    #[must_use]
    pub const fn refused(reason: [u8; 3]) -> Self {
        Self { summary: 0x80, reason }
    }

    /// From the four bytes of a response.
    #[must_use]
    pub const fn from_bytes([summary, group, subgroup, code]: [u8; 4]) -> Self {
        Self { summary, reason: [group, subgroup, code] }
    }

    /// The four bytes of a response.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        let [group, subgroup, code] = self.reason;
        [self.summary, group, subgroup, code]
    }

    /// How far the command got.
    #[must_use]
    pub const fn progress(self) -> Progress {
        match self.summary {
            0x00 | 0x40 => Progress::Done,
            0x01 | 0x41 => Progress::Started,
            0x80 => Progress::FailedToStart,
            0x81 => Progress::FailedWhileRunning,
            _ => Progress::Unlisted,
        }
    }

    /// Whether the command was done or is running.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        matches!(self.progress(), Progress::Done | Progress::Started)
    }

    /// Why it was refused, in words that fit every reader.
    #[must_use]
    pub const fn refusal(self) -> Refusal {
        match self.reason {
            [0x00, 0x00, 0x02] => Refusal::Failed,
            [0x00, 0x00, 0x16] => Refusal::Tampered,
            [0x00, 0x00, 0x10..=0x18] | [0x02, 0x01, 0x03 | 0x07 | 0x0A] => Refusal::ReaderFault,
            [0x01, 0x01, 0x01 | 0x02] => Refusal::Protocol,
            [0x01, 0x01, 0x09] => Refusal::OutOfService,
            [0x01, 0x01, 0x10] | [0x02, 0x01, 0x19..=0x1B] => Refusal::Keys,
            [0x01, 0x01, 0x13] | [0x02, 0x04, 0x13] => Refusal::Unsupported,
            [0x02, 0x01, 0x01 | 0x02] => Refusal::BadRequest,
            [0x02, 0x01, 0x1C] => Refusal::Locked,
            [0x02, 0x03, 0x04] => Refusal::NoTransaction,
            [0x02, 0x03, 0x05] => Refusal::TooLateToCancel,
            [0x02, 0x03, 0x08 | 0x11 | 0x12 | 0x14 | 0x15 | 0x18] => Refusal::Busy,
            [0x02, 0x03, 0x0C..=0x0F] => Refusal::WrongState,
            [0x02, 0x03, 0x16] => Refusal::BatteryTooLow,
            _ => Refusal::Unlisted(self.to_bytes()),
        }
    }
}

impl std::fmt::Debug for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08X}", u32::from_be_bytes(self.to_bytes()))
    }
}
