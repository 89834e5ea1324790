//! The two programs, beside this one.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{About as _, KillError};

/// Where they are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `till-cli`.
    pub till: PathBuf,
    /// `sandbox-acquirer`.
    pub acquirer: PathBuf,
}

impl Programs {
    /// Those beside the program that runs; started by cargo, it has them built first, in its own profile.
    ///
    /// # Errors
    /// If they do not build, or are not there.
    pub fn beside_this() -> Result<Self, KillError> {
        let this = env::current_exe().about("this program")?;
        let dir = this.parent().unwrap_or(Path::new("."));
        if let Some(cargo) = env::var_os("CARGO") {
            build(Command::new(cargo), dir)?;
        }
        let found = Self { till: dir.join("till-cli"), acquirer: dir.join("sandbox-acquirer") };
        for program in [&found.till, &found.acquirer] {
            if !program.is_file() {
                let line = "cargo build --profile world -p till-cli -p sandbox-acquirer";
                return Err(KillError::Unfit(format!("{} is not there: {line}", program.display())));
            }
        }
        Ok(found)
    }
}

/// A build of its own: what the simulator needs of the core is no part of these.
fn build(mut cargo: Command, dir: &Path) -> Result<(), KillError> {
    let profile = match dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let words = ["build", "--quiet", "--profile", profile, "-p", "till-cli", "-p", "sandbox-acquirer"];
    let ended = cargo.args(words).status().about("cargo")?;
    if ended.success() { Ok(()) } else { Err(KillError::Unfit(format!("cargo build: {ended}"))) }
}
