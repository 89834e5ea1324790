//! A made-up day that breaks no promise, and one fault for each check that must be found by name.

mod day;
mod spoiled;
mod told;
