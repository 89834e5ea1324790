//! Cuts while money moves: one till lives through many of them.

use relay::Exchange;
use serde_json::{Value, json};

use crate::judge::{self, Said};
use crate::plan::{Job, Lengths, Scene};
use crate::stall::{self, Stall, Way};
use crate::till::Till;
use crate::work::Tally;
use crate::{During as _, Wrong, args::Args};

/// So often the till may try again before it counts as stuck.
const MOST_ROUNDS: usize = 60;
/// Longer than a live payment is sent again for, milliseconds.
const PAST_THE_WINDOW_MS: i64 = 61_000;
/// Payments of a batch.
const BATCH: usize = 2;

/// A stall with its one till.
struct Day {
    stall: Stall,
    till: Till,
    said: Said,
    charges: usize,
    cuts: usize,
}

/// How long request and answer of this scene are.
pub(crate) fn lengths(scene: Scene, args: &Args) -> Result<Vec<Lengths>, Wrong> {
    let mut day = Day::open(args)?;
    day.warm_up()?;
    let seen = day.one(scene, None)?;
    Ok(stall::lengths(scene.targets(), &seen))
}

/// Makes the cuts, then compares till and acquirer.
pub(crate) fn run(job: &Job, args: &Args) -> Result<Tally, Wrong> {
    let mut day = Day::open(args)?;
    day.warm_up()?;
    let mut tally = Tally::default();
    for place in &job.places {
        let at = format!("{place} bytes");
        let seen = day.one(job.scene, Some((job.way, *place))).during(&at)?;
        if seen.is_empty() {
            return Err(Wrong(format!("{at}: it was never asked for")));
        }
        tally.count(&stall::cuts(job.scene.targets(), &seen, job.way, *place).during(&at)?);
    }
    let Day { stall, till, said, .. } = day;
    tally.payments = judge::till_and_book(&stall, till, &said)?;
    Ok(tally)
}

impl Day {
    fn open(args: &Args) -> Result<Self, Wrong> {
        let stall = Stall::open(args)?;
        let till = stall.new_till("till")?;
        Ok(Self { stall, till, said: Said::new(), charges: 0, cuts: 0 })
    }

    /// A live and a stored payment on a good line: numbers have their usual lengths, a connection is open.
    fn warm_up(&mut self) -> Result<(), Wrong> {
        self.charge("prefer_online", "approved", None)?;
        self.charge("offline", "saved", None)?;
        self.settle()
    }

    /// One thing done, cut at this place, and mended. Returns what came by.
    fn one(&mut self, scene: Scene, place: Option<(Way, usize)>) -> Result<Vec<Exchange>, Wrong> {
        self.prepare(scene)?;
        self.stall.arm(scene.targets(), place)?;
        self.act(scene)?;
        let seen = self.stall.disarm()?;
        self.settle()?;
        self.cuts += 1;
        Ok(seen)
    }

    /// What has to be so before the line breaks.
    fn prepare(&mut self, scene: Scene) -> Result<(), Wrong> {
        match scene {
            Scene::Batch => (0..BATCH).try_for_each(|_| self.charge("offline", "saved", None)),
            Scene::Inquiry => self.in_doubt("drop_answer"),
            Scene::InquiryUnheard => self.in_doubt("drop_request"),
            // An answer that no list explains is undone at once; without any answer it takes a lost inquiry, too.
            Scene::Reversal if self.cuts.is_multiple_of(2) => {
                self.charge("prefer_online", "not_confirmed", Some("0099"))
            }
            Scene::Reversal => {
                self.in_doubt(if self.cuts.is_multiple_of(4) { "drop_request" } else { "drop_answer" })?;
                self.stall.fault("POST /v1/payments/inquiries", "drop_answer")
            }
            Scene::SignOn if self.cuts.is_multiple_of(4) => self.charge("offline", "saved", None),
            Scene::Renewal => {
                let refused = json!({"refuse_sessions": true, "announce_only": true});
                self.stall.admin("POST", "/admin/keys/rotate", &refused).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// What the line breaks in.
    fn act(&mut self, scene: Scene) -> Result<(), Wrong> {
        match scene {
            Scene::Live | Scene::Renewal => self.charge("prefer_online", "", None),
            Scene::Batch => self.till.must(&json!({"cmd": "sync"})).map(drop),
            Scene::Inquiry | Scene::InquiryUnheard => self.stall.pass(&mut self.till, PAST_THE_WINDOW_MS),
            Scene::Reversal => self.stall.pass(&mut self.till, PAST_THE_WINDOW_MS),
            _ => self.till.ask(&json!({"cmd": "sign_on"})).map(drop),
        }
    }

    /// A live payment that the acquirer did, or did not, get, and nobody knows.
    fn in_doubt(&mut self, fault: &str) -> Result<(), Wrong> {
        self.stall.fault("POST /v1/payments", fault)?;
        self.charge("prefer_online", "not_confirmed", None)
    }

    /// A charge; every fifth is declined if it is heard. `expected` is what the till must say, if it is anything.
    fn charge(&mut self, mode: &str, expected: &str, last_four: Option<&str>) -> Result<(), Wrong> {
        self.charges += 1;
        // Neither the digits nor the sums by which the acquirer decides otherwise, but for each fifth.
        let digits = format!("{}", 2_000 + self.charges % 7_999);
        let declined = self.charges.is_multiple_of(5) && expected != "approved";
        let amount = 1_000 + 100 * (self.charges % 50) + if declined { 51 } else { self.charges % 50 };
        let card = json!({"last_four": last_four.unwrap_or(&digits)});
        let charge = json!({"cmd": "charge", "amount_minor": amount, "mode": mode, "card": card});
        let answer = self.till.must(&charge)?;
        let outcome = answer["outcome"]["outcome"].as_str().unwrap_or_default().to_owned();
        if !expected.is_empty() && outcome != expected {
            return Err(Wrong(format!("{charge} should be {expected}: {answer}")));
        }
        let id = answer["payment_id"].as_str().unwrap_or_default().to_owned();
        self.said.insert(id, outcome);
        Ok(())
    }

    /// The line is good: the till works, by itself or asked to, until every payment has its answer.
    fn settle(&mut self) -> Result<(), Wrong> {
        for round in 0..MOST_ROUNDS {
            if (self.cuts + round).is_multiple_of(2) {
                self.till.must(&json!({"cmd": "sync"}))?;
            } else {
                self.stall.pass(&mut self.till, 1_000)?;
            }
            if self.unanswered(1)?.is_empty() {
                return Ok(());
            }
        }
        Err(Wrong(format!("never answered: {}", Value::from(self.unanswered(3)?))))
    }

    fn unanswered(&mut self, most: usize) -> Result<Vec<Value>, Wrong> {
        let mut found = Vec::new();
        for stage in ["being_confirmed", "saved_on_phone"] {
            let mut page = self.till.must(&json!({"cmd": "payments", "stage": stage, "limit": most}))?;
            if let Value::Array(payments) = page["payments"].take() {
                found.extend(payments);
            }
        }
        Ok(found)
    }
}
