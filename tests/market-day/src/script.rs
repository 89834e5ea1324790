//! The script: every sale of the story before it happens, one line of JSON each. All of it follows from the head.

use std::fs;
use std::path::Path;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::args::Faults;
use crate::error::{About, DayError};
use crate::stream::Stream;
use crate::weeks::{Week, at, week};

/// The first line: what everything else follows from, and the dates the judge asks about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) kind: String,
    pub(crate) format: u32,
    pub(crate) seed: u64,
    pub(crate) payments: u32,
    pub(crate) faults: Faults,
    pub(crate) kill: bool,
    /// The line can be taken away; else every sale without a line is made in offline mode.
    pub(crate) line_control: bool,
    pub(crate) timezone: String,
    pub(crate) cut_off: String,
    pub(crate) saturday: NaiveDate,
    pub(crate) second: NaiveDate,
    pub(crate) third: NaiveDate,
    pub(crate) slow: NaiveDate,
    pub(crate) last: NaiveDate,
    /// The payout of this business date is credited, given back and paid again.
    pub(crate) returned_business_date: Option<NaiveDate>,
    /// The payout of this business date comes late or never.
    pub(crate) overdue_business_date: Option<NaiveDate>,
    pub(crate) overdue: Option<Overdue>,
}

/// What the bank does with the slow payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Overdue {
    Late,
    Never,
}

/// Where in the story a sale belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scene {
    /// Saturday, the line is good.
    Morning,
    /// Saturday, no line.
    Market,
    /// Saturday evening, while the queue drains over a bad line.
    Drain,
    /// Saturday night, no line again; sent after the cut-off.
    Night,
    /// The second day, the line is good.
    SecondLive,
    /// The second day, no line.
    Second,
    /// The third day, the line is good.
    ThirdLive,
    /// The third day, no line.
    Third,
}

/// What becomes of a sale, as far as the script can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expect {
    /// Approved in full.
    Sold,
    /// Approved for half.
    Partly,
    /// The bank says no: while the customer waits, or after they have gone.
    Declined,
    /// The till says no before the card is read.
    RefusedBeforeCard,
    /// The till says no after the card is read.
    RefusedAfterCard,
}

/// The customer's card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) first: String,
    pub(crate) last_four: String,
    pub(crate) entry_mode: String,
}

/// One sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sale {
    pub(crate) kind: String,
    pub(crate) order: String,
    pub(crate) scene: Scene,
    pub(crate) at_ms: i64,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) mode: String,
    pub(crate) card: Card,
    /// When the link to the reader is lost at the first try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<String>,
    /// When the till is killed at the first try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kill: Option<String>,
    pub(crate) expect: Expect,
}

/// The whole script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) head: Head,
    pub(crate) sales: Vec<Sale>,
}

/// A customer who is not like the others.
#[derive(Clone, Copy)]
enum Role {
    Usual,
    OverLimit,
    SchemeDenied,
    LinkLostBeforeCard,
    LinkLostAfterCard,
    Kill(&'static str),
    Declined,
    DeclinedByAmount,
    Partly,
    Later,
}

const SCENES: [Scene; 8] = [
    Scene::Morning,
    Scene::Market,
    Scene::Drain,
    Scene::Night,
    Scene::SecondLive,
    Scene::Second,
    Scene::ThirdLive,
    Scene::Third,
];

impl Scene {
    /// From when to when it plays.
    fn hours(self, week: &Week) -> (i64, i64) {
        match self {
            Self::Morning => (at(week.saturday, 8, 12), at(week.saturday, 8, 40)),
            Self::Market => (at(week.saturday, 8, 50), at(week.saturday, 21, 15)),
            Self::Drain => (at(week.saturday, 21, 31), at(week.saturday, 21, 32)),
            Self::Night => (at(week.saturday, 22, 10), at(week.saturday, 23, 20)),
            Self::SecondLive => (at(week.second, 13, 5), at(week.second, 13, 50)),
            Self::Second => (at(week.second, 14, 5), at(week.second, 17, 45)),
            Self::ThirdLive => (at(week.third, 12, 35), at(week.third, 13, 0)),
            Self::Third => (at(week.third, 13, 15), at(week.third, 16, 45)),
        }
    }

    /// Whether the till can reach the acquirer.
    pub(crate) fn has_line(self) -> bool {
        matches!(self, Self::Morning | Self::Drain | Self::SecondLive | Self::ThirdLive)
    }

