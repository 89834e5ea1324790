//! One message over many Bluetooth values, in both directions.
//!
//! A first value is `message counter, 00, 00, total length (4), data`; a later one is
//! `message counter, value counter, data`. Message counters run 00 … FF, 00; value counters of later
//! values 01 … FF, 01. There is no checksum: a whole value can go missing, and only counters tell.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use zeroize::Zeroizing;

/// The longest message accepted from a reader, in bytes.
pub const MAX_MESSAGE_LEN: usize = 64 * 1024;

/// The shortest usable value: an ATT MTU of 23 less three bytes.
pub const MIN_VALUE_LEN: usize = 20;

const FIRST_HEADER_LEN: usize = 7;
const LATER_HEADER_LEN: usize = 2;

/// Value counters of later values: 01 to FF.
const COUNTERS: usize = 255;
/// So many messages, and values of one message, back a copy is known for one: by far more than a radio holds back.
const REMEMBERED: usize = 16;

/// Cuts outgoing messages into values.
#[derive(Debug, Clone, Default)]
pub struct Segmenter {
    next_message: u8,
}

impl Segmenter {
    /// Starts at message counter 00, as after each new connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts `message` into values of at most `value_len` bytes (raised to [`MIN_VALUE_LEN`]); every
    /// value but the last is full.
    #[must_use]
    pub fn segment(&mut self, message: &[u8], value_len: usize) -> Vec<Vec<u8>> {
        let value_len = value_len.max(MIN_VALUE_LEN);
        let counter = self.next_message;
        self.next_message = counter.wrapping_add(1);
        let total = u32::try_from(message.len()).unwrap_or(u32::MAX);

        let (head, mut rest) = message.split_at(message.len().min(value_len - FIRST_HEADER_LEN));
        let mut first = Vec::with_capacity(FIRST_HEADER_LEN + head.len());
        first.extend_from_slice(&[counter, 0, 0]);
        first.extend_from_slice(&total.to_be_bytes());
        first.extend_from_slice(head);

        let mut values = vec![first];
        let mut value_counter = 0;
        while !rest.is_empty() {
            value_counter = following(value_counter);
            let (data, after) = rest.split_at(rest.len().min(value_len - LATER_HEADER_LEN));
            let mut value = Vec::with_capacity(LATER_HEADER_LEN + data.len());
            value.extend_from_slice(&[counter, value_counter]);
            value.extend_from_slice(data);
            values.push(value);
            rest = after;
        }
        values
    }
}

/// After FF comes 01: 00 marks a first value.
fn following(value_counter: u8) -> u8 {
    value_counter.checked_add(1).unwrap_or(1)
}

/// What one incoming value brought.
#[derive(Default)]
pub struct Received {
    /// At least one message, or the rest of one, did not get here.
    pub lost: bool,
    /// It came before, and is dropped: nothing is missing for it.
    pub repeated: bool,
    /// The value itself made no sense.
    pub problem: Option<LinkProblem>,
    /// A message is complete. It may hold card data, so it is wiped when dropped.
    pub message: Option<Zeroizing<Vec<u8>>>,
}

/// Why a value was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkProblem {
    /// Shorter than its header.
    #[error("a value is shorter than its header")]
    ShortValue,
    /// It announces a message of no bytes.
    #[error("a message is announced with no bytes")]
    EmptyMessage,
    /// It announces more than [`MAX_MESSAGE_LEN`].
    #[error("a message is announced too long")]
    TooLong,
}

struct Partial {
    counter: u8,
    fingerprint: u64,
    last_value: u8,
    /// How many later values came.
    later_values: usize,
    total: usize,
    data: Zeroizing<Vec<u8>>,
}

impl Partial {
    /// Whether this value came before: the last one, or one of those shortly before it.
    fn had(&self, counter: u8, value_counter: u8, data: &[u8]) -> bool {
        let behind = usize::from(self.last_value)
            .checked_sub(usize::from(value_counter))
            .unwrap_or(usize::from(self.last_value) + COUNTERS - usize::from(value_counter));
        self.counter == counter
            && match behind {
                0 => self.data.ends_with(data),
                1..=REMEMBERED => behind < self.later_values,
                _ => false,
            }
    }
}

