//! What every kind of reader session keeps to, whoever makes the reader: one set of rules, played on the protocol engine with
//! the simulated reader at the other end, and on another maker's SDK as a script. A new kind is held to them by one more
//! implementation of [`Kind`] and a line in [`kinds`].

use takings_readers::simulated::{Behaviour, CardScript, Failure};
use takings_readers::*;

use crate::bench::{Bench, online_requests, outcomes, payment};
use crate::sdk::{CHARGE, Sdk, about, card, started_as};

/// How a reader is when it is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Well,
    Opened,
    WithoutKeys,
}

/// What happens once a payment was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Play {
    /// A card is read, the reader leaves the decision to the host, and tells what the receipt needs.
    Sells,
    CardTwice,
    /// Deferred, then declined.
    EndsTwice,
    /// Approved, and no card data ever came.
    ApprovedWithoutCard,
    NobodyComes,
    /// It will not start.
    Refuses,
    /// It does not say whether it started.
    Stalls,
    /// Nobody can tell it to start.
    Throws,
    /// What should be encrypted is not as it must be.
    Spoils,
    /// It waits for a card.
    Waits,
    /// The card was read, and no end was told yet.
    CardAlone,
}

/// One kind of reader.
trait Kind {
    fn connect(&mut self, fit: Fit) -> Vec<ReaderEvent>;

    fn start(&mut self, play: Play) -> Vec<ReaderEvent>;

    fn give(&mut self, input: ReaderInput<'_>) -> Result<Vec<ReaderEvent>, ReaderError>;

    /// All time that anything waits for passes.
    fn time_passes(&mut self) -> Vec<ReaderEvent>;

    /// A card is read, and all that is said of it comes when all time has passed.
    fn comes_late(&mut self) -> Vec<ReaderEvent>;

    /// It is nearly empty, and about to restart.
    fn complains(&mut self, percent: u8, minutes: u8) -> Vec<ReaderEvent>;

    fn lose(&mut self) -> Vec<ReaderEvent> {
        self.give(ReaderInput::LinkDown).unwrap()
    }
}

/// The protocol engine; nothing but values between it and the simulated reader.
struct Engine(Bench);

impl Kind for Engine {
    fn connect(&mut self, fit: Fit) -> Vec<ReaderEvent> {
        self.0.simulated.set_tampered(fit == Fit::Opened);
        self.0.simulated.set_keys(fit != Fit::WithoutKeys);
        self.0.give(ReaderInput::LinkUp).unwrap()
    }

    fn start(&mut self, play: Play) -> Vec<ReaderEvent> {
        let chip = || CardScript::new("6222", "0048", EntryMode::Chip);
        let card = match play {
            Play::Sells | Play::Spoils | Play::EndsTwice | Play::Refuses | Play::Stalls => Some(chip()),
            Play::CardTwice => Some(chip().behaving(Behaviour::CardDataTwice)),
            Play::ApprovedWithoutCard => Some(chip().behaving(Behaviour::EndsWith([0x10, 0x02, 0x06, 0x00]))),
            Play::NobodyComes | Play::Waits | Play::CardAlone | Play::Throws => None,
        };
        let failure = match play {
            Play::EndsTwice => Some(Failure::EndsAgain([0x10, 0x02, 0x80, 0x00])),
            Play::Refuses => Some(Failure::RefusesStart([0x02, 0x01, 0x19])),
            Play::Stalls => Some(Failure::Silent),
            Play::Spoils => Some(Failure::SpoilsCardData),
            _ => None,
        };
        card.into_iter().for_each(|card| self.0.simulated.present(card));
        failure.into_iter().for_each(|failure| self.0.simulated.fail(failure));
        if play == Play::Throws {
            let written = self.0.reader.handle(ReaderInput::Start(payment(1_250))).unwrap();
            assert!(written.iter().any(|output| matches!(output, ReaderOutput::Write(_))));
            return self.0.give(ReaderInput::WriteFailed).unwrap();
        }
        let mut events = self.0.give(ReaderInput::Start(payment(1_250))).unwrap();
        if play == Play::NobodyComes {
            self.0.simulated.advance_ms(60_000);
            events.extend(self.0.give(ReaderInput::WriteDone).unwrap());
        }
        if play == Play::CardAlone {
            self.0.simulated.present(chip());
            while online_requests(&events).is_empty() {
                let value = self.0.simulated.outbound().expect("a card is there");
                let outputs = self.0.reader.handle(ReaderInput::Bytes(&value)).unwrap();
                events.extend(outputs.into_iter().filter_map(|output| match output {
                    ReaderOutput::Event(event) => Some(event),
                    _ => None,
                }));
            }
        }
        events
    }

