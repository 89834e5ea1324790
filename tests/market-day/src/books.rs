//! The till's account beside the acquirer's and the bank's books.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use takings_till::texts::Language;

use crate::script::{Expect, Script};
use crate::telling::{int, text};
use crate::words::{Figure, Say as _, Whose};

/// One line of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) what: Figure,
    pub(crate) whose: Whose,
    pub(crate) money: bool,
    pub(crate) ours: i64,
    pub(crate) theirs: i64,
}

/// What the comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) rows: Vec<Row>,
    /// Saved or sold, and not at the acquirer or not in the till.
    pub(crate) lost: Vec<String>,
    /// Authorised or captured more than once.
    pub(crate) charged_twice: Vec<String>,
}

/// What the till says at the end.
pub(crate) struct Account<'a> {
    pub(crate) payments: &'a [Value],
    pub(crate) payouts: &'a [Value],
    /// Payments of which the till said that they are saved.
    pub(crate) saved: &'a BTreeSet<String>,
}

impl Comparison {
    /// Every figure is the same on both sides, nothing is missing, nothing is double.
    pub(crate) fn holds(&self) -> bool {
        self.lost.is_empty() && self.charged_twice.is_empty() && self.rows.iter().all(|row| row.ours == row.theirs)
    }

    /// As the account file has it.
    pub(crate) fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            // The file says the same in every language.
            let (what, whose) = (row.what.say(Language::En), row.whose.say(Language::En));
            json!({"what": what, "whose": whose, "till": row.ours, "theirs": row.theirs, "equal": row.ours == row.theirs})
        });
        json!({"rows": rows.collect::<Vec<_>>(), "lost": self.lost, "charged_twice": self.charged_twice})
    }
}

/// Compares.
pub(crate) fn compare(script: &Script, account: &Account<'_>, ledger: &Value) -> Comparison {
    let theirs = list(ledger, "payments");
    Comparison {
        rows: rows(account, &theirs, ledger),
        lost: lost(script, account, &theirs),
        charged_twice: charged_twice(&theirs, &list(ledger, "authorizations")),
    }
}

fn rows(account: &Account<'_>, theirs: &[&Value], ledger: &Value) -> Vec<Row> {
    let ours: Vec<&Value> = account.payments.iter().collect();
    let (sum, count) = (
        |of: &[&Value], keep: fn(&Value) -> bool, name: &str| {
            of.iter().filter(|p| keep(p)).map(|p| int(p, name)).sum::<i64>()
        },
        |of: &[&Value], keep: fn(&Value) -> bool| {
            i64::try_from(of.iter().filter(|p| keep(p)).count()).unwrap_or(i64::MAX)
        },
    );
    let known: fn(&Value) -> bool = |payment| !text(payment, "authorization").is_empty();
    let declined: fn(&Value) -> bool = |payment| matches!(text(payment, "authorization"), "declined" | "referred");
    let approved: fn(&Value) -> bool =
        |payment| matches!(text(payment, "authorization"), "approved" | "partially_approved");
    let cleared: fn(&Value) -> bool = |payment| text(payment, "clearing") == "cleared";
    let all: fn(&Value) -> bool = |_| true;
    let acquirer = |what, money, ours, theirs| Row { what, whose: Whose::Acquirer, money, ours, theirs };
    let captures = list(ledger, "captures");
    let entries: Vec<&Value> = list(ledger, "payouts").iter().flat_map(|payout| list(payout, "entries")).collect();
    let own_entries: Vec<&Value> = account.payouts.iter().flat_map(|payout| list(payout, "entries")).collect();
    let arrived: i64 = account
        .payouts
        .iter()
        .filter(|payout| text(&payout["payout"], "status") == "arrived")
        .map(|payout| int(&payout["payout"], "net_minor"))
        .sum();
    vec![
        acquirer(Figure::Payments, false, count(&ours, known), count(theirs, all)),
        acquirer(Figure::Declined, false, count(&ours, declined), count(theirs, declined)),
        acquirer(
            Figure::Approved,
            true,
            sum(&ours, approved, "approved_minor"),
            sum(theirs, approved, "approved_minor"),
        ),
        acquirer(Figure::Captured, true, sum(&ours, cleared, "approved_minor"), sum(&captures, all, "amount_minor")),
        acquirer(Figure::PayoutEntries, false, count(&own_entries, all), count(&entries, all)),
        // The acquirer's book writes fees as what they take away.
        acquirer(Figure::PayoutFees, true, sum(&own_entries, all, "fee_minor"), -sum(&entries, all, "fee_minor")),
        acquirer(Figure::PayoutNet, true, sum(&own_entries, all, "net_minor"), sum(&entries, all, "net_minor")),
        Row { what: Figure::InTheBank, whose: Whose::Bank, money: true, ours: arrived, theirs: bank_balance(ledger) },
    ]
}

