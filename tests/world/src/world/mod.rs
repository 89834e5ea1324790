//! The loop: one thread, one queue of happenings by true time, phones, an acquirer with its bank, and a judge.
//!
//! * `phones`: the app's life: inputs, effects, death and another start. `selling`: customers, cards, the merchant's looks.
//! * `acquirer`: requests on their way, and what the administrator does. `trouble`: what goes wrong, and when it ends.
//! * `closing`: the days after, and the books.

mod acquirer;
mod closing;
mod phones;
mod selling;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use sandbox_acquirer::{Config, Sandbox};
use serde::{Deserialize, Serialize};
use takings_acquirers::SignedRequest;
use takings_acquirers::http::Carried;
use takings_domain::{OperationId, PaymentId};

use crate::disk::seed_sqlite;
use crate::oracle::Oracle;
use crate::phone::{ACQUIRER, Phone};
use crate::plan::{FaultKind, MINUTE, Plan, Size};
use crate::rare::{Counts, Rare};
use crate::record::Violation;
use crate::trace::Trace;

/// What is to happen.
#[derive(Debug)]
enum Happening {
    /// A customer comes, by his place in the plan; or comes again.
    Customer { sale: usize, again: bool },
    /// A fault begins, by its place in the plan.
    Begins(usize),
    /// It ends.
    Ends(usize),
    /// What it puts back later is copied.
    Copies(usize),
    /// A request reaches the acquirer.
    Arrives {
        phone: usize,
        life: u64,
        op: OperationId,
        request: SignedRequest,
        fate: crate::network::Fate,
        sent_ms: i64,
        again: bool,
    },
    /// A request comes to its end at the phone.
    Answered { phone: usize, life: u64, op: OperationId, name: String, carried: Carried, handled_ms: Option<i64> },
    /// The app is woken.
    Wakes { phone: usize, life: u64 },
    /// The next value between reader and phone.
    Value { phone: usize, life: u64 },
    /// The link to the reader comes back.
    LinkBack { phone: usize, life: u64 },
    /// The customer goes.
    Goes { phone: usize, life: u64, payment: PaymentId },
    /// The merchant cancels a payment.
    Cancels { phone: usize, payment: PaymentId },
    /// The merchant looks at his phone, and asks for a contact.
    Looks { phone: usize },
    /// The app is started.
    Starts { phone: usize },
    /// Nothing goes wrong any more.
    Heals,
}

/// How a day went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DayReport {
    /// Where it came from.
    pub seed: u64,
    /// Hash over everything that happened, hex.
    pub trace: String,
    /// Broken promises, the first first.
    pub violations: Vec<String>,
    /// Which promises were broken.
    pub promises: BTreeSet<String>,
    /// Virtual time, milliseconds.
    pub virtual_ms: i64,
    /// Charges begun.
    pub charges: u64,
    /// Requests that left.
    pub requests: u64,
    /// Inputs to all engines.
    pub inputs: u64,
    /// Faults, by name.
    pub faults: Counts,
    /// Rare states, by name.
    pub rare: Counts,
}

impl DayReport {
    /// Of a day that ended in a panic of the till.
    #[must_use]
    pub fn panicked(seed: u64, text: &str) -> Self {
        Self {
            seed,
            trace: String::new(),
            violations: vec![format!("P12 the till panicked: {text}")],
            promises: BTreeSet::from(["P12".to_owned()]),
            virtual_ms: 0,
            charges: 0,
            requests: 0,
            inputs: 0,
            faults: Counts::new(),
            rare: Rare::default().counts(),
        }
    }
}

