//! Each fault is found, by the promise it breaks.

use serde_json::{Value, json};
use takings_till::views::{AlertView, SyncReport};
use takings_till::{ChargeOutcome, TillError};

use super::super::p2_once::derived;
use super::day::{
    Call, DAY_MS, Day, LIVE, MINUTE_MS, PAYOUT, SAVED, START_MS, alert, begun, book_payment, ciphertext, clean, status,
    tap, told,
};
use crate::record::{Deed, Seen};

/// Spoils the clean day and expects this promise among the broken ones, said with these words.
fn finds(promise: &'static str, words: &str, spoil: impl FnOnce(&mut Day)) {
    let mut day = clean();
    spoil(&mut day);
    let broken = day.judge();
    let found = broken.iter().any(|(name, what)| *name == promise && what.contains(words));
    assert!(found, "{promise} with {words:?} is not among {broken:#?}");
}

/// Spoils the clean day in a way that breaks nothing.
fn allows(spoil: impl FnOnce(&mut Day)) {
    let mut day = clean();
    spoil(&mut day);
    assert_eq!(day.judge(), []);
}

fn payment<'a>(day: &'a mut Day, id: &str) -> &'a mut Value {
    let payments = day.book["payments"].as_array_mut().unwrap();
    payments.iter_mut().find(|payment| payment["payment_id"] == id).unwrap()
}

fn late(day: i64) -> i64 {
    START_MS + day * DAY_MS
}

fn storage() -> TillError {
    TillError::Storage { code: "disk", detail: String::new() }
}

#[test]
fn a_clean_day_breaks_nothing() {
    allows(|_| {});
}

#[test]
fn p1_kept() {
    finds("P1", "is gone from the list", |day| {
        day.list(1).remove(0);
    });
    finds("P1", "shows card 1112", |day| day.line(1, LIVE).last_four = Some("1112".to_owned()));
    finds("P1", "scheme", |day| day.line(0, LIVE).scheme = Some("amex".to_owned()));
    finds("P1", "should be deferred", |day| day.line(1, SAVED).class = Some("live".to_owned()));
    finds("P1", "approved amount", |day| day.line(0, LIVE).approved_minor = Some(999));
    finds("P1", "amount of payment", |day| day.line(0, SAVED).amount_minor = 2_001);
    finds("P1", "order of", |day| day.line(1, SAVED).order_reference = None);
    finds("P1", "STAN", |day| day.line(1, SAVED).stan = "000009".to_owned());
    finds("P1", "never begun", |day| {
        day.calls.retain(|call| !matches!(call, Call::See(_, Seen::Begun { payment, .. }) if payment == SAVED));
    });
    finds("P1", "lacks it", |day| {
        day.calls.retain(|call| {
            let of_it = matches!(call, Call::See(_, Seen::Begun { payment, .. } | Seen::Outcome { payment, .. }) if payment == SAVED);
            !of_it
        });
        day.list(0).remove(0);
        day.list(1).remove(0);
    });
    finds("P1", "was cancelled", |day| {
        day.see(START_MS + 5 * MINUTE_MS, Seen::Cancelled { payment: SAVED.to_owned() });
    });
}

#[test]
fn p1_an_older_copy_must_be_noticed() {
    let put_back = |day: &mut Day| {
        let at_ms = START_MS + 12 * MINUTE_MS;
        day.calls.insert(12, Call::Deed(at_ms, Some(0), Deed::OlderCopy));
        day.calls.insert(13, Call::Deed(at_ms, Some(0), Deed::WitnessStayed));
        day.list(1).remove(0);
    };
    let rows_too = |day: &mut Day| {
        put_back(day);
        let kept = day.rows(0)[..6].to_vec();
        day.calls.insert(14, Call::Rows(START_MS + 12 * MINUTE_MS, kept));
        day.calls.retain(|call| !matches!(call, Call::Rows(when, rows) if *when == late(5) && rows.len() < 14));
    };
    finds("P1", "the till never said so", rows_too);
    finds("P1", "the till never said so", |day| put_back(day));
    let mut day = clean();
    put_back(&mut day);
    day.change(|seen| match seen {
        Seen::Status(status) if status.last_seq == 14 => status.missing_events = 2,
        _ => {}
    });
    assert!(day.judge().iter().all(|(_, what)| !what.contains("never said so")));
}

