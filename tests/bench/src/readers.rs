//! What a payment costs on the reader's side: the engine over recorded values, against copying the same bytes.

use std::hint::black_box;
use std::time::Instant;

use takings_domain::EntryMode;
use takings_readers::simulated::{CardScript, SimulatedReader};
use takings_readers::{Reader, ReaderEvent, ReaderInput, ReaderOutput, StartRequest};

use crate::Outcome;
use crate::measure::{Samples, hundredths, in_turns, shown};
use crate::table::Table;

const START: StartRequest = StartRequest {
    amount_minor: 1_250,
    currency_numeric: 156,
    currency_exponent: 2,
    timeout_s: 60,
    contact: true,
    contactless: true,
    magstripe: true,
    chip_failed: false,
};

/// One thing that is given to the engine.
enum Given {
    LinkUp,
    Value(Vec<u8>),
    WriteDone,
    Start,
}

/// What an engine was given over some payments, one connection for all of them.
pub struct Recording {
    value_len: usize,
    given: Vec<Given>,
    /// How many inputs came before the first payment.
    before: usize,
    payments: usize,
}

impl Recording {
    /// Plays so many payments at a simulated reader and keeps what its engine was given. `value_len`: bytes.
    ///
    /// # Errors
    /// If the engine refuses.
    pub fn of(payments: usize, value_len: usize) -> Outcome<Self> {
        let mut reader = Reader::new(1, value_len);
        let mut simulated = SimulatedReader::new(1, "B61378A");
        simulated.link_up(value_len);
        let mut recording = Self { value_len, given: Vec::new(), before: 0, payments };
        recording.give(&mut reader, &mut simulated, Given::LinkUp)?;
        recording.before = recording.given.len();
        for _ in 0..payments {
            simulated.present(CardScript::new("6222", "0048", EntryMode::Chip));
            recording.give(&mut reader, &mut simulated, Given::Start)?;
        }
        Ok(recording)
    }

    /// One input, and everything that follows from it until both sides are silent.
    fn give(&mut self, reader: &mut Reader, simulated: &mut SimulatedReader, first: Given) -> Outcome<()> {
        let mut next = Some(first);
        while let Some(given) = next.take() {
            for output in handle(reader, &given)? {
                if let ReaderOutput::Write(value) = output {
                    simulated.receive(&value);
                    next = Some(Given::WriteDone);
                }
            }
            self.given.push(given);
            if next.is_none() {
                next = simulated.outbound().map(Given::Value);
            }
        }
        Ok(())
    }

    /// An engine that is connected, and nothing more.
    ///
    /// # Errors
    /// If the engine refuses.
    pub fn connected(&self) -> Outcome<Reader> {
        let mut reader = Reader::new(1, self.value_len);
        for given in self.given.iter().take(self.before) {
            handle(&mut reader, given)?;
        }
        Ok(reader)
    }

    /// Gives a connected engine all payments; how many card data came out of it.
    ///
    /// # Errors
    /// If the engine refuses.
    pub fn pay(&self, reader: &mut Reader) -> Outcome<usize> {
        let mut requests = 0;
        for given in self.given.iter().skip(self.before) {
            let outputs = handle(reader, given)?;
            requests += outputs
                .iter()
                .filter(|output| matches!(output, ReaderOutput::Event(ReaderEvent::OnlineRequest(_))))
                .count();
        }
        Ok(requests)
    }

    /// How many values one payment brings, and how many bytes.
    #[must_use]
    pub fn size_of_one(&self) -> (usize, usize) {
        let values = || self.given.iter().skip(self.before).filter_map(value);
        (values().count() / self.payments.max(1), values().map(<[u8]>::len).sum::<usize>() / self.payments.max(1))
    }

    /// The same bytes, one value after the other, into memory that is there already.
    fn copy(&self, into: &mut [u8]) -> Outcome<()> {
        for value in self.given.iter().skip(self.before).filter_map(value) {
            into.get_mut(..value.len()).ok_or("a value is longer than it says")?.copy_from_slice(black_box(value));
            black_box(&mut *into);
        }
        Ok(())
    }
}

fn value(given: &Given) -> Option<&[u8]> {
    match given {
        Given::Value(value) => Some(value),
        Given::LinkUp | Given::WriteDone | Given::Start => None,
    }
}

fn handle(reader: &mut Reader, given: &Given) -> Outcome<Vec<ReaderOutput>> {
    Ok(reader.handle(match given {
        Given::LinkUp => ReaderInput::LinkUp,
        Given::Value(value) => ReaderInput::Bytes(value),
        Given::WriteDone => ReaderInput::WriteDone,
        Given::Start => ReaderInput::Start(START),
    })?)
}

/// Measures and prints.
///
/// # Errors
/// If the engine refuses.
pub fn run(table: &mut Table, payments: usize, rounds: usize) -> Outcome<()> {
    table.heading(
        "A payment at the reader's engine",
        &["value length, bytes", "values", "bytes", "engine", "copied", "engine / copied"],
    );
    for value_len in [244, 101, 20] {
        let recording = Recording::of(payments, value_len)?;
        let (mut engine, mut copied) = (Samples::default(), Samples::default());
        let mut memory = vec![0; value_len];
        in_turns(
            rounds,
            &mut [
                &mut || {
                    let mut reader = recording.connected()?;
                    let began = Instant::now();
                    let requests = recording.pay(&mut reader)?;
                    engine.push(began.elapsed());
                    if requests == payments { Ok(()) } else { Err("a payment without card data".into()) }
                },
                &mut || copied.time(|| recording.copy(&mut memory)),
            ],
        )?;
        let (values, bytes) = recording.size_of_one();
        let each = u32::try_from(payments)?;
        let (engine, copied) = (engine.p50() / each, copied.p50() / each);
        table.row(&[
            value_len.to_string(),
            values.to_string(),
            bytes.to_string(),
            shown(engine),
            shown(copied),
            hundredths(engine.as_nanos(), copied.as_nanos()),
        ]);
    }
    Ok(())
}
