//! Examples as they are printed: their objects as text, their properties by number, their lengths form by form.

use takings_readers::dynaflex::commands::{CANCEL, GET_PROPERTY, SELECT, START, SUBSCRIBE};
use takings_readers::dynaflex::property::Property;
use takings_readers::dynaflex::status::Status;
use takings_readers::tlv::{Tag, find, object, objects, split_first};
use takings_readers::*;

use crate::raw::Raw;
use crate::vectors;

/// Values longer than this are shown by their length.
const SHOWN_LEN: usize = 40;

/// Whether this object holds objects: by its tag, or because this command says so.
fn is_template(tag: Tag, command: u16) -> bool {
    let first = tag.0.to_be_bytes().into_iter().find(|&byte| byte != 0).unwrap_or(0);
    let inner = match command {
        START => 0x86,
        0x1004 => 0x84,
        GET_PROPERTY | 0xD111 => 0x89,
        _ => return first & 0x20 != 0,
    };
    first & 0x20 != 0 || tag.0 == inner
}

/// The objects of a body in hex: `82=3C A3{81=01}`.
pub(crate) fn shown(body: &[u8], command: u16) -> String {
    let one = |object: tlv::Tlv<'_>| {
        let (tag, value) = (object.tag, object.value);
        if is_template(tag, command) {
            format!("{tag}{{{}}}", shown(value, command))
        } else if value.len() > SHOWN_LEN {
            format!("{tag}[{}]", value.len())
        } else {
            let hex: String = value.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("{tag}={hex}")
        }
    };
    objects(body).map(|object| one(object.unwrap())).collect::<Vec<_>>().join(" ")
}

/// Every value of an answer about properties under its dotted number.
pub(crate) fn values(body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let levels = |tag| find(body, Tag(tag)).unwrap().unwrap_or_default();
    let path: Vec<String> = levels(0x85).iter().chain(levels(0x87)).map(|level| format!("{level:X}")).collect();
    let mut out = Vec::new();
    walk(&path.join("."), levels(0x89), &mut out);
    out
}

fn walk(path: &str, branch: &[u8], out: &mut Vec<(String, Vec<u8>)>) {
    for object in objects(branch) {
        let object = object.unwrap();
        let path = format!("{path}.{:X}", object.tag.0 & 0x1F);
        match object.tag.0 {
            0xC0..=0xDE => out.push((path, object.value.to_vec())),
            0xE0..=0xFE => walk(&path, object.value, out),
            other => panic!("{other:02X} in a property"),
        }
    }
}

/// Writes the objects anew, each length in as many octets as it was printed in, and counts the long ones.
fn anew(printed: &[u8], command: u16, long: &mut usize) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), printed);
    while !rest.is_empty() {
        let (first, after) = split_first(rest).unwrap();
        let value =
            if is_template(first.tag, command) { anew(first.value, command, long) } else { first.value.to_vec() };
        let mut head = object(first.tag, &[]);
        head.pop();
        let octets = rest.len() - after.len() - head.len() - first.value.len();
        *long += usize::from(object(first.tag, &value).len() < rest.len() - after.len());
        out.extend(head);
        if octets == 1 {
            out.push(u8::try_from(value.len()).unwrap());
        } else {
            out.push(0x80 | u8::try_from(octets - 1).unwrap());
            out.extend_from_slice(&value.len().to_be_bytes()[9 - octets..]);
        }
        out.extend(value);
        rest = after;
    }
    out
}