#[test]
fn p2_once() {
    finds("P2", "authorised 2 times", |day| {
        let again = day.book["authorizations"][0].clone();
        day.book["authorizations"].as_array_mut().unwrap().push(again);
    });
    finds("P2", "2 captures", |day| payment(day, SAVED)["captures"] = json!(2));
    finds("P2", "nobody ever began", |day| {
        let id = "00000000-0000-7000-8000-00000000000c";
        day.book["payments"].as_array_mut().unwrap().push(book_payment(id, true));
    });
    finds("P2", "one natural key", |day| payment(day, SAVED)["stan"] = json!("000001"));
    finds("P2", "was asked over 100", |day| payment(day, SAVED)["amount_minor"] = json!(100));
    finds("P2", "no such card", |day| payment(day, SAVED)["last_four"] = json!("0049"));
    finds("P2", "came from T0000002", |day| {
        payment(day, SAVED)["terminal_id"] = json!("T0000002");
        day.book["terminals"]
            .as_array_mut()
            .unwrap()
            .push(json!({"terminal_id": "T0000002", "merchant_id": "M000001"}));
    });
    finds("P2", "was given before", |day| day.see(START_MS + 4 * MINUTE_MS, begun(SAVED, 2_000, "2")));
    finds("P2", "one STAN", |day| day.line(1, SAVED).stan = "000001".to_owned());
    finds("P2", "told saved: the customer had gone", |day| {
        day.book["reversals"] = json!([{
            "reversal_id": derived(SAVED), "payment_id": SAVED, "terminal_id": "T0000001", "amount_minor": 2_000,
            "outcome": "reversed", "processed_at_ms": late(1),
        }]);
    });
    finds("P2", "is not the payment's", |day| {
        day.book["reversals"] = json!([{
            "reversal_id": SAVED, "payment_id": LIVE, "terminal_id": "T0000001", "amount_minor": 1_000,
            "outcome": "already_cleared", "processed_at_ms": late(1),
        }]);
    });
}

#[test]
fn p2_an_order_is_paid_once() {
    let twice = |day: &mut Day| {
        day.change(|seen| match seen {
            Seen::Begun { payment, order, .. } if payment == SAVED => *order = Some("1".to_owned()),
            Seen::Payments(list) => {
                list.iter_mut().for_each(|detail| detail.payment.order_reference = Some("1".to_owned()))
            }
            _ => {}
        });
        payment(day, SAVED)["order_reference"] = json!("1");
    };
    finds("P2", "order 1 of phone 0", twice);
}

#[test]
fn p2_an_open_order_is_not_begun_again() {
    let same_order = |day: &mut Day| {
        day.change(|seen| match seen {
            Seen::Begun { payment, order, .. } if payment == SAVED => *order = Some("1".to_owned()),
            Seen::Payments(list) => {
                list.iter_mut().for_each(|detail| detail.payment.order_reference = Some("1".to_owned()));
            }
            _ => {}
        });
    };
    finds("P2", "order 1 was begun", same_order);
}

#[test]
fn p2_a_payment_is_of_the_moment_its_card_was_there() {
    finds("P2", "the card was there at", |day| {
        payment(day, SAVED)["captured_at_ms"] = json!(START_MS + 60 * MINUTE_MS)
    });
}

#[test]
fn p2_a_card_is_charged_as_often_as_it_was_held_up() {
    finds("P2", "held up 1 times", |day| {
        day.change(|seen| match seen {
            Seen::Begun { payment, amount_minor, .. } if payment == LIVE => *amount_minor = 2_000,
            _ => {}
        });
        day.book["authorizations"][0]["last_four"] = json!("0048");
        day.book["authorizations"][0]["amount_minor"] = json!(2_000);
    });
}

