//! The sync calls of this process: counted, left out, or replaced by an exact wait.
//!
//! The symbols below stand before the C library's: SQLite, the peers and the standard library all call them. On Linux
//! only; elsewhere nothing is counted and [`are_ours`] says so.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "symbols of the C library are replaced"))]

use std::io::{self, Write};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

static CALLS: AtomicU64 = AtomicU64::new(0);
static WAIT_US: AtomicI64 = AtomicI64::new(REAL);
const REAL: i64 = -1;

/// What a sync call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What the system does.
    Real,
    /// Nothing: for preparing, never for measuring.
    Skip,
    /// It waits exactly so many microseconds and touches no disk.
    Wait(u32),
}

/// How many sync calls this process has made.
#[must_use]
pub fn calls() -> u64 {
    CALLS.load(Ordering::SeqCst)
}

/// Sets what sync calls do from now on, for the whole process.
pub fn set(mode: Mode) {
    let wait_us = match mode {
        Mode::Real => REAL,
        Mode::Skip => 0,
        Mode::Wait(us) => i64::from(us),
    };
    WAIT_US.store(wait_us, Ordering::SeqCst);
}

/// True if sync calls really come through here.
///
/// # Errors
/// If no temporary file can be written.
pub fn are_ours() -> io::Result<bool> {
    let mut file = tempfile::tempfile()?;
    file.write_all(b"x")?;
    let before = calls();
    file.sync_all()?;
    file.sync_data()?;
    Ok(calls() == before + 2)
}

#[cfg(target_os = "linux")]
mod symbols {
    use std::ffi::{c_int, c_long};
    use std::sync::atomic::Ordering;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{CALLS, WAIT_US};

    /// A sleep is late by about this much; the rest of a wait is spun away.
    const SLEEP_SLACK: Duration = Duration::from_micros(200);

    #[unsafe(no_mangle)]
    extern "C" fn fsync(fd: c_int) -> c_int {
        sync(libc::SYS_fsync, fd)
    }

    #[unsafe(no_mangle)]
    extern "C" fn fdatasync(fd: c_int) -> c_int {
        sync(libc::SYS_fdatasync, fd)
    }

    fn sync(call: c_long, fd: c_int) -> c_int {
        CALLS.fetch_add(1, Ordering::SeqCst);
        match u64::try_from(WAIT_US.load(Ordering::SeqCst)) {
            Ok(wait_us) => {
                wait(Duration::from_micros(wait_us));
                0
            }
            // SAFETY: the system call that was asked for, with the caller's own argument.
            Err(_) => c_int::try_from(unsafe { libc::syscall(call, fd) }).unwrap_or(-1),
        }
    }

    fn wait(wanted: Duration) {
        let began = Instant::now();
        if let Some(long) = wanted.checked_sub(SLEEP_SLACK) {
            thread::sleep(long);
        }
        while began.elapsed() < wanted {
            std::hint::spin_loop();
        }
    }
}
