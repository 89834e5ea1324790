//! Aiming: cuts that concern some requests only, and what passed with them.
//!
//! The relay knows no more of HTTP than this: on one connection a request begins after the answer before it began, and its
//! first line says what it is.

use std::sync::{Mutex, PoisonError};

use crate::mode::Way;

/// One request that was aimed at, with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchange {
    /// Its first line, without the line end.
    pub request_line: String,
    /// Bytes of the request that reached the relay.
    pub request_bytes: usize,
    /// Bytes of the answer that reached the relay.
    pub answer_bytes: usize,
    /// The relay cut it.
    pub cut: bool,
}

/// The aim of a relay, if it has one.
#[derive(Debug, Default)]
pub(crate) struct Sights(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    words: Option<(String, String)>,
    age: u64,
    seen: Vec<Exchange>,
}

/// What a connection carries at the moment.
#[derive(Debug, Default)]
pub(crate) struct Running {
    age: u64,
    begun: bool,
    answered: bool,
    /// Where it stands among what was aimed at.
    place: Option<usize>,
}

/// How a piece stands to the aim.
pub(crate) enum Bearing {
    /// There is no aim: every connection counts its bytes.
    Free,
    /// It belongs to something else.
    Elsewhere,
    /// It belongs to what is aimed at; so many bytes of it came before.
    On(usize),
}

impl Sights {
    /// Aims at requests whose method is this and whose path ends so, or at nothing.
    pub(crate) fn aim(&self, words: Option<(&str, &str)>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.words = words.map(|(method, path)| (method.to_owned(), path.to_owned()));
        state.age = state.age.wrapping_add(1);
        state.seen.clear();
    }

    /// Everything aimed at since.
    pub(crate) fn seen(&self) -> Vec<Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seen.clone()
    }

    /// Counts a piece before it is passed on.
    pub(crate) fn bear(&self, running: &Mutex<Running>, way: Way, piece: &[u8]) -> Bearing {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(words) = state.words.clone() else { return Bearing::Free };
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.age != state.age {
            *running = Running { age: state.age, ..Running::default() };
        }
        match way {
            Way::Request if !running.begun || running.answered => {
                let line = first_line(piece);
                let place = is_aimed_at(&line, &words).then(|| {
                    state.seen.push(Exchange { request_line: line, ..Exchange::default() });
                    state.seen.len() - 1
                });
                *running = Running { age: state.age, begun: true, answered: false, place };
            }
            Way::Request => {}
            Way::Answer => running.answered = true,
        }
        let Some(exchange) = running.place.and_then(|place| state.seen.get_mut(place)) else {
            return Bearing::Elsewhere;
        };
        let counter = match way {
            Way::Request => &mut exchange.request_bytes,
            Way::Answer => &mut exchange.answer_bytes,
        };
        let before = *counter;
        *counter = before.saturating_add(piece.len());
        Bearing::On(before)
    }

    /// Notes that what this connection carries was cut.
    pub(crate) fn cut(&self, running: &Mutex<Running>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.age == state.age
            && let Some(exchange) = running.place.and_then(|place| state.seen.get_mut(place))
        {
            exchange.cut = true;
        }
    }
}

fn first_line(piece: &[u8]) -> String {
    let end = piece.iter().position(|byte| *byte == b'\r').unwrap_or(piece.len());
    String::from_utf8_lossy(&piece[..end]).into_owned()
}

fn is_aimed_at(line: &str, (method, path): &(String, String)) -> bool {
    let mut words = line.split(' ');
    let (Some(asked), Some(target)) = (words.next(), words.next()) else { return false };
    let asked_path = target.split_once('?').map_or(target, |(path, _)| path);
    asked == method && asked_path.ends_with(path.as_str())
}

#[cfg(test)]
mod tests {
    use super::is_aimed_at;

    #[test]
    fn an_aim_is_a_method_and_the_end_of_a_path() {
        let aim = ("GET".to_owned(), "/v1/payments".to_owned());
        assert!(is_aimed_at("GET /v1/payments?limit=200 HTTP/1.1", &aim));
        assert!(!is_aimed_at("POST /v1/payments HTTP/1.1", &aim));
        assert!(!is_aimed_at("GET /v1/payments/batch HTTP/1.1", &aim));
        assert!(!is_aimed_at("", &aim));
    }
}