fn bank_balance(ledger: &Value) -> i64 {
    let line = |line: &&Value| {
        if text(line, "direction") == "debit" { -int(line, "amount_minor") } else { int(line, "amount_minor") }
    };
    list(&ledger["bank"], "lines").iter().map(line).sum()
}

/// Saved ones must be in the till and at the acquirer; every order must have ended as it should, and once.
fn lost(script: &Script, account: &Account<'_>, theirs: &[&Value]) -> Vec<String> {
    let there: BTreeSet<&str> = theirs.iter().map(|payment| text(payment, "payment_id")).collect();
    let ours: BTreeMap<&str, &Value> =
        account.payments.iter().map(|payment| (text(payment, "payment_id"), payment)).collect();
    let mut lost: Vec<String> = account
        .saved
        .iter()
        .filter(|id| !ours.contains_key(id.as_str()) || !there.contains(id.as_str()))
        .cloned()
        .collect();
    for sale in &script.sales {
        let refused = matches!(sale.expect, Expect::RefusedBeforeCard | Expect::RefusedAfterCard);
        let of_order: Vec<&&Value> =
            theirs.iter().filter(|payment| text(payment, "order_reference") == sale.order).collect();
        let ended = of_order.iter().filter(|payment| text(payment, "authorization") != "reversed").count();
        if ended != usize::from(!refused) {
            lost.push(sale.order.clone());
        }
    }
    lost
}

fn charged_twice(theirs: &[&Value], authorizations: &[&Value]) -> Vec<String> {
    let mut twice: Vec<String> = theirs
        .iter()
        .filter(|payment| int(payment, "authorizations") > 1 || int(payment, "captures") > 1)
        .map(|payment| text(payment, "payment_id").to_owned())
        .collect();
    let mut seen = BTreeSet::new();
    for record in authorizations {
        let card = (text(record, "last_four"), int(record, "amount_minor"), int(record, "captured_at_ms"));
        if !seen.insert(card) {
            twice.push(text(record, "payment_id").to_owned());
        }
    }
    twice.sort_unstable();
    twice.dedup();
    twice
}

fn list<'a>(value: &'a Value, name: &str) -> Vec<&'a Value> {
    value.get(name).and_then(Value::as_array).map(|all| all.iter().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_is_seen_by_payment_and_by_card() {
        let payment = |id: &str, times: i64| json!({"payment_id": id, "authorizations": times, "captures": 1});
        let record =
            |id: &str, at: i64| json!({"payment_id": id, "last_four": "1", "amount_minor": 5, "captured_at_ms": at});
        let (once, other, double) = (payment("a", 1), payment("b", 1), payment("c", 2));
        let records = [record("a", 1), record("b", 2)];
        let found =
            |payments: &[&Value], records: &[Value]| charged_twice(payments, &records.iter().collect::<Vec<_>>());
        assert!(found(&[&once, &other], &records).is_empty());
        assert_eq!(found(&[&once, &double], &records), ["c"]);
        assert_eq!(found(&[&once], &[record("a", 1), record("b", 1)]), ["b"]);
    }
}
