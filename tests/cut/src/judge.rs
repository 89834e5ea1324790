//! The till and the acquirer's book side by side, when everything is over.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::Wrong;
use crate::stall::Stall;
use crate::till::Till;

/// What the till said of a charge while the customer stood there, by payment.
pub(crate) type Said = BTreeMap<String, String>;

/// Far enough for two cut-offs: a second capture would show.
const TWO_DAYS_MS: i64 = 2 * 86_400_000;
/// Contacts after which nothing may be left to do.
const MOST_CONTACTS: usize = 10;

/// How payments ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted {
    pub(crate) charged: usize,
    pub(crate) declined: usize,
    pub(crate) reversed: usize,
    pub(crate) unheard: usize,
}

/// Lets the till finish, then holds everything it knows against the acquirer's book.
pub(crate) fn till_and_book(stall: &Stall, mut till: Till, said: &Said) -> Result<Counted, Wrong> {
    drain(&mut till)?;
    stall.admin("PUT", "/admin/clock", &json!({"advance_ms": TWO_DAYS_MS}))?;
    verify(&mut till)?;
    let payments = till.payments()?;
    till.close()?;
    let book = Book::read(&stall.book()?);
    let mut counted = Counted::default();
    let mut wrong = book.charged_twice();
    let mut known = BTreeSet::new();
    for payment in &payments {
        let id = text(payment, "payment_id");
        known.insert(id.to_owned());
        if let Err(why) = book.compare(id, payment, said.get(id).map_or("", String::as_str), &mut counted) {
            wrong.push(format!("{id}: {why}; the till has {payment}"));
        }
    }
    wrong.extend(said.keys().filter(|id| !known.contains(*id)).map(|id| format!("{id}: lost by the till")));
    wrong.extend(book.payments.keys().filter(|id| !known.contains(*id)).map(|id| format!("{id}: the till has none")));
    match wrong.len() {
        0 => Ok(counted),
        many => Err(Wrong(format!("{many} payments, the first {}", wrong.swap_remove(0)))),
    }
}

/// Contacts until nothing is left to do.
pub(crate) fn drain(till: &mut Till) -> Result<(), Wrong> {
    let mut report = Value::Null;
    for _ in 0..MOST_CONTACTS {
        report = till.must(&json!({"cmd": "sync"}))?["report"].take();
        if report["waiting"] == 0 && report["ended"] == "done" && report["detail"].is_null() {
            return Ok(());
        }
    }
    Err(Wrong(format!("there is always something left to do: {report}")))
}

/// The ledger holds.
pub(crate) fn verify(till: &mut Till) -> Result<(), Wrong> {
    let report = till.must(&json!({"cmd": "verify"}))?["report"].take();
    let sound = report["sound"] == true && report["missing_events"] == 0;
    if sound { Ok(()) } else { Err(Wrong(format!("the ledger does not verify: {report}"))) }
}

/// What the acquirer has, by payment.
struct Book {
    payments: BTreeMap<String, Value>,
    captures: BTreeMap<String, usize>,
    asked_bank: BTreeMap<String, usize>,
    cards: BTreeMap<String, usize>,
    reversals: BTreeSet<String>,
}

impl Book {
    fn read(book: &Value) -> Self {
        let rows = |name: &str| book[name].as_array().cloned().unwrap_or_default();
        let by_id = |name: &str| count(rows(name).iter().map(|row| text(row, "payment_id").to_owned()));
        let card = |row: &Value| format!("{} {} {}", row["last_four"], row["amount_minor"], row["captured_at_ms"]);
        Self {
            payments: rows("payments").into_iter().map(|row| (text(&row, "payment_id").to_owned(), row)).collect(),
            captures: by_id("captures"),
            asked_bank: by_id("authorizations"),
            cards: count(rows("authorizations").iter().map(card)),
            reversals: rows("reversals").iter().map(|row| text(row, "payment_id").to_owned()).collect(),
        }
    }

    fn charged_twice(&self) -> Vec<String> {
        let all = [("captured", &self.captures), ("authorised", &self.asked_bank), ("a card charged", &self.cards)];
        let twice = |(what, counts): (&str, &BTreeMap<String, usize>)| {
            let many = counts.iter().filter(|(_, count)| **count > 1);
            many.map(|(id, count)| format!("{id}: {what} {count} times")).collect::<Vec<_>>()
        };
        all.into_iter().flat_map(twice).collect()
    }

