//! One phone, two sales, one payout: the whole record, ready to be spoiled.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use takings_till::ChargeOutcome;
use takings_till::views::{
    AlertView, PaymentDetail, PaymentView, PayoutDetail, PayoutEntryView, PayoutView, StatusView, SumView, TakingsLine,
    TimelineEntry, VerifyReport,
};

use super::super::{Oracle, p5_append_only};
use crate::record::{Deed, RawColumns, RawEvent, Seen, Tap};

/// Saturday 2026-11-21, 10:00 in Shanghai.
pub(super) const START_MS: i64 = 1_795_226_400_000;
pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const DAY_MS: i64 = 86_400_000;
/// A live payment of 10.00, approved.
pub(super) const LIVE: &str = "00000000-0000-7000-8000-00000000000a";
/// A deferred payment of 20.00.
pub(super) const SAVED: &str = "00000000-0000-7000-8000-00000000000b";
pub(super) const PAYOUT: &str = "po_20261123_1";

/// What an oracle hears, in order.
#[derive(Clone)]
pub(super) enum Call {
    Tap(Tap),
    Deed(i64, Option<usize>, Deed),
    See(i64, Seen),
    Rows(i64, Vec<RawEvent>),
    Files(i64, Vec<(String, Vec<u8>)>),
}

pub(super) struct Day {
    pub(super) calls: Vec<Call>,
    pub(super) book: Value,
}

pub(super) fn ciphertext() -> Vec<u8> {
    (0..24).map(|byte| byte * 7 + 3).collect()
}

impl Day {
    /// The promises that an oracle finds broken, with what it says.
    pub(super) fn judge(self) -> Vec<(&'static str, String)> {
        let mut oracle = Oracle::new(1, vec![0]);
        oracle.terminal(0, "T0000001");
        oracle.ciphertext(0, SAVED, &ciphertext());
        for call in self.calls {
            match call {
                Call::Tap(tap) => oracle.tap(tap),
                Call::Deed(at_ms, phone, deed) => oracle.deed(at_ms, phone, deed),
                Call::See(at_ms, seen) => oracle.see(at_ms, 0, seen),
                Call::Rows(at_ms, rows) => oracle.rows(at_ms, 0, rows),
                Call::Files(at_ms, files) => oracle.files(at_ms, 0, &files),
            }
        }
        oracle.finish(START_MS + 5 * DAY_MS, &self.book);
        oracle.violations().iter().map(|violation| (violation.promise, violation.what.clone())).collect()
    }

    /// The n-th list of payments, to be changed.
    pub(super) fn list(&mut self, n: usize) -> &mut Vec<PaymentDetail> {
        let lists = self.calls.iter_mut().filter_map(|call| match call {
            Call::See(_, Seen::Payments(list)) => Some(list),
            _ => None,
        });
        lists.into_iter().nth(n).unwrap()
    }

    pub(super) fn line(&mut self, n: usize, id: &str) -> &mut PaymentView {
        let line = self.list(n).iter_mut().find(|detail| detail.payment.payment_id == id);
        &mut line.unwrap().payment
    }

    pub(super) fn see(&mut self, at_ms: i64, seen: Seen) {
        let before = |call: &Call| matches!(call, Call::See(when, _) if *when > at_ms);
        let place = self.calls.iter().position(before).unwrap_or(self.calls.len());
        self.calls.insert(place, Call::See(at_ms, seen));
    }

    pub(super) fn change(&mut self, change: impl FnMut(&mut Seen)) {
        let seen = self.calls.iter_mut().filter_map(|call| match call {
            Call::See(_, seen) => Some(seen),
            _ => None,
        });
        seen.for_each(change);
    }

    pub(super) fn rows(&mut self, n: usize) -> &mut Vec<RawEvent> {
        let rows = self.calls.iter_mut().filter_map(|call| match call {
            Call::Rows(_, rows) => Some(rows),
            _ => None,
        });
        rows.into_iter().nth(n).unwrap()
    }
}

