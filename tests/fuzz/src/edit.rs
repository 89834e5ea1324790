//! Changes of a JSON value that leave it JSON: what somebody who can sign might say.

use serde_json::{Value, json};

use crate::tape::Tape;

/// Words of the contract, the right ones for other places among them.
const WORDS: &[&str] = &[
    "",
    "0",
    "-1",
    "approved",
    "declined",
    "processing",
    "referred",
    "partially_approved",
    "reversed",
    "voided",
    "none",
    "accepted",
    "in_batch",
    "cleared",
    "rejected",
    "pending",
    "scheduled",
    "held",
    "in_payout",
    "sent",
    "arrived",
    "returned",
    "failed",
    "netted",
    "not_eligible",
    "unknown",
    "credit",
    "debit",
    "created",
    "payment",
    "refund",
    "chargeback",
    "fee",
    "reserve",
    "CNY",
    "JPY",
    "XTS",
    "cny",
    "bank_notification",
    "acquirer",
    "00",
    "51",
    "ZZ",
    "2026-11-21",
    "0000-01-01",
    "9999-12-31",
    "-262143-01-01",
    "2026-02-30",
    "2026-11-21T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "0001-01-01T00:00:00+23:59",
    "23:00",
    "24:00",
    "Asia/Shanghai",
    "Pacific/Apia",
    "019ab2c4-7c00-7000-8000-000000000001",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "4111111111111111",
    "https://example.invalid/",
    "\u{0}",
    "\u{202e}",
    "钱",
];

const NUMBERS: &[i64] = &[
    0,
    1,
    -1,
    2,
    99,
    100,
    101,
    255,
    256,
    65_535,
    1_000_000,
    i32::MAX as i64,
    -100,
    (1 << 53) - 1,
    1 << 53,
    -(1 << 53),
    i64::MAX,
    i64::MIN,
    1_795_219_200,
    1_795_219_200_000,
    253_402_300_799_999,
    8_210_266_876_799_999,
];

/// Changes one place of `value`, as the tape says.
pub(crate) fn edit(value: &mut Value, tape: &mut Tape<'_>) {
    let mut places = Vec::new();
    list(value, &mut String::new(), &mut places);
    let place = places[tape.word() % places.len()].clone();
    let other = places[usize::from(tape.byte()) % places.len()].clone();
    match tape.byte() % 10 {
        0 => put(value, &place, json!(*tape.pick(NUMBERS))),
        1 | 2 => put(value, &place, json!(*tape.pick(WORDS))),
        3 => put(
            value,
            &place,
            tape.pick(&[Value::Null, json!(true), json!([]), json!({}), json!(1e308), json!(u64::MAX)]).clone(),
        ),
        4 => {
            let copy = value.pointer(&other).cloned().unwrap_or_default();
            put(value, &place, copy);
        }
        5 => remove(value, &place),
        6 => repeat(value, &place, *tape.pick(&[1, 2, 10, 250])),
        7 => {
            let count = usize::from(tape.byte() % 16);
            let text = String::from_utf8_lossy(tape.bytes(count)).into_owned();
            put(value, &place, json!(text));
        }
        8 => put(value, &place, json!("9".repeat(*tape.pick(&[18, 20, 65, 300, 5_000])))),
        _ => {
            if let Some(number) = value.pointer(&place).and_then(Value::as_i64) {
                put(value, &place, json!(number.wrapping_add(*tape.pick(&[-1, 1, 2, 100, -100, 1 << 40]))));
            }
        }
    }
}

/// Every place in it, as JSON pointers, the whole first.
fn list(value: &Value, at: &mut String, places: &mut Vec<String>) {
    places.push(at.clone());
    let before = at.len();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                at.push('/');
                at.push_str(&name.replace('~', "~0").replace('/', "~1"));
                list(member, at, places);
                at.truncate(before);
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                at.push_str(&format!("/{index}"));
                list(element, at, places);
                at.truncate(before);
            }
        }
        _ => {}
    }
}

fn put(value: &mut Value, place: &str, new: Value) {
    if let Some(old) = value.pointer_mut(place) {
        *old = new;
    }
}

/// The value around a place, and the place's name in it.
fn around<'a, 'b>(value: &'a mut Value, place: &'b str) -> Option<(&'a mut Value, &'b str)> {
    let (outer, name) = place.rsplit_once('/')?;
    Some((value.pointer_mut(outer)?, name))
}

fn remove(value: &mut Value, place: &str) {
    match around(value, place) {
        Some((Value::Object(members), name)) => drop(members.remove(&name.replace("~1", "/").replace("~0", "~"))),
        Some((Value::Array(elements), name)) => drop(name.parse().ok().map(|index: usize| elements.remove(index))),
        _ => {}
    }
}

fn repeat(value: &mut Value, place: &str, times: usize) {
    if let Some((Value::Array(elements), name)) = around(value, place)
        && let Some(element) = name.parse().ok().and_then(|index: usize| elements.get(index).cloned())
    {
        elements.extend(std::iter::repeat_n(element, times));
    }
}
