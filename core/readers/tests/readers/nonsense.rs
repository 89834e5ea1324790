//! Whatever arrives: no panic, bounded memory, at most one request and one outcome per payment.

use proptest::prelude::*;
use takings_readers::dynaflex::message::{self, Message};
use takings_readers::link::{Reassembler, Segmenter};
use takings_readers::tlv::{self, Tag};
use takings_readers::*;

use crate::bench::{cases, payment};
use crate::raw::Raw;
use crate::vectors;

#[derive(Debug, Clone)]
enum Act {
    Value(Vec<u8>),
    Vector(usize, Option<(usize, u8)>),
    Code([u8; 4]),
    Info([u8; 4]),
    Start,
    Cancel,
    Choose(u8),
    Timer(TimerId),
    AnswerOk,
    AnswerNo,
    LinkDown,
}

fn act() -> impl Strategy<Value = Act> {
    let timers = [TimerId::Response, TimerId::Payment, TimerId::Closing];
    let byte = prop::sample::select(vec![0, 1, 2, 3, 5, 6, 7, 8, 0x0E, 0x10, 0x20, 0x80]);
    prop_oneof![
        2 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Act::Value),
        6 => (0..81_usize, prop::option::of((any::<usize>(), any::<u8>())))
            .prop_map(|(at, change)| Act::Vector(at, change)),
        3 => prop::array::uniform4(byte.clone()).prop_map(Act::Code),
        1 => prop::array::uniform4(byte).prop_map(Act::Info),
        3 => Just(Act::Start),
        1 => Just(Act::Cancel),
        1 => (0..4_u8).prop_map(Act::Choose),
        2 => prop::sample::select(timers.to_vec()).prop_map(Act::Timer),
        4 => Just(Act::AnswerOk),
        1 => Just(Act::AnswerNo),
        1 => Just(Act::LinkDown),
    ]
}

/// Counts what may happen once per payment.
#[derive(Default)]
struct Count {
    starts: usize,
    requests: usize,
    outcomes: usize,
}

impl Count {
    fn take(&mut self, raw: &mut Raw) -> Result<(), TestCaseError> {
        for event in raw.events() {
            match event {
                ReaderEvent::OnlineRequest(_) => self.requests += 1,
                ReaderEvent::Outcome { .. } => self.outcomes += 1,
                _ => {}
            }
        }
        prop_assert!(self.requests <= self.starts && self.outcomes <= self.starts);
        prop_assert!(raw.outputs.len() <= 64, "{}", raw.outputs.len());
        prop_assert!(raw.reader.buffered_len() <= 66 * 1024);
        raw.outputs.clear();
        Ok(())
    }
}

