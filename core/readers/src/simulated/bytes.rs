//! The payloads of the simulated reader.

use crate::dynaflex::commands::{NOTE_DISPLAY, NOTE_TRANSACTION, bcd};
use crate::dynaflex::message;
use crate::tlv::{self, Tag};

use super::card::{Behaviour, CardScript};
use super::example::{ARQC, CIPHERTEXT_LEN, SERIAL_LEN, TRACK_LEN, at};

/// Last day of every card here, `YYMMDD`.
const EXPIRES: [u8; 3] = [0x28, 0x12, 0x31];

/// What one transaction of the simulated reader is made of.
pub(super) struct Making<'a> {
    pub(super) seed: u64,
    pub(super) serial: &'a str,
    pub(super) ksn_counter: u32,
    /// How many leading digits the reader shows.
    pub(super) visible: u8,
    pub(super) amount_minor: u64,
    pub(super) currency_numeric: u16,
}

impl Making<'_> {
    /// The key serial number: key set, serial, counter.
    fn ksn(&self) -> [u8; 10] {
        let text = format!("9010010{:0>7}{:06X}", self.serial, self.ksn_counter & 0x1F_FFFF);
        let mut out = [0; 10];
        for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).unwrap_or(0);
        }
        out
    }

    fn device_serial(&self) -> [u8; SERIAL_LEN] {
        let text = format!("{:0>7}111919AA", self.serial);
        text.as_bytes().try_into().unwrap_or([b'0'; SERIAL_LEN])
    }

    /// Bytes that look like ciphertext: from seed, transaction and purpose alone.
    fn ciphertext(&self, len: usize, purpose: u64) -> Vec<u8> {
        let mut state = self.seed ^ (u64::from(self.ksn_counter) << 24) ^ (purpose << 56) ^ 0x5DEE_CE66;
        let words = std::iter::repeat_with(|| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut word = state;
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (word ^ (word >> 31)).to_be_bytes()
        });
        words.flatten().take(len).collect()
    }

    /// "ARQC attached": the example with this card, this key serial number, this reader.
    pub(super) fn arqc(&self, card: &CardScript) -> Vec<u8> {
        let mut out = ARQC.to_vec();
        patch(&mut out, at::TECHNOLOGY, &[card.technology()]);
        patch(&mut out, at::SERIAL, &self.device_serial());
        patch(&mut out, at::TRACK, &masked_track(card, self.visible));
        patch(&mut out, at::CARD_TYPE, &[card.card_type()]);
        patch(&mut out, at::CIPHERTEXT, &self.ciphertext(CIPHERTEXT_LEN, 1));
        patch(&mut out, at::KSN, &self.ksn());
        match card.technology() {
            0x08 if card.card_type() == 0x07 => {
                patch(&mut out, at::TRACK_TAG, &[0x33]);
                let after_the_chip = card.behaviour != Behaviour::ChipCardSwiped;
                patch(&mut out, at::FALLBACK, &[if after_the_chip { 0x81 } else { 0x00 }]);
            }
            0x08 => patch(&mut out, at::TRACK_TAG, &[0x33]),
            _ => {}
        }
        out
    }

    /// The same, saying of itself that nothing is encrypted.
    pub(super) fn spoilt_arqc(&self, card: &CardScript) -> Vec<u8> {
        let mut out = self.arqc(card);
        patch(&mut out, at::ENCRYPTION_TYPE, &[0x00]);
        out
    }

    /// "Batch data attached", with the merchant's part in clear.
    pub(super) fn batch(&self, card: &CardScript) -> Vec<u8> {
        let mut result = tlv::object(Tag(0xDF_DF1A), &[0x01]);
        tlv::put(&mut result, Tag(0xDF_DF1B), &[0x00]);

        let mut encrypted = tlv::object(Tag(0xDF_DF59), &self.ciphertext(120, 2));
        tlv::put(&mut encrypted, Tag(0xDF_DF56), &self.ksn());
        tlv::put(&mut encrypted, Tag(0xDF_DF57), &[0x80]);
        tlv::put(&mut encrypted, Tag(0xDF_DF58), &[0x03]);

        let mut merchant = tlv::object(Tag(0xDF_DF40), &[u8::from(card.wants_signature())]);
        tlv::put(&mut merchant, Tag(0x5F2A), &bcd::<2>(u64::from(self.currency_numeric)));
        tlv::put(&mut merchant, Tag(0x9F02), &bcd::<6>(self.amount_minor));
        tlv::put(&mut merchant, Tag(0x9F03), &[0; 6]);
        if card.has_chip_data() {
            tlv::put(&mut merchant, Tag(0x9F06), card.aid());
            tlv::put(&mut merchant, Tag(0x9F12), card.application_name().as_bytes());
            tlv::put(&mut merchant, Tag(0x95), &[0x00, 0x00, 0x00, 0x80, 0x00]);
            tlv::put(&mut merchant, Tag(0x9B), &[0xE8, 0x00]);
            // What a real one tells, too, and nobody may keep: when the card ends and began.
            tlv::put(&mut merchant, Tag(0x5F24), &EXPIRES);
            tlv::put(&mut merchant, Tag(0x5F25), &[0x23, 0x01, 0x01]);
        }
        tlv::put(&mut merchant, Tag(0x9F39), &[card.entry_mode_code()]);
        tlv::put(&mut merchant, Tag(0x9C), &[0x00]);
        tlv::put(&mut merchant, Tag(0x9F34), &card.cvm_result);
        tlv::put(&mut merchant, Tag(0x5F34), &[0x01]);
        tlv::put(&mut merchant, Tag(0xDF_DF4D), &masked_track(card, self.visible));

        let mut batch = tlv::object(Tag(0xF1), &result);
        tlv::put(&mut batch, Tag(0xF8), &encrypted);
        tlv::put(&mut batch, Tag(0xF7), &merchant);

        let mut container = tlv::object(Tag(0xDF_DF54), &[0; 10]);
        tlv::put(&mut container, Tag(0xDF_DF55), &[0x82]);
        tlv::put(&mut container, Tag(0xDF_DF25), &self.device_serial());
        tlv::put(&mut container, Tag(0xFA), &tlv::object(Tag(0xF0), &batch));
        let object = tlv::object(Tag(0xF9), &container);

        let mut wrapped = u16::try_from(object.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
        wrapped.extend_from_slice(&object);
        wrapped.resize(wrapped.len().next_multiple_of(8) + 4, 0);
        message::notification(
            NOTE_TRANSACTION,
            [card.technology(), 0x08, 0x03, 0x02],
            Some(&tlv::object(Tag(0x84), &wrapped)),
        )
    }
}

