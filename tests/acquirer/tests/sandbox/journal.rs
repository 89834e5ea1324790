//! The journal is the whole state.

use std::path::PathBuf;

use sandbox_acquirer::{Config, Sandbox};
use serde_json::{Value, json};

use crate::client::{DAY, HOUR, SATURDAY};
use crate::key::Key;
use crate::world::{World, config};

/// A file of this test's own.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join(format!("{name}-{}.jsonl", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

#[test]
fn the_journal_is_the_whole_state() {
    let path = scratch("journal");
    let journaled = || Config { journal: Some(path.clone()), ..config(7, SATURDAY) };
    let mut world = World::with(Sandbox::new(journaled()).unwrap(), Key::p256(4), SATURDAY);
    world.admin(
        "POST",
        "/admin/faults",
        &json!({"on": "POST /v1/payments", "kind": "drop_answer", "probability": 0.5}),
    );
    world.admin("POST", "/admin/bank", &json!({"action": "return"}));
    for n in 1..=12 {
        let payment =
            world.till.payment(n, "live", 1000 * i64::from(n), if n == 5 { "0068" } else { "0000" }, world.now_ms);
        world.submit(&payment);
    }
    let items: Vec<Value> =
        (20..40).map(|n| world.till.payment(n, "deferred_authorization", 700, "0000", SATURDAY)).collect();
    let (_, order) = world.batch(&items);
    world.reverse(1, 1000);
    for hours in [3, 14, 50, 80] {
        world.go(SATURDAY + hours * HOUR);
        world.events();
    }
    let before = world.ledger();
    let again = {
        let bytes = std::fs::read(&path).unwrap();
        // A torn last line, as a kill in the middle of a write leaves it.
        std::fs::write(&path, [&bytes[..], b"{\"request\":{\"now_ms\":17952"].concat()).unwrap();
        let replayed = Sandbox::new(journaled()).unwrap();
        std::mem::replace(&mut world.sandbox, replayed)
    };
    assert_eq!(world.ledger(), before);
    assert_eq!(world.admin("GET", "/admin/clock", &json!({}))["set"], true);
    drop(again);
    // The replayed one goes on like the first would have: sessions, keys, faults, orders.
    world.go(SATURDAY + 4 * DAY);
    world.sign_on();
    let items: Vec<Value> =
        (50..70).map(|n| world.till.payment(n, "deferred_authorization", 700, "0000", SATURDAY)).collect();
    assert_eq!(world.batch(&items).0.len(), 20);
    let longer = world.ledger();
    world.sandbox = Sandbox::new(journaled()).unwrap();
    assert_eq!(world.ledger(), longer);
    assert_eq!(order.len(), 20);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_broken_journal_is_not_opened() {
    let path = scratch("broken");
    std::fs::write(&path, "{\"began\":{\"seed\":1,\"start_ms\":1,\"public_url\":null}}\nrubbish\n{}\n").unwrap();
    let error = Sandbox::new(Config { journal: Some(path.clone()), ..config(7, SATURDAY) }).unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    std::fs::remove_file(&path).unwrap();
}
