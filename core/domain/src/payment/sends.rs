//! The sends of one payment on one lane: counted, one at a time.

use super::fold::ensure;
use crate::OperationId;
use crate::event::{Lane, SendEnded, SendResult, SendStarted};

/// The sends of one lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sends {
    /// How many began.
    pub count: u32,
    /// When the first began, wall clock, milliseconds UTC.
    pub first_at_ms: Option<i64>,
    /// The one without an end.
    pub open: Option<OperationId>,
    /// How the last one ended, and when (wall clock, milliseconds UTC).
    pub last_end: Option<(SendEnded, i64)>,
    /// Some send may have reached the acquirer, and nothing since has said that it did not.
    pub may_have_arrived: bool,
}

impl Sends {
    pub(super) fn start(&mut self, started: &SendStarted, at_ms: i64) -> Result<(), &'static str> {
        ensure(self.open.is_none(), "one send at a time")?;
        ensure(self.count.checked_add(1) == Some(started.n), "the attempt counter is out of step")?;
        self.count = started.n;
        self.first_at_ms.get_or_insert(at_ms);
        self.open = Some(started.op);
        Ok(())
    }

    pub(super) fn end(&mut self, ended: &SendEnded, at_ms: i64) -> Result<(), &'static str> {
        ensure(self.open == Some(ended.op) && self.count == ended.n, "this send is not under way")?;
        self.open = None;
        match ended.result {
            // An earlier send may still have arrived: "not sent" speaks of this one only.
            SendResult::NotSent => {}
            SendResult::Maybe | SendResult::InProgress | SendResult::Unverified => self.may_have_arrived = true,
            SendResult::Refused => {}
        }
        self.last_end = Some((ended.clone(), at_ms));
        Ok(())
    }

    /// The open send was answered "in progress": the pause before the next counts from now.
    pub(super) fn in_progress(&mut self, lane: Lane, at_ms: i64) {
        if let Some(op) = self.open {
            let (n, result) = (self.count, SendResult::InProgress);
            self.last_end = Some((SendEnded { op, n, lane, result, code: None, retry_after_ms: None }, at_ms));
        }
    }

    pub(super) fn answered(&mut self) {
        self.open = None;
    }
}
