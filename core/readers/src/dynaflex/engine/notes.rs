//! What the reader says by itself.

use crate::dynaflex::commands::{NOTE_COMPLETE, NOTE_DEVICE, NOTE_DISPLAY, NOTE_TRANSACTION};
use crate::interface::{Interface, ReaderEvent};
use crate::masked_card::clean_text;
use crate::prompt::Prompt;
use crate::tlv::{self, Tag};
use crate::trouble::Fault;

use super::Reader;

/// More applications than any card holds.
const MAX_CHOICES: usize = 32;
const MAX_CHOICE_LEN: usize = 32;

impl Reader {
    /// Takes one notification. What is not listed says nothing we need.
    pub(super) fn note(&mut self, id: u16, detail: [u8; 4], body: &[u8]) {
        match id {
            NOTE_TRANSACTION => self.transaction_note(detail, body),
            NOTE_COMPLETE => self.complete(detail),
            NOTE_DEVICE => self.device_note(detail, body),
            NOTE_DISPLAY => self.display_note(detail, body),
            _ => {}
        }
    }

    fn transaction_note(&mut self, detail: [u8; 4], body: &[u8]) {
        let event = match detail {
            [technology, 0x08, 0x02, 0x02] => return self.card_data(technology, body),
            [_, 0x08, 0x03, 0x02] => return self.batch_data(body),
            [0x08, 0x01, 0x01, 0x00] => ReaderEvent::CardSeen(Interface::Magstripe),
            [0x08 | 0x10, 0x01, 0x02 | 0x04, 0x00] => ReaderEvent::CardSeen(Interface::Contact),
            [0x20, 0x01, 0x04, 0x00] => ReaderEvent::CardSeen(Interface::Contactless),
            [0x08 | 0x10 | 0x20, 0x01, 0x03, 0x00] => ReaderEvent::CardRemoved,
            [0x20, 0x01, 0x05, 0x00] => ReaderEvent::SeveralCards,
            _ => return,
        };
        self.tell(event);
    }

    fn device_note(&mut self, detail: [u8; 4], body: &[u8]) {
        let event = match detail {
            // Some repeat this until somebody takes note: it does not say when.
            [0x00, 0x00, 0x00, 0x00] => ReaderEvent::Fault(Fault::ReaderReset),
            // By command, just now.
            [0x00, 0x03, 0x00, 0x00] => return self.restarted(),
            [0x00, 0x01, 0x00, 0x00] => ReaderEvent::ResetSoon { minutes: body.first().copied().unwrap_or(0) },
            [0x00, 0x02, 0x01, 0x00] => ReaderEvent::PowerDownSoon,
            [0x00, 0x02, 0x00, percent @ 0..=100] => ReaderEvent::BatteryLow(percent),
            [0x04, 0x00, 0x00, degrees] => ReaderEvent::Fault(Fault::TooCold(degrees.cast_signed())),
            [0x04, 0x00, 0x01, degrees] => ReaderEvent::Fault(Fault::TooHot(degrees.cast_signed())),
            _ => return,
        };
        self.tell(event);
    }

    fn display_note(&mut self, detail: [u8; 4], body: &[u8]) {
        let (cancellable, choose) = match detail {
            [0x02, 0x01, 0x00, 0x00] => {
                let prompt = Prompt::Clear;
                return self.tell(ReaderEvent::Prompt { prompt, cancellable: false });
            }
            [0x02, 0x01, 0x01, 0x00] => (false, false),
            [0x02, 0x01, 0x02, 0x00] => (true, false),
            [0x02, 0x02, 0x00, 0x00] => (true, true),
            _ => return,
        };
        let Ok(Some(text)) = tlv::find(body, Tag(0x83)) else {
            return self.fault(Fault::Malformed);
        };
        let items = if choose { choices(text) } else { Vec::new() };
        if items.is_empty() {
            let prompt = Prompt::from_text(text);
            self.tell(ReaderEvent::Prompt { prompt, cancellable });
        } else {
            self.offer_choice(items);
        }
    }
}

/// The first line is the title. Positions count, so an empty item is kept.
fn choices(text: &[u8]) -> Vec<String> {
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    text.split(|&byte| matches!(byte, 0 | b'\n'))
        .skip(1)
        .take(MAX_CHOICES)
        .map(|item| clean_text(item, MAX_CHOICE_LEN))
        .collect()
}