#[test]
fn p3_honest() {
    finds("P3", "the bank had approved nothing", |day| {
        day.book["authorizations"][0]["response_code"] = json!("51");
        let there = payment(day, LIVE);
        (there["authorization"], there["accepted_at_ms"]) = (json!("declined"), Value::Null);
    });
    finds("P3", "is reversed in the book", |day| payment(day, LIVE)["authorization"] = json!("reversed"));
    finds("P3", "told approved over 900", |day| {
        day.change(|seen| match seen {
            Seen::Outcome { payment, outcome } if payment == LIVE => {
                *outcome = ChargeOutcome::Approved { approved_minor: 900 }
            }
            _ => {}
        });
    });
    finds("P3", "told not charged", |day| {
        let outcome = ChargeOutcome::NotCharged { cause: "not_received".to_owned(), detail: None };
        day.change(|seen| match seen {
            Seen::Outcome { payment, outcome: word } if payment == LIVE => *word = outcome.clone(),
            _ => {}
        });
    });
    finds("P3", "now says", |day| day.see(START_MS + 4 * MINUTE_MS, told(SAVED, ChargeOutcome::NotConfirmed)));
    finds("P3", "which was never begun", |day| day.see(START_MS, told("x", ChargeOutcome::Saved)));
    finds("P3", "stands as not charged", |day| {
        let line = day.line(0, LIVE);
        line.stage = "not_charged".to_owned();
    });
    finds("P3", "its authorization is None", |day| day.line(0, SAVED).stage = "approved".to_owned());
    finds("P3", "on no list", |day| day.line(1, LIVE).response_code = Some("ZZ".to_owned()));
    finds("P3", "the bank approved it at", |day| {
        payment(day, LIVE)["accepted_at_ms"] = json!(START_MS + 30 * MINUTE_MS);
    });
    finds("P3", "partly approved", |day| day.line(1, LIVE).approved_minor = Some(500));
    finds("P3", "charge again", |day| day.line(1, LIVE).next_step = Some("charge_again".to_owned()));
    finds("P3", "ends as", |day| payment(day, LIVE)["arrival"] = json!("returned"));
    finds("P3", "should be Some(\"returned_by_bank\")", |day| {
        payment(day, LIVE)["arrival"] = json!("returned");
        let line = day.line(1, LIVE);
        (line.stage, line.cause) = ("needs_you".to_owned(), Some("risk_hold".to_owned()));
    });
}

#[test]
fn p4_balanced() {
    finds("P4", "takings by stage", |day| {
        day.change(|seen| {
            if let Seen::Takings(sums) = seen {
                sums[0].amount_minor += 1;
            }
        });
    });
    finds("P4", "unsent sums", |day| {
        day.change(|seen| match seen {
            Seen::Status(status) if status.unsent_count == 1 => status.unsent[0].amount_minor = 1,
            _ => {}
        });
    });
    finds("P4", "unsound", |day| {
        day.change(|seen| {
            if let Seen::Verified(report) = seen {
                report.sound = false;
            }
        });
    });
    finds("P4", "RRN", |day| payment(day, LIVE)["rrn"] = json!("r9"));
    finds("P4", "fee of", |day| payment(day, LIVE)["fee_minor"] = json!(-7));
    finds("P4", "by its history", |day| day.line(1, SAVED).clearing = Some("accepted".to_owned()));
    finds("P4", "gross, fee and net", |day| day.line(1, SAVED).net_minor = Some(1));
    finds("P4", "out of order", |day| day.list(1).reverse());
}

#[test]
fn p5_append_only() {
    finds("P5", "is gone or another", |day| day.rows(2)[3].columns.body = "{\"n\":2}".to_owned());
    finds("P5", "is gone or another", |day| {
        day.rows(2).pop();
    });
    finds("P5", "are missing", |day| {
        day.rows(1).remove(0);
    });
    finds("P5", "should be", |day| {
        day.rows(1).remove(1);
    });
    finds("P5", "its link", |day| day.rows(1)[1].columns.at_ms += 1);
    finds("P5", "went back", |day| day.rows(1)[1].columns.monotonic_ms = 0);
    finds("P5", "is not what it was", |day| {
        day.list(1)[0].timeline.remove(0);
    });
    finds("P5", "not the one in the file", |day| day.list(0)[1].timeline[2].body = "{\"n\":2}".to_owned());
    finds("P5", "a screen had named", |day| day.see(late(4), Seen::Status(Box::new(status(0, 8)))));
    finds("P5", "events are missing", |day| {
        let mut lost = status(0, 14);
        lost.missing_events = 3;
        day.see(late(5), Seen::Status(Box::new(lost)));
    });
}

