//! The app's life on a phone: what goes in, what comes out, how it dies and starts again.

use takings_till::simulation::{Command, Effect, Input, Reply};
use takings_till::{ChargeOutcome, TillError};

use super::{Happening, World};
use crate::network::{self, Fate, RequestFate};
use crate::phone::{Death, Purpose};
use crate::plan::{MINUTE, SECOND};
use crate::record::{Deed, Seen};
use crate::streams::Stream;

impl World {
    /// Gives the app an input; what comes out goes its way, unless the process died of it.
    pub(super) fn feed(&mut self, phone: usize, input: Input) {
        let at_ms = self.now_ms;
        let this = &mut self.phones[phone];
        let now = this.now(at_ms);
        let Some(engine) = this.engine.as_mut() else { return };
        self.inputs += 1;
        let syncs = this.disk.counts().syncs;
        let effects = engine.handle(input, now);
        if this.disk.is_dead() {
            if this.disk.counts().syncs > syncs {
                self.rare.count("crash_between_commit_and_effect");
            }
            return self.die(phone);
        }
        this.disk.note_beside();
        for effect in effects {
            self.effect(phone, effect);
        }
    }

    pub(super) fn command(&mut self, phone: usize, purpose: Purpose, command: Command) {
        if self.phones[phone].engine.is_none() {
            return;
        }
        let ticket = self.phones[phone].ticket(purpose);
        self.feed(phone, Input::Command(ticket, command));
    }

    fn effect(&mut self, phone: usize, effect: Effect) {
        match effect {
            Effect::Send { op, request, timeout_ms } => {
                let life = self.phones[phone].life;
                self.send(phone, life, op, request, timeout_ms);
            }
            Effect::Reply(ticket, reply) => {
                let Some(purpose) = self.phones[phone].waiting.remove(&ticket) else {
                    return self.trouble(phone, &TillError::Internal { code: "answered_twice", detail: String::new() });
                };
                self.trace.bytes("reply", format!("{purpose:?} {reply:?}").as_bytes());
                self.reply(phone, purpose, reply);
            }
            Effect::WakeAt(wall_ms) => {
                self.phones[phone].wake_at_wall_ms = Some(wall_ms);
                self.plan_waking(phone);
            }
        }
    }

    /// The system wakes the app by the wall clock.
    pub(super) fn plan_waking(&mut self, phone: usize) {
        let this = &self.phones[phone];
        if let Some(wall_ms) = this.wake_at_wall_ms {
            let life = this.life;
            self.at(wall_ms - this.wall_offset_ms, Happening::Wakes { phone, life });
        }
    }

    pub(super) fn wake(&mut self, phone: usize, life: u64) {
        let this = &mut self.phones[phone];
        let due = this.wake_at_wall_ms.is_some_and(|wall_ms| wall_ms - this.wall_offset_ms <= self.now_ms);
        if this.life == life && due {
            this.wake_at_wall_ms = None;
            self.trace.bytes("tick", &phone.to_be_bytes());
            self.feed(phone, Input::Tick);
        }
    }

    fn send(
        &mut self,
        phone: usize,
        life: u64,
        op: takings_domain::OperationId,
        request: takings_acquirers::SignedRequest,
        timeout_ms: u64,
    ) {
        self.requests += 1;
        self.phones[phone].requests += 1;
        let number = self.phones[phone].requests;
        let name = network::name(&request);
        self.count_sends(op, &request);
        let mut stream = Stream::new(self.plan.seed, &format!("request {phone} {number}"));
        let fate = Fate::draw(&mut stream, &self.weather[phone]);
        self.tell(phone, &format!("sends {name}{}", told_fate(&fate)));
        self.trace.bytes("request", &request.body);
        let timeout_ms = i64::try_from(timeout_ms).unwrap_or(i64::MAX);
        let sent_ms = self.now_ms;
        let ended = |carried, after_ms| (sent_ms + after_ms, carried);
        let end = match fate.request {
            RequestFate::Refused => {
                Some(ended(takings_acquirers::http::Carried::NotSent("connection refused".to_owned()), fate.there_ms))
            }
            RequestFate::Portal => {
                self.rare.count("unsigned_answer");
                Some(ended(network::portal(), fate.there_ms.min(timeout_ms)))
            }
            RequestFate::Lost => None,
            RequestFate::Arrives => {
                if fate.there_ms > timeout_ms {
                    self.rare.count("late_request");
                }
                let at_ms = sent_ms + fate.there_ms;
                self.at(at_ms, Happening::Arrives { phone, life, op, request, fate, sent_ms, again: false });
                None
            }
        };
        // Whatever becomes of it, the phone hears no later than this; only the first word counts.
        let (at_ms, carried) =
            end.unwrap_or_else(|| ended(takings_acquirers::http::Carried::Maybe("timed out".to_owned()), timeout_ms));
        self.phones[phone].under_way.insert(op);
        self.at(at_ms, Happening::Answered { phone, life, op, name, carried, handled_ms: None });
    }

