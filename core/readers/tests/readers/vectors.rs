//! The maker's printed bytes.

use std::sync::LazyLock;

use serde_json::Value;
use takings_readers::dynaflex::card_data::{BLOB_FORMAT, CardKind, parse_arqc, parse_batch};
use takings_readers::dynaflex::commands::{Command, NOTE_TRANSACTION, SET_PROPERTY};
use takings_readers::dynaflex::message::{self, Message, MessageError};
use takings_readers::dynaflex::property::Property;
use takings_readers::link::{Reassembler, Segmenter};
use takings_readers::masked_card::MaskRule;
use takings_readers::tlv::{Tag, find, find_path, objects};
use takings_readers::{EntryMode, Fault, ReaderEvent, Refusal, Scheme, StartRequest};

use crate::raw::Raw;

/// One published or constructed example.
pub(crate) struct Vector {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) values: Vec<Vec<u8>>,
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Every example; read once, for there are tests that ask for them thousands of times.
pub(crate) fn all() -> &'static [Vector] {
    static ALL: LazyLock<Vec<Vector>> = LazyLock::new(read);
    &ALL
}

fn read() -> Vec<Vector> {
    let text = include_str!("../../../../tests/fixtures/readers/dynaflex-vectors.json");
    let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
    assert_eq!(vectors.len(), 81);
    vectors
        .iter()
        .map(|vector| Vector {
            id: vector["id"].as_str().unwrap().to_owned(),
            kind: vector["kind"].as_str().unwrap().to_owned(),
            bytes: vector["hex"].as_str().map(unhex).unwrap_or_default(),
            values: vector["pdus"]
                .as_array()
                .map_or_else(Vec::new, |values| values.iter().map(|value| unhex(value.as_str().unwrap())).collect()),
        })
        .collect()
}

pub(crate) fn bytes(id: &str) -> Vec<u8> {
    all().iter().find(|vector| vector.id == id).unwrap_or_else(|| panic!("{id}")).bytes.clone()
}

/// The parts of 12 to 19 digits in a text that begin as card numbers do and pass the Luhn check.
pub(crate) fn card_numbers(text: &str) -> Vec<String> {
    let passes = |digits: &str| {
        let sum: u32 = digits
            .bytes()
            .rev()
            .enumerate()
            .map(|(place, digit)| {
                let value = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
                value / 10 + value % 10
            })
            .sum();
        sum.is_multiple_of(10)
    };
    let runs = text.split(|letter: char| !letter.is_ascii_digit());
    let cuts = |run: &str| -> Vec<String> {
        (12..=19)
            .flat_map(|len| (0..(run.len() + 1).saturating_sub(len)).map(move |at| (at, len)))
            .map(|(at, len)| run[at..at + len].to_owned())
            .collect()
    };
    runs.flat_map(cuts).filter(|cut| cut.starts_with(['2', '3', '4', '5', '6']) && passes(cut)).collect()
}

impl Vector {
    /// The message, put together if the example is values of the link.
    pub(crate) fn message(&self) -> Vec<u8> {
        if self.values.is_empty() {
            return self.bytes.clone();
        }
        let mut link = Reassembler::new();
        let done: Vec<_> = self.values.iter().filter_map(|value| link.push(value).message).collect();
        assert_eq!(done.len(), 1, "{}", self.id);
        done[0].to_vec()
    }
}

/// Every vector as one message: id, kind, bytes.
pub(crate) fn messages() -> Vec<(String, String, Vec<u8>)> {
    all().iter().map(|vector| (vector.id.clone(), vector.kind.clone(), vector.message())).collect()
}

/// The values a message goes out as at this ATT MTU, as the one with this counter.
pub(crate) fn cut(message: &[u8], counter: u8, mtu: usize) -> Vec<Vec<u8>> {
    let mut segmenter = Segmenter::new();
    for _ in 0..counter {
        assert!(!segmenter.segment(&[1], mtu - 3).is_empty());
    }
    segmenter.segment(message, mtu - 3)
}

/// What is parsed, written by us; none for what we never write.
pub(crate) fn written_anew(bytes: &[u8]) -> Option<Vec<u8>> {
    let with_body = find(&bytes[2..], Tag(0x84)).unwrap().is_some();
    match message::parse(bytes).unwrap() {
        Message::Request { reference, command, body } => Some(message::request(reference, command, body)),
        Message::Response { reference, command, status, body } => {
            Some(message::response(reference, command, status, with_body.then_some(body)))
        }
        Message::Notification { id, detail, body } => {
            Some(message::notification(id, detail, with_body.then_some(body)))
        }
        Message::DataFile { .. } => None,
    }
}

#[test]
fn every_vector_decodes_but_the_misprint() {
    for (id, kind, bytes) in messages() {
        let parsed = message::parse(&bytes);
        assert_eq!(parsed.is_ok(), kind != "verbatim-misprint", "{id}: {parsed:?}");
    }
}

