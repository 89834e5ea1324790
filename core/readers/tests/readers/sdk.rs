//! A vendor's SDK as the tests play it.

use takings_readers::*;

use crate::bench::payment;

/// One session and what it said.
pub(crate) struct Sdk {
    pub(crate) session: VendorSession,
    pub(crate) events: Vec<ReaderEvent>,
    pub(crate) commands: Vec<&'static str>,
    pub(crate) printed: String,
}

/// What the start is known by.
pub(crate) const CHARGE: &str = "0192-ours";

pub(crate) fn started_as(charge: &str) -> VendorEvent {
    VendorEvent::Started { charge: charge.to_owned() }
}

pub(crate) fn about() -> VendorAbout {
    VendorAbout {
        serial: "WSC-0042".to_owned(),
        model: "Pocket".to_owned(),
        firmware: "1.2".to_owned(),
        battery_percent: Some(80),
        charging: None,
        tampered: false,
        keys_missing: false,
    }
}

pub(crate) fn card() -> VendorCard {
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
    pub(crate) fn up() -> Self {
        let mut sdk = Self {
            session: VendorSession::new(CHARGE),
            events: Vec::new(),
            commands: Vec::new(),
            printed: String::new(),
        };
        sdk.give(ReaderInput::VendorUp(&about())).unwrap();
        sdk
    }

    pub(crate) fn started() -> Self {
        let mut sdk = Self::up();
        sdk.give(ReaderInput::Start(payment(1_250))).unwrap();
        sdk.say(&started_as(CHARGE));
        sdk.events.clear();
        sdk.commands.clear();
        sdk
    }

    pub(crate) fn give(&mut self, input: ReaderInput<'_>) -> Result<(), ReaderError> {
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

    pub(crate) fn say(&mut self, event: &VendorEvent) {
        self.give(ReaderInput::Vendor(event)).unwrap();
    }

    /// What the events come to, as a line.
    pub(crate) fn told(&self) -> String {
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
