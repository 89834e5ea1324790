//! Cuts while the till only looks: a copy of the same till for each place, where every question is cut once; it must end up
//! knowing what an undisturbed one knows.

use relay::Exchange;
use serde_json::{Value, json};

use crate::judge::{drain, verify};
use crate::plan::{Job, LIST, Lengths, Scene};
use crate::stall::{self, START_MS, Stall, Way};
use crate::till::Till;
use crate::work::Tally;
use crate::{During as _, Wrong, args::Args};

/// From Saturday morning to Monday night: cleared, paid out, arrived.
const UNTIL_ARRIVED_MS: i64 = 5 * 86_400_000 / 2;
/// Payments that wait at most before they are sent.
const AT_ONCE: usize = 20;
/// The list of changed payments, as the acquirer names it.
const PAYMENTS_LIST: &str = "GET /v1/payments";
/// Name of the till that is copied.
const ORIGINAL: &str = "original";

/// What an undisturbed till knows afterwards, and how long its conversation was.
struct Base {
    scene: Scene,
    stall: Stall,
    now_ms: i64,
    known: Value,
    lengths: Vec<Lengths>,
}

/// How long requests and answers of this scene are.
pub(crate) fn lengths(scene: Scene, args: &Args) -> Result<Vec<Lengths>, Wrong> {
    Base::build(scene, args).map(|base| base.lengths)
}

/// Makes the cuts.
pub(crate) fn run(job: &Job, args: &Args) -> Result<Tally, Wrong> {
    let base = Base::build(job.scene, args)?;
    let mut tally = Tally::default();
    for place in &job.places {
        tally.count(&base.one(job.way, *place).during(&format!("{place} bytes"))?);
    }
    tally.payments.charged = base.known["payments"].as_array().map_or(0, Vec::len);
    Ok(tally)
}

impl Base {
    /// A till that slept while its payments were paid out, and its twin that woke undisturbed.
    fn build(scene: Scene, args: &Args) -> Result<Self, Wrong> {
        // More than three changed payments are read by pages, and a page has 200.
        let payments = if scene == Scene::WakingToPages { 203 } else { 4 };
        let stall = Stall::open(args)?;
        let mut till = stall.new_till(ORIGINAL)?;
        for number in 1..=payments {
            let card = json!({"last_four": format!("{}", 2_000 + number)});
            let charge =
                json!({"cmd": "charge", "amount_minor": 1_000 + 100 * number, "mode": "offline", "card": card});
            let answer = till.must(&charge)?;
            if answer["outcome"]["outcome"] != "saved" {
                return Err(Wrong(format!("{charge}: {answer}")));
            }
            if number % AT_ONCE == 0 || number == payments {
                till.must(&json!({"cmd": "sync"}))?;
            }
        }
        drain(&mut till)?;
        till.close()?;
        stall.admin("PUT", "/admin/clock", &json!({"advance_ms": UNTIL_ARRIVED_MS}))?;
        let now_ms = START_MS + UNTIL_ARRIVED_MS;
        let mut base = Self { scene, stall, now_ms, known: Value::Null, lengths: Vec::new() };
        let (known, mut seen) = base.wake("twin", 2, None)?;
        if scene == Scene::Waking {
            // Without the list, payments are read one by one.
            base.stall.fault(PAYMENTS_LIST, "drop_answer")?;
            let (known_too, seen_too) = base.wake("twin", 3, None)?;
            same(&known_too, &known)?;
            seen.extend(seen_too);
        }
        paid_out(&known, payments, &base.stall)?;
        base.known = known;
        base.lengths = stall::lengths(scene.targets(), &seen);
        if base.lengths.iter().any(|lengths| lengths.answer == 0) {
            return Err(Wrong("not every question was asked".to_owned()));
        }
        Ok(base)
    }

    /// A copy of the till wakes, the line breaks at this place of each question and is good again.
    fn one(&self, way: Way, place: usize) -> Result<Vec<bool>, Wrong> {
        if self.scene == Scene::Waking && self.lengths[LIST].of(way) < place {
            self.stall.fault(PAYMENTS_LIST, "drop_answer")?;
        }
        // Another seed each: the copies must not say the same nonces.
        let seed = 1_000 + u64::try_from(place).unwrap_or(0) * 2 + u64::from(way == Way::Answer);
        let (known, seen) = self.wake("copy", seed, Some((way, place)))?;
        same(&known, &self.known)?;
        stall::cuts(self.scene.targets(), &seen, way, place)
    }

    /// Lets a copy of the till wake and work until nothing is left to do. Returns what it knows and what came by.
    fn wake(&self, name: &str, seed: u64, place: Option<(Way, usize)>) -> Result<(Value, Vec<Exchange>), Wrong> {
        self.stall.copy(ORIGINAL, name)?;
        let mut till = self.stall.till(name, seed, self.now_ms)?;
        self.stall.arm(self.scene.targets(), place)?;
        drain(&mut till)?;
        let seen = self.stall.disarm()?;
        verify(&mut till)?;
        let known = picture(&mut till)?;
        drop(till);
        self.stall.remove(name)?;
        Ok((known, seen))
    }
}

fn same(known: &Value, expected: &Value) -> Result<(), Wrong> {
    if known == expected { Ok(()) } else { Err(Wrong(format!("it knows {known}, not {expected}"))) }
}

/// Everything a merchant can see.
fn picture(till: &mut Till) -> Result<Value, Wrong> {
    let payments = till.payments()?;
    let payouts = till.must(&json!({"cmd": "payouts"}))?["payouts"].take();
    let mut details = Vec::new();
    for payout in payouts.as_array().into_iter().flatten() {
        let mut detail = till.must(&json!({"cmd": "payout", "id": payout["payout_id"]}))?;
        details.push(json!({"payout": detail["payout"].take(), "entries": detail["entries"].take()}));
    }
    let takings = till.must(&json!({"cmd": "takings", "from": "2026-11-01", "to": "2026-11-30"}))?["takings"].take();
    let alerts = till.must(&json!({"cmd": "alerts", "max": 200}))?["alerts"].take();
    // Their numbers follow the order of events, which a broken line may change.
    let told = |alert: &Value| format!("{} {} {}", alert["alert_kind"], alert["subject_id"], alert["amount_minor"]);
    let mut alerts: Vec<String> = alerts.as_array().into_iter().flatten().map(told).collect();
    alerts.sort();
    Ok(json!({"payments": payments, "payouts": details, "takings": takings, "alerts": alerts}))
}

/// The twin itself is right: everything arrived in one payout that adds up and is the bank's.
fn paid_out(known: &Value, payments: usize, stall: &Stall) -> Result<(), Wrong> {
    let count = |list: &Value| list.as_array().map_or(0, Vec::len);
    let arrived = known["payments"].as_array().is_some_and(|all| all.iter().all(|one| one["stage"] == "arrived"));
    let (detail, book) = (&known["payouts"][0], stall.book()?);
    let right = arrived
        && count(&known["payments"]) == payments
        && count(&known["payouts"]) == 1
        && count(&detail["entries"]) == payments
        && detail["payout"]["difference_minor"] == 0
        && detail["payout"]["net_minor"] == book["bank"]["lines"][0]["amount_minor"]
        && count(&book["captures"]) == payments;
    if right { Ok(()) } else { Err(Wrong(format!("an undisturbed till knows {known}"))) }
}