fn play(raw: &mut Raw, act: &Act, messages: &[Vec<u8>], count: &mut Count) {
    match act {
        Act::Value(value) => raw.give(ReaderInput::Bytes(value)),
        Act::Vector(at, change) => {
            let mut message = messages[*at].clone();
            if let Some((place, byte)) = change {
                let place = place % message.len();
                message[place] = *byte;
            }
            raw.say(&message);
        }
        Act::Code(code) => raw.note(0x0105, *code),
        Act::Info(code) => raw.note(0x0101, *code),
        Act::Start => {
            if let Ok(outputs) = raw.reader.handle(ReaderInput::Start(payment(100))) {
                count.starts += 1;
                raw.carry(outputs);
            }
        }
        Act::Cancel => {
            if let Ok(outputs) = raw.reader.handle(ReaderInput::Cancel) {
                raw.carry(outputs);
            }
        }
        Act::Choose(index) => {
            if let Ok(outputs) = raw.reader.handle(ReaderInput::ChooseApplication(*index)) {
                raw.carry(outputs);
            }
        }
        Act::Timer(id) => raw.fire(*id),
        Act::AnswerOk | Act::AnswerNo => {
            if !raw.requests.is_empty() {
                raw.answer_last(match act {
                    Act::AnswerOk => dynaflex::status::Status::STARTED,
                    _ => crate::raw::NO_TRANSACTION,
                });
            }
        }
        Act::LinkDown => raw.give(ReaderInput::LinkDown),
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn p2_p3_nothing_the_reader_says_breaks_the_engine(
        acts in prop::collection::vec(act(), 1..60),
        ready in prop::bool::weighted(0.9),
    ) {
        let messages: Vec<Vec<u8>> = vectors::messages().into_iter().map(|m| m.2).collect();
        let mut raw = if ready { Raw::ready() } else { Raw::connecting() };
        let mut count = Count::default();
        for act in &acts {
            play(&mut raw, act, &messages, &mut count);
            count.take(&mut raw)?;
        }
        // And it still ends: after the timers no payment is open.
        for id in [TimerId::Response, TimerId::Payment, TimerId::Response, TimerId::Payment] {
            raw.fire(id);
        }
        prop_assert!(!raw.reader.has_open_payment());
    }

    #[test]
    fn random_values_alone(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..245), 0..40)) {
        let mut reader = Reader::new(9, 244);
        prop_assert!(reader.handle(ReaderInput::LinkUp).is_ok());
        for value in &values {
            let outputs = reader.handle(ReaderInput::Bytes(value));
            prop_assert!(outputs.is_ok_and(|outputs| outputs.len() < 16));
        }
    }

    #[test]
    fn tlv_reads_back_what_it_writes(
        objects in prop::collection::vec(
            (prop::sample::select(vec![0x82_u32, 0x5F2A, 0x9F02, 0xDFDF59, 0xDFDF_DF37, 0xFF42]),
             prop::collection::vec(any::<u8>(), 0..400)),
            0..8,
        ),
    ) {
        let mut bytes = Vec::new();
        for (tag, value) in &objects {
            tlv::put(&mut bytes, Tag(*tag), value);
        }
        let read: Vec<(u32, Vec<u8>)> =
            tlv::objects(&bytes).map(|o| o.map(|o| (o.tag.0, o.value.to_vec())).unwrap()).collect();
        prop_assert_eq!(read, objects);
    }

    #[test]
    fn tlv_survives_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for object in tlv::objects(&bytes) {
            prop_assert!(object.map_or(true, |object| object.value.len() <= bytes.len()));
        }
        let _ = message::parse(&bytes);
        let _ = dynaflex::card_data::parse_arqc(&bytes, 0x10, Default::default());
        let _ = dynaflex::card_data::parse_batch(&bytes, Default::default());
    }
}

#[test]
fn tlv_takes_long_length_forms_and_refuses_the_rest() {
    use takings_readers::tlv::TlvError;
    for bytes in [
        &[0x81, 0x01, 7][..],
        &[0x81, 0x81, 0x01, 7],
        &[0x81, 0x82, 0x00, 0x01, 7],
        &[0x81, 0x83, 0, 0, 1, 7],
        &[0x81, 0x84, 0, 0, 0, 1, 7],
    ] {
        assert_eq!(tlv::find(bytes, Tag(0x81)), Ok(Some(&[7][..])), "{bytes:02X?}");
    }
    for (bytes, error) in [
        (&[0x81, 0x80, 0, 0][..], TlvError::BadLength),
        (&[0x81, 0x85, 0, 0, 0, 0, 1, 7], TlvError::BadLength),
        (&[0x81, 0x84, 0xFF, 0xFF, 0xFF, 0xFF], TlvError::Truncated),
        (&[0x81], TlvError::Truncated),
        (&[0x81, 2, 1], TlvError::Truncated),
        (&[0x81, 0x82, 1], TlvError::Truncated),
        (&[0x9F], TlvError::Truncated),
        (&[0xDF, 0xDF, 0xDF, 0xDF, 1, 0], TlvError::TagTooLong),
    ] {
        assert_eq!(tlv::find(bytes, Tag(1)), Err(error), "{bytes:02X?}");
    }
    let too_long = vec![0x81; tlv::MAX_INPUT_LEN + 1];
    assert_eq!(tlv::find(&too_long, Tag(1)), Err(TlvError::TooLong));
    assert_eq!(tlv::find_path(&[], &[Tag(0xE1); 9]), Err(TlvError::TooDeep));
}

