//! A net for card data in clear where an SDK should pass ciphertext: numbers as text, numbers in half-bytes with what
//! follows them on a track, and the card's own tags.
//!
//! It is a net with holes. Data that is encoded in another way (Base64, six-bit tracks, a number in half-bytes alone) looks
//! like ciphertext here; and what looks like card data without being any must be rare in ciphertext, so each pattern asks
//! for more than digits.

use zeroize::Zeroizing;

use crate::digits::passes_luhn;

/// A card number has so many digits.
const NUMBER_LENS: std::ops::RangeInclusive<usize> = 13..=19;
/// On a track, before its separator, a shorter run is looked at, too.
const MIN_TRACK_LEN: usize = 12;
/// So many other bytes may stand between two digits of a text: a space, a dash, a zero of UTF-16.
const MAX_GAP: usize = 2;
/// What stands between number and expiry in half-bytes.
const SEPARATOR: u8 = 0xD;
/// Expiry and service code, in half-bytes.
const EXPIRY_LEN: usize = 4;
const SERVICE_LEN: usize = 3;
/// The longest value of `57`, in bytes.
const MAX_TRACK_2_LEN: u8 = 19;
/// The longest name of a cardholder.
const MAX_NAME_LEN: u8 = 26;

/// Whether anything in the blob looks like card data in clear.
pub(super) fn looks_clear(blob: &[u8]) -> bool {
    in_text(blob)
        || in_half_bytes(blob)
        || in_tags(blob)
        || hex_text(blob).is_some_and(|bytes| looks_clear_bytes(&bytes))
}

fn looks_clear_bytes(bytes: &[u8]) -> bool {
    in_half_bytes(bytes) || in_tags(bytes)
}

/// Numbers in ASCII (or UTF-16) digits, with or without separators.
fn in_text(blob: &[u8]) -> bool {
    let mut at = 0;
    while let Some(start) = blob.iter().skip(at).position(u8::is_ascii_digit).map(|found| at + found) {
        let (digits, end) = run(blob, start);
        let on_track = digits.len() >= MIN_TRACK_LEN && matches!(blob.get(end), Some(b'=' | b'^'));
        // Within the letters of hex it is looked at as hex.
        let hex = |at: Option<usize>| at.and_then(|at| blob.get(at)).is_some_and(|byte| byte.is_ascii_hexdigit());
        let alone = !hex(start.checked_sub(1)) && !hex(Some(end));
        let all = digits.len() == blob.len() && (MIN_TRACK_LEN..=*NUMBER_LENS.end()).contains(&digits.len());
        if on_track || all || (alone && holds_number(&digits)) {
            return true;
        }
        at = end;
    }
    false
}

/// The digits from here on, over short gaps, and where they end.
fn run(blob: &[u8], start: usize) -> (Zeroizing<Vec<u8>>, usize) {
    let (mut digits, mut end, mut gap) = (Zeroizing::new(Vec::new()), start, 0);
    for (at, byte) in blob.iter().enumerate().skip(start) {
        if byte.is_ascii_digit() {
            digits.push(byte - b'0');
            (end, gap) = (at + 1, 0);
        } else if byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'^') || gap == MAX_GAP {
            break;
        } else {
            gap += 1;
        }
    }
    (digits, end)
}

/// A card number at the beginning or the end of these digits.
fn holds_number(digits: &[u8]) -> bool {
    NUMBER_LENS.filter(|len| *len <= digits.len()).any(|len| {
        let first = digits.get(..len).is_some_and(is_number);
        first || digits.get(digits.len() - len..).is_some_and(is_number)
    })
}

/// The check digit is right, and a network has numbers that begin so.
fn is_number(digits: &[u8]) -> bool {
    let known = match digits {
        [3..=6, ..] => true,
        [2, second, ..] => (2..=7).contains(second),
        _ => false,
    };
    known && passes_luhn(digits)
}

/// Track 2 in half-bytes, in either alignment: a number, the separator, an expiry and a service code.
fn in_half_bytes(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().any(|(at, byte)| {
        (byte >> 4 == SEPARATOR && is_track_around(bytes, at * 2))
            || (byte & 0xF == SEPARATOR && is_track_around(bytes, at * 2 + 1))
    })
}

fn is_track_around(bytes: &[u8], separator: usize) -> bool {
    let after: Vec<u8> =
        (separator + 1..=separator + EXPIRY_LEN + SERVICE_LEN).map_while(|at| half(bytes, at)).collect();
    if !(is_expiry(&after) && is_service(after.get(EXPIRY_LEN..).unwrap_or_default())) {
        return false;
    }
    let before = (0..separator).rev().map_while(|at| half(bytes, at)).take_while(|half| *half <= 9);
    let mut digits: Vec<u8> = before.take(*NUMBER_LENS.end()).collect();
    digits.reverse();
    NUMBER_LENS.filter(|len| *len <= digits.len()).any(|len| digits.get(digits.len() - len..).is_some_and(is_number))
}

fn half(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at / 2).map(|byte| if at.is_multiple_of(2) { byte >> 4 } else { byte & 0xF })
}

/// Year and month, of cards that are in use.
fn is_expiry(halves: &[u8]) -> bool {
    matches!(halves, [2..=4, 0..=9, 0, 1..=9, ..] | [2..=4, 0..=9, 1, 0..=2, ..])
}

fn is_service(halves: &[u8]) -> bool {
    matches!(halves.get(..SERVICE_LEN), Some([1 | 2 | 5 | 6 | 7 | 9, 0..=9, 0..=9]))
}

