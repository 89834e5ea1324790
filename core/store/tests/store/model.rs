//! What a ledger is, said plainly: maps, and one rule for each kind of event. Nothing here is the store's.

use std::collections::BTreeMap;

/// The days of two sales and of every payout.
pub(crate) const DAYS: [&str; 2] = ["2026-11-21", "2026-11-22"];
pub(crate) const PAYOUT_DAY: &str = "2026-11-23";
/// What a payout's header says, and one of its lines.
pub(crate) const NET: i64 = 1_000;
pub(crate) const LINE: (i64, i64) = (200, 3);

/// Something that may happen to payment `of`.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Charge,
    Attempt,
    Read,
    Accept,
    Send,
    End { maybe: bool },
    Report { version: u64, approved: bool },
    Expire,
    Cancel,
    Abandon,
    Erase,
    Serve(bool),
}

/// Something that may happen to a payout.
#[derive(Debug, Clone)]
pub(crate) enum Turn {
    Report { version: u64, status: &'static str },
    Page { page: u32, last: bool, lines: Vec<u64> },
    Reconcile { right: bool },
}

#[derive(Debug, Clone)]
pub(crate) enum Move {
    Pay(u64, Act),
    Out(u64, Turn),
    Clock,
    Terms(u8),
    /// A reader says whether its charge is low.
    Reader {
        number: u8,
        low: bool,
    },
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Pay {
    pub(crate) key: u64,
    attempted: bool,
    card: bool,
    pub(crate) blob: bool,
    accepted: bool,
    abandoned: bool,
    cancelled: bool,
    expired: bool,
    pub(crate) sends: u32,
    open: bool,
    maybe: bool,
    report: Option<(u64, bool)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Out {
    pub(crate) key: u64,
    version: u64,
    pub(crate) status: &'static str,
    pub(crate) lines: Vec<u64>,
    pages: u32,
    pub(crate) complete: bool,
    pub(crate) difference: Option<i64>,
}

/// An alert: its event, what, about which subject's key, and the version of the fact.
pub(crate) type Told = (u64, &'static str, u64, i64);

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    /// Kind and subject of every event.
    pub(crate) events: Vec<(&'static str, u64)>,
    pub(crate) payments: BTreeMap<u64, Pay>,
    pub(crate) payouts: BTreeMap<u64, Out>,
    pub(crate) told: Vec<Told>,
    pub(crate) heard: u64,
    pub(crate) balances: BTreeMap<(&'static str, &'static str), i64>,
    terms: Option<u8>,
    /// Whose charge is low.
    readers: BTreeMap<u8, bool>,
    /// Which of the last moves were legal.
    pub(crate) legal: Vec<bool>,
}

pub(crate) fn amount(of: u64) -> i64 {
    100 * i64::try_from(of + 1).unwrap()
}

pub(crate) fn day(of: u64) -> &'static str {
    DAYS[usize::try_from(of % 2).unwrap()]
}

impl Pay {
    fn approved(&self) -> bool {
        self.report.is_some_and(|(_, approved)| approved)
    }

    fn answered(&self) -> bool {
        self.report.is_some()
    }

    fn given_up(&self) -> bool {
        self.abandoned || self.cancelled
    }

    fn closed(&self) -> bool {
        self.given_up() && !self.approved()
    }

    pub(crate) fn unsent(&self) -> bool {
        self.accepted && !self.answered() && !self.closed()
    }

    pub(crate) fn offline(&self) -> bool {
        self.unsent() && !self.expired
    }

    fn queued(&self) -> bool {
        self.offline() && !self.open && !self.maybe
    }

    pub(crate) fn due(&self) -> bool {
        self.offline() && !self.open && self.blob
    }

    pub(crate) fn open_work(&self) -> bool {
        self.open || (!self.accepted && self.sends == 0 && !self.closed() && self.report.is_none())
    }

    /// On the phone, and at the acquirer.
    fn position(&self, of: u64) -> (i64, i64) {
        match (self.answered() || self.closed(), self.approved()) {
            (true, true) => (0, amount(of)),
            (true, false) => (0, 0),
            (false, _) => (if self.accepted && !self.expired { amount(of) } else { 0 }, 0),
        }
    }

    fn declined(&self) -> bool {
        self.report.is_some_and(|(_, approved)| !approved) && !self.closed()
    }

    /// What is worth telling of a report.
    fn news(&self, before: &Self) -> Option<&'static str> {
        let (unhappy, was) = (self.given_up() && self.approved(), before.given_up() && before.approved());
        if self.declined() && !before.declined() && self.accepted {
            Some("declined_after_deferral")
        } else {
            (unhappy && !was).then_some("payment_parked")
        }
    }

    /// One act; none if it cannot follow. Answers the kind of the event and what is to be told.
    fn act(&mut self, act: &Act) -> Option<(&'static str, Option<&'static str>)> {
        let before = self.clone();
        let (kind, may) = match act {
            Act::Charge => return None,
            Act::Attempt => ("attempt_started", !self.card && !self.closed()),
            Act::Read => ("card_read", !self.card && !self.closed() && self.attempted),
            Act::Accept => ("accepted", self.card && !self.accepted && !self.closed() && !self.maybe && !self.open),
            Act::Send => ("send_started", self.card && self.offline() && self.blob && !self.open),
            Act::End { .. } => ("send_ended", self.open),
            Act::Report { version, .. } => ("payment_reported", self.report.is_none_or(|(known, _)| known < *version)),
            Act::Expire => ("expired", self.offline()),
            Act::Cancel => ("cancelled_unsent", self.queued()),
            Act::Abandon => ("abandoned", !self.accepted && self.sends == 0 && !self.closed()),
            Act::Erase => ("blob_erased", self.blob && (self.answered() || self.closed())),
            Act::Serve(_) => ("service_marked", true),
        };
        if !may {
            return None;
        }
        let mut news = None;
        match act {
            Act::Attempt => self.attempted = true,
            Act::Read => (self.card, self.blob) = (true, true),
            Act::Accept => self.accepted = true,
            Act::Send => (self.open, self.sends) = (true, self.sends + 1),
            Act::End { maybe } => (self.open, self.maybe) = (false, self.maybe || *maybe),
            Act::Report { version, approved } => {
                (self.report, self.open, self.maybe) = (Some((*version, *approved)), false, true);
                news = self.news(&before);
            }
            Act::Expire => (self.expired, news) = (true, Some("payment_expired")),
            Act::Cancel => self.cancelled = true,
            Act::Abandon => self.abandoned = true,
            Act::Erase => self.blob = false,
            Act::Charge | Act::Serve(_) => {}
        }
        Some((kind, news))
    }
}

impl Model {
    pub(crate) fn opened() -> Self {
        Self { events: vec![("opened", 0)], ..Self::default() }
    }