#[test]
fn p5_a_power_cut_takes_only_what_no_screen_has_named() {
    let cut = |day: &mut Day, kept: usize| {
        let rows = day.rows(2)[..kept].to_vec();
        day.calls.insert(12, Call::Deed(START_MS + 12 * MINUTE_MS, Some(0), Deed::PowerCut));
        let whole = day.rows(0).clone();
        assert!(whole.len() == 9);
        day.calls.insert(13, Call::Rows(START_MS + 13 * MINUTE_MS, rows));
    };
    finds("P5", "is gone or another", |day| cut(day, 8));
    allows(|day| cut(day, 9));
}

#[test]
fn p6_evidence() {
    finds("P6", "on nobody's word", |day| day.line(1, SAVED).evidence = "none".to_owned());
    finds("P6", "had credited nothing", |day| day.book["bank"]["lines"] = json!([]));
    finds("P6", "the evidence is", |day| {
        day.book["payouts"][0]["plan"] = json!({"action": "unconfirmed"});
    });
    finds("P6", "the bank keeps 0", |day| {
        let back = json!({"at_ms": late(3), "merchant_id": "M000001", "direction": "debit", "amount_minor": 2_982, "payout_id": PAYOUT});
        day.book["bank"]["lines"].as_array_mut().unwrap().push(back);
    });
}

#[test]
fn p7_told_once() {
    finds("P7", "was told as alert 14 and again", |day| {
        day.see(late(5), Seen::Alerts(vec![alert(14, "payout_arrived"), alert(15, "payout_arrived")]));
    });
    finds("P7", "was never told", |day| {
        day.calls.retain(|call| !matches!(call, Call::See(_, Seen::Alerts(_))));
    });
    finds("P7", "was heard up to 14", |day| {
        day.see(late(5), Seen::Acknowledged { upto: 14 });
        day.see(late(5), Seen::Alerts(vec![alert(14, "payout_arrived")]));
    });
    finds("P7", "not shown again", |day| day.see(late(5), Seen::Alerts(Vec::new())));
    finds("P7", "shown again: seen", |day| {
        let other = AlertView { amount_minor: Some(1), ..alert(14, "payout_arrived") };
        day.see(late(5), Seen::Alerts(vec![other]));
    });
    finds("P7", "was shown before it", |day| {
        day.see(late(5), Seen::Alerts(vec![alert(13, "payout_sent"), alert(14, "payout_arrived")]));
    });
    finds("P7", "comes after", |day| {
        day.see(late(5), Seen::Alerts(vec![alert(14, "payout_arrived"), alert(13, "payout_sent")]));
    });
    finds("P7", "not so in the book", |day| {
        day.see(late(5), Seen::Alerts(vec![alert(14, "payout_arrived"), alert(15, "payout_returned")]));
    });
    finds("P7", "is so in the book, and was never told", |day| {
        let there = payment(day, SAVED);
        (there["authorization"], there["response_code"]) = (json!("declined"), json!("51"));
    });
    finds("P7", "which is in no book", |day| {
        let other = AlertView { subject_id: "po_x".to_owned(), ..alert(15, "payout_sent") };
        day.see(late(5), Seen::Alerts(vec![alert(14, "payout_arrived"), other]));
    });
}

#[test]
fn p7_an_alert_is_about_its_event_and_late_money_is_told() {
    finds("P7", "time of alert 14", |day| {
        day.change(|seen| match seen {
            Seen::Alerts(list) => list[0].at_ms += 1,
            _ => {}
        });
    });
    finds("P7", "is late for more than a day", |day| {
        let mut list = day.list(1).clone();
        for detail in &mut list {
            let line = &mut detail.payment;
            (line.stage, line.cause) = ("needs_you".to_owned(), Some("unknown_overdue".to_owned()));
        }
        day.see(late(3), Seen::Payments(list));
    });
}

#[test]
fn p7_a_word_that_reached_the_disk_may_be_known_to_nobody() {
    allows(|day| {
        day.calls.push(Call::Deed(late(5), Some(0), Deed::Killed));
        day.calls.push(Call::See(late(5), Seen::Alerts(Vec::new())));
    });
}

