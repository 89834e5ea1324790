//! One charge, several presentations of a card: a card that could not be read is presented again, a chip that fails is
//! swiped, a tap that is not taken is inserted. Each presentation is on record; so many end the charge.

use takings_domain::event::AttemptEnd;
use takings_domain::{Now, PaymentId};
use takings_readers::Outcome;

use super::Engine;
use crate::charge::Step;
use crate::error::TillError;

/// So often a card is presented for one charge.
const MOST: u8 = 5;
/// So often a chip may fail before its card may be swiped, as the schemes want it.
const CHIP_FAILURES_FOR_SWIPE: u8 = 3;
/// First byte of a completion code: what was tried was a tap.
const CONTACTLESS: u8 = 0x20;

/// Where a charge stands with its presentations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Presenting {
    /// How many presentations came to nothing.
    failed: u8,
    /// Why the last of them did.
    pub(super) why: Option<AttemptEnd>,
    /// The ways that the next one may use.
    pub(super) contact: bool,
    pub(super) contactless: bool,
    pub(super) magstripe: bool,
    /// How often the chip failed for technical reasons.
    chip_failures: u8,
    /// The reader gave the chip up.
    swipe_asked: bool,
}

impl Default for Presenting {
    fn default() -> Self {
        let (failed, chip_failures, swipe_asked) = (0, 0, false);
        Self { failed, why: None, contact: true, contactless: true, magstripe: true, chip_failures, swipe_asked }
    }
}

impl Presenting {
    /// The next presentation after this end, if there is one.
    fn after(self, outcome: Outcome, code: Option<[u8; 4]>, why: AttemptEnd) -> Option<Self> {
        let (failed, all_ways) = (self.failed.saturating_add(1), Self::default());
        let (chip_failures, swipe_asked) = (self.chip_failures, self.swipe_asked);
        let next = Self { failed, why: Some(why), chip_failures, swipe_asked, ..all_ways };
        let next = match outcome {
            Outcome::TryAgain | Outcome::ReadError => next,
            Outcome::FallbackChipRetry => Self { chip_failures: chip_failures.saturating_add(1), ..next },
            Outcome::FallbackMagstripe => Self { contact: false, swipe_asked: true, ..next },
            Outcome::TryOtherInterface => match code {
                Some([CONTACTLESS, ..]) => Self { contactless: false, ..next },
                Some(_) => next,
                // A card with a chip was swiped.
                None => Self { magstripe: false, ..next },
            },
            _ => return None,
        };
        (next.failed < MOST).then_some(next)
    }

    /// Whether a card with a chip may be swiped. Asked of the charge, not of the link: the link may be another by now.
    pub(super) const fn chip_failed(self) -> bool {
        self.swipe_asked || self.chip_failures >= CHIP_FAILURES_FOR_SWIPE
    }
}

impl Engine {
    /// A presentation brought no card data. Where another one may, the reader is started anew; the vendor of an SDK knows
    /// better when to ask again.
    pub(super) fn present_again(
        &mut self,
        id: PaymentId,
        (outcome, code): (Outcome, Option<[u8; 4]>),
        why: AttemptEnd,
        step: &mut Step,
        now: Now,
    ) -> Result<(), TillError> {
        let Some(charge) = self.charges.get(&id) else { return Ok(()) };
        let wanted = !charge.is_vendors && !charge.cancel_asked;
        let next = charge.presenting.after(outcome, code, why).filter(|_| wanted);
        let serial = charge.about.as_ref().map(|about| about.serial.clone());
        let Some((next, serial)) = next.zip(serial) else {
            // That nobody came a second time is not why the first came to nothing.
            let first = charge.presenting.why.filter(|_| outcome == Outcome::TimedOut);
            let given_up_for = if charge.cancel_asked { AttemptEnd::Cancelled } else { first.unwrap_or(why) };
            return self.end_attempts(id, why, Some(given_up_for), now);
        };
        self.end_attempt(id, why, false, now)?;
        if let Some(charge) = self.charges.get_mut(&id) {
            charge.presenting = next;
        }
        self.start_reader(id, serial, step, now)
    }
}