fn ledger() -> Vec<RawEvent> {
    let report = |version: u32, clearing: &str, accepted_ms: i64, rrn: &str| {
        json!({"report_version": version, "authorization": "approved", "clearing": clearing, "code": "00", "rrn": rrn,
               "auth_code": "A1", "accepted_at_ms": accepted_ms})
    };
    let events: Vec<(i64, i64, &str, Value)> = vec![
        (0, 0, "opened", json!({"ledger_id": "11111111-1111-1111-1111-111111111111"})),
        (1, 2, "charge_started", json!({})),
        (1, 2, "card_read", json!({})),
        (1, 2, "send_started", json!({})),
        (2, 2, "payment_reported", report(1, "accepted", START_MS + 2 * MINUTE_MS, "r1")),
        (2, 2, "accepted", json!({"class": "live"})),
        (3, 7, "charge_started", json!({})),
        (3, 7, "card_read", json!({})),
        (3, 7, "accepted", json!({"class": "deferred"})),
        (20, 7, "send_started", json!({})),
        (20, 7, "payment_reported", report(1, "accepted", START_MS + 20 * MINUTE_MS, "r2")),
        (1_440, 2, "payment_reported", report(2, "cleared", START_MS + 2 * MINUTE_MS, "r1")),
        (1_440, 7, "payment_reported", report(2, "cleared", START_MS + 20 * MINUTE_MS, "r2")),
        (4_320, 14, "payout_reported", json!({"report_version": 3})),
    ];
    let genesis = Sha256::new().chain_update(b"takings ledger 1").chain_update([0x11; 16]).finalize().to_vec();
    let mut before = genesis;
    let mut rows = Vec::new();
    for (seq, (minute, subject, kind, body)) in (1..).zip(events) {
        let columns = RawColumns {
            at_ms: START_MS + minute * MINUTE_MS,
            monotonic_ms: minute * MINUTE_MS,
            boot_id: 1,
            operator: None,
            subject,
            kind: kind.to_owned(),
            body_version: 1,
            body: body.to_string(),
        };
        let mut row = RawEvent { seq, columns, hash: Vec::new() };
        row.hash = p5_append_only::link(&before, &row);
        before.clone_from(&row.hash);
        rows.push(row);
    }
    rows
}

/// The rows of one subject, of so many rows in all, as a history.
fn timeline(rows: &[RawEvent], subject: i64, until: usize) -> Vec<TimelineEntry> {
    let own = rows.iter().take(until).filter(|row| row.columns.subject == subject);
    own.map(|row| TimelineEntry {
        seq: row.seq,
        at_ms: row.columns.at_ms,
        operator: None,
        kind: row.columns.kind.clone(),
        body: row.columns.body.clone(),
    })
    .collect()
}

fn waiting(id: &str, amount_minor: i64, order: &str, card: (&str, &str), stan: &str) -> PaymentView {
    let text = |text: &str| Some(text.to_owned());
    PaymentView {
        payment_id: id.to_owned(),
        captured_at_ms: START_MS + 60_000,
        captured_on: serde_json::from_value(json!("2026-11-21")).unwrap(),
        amount_minor,
        currency: "CNY".to_owned(),
        order_reference: text(order),
        class: text("deferred"),
        delivery: text("queued"),
        authorization: None,
        clearing: None,
        arrival: None,
        stage: "saved_on_phone".to_owned(),
        cause: None,
        source: None,
        acts: None,
        next_step: None,
        expected_date: None,
        expected_provisional: false,
        evidence: "none".to_owned(),
        payout_id: None,
        gross_minor: None,
        fee_minor: None,
        net_minor: None,
        accepted_at_ms: None,
        approved_minor: None,
        scheme: text(card.0),
        last_four: text(card.1),
        entry_mode: text("chip"),
        stan: stan.to_owned(),
        batch_number: "000001".to_owned(),
        rrn: None,
        auth_code: None,
        response_code: None,
        partly_approved: false,
        service_given: None,
        from_acquirer: false,
    }
}

