//! What goes wrong in the reader itself, and how its payments end.

use takings_domain::EntryMode;
use takings_readers::simulated::{Behaviour, Failure, Other};

use super::{ReaderFault, Sale};
use crate::streams::Stream;

/// Ends that say nothing of the card: listed ones of each outcome, and two that are on no list.
const ENDS: [[u8; 4]; 15] = [
    [0x00, 0x01, 0x00, 0x00],
    [0x08, 0x03, 0x05, 0x00],
    [0x10, 0x02, 0x00, 0x02],
    [0x10, 0x02, 0x01, 0x00],
    [0x10, 0x02, 0x04, 0x00],
    [0x10, 0x02, 0x05, 0x00],
    [0x10, 0x02, 0x08, 0x03],
    [0x10, 0x02, 0x0A, 0x00],
    [0x10, 0x02, 0x0B, 0x00],
    [0x10, 0x02, 0x0E, 0x00],
    [0x20, 0x02, 0x01, 0x00],
    [0x20, 0x02, 0x0C, 0x00],
    [0x20, 0x02, 0x03, 0x00],
    [0x10, 0x7F, 0x00, 0x00],
    [0x33, 0x02, 0x07, 0x00],
];
/// Ends that say something of the card: approved by it, deferred, declined; again two that are on no list.
const VERDICTS: [[u8; 4]; 6] = [
    [0x10, 0x02, 0x02, 0x00],
    [0x10, 0x02, 0x06, 0x00],
    [0x10, 0x02, 0x07, 0x00],
    [0x10, 0x02, 0x80, 0x00],
    [0x20, 0x02, 0x77, 0x00],
    [0x10, 0x7F, 0x00, 0x00],
];
/// Why a start is refused: group, subgroup, code.
const REFUSALS: [[u8; 3]; 4] = [[0x00, 0x00, 0x16], [0x01, 0x01, 0x10], [0x02, 0x03, 0x08], [0x7F, 0x00, 0x01]];

/// Adds what the reader does to a sale.
pub(super) fn draw(stream: &mut Stream, sale: &mut Sale) {
    // A sale takes some thirty values from the reader, and half as many to it.
    let values = u32::try_from(stream.below(32)).unwrap_or(0);
    let (ends, verdict) = (*stream.pick(&ENDS), *stream.pick(&VERDICTS));
    let any = if stream.below(3) == 0 { ends } else { verdict };
    sale.failures = draw_failures(stream, values, any);
    if stream.below(50) == 0 && sale.reader == ReaderFault::None {
        sale.reader = ReaderFault::FailsWrite(values);
    }
    // Also a verdict without card data.
    let without_data = if stream.below(2) == 0 { ends } else { verdict };
    match stream.below(40) {
        0 => sale.card.behaviour = Behaviour::EndsWith(without_data),
        1 => sale.card.behaviour = Behaviour::OnlineThenEndsWith(any),
        2 => {
            sale.card.entry_mode = EntryMode::Stripe;
            sale.card.behaviour = Behaviour::ChipCardSwiped;
        }
        _ => {}
    }
    sale.presents_again = u8::try_from(stream.below(4)).unwrap_or(0);
}

fn draw_failures(stream: &mut Stream, values: u32, any: [u8; 4]) -> Vec<Failure> {
    let another = *stream.pick(&VERDICTS);
    let refusal = *stream.pick(&REFUSALS);
    let other = *stream.pick(&[Other::Amount, Other::Currency, Other::Card]);
    match stream.below(100) {
        0 => vec![Failure::Silent],
        1 => vec![Failure::SilentAfter(values)],
        2 => vec![Failure::Restarted],
        3 => vec![Failure::RestartsAfter(values)],
        4 => vec![Failure::RestartsAfter(values), Failure::RestartsAfter(values / 2)],
        5 => vec![Failure::LosesValue(values)],
        6 => vec![Failure::DoublesValue(values)],
        7..=8 => vec![Failure::RepeatsValue(values)],
        9 => vec![Failure::SwapsValues(values)],
        10 => vec![Failure::SpoilsCardData],
        11..=12 => vec![Failure::EndsAgain(any)],
        13 => vec![Failure::EndsAgain(any), Failure::EndsAgain(another), Failure::EndsAgain(any)],
        14 => vec![Failure::NoReceiptData],
        15..=16 => vec![Failure::OtherReceiptData(other)],
        17 => vec![Failure::RestartsSoon(3)],
        18 => vec![Failure::SwitchesOff],
        19 => vec![Failure::TooCold(-12)],
        20 => vec![Failure::TooHot(55)],
        21 => vec![Failure::RefusesStart(refusal)],
        _ => Vec::new(),
    }
}
