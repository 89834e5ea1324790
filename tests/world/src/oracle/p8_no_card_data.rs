//! P8 no card data: no number of a card in any file, and no ciphertext once the answer is final.

use std::collections::BTreeMap;

use super::book::Book;
use super::facts::{Facts, Phone};
use super::verdict::{At, Verdict};

const P8: &str = "P8";

/// Of each piece of ciphertext so much is searched for.
const PIECE: usize = 24;

/// The files at the end, as raw bytes.
pub(super) fn numbers(facts: &Facts, at: At, files: &[(String, Vec<u8>)], verdict: &mut Verdict) {
    let mut cards: Vec<(&str, &str)> = facts
        .taps
        .values()
        .flatten()
        .map(|tap| (tap.leading.get(..4).unwrap_or(&tap.leading), tap.last_four.as_str()))
        .collect();
    cards.sort_unstable();
    cards.dedup();
    for (name, bytes) in files {
        for run in runs(bytes) {
            if is_card_number(run, &cards) {
                let digits = run.len();
                verdict.broken(P8, at, format!("{name} holds a card number of {digits} digits"));
            }
        }
        if let Some(place) = barely_masked(bytes) {
            verdict.broken(P8, at, format!("{name} shows more than six and four digits of a card, at byte {place}"));
        }
    }
}

/// Runs of digits with neither letter nor digit around.
fn runs(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| !byte.is_ascii_alphanumeric())
        .filter(|run| (12..=19).contains(&run.len()) && run.iter().all(u8::is_ascii_digit))
}

/// A known card's number, whatever stands in its middle, or any number that could be one.
fn is_card_number(run: &[u8], cards: &[(&str, &str)]) -> bool {
    if !luhn(run) {
        return false;
    }
    let known = cards.iter().any(|(first, last)| run.starts_with(first.as_bytes()) && run.ends_with(last.as_bytes()));
    let issuer = run.starts_with(b"4") || run.starts_with(b"62") || matches!(run, [b'5', b'1'..=b'5', ..]);
    known || (issuer && run.len() >= 15)
}

fn luhn(run: &[u8]) -> bool {
    let digit = |(place, byte): (usize, &u8)| {
        let value = u32::from(byte.wrapping_sub(b'0'));
        if place % 2 == 1 { value * 2 / 10 + value * 2 % 10 } else { value }
    };
    run.iter().rev().enumerate().map(digit).sum::<u32>() % 10 == 0
}

/// Seven digits or more before stars, or five or more after them.
fn barely_masked(bytes: &[u8]) -> Option<usize> {
    let digits = |run: &mut dyn Iterator<Item = &u8>| run.take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = 0;
    while let Some(found) = bytes.get(at..)?.windows(3).position(|three| three == b"***") {
        let start = at + found;
        let stars = bytes.get(start..)?.iter().take_while(|byte| **byte == b'*').count();
        let before = digits(&mut bytes.get(..start)?.iter().rev());
        let after = digits(&mut bytes.get(start + stars..)?.iter());
        if (7..=15).contains(&before) || (5..=15).contains(&after) {
            return Some(start);
        }
        at = start + stars;
    }
    None
}

/// After the end no file holds a piece of what a reader gave out for a payment whose answer is final. `files` are those
/// of one phone.
pub(super) fn ciphertexts(facts: &Facts, book: &Book, at: At, files: &[(String, Vec<u8>)], verdict: &mut Verdict) {
    let Some(phone) = facts.phones.get(at.phone) else { return };
    // An older copy may hold again what was erased since it was made.
    let copied = |id: &String| phone.sales.get(id).is_none_or(|sale| phone.forgot_of(sale));
    let done: Vec<&(String, Vec<u8>)> =
        phone.ciphertexts.iter().filter(|(id, _)| is_done(phone, book, id) && !copied(id)).collect();
    let mut needles: BTreeMap<[u8; 4], Vec<(Vec<u8>, &str)>> = BTreeMap::new();
    for (id, bytes) in done {
        for needle in writings(bytes) {
            if let Some(start) = needle.get(..4).and_then(|start| <[u8; 4]>::try_from(start).ok()) {
                needles.entry(start).or_default().push((needle, id));
            }
        }
    }
    // Most bytes begin none: the map is asked for the others alone.
    let pair = |one: u8, two: u8| usize::from(one) << 8 | usize::from(two);
    let mut begins = vec![false; 1 << 16];
    for [one, two, ..] in needles.keys() {
        begins[pair(*one, *two)] = true;
    }
    for (name, bytes) in files {
        for (place, window) in bytes.windows(4).enumerate() {
            if !begins[pair(window[0], window[1])] {
                continue;
            }
            let Ok(start) = <[u8; 4]>::try_from(window) else { continue };
            for (needle, id) in needles.get(&start).into_iter().flatten() {
                if bytes.get(place..).is_some_and(|rest| rest.starts_with(needle)) {
                    verdict.broken(P8, at, format!("{name} still holds the card data of payment {id}, which is done"));
                }
            }
        }
    }
}

/// The acquirer's answer is final, or it never gets the payment.
fn is_done(phone: &Phone, book: &Book, id: &str) -> bool {
    let sale = phone.sales.get(id);
    let given_up = sale.is_some_and(|sale| {
        sale.cancelled_ms.is_some() || sale.last_look().is_some_and(|view| view.stage == "not_charged")
    });
    given_up || book.payments.get(id).is_some_and(|payment| !payment.is_open())
}

/// A piece as it may stand in a file: raw, as hex, as Base64 at each of its three places.
fn writings(bytes: &[u8]) -> Vec<Vec<u8>> {
    let piece: Vec<u8> = bytes.iter().copied().take(PIECE).collect();
    if piece.len() < 12 {
        return Vec::new();
    }
    let hex: String = piece.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut writings = vec![piece.clone(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    // Whole groups of three that begin at the first, second and third byte.
    writings.extend((0..3).map(|from| base64(piece.get(from..).unwrap_or(&[]))));
    writings
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32| LETTERS.get((bits & 63) as usize).copied().unwrap_or(b'=');
    bytes
        .chunks_exact(3)
        .flat_map(|three| {
            let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
            [letter(bits >> 18), letter(bits >> 12), letter(bits >> 6), letter(bits)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_cards_are_found_and_others_are_not() {
        let cards = [("6222", "0048")];
        let number = |text: &str| runs(text.as_bytes()).any(|run| is_card_number(run, &cards));
        assert!(number("{\"pan\":\"4111111111111111\"}"));
        // Four digits, zeros with one of them changed so that the check digit fits, four digits.
        let masked: Vec<String> =
            (0..10).map(|digit| format!("62220000{digit}0000048")).filter(|text| text.len() == 16).collect();
        assert_eq!(masked.iter().filter(|text| number(text)).count(), 1);
        assert!(!number("\"captured_at_ms\":1795226400000,") && !number("a4111111111111111f"));
        assert!(barely_masked(b"6222481*****0000").is_some() && barely_masked(b"62****00481").is_some());
        assert!(barely_masked(b"622248******0048 ** ***").is_none());
        assert_eq!(base64(b"Man"), b"TWFu");
    }
}