/// See the module.
pub struct World {
    plan: Plan,
    /// Faults of the plan that are left out.
    without: BTreeSet<usize>,
    now_ms: i64,
    queue: BTreeMap<(i64, u64), Happening>,
    order: u64,
    phones: Vec<Phone>,
    sandbox: Sandbox,
    /// Copies of the acquirer, and when they were made, by the fault that puts them back.
    copies: BTreeMap<usize, (i64, Sandbox)>,
    oracle: Oracle,
    rare: Rare,
    trace: Trace,
    faults: Counts,
    /// Faults under way, by phone: those of the line.
    weather: Vec<BTreeMap<usize, FaultKind>>,
    /// Faults of the acquirer under way, and what the acquirer calls them.
    acquirer_trouble: BTreeMap<usize, (FaultKind, String)>,
    /// Answers under way when it started again are lost: requests handled before this are not answered.
    acquirer_restarted_ms: i64,
    /// Sends of each payment.
    sends: BTreeMap<PaymentId, u32>,
    /// Payments whose answer is awaited.
    posting: BTreeMap<PaymentId, OperationId>,
    /// The acquirer published something new.
    documents_changed_ms: i64,
    /// How often merchants looked.
    looks: u64,
    /// How often customers came again.
    returns: BTreeMap<usize, u32>,
    healed: bool,
    ends_ms: Option<i64>,
    charges: u64,
    requests: u64,
    inputs: u64,
}

