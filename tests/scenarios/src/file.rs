//! Whether a file is a day, by the part of JSON Schema that `day.schema.json` uses.

use serde_json::Value;

use crate::Trouble;

/// Holds a file against the schema.
pub(crate) fn check(schema: &Value, day: &Value) -> Result<(), Trouble> {
    let defs = schema.get("$defs").unwrap_or(&Value::Null);
    holds(defs, day, defs.get("day").unwrap_or(&Value::Null), "day")
}

fn holds(defs: &Value, value: &Value, rule: &Value, place: &str) -> Result<(), Trouble> {
    let no_day = |what: String| Err(Trouble::NoDay(format!("{place}: {what}")));
    if let Some(named) = rule.get("$ref").and_then(Value::as_str) {
        return refers(defs, value, named.trim_start_matches("#/$defs/"), place);
    }
    if let Some(word) = rule.get("type").and_then(Value::as_str)
        && !is_of_type(value, word)
    {
        return no_day(format!("not of type {word}"));
    }
    if let Some(words) = rule.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        return no_day(format!("{value} is none of {}", words.join(", ")));
    }
    if let (Some(rule), Some(items)) = (rule.get("items"), value.as_array()) {
        for (item, number) in items.iter().zip(1..) {
            holds(defs, item, rule, &format!("{place} {number}"))?;
        }
    }
    let (Some(properties), Some(members)) = (rule.get("properties"), value.as_object()) else { return Ok(()) };
    let required = rule.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for name in required {
        if !members.contains_key(name) {
            return no_day(format!("{name} is missing"));
        }
    }
    for (name, member) in members {
        match properties.get(name) {
            Some(rule) => holds(defs, member, rule, &format!("{place} {name}"))?,
            None => return no_day(format!("unknown field {name}")),
        }
    }
    Ok(())
}

fn refers(defs: &Value, value: &Value, name: &str, place: &str) -> Result<(), Trouble> {
    match name {
        // Looked at when it is matched.
        "pattern" => Ok(()),
        "step" => {
            let word = value.get("do").unwrap_or(&Value::Null);
            match word.as_str().and_then(|word| defs.get("steps")?.get(word)) {
                Some(rule) => holds(defs, value, rule, &format!("{place} ({})", word.as_str().unwrap_or_default())),
                None => Err(Trouble::NoDay(format!("{place}: no step is called {word}"))),
            }
        }
        name => holds(defs, value, defs.get(name).unwrap_or(&Value::Null), place),
    }
}

fn is_of_type(value: &Value, word: &str) -> bool {
    match word {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        _ => false,
    }
}
