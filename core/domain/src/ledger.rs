//! The ledger's own state: who we are to the acquirer, the session, the documents in force.

use std::collections::BTreeMap;

use crate::event::{
    Activated, ActivationStarted, CalendarAdopted, HistoryLost, HistoryRestored, LedgerEvent, Opened, PolicyAdopted,
    ReaderSeen, ReaderTrouble, Recorded, SignedOn, TermsAdopted,
};
use crate::payment::FoldError;
use crate::{Now, TimeAnchor};

/// More readers than a stall has: the one that was seen longest ago is forgotten first.
const MOST_READERS: usize = 32;

/// What is known of one card reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownReader {
    /// What it said last.
    pub seen: ReaderSeen,
    /// When it was first connected, wall clock, milliseconds UTC.
    pub first_seen_ms: i64,
    /// When it said so, wall clock, milliseconds UTC.
    pub last_seen_ms: i64,
    /// The number of that event.
    pub seq: u64,
    /// Its battery is low, or was and was not charged above [`CHARGED_PERCENT`] since.
    pub low: bool,
}

/// A battery that was low is well again above this, percent (our decision).
pub const CHARGED_PERCENT: u8 = 20;

/// So many settings back are told apart; older ones count as one.
const MOST_SET_BACK: usize = 16;

/// All that is known of the ledger itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerState {
    /// The first event.
    pub opened: Option<Opened>,
    /// An activation that was sent, or is about to be.
    pub activation: Option<ActivationStarted>,
    /// The binding to merchant and terminal.
    pub activated: Option<Activated>,
    /// The newest session.
    pub session: Option<SignedOn>,
    /// The acquirer's clock at the newest sign-on.
    pub anchor: Option<TimeAnchor>,
    /// The offline policy in force.
    pub policy: Option<PolicyAdopted>,
    /// The settlement terms in force.
    pub terms: Option<TermsAdopted>,
    /// The settlement calendar in force.
    pub calendar: Option<CalendarAdopted>,
    /// How often the wall clock was caught jumping.
    pub clock_jumps: u32,
    /// How far the wall clock was set back while nobody vouched for it (no sign-on since the phone was switched on),
    /// milliseconds, with the number of each event: what was dated by it before is older than it looks.
    pub set_back: Vec<(u64, i64)>,
    /// What was last found lost, with the number of its event.
    pub lost: Option<(u64, HistoryLost)>,
    /// What was last read in from the acquirer, with the number of its event.
    pub restored: Option<(u64, HistoryRestored)>,
    /// The readers that were connected, by serial number.
    pub readers: BTreeMap<String, KnownReader>,
    /// The phone's clocks at the newest event.
    pub last_at: Option<Now>,
    /// The number of its newest event.
    pub last_seq: u64,
}

impl LedgerState {
    /// Folds a whole history.
    ///
    /// # Errors
    /// [`FoldError`] if an event cannot follow.
    pub fn fold(events: &[Recorded<LedgerEvent>]) -> Result<Self, FoldError> {
        let mut state = Self::default();
        for event in events {
            state.apply(event)?;
        }
        Ok(state)
    }

    /// Applies the next event.
    ///
    /// # Errors
    /// [`FoldError`] if it cannot follow; the state is then unchanged.
    pub fn apply(&mut self, recorded: &Recorded<LedgerEvent>) -> Result<(), FoldError> {
        let refuse = |why| FoldError { seq: recorded.seq, kind: recorded.event.kind(), why };
        if self.opened.is_none() && !matches!(recorded.event, LedgerEvent::Opened(_)) {
            return Err(refuse("a ledger begins with its opening"));
        }
        match &recorded.event {
            LedgerEvent::Opened(_) if self.opened.is_some() => return Err(refuse("a ledger is opened once")),
            LedgerEvent::Opened(opened) => self.opened = Some(opened.clone()),
            LedgerEvent::ActivationStarted(started) => self.activation = Some(started.clone()),
            LedgerEvent::Activated(_) if self.activated.is_some() => {
                return Err(refuse("a ledger belongs to one terminal"));
            }
            LedgerEvent::Activated(activated) => self.activated = Some(activated.clone()),
            LedgerEvent::SignedOn(session) => {
                self.anchor = Some(TimeAnchor { server_ms: session.server_ms, heard_at: recorded.at });
                self.session = Some(session.clone());
            }
            LedgerEvent::PolicyAdopted(adopted) => self.policy = Some(adopted.clone()),
            LedgerEvent::TermsAdopted(adopted) => self.terms = Some(adopted.clone()),
            LedgerEvent::CalendarAdopted(adopted) => self.calendar = Some(adopted.clone()),
            LedgerEvent::HistoryLost(lost) => self.lost = Some((recorded.seq, lost.clone())),
            LedgerEvent::HistoryRestored(restored) => self.restored = Some((recorded.seq, restored.clone())),
            LedgerEvent::ReaderSeen(seen) => self.see_reader(seen, recorded.at.wall_ms, recorded.seq),
            LedgerEvent::ClockJumped(jump) => {
                self.clock_jumps = self.clock_jumps.saturating_add(1);
                let vouched = self.anchor.is_some_and(|anchor| anchor.heard_at.boot_id == recorded.at.boot_id);
                if jump.by_ms < 0 && !vouched {
                    self.note_set_back(recorded.seq, jump.by_ms.saturating_neg());
                }
            }
        }
        self.last_at = Some(recorded.at);
        self.last_seq = recorded.seq;
        Ok(())
    }

    fn see_reader(&mut self, seen: &ReaderSeen, at_ms: i64, seq: u64) {
        let before = self.readers.get(&seen.serial);
        let first_seen_ms = before.map_or(at_ms, |known| known.first_seen_ms);
        let says_low = seen.trouble == Some(ReaderTrouble::BatteryLow);
        // One that does not tell its charge is low as long as it says so.
        let still_low = |percent| before.is_some_and(|known| known.low) && percent <= CHARGED_PERCENT;
        let low = says_low || seen.battery_percent.is_some_and(still_low);
        let known = KnownReader { seen: seen.clone(), first_seen_ms, last_seen_ms: at_ms, seq, low };
        self.readers.insert(seen.serial.clone(), known);
        if self.readers.len() > MOST_READERS {
            let oldest = self.readers.iter().min_by_key(|(_, known)| known.seq).map(|(serial, _)| serial.clone());
            oldest.and_then(|serial| self.readers.remove(&serial));
        }
    }

    fn note_set_back(&mut self, seq: u64, by_ms: i64) {
        self.set_back.push((seq, by_ms));
        if self.set_back.len() > MOST_SET_BACK
            && let [(_, first_ms), (_, second_ms), ..] = self.set_back[..]
        {
            self.set_back.remove(0);
            if let Some(oldest) = self.set_back.first_mut() {
                oldest.1 = first_ms.saturating_add(second_ms);
            }
        }
    }
}
