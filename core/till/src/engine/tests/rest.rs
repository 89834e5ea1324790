//! Little time, little room, and nobody looking: what a budget bounds, what a full disk still takes, and what is let go
//! of on the way to the background.

use std::fs;

use takings_acquirers::http::Carried;
use takings_domain::PaymentId;

use super::bench::{BATCH, Bench, EVENTS, LIVE, MINUTE, REVERSE, SECOND, Sent, say_free_bytes};
use super::line::Fault;
use super::stall::Sale;
use crate::charge::ChargeOutcome;
use crate::engine::{Command, Input, Reply};
use crate::views::SyncReport;

/// Nothing is begun with less left of the budget, milliseconds.
const LEAST_MS: i64 = 12 * SECOND;
/// As a phone's background allows.
const BUDGET_MS: i64 = 30 * SECOND;

// Little time.

/// A contact over a line on which the answer to a request of a name takes so long, or the request's time is up before.
/// Answers the report, how long it took in milliseconds, and what was asked.
fn slow_contact(bench: &mut Bench, budget_ms: i64, answer_ms: fn(&str) -> i64) -> (SyncReport, i64, Vec<String>) {
    let began_ms = bench.now.monotonic_ms;
    let ticket = bench.start(Command::Sync { budget_ms: budget_ms as u64 });
    let (mut under_way, mut asked): (Vec<(i64, Sent)>, Vec<String>) = (Vec::new(), Vec::new());
    loop {
        let now_ms = bench.now.monotonic_ms;
        for sent in std::mem::take(&mut bench.outbox) {
            let left_ms = budget_ms - (now_ms - began_ms);
            assert!(left_ms >= LEAST_MS, "{} was begun with {left_ms} ms left", sent.name);
            assert!(sent.timeout_ms as i64 <= left_ms, "{} may take {} ms of {left_ms}", sent.name, sent.timeout_ms);
            asked.push(sent.name.clone());
            under_way.push((now_ms + answer_ms(&sent.name).min(sent.timeout_ms as i64), sent));
        }
        let Some(next) = (0..under_way.len()).min_by_key(|at| under_way[*at].0) else { break };
        let (at_ms, sent) = under_way.remove(next);
        bench.pass(at_ms - now_ms);
        if answer_ms(&sent.name) < sent.timeout_ms as i64 {
            bench.carry(sent);
        } else {
            bench.handle(Input::Answer(sent.op, Carried::Maybe("timed out".to_owned())));
        }
    }
    match bench.reply(ticket) {
        Some(Ok(Reply::Synced(report))) => (report, bench.now.monotonic_ms - began_ms, asked),
        other => panic!("{other:?}"),
    }
}

/// So many saved sales, a live one in doubt, and one that is to be undone.
fn much_to_do(sales: i64) -> (Bench, Vec<PaymentId>, PaymentId, PaymentId) {
    let mut bench = Bench::ready(1);
    bench.line_is_down = true;
    let saved = (0..sales).map(|n| bench.charge(&Sale::nth(n)).0).collect();
    bench.line_is_down = false;
    bench.spoil(LIVE, 1, Fault::DropAnswer);
    let doubtful = bench.charge(&Sale::live(30_000)).0;
    bench.spoil(REVERSE, 1, Fault::DropRequest);
    let undone = bench.charge(&Sale::live(31_000).last_four("0099")).0;
    bench.good_line();
    // Their customers do not wait any more: for those there is no budget.
    bench.pass(2 * MINUTE);
    (bench, saved, doubtful, undone)
}

fn requests(bench: &mut Bench, id: PaymentId) -> u64 {
    bench.in_book(id).map_or(0, |payment| payment["requests"].as_u64().unwrap())
}

#[test]
fn p10_drains_two_hundred_go_out_in_pieces_that_end_on_time_and_go_on_where_they_were() {
    let (mut bench, saved, doubtful, undone) = much_to_do(200);
    let (mut approved, mut contacts) = (0, 0);
    loop {
        let (report, took_ms, asked) = slow_contact(&mut bench, BUDGET_MS, |_| 9_500);
        assert!(took_ms <= BUDGET_MS, "{took_ms} ms");
        approved += report.approved;
        contacts += 1;
        if report.waiting == 0 {
            break;
        }
        // The first question says whether there is a line; then the lanes have time for one exchange each.
        assert_eq!((report.ended.as_str(), asked.iter().filter(|name| *name == BATCH).count()), ("budget", 1));
        assert!(contacts < 10, "{report:?}");
        bench.pass(MINUTE);
    }
    assert_eq!((approved, contacts), (201, 4), "fifty in each contact, and the one in doubt");
    for id in &saved {
        assert_eq!((requests(&mut bench, *id), bench.stage(*id).0.as_str()), (1, "approved"), "sent once");
    }
    assert_eq!((bench.stage(doubtful).0.as_str(), bench.stage(undone).0.as_str()), ("approved", "not_charged"));
    bench.judge();
}

