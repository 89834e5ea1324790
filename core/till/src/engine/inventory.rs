//! The readers of a stall: what each says of itself is on record when it changes, and once a day.

use takings_domain::Now;
use takings_domain::event::{AttemptEnd, ReaderSeen, ReaderTrouble};
use takings_domain::ledger::KnownReader;
use takings_readers::trouble::LOW_BATTERY_PERCENT;
use takings_readers::{OutOfServiceReason, ReaderAbout, Refusal};

use super::Engine;
use crate::views::ReaderView;

/// A charge that was low is well again above this, percent: one that hovers at the edge is told once.
const CHARGED_PERCENT: u8 = 20;
/// So much charge less or more is worth a line, percent.
const WORTH_A_LINE_PERCENT: u8 = 10;
/// A reader that says nothing new is on record again after this long, milliseconds.
const SEEN_AGAIN_MS: i64 = 20 * 3_600_000;
/// So long before a reader restarts by itself no payment is begun, milliseconds.
const BEFORE_RESTART_MS: i64 = 60_000;
/// A reader that switches off says so this long before, milliseconds.
const BEFORE_POWER_DOWN_MS: i64 = 60_000;
/// More readers than a stall has.
const MOST_RESTARTS: usize = 32;
/// In place of the number of a reader that tells none.
const NO_SERIAL: &str = "?";

/// What was heard of a reader just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// What it says of itself. What it refused a payment for may be over, or be told again with the next one.
    Itself,
    /// It began a payment: what it refused one for is over.
    Works,
    /// This is wrong with it.
    Trouble(ReaderTrouble),
}

impl Engine {
    /// Puts on record how a reader is. What cannot be written keeps no payment waiting.
    pub(super) fn see_reader(&mut self, about: &ReaderAbout, heard: Heard, now: Now) {
        // A vendor's SDK may tell no number: that the reader was opened is worth a record all the same.
        let nameless = about.serial.is_empty();
        if (nameless && heard != Heard::Trouble(ReaderTrouble::Tampered)) || self.read_only.is_some() {
            return;
        }
        let serial = if nameless { NO_SERIAL } else { &about.serial };
        let known = self.state.readers.get(serial);
        let seen = ReaderSeen {
            serial: serial.to_owned(),
            model: about.model.clone(),
            firmware: about.firmware.clone(),
            battery_percent: about.battery_percent,
            charging: about.charging,
            trouble: trouble_now(about, known, heard),
        };
        if known.is_some_and(|known| !is_news(known, &seen, now)) {
            return;
        }
        if let Err(error) = self.append_ledger(now, seen.into()) {
            self.note(&error);
        }
    }

    /// The reader restarts by itself in so many minutes.
    pub(super) fn restart_announced(&mut self, serial: &str, minutes: u8, now: Now) {
        // None at all is within a minute.
        self.not_after(serial, now.monotonic_ms.saturating_add(i64::from(minutes.max(1)) * 60_000));
    }

    /// The reader switches off within a minute.
    pub(super) fn power_down_announced(&mut self, serial: &str, now: Now) {
        self.not_after(serial, now.monotonic_ms.saturating_add(BEFORE_POWER_DOWN_MS));
    }

    fn not_after(&mut self, serial: &str, due_ms: i64) {
        if self.restarts.len() >= MOST_RESTARTS {
            self.restarts.clear();
        }
        self.restarts.insert(serial.to_owned(), due_ms);
    }

    /// A payment begun now would be cut off. Remembered over connections, because the customer connects it anew.
    pub(super) fn restarts_soon(&mut self, serial: &str, now: Now) -> bool {
        let Some(due_ms) = self.restarts.get(serial).copied() else { return false };
        if due_ms <= now.monotonic_ms {
            self.restarts.remove(serial);
        }
        (1..=BEFORE_RESTART_MS).contains(&due_ms.saturating_sub(now.monotonic_ms))
    }

    pub(super) fn readers(&self) -> Vec<ReaderView> {
        self.state.readers.values().map(reader_view).collect()
    }
}

fn reader_view(known: &KnownReader) -> ReaderView {
    let seen = &known.seen;
    ReaderView {
        serial: seen.serial.clone(),
        model: seen.model.clone(),
        firmware: seen.firmware.clone(),
        battery_percent: seen.battery_percent.map(u32::from),
        charging: seen.charging,
        trouble: seen.trouble.map(|trouble| trouble.as_str().to_owned()),
        first_seen_ms: known.first_seen_ms,
        last_seen_ms: known.last_seen_ms,
    }
}