fn patch(out: &mut [u8], offset: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(offset..offset + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// `;number=expiry service code zeros?`, filled to the length of the example.
fn masked_track(card: &CardScript, visible: u8) -> Vec<u8> {
    let mut track = vec![b';'];
    track.extend_from_slice(&card.masked_number(visible));
    track.extend_from_slice(b"=2812201");
    track.resize(TRACK_LEN - 1, b'0');
    track.push(b'?');
    track
}

/// A text to show.
pub(super) fn prompt(text: &str, cancellable: bool) -> Vec<u8> {
    let mut body = tlv::object(Tag(0x81), &[0x00]);
    tlv::put(&mut body, Tag(0x82), &[0x01]);
    tlv::put(&mut body, Tag(0x83), text.as_bytes());
    let kind = if cancellable { 0x02 } else { 0x01 };
    message::notification(NOTE_DISPLAY, [0x02, 0x01, kind, 0x00], Some(&body))
}

/// A question to the cardholder.
pub(super) fn choice(items: &[String], timeout_s: u8) -> Vec<u8> {
    let mut text = b"SELECT APPLICATION".to_vec();
    for item in items {
        text.push(0);
        text.extend_from_slice(item.as_bytes());
    }
    let mut body = tlv::object(Tag(0x81), &[timeout_s]);
    tlv::put(&mut body, Tag(0x82), &[0x01]);
    tlv::put(&mut body, Tag(0x83), &text);
    message::notification(NOTE_DISPLAY, [0x02, 0x02, 0x00, 0x00], Some(&body))
}
