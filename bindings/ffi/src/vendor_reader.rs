//! Another maker's card reader, behind its own SDK.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use takings_till::{Asked, VendorCommand};

use crate::callbacks::Foreign;
use crate::error::TakingsError;
use crate::guard::guarded;
use crate::lane::{LONGEST_ANSWER_MS, Lane, Unanswered};
use crate::records::VendorStart;
use crate::wire::Wire;

/// A vendor's card reader (BBPOS, Datecs, …), as the app connects it: each method asks the SDK for something and returns.
/// What comes of it, the app tells `Charge.vendor_event`, in the order in which the SDK said it. Called on a thread of the
/// library's, one call after the other.
///
/// The SDK runs as Quick Chip: it gives the card's online request away and ends the payment at the card by itself; no
/// answer of the issuer's goes back to it. Only ciphertext that the acquirer's host alone can open may be passed: the
/// clear number, tracks, name, expiry and code never leave the SDK.
///
/// A call that throws, or takes longer than ten seconds, has failed. A start that failed before the card ends the charge:
/// nothing is charged, the reader is told to cancel, and what it says later is dropped. A call back into the charge or the
/// till from inside one of these methods is an error (`called_back`): where an SDK speaks while it is asked, put what it
/// says in a queue, and tell it from the thread that serves the reader.
#[uniffi::export(foreign)]
pub trait VendorReader: Send + Sync {
    /// Take a payment: a purchase by chip, tap or swipe. It is on the disk that it was begun. Tell `Started` when the SDK
    /// runs it, with `request.charge`, within twenty seconds; what came before that is taken for an older payment's.
    fn start(&self, request: VendorStart) -> Result<(), TakingsError>;

    /// Stop if that is still possible: a request. The SDK's end of it is told as an event like any other; if it is too
    /// late, tell `Failed`.
    fn cancel(&self) -> Result<(), TakingsError>;

    /// The cardholder chose this of the applications the SDK offered, counted from 0.
    fn choose_application(&self, index: u32) -> Result<(), TakingsError>;
}

/// The one way to a vendor's SDK: what it is told, it is told here, one thing after the other, by whatever charge.
///
/// Make one for each `VendorReader`, keep it as long as the SDK, and hand it to each charge (`Charge.vendor_up`): a start
/// that came late is known by it. While a method that was given up has not returned, nothing more goes to the SDK, and a
/// charge that would start fails at once (nothing is charged); when it is back, it is told to cancel.
#[derive(uniffi::Object)]
pub struct VendorLane {
    lane: Lane<VendorCommand, ()>,
    /// The charge whose start went to the SDK last: only that one may stop it.
    owner: Mutex<Option<String>>,
    /// A start is under way.
    starting: AtomicBool,
    /// A cancel waits for what is under way.
    cancel_waits: Arc<AtomicBool>,
}

#[uniffi::export]
impl VendorLane {
    /// The way to this reader. Nothing is asked of it yet.
    #[uniffi::constructor]
    pub fn new(reader: Arc<dyn VendorReader>) -> Result<Arc<Self>, TakingsError> {
        guarded(|| Self::open(reader, LONGEST_ANSWER_MS))
    }
}

impl VendorLane {
    fn open(reader: Arc<dyn VendorReader>, patience_ms: u64) -> Result<Arc<Self>, TakingsError> {
        let reader = Foreign::new(reader);
        let cancel_waits = Arc::new(AtomicBool::new(false));
        let waits = Arc::clone(&cancel_waits);
        let serve = move |command| {
            if command == VendorCommand::Cancel {
                waits.store(false, Ordering::SeqCst);
            }
            reader.call(|reader| match command {
                VendorCommand::Start(start) => reader.start(start.wire()),
                VendorCommand::Cancel => reader.cancel(),
                VendorCommand::ChooseApplication { index } => reader.choose_application(index),
            })
        };
        let lane = Lane::open("takings-vendor", patience_ms, serve)?;
        Ok(Arc::new(Self { lane, owner: Mutex::new(None), starting: AtomicBool::new(false), cancel_waits }))
    }

    /// Tells the SDK what this charge wants, and waits until it heard. What it did not do comes back.
    pub(crate) fn carry(&self, charge: &str, command: VendorCommand) -> Result<(), Asked> {
        let asked = command.asked();
        match command {
            VendorCommand::Start(_) => self.start(charge, command).map_err(|_| asked),
            VendorCommand::Cancel => self.cancel(charge).map_err(|_| asked),
            VendorCommand::ChooseApplication { .. } => {
                if !self.is_of(charge) {
                    return Err(asked);
                }
                self.lane.ask(command).map_err(|_| asked)
            }
        }
    }

    fn start(&self, charge: &str, command: VendorCommand) -> Result<(), Unanswered> {
        if self.starting.swap(true, Ordering::SeqCst) {
            return Err(Unanswered::Busy);
        }
        let started = if self.lane.is_stuck() {
            Err(Unanswered::Busy)
        } else {
            let former = self.owner().replace(charge.to_owned());
            let started = self.lane.ask(command);
            if matches!(started, Err(Unanswered::Busy)) {
                *self.owner() = former;
            }
            started
        };
        self.starting.store(false, Ordering::SeqCst);
        started
    }

