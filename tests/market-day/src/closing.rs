//! The account: what the till says of every payment, on the screen and in a file.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::books::{Account, Comparison, compare};
use crate::day::Day;
use crate::error::{About, DayError};
use crate::screen::Look;
use crate::table::{self, Cell, cell, left, right};
use crate::telling::{self, int, money, text};

/// What was collected from the till.
struct Collected {
    payments: Vec<Value>,
    payouts: Vec<Value>,
    takings: Vec<Value>,
    verified: Value,
}

impl Day {
    /// Makes the account. True if it is right.
    pub(crate) fn close(&mut self, json_path: Option<&Path>) -> Result<bool, DayError> {
        self.drain(None)?;
        let collected = self.collect()?;
        let ledger = self.acquirer.admin("GET", "/admin/ledger", None)?;
        write_whole(&self.dir.join("acquirer-ledger.json"), &ledger)?;
        let account =
            Account { payments: &collected.payments, payouts: &collected.payouts, saved: &self.journal.saved };
        let comparison = compare(&self.script, &account, &ledger);
        let verified = collected.verified["sound"] == true && int(&collected.verified, "missing_events") == 0;
        let file = self.account(&collected, &comparison, verified);
        for path in [Some(self.dir.join("out.json")), json_path.map(Path::to_path_buf)].into_iter().flatten() {
            write_whole(&path, &file)?;
        }
        self.show(&collected, &comparison, &file, verified);
        self.put_away()?;
        Ok(verified && comparison.holds())
    }

    fn collect(&mut self) -> Result<Collected, DayError> {
        let verified = self.must(&json!({"cmd": "verify"}))?["report"].clone();
        let mut payments = self.pages("payments")?;
        payments.sort_by_key(|payment| int(payment, "captured_at_ms"));
        let mut payouts = Vec::new();
        for payout in self.pages("payouts")? {
            let detail = self.must(&json!({"cmd": "payout", "id": payout["payout_id"]}))?;
            payouts.push(json!({"payout": detail["payout"], "entries": detail["entries"]}));
        }
        payouts.sort_by_key(|payout| {
            (text(&payout["payout"], "business_date").to_owned(), text(&payout["payout"], "payout_id").to_owned())
        });
        let head = &self.script.head;
        let days = json!({"cmd": "takings", "from": head.saturday.to_string(), "to": head.last.to_string()});
        let takings = self.must(&days)?["takings"].as_array().cloned().unwrap_or_default();
        Ok(Collected { payments, payouts, takings, verified })
    }

    /// Every page of a list.
    fn pages(&mut self, name: &str) -> Result<Vec<Value>, DayError> {
        let mut all = Vec::new();
        let mut after = Value::Null;
        loop {
            let page = self.must(&json!({"cmd": name, "limit": 200, "after": after}))?;
            all.extend(page[name].as_array().cloned().unwrap_or_default());
            after = page["next"].clone();
            if after.is_null() {
                return Ok(all);
            }
        }
    }

    fn account(&self, collected: &Collected, comparison: &Comparison, verified: bool) -> Value {
        let head = &self.script.head;
        json!({
            "seed": head.seed,
            "saturday": head.saturday,
            "closed_at_ms": self.now_ms,
            "verified": verified,
            "verify": collected.verified,
            "totals": totals(&collected.payments, comparison),
            "takings": collected.takings,
            "payments": collected.payments,
            "payouts": collected.payouts,
            "comparison": comparison.to_json(),
        })
    }

    fn show(&mut self, collected: &Collected, comparison: &Comparison, file: &Value, verified: bool) {
        let screen = &mut self.screen;
        screen.title("Every payment, and where its money is");
        let columns = [
            left("order", 0),
            left("sold", 4),
            right("CNY", 0),
            left("card", 6),
            left("class", 3),
            left("stage", 0),
            left("expected", 1),
            left("evidence", 2),
            right("fee", 5),
            left("payout", 7),
        ];
        let rows: Vec<Vec<Cell>> = collected.payments.iter().map(payment_row).collect();
        table::print(screen, &columns, &rows);

        screen.title("Payouts");
        let columns = [
            left("payout", 0),
            left("business date", 2),
            left("status", 0),
            left("expected", 1),
            right("payments", 3),
            right("net", 0),
            left("reference", 4),
        ];
        let rows: Vec<Vec<Cell>> = collected.payouts.iter().map(|payout| payout_row(&payout["payout"])).collect();
        table::print(screen, &columns, &rows);

        screen.title("Takings by stage");
        let rows: Vec<Vec<Cell>> = collected.takings.iter().map(takings_row).collect();
        table::print(screen, &[left("stage", 0), right("count", 0), right("CNY", 0)], &rows);

        screen.title("Beside the acquirer's and the bank's books");
        let rows: Vec<Vec<Cell>> = comparison.rows.iter().map(comparison_row).collect();
        table::print(
            screen,
            &[left("", 0), right("till", 0), right("theirs", 0), left("whose", 1), left("", 0)],
            &rows,
        );

        self.verdict(comparison, file, verified);
    }

    fn verdict(&mut self, comparison: &Comparison, file: &Value, verified: bool) {
        let screen = &mut self.screen;
        let holds = verified && comparison.holds();
        let (look, sign) = if holds { (Look::Good, "✓") } else { (Look::Bad, "✗") };
        let totals = &file["totals"];
        let words = format!(
            "{sign} {} saved, {} approved, {} declined, {} arrived, {} lost, {} charged twice; the ledger of {} events {}.",
            int(totals, "saved"),
            int(totals, "approved"),
            int(totals, "declined"),
            int(totals, "arrived"),
            int(totals, "lost"),
            int(totals, "charged_twice"),
            int(&file["verify"], "events"),
            if verified { "verifies" } else { "DOES NOT VERIFY" },
        );
        let words = screen.paint(look, &words);
        screen.line("");
        screen.line(&words);
        for (name, ids) in [("lost", &comparison.lost), ("charged twice", &comparison.charged_twice)] {
            for id in ids {
                let words = screen.paint(Look::Bad, &format!("  {name}: {id}"));
                screen.line(&words);
            }
        }
    }
}