#[test]
fn p8_no_card_data() {
    let file = |bytes: Vec<u8>| Call::Files(late(5), vec![("ledger.db-wal".to_owned(), bytes)]);
    finds("P8", "card number of 16 digits", |day| day.calls.push(file(b"pan=4111111111111111;".to_vec())));
    finds("P8", "more than six and four", |day| day.calls.push(file(b"6222481*****0048".to_vec())));
    finds("P8", "still holds the card data", |day| day.calls.push(file([&[0; 9][..], &ciphertext()].concat())));
    let hex: String = ciphertext().iter().map(|byte| format!("{byte:02X}")).collect();
    finds("P8", "still holds the card data", |day| day.calls.push(file(hex.into_bytes())));
}

#[test]
fn p9_bounded() {
    let policy = |day: &mut Day, name: &str, value: Value| {
        for call in &mut day.calls {
            if let Call::Deed(_, _, Deed::Policy(members)) = call {
                members[name] = value.clone();
            }
        }
    };
    let limit = |name: &str, most: i64| {
        let mut limit = json!({"currency": "CNY", "max_amount": 50_000, "max_count_open": 3, "max_total_open": 60_000});
        limit[name] = json!(most);
        json!([limit])
    };
    finds("P9", "max_amount is 1999", |day| policy(day, "limits", limit("max_amount", 1_999)));
    finds("P9", "max_total_open is 1999", |day| policy(day, "limits", limit("max_total_open", 1_999)));
    finds("P9", "max_count_open is 0", |day| policy(day, "limits", limit("max_count_open", 0)));
    finds("P9", "allows nothing", |day| policy(day, "offline_allowed", json!(false)));
    finds("P9", "entry mode chip", |day| policy(day, "entry_modes_allowed", json!(["contactless"])));
    finds("P9", "scheme unionpay", |day| policy(day, "scheme_rules", json!([])));
    finds("P9", "the policy ended", |day| policy(day, "valid_until", json!("2026-11-21T09:00:00+08:00")));
    finds("P9", "last heard", |day| day.book["sessions"]["s1"]["opened_at_ms"] = json!(START_MS - 5 * DAY_MS));
    finds("P9", "which nobody published", |day| payment(day, SAVED)["policy_version"] = json!("7"));
    let older = |day: &mut Day| {
        let change = json!({"version": "2", "offline_allowed": false});
        day.calls.insert(1, Call::Deed(START_MS + 1, None, Deed::Policy(change)));
    };
    // The till may not have heard of it; one that has named it is bound by it.
    allows(older);
    finds("P9", "allows nothing", |day| {
        older(day);
        let mut named = status(0, 0);
        named.policy_version = Some("2".to_owned());
        day.calls.insert(2, Call::See(START_MS + 2, Seen::Status(Box::new(named))));
    });
}

#[test]
fn p9_a_refusal_has_its_reason_and_a_status_its_policy() {
    finds("P9", "no policy refuses it so", |day| {
        let detail = Some("amount_over_limit".to_owned());
        let outcome = ChargeOutcome::NotCharged { cause: "offline_refused".to_owned(), detail };
        day.see(START_MS + 4 * MINUTE_MS, told(LIVE, outcome));
    });
    finds("P9", "limits in the status", |day| {
        let mut named = status(0, 9);
        named.offline_risk = vec![takings_till::views::OfflineRiskView {
            currency: "CNY".to_owned(),
            count: 0,
            max_count: 4,
            amount_minor: 0,
            max_amount_minor: 60_000,
            oldest_age_ms: None,
        }];
        day.see(START_MS + 11 * MINUTE_MS, Seen::Status(Box::new(named)));
    });
    finds("P9", "ms from where it is", |day| {
        let mut early = status(0, 9);
        early.trusted_ms = Some(START_MS);
        day.see(START_MS + 11 * MINUTE_MS, Seen::Status(Box::new(early)));
    });
}