    fn reply(&mut self, phone: usize, purpose: Purpose, reply: Result<Reply, TillError>) {
        match (purpose, reply) {
            (Purpose::Activate, Ok(Reply::Activated(_))) => self.phones[phone].activated = true,
            (Purpose::Charge(sale), Ok(Reply::Charging(id))) => self.begun(phone, sale, id),
            (Purpose::Charge(sale), Err(error)) => self.charge_refused(phone, sale, error),
            (Purpose::Link(id), Ok(Reply::Step(step))) => self.step(phone, id, step),
            (Purpose::Outcome(id), Ok(Reply::Outcome(outcome))) => self.told(phone, id, outcome),
            (Purpose::Sync, Ok(Reply::Synced(report))) => {
                let detail = report.detail.as_deref().map_or_else(String::new, |detail| format!(" ({detail})"));
                self.tell(phone, &format!("contact ended: {}, {} waiting{detail}", report.ended, report.waiting));
                self.see(phone, Seen::Synced(report));
            }
            (Purpose::Status, Ok(Reply::Status(status))) => {
                // A terminal that was bound just before its process died learns it here.
                self.phones[phone].activated |= status.activation.is_some();
                if status.missing_events > 0 {
                    self.rare.count("shortened_history_noticed");
                }
                self.see(phone, Seen::Status(status));
            }
            (Purpose::Verify, Ok(Reply::Verified(report))) => self.see(phone, Seen::Verified(report)),
            (Purpose::Acknowledge(upto), Ok(_)) => self.see(phone, Seen::Acknowledged { upto }),
            (Purpose::Cancel(id), Ok(_)) => {
                self.tell(phone, &format!("{id} cancelled"));
                self.see(phone, Seen::Cancelled { payment: id.to_string() });
            }
            (_, Err(error)) => self.trouble(phone, &error),
            (_, Ok(_)) => {}
        }
    }

    pub(super) fn see(&mut self, phone: usize, seen: Seen) {
        self.oracle.see(self.now_ms, phone, seen);
    }

    /// An error that no caller expects is the judge's business.
    pub(super) fn trouble(&mut self, phone: usize, error: &TillError) {
        if matches!(error, TillError::Storage { .. } | TillError::Internal { .. } | TillError::UpgradeApp { .. }) {
            self.tell(phone, &format!("trouble: {error}"));
            let excused = self.is_excused(phone);
            self.see(phone, Seen::Trouble { error: error.clone(), excused });
        }
    }

    pub(super) fn is_excused(&self, phone: usize) -> bool {
        let this = &self.phones[phone];
        this.disk.is_dead() || self.now_ms <= this.excused_until_ms
    }

    /// The screen shows how a charge stands.
    pub(super) fn outcome(&mut self, phone: usize, id: takings_domain::PaymentId, outcome: ChargeOutcome) {
        if outcome == ChargeOutcome::NotConfirmed {
            self.rare.count("not_confirmed");
        }
        if let ChargeOutcome::NotCharged { cause, .. } = &outcome
            && cause == "offline_refused"
        {
            self.rare.count("limit_reached");
        }
        self.tell(phone, &format!("{id}: screen says {outcome:?}"));
        self.see(phone, Seen::Outcome { payment: id.to_string(), outcome });
    }