fn payment_row(payment: &Value) -> Vec<Cell> {
    let (stage, look) = telling::stage(payment);
    let plain = |text: String| cell(Look::Plain, text);
    let dim = |text: String| cell(Look::Dim, text);
    let own = |name: &str| text(payment, name).to_owned();
    let card = payment.get("last_four").and_then(Value::as_str).map(|last| format!("•••• {last}")).unwrap_or_default();
    let evidence = match text(payment, "evidence") {
        "none" => String::new(),
        word => word.replace('_', " "),
    };
    let fee = payment.get("fee_minor").and_then(Value::as_i64).map(money).unwrap_or_default();
    vec![
        plain(own("order_reference")),
        dim(own("captured_on")),
        plain(money(int(payment, "amount_minor"))),
        dim(card),
        plain(own("class")),
        cell(look, stage),
        plain(own("expected_date")),
        dim(evidence),
        dim(fee),
        dim(own("payout_id")),
    ]
}

fn payout_row(payout: &Value) -> Vec<Cell> {
    let own = |name: &str| text(payout, name).to_owned();
    let overdue = payout["overdue"] == true;
    let mut status = own("status");
    let look = match status.as_str() {
        "arrived" => Look::Good,
        "returned" | "failed" => Look::Bad,
        _ if overdue => Look::Bad,
        _ => Look::Info,
    };
    if overdue {
        status.push_str(", overdue");
    }
    if !own("reissue_of").is_empty() {
        status.push_str(", paid again");
    }
    if !own("failure_code").is_empty() {
        status = format!("{status}: {}", own("failure_code").replace('_', " "));
    }
    vec![
        cell(Look::Plain, own("payout_id")),
        cell(Look::Dim, own("business_date")),
        cell(look, status),
        cell(Look::Plain, own("expected_date")),
        cell(Look::Dim, int(payout, "entry_count").to_string()),
        cell(Look::Plain, money(int(payout, "net_minor"))),
        cell(Look::Dim, own("end_to_end_id")),
    ]
}

fn takings_row(line: &Value) -> Vec<Cell> {
    let (stage, look) = telling::stage(line);
    vec![
        cell(look, stage),
        cell(Look::Plain, int(line, "count").to_string()),
        cell(Look::Plain, money(int(line, "amount_minor"))),
    ]
}

fn comparison_row(row: &crate::books::Row) -> Vec<Cell> {
    let figure = |value: i64| if row.money { money(value) } else { value.to_string() };
    let (look, sign) = if row.ours == row.theirs { (Look::Good, "equal") } else { (Look::Bad, "DIFFERENT") };
    vec![
        cell(Look::Plain, row.what),
        cell(Look::Plain, figure(row.ours)),
        cell(Look::Plain, figure(row.theirs)),
        cell(Look::Dim, row.whose),
        cell(look, sign),
    ]
}

/// Counts, and sums in minor units by currency.
fn totals(payments: &[Value], comparison: &Comparison) -> Value {
    let approved: fn(&Value) -> bool =
        |payment| matches!(text(payment, "authorization"), "approved" | "partially_approved");
    // Accepted by the merchant: the customer was let go, or saw the approval.
    let saved: fn(&Value) -> bool = |payment| match text(payment, "class") {
        "" => false,
        "live" => matches!(text(payment, "authorization"), "approved" | "partially_approved"),
        _ => true,
    };
    let declined: fn(&Value) -> bool = |payment| matches!(text(payment, "authorization"), "declined" | "referred");
    let arrived: fn(&Value) -> bool = |payment| text(payment, "arrival") == "arrived";
    let count = |keep: fn(&Value) -> bool| payments.iter().filter(|payment| keep(payment)).count();
    let mut currencies: Vec<&str> = payments.iter().map(|payment| text(payment, "currency")).collect();
    currencies.sort_unstable();
    currencies.dedup();
    let mut sums = serde_json::Map::new();
    for currency in currencies {
        let sum = |keep: fn(&Value) -> bool, name: &str| {
            let of = payments.iter().filter(|payment| text(payment, "currency") == currency && keep(payment));
            of.map(|payment| int(payment, name)).sum::<i64>()
        };
        let figures = json!({
            "saved_minor": sum(saved, "amount_minor"),
            "approved_minor": sum(approved, "approved_minor"),
            "declined_minor": sum(declined, "amount_minor"),
            "arrived_gross_minor": sum(arrived, "gross_minor"),
            "arrived_fee_minor": sum(arrived, "fee_minor"),
            "arrived_net_minor": sum(arrived, "net_minor"),
        });
        sums.insert(currency.to_owned(), figures);
    }
    json!({
        "saved": count(saved), "approved": count(approved), "declined": count(declined), "arrived": count(arrived),
        "lost": comparison.lost.len(), "charged_twice": comparison.charged_twice.len(), "sums": sums,
    })
}

fn write_whole(path: &Path, value: &Value) -> Result<(), DayError> {
    let name = path.display().to_string();
    let mut text = serde_json::to_string_pretty(value).about(&name)?;
    text.push('\n');
    let fresh = path.with_extension("json.new");
    fs::write(&fresh, text).about(&name)?;
    fs::rename(&fresh, path).about(&name)
}