fn approved(mut view: PaymentView, accepted_at_ms: i64, rrn: &str) -> PaymentView {
    let text = |text: &str| Some(text.to_owned());
    view.delivery = text("delivered");
    view.authorization = text("approved");
    view.clearing = text("accepted");
    view.arrival = text("pending");
    view.stage = "approved".to_owned();
    view.accepted_at_ms = Some(accepted_at_ms);
    view.approved_minor = Some(view.amount_minor);
    view.rrn = text(rrn);
    view.auth_code = text("A1");
    view.response_code = text("00");
    view
}

fn arrived(mut view: PaymentView, fee_minor: i64) -> PaymentView {
    view.clearing = Some("cleared".to_owned());
    view.arrival = Some("arrived".to_owned());
    view.stage = "arrived".to_owned();
    view.evidence = "bank_notification".to_owned();
    view.payout_id = Some(PAYOUT.to_owned());
    view.expected_date = serde_json::from_value(json!("2026-11-23")).unwrap();
    view.gross_minor = Some(view.amount_minor);
    view.fee_minor = Some(fee_minor);
    view.net_minor = Some(view.amount_minor - fee_minor);
    view
}

pub(super) fn status(unsent: i64, last_seq: u64) -> StatusView {
    let sums = SumView { currency: "CNY".to_owned(), amount_minor: unsent };
    StatusView {
        activation: None,
        signed_on: true,
        batch_number: None,
        now_ms: START_MS,
        trusted_ms: None,
        line: "up".to_owned(),
        unsent_count: u64::from(unsent > 0),
        unsent: if unsent > 0 { vec![sums] } else { Vec::new() },
        oldest_unsent_age_ms: (unsent > 0).then_some(1),
        policy_version: Some("1".to_owned()),
        offline_risk: Vec::new(),
        last_seq,
        missing_events: 0,
        read_only: None,
        readers: Vec::new(),
        trouble: None,
    }
}

pub(super) fn alert(id: u64, kind: &str) -> AlertView {
    AlertView {
        alert: id,
        at_ms: START_MS + 3 * DAY_MS,
        alert_kind: kind.to_owned(),
        subject_kind: "payout".to_owned(),
        subject_id: PAYOUT.to_owned(),
        amount_minor: Some(2_982),
        currency: Some("CNY".to_owned()),
    }
}

fn takings(sums: &[(&str, u64, i64)]) -> Seen {
    let line = |(stage, count, amount_minor): &(&str, u64, i64)| TakingsLine {
        stage: (*stage).to_owned(),
        currency: "CNY".to_owned(),
        count: *count,
        amount_minor: *amount_minor,
    };
    Seen::Takings(sums.iter().map(line).collect())
}

fn payout() -> PayoutDetail {
    let entry = |entry_id: &str, id: &str, gross_minor: i64, fee_minor: i64| PayoutEntryView {
        entry_id: entry_id.to_owned(),
        entry_type: "payment".to_owned(),
        payment_id: Some(id.to_owned()),
        gross_minor,
        fee_minor,
        net_minor: gross_minor - fee_minor,
    };
    let payout = PayoutView {
        payout_id: PAYOUT.to_owned(),
        status: "arrived".to_owned(),
        direction: "credit".to_owned(),
        business_date: serde_json::from_value(json!("2026-11-21")).unwrap(),
        expected_date: serde_json::from_value(json!("2026-11-23")).unwrap(),
        arrived_at_ms: Some(START_MS + 2 * DAY_MS),
        evidence: "bank_notification".to_owned(),
        currency: "CNY".to_owned(),
        gross_minor: 3_000,
        fee_minor: 18,
        net_minor: 2_982,
        entry_count: 2,
        entries_heard: 2,
        difference_minor: Some(0),
        end_to_end_id: Some("TK1".to_owned()),
        reissue_of: None,
        reissued_by: None,
        failure_code: None,
        overdue: false,
    };
    PayoutDetail { payout, entries: vec![entry("e_1", LIVE, 1_000, 6), entry("e_2", SAVED, 2_000, 12)] }
}

