//! SQLite's calls: each asks the disk first and is then done by the system's own VFS.
//!
//! One VFS for the process; a file belongs to the disk whose directory it lies in, any other file is the system's alone.
//! Our part of a file stands before the system's in the room SQLite gives (`szOsFile`). No memory mapping: its methods
//! are left out (version 2), because what is written through a mapping cannot be seen. What the system claims of whole or ordered
//! writes is masked out. Powersafe overwrite stays: without it SQLite would pad its log, which it does on no phone.
#![expect(unsafe_code, reason = "SQLite's VFS is a C interface: this is the one module that speaks it")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};

use rusqlite::ffi;

use super::medium::{Call, Medium, Node, Verdict};
use super::{VFS, disk_of, locked};

/// Ours, then the system's.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    /// From [`Box::into_raw`]; null: the file is on no disk of ours.
    tracked: *mut Tracked,
}

/// A file on one of our disks.
struct Tracked {
    medium: Arc<Mutex<Medium>>,
    node: Node,
    name: String,
    /// The directory is synced with the next sync of this file.
    sync_directory: bool,
}

/// The instant SQLite reads from us: Saturday 2026-11-21, 02:00 UTC, in Julian milliseconds.
const JULIAN_MS: i64 = 210_866_760_000_000 + 1_795_226_400_000;
const SAFE_CLAIMS: c_int = !(ffi::SQLITE_IOCAP_ATOMIC
    | ffi::SQLITE_IOCAP_ATOMIC512
    | ffi::SQLITE_IOCAP_ATOMIC1K
    | ffi::SQLITE_IOCAP_ATOMIC2K
    | ffi::SQLITE_IOCAP_ATOMIC4K
    | ffi::SQLITE_IOCAP_ATOMIC8K
    | ffi::SQLITE_IOCAP_ATOMIC16K
    | ffi::SQLITE_IOCAP_ATOMIC32K
    | ffi::SQLITE_IOCAP_ATOMIC64K
    | ffi::SQLITE_IOCAP_SAFE_APPEND
    | ffi::SQLITE_IOCAP_SEQUENTIAL
    | ffi::SQLITE_IOCAP_BATCH_ATOMIC);
const JOURNALS: c_int = ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;

static SEED: AtomicU64 = AtomicU64::new(1);
static REGISTERED: Once = Once::new();

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Makes the VFS known to SQLite, once.
pub(super) fn register() {
    REGISTERED.call_once(|| {
        // SAFETY: no argument; makes the system's VFS known, and may be called by anybody at any time.
        unsafe { ffi::sqlite3_initialize() };
        // SAFETY: the name ends in zero; the answer is a VFS that lives as long as the process, or null.
        let inner = unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) };
        // SAFETY: as above: null or valid, and never changed after its registration but for the list it hangs in.
        let Some(system) = (unsafe { inner.as_ref() }) else { return };
        let name: &'static CStr = c"world";
        debug_assert_eq!(name.to_bytes(), VFS.as_bytes());
        let ours = ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: c_int::try_from(size_of::<File>()).unwrap_or(c_int::MAX).saturating_add(system.szOsFile),
            mxPathname: system.mxPathname,
            pNext: std::ptr::null_mut(),
            zName: name.as_ptr(),
            pAppData: inner.cast(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: None,
            xGetLastError: Some(get_last_error),
            xCurrentTimeInt64: Some(current_time),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        };
        // SAFETY: SQLite keeps the pointer for the life of the process, and so does the leaked box.
        unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 0) };
    });
}

/// Starts SQLite's generator anew.
pub(super) fn seed(seed: u64) {
    SEED.store(seed, Ordering::Relaxed);
    // Zero would mean: from the VFS.
    let word = ((seed ^ (seed >> 32)) as c_int).wrapping_abs().max(1);
    // SAFETY: this control takes an int and a connection, which may be null.
    unsafe { ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PRNG_SEED, word, std::ptr::null_mut::<ffi::sqlite3>()) };
}

/// The system's part of a file.
unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: SQLite gave `szOsFile` bytes: ours, and behind them room for the system's.
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

/// Ours, if the file is on a disk of ours.
unsafe fn tracked<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a mut Tracked> {
    // SAFETY: `open` wrote the whole of `File`; SQLite calls nothing after `close`, and one call at a time per file.
    unsafe { (*file.cast::<File>()).tracked.as_mut() }
}

/// Calls a method of the system's file; a missing one is an I/O error.
macro_rules! pass {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        // SAFETY: `open` opened the system's file, and its methods take what SQLite gave us.
        unsafe {
            let file = inner($file);
            match (*file).pMethods.as_ref().and_then(|methods| methods.$method) {
                Some(method) => method(file $(, $argument)*),
                None => ffi::SQLITE_IOERR,
            }
        }
    }};
}

