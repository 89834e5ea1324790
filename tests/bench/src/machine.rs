//! What the figures were measured on.

use std::fs;
use std::path::Path;
use std::process::Command;

/// One line for each thing that matters.
#[must_use]
pub fn describe(dir: &Path) -> Vec<String> {
    vec![
        format!("CPU: {} × {}", cpus(), first_value("/proc/cpuinfo", "model name").unwrap_or_else(unknown)),
        format!("kernel: {}", told("uname", &["-sr"])),
        format!("disk of the ledger: {}", told("findmnt", &["-no", "SOURCE,FSTYPE", "-T", &dir.to_string_lossy()])),
        format!("rustc: {}", told("rustc", &["--version"])),
        format!(
            "SQLite: {}{}",
            rusqlite::version(),
            if crate::KEY.is_some() { ", encrypted (SQLCipher)" } else { ", plain" }
        ),
        format!("load before the run: {}", fs::read_to_string("/proc/loadavg").unwrap_or_else(|_| unknown()).trim()),
    ]
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(0, std::num::NonZero::get)
}

fn first_value(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn told(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ")
        }
        _ => unknown(),
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}