    /// The process is over: everything that was only in memory is gone.
    pub(super) fn die(&mut self, phone: usize) {
        let at_ms = self.now_ms;
        let death = self.phones[phone].death.take().unwrap_or(Death::Killed);
        self.take_up_sale_again(phone);
        let this = &mut self.phones[phone];
        this.end();
        this.disk.die_at(None);
        match death {
            Death::Killed => this.disk.revive(),
            Death::PowerCut => {
                let cuts = this.disk.counts().cuts;
                let mut stream = Stream::new(self.plan.seed, &format!("power {phone} {cuts}"));
                let before = this.disk.counts().dropped;
                this.disk.cut_power(&mut |end| stream.below(end));
                this.power_went = true;
                this.boot(at_ms);
                if this.disk.counts().dropped > before {
                    self.rare.count("power_cut_lost_writes");
                }
            }
        }
        let deed = if death == Death::Killed { Deed::Killed } else { Deed::PowerCut };
        self.tell(phone, &format!("{deed:?}"));
        self.oracle.deed(at_ms, Some(phone), deed);
        let mut stream = Stream::new(self.plan.seed, &format!("start {phone} {}", self.phones[phone].life));
        self.at(at_ms + stream.between(2 * SECOND, 3 * MINUTE), Happening::Starts { phone });
    }

    /// The merchant opens the app.
    pub(super) fn start(&mut self, phone: usize) {
        let at_ms = self.now_ms;
        let this = &mut self.phones[phone];
        if this.engine.is_some() {
            return;
        }
        if let Some(calls) = this.dies_again_after.take() {
            this.death = Some(Death::Killed);
            this.disk.die_at(Some(this.disk.calls() + calls));
        }
        let opened = this.open(at_ms);
        if this.disk.is_dead() {
            self.rare.count("crash_in_recovery");
            return self.die(phone);
        }
        match opened {
            Ok(()) => {
                self.tell(phone, "opened");
                self.phones[phone].judged_seq = 0;
                self.see(phone, Seen::Opened);
                self.judge_rows(phone);
                self.feed(phone, Input::Tick);
                if self.phones[phone].activated {
                    self.glance(phone, true);
                } else {
                    self.command(phone, Purpose::Status, Command::Status);
                    let code = self.phones[phone].code.clone();
                    self.command(phone, Purpose::Activate, Command::Activate { code });
                }
            }
            Err(error) => {
                let excused = self.is_excused(phone);
                self.tell(phone, &format!("not opened: {error}"));
                self.see(phone, Seen::NotOpened { error, excused });
                self.at(at_ms + MINUTE, Happening::Starts { phone });
            }
        }
    }

    /// The judge reads the rows of the ledger that are new to him.
    pub(super) fn judge_rows(&mut self, phone: usize) {
        let this = &self.phones[phone];
        let key = cfg!(feature = "sqlcipher").then_some(&[9; 32]);
        let Ok(rows) = crate::files::events(this.dir(), key, this.judged_seq) else {
            // A disk that fails may keep the judge out, too: he reads them all next time.
            return;
        };
        for row in &rows {
            self.trace.bytes(&row.columns.kind, row.columns.body.as_bytes());
        }
        self.phones[phone].judged_seq = rows.last().map_or(self.phones[phone].judged_seq, |row| row.seq);
        if self.phones[phone].blobs_erased_late(&rows) {
            self.rare.count("blob_erased_late");
        }
        self.oracle.rows(self.now_ms, phone, rows);
    }
}

fn told_fate(fate: &Fate) -> String {
    match (fate.request, fate.answer) {
        (RequestFate::Arrives, network::AnswerFate::Arrives) => String::new(),
        (RequestFate::Arrives, answer) => format!(" (answer: {answer:?})"),
        (request, _) => format!(" (request: {request:?})"),
    }
}
