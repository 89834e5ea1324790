//! TLV against a reader of the same notation that others wrote, and what ours takes or refuses beyond it.

use std::collections::BTreeMap;

use iso7816_tlv::ber;
use takings_readers::dynaflex::message::{self, MessageError};
use takings_readers::link::{LinkProblem, MAX_MESSAGE_LEN, Reassembler};
use takings_readers::tlv::{self, Tag, TlvError, find, find_path, objects, split_first};
use takings_readers::{Fault, ReaderEvent, ReaderInput};

use crate::chance::Chance;
use crate::raw::Raw;

const CASES: usize = 100_000;

/// One object of a tree, in the order of the bytes; a template has no value of its own.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    depth: usize,
    tag: u32,
    value: Option<Vec<u8>>,
}

/// Why the two may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// A tag of four bytes: readers use them, the other does not know them.
    FourByteTag,
    /// Tag 00, which is filling elsewhere.
    ZeroTag,
    /// A length in more octets than it needs, inside a template: the other adds such lengths up as if they were short.
    LongLength,
    /// A length that is not told, which the other takes for none.
    NoLength,
}

/// Makes objects, and knows what it made.
struct Maker {
    chance: Chance,
    long_forms: bool,
}

impl Maker {
    fn level(&mut self, depth: usize, seen: &mut Vec<Seen>) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..self.chance.below(4) + usize::from(depth == 0) {
            let template = depth < 4 && self.chance.below(4) == 0;
            let tag = self.tag(template);
            let number = tag.iter().fold(0, |number, &byte| number << 8 | u32::from(byte));
            let at = seen.len();
            seen.push(Seen { depth, tag: number, value: None });
            let value = if template {
                self.level(depth + 1, seen)
            } else {
                let value = self.value();
                seen[at].value = Some(value.clone());
                value
            };
            let wanted = if self.long_forms && self.chance.below(4) == 0 { 1 + self.chance.below(4) } else { 0 };
            out.extend(tag);
            out.extend(length(value.len(), wanted));
            out.extend(value);
        }
        out
    }

    fn tag(&mut self, template: bool) -> Vec<u8> {
        let len = 1 + self.chance.below(3);
        let class = self.chance.pick(&[0x00, 0x40, 0x80, 0xC0]) | if template { 0x20 } else { 0 };
        let number = u8::try_from(self.chance.below(31)).unwrap();
        match len {
            1 => vec![(class | number).max(1)],
            2 => vec![class | 0x1F, self.chance.byte() & 0x7F],
            _ => vec![class | 0x1F, self.chance.byte() | 0x80, self.chance.byte() & 0x7F],
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let len = match self.chance.below(16) {
            0 => self.chance.pick(&[0x7E, 0x7F, 0x80, 0xFF, 0x100]),
            _ => self.chance.below(12),
        };
        (0..len).map(|_| self.chance.byte()).collect()
    }

    /// A few changes anywhere.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.chance.below(4) {
            let at = self.chance.below(bytes.len());
            match self.chance.below(6) {
                0 => bytes[at] ^= 1 << self.chance.below(8),
                1 | 2 => bytes[at] = self.chance.pick(&[0, 1, 0x1F, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF]),
                3 => bytes.insert(at, self.chance.byte()),
                4 if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1)),
            }
        }
    }
}

/// A length in so many octets after the first, or more if it needs them; 0: in the shortest form.
fn length(len: usize, wanted: usize) -> Vec<u8> {
    let needed = len.to_be_bytes().iter().skip_while(|&&byte| byte == 0).count();
    if wanted == 0 && len < 0x80 {
        return vec![u8::try_from(len).unwrap()];
    }
    let octets = wanted.max(needed);
    let mut out = vec![0x80 | u8::try_from(octets).unwrap()];
    out.extend_from_slice(&len.to_be_bytes()[8 - octets..]);
    out
}

fn is_template(tag: u32) -> bool {
    tag.to_be_bytes().into_iter().find(|&byte| byte != 0).is_some_and(|first| first & 0x20 != 0)
}

