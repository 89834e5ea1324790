//! A contact with the acquirer: what is needed first, then three lanes and the feed side by side, within a budget.
//!
//! A run asks first for what says cheaply whether there is a line (the session, or the feed); only then is anything
//! written down as sent. Nothing is tried twice in one run unless its own pause is over. A run ends when nothing is due
//! now, the line is gone, the acquirer asks to wait, or the budget is used up.

use std::collections::{BTreeMap, BTreeSet};

use takings_domain::event::Lane;
use takings_domain::{Now, PaymentId};
use takings_store::StoreError;

use super::documents::DocumentKind;
use super::exchange::{Asked, Slot};
use super::trouble::Trouble;
use super::{Effect, Engine, Line, Reply, Ticket};
use crate::error::TillError;
use crate::views::{SyncReport, TroubleView};

/// How long the feed may stay silent while other questions are answered, milliseconds.
const FEED_PATIENCE_MS: i64 = 86_400_000;
/// No send starts with less than this left of the budget, milliseconds (our decision: an answer takes its time).
const LEAST_TO_SEND_MS: i64 = 12_000;
/// After so many exchanges of one run without an answer the rest waits for a better line.
const MOST_SILENCES: u32 = 3;
/// The acquirer's limit permitting, so many payments go in one request.
pub(super) const BATCH_ITEMS: u32 = 50;

/// Who wanted the run.
pub(super) enum Wanted {
    /// A merchant's or shell's sync.
    Sync(Ticket),
    /// A sign-on alone.
    SignOn(Ticket),
    /// An activation, which signs on at once.
    Activate(Ticket),
    /// Time: something was due.
    Time,
}

/// A run under way.
pub(super) struct Run {
    pub(super) wanted: Wanted,
    /// On the monotonic clock, milliseconds.
    ends_ms: i64,
    /// Jitter does not hold back what a person asked for.
    pub(super) eager: bool,
    pub(super) report: SyncReport,
    pub(super) need_keys: bool,
    pub(super) need_sign_on: bool,
    pub(super) documents: BTreeSet<DocumentKind>,
    /// The feed was read to its end.
    pub(super) feed_read: bool,
    /// The acquirer said that it has no more news.
    pub(super) feed_ended: bool,
    /// When it said so, its own clock, milliseconds UTC.
    pub(super) feed_as_of_ms: Option<i64>,
    /// Something that the feed pointed at could not be read.
    pub(super) feed_missed: bool,
    /// It may be read at another time: the acquirer did not refuse it for good.
    pub(super) news_waits: bool,
    /// A payment was asked after, and nothing came that can be believed.
    pub(super) payments_silent: bool,
    /// An answer came in this run: there is a line.
    pub(super) heard: bool,
    pub(super) silences: u32,
    /// Sign-ons asked for by a refusal; two are one too many.
    sign_ons: u32,
    keys_read_again: bool,
    missed_listed: bool,
    /// Per lane, the key up to which everything had its turn.
    pub(super) passed: BTreeMap<Lane, u64>,
    /// Asked after in this run: once is enough.
    pub(super) inquired: BTreeSet<PaymentId>,
    /// A session was opened in this run.
    pub(super) signed_on: bool,
    pub(super) stop: Option<(&'static str, Option<TillError>)>,
}

impl Run {
    fn new(wanted: Wanted, budget_ms: i64, now: Now) -> Self {
        let eager = !matches!(wanted, Wanted::Time);
        Self {
            wanted,
            ends_ms: now.monotonic_ms.saturating_add(budget_ms),
            eager,
            report: SyncReport::default(),
            need_keys: false,
            need_sign_on: false,
            documents: BTreeSet::new(),
            feed_read: false,
            feed_ended: false,
            feed_as_of_ms: None,
            feed_missed: false,
            news_waits: false,
            payments_silent: false,
            heard: false,
            silences: 0,
            sign_ons: 0,
            keys_read_again: false,
            missed_listed: false,
            passed: BTreeMap::new(),
            inquired: BTreeSet::new(),
            signed_on: false,
            stop: None,
        }
    }

    /// Nothing more is started; what is under way is awaited.
    pub(super) fn stop(&mut self, why: &'static str, error: Option<TillError>) {
        self.stop.get_or_insert((why, error));
    }

    /// A refusal asks for a new session: once in a run.
    pub(super) fn may_sign_on_again(&mut self) -> bool {
        self.sign_ons = self.sign_ons.saturating_add(1);
        let may = self.sign_ons == 1;
        if may {
            // What the refused session held up is sent once more.
            self.passed.remove(&Lane::Drain);
        }
        may
    }

    /// Keys or a session are had anew first, and then the question is asked once more.
    pub(super) fn asks_again(&self, trouble: &Trouble) -> bool {
        (trouble.wants_sign_on() && self.need_sign_on) || (trouble.wants_keys() && self.need_keys)
    }

