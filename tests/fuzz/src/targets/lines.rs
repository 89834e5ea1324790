//! Lines for `till-cli`, carried out by a till of its own without a line to anybody.

use std::io::Cursor;

use serde_json::Value;

use crate::stall::directory;

/// What a till may say to one input, bytes.
const MOST_SAID: usize = 16 * 1024 * 1024;

/// The input is the standard input.
pub fn lines(data: &[u8]) {
    let dir = directory();
    let words = ["--dir", &dir.path().to_string_lossy(), "--acquirer", "http://127.0.0.1:1"].map(str::to_owned);
    let mut said = Vec::new();
    let _ = till_cli::run(words, Cursor::new(data), &mut said);
    assert!(said.len() < MOST_SAID, "{} bytes said to {}", said.len(), data.len());
    let said = String::from_utf8(said).expect("a till speaks UTF-8");
    let mut answers = 0;
    for line in said.lines() {
        let line: Value = serde_json::from_str(line).expect("a till speaks JSON, line by line");
        assert!(line.is_object());
        answers += usize::from(line.get("ok").is_some());
    }
    let asked = data.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
    // One for each line, and one for the end.
    assert!(answers <= asked + 1, "{answers} answers to {asked} lines");
    assert!(said.starts_with("{\"event\":\"opened\""), "it opens");
}
