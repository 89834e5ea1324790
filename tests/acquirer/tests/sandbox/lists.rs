//! Pages, cursors, and how long they last.

use crate::client::{DAY, HOUR, SATURDAY, code, id};
use crate::world::World;

#[test]
fn pages_and_their_cursors() {
    let mut world = World::new(SATURDAY);
    for n in 1..=7 {
        world.pay(n, 1000, if n == 7 { "0005" } else { "0000" });
    }
    let mut ids = Vec::new();
    let mut target = "/v1/payments?limit=3".to_owned();
    let mut cursor;
    loop {
        let page = world.get(&target);
        ids.extend(
            page["data"].as_array().unwrap().iter().map(|payment| payment["payment_id"].as_str().unwrap().to_owned()),
        );
        cursor = target;
        match page["next_cursor"].as_str() {
            Some(next) => target = format!("/v1/payments?limit=3&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(ids, (1..=7).map(id).collect::<Vec<_>>());
    assert_eq!(world.get("/v1/payments?status=declined")["data"].as_array().unwrap().len(), 1);
    world.go(SATURDAY + 14 * HOUR);
    let since = world.get("/v1/payments?updated_since=2026-11-21T23:00:00%2B08:00");
    assert_eq!(since["data"].as_array().unwrap().len(), 6);
    for bad in ["limit=0", "limit=201", "limit=x", "cursor=rubbish", "updated_since=yesterday", "status=A"] {
        assert_eq!(world.send("GET", &format!("/v1/payments?{bad}"), None, None).status, 422, "{bad}");
    }
    world.go(SATURDAY + 10 * DAY);
    assert_eq!(code(&world.send("GET", &cursor, None, None)), "cursor-expired");
    // The feed forgets after its retention.
    world.go(SATURDAY + 40 * DAY);
    assert_eq!(code(&world.send("GET", "/v1/events?after=1", None, None)), "cursor-expired");
    assert_eq!(world.send("GET", "/v1/events?after=0", None, None).status, 200, "0 asks for all that is kept");
    let last = world.ledger()["events"]["M000001"]["last_seq"].as_u64().unwrap();
    assert_eq!(world.get(&format!("/v1/events?after={last}"))["next_after"], last);
    assert_eq!(world.send("GET", "/v1/events", None, None).status, 422);
}