#[test]
fn every_printed_byte_is_accounted_for() {
    let (mut printed, mut with_long_forms) = (0, 0);
    for vector in vectors::all().iter().filter(|vector| vector.kind == "verbatim") {
        let (id, bytes) = (&vector.id, &vector.bytes);
        let (body, mut long) = (find(&bytes[2..], Tag(0x84)).unwrap(), 0);
        let top = anew(&bytes[2..], 0, &mut long);
        assert_eq!([&bytes[..2], &top].concat(), *bytes, "{id}");
        // A file's bytes are no objects.
        if let Some([high, low, objects @ ..]) = body.filter(|_| bytes[3] == 4) {
            let command = u16::from_be_bytes([*high, *low]);
            assert_eq!(anew(objects, command, &mut long), objects, "{id}");
        }
        printed += 1;
        with_long_forms += usize::from(long > 0);
        // What is printed in the shortest forms is what we write. One example does not repeat its command; we do.
        if let Some(ours) = vectors::written_anew(bytes)
            && id != "mms.keyinfo.rsp"
        {
            assert_eq!(ours == *bytes, long == 0, "{id}: {long} long forms");
        }
    }
    assert_eq!((printed, with_long_forms), (51, 11));
}

/// A printed answer to this reference.
fn answer(id: &str, reference: u8) -> Vec<u8> {
    let mut bytes = vectors::bytes(id);
    bytes[5] = reference;
    bytes
}

#[test]
fn the_printed_answers_make_a_reader_ready() {
    let mut raw = Raw::connecting();
    while let Some((reference, command, body)) = raw.requests.pop() {
        let printed = match (command, Property::asked_for(&body)) {
            (SUBSCRIBE, _) => "mms.subscribe.rsp",
            (CANCEL, _) => "mms.cancel.rsp",
            (_, Some(Property::OperationalStatus)) => "mms.get.opstatus.rsp",
            (_, Some(Property::Tampered)) => "mms.get.tamper.rsp",
            (_, Some(Property::Serial)) => "mms.get.serial.rsp",
            (_, Some(Property::Model)) => "mms.get.model.rsp",
            (_, Some(Property::Firmware)) => "mms.get.fw.rsp",
            (_, Some(Property::Battery)) => "mms.get.battery.rsp",
            (_, Some(Property::Charger)) => "mms.get.charger.rsp",
            (_, Some(Property::TransactionKeys)) => "mms.get.txnkeys.rsp",
            // No example is printed of these.
            (_, Some(Property::TerminalId | Property::MaskLeading | Property::MaskTrailing)) => {
                raw.answer(reference, command, Status::refused([1, 1, 0x13]), None);
                continue;
            }
            other => panic!("{other:04X?}"),
        };
        raw.say(&answer(printed, reference));
    }
    assert_eq!(
        raw.events(),
        [ReaderEvent::Ready {
            about: ReaderAbout {
                serial: "B61378A".into(),
                model: "DynaFlex Pro".into(),
                firmware: "1000007183-A1-PCI".into(),
                battery_percent: Some(100),
                // Complete, and still on the charger.
                charging: Some(true),
                terminal_id: String::new(),
            },
        }]
    );
}

#[test]
fn the_printed_answers_to_a_payment() {
    let refusal = Refusal::BatteryTooLow;
    for (id, told) in [
        ("mms.start.rsp", ReaderEvent::Started),
        ("mms.start.rsp.lowbatt", ReaderEvent::Refused { asked: Asked::Start, refusal }),
    ] {
        let mut raw = Raw::starting();
        let (reference, ..) = raw.requests.pop().unwrap();
        raw.say(&answer(id, reference));
        assert_eq!(raw.events(), [told], "{id}");
    }
    let mut raw = Raw::running();
    raw.say(&vectors::bytes("mms.ui.select.ntf"));
    raw.give(ReaderInput::ChooseApplication(1));
    raw.give(ReaderInput::Cancel);
    raw.outputs.clear();
    for (id, command) in [("mms.select.rsp", SELECT), ("mms.cancel.rsp", CANCEL)] {
        let (reference, asked, _) = raw.requests.pop().unwrap();
        assert_eq!(asked, command);
        raw.say(&answer(id, reference));
    }
    // Answers decide nothing.
    assert_eq!(raw.events(), []);
    assert!(raw.reader.has_open_payment());
}
