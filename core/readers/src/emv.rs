//! EMV data a merchant may hold: which tag is what, and an allow-listed struct that nothing else gets into.
//!
//! Sources: EMV 4.3 book 3, annex A (tags) and book 4, annex A4 (cardholder verification); PCI DSS 4.0.1, 3.3 (what is
//! never kept). A tag that is on no list is dropped.

use takings_domain::event::Verification;
use takings_domain::{EntryMode, Scheme};

use crate::digits::hex;
use crate::dynaflex::commands::from_bcd;
use crate::masked_card::clean_text;
use crate::tlv::{self, Tag, TlvError};

/// An application's name is this long at most.
const MAX_NAME_LEN: usize = 16;
/// What cleaning leaves of a run of digits that could be a card's.
const HIDDEN: &str = "****";

/// What may become of a tag's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TagClass {
    /// Kept and shown.
    Shown,
    /// Kept for receipts and for whoever looks for a mistake.
    Diagnostic,
    /// For the acquirer's host alone; gone after use.
    HostOnly,
    /// A card is masked from it, then it is dropped.
    MaskedFrom,
    /// Never kept in clear.
    Never,
}

/// What may become of this tag's value; none for a tag on no list, which is dropped.
#[must_use]
pub const fn class_of(tag: Tag) -> Option<TagClass> {
    Some(match tag.0 {
        0x9F02 | 0x9F03 | 0x5F2A | 0x5F36 | 0x9A | 0x9F21 | 0x9C | 0x4F | 0x84 | 0x9F06 | 0x50 | 0x9F12 | 0x9F11
        | 0x8A | 0x9F39 | 0x9F53 | 0x9F15 | 0x9F16 | 0x9F1C => TagClass::Shown,
        0x9F26 | 0x9F27 | 0x9F10 | 0x9F36 | 0x9F37 | 0x95 | 0x9B | 0x82 | 0x9F34 | 0x8E | 0x5F34 | 0x9F33 | 0x9F35
        | 0x9F40 | 0x9F1A | 0x9F1E | 0x9F41 | 0x9F6E | 0x9F66 | 0x9F6C | 0x9F24 => TagClass::Diagnostic,
        0x91 | 0x71 | 0x72 | 0x9F5B => TagClass::HostOnly,
        0x5A | 0x57 | 0x56 => TagClass::MaskedFrom,
        0x9F5D
        | 0x5F20
        | 0x9F0B
        | 0x5F24
        | 0x5F25
        | 0x5F30
        | 0x9F1F
        | 0x9F20
        | 0x9F6B
        | 0x58
        | 0x5F21..=0x5F23
        | 0x9F60..=0x9F63
        | 0x9F65
        | 0x9F67
        | 0x99 => TagClass::Never,
        _ => return None,
    })
}

/// What of a level of EMV tags may be kept. `Debug` may print it: no member is card data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmvData {
    /// Amount, `9F02`, minor units.
    pub amount_minor: Option<i64>,
    /// ISO 4217 number, `5F2A`.
    pub currency_numeric: Option<u16>,
    /// Application, `9F06`, else `84`, else `4F`: 5 to 16 bytes, upper-case hex.
    pub aid_hex: Option<String>,
    /// The application's name: `9F12` where its letters are plain Latin ones (`9F11`), else `50`. Printable ASCII, 16
    /// characters at most.
    pub application_name: Option<String>,
    /// Cardholder verification, `9F34`.
    pub cvm_result: Option<[u8; 3]>,
    /// Terminal verification results, `95`.
    pub tvr: Option<[u8; 5]>,
    /// Transaction status information, `9B`.
    pub tsi: Option<[u8; 2]>,
}

impl EmvData {
    /// Reads one level of tags. A value of an impossible size is taken for absent: only broken TLV is an error.
    ///
    /// # Errors
    /// [`TlvError`] if the level is broken.
    pub fn read(level: &[u8]) -> Result<Self, TlvError> {
        let mut found = Self::default();
        let (mut preferred, mut label, mut code_table) = (None, None, None);
        let (mut aid, mut dedicated, mut on_card) = (None, None, None);
        for object in tlv::objects(level) {
            let object = object?;
            let value = object.value;
            if class_of(object.tag).is_none_or(|class| class > TagClass::Diagnostic) {
                continue;
            }
            match object.tag.0 {
                0x9F02 => first(&mut found.amount_minor, amount(value)),
                0x5F2A => {
                    first(&mut found.currency_numeric, number(value, 2).and_then(|code| u16::try_from(code).ok()));
                }
                0x9F06 => first(&mut aid, application(value)),
                0x84 => first(&mut dedicated, application(value)),
                0x4F => first(&mut on_card, application(value)),
                0x9F12 => first(&mut preferred, name(value)),
                0x50 => first(&mut label, name(value)),
                0x9F11 => first(&mut code_table, number(value, 1)),
                0x9F34 => first(&mut found.cvm_result, value.try_into().ok()),
                0x95 => first(&mut found.tvr, value.try_into().ok()),
                0x9B => first(&mut found.tsi, value.try_into().ok()),
                _ => {}
            }
        }
        found.aid_hex = aid.or(dedicated).or(on_card);
        // Other parts of ISO 8859 put other letters behind the same bytes; without a word on it, what all parts share is read.
        let readable = code_table.is_none_or(|table| table == 1);
        found.application_name = preferred.filter(|_| readable).or(label);
        Ok(found)
    }
}

