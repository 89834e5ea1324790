//! What a word, a number and a blob of an SDK's may look like. Nothing here trusts that "masked" means masked.

use takings_domain::{MaskedCard, Scheme};

use crate::digits::{NUMBER_LENS, passes_luhn, without_numbers};
use crate::emv::EmvData;
use crate::interface::ReceiptData;
use crate::masked_card::{self, MaskRule};
use crate::online_request::{BlobFormat, MAX_BLOB_LEN, OnlineRequest};
use crate::prompt::Prompt;
use crate::tlv::{self, Tag};

use super::clear_data::looks_clear;
use super::{VendorCard, VendorReceipt};

const MAX_KEY_ID_LEN: usize = 64;
/// Key serial numbers have 10 bytes (triple DES) or 12 (AES); shorter ones could be card numbers.
const KSN_LENS: std::ops::RangeInclusive<usize> = 10..=32;
/// The longest text kept, in characters.
const MAX_TEXT_LEN: usize = 96;
/// The longest masked number looked at, in characters.
const MAX_NUMBER_LEN: usize = 40;
/// The longest value of a receipt's tag, hex digits.
const MAX_RECEIPT_HEX: usize = 32;
/// The reader's word for it.
const SIGNATURE_NEEDED: u8 = 0x01;
/// The longest serial kept, in characters.
const MAX_SERIAL_LEN: usize = 32;
/// What stays of one with as many digits as a card number.
const SERIAL_TAIL: usize = 4;

/// The card data as it may go on; none if it cannot be used, or might be more than ciphertext.
pub(super) fn online_request(card: &VendorCard, serial: &str) -> Option<OnlineRequest> {
    let blob = card.ciphertext.expose();
    if !(1..=MAX_BLOB_LEN).contains(&blob.len()) || looks_clear(blob) {
        return None;
    }
    let (masked_card, scheme) = masked(&card.masked_number)?;
    Some(OnlineRequest {
        blob: card.ciphertext.clone(),
        format: BlobFormat::new(&card.format)?,
        ksn_hex: ksn(&card.ksn_hex)?,
        key_id: key_id(&card.key_id)?,
        device_serial: serial.to_owned(),
        masked_card,
        scheme,
        entry_mode: card.entry_mode,
    })
}

/// What the receipt may say: what an SDK tells goes through the same list of tags as what a reader tells.
pub(super) fn receipt(said: &VendorReceipt) -> ReceiptData {
    let mut level = Vec::new();
    let told = [(0x9F06, &said.aid_hex), (0x9F34, &said.cvm_result_hex), (0x95, &said.tvr_hex), (0x9B, &said.tsi_hex)];
    for (tag, hex) in told {
        if let Some(bytes) = bytes(hex) {
            tlv::put(&mut level, Tag(tag), &bytes);
        }
    }
    let name: String = said.application_name.chars().take(MAX_TEXT_LEN).collect();
    tlv::put(&mut level, Tag(0x50), name.as_bytes());
    ReceiptData {
        // What was just written reads.
        emv: EmvData::read(&level).unwrap_or_default(),
        signature: said.signature_needed.then_some(SIGNATURE_NEEDED),
        card: None,
    }
}

/// Hex of no more bytes than any of these tags has.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let sound = hex.len() <= MAX_RECEIPT_HEX && hex.len().is_multiple_of(2) && hex.is_ascii();
    let pairs = (0..hex.len()).step_by(2).map(|at| hex.get(at..at + 2));
    let read = |pair: &str| u8::from_str_radix(pair, 16).ok().filter(|_| !pair.starts_with('+'));
    sound.then(|| pairs.map(|pair| pair.and_then(read)).collect::<Option<Vec<u8>>>()).flatten()
}

/// At most six leading digits and the last four; none if it is doubtful what is shown.
fn masked(number: &str) -> Option<(MaskedCard, Scheme)> {
    if number.chars().count() > MAX_NUMBER_LEN {
        return None;
    }
    let mut plain = Vec::with_capacity(MAX_NUMBER_LEN);
    for found in number.chars() {
        match found {
            '0'..='9' => plain.push(u8::try_from(found).ok()?),
            '*' | 'x' | 'X' | '#' | '•' => plain.push(b'*'),
            ' ' | '-' => {}
            _ => return None,
        }
    }
    if let [_, _, _, last] = plain.as_slice()
        && last.is_ascii_digit()
    {
        let last_four = String::from_utf8(plain).ok()?;
        let card = MaskedCard::new("", &last_four);
        return (card.last_four().len() == 4).then_some((card, Scheme::Unknown));
    }
    // Digits alone: hidden ones are zeros, or none is hidden. Only so many are believed to be the card's own.
    let leading = if plain.contains(&b'*') { 6 } else { 4 };
    let (card, scheme) = masked_card::from_track_2(&plain, MaskRule { leading, trailing: 4 })?;
    (card.last_four().len() == 4).then_some((card, scheme))
}

/// Upper-case hex; none if it is no key serial number.
fn ksn(hex: &str) -> Option<String> {
    let sound = hex.len().is_multiple_of(2)
        && KSN_LENS.contains(&(hex.len() / 2))
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hex.is_empty() || sound).then(|| hex.to_ascii_uppercase())
}

