//! Every kept input, and seeded mutations of them, through every target: memory and time bounded.
//!
//! `FUZZ_SEED` and `FUZZ_TIMES` change what is tried; a failing input is left beside the corpus and named.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test's helpers; whoever sees it fail wants seed and input"
)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use takings_fuzz::mutation::{Chance, mutated};
use takings_fuzz::{TARGETS, Target};

/// An allocation by an announced length ends here.
const MEMORY: u64 = 3 << 30;
/// Longer than any input takes, also on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

fn variable(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |text| text.parse().expect("a number"))
}

fn limit_memory() {
    let now = getrlimit(Resource::As);
    setrlimit(Resource::As, Rlimit { current: Some(MEMORY), maximum: now.maximum }).unwrap();
}

fn try_one(name: &str, target: Target, input: &[u8]) {
    let start = Instant::now();
    let ended = catch_unwind(AssertUnwindSafe(|| target(input)));
    let took = start.elapsed();
    if ended.is_ok() && took < PATIENCE {
        return;
    }
    let found = std::env::temp_dir().join(format!(
        "takings-fuzz-{name}-{:016x}",
        input.iter().fold(7_u64, |hash, byte| { hash.wrapping_mul(0x0100_0000_01B3) ^ u64::from(*byte) })
    ));
    std::fs::write(&found, input).unwrap();
    eprintln!("{name}: {took:?}, the input is kept as {}", found.display());
    match ended {
        Err(panic) => resume_unwind(panic),
        Ok(()) => panic!("{name}: {took:?} for one input"),
    }
}

fn replay(name: &str, usual_times: u64) {
    limit_memory();
    let (_, target, longest, words) = TARGETS.iter().find(|(known, ..)| *known == name).unwrap();
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus(name)).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "nothing is kept of {name}");
    let kept: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    for input in &kept {
        try_one(name, *target, input);
    }
    let (seed, times) = (variable("FUZZ_SEED", 1), variable("FUZZ_TIMES", usual_times));
    eprintln!("{name}: seed {seed}, {} kept, {times} mutations", kept.len());
    let mut chance = Chance::new(seed);
    let start = Instant::now();
    for _ in 0..times {
        try_one(name, *target, &mutated(&kept, words, *longest, &mut chance));
    }
    eprintln!("{name}: {times} in {:?}", start.elapsed());
}

#[test]
fn answers() {
    replay("answers", 3_000);
}

#[test]
fn p4_engine() {
    replay("engine", 150);
}

#[test]
fn p5_ledger() {
    replay("ledger", 700);
}

#[test]
fn p5_head() {
    replay("head", 400);
}

#[test]
fn lines() {
    replay("lines", 300);
}

#[test]
fn arguments() {
    replay("arguments", 5_000);
}

#[test]
fn days() {
    replay("days", 5_000);
}

#[test]
fn reader() {
    replay("reader", 3_000);
}

#[test]
fn message() {
    replay("message", 20_000);
}

#[test]
fn framing() {
    replay("framing", 10_000);
}

#[test]
fn tlv() {
    replay("tlv", 20_000);
}
