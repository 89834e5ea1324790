//! The reader's end by hand: any message at any moment.

use takings_readers::dynaflex::commands::{CANCEL, GET_PROPERTY, SET_PROPERTY, START, SUBSCRIBE};
use takings_readers::dynaflex::message::{self, Message};
use takings_readers::dynaflex::property::Property;
use takings_readers::dynaflex::status::Status;
use takings_readers::link::{Reassembler, Segmenter};
use takings_readers::{Reader, ReaderEvent, ReaderInput, ReaderOutput, TimerId};

use crate::bench::payment;
use crate::vectors;

pub(crate) const NO_TRANSACTION: Status = Status::refused([0x02, 0x03, 0x04]);

/// An engine, and the bytes that go to and fro.
pub(crate) struct Raw {
    pub(crate) reader: Reader,
    to_host: Segmenter,
    from_host: Reassembler,
    /// Requests that came whole and were not answered: reference, command, parameters.
    pub(crate) requests: Vec<(u8, u16, Vec<u8>)>,
    /// Every output but writes, in order.
    pub(crate) outputs: Vec<ReaderOutput>,
    /// What is written while connecting is accepted, whatever becomes of it.
    pub(crate) accept_sets: bool,
}

/// What a reader without any trouble says of itself.
pub(crate) fn sound(property: Property, leading: u8) -> Vec<u8> {
    match property {
        Property::OperationalStatus => vec![2],
        Property::OfflineDetail | Property::Tampered => vec![0],
        Property::Serial => vec![0xB6, 0x13, 0x78, 0xA0],
        Property::Model => b"DynaFlex II Go".to_vec(),
        Property::Firmware => b"1".to_vec(),
        Property::Battery => vec![80],
        Property::Charger => vec![8],
        Property::TransactionKeys => vec![0, 0, 0, 1],
        Property::TerminalId => b"11111111".to_vec(),
        Property::MaskLeading => vec![leading],
        Property::MaskTrailing => vec![4],
    }
}

impl Raw {
    pub(crate) fn connecting() -> Self {
        let mut raw = Self {
            reader: Reader::new(3, 244),
            to_host: Segmenter::new(),
            from_host: Reassembler::new(),
            requests: Vec::new(),
            outputs: Vec::new(),
            accept_sets: false,
        };
        raw.give(ReaderInput::LinkUp);
        raw
    }

    /// Connected and ready; the outputs so far are gone.
    pub(crate) fn ready() -> Self {
        let mut raw = Self::connecting();
        raw.answer_setup(|property| sound(property, 4));
        assert!(matches!(raw.events().last(), Some(ReaderEvent::Ready { .. })));
        raw.outputs.clear();
        raw
    }

    /// Answers everything that is asked after connecting.
    pub(crate) fn answer_setup(&mut self, property: impl Fn(Property) -> Vec<u8>) {
        while let Some((reference, command, body)) = self.requests.pop() {
            match command {
                SUBSCRIBE => self.answer(reference, command, Status::DONE, None),
                CANCEL => self.answer(reference, command, NO_TRANSACTION, None),
                GET_PROPERTY => {
                    let asked = Property::asked_for(&body).expect("a property we know");
                    let value = property(asked);
                    self.answer(reference, command, Status::DONE, Some(&asked.encode(&value)));
                }
                SET_PROPERTY if self.accept_sets => self.answer(reference, command, Status::DONE, Some(&body)),
                SET_PROPERTY => self.answer(reference, command, Status::refused([2, 1, 2]), None),
                other => panic!("{other:04X} while connecting"),
            }
        }
    }

    /// Answers one thing that is asked after connecting.
    pub(crate) fn answer_one(&mut self, reference: u8, command: u16, told: Option<(Property, Vec<u8>)>) {
        let body = told.map(|(property, value)| property.encode(&value));
        match command {
            CANCEL => self.answer(reference, command, NO_TRANSACTION, None),
            _ => self.answer(reference, command, Status::DONE, body.as_deref()),
        }
    }

    /// The reader's end counts its messages anew, and what was half said to it is gone.
    pub(crate) fn restart(&mut self) {
        self.to_host = Segmenter::new();
    }

