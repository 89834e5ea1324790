//! One card at one reader.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use takings_till::TillError;

use crate::callbacks;
use crate::error::TakingsError;
use crate::guard::{guarded, guarded_async};
use crate::records::{ChargeOutcome, Step, VendorAbout, VendorEvent};
use crate::vendor_reader::{HostReader, VendorReader};
use crate::wire::Wire;

/// One charge: one card at one reader.
///
/// Every call but `outcome` is synchronous and short (at most one write to the disk), and belongs on the one thread that
/// serves the reader, in the order in which the link's values come: never on the main thread. Each returns a step: write
/// its values to the reader one by one, each after the former was confirmed, and call `tick` after `wait_ms` if nothing
/// else happened.
///
/// A vendor's reader is plugged in by `vendor_up` instead of `link_up`. What its SDK is told, the library tells it, on a
/// thread of its own, before the call returns: with a slow SDK a call may take ten seconds for each thing it is told.
///
/// Let go of before the card was read, the charge is given up and nothing is charged. A vendor's reader that still waits
/// for a card is not told so: `cancel` first.
#[derive(uniffi::Object)]
pub struct Charge {
    charge: takings_till::Charge,
    /// The vendor's reader of the newest connection, if it is one.
    vendor: Mutex<Option<Arc<HostReader>>>,
}

impl Charge {
    pub(crate) fn new(charge: takings_till::Charge) -> Arc<Self> {
        Arc::new(Self { charge, vendor: Mutex::new(None) })
    }

    #[cfg(feature = "demo")]
    pub(crate) fn core(&self) -> &takings_till::Charge {
        &self.charge
    }

    /// One call of the core's; what it wants of a vendor's reader is done before it is over.
    fn step(
        &self,
        call: impl FnOnce(&takings_till::Charge) -> Result<takings_till::Step, TillError>,
    ) -> Result<Step, TakingsError> {
        callbacks::refuse_inside()?;
        let step = call(&self.charge)?;
        Ok(self.told_to_the_sdk(step)?.wire())
    }

    /// Tells the SDK, one command after the other and with no lock held. What could not be told, the core hears, and it
    /// may want more: of each failure it makes one command at most, and of the failure of that none.
    fn told_to_the_sdk(&self, mut step: takings_till::Step) -> Result<takings_till::Step, TillError> {
        let mut commands = VecDeque::from(std::mem::take(&mut step.commands));
        while let Some(command) = commands.pop_front() {
            let Some(reader) = self.vendor() else { break };
            if let Err(asked) = reader.carry(command) {
                let after = self.charge.vendor_failed(reader.generation, asked)?;
                let takings_till::Step { writes, commands: more, prompt, wait_ms, saved, disconnect } = after;
                step.writes.extend(writes);
                commands.extend(more);
                step.prompt = prompt.or(step.prompt);
                (step.wait_ms, step.saved) = (wait_ms, saved.or(step.saved));
                step.disconnect |= disconnect;
            }
        }
        Ok(step)
    }

    fn vendor(&self) -> Option<Arc<HostReader>> {
        self.vendor.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn plug_in(&self, reader: Option<Arc<HostReader>>) {
        let former = std::mem::replace(&mut *self.vendor.lock().unwrap_or_else(PoisonError::into_inner), reader);
        // Whatever the app does when it is let go of, no lock is held.
        drop(former);
    }
}

#[uniffi::export]
impl Charge {
    /// The payment this charge is: a UUID, also the key that keeps it from being captured twice.
    pub fn payment_id(&self) -> Result<String, TakingsError> {
        guarded(|| Ok(self.charge.payment_id().to_owned()))
    }

    /// The link to the reader is up and notifications are on. `value_len` is the usable length of one value in bytes (the
    /// ATT MTU less 3). `generation` numbers the link: values of an earlier one are ignored.
    pub fn link_up(&self, value_len: u32, generation: u32) -> Result<Step, TakingsError> {
        guarded(|| {
            self.plug_in(None);
            self.step(|charge| charge.link_up(value_len, generation))
        })
    }

    /// One value from the reader. When the step says `saved`, it is on the disk.
    pub fn bytes(&self, generation: u32, value: Vec<u8>) -> Result<Step, TakingsError> {
        guarded(|| self.step(|charge| charge.bytes(generation, &value)))
    }

    /// The last write was confirmed.
    pub fn write_done(&self, generation: u32) -> Result<Step, TakingsError> {
        guarded(|| self.step(|charge| charge.write_done(generation)))
    }

    /// The last write failed.
    pub fn write_failed(&self, generation: u32) -> Result<Step, TakingsError> {
        guarded(|| self.step(|charge| charge.write_failed(generation)))
    }

    /// The link is gone. Before the card was read the charge waits for a new link, or for `cancel`.
    pub fn link_down(&self, generation: u32) -> Result<Step, TakingsError> {
        guarded(|| self.step(|charge| charge.link_down(generation)))
    }

    /// A vendor's SDK is connected to its reader: plugs it in, instead of `link_up`. The SDK is told to start before this
    /// returns, and the intent is on the disk before that; a reader that does not start ends the charge (see
    /// `VendorReader`). `generation` numbers the connection: what is said with another number is ignored. When the
    /// connection is lost, call `link_down`, and this again when it is back.
    pub fn vendor_up(
        &self,
        reader: Arc<dyn VendorReader>,
        about: VendorAbout,
        generation: u32,
    ) -> Result<Step, TakingsError> {
        guarded(|| {
            callbacks::refuse_inside()?;
            let reader = HostReader::new(reader, generation)?;
            self.plug_in(Some(Arc::new(reader)));
            self.step(|charge| charge.vendor_up(about.into(), generation))
        })
    }

    /// The vendor's SDK says something. When the step says `saved`, it is on the disk.
    ///
    /// Throws *not found* after the charge is over: what comes then is dropped, and nothing is charged with it.
    pub fn vendor_event(&self, generation: u32, event: VendorEvent) -> Result<Step, TakingsError> {
        guarded(|| self.step(|charge| charge.vendor_event(generation, event.into())))
    }

    /// The cardholder chose this application of the prompt's choices, counted from 0.
    pub fn choose_application(&self, index: u32) -> Result<Step, TakingsError> {
        guarded(|| self.step(|charge| charge.choose_application(index)))
    }

    /// Stop if that is still possible: a request, not an outcome.
    pub fn cancel(&self) -> Result<Step, TakingsError> {
        guarded(|| self.step(takings_till::Charge::cancel))
    }

    /// The time a step asked for has passed.
    pub fn tick(&self) -> Result<Step, TakingsError> {
        guarded(|| self.step(takings_till::Charge::tick))
    }

    /// Waits until the charge is decided, or until the send under way ended without an answer (not confirmed: do not hand
    /// over, do not charge again). It only waits: cancelling it changes nothing.
    pub async fn outcome(&self) -> Result<ChargeOutcome, TakingsError> {
        guarded_async(async {
            callbacks::refuse_inside()?;
            Ok(self.charge.outcome().await?.wire())
        })
        .await
    }
}
