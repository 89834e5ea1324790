//! Each fault is found, by the promise it breaks: P7 to P12.

use serde_json::{Value, json};
use takings_till::views::{AlertView, SyncReport};
use takings_till::{ChargeOutcome, TillError};

use super::day::{Call, DAY_MS, Day, LIVE, MINUTE_MS, SAVED, START_MS, alert, begun, ciphertext, status, tap, told};
use super::spoiled::{allows, finds, late, payment, storage};
use crate::record::{Deed, Seen};

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
fn p7_a_contact_that_ended_well_leaves_nothing_unheard() {
    let ended = |day: &mut Day, ends: [&str; 2]| {
        let old = Seen::Payments(day.list(0).clone());
        let healed = day.calls.iter().position(|call| matches!(call, Call::Deed(_, _, Deed::Healed))).unwrap();
        let seen = [Seen::Synced(report(ends[0])), Seen::Synced(report(ends[1])), old];
        for (days, seen) in (2..).zip(seen) {
            day.calls.insert(healed + days - 1, Call::See(START_MS + days as i64 * DAY_MS, seen));
        }
    };
    finds("P7", "stands as approved after a contact, should be one of [\"arrived\"]", |day| {
        ended(day, ["done", "done"])
    });
    finds("P7", "stands as saved_on_phone after a contact", |day| ended(day, ["waiting", "done"]));
    allows(|day| {
        ended(day, ["done", "waiting"]);
        day.calls.retain(|call| !matches!(call, Call::Deed(_, _, Deed::Healed)));
    });
}

fn report(ended: &str) -> SyncReport {
    SyncReport { ended: ended.to_owned(), ..SyncReport::default() }
}

#[test]
fn p7_an_alert_is_about_its_event_and_late_money_is_told() {
    finds("P7", "time of alert 14", |day| {
        day.change(|seen| {
            if let Seen::Alerts(list) = seen {
                list[0].at_ms += 1;
            }
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
    finds("P10", "refused as malformed (422)", |day| day.book["requests"]["createReversal"]["422"] = json!(3));
    let early = |day: &mut Day| {
        for call in &mut day.calls {
            if let Call::Deed(_, _, Deed::Policy(members)) = call {
                members["upload_deadline_days"] = json!(30);
            }
        }
        day.line(1, SAVED).cause = Some("expired".to_owned());
    };
    finds("P10", "before any deadline of 30 days", early);
    finds("P10", "no contact", |day| {
        day.see(late(4), Seen::Synced(report("waiting")));
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