/// Calls a method of the system's VFS.
macro_rules! pass_vfs {
    ($vfs:expr, $method:ident $(, $argument:expr)*) => {{
        // SAFETY: `register` put the system's VFS there, and its methods take what SQLite gave us.
        unsafe {
            let system = (*$vfs).pAppData.cast::<ffi::sqlite3_vfs>();
            match (*system).$method {
                Some(method) => method(system $(, $argument)*),
                None => ffi::SQLITE_ERROR,
            }
        }
    }};
}

/// The disk and the name of a path.
fn place(path: *const c_char) -> Option<(Arc<Mutex<Medium>>, String)> {
    if path.is_null() {
        return None;
    }
    // SAFETY: not null, and SQLite's paths end in zero.
    let path = Path::new(unsafe { CStr::from_ptr(path) }.to_str().ok()?);
    let medium = disk_of(path.parent()?)?;
    Some((medium, path.file_name()?.to_str()?.to_owned()))
}

/// True if the process that owns this file is dead: then it calls nothing.
unsafe fn is_dead(file: *mut ffi::sqlite3_file) -> bool {
    // SAFETY: as the caller's.
    unsafe { tracked(file) }.is_some_and(|tracked| locked(&tracked.medium).dead)
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    path: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let ours = file.cast::<File>();
    // SAFETY: SQLite gave room for the whole of it; no methods means that there is nothing to close.
    unsafe {
        ours.write(File { base: ffi::sqlite3_file { pMethods: std::ptr::null() }, tracked: std::ptr::null_mut() })
    };
    let place = if flags & ffi::SQLITE_OPEN_DELETEONCLOSE == 0 { place(path) } else { None };
    let mut known = None;
    if let Some((medium, name)) = &place {
        let mut medium = locked(medium);
        if medium.dead {
            return ffi::SQLITE_CANTOPEN;
        }
        known = medium.node(name);
        let makes = known.is_none() && flags & ffi::SQLITE_OPEN_CREATE != 0;
        if makes && medium.call(&Call::Create) != Verdict::Go {
            return ffi::SQLITE_CANTOPEN;
        }
    }
    // SAFETY: as above; the system's methods are looked at below, also if it fails.
    unsafe { (*inner(file)).pMethods = std::ptr::null() };
    let code = pass_vfs!(vfs, xOpen, path, inner(file), flags, out_flags);
    if code != ffi::SQLITE_OK {
        // SAFETY: `inner` is ours to read; a failed opening may still want to be closed.
        if unsafe { !(*inner(file)).pMethods.is_null() } {
            pass!(file, xClose);
        }
        return code;
    }
    if let Some((medium, name)) = place {
        let node = known.unwrap_or_else(|| locked(&medium).created(&name));
        let sync_directory = flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & JOURNALS != 0;
        let tracked = Box::new(Tracked { medium, node, name, sync_directory });
        // SAFETY: written above, and not yet seen by anybody else.
        unsafe { (*ours).tracked = Box::into_raw(tracked) };
    }
    // SAFETY: as above. From here on SQLite closes the file.
    unsafe { (*ours).base.pMethods = &raw const METHODS };
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let code = pass!(file, xClose);
    let ours = file.cast::<File>();
    // SAFETY: `open` wrote it; SQLite closes a file once. The box is taken back where it was given away.
    unsafe {
        if !(*ours).tracked.is_null() {
            drop(Box::from_raw((*ours).tracked));
            (*ours).tracked = std::ptr::null_mut();
        }
    }
    code
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, to: *mut c_void, len: c_int, offset: i64) -> c_int {
    // SAFETY: SQLite's file, opened by us.
    if unsafe { is_dead(file) } {
        return ffi::SQLITE_IOERR_READ;
    }
    pass!(file, xRead, to, len, offset)
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, len: c_int, offset: i64) -> c_int {
    // SAFETY: SQLite's file, opened by us.
    if let Some(tracked) = unsafe { tracked(file) } {
        let len = usize::try_from(len).unwrap_or(0);
        // SAFETY: SQLite gives so many bytes to write.
        let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), len) };
        let offset = u64::try_from(offset).unwrap_or(0);
        let call = Call::Write { node: tracked.node, name: &tracked.name, offset, bytes };
        match locked(&tracked.medium).call(&call) {
            Verdict::Go => {}
            Verdict::Fails => return ffi::SQLITE_IOERR_WRITE,
            Verdict::Full => return ffi::SQLITE_FULL,
        }
    }
    pass!(file, xWrite, from, len, offset)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: SQLite's file, opened by us.
    if let Some(tracked) = unsafe { tracked(file) } {
        let call = Call::Truncate { node: tracked.node, len: u64::try_from(size).unwrap_or(0) };
        if locked(&tracked.medium).call(&call) != Verdict::Go {
            return ffi::SQLITE_IOERR_TRUNCATE;
        }
    }
    pass!(file, xTruncate, size)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite's file, opened by us.
    let Some(tracked) = (unsafe { tracked(file) }) else { return pass!(file, xSync, flags) };
    // What is synced is what we say: the system's own sync would only cost time.
    let call = Call::Sync { node: tracked.node, directory: tracked.sync_directory };
    if locked(&tracked.medium).call(&call) != Verdict::Go {
        return ffi::SQLITE_IOERR_FSYNC;
    }
    tracked.sync_directory = false;
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: SQLite's file, opened by us.
    if unsafe { is_dead(file) } {
        return ffi::SQLITE_IOERR_FSTAT;
    }
    pass!(file, xFileSize, size)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite's file, opened by us.
    if unsafe { is_dead(file) } {
        return ffi::SQLITE_IOERR_LOCK;
    }
    pass!(file, xLock, level)
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    pass!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite's file, opened by us.
    if unsafe { is_dead(file) } {
        return ffi::SQLITE_IOERR_CHECKRESERVEDLOCK;
    }
    pass!(file, xCheckReservedLock, out)
}

unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, what: c_int, argument: *mut c_void) -> c_int {
    pass!(file, xFileControl, what, argument)
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    pass!(file, xSectorSize)
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    pass!(file, xDeviceCharacteristics) & SAFE_CLAIMS
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite's file, opened by us.
    if unsafe { is_dead(file) } {
        return ffi::SQLITE_IOERR_SHMMAP;
    }
    pass!(file, xShmMap, region, size, extend, out)
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: SQLite's file, opened by us.
    if flags & ffi::SQLITE_SHM_UNLOCK == 0 && unsafe { is_dead(file) } {
        return ffi::SQLITE_IOERR_SHMLOCK;
    }
    pass!(file, xShmLock, offset, count, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: `open` opened the system's file; the method takes nothing else.
    unsafe {
        let file = inner(file);
        if let Some(method) = (*file).pMethods.as_ref().and_then(|methods| methods.xShmBarrier) {
            method(file);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    pass!(file, xShmUnmap, delete)
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, path: *const c_char, sync_directory: c_int) -> c_int {
    let Some((medium, name)) = place(path) else { return pass_vfs!(vfs, xDelete, path, sync_directory) };
    let mut medium = locked(&medium);
    if medium.dead {
        return ffi::SQLITE_IOERR_DELETE;
    }
    if medium.node(&name).is_none() {
        return ffi::SQLITE_IOERR_DELETE_NOENT;
    }
    if medium.call(&Call::Delete) != Verdict::Go {
        return ffi::SQLITE_IOERR_DELETE;
    }
    let code = pass_vfs!(vfs, xDelete, path, 0);
    if code == ffi::SQLITE_OK {
        medium.deleted(&name, sync_directory & 1 != 0);
    }
    code
}

unsafe extern "C" fn access(vfs: *mut ffi::sqlite3_vfs, path: *const c_char, flags: c_int, out: *mut c_int) -> c_int {
    if place(path).is_some_and(|(medium, _)| locked(&medium).dead) {
        return ffi::SQLITE_IOERR_ACCESS;
    }
    pass_vfs!(vfs, xAccess, path, flags, out)
}

unsafe extern "C" fn full_pathname(
    vfs: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    pass_vfs!(vfs, xFullPathname, path, room, out)
}

unsafe extern "C" fn randomness(_vfs: *mut ffi::sqlite3_vfs, len: c_int, out: *mut c_char) -> c_int {
    let count = usize::try_from(len).unwrap_or(0);
    // SAFETY: SQLite gives room for so many bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(out.cast::<u8>(), count) };
    let mut word = SEED.load(Ordering::Relaxed);
    for byte in bytes {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = (word >> 56) as u8;
    }
    SEED.store(word, Ordering::Relaxed);
    len
}

/// Nobody waits here.
unsafe extern "C" fn sleep(_vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

unsafe extern "C" fn get_last_error(vfs: *mut ffi::sqlite3_vfs, room: c_int, out: *mut c_char) -> c_int {
    pass_vfs!(vfs, xGetLastError, room, out)
}

unsafe extern "C" fn current_time(_vfs: *mut ffi::sqlite3_vfs, out: *mut i64) -> c_int {
    // SAFETY: SQLite gives room for one number.
    unsafe { out.write(JULIAN_MS) };
    ffi::SQLITE_OK
}
