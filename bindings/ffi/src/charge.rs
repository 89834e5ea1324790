//! One card at one reader.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use takings_till::{TillError, VendorCommand};
use zeroize::Zeroizing;

use crate::callbacks;
use crate::error::TakingsError;
use crate::guard::{guarded, guarded_async};
use crate::records::{ChargeOutcome, Step, VendorAbout, VendorEvent};
use crate::vendor_reader::VendorLane;
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
/// Let go of before the card was read, the charge is given up and nothing is charged; a vendor's reader that still waits for
/// a card is told to cancel, and nobody waits for that.
#[derive(uniffi::Object)]
pub struct Charge {
    charge: takings_till::Charge,
    vendor: Mutex<Vendor>,
}

/// What there is of a vendor's reader.
#[derive(Default)]
struct Vendor {
    /// By the connection's generation.
    lanes: BTreeMap<u32, Arc<VendorLane>>,
    /// The SDK that was told to start, as long as it may wait for a card.
    waits: Option<Arc<VendorLane>>,
}

impl Charge {
    pub(crate) fn new(charge: takings_till::Charge) -> Arc<Self> {
        Arc::new(Self { charge, vendor: Mutex::default() })
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
        let step = self.told_to_the_sdk(step)?;
        if step.saved.is_some() {
            self.waits(None);
        }
        Ok(step.wire())
    }

    /// Tells the SDK, one command after the other and with no lock held. What could not be told, the core hears, and it
    /// may want more: of each failure it makes one command at most, and of the failure of that none.
    fn told_to_the_sdk(&self, mut step: takings_till::Step) -> Result<takings_till::Step, TillError> {
        let mut commands = VecDeque::from(std::mem::take(&mut step.commands));
        while let Some(takings_till::VendorAsk { generation, command }) = commands.pop_front() {
            // A connection that was replaced meanwhile has nobody to tell.
            let Some(lane) = self.lane_of(generation) else { continue };
            self.waits(matches!(command, VendorCommand::Start(_)).then_some(&lane));
            if let Err(asked) = lane.carry(self.charge.payment_id(), command) {
                let after = self.charge.vendor_failed(generation, asked)?;
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

    fn vendor(&self) -> MutexGuard<'_, Vendor> {
        self.vendor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lane_of(&self, generation: u32) -> Option<Arc<VendorLane>> {
        self.vendor().lanes.get(&generation).cloned()
    }

    /// Which SDK waits for a card for this charge, if any does.
    fn waits(&self, lane: Option<&Arc<VendorLane>>) {
        let former = std::mem::replace(&mut self.vendor().waits, lane.cloned());
        // Whatever the app does when it is let go of, no lock is held.
        drop(former);
    }

    /// Plugs in the lane of a new connection, before the core can want anything of it. Those before it are let go of once
    /// the core took the new one.
    fn plug_in(
        &self,
        lane: Option<Arc<VendorLane>>,
        generation: u32,
        up: impl FnOnce(&takings_till::Charge) -> Result<takings_till::Step, TillError>,
    ) -> Result<takings_till::Step, TillError> {
        let mut mine = false;
        if let Some(lane) = lane {
            self.vendor().lanes.entry(generation).or_insert_with(|| {
                mine = true;
                lane
            });
        }
        let step = up(&self.charge);
        let left = {
            let mut vendor = self.vendor();
            if step.is_ok() {
                let kept = vendor.lanes.split_off(&generation);
                std::mem::replace(&mut vendor.lanes, kept)
            } else if mine {
                vendor.lanes.remove(&generation).map(|lane| (generation, lane)).into_iter().collect()
            } else {
                BTreeMap::new()
            }
        };
        drop(left);
        step
    }
}

/// Let go of while the SDK waits for a card: it should not go on.
impl Drop for Charge {
    fn drop(&mut self) {
        let waits = self.vendor().waits.take();
        if let Some(lane) = waits {
            lane.let_go(self.charge.payment_id());
        }
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
    ///
    /// Throws *fix input* while another link is up (`link_is_up`), and for a number that is not larger than the last one of
    /// this charge (`generation`).
    pub fn link_up(&self, value_len: u32, generation: u32) -> Result<Step, TakingsError> {
        guarded(|| self.step(|_| self.plug_in(None, generation, |charge| charge.link_up(value_len, generation))))
    }

    /// The usable length of one value changed while the link is up (the ATT MTU less 3): what is written from now on is cut
    /// to it.
    pub fn value_length(&self, generation: u32, value_len: u32) -> Result<Step, TakingsError> {
        guarded(|| self.step(|charge| charge.value_length(generation, value_len)))
    }

    /// One value from the reader. When the step says `saved`, it is on the disk.
    pub fn bytes(&self, generation: u32, value: Vec<u8>) -> Result<Step, TakingsError> {
        guarded(|| {
            let value = Zeroizing::new(value);
            self.step(|charge| charge.bytes(generation, &value))
        })
    }

    /// The last write was confirmed.
    pub fn write_done(&self, generation: u32) -> Result<Step, TakingsError> {
        guarded(|| self.step(|charge| charge.write_done(generation)))
    }

    /// The last write failed, mostly because the link is going: nothing is written on it any more, and `link_down` is
    /// waited for. A link that stays up all the same is given up after five seconds.
    pub fn write_failed(&self, generation: u32) -> Result<Step, TakingsError> {
        guarded(|| self.step(|charge| charge.write_failed(generation)))
    }

    /// The link is gone. Before the card was read the charge waits for a new link, or for `cancel`; the
    /// twentieth loss ends it.
    pub fn link_down(&self, generation: u32) -> Result<Step, TakingsError> {
        guarded(|| self.step(|charge| charge.link_down(generation)))
    }

    /// A vendor's SDK is connected to its reader: plugs it in, instead of `link_up`. The SDK is told to start before this
    /// returns, and the intent is on the disk before that; a reader that does not start ends the charge (see
    /// `VendorReader`). `generation` numbers the connection: what is said with another number is ignored. When the
    /// connection is lost, call `link_down`, and this again with a larger number when it is back.
    ///
    /// Throws as `link_up`.
    pub fn vendor_up(&self, lane: Arc<VendorLane>, about: VendorAbout, generation: u32) -> Result<Step, TakingsError> {
        guarded(|| {
            self.step(|_| self.plug_in(Some(lane), generation, |charge| charge.vendor_up(about.into(), generation)))
        })
    }

    /// The vendor's SDK says something. When the step says `saved`, it is on the disk.
    ///
    /// Throws *not found* after the charge is over: what comes then is dropped, and nothing is charged with it.
    pub fn vendor_event(&self, generation: u32, event: VendorEvent) -> Result<Step, TakingsError> {
        guarded(|| {
            let card = matches!(event, VendorEvent::CardData { .. });
            let step = self.step(|charge| charge.vendor_event(generation, event.into()))?;
            if card {
                self.waits(None);
            }
            Ok(step)
        })
    }

    /// The cardholder chose this application of the prompt's choices, counted from 0.
    pub fn choose_application(&self, index: u32) -> Result<Step, TakingsError> {
        guarded(|| self.step(|charge| charge.choose_application(index)))
    }

    /// Stop if that is still possible: a request, not an outcome. May be called from another thread: while the SDK has not
    /// returned from its start, this returns at once, and the SDK is told when it is back.
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
