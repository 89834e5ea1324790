//! One card at one reader.

use std::sync::Arc;

use takings_till::TillError;

use crate::callbacks;
use crate::error::TakingsError;
use crate::records::{ChargeOutcome, Step};
use crate::wire::Wire;

/// One charge: one card at one reader.
///
/// Every call but `outcome` is synchronous and short (at most one write to the disk), and belongs on the one thread that
/// serves the reader, in the order in which the link's values come: never on the main thread. Each returns a step: write
/// its values to the reader one by one, each after the former was confirmed, and call `tick` after `wait_ms` if nothing
/// else happened.
///
/// Let go of before the card was read, the charge is given up and nothing is charged.
#[derive(uniffi::Object)]
pub struct Charge {
    charge: takings_till::Charge,
}

impl Charge {
    pub(crate) fn new(charge: takings_till::Charge) -> Arc<Self> {
        Arc::new(Self { charge })
    }

    #[cfg(feature = "demo")]
    pub(crate) fn core(&self) -> &takings_till::Charge {
        &self.charge
    }

    fn step(
        &self,
        call: impl FnOnce(&takings_till::Charge) -> Result<takings_till::Step, TillError>,
    ) -> Result<Step, TakingsError> {
        callbacks::refuse_inside()?;
        Ok(call(&self.charge)?.wire())
    }
}

#[uniffi::export]
impl Charge {
    /// The payment this charge is: a UUID, also the key that keeps it from being captured twice.
    pub fn payment_id(&self) -> Result<String, TakingsError> {
        Ok(self.charge.payment_id().to_owned())
    }

    /// The link to the reader is up and notifications are on. `value_len` is the usable length of one value in bytes (the
    /// ATT MTU less 3). `generation` numbers the link: values of an earlier one are ignored.
    pub fn link_up(&self, value_len: u32, generation: u32) -> Result<Step, TakingsError> {
        self.step(|charge| charge.link_up(value_len, generation))
    }

    /// One value from the reader. When the step says `saved`, it is on the disk.
    pub fn bytes(&self, generation: u32, value: Vec<u8>) -> Result<Step, TakingsError> {
        self.step(|charge| charge.bytes(generation, &value))
    }

    /// The last write was confirmed.
    pub fn write_done(&self, generation: u32) -> Result<Step, TakingsError> {
        self.step(|charge| charge.write_done(generation))
    }

    /// The last write failed.
    pub fn write_failed(&self, generation: u32) -> Result<Step, TakingsError> {
        self.step(|charge| charge.write_failed(generation))
    }

    /// The link is gone. Before the card was read the charge waits for a new link, or for `cancel`.
    pub fn link_down(&self, generation: u32) -> Result<Step, TakingsError> {
        self.step(|charge| charge.link_down(generation))
    }

    /// The cardholder chose this application of the prompt's choices, counted from 0.
    pub fn choose_application(&self, index: u32) -> Result<Step, TakingsError> {
        self.step(|charge| charge.choose_application(index))
    }

    /// Stop if that is still possible: a request, not an outcome.
    pub fn cancel(&self) -> Result<Step, TakingsError> {
        self.step(takings_till::Charge::cancel)
    }

    /// The time a step asked for has passed.
    pub fn tick(&self) -> Result<Step, TakingsError> {
        self.step(takings_till::Charge::tick)
    }

    /// Waits until the charge is decided, or until the send under way ended without an answer (not confirmed: do not hand
    /// over, do not charge again). It only waits: cancelling it changes nothing.
    pub async fn outcome(&self) -> Result<ChargeOutcome, TakingsError> {
        callbacks::refuse_inside()?;
        Ok(self.charge.outcome().await?.wire())
    }
}
