//! The line between till and acquirer: what is done to one exchange.

use sandbox_acquirer::{Delivery, Request, Response};
use takings_acquirers::http::Carried;
use takings_acquirers::{Answer, SignedRequest};
use takings_domain::PaymentId;

/// What the line does to one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection is refused: nothing left.
    Refused,
    /// The request is lost on its way.
    DropRequest,
    /// The answer is lost on its way.
    DropAnswer,
    /// The answer breaks off.
    HalfAnswer,
    /// One byte of the answer is another.
    FlipByte,
    /// The answer's signature is another's.
    FlipSignature,
    /// A portal answers with a page; the request is lost.
    Portal,
    /// Somebody without a key answers this status, with this many seconds to wait; the request is lost.
    Unsigned(u16, Option<u32>),
    /// The answer comes twice.
    TwiceAnswered,
    /// The acquirer answers, and the answer waits for the test.
    Late,
    /// The batch reaches the acquirer without this payment: its signed answer lacks it.
    Hide(PaymentId),
}

/// A rule of the line: the next so many exchanges of this name.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) on: String,
    pub(super) times: u32,
    pub(super) fault: Fault,
}

/// Method and path, ids replaced, as the sandbox's own faults name it.
pub(super) fn name(request: &SignedRequest, base: &str) -> String {
    let target = request.url.strip_prefix(base).unwrap_or(&request.url);
    let path = target.split('?').next().unwrap_or(target);
    let named = |segment: &str| {
        let known = segment.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-') || segment == "v1";
        if known { segment.to_owned() } else { "*".to_owned() }
    };
    let path: Vec<String> = path.split('/').map(named).collect();
    format!("{} {}", request.method.as_str(), path.join("/"))
}

pub(super) fn request_of(request: &SignedRequest, base: &str) -> Request {
    Request {
        method: request.method.as_str().to_owned(),
        target: request.url.strip_prefix(base).unwrap_or(&request.url).to_owned(),
        headers: request.headers.clone(),
        body: request.body.clone(),
    }
}

/// What the transport would say of this response.
pub(super) fn carried(response: Response) -> Carried {
    match response.fault {
        Some(Delivery::DropRequest | Delivery::DropAnswer) => Carried::Maybe("closed".to_owned()),
        Some(Delivery::HalfAnswer) => Carried::Maybe("the answer broke off".to_owned()),
        Some(Delivery::Delay { .. }) | None => {
            Carried::Answer(Answer { status: response.status, headers: response.headers, body: response.body })
        }
    }
}

pub(super) fn unsigned(status: u16, retry_after_s: Option<u32>) -> Carried {
    let mut headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    headers.extend(retry_after_s.map(|seconds| ("retry-after".to_owned(), seconds.to_string())));
    let body = b"<html><body>Welcome to the market's Wi-Fi</body></html>".to_vec();
    Carried::Answer(Answer { status, headers, body })
}

/// One byte of the body, or of the signature if there is no body to spoil.
pub(super) fn spoil(carried: Carried, signature: bool) -> Carried {
    let Carried::Answer(mut answer) = carried else { return carried };
    if signature || answer.body.is_empty() {
        for (name, value) in &mut answer.headers {
            if name == "webhook-signature" {
                let last = value.pop().unwrap_or('A');
                let before = value.pop().unwrap_or('A');
                value.push(if before == 'A' { 'B' } else { 'A' });
                value.push(last);
            }
        }
    } else {
        let middle = answer.body.len() / 2;
        answer.body[middle] ^= 0x01;
    }
    Carried::Answer(answer)
}
