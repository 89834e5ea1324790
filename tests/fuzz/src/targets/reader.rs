//! Anything a reader may say, at any moment of a payment.

use takings_readers::link::Segmenter;
use takings_readers::simulated::SimulatedReader;
use takings_readers::{Fault, Reader, ReaderEvent, ReaderInput, ReaderOutput, StartRequest, TimerId};

const VALUE_LEN: usize = 244;
const START: StartRequest = StartRequest {
    amount_minor: 999,
    currency_numeric: 840,
    currency_exponent: 2,
    timeout_s: 60,
    contact: true,
    contactless: true,
    magstripe: true,
    chip_failed: false,
};

/// Carries outputs until both sides are silent; returns how many messages the reader has said.
fn connect(reader: &mut Reader) -> usize {
    let mut simulated = SimulatedReader::new(1, "B61378A");
    simulated.link_up(VALUE_LEN);
    let mut outputs = reader.handle(ReaderInput::LinkUp).unwrap_or_default();
    let mut said = 0;
    loop {
        for output in std::mem::take(&mut outputs) {
            if let ReaderOutput::Write(value) = output {
                simulated.receive(&value);
                outputs.extend(reader.handle(ReaderInput::WriteDone).unwrap_or_default());
            }
        }
        if outputs.is_empty() {
            let Some(value) = simulated.outbound() else { return said };
            said += usize::from(value[1] == 0);
            outputs = reader.handle(ReaderInput::Bytes(&value)).unwrap_or_default();
        }
    }
}

/// The input is a list of steps: one byte that picks the step, one for its length, and that many bytes.
pub fn reader(data: &[u8]) {
    let mut reader = Reader::new(1, VALUE_LEN);
    let mut segmenter = Segmenter::new();
    for _ in 0..connect(&mut reader) {
        let _ = segmenter.segment(&[0], VALUE_LEN);
    }
    let (mut starts, mut requests, mut ends) = (0, 0, 0);
    let mut failed = false;
    let mut rest = data;
    while let [step, length, tail @ ..] = rest {
        let (bytes, tail) = tail.split_at(tail.len().min(usize::from(*length)));
        rest = tail;
        let whole = segmenter.clone().segment(bytes, VALUE_LEN);
        let inputs: Vec<ReaderInput<'_>> = match step % 16 {
            0 => vec![ReaderInput::Bytes(bytes)],
            1..=4 => {
                let _ = segmenter.segment(bytes, VALUE_LEN);
                whole.iter().map(|value| ReaderInput::Bytes(value)).collect()
            }
            5 => vec![ReaderInput::Start(StartRequest { chip_failed: length % 2 == 1, ..START })],
            6 => vec![ReaderInput::Cancel],
            7 => vec![ReaderInput::ChooseApplication(*length)],
            8 => vec![ReaderInput::Timer(match length % 3 {
                0 => TimerId::Response,
                1 => TimerId::Payment,
                _ => TimerId::Closing,
            })],
            9 => vec![ReaderInput::ValueLen(usize::from(*length) * 3)],
            10 => vec![ReaderInput::WriteFailed],
            11 => vec![ReaderInput::LinkDown],
            _ => vec![ReaderInput::WriteDone],
        };
        for input in inputs {
            let started = matches!(input, ReaderInput::Start(_));
            let Ok(outputs) = reader.handle(input) else { continue };
            starts += usize::from(started);
            assert!(outputs.len() < 64);
            for output in outputs {
                match output {
                    ReaderOutput::Write(_) => assert!(!failed, "after a value that could not be written"),
                    ReaderOutput::Event(ReaderEvent::Fault(Fault::WriteFailed)) => failed = true,
                    ReaderOutput::Event(ReaderEvent::OnlineRequest(_)) => requests += 1,
                    ReaderOutput::Event(ReaderEvent::Outcome { .. }) => ends += 1,
                    _ => {}
                }
            }
            assert!(requests <= starts && ends <= starts);
            assert!(reader.buffered_len() <= 70 * 1024);
        }
    }
}