    /// The one more sign-on of this run was granted and is not refused yet.
    pub(super) fn signs_on_again(&self) -> bool {
        self.need_sign_on && self.sign_ons <= 1
    }

    /// An unknown key asks for the list anew: once in a run.
    pub(super) fn may_read_keys_again(&mut self) -> bool {
        !std::mem::replace(&mut self.keys_read_again, true)
    }

    /// The feed lost our place: everything is listed, once in a run.
    pub(super) fn may_list_missed(&mut self) -> bool {
        !std::mem::replace(&mut self.missed_listed, true)
    }

    /// Somebody waits for its end.
    fn is_asked_for(&self) -> bool {
        !matches!(self.wanted, Wanted::Time)
    }

    fn only_signs_on(&self) -> bool {
        matches!(self.wanted, Wanted::SignOn(_) | Wanted::Activate(_))
    }

    /// What is left of the budget, milliseconds.
    pub(super) fn left_ms(&self, now: Now) -> i64 {
        self.ends_ms.saturating_sub(now.monotonic_ms)
    }
}

impl Engine {
    /// A merchant's or shell's sync.
    pub(super) fn ask_sync(&mut self, ticket: Ticket, budget_ms: u64, now: Now) {
        let refused = self.writable().err().or_else(|| match self.state.activated {
            None => Some(TillError::sign_in("not_activated", "activate first")),
            Some(_) if self.busy() => Some(TillError::retry_later("busy", "a sync is under way")),
            Some(_) => None,
        });
        match refused {
            Some(error) => self.effects.push(Effect::Reply(ticket, Err(error))),
            None => self.begin_run(Wanted::Sync(ticket), i64::try_from(budget_ms).unwrap_or(i64::MAX), now),
        }
    }

    /// A contact that somebody waits for is under way.
    pub(super) fn busy(&self) -> bool {
        self.run.as_ref().is_some_and(Run::is_asked_for)
    }

    /// Starts a run; [`Engine::advance`] takes it from here.
    pub(super) fn begin_run(&mut self, wanted: Wanted, budget_ms: i64, now: Now) {
        // What time began is taken over: what it already has under way counts.
        let heard = self.run.take().is_some_and(|run| run.heard);
        self.forget_skipped();
        let mut run = Run::new(wanted, budget_ms, now);
        run.heard = heard;
        run.need_keys = self.keys.is_none();
        run.need_sign_on = !self.session_valid(now) || matches!(run.wanted, Wanted::SignOn(_) | Wanted::Activate(_));
        run.documents = self.documents.wanted();
        self.run = Some(run);
        if let Err(error) = self.settle_left_open(now).and_then(|()| self.expire(now)) {
            self.note(&error);
        }
    }

    /// Starts whatever may start now, and ends the run if nothing is under way any more.
    pub(super) fn advance(&mut self, now: Now) {
        if let Err(error) = self.start_what_is_due(now) {
            self.note(&error);
            self.left_open = true;
            if let Some(run) = &mut self.run {
                run.stop("storage", Some(error));
            }
        }
        let idle = self.in_flight.is_empty();
        if idle && self.run.is_some() {
            self.end_run(now);
        }
        if idle {
            let done = std::mem::take(&mut self.ticks);
            self.effects.extend(done.into_iter().map(|ticket| Effect::Reply(ticket, Ok(Reply::Done))));
        }
    }

    fn start_what_is_due(&mut self, now: Now) -> Result<(), TillError> {
        if self.has_session(now) || self.session_is_hopeless() {
            self.begin_waiting_charges(now);
        }
        self.serve_waiting_live(now)?;
        let held = self.held(now);
        let Some(run) = &mut self.run else { return Ok(()) };
        if run.stop.is_none() {
            if run.left_ms(now) < LEAST_TO_SEND_MS {
                run.stop("budget", None);
            } else if run.silences >= MOST_SILENCES || held {
                run.stop("waiting", None);
            }
        }
        if self.run.as_ref().is_none_or(|run| run.stop.is_some()) {
            return Ok(());
        }
        if self.slot_free(Slot::Control) && self.start_control(now)? {
            return Ok(());
        }
        if self.run.as_ref().is_some_and(Run::only_signs_on) || !self.slot_free(Slot::Control) {
            return Ok(());
        }
        if self.slot_free(Slot::Feed) {
            self.start_feed(now)?;
            // The feed may have said that a document changed.
            self.start_control(now)?;
        }
        if self.run.as_ref().is_some_and(|run| run.heard) {
            self.start_lanes(now)?;
        }
        Ok(())
    }

