//! The account: what the till says of every payment, on the screen and in a file.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use takings_domain::event::Class;
use takings_domain::{Evidence, PayoutStatus};
use takings_till::texts::Language;

use crate::books::{Account, Comparison, compare};
use crate::day::Day;
use crate::error::{About, DayError};
use crate::screen::Look;
use crate::table::{self, Cell, cell, left, right};
use crate::telling::{self, int, money, text};
use crate::width::wrap;
use crate::words::{self, Label, Say as _};

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
        let mut file = self.account(&collected, &comparison, verified);
        file["faults"] = self.faults(&ledger);
        file["alerts"] = self.alerts();
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

    /// The alerts in the order they were told, each with how often it came.
    fn alerts(&self) -> Value {
        let with_deliveries = |told: &Value| {
            let mut alert = told.clone();
            let again = alert["alert"].as_u64().and_then(|number| self.journal.heard_again.get(&number));
            alert["deliveries"] = json!(1 + again.copied().unwrap_or(0));
            alert
        };
        self.journal.alerts.iter().map(with_deliveries).collect()
    }

    fn show(&mut self, collected: &Collected, comparison: &Comparison, file: &Value, verified: bool) {
        let screen = &mut self.screen;
        let language = screen.language();
        let say = |label: Label| label.say(language);
        screen.title(say(Label::Payments));
        let columns = [
            left(say(Label::Order), 0),
            left(say(Label::Sold), 4),
            right(say(Label::Yuan), 0),
            left(say(Label::Card), 6),
            left(say(Label::Class), 3),
            left(say(Label::Stage), 0),
            left(say(Label::Expected), 1),
            left(say(Label::Evidence), 2),
            right(say(Label::Fee), 5),
            left(say(Label::Payout), 7),
        ];
        let rows: Vec<Vec<Cell>> = collected.payments.iter().map(|payment| payment_row(language, payment)).collect();
        table::print(screen, &columns, &rows);

        screen.title(say(Label::Payouts));
        let columns = [
            left(say(Label::Payout), 0),
            left(say(Label::BusinessDate), 2),
            left(say(Label::Status), 0),
            left(say(Label::Expected), 1),
            right(say(Label::PaymentCount), 3),
            right(say(Label::Net), 0),
            left(say(Label::Reference), 4),
        ];
        let rows: Vec<Vec<Cell>> =
            collected.payouts.iter().map(|payout| payout_row(language, &payout["payout"])).collect();
        table::print(screen, &columns, &rows);

        screen.title(say(Label::Takings));
        let columns = [left(say(Label::Stage), 0), right(say(Label::Count), 0), right(say(Label::Yuan), 0)];
        let rows: Vec<Vec<Cell>> = collected.takings.iter().map(|line| takings_row(language, line)).collect();
        table::print(screen, &columns, &rows);

        screen.title(say(Label::Books));
        let columns = [
            left("", 0),
            right(say(Label::Till), 0),
            right(say(Label::Theirs), 0),
            left(say(Label::Whose), 1),
            left("", 0),
        ];
        let rows: Vec<Vec<Cell>> = comparison.rows.iter().map(|row| comparison_row(language, row)).collect();
        table::print(screen, &columns, &rows);

        self.verdict(comparison, file, verified);
    }

    fn verdict(&mut self, comparison: &Comparison, file: &Value, verified: bool) {
        let screen = &mut self.screen;
        let language = screen.language();
        let holds = verified && comparison.holds();
        let (look, sign) = if holds { (Look::Good, "✓") } else { (Look::Bad, "✗") };
        let count = |name: &str| int(&file["totals"], name);
        let totals = words::totals(
            language,
            count("saved"),
            count("approved"),
            count("declined"),
            count("arrived"),
            count("lost"),
            count("charged_twice"),
        );
        let verifies = if verified { Label::Verifies } else { Label::DoesNotVerify };
        let ledger = words::ledger(language, int(&file["verify"], "events"), verifies.say(language));
        screen.line("");
        for words in wrap(&words::verdict(language, sign, totals, ledger), screen.width()) {
            let words = screen.paint(look, &words);
            screen.line(&words);
        }
        for (name, ids) in [(Label::Lost, &comparison.lost), (Label::ChargedTwice, &comparison.charged_twice)] {
            for id in ids {
                let words = words::because(language, name.say(language), id);
                let words = screen.paint(Look::Bad, &format!("  {words}"));
                screen.line(&words);
            }
        }
    }
}

fn payment_row(language: Language, payment: &Value) -> Vec<Cell> {
    let (mut stage, look) = telling::stage(language, payment);
    if payment["partly_approved"] == true {
        stage = words::in_part(language, stage, money(int(payment, "approved_minor")));
    }
    let plain = |text: String| cell(Look::Plain, text);
    let dim = |text: String| cell(Look::Dim, text);
    let own = |name: &str| text(payment, name).to_owned();
    let card = payment.get("last_four").and_then(Value::as_str).map(|last| format!("•••• {last}")).unwrap_or_default();
    let fee = payment.get("fee_minor").and_then(Value::as_i64).map(money).unwrap_or_default();
    vec![
        plain(own("order_reference")),
        dim(own("captured_on")),
        plain(money(int(payment, "amount_minor"))),
        dim(card),
        plain(telling::word(language, text(payment, "class"), Class::from_word)),
        cell(look, stage),
        plain(own("expected_date")),
        dim(telling::word(language, text(payment, "evidence"), Evidence::from_word)),
        dim(fee),
        dim(own("payout_id")),
    ]
}

fn payout_row(language: Language, payout: &Value) -> Vec<Cell> {
    let own = |name: &str| text(payout, name).to_owned();
    let overdue = payout["overdue"] == true;
    let look = match PayoutStatus::from_word(text(payout, "status")) {
        Some(PayoutStatus::Arrived) => Look::Good,
        Some(PayoutStatus::Returned | PayoutStatus::Failed) => Look::Bad,
        _ if overdue => Look::Bad,
        _ => Look::Info,
    };
    let mut status = telling::word(language, text(payout, "status"), PayoutStatus::from_word);
    if overdue {
        status = words::and(language, status, Label::Overdue.say(language));
    }
    if !own("reissue_of").is_empty() {
        status = words::and(language, status, Label::PaidAgain.say(language));
    }
    // The bank's word: there is no list of them, and this is the one this day brings.
    let reason = telling::word(language, text(payout, "failure_code"), |word| {
        (word == "account_closed").then_some(Label::AccountClosed)
    });
    if !reason.is_empty() {
        status = words::because(language, status, reason);
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

fn takings_row(language: Language, line: &Value) -> Vec<Cell> {
    let (stage, look) = telling::stage(language, line);
    vec![
        cell(look, stage),
        cell(Look::Plain, int(line, "count").to_string()),
        cell(Look::Plain, money(int(line, "amount_minor"))),
    ]
}

fn comparison_row(language: Language, row: &crate::books::Row) -> Vec<Cell> {
    let figure = |value: i64| if row.money { money(value) } else { value.to_string() };
    let (look, mark) = if row.ours == row.theirs { (Look::Good, Label::Equal) } else { (Look::Bad, Label::Different) };
    vec![
        cell(Look::Plain, row.what.say(language)),
        cell(Look::Plain, figure(row.ours)),
        cell(Look::Plain, figure(row.theirs)),
        cell(Look::Dim, row.whose.say(language)),
        cell(look, mark.say(language)),
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