    fn seq(&self) -> u64 {
        u64::try_from(self.events.len()).unwrap()
    }

    fn tell(&mut self, kind: &'static str, subject: u64, version: i64) {
        let known = |told: &&Told| (told.1, told.2, told.3) == (kind, subject, version);
        if !self.told.iter().any(|told| known(&told)) {
            self.told.push((self.seq(), kind, subject, version));
        }
    }

    fn post(&mut self, account: &'static str, day: &'static str, amount: i64) {
        *self.balances.entry((account, day)).or_default() += amount;
        self.balances.retain(|_, sum| *sum != 0);
    }

    /// Tries one move after the other; those that cannot follow change nothing.
    pub(crate) fn commit(&mut self, moves: &[Move]) {
        self.legal = Vec::new();
        for one in moves {
            let legal = match one {
                Move::Pay(of, act) => self.pay(*of, act),
                Move::Out(of, turn) => self.out(*of, turn),
                Move::Clock => {
                    self.events.push(("clock_jumped", 0));
                    true
                }
                Move::Reader { number, low } => {
                    self.events.push(("reader_seen", 0));
                    if *low && self.readers.insert(*number, *low) != Some(true) {
                        self.tell("reader_battery_low", 0, i64::try_from(self.seq()).unwrap());
                    }
                    self.readers.insert(*number, *low);
                    true
                }
                Move::Terms(version) => {
                    self.events.push(("terms_adopted", 0));
                    if self.terms.replace(*version).is_some_and(|known| known != *version) {
                        self.tell("terms_changed", 0, i64::try_from(self.seq()).unwrap());
                    }
                    true
                }
            };
            self.legal.push(legal);
        }
    }