    fn give(&mut self, input: ReaderInput<'_>) -> Result<Vec<ReaderEvent>, ReaderError> {
        self.0.give(input)
    }

    fn time_passes(&mut self) -> Vec<ReaderEvent> {
        let mut events = Vec::new();
        while let Some(id) = self.0.timers.keys().next().copied() {
            events.extend(self.0.fire(id));
        }
        events
    }

    fn comes_late(&mut self) -> Vec<ReaderEvent> {
        self.0.simulated.present(CardScript::new("6222", "0048", EntryMode::Chip));
        let held: Vec<Vec<u8>> = std::iter::from_fn(|| self.0.simulated.outbound()).collect();
        let mut events = self.time_passes();
        for value in held {
            events.extend(self.0.give(ReaderInput::Bytes(&value)).unwrap());
        }
        events
    }

    fn complains(&mut self, percent: u8, minutes: u8) -> Vec<ReaderEvent> {
        self.0.simulated.set_battery(percent);
        self.0.simulated.warn_of_reset(minutes);
        self.0.give(ReaderInput::WriteDone).unwrap()
    }
}

/// Another maker's SDK.
struct Vendor(Sdk);

impl Vendor {
    fn told(&mut self) -> Vec<ReaderEvent> {
        std::mem::take(&mut self.0.events)
    }

    fn says(&mut self, said: Vec<VendorEvent>) {
        said.iter().for_each(|event| self.0.say(event));
    }
}

impl Kind for Vendor {
    fn connect(&mut self, fit: Fit) -> Vec<ReaderEvent> {
        let (tampered, keys_missing) = (fit == Fit::Opened, fit == Fit::WithoutKeys);
        self.give(ReaderInput::VendorUp(&VendorAbout { tampered, keys_missing, ..about() })).unwrap()
    }

    fn start(&mut self, play: Play) -> Vec<ReaderEvent> {
        self.0.give(ReaderInput::Start(payment(1_250))).unwrap();
        if play == Play::Throws {
            self.0.give(ReaderInput::CommandFailed(Asked::Start)).unwrap();
        }
        let (runs, data) = (|| started_as(CHARGE), || VendorEvent::Card(card()));
        let ends = VendorEvent::Ended;
        let receipt = || VendorEvent::ReceiptData(VendorReceipt::default());
        self.says(match play {
            Play::Sells => vec![runs(), data(), ends(Outcome::Deferred), receipt(), receipt()],
            Play::CardTwice => vec![runs(), data(), data(), ends(Outcome::Deferred)],
            Play::EndsTwice => vec![runs(), data(), ends(Outcome::Deferred), ends(Outcome::Declined)],
            Play::ApprovedWithoutCard => vec![runs(), ends(Outcome::ApprovedByCard)],
            Play::NobodyComes => vec![runs(), ends(Outcome::TimedOut)],
            Play::Refuses => vec![VendorEvent::Failed(Asked::Start)],
            Play::Stalls | Play::Throws => vec![],
            Play::Spoils => {
                let clear = SensitiveBytes::new(b";4111111111111111=2612".to_vec());
                vec![runs(), VendorEvent::Card(VendorCard { ciphertext: clear, ..card() }), ends(Outcome::Deferred)]
            }
            Play::Waits => vec![runs()],
            Play::CardAlone => vec![runs(), data()],
        });
        self.told()
    }

    fn give(&mut self, input: ReaderInput<'_>) -> Result<Vec<ReaderEvent>, ReaderError> {
        let cancels = matches!(input, ReaderInput::Cancel);
        self.0.give(input)?;
        if cancels {
            self.says(vec![VendorEvent::Ended(Outcome::Cancelled)]);
        }
        Ok(self.told())
    }

    fn time_passes(&mut self) -> Vec<ReaderEvent> {
        for id in [TimerId::Response, TimerId::Closing, TimerId::Payment, TimerId::Payment, TimerId::Closing] {
            self.0.give(ReaderInput::Timer(id)).unwrap();
        }
        self.told()
    }

    fn comes_late(&mut self) -> Vec<ReaderEvent> {
        let mut events = self.time_passes();
        self.says(vec![VendorEvent::Card(card()), VendorEvent::Ended(Outcome::Deferred)]);
        events.extend(self.told());
        events
    }

