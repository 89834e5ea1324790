//! The SQL statements of this process: how many, which, and how long each took. SQLite tells it about every connection
//! that is opened while somebody watches.
#![expect(unsafe_code, reason = "SQLite's hooks are C")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rusqlite::ffi;

/// One statement's text, how often it ran, and for how long in all, nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its text, white space folded.
    pub sql: String,
    /// How often.
    pub times: u64,
    /// For how long in all, nanoseconds.
    pub total_ns: u64,
    /// How often SQLite planned it anew before it ran.
    pub prepared_again: u64,
}

static SEEN: Mutex<BTreeMap<String, (u64, u64, u64)>> = Mutex::new(BTreeMap::new());

/// Watches every connection opened from now on. Costs time: not for measuring durations of anything else.
pub fn watch() {
    // SAFETY: `on_open` has the form SQLite asks for, opens and closes nothing.
    unsafe { ffi::sqlite3_auto_extension(Some(on_open)) };
}

/// No longer watches connections opened from now on.
pub fn stop_watching() {
    // SAFETY: taking back what `watch` gave.
    unsafe { ffi::sqlite3_cancel_auto_extension(Some(on_open)) };
}

/// What ran since the last call, most expensive first.
pub fn take() -> Vec<Ran> {
    let seen = std::mem::take(&mut *SEEN.lock().unwrap_or_else(PoisonError::into_inner));
    let mut ran: Vec<Ran> = seen
        .into_iter()
        .map(|(sql, (times, total_ns, prepared_again))| Ran { sql, times, total_ns, prepared_again })
        .collect();
    ran.sort_by_key(|ran| std::cmp::Reverse(ran.total_ns));
    ran
}

/// How many statements ran since the last call of [`take`] or this.
pub fn take_count() -> u64 {
    take().iter().map(|ran| ran.times).sum()
}

unsafe extern "C" fn on_open(
    db: *mut ffi::sqlite3,
    _error: *mut *mut c_char,
    _routines: *const ffi::sqlite3_api_routines,
) -> c_int {
    let events = ffi::SQLITE_TRACE_STMT | ffi::SQLITE_TRACE_PROFILE;
    // SAFETY: `db` is the connection being opened; `on_event` lives as long as the process.
    unsafe { ffi::sqlite3_trace_v2(db, events, Some(on_event), ptr::null_mut()) }
}

thread_local! {
    /// When the statements under way on this thread began. SQLite's own clock counts whole milliseconds.
    static BEGAN: RefCell<BTreeMap<usize, Instant>> = const { RefCell::new(BTreeMap::new()) };
}

unsafe extern "C" fn on_event(
    kind: c_uint,
    _context: *mut c_void,
    statement: *mut c_void,
    _more: *mut c_void,
) -> c_int {
    if kind == ffi::SQLITE_TRACE_STMT {
        // A trigger's statements are announced as the one that fired it: its beginning stands.
        BEGAN.with_borrow_mut(|began| *began.entry(statement.addr()).or_insert_with(Instant::now));
        return 0;
    }
    let Some(began) = BEGAN.with_borrow_mut(|began| began.remove(&statement.addr())) else { return 0 };
    // SAFETY: at the end of a statement SQLite hands over the statement.
    let sql = unsafe { ffi::sqlite3_sql(statement.cast()) };
    if sql.is_null() {
        return 0;
    }
    // SAFETY: a counter of the same statement, set back to zero.
    let again = unsafe { ffi::sqlite3_stmt_status(statement.cast(), ffi::SQLITE_STMTSTATUS_REPREPARE, 1) };
    // SAFETY: SQLite's texts end in a zero byte and live as long as their statement.
    let sql = unsafe { CStr::from_ptr(sql) }.to_string_lossy();
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let (times, total_ns, prepared_again) = seen.entry(sql).or_default();
    *times += 1;
    *prepared_again += u64::try_from(again).unwrap_or(0);
    *total_ns += u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    0
}