/// Of a tag that comes twice the first usable one counts.
fn first<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}

fn number(value: &[u8], len: usize) -> Option<u64> {
    Some(value).filter(|value| value.len() == len).and_then(from_bcd)
}

fn amount(value: &[u8]) -> Option<i64> {
    number(value, 6).and_then(|minor| i64::try_from(minor).ok())
}

/// Registered providers begin with a letter: digits alone could be a card's.
fn application(value: &[u8]) -> Option<String> {
    let registered = value.first().is_some_and(|first| *first >= 0xA0);
    (registered && (5..=16).contains(&value.len())).then(|| hex(value))
}

/// None if it is not all readable, if nothing is in it, or what could be part of a card number.
fn name(value: &[u8]) -> Option<String> {
    let padding = |byte: &u8| *byte == 0;
    let value = value.get(..value.iter().position(padding).unwrap_or(value.len()))?;
    if !value.iter().all(|byte| (0x20..0x7F).contains(byte)) {
        return None;
    }
    let name = clean_text(value, MAX_NAME_LEN).trim().to_owned();
    (!name.is_empty() && !name.contains(HIDDEN)).then_some(name)
}

/// How the cardholder of a card read so was verified, by `9F34`; none for a method on no list.
#[must_use]
pub fn verification([method, condition, result]: [u8; 3], entry: EntryMode) -> Option<Verification> {
    // A phone that asked its owner says so as a plain PIN, always asked for: nobody types one for a tap.
    if entry == EntryMode::Contactless && (method, condition, result) == (0x01, 0x00, 0x02) {
        return Some(Verification::OnDevice);
    }
    if result == 0x01 {
        return Some(Verification::Failed);
    }
    // Bit 7 says what would have come next had this one failed.
    Some(match method & 0x3F {
        0x00 => Verification::Failed,
        0x01 => Verification::PinByChip,
        0x02 => Verification::PinOnline,
        0x03 | 0x05 => Verification::PinAndSignature,
        0x04 => Verification::PinByChip,
        0x1E => Verification::Signature,
        0x1F | 0x3F => Verification::None,
        _ => return None,
    })
}

/// Whether this way of verification wants a signature on the receipt.
#[must_use]
pub const fn wants_signature(verification: Verification) -> bool {
    matches!(verification, Verification::Signature | Verification::PinAndSignature)
}

