//! The fewest faults with which a day still fails: halves, quarters, … are left out as long as the same promise breaks.

use std::collections::BTreeSet;

use world::plan::Plan;

use super::CommandError;
use super::args::Args;
use super::workers::day;

/// Finds them and prints them.
pub(crate) fn run(args: &Args, seed: u64) -> Result<bool, CommandError> {
    super::planted::plant(args.plant.as_deref())?;
    let plan = Plan::draw(seed, args.size);
    let first = day(args, seed)?;
    let Some(promise) = first.promises.first().cloned() else {
        println!("seed {seed}: every promise held");
        return Ok(true);
    };
    println!("seed {seed} breaks {promise} with {} faults: {}", plan.faults.len(), first.violations[0]);
    let mut kept: Vec<usize> = (0..plan.faults.len()).filter(|at| !args.without.contains(at)).collect();
    let mut size = kept.len().div_ceil(2).max(1);
    let mut tries = 0;
    loop {
        let mut at = 0;
        while at < kept.len() {
            let end = (at + size).min(kept.len());
            let fewer: Vec<usize> = kept[..at].iter().chain(&kept[end..]).copied().collect();
            let without: BTreeSet<usize> = (0..plan.faults.len()).filter(|number| !fewer.contains(number)).collect();
            tries += 1;
            if day(&Args { without, ..args.clone() }, seed)?.promises.contains(&promise) {
                kept = fewer;
            } else {
                at = end;
            }
        }
        if size == 1 {
            break;
        }
        size = size.div_ceil(2);
    }
    println!("{} faults are enough ({tries} days tried):", kept.len());
    for at in &kept {
        println!("  {}", serde_json::to_string(&plan.faults[*at])?);
    }
    let left_out: Vec<String> =
        (0..plan.faults.len()).filter(|number| !kept.contains(number)).map(|number| number.to_string()).collect();
    println!("cargo world replay {seed} --without {}", left_out.join(","));
    Ok(false)
}
