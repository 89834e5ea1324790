//! The engine: synchronous, single-threaded, owner of the ledger's one write connection.
//!
//! `handle(Input, Now) -> Vec<Effect>`: `takings_domain` decides, `takings_store` commits, and only then do effects leave.
//! Each effect is answered by exactly one input, or by a crash. The runtime around it carries and decides nothing,
//! which is what lets the same engine run under a simulated clock, network and disk.
//!
//! * [`message`]: what comes in and what goes out.
//! * [`charging`]: from the intent to its outcome. [`reader`]: what the link brings. [`live`]: the card, and the
//!   one request whose customer waits. [`offline`]: acceptance without it. [`submission`]: a payment as it is sent.
//! * [`run`]: a contact with the acquirer: session, documents, three [`lanes`], the feed, within a budget.
//! * [`session`], [`documents`]: who we are to the acquirer, and the policy, terms and calendar it signed.
//! * [`exchange`]: what is asked of the acquirer and how the answer is read. [`trouble`]: why there is none.
//!   [`failures`]: answers that are not read any more.
//! * [`reports`], [`payouts`]: the acquirer's word becomes events. [`feed`]: hints become questions; [`lists`]: pages of what
//!   changed.
//! * [`keepsakes`]: checking what is kept beside the events.
//! * [`upkeep`]: what time alone brings. [`pace`]: when to speak again. [`recovery`]: what a crash left open, and what is
//!   lost. [`refill`]: lists of an earlier version. [`restore`]: the history of an earlier phone.

mod book;
mod charging;
mod documents;
mod errors;
mod exchange;
mod failures;
mod feed;
mod inventory;
mod keepsakes;
mod lanes;
mod lists;
mod live;
mod message;
mod offline;
mod pace;
mod payouts;
#[cfg(feature = "planted")]
mod planted;
mod presenting;
mod reader;
mod recovery;
mod refill;
mod reports;
mod restore;
mod run;
mod session;
mod submission;
#[cfg(test)]
mod tests;
mod trouble;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use takings_acquirers::{ActivationCode, DeviceSigner, KeyRing};
use takings_domain::ledger::LedgerState;
use takings_domain::{AttemptId, Now, OperationId, PaymentId, TimeAnchor};
use takings_store::{Ledger, OpenConfig};

use crate::charge::ChargeRequest;
use crate::error::TillError;
use crate::outlook::{Outlook, ServerClock};
use crate::ports::Randomness;
use crate::views::TroubleView;

use charging::OpenCharge;
use documents::Documents;
use exchange::InFlight;
pub use failures::Failures;
use feed::FeedState;
use inventory::{LastHeard, SoonAway};
pub use message::{Command, Effect, Input, Reply, Ticket};
use pace::Pace;
pub use reader::LinkEvent;
use restore::Restore;
use run::Run;

/// Which way the line was at the last request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Unknown,
    Up,
    Down,
}

