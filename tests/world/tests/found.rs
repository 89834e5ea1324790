//! Days that broke once: each is played again, whole, with all that goes wrong in it. One after another, in a process of their
//! own: the chance inside SQLite is the process's.

use std::collections::BTreeSet;

use world::plan::Size;
use world::world::World;

/// The seed of a day, and what it broke by.
const FOUND: [(u64, &str); 7] = [
    (340, "an acquirer restored from its backup used its feed's cursors anew: a late decline was never heard"),
    (11152, "a commit of unknown fate was kept, and the process that saw it fail did not look"),
    (12450, "the judge took what an older copy had told for untold"),
    (13208, "a charge whose giving up was kept though its commit failed could not be let go"),
    (15285, "what was sold under a clock five hours ahead hid how long it waited"),
    (15374, "the judge took what an older copy had told for untold, by another way"),
    (19698, "a clock ahead that nobody vouched for made a sale look younger, and it was put right before the next one"),
];

#[test]
fn every_promise_holds_on_the_days_that_broke_one() {
    for (seed, what) in FOUND {
        // As they were drawn then. The till has changed since, and with it the hour of some things: what a day found is held
        // in its shortest form as well, in `regressions.rs` or beside the engine.
        let size = Size { readers_fail: false, ..Size::default() };
        let report = World::new(seed, size, BTreeSet::new(), false).unwrap().play().unwrap();
        assert_eq!(report.violations, Vec::<String>::new(), "seed {seed}: {what}");
        assert!(report.charges > 0, "seed {seed}: nobody bought anything");
    }
}
