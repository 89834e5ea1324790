//! What the app implements for the library runs here, and may not wait for the till it serves. Where the app's runtime
//! ends before the process does, nothing of it is called after that.

use std::cell::Cell;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use crate::error::TakingsError;
use crate::guard::guarded;

/// How long calls under way may take to come back, at the end.
const LONGEST_GOODBYE_MS: u64 = 5_000;

static DOOR: Door = Door::new();

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs the app's code as what it is: a call on this thread back into a till is refused, since that till may be
/// waiting for this very answer.
pub(crate) fn outside<T>(call: impl FnOnce() -> Result<T, TakingsError>) -> Result<T, TakingsError> {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            INSIDE.set(self.0);
        }
    }
    freely(|| {
        let _back = Back(INSIDE.replace(true));
        call()
    })
}

/// Runs the app's code that nobody waits for: it may call the till.
pub(crate) fn freely<T>(call: impl FnOnce() -> Result<T, TakingsError>) -> Result<T, TakingsError> {
    DOOR.through(call).unwrap_or_else(|| Err(gone()))
}

/// Refuses a call that comes from inside the app's code for the library.
pub(crate) fn refuse_inside() -> Result<(), TakingsError> {
    if INSIDE.get() {
        return Err(TakingsError::internal("called_back", "the till waits for what is calling it"));
    }
    Ok(())
}

/// The app ends: nothing that it implements is called from now on. Waits for what is under way, five seconds at most.
///
/// For hosts whose runtime ends before the process does. The Python module calls it by itself when the interpreter exits;
/// apps on phones have no use for it.
#[uniffi::export]
pub fn stop_calling_out() -> Result<(), TakingsError> {
    guarded(|| {
        refuse_inside()?;
        DOOR.shut(Duration::from_millis(LONGEST_GOODBYE_MS));
        Ok(())
    })
}

/// The one way out to the app.
struct Door {
    state: Mutex<State>,
    emptied: Condvar,
}

struct State {
    shut: bool,
    outside: usize,
}

impl Door {
    const fn new() -> Self {
        Self { state: Mutex::new(State { shut: false, outside: 0 }), emptied: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the call, unless the door is shut. The lock is not held meanwhile.
    fn through<T>(&self, call: impl FnOnce() -> T) -> Option<T> {
        struct Back<'a>(&'a Door);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                let mut state = self.0.state();
                state.outside = state.outside.saturating_sub(1);
                self.0.emptied.notify_all();
            }
        }
        let _back = {
            let mut state = self.state();
            if state.shut {
                return None;
            }
            state.outside = state.outside.saturating_add(1);
            Back(self)
        };
        Some(call())
    }

    fn shut(&self, patience: Duration) {
        let mut state = self.state();
        state.shut = true;
        // Who does not come back in time is left where it is.
        drop(self.emptied.wait_timeout_while(state, patience, |state| state.outside > 0));
    }
}

/// One thing the app implements. It is let go of like it is called: not after the app ended.
pub(crate) struct Foreign<T: ?Sized>(Option<Arc<T>>);

impl<T: ?Sized> Foreign<T> {
    pub(crate) fn new(found: Arc<T>) -> Self {
        Self(Some(found))
    }

    /// Calls it; see [`outside`].
    pub(crate) fn call<R>(&self, call: impl FnOnce(&T) -> Result<R, TakingsError>) -> Result<R, TakingsError> {
        self.0.as_deref().map_or_else(|| Err(gone()), |found| outside(|| call(found)))
    }

    /// Calls it; see [`freely`].
    pub(crate) fn call_freely<R>(&self, call: impl FnOnce(&T) -> Result<R, TakingsError>) -> Result<R, TakingsError> {
        self.0.as_deref().map_or_else(|| Err(gone()), |found| freely(|| call(found)))
    }
}

impl<T: ?Sized> Drop for Foreign<T> {
    fn drop(&mut self) {
        let mut found = self.0.take();
        if DOOR.through(|| drop(found.take())).is_none() {
            // Letting go of it is a call, too.
            std::mem::forget(found);
        }
    }
}

/// Wakes the app's executor, which is the app's code like any other.
struct Gated(Waker);

impl Wake for Gated {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let _ = DOOR.through(|| self.0.wake_by_ref());
    }
}

/// The same waker, as long as the app is there.
pub(crate) fn gated(waker: &Waker) -> Waker {
    Waker::from(Arc::new(Gated(waker.clone())))
}

fn gone() -> TakingsError {
    TakingsError::internal("app_ended", "what the app implements is not called any more")
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a caller on a thread of its own")]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn a_door_that_is_shut_waits_for_who_is_outside_and_lets_nobody_out() {
        let door = Arc::new(Door::new());
        let (go, goes) = channel();
        let (left, has_left) = channel();
        let outside = Arc::clone(&door);
        let caller = thread::spawn(move || {
            outside.through(|| {
                left.send(()).unwrap();
                goes.recv().unwrap();
            })
        });
        has_left.recv().unwrap();
        // Nobody comes back: it is shut all the same.
        door.shut(Duration::ZERO);
        assert_eq!(door.through(|| ()), None);
        assert_eq!(door.state().outside, 1);
        go.send(()).unwrap();
        door.shut(Duration::from_secs(60));
        assert_eq!(door.state().outside, 0);
        assert_eq!(caller.join().unwrap(), Some(()));
    }

    #[test]
    fn a_call_that_panics_is_back() {
        let door = Door::new();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| door.through(|| panic!("planted"))));
        assert!(panicked.is_err());
        assert_eq!(door.state().outside, 0);
    }
}
