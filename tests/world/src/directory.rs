//! Where the files of a phone lie, and copies of them.

use std::path::Path;
use std::{fs, io};

use tempfile::TempDir;

/// In memory where the machine has such a place: the disk is modelled, not used.
///
/// # Errors
/// None can be made.
pub fn directory() -> io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}

/// Makes `to` a copy of `from`. Ballast never changes, so that it is shared.
///
/// # Errors
/// A file that cannot be copied.
pub fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    for file in fs::read_dir(to)? {
        fs::remove_file(file?.path())?;
    }
    for file in fs::read_dir(from)? {
        let file = file?;
        let there = to.join(file.file_name());
        if file.file_name() == "ballast" {
            fs::hard_link(file.path(), there)?;
        } else {
            fs::copy(file.path(), there).map(drop)?;
        }
    }
    Ok(())
}