/// A world could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// There is no room for a phone's files.
    #[error("no room for a phone's files: {0}")]
    Files(#[from] io::Error),
    /// The acquirer did not start.
    #[error(transparent)]
    Acquirer(#[from] sandbox_acquirer::OpenError),
    /// The acquirer's administrator was refused: the world's own fault.
    #[error("the acquirer's administrator was refused: {0}")]
    Refused(String),
}

impl World {
    /// The world of this seed, without some of its faults. `told`: keep lines for people.
    ///
    /// # Errors
    /// [`WorldError`] if it cannot be set up.
    pub fn new(seed: u64, size: Size, without: BTreeSet<usize>, told: bool) -> Result<Self, WorldError> {
        seed_sqlite(seed);
        let plan = Plan::draw(seed, size);
        let config = Config { seed, start_ms: plan.start_ms, public_url: Some(ACQUIRER.to_owned()), journal: None };
        let phones =
            (0..size.phones).map(|number| Phone::new(number, seed, plan.start_ms)).collect::<Result<Vec<_>, _>>()?;
        let mut world = Self {
            now_ms: plan.start_ms,
            without,
            queue: BTreeMap::new(),
            order: 0,
            sandbox: Sandbox::new(config)?,
            copies: BTreeMap::new(),
            oracle: Oracle::new(size.phones, plan.merchant_of.clone()),
            rare: Rare::default(),
            trace: Trace::new(told),
            faults: Counts::new(),
            weather: vec![BTreeMap::new(); size.phones],
            acquirer_trouble: BTreeMap::new(),
            acquirer_restarted_ms: i64::MIN,
            sends: BTreeMap::new(),
            posting: BTreeMap::new(),
            documents_changed_ms: i64::MIN,
            looks: 0,
            returns: BTreeMap::new(),
            healed: false,
            ends_ms: None,
            charges: 0,
            requests: 0,
            inputs: 0,
            phones,
            plan,
        };
        world.set_up()?;
        Ok(world)
    }

    fn set_up(&mut self) -> Result<(), WorldError> {
        self.publish_policy(&serde_json::json!({}))?;
        for phone in 0..self.phones.len() {
            let merchant = format!("M{:06}", 1 + self.plan.merchant_of[phone]);
            let answer =
                self.admin("POST", "/admin/activation-codes", &serde_json::json!({"merchant_id": merchant}))?;
            self.phones[phone].code = answer["activation_code"].as_str().unwrap_or_default().to_owned();
            let terminal = answer["terminal_id"].as_str().unwrap_or_default();
            self.oracle.terminal(phone, terminal);
            self.at(self.now_ms + 1_000 * i64::try_from(phone).unwrap_or(0), Happening::Starts { phone });
            self.at(self.now_ms + 4 * MINUTE, Happening::Looks { phone });
        }
        for sale in 0..self.plan.sales.len() {
            self.at(self.plan.sales[sale].at_ms, Happening::Customer { sale, again: false });
        }
        for fault in 0..self.plan.faults.len() {
            if !self.without.contains(&fault) {
                let at_ms = self.plan.faults[fault].at_ms;
                match self.plan.faults[fault].kind {
                    FaultKind::AcquirerRestored { age_ms } => self.at(at_ms - age_ms, Happening::Copies(fault)),
                    FaultKind::OlderCopy { age_ms, .. } => self.at(at_ms - age_ms, Happening::Copies(fault)),
                    _ => {}
                }
                self.at(at_ms, Happening::Begins(fault));
            }
        }
        self.at(self.plan.heal_ms, Happening::Heals);
        Ok(())
    }

    /// Plays the day, the days after it, and judges; stops at the first broken promise.
    ///
    /// # Errors
    /// [`WorldError`] if the world itself fails.
    pub fn play(&mut self) -> Result<DayReport, WorldError> {
        while let Some(((at_ms, _), happening)) = self.queue.pop_first() {
            self.now_ms = self.now_ms.max(at_ms);
            if self.ends_ms.is_some_and(|end| self.now_ms > end) || !self.oracle.violations().is_empty() {
                break;
            }
            self.happen(happening)?;
        }
        if self.oracle.violations().is_empty() {
            self.close()?;
        }
        Ok(self.report())
    }

    fn happen(&mut self, happening: Happening) -> Result<(), WorldError> {
        match happening {
            Happening::Customer { sale, again } => self.customer(sale, again),
            Happening::Begins(fault) => self.begin_fault(fault)?,
            Happening::Ends(fault) => self.end_fault(fault)?,
            Happening::Arrives { phone, life, op, request, fate, sent_ms, again } => {
                self.arrive(phone, life, op, &request, &fate, sent_ms, again);
            }
            Happening::Answered { phone, life, op, name, carried, handled_ms } => {
                self.answered(phone, life, op, &name, carried, handled_ms);
            }
            Happening::Copies(fault) => self.take_copy(fault)?,
            Happening::Wakes { phone, life } => self.wake(phone, life),
            Happening::Value { phone, life } => self.value(phone, life),
            Happening::LinkBack { phone, life } => self.link_back(phone, life),
            Happening::Goes { phone, life, payment } => self.customer_goes(phone, life, payment),
            Happening::Cancels { phone, payment } => self.cancel(phone, payment),
            Happening::Looks { phone } => self.look(phone),
            Happening::Starts { phone } => self.start(phone),
            Happening::Heals => self.heal()?,
        }
        Ok(())
    }

    /// Something is to happen then, milliseconds UTC.
    fn at(&mut self, at_ms: i64, happening: Happening) {
        self.order += 1;
        self.queue.insert((at_ms.max(self.now_ms), self.order), happening);
    }

    fn tell(&mut self, phone: usize, what: &str) {
        self.trace.tell(self.now_ms, &format!("phone {phone}"), what);
    }

    /// What was broken so far.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        self.oracle.violations()
    }

    /// What happened, for people, if it was kept.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.trace.lines()
    }

    /// The day's faults.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The histories of the payments that violations name, for people.
    pub fn histories(&mut self) -> Vec<String> {
        let texts: Vec<String> = self.oracle.violations().iter().map(|violation| violation.what.clone()).collect();
        let words =
            texts.iter().flat_map(|text| text.split(|letter: char| !letter.is_ascii_hexdigit() && letter != '-'));
        let named: BTreeSet<PaymentId> = words.filter_map(|word| PaymentId::parse(word).ok()).collect();
        let mut lines = Vec::new();
        for phone in &mut self.phones {
            let now = phone.now(self.now_ms);
            for id in &named {
                let Ok(detail) = phone.reading().and_then(|reading| reading.payment(*id, now)) else { continue };
                lines.push(format!("phone {}: {}", phone.number, serde_json::json!(detail.payment)));
                lines.extend(
                    detail.timeline.iter().map(|entry| format!("  {} {} {}", entry.seq, entry.kind, entry.body)),
                );
            }
        }
        lines
    }

    fn report(&self) -> DayReport {
        let violations = self.oracle.violations();
        let line = |violation: &Violation| {
            let at = crate::trace::clock(violation.at_ms);
            let phone = violation.phone.map_or_else(|| "everywhere".to_owned(), |phone| format!("phone {phone}"));
            format!("{} {at} {phone}: {}", violation.promise, violation.what)
        };
        DayReport {
            seed: self.plan.seed,
            trace: self.trace.finish(),
            violations: violations.iter().map(line).collect(),
            promises: violations.iter().map(|violation| violation.promise.to_owned()).collect(),
            virtual_ms: self.now_ms - self.plan.start_ms,
            charges: self.charges,
            requests: self.requests,
            inputs: self.inputs,
            faults: self.faults.clone(),
            rare: self.rare.counts(),
        }
    }
}