#[test]
fn p10_drains_a_contact_without_answers_ends_on_time_and_nothing_is_lost() {
    let (mut bench, saved, ..) = much_to_do(60);
    let (report, took_ms, asked) = slow_contact(&mut bench, BUDGET_MS, |_| i64::MAX);
    assert!(took_ms <= BUDGET_MS, "{took_ms} ms");
    assert!(["budget", "waiting"].contains(&report.ended.as_str()), "{report:?}");
    assert!(
        !asked.iter().any(|name| name == BATCH),
        "nothing is written down as sent before somebody answered: {asked:?}"
    );
    assert!(saved.iter().all(|id| bench.stage(*id).0 == "saved_on_phone"));
    bench.pass(MINUTE);
    // Now the feed answers, and the batch does not.
    let swallows = |name: &str| if name == EVENTS { SECOND } else { i64::MAX };
    let (report, took_ms, asked) = slow_contact(&mut bench, BUDGET_MS, swallows);
    assert!(took_ms <= BUDGET_MS, "{took_ms} ms");
    assert_eq!((report.answered, asked.iter().filter(|name| *name == BATCH).count()), (0, 1), "{report:?}");
    let stages: Vec<String> = saved.iter().map(|id| bench.stage(*id).0).collect();
    assert!(stages[..50].iter().all(|stage| stage == "being_confirmed"), "{stages:?}");
    assert!(stages[50..].iter().all(|stage| stage == "saved_on_phone"), "{stages:?}");
    bench.pass(MINUTE);
    bench.drain();
    assert!(saved.iter().all(|id| bench.stage(*id).0 == "approved" && bench.authorizations(*id) == 1));
    bench.judge();
}

#[test]
fn p10_drains_too_little_time_begins_nothing() {
    let (mut bench, saved, doubtful, undone) = much_to_do(10);
    let before = [saved[0], doubtful, undone].map(|id| bench.count(id, "send_started"));
    for budget_ms in [0, 1, LEAST_MS - 1] {
        let (report, took_ms, asked) = slow_contact(&mut bench, budget_ms, |_| SECOND);
        assert_eq!((report.ended.as_str(), report.requests, took_ms, asked.len()), ("budget", 0, 0, 0));
    }
    assert_eq!([saved[0], doubtful, undone].map(|id| bench.count(id, "send_started")), before, "nor written down");
    let (report, ..) = slow_contact(&mut bench, LEAST_MS, |_| 0);
    assert!(report.requests > 0);
    bench.drain();
    assert!(saved.iter().all(|id| bench.authorizations(*id) == 1));
}

// Little room.

/// Too little for a charge, enough for answers.
const LOW: u64 = 400_000;
/// As good as full.
const FULL: u64 = 100_000;
/// Not enough to hold the ballast again, and just enough.
const ALMOST: u64 = 3 * 1024 * 1024 - 1;
const AGAIN: u64 = ALMOST + 1;

fn holds_ballast(bench: &Bench) -> bool {
    fs::metadata(bench.dir.path().join("ballast")).is_ok_and(|found| found.len() == 2 * 1024 * 1024)
}

/// A new charge is refused, and nothing is written of it.
fn refuses_a_charge(bench: &mut Bench) {
    let before = (bench.status().last_seq, bench.payments().len());
    for sale in [Sale::offline(7_000), Sale::live(7_100)] {
        let error = bench.begin(&sale).unwrap_err();
        assert!(matches!(error, crate::TillError::Storage { .. }), "{error:?}");
        assert_eq!(error.code(), "disk_full");
    }
    assert_eq!((bench.status().last_seq, bench.payments().len()), before);
}