fn key_id(word: &str) -> Option<String> {
    let of_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    let bounded = (1..=MAX_KEY_ID_LEN).contains(&word.len()) && word.bytes().all(of_word);
    (bounded && !holds_number(word)).then(|| word.to_owned())
}

fn holds_number(text: &str) -> bool {
    let digits: Vec<u8> =
        text.bytes().filter(|byte| !b"_.:-".contains(byte)).map(|byte| byte.wrapping_sub(b'0')).collect();
    digits.split(|digit| *digit > 9).any(|run| NUMBER_LENS.contains(&run.len()) && passes_luhn(run))
}

/// A serial: printable ASCII, bounded; of one with as many digits as a card number the end stays.
pub(super) fn serial(text: &str) -> String {
    let said: Vec<char> = text.chars().filter(|&found| found.is_ascii_graphic()).collect();
    let digits = said.iter().filter(|found| found.is_ascii_digit()).count();
    let skip = if digits < *NUMBER_LENS.start() { 0 } else { said.len().saturating_sub(SERIAL_TAIL) };
    said.into_iter().skip(skip).take(MAX_SERIAL_LEN).collect()
}

/// A text for people in any language: bounded, without control characters, and without anything as long as a card number.
pub(super) fn text(said: &str) -> String {
    let shown = said.chars().map(|found| if found == '\n' { ' ' } else { found }).filter(|found| !found.is_control());
    without_numbers(shown, MAX_TEXT_LEN).trim().to_owned()
}

/// A prompt by its id, by a reader's own English, or as it stands.
pub(super) fn prompt(said: &str) -> Prompt {
    let shown = text(said);
    if let Some(known) = Prompt::KNOWN.iter().find(|known| known.id() == shown) {
        return known.clone();
    }
    match Prompt::from_text(shown.as_bytes()) {
        Prompt::Other(_) => Prompt::Other(shown),
        // What is left of another script may be nothing.
        Prompt::Clear if !shown.is_empty() => Prompt::Other(shown),
        known => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_whatever_is_called_masked_is_masked_again() {
        let shown = |number: &str| {
            masked(number).map(|(card, scheme)| (card.first().to_owned(), card.last_four().to_owned(), scheme))
        };
        let some = |first: &str, last: &str, scheme| Some((first.to_owned(), last.to_owned(), scheme));
        for (number, expected) in [
            ("621234******1232", some("621234", "1232", Scheme::Unionpay)),
            ("4111 11xX xXxX 1111", some("411111", "1111", Scheme::Visa)),
            ("4111-11••-••••-1111", some("411111", "1111", Scheme::Visa)),
            ("41111111****1111", some("411111", "1111", Scheme::Visa)),
            // Not masked at all, or hidden with zeros.
            ("4111111111111111", some("4111", "1111", Scheme::Visa)),
            ("5413330000000029", some("5413", "0029", Scheme::Mastercard)),
            ("****1232", None),
            ("************1232", some("", "1232", Scheme::Unknown)),
            ("1232", some("", "1232", Scheme::Unknown)),
            ("12*2", None),
            ("621234*****1*32", None),
            ("621234******123*", None),
            ("621234******1232=2612", None),
            ("", None),
            (&"4".repeat(64), None),
            ("621234****１232", None),
        ] {
            assert_eq!(shown(number), expected, "{number}");
        }
        // A short number shows its end only.
        assert_eq!(shown("4222222******"), None);
        assert_eq!(shown("4222******222"), None);
        assert_eq!(shown("42222****2222"), some("", "2222", Scheme::Unknown));
    }

    #[test]
    fn keys_are_named_within_bounds() {
        assert_eq!(ksn("ffff9876543210e00008").unwrap(), "FFFF9876543210E00008");
        assert_eq!(ksn("").unwrap(), "");
        for none in ["4111111111111111", "FF", "xyz", &"F".repeat(66), "FFFF9876543210E0000"] {
            assert_eq!(ksn(none), None, "{none}");
        }
        assert_eq!(key_id("bdk-1:2_A.b").unwrap(), "bdk-1:2_A.b");
        for none in ["", "a b", "4111111111111111", "k-4111-1111-1111-1111", &"k".repeat(65), "é"] {
            assert_eq!(key_id(none), None, "{none}");
        }
    }

    #[test]
    fn texts_are_shown_without_numbers() {
        for (said, shown) in [
            ("请插卡\n谢谢", "请插卡 谢谢"),
            ("pay 12.50 by 4111 1111 1111 1111 now", "pay 12.50 by **** **** **** **** now"),
            ("4111.1111/1111_1111", "****.****/****_****"),
            ("４１１１１１１１１１１１１１１１", "****************"),
            ("a\u{7}\u{1b}b", "ab"),
        ] {
            assert_eq!(text(said), shown, "{said}");
        }
        assert_eq!(prompt("insert_card"), Prompt::InsertCard);
        assert_eq!(prompt("Insert Card"), Prompt::InsertCard);
        assert_eq!(prompt("请插卡"), Prompt::Other("请插卡".to_owned()));
        assert_eq!(prompt(" "), Prompt::Clear);
        assert_eq!(serial("BB-123\u{0}"), "BB-123");
        assert_eq!(serial("4111111111111111"), "1111");
        assert_eq!(serial("SN 5413330089600029-X7"), "9-X7");
        assert_eq!(serial("54133300896"), "54133300896", "no card has so few digits");
    }
}
