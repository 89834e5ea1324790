//! A vendor's SDK that says anything, in any order.

use proptest::prelude::*;
use takings_readers::*;

use crate::bench::{cases, payment};
use crate::sdk::{CHARGE, Sdk, started_as};

#[derive(Debug, Clone)]
enum Act {
    Said(VendorEvent),
    Start,
    Cancel,
    Choose(u8),
    Threw(Asked),
    Timer(TimerId),
    Down,
    Up(VendorAbout),
}

/// Texts as an SDK might hand them over, card numbers among them.
fn text() -> impl Strategy<Value = String> {
    let numbers = [
        "4111111111111111",
        "4111 1111 1111 1111",
        "6212341111111232",
        ";4111111111111111=26122010000012300000?",
        "621234******1232",
        "B4111111111111111^DOE/JANE^2612",
        "378282246310005",
        "4000000000006",
        "k4111111111111111k",
        "",
        "acme-1",
        "insert_card",
    ];
    prop_oneof![
        3 => prop::sample::select(numbers.to_vec()).prop_map(str::to_owned),
        1 => ".{0,40}",
        1 => "[0-9 *-]{0,40}",
    ]
}

fn vendor_card() -> impl Strategy<Value = VendorCard> {
    let modes = [EntryMode::Chip, EntryMode::Contactless, EntryMode::Stripe, EntryMode::Fallback];
    let blob = prop_oneof![3 => prop::collection::vec(any::<u8>(), 0..64), 1 => text().prop_map(String::into_bytes)];
    let some = |usual: &'static str| prop_oneof![3 => Just(usual.to_owned()), 1 => text()];
    (
        blob,
        some("acme"),
        some("bdk-1"),
        some("FFFF9876543210E00008"),
        some("621234******1232"),
        prop::sample::select(modes.to_vec()),
    )
        .prop_map(|(blob, format, key_id, ksn_hex, masked_number, entry_mode)| VendorCard {
            ciphertext: SensitiveBytes::new(blob),
            format,
            key_id,
            ksn_hex,
            masked_number,
            entry_mode,
        })
}

fn act() -> impl Strategy<Value = Act> {
    let asked = prop::sample::select(vec![Asked::Start, Asked::Cancel, Asked::Choice]);
    let outcome = prop::sample::select(Outcome::ALL.to_vec());
    let timers = prop::sample::select(vec![TimerId::Response, TimerId::Payment, TimerId::Closing]);
    let about =
        (text(), text(), text(), any::<Option<u32>>()).prop_map(|(serial, model, firmware, battery_percent)| {
            VendorAbout {
                serial,
                model,
                firmware,
                battery_percent,
                charging: None,
                tampered: false,
                keys_missing: false,
            }
        });
    let receipt = (text(), text(), text(), text(), text(), any::<bool>()).prop_map(
        |(aid_hex, application_name, cvm_result_hex, tvr_hex, tsi_hex, signature_needed)| VendorReceipt {
            aid_hex,
            application_name,
            cvm_result_hex,
            tvr_hex,
            tsi_hex,
            signature_needed,
        },
    );
    prop_oneof![
        6 => prop::sample::select(vec![CHARGE, CHARGE, CHARGE, "0192-older"]).prop_map(|charge| Act::Said(started_as(charge))),
        8 => vendor_card().prop_map(|card| Act::Said(VendorEvent::Card(card))),
        4 => outcome.prop_map(|outcome| Act::Said(VendorEvent::Ended(outcome))),
        2 => (text(), any::<bool>()).prop_map(|(text, cancellable)| {
            Act::Said(VendorEvent::Prompt { text, cancellable })
        }),
        1 => prop::collection::vec(text(), 0..20).prop_map(|items| Act::Said(VendorEvent::ChooseApplication(items))),
        1 => asked.clone().prop_map(|asked| Act::Said(VendorEvent::Failed(asked))),
        2 => receipt.prop_map(|receipt| Act::Said(VendorEvent::ReceiptData(receipt))),
        1 => any::<u32>().prop_map(|left| Act::Said(VendorEvent::BatteryLow(left))),
        1 => any::<u32>().prop_map(|minutes| Act::Said(VendorEvent::RestartsSoon { minutes })),
        5 => Just(Act::Start),
        1 => Just(Act::Cancel),
        1 => any::<u8>().prop_map(Act::Choose),
        1 => asked.prop_map(Act::Threw),
        2 => timers.prop_map(Act::Timer),
        1 => Just(Act::Down),
        3 => about.prop_map(Act::Up),
    ]
}