    fn roles(self) -> Vec<Role> {
        match self {
            Self::Morning => vec![Role::Usual, Role::Usual],
            Self::Market => vec![
                Role::OverLimit,
                Role::SchemeDenied,
                Role::LinkLostBeforeCard,
                Role::LinkLostAfterCard,
                Role::Kill("before_card"),
                Role::Kill("saved"),
                Role::Declined,
                Role::DeclinedByAmount,
                Role::Partly,
                Role::Later,
            ],
            Self::Drain => vec![Role::Usual],
            Self::Night => vec![Role::Kill("card_data")],
            Self::SecondLive => vec![Role::Usual, Role::Declined],
            Self::ThirdLive => vec![Role::Usual],
            Self::Second | Self::Third => Vec::new(),
        }
    }

    /// Its part of the usual customers, in percent.
    fn share(self) -> u32 {
        match self {
            Self::Market => 60,
            Self::Night => 14,
            Self::Second => 14,
            Self::Third => 12,
            _ => 0,
        }
    }
}

impl Script {
    /// Writes the story of this seed.
    pub(crate) fn invent(seed: u64, payments: u32, faults: Faults, kill: bool, line_control: bool) -> Self {
        let week = week(seed);
        let market = faults == Faults::Market;
        let head = Head {
            kind: "day".to_owned(),
            format: 1,
            seed,
            payments,
            faults,
            kill,
            line_control,
            timezone: "Asia/Shanghai".to_owned(),
            cut_off: "23:00:00".to_owned(),
            saturday: week.saturday,
            second: week.second,
            third: week.third,
            slow: week.slow,
            last: week.last,
            returned_business_date: market.then_some(week.second),
            overdue_business_date: market.then_some(week.third),
            overdue: market.then(|| if seed.is_multiple_of(2) { Overdue::Late } else { Overdue::Never }),
        };
        let mut sales = Vec::new();
        let mut usual = payments.saturating_sub(SCENES.iter().map(|scene| count(scene.roles().len())).sum());
        let all_usual = usual;
        for scene in SCENES {
            let mut roles = scene.roles();
            let last = scene == Scene::Third;
            let more = if last {
                usual
            } else {
                (all_usual * scene.share() / 100).max(u32::from(scene.share() > 0)).min(usual)
            };
            usual -= more;
            roles.extend((0..more).map(|_| Role::Usual));
            Stream::new(seed, &format!("order {scene:?}")).shuffle(&mut roles);
            cast(&head, &week, scene, &roles, &mut sales);
        }
        Self { head, sales }
    }

