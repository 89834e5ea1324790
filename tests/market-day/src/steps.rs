//! The story as a list of steps, each with its time. It follows from the script, so a number says how far the day is.

use chrono::Days;

use crate::script::{Scene, Script};
use crate::weeks::at;
use crate::words::Moment;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// Not before, milliseconds UTC.
    pub(crate) at_ms: i64,
    pub(crate) what: What,
}

/// What a step does. Every one may be begun again after an interruption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// The till is activated, if it was not, and signs on.
    Open(Moment),
    /// The bank gets its plans.
    PlanBank,
    /// The network goes, the acquirer with it.
    LineDown(Moment),
    /// The network comes back.
    LineUp(Moment),
    /// The line will be bad: faults of this evening or morning.
    Spoil(u32),
    /// The sale of this number.
    Sell(usize),
    /// The queue is sent until it is empty; the sale of this number happens meanwhile.
    Drain(Option<usize>),
    /// The till looks what is new.
    Look,
    /// The account.
    Close,
}

/// The whole story.
pub(crate) fn steps(script: &Script) -> Vec<Step> {
    let head = &script.head;
    let mut story = Vec::new();
    let mut add = |at_ms, what| story.push(Step { at_ms, what });
    let sell = |scene: Scene, add: &mut dyn FnMut(i64, What)| {
        for (number, sale) in script.sales.iter().enumerate().filter(|(_, sale)| sale.scene == scene) {
            add(sale.at_ms, What::Sell(number));
        }
    };
    let meanwhile = script.sales.iter().position(|sale| sale.scene == Scene::Drain);

    let saturday = head.saturday;
    add(at(saturday, 8, 0), What::Open(Moment::Opens));
    add(at(saturday, 8, 5), What::PlanBank);
    sell(Scene::Morning, &mut add);
    add(at(saturday, 8, 45), What::LineDown(Moment::LineGoes));
    sell(Scene::Market, &mut add);
    // At one instant: the till would use the line by itself as soon as time passes.
    add(at(saturday, 21, 31), What::Spoil(0));
    add(at(saturday, 21, 31), What::LineUp(Moment::LineIsBad));
    add(at(saturday, 21, 31), What::Drain(meanwhile));
    add(at(saturday, 22, 5), What::LineDown(Moment::LineGoesAgain));
    sell(Scene::Night, &mut add);
    add(at(saturday, 23, 31), What::Spoil(1));
    add(at(saturday, 23, 31), What::LineUp(Moment::AfterCutOff));
    add(at(saturday, 23, 31), What::Drain(None));

    let mut day = saturday;
    while day < head.last {
        day = day.checked_add_days(Days::new(1)).unwrap_or(head.last);
        if day == head.second {
            add(at(day, 11, 0), What::Spoil(2));
        }
        add(at(day, 12, 0), if day == head.last { What::Close } else { What::Look });
        if day == head.second {
            add(at(day, 13, 0), What::Open(Moment::OpensForAnAfternoon));
            sell(Scene::SecondLive, &mut add);
            add(at(day, 14, 0), What::LineDown(Moment::NoLineBehindTheChurch));
            sell(Scene::Second, &mut add);
            add(at(day, 18, 0), What::LineUp(Moment::HomeWithAGoodLine));
            add(at(day, 18, 0), What::Drain(None));
        }
        if day == head.third {
            add(at(day, 12, 30), What::Open(Moment::OpensALastTime));
            sell(Scene::ThirdLive, &mut add);
            add(at(day, 13, 10), What::LineDown(Moment::NoLine));
            sell(Scene::Third, &mut add);
            add(at(day, 17, 0), What::LineUp(Moment::Home));
            add(at(day, 17, 0), What::Drain(None));
            add(at(day, 18, 0), What::Look);
        }
    }
    story
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Faults;

    #[test]
    fn the_story_runs_forward_and_every_sale_is_in_it_once() {
        for seed in 1..=6 {
            let script = Script::invent(seed, 72, Faults::Market, true, true);
            let story = steps(&script);
            assert!(story.is_sorted_by_key(|step| step.at_ms), "seed {seed}");
            let mut sold: Vec<usize> = story
                .iter()
                .filter_map(|step| match step.what {
                    What::Sell(number) | What::Drain(Some(number)) => Some(number),
                    _ => None,
                })
                .collect();
            sold.sort_unstable();
            assert_eq!(sold, (0..script.sales.len()).collect::<Vec<_>>());
            assert_eq!(story.last().map(|step| &step.what), Some(&What::Close));
        }
    }
}
