//! The readers of a stall: what each says of itself is on record when it is news, and once a day; in between the till knows it
//! until it closes.

use std::collections::BTreeMap;

use takings_domain::Now;
use takings_domain::event::{AttemptEnd, ReaderSeen, ReaderTrouble};
use takings_domain::ledger::{CHARGED_PERCENT, KnownReader};
use takings_readers::trouble::LOW_BATTERY_PERCENT;
use takings_readers::{OutOfServiceReason, ReaderAbout, Refusal};

use super::Engine;
use crate::views::ReaderView;

/// So much charge less or more is worth a line, percent.
const WORTH_A_LINE_PERCENT: u8 = 10;
/// A reader that says nothing new is on record again after this long, milliseconds.
const SEEN_AGAIN_MS: i64 = 20 * 3_600_000;
/// So long before a reader restarts by itself no payment is begun, milliseconds.
const BEFORE_RESTART_MS: i64 = 60_000;
/// A reader that switches off says so this long before, milliseconds.
const BEFORE_POWER_DOWN_MS: i64 = 60_000;
/// More readers than a stall has.
const MOST_READERS: usize = 32;
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

/// When a reader is gone for a while, and why: monotonic clock, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SoonAway {
    /// It restarts by itself.
    Restarts(i64),
    /// It switches itself off.
    SwitchesOff(i64),
}

/// What a reader said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastHeard {
    /// Wall clock, milliseconds UTC.
    at_ms: i64,
    battery_percent: Option<u8>,
    charging: Option<bool>,
}

impl Engine {
    /// Puts on record how a reader is. What cannot be written keeps no payment waiting.
    pub(super) fn see_reader(&mut self, about: &ReaderAbout, heard: Heard, now: Now) {
        // A vendor's SDK may tell no number: that the reader was opened is worth a record all the same.
        let nameless = about.serial.is_empty();
        let serial = if nameless { NO_SERIAL } else { &about.serial };
        let known = self.state.readers.get(serial);
        let opened = heard == Heard::Trouble(ReaderTrouble::Tampered);
        if (nameless && !opened && known.is_none_or(|known| known.seen.trouble.is_none())) || self.read_only.is_some() {
            return;
        }
        // Of readers without a number, one that works is another one, or mended.
        let heard = if nameless && heard == Heard::Itself { Heard::Works } else { heard };
        let seen = ReaderSeen {
            serial: serial.to_owned(),
            model: about.model.clone(),
            firmware: about.firmware.clone(),
            battery_percent: about.battery_percent,
            charging: about.charging,
            trouble: trouble_now(about, known, heard),
        };
        let said = LastHeard { at_ms: now.wall_ms, battery_percent: seen.battery_percent, charging: seen.charging };
        let is_news = known.is_none_or(|known| is_news(known, &seen, now));
        keep(&mut self.heard, serial, said);
        if !is_news {
            return;
        }
        if let Err(error) = self.append_ledger(now, seen.into()) {
            self.note(&error);
        }
    }

    /// The reader restarts by itself in so many minutes.
    pub(super) fn restart_announced(&mut self, serial: &str, minutes: u8, now: Now) {
        // None at all is within a minute.
        let due_ms = now.monotonic_ms.saturating_add(i64::from(minutes.max(1)) * 60_000);
        keep(&mut self.away, serial, SoonAway::Restarts(due_ms));
    }

    /// The reader switches off within a minute.
    pub(super) fn power_down_announced(&mut self, serial: &str, now: Now) {
        let due_ms = now.monotonic_ms.saturating_add(BEFORE_POWER_DOWN_MS);
        keep(&mut self.away, serial, SoonAway::SwitchesOff(due_ms));
    }

    /// It was connected anew: it is not off, or on again.
    pub(super) fn is_on(&mut self, serial: &str) {
        if let Some(SoonAway::SwitchesOff(_)) = self.away.get(serial) {
            self.away.remove(serial);
        }
    }

    /// Why a payment begun now would be cut off. Remembered over connections, because the customer connects it anew.
    pub(super) fn soon_away(&mut self, serial: &str, now: Now) -> Option<AttemptEnd> {
        let (due_ms, why) = match *self.away.get(serial)? {
            SoonAway::Restarts(due_ms) => (due_ms, AttemptEnd::ReaderRestartsSoon),
            SoonAway::SwitchesOff(due_ms) => (due_ms, AttemptEnd::ReaderSwitchesOff),
        };
        if due_ms <= now.monotonic_ms {
            self.away.remove(serial);
        }
        (1..=BEFORE_RESTART_MS).contains(&due_ms.saturating_sub(now.monotonic_ms)).then_some(why)
    }

    pub(super) fn readers(&self) -> Vec<ReaderView> {
        let readers = self.state.readers.iter();
        readers.map(|(serial, known)| reader_view(known, self.heard.get(serial).copied())).collect()
    }
}

/// Keeps it, and no more of them than readers a stall has.
fn keep<T>(of_readers: &mut BTreeMap<String, T>, serial: &str, what: T) {
    if of_readers.len() >= MOST_READERS && !of_readers.contains_key(serial) {
        of_readers.clear();
    }
    of_readers.insert(serial.to_owned(), what);
}

/// What is on record, and what was heard since.
fn reader_view(known: &KnownReader, heard: Option<LastHeard>) -> ReaderView {
    let seen = &known.seen;
    let on_record =
        LastHeard { at_ms: known.last_seen_ms, battery_percent: seen.battery_percent, charging: seen.charging };
    let last = heard.unwrap_or(on_record);
    ReaderView {
        serial: seen.serial.clone(),
        model: seen.model.clone(),
        firmware: seen.firmware.clone(),
        battery_percent: last.battery_percent.map(u32::from),
        charging: last.charging,
        trouble: seen.trouble.map(|trouble| trouble.as_str().to_owned()),
        first_seen_ms: known.first_seen_ms,
        last_seen_ms: last.at_ms,
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

/// Low is low until it is charged, whatever charges it: one that hovers at the edge is told once.
fn is_low(about: &ReaderAbout, known: Option<&KnownReader>) -> bool {
    let Some(percent) = about.battery_percent else { return false };
    let was_low = known.is_some_and(|known| known.low);
    percent <= if was_low { CHARGED_PERCENT } else { LOW_BATTERY_PERCENT } && (was_low || about.charging != Some(true))
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