#[test]
fn p1_kept_a_full_disk_takes_no_charge_but_every_answer_and_every_undoing_and_tells_each_once() {
    let mut bench = Bench::ready(1);
    let kept = bench.charge(&Sale::nth(1)).0;
    let late = bench.charge(&Sale::nth(2).last_four("0051")).0;
    bench.spoil(LIVE, 1, Fault::DropAnswer);
    let doubtful = bench.charge(&Sale::live(30_000)).0;
    bench.spoil(REVERSE, 1, Fault::DropRequest);
    let undone = bench.charge(&Sale::live(31_000).last_four("0099")).0;
    assert!(holds_ballast(&bench));
    say_free_bytes(LOW);
    refuses_a_charge(&mut bench);
    assert!(holds_ballast(&bench), "there is still room for answers");
    say_free_bytes(FULL);
    refuses_a_charge(&mut bench);
    assert!(!holds_ballast(&bench), "its room is for answers now");
    bench.pass(2 * MINUTE);
    bench.drain();
    let stages = [kept, late, doubtful, undone].map(|id| bench.stage(id).0);
    assert_eq!(stages, ["approved", "needs_you", "approved", "not_charged"]);
    assert_eq!(bench.book()["reversals"].as_array().unwrap().len(), 1);
    assert_eq!(bench.told("declined_after_deferral"), 1);
    // The app ends and is opened again, still without room.
    bench.kill_and_reopen();
    refuses_a_charge(&mut bench);
    assert_eq!(bench.status().missing_events, 0);
    bench.days_later(3);
    assert_eq!(bench.stage(kept).0, "arrived", "where the money is is still heard");
    assert_eq!((bench.told("declined_after_deferral"), bench.told("payout_arrived")), (1, 1));
    let last = bench.alerts().last().unwrap().alert;
    bench.ask(Command::Acknowledge { upto: last }).unwrap();
    // Room again: first for the ballast, then for a charge.
    say_free_bytes(ALMOST);
    refuses_a_charge(&mut bench);
    assert!(!holds_ballast(&bench));
    say_free_bytes(AGAIN);
    let sale = Sale::nth(3);
    assert_eq!(bench.charge(&sale).1, ChargeOutcome::Saved);
    assert!(holds_ballast(&bench), "held back again");
    assert_eq!(bench.alerts(), [], "and nothing is told twice");
    bench.drain();
    bench.judge();
    bench.assert_verified();
}

#[test]
fn p1_kept_a_charge_that_was_begun_with_room_comes_to_its_end_without() {
    let mut bench = Bench::ready(1);
    let (saved, live) = (Sale::offline(1_000), Sale::live(2_000));
    let (a, b) = (bench.begin(&saved).unwrap(), bench.begin(&live).unwrap());
    say_free_bytes(FULL);
    bench.present(a, &saved);
    bench.present(b, &live);
    bench.run();
    assert_eq!(bench.outcome(a), Some(ChargeOutcome::Saved));
    assert_eq!(bench.outcome(b), Some(ChargeOutcome::Approved { approved_minor: 2_000 }));
    refuses_a_charge(&mut bench);
    bench.kill_and_reopen();
    bench.drain();
    assert_eq!((bench.stage(a).0.as_str(), bench.stage(b).0.as_str()), ("approved", "approved"));
    bench.judge();
    bench.assert_verified();
}

// Nobody looking.

/// The app goes to the background. Afterwards nothing of the ledger is open, and somebody else could have it for himself.
fn goes_to_the_background(bench: &mut Bench) {
    let ticket = bench.start(Command::Background);
    assert!(matches!(bench.reply(ticket), Some(Ok(Reply::Done))), "answered at once, whatever is under way");
    assert_let_go(bench);
}

fn assert_let_go(bench: &Bench) {
    let ours = bench.dir.path().join("ledger.db");
    let open: Vec<_> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
        .filter(|file| file.to_string_lossy().starts_with(&*ours.to_string_lossy()))
        .collect();
    assert!(open.is_empty(), "with a file every lock of it is held: {open:?}");
    let other = bench.raw();
    other.execute_batch("PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT").unwrap();
}

#[test]
fn p1_kept_in_the_background_while_a_card_is_at_the_reader() {
    let mut bench = Bench::ready(1);
    // Before the card is there.
    let sale = Sale::offline(1_000);
    let id = bench.begin(&sale).unwrap();
    goes_to_the_background(&mut bench);
    let mut writes = bench.connect(id);
    bench.talk(id, &mut writes, None);
    goes_to_the_background(&mut bench);
    // Between the card and the reader's last word.
    bench.talk_until_saved(id, sale.card.clone());
    goes_to_the_background(&mut bench);
    assert_eq!(bench.outcome_now(id), Some(ChargeOutcome::Saved));
    goes_to_the_background(&mut bench);
    bench.talk(id, &mut [].into(), None);
    bench.lose_link(id);
    // The same with a customer who waits for the bank.
    let sale = Sale::live(2_000);
    let live = bench.begin(&sale).unwrap();
    let mut writes = bench.connect(live);
    bench.talk(live, &mut writes, None);
    bench.talk_until_sent(live, sale.card.clone());
    goes_to_the_background(&mut bench);
    assert_eq!(bench.outcome_now(live), None);
    bench.run();
    assert_let_go(&bench);
    assert_eq!(bench.outcome(live), Some(ChargeOutcome::Approved { approved_minor: 2_000 }));
    bench.lose_link(live);
    bench.drain();
    assert_eq!((bench.authorizations(id), bench.authorizations(live)), (1, 1));
    bench.judge();
    bench.assert_verified();
}