    /// Keys, session, documents, in this order. True if one was started.
    fn start_control(&mut self, now: Now) -> Result<bool, TillError> {
        let Some(run) = &mut self.run else { return Ok(false) };
        let sign_on = run.need_sign_on;
        #[cfg(feature = "planted")]
        let sign_on =
            sign_on && !(self.state.session.is_some() && takings_domain::planted::is("ended_session_not_renewed"));
        let asked = if run.need_keys {
            Asked::Keys
        } else if self.state.activated.is_none() {
            if self.pending.is_none() {
                return Ok(false);
            }
            Asked::Activate
        } else if sign_on {
            Asked::SignOn
        } else if let Some(kind) = run.documents.pop_first() {
            self.documents.is_asked_for(kind);
            Asked::Document(kind)
        } else {
            return Ok(false);
        };
        self.ask(asked, now)?;
        Ok(true)
    }

    /// A feed read to its end, with all it points at, says what there is to know about late money. One that stays silent
    /// for a day, while other questions are answered, must not keep it from being told.
    fn take_note_of_news(&mut self, run: &Run, now: Now) {
        let silent_ms = self.feed_silent_since_ms.map_or(0, |since| now.monotonic_ms.saturating_sub(since));
        if run.feed_ended && !run.feed_missed && run.stop.is_none() {
            // As the acquirer dated it: somebody may have set the phone's clock since.
            (self.news_as_of_ms, self.feed_silent_since_ms) = (run.feed_as_of_ms, None);
        } else if run.heard && silent_ms >= FEED_PATIENCE_MS {
            self.news_as_of_ms = self.trusted_ms(now).or(self.news_as_of_ms);
        } else if run.heard {
            self.feed_silent_since_ms.get_or_insert(now.monotonic_ms);
        }
        if let Err(error) = self.spread().and_then(|()| self.notice(now)) {
            self.note(&error);
        }
    }

    fn end_run(&mut self, now: Now) {
        let Some(mut run) = self.run.take() else { return };
        self.begin_waiting_charges(now);
        if !self.waiting_live.is_empty()
            && let Err(error) = self.give_up_waiting_live(now)
        {
            run.report.detail = Some(error.to_string());
        }
        self.take_note_of_news(&run, now);
        match self.waiting(now) {
            Ok((waiting, next_due_ms)) => {
                run.report.waiting = waiting;
                run.report.next_due_ms = next_due_ms.map(|due| due.max(self.held_until_wall_ms(now)));
                let left_undone = next_due_ms.is_some_and(|due| due <= now.wall_ms) || self.wants_news(now);
                self.rest_after(self.left_open || left_undone, now);
            }
            Err(error) => {
                run.report.detail = Some(error.to_string());
                self.rest_after(true, now);
            }
        }
        let (why, error) =
            run.stop.unwrap_or((if run.report.waiting > 0 || run.news_waits { "waiting" } else { "done" }, None));
        run.report.ended = why.to_owned();
        if run.report.detail.is_none() {
            run.report.detail = error.as_ref().map(TillError::to_string);
        }
        self.trouble_there = run.report.detail.clone().map(|detail| TroubleView { at_ms: now.wall_ms, detail });
        let unheard = || TillError::retry_later(if why == "budget" { "no_line" } else { "busy" }, why);
        let signed_on = |view: Result<Reply, TillError>| match error.clone() {
            Some(error) => Err(error),
            None if run.signed_on => view,
            None => Err(unheard()),
        };
        let answer = match run.wanted {
            Wanted::Time => None,
            Wanted::Sync(ticket) => Some((ticket, Ok(Reply::Synced(run.report)))),
            Wanted::SignOn(ticket) => Some((ticket, signed_on(self.signed_on_view().map(Reply::SignedOn)))),
            // Activated is activated, also if the session then cannot be had.
            Wanted::Activate(ticket) if self.state.activated.is_some() => {
                Some((ticket, self.activation_view().map(Reply::Activated)))
            }
            Wanted::Activate(ticket) => Some((ticket, Err(error.clone().unwrap_or_else(unheard)))),
        };
        self.idle_maintenance();
        self.effects.extend(answer.map(|(ticket, reply)| Effect::Reply(ticket, reply)));
    }

    /// How many payments have something to do, and when the next thing is due.
    fn waiting(&mut self, now: Now) -> Result<(u64, Option<i64>), StoreError> {
        let mut tx = self.ledger.begin()?;
        let mut count = 0_u64;
        for lane in Lane::ALL {
            count = count.saturating_add(tx.waiting_on(*lane)?);
        }
        Ok((count, tx.next_due_from_ms(now.wall_ms)?))
    }

    /// There is no line: nothing more is tried in this run.
    pub(super) fn line_down(&mut self, why: &str) {
        self.line = Line::Down;
        if let Some(run) = &mut self.run {
            run.stop("no_line", Some(TillError::retry_later("no_line", why)));
        }
    }

    /// An answer came, whatever it said.
    pub(super) fn line_up(&mut self) {
        self.line = Line::Up;
        if let Some(run) = &mut self.run {
            run.heard = true;
        }
    }
}
