//! The day in Chinese and in English: what one reads differs, what is true does not.

use serde_json::json;

use crate::{Acquirer, Dir, Till, day};

/// Names are the same in every language: schemes, the bank's reference, the terminal.
const NAMES: [&str; 9] = ["visa", "mastercard", "amex", "unionpay", "unknown", "MD", "po", "TK", "T"];

fn said(dir: &Dir, language: &str, name: &str, more: &[&str]) -> String {
    let path = dir.path(name);
    let words = ["--payments", "30", "--seed", "5", "--lang", language, "--dir", &path];
    let output = day(&[&words[..], more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn columns(text: &str) -> usize {
    text.chars().map(|letter| if ('\u{2e80}'..='\u{ffe6}').contains(&letter) { 2 } else { 1 }).sum()
}

#[test]
fn a_chinese_day_says_nothing_in_english_and_its_account_is_the_same() {
    let dir = Dir::new("languages");
    let (zh, en) = (said(&dir, "zh", "zh", &[]), said(&dir, "en", "en", &[]));
    assert!(!en.contains(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter)));
    // The first line names the directory.
    for line in zh.lines().skip(1) {
        for word in line.split(|letter: char| !letter.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
            assert!(NAMES.contains(&word), "{word:?} in {line}");
        }
        assert!(columns(line) <= 120, "{line}");
    }
    assert!(zh.contains("星期六") && zh.contains("校验无误") && zh.contains("已存在本机"));
    // How often a bad line is tried depends on the moment; what comes of it does not.
    let (zh, en) = (dir.json("zh/out.json"), dir.json("en/out.json"));
    for part in ["totals", "takings", "comparison", "verified"] {
        assert_eq!(zh[part], en[part], "{part}");
    }
}

#[test]
fn the_account_of_a_good_day_is_the_same_to_the_last_word() {
    let dir = Dir::new("good-languages");
    let good = ["--faults", "none", "--no-kill"];
    let (zh, en) = (said(&dir, "zh", "zh", &good), said(&dir, "en", "en", &good));
    assert_eq!(zh.lines().count(), en.lines().count(), "a line was left out");
    assert_eq!(dir.json("zh/out.json"), dir.json("en/out.json"));
}

#[test]
fn chinese_columns_stand_below_each_other() {
    let dir = Dir::new("columns");
    let zh = said(&dir, "zh", "day", &[]);
    let begin = |line: &str, of: &str| line.find(of).map(|at| columns(line.get(..at).unwrap()));
    let table: Vec<&str> = zh.lines().skip_while(|line| !line.starts_with("订单号")).take(31).collect();
    let evidence = begin(table[0], "依据").unwrap();
    let arrived: Vec<_> = table.iter().filter_map(|line| begin(line, "银行通知")).collect();
    assert!(arrived.len() > 10 && arrived.iter().all(|at| *at == evidence), "{zh}");
}

#[test]
fn help_and_wrong_arguments_are_english_in_any_language() {
    let help = day(&["--lang", "zh", "--help"]);
    assert!(help.status.success() && help.stdout.is_ascii());
    let wrong = day(&["--lang", "fr"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&wrong.stderr), "market-day: --lang: zh or en, not \"fr\"\n");
}

#[test]
fn a_receipt_speaks_the_tills_language() {
    let dir = Dir::new("receipt");
    let acquirer = Acquirer::start(&dir);
    let mut till = Till::ready(&dir, &acquirer);
    let charge = json!({"cmd": "charge", "amount_minor": 900, "mode": "offline", "card": {"last_four": "1234"}});
    let id = till.must(&charge)["payment_id"].clone();
    let mut heading = |more: &[&str]| {
        till.must(&json!({"cmd": "shutdown"}));
        till = Till::start_with(&dir.0, &acquirer.url, more);
        till.must(&json!({"cmd": "receipt", "id": id, "copy": "customer"}))["receipt"]["lines"].to_string()
    };
    assert!(heading(&["--lang", "zh"]).contains("持卡人存根"));
    assert!(heading(&["--lang", "en"]).contains("CUSTOMER COPY"));
    assert!(heading(&[]).contains("CUSTOMER COPY"));
}
