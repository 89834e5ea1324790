//! Bad input from every side. Each test names the rule it holds the till to.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests, and the helpers of tests")]

mod amounts;
mod clock;
mod disk;
mod encryption;
mod ledger;
mod line;
mod reader;
mod signed;
mod signed_news;
mod support;
mod terminal;
