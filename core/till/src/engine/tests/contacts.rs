//! P3 honest, P7 told once: what a contact reads, and when it is called done.

use serde_json::json;

use super::bench::{Bench, EVENTS, MINUTE};
use super::stall::Sale;

/// A deferred payment, approved and then declined by the bank: the feed knows.
fn declined_late() -> (Bench, takings_domain::PaymentId) {
    let mut bench = Bench::ready(1);
    let id = bench.charge(&Sale::offline(1_000)).0;
    bench.drain();
    bench.sync();
    bench.admin("POST", &format!("/admin/payments/{id}"), &json!({"action": "decline", "code": "51"}));
    (bench, id)
}

#[test]
fn p7_a_contact_reads_the_news_also_where_it_needs_new_keys_or_a_new_session_first() {
    let rotations = [json!({"drop_old": true}), json!({"drop_old": true, "refuse_sessions": true})];
    for rotation in rotations {
        let (mut bench, id) = declined_late();
        bench.admin("POST", "/admin/keys/rotate", &rotation);
        let report = bench.sync();
        assert_eq!(report.ended, "done", "{rotation}: {:?}", bench.sent);
        assert_eq!(bench.view(id).stage, "needs_you", "{rotation}: {:?}", bench.sent);
        bench.judge();
    }
    for problem in ["keys-rotated", "terminal-not-signed-on", "clock-skew"] {
        let (mut bench, id) = declined_late();
        bench.plant(json!({"on": EVENTS, "kind": "refuse", "problem": problem, "count": 1}));
        let report = bench.sync();
        assert_eq!(report.ended, "done", "{problem}: {:?}", bench.sent);
        assert_eq!(bench.view(id).stage, "needs_you", "{problem}: {:?}", bench.sent);
    }
}

#[test]
fn p3_a_contact_whose_feed_brought_nothing_is_not_called_done() {
    for fault in
        [json!({"kind": "status", "status": 500}), json!({"kind": "drop_answer"}), json!({"kind": "wrong_signature"})]
    {
        let (mut bench, id) = declined_late();
        let word = fault.to_string();
        let mut planted = fault;
        planted["on"] = json!(EVENTS);
        bench.plant(planted);
        let report = bench.sync();
        assert_eq!((report.ended.as_str(), report.waiting), ("waiting", 0), "{word}: {:?}", bench.sent);
        assert_eq!(bench.view(id).stage, "approved", "{word}");
    }
    // Refused, as a terminal that is blocked hears it: the news are not read either.
    let (mut bench, id) = declined_late();
    bench.plant(json!({"on": EVENTS, "kind": "refuse", "problem": "terminal-blocked", "count": 1}));
    let report = bench.sync();
    assert_eq!((report.ended.as_str(), report.waiting), ("waiting", 0), "{:?}", bench.sent);
    assert_eq!(bench.view(id).stage, "approved");
    // The payment that a hint names is not to be had this time.
    let (mut bench, id) = declined_late();
    bench.plant(json!({"on": format!("GET /v1/payments/{id}"), "kind": "status", "status": 503, "count": 1}));
    assert_eq!(
        (bench.sync().ended.as_str(), bench.view(id).stage.as_str()),
        ("waiting", "approved"),
        "{:?}",
        bench.sent
    );
    bench.live_on(10 * MINUTE);
    assert_eq!((bench.sync().ended.as_str(), bench.view(id).stage.as_str()), ("done", "needs_you"), "{:?}", bench.sent);
}

#[test]
fn keys_that_rotate_are_learnt_and_nothing_is_decided_by_an_old_one() {
    for refuse_sessions in [false, true] {
        let mut bench = Bench::ready(1);
        let id = bench.charge(&Sale::offline(1_000)).0;
        let rotation = json!({"drop_old": true, "refuse_sessions": refuse_sessions});
        bench.admin("POST", "/admin/keys/rotate", &rotation);
        bench.drain();
        assert_eq!(bench.view(id).authorization.as_deref(), Some("approved"));
        assert_eq!(bench.authorizations(id), 1);
        // While a customer waits: in doubt until the new key is known.
        bench.admin("POST", "/admin/keys/rotate", &rotation);
        let (live, _) = bench.charge(&Sale::live(2_000));
        bench.live_on(2 * MINUTE);
        let outcome = bench.outcome(live).unwrap();
        assert_eq!(outcome, crate::charge::ChargeOutcome::Approved { approved_minor: 2_000 });
        bench.kill_and_reopen();
        bench.sync();
        bench.judge();
    }
}