impl Line {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What the engine is made with.
#[derive(Clone)]
pub struct EngineConfig {
    /// Where the ledger is.
    pub store: OpenConfig,
    /// Without a final slash.
    pub acquirer_url: String,
    /// Told to the acquirer.
    pub app_version: String,
    /// The longest a request may take, milliseconds.
    pub request_timeout_ms: u64,
    /// Kept current for those who read beside the engine.
    pub outlook: Outlook,
    /// Outlives the engine: the answers at which it failed.
    pub failures: Failures,
}

/// See the module.
pub struct Engine {
    ledger: Ledger,
    key: Arc<dyn DeviceSigner>,
    randomness: Arc<dyn Randomness>,
    acquirer_url: String,
    app_version: String,
    request_timeout_ms: u64,
    /// The fold of the ledger's own events.
    state: LedgerState,
    documents: Documents,
    outlook: Outlook,
    failures: Failures,
    keys: Option<KeyRing>,
    /// Believes what the root signs and nothing else: before the first list of keys.
    root_ring: Option<KeyRing>,
    /// The acquirer said that the session is over before its time.
    session_refused: bool,
    line: Line,
    pace: Pace,
    /// Something could not be written: sends and attempts may be left open in the ledger.
    left_open: bool,
    /// The acquirer's clock as a refusal for clock skew told it since the last sign-on.
    told_clock: Option<TimeAnchor>,
    /// How many payments the next batch may hold: fewer after one was refused whole.
    batch_items: u32,
    /// An activation under way: the code is not kept on disk.
    pending: Option<ActivationCode>,
    /// Where the feed's questions stand.
    feed: FeedState,
    in_flight: BTreeMap<OperationId, InFlight>,
    run: Option<Run>,
    charges: BTreeMap<PaymentId, OpenCharge>,
    /// Customers who wait for the live lane or for a session.
    waiting_live: VecDeque<PaymentId>,
    /// Charges that wait for a session, so that they belong to the batch in force.
    waiting_charges: Vec<(Ticket, ChargeRequest)>,
    /// Readers that restart or switch off by themselves, by serial number.
    away: BTreeMap<String, SoonAway>,
    /// What readers said last, by serial number, where that is no news for the ledger.
    heard: BTreeMap<String, LastHeard>,
    /// Live payments that were sent again after a new sign-on: once.
    repeated: BTreeSet<PaymentId>,
    /// Ticks whose doings are under way: answered when nothing is any more.
    ticks: Vec<Ticket>,
    missing_events: u64,
    read_only: Option<String>,
    /// A later version of the app wrote in this ledger: that is why.
    upgrade_needed: bool,
    /// A payout's change has not reached all its payments yet.
    spread_owed: bool,
    /// An earlier phone's history is being read from the acquirer.
    restore: Option<Restore>,
    /// Lists are being made anew.
    refill_owed: bool,
    /// The log is to be folded in when no card is at the reader.
    tidy_owed: bool,
    /// The app is in the background: whatever comes by itself leaves no file open behind.
    resting: bool,
    /// What time brings was done then; what could not be done is tried again from here on, wall clock, milliseconds UTC.
    look_again_at_ms: i64,
    /// The feed was last read to its end at, the acquirer's clock, milliseconds UTC.
    news_as_of_ms: Option<i64>,
    /// Contacts answer, but not the feed, since; monotonic clock, milliseconds.
    feed_silent_since_ms: Option<i64>,
    /// What went wrong on this phone last, until a tick finds nothing wrong.
    trouble_here: Option<TroubleView>,
    /// What went wrong in the newest contact.
    trouble_there: Option<TroubleView>,
    last_now: Now,
    effects: Vec<Effect>,
    #[cfg(feature = "planted")]
    planted: planted::Memory,
}

impl Engine {
    /// Handles one input. Effects are those of what is already on disk.
    pub fn handle(&mut self, input: Input, now: Now) -> Vec<Effect> {
        #[cfg(feature = "planted")]
        self.write_postponed(now);
        let (before, unknown) = (self.ledger.last_seq(), self.ledger.unknown_commits());
        if let Err(error) = self.notice_clock_jump(now) {
            self.note(&error);
        }
        self.resting = match &input {
            Input::Command(_, Command::Background) => true,
            // These come by themselves, too: a reader speaks, a request ends, a timer fires.
            Input::Command(
                _,
                Command::Link { .. } | Command::Outcome { .. } | Command::Leave { .. } | Command::Tick,
            )
            | Input::Answer(..)
            | Input::Tick => self.resting,
            Input::Command(..) => false,
        };
        let of_reader = matches!(input, Input::Command(_, Command::Link { .. })) && self.run.is_none();
        let of_time = matches!(input, Input::Tick | Input::Command(_, Command::Tick));
        match input {
            Input::Command(ticket, command) => self.command(ticket, command, now),
            Input::Answer(op, carried) => self.answer(op, carried, now),
            Input::Tick => self.on_tick(now),
        }
        self.advance(now);
        // Whoever asked heard an error, and what was asked may be on disk all the same.
        self.left_open |= self.ledger.unknown_commits() != unknown;
        // A card brings some thirty values, and three of them write something: the others make nothing due.
        if !of_reader || self.left_open || self.ledger.last_seq() != before {
            self.wake(of_time, now);
        }
        if self.resting {
            // Last, because everything above opens the file again.
            self.ledger.rest();
        }
        self.outlook.set_clock(self.server_clock());
        std::mem::take(&mut self.effects)
    }

