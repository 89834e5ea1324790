//! Days at the market: what may be in a file, and what is expected, read by the code of their runner in Rust.

use serde_json::{Value, json};

#[path = "../../../scenarios/src/file.rs"]
mod file;
#[path = "../../../scenarios/src/pattern.rs"]
mod pattern;

/// As the runner's own.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The file is not a day.
    NoDay(String),
    /// The day is not as it says.
    Wrong(String),
}

impl Trouble {
    pub(crate) fn at(self, place: &str) -> Self {
        match self {
            Self::NoDay(what) => Self::NoDay(format!("{place}: {what}")),
            Self::Wrong(what) => Self::Wrong(format!("{place}: {what}")),
        }
    }
}

/// As much of it as a line of an error bears.
pub(crate) fn short(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}

/// The input is a file. What it expects is held against something that was seen, and against itself.
pub fn days(data: &[u8]) {
    let Ok(day) = serde_json::from_slice::<Value>(data) else { return };
    let schema: Value = serde_json::from_str(include_str!("../../../scenarios/day.schema.json")).unwrap();
    let checked = file::check(&schema, &day);
    let names = pattern::Names::from([("A-1".to_owned(), "01a1fb67-1800-7658-8039-d9de7283d113".to_owned())]);
    let seen = json!({"payments": {"A-1": {"stage": "arrived", "amount_minor": 5}}, "payouts": [], "alerts": [1, 2], "book": null});
    let nothing = Value::Null;
    let steps = day.get("steps").and_then(Value::as_array).into_iter().flatten();
    let expectations =
        steps.filter_map(|step| step.get("gives").or_else(|| step.get("fails")).or_else(|| step.get("that")));
    for expected in expectations.chain(day.get("end")).chain([&day]) {
        for found in [&seen, expected, &nothing] {
            if let Err(Trouble::NoDay(what) | Trouble::Wrong(what)) = pattern::holds(expected, found, "end", &names) {
                assert!(what.len() < 200_000, "{} bytes of complaint", what.len());
            }
        }
    }
    if let Err(trouble) = checked {
        assert!(matches!(trouble, Trouble::NoDay(_)), "a file is a day or it is none");
    }
}
