//! A day while it is played.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use takings_ffi::demo::{DemoReader, DemoWorld};
use takings_ffi::records::{PaymentQuery, PayoutQuery};
use takings_ffi::{Charge, TakingsError, Till};

use crate::pattern::{self, Names};
use crate::plain::{self, Plain as _};
use crate::steps::Step;
use crate::{Trouble, machine, short};

const CLOCKS: [&str; 4] = ["now_ms", "trusted_ms", "oldest_unsent_age_ms", "oldest_age_ms"];
const BOOK: [&str; 8] =
    ["authorizations", "bank", "captures", "payments", "payouts", "requests", "reversals", "totals"];

/// What can end a step.
pub(crate) enum Ended {
    /// The library refused: the day may have expected it.
    Refused(TakingsError),
    /// The day cannot go on.
    Trouble(Trouble),
}

impl From<TakingsError> for Ended {
    fn from(error: TakingsError) -> Self {
        Self::Refused(error)
    }
}

impl From<Trouble> for Ended {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// See the module.
pub(crate) struct Day {
    pub(crate) dir: String,
    pub(crate) chinese: bool,
    pub(crate) world: Arc<DemoWorld>,
    pub(crate) reader: Arc<DemoReader>,
    pub(crate) till: Option<Arc<Till>>,
    /// Held until the app ends: a charge that is let go of is given up.
    pub(crate) charges: Vec<Arc<Charge>>,
    pub(crate) names: Names,
    pub(crate) told: Vec<Value>,
    pub(crate) acknowledged: u64,
}

/// Plays a day and gives its result, the day's name not yet in it.
pub(crate) async fn play(file: &Value, always: &Value, dir: &str) -> Result<Map<String, Value>, Trouble> {
    let part = |name: &str| file.get(name).unwrap_or(&Value::Null);
    let refused = |error: TakingsError| machine(plain::error(error));
    let seed = part("seed").as_u64().ok_or_else(|| Trouble::NoDay("seed: below zero".to_owned()))?;
    let world = DemoWorld::new(seed, part("start_ms").as_i64().unwrap_or(0)).map_err(refused)?;
    let reader = world.new_reader().map_err(refused)?;
    let mut day = Day {
        dir: dir.to_owned(),
        chinese: part("language") == "zh",
        world,
        reader,
        till: None,
        charges: Vec::new(),
        names: Names::new(),
        told: Vec::new(),
        acknowledged: 0,
    };
    day.step(&json!({"do": "open_app"}), "the first opening").await?;
    let mut answers = Vec::new();
    for (step, number) in part("steps").as_array().into_iter().flatten().zip(1..) {
        let word = step.get("do").and_then(Value::as_str).unwrap_or_default();
        answers.push(day.step(step, &format!("step {number} ({word})")).await?);
    }
    day.step(&json!({"do": "alerts"}), "the last alerts").await?;
    let mut seen = day.seen(true).await.map_err(|ended| match ended {
        Ended::Refused(error) => refused(error),
        Ended::Trouble(trouble) => trouble,
    })?;
    pattern::holds(always, &seen, "always", &day.names)?;
    pattern::holds(part("end"), &seen, "end", &day.names)?;
    day.step(&json!({"do": "kill_app"}), "the end of the app").await?;
    let result = seen.as_object_mut().map(std::mem::take).unwrap_or_default();
    Ok(result.into_iter().chain([("answers".to_owned(), answers.into())]).collect())
}

impl Day {
    async fn step(&mut self, step: &Value, place: &str) -> Result<Value, Trouble> {
        let fails = step.get("fails");
        match (self.run(Step(step)).await, fails) {
            (Ok(answer), Some(_)) => Err(Trouble::Wrong(format!("{place}: expected to fail, gave {}", short(&answer)))),
            (Ok(answer), None) => {
                if let Some(gives) = step.get("gives") {
                    pattern::holds(gives, &answer, &format!("{place} gives"), &self.names)?;
                }
                Ok(answer)
            }
            (Err(Ended::Refused(error)), fails) => {
                let error = plain::error(error);
                let Some(fails) = fails else { return Err(Trouble::Wrong(format!("{place}: failed: {error}"))) };
                pattern::holds(fails, &error, &format!("{place} fails"), &self.names)?;
                Ok(json!({"error": error}))
            }
            (Err(Ended::Trouble(trouble)), _) => Err(trouble.at(place)),
        }
    }

