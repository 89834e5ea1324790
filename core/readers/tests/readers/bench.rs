//! An engine and a simulated reader with nothing but values between them.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;
use takings_readers::simulated::{SimulatedReader, Stage};
use takings_readers::{
    OnlineRequest, Outcome, Reader, ReaderError, ReaderEvent, ReaderInput, ReaderOutput, StartRequest, TimerId,
};

/// The same cases every time, unless `PROPTEST_RNG_SEED` names another seed.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(20_261_121);
    }
    config
}

/// Both ends of one link.
pub(crate) struct Bench {
    pub(crate) reader: Reader,
    pub(crate) simulated: SimulatedReader,
    pub(crate) timers: BTreeMap<TimerId, u64>,
    pub(crate) disconnected: bool,
}

pub(crate) fn payment(amount_minor: i64) -> StartRequest {
    StartRequest {
        amount_minor,
        currency_numeric: 156,
        currency_exponent: 2,
        timeout_s: 60,
        contact: true,
        contactless: true,
        magstripe: true,
        chip_failed: false,
    }
}

impl Bench {
    pub(crate) fn new(value_len: usize) -> Self {
        Self::with(SimulatedReader::new(7, "B61378A"), value_len)
    }

    pub(crate) fn with(mut simulated: SimulatedReader, value_len: usize) -> Self {
        simulated.link_up(value_len);
        Self { reader: Reader::new(1, value_len), simulated, timers: BTreeMap::new(), disconnected: false }
    }

    /// A bench whose reader is ready.
    pub(crate) fn ready(value_len: usize) -> Self {
        let mut bench = Self::new(value_len);
        let events = bench.give(ReaderInput::LinkUp).unwrap();
        assert!(matches!(events.last(), Some(ReaderEvent::Ready { .. })), "{events:?}");
        bench
    }

    /// Gives one input and carries everything that follows, until both sides are silent.
    pub(crate) fn give(&mut self, input: ReaderInput<'_>) -> Result<Vec<ReaderEvent>, ReaderError> {
        self.give_until(input, |_| false)
    }

    /// The same, but the reader's values stop coming once `stop` says so of its stage.
    pub(crate) fn give_until(
        &mut self,
        input: ReaderInput<'_>,
        stop: impl Fn(Stage) -> bool,
    ) -> Result<Vec<ReaderEvent>, ReaderError> {
        self.carry(input, stop, |value| vec![value])
    }

    /// The same until both sides are silent, but in the place of each of the reader's values come those `way` makes of it.
    pub(crate) fn give_through(
        &mut self,
        input: ReaderInput<'_>,
        way: impl FnMut(Vec<u8>) -> Vec<Vec<u8>>,
    ) -> Result<Vec<ReaderEvent>, ReaderError> {
        self.carry(input, |_| false, way)
    }

    fn carry(
        &mut self,
        input: ReaderInput<'_>,
        stop: impl Fn(Stage) -> bool,
        mut way: impl FnMut(Vec<u8>) -> Vec<Vec<u8>>,
    ) -> Result<Vec<ReaderEvent>, ReaderError> {
        let mut events = Vec::new();
        let mut outputs: VecDeque<_> = self.reader.handle(input)?.into();
        loop {
            let mut writes = 0;
            while let Some(output) = outputs.pop_front() {
                match output {
                    ReaderOutput::Write(value) => {
                        assert!(value.len() <= 244, "a value of {} bytes", value.len());
                        writes += 1;
                        assert_eq!(writes, 1, "a second write before the first was confirmed");
                        self.simulated.receive(&value);
                        let more = self.reader.handle(ReaderInput::WriteDone)?;
                        writes -= 1;
                        outputs.extend(more);
                    }
                    ReaderOutput::SetTimer { id, after_ms } => {
                        self.timers.insert(id, after_ms);
                    }
                    ReaderOutput::ClearTimer(id) => {
                        self.timers.remove(&id);
                    }
                    ReaderOutput::Disconnect => self.disconnected = true,
                    ReaderOutput::Command(command) => panic!("{command:?} for a reader with bytes"),
                    ReaderOutput::Event(event) => events.push(event),
                }
            }
            if stop(self.simulated.stage()) {
                return Ok(events);
            }
            match self.simulated.outbound() {
                Some(value) => {
                    for value in way(value) {
                        outputs.extend(self.reader.handle(ReaderInput::Bytes(&value))?);
                    }
                }
                None => return Ok(events),
            }
        }
    }

    /// Lets a timer that is set run out.
    pub(crate) fn fire(&mut self, id: TimerId) -> Vec<ReaderEvent> {
        assert!(self.timers.remove(&id).is_some(), "{id:?} is not set");
        self.give(ReaderInput::Timer(id)).unwrap()
    }
}

pub(crate) fn outcomes(events: &[ReaderEvent]) -> Vec<(Outcome, Option<[u8; 4]>)> {
    let of = |event: &ReaderEvent| match event {
        ReaderEvent::Outcome { outcome, code } => Some((*outcome, *code)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

pub(crate) fn online_requests(events: &[ReaderEvent]) -> Vec<&OnlineRequest> {
    fn request(event: &ReaderEvent) -> Option<&OnlineRequest> {
        match event {
            ReaderEvent::OnlineRequest(request) => Some(request),
            _ => None,
        }
    }
    events.iter().filter_map(request).collect()
}