/// Puts incoming values together and notices what is missing.
#[derive(Default)]
pub struct Reassembler {
    next_message: u8,
    /// Counter and fingerprint of the first values of the last messages that were whole.
    heard: VecDeque<(u8, u64)>,
    partial: Option<Partial>,
    /// The other side may count from 00 again.
    anew: bool,
}

impl Reassembler {
    /// Expects message counter 00, as after each new connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes are held of an incomplete message.
    #[must_use]
    pub fn held_len(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.data.len())
    }

    /// The other side has restarted: what comes next may be message 00. A copy of what was heard last is still known for
    /// one; what came before that may be said again.
    pub fn counts_anew(&mut self) {
        self.anew = true;
    }

    /// Takes one value.
    pub fn push(&mut self, value: &[u8]) -> Received {
        match value {
            [counter, 0, _, a, b, c, d, data @ ..] => self.first(*counter, u32::from_be_bytes([*a, *b, *c, *d]), data),
            [counter, later, data @ ..] if *later != 0 => self.later(*counter, *later, data),
            _ => Received {
                lost: self.partial.take().is_some(),
                problem: Some(LinkProblem::ShortValue),
                ..Received::default()
            },
        }
    }

    fn first(&mut self, counter: u8, total: u32, data: &[u8]) -> Received {
        // What was heard is not heard twice: by now it could be taken for an answer to something else. A reader that has
        // restarted counts anew and says something else.
        let fingerprint = fingerprint(total, data);
        let under_way = self.partial.as_ref().map(|partial| (partial.counter, partial.fingerprint));
        if under_way == Some((counter, fingerprint)) || self.heard.contains(&(counter, fingerprint)) {
            return Received { repeated: true, ..Received::default() };
        }
        let expected = counter == self.next_message || (self.anew && counter == 0);
        let lost = self.partial.take().is_some() || !expected;
        self.next_message = counter.wrapping_add(1);
        let refused = |problem| Received { lost, problem: Some(problem), ..Received::default() };
        let total = match usize::try_from(total) {
            Ok(0) => return refused(LinkProblem::EmptyMessage),
            Ok(total) if total <= MAX_MESSAGE_LEN => total,
            _ => return refused(LinkProblem::TooLong),
        };
        // Room for the whole message at once: growing would leave copies behind that are not wiped.
        let data_so_far = Zeroizing::new(Vec::with_capacity(total));
        let partial = Partial { counter, fingerprint, last_value: 0, later_values: 0, total, data: data_so_far };
        Received { lost, ..self.append(partial, data) }
    }

    fn later(&mut self, counter: u8, value_counter: u8, data: &[u8]) -> Received {
        match self.partial.take() {
            Some(mut partial) if partial.counter == counter && value_counter == following(partial.last_value) => {
                partial.last_value = value_counter;
                partial.later_values += 1;
                self.append(partial, data)
            }
            Some(partial) if partial.had(counter, value_counter, data) => {
                self.partial = Some(partial);
                Received { repeated: true, ..Received::default() }
            }
            // What comes late of a message that was heard takes nothing away from the one under way.
            under_way if self.heard.iter().any(|(heard, _)| *heard == counter) => {
                self.partial = under_way;
                Received { repeated: true, ..Received::default() }
            }
            dropped => {
                // The rest of a message whose loss was already told is not told again.
                let known = self.next_message.wrapping_sub(1) == counter;
                self.next_message = counter.wrapping_add(1);
                Received { lost: dropped.is_some() || !known, ..Received::default() }
            }
        }
    }

    /// Bytes past the announced length are ignored.
    fn append(&mut self, mut partial: Partial, data: &[u8]) -> Received {
        let room = partial.total - partial.data.len();
        partial.data.extend_from_slice(data.get(..room).unwrap_or(data));
        if partial.data.len() == partial.total {
            if std::mem::take(&mut self.anew) {
                self.heard.clear();
            } else if self.heard.len() == REMEMBERED {
                self.heard.pop_front();
            }
            self.heard.push_back((partial.counter, partial.fingerprint));
            return Received { message: Some(partial.data), ..Received::default() };
        }
        self.partial = Some(partial);
        Received::default()
    }
}

/// The same for the same bytes, and nothing that could be read back.
fn fingerprint(total: u32, data: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (total, data).hash(&mut hasher);
    hasher.finish()
}