/// The scheme an application belongs to, by its registered provider: the first five bytes.
#[must_use]
pub fn scheme_of_application(aid: &[u8]) -> Scheme {
    match aid.get(..5) {
        Some([0xA0, 0x00, 0x00, 0x00, 0x03] | [0xA0, 0x00, 0x00, 0x00, 0x98]) => Scheme::Visa,
        Some([0xA0, 0x00, 0x00, 0x00, 0x04]) => Scheme::Mastercard,
        Some([0xA0, 0x00, 0x00, 0x00, 0x25]) => Scheme::Amex,
        Some([0xA0, 0x00, 0x00, 0x01, 0x52]) => Scheme::Discover,
        Some([0xA0, 0x00, 0x00, 0x00, 0x65]) => Scheme::Jcb,
        Some([0xA0, 0x00, 0x00, 0x03, 0x33]) => Scheme::Unionpay,
        _ => Scheme::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(objects: &[(u32, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (tag, value) in objects {
            tlv::put(&mut out, Tag(*tag), value);
        }
        out
    }

    #[test]
    fn listed_tags_are_read_and_others_are_not_there() {
        let data = EmvData::read(&level(&[
            (0x9F02, &[0, 0, 0, 0, 0x12, 0x50]),
            (0x5F2A, &[0x01, 0x56]),
            (0x9F06, &[0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01, 0x01]),
            (0x84, &[0xA0, 0, 0, 0, 0x04, 0x10, 0x10]),
            (0x9F34, &[0x1E, 0x03, 0x00]),
            (0x95, &[0x80, 0x40, 0, 0x80, 0]),
            (0x9B, &[0x68, 0]),
            (0x5A, &[0x54, 0x13, 0x33, 0x00, 0x89, 0x60, 0x00, 0x29]),
            (0x5F20, b"CARDHOLDER/TEST"),
            (0x5F24, &[0x28, 0x12, 0x31]),
        ]))
        .unwrap();
        assert_eq!((data.amount_minor, data.currency_numeric), (Some(12_50), Some(156)));
        assert_eq!(data.aid_hex.as_deref(), Some("A000000333010101"));
        assert_eq!((data.tvr, data.tsi), (Some([0x80, 0x40, 0, 0x80, 0]), Some([0x68, 0])));
        let printed = format!("{data:?}");
        for secret in ["CARDHOLDER", "5413", "2812", "TEST"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }

    #[test]
    fn an_application_is_called_by_the_name_that_can_be_read() {
        let named = |objects: &[(u32, &[u8])]| EmvData::read(&level(objects)).unwrap().application_name;
        assert_eq!(named(&[(0x50, b"DEBIT")]).as_deref(), Some("DEBIT"));
        assert_eq!(named(&[(0x50, b"DEBIT"), (0x9F12, b"My Bank")]).as_deref(), Some("My Bank"));
        assert_eq!(named(&[(0x50, b"DEBIT"), (0x9F12, b"My Bank"), (0x9F11, &[5])]).as_deref(), Some("DEBIT"));
        assert_eq!(named(&[(0x50, &[0, 0])]), None);
        assert_eq!(
            named(&[(0x50, b"DEBIT"), (0x9F12, b"D\xE9bito")]).as_deref(),
            Some("DEBIT"),
            "not a part of a name"
        );
        assert_eq!(named(&[(0x50, b"5413330089600029")]), None, "no number as a name");
        assert_eq!(named(&[(0x50, b"5413.3300/8960_0029")]), None, "nor one in parts");
        assert_eq!(named(&[(0x50, b"CARD 5413330089600029")]), None, "nor the beginning of one");
        assert_eq!(named(&[(0x50, b"DEBIT"), (0x9F12, b"5413330089600029")]).as_deref(), Some("DEBIT"));
        assert_eq!(named(&[(0x50, b"DEBIT"), (0x50, b"CREDIT")]).as_deref(), Some("DEBIT"), "the first of two");
    }

    #[test]
    fn a_value_of_an_impossible_size_is_absent() {
        let data = EmvData::read(&level(&[(0x9F02, &[1]), (0x9F06, &[1, 2]), (0x9F34, &[1]), (0x95, &[])])).unwrap();
        assert_eq!(data, EmvData::default());
        assert_eq!(EmvData::read(&level(&[(0x9F06, &[0x41; 8])])).unwrap(), EmvData::default(), "no number as a name");
        assert!(EmvData::read(&[0x9F]).is_err());
    }

    #[test]
    fn verification_is_read_as_the_standard_writes_it() {
        for (result, said) in [
            ([0x1E, 0x03, 0x00], Some(Verification::Signature)),
            ([0x5E, 0x03, 0x00], Some(Verification::Signature)),
            ([0x1F, 0x03, 0x02], Some(Verification::None)),
            ([0x3F, 0x00, 0x00], Some(Verification::None)),
            ([0x41, 0x03, 0x02], Some(Verification::PinByChip)),
            ([0x01, 0x00, 0x02], Some(Verification::PinByChip)),
            ([0x01, 0x03, 0x02], Some(Verification::PinByChip)),
            ([0x02, 0x03, 0x00], Some(Verification::PinOnline)),
            ([0x03, 0x03, 0x00], Some(Verification::PinAndSignature)),
            ([0x41, 0x03, 0x01], Some(Verification::Failed)),
            ([0x00, 0x00, 0x00], Some(Verification::Failed)),
            ([0x2A, 0x03, 0x02], None),
        ] {
            assert_eq!(verification(result, EntryMode::Chip), said, "{result:02X?}");
        }
        assert_eq!(verification([0x01, 0x00, 0x02], EntryMode::Contactless), Some(Verification::OnDevice));
        let signed = [Verification::Signature, Verification::PinAndSignature];
        for way in Verification::ALL {
            assert_eq!(wants_signature(*way), signed.contains(way), "{way}");
        }
    }

    #[test]
    fn p8_what_is_never_kept_is_on_no_other_list() {
        for tag in [0x5A, 0x57, 0x56] {
            assert_eq!(class_of(Tag(tag)), Some(TagClass::MaskedFrom));
        }
        for tag in [0x5F20, 0x5F24, 0x5F30, 0x99, 0x9F1F, 0x9F61] {
            assert_eq!(class_of(Tag(tag)), Some(TagClass::Never));
        }
        assert_eq!(class_of(Tag(0xDF_DF33)), None);
        // Whatever the struct reads is a tag that may be kept.
        for tag in [0x9F02, 0x5F2A, 0x9F06, 0x84, 0x4F, 0x9F12, 0x50, 0x9F11, 0x9F34, 0x95, 0x9B] {
            assert!(class_of(Tag(tag)).is_some_and(|class| class <= TagClass::Diagnostic), "{tag:X}");
        }
    }

    #[test]
    fn a_scheme_is_known_by_its_application() {
        for (aid, scheme) in [
            (&[0xA0, 0, 0, 0, 0x03, 0x20, 0x10][..], Scheme::Visa),
            (&[0xA0, 0, 0, 0, 0x04, 0x30, 0x60], Scheme::Mastercard),
            (&[0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01, 0x06], Scheme::Unionpay),
            (&[0xA0, 0, 0, 0x02, 0x77, 0x10, 0x10], Scheme::Unknown),
            (&[0xA0, 0, 0], Scheme::Unknown),
        ] {
            assert_eq!(scheme_of_application(aid), scheme, "{aid:02X?}");
        }
    }
}
