//! A day as it is planned: who buys what, and what goes wrong when. All of it is drawn from the seed before the day begins,
//! so that a fault can be left out without moving any other.

mod draw;

use serde::Serialize;
use serde_json::Value;
use takings_domain::EntryMode;
use takings_readers::simulated::{Behaviour, CardScript, Failure};

/// One second, milliseconds.
pub const SECOND: i64 = 1_000;
/// One minute, milliseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// One hour, milliseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// One day, milliseconds.
pub const DAY: i64 = 24 * HOUR;

/// How large a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// How long things are sold and go wrong, hours.
    pub hours: u32,
    /// How many phones.
    pub phones: usize,
    /// Whether the readers fail, and not only the links to them.
    pub readers_fail: bool,
}

impl Default for Size {
    fn default() -> Self {
        Self { hours: 8, phones: 3, readers_fail: true }
    }
}

/// A day.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where everything came from.
    pub seed: u64,
    /// When it begins, true time, milliseconds UTC.
    pub start_ms: i64,
    /// When nothing goes wrong any more, milliseconds UTC.
    pub heal_ms: i64,
    /// Which merchant has each phone.
    pub merchant_of: Vec<usize>,
    /// What is sold, by time.
    pub sales: Vec<Sale>,
    /// What goes wrong, by time.
    pub faults: Vec<Fault>,
}

/// A customer.
#[derive(Debug, Clone)]
pub struct Sale {
    /// Comes at, milliseconds UTC.
    pub at_ms: i64,
    /// To which phone.
    pub phone: usize,
    /// Minor units.
    pub amount_minor: i64,
    /// The merchant does not ask the bank.
    pub offline: bool,
    /// The merchant's number for it.
    pub order: Option<String>,
    /// The card and what its holder does.
    pub card: CardScript,
    /// How often he presents it once more, where the reader asks for it.
    pub presents_again: u8,
    /// What the link to the reader does.
    pub reader: ReaderFault,
    /// What goes wrong in the reader.
    pub failures: Vec<Failure>,
    /// How long the customer waits after the card, milliseconds.
    pub patience_ms: i64,
    /// The merchant cancels it later if the till lets him.
    pub cancelled: bool,
    /// The merchant takes the card again if nothing was charged.
    pub repeated: bool,
}

/// What happens between phone and reader, after so many values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReaderFault {
    /// Nothing.
    None,
    /// The link goes, and comes back.
    Loses(u32),
    /// The reader's battery dies.
    Dies(u32),
    /// A value comes twice.
    Doubles(u32),
    /// A value does not come.
    Drops(u32),
    /// Two values change places.
    Swaps(u32),
    /// A value cannot be written.
    FailsWrite(u32),
    /// The merchant cancels at the phone.
    Cancels(u32),
}

/// Something that goes wrong.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// Its place in the plan.
    pub number: usize,
    /// Begins at, milliseconds UTC.
    pub at_ms: i64,
    /// Lasts, milliseconds.
    pub lasts_ms: i64,
    /// At which phone, where it is about one.
    pub phone: usize,
    /// What.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// What can go wrong. Chances are in thousandths.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub enum FaultKind {
    /// A bad line: requests and answers get lost, break off, are spoiled, come twice or late.
    BadLine {
        /// The request does not arrive.
        lost_request: u64,
        /// The answer does not.
        lost_answer: u64,
        /// The answer breaks off.
        half_answer: u64,
        /// A byte of the answer is another.
        spoiled: u64,
        /// The request arrives twice.
        doubled: u64,
        /// So much later at most, milliseconds.
        delay_ms: i64,
    },
    /// No network: connections are refused.
    NoNetwork,
    /// A network that leads nowhere: nothing arrives and nothing is said.
    Blackhole,
    /// A captive portal answers in the acquirer's place.
    Portal,
    /// The acquirer says that it is being maintained.
    Maintenance,
    /// The acquirer is slow and fails half of the time, after it did the work or before.
    BrownOut,
    /// The acquirer starts again: answers under way are lost.
    AcquirerRestart,
    /// The acquirer is restored from a copy some minutes old.
    AcquirerRestored {
        /// How old the copy is, milliseconds.
        age_ms: i64,
    },
    /// The acquirer answers with a problem.
    Refuses {
        /// Requests it is about: method and path.
        on: &'static str,
        /// The contract's code.
        problem: &'static str,
        /// How often.
        count: u32,
    },
    /// The acquirer signs with a key that nobody knows.
    WrongSignature,
    /// The acquirer has new keys.
    NewKeys {
        /// Sessions are over.
        ends_sessions: bool,
    },
    /// The acquirer's administrator does something: method, path, body.
    Administers {
        /// The path.
        path: &'static str,
        /// The body.
        body: Value,
    },
    /// The acquirer holds an approved payment back.
    Holds,
    /// The bank refuses a payment that was let go, later.
    LateDecline,
    /// The process is killed after so many more calls of the disk.
    Kill {
        /// Calls.
        after_calls: u64,
        /// Once more while it opens again, after so many calls; 0: not.
        again_after: u64,
    },
    /// The power goes after so many more calls of the disk.
    PowerCut {
        /// Calls.
        after_calls: u64,
        /// Once more while it opens again, after so many calls; 0: not.
        again_after: u64,
    },
    /// The phone is switched off and on.
    Restart,
    /// The wall clock is set.
    Clock {
        /// By so many milliseconds.
        by_ms: i64,
    },
    /// The disk is full but for so many bytes.
    DiskFull {
        /// Bytes.
        left: u64,
    },
    /// The disk fails so many calls, from one on.
    DiskFails {
        /// From this call on, counted from now.
        after_calls: u64,
        /// So many.
        calls: u64,
        /// Only syncs fail, and what was to be synced is gone from the cache.
        syncs: bool,
    },
    /// The app goes to the background.
    Background,
    /// A second process opens the till.
    SecondProcess,
    /// The keys are locked away, as before the first unlock.
    KeysAway,
    /// An older copy of the phone's files is put back.
    OlderCopy {
        /// How old it is, milliseconds.
        age_ms: i64,
        /// Today's witness stays beside it.
        witness_stays: bool,
    },
}

/// The contract's word for how a card was presented.
#[must_use]
pub fn entry_mode(card: &CardScript) -> &'static str {
    match card.entry_mode {
        EntryMode::Chip => "chip",
        EntryMode::Contactless => "contactless",
        EntryMode::Stripe => "stripe",
        EntryMode::Fallback => "fallback",
        EntryMode::Manual => "manual",
    }
}

/// A card that does what a card does.
pub(crate) fn card(leading: &str, last_four: &str, entry_mode: EntryMode, behaviour: Behaviour) -> CardScript {
    CardScript::new(leading, last_four, entry_mode).behaving(behaviour)
}