/// Runs of 12 to 19 digits, with or without spaces and dashes, that pass the check of card numbers.
fn card_numbers(text: &str) -> Vec<String> {
    let plain: String = text.chars().filter(|found| !" -".contains(*found)).collect();
    let is_number = |run: &str| {
        let digits: Vec<u32> = run.chars().filter_map(|found| found.to_digit(10)).collect();
        let weighed = digits.iter().rev().enumerate().map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        });
        (12..=19).contains(&digits.len()) && weighed.sum::<u32>().is_multiple_of(10)
    };
    let runs = |text: &str| text.split(|found: char| !found.is_ascii_digit()).map(str::to_owned).collect::<Vec<_>>();
    [runs(text), runs(&plain)].concat().into_iter().filter(|run| is_number(run)).collect()
}

/// Everything of an event that is text and may be shown, kept or sent, but for the key's serial number.
fn texts_of(event: &ReaderEvent) -> Vec<String> {
    match event {
        ReaderEvent::Ready { about } => vec![about.serial.clone(), about.model.clone(), about.firmware.clone()],
        ReaderEvent::Prompt { prompt, .. } => vec![prompt.text().to_owned()],
        ReaderEvent::ChooseApplication(items) => items.clone(),
        ReaderEvent::ReceiptData(data) => {
            [data.emv.aid_hex.clone(), data.emv.application_name.clone()].into_iter().flatten().collect()
        }
        ReaderEvent::OnlineRequest(request) => vec![
            request.format.as_str().to_owned(),
            request.key_id.clone(),
            request.device_serial.clone(),
            format!("{}******{}", request.masked_card.first(), request.masked_card.last_four()),
        ],
        _ => Vec::new(),
    }
}

#[test]
fn the_scan_for_card_numbers_finds_one() {
    assert_eq!(card_numbers("x 4111 1111 1111 1111 y").len(), 1);
    assert_eq!(card_numbers("x:4111111111111111,2").len(), 2);
    assert!(card_numbers("621234******1232").is_empty());
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn p2_p8_whatever_an_sdk_says(acts in prop::collection::vec(act(), 0..60)) {
        let mut sdk = Sdk::up();
        let (mut starts, mut requests, mut outcomes) = (0, 0, 0);
        for act in acts {
            // What may not be asked now is refused, and changes nothing.
            let _ = match act {
                Act::Said(event) => sdk.give(ReaderInput::Vendor(&event)),
                Act::Start => sdk.give(ReaderInput::Start(payment(500))),
                Act::Cancel => sdk.give(ReaderInput::Cancel),
                Act::Choose(index) => sdk.give(ReaderInput::ChooseApplication(index)),
                Act::Threw(asked) => sdk.give(ReaderInput::CommandFailed(asked)),
                Act::Timer(id) => sdk.give(ReaderInput::Timer(id)),
                Act::Down => sdk.give(ReaderInput::LinkDown),
                Act::Up(about) => {
                    sdk.session = VendorSession::new(CHARGE);
                    sdk.give(ReaderInput::VendorUp(&about))
                }
            };
            if sdk.commands.contains(&"start") {
                (starts, requests, outcomes) = (1, 0, 0);
            }
            sdk.commands.clear();
            for event in sdk.events.drain(..) {
                for text in texts_of(&event) {
                    prop_assert!(card_numbers(&text).is_empty(), "{text}");
                    prop_assert!(text.chars().count() <= 96);
                }
                match event {
                    ReaderEvent::OnlineRequest(request) => {
                        requests += 1;
                        prop_assert_eq!(request.masked_card.last_four().len(), 4);
                        prop_assert!((1..=16 * 1024).contains(&request.blob.len()));
                    }
                    ReaderEvent::Outcome { .. } => outcomes += 1,
                    _ => {}
                }
            }
            prop_assert!(requests <= starts && outcomes <= starts, "{requests} {outcomes} {starts}");
            prop_assert!(card_numbers(&sdk.printed).is_empty(), "{}", sdk.printed);
            sdk.printed.clear();
        }
    }
}