pub(super) fn book_payment(id: &str, live: bool) -> Value {
    let (amount, fee, minute, order) = if live { (1_000, 6, 2, "1") } else { (2_000, 12, 20, "2") };
    let accepted_ms = START_MS + minute * MINUTE_MS;
    json!({
        "payment_id": id, "merchant_id": "M000001", "terminal_id": "T0000001",
        "kind": if live { "live" } else { "deferred_authorization" }, "amount_minor": amount, "currency": "CNY",
        "batch_number": "000001", "stan": if live { "000001" } else { "000002" },
        "captured_at_ms": START_MS + MINUTE_MS, "captured_on": "2026-11-21", "entry_mode": "chip",
        "scheme": if live { "visa" } else { "unionpay" }, "last_four": if live { "1111" } else { "0048" },
        "policy_version": if live { Value::Null } else { json!("1") }, "order_reference": order,
        "authorization": "approved", "clearing": "cleared", "arrival": "arrived", "response_code": "00",
        "rrn": if live { "r1" } else { "r2" }, "auth_code": "A1", "approved_minor": amount, "received_at_ms": accepted_ms,
        "accepted_at_ms": accepted_ms, "updated_at_ms": START_MS + 2 * DAY_MS, "payout_id": PAYOUT, "gross_minor": amount,
        "fee_minor": -fee, "net_minor": amount - fee, "expected_date": "2026-11-23", "authorizations": 1, "captures": 1,
    })
}

fn book() -> Value {
    let asked = |id: &str, minute: i64, four: &str, amount: i64| {
        json!({"at_ms": START_MS + minute * MINUTE_MS, "payment_id": id, "last_four": four, "amount_minor": amount,
               "response_code": "00"})
    };
    let captured =
        |id: &str, amount: i64| json!({"at_ms": START_MS + DAY_MS, "payment_id": id, "amount_minor": amount});
    let entry = |entry_id: &str, id: &str, gross: i64, fee: i64| {
        json!({"entry_id": entry_id, "type": "payment", "payment_id": id, "gross_minor": gross, "fee_minor": -fee,
               "net_minor": gross - fee})
    };
    json!({
        "payments": [book_payment(LIVE, true), book_payment(SAVED, false)],
        "authorizations": [asked(LIVE, 2, "1111", 1_000), asked(SAVED, 20, "0048", 2_000)],
        "captures": [captured(LIVE, 1_000), captured(SAVED, 2_000)],
        "reversals": [],
        "payouts": [{
            "payout_id": PAYOUT, "merchant_id": "M000001", "status": "arrived", "gross_minor": 3_000, "fee_minor": -18,
            "net_minor": 2_982, "business_date": "2026-11-21", "payout_date": "2026-11-23",
            "created_at_ms": START_MS + DAY_MS, "sent_at_ms": START_MS + 2 * DAY_MS - MINUTE_MS,
            "arrived_at_ms": START_MS + 2 * DAY_MS, "failure": null, "end_to_end_id": "TK1",
            "evidence": "bank_notification", "reissue_of": null, "reissued_by": null, "plan": null,
            "entries": [entry("e_1", LIVE, 1_000, 6), entry("e_2", SAVED, 2_000, 12)],
        }],
        "bank": {"lines": [{
            "at_ms": START_MS + 2 * DAY_MS, "merchant_id": "M000001", "direction": "credit", "amount_minor": 2_982,
            "payout_id": PAYOUT,
        }]},
        "terminals": [{"terminal_id": "T0000001", "merchant_id": "M000001"}],
        "requests": {"createPayment": {"201": 1, "422": 1}, "createReversal": {"200": 1}},
        "sessions": {"s1": {"terminal_id": "T0000001", "opened_at_ms": START_MS}},
    })
}

pub(super) fn tap(id: &str, live: bool, at_ms: i64) -> Tap {
    Tap {
        pays: true,
        at_ms,
        phone: 0,
        payment: id.to_owned(),
        leading: if live { "4111" } else { "6222" }.to_owned(),
        last_four: if live { "1111" } else { "0048" }.to_owned(),
        entry_mode: "chip",
        amount_minor: if live { 1_000 } else { 2_000 },
    }
}