    pub(crate) fn till(&self) -> Result<Arc<Till>, Trouble> {
        self.till.clone().ok_or_else(|| Trouble::NoDay("the app is not open".to_owned()))
    }

    fn name_of(&self, payment_id: &str) -> String {
        let named = self.names.iter().find(|(_, id)| *id == payment_id);
        named.map_or(payment_id, |(name, _)| name).to_owned()
    }

    /// What is to be seen now.
    pub(crate) async fn seen(&self, at_the_end: bool) -> Result<Value, Ended> {
        let till = self.till()?;
        let mut seen = json!({
            "alerts": self.told,
            "status": without_clocks(till.status().await?.plain()),
            "payouts": self.payouts().await?,
            "takings": till.takings("2020-01-01".into(), "2039-12-31".into()).await?.plain(),
            "book": self.book()?,
        });
        let payments = self.payments(&PaymentQuery::default()).await?;
        let payments = payments.into_iter().filter_map(|payment| {
            let id = payment.get("payment_id")?.as_str()?;
            Some((self.name_of(id), payment))
        });
        seen["payments"] = Value::Object(payments.collect());
        if at_the_end {
            let mut ledger = till.verify().await?.plain();
            ledger["chain_hash"] = self.world.chain_hash(self.dir.clone())?.into();
            seen["ledger"] = ledger;
        }
        Ok(seen)
    }

    /// Every payment of a query, newest first.
    pub(crate) async fn payments(&self, query: &PaymentQuery) -> Result<Vec<Value>, Ended> {
        let (till, mut found, mut query) = (self.till()?, Vec::new(), query.clone());
        loop {
            let page = till.payments(query.clone()).await?;
            found.extend(page.payments.into_iter().map(plain::Plain::plain));
            query.after = page.next;
            if query.after.is_none() {
                return Ok(found);
            }
        }
    }

    async fn payouts(&self) -> Result<Vec<Value>, Ended> {
        let till = self.till()?;
        let (mut found, mut query) = (Vec::new(), PayoutQuery { status: None, after: None, limit: None });
        loop {
            let page = till.payouts(query.clone()).await?;
            for payout in page.payouts {
                let detail = till.payout(payout.payout_id).await?;
                let mut payout = detail.payout.plain();
                payout["entries"] = detail.entries.plain();
                found.push(payout);
            }
            query.after = page.next;
            if query.after.is_none() {
                found.reverse();
                return Ok(found);
            }
        }
    }

    /// The acquirer's book.
    fn book(&self) -> Result<Value, Ended> {
        let text = self.world.admin("GET".into(), "/admin/ledger".into(), String::new())?;
        let whole: Value = serde_json::from_str(&text).map_err(machine)?;
        let mut book: Map<String, Value> =
            BOOK.iter().filter_map(|name| Some(((*name).to_owned(), whole.get(name)?.clone()))).collect();
        let payments = whole.get("payments").and_then(Value::as_array).into_iter().flatten().filter_map(|payment| {
            let id = payment.get("payment_id")?.as_str()?;
            Some((self.name_of(id), payment.clone()))
        });
        book.insert("payments".into(), Value::Object(payments.collect()));
        Ok(book.into())
    }
}

fn without_clocks(mut status: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| !CLOCKS.contains(&name.as_str()));
                members.values_mut().for_each(strip);
            }
            Value::Array(elements) => elements.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut status);
    if let Some(trouble) = status.get_mut("trouble").and_then(Value::as_object_mut) {
        trouble.remove("at_ms");
    }
    status
}