#[test]
fn p9_a_clock_that_was_set_back_excuses_only_who_could_not_know() {
    let ended = |day: &mut Day| {
        for call in &mut day.calls {
            if let Call::Deed(_, _, Deed::Policy(members)) = call {
                members["valid_until"] = json!("2026-11-21T10:01:00+08:00");
            }
        }
        day.calls.insert(1, Call::Deed(START_MS + 1, Some(0), Deed::ClockSet { by_ms: -DAY_MS }));
    };
    // Signed on in this boot: the monotonic clock goes on.
    finds("P9", "the policy ended", ended);
    allows(|day| {
        ended(day);
        day.calls.insert(2, Call::Deed(START_MS + 2, Some(0), Deed::Restarted));
    });
}

#[test]
fn p9_what_waits_counts() {
    finds("P9", "max_count_open is 3, this makes 4", |day| {
        for n in 0..3 {
            let id = format!("00000000-0000-7000-8000-0000000001{n:02}");
            let at_ms = START_MS + 2 * MINUTE_MS + n;
            day.calls.insert(1, Call::Tap(tap(&id, false, at_ms)));
            day.see(at_ms, begun(&id, 2_000, &id));
            day.see(at_ms, told(&id, ChargeOutcome::Saved));
        }
    });
}

#[test]
fn p10_drains() {
    finds("P10", "still Some(\"queued\")", |day| day.line(1, SAVED).delivery = Some("queued".to_owned()));
    finds("P10", "still stands as being_confirmed", |day| day.line(1, SAVED).stage = "being_confirmed".to_owned());
    finds("P10", "nobody is told", |day| day.line(1, SAVED).delivery = Some("parked".to_owned()));
    finds("P10", "no contact", |day| {
        let ended = SyncReport { ended: "waiting".to_owned(), ..SyncReport::default() };
        day.see(late(4), Seen::Synced(ended));
    });
    finds("P10", "are unsent", |day| {
        day.change(|seen| match seen {
            Seen::Status(status) if status.last_seq == 14 => status.unsent_count = 1,
            _ => {}
        });
    });
}

#[test]
fn p11_adds_up() {
    let payout = |day: &mut Day, change: fn(&mut takings_till::views::PayoutDetail)| {
        day.change(|seen| {
            if let Seen::Payouts(list) = seen {
                change(&mut list[0]);
            }
        });
    };
    finds("P11", "lines of payout", |day| payout(day, |detail| detail.entries.reverse()));
    finds("P11", "difference of", |day| payout(day, |detail| detail.payout.difference_minor = Some(5)));
    finds("P11", "net of payout", |day| payout(day, |detail| detail.payout.net_minor = 2_983));
    finds("P11", "does not add up", |day| payout(day, |detail| detail.entries[0].net_minor += 1));
    finds("P11", "status of payout", |day| payout(day, |detail| detail.payout.status = "sent".to_owned()));
    finds("P11", "not in the list", |day| {
        day.change(|seen| {
            if let Seen::Payouts(list) = seen {
                list.clear();
            }
        });
    });
}

#[test]
fn p12_opens() {
    finds("P12", "did not open", |day| day.see(late(1), Seen::NotOpened { error: storage(), excused: false }));
    allows(|day| day.see(late(1), Seen::NotOpened { error: storage(), excused: true }));
    finds("P12", "the disk is in order", |day| day.see(late(1), Seen::Trouble { error: storage(), excused: false }));
    finds("P12", "it is broken", |day| {
        let error = TillError::Internal { code: "panic", detail: String::new() };
        day.see(late(1), Seen::Trouble { error, excused: true });
    });
    finds("P12", "a charge was refused", |day| day.see(late(1), Seen::Refused { error: storage() }));
    finds("P12", "can only be read", |day| {
        let mut closed = status(0, 14);
        closed.read_only = Some("why".to_owned());
        day.see(late(5), Seen::Status(Box::new(closed)));
    });
    finds("P12", "second process", |day| {
        day.calls.push(Call::Deed(late(5), Some(0), Deed::SecondProcess { let_in: true }));
    });
}

#[test]
fn what_the_acquirer_forgot_is_excused() {
    allows(|day| {
        let restored = Deed::AcquirerRestored { of_ms: START_MS };
        day.calls.insert(12, Call::Deed(START_MS + 12 * MINUTE_MS, None, restored));
        let there = payment(day, LIVE);
        (there["authorization"], there["arrival"]) = (json!("processing"), json!("unknown"));
    });
}
