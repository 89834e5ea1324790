//! A vendor's SDK behind the same session: every late, double and contradictory order, and random ones.

use proptest::prelude::*;
use takings_readers::*;

use crate::bench::{cases, payment};

/// One session and what it said.
struct Sdk {
    session: VendorSession,
    events: Vec<ReaderEvent>,
    commands: Vec<&'static str>,
    printed: String,
}

/// What the start is known by.
const CHARGE: &str = "0192-ours";

fn started_as(charge: &str) -> VendorEvent {
    VendorEvent::Started { charge: charge.to_owned() }
}

fn about() -> VendorAbout {
    VendorAbout {
        serial: "WSC-0042".to_owned(),
        model: "Pocket".to_owned(),
        firmware: "1.2".to_owned(),
        battery_percent: Some(80),
        tampered: false,
    }
}

fn card() -> VendorCard {
    VendorCard {
        ciphertext: SensitiveBytes::new(vec![0xC1; 64]),
        format: "acme-dukpt".to_owned(),
        key_id: "bdk-1".to_owned(),
        ksn_hex: "FFFF9876543210E00008".to_owned(),
        masked_number: "621234******1232".to_owned(),
        entry_mode: EntryMode::Chip,
    }
}

impl Sdk {
    fn up() -> Self {
        let mut sdk = Self {
            session: VendorSession::new(CHARGE),
            events: Vec::new(),
            commands: Vec::new(),
            printed: String::new(),
        };
        sdk.give(ReaderInput::VendorUp(&about())).unwrap();
        sdk
    }

    fn started() -> Self {
        let mut sdk = Self::up();
        sdk.give(ReaderInput::Start(payment(1_250))).unwrap();
        sdk.say(&started_as(CHARGE));
        sdk.events.clear();
        sdk.commands.clear();
        sdk
    }

    fn give(&mut self, input: ReaderInput<'_>) -> Result<(), ReaderError> {
        self.printed.push_str(&format!("{input:?}"));
        for output in self.session.handle(input)? {
            self.printed.push_str(&format!("{output:?}"));
            match output {
                ReaderOutput::Event(event) => self.events.push(event),
                ReaderOutput::Command(command) => self.commands.push(match command {
                    VendorCommand::Start(_) => "start",
                    VendorCommand::Cancel => "cancel",
                    VendorCommand::ChooseApplication(_) => "choose",
                }),
                ReaderOutput::SetTimer { after_ms, .. } => assert!(after_ms <= 300_000, "{after_ms}"),
                ReaderOutput::ClearTimer(_) => {}
                ReaderOutput::Write(_) | ReaderOutput::Disconnect => panic!("an SDK has no bytes"),
            }
        }
        self.printed.push_str(&format!("{:?}", self.session));
        Ok(())
    }

    fn say(&mut self, event: &VendorEvent) {
        self.give(ReaderInput::Vendor(event)).unwrap();
    }

    /// What the events come to, as a line.
    fn told(&self) -> String {
        let told = self.events.iter().filter_map(|event| match event {
            ReaderEvent::OnlineRequest(_) => Some("card".to_owned()),
            ReaderEvent::Outcome { outcome, code: None } => Some(outcome.as_str().to_owned()),
            ReaderEvent::Fault(Fault::StrayCardData) => Some("stray".to_owned()),
            ReaderEvent::Fault(Fault::CardData) => Some("unusable".to_owned()),
            ReaderEvent::Fault(Fault::ContradictoryEnd { .. }) => Some("contradiction".to_owned()),
            ReaderEvent::Refused { asked, .. } => Some(format!("refused {asked:?}")),
            ReaderEvent::LinkLost(loss) => Some(format!("{loss:?}")),
            _ => None,
        });
        told.collect::<Vec<_>>().join(", ")
    }
}

