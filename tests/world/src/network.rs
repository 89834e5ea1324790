//! The line between a phone and the acquirer: what becomes of one request and its answer.

use std::collections::BTreeMap;

use sandbox_acquirer::{Delivery, Request, Response};
use takings_acquirers::http::Carried;
use takings_acquirers::{Answer, SignedRequest};

use crate::phone::ACQUIRER;
use crate::plan::FaultKind;
use crate::streams::Stream;

/// What becomes of one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// How the request fares.
    pub request: RequestFate,
    /// How the answer fares.
    pub answer: AnswerFate,
    /// The request arrives again, so much later.
    pub again_ms: Option<i64>,
    /// The way there, milliseconds.
    pub there_ms: i64,
    /// The way back, milliseconds.
    pub back_ms: i64,
}

/// How a request fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFate {
    /// It arrives.
    Arrives,
    /// The connection is refused: nothing left.
    Refused,
    /// It is lost.
    Lost,
    /// A portal answers in the acquirer's place.
    Portal,
}

/// How an answer fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFate {
    /// It arrives.
    Arrives,
    /// It is lost.
    Lost,
    /// It breaks off.
    Half,
    /// A byte of it is another.
    Spoiled,
}

impl Fate {
    /// Of a request's fate, drawn from its own stream, in this weather.
    #[must_use]
    pub fn draw(stream: &mut Stream, weather: &BTreeMap<usize, FaultKind>) -> Self {
        let there_ms = stream.between(20, 400);
        let back_ms = stream.between(20, 400);
        let mut fate =
            Self { request: RequestFate::Arrives, answer: AnswerFate::Arrives, again_ms: None, there_ms, back_ms };
        for kind in weather.values() {
            fate.spoil(stream, kind);
        }
        fate
    }

    fn spoil(&mut self, stream: &mut Stream, kind: &FaultKind) {
        match kind {
            FaultKind::NoNetwork => self.request = RequestFate::Refused,
            FaultKind::Blackhole => self.request = RequestFate::Lost,
            FaultKind::Portal => self.request = RequestFate::Portal,
            FaultKind::BadLine { lost_request, lost_answer, half_answer, spoiled, doubled, delay_ms } => {
                self.there_ms += stream.between(0, *delay_ms);
                self.back_ms += stream.between(0, *delay_ms);
                let (lost, broken, other, gone, twice) = (
                    stream.once_in_thousand(*lost_request),
                    stream.once_in_thousand(*half_answer),
                    stream.once_in_thousand(*spoiled),
                    stream.once_in_thousand(*lost_answer),
                    stream.once_in_thousand(*doubled),
                );
                if lost && self.request == RequestFate::Arrives {
                    self.request = RequestFate::Lost;
                }
                self.answer = match (gone, broken, other) {
                    (true, ..) => AnswerFate::Lost,
                    (_, true, _) => AnswerFate::Half,
                    (.., true) => AnswerFate::Spoiled,
                    _ => self.answer,
                };
                self.again_ms = twice.then(|| stream.between(1, 30_000));
            }
            _ => {}
        }
    }
}

/// As the acquirer receives it.
#[must_use]
pub fn received(request: &SignedRequest) -> Request {
    Request {
        method: request.method.as_str().to_owned(),
        target: request.url.strip_prefix(ACQUIRER).unwrap_or(&request.url).to_owned(),
        headers: request.headers.clone(),
        body: request.body.clone(),
    }
}

/// What the transport says of this answer.
#[must_use]
pub fn carried(response: Response, fate: AnswerFate) -> Carried {
    match (response.fault, fate) {
        (Some(Delivery::DropRequest | Delivery::DropAnswer), _) | (_, AnswerFate::Lost) => {
            Carried::Maybe("closed".to_owned())
        }
        (Some(Delivery::HalfAnswer), _) | (_, AnswerFate::Half) => Carried::Maybe("the answer broke off".to_owned()),
        (Some(Delivery::Delay { .. }) | None, fate) => {
            let mut answer = Answer { status: response.status, headers: response.headers, body: response.body };
            if fate == AnswerFate::Spoiled {
                spoil(&mut answer.body);
            }
            Carried::Answer(answer)
        }
    }
}

/// What a liar would change; where there is nothing to lie about, a bit.
const LIES: [(&str, &str); 6] = [
    ("\"authorization\":\"declined\"", "\"authorization\":\"approved\""),
    ("\"authorization\":\"processing\"", "\"authorization\":\"declined\""),
    ("\"authorization\":\"approved\"", "\"authorization\":\"declined\""),
    ("\"arrival\":\"scheduled\"", "\"arrival\":\"returned\""),
    ("\"status\":\"sent\"", "\"status\":\"failed\""),
    ("\"status\":\"arrived\"", "\"status\":\"returned\""),
];

fn spoil(body: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(body);
    match LIES.iter().find(|(truth, _)| text.contains(truth)) {
        Some((truth, lie)) => *body = text.replacen(truth, lie, 1).into_bytes(),
        None => {
            let middle = body.len() / 2;
            if let Some(byte) = body.get_mut(middle) {
                *byte ^= 1;
            }
        }
    }
}

/// The page of a portal.
#[must_use]
pub fn portal() -> Carried {
    let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    Carried::Answer(Answer { status: 200, headers, body: b"<html><body>Welcome</body></html>".to_vec() })
}

/// Method and path, with ids replaced.
#[must_use]
pub fn name(request: &SignedRequest) -> String {
    let target = request.url.strip_prefix(ACQUIRER).unwrap_or(&request.url);
    let path = target.split('?').next().unwrap_or(target);
    let named = |segment: &str| {
        let known = segment.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-') || segment == "v1";
        if known { segment.to_owned() } else { "*".to_owned() }
    };
    let path: Vec<String> = path.split('/').map(named).collect();
    format!("{} {}", request.method.as_str(), path.join("/"))
}