#[test]
fn p10_drains_in_the_background_while_the_queue_drains() {
    let mut bench = Bench::ready(1);
    let saved: Vec<PaymentId> = (0..120).map(|n| bench.charge(&Sale::nth(n)).0).collect();
    let ticket = bench.start(Command::Sync { budget_ms: 120_000 });
    while !bench.outbox.iter().any(|sent| sent.name == BATCH) {
        let sent = bench.outbox.pop_front().unwrap();
        bench.carry(sent);
    }
    goes_to_the_background(&mut bench);
    // The answers come while nobody looks: each is kept, the next batch leaves, and the file is let go of again.
    let mut batches = 0;
    while let Some(sent) = bench.outbox.pop_front() {
        batches += usize::from(sent.name == BATCH);
        bench.carry(sent);
        assert_let_go(&bench);
    }
    assert_eq!(batches, 3);
    assert!(matches!(bench.reply(ticket), Some(Ok(Reply::Synced(report))) if report.approved == 120));
    bench.handle(Input::Tick);
    bench.run();
    assert_let_go(&bench);
    assert!(saved.iter().all(|id| bench.stage(*id).0 == "approved"));
    assert!(saved.iter().all(|id| requests(&mut bench, *id) == 1));
    // Somebody looks again, and the till goes on.
    assert_eq!(bench.charge(&Sale::nth(121)).1, ChargeOutcome::Saved);
    bench.judge();
}

#[test]
fn p2_once_a_till_that_ends_in_the_background_in_the_middle_of_a_drain_sends_the_same_again() {
    let mut bench = Bench::ready(1);
    let saved: Vec<PaymentId> = (0..60).map(|n| bench.charge(&Sale::nth(n)).0).collect();
    bench.spoil(BATCH, 1, Fault::Late);
    bench.start(Command::Sync { budget_ms: 120_000 });
    bench.run();
    goes_to_the_background(&mut bench);
    bench.kill_and_reopen();
    let doubtful = saved.iter().filter(|id| bench.stage(**id).0 == "being_confirmed").count();
    assert_eq!(doubtful, 50);
    bench.pass(MINUTE);
    bench.drain();
    assert!(saved.iter().all(|id| bench.authorizations(*id) == 1));
    bench.judge();
    bench.assert_verified();
}

#[test]
fn p1_kept_in_the_background_in_the_middle_of_a_commit_that_fails() {
    let refusals: [fn(&Bench, &str); 2] =
        [|bench, kind| bench.refuse_to_write(kind), |bench, kind| bench.fail_to_commit(kind)];
    for (kind, refuse) in
        ["card_read", "send_started", "payment_reported"].iter().flat_map(|kind| refusals.map(|refuse| (*kind, refuse)))
    {
        let mut bench = Bench::ready(1);
        let waiting = bench.charge(&Sale::nth(1)).0;
        let sale = Sale::live(2_000);
        let id = bench.begin(&sale).unwrap();
        refuse(&bench, kind);
        bench.try_to_present(id, &sale);
        goes_to_the_background(&mut bench);
        bench.run();
        bench.start(Command::Sync { budget_ms: 60_000 });
        goes_to_the_background(&mut bench);
        bench.run();
        assert_let_go(&bench);
        let outcome = bench.outcome(id);
        assert!(
            !matches!(outcome, None | Some(ChargeOutcome::Saved | ChargeOutcome::Approved { .. })),
            "{kind}: {outcome:?}"
        );
        bench.mend_the_disk();
        bench.live_on(20 * MINUTE);
        bench.drain();
        assert_eq!((bench.stage(waiting).0.as_str(), bench.authorizations(waiting)), ("approved", 1), "{kind}");
        assert!(["approved", "not_charged"].contains(&bench.stage(id).0.as_str()), "{kind}: {:?}", bench.kinds(id));
        bench.outcome(id);
        bench.judge();
        bench.assert_verified();
    }
}
