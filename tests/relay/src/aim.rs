//! Aiming: cuts that concern some requests only, and what passed with them.
//!
//! The relay knows no more of HTTP than this: on one connection a request begins after the answer before it began, and its
//! first line says what it is.

use std::sync::{Mutex, PoisonError};

use crate::mode::Way;

/// One request that was aimed at, with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchange {
    /// Which of the aims it is, by place.
    pub aim: usize,
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
    aims: Vec<Aim>,
    age: u64,
    seen: Vec<Exchange>,
}

#[derive(Debug)]
struct Aim {
    method: String,
    path: String,
    hit: bool,
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
    /// It belongs to something else, or to an aim that is done with.
    Elsewhere,
    /// It belongs to what is aimed at; so many bytes of it came before.
    On(usize),
}

impl Sights {
    /// Aims at requests of these methods and paths, or at nothing.
    pub(crate) fn aim(&self, at: &[(&str, &str)]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let aim = |(method, path): &(&str, &str)| Aim { method: (*method).into(), path: (*path).into(), hit: false };
        state.aims = at.iter().map(aim).collect();
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
        if state.aims.is_empty() {
            return Bearing::Free;
        }
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.age != state.age {
            *running = Running { age: state.age, ..Running::default() };
        }
        match way {
            Way::Request if !running.begun || running.answered => {
                let request_line = first_line(piece);
                let aim = state.aims.iter().position(|aim| aim.is_at(&request_line));
                let place = aim.map(|aim| {
                    state.seen.push(Exchange { aim, request_line, ..Exchange::default() });
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
        let (aim, cut) = (exchange.aim, exchange.cut);
        let done = !cut && state.aims.len() > 1 && state.aims.get(aim).is_some_and(|aim| aim.hit);
        if done { Bearing::Elsewhere } else { Bearing::On(before) }
    }

    /// Notes that what this connection carries was cut.
    pub(crate) fn cut(&self, running: &Mutex<Running>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.age == state.age
            && let Some(exchange) = running.place.and_then(|place| state.seen.get_mut(place))
        {
            exchange.cut = true;
            let aim = exchange.aim;
            if let Some(aim) = state.aims.get_mut(aim) {
                aim.hit = true;
            }
        }
    }
}

fn first_line(piece: &[u8]) -> String {
    let end = piece.iter().position(|byte| *byte == b'\r').unwrap_or(piece.len());
    String::from_utf8_lossy(&piece[..end]).into_owned()
}

impl Aim {
    fn is_at(&self, line: &str) -> bool {
        let mut words = line.split(' ');
        let (Some(asked), Some(target)) = (words.next(), words.next()) else { return false };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (wanted, in_query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let same = |(part, wanted): (&str, &str)| wanted == "*" || part == wanted;
        asked == self.method
            && path.split('/').count() == wanted.split('/').count()
            && path.split('/').zip(wanted.split('/')).all(same)
            && query.contains(in_query)
    }
}

#[cfg(test)]
mod tests {
    use super::Aim;

    fn hits(line: &str, method: &str, path: &str) -> bool {
        Aim { method: method.to_owned(), path: path.to_owned(), hit: false }.is_at(line)
    }

    #[test]
    fn an_aim_is_a_method_a_path_and_words_of_the_query() {
        let list = "GET /v1/payments?limit=200&cursor=a HTTP/1.1";
        assert!(hits(list, "GET", "/v1/payments"));
        assert!(hits(list, "GET", "/v1/payments?cursor="));
        assert!(!hits(list, "GET", "/v1/payments?status="));
        assert!(!hits("POST /v1/payments HTTP/1.1", "GET", "/v1/payments"));
        assert!(!hits("POST /v1/payments/batch HTTP/1.1", "POST", "/v1/payments"));
        assert!(hits("GET /v1/payments/p1 HTTP/1.1", "GET", "/v1/payments/*"));
        assert!(!hits(list, "GET", "/v1/payments/*"));
        assert!(!hits("", "GET", "/"));
    }
}
