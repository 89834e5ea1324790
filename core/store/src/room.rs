//! Room on the disk. A full disk must not keep an answer or a reversal from being written down, so a file of ballast is
//! held: it goes when room runs out, and new charges wait until it is back.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::config::OpenConfig;

/// What the ballast keeps free for answers, bytes.
const BALLAST_BYTES: u64 = 2 * 1024 * 1024;
/// Below this a new charge is refused, bytes: what is begun must fit to its end.
const CHARGE_BYTES: u64 = 512 * 1024;
/// Below this the ballast goes, bytes.
const ANSWER_BYTES: u64 = 256 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Room {
    dir: PathBuf,
    held: bool,
    /// How much is free in a directory, bytes.
    free_bytes: fn(&Path) -> u64,
}

impl Room {
    /// Looks for ballast that an earlier run left.
    pub(crate) fn of(config: &OpenConfig) -> Self {
        let held = fs::metadata(ballast(&config.dir)).is_ok_and(|found| found.len() == BALLAST_BYTES);
        Self { dir: config.dir.clone(), held, free_bytes: config.free_bytes.unwrap_or(free_bytes) }
    }

    /// The disk is as good as full.
    pub(crate) fn is_low(&self) -> bool {
        self.free_bytes() < ANSWER_BYTES
    }

    /// The ballast goes if the disk is as good as full.
    pub(crate) fn make(&mut self) {
        if self.held && self.is_low() {
            self.held = fs::remove_file(ballast(&self.dir)).is_err();
        }
    }

    /// There is room for one more charge, and the ballast is held; it is taken up if it can be.
    pub(crate) fn is_enough_for_a_charge(&mut self) -> bool {
        if !self.held && self.free_bytes() >= BALLAST_BYTES + 2 * CHARGE_BYTES {
            self.held = self.take_up().is_ok();
            if !self.held {
                // Half of it would only be in the way.
                let _ = fs::remove_file(ballast(&self.dir));
            }
        }
        self.held && self.free_bytes() >= CHARGE_BYTES
    }

    fn take_up(&self) -> std::io::Result<()> {
        let mut file = fs::File::create(ballast(&self.dir))?;
        // No two blocks alike, so that no file system saves itself the room.
        let mut word = 0x9E37_79B9_7F4A_7C15_u64;
        let mut block = Vec::with_capacity(64 * 1024);
        for _ in 0..BALLAST_BYTES / (64 * 1024) {
            block.clear();
            for _ in 0..64 * 1024 / 8 {
                word ^= word << 13;
                word ^= word >> 7;
                word ^= word << 17;
                block.extend_from_slice(&word.to_be_bytes());
            }
            file.write_all(&block)?;
        }
        Ok(())
    }

    fn free_bytes(&self) -> u64 {
        (self.free_bytes)(&self.dir)
    }
}

/// What is free, bytes. A directory that cannot be asked is taken for roomy: writing will tell.
fn free_bytes(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(u64::MAX, |found| found.f_bavail.saturating_mul(found.f_frsize))
}

fn ballast(dir: &Path) -> PathBuf {
    dir.join("ballast")
}

#[cfg(test)]
mod tests {
    use takings_domain::LedgerId;

    use super::*;

    fn room(dir: &Path) -> Room {
        Room::of(&OpenConfig::new(dir, LedgerId::from_parts(0, [0; 10])))
    }

    #[test]
    fn the_ballast_is_taken_up_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        assert!(room(dir.path()).is_enough_for_a_charge());
        assert_eq!(fs::metadata(dir.path().join("ballast")).unwrap().len(), BALLAST_BYTES);
        let mut again = room(dir.path());
        again.make();
        assert!(again.held && again.is_enough_for_a_charge(), "it stays while there is room");
        // Half a ballast is none.
        fs::write(dir.path().join("ballast"), b"half").unwrap();
        assert!(!room(dir.path()).held);
    }
}
