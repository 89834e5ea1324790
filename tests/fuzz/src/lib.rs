//! Everything that parses bytes from outside, under any bytes: nothing panics, nothing grows without bound, nothing is
//! believed that was not signed, and what was changed is noticed.
//!
//! A target is a plain function of bytes. libFuzzer calls it (`libfuzzer/`, a workspace of its own, nightly), and on the
//! stable toolchain `tests/replay.rs` does, with the kept inputs of `corpus/` and seeded mutations of them.
//!
//! * [`targets`]: the functions; [`TARGETS`]: by name. README.md says what each reads.
//! * [`mutation`]: inputs made from inputs, from a seed. `tape`: an input read as choices. `edit`: changes of a JSON value.
//! * `stall`: a till with an acquirer whose answers are changed on the way and signed all the same, by the keys of `seal`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a target says by a panic what it found")]

mod edit;
pub mod mutation;
mod seal;
mod stall;
mod tape;
pub mod targets;

#[expect(dead_code, reason = "shared with the tests of takings-acquirers")]
#[path = "../../../core/acquirers/tests/support/mod.rs"]
mod support;

// What the two files of the scenarios' runner find at the root of their crate.
pub(crate) use targets::days::{Trouble, short};

/// A target: any bytes.
pub type Target = fn(&[u8]);

/// The targets by the name of their folder below `corpus`, each with its longest input in bytes and the words of its language.
pub const TARGETS: &[(&str, Target, usize, &[&str])] = &[
    ("answers", targets::answers::answers, 16 * 1024, mutation::JSON),
    ("engine", targets::engine::engine, 1024, &[]),
    ("ledger", targets::ledger::ledger, 4 * 1024, mutation::JSON),
    ("head", targets::head::head, 2 * 1024, &[]),
    ("lines", targets::lines::lines, 4 * 1024, mutation::LINES),
    ("arguments", targets::arguments::arguments, 1024, mutation::WORDS),
    ("days", targets::days::days, 8 * 1024, mutation::DAYS),
    ("reader", targets::reader::reader, 2 * 1024, &[]),
    ("message", targets::message::message, 2 * 1024, &[]),
    ("framing", targets::framing::framing, 4 * 1024, &[]),
    ("tlv", targets::tlv::tlv, 2 * 1024, &[]),
];
