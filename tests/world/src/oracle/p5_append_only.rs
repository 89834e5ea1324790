//! P5 append-only: rows stay as they were written, numbered without gaps, each tied to the one before.

use sha2::{Digest, Sha256};
use takings_till::views::PaymentDetail;

use super::facts::Phone;
use super::verdict::{At, Verdict};
use crate::record::{Deed, RawEvent};

const P5: &str = "P5";

/// Takes the rows that were read now, all or those since the last time, and judges them. What is gone with excuse is
/// noted at the phone.
pub(super) fn rows(phone: &mut Phone, at: At, read: Vec<RawEvent>, verdict: &mut Verdict) {
    let Some(first) = read.first().map(|row| row.seq) else { return };
    let known = usize::try_from(first.saturating_sub(1)).unwrap_or(usize::MAX);
    if known > phone.rows.len() {
        let last = phone.rows.len();
        return verdict.broken(P5, at, format!("rows {} to {known} are missing", last + 1));
    }
    let whole = first == 1;
    let same = phone.rows.iter().skip(known).zip(&read).take_while(|(old, new)| old == new).count();
    let kept = known + same;
    let gone = phone.rows.len().saturating_sub(kept);
    // A list that goes on from the last known row says nothing of the ones before.
    let replaced = same < read.len() && gone > 0;
    if replaced || (whole && gone > 0) {
        lost(phone, at, kept, &read, known, verdict);
        phone.rows.truncate(kept);
    }
    for row in read.into_iter().skip(same) {
        next(phone, at, &row, verdict);
        phone.rows.push(row);
    }
    phone.rows_ms = at.ms;
}

/// Rows that were there are gone or others.
fn lost(phone: &mut Phone, at: At, kept: usize, read: &[RawEvent], known: usize, verdict: &mut Verdict) {
    let since =
        |wanted: fn(&Deed) -> bool| phone.deeds.iter().any(|(when, deed)| *when >= phone.rows_ms && wanted(deed));
    if since(|deed| matches!(deed, Deed::OlderCopy { .. })) {
        phone.history_lost_ms = Some(at.ms);
        phone.loss_is_witnessed |= acquirer_knows(phone.rows.get(kept + 1..).unwrap_or(&[])) || phone.witness_stayed();
        return;
    }
    let shown = usize::try_from(phone.shown_seq).unwrap_or(usize::MAX);
    if since(|deed| *deed == Deed::PowerCut) && kept >= shown {
        return;
    }
    let old = phone.rows.get(kept);
    let new = read.get(kept.saturating_sub(known));
    let kinds = (old.map(|row| row.columns.kind.as_str()), new.map(|row| row.columns.kind.as_str()));
    verdict.broken(
        P5,
        at,
        format!(
            "row {} was there and is gone or another: {kinds:?}; {} rows were known, screens had named event {shown}",
            kept + 1,
            phone.rows.len()
        ),
    );
}

/// With each sign-on the acquirer hears how far the ledger goes; it counts once something was sent in that session and
/// answered.
fn acquirer_knows(lost: &[RawEvent]) -> bool {
    let kind = |row: &&RawEvent, kind: &str| row.columns.kind == kind;
    let mut after = lost.iter().skip_while(|row| !kind(row, "signed_on")).skip_while(|row| !kind(row, "send_started"));
    after.any(|row| kind(&row, "payment_reported") && row.columns.body.contains("\"via\":\"answer\""))
}

/// One row after the last known one.
fn next(phone: &Phone, at: At, row: &RawEvent, verdict: &mut Verdict) {
    let last = phone.rows.last();
    let wanted = last.map_or(1, |last| last.seq + 1);
    verdict.check(row.seq == wanted, P5, at, || format!("event {} follows where {wanted} should be", row.seq));
    let before = last.map(|last| last.hash.clone()).or_else(|| genesis(row));
    match before {
        None => verdict.broken(P5, at, format!("event {}: the ledger has no opening", row.seq)),
        Some(before) => {
            let link = link(&before, row);
            verdict.check(link == row.hash, P5, at, || {
                format!("event {} ({}): its link is not that of its columns", row.seq, row.columns.kind)
            });
        }
    }
    if let Some(last) = last.filter(|last| last.columns.boot_id == row.columns.boot_id) {
        verdict.check(row.columns.monotonic_ms >= last.columns.monotonic_ms, P5, at, || {
            format!("event {}: the clock of its boot went back", row.seq)
        });
    }
    let subject = row.columns.subject;
    let fits = subject >= 0 && subject.unsigned_abs() <= row.seq;
    verdict.check(fits, P5, at, || format!("event {} is about {subject}, which is not there yet", row.seq));
}