/// Reads all levels with ours, and notes what the other may stumble over.
fn ours(input: &[u8], depth: usize, seen: &mut Vec<Seen>, odd: &mut Vec<Reason>) -> Result<(), TlvError> {
    let mut rest = input;
    while !rest.is_empty() {
        let (object, after) = split_first(rest)?;
        let tag = object.tag.0;
        odd.extend((tag > 0xFF_FFFF).then_some(Reason::FourByteTag));
        odd.extend((tag == 0).then_some(Reason::ZeroTag));
        let shortest = tlv::object(object.tag, object.value).len();
        odd.extend((depth > 0 && shortest < rest.len() - after.len()).then_some(Reason::LongLength));
        if is_template(tag) {
            seen.push(Seen { depth, tag, value: None });
            ours(object.value, depth + 1, seen, odd)?;
        } else {
            seen.push(Seen { depth, tag, value: Some(object.value.to_vec()) });
        }
        rest = after;
    }
    Ok(())
}

/// Reads all levels with the other; also how long it believes them to be.
fn theirs(input: &[u8]) -> Option<(Vec<Seen>, usize)> {
    let (mut seen, mut believed, mut rest) = (Vec::new(), 0, input);
    while !rest.is_empty() {
        let (object, after) = ber::Tlv::parse(rest);
        let object = object.ok()?;
        believed += object.length();
        list(&object, 0, &mut seen);
        rest = after;
    }
    Some((seen, believed))
}

fn list(object: &ber::Tlv, depth: usize, seen: &mut Vec<Seen>) {
    let tag = object.tag().to_bytes().iter().fold(0, |tag, &byte| tag << 8 | u32::from(byte));
    match object.value() {
        ber::Value::Primitive(value) => seen.push(Seen { depth, tag, value: Some(value.clone()) }),
        ber::Value::Constructed(inner) => {
            seen.push(Seen { depth, tag, value: None });
            inner.iter().for_each(|object| list(object, depth + 1, seen));
        }
    }
}

/// What both read, or that neither does; else a reason that is on the list, or a panic.
fn compared(input: &[u8]) -> Result<Option<Vec<Seen>>, Reason> {
    let (mut seen, mut odd) = (Vec::new(), Vec::new());
    match (ours(input, 0, &mut seen, &mut odd), theirs(input)) {
        (Ok(()), Some((other, _))) if other == seen => Ok(Some(seen)),
        (Err(_), None) => Ok(None),
        (Ok(()), Some(_)) if odd.contains(&Reason::LongLength) => Err(Reason::LongLength),
        (Ok(()), None) if !odd.is_empty() => Err(odd[0]),
        (Err(TlvError::BadLength), Some(_)) if input.contains(&0x80) => Err(Reason::NoLength),
        (Err(_), Some((_, believed))) if believed < input.len() => Err(Reason::LongLength),
        (ours, theirs) => panic!("{ours:?} {seen:?}, but {theirs:?} of {input:02X?}"),
    }
}

#[test]
fn what_is_strict_reads_as_others_read_it() {
    let mut maker = Maker { chance: Chance::new(20_261_121), long_forms: false };
    let mut count = 0;
    for _ in 0..CASES {
        let mut made = Vec::new();
        let bytes = maker.level(0, &mut made);
        count += made.len();
        let first = (made[0].tag, split_first(&bytes).unwrap().0.value.to_vec());
        assert_eq!(compared(&bytes), Ok(Some(made)), "{bytes:02X?}");
        assert_eq!(find(&bytes, Tag(first.0)), Ok(Some(&first.1[..])));
        // And we write it as it stands.
        let mut again = Vec::new();
        for object in objects(&bytes) {
            let object = object.unwrap();
            tlv::put(&mut again, object.tag, object.value);
        }
        assert_eq!(again, bytes);
    }
    assert!(count > 3 * CASES, "{count}");
}

