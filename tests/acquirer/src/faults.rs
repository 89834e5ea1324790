//! Planted faults: rules that spoil requests to `/v1`. They are part of the state.

use serde::Serialize;
use serde_json::Value;

use crate::message::Delivery;
use crate::random::Stream;

/// What a rule does to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Kind {
    DropRequest,
    DropAnswer,
    HalfAnswer,
    Delay {
        delay_ms: u64,
    },
    /// Answers this status; `processed` says whether the request takes effect first.
    Status {
        status: u16,
        retry_after_s: Option<u32>,
        processed: bool,
    },
    WrongSignature,
    Duplicate,
    /// Processed; answered with what this payment or payout said when it was read first.
    OlderAnswer,
    /// Answers the problem of this slug without processing.
    Refuse {
        problem: String,
    },
}

impl Kind {
    /// The delivery this kind asks for, once the request was processed.
    pub(crate) fn delivery(&self) -> Option<Delivery> {
        match self {
            Self::DropAnswer => Some(Delivery::DropAnswer),
            Self::HalfAnswer => Some(Delivery::HalfAnswer),
            Self::Delay { delay_ms } => Some(Delivery::Delay { ms: *delay_ms }),
            _ => None,
        }
    }
}

/// One rule.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Rule {
    pub(crate) fault_id: String,
    pub(crate) on: String,
    #[serde(flatten)]
    pub(crate) kind: Kind,
    /// How often it may still fire; null = without end.
    pub(crate) remaining: Option<u32>,
    /// Matching requests it lets pass first.
    pub(crate) after: u32,
    /// Chance in millionths.
    pub(crate) probability_ppm: u32,
    pub(crate) seed: u64,
    pub(crate) matched: u32,
    pub(crate) fired: u32,
    #[serde(skip)]
    stream: Stream,
}

/// A rule fired: what happened to which request, and when.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fired {
    at_ms: i64,
    fault_id: String,
    #[serde(flatten)]
    kind: Kind,
    method: String,
    path: String,
}

/// All rules, in the order they were planted, and what they did. Removing a rule does not undo what it did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
    fired: Vec<Fired>,
    made: u32,
}

impl Faults {
    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub(crate) fn fired(&self) -> &[Fired] {
        &self.fired
    }

    /// Plants a rule from its JSON; the error says which field is wrong.
    pub(crate) fn plant(&mut self, body: &Value, seed: u64) -> Result<Rule, String> {
        let on = body.get("on").and_then(Value::as_str).ok_or("on: \"METHOD /path\" or \"*\" is needed")?;
        if on != "*" && on.split_once(' ').is_none_or(|(_, path)| !path.starts_with('/')) {
            return Err("on: \"METHOD /path\" or \"*\" is needed".to_owned());
        }
        let number = |name: &str, default: u64| match body.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => value.as_u64().ok_or(format!("{name}: a whole number is needed")),
        };
        let small = |name: &str, default: u64| {
            number(name, default).and_then(|n| u32::try_from(n).map_err(|_| format!("{name}: too large")))
        };
        let kind = kind(body, &number)?;
        let remaining = match body.get("count") {
            None | Some(Value::Null) => None,
            Some(_) => Some(small("count", 0)?),
        };
        let seed = number("seed", seed)?;
        self.made += 1;
        let rule = Rule {
            fault_id: format!("fault-{}", self.made),
            on: on.to_owned(),
            kind,
            remaining,
            after: small("after", 0)?,
            probability_ppm: match small("probability_ppm", 1_000_000)? {
                1_000_000 => probability_ppm(body.get("probability"))?,
                ppm @ 0..1_000_000 => ppm,
                _ => return Err("probability_ppm: from 0 to 1000000 is needed".to_owned()),
            },
            seed,
            matched: 0,
            fired: 0,
            stream: Stream::new(seed, &format!("fault {}", self.made)),
        };
        self.rules.push(rule.clone());
        Ok(rule)
    }

    /// Removes one rule, or all without an id; says how many went.
    pub(crate) fn remove(&mut self, fault_id: Option<&str>) -> usize {
        let before = self.rules.len();
        self.rules.retain(|rule| fault_id.is_some_and(|id| rule.fault_id != id));
        before - self.rules.len()
    }

    /// The fault for this request: the first rule that matches and fires.
    pub(crate) fn strike(&mut self, at_ms: i64, method: &str, path: &str) -> Option<Kind> {
        for rule in &mut self.rules {
            if rule.remaining == Some(0) || !matches(&rule.on, method, path) {
                continue;
            }
            rule.matched += 1;
            if rule.matched <= rule.after || rule.stream.below(1_000_000) >= u64::from(rule.probability_ppm) {
                continue;
            }
            rule.fired += 1;
            rule.remaining = rule.remaining.map(|left| left - 1);
            let (fault_id, kind) = (rule.fault_id.clone(), rule.kind.clone());
            self.fired.push(Fired { at_ms, fault_id, kind, method: method.to_owned(), path: path.to_owned() });
            return Some(rule.kind.clone());
        }
        None
    }
}

