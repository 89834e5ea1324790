//! Said saved ⊆ the ledger ⊆ the acquirer's book, and each payment, each card and each order charged once at most.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What a day came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) kills: u32,
    pub(super) kills_while_opening: u32,
    pub(super) kills_while_charging: u32,
    pub(super) acquirer_kills: u32,
    pub(super) said_saved: u64,
    pub(super) in_ledger: u64,
    pub(super) kept_unsaid: u64,
    pub(super) with_ciphertext: u32,
    pub(super) waiting_at_death: u64,
    pub(super) at_acquirer: u64,
    pub(super) captures: u64,
    pub(super) wrong: Vec<String>,
}

/// Compares what was said, what the till holds (by payment id) and the acquirer's book.
pub(super) fn judge(said: &BTreeSet<String>, ledger: &BTreeMap<String, Value>, book: &Value, verdict: &mut Verdict) {
    let rows = |name: &str| book[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let id_of = |row: &Value| row["payment_id"].as_str().unwrap_or_default().to_owned();
    let booked: BTreeMap<String, &Value> = rows("payments").iter().map(|row| (id_of(row), row)).collect();
    let wrong = &mut verdict.wrong;
    for id in said {
        match (ledger.get(id), booked.get(id)) {
            (None, _) => wrong.push(format!("{id}: said saved, not in the ledger")),
            (_, None) => wrong.push(format!("{id}: said saved, not at the acquirer")),
            (_, Some(row)) if row["authorization"] != "approved" && row["authorization"] != "declined" => {
                wrong.push(format!("{id}: said saved, {} at the acquirer", row["authorization"]));
            }
            _ => {}
        }
    }
    // The customer was let go: it may be declined, never lost. A live one that never left is not charged.
    let kept = |payment: &Value| payment["class"] == "deferred" || payment["class"] == "chip_offline";
    let accepted = |payment: &Value| kept(payment) || payment["stage"] != "not_charged";
    for (id, payment) in ledger {
        match booked.get(id) {
            None if accepted(payment) => {
                wrong.push(format!("{id}: {} in the ledger, not at the acquirer", payment["stage"]));
            }
            Some(row) => wrong.extend(differences(payment, row).map(|what| format!("{id}: {what}"))),
            None => {}
        }
    }
    for id in booked.keys().filter(|id| !ledger.contains_key(*id)) {
        wrong.push(format!("{id}: at the acquirer, not in the till"));
    }
    let order = |row: &Value| ledger.get(&id_of(row)).and_then(|payment| payment["order_reference"].as_str());
    for (what, name) in [("authorized", "authorizations"), ("captured", "captures")] {
        wrong.extend(more_than_once(what, rows(name).iter().map(&id_of)));
    }
    let cards = rows("authorizations")
        .iter()
        .map(|row| format!("the card {} for {} at {}", row["last_four"], row["amount_minor"], row["captured_at_ms"]));
    wrong.extend(more_than_once("charged", cards));
    let orders = rows("captures").iter().filter_map(|row| order(row).map(|order| format!("the order {order}")));
    wrong.extend(more_than_once("captured", orders));

    verdict.said_saved = said.len() as u64;
    verdict.in_ledger = ledger.values().filter(|payment| accepted(payment)).count() as u64;
    verdict.kept_unsaid = ledger.iter().filter(|(id, payment)| accepted(payment) && !said.contains(*id)).count() as u64;
    verdict.at_acquirer = booked.len() as u64;
    verdict.captures = rows("captures").len() as u64;
}

fn differences<'a>(payment: &'a Value, row: &'a Value) -> impl Iterator<Item = String> + 'a {
    let captured = payment["stage"] == "not_charged" && row["captures"].as_u64().unwrap_or(0) > 0;
    ["authorization", "amount_minor"]
        .into_iter()
        .filter(|name| payment[*name] != row[*name])
        .map(|name| format!("{name} is {} in the till, {} at the acquirer", payment[name], row[name]))
        .chain(captured.then(|| "not charged in the till, captured at the acquirer".to_owned()))
}

fn more_than_once(what: &str, of: impl Iterator<Item = String>) -> Vec<String> {
    let mut counts = BTreeMap::new();
    of.for_each(|one| *counts.entry(one).or_insert(0_u32) += 1);
    counts.retain(|_, count| *count > 1);
    counts.into_iter().map(|(one, count)| format!("{one}: {what} {count} times")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn day() -> (BTreeSet<String>, BTreeMap<String, Value>, Value) {
        let payment = |stage: &str, authorization: &str, order: &str| {
            let class = (stage != "not_charged").then_some("deferred");
            json!({"stage": stage, "class": class, "authorization": authorization, "amount_minor": 500, "order_reference": order})
        };
        let ledger = [
            ("a", payment("arrived", "approved", "A")),
            ("b", payment("needs_you", "declined", "B")),
            ("c", json!({"stage": "not_charged", "class": null, "order_reference": "A"})),
        ];
        let row = |id: &str, authorization: &str, captures: u32| json!({"payment_id": id, "authorization": authorization, "amount_minor": 500, "captures": captures});
        let asked = |id: &str| json!({"payment_id": id, "last_four": id, "amount_minor": 500, "captured_at_ms": 1});
        let book = json!({"payments": [row("a", "approved", 1), row("b", "declined", 0)],
            "authorizations": [asked("a"), asked("b")], "captures": [{"payment_id": "a"}]});
        let said = ["a", "b"].map(str::to_owned).into();
        (said, ledger.map(|(id, payment)| (id.to_owned(), payment)).into(), book)
    }

    fn wrong(change: impl FnOnce(&mut BTreeSet<String>, &mut BTreeMap<String, Value>, &mut Value)) -> String {
        let (mut said, mut ledger, mut book) = day();
        change(&mut said, &mut ledger, &mut book);
        let mut verdict = Verdict::default();
        judge(&said, &ledger, &book, &mut verdict);
        verdict.wrong.join("; ")
    }

    #[test]
    fn a_right_day_is_right() {
        let (said, ledger, book) = day();
        let mut verdict = Verdict::default();
        judge(&said, &ledger, &book, &mut verdict);
        let right = Verdict { said_saved: 2, in_ledger: 2, at_acquirer: 2, captures: 1, ..Verdict::default() };
        assert_eq!(verdict, right);
    }

    #[test]
    fn every_fault_is_seen() {
        let push = |book: &mut Value, list: &str, row: Value| book[list].as_array_mut().unwrap().push(row);
        for (says, found) in [
            ("a: said saved, not in the ledger", wrong(|_, ledger, _| drop(ledger.remove("a")))),
            (
                "b: said saved, not at the acquirer",
                wrong(|_, _, book| drop(book["payments"].as_array_mut().unwrap().pop())),
            ),
            (
                "b: said saved, \"reversed\"",
                wrong(|_, _, book| book["payments"][1]["authorization"] = json!("reversed")),
            ),
            (
                "c: \"not_charged\" in the ledger, not at",
                wrong(|_, ledger, _| ledger.get_mut("c").unwrap()["class"] = json!("deferred")),
            ),
            (
                "c: \"approved\" in the ledger, not at",
                wrong(|_, ledger, _| ledger.get_mut("c").unwrap()["stage"] = json!("approved")),
            ),
            (
                "d: at the acquirer, not in the till",
                wrong(|_, _, book| push(book, "payments", json!({"payment_id": "d"}))),
            ),
            (
                "amount_minor is 500 in the till, 600",
                wrong(|_, _, book| book["payments"][0]["amount_minor"] = json!(600)),
            ),
            (
                "not charged in the till, captured",
                wrong(|_, ledger, _| ledger.get_mut("a").unwrap()["stage"] = json!("not_charged")),
            ),
            ("a: captured 2 times", wrong(|_, _, book| push(book, "captures", json!({"payment_id": "a"})))),
            ("a: authorized 2 times", wrong(|_, _, book| push(book, "authorizations", json!({"payment_id": "a"})))),
            ("the order A: captured 2 times", wrong(|_, _, book| push(book, "captures", json!({"payment_id": "c"})))),
            (
                "the card \"a\" for 500 at 1: charged 2 times",
                wrong(|_, _, book| book["authorizations"][1]["last_four"] = json!("a")),
            ),
        ] {
            assert!(found.contains(says), "{says} is not in: {found}");
        }
    }
}