#[test]
fn what_is_decoded_encodes_to_the_same_meaning() {
    let mut seen = 0;
    for (id, kind, bytes) in messages() {
        if kind == "verbatim-misprint" {
            continue;
        }
        let Some(again) = written_anew(&bytes) else { continue };
        seen += 1;
        // With long length forms the bytes differ, the meaning must not.
        assert_eq!(message::parse(&again), message::parse(&bytes), "{id}");
        if id.ends_with(".req") {
            assert_eq!(again, bytes, "{id}");
        }
    }
    assert_eq!(seen, 79);
}

/// A body begins with the id of the header. What asks or tells with another one belongs to another message, and says nothing.
#[test]
fn a_body_of_another_message_is_no_body() {
    let mut seen = 0;
    for (id, _, bytes) in messages() {
        let Ok(parsed) = message::parse(&bytes) else { continue };
        let Some(mut other) = written_anew(&bytes) else { continue };
        let len = match parsed {
            Message::Request { body, .. } | Message::Notification { body, .. } => body.len(),
            Message::Response { .. } | Message::DataFile { .. } => continue,
        };
        let at = other.len() - len - 1;
        other[at] ^= 0x40;
        // Without a body the last byte is the status.
        if find(&bytes[2..], Tag(0x84)).unwrap().is_some() {
            seen += 1;
            assert!(matches!(message::parse(&other), Err(MessageError::OtherId(_))), "{id}");
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn our_requests_are_the_printed_ones() {
    let start = StartRequest {
        amount_minor: 100,
        currency_numeric: 840,
        currency_exponent: 2,
        timeout_s: 60,
        contact: true,
        contactless: true,
        magstripe: true,
        chip_failed: false,
    };
    let tapped = StartRequest { contact: false, magstripe: false, ..start };
    for (id, reference, command) in [
        ("mms.start.all.req", 0x00, Command::Start(start)),
        ("mms.start.ctls.req", 0x00, Command::Start(tapped)),
        ("mms.cancel.req", 0x13, Command::Cancel),
        ("mms.select.req", 0x00, Command::Select(0)),
        ("mms.subscribe.req", 0x55, Command::Subscribe),
        ("mms.get.serial.req", 0xB5, Command::Get(Property::Serial)),
        ("mms.get.battery.req", 0x55, Command::Get(Property::Battery)),
        ("mms.get.charger.req", 0x55, Command::Get(Property::Charger)),
        ("mms.get.txnkeys.req", 0x0F, Command::Get(Property::TransactionKeys)),
        ("mms.get.opstatus.req", 0x55, Command::Get(Property::OperationalStatus)),
        ("mms.get.tamper.req", 0x55, Command::Get(Property::Tampered)),
        ("mms.get.model.req", 0x06, Command::Get(Property::Model)),
        ("mms.get.fw.req", 0x08, Command::Get(Property::Firmware)),
    ] {
        assert_eq!(command.encode(reference), bytes(id), "{id}");
    }
    let set = Property::TerminalId.encode(b"11111111");
    assert_eq!(message::request(0x3E, SET_PROPERTY, &set), bytes("mms.set.terminalid.req"));
}

#[test]
fn printed_answers_hold_the_printed_values() {
    for (id, property, value) in [
        ("mms.get.serial.rsp", Property::Serial, &[0xB6, 0x13, 0x78, 0xA0][..]),
        ("mms.get.battery.rsp", Property::Battery, &[100]),
        ("mms.get.charger.rsp", Property::Charger, &[0x04]),
        ("mms.get.txnkeys.rsp", Property::TransactionKeys, &[0, 0, 0, 0x81]),
        ("mms.set.terminalid.rsp", Property::TerminalId, b"11111111"),
        ("mms.get.opstatus.rsp", Property::OperationalStatus, &[0x02]),
        ("mms.get.tamper.rsp", Property::Tampered, &[0x00]),
        ("mms.get.model.rsp", Property::Model, b"DynaFlex Pro\0"),
        ("mms.get.fw.rsp", Property::Firmware, b"1000007183-A1-PCI\0\0"),
    ] {
        let bytes = bytes(id);
        let Ok(Message::Response { status, body, .. }) = message::parse(&bytes) else { panic!("{id}") };
        assert!(status.is_ok(), "{id}");
        assert_eq!(property.value(body), Ok(Some(value)), "{id}");
    }
    let refused = bytes("mms.start.rsp.lowbatt");
    let Ok(Message::Response { status, .. }) = message::parse(&refused) else { panic!() };
    assert_eq!(status.refusal(), Refusal::BatteryTooLow);
}

#[test]
fn every_truncation_of_every_vector_is_an_error() {
    for (id, _, bytes) in messages() {
        for len in 0..bytes.len() {
            let parsed = message::parse(&bytes[..len]);
            // Responses and notifications are whole without their last object.
            let whole = len == 14 && matches!(bytes[4], 0x82 | 0x83);
            assert!(parsed.is_err() || whole, "{id} cut to {len}: {parsed:?}");
        }
    }
    for (id, parse) in [("mms.arqc.ntf.sanitised", true), ("mms.batch.ntf", false)] {
        let bytes = bytes(id);
        let Ok(Message::Notification { body, .. }) = message::parse(&bytes) else { panic!("{id}") };
        for len in 0..body.len() {
            let failed = if parse {
                parse_arqc(&body[..len], 0x10, MaskRule::default()).is_err()
            } else {
                parse_batch(&body[..len], MaskRule::default()).is_err()
            };
            assert!(failed, "{id} cut to {len}");
        }
    }
}

#[test]
fn every_truncation_of_every_value_is_noticed() {
    let on_a_link = all().iter().filter(|vector| !vector.values.is_empty());
    let mut cuts = 0;
    for vector in on_a_link {
        for (at, value) in vector.values.iter().enumerate() {
            for len in 0..value.len() {
                let mut link = Reassembler::new();
                // Whatever came before it; its counter is one less.
                let counter = vector.values[0][0];
                (0..counter).for_each(|before| drop(link.push(&[before, 0, 0, 0, 0, 0, 1, 0])));
                let (mut noticed, mut message) = (false, false);
                let next = [counter.wrapping_add(1), 0, 0, 0, 0, 0, 2, 0];
                for (place, value) in vector.values.iter().map(Vec::as_slice).chain([&next[..]]).enumerate() {
                    let received = link.push(if place == at { &value[..len] } else { value });
                    noticed |= received.lost || received.problem.is_some();
                    message |= received.message.is_some();
                }
                assert!(noticed && !message, "{} value {at} cut to {len}", vector.id);
                cuts += 1;
            }
        }
    }
    assert_eq!(cuts, all().iter().flat_map(|vector| &vector.values).map(Vec::len).sum::<usize>());
}

#[test]
fn card_data_that_is_cut_short_is_no_request() {
    for (id, code) in [("mms.arqc.ntf.sanitised", 0x02), ("mms.batch.ntf", 0x03)] {
        let bytes = bytes(id);
        let Ok(Message::Notification { body, .. }) = message::parse(&bytes) else { panic!("{id}") };
        for len in 0..body.len() {
            let mut raw = if code == 0x02 { Raw::running() } else { Raw::online() };
            raw.say(&message::notification(NOTE_TRANSACTION, [0x10, 0x08, code, 0x02], Some(&body[..len])));
            let wanted = if code == 0x02 { Fault::CardData } else { Fault::Malformed };
            assert_eq!(raw.events(), [ReaderEvent::Fault(wanted)], "{id} cut to {len}");
        }
    }
}

#[test]
fn the_printed_card_data_is_read() {
    let bytes = bytes("mms.arqc.ntf.sanitised");
    let Ok(Message::Notification { body, .. }) = message::parse(&bytes) else { panic!() };
    let data = parse_arqc(body, 0x10, MaskRule::default()).unwrap();
    assert_eq!(data.ksn_hex, "9010010B4DB817000003");
    assert_eq!(data.device_serial, "B4DB817111919AA");
    assert_eq!(data.kind, CardKind::Payment(EntryMode::Chip));
    let (card, scheme) = data.card.unwrap();
    assert_eq!((card.first(), card.last_four(), scheme), ("5413", "0029", Scheme::Mastercard));
    assert_eq!((card.to_string().as_str(), BLOB_FORMAT), ("•••• 0029", "magtek-mms-arqc"));

    // The ciphertext goes into the blob verbatim, with what opens it, and nothing else.
    let f8 = [0xF9, 0xFA, 0x70, 0xF8].map(Tag);
    let encrypted = find_path(data.blob.expose(), &f8).unwrap().unwrap();
    assert_eq!(find(encrypted, Tag(0xDFDF59)).unwrap(), Some(&bytes[163..491]));
    assert_eq!(find(encrypted, Tag(0xDFDF58)).unwrap(), Some(&[5][..]));
    let members: Vec<_> =
        objects(find_path(data.blob.expose(), &f8[..3]).unwrap().unwrap()).map(|object| object.unwrap().tag).collect();
    assert_eq!(members, [Tag(0xF8)]);
}

#[test]
fn the_printed_batch_is_read() {
    let bytes = bytes("mms.batch.ntf");
    let Ok(Message::Notification { body, .. }) = message::parse(&bytes) else { panic!() };
    let receipt = parse_batch(body, MaskRule::default()).unwrap();
    assert_eq!(receipt.emv.amount_minor, Some(9_99));
    assert_eq!(receipt.emv.currency_numeric, Some(840));
    assert_eq!(receipt.emv.aid_hex.as_deref(), Some("A0000000041010"));
    assert_eq!(receipt.emv.application_name.as_deref(), Some("Debit MasterCard"));
    assert_eq!(receipt.emv.cvm_result, Some([0x1E, 0x03, 0x00]));
    assert_eq!(receipt.signature, Some(0));
    assert_eq!(receipt.card.unwrap().0.last_four(), "0029");
}