    /// Ready, and a payment was asked for.
    pub(crate) fn starting() -> Self {
        let mut raw = Self::ready();
        raw.give(ReaderInput::Start(payment(999)));
        raw
    }

    /// A payment runs.
    pub(crate) fn running() -> Self {
        let mut raw = Self::ready();
        raw.start_running();
        raw
    }

    /// Ready before; now a payment runs, and the outputs so far are gone.
    pub(crate) fn start_running(&mut self) {
        self.outputs.clear();
        self.give(ReaderInput::Start(payment(999)));
        let (reference, command, _) = self.requests.pop().expect("a start");
        assert_eq!(command, START);
        self.answer(reference, command, Status::STARTED, None);
        assert_eq!(self.events(), [ReaderEvent::Started]);
        self.outputs.clear();
    }

    /// A payment runs and its card data has come.
    pub(crate) fn online() -> Self {
        let mut raw = Self::running();
        raw.say(&vectors::bytes("mms.arqc.ntf.sanitised"));
        assert!(matches!(raw.events()[..], [ReaderEvent::OnlineRequest(_)]));
        raw.outputs.clear();
        raw
    }

    /// A payment has ended with "deferred".
    pub(crate) fn concluded() -> Self {
        let mut raw = Self::online();
        raw.say(&vectors::bytes("mms.done.quickchip.ntf"));
        assert!(matches!(raw.events()[..], [ReaderEvent::Outcome { .. }]));
        raw.outputs.clear();
        raw
    }

    pub(crate) fn give(&mut self, input: ReaderInput<'_>) {
        let outputs = self.reader.handle(input).unwrap();
        self.carry(outputs);
    }

    /// Carries these outputs and what follows from them.
    pub(crate) fn carry(&mut self, mut outputs: Vec<ReaderOutput>) {
        while !outputs.is_empty() {
            let mut more = Vec::new();
            for output in outputs {
                if let ReaderOutput::Write(value) = output {
                    if let Some(bytes) = self.from_host.push(&value).message {
                        let Ok(Message::Request { reference, command, body }) = message::parse(&bytes) else {
                            panic!("not a request")
                        };
                        self.requests.push((reference, command, body.to_vec()));
                    }
                    more.extend(self.reader.handle(ReaderInput::WriteDone).unwrap());
                } else {
                    self.outputs.push(output);
                }
            }
            outputs = more;
        }
    }

    /// The reader says this.
    pub(crate) fn say(&mut self, message: &[u8]) {
        for value in self.to_host.segment(message, 244) {
            self.give(ReaderInput::Bytes(&value));
        }
    }

    /// What the reader would write to say this.
    pub(crate) fn cut(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        self.to_host.segment(message, 244)
    }

    /// The reader says this and it gets lost.
    pub(crate) fn lose(&mut self, message: &[u8]) {
        let _ = self.to_host.segment(message, 244);
    }

    pub(crate) fn note(&mut self, id: u16, code: [u8; 4]) {
        self.say(&message::notification(id, code, None));
    }

    pub(crate) fn answer(&mut self, reference: u8, command: u16, status: Status, body: Option<&[u8]>) {
        self.say(&message::response(reference, command, status, body));
    }

    /// Answers the one request that is open.
    pub(crate) fn answer_last(&mut self, status: Status) -> u16 {
        let (reference, command, _) = self.requests.pop().expect("an open request");
        self.answer(reference, command, status, None);
        command
    }

    pub(crate) fn fire(&mut self, id: TimerId) {
        self.give(ReaderInput::Timer(id));
    }

    pub(crate) fn events(&self) -> Vec<ReaderEvent> {
        let of = |output: &ReaderOutput| match output {
            ReaderOutput::Event(event) => Some(event.clone()),
            _ => None,
        };
        self.outputs.iter().filter_map(of).collect()
    }

    /// The milliseconds this timer was set to last, or none if it was cleared since or never set.
    pub(crate) fn timer(&self, wanted: TimerId) -> Option<u64> {
        self.outputs.iter().rev().find_map(|output| match output {
            ReaderOutput::SetTimer { id, after_ms } if *id == wanted => Some(Some(*after_ms)),
            ReaderOutput::ClearTimer(id) if *id == wanted => Some(None),
            _ => None,
        })?
    }
}
