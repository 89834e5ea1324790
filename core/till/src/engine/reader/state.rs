//! What the reader of an open charge says of itself.

use takings_domain::event::ReaderTrouble;
use takings_domain::{Now, PaymentId};
use takings_readers::trouble::LOW_BATTERY_PERCENT;
use takings_readers::{Fault, ReaderAbout, ReaderEvent};

use crate::engine::Engine;
use crate::engine::inventory::Heard;

/// So often in one charge what its reader says of its state is heard.
const MOST_READER_WORDS: u8 = 8;

/// How much a reader said of itself in one charge: one that never stops fills no ledger, and hides no trouble by it.
#[derive(Debug, Default)]
pub(in crate::engine) struct ReaderWords {
    heard: u8,
    /// Of which reader, and what.
    troubles: Vec<(String, ReaderTrouble)>,
}

impl ReaderWords {
    /// Whether this is put on record: so many words, and each trouble of each reader once whatever came before it.
    fn takes(&mut self, about: &ReaderAbout, heard: Heard) -> bool {
        let in_bounds = self.heard < MOST_READER_WORDS;
        self.heard = self.heard.saturating_add(1);
        let trouble = match heard {
            Heard::Trouble(trouble) => Some(trouble),
            Heard::Itself | Heard::Works => {
                let low = about.battery_percent.is_some_and(|percent| percent <= LOW_BATTERY_PERCENT);
                (low && about.charging != Some(true)).then_some(ReaderTrouble::BatteryLow)
            }
        };
        let Some(trouble) = trouble.map(|trouble| (about.serial.clone(), trouble)) else { return in_bounds };
        let news = !self.troubles.contains(&trouble);
        if news {
            self.troubles.push(trouble);
        }
        news || in_bounds
    }
}

impl Engine {
    pub(super) fn on_state_of_reader(&mut self, id: PaymentId, event: &ReaderEvent, now: Now) {
        let Some(about) = self.charges.get_mut(&id).and_then(|charge| charge.about.as_mut()) else { return };
        match event {
            ReaderEvent::BatteryLow(percent) => {
                about.battery_percent = Some(*percent);
                self.reader_says(id, Heard::Itself, now);
            }
            ReaderEvent::ResetSoon { minutes } => {
                let serial = about.serial.clone();
                self.restart_announced(&serial, *minutes, now);
            }
            ReaderEvent::PowerDownSoon => {
                let serial = about.serial.clone();
                self.power_down_announced(&serial, now);
            }
            ReaderEvent::Fault(Fault::TooCold(_)) => self.reader_says(id, Heard::Trouble(ReaderTrouble::TooCold), now),
            ReaderEvent::Fault(Fault::TooHot(_)) => self.reader_says(id, Heard::Trouble(ReaderTrouble::TooHot), now),
            // It is back from the restart that it announced.
            ReaderEvent::Fault(Fault::ReaderReset) => {
                let serial = about.serial.clone();
                self.away.remove(&serial);
            }
            _ => {}
        }
    }

    /// Of the reader as it told of itself when it was connected.
    pub(super) fn reader_says(&mut self, id: PaymentId, heard: Heard, now: Now) {
        if let Some(about) = self.charges.get(&id).and_then(|charge| charge.about.clone()) {
            self.says_of_itself(id, &about, heard, now);
        }
    }

    pub(super) fn says_of_itself(&mut self, id: PaymentId, about: &ReaderAbout, heard: Heard, now: Now) {
        if self.charges.get_mut(&id).is_some_and(|charge| charge.reader_words.takes(about, heard)) {
            self.see_reader(about, heard, now);
        }
    }
}
