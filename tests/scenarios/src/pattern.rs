//! What is expected of what was seen.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{Trouble, short};

/// The payments' ids by their names.
pub(crate) type Names = BTreeMap<String, String>;

/// An error where `found` is not as `pattern` says.
pub(crate) fn holds(pattern: &Value, found: &Value, place: &str, names: &Names) -> Result<(), Trouble> {
    let wrong = |what: String| Err(Trouble::Wrong(format!("{place}: expected {what}, found {}", short(found))));
    match pattern {
        Value::Object(asked) => object(asked, found, place, names),
        Value::Array(asked) => match found.as_array().filter(|found| found.len() == asked.len()) {
            Some(found) => {
                let mut pairs = asked.iter().zip(found).enumerate();
                pairs.try_for_each(|(index, (asked, found))| holds(asked, found, &format!("{place}[{index}]"), names))
            }
            None => wrong(format!("{} elements", asked.len())),
        },
        asked => {
            let asked = resolve(asked, names).map_err(|trouble| trouble.at(place))?;
            if asked == *found { Ok(()) } else { wrong(asked.to_string()) }
        }
    }
}

fn object(asked: &Map<String, Value>, found: &Value, place: &str, names: &Names) -> Result<(), Trouble> {
    let wrong = |what: String| Err(Trouble::Wrong(format!("{place}: expected {what}, found {}", short(found))));
    let (operators, members): (Vec<_>, Vec<_>) = asked.iter().partition(|(name, _)| name.starts_with('$'));
    for (name, operand) in &operators {
        if !operator(name, operand, found, place, names)? {
            return wrong(format!("{name} {operand}"));
        }
    }
    if operators.is_empty() && !found.is_object() {
        return wrong("an object".to_owned());
    }
    for (name, asked) in members {
        match found.get(name) {
            Some(found) => holds(asked, found, &format!("{place}.{name}"), names)?,
            None => return wrong(format!("a member {name}")),
        }
    }
    Ok(())
}

fn operator(name: &str, operand: &Value, found: &Value, place: &str, names: &Names) -> Result<bool, Trouble> {
    let fits = |found: &Value| match holds(operand, found, place, names) {
        Ok(()) => Ok(true),
        Err(Trouble::Wrong(_)) => Ok(false),
        Err(no_day) => Err(no_day),
    };
    let elements: Option<Vec<&Value>> = match found {
        Value::Array(elements) => Some(elements.iter().collect()),
        Value::Object(members) => Some(members.values().collect()),
        _ => None,
    };
    let number = found.as_i64().zip(operand.as_i64());
    match name {
        "$at_least" => Ok(number.is_some_and(|(found, asked)| found >= asked)),
        "$at_most" => Ok(number.is_some_and(|(found, asked)| found <= asked)),
        "$count" => Ok(elements.zip(operand.as_u64()).is_some_and(|(found, asked)| found.len() as u64 == asked)),
        "$every" => {
            let Some(elements) = elements else { return Ok(false) };
            elements.into_iter().try_fold(true, |all, element| Ok(all && fits(element)?))
        }
        "$some" => {
            let Some(elements) = elements else { return Ok(false) };
            elements.into_iter().try_fold(false, |any, element| Ok(any || fits(element)?))
        }
        "$holds" => Ok(found.as_str().zip(operand.as_str()).is_some_and(|(found, asked)| found.contains(asked))),
        "$not" => Ok(!fits(found)?),
        _ => Err(Trouble::NoDay(format!("{place}: no operator is called {name}"))),
    }
}

/// `@name` is the id of the payment of that name, in every text it is the whole of.
pub(crate) fn resolve(value: &Value, names: &Names) -> Result<Value, Trouble> {
    Ok(match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| Ok((name.clone(), resolve(member, names)?)));
            Value::Object(members.collect::<Result<_, Trouble>>()?)
        }
        Value::Array(elements) => elements.iter().map(|element| resolve(element, names)).collect::<Result<_, _>>()?,
        Value::String(text) => match text.strip_prefix('@') {
            Some(name) => match names.get(name) {
                Some(id) => Value::from(id.as_str()),
                None => return Err(Trouble::NoDay(format!("no payment is called {name}"))),
            },
            None => value.clone(),
        },
        other => other.clone(),
    })
}
