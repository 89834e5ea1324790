//! The reader engine, judged from outside.

mod bench;
mod happy;
mod vectors;