    fn command(&mut self, ticket: Ticket, command: Command, now: Now) {
        let reply = match command {
            Command::Activate { code } => return self.activate(ticket, &code, now),
            Command::SignOn => return self.ask_sign_on(ticket, now),
            Command::Sync { budget_ms } => return self.ask_sync(ticket, budget_ms, now),
            Command::Outcome { payment } => return self.ask_outcome(ticket, payment),
            Command::Tick => {
                self.on_tick(now);
                return self.ticks.push(ticket);
            }
            Command::Leave { payment } => self.leave(payment, now).map(|()| Reply::Done),
            Command::Charge(request) => return self.ask_charge(ticket, request, now),
            Command::Link { payment, event } => self.link(payment, event, now).map(Reply::Step),
            Command::Cancel { payment, operator } => self.cancel(payment, operator, now),
            Command::MarkService { payment, given, operator } => self.mark_service(payment, given, operator, now),
            Command::Acknowledge { upto } => self.acknowledge(upto),
            Command::CountReceipt { payment, copy } => self.count_receipt(payment, copy),
            Command::Status => self.status(now).map(|status| Reply::Status(Box::new(status))),
            Command::Verify => self.verify(),
            Command::Background => self.background(now),
            #[cfg(any(test, feature = "panicking"))]
            #[expect(clippy::panic, reason = "that is what it is for")]
            Command::Panic => panic!("planted"),
        };
        self.effects.push(Effect::Reply(ticket, reply));
    }

    /// Fresh random bytes.
    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0_u8; N];
        self.randomness.fill(&mut bytes);
        bytes
    }

    fn new_operation(&self, now: Now) -> OperationId {
        OperationId::from_parts(self.server_ms(now), self.random())
    }

    fn new_attempt(&self, now: Now) -> AttemptId {
        AttemptId::from_parts(now.wall_ms, self.random())
    }

    /// The acquirer's clock as well as we know it, milliseconds UTC: what requests are dated and signed with.
    fn server_ms(&self, now: Now) -> i64 {
        self.server_clock().server_ms(now)
    }

    fn server_clock(&self) -> ServerClock {
        ServerClock { anchor: self.state.anchor, told: self.told_clock }
    }

    /// The acquirer's clock heard since the phone's last start and counted on by a clock nobody can set,
    /// milliseconds UTC.
    fn trusted_ms(&self, now: Now) -> Option<i64> {
        let anchor = self.state.anchor.filter(|anchor| anchor.heard_at.boot_id == now.boot_id);
        anchor.map(|anchor| anchor.trusted_ms(now))
    }

    /// The reading that makes things older, milliseconds UTC: what limits are judged by.
    fn pessimistic_ms(&self, now: Now) -> i64 {
        // A refusal for clock skew taught the time, too: if it is later, it counts.
        self.state.anchor.map_or(now.wall_ms, |anchor| anchor.pessimistic_ms(now)).max(self.server_ms(now))
    }

    /// Remembers trouble that has no caller to tell: the report of this contact carries it, and the status.
    fn note(&mut self, error: &TillError) {
        let error = error.to_string();
        if let Some(run) = &mut self.run {
            run.report.detail = Some(error.clone());
        }
        self.trouble_here = Some(TroubleView { at_ms: self.last_now.wall_ms, detail: error });
    }

    fn writable(&self) -> Result<(), TillError> {
        match &self.read_only {
            None => Ok(()),
            Some(why) if self.upgrade_needed => Err(TillError::upgrade_app("read_only", why)),
            Some(why) => Err(TillError::storage("read_only", why)),
        }
    }
}
