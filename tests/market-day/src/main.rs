//! The main job, to watch.
fn main() {}
