//! What the app implements for the library runs here, and may not wait for the till it serves.

use std::cell::Cell;

use crate::error::TakingsError;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs the app's code as what it is: a call on this thread back into a till is refused, since that till may be
/// waiting for this very answer.
pub(crate) fn outside<T>(call: impl FnOnce() -> T) -> T {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            INSIDE.set(self.0);
        }
    }
    let _back = Back(INSIDE.replace(true));
    call()
}

/// Refuses a call that comes from inside the app's code for the library.
pub(crate) fn refuse_inside() -> Result<(), TakingsError> {
    if INSIDE.get() {
        return Err(TakingsError::internal("called_back", "the till waits for what is calling it"));
    }
    Ok(())
}
