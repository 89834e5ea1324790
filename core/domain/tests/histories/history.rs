//! A small builder: one payment, its clock, and the line it shows after each event.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use takings_domain::alert::{self, Told};
use takings_domain::balance::{Account, Posting, payment_postings};
use takings_domain::event::{
    Accepted, AttemptStarted, CardRead, ChargeMode, ChargeStarted, Class, Lane, NotReceived, Parked, PaymentEvent,
    PaymentReported, Recorded, ReversalOutcome, ReversalReason, ReversalReported, ReversalRequested, SendEnded,
    SendResult, SendStarted, Via,
};
use takings_domain::payment::{self, PaymentState};
use takings_domain::{
    Arrival, AttemptId, Authorization, Clearing, Currency, EntryMode, Evidence, MaskedCard, Money, Now, OperationId,
    PaymentId, ReversalId, Scheme,
};

/// 2026-11-21 12:00 in Shanghai, milliseconds UTC.
pub(crate) const NOON_MS: i64 = 1_795_233_600_000;
/// Deferred payments of these tests must be uploaded before this, milliseconds UTC.
pub(crate) const DEADLINE_MS: i64 = NOON_MS + 10 * DAY_MS;
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Eighteen yuan.
pub(crate) const AMOUNT_MINOR: i64 = 1_800;

/// Balances as they are kept: by account, currency and business day.
pub(crate) type Books = BTreeMap<(Account, Currency, NaiveDate), i64>;

/// Adds postings to the books, after checking promise P4: they sum to zero in every currency.
pub(crate) fn post(books: &mut Books, postings: &[Posting]) {
    let mut sums: BTreeMap<Currency, i64> = BTreeMap::new();
    for posting in postings {
        *sums.entry(posting.currency).or_default() += posting.amount_minor;
        *books.entry((posting.account, posting.currency, posting.business_day)).or_default() += posting.amount_minor;
    }
    assert!(sums.values().all(|sum| *sum == 0), "P4: the postings of one event sum to zero: {postings:?}");
    books.retain(|_, amount| *amount != 0);
}

/// One payment and everything heard of it.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) events: Vec<Recorded<PaymentEvent>>,
    pub(crate) state: PaymentState,
    pub(crate) books: Books,
    pub(crate) now_ms: i64,
    /// Every alert, in order; the queue keeps each kind and version once.
    pub(crate) told: Vec<Told>,
}

pub(crate) fn at(wall_ms: i64) -> Now {
    Now { wall_ms, monotonic_ms: wall_ms - NOON_MS, boot_id: 1 }
}

pub(crate) fn id() -> PaymentId {
    PaymentId::from_parts(NOON_MS, [1; 10])
}

pub(crate) fn cny(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::CNY).unwrap()
}

pub(crate) fn op(n: u32) -> OperationId {
    OperationId::from_parts(NOON_MS, [u8::try_from(n).unwrap(); 10])
}

pub(crate) fn sale_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 21).unwrap()
}

impl History {
    /// A charge was started and the reader asked for a card.
    pub(crate) fn asked(mode: ChargeMode) -> Self {
        let attempt =
            AttemptStarted { attempt_id: AttemptId::from_bytes([9; 16]), reader_serial: Some("B5EC21A".into()) };
        Self::begun(mode).then(attempt)
    }

    /// A charge was started.
    pub(crate) fn begun(mode: ChargeMode) -> Self {
        let charge = ChargeStarted {
            payment_id: id(),
            amount: cny(AMOUNT_MINOR),
            order_reference: Some("2026-11-21/0042".into()),
            stan: 42,
            batch_number: "000117".into(),
            captured_on: sale_day(),
            mode,
            policy_version: Some("2026-11-03/2".into()),
        };
        let (at, operator) = (at(NOON_MS), Some("zhang.wei".to_owned()));
        let first = Recorded { seq: 1, at, operator: operator.clone(), event: charge.clone() };
        Self {
            events: vec![Recorded { seq: 1, at, operator, event: charge.into() }],
            state: PaymentState::open(&first),
            books: Books::new(),
            now_ms: NOON_MS,
            told: Vec::new(),
        }
    }

    /// A live charge whose card was read.
    pub(crate) fn live() -> Self {
        Self::asked(ChargeMode::PreferOnline).then(card_read())
    }

    /// A live payment whose first send may have arrived.
    pub(crate) fn in_doubt() -> Self {
        let history = Self::live();
        let history = history.clone().then(history.send(Lane::Live));
        history.clone().then(history.ended(SendResult::Maybe))
    }