/// `5A` number, `57` track 2, `5F20` name, `5F24` expiry, each with a length and a value that fit. At any place: what a
/// vendor puts around them is not known.
fn in_tags(bytes: &[u8]) -> bool {
    let tags = bytes.iter().enumerate().filter(|(_, byte)| matches!(byte, 0x57 | 0x5A | 0x5F));
    tags.map(|(at, _)| bytes.get(at..).unwrap_or_default()).any(|found| match found {
        [0x5A, len @ 7..=10, value @ ..] => value.get(..usize::from(*len)).is_some_and(is_number_value),
        [0x57, len @ 8..=MAX_TRACK_2_LEN, value @ ..] => value.get(..usize::from(*len)).is_some_and(is_track_2_value),
        [0x5F, 0x20, len @ 2..=MAX_NAME_LEN, value @ ..] => value.get(..usize::from(*len)).is_some_and(is_name),
        [0x5F, 0x24, 3, year, month, day, ..] => {
            is_expiry(&[year >> 4, year & 0xF, month >> 4, month & 0xF]) && matches!(day, 0x01..=0x31)
        }
        _ => false,
    })
}

fn is_number_value(value: &[u8]) -> bool {
    let halves: Vec<u8> = value.iter().flat_map(|byte| [byte >> 4, byte & 0xF]).collect();
    let len = halves.iter().take_while(|half| **half <= 9).count();
    let padded = halves.iter().skip(len).all(|half| *half == 0xF);
    padded && NUMBER_LENS.contains(&len) && halves.get(..len).is_some_and(is_number)
}

fn is_track_2_value(value: &[u8]) -> bool {
    let halves: Vec<u8> = value.iter().flat_map(|byte| [byte >> 4, byte & 0xF]).collect();
    let len = halves.iter().take_while(|half| **half <= 9).count();
    let after = halves.get(len + 1..).unwrap_or_default();
    halves.get(len) == Some(&SEPARATOR)
        && is_expiry(after)
        && NUMBER_LENS.contains(&len)
        && halves.get(..len).is_some_and(is_number)
}

/// As cards carry it: capitals, and a slash between surname and given name.
fn is_name(value: &[u8]) -> bool {
    value.contains(&b'/') && value.iter().all(|byte| byte.is_ascii_alphabetic() || b" /.-'".contains(byte))
}

/// The bytes of a text that is hex and nothing else but white space.
fn hex_text(blob: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut halves = Zeroizing::new(Vec::with_capacity(blob.len()));
    for byte in blob.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        halves.push(u8::try_from(char::from(*byte).to_digit(16)?).ok()?);
    }
    let pairs = halves.chunks(2);
    Some(Zeroizing::new(pairs.map(|pair| pair.iter().fold(0, |whole, half| whole << 4 | half)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Zeroizing<Vec<u8>> {
        hex_text(hex.as_bytes()).unwrap()
    }

    #[test]
    fn p8_card_data_in_clear_is_found() {
        let utf_16 = "4111111111111111".bytes().flat_map(|byte| [byte, 0]).collect::<Vec<u8>>();
        let texts: &[&[u8]] = &[
            b";4111111111111111=26122010000012300000?",
            b"%B4111111111111111^CARDHOLDER/TEST^2612?",
            b"4111111111111111",
            b"\x00\x01994111111111111=2612",
            b"\x81pan 4111-1111-1111-1111\xff",
            b"{\"pan\":\"5555555555554444\",\"ok\":1}",
            b"4111 1111 1111 1111 12/26",
            &utf_16,
            // As hex in text.
            b"5A084111111111111111",
            b"C1 4111111111111111D26122010000F",
        ];
        for clear in texts {
            assert!(looks_clear(clear), "{}", String::from_utf8_lossy(clear));
        }
        for clear in [
            "C1B24111111111111111D26122010000012300000FA0",
            // The other alignment.
            "C1B4111111111111111D2612201000001230000FA01",
            "9F0206000000012345 5A08 4111111111111111",
            "5A08 378282246310005F",
            "57 0D 4111111111111111D2612FFFFF",
            "5F20 0F 43415244484F4C4445522F54455354",
            "5F24 03 261231",
        ] {
            assert!(looks_clear(&bytes(clear)), "{clear}");
        }
    }

    #[test]
    fn what_is_masked_or_no_card_is_not() {
        let texts: &[&[u8]] = &[
            b"C1B2A39F",
            b"4111111111111111A",
            b"\xff\x00\x10",
            b"41111111111=",
            b"QUJD=",
            b"621234******1232",
            b"{\"at\":\"20261123031700\",\"amount\":1250}",
            b"4111111111111112 is none",
        ];
        for blob in texts {
            assert!(!looks_clear(blob), "{}", String::from_utf8_lossy(blob));
        }
        // Masked in half-bytes, as some vendors do.
        for blob in ["5A084111CCCCCCCC1111", "57094111CCCCCCCC1111D2", "5F2403FFFFFF", "5F200341423F"] {
            assert!(!looks_clear(&bytes(blob)), "{blob}");
        }
    }

    #[test]
    fn random_ciphertext_is_hardly_ever_taken_for_card_data() {
        const BLOBS: u32 = 100_000;
        let mut state = 20_261_123_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.wrapping_mul(0x2545_F491_4F6C_DD1D)
        };
        let (mut found, mut blob) = (0, [0_u8; 500]);
        for _ in 0..BLOBS {
            blob.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&next().to_le_bytes()[..chunk.len()]));
            found += u32::from(looks_clear(&blob));
        }
        assert!(found < BLOBS / 10_000, "{found} of {BLOBS}, seed 20261123");
    }
}