    /// One payment at both ends; `said` is what the customer was told, empty if nothing was.
    fn compare(&self, id: &str, payment: &Value, said: &str, counted: &mut Counted) -> Result<(), String> {
        let deferred = payment["class"] == "deferred";
        let stage = text(payment, "stage");
        let captures = self.captures.get(id).copied().unwrap_or(0);
        if matches!(stage, "being_confirmed" | "saved_on_phone") {
            return Err("it has no answer".to_owned());
        }
        let Some(row) = self.payments.get(id) else {
            counted.unheard += 1;
            let honest = stage == "not_charged" && !deferred && !matches!(said, "approved" | "saved");
            return if honest { Ok(()) } else { Err("the acquirer never had it".to_owned()) };
        };
        let authorization = text(row, "authorization");
        if text(payment, "authorization") != authorization {
            return Err(format!("the acquirer says {authorization}"));
        }
        match (authorization, captures) {
            ("approved", 1) => counted.charged += 1,
            ("declined", 0) => counted.declined += 1,
            ("reversed", 0) => counted.reversed += 1,
            _ => return Err(format!("{authorization} and captured {captures} times")),
        }
        let says_charged =
            !matches!((stage, text(payment, "cause")), ("not_charged", _) | (_, "declined_after_deferral"));
        if says_charged != (captures == 1) {
            return Err(format!("captured {captures} times"));
        }
        if deferred && (authorization == "reversed" || self.reversals.contains(id)) {
            return Err("reversed, and its customer has gone with the goods".to_owned());
        }
        match (said, authorization) {
            ("approved", "declined" | "reversed") => Err(format!("said approved, {authorization}")),
            ("not_charged", "approved") => Err("said not charged, charged".to_owned()),
            ("saved", "reversed") => Err("said saved, reversed".to_owned()),
            _ => Ok(()),
        }
    }
}

fn count(ids: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for id in ids {
        *counts.entry(id).or_insert(0) += 1;
    }
    counts
}

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A till's payment beside the acquirer's and so many captures.
    fn judged(class: &str, stage: &str, said: &str, authorization: &str, captures: usize) -> Result<(), String> {
        let captured: Vec<_> = (0..captures).map(|_| json!({"payment_id": "p"})).collect();
        let book = json!({
            "payments": [{"payment_id": "p", "authorization": authorization}],
            "captures": captured,
            "authorizations": [{"payment_id": "p", "last_four": "1234", "amount_minor": 1, "captured_at_ms": 1}],
        });
        let book = Book::read(&book);
        let payment = json!({"payment_id": "p", "class": class, "stage": stage, "authorization": authorization});
        book.compare("p", &payment, said, &mut Counted::default())?;
        book.charged_twice().first().map_or(Ok(()), |twice| Err(twice.clone()))
    }

    #[test]
    fn what_is_right_passes() {
        assert_eq!(judged("live", "approved", "approved", "approved", 1), Ok(()));
        assert_eq!(judged("live", "not_charged", "not_confirmed", "reversed", 0), Ok(()));
        assert_eq!(judged("live", "approved", "not_confirmed", "approved", 1), Ok(()));
        assert_eq!(judged("deferred", "approved", "saved", "approved", 1), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_seen() {
        let faults = [
            ("charged twice", judged("live", "approved", "approved", "approved", 2)),
            ("approved, never captured", judged("live", "approved", "approved", "approved", 0)),
            ("reversed and captured", judged("live", "not_charged", "", "reversed", 1)),
            ("a deferred one reversed", judged("deferred", "not_charged", "saved", "reversed", 0)),
            ("said approved, reversed", judged("live", "not_charged", "approved", "reversed", 0)),
            ("said not charged, charged", judged("live", "approved", "not_charged", "approved", 1)),
            ("shown as not charged, charged", judged("live", "not_charged", "", "approved", 1)),
            ("no answer", judged("live", "being_confirmed", "not_confirmed", "approved", 1)),
            ("still open at the acquirer", judged("live", "approved", "", "processing", 0)),
        ];
        for (what, verdict) in faults {
            assert!(verdict.is_err(), "{what}");
        }
        let nowhere = Book::read(&json!({}));
        let saved = json!({"payment_id": "p", "class": "deferred", "stage": "not_charged"});
        assert!(nowhere.compare("p", &saved, "saved", &mut Counted::default()).is_err(), "lost on the way");
    }
}
