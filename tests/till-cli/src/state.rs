//! What of the simulated phone and reader outlives the process: one small file beside the ledger.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const FILE: &str = "till-cli.json";

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// How often a till was started here: two starts never draw the same randomness.
    pub(crate) starts: u64,
    /// How often the phone was restarted.
    pub(crate) boots: u64,
    /// How far the wall clock was set away from the time that passed, milliseconds.
    pub(crate) jumped_ms: i64,
    /// Keys the simulated reader has used up.
    pub(crate) reader_keys_used: u32,
}

impl State {
    /// Reads the file, counts this start and writes it back.
    pub(crate) fn begin(dir: &Path, reboot: bool) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let mut state: Self = match fs::read(path(dir)) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(error) => return Err(error),
        };
        state.starts += 1;
        state.boots += u64::from(reboot);
        state.save(dir)?;
        Ok(state)
    }

    /// Writes the file whole or not at all.
    pub(crate) fn save(&self, dir: &Path) -> io::Result<()> {
        let fresh = dir.join("till-cli.json.new");
        fs::write(&fresh, serde_json::to_vec(self)?)?;
        fs::rename(fresh, path(dir))
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}