    /// A live payment in doubt that is being undone.
    pub(crate) fn undoing() -> Self {
        let history = Self::in_doubt().wait(60_000).then(reversal());
        history.clone().then(history.send(Lane::Reversal))
    }

    /// Accepted offline.
    pub(crate) fn saved() -> Self {
        Self::asked(ChargeMode::Offline).then(card_read()).then(deferred())
    }

    /// Accepted offline and on its way to the acquirer.
    pub(crate) fn sending() -> Self {
        let history = Self::saved();
        history.clone().then(history.send(Lane::Drain))
    }

    /// Accepted offline and approved.
    pub(crate) fn approved() -> Self {
        Self::sending().then(report(1, Authorization::Approved))
    }

    /// The next event, one second later. It must be one that can follow.
    pub(crate) fn then(mut self, event: impl Into<PaymentEvent>) -> Self {
        if let Err(error) = self.try_then(event.into()) {
            panic!("{error}");
        }
        self
    }

    /// Tries the next event, one second later; refused, it must leave everything as it was.
    pub(crate) fn try_then(&mut self, event: PaymentEvent) -> Result<(), payment::FoldError> {
        let before = self.state.clone();
        let seq = u64::try_from(self.events.len()).unwrap() + 1;
        let operator = None;
        let recorded = Recorded { seq, at: at(self.now_ms + 1_000), operator, event };
        let done = self.state.apply(&recorded);
        if done.is_err() {
            assert_eq!(self.state, before, "a refused event changes nothing");
            return done;
        }
        self.now_ms += 1_000;
        post(&mut self.books, &payment_postings(Some(&before), &self.state));
        let mut at_once = Books::new();
        post(&mut at_once, &payment_postings(None, &self.state));
        assert_eq!(self.books, at_once, "P4: the balances equal the fold from scratch");
        self.told.extend(alert::of_payment(Some(&before), &recorded.event, &self.state));
        self.events.push(recorded);
        Ok(())
    }

    /// What the fold says against this event.
    pub(crate) fn refuses(&self, event: impl Into<PaymentEvent>) -> &'static str {
        let event = event.into();
        let kind = event.kind();
        match self.clone().try_then(event) {
            Err(error) => error.why,
            Ok(()) => panic!("{kind} was taken after {:?}", self.events.last().map(|event| event.event.kind())),
        }
    }

    /// Time passes, milliseconds.
    pub(crate) fn wait(mut self, ms: i64) -> Self {
        self.now_ms += ms;
        self
    }

    /// It is this late, milliseconds UTC.
    pub(crate) fn until(mut self, ms: i64) -> Self {
        self.now_ms = ms;
        self
    }

    /// The next send on this lane.
    pub(crate) fn send(&self, lane: Lane) -> SendStarted {
        let n = self.count(lane) + 1;
        SendStarted { op: op(n), n, lane }
    }

    /// An end of the newest send.
    pub(crate) fn ended(&self, result: SendResult) -> SendEnded {
        let reversing = self.state.reversal.as_ref().is_some_and(|reversal| reversal.sends.open.is_some());
        let lane = match (reversing, self.state.acceptance.is_some()) {
            (true, _) => Lane::Reversal,
            (false, true) => Lane::Drain,
            (false, false) => Lane::Live,
        };
        let n = self.count(lane);
        let code = (result == SendResult::Refused).then(|| "validation".to_owned());
        SendEnded { op: op(n), n, lane, result, code, retry_after_ms: None }
    }

    fn count(&self, lane: Lane) -> u32 {
        match (lane, &self.state.reversal) {
            (Lane::Reversal, Some(reversal)) => reversal.sends.count,
            (Lane::Reversal, None) => 0,
            (Lane::Live | Lane::Drain, _) => self.state.sends.count,
        }
    }

    /// The line: delivery | stage, and why | what is to be done | where the money is | what the last event told.
    pub(crate) fn line(&self) -> String {
        let delivery = self.state.delivery().map_or("-", |delivery| delivery.as_str());
        let (stage, why) = payment::standing_at(payment::base(&self.state, None), self.now_ms);
        let why = why.map(|why| format!(": {}", why.cause)).unwrap_or_default();
        format!("{delivery} | {stage}{why} | {} | {} | {}", self.to_do(), self.money(), self.news())
    }

    fn to_do(&self) -> String {
        let Some(to_do) = payment::to_do(&self.state) else { return "-".into() };
        let task = payment::task(&self.state, self.now_ms).unwrap();
        let when = if to_do.hold_until_ms.is_some() {
            "when let"
        } else if to_do.due_ms <= self.now_ms {
            "now"
        } else {
            "after a pause"
        };
        format!("{} {when} by {}", task.as_str(), to_do.lane)
    }

    /// The merchant's accounts; `customers` is their mirror.
    fn money(&self) -> String {
        let mut accounts: BTreeMap<Account, i64> = BTreeMap::new();
        for ((account, _, _), amount) in &self.books {
            *accounts.entry(*account).or_default() += amount;
        }
        accounts.remove(&Account::Customers);
        words(accounts.iter().map(|(account, amount)| format!("{account} {amount}")))
    }

    fn news(&self) -> String {
        let (Some(last), Some(before)) = (self.events.last(), self.before_last()) else { return "-".into() };
        words(alert::of_payment(Some(&before), &last.event, &self.state).map(|(kind, _)| kind.to_string()))
    }

    fn before_last(&self) -> Option<PaymentState> {
        PaymentState::fold(self.events.split_last()?.1).unwrap()
    }
}