#[derive(Clone, Copy)]
enum Do {
    Start,
    /// It runs another one.
    Older,
    Card,
    Bad,
    End(&'static str),
    Failed(Asked),
    Threw(Asked),
    Cancel,
    Down,
    Timer(TimerId),
}

fn play(sdk: &mut Sdk, acts: &[Do]) {
    for act in acts {
        match act {
            Do::Start => sdk.say(&started_as(CHARGE)),
            Do::Older => sdk.say(&started_as("0192-older")),
            Do::Card => sdk.say(&VendorEvent::Card(card())),
            Do::Bad => {
                let clear = VendorCard { ciphertext: SensitiveBytes::new(b"4111111111111111".to_vec()), ..card() };
                sdk.say(&VendorEvent::Card(clear));
            }
            Do::End(word) => sdk.say(&VendorEvent::Ended(Outcome::from_word(word))),
            Do::Failed(asked) => sdk.say(&VendorEvent::Failed(*asked)),
            Do::Threw(asked) => sdk.give(ReaderInput::CommandFailed(*asked)).unwrap(),
            Do::Cancel => sdk.give(ReaderInput::Cancel).unwrap(),
            Do::Down => sdk.give(ReaderInput::LinkDown).unwrap(),
            Do::Timer(id) => sdk.give(ReaderInput::Timer(*id)).unwrap(),
        }
    }
}

#[test]
fn every_late_double_and_contradictory_order() {
    use Asked::{Cancel as AskedCancel, Start as AskedStart};
    use TimerId::{Closing, Payment};
    let table: &[(&str, &[Do], &str)] = &[
        ("a sale", &[Do::Card, Do::End("deferred")], "card, deferred"),
        ("an end before its card", &[Do::End("deferred"), Do::Card], "card, deferred"),
        ("an end whose card never comes", &[Do::End("deferred"), Do::Timer(Closing)], "unknown"),
        ("its card after that", &[Do::End("deferred"), Do::Timer(Closing), Do::Card], "unknown, stray"),
        ("card data twice", &[Do::Card, Do::Card], "card, stray"),
        ("card data twice and an end", &[Do::Card, Do::End("deferred"), Do::Card], "card, deferred, stray"),
        ("the end twice", &[Do::Card, Do::End("deferred"), Do::End("deferred")], "card, deferred"),
        ("two ends", &[Do::Card, Do::End("declined"), Do::End("deferred")], "card, declined, contradiction"),
        ("two ends before the card", &[Do::End("deferred"), Do::End("cancelled")], "contradiction, unknown"),
        ("an approval before its card", &[Do::End("approved_offline"), Do::Card], "card, approved_offline"),
        ("an approval whose card never comes", &[Do::End("approved_offline"), Do::Timer(Closing)], "unknown"),
        ("an older one that runs late", &[Do::Older, Do::Card, Do::End("declined")], "stray"),
        (
            "ours after the older one",
            &[Do::Older, Do::Card, Do::Start, Do::Card, Do::End("deferred")],
            "stray, card, deferred",
        ),
        ("an older one that cannot", &[Do::Older, Do::Failed(AskedStart), Do::Start, Do::Card], "card"),
        ("an end on no list", &[Do::Card, Do::End("APPROVED")], "card, unknown"),
        ("a card after the end", &[Do::End("timed_out"), Do::Card], "timed_out, stray"),
        ("a card much later", &[Do::End("timed_out"), Do::Timer(Closing), Do::Card], "timed_out, stray"),
        ("an end much later", &[Do::End("timed_out"), Do::Timer(Closing), Do::End("deferred")], "timed_out"),
        ("unusable card data", &[Do::Bad], "unusable"),
        ("better card data after it", &[Do::Bad, Do::Card], "unusable, stray"),
        ("unusable card data after good", &[Do::Card, Do::Bad], "card, stray"),
        ("a start that threw", &[Do::Threw(AskedStart)], "refused Start"),
        ("its card after that", &[Do::Threw(AskedStart), Do::Start, Do::Card], "refused Start, stray"),
        ("a start refused later", &[Do::Failed(AskedStart), Do::End("deferred")], "refused Start"),
        ("a start that threw after the card", &[Do::Card, Do::Threw(AskedStart)], "card"),
        ("a cancel", &[Do::Cancel, Do::End("cancelled")], "cancelled"),
        ("a cancel too late", &[Do::Card, Do::Cancel, Do::End("deferred")], "card, deferred"),
        ("a cancel refused", &[Do::Cancel, Do::Failed(AskedCancel), Do::Card], "refused Cancel, card"),
        ("a cancel that nobody hears", &[Do::Cancel, Do::Timer(Payment), Do::Card], "unknown, stray"),
        ("no end at all", &[Do::Timer(Payment), Do::Timer(Payment)], "unknown"),
        ("no end after the card", &[Do::Card, Do::Timer(Payment), Do::Timer(Payment)], "card, unknown"),
        ("gone before the card", &[Do::Down], "BeforeOnlineRequest"),
        ("gone after the card", &[Do::Card, Do::Down], "card, AfterOnlineRequest"),
        ("gone after the end", &[Do::Card, Do::End("deferred"), Do::Down], "card, deferred, Idle"),
        ("a card from a link that is gone", &[Do::Down, Do::Card], "BeforeOnlineRequest"),
        ("gone twice", &[Do::Down, Do::Down], "BeforeOnlineRequest"),
        ("gone with unusable data", &[Do::Bad, Do::Down], "unusable, BeforeOnlineRequest"),
    ];
    for (name, acts, expected) in table {
        let mut sdk = Sdk::started();
        play(&mut sdk, acts);
        assert_eq!(&sdk.told(), expected, "{name}");
    }
}

#[test]
fn what_comes_before_the_start_belongs_to_something_older() {
    let mut sdk = Sdk::up();
    play(&mut sdk, &[Do::Card, Do::End("deferred")]);
    assert_eq!(sdk.told(), "stray");
    sdk.give(ReaderInput::Start(payment(1_250))).unwrap();
    play(&mut sdk, &[Do::Card, Do::End("declined"), Do::Start, Do::Card, Do::End("deferred")]);
    assert_eq!(sdk.told(), "stray, stray, card, deferred");
}

#[test]
fn an_sdk_that_never_starts_is_given_up_and_told_so() {
    let mut sdk = Sdk::up();
    sdk.give(ReaderInput::Start(payment(1_250))).unwrap();
    play(&mut sdk, &[Do::Timer(TimerId::Response), Do::Start, Do::Card]);
    assert_eq!((sdk.told().as_str(), sdk.commands.as_slice()), ("refused Start, stray", &["start", "cancel"][..]));
    // The next payment of the same session is one of its own.
    sdk.events.clear();
    sdk.give(ReaderInput::Start(payment(900))).unwrap();
    play(&mut sdk, &[Do::Start, Do::Card]);
    assert_eq!(sdk.told(), "card");
}

#[test]
fn requests_are_held_to_their_order_and_bounds() {
    let mut sdk = Sdk { session: VendorSession::new(CHARGE), ..Sdk::up() };
    assert_eq!(sdk.give(ReaderInput::Start(payment(1))), Err(ReaderError::NotReady));
    sdk.give(ReaderInput::VendorUp(&VendorAbout { tampered: true, ..about() })).unwrap();
    assert!(matches!(sdk.events.last(), Some(ReaderEvent::OutOfService { .. })));
    assert_eq!(sdk.give(ReaderInput::Start(payment(1))), Err(ReaderError::NotReady));

    let mut sdk = Sdk::up();
    assert_eq!(sdk.give(ReaderInput::Start(payment(0))), Err(ReaderError::InvalidAmount));
    assert_eq!(sdk.give(ReaderInput::Cancel), Err(ReaderError::NoPayment));
    assert_eq!(sdk.give(ReaderInput::Bytes(&[0])), Err(ReaderError::OtherKind));
    sdk.give(ReaderInput::Start(payment(1))).unwrap();
    assert_eq!(sdk.give(ReaderInput::Start(payment(1))), Err(ReaderError::Busy));
    sdk.say(&VendorEvent::ChooseApplication(vec!["early".to_owned()]));
    assert_eq!(sdk.give(ReaderInput::ChooseApplication(0)), Err(ReaderError::NoSuchChoice));
    sdk.say(&started_as(CHARGE));
    sdk.say(&VendorEvent::ChooseApplication(vec!["A".to_owned(); 99]));
    assert!(matches!(sdk.events.last(), Some(ReaderEvent::ChooseApplication(items)) if items.len() == 16));
    assert_eq!(sdk.give(ReaderInput::ChooseApplication(16)), Err(ReaderError::NoSuchChoice));
    sdk.give(ReaderInput::ChooseApplication(15)).unwrap();
    assert_eq!(sdk.give(ReaderInput::ChooseApplication(1)), Err(ReaderError::NoSuchChoice));
    sdk.give(ReaderInput::LinkDown).unwrap();
    assert_eq!(sdk.give(ReaderInput::Start(payment(1))), Err(ReaderError::SessionOver));
    assert_eq!(sdk.give(ReaderInput::VendorUp(&about())), Err(ReaderError::SessionOver));

    let mut reader = Reader::new(1, 244);
    assert_eq!(reader.handle(ReaderInput::Vendor(&started_as(CHARGE))), Err(ReaderError::OtherKind));
    assert_eq!(reader.handle(ReaderInput::CommandFailed(Asked::Start)), Err(ReaderError::OtherKind));
}

#[test]
fn an_sdk_cannot_make_a_payment_last_for_ever() {
    let mut sdk = Sdk::started();
    let mut until_ms = 0_u64;
    for _ in 0..1_000 {
        for event in [VendorEvent::ChooseApplication(vec!["A".to_owned()]), VendorEvent::Failed(Asked::Cancel)] {
            for output in sdk.session.handle(ReaderInput::Vendor(&event)).unwrap() {
                if let ReaderOutput::SetTimer { id: TimerId::Payment, after_ms } = output {
                    until_ms += after_ms;
                }
            }
        }
    }
    assert!((90_000..=8 * 90_000).contains(&until_ms), "{until_ms}");
}

#[test]
fn an_sdk_that_refuses_to_stop_gets_its_time_anew_once() {
    let mut sdk = Sdk::started();
    let mut timers = Vec::new();
    for _ in 0..3 {
        for input in [ReaderInput::Cancel, ReaderInput::Vendor(&VendorEvent::Failed(Asked::Cancel))] {
            timers.extend(sdk.session.handle(input).unwrap().into_iter().filter_map(|output| match output {
                ReaderOutput::SetTimer { id: TimerId::Payment, after_ms } => Some(after_ms),
                _ => None,
            }));
        }
    }
    assert_eq!(timers, [10_000, 90_000]);
    play(&mut sdk, &[Do::Timer(TimerId::Payment), Do::Timer(TimerId::Payment)]);
    assert!(sdk.told().ends_with("unknown"), "{}", sdk.told());
}

#[test]
fn what_an_sdk_shows_while_it_runs_nothing_of_ours_is_not_shown() {
    let shows = [
        VendorEvent::Prompt { text: "APPROVED".to_owned(), cancellable: false },
        VendorEvent::CardSeen(Interface::Contact),
        VendorEvent::CardRemoved,
        VendorEvent::SeveralCards,
    ];
    let shown = |sdk: &mut Sdk| {
        sdk.events.clear();
        shows.iter().for_each(|event| sdk.say(event));
        sdk.events.len()
    };
    let mut sdk = Sdk::up();
    assert_eq!(shown(&mut sdk), 0, "no payment");
    sdk.give(ReaderInput::Start(payment(1_250))).unwrap();
    assert_eq!(shown(&mut sdk), 0, "not running yet");
    play(&mut sdk, &[Do::Start]);
    assert_eq!(shown(&mut sdk), 4);
    play(&mut sdk, &[Do::Older]);
    assert_eq!(shown(&mut sdk), 0, "another one");
    play(&mut sdk, &[Do::Start, Do::Threw(Asked::Start)]);
    assert_eq!(shown(&mut sdk), 0, "given up");
}

#[test]
fn what_judges_a_payment_is_known() {
    let other = |text: &str| Prompt::Other(text.to_owned());
    for verdict in
        [Prompt::Approved, Prompt::ApprovedPleaseSign, Prompt::Declined, other("交易成功"), other("Payment approved!")]
    {
        assert!(verdict.is_verdict(), "{verdict:?}");
    }
    for plain in [Prompt::InsertCard, Prompt::RemoveCard, Prompt::Clear, other("请插卡")] {
        assert!(!plain.is_verdict(), "{plain:?}");
    }
}

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
            VendorAbout { serial, model, firmware, battery_percent, tampered: false }
        });
    prop_oneof![
        6 => prop::sample::select(vec![CHARGE, CHARGE, CHARGE, "0192-older"]).prop_map(|charge| Act::Said(started_as(charge))),
        8 => vendor_card().prop_map(|card| Act::Said(VendorEvent::Card(card))),
        4 => outcome.prop_map(|outcome| Act::Said(VendorEvent::Ended(outcome))),
        2 => (text(), any::<bool>()).prop_map(|(text, cancellable)| {
            Act::Said(VendorEvent::Prompt { text, cancellable })
        }),
        1 => prop::collection::vec(text(), 0..20).prop_map(|items| Act::Said(VendorEvent::ChooseApplication(items))),
        1 => asked.clone().prop_map(|asked| Act::Said(VendorEvent::Failed(asked))),
        1 => any::<u32>().prop_map(|left| Act::Said(VendorEvent::BatteryLow(left))),
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
        ReaderEvent::Ready { serial, model, firmware, .. } => vec![serial.clone(), model.clone(), firmware.clone()],
        ReaderEvent::Prompt { prompt, .. } => vec![prompt.text().to_owned()],
        ReaderEvent::ChooseApplication(items) => items.clone(),
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
