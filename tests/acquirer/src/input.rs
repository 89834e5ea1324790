//! Reading request bodies and queries by the contract's schemas, collecting every error.

use std::cell::RefCell;

use serde_json::Value;

use crate::instant::parse_rfc3339;
use crate::problem::Problem;

/// Largest amount and largest integer of the contract: 2^53 - 1.
pub(crate) const MAX_INTEGER: i64 = 9_007_199_254_740_991;

/// Errors found so far: JSON pointer and code.
#[derive(Debug, Default)]
pub(crate) struct Errors(RefCell<Vec<(String, &'static str)>>);

impl Errors {
    pub(crate) fn add(&self, pointer: String, code: &'static str) {
        self.0.borrow_mut().push((pointer, code));
    }

    /// The value read, or the problem that lists every error.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        let errors = self.0.into_inner();
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => Err(Problem::invalid_all(&errors)),
        }
    }
}

/// A JSON object being read; `None` of a getter means that an error was noted or an optional member is absent.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    object: &'a serde_json::Map<String, Value>,
    pointer: String,
    errors: &'a Errors,
}

/// An amount with its currency.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Money {
    pub(crate) amount: i64,
    pub(crate) currency: String,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(value: &'a Value, pointer: &str, errors: &'a Errors) -> Option<Self> {
        match value {
            Value::Object(object) => Some(Self { object, pointer: pointer.to_owned(), errors }),
            _ => {
                errors.add(pointer.to_owned(), "type");
                None
            }
        }
    }

    pub(crate) fn pointer(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }

    pub(crate) fn error(&self, name: &str, code: &'static str) {
        self.errors.add(self.pointer(name), code);
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    fn needed(&self, name: &str) -> Option<&'a Value> {
        let value = self.object.get(name);
        if value.is_none() {
            self.error(name, "missing");
        }
        value
    }

    /// A required object.
    pub(crate) fn object(&self, name: &str) -> Option<Fields<'a>> {
        Self::of(self.needed(name)?, &self.pointer(name), self.errors)
    }

    /// An optional object.
    pub(crate) fn object_if(&self, name: &str) -> Option<Fields<'a>> {
        Self::of(self.object.get(name)?, &self.pointer(name), self.errors)
    }

    /// A required list with its bounds.
    pub(crate) fn list(&self, name: &str, min: usize, max: usize) -> Option<&'a Vec<Value>> {
        match self.needed(name)? {
            Value::Array(items) if (min..=max).contains(&items.len()) => Some(items),
            Value::Array(_) => {
                self.error(name, "out_of_range");
                None
            }
            _ => {
                self.error(name, "type");
                None
            }
        }
    }

    fn checked_text(&self, name: &str, value: &'a Value, fits: impl Fn(&str) -> bool) -> Option<&'a str> {
        let Value::String(text) = value else {
            self.error(name, "type");
            return None;
        };
        if fits(text) {
            return Some(text);
        }
        self.error(name, "format");
        None
    }

    /// A required text.
    pub(crate) fn text(&self, name: &str, fits: impl Fn(&str) -> bool) -> Option<&'a str> {
        self.checked_text(name, self.needed(name)?, fits)
    }

    /// An optional text.
    pub(crate) fn text_if(&self, name: &str, fits: impl Fn(&str) -> bool) -> Option<&'a str> {
        self.checked_text(name, self.object.get(name)?, fits)
    }

    /// A required word of a closed list.
    pub(crate) fn word(&self, name: &str, words: &[&'static str]) -> Option<&'static str> {
        let text = self.text(name, |_| true)?;
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            self.error(name, "unknown_word");
        }
        found
    }

    /// A required integer with its bounds.
    pub(crate) fn int(&self, name: &str, min: i64, max: i64) -> Option<i64> {
        let value = self.needed(name)?;
        let Some(number) = integer(value) else {
            self.error(name, "type");
            return None;
        };
        if (min..=max).contains(&number) {
            return Some(number);
        }
        self.error(name, "out_of_range");
        None
    }

    /// An optional truth value; false if absent.
    pub(crate) fn flag(&self, name: &str) -> bool {
        match self.object.get(name) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.error(name, "type");
                false
            }
        }
    }

    /// Required money of at least `min`.
    pub(crate) fn money(&self, name: &str, min: i64) -> Option<Money> {
        let money = self.object(name)?;
        let amount = money.int("amount", min, MAX_INTEGER);
        let currency = money.text("currency", |text| text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()));
        Some(Money { amount: amount?, currency: currency?.to_owned() })
    }

    /// A required list of money; only its form is checked.
    pub(crate) fn monies(&self, name: &str, max: usize) {
        for (index, item) in self.list(name, 0, max).into_iter().flatten().enumerate() {
            if let Some(money) = Self::of(item, &self.pointer(&format!("{name}/{index}")), self.errors) {
                money.int("amount", -MAX_INTEGER, MAX_INTEGER);
                money.text("currency", |text| text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()));
            }
        }
    }

    /// A member as it stands.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name)
    }

    /// A required instant: the text as given and its milliseconds.
    pub(crate) fn instant(&self, name: &str) -> Option<(&'a str, i64)> {
        let text = self.text(name, |text| text.len() <= 35 && parse_rfc3339(text).is_some())?;
        Some((text, parse_rfc3339(text)?))
    }

    /// An optional instant; only its form is checked.
    pub(crate) fn instant_if(&self, name: &str) {
        if self.has(name) {
            let _ = self.instant(name);
        }
    }

    /// A required date.
    pub(crate) fn date(&self, name: &str) -> Option<&'a str> {
        self.text(name, |text| parse_date(text).is_some())
    }
}

/// An integer, also if it was written `1.0`.
fn integer(value: &Value) -> Option<i64> {
    let Value::Number(number) = value else { return None };
    number.as_i64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok())
}

pub(crate) fn parse_date(text: &str) -> Option<chrono::NaiveDate> {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    if shaped { text.parse().ok() } else { None }
}

pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

/// The UUID in a structured-field string, as `Idempotency-Key` carries it.
pub(crate) fn quoted_uuid(value: &str) -> Option<&str> {
    let inner = value.trim().strip_prefix('"')?.strip_suffix('"')?;
    is_uuid(inner).then_some(inner)
}

pub(crate) fn is_acquirer_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// Six digits, not all zero.
pub(crate) fn is_six_digits(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()) && text != "000000"
}

pub(crate) fn is_word(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// A text of so many characters.
pub(crate) fn sized(min: usize, max: usize) -> impl Fn(&str) -> bool {
    move |text| (min..=max).contains(&text.chars().count())
}

/// The query's parameters, percent-decoded.
pub(crate) fn query(text: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (percent_decoded(name), percent_decoded(value))
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes
            .get(at + 1..at + 3)
            .and_then(|two| std::str::from_utf8(two).ok())
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{integer, is_uuid, parse_date, query};
    use serde_json::json;

    #[test]
    fn forms() {
        assert_eq!((integer(&json!(1.0)), integer(&json!(1.5)), integer(&json!("1"))), (Some(1), None, None));
        assert!(is_uuid("019ab2c4-7c00-7000-8000-000000000001"));
        assert!(!is_uuid("019AB2C4-7c00-7000-8000-000000000001"));
        assert!(parse_date("2026-02-30").is_none());
        assert!(parse_date("+2026-2-03").is_none());
        assert_eq!(
            query("a=%2B1&b&c=x+y"),
            [("a".into(), "+1".into()), ("b".into(), String::new()), ("c".into(), "x y".into())]
        );
    }
}