    /// Of a charge that the SDK does not run there is nothing to cancel.
    fn cancel(&self, charge: &str) -> Result<(), Unanswered> {
        if !self.is_of(charge) {
            return Ok(());
        }
        if self.starting.load(Ordering::SeqCst) || self.lane.is_stuck() {
            self.cancel_soon();
            return Ok(());
        }
        match self.lane.ask(VendorCommand::Cancel) {
            Err(Unanswered::Busy) => {
                self.cancel_soon();
                Ok(())
            }
            told => told,
        }
    }

    /// This charge was let go of: its reader should not go on waiting for a card. Waits for nothing.
    pub(crate) fn let_go(&self, charge: &str) {
        if self.is_of(charge) {
            self.cancel_soon();
        }
    }

    /// Not waited for: told once, after what is under way.
    fn cancel_soon(&self) {
        if !self.cancel_waits.swap(true, Ordering::SeqCst) {
            self.lane.tell(VendorCommand::Cancel);
        }
    }

    fn is_of(&self, charge: &str) -> bool {
        self.owner().as_deref() == Some(charge)
    }

    fn owner(&self) -> MutexGuard<'_, Option<String>> {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "another charge is on a thread of its own")]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    use super::*;

    const LONG_MS: u64 = 60_000;

    /// An SDK that says what it is told, and returns from a start when it is told to.
    struct Sdk {
        told: Sender<String>,
        go: Mutex<Receiver<()>>,
    }

    impl VendorReader for Sdk {
        fn start(&self, request: VendorStart) -> Result<(), TakingsError> {
            let _ = self.told.send(format!("start {}", request.charge));
            let _ = self.go.lock().unwrap().recv();
            Ok(())
        }

        fn cancel(&self) -> Result<(), TakingsError> {
            let _ = self.told.send("cancel".to_owned());
            Ok(())
        }

        fn choose_application(&self, index: u32) -> Result<(), TakingsError> {
            let _ = self.told.send(format!("choose {index}"));
            Ok(())
        }
    }

    fn lane(patience_ms: u64) -> (Arc<VendorLane>, Receiver<String>, Sender<()>) {
        let ((told, tells), (go, goes)) = (channel(), channel());
        (VendorLane::open(Arc::new(Sdk { told, go: Mutex::new(goes) }), patience_ms).unwrap(), tells, go)
    }

    fn start(charge: &str) -> VendorCommand {
        VendorCommand::Start(takings_till::VendorStart {
            charge: charge.to_owned(),
            amount_minor: 1,
            currency: "CNY".to_owned(),
            currency_numeric: 156,
            currency_exponent: 2,
            timeout_s: 60,
        })
    }

    fn all(lane: Arc<VendorLane>, tells: Receiver<String>) -> Vec<String> {
        // With the lane its thread ends, after what it was told.
        drop(lane);
        tells.into_iter().collect()
    }

    #[test]
    fn p2_a_start_that_is_stuck_lets_no_other_charge_start_and_is_cancelled_once_it_is_back() {
        let (lane, tells, go) = lane(500);
        assert_eq!(lane.carry("a", start("a")), Err(Asked::Start));
        assert_eq!(tells.recv().unwrap(), "start a");
        assert_eq!(lane.carry("a", VendorCommand::Cancel), Ok(()));
        for _ in 0..2 {
            assert_eq!(lane.carry("b", start("b")), Err(Asked::Start), "at once");
            assert_eq!(lane.carry("b", VendorCommand::Cancel), Ok(()));
        }
        lane.let_go("a");
        drop(go);
        assert_eq!(tells.recv().unwrap(), "cancel");
        // It is back, and the next one runs.
        while lane.lane.is_stuck() {
            thread::yield_now();
        }
        assert_eq!(lane.carry("c", start("c")), Ok(()));
        assert_eq!(all(lane, tells), ["start c"]);
    }

    #[test]
    fn while_a_start_is_under_way_another_is_refused_at_once_and_a_cancel_does_not_wait() {
        let (lane, tells, go) = lane(LONG_MS);
        let other = Arc::clone(&lane);
        let starts = thread::spawn(move || other.carry("a", start("a")));
        assert_eq!(tells.recv().unwrap(), "start a");
        assert_eq!(lane.carry("b", start("b")), Err(Asked::Start));
        assert_eq!(lane.carry("b", VendorCommand::Cancel), Ok(()), "it is not b's to stop");
        assert_eq!(lane.carry("a", VendorCommand::Cancel), Ok(()));
        assert_eq!(lane.carry("a", VendorCommand::Cancel), Ok(()));
        go.send(()).unwrap();
        assert_eq!(starts.join().unwrap(), Ok(()));
        assert_eq!(all(lane, tells), ["cancel"]);
    }

    #[test]
    fn a_charge_that_is_let_go_of_stops_its_own_payment_only() {
        let (lane, tells, go) = lane(LONG_MS);
        drop(go);
        assert_eq!(lane.carry("a", start("a")), Ok(()));
        lane.let_go("b");
        assert_eq!(lane.carry("b", VendorCommand::ChooseApplication { index: 1 }), Err(Asked::Choice));
        lane.let_go("a");
        assert_eq!(all(lane, tells), ["start a", "cancel"]);
    }
}
