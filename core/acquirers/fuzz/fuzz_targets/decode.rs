//! Whatever an acquirer, a portal or a push sends: nothing panics, and nothing unsigned is believed.
//!
//! First byte: which operation; second: signed or not, and the status; the rest is the body.
#![no_main]

#[expect(dead_code, reason = "shared with the tests")]
#[path = "../../tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;
use takings_acquirers::{ActivationCode, Answer, Reply, decode, verify_event};

fuzz_target!(|data: &[u8]| {
    let [which, how, body @ ..] = data else { return };
    let mut operations = support::operations();
    let (_, operation) = operations.swap_remove(usize::from(*which) % operations.len());
    let status = [200, 201, 202, 304, 401, 409, 422, 503][usize::from(how >> 1) % 8];
    let ring = support::key_ring();
    if how & 1 == 1 {
        let _ = decode(&operation, &support::signed(&operation, status, body), &ring);
    } else {
        let answer = Answer { status, headers: Vec::new(), body: body.to_vec() };
        let reply = decode(&operation, &answer, &ring);
        assert!(!matches!(reply, Reply::Verified(_) | Reply::NotModified));
    }
    let _ = verify_event(body, &ring);
    let _ = std::str::from_utf8(body).map(ActivationCode::parse);
});
