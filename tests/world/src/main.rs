//! `cargo world`: see README.md.

fn main() {}