    fn complains(&mut self, percent: u8, minutes: u8) -> Vec<ReaderEvent> {
        let restarts = VendorEvent::RestartsSoon { minutes: minutes.into() };
        self.says(vec![VendorEvent::BatteryLow(percent.into()), restarts]);
        self.told()
    }
}

fn kinds() -> [(&'static str, Box<dyn Kind>); 2] {
    let sdk = Sdk { session: VendorSession::new(CHARGE), events: vec![], commands: vec![], printed: String::new() };
    [("engine", Box::new(Engine(Bench::new(244)))), ("vendor", Box::new(Vendor(sdk)))]
}

/// Each kind of reader, connected and well.
fn ready() -> [(&'static str, Box<dyn Kind>); 2] {
    kinds().map(|(name, mut kind)| {
        kind.connect(Fit::Well);
        (name, kind)
    })
}

fn ends(events: &[ReaderEvent]) -> Vec<Outcome> {
    outcomes(events).into_iter().map(|(outcome, _)| outcome).collect()
}

fn receipts(events: &[ReaderEvent]) -> usize {
    events.iter().filter(|event| matches!(event, ReaderEvent::ReceiptData(_))).count()
}

fn sells(name: &str, kind: &mut dyn Kind) {
    let events = kind.start(Play::Sells);
    let at = |wanted: fn(&ReaderEvent) -> bool| events.iter().position(wanted).expect(name);
    let begun = at(|event| matches!(event, ReaderEvent::Started));
    let read = at(|event| matches!(event, ReaderEvent::OnlineRequest(_)));
    let ended = at(|event| matches!(event, ReaderEvent::Outcome { outcome: Outcome::Deferred, .. }));
    assert!(begun < read && read < ended, "{name}: {events:?}");
    assert_eq!((online_requests(&events).len(), ends(&events).len(), receipts(&events)), (1, 1, 1), "{name}");
    kind.time_passes();
}

#[test]
fn a_reader_says_who_it_is_and_sells_one_payment_after_the_other() {
    for (name, mut kind) in kinds() {
        let events = kind.connect(Fit::Well);
        let ready =
            events.iter().filter(|event| matches!(event, ReaderEvent::Ready { about } if !about.serial.is_empty()));
        assert_eq!(ready.count(), 1, "{name}: {events:?}");
        for _ in 0..3 {
            sells(name, &mut *kind);
        }
    }
}

#[test]
fn one_that_is_unfit_says_why_and_takes_no_payment() {
    let reasons = [(Fit::Opened, OutOfServiceReason::Tampered), (Fit::WithoutKeys, OutOfServiceReason::KeysMissing)];
    for (fit, why) in reasons {
        for (name, mut kind) in kinds() {
            let events = kind.connect(fit);
            let told =
                |event: &ReaderEvent| matches!(event, ReaderEvent::OutOfService { reason, .. } if *reason == why);
            assert!(events.iter().any(told), "{name} {fit:?}: {events:?}");
            assert_eq!(kind.give(ReaderInput::Start(payment(100))), Err(ReaderError::NotReady), "{name} {fit:?}");
        }
    }
}

#[test]
fn p2_once_whatever_comes_twice_makes_one_request_and_one_end() {
    for (name, mut kind) in ready() {
        let events = kind.start(Play::CardTwice);
        assert_eq!((online_requests(&events).len(), ends(&events)), (1, vec![Outcome::Deferred]), "{name}: {events:?}");
    }
    for (name, mut kind) in ready() {
        let events = kind.start(Play::EndsTwice);
        assert_eq!((online_requests(&events).len(), ends(&events)), (1, vec![Outcome::Deferred]), "{name}: {events:?}");
        let told = |event: &ReaderEvent| {
            let ReaderEvent::Fault(fault) = event else { return false };
            matches!(fault, Fault::ContradictoryOutcome { .. } | Fault::ContradictoryEnd { .. })
        };
        assert_eq!(events.iter().filter(|event| told(event)).count(), 1, "{name}: {events:?}");
    }
}

#[test]
fn p3_honest_an_approval_without_card_data_is_unknown() {
    for play in [Play::ApprovedWithoutCard, Play::Spoils] {
        for (name, mut kind) in ready() {
            let mut events = kind.start(play);
            events.extend(kind.time_passes());
            assert!(online_requests(&events).is_empty(), "{name} {play:?}: {events:?}");
            let sold = |outcome: &Outcome| outcome.needs_card_data();
            assert!(!ends(&events).iter().any(sold), "{name} {play:?}: {events:?}");
            assert_eq!(ends(&events).len(), 1, "{name} {play:?}: {events:?}");
            let spoilt = events.contains(&ReaderEvent::Fault(Fault::CardData));
            assert_eq!(spoilt, play == Play::Spoils, "{name}: {events:?}");
        }
    }
}

#[test]
fn before_the_card_it_ends_without_one() {
    for (name, mut kind) in ready() {
        assert_eq!(ends(&kind.start(Play::NobodyComes)), [Outcome::TimedOut], "{name}");
        kind.start(Play::Waits);
        assert_eq!(ends(&kind.give(ReaderInput::Cancel).unwrap()), [Outcome::Cancelled], "{name}");
        let events = kind.start(Play::Refuses);
        let told = |event: &ReaderEvent| matches!(event, ReaderEvent::Refused { asked: Asked::Start, .. });
        assert!(events.iter().any(told) && ends(&events).is_empty(), "{name}: {events:?}");
    }
}

#[test]
fn one_that_stalls_is_given_up_and_nothing_is_made_up() {
    for (name, mut kind) in ready() {
        let mut events = kind.start(Play::Stalls);
        events.extend(kind.time_passes());
        let refused = |event: &&ReaderEvent| matches!(event, ReaderEvent::Refused { asked: Asked::Start, .. });
        let given_up = events.iter().filter(refused).count() + ends(&events).len();
        assert_eq!((given_up, online_requests(&events).len()), (1, 0), "{name}: {events:?}");
        assert!(ends(&events).iter().all(|end| *end == Outcome::Unknown), "{name}: {events:?}");
    }
}

#[test]
fn one_that_cannot_be_told_to_start_is_given_up() {
    for (name, mut kind) in ready() {
        let mut events = kind.start(Play::Throws);
        events.extend(kind.time_passes());
        let given_up = |event: &&ReaderEvent| {
            matches!(
                event,
                ReaderEvent::Refused { asked: Asked::Start, .. } | ReaderEvent::LinkLost(LinkLoss::BeforeOnlineRequest)
            )
        };
        assert_eq!(events.iter().filter(given_up).count(), 1, "{name}: {events:?}");
        assert!(online_requests(&events).is_empty() && ends(&events).is_empty(), "{name}: {events:?}");
    }
}

#[test]
fn what_comes_when_everybody_gave_up_sells_nothing() {
    for (name, mut kind) in ready() {
        kind.start(Play::Waits);
        let events = kind.comes_late();
        assert!(online_requests(&events).is_empty(), "{name}: {events:?}");
        assert_eq!(ends(&events), [Outcome::Unknown], "{name}: {events:?}");
        assert!(events.contains(&ReaderEvent::Fault(Fault::StrayCardData)), "{name}: {events:?}");
    }
}

#[test]
fn p3_honest_whatever_is_lost_with_the_link_is_said_and_the_session_is_over() {
    let rows = [
        (None, LinkLoss::Idle),
        (Some(Play::Waits), LinkLoss::BeforeOnlineRequest),
        (Some(Play::CardAlone), LinkLoss::AfterOnlineRequest),
        (Some(Play::Sells), LinkLoss::Idle),
    ];
    for (play, loss) in rows {
        for (name, mut kind) in ready() {
            play.into_iter().for_each(|play| drop(kind.start(play)));
            assert_eq!(kind.lose(), [ReaderEvent::LinkLost(loss)], "{name} {play:?}");
            assert_eq!(kind.lose(), [], "{name} {play:?}: once");
            assert_eq!(kind.give(ReaderInput::Start(payment(100))), Err(ReaderError::SessionOver), "{name}");
            assert_eq!(kind.give(ReaderInput::Cancel), Err(ReaderError::SessionOver), "{name}");
            assert_eq!(kind.time_passes(), [], "{name}");
        }
    }
}

#[test]
fn what_may_not_be_asked_now_is_refused_and_changes_nothing() {
    for (name, mut kind) in ready() {
        assert_eq!(kind.give(ReaderInput::Cancel), Err(ReaderError::NoPayment), "{name}");
        assert_eq!(kind.give(ReaderInput::ChooseApplication(0)), Err(ReaderError::NoPayment), "{name}");
        assert_eq!(kind.give(ReaderInput::Start(payment(0))), Err(ReaderError::InvalidAmount), "{name}");
        kind.start(Play::Waits);
        assert_eq!(kind.give(ReaderInput::Start(payment(100))), Err(ReaderError::Busy), "{name}");
        assert_eq!(kind.give(ReaderInput::ChooseApplication(0)), Err(ReaderError::NoSuchChoice), "{name}");
        assert_eq!(ends(&kind.give(ReaderInput::Cancel).unwrap()), [Outcome::Cancelled], "{name}");
        sells(name, &mut *kind);
    }
    let [(_, mut engine), (_, mut vendor)] = ready();
    assert_eq!(engine.give(ReaderInput::Vendor(&VendorEvent::CardRemoved)), Err(ReaderError::OtherKind));
    assert_eq!(vendor.give(ReaderInput::Bytes(&[0])), Err(ReaderError::OtherKind));
}

#[test]
fn what_it_says_of_itself_is_told() {
    for (name, mut kind) in ready() {
        let events = kind.complains(12, 3);
        assert_eq!(events, [ReaderEvent::BatteryLow(12), ReaderEvent::ResetSoon { minutes: 3 }], "{name}");
        sells(name, &mut *kind);
    }
}
