//! Each fault is found, by the promise it breaks: P1 to P6.

use serde_json::{Value, json};
use takings_till::{ChargeOutcome, TillError};

use super::super::p2_once::derived;
use super::day::{
    Call, DAY_MS, Day, LIVE, MINUTE_MS, PAYOUT, SAVED, START_MS, begun, book_payment, clean, status, tap, told,
};
use crate::record::{Deed, Seen};

/// Spoils the clean day and expects this promise among the broken ones, said with these words.
pub(super) fn finds(promise: &'static str, words: &str, spoil: impl FnOnce(&mut Day)) {
    let mut day = clean();
    spoil(&mut day);
    let broken = day.judge();
    let found = broken.iter().any(|(name, what)| *name == promise && what.contains(words));
    assert!(found, "{promise} with {words:?} is not among {broken:#?}");
}

/// Spoils the clean day in a way that breaks nothing.
pub(super) fn allows(spoil: impl FnOnce(&mut Day)) {
    let mut day = clean();
    spoil(&mut day);
    assert_eq!(day.judge(), []);
}

pub(super) fn payment<'a>(day: &'a mut Day, id: &str) -> &'a mut Value {
    let payments = day.book["payments"].as_array_mut().unwrap();
    payments.iter_mut().find(|payment| payment["payment_id"] == id).unwrap()
}

pub(super) fn late(day: i64) -> i64 {
    START_MS + day * DAY_MS
}

pub(super) fn storage() -> TillError {
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
        day.calls.insert(12, Call::Deed(at_ms, Some(0), Deed::OlderCopy { of_ms: i64::MIN }));
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

/// A card whose chip nobody tried, or that gave no data.
fn pays_nothing(day: &mut Day, id: &str) {
    for call in &mut day.calls {
        if let Call::Tap(tap) = call
            && tap.payment == id
        {
            tap.pays = false;
        }
    }
}

#[test]
fn p1_p2_a_card_that_gave_no_data_pays_nothing() {
    finds("P1", "should be one of []", |day| pays_nothing(day, SAVED));
    finds("P2", "no such card was there", |day| pays_nothing(day, SAVED));
}

#[test]
fn p2_a_card_is_charged_as_often_as_it_was_held_up() {
    finds("P2", "held up 1 times", |day| {
        // Once more in the same charge: that is no second payment.
        day.calls.push(Call::Tap(tap(SAVED, false, START_MS + 3 * MINUTE_MS)));
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
fn what_the_acquirer_forgot_is_excused() {
    allows(|day| {
        let restored = Deed::AcquirerRestored { of_ms: START_MS };
        day.calls.insert(12, Call::Deed(START_MS + 12 * MINUTE_MS, None, restored));
        let there = payment(day, LIVE);
        (there["authorization"], there["arrival"]) = (json!("processing"), json!("unknown"));
    });
}