/// What a card and its reader must not leave behind: the bytes, and how they look printed.
fn secrets() -> Vec<(String, Vec<u8>)> {
    let mut secrets = Vec::new();
    for id in ["mms.arqc.ntf.sanitised", "mms.batch.ntf"] {
        let bytes = vectors::bytes(id);
        let Ok(Message::Notification { body, .. }) = message::parse(&bytes) else { panic!("{id}") };
        let container = &tlv::find(body, Tag(0x84)).unwrap().unwrap()[2..];
        let mut levels = vec![&container[..container.len() - 12]];
        levels[0] = tlv::split_first(container).unwrap().0.value;
        while let Some(level) = levels.pop() {
            for object in tlv::objects(level) {
                let object = object.unwrap();
                match object.tag.0 {
                    0xFA | 0x70 | 0xF0 | 0xF1 | 0xF7 | 0xF8 => levels.push(object.value),
                    0x5F20 | 0x5F24 | 0x5F25 | 0xDF_DF31 | 0xDF_DF33 | 0xDF_DF35 | 0xDF_DF4D => {
                        secrets.push((format!("{id} {}", object.tag), object.value.to_vec()));
                    }
                    0x5F30 => secrets.push((format!("{id} 5F30"), [&[0x5F, 0x30, 2], object.value].concat())),
                    _ => {}
                }
            }
        }
    }
    assert!(secrets.len() >= 6, "{}", secrets.len());
    secrets.push(("number".into(), b"5413000080000029".to_vec()));
    secrets.push(("name".into(), b"CARDHOLDER".to_vec()));
    for tag in [[0x5F, 0x20], [0x5F, 0x24]] {
        secrets.push((format!("{tag:02X?}"), tag.to_vec()));
    }
    for last in [0x31, 0x33, 0x35, 0x4D] {
        secrets.push((format!("DFDF{last:02X}"), vec![0xDF, 0xDF, last]));
    }
    secrets
}

fn assert_no_secret(what: &str, text: &str, bytes: &[u8]) {
    let hex = text.to_ascii_uppercase();
    for (name, secret) in secrets() {
        assert!(!bytes.windows(secret.len()).any(|part| part == secret), "{what}: {name} in bytes");
        let printed: String = secret.iter().map(|byte| format!("{byte:02X}")).collect();
        let listed = format!("{secret:?}");
        let plain = String::from_utf8_lossy(&secret).to_ascii_uppercase();
        for form in [printed, listed[1..listed.len() - 1].to_owned(), plain] {
            if form.len() >= 4 {
                assert!(!hex.contains(&form), "{what}: {name} printed in {text}");
            }
        }
    }
    let numbers = vectors::card_numbers(text);
    assert!(numbers.is_empty(), "{what}: {numbers:?} in {text}");
}

#[test]
fn p8_no_card_data_survives_the_parse() {
    // The check itself finds what it looks for.
    let found = vectors::card_numbers("a 5413000080000029 b");
    assert!(found.contains(&"5413000080000029".to_owned()), "{found:?}");
    for (id, _, bytes) in vectors::messages() {
        for mut raw in [Raw::connecting(), Raw::ready(), Raw::starting(), Raw::running(), Raw::online()] {
            raw.outputs.clear();
            raw.say(&bytes);
            raw.fire(TimerId::Closing);
            let text = format!("{:?} {:?}", raw.outputs, raw.reader);
            let mut kept = Vec::new();
            for event in raw.events() {
                if let ReaderEvent::OnlineRequest(request) = event {
                    kept.extend_from_slice(request.blob.expose());
                }
            }
            assert_no_secret(&id, &text, &kept);
        }
        // Cut short anywhere, it still tells nothing.
        for len in (0..bytes.len()).step_by(7) {
            let mut raw = Raw::running();
            raw.say(&bytes[..len.max(1)]);
            assert_no_secret(&id, &format!("{:?} {:?}", raw.outputs, raw.reader), &[]);
        }
        let parsed = message::parse(&bytes);
        assert_no_secret(&id, &format!("{parsed:?}"), &[]);
        for value in Segmenter::new().segment(&bytes, 60) {
            assert_no_secret(&id, &format!("{:?}", ReaderInput::Bytes(&value)), &[]);
            assert!(Reassembler::new().push(&value).problem.is_none_or(|problem| {
                assert_no_secret(&id, &format!("{problem:?} {problem}"), &[]);
                true
            }));
        }
        for object in tlv::objects(bytes.get(2..).unwrap_or_default()).flatten() {
            assert_no_secret(&id, &format!("{object:?}"), &[]);
        }
    }
}
