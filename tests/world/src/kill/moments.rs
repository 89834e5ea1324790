//! Days of random work, killed at random moments.

use std::time::Duration;

use serde_json::json;

use super::judge::Verdict;
use super::stall::{Customer, Deed, Stall, day};
use super::till::Dies;
use super::{Asked, KillError, Programs, Trouble};
use crate::streams::Stream;

/// The latest moment of a kill after the till has opened, microseconds.
const LATEST_US: u64 = 180_000;
/// One kill in ten comes this early after the start: while the till opens.
const EARLY_US: u64 = 25_000;
/// So many deeds without a death, and the kill did not come.
const MOST_DEEDS: u32 = 100_000;

/// A day with so many kills.
pub(super) fn play(asked: &Asked, programs: &Programs, number: u64, kills: u32) -> Result<Verdict, KillError> {
    let name = format!("day {number} of seed {}", asked.seed);
    let seed = asked.seed.wrapping_mul(1_000_003).wrapping_add(number);
    day(asked, programs, &name, seed, |stall| {
        let mut work = Work { customers: Stream::new(seed, "customers"), sold: 0 };
        let mut moments = Stream::new(seed, "kills");
        spoil_the_line(stall, &mut Stream::new(seed, "net"))?;
        if !stall.open(&[], None)? || !stall.perform(&Deed::Activate)? || !stall.perform(&Deed::SignOn)? {
            return Err(Trouble::Wrong("a till that nobody killed died".to_owned()));
        }
        stall.close_till()?;
        let mut unfinished = None;
        for _ in 0..kills {
            // Sometimes the acquirer first: the till goes on without it for a while.
            let acquirer_dies = moments.once_in_thousand(120);
            let early = moments.once_in_thousand(100);
            let after = Duration::from_micros(moments.below(if early { EARLY_US } else { LATEST_US }));
            let dies = if early { Dies::AfterStart(after) } else { Dies::AfterOpening(after) };
            if stall.open_again(Some(dies))? {
                if acquirer_dies {
                    stall.kill_acquirer()?;
                }
                unfinished = work.until_killed(stall, unfinished)?;
                if acquirer_dies {
                    stall.acquirer.start_again()?;
                }
            }
        }
        Ok(())
    })
}

/// Answers and requests are lost now and then.
fn spoil_the_line(stall: &Stall<'_>, net: &mut Stream) -> Result<(), KillError> {
    for (kind, probability) in [("drop_answer", 0.04), ("drop_request", 0.03), ("half_answer", 0.02)] {
        let rule =
            json!({"on": "POST /v1/payments/**", "kind": kind, "probability": probability, "seed": net.below(1 << 32)});
        stall.acquirer.admin("POST", "/admin/faults", &rule)?;
    }
    Ok(())
}

struct Work {
    customers: Stream,
    sold: u64,
}

impl Work {
    /// Works until the till dies; returns what has to be done again then.
    fn until_killed(&mut self, stall: &mut Stall<'_>, unfinished: Option<Deed>) -> Result<Option<Deed>, Trouble> {
        let mut deed = unfinished.unwrap_or_else(|| self.deed());
        for _ in 0..MOST_DEEDS {
            if !stall.perform(&deed)? {
                return Ok(matches!(deed, Deed::Charge(_)).then_some(deed));
            }
            deed = self.deed();
        }
        Err(KillError::Unfit("the kill did not come".to_owned()).into())
    }

    fn deed(&mut self) -> Deed {
        match self.customers.below(100) {
            0..20 => Deed::Sync,
            20..35 => Deed::Pass(self.customers.between(1, 40_000)),
            35..40 => Deed::Background,
            40..43 => Deed::Acknowledge,
            _ => Deed::Charge(self.customer()),
        }
    }

    fn customer(&mut self) -> Customer {
        self.sold += 1;
        Customer {
            order: format!("M-{}", self.sold),
            amount_minor: self.customers.between(3, 300) * 100,
            first: self.customers.pick::<&str>(&["622200", "411111"]),
            last_four: format!("{:04}", self.customers.between(1_000, 9_999)),
            mode: self.customers.pick::<&str>(&["offline", "prefer_online", "prefer_online"]),
            dies_at: None,
        }
    }
}
