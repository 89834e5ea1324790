//! Every one of the maker's examples, by its id, and what it means.

use std::collections::BTreeSet;

use takings_readers::dynaflex::card_data::BLOB_FORMAT;
use takings_readers::dynaflex::commands::Command;
use takings_readers::dynaflex::message::{self, Message, MessageError};
use takings_readers::dynaflex::property::Property;
use takings_readers::dynaflex::status::Progress;
use takings_readers::emv::EmvData;
use takings_readers::tlv::{Tag, TlvError, object};
use takings_readers::*;

use crate::printed::{shown, values};
use crate::raw::Raw;
use crate::vectors;

/// What one example means.
enum Check {
    /// We send it: this command, with this reference, makes these bytes.
    Ours(u8, Command),
    /// A request we do not send: reference, command, objects.
    Request(u8, u16, &'static str),
    /// An answer: reference, command, how far it got or why not, objects.
    Answer(u8, u16, Result<Progress, Refusal>, &'static str),
    /// An answer about properties: reference, command, each value under its dotted number.
    Values(u8, u16, &'static [(&'static str, &'static [u8])]),
    /// The reader says it while a payment is so far: id, code, objects, and what is told.
    Note(fn() -> Raw, u16, u32, &'static str, Vec<ReaderEvent>),
    /// A piece of a file: reference, command, type, and how many bytes, counted up from 0.
    File(u8, u16, u32, u8),
    /// Not a message.
    Misprint(MessageError),
    /// Values of the link at this ATT MTU, with this message counter: the message of that example.
    Link(usize, u8, &'static str),
}

use Check::{Answer, File, Link, Misprint, Note, Ours, Request, Values};

const DONE: Result<Progress, Refusal> = Ok(Progress::Done);
const STARTED: Result<Progress, Refusal> = Ok(Progress::Started);
const ALL_WAYS: StartRequest = StartRequest {
    amount_minor: 1_00,
    currency_numeric: 840,
    currency_exponent: 2,
    timeout_s: 60,
    contact: true,
    contactless: true,
    magstripe: true,
    chip_failed: false,
};

fn requests() -> Vec<(&'static str, Check)> {
    let tap = StartRequest { contact: false, magstripe: false, ..ALL_WAYS };
    let short = "82=3C A3{81=01 82=01 83=01} 84=0003 86{9C=00 9F02=000000000100 9F03=000000000000 5F2A=0840}";
    let approve = "81=00 82=78 84{FF74{DFDF25=992690E116120710 FA{70{8A=3030}}}}";
    let issuer = "81=00 84{FF74{DFDF25=423444423831373131313931394141 FA{70{8A=3030 91=11223344556677883030}}}}";
    let slots = "81=2B06010401F609 85=02 89{E3{E1{E1{E1{C2=}}}}}";
    let terminal = "81=2B06010401F609 85=01 89{E1{E1{E1{E1{C1=3131313131313131}}}}}";
    let image = "81=03 82=00 85=0001 86=DFC71E09A3CE8E86B0F5B675BEB77A0E8233BFF18ACD8F3834B0DB20D9404B28";
    vec![
        ("mms.start.all.req", Ours(0x00, Command::Start(ALL_WAYS))),
        ("mms.start.ctls.req", Ours(0x00, Command::Start(tap))),
        ("mms.cancel.req", Ours(0x13, Command::Cancel)),
        ("mms.select.req", Ours(0x00, Command::Select(0))),
        ("mms.subscribe.req", Ours(0x55, Command::Subscribe)),
        ("mms.get.serial.req", Ours(0xB5, Command::Get(Property::Serial))),
        ("mms.get.battery.req", Ours(0x55, Command::Get(Property::Battery))),
        ("mms.get.opstatus.req", Ours(0x55, Command::Get(Property::OperationalStatus))),
        ("mms.get.tamper.req", Ours(0x55, Command::Get(Property::Tampered))),
        ("mms.get.model.req", Ours(0x06, Command::Get(Property::Model))),
        ("mms.get.fw.req", Ours(0x08, Command::Get(Property::Firmware))),
        ("mms.echo.req", Request(0x01, 0xDF01, "81=010203")),
        ("mms.start.short.req", Request(0x00, 0x1001, short)),
        ("mms.resume.req", Request(0x00, 0x1004, approve)),
        ("mms.resume.issuer.req", Request(0x02, 0x1004, issuer)),
        // Five tones: hertz and milliseconds, two bytes each.
        ("mms.buzzer.req", Request(0x03, 0x1805, "81=00C801F4019001F4025801F4019001F400C801F4")),
        ("mms.reset.req", Request(0x12, 0x1F01, "")),
        ("mms.ble.disconnect.req", Request(0x55, 0x1F04, "")),
        ("mms.get.charger.req", Request(0x55, 0xD101, "85=02 87=03010201 89{C5=}")),
        ("mms.get.fwgroup.req", Request(0x55, 0xD101, "85=02 87=0102 89{C2=}")),
        ("mms.get.mtu.req", Request(0x55, 0xD101, "85=02 87=01020702 89{C4=}")),
        ("mms.get.txnkeys.req", Request(0x0F, 0xD101, slots)),
        ("mms.set.terminalid.req", Request(0x3E, 0xD111, terminal)),
        ("mms.keyinfo.req", Request(0x21, 0xEF11, "81=2007")),
        ("mms.fw.commit.req", Request(0x02, 0xD901, image)),
    ]
}

fn answers() -> Vec<(&'static str, Check)> {
    // It is printed without the command that every other body repeats: the head of its first object goes in its place.
    let key = "81=02201081 82=544231545803 84=FFFF9876543210300000 A6{81=003F} 89=3230323030393032543135353830325A";
    vec![
        ("mms.echo.rsp", Answer(0x01, 0xDF01, DONE, "81=010203")),
        ("mms.start.rsp", Answer(0x01, 0x1001, STARTED, "")),
        ("mms.start.rsp.lowbatt", Answer(0x01, 0x1001, Err(Refusal::BatteryTooLow), "")),
        // As with the start, the printed reference is not that of the printed request.
        ("mms.resume.rsp", Answer(0x06, 0x1004, DONE, "")),
        ("mms.cancel.rsp", Answer(0x13, 0x1008, DONE, "")),
        ("mms.select.rsp", Answer(0x00, 0x1802, STARTED, "")),
        ("mms.buzzer.rsp", Answer(0x03, 0x1805, STARTED, "")),
        ("mms.reset.rsp", Answer(0x12, 0x1F01, DONE, "")),
        ("mms.subscribe.rsp", Answer(0x55, 0x1F02, DONE, "")),
        ("mms.ble.disconnect.rsp", Answer(0x55, 0x1F04, DONE, "")),
        ("mms.keyinfo.rsp", Answer(0x21, 0xEF11, DONE, key)),
        // B61378A: seven digits, the last half is filling.
        ("mms.get.serial.rsp", Values(0xB5, 0xD101, &[("2.2.1.1.1.1", &[0xB6, 0x13, 0x78, 0xA0])])),
        ("mms.get.battery.rsp", Values(0x55, 0xD101, &[("2.3.1.2.1.4", &[100])])),
        // Charge complete.
        ("mms.get.charger.rsp", Values(0x55, 0xD101, &[("2.3.1.2.1.5", &[4])])),
        // Usable.
        ("mms.get.opstatus.rsp", Values(0x55, 0xD101, &[("2.3.1.2.1.1", &[2])])),
        // Not opened.
        ("mms.get.tamper.rsp", Values(0x55, 0xD101, &[("2.3.1.1.2.3", &[0])])),
        ("mms.get.model.rsp", Values(0x06, 0xD101, &[("2.1.2.2.2.1", b"DynaFlex Pro\0")])),
        ("mms.get.fw.rsp", Values(0x08, 0xD101, &[("2.1.2.2.2.2", b"1000007183-A1-PCI\0\0")])),
        ("mms.get.fwgroup.rsp", Values(0x55, 0xD101, FIRMWARE_GROUP)),
        ("mms.get.mtu.rsp", Values(0x55, 0xD101, &[("2.1.2.7.2.4", &[0, 247])])),
        // Slots 2000 and 2007.
        ("mms.get.txnkeys.rsp", Values(0x0F, 0xD101, &[("2.3.1.1.1.2", &[0, 0, 0, 1 | 1 << 7])])),
        ("mms.set.terminalid.rsp", Values(0x3E, 0xD111, &[("1.1.1.1.1.1", b"11111111")])),
    ]
}

/// A whole branch at once.
const FIRMWARE_GROUP: &[(&str, &[u8])] = &[
    ("2.1.2.2.1.1", b""),
    ("2.1.2.2.1.2", b""),
    ("2.1.2.2.2.1", b"DynaFlex Pro\0"),
    ("2.1.2.2.2.2", b"1000007183-A5-PCI\0\0"),
    ("2.1.2.2.2.3", b""),
    ("2.1.2.2.2.4", b"1000007183\0"),
    ("2.1.2.2.2.5", b""),
    ("2.1.2.2.2.6", &[0xFF, 0x00]),
];

fn notes() -> Vec<(&'static str, Check)> {
    use ReaderEvent::{BatteryLow, CardRemoved, CardSeen, ChooseApplication, Prompt as Show, SeveralCards};
    let reset = vec![ReaderEvent::Fault(Fault::ReaderReset)];
    let invite = vec![Show { prompt: Prompt::TapInsertOrSwipe, cancellable: true }];
    let remove = vec![Show { prompt: Prompt::RemoveCard, cancellable: false }];
    let choose = vec![ChooseApplication(vec!["DEBIT".into(), "CREDIT".into()])];
    let invitation = "81=00 82=01 83=5441502C20494E53455254206F722053574950452043415244";
    let question = "81=1E 82=01 83=53454C454354204150504C49434154494F4E00444542495400435245444954";
    let online = vec![ReaderEvent::OnlineRequest(printed_request())];
    let receipt = vec![ReaderEvent::ReceiptData(printed_receipt())];
    vec![
        ("mms.fw.success.ntf", Note(Raw::ready, 0x0905, 0x0801_0A03, "", vec![])),
        ("mms.reset.occurred.ntf", Note(Raw::running, 0x1001, 0x0000_0000, "81=02 82=00", reset)),
        ("mms.lowbatt.ntf", Note(Raw::running, 0x1001, 0x0002_000D, "", vec![BatteryLow(13)])),
        ("mms.lowbatt.ntf.typo", Misprint(MessageError::Tlv(TlvError::Truncated))),
        ("mms.nfc.uid.ntf", Note(Raw::running, 0x1001, 0x0100_0100, "84=DF790704371F71BF6180", vec![])),
        ("mms.file.msg", File(0x08, 0xD821, 1, 64)),
        ("mms.arqc.ntf.sanitised", Note(Raw::running, 0x0101, 0x1008_0202, "84[498]", online)),
        ("mms.batch.ntf", Note(Raw::concluded, 0x0101, 0x1008_0302, "84[372]", receipt)),
        ("mms.ui.present.ntf", Note(Raw::running, 0x1803, 0x0201_0200, invitation, invite)),
        ("mms.ui.remove.ntf", Note(Raw::online, 0x1803, 0x0201_0100, "81=00 82=01 83=52454D4F56452043415244", remove)),
        ("mms.ui.select.ntf", Note(Raw::running, 0x1803, 0x0202_0000, question, choose)),
        ("mms.card.inserted.ntf", card(0x1001_0200, CardSeen(Interface::Contact))),
        ("mms.card.removed.ntf", card(0x1001_0300, CardRemoved)),
        ("mms.card.tapped.ntf", card(0x2001_0400, CardSeen(Interface::Contactless))),
        ("mms.card.collision.ntf", card(0x2001_0500, SeveralCards)),
        ("mms.card.swiped.ntf", card(0x0801_0100, CardSeen(Interface::Magstripe))),
        // The manual's own example of an end, and on none of its lists.
        ("mms.complete.ntf", end(Raw::online, 0x2000_0000, Outcome::Unknown)),
        ("mms.done.approved.ntf", end(Raw::online, 0x1002_0600, Outcome::ApprovedByCard)),
        ("mms.done.offline_approved.ntf", end(Raw::online, 0x1002_0200, Outcome::ApprovedOffline)),
        ("mms.done.offline_declined.ntf", end(Raw::running, 0x1002_0300, Outcome::DeclinedOffline)),
        ("mms.done.quickchip.ntf", end(Raw::online, 0x1002_0700, Outcome::Deferred)),
        ("mms.done.declined.ntf", end(Raw::online, 0x1002_8000, Outcome::Declined)),
        ("mms.done.timeout.ntf", end(Raw::running, 0x0001_0000, Outcome::TimedOut)),
        ("mms.done.host_cancel.ntf", end(Raw::running, 0x0003_0100, Outcome::Cancelled)),
        ("mms.done.ctls_approved.ntf", end(Raw::online, 0x2002_0600, Outcome::ApprovedByCard)),
        ("mms.done.ctls_try_other.ntf", end(Raw::running, 0x2002_0100, Outcome::TryOtherInterface)),
        ("mms.done.tech_fallback.ntf", end(Raw::running, 0x1002_0002, Outcome::FallbackChipRetry)),
        ("mms.done.msr_fallback.ntf", end(Raw::running, 0x1002_0803, Outcome::FallbackMagstripe)),
        ("mms.done.msr_read_error.ntf", end(Raw::running, 0x0803_0500, Outcome::ReadError)),
    ]
}

fn card(code: u32, told: ReaderEvent) -> Check {
    Note(Raw::running, 0x0101, code, "", vec![told])
}

fn end(state: fn() -> Raw, code: u32, outcome: Outcome) -> Check {
    Note(state, 0x0105, code, "", vec![ReaderEvent::Outcome { outcome, code: Some(code.to_be_bytes()) }])
}

fn links() -> Vec<(&'static str, Check)> {
    vec![
        ("ble.echo.mtu247", Link(247, 0, "mms.echo.req")),
        ("ble.echo.mtu23", Link(23, 0, "mms.echo.req")),
        ("ble.start.mtu23", Link(23, 1, "mms.start.all.req")),
        ("ble.arqc.mtu247", Link(247, 5, "mms.arqc.ntf.sanitised")),
        ("ble.arqc.mtu185", Link(185, 5, "mms.arqc.ntf.sanitised")),
    ]
}

/// What goes to the acquirer of the printed card data, put together from the printed bytes by their places.
fn printed_request() -> OnlineRequest {
    let bytes = vectors::bytes("mms.arqc.ntf.sanitised");
    let (mac_and_serial, encrypted) = (&bytes[30..68], &bytes[153..515]);
    let members = object(Tag(0xFA), &object(Tag(0x70), encrypted));
    OnlineRequest {
        blob: SensitiveBytes::new(object(Tag(0xF9), &[mac_and_serial, &members].concat())),
        format: BlobFormat::new(BLOB_FORMAT).unwrap(),
        ksn_hex: "9010010B4DB817000003".into(),
        key_id: "9010010B4D".into(),
        device_serial: "B4DB817111919AA".into(),
        masked_card: MaskedCard::new("5413", "0029"),
        scheme: Scheme::Mastercard,
        entry_mode: EntryMode::Chip,
    }
}

fn printed_receipt() -> ReceiptData {
    ReceiptData {
        emv: EmvData {
            amount_minor: Some(9_99),
            currency_numeric: Some(840),
            aid_hex: Some("A0000000041010".into()),
            application_name: Some("Debit MasterCard".into()),
            // Signature, always asked for, its result not known.
            cvm_result: Some([0x1E, 0x03, 0x00]),
            tvr: None,
            tsi: None,
        },
        signature: Some(0),
        card: Some((MaskedCard::new("5413", "0029"), Scheme::Mastercard)),
    }
}

#[test]
fn every_example_means_what_the_maker_says() {
    let table: Vec<_> = [requests(), answers(), notes(), links()].into_iter().flatten().collect();
    assert_eq!(table.len(), 81);
    let ids: BTreeSet<&str> = table.iter().map(|(id, _)| *id).collect();
    let all: BTreeSet<&str> = vectors::all().iter().map(|vector| vector.id.as_str()).collect();
    assert_eq!(ids, all);
    for (id, check) in &table {
        let vector = vectors::all().iter().find(|vector| vector.id == *id).unwrap();
        let bytes = vector.message();
        hold(id, check, &bytes);
        if let Link(mtu, counter, same_as) = check {
            assert_eq!((&bytes, vector.values[0][0]), (&vectors::bytes(same_as), *counter), "{id}");
            assert_eq!(vectors::cut(&bytes, *counter, *mtu), vector.values, "{id}");
            continue;
        }
        // And the engine makes of it what it should.
        let (mut raw, told) = match check {
            Note(state, .., told) => (state(), told.clone()),
            Answer(_, command, ..) | Values(_, command, ..) => {
                (Raw::running(), vec![ReaderEvent::Fault(Fault::UnmatchedResponse { command: *command })])
            }
            _ => (Raw::running(), vec![ReaderEvent::Fault(Fault::Malformed)]),
        };
        raw.say(&bytes);
        assert_eq!(raw.events(), told, "{id}");
    }
}

/// Holds the bytes against all that is said of them.
fn hold(id: &str, check: &Check, bytes: &[u8]) {
    match (check, message::parse(bytes)) {
        (Ours(reference, command), Ok(Message::Request { .. })) => {
            assert_eq!(command.encode(*reference), bytes, "{id}")
        }
        (Request(wanted, number, objects), Ok(Message::Request { reference, command, body })) => {
            assert_eq!((reference, command, shown(body, command).as_str()), (*wanted, *number, *objects), "{id}");
        }
        (Answer(wanted, number, end, objects), Ok(Message::Response { reference, command, status, body })) => {
            let got = if status.is_ok() { Ok(status.progress()) } else { Err(status.refusal()) };
            assert_eq!((reference, command, got), (*wanted, *number, *end), "{id}");
            assert_eq!(shown(body, command), *objects, "{id}");
        }
        (Values(wanted, number, all), Ok(Message::Response { reference, command, status, body })) => {
            assert_eq!((reference, command, status.to_bytes()), (*wanted, *number, [0; 4]), "{id}");
            let all: Vec<_> = all.iter().map(|(number, value)| ((*number).to_owned(), value.to_vec())).collect();
            assert_eq!(values(body), all, "{id}");
        }
        (Note(_, wanted, code, objects, _), Ok(Message::Notification { id: got, detail, body })) => {
            assert_eq!((got, detail, shown(body, 0).as_str()), (*wanted, code.to_be_bytes(), *objects), "{id}");
        }
        (File(wanted, number, kind, len), Ok(Message::DataFile { reference, command, file_type, data })) => {
            assert_eq!((reference, command, file_type), (*wanted, *number, *kind), "{id}");
            assert_eq!(data, (0..*len).collect::<Vec<u8>>(), "{id}");
        }
        (Misprint(wanted), Err(error)) => assert_eq!(error, *wanted, "{id}"),
        (Link(..), Ok(_)) => {}
        (_, other) => panic!("{id} is of another kind: {other:?}"),
    }
}
