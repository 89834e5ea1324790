//! Inputs made from inputs, from a seed: what the stable toolchain has in the place of libFuzzer.

use crate::edit::edit;
use crate::tape::Tape;

/// Words of JSON.
pub const JSON: &[&str] = &[
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "0",
    "-1",
    "1e309",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "[[[[[[[[",
    "\\u0000",
    "\\ud800",
    "{\"a\":",
    "\"a\":1,",
    "1.0",
    "\u{feff}",
];
/// Words of a till's lines.
pub const LINES: &[&str] = &[
    "\n",
    "{\"cmd\":\"status\"}\n",
    "{\"cmd\":\"sync\"}\n",
    "{\"cmd\":\"verify\"}\n",
    "{\"cmd\":\"shutdown\"}\n",
    "{\"cmd\":\"background\"}\n",
    "{\"cmd\":\"sign_on\"}\n",
    "{\"cmd\":\"advance\",\"ms\":9223372036854775807}\n",
    "\"amount_minor\":",
    "\"card\":{",
    "\"last_four\":\"0051\"",
    "\"mode\":\"offline\"",
    "\"hold_at\":\"saved\"",
    "\"limit\":",
    "\"after\":",
    "\"from\":\"-262143-01-01\"",
    "\"to\":\"+262142-12-31\"",
    "9223372036854775807",
    "-9223372036854775808",
    "4294967295",
    "null",
    "{",
    "}",
    "\"",
    "\u{0}",
];
/// Words of command lines; arguments are separated by a line's end.
pub const WORDS: &[&str] = &[
    "--dir\n",
    "--acquirer\n",
    "--now-ms\n",
    "--seed\n",
    "--key\n",
    "--lang\n",
    "--real-clock\n",
    "--reboot\n",
    "--markers\n",
    "--help\n",
    "--payments\n",
    "--json\n",
    "--faults\n",
    "--no-kill\n",
    "--admin\n",
    "--port\n",
    "--journal\n",
    "--public-url\n",
    "--print\n",
    "--stay\n",
    "zh\n",
    "none\n",
    "market\n",
    "9223372036854775807\n",
    "-1\n",
    "18446744073709551616\n",
    "http://a:1/\n",
    "http://[::1]:65536\n",
    "\u{0}",
    "钱",
];
/// Words of days at the market.
pub const DAYS: &[&str] = &[
    "\"do\":\"charge\",",
    "\"do\":\"wait\",",
    "\"gives\":{",
    "\"fails\":{",
    "\"$every\":{",
    "\"$some\":{",
    "\"$not\":{",
    "\"$count\":",
    "\"$at_least\":",
    "\"$at_most\":",
    "\"$holds\":",
    "\"@A-1\"",
    "\"@\"",
    "\"steps\":[",
    "\"end\":{",
    "[[[[[[[[[[",
    "9223372036854775808",
    "-1",
    "null",
    "\"days\":",
];

/// Chance from a seed.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The same seed, the same chance.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to below `end`; 0 for an `end` of 0. splitmix64.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((word ^ (word >> 31)).checked_rem(end as u64).unwrap_or(0)).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap_or(0)
    }
}

/// An input made from one or two of `kept` by a few changes, at most `longest` bytes.
#[must_use]
pub fn mutated(kept: &[Vec<u8>], words: &[&str], longest: usize, chance: &mut Chance) -> Vec<u8> {
    let mut bytes = kept.get(chance.below(kept.len())).cloned().unwrap_or_default();
    for _ in 0..=chance.below(6) {
        change(&mut bytes, kept, words, chance);
    }
    bytes.truncate(longest);
    bytes
}

fn change(bytes: &mut Vec<u8>, kept: &[Vec<u8>], words: &[&str], chance: &mut Chance) {
    let at = chance.below(bytes.len() + 1);
    let end = (at + 1 + chance.below(16)).min(bytes.len());
    match chance.below(9) {
        0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << chance.below(8)),
        1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = chance.byte()),
        2 => {
            let few: Vec<u8> = (0..=chance.below(8)).map(|_| chance.byte()).collect();
            bytes.splice(at..at, few);
        }
        3 => drop(bytes.splice(at..end, [])),
        4 => {
            let piece = bytes.get(at..end).unwrap_or_default().to_vec();
            let to = chance.below(bytes.len() + 1);
            bytes.splice(to..to, piece);
        }
        5 => {
            let other = kept.get(chance.below(kept.len())).map(Vec::as_slice).unwrap_or_default();
            let from = chance.below(other.len() + 1);
            let to = (from + 1 + chance.below(200)).min(other.len());
            bytes.splice(at..at, other.get(from..to).unwrap_or_default().iter().copied());
        }
        6 => bytes.truncate(at),
        7 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = [0, 1, 0x7F, 0x80, 0xFF][chance.below(5)]),
        _ => {
            let word = words.get(chance.below(words.len())).copied().unwrap_or_default();
            bytes.splice(at..at, word.bytes());
        }
    }
}

/// JSON with a few places changed that stays JSON.
///
/// # Errors
/// If `text` is none.
pub fn changed_json(text: &[u8], chance: &mut Chance) -> Result<Vec<u8>, serde_json::Error> {
    let mut value = serde_json::from_slice(text)?;
    for _ in 0..=chance.below(3) {
        let choices: Vec<u8> = (0..32).map(|_| chance.byte()).collect();
        edit(&mut value, &mut Tape::new(&choices));
    }
    Ok(value.to_string().into_bytes())
}