/// What stands before the first event, from the identity that the first event gives.
fn genesis(first: &RawEvent) -> Option<Vec<u8>> {
    let body: serde_json::Value = serde_json::from_str(&first.columns.body).ok()?;
    let digits: Vec<u8> = body["ledger_id"].as_str()?.bytes().filter(|byte| *byte != b'-').collect();
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let id: Vec<u8> = digits.chunks(2).map(byte).collect::<Option<_>>()?;
    (id.len() == 16).then(|| Sha256::new().chain_update(b"takings ledger 1").chain_update(id).finalize().to_vec())
}

/// The link of a row: see ARCHITECTURE.md, "The chain".
pub(super) fn link(before: &[u8], row: &RawEvent) -> Vec<u8> {
    let mut bytes = before.to_vec();
    let mut column = |kind: u8, value: &[u8]| {
        bytes.push(kind);
        bytes.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(value);
    };
    let columns = &row.columns;
    column(1, &row.seq.to_be_bytes());
    column(1, &columns.at_ms.to_be_bytes());
    column(1, &columns.monotonic_ms.to_be_bytes());
    column(1, &columns.boot_id.to_be_bytes());
    match &columns.operator {
        Some(operator) => column(2, operator.as_bytes()),
        None => column(0, &[]),
    }
    column(1, &columns.subject.to_be_bytes());
    column(2, columns.kind.as_bytes());
    column(1, &columns.body_version.to_be_bytes());
    column(2, columns.body.as_bytes());
    Sha256::digest(&bytes).to_vec()
}

/// A history once listed only grows, and is the one in the file.
pub(super) fn list(phone: &Phone, at: At, list: &[PaymentDetail], verdict: &mut Verdict) {
    // Rows are numbered from one, without gaps.
    let row = |seq: u64| phone.rows.get(usize::try_from(seq).ok()?.checked_sub(1)?).filter(|row| row.seq == seq);
    let copied = phone.last_copy_ms() >= phone.rows_ms;
    for detail in list {
        let id = &detail.payment.payment_id;
        let known =
            phone.sales.get(id).filter(|sale| !phone.was_copied_between(sale.listed_ms.unwrap_or(i64::MIN), at.ms));
        let before = known.map_or(&[][..], |sale| &sale.timeline);
        verdict.check(detail.timeline.starts_with(before), P5, at, || {
            format!("the history of payment {id} is not what it was, and more")
        });
        let mut last = 0;
        for entry in &detail.timeline {
            verdict.check(entry.seq > last, P5, at, || format!("payment {id}: event {} out of order", entry.seq));
            last = entry.seq;
            let same = row(entry.seq).is_none_or(|row| {
                let columns = &row.columns;
                (&columns.kind, &columns.body, columns.at_ms, &columns.operator)
                    == (&entry.kind, &entry.body, entry.at_ms, &entry.operator)
            });
            verdict.check(same || copied, P5, at, || {
                format!("payment {id}: event {} in its history is not the one in the file", entry.seq)
            });
        }
    }
}

/// The number of events that a screen names never goes back.
pub(super) fn counted(phone: &Phone, at: At, last_seq: u64, verdict: &mut Verdict) {
    verdict.check(last_seq >= phone.shown_seq, P5, at, || {
        format!("the till counts {last_seq} events, a screen had named event {}", phone.shown_seq)
    });
}

/// Missing events are named only where history was lost, and then they are.
pub(super) fn missing(phone: &mut Phone, at: At, missing: u64, verdict: &mut Verdict) {
    let copied = phone.copies().next().is_some();
    if missing > 0 && copied {
        phone.loss_noticed = true;
    }
    verdict.check(missing == 0 || copied, P5, at, || {
        format!("the till says that {missing} events are missing, and none was taken")
    });
}