/// The worst of what is wrong with it.
fn trouble_now(about: &ReaderAbout, known: Option<&KnownReader>, heard: Heard) -> Option<ReaderTrouble> {
    let before = known.and_then(|known| known.seen.trouble);
    let low = is_low(about, known).then_some(ReaderTrouble::BatteryLow);
    let told = match heard {
        Heard::Works => None,
        // Its charge it tells itself.
        Heard::Itself => {
            before.filter(|trouble| *trouble != ReaderTrouble::BatteryLow || about.battery_percent.is_none())
        }
        Heard::Trouble(trouble) => Some(trouble),
    };
    told.into_iter().chain(low).min_by_key(|trouble| rank(*trouble))
}

/// The worst first.
const fn rank(trouble: ReaderTrouble) -> u8 {
    match trouble {
        ReaderTrouble::Tampered => 0,
        ReaderTrouble::KeysMissing => 1,
        ReaderTrouble::Locked => 2,
        ReaderTrouble::OutOfService => 3,
        ReaderTrouble::NoAnswer => 4,
        ReaderTrouble::BatteryLow => 5,
        ReaderTrouble::TooCold => 6,
        ReaderTrouble::TooHot => 7,
    }
}

fn is_low(about: &ReaderAbout, known: Option<&KnownReader>) -> bool {
    let was_low = known.is_some_and(|known| known.seen.trouble == Some(ReaderTrouble::BatteryLow));
    let low = if was_low { CHARGED_PERCENT } else { LOW_BATTERY_PERCENT };
    about.charging != Some(true) && about.battery_percent.is_some_and(|percent| percent <= low)
}

fn is_news(known: &KnownReader, seen: &ReaderSeen, now: Now) -> bool {
    let before = &known.seen;
    let changed = (&before.model, &before.firmware, before.trouble) != (&seen.model, &seen.firmware, seen.trouble);
    let charge = match (before.battery_percent, seen.battery_percent) {
        (Some(then), Some(now)) => then.abs_diff(now) >= WORTH_A_LINE_PERCENT,
        (then, now) => then != now,
    };
    let passed_ms = now.wall_ms.saturating_sub(known.last_seen_ms);
    changed || charge || passed_ms.unsigned_abs() >= SEEN_AGAIN_MS.unsigned_abs()
}

/// What is wrong with a reader that takes no payments.
pub(super) fn trouble_of(reason: OutOfServiceReason) -> ReaderTrouble {
    match reason {
        OutOfServiceReason::Tampered => ReaderTrouble::Tampered,
        OutOfServiceReason::KeysMissing => ReaderTrouble::KeysMissing,
        OutOfServiceReason::Offline { detail } => match detail.unwrap_or(0) {
            bits if bits & 0b001 != 0 => ReaderTrouble::Tampered,
            bits if bits & 0b110 != 0 => ReaderTrouble::KeysMissing,
            _ => ReaderTrouble::OutOfService,
        },
        OutOfServiceReason::NoAnswer(refusal) => lasting(refusal).unwrap_or(ReaderTrouble::NoAnswer),
    }
}

/// What this refusal says of the reader beyond this moment.
pub(super) fn lasting(refusal: Refusal) -> Option<ReaderTrouble> {
    match refusal {
        Refusal::Tampered => Some(ReaderTrouble::Tampered),
        Refusal::Keys => Some(ReaderTrouble::KeysMissing),
        Refusal::Locked => Some(ReaderTrouble::Locked),
        Refusal::OutOfService => Some(ReaderTrouble::OutOfService),
        Refusal::BatteryTooLow => Some(ReaderTrouble::BatteryLow),
        Refusal::Failed
        | Refusal::ReaderFault
        | Refusal::Protocol
        | Refusal::Unsupported
        | Refusal::BadRequest
        | Refusal::NoTransaction
        | Refusal::TooLateToCancel
        | Refusal::Busy
        | Refusal::WrongState
        | Refusal::NoAnswer
        | Refusal::Unlisted(_) => None,
    }
}

/// Why a charge ends at a reader with this trouble.
pub(super) fn end_of(trouble: ReaderTrouble) -> AttemptEnd {
    match trouble {
        ReaderTrouble::Tampered => AttemptEnd::ReaderTampered,
        ReaderTrouble::KeysMissing => AttemptEnd::ReaderKeysMissing,
        ReaderTrouble::BatteryLow => AttemptEnd::ReaderBatteryTooLow,
        ReaderTrouble::NoAnswer => AttemptEnd::ReaderNoAnswer,
        ReaderTrouble::Locked | ReaderTrouble::OutOfService | ReaderTrouble::TooCold | ReaderTrouble::TooHot => {
            AttemptEnd::ReaderOutOfService
        }
    }
}

/// Why a charge ends whose start the reader refused.
pub(super) fn start_refused(refusal: Refusal) -> AttemptEnd {
    match (lasting(refusal), refusal) {
        (Some(trouble), _) => end_of(trouble),
        (None, Refusal::Busy) => AttemptEnd::ReaderBusy,
        (None, Refusal::NoAnswer) => AttemptEnd::ReaderNoAnswer,
        (None, _) => AttemptEnd::ReaderFault,
    }
}
