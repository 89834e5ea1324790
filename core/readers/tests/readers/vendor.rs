//! A vendor's SDK behind the same session: every late, double and contradictory order.

use takings_readers::*;

use crate::bench::payment;
use crate::sdk::{CHARGE, Sdk, about, card, started_as};

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
        ("an end of unusable card data", &[Do::Bad, Do::End("deferred")], "unusable, unknown"),
        ("an approval of it", &[Do::Bad, Do::End("approved_offline")], "unusable, unknown"),
        ("a cancel of it", &[Do::Bad, Do::End("cancelled")], "unusable, cancelled"),
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