fn kind(body: &Value, number: &dyn Fn(&str, u64) -> Result<u64, String>) -> Result<Kind, String> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    Ok(match text("kind").unwrap_or("") {
        "drop_request" => Kind::DropRequest,
        "drop_answer" => Kind::DropAnswer,
        "half_answer" => Kind::HalfAnswer,
        "delay" => Kind::Delay { delay_ms: number("delay_ms", 1_000)? },
        "status" => {
            let status = number("status", 503)?;
            if status != 429 && !(500..=599).contains(&status) {
                return Err("status: 429 or 500..599 is needed".to_owned());
            }
            Kind::Status {
                status: u16::try_from(status).unwrap_or(503),
                retry_after_s: match body.get("retry_after_s").or_else(|| body.get("retry_after")) {
                    None | Some(Value::Null) => None,
                    Some(value) => Some(
                        value
                            .as_u64()
                            .and_then(|n| u32::try_from(n).ok())
                            .ok_or("retry_after_s: seconds are needed")?,
                    ),
                },
                processed: body.get("processed").and_then(Value::as_bool).unwrap_or(false),
            }
        }
        "wrong_signature" => Kind::WrongSignature,
        "duplicate" => Kind::Duplicate,
        "older_answer" => Kind::OlderAnswer,
        "refuse" => Kind::Refuse { problem: text("problem").unwrap_or("maintenance").to_owned() },
        _ => {
            return Err("kind: one of drop_request, drop_answer, half_answer, delay, status, wrong_signature, duplicate, older_answer, refuse".to_owned());
        }
    })
}

/// Millionths from a JSON number between 0 and 1, read as decimal text.
fn probability_ppm(value: Option<&Value>) -> Result<u32, String> {
    let refused = || "probability: a number from 0 to 1 is needed".to_owned();
    let text = match value {
        None | Some(Value::Null) => return Ok(1_000_000),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(refused()),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let whole: u32 = whole.parse().map_err(|_| refused())?;
    let part: u32 = digits.parse().map_err(|_| refused())?;
    match whole {
        0 => Ok(part),
        1 if part == 0 => Ok(1_000_000),
        _ => Err(refused()),
    }
}

/// `POST /v1/payments/*`: one star (or `{name}`) is one segment, a final `**` is any rest.
fn matches(on: &str, method: &str, path: &str) -> bool {
    if on == "*" {
        return true;
    }
    let Some((wanted_method, pattern)) = on.split_once(' ') else { return false };
    if wanted_method != "*" && !wanted_method.eq_ignore_ascii_case(method) {
        return false;
    }
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        if wanted == "**" {
            return true;
        }
        match segments.next() {
            Some(segment) if wanted == "*" || wanted.starts_with('{') || wanted == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::{Faults, Kind, matches, probability_ppm};
    use serde_json::json;

    #[test]
    fn patterns() {
        assert!(matches("POST /v1/payments/batch", "POST", "/v1/payments/batch"));
        assert!(!matches("POST /v1/payments/batch", "GET", "/v1/payments/batch"));
        assert!(matches("* /v1/payments/{id}/reversals", "POST", "/v1/payments/7/reversals"));
        assert!(!matches("GET /v1/payments/*", "GET", "/v1/payments/7/entries"));
        assert!(matches("GET /v1/**", "GET", "/v1/payouts/7/entries"));
    }

    #[test]
    fn probabilities_without_floats() {
        assert_eq!(probability_ppm(Some(&json!(0.25))), Ok(250_000));
        assert_eq!(probability_ppm(Some(&json!(1))), Ok(1_000_000));
        assert_eq!(probability_ppm(None), Ok(1_000_000));
        assert!(probability_ppm(Some(&json!(1.5))).is_err());
        assert!(probability_ppm(Some(&json!("x"))).is_err());
    }

    #[test]
    fn count_and_after() {
        let mut faults = Faults::default();
        faults.plant(&json!({"on": "*", "kind": "drop_answer", "count": 2, "after": 1}), 7).unwrap();
        let fired: Vec<bool> =
            (0..5).map(|at_ms| faults.strike(at_ms, "GET", "/v1/events") == Some(Kind::DropAnswer)).collect();
        assert_eq!(fired, [false, true, true, false, false]);
        faults.remove(None);
        let log = json!(faults.fired());
        assert_eq!(
            log[0],
            json!({"at_ms": 1, "fault_id": "fault-1", "kind": "drop_answer", "method": "GET", "path": "/v1/events"})
        );
        assert_eq!(log.as_array().map(Vec::len), Some(2), "what happened stays on record");
    }
}
