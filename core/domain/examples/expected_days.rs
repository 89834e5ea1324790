//! Expected days on standard output, one JSON line for each JSON line on standard input: for oracles that share no code.
//!
//! In: `{"accepted_at_ms": …, "basis": "business_day", "n": 1, "cut_off": "23:00:00", "timezone": "Asia/Shanghai"}`.
//! Out: `{"business_date": …, "expected": {…}}` or `{"error": …}`.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use serde_json::json;
use takings_domain::settlement::{SettlementError, business_date, expected};
use takings_domain::{Calendar, ExpectedArrival, SettlementTerms};

#[derive(Deserialize)]
struct Question {
    accepted_at_ms: i64,
    basis: String,
    n: u16,
    cut_off: String,
    timezone: String,
}

#[derive(Serialize)]
struct Answer {
    business_date: chrono::NaiveDate,
    expected: ExpectedArrival,
}

fn answer(question: &Question) -> Result<Answer, SettlementError> {
    let document = json!({
        "version": "1", "merchant_id": "M000001", "valid_from": "2000-01-01T00:00:00Z", "currency": "CNY",
        "cycle": {"basis": question.basis, "n": question.n},
        "cut_off": question.cut_off, "timezone": question.timezone,
        "payout_windows": [], "pricing": [], "rounding": "half_up_per_payment",
        "minimum_payout": {"amount": 0, "currency": "CNY"},
    });
    let terms = SettlementTerms::parse(document.to_string().as_bytes())?;
    let calendar = Calendar::built_in(terms.timezone);
    Ok(Answer {
        business_date: business_date(&terms, question.accepted_at_ms)?,
        expected: expected(&terms, &calendar, question.accepted_at_ms)?,
    })
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let question: Question = serde_json::from_str(&line?)?;
        match answer(&question) {
            Ok(found) => writeln!(out, "{}", serde_json::to_string(&found)?)?,
            Err(error) => writeln!(out, "{}", json!({ "error": error.to_string() }))?,
        }
    }
    Ok(())
}
