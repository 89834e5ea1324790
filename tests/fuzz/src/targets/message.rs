//! A reader's messages, and the card data in them.

use takings_readers::dynaflex::card_data::{parse_arqc, parse_batch};
use takings_readers::dynaflex::message::{self, Message};
use takings_readers::masked_card::MaskRule;
use takings_readers::tlv::{Tag, object, objects};

/// What may stand in a blob, by the object it stands in; 0 is the blob itself.
const LISTED: &[(u32, &[u32])] = &[
    (0, &[0xF9]),
    (0xF9, &[0xDF_DF54, 0xDF_DF55, 0xDF_DF25, 0xFA]),
    (0xFA, &[0x70]),
    (0x70, &[0xFF42, 0xF8]),
    (0xFF42, &[0xDFDF_DF37, 0xDFDF_DF38, 0xDFDF_DF39]),
    (0xF8, &[0xDF_DF59, 0xDF_DF56, 0xDF_DF57, 0xDF_DF58]),
];

/// Any bytes as a message, and as the body of card data of any kind.
pub fn message(data: &[u8]) {
    card_data(data, data.first().copied().unwrap_or(0));
    let Ok(parsed) = message::parse(data) else { return };
    let whole = |body: &[u8]| (!body.is_empty()).then(|| body.to_vec());
    let again = match parsed {
        Message::Request { reference, command, body } => message::request(reference, command, body),
        Message::Response { reference, command, status, body } => {
            message::response(reference, command, status, whole(body).as_deref())
        }
        Message::Notification { id, detail, body } => {
            card_data(body, detail[0]);
            message::notification(id, detail, whole(body).as_deref())
        }
        Message::DataFile { data: file, .. } => {
            assert!(file.len() < data.len());
            return;
        }
    };
    assert!(again.len() <= data.len());
    assert_eq!(message::parse(&again), Ok(parsed));
}

fn card_data(body: &[u8], technology: u8) {
    let rule = MaskRule::default();
    if let Ok(arqc) = parse_arqc(body, technology, rule) {
        let blob = arqc.blob.expose();
        assert!(blob.len() <= body.len());
        only_listed(blob, 0);
        // The acquirer's host finds in it what opens it.
        let len = u16::try_from(blob.len()).expect("as long as what it was made of");
        let wrapped = object(Tag(0x84), &[&len.to_be_bytes(), blob].concat());
        let again = parse_arqc(&wrapped, technology, rule).expect("a blob that reads as card data");
        assert!(again.blob == arqc.blob && again.card.is_none());
        assert_eq!((again.ksn_hex, again.key_id), (arqc.ksn_hex, arqc.key_id));
        assert_eq!(again.device_serial, arqc.device_serial);
    }
    if let Ok(receipt) = parse_batch(body, rule) {
        let emv = receipt.emv;
        assert!(emv.aid_hex.is_none_or(|aid| (10..=32).contains(&aid.len())));
        assert!(emv.application_name.is_none_or(|name| (1..=16).contains(&name.len())));
        assert!(emv.amount_minor.is_none_or(|minor| (0..=999_999_999_999).contains(&minor)));
    }
}

fn only_listed(level: &[u8], within: u32) {
    let (_, members) = LISTED.iter().find(|(template, _)| *template == within).expect("a template");
    for object in objects(level) {
        let object = object.expect("a blob that parses");
        assert!(members.contains(&object.tag.0), "{} in {within:02X}", object.tag);
        if LISTED.iter().any(|(template, _)| *template == object.tag.0) {
            only_listed(object.value, object.tag.0);
        }
    }
}
