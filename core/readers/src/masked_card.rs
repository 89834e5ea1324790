//! From what a reader calls masked to what may be kept: six leading digits at most and the last four.
//!
//! A reader hides digits with `0` and changes one of them so that the Luhn check passes: its masked
//! number looks like a real one. So it is masked again here, by the reader's own rule.

use takings_domain::{MaskedCard, Scheme};

use crate::digits::{NUMBER_LENS, without_numbers};

/// How many digits the reader leaves visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskRule {
    /// Leading digits.
    pub leading: usize,
    /// Trailing digits.
    pub trailing: usize,
}

impl Default for MaskRule {
    fn default() -> Self {
        Self { leading: 4, trailing: 4 }
    }
}

/// A masked track 2 (`;number=rest?`, sentinels optional) as a masked card and its scheme.
///
/// None if it holds no number of 12 to 19 characters. Numbers under 14 digits keep the last four only.
#[must_use]
pub fn from_track_2(track: &[u8], rule: MaskRule) -> Option<(MaskedCard, Scheme)> {
    let start = usize::from(track.first() == Some(&b';'));
    let number = track.get(start..)?.split(|&byte| matches!(byte, b'=' | b'D' | b'?')).next()?;
    if !NUMBER_LENS.contains(&number.len()) {
        return None;
    }
    let leading = if number.len() < 14 { 0 } else { rule.leading.min(6) };
    let trailing = rule.trailing.min(4);
    let first = digits(number.iter().take(leading));
    let last: String = digits(number.iter().rev().take(trailing)).chars().rev().collect();
    let scheme = scheme_of(&first);
    Some((MaskedCard::new(&first, &last), scheme))
}

fn digits<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    bytes.take_while(|byte| byte.is_ascii_digit()).map(|&byte| char::from(byte)).collect()
}

/// The scheme these leading digits belong to; `Unknown` where they are too few to tell.
#[must_use]
pub fn scheme_of(leading: &str) -> Scheme {
    let prefix = |count: usize| -> Option<u32> { leading.get(..count)?.parse().ok() };
    let (one, two, three, four) = (prefix(1), prefix(2), prefix(3), prefix(4));
    match (one, two, three, four) {
        (Some(4), ..) => Scheme::Visa,
        (_, Some(34 | 37), ..) => Scheme::Amex,
        (_, Some(62), ..) => Scheme::Unionpay,
        (_, Some(51..=55), ..) | (_, _, _, Some(2221..=2720)) => Scheme::Mastercard,
        (_, _, _, Some(3528..=3589)) => Scheme::Jcb,
        (_, Some(36 | 38 | 39), ..) | (_, _, Some(300..=305), _) | (_, _, _, Some(3095)) => Scheme::Diners,
        (_, Some(65), ..) | (_, _, Some(644..=649), _) | (_, _, _, Some(6011)) => Scheme::Discover,
        _ => Scheme::Unknown,
    }
}

/// Text from a reader as it may be shown and kept: printable ASCII, bounded, and without anything
/// as long as a card number.
#[must_use]
pub fn clean_text(bytes: &[u8], max_len: usize) -> String {
    let text = bytes.iter().copied().take_while(|&byte| byte != 0).filter(|byte| (0x20..0x7F).contains(byte));
    without_numbers(text.map(char::from), max_len)
}