    /// Reads the script of a day that has begun.
    pub(crate) fn read(path: &Path) -> Result<Self, DayError> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).about(&name)?;
        let mut lines = text.lines();
        let head = serde_json::from_str(lines.next().unwrap_or_default()).about(&name)?;
        let sales = lines.map(serde_json::from_str).collect::<Result<_, _>>().about(&name)?;
        Ok(Self { head, sales })
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<(), DayError> {
        let name = path.display().to_string();
        let mut text = serde_json::to_string(&self.head).about(&name)?;
        for sale in &self.sales {
            text.push('\n');
            text.push_str(&serde_json::to_string(sale).about(&name)?);
        }
        text.push('\n');
        let fresh = path.with_extension("new");
        fs::write(&fresh, text).about(&name)?;
        fs::rename(&fresh, path).about(&name)
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Gives every role its sale and its time.
fn cast(head: &Head, week: &Week, scene: Scene, roles: &[Role], sales: &mut Vec<Sale>) {
    let (from, to) = scene.hours(week);
    let slot = (to - from) / i64::from(count(roles.len()).max(1));
    let mut times = Stream::new(head.seed, &format!("times {scene:?}"));
    let mut customers = Stream::new(head.seed, &format!("customers {scene:?}"));
    for (place, role) in roles.iter().enumerate() {
        let begin = from + slot * i64::try_from(place).unwrap_or(0);
        let at_ms = begin + times.between(0, slot * 4 / 5);
        let order = format!("MD-{:04}", sales.len() + 1);
        sales.push(sale(head, scene, *role, order, at_ms, &mut customers));
    }
}

fn sale(head: &Head, scene: Scene, role: Role, order: String, at_ms: i64, customers: &mut Stream) -> Sale {
    let offline = !scene.has_line() && (!head.line_control || !customers.one_in(3) || matches!(role, Role::OverLimit));
    let mut sale = Sale {
        kind: "sale".to_owned(),
        order,
        scene,
        at_ms,
        amount_minor: amount(customers),
        currency: "CNY".to_owned(),
        mode: if offline { "offline" } else { "prefer_online" }.to_owned(),
        card: card(customers),
        link: None,
        kill: None,
        expect: Expect::Sold,
    };
    let market = head.faults == Faults::Market;
    match role {
        Role::Usual => {}
        Role::OverLimit => (sale.amount_minor, sale.expect) = (58_800, Expect::RefusedBeforeCard),
        Role::SchemeDenied => {
            "378282".clone_into(&mut sale.card.first);
            sale.expect = Expect::RefusedAfterCard;
        }
        Role::LinkLostBeforeCard => sale.link = market.then(|| "before_card".to_owned()),
        Role::LinkLostAfterCard => sale.link = market.then(|| "between_card_and_answer".to_owned()),
        Role::Kill(moment) => sale.kill = head.kill.then(|| moment.to_owned()),
        Role::Declined => {
            let last_four = if scene.has_line() { "0005" } else { "0051" };
            last_four.clone_into(&mut sale.card.last_four);
            sale.expect = Expect::Declined;
        }
        Role::DeclinedByAmount => {
            (sale.amount_minor, sale.expect) = (sale.amount_minor / 100 * 100 + 61, Expect::Declined)
        }
        Role::Partly => {
            "0010".clone_into(&mut sale.card.last_four);
            sale.expect = Expect::Partly;
        }
        Role::Later => "0068".clone_into(&mut sale.card.last_four),
    }
    sale
}

/// What things cost at a market; never one of the amounts the sandbox's bank declines.
fn amount(customers: &mut Stream) -> i64 {
    let amount = if customers.one_in(12) { customers.between(12_000, 45_000) } else { customers.between(300, 12_000) };
    if matches!(amount % 100, 5 | 51 | 54 | 61) { amount + 1 } else { amount }
}

/// A usual card: of a scheme the policy allows, with last digits that mean nothing to the sandbox's bank.
fn card(customers: &mut Stream) -> Card {
    let first = if customers.one_in(3) { customers.pick(&["411111", "555555"]).copied() } else { None };
    Card {
        first: first.unwrap_or("622200").to_owned(),
        last_four: customers.between(1_000, 9_999).to_string(),
        entry_mode: if customers.one_in(3) { "contactless" } else { "chip" }.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_writes_the_same_script_and_the_file_keeps_it() {
        let script = Script::invent(3, 72, Faults::Market, true, true);
        assert_eq!(script, Script::invent(3, 72, Faults::Market, true, true));
        assert_ne!(script.sales, Script::invent(4, 72, Faults::Market, true, true).sales);
        let dir = std::env::temp_dir().join(format!("market-day-script-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        script.write(&dir.join("script.jsonl")).unwrap();
        assert_eq!(Script::read(&dir.join("script.jsonl")).unwrap(), script);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn every_scene_has_its_customers_in_order_of_time_whatever_the_size() {
        for payments in [24, 25, 40, 72, 500] {
            for seed in 1..=8 {
                let script = Script::invent(seed, payments, Faults::Market, true, true);
                assert_eq!(script.sales.len(), payments as usize, "seed {seed}");
                assert!(script.sales.is_sorted_by(|a, b| a.at_ms < b.at_ms), "seed {seed}, {payments} payments");
                for scene in SCENES {
                    assert!(script.sales.iter().any(|sale| sale.scene == scene), "{scene:?}");
                }
                assert_eq!(script.sales.iter().filter(|sale| sale.kill.is_some()).count(), 3);
                let open: i64 =
                    script.sales.iter().filter(|sale| sale.scene == Scene::Market).map(|sale| sale.amount_minor).sum();
                assert!(open < 5_000_000, "seed {seed}: the policy of the sandbox allows fifty thousand");
            }
        }
    }

    #[test]
    fn a_good_day_has_no_faults() {
        let script = Script::invent(1, 72, Faults::None, false, false);
        assert!(script.sales.iter().all(|sale| sale.link.is_none() && sale.kill.is_none()));
        assert!(script.sales.iter().all(|sale| sale.scene.has_line() || sale.mode == "offline"));
        assert_eq!((script.head.returned_business_date, script.head.overdue), (None, None));
    }
}