    fn pay(&mut self, of: u64, act: &Act) -> bool {
        if matches!(act, Act::Charge) && !self.payments.contains_key(&of) {
            let key = self.seq() + 1;
            self.payments.insert(of, Pay { key, ..Pay::default() });
            self.events.push(("charge_started", key));
            return true;
        }
        let Some(mut pay) = self.payments.get(&of).cloned() else { return false };
        let before = pay.position(of);
        let Some((kind, news)) = pay.act(act) else { return false };
        self.events.push((kind, pay.key));
        let after = pay.position(of);
        self.post("phone", day(of), after.0 - before.0);
        self.post("acquirer", day(of), after.1 - before.1);
        self.post("customers", day(of), before.0 + before.1 - after.0 - after.1);
        if let Some(news) = news {
            let version = pay.report.map_or(0, |(version, _)| i64::try_from(version).unwrap());
            self.tell(news, pay.key, version);
        }
        self.payments.insert(of, pay);
        true
    }

    fn out(&mut self, of: u64, turn: &Turn) -> bool {
        match (self.payouts.get(&of).cloned(), turn) {
            (None, Turn::Report { version, status }) => {
                let key = self.seq() + 1;
                let (version, status) = (*version, *status);
                let out = Out { key, version, status, lines: vec![], pages: 0, complete: false, difference: None };
                self.reported(of, None, out)
            }
            (Some(out), Turn::Report { version, status }) if *version > out.version => {
                let next = Out { version: *version, status, ..out.clone() };
                self.reported(of, Some(out), next)
            }
            (Some(mut out), Turn::Page { page, last, lines }) if !out.complete && out.pages == *page => {
                self.events.push(("entries_reported", out.key));
                for _ in lines {
                    let (gross, fee) = LINE;
                    self.post("fees", PAYOUT_DAY, fee);
                    self.post("payout", PAYOUT_DAY, gross - fee);
                    self.post("acquirer", DAYS[0], -gross);
                }
                out.lines.extend(lines);
                (out.pages, out.complete) = (out.pages + 1, *last);
                self.payouts.insert(of, out);
                true
            }
            (Some(mut out), Turn::Reconcile { right: true }) if out.complete => {
                self.events.push(("reconciled", out.key));
                let difference = self.difference(of);
                let moved = difference - out.difference.unwrap_or(0);
                self.post("payout", PAYOUT_DAY, moved);
                self.post("differences", PAYOUT_DAY, -moved);
                if difference != 0 {
                    self.tell("payout_difference", out.key, i64::try_from(out.version).unwrap());
                }
                out.difference = Some(difference);
                self.payouts.insert(of, out);
                true
            }
            _ => false,
        }
    }

    fn reported(&mut self, of: u64, before: Option<Out>, out: Out) -> bool {
        self.events.push(("payout_reported", out.key));
        let banked = |out: &Out| if out.status == "arrived" { NET } else { 0 };
        let moved = banked(&out) - before.as_ref().map_or(0, banked);
        self.post("bank", PAYOUT_DAY, moved);
        self.post("payout", PAYOUT_DAY, -moved);
        let kind = match out.status {
            "sent" => Some("payout_sent"),
            "arrived" => Some("payout_arrived"),
            "returned" => Some("payout_returned"),
            _ => None,
        };
        if let Some(kind) = kind.filter(|_| before.is_none_or(|before| before.status != out.status)) {
            self.tell(kind, out.key, i64::try_from(out.version).unwrap());
        }
        self.payouts.insert(of, out);
        true
    }

    /// What header and lines of a payout differ by.
    pub(crate) fn difference(&self, of: u64) -> i64 {
        let lines = self.payouts.get(&of).map_or(0, |out| i64::try_from(out.lines.len()).unwrap());
        NET - lines * (LINE.0 - LINE.1)
    }

    pub(crate) fn version_of(&self, of: u64) -> u64 {
        self.payouts.get(&of).map_or(0, |out| out.version)
    }

    pub(crate) fn stage(&self, of: u64) -> &'static str {
        let pay = &self.payments[&of];
        if pay.closed() || (pay.declined() && !pay.accepted) {
            return "not_charged";
        }
        if pay.given_up() || pay.declined() {
            return "needs_you";
        }
        if pay.approved() {
            let speaks = self.payouts.values().filter(|out| out.lines.contains(&of)).max_by_key(|out| out.key);
            return match speaks.map(|out| out.status) {
                None => "approved",
                Some("arrived") => "arrived",
                Some("returned") => "needs_you",
                Some(_) => "on_its_way",
            };
        }
        match (pay.expired, pay.queued()) {
            (true, _) => "needs_you",
            (false, true) => "saved_on_phone",
            (false, false) => "being_confirmed",
        }
    }
}
