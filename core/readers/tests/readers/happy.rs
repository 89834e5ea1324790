//! The simulated reader and the engine, from connecting to the outcome.

use takings_readers::simulated::CardScript;
use takings_readers::*;

use crate::bench::{Bench, online_requests, outcomes, payment};

#[test]
fn connect_start_card_data_outcome() {
    for value_len in [20, 101, 182, 244, 514] {
        let mut bench = Bench::new(value_len);
        let events = bench.give(ReaderInput::LinkUp).unwrap();
        assert_eq!(
            events,
            [ReaderEvent::Ready {
                about: ReaderAbout {
                    serial: "B61378A".into(),
                    model: "DynaFlex II Go".into(),
                    firmware: "1000009550-A0-SIM".into(),
                    battery_percent: Some(100),
                    charging: Some(false),
                    terminal_id: "11111111".into(),
                },
            }]
        );
        assert!(bench.timers.is_empty(), "{:?}", bench.timers);

        bench.simulated.present(CardScript::new("622200", "0048", EntryMode::Chip));
        let events = bench.give(ReaderInput::Start(payment(12_50))).unwrap();
        assert_eq!(outcomes(&events), [(Outcome::Deferred, Some([0x10, 0x02, 0x07, 0x00]))]);
        let [request] = online_requests(&events)[..] else { panic!("{events:?}") };
        assert_eq!(request.masked_card.last_four(), "0048");
        assert_eq!(request.masked_card.first(), "622200", "six digits, as the reader was told");
        assert_eq!((request.scheme, request.entry_mode), (Scheme::Unionpay, EntryMode::Chip));
        assert_eq!(request.ksn_hex, "9010010B61378A000001");
        assert_eq!(request.key_id, "9010010B61");
        assert_eq!(request.device_serial, "B61378A111919AA");
        assert!(request.blob.len() > 328);
        let receipt = events.iter().find_map(|event| match event {
            ReaderEvent::ReceiptData(receipt) => Some(receipt),
            _ => None,
        });
        let receipt = receipt.expect("receipt data");
        assert_eq!((receipt.emv.amount_minor, receipt.emv.currency_numeric), (Some(12_50), Some(156)));
        assert_eq!(receipt.emv.aid_hex.as_deref(), Some("A000000333010101"));
        assert_eq!(receipt.emv.application_name.as_deref(), Some("UNIONPAY DEBIT"));
        assert!(!bench.reader.has_open_payment());
        bench.fire(TimerId::Closing);
        assert!(bench.timers.is_empty(), "{:?}", bench.timers);
    }
}

#[test]
fn the_order_of_events_is_what_the_merchant_sees() {
    let mut bench = Bench::ready(244);
    bench.simulated.present(CardScript::new("4111", "1111", EntryMode::Contactless));
    let events = bench.give(ReaderInput::Start(payment(100))).unwrap();
    let words: Vec<String> = events
        .iter()
        .map(|event| match event {
            ReaderEvent::Prompt { prompt, .. } => prompt.id().to_owned(),
            ReaderEvent::OnlineRequest(_) => "online".to_owned(),
            ReaderEvent::ReceiptData(_) => "receipt".to_owned(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        words,
        [
            "Started",
            "tap_insert_or_swipe",
            "CardSeen(Contactless)",
            "online",
            "Outcome { outcome: Deferred, code: Some([32, 2, 7, 0]) }",
            "receipt",
            "CardRemoved",
        ]
    );
}