fn words(words: impl IntoIterator<Item = String>) -> String {
    let words: Vec<_> = words.into_iter().collect();
    if words.is_empty() { "-".into() } else { words.join(", ") }
}

pub(crate) fn card_read() -> CardRead {
    CardRead {
        entry_mode: EntryMode::Chip,
        scheme: Scheme::Unionpay,
        card: MaskedCard::new("622848", "1234"),
        blob_len: 620,
        blob_sha256: "5f".repeat(32),
        captured_at_ms: None,
    }
}

pub(crate) fn deferred() -> Accepted {
    Accepted { class: Class::Deferred, deadline_ms: Some(DEADLINE_MS) }
}

pub(crate) fn taken_live() -> Accepted {
    Accepted { class: Class::Live, deadline_ms: None }
}

pub(crate) fn reversal() -> ReversalRequested {
    ReversalRequested { reversal_id: ReversalId::of(id()), reason: ReversalReason::Timeout }
}

pub(crate) fn undone(outcome: ReversalOutcome) -> ReversalReported {
    ReversalReported { outcome }
}

pub(crate) fn not_received(is_final: bool) -> NotReceived {
    NotReceived { as_of_ms: NOON_MS, is_final }
}

pub(crate) fn parked(reason: takings_domain::event::ParkReason) -> Parked {
    Parked { reason, code: None }
}

/// The acquirer's word, with the other two axes as they go with it.
pub(crate) fn report(report_version: u64, authorization: Authorization) -> PaymentReported {
    use Authorization as A;
    let approved = matches!(authorization, A::Approved | A::PartiallyApproved);
    let (clearing, arrival, code) = match authorization {
        A::Processing => (Clearing::None, Arrival::Unknown, "09"),
        A::Approved => (Clearing::Accepted, Arrival::Pending, "00"),
        A::PartiallyApproved => (Clearing::Accepted, Arrival::Pending, "10"),
        A::Declined | A::Referred => (Clearing::None, Arrival::NotEligible, "51"),
        A::Reversed | A::Voided => (Clearing::None, Arrival::NotEligible, "00"),
    };
    PaymentReported {
        via: Via::Answer,
        report_version,
        authorization,
        clearing,
        arrival,
        evidence: Evidence::None,
        code: Some(code.into()),
        rrn: Some("632500000042".into()),
        auth_code: approved.then(|| "A1B2C3".into()),
        approved_amount_minor: match authorization {
            A::Approved => Some(AMOUNT_MINOR),
            A::PartiallyApproved => Some(1_000),
            _ => None,
        },
        accepted_at_ms: Some(NOON_MS + 5_000),
        expected: approved.then(expected),
        computed_date: None,
        reason: None,
        payout_id: None,
        withheld_minor: None,
    }
}

fn expected() -> takings_domain::ExpectedArrival {
    let date = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
    takings_domain::ExpectedArrival {
        date,
        earliest: date,
        latest: date,
        basis: takings_domain::settlement::Basis::Acquirer,
        provisional: false,
        overdue_after_ms: OVERDUE_MS,
    }
}

/// 2026-11-25 00:00 in Shanghai: due on Monday the 23rd, one settlement day of grace.
pub(crate) const OVERDUE_MS: i64 = NOON_MS + 7 * DAY_MS / 2;

/// A story as a table: each event, and the line it leads to. The event is made from the history before it.
macro_rules! story {
    ($start:expr; $(|$before:pat_param| $event:expr => $line:literal;)+) => {{
        let mut history = $start;
        $(
            let event = { let $before = &history; takings_domain::event::PaymentEvent::from($event) };
            history = history.then(event);
            assert_eq!(history.line(), $line, "after {}", stringify!($event));
        )+
        history
    }};
}
pub(crate) use story;