#[test]
fn what_is_not_strict_differs_for_listed_reasons_alone() {
    let mut maker = Maker { chance: Chance::new(7), long_forms: true };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..CASES {
        let mut bytes = maker.level(0, &mut Vec::new());
        maker.damage(&mut bytes);
        let word = match compared(&bytes) {
            Ok(Some(_)) => "both".to_owned(),
            Ok(None) => "neither".to_owned(),
            Err(reason) => format!("{reason:?}"),
        };
        *counts.entry(word).or_default() += 1;
    }
    for word in ["both", "neither", "FourByteTag", "ZeroTag", "LongLength", "NoLength"] {
        assert!(counts.get(word).is_some_and(|&count| count >= 50), "{word}: {counts:?}");
    }
}

#[test]
fn lengths_in_more_octets_than_they_need() {
    let mut count = 0;
    for len in (0..0x100_usize).chain([0x100, 300, 60_000]) {
        let value: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
        for octets in 1..=4 {
            let form = length(len, octets);
            if form.len() != octets + 1 || form == length(len, 0) {
                continue;
            }
            count += 1;
            for tag in [0x82, 0x9F02, 0xDF_DF59, 0xDFDF_DF37] {
                let short = tlv::object(Tag(tag), &value);
                let head = &short[..short.len() - len - length(len, 0).len()];
                let mut bytes = [head, &form, &value].concat();
                assert_eq!(split_first(&bytes), split_first(&short), "{form:02X?}");
                // What follows is found, too.
                bytes.extend([0x84, 0x01, 0x07]);
                assert_eq!(find(&bytes, Tag(0x84)), Ok(Some(&[7][..])), "{form:02X?}");
                assert_eq!(find(&bytes, Tag(tag)), Ok(Some(&value[..])), "{form:02X?}");
            }
        }
    }
    // Four forms of each length to 7F, three of each to FF, two of each that is longer.
    assert_eq!(count, 4 * 0x80 + 3 * 0x80 + 2 * 3);
}

#[test]
fn four_gibibytes_are_not_waited_for() {
    for head in [&[0x81][..], &[0xF9], &[0x9F, 0x02], &[0xDF, 0xDF, 0x59], &[0xDF, 0xDF, 0xDF, 0x37]] {
        for there in [0, 1, 300] {
            let bytes = [head, &[0x84, 0xFF, 0xFF, 0xFF, 0xFF], &vec![7; there]].concat();
            assert_eq!(split_first(&bytes), Err(TlvError::Truncated));
            assert_eq!(find(&bytes, Tag(0x82)), Err(TlvError::Truncated));
            assert_eq!(find_path(&bytes, &[Tag(0xF9), Tag(0xFA)]), Err(TlvError::Truncated));
            assert!(objects(&bytes).eq([Err(TlvError::Truncated)]));
            let message = [&[0xAA, 0x00, 0x81, 0x04, 0x83, 0x00, 0x01, 0x05][..], &bytes].concat();
            assert_eq!(message::parse(&message), Err(MessageError::Tlv(TlvError::Truncated)));
            // Said by a reader it is a message that makes no sense, and nothing stays behind.
            let mut raw = Raw::running();
            raw.say(&message);
            assert_eq!((raw.events(), raw.reader.buffered_len()), (vec![ReaderEvent::Fault(Fault::Malformed)], 0));
        }
    }
    let announced = [0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 7, 7, 7];
    let mut link = Reassembler::new();
    let received = link.push(&announced);
    assert_eq!((received.problem, received.lost, link.held_len()), (Some(LinkProblem::TooLong), false, 0));
    // Nor is the rest of it kept, though it comes in order for as long as one likes.
    let mut raw = Raw::running();
    raw.give(ReaderInput::Bytes(&announced));
    for later in (1..=255).chain(1..=255) {
        let value = [&[0, later][..], &[7; 242]].concat();
        let received = link.push(&value);
        assert!(received.message.is_none() && link.held_len() == 0);
        raw.give(ReaderInput::Bytes(&value));
        assert_eq!(raw.reader.buffered_len(), 0);
    }
    assert!(raw.events().contains(&ReaderEvent::Fault(Fault::Malformed)));
    // The longest that is taken holds what has come.
    let mut longest = vec![1, 0, 0];
    longest.extend_from_slice(&u32::try_from(MAX_MESSAGE_LEN).unwrap().to_be_bytes());
    longest.push(7);
    assert_eq!((link.push(&longest).problem, link.held_len()), (None, 1));
}
