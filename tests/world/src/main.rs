//! `cargo world`: see README.md.

use std::collections::BTreeSet;

use world::plan::Size;
use world::world::World;

#[expect(clippy::print_stdout, reason = "a command line")]
fn main() {
    let seed: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    match World::new(seed, Size::default(), BTreeSet::new(), true) {
        Ok(mut world) => {
            let report = world.play();
            for line in world.lines() {
                println!("{line}");
            }
            println!("{report:#?}");
        }
        Err(error) => println!("{error}"),
    }
}