pub(super) fn begun(id: &str, amount_minor: i64, order: &str) -> Seen {
    Seen::Begun { payment: id.to_owned(), amount_minor, order: Some(order.to_owned()), offline: false }
}

pub(super) fn told(id: &str, outcome: ChargeOutcome) -> Seen {
    Seen::Outcome { payment: id.to_owned(), outcome }
}

/// A day without fault.
pub(super) fn clean() -> Day {
    let rows = ledger();
    let saved = waiting(SAVED, 2_000, "2", ("unionpay", "0048"), "000002");
    let mut live = waiting(LIVE, 1_000, "1", ("visa", "1111"), "000001");
    live.class = Some("live".to_owned());
    let live = approved(live, START_MS + 2 * MINUTE_MS, "r1");
    let detail = |view: &PaymentView, subject, until| PaymentDetail {
        payment: view.clone(),
        timeline: timeline(&rows, subject, until),
    };
    let first = vec![detail(&saved, 7, 9), detail(&live, 2, 9)];
    let sent = approved(saved, START_MS + 20 * MINUTE_MS, "r2");
    let last = vec![detail(&arrived(sent, 12), 7, 14), detail(&arrived(live, 6), 2, 14)];
    let (noon, end) = (START_MS + 10 * MINUTE_MS, START_MS + 5 * DAY_MS);
    let policy = json!({
        "version": "1", "valid_from": "2026-11-01T00:00:00+08:00", "valid_until": "2027-05-01T00:00:00+08:00",
        "offline_allowed": true, "max_age_h": 72, "max_clock_age_h": 96, "entry_modes_allowed": ["chip", "contactless"],
        "limits": [{"currency": "CNY", "max_amount": 50_000, "max_count_open": 3, "max_total_open": 60_000}],
        "scheme_rules": [{"scheme": "unionpay", "offline_allowed": true}, {"scheme": "visa", "offline_allowed": true}],
    });
    let verified = VerifyReport { sound: true, events: 14, broken_at: None, missing_events: 0, detail: None };
    let calls = vec![
        Call::Deed(START_MS, None, Deed::Policy(policy)),
        Call::See(START_MS, Seen::Opened),
        Call::See(START_MS + MINUTE_MS, begun(LIVE, 1_000, "1")),
        Call::Tap(tap(LIVE, true, START_MS + MINUTE_MS)),
        Call::See(START_MS + 2 * MINUTE_MS, told(LIVE, ChargeOutcome::Approved { approved_minor: 1_000 })),
        Call::See(START_MS + 3 * MINUTE_MS, begun(SAVED, 2_000, "2")),
        Call::Tap(tap(SAVED, false, START_MS + 3 * MINUTE_MS)),
        Call::See(START_MS + 3 * MINUTE_MS, told(SAVED, ChargeOutcome::Saved)),
        Call::Rows(noon, rows[..9].to_vec()),
        Call::See(noon, Seen::Payments(first)),
        Call::See(noon, takings(&[("saved_on_phone", 1, 2_000), ("approved", 1, 1_000)])),
        Call::See(noon, Seen::Status(Box::new(status(2_000, 9)))),
        Call::Deed(START_MS + 15 * MINUTE_MS, None, Deed::Healed),
        Call::Rows(end, rows[9..].to_vec()),
        Call::Rows(end, rows),
        Call::See(end, Seen::Payments(last)),
        Call::See(end, takings(&[("arrived", 2, 3_000)])),
        Call::See(end, Seen::Status(Box::new(status(0, 14)))),
        Call::See(end, Seen::Payouts(vec![payout()])),
        Call::See(end, Seen::Alerts(vec![alert(14, "payout_arrived")])),
        Call::See(end, Seen::Verified(verified)),
        Call::Files(
            end,
            vec![("ledger.db".to_owned(), b"nothing but \"rrn\":\"632608000123\" and 6222**0048".to_vec())],
        ),
    ];
    Day { calls, book: book() }
}
