//! What is wrong with a simulated reader: days at the market say it through `DemoWorld.admin`, at `/world/reader`.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use takings_readers::simulated::{Failure, SimulatedReader};

use super::phone::refused;
use super::surroundings::lock;
use crate::error::TakingsError;

/// Sets what the body names of the reader it names, the first one if it names none.
pub(crate) fn set(readers: &[Arc<Mutex<SimulatedReader>>], asked: &Value) -> Result<(), TakingsError> {
    let number = asked.get("reader").map_or(Some(0), Value::as_u64).and_then(|number| usize::try_from(number).ok());
    let reader =
        number.and_then(|number| readers.get(number)).ok_or_else(|| refused("reader: there is no such one"))?;
    let mut reader = lock(reader);
    let words = asked.get("fails").and_then(Value::as_array).into_iter().flatten();
    let failures: Option<Vec<Failure>> = words.map(|word| word.as_str().and_then(Failure::from_word)).collect();
    for failure in failures.ok_or_else(|| refused("fails: not a failure of a simulated reader"))? {
        reader.fail(failure);
    }
    if let Some(charging) = asked.get("charging").and_then(Value::as_bool) {
        reader.set_charging(charging);
    }
    if let Some(loaded) = asked.get("keys").and_then(Value::as_bool) {
        reader.set_keys(loaded);
    }
    Ok(())
}
