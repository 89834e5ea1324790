//! The feed: signed hints become questions, and what is read becomes events. The cursor and the object read are the
//! truth; a hint alone changes nothing.

use std::collections::BTreeSet;

use takings_acquirers::report::{EventsPage, PaymentReport};
use takings_acquirers::{ListQuery, Operation, Unverified, Value};
use takings_domain::event::Via;
use takings_domain::payment::PaymentState;
use takings_domain::{Now, PaymentId, PayoutId};
use takings_store::Hint;

use super::Engine;
use super::book::Book;
use super::documents::DocumentKind;
use super::exchange::{Asked, Heard};
use super::lists::{ALL_LISTED_META, LIST_AGAIN_MS, LISTED_META, Listing, Missed};
use super::reports::{Rules, apply};
use super::trouble::Trouble;
use crate::error::TillError;

/// Events and lines of one page: the contract's most.
pub(super) const PAGE_ITEMS: u32 = 200;
/// Where the feed's cursor is kept.
pub(super) const CURSOR_META: &str = "feed_after";
/// So many hints are looked at before the next question.
const HINTS_AT_ONCE: u32 = 500;
/// From so many hints at payments on, they are read by pages instead of one by one.
const LIST_FROM: usize = 4;
/// Where the feed's questions stand; what a crash loses of it is asked again.
#[derive(Default)]
pub(super) struct FeedState {
    /// Payments to look at by themselves: the acquirer asks for it at the sign-on, or a list told of one what is not believed.
    pub(super) asked_for: BTreeSet<PaymentId>,
    /// Where the next page of a payout's entries starts.
    pub(super) entries_cursor: Option<(PayoutId, String)>,
    /// Changed payments are being read by pages: since when, and where the next page starts.
    pub(super) list: Option<Listing>,
    /// They were, after the hints heard last.
    pub(super) listed: bool,
    /// What the feed may have kept from us: payments and payouts are read by pages.
    pub(super) missed: Option<Missed>,
    /// Subjects that could not be read in this run.
    pub(super) skipped: BTreeSet<String>,
}

impl Engine {
    /// Asks the next question: first what hints point at, then for more hints.
    pub(super) fn start_feed(&mut self, now: Now) -> Result<(), TillError> {
        if let Some(asked) = self.next_read()? {
            return self.ask(asked, now);
        }
        let read = self.run.as_ref().is_some_and(|run| run.feed_read);
        if !read {
            return self.ask(Asked::Events, now);
        }
        Ok(())
    }

    /// The next object to read; hints that say nothing new are done with.
    fn next_read(&mut self) -> Result<Option<Asked>, TillError> {
        // One payment that nobody answers about is enough: three silences would end the contact before anything else is read.
        let no_payments = self.run.as_ref().is_some_and(|run| run.payments_silent);
        let is_open = |feed: &FeedState, id: &PaymentId| !no_payments && !feed.skipped.contains(&id.to_string());
        while let Some(id) = self.feed.asked_for.iter().copied().find(|id| is_open(&self.feed, id)) {
            if self.ledger.begin()?.payment(id)?.is_some() {
                return Ok(Some(Asked::Payment(id)));
            }
            self.feed.asked_for.remove(&id);
        }
        if self.feed.list.is_some() {
            return Ok(Some(Asked::Payments));
        }
        if let Some(asked) = self.next_of_restore() {
            return Ok(Some(asked));
        }
        match &self.feed.missed {
            Some(missed) if missed.payments_listed => return Ok(Some(Asked::Payouts)),
            Some(_) => {
                self.feed.list = Some(Listing { as_of_ms: None, cursor: None });
                return Ok(Some(Asked::Payments));
            }
            None => {}
        }
        self.follow_document_hints()?;
        let mut tx = self.ledger.begin()?;
        let mut found = None;
        let mut payments = 0;
        let mut followed = true;
        while followed && found.is_none() {
            followed = false;
            for hint in tx.pending_hints(HINTS_AT_ONCE)? {
                if self.feed.skipped.contains(&hint.subject) {
                    continue;
                }
                let asked = meaning(&mut tx, &hint)?;
                let is_payment = matches!(asked, Some(Asked::Payment(_)));
                if is_payment && no_payments {
                    continue;
                }
                payments += usize::from(is_payment);
                #[cfg(feature = "planted")]
                if asked.is_some() && takings_domain::planted::is("hint_followed_before_read") {
                    for hint in tx.pending_hints(HINTS_AT_ONCE)? {
                        tx.follow_hint(&hint.event_id)?;
                    }
                }
                if asked.is_some() {
                    found = found.or(asked);
                    // Payments are counted on: many are read by pages.
                    if is_payment && payments < LIST_FROM {
                        continue;
                    }
                    break;
                }
                tx.follow_hint(&hint.event_id)?;
                followed = true;
            }
        }
        tx.commit()?;
        if payments >= LIST_FROM && !self.feed.listed {
            self.feed.list = Some(Listing { as_of_ms: None, cursor: None });
            return Ok(Some(Asked::Payments));
        }
        if found.is_none() {
            // Lines that a crash or a lost answer kept from us: nothing else points at them any more.
            let incomplete = self.ledger.begin()?.incomplete_payouts(HINTS_AT_ONCE)?;
            let unread = |id: &PayoutId| !self.feed.skipped.contains(id.as_str());
            return Ok(incomplete.into_iter().find(unread).map(Asked::Entries));
        }
        Ok(found)
    }

    /// Documents that changed are wanted, now or in the next contact that gets to them.
    fn follow_document_hints(&mut self) -> Result<(), TillError> {
        let mut tx = self.ledger.begin()?;
        let hints = tx.pending_hints(HINTS_AT_ONCE)?;
        drop(tx);
        let changed: BTreeSet<DocumentKind> =
            hints.iter().filter_map(|hint| DocumentKind::from_word(&hint.kind)).collect();
        if changed.is_empty() {
            return Ok(());
        }
        self.keep_stale(changed.clone())?;
        if let Some(run) = &mut self.run {
            run.documents.extend(changed);
        }
        let mut tx = self.ledger.begin()?;
        for hint in hints.iter().filter(|hint| DocumentKind::from_word(&hint.kind).is_some()) {
            tx.follow_hint(&hint.event_id)?;
        }
        tx.commit()?;
        Ok(())
    }

    pub(super) fn feed_question(&mut self, asked: &Asked) -> Result<Operation, TillError> {
        let mut tx = self.ledger.begin()?;
        Ok(match asked {
            Asked::Payments => {
                let updated_since_ms = tx.kept_text(LISTED_META)?.and_then(|text| text.parse().ok());
                let cursor = self.feed.list.as_ref().and_then(|list| list.cursor.clone());
                Operation::ListPayments(ListQuery { updated_since_ms, status: None, cursor, limit: PAGE_ITEMS })
            }
            Asked::Payouts => {
                let missed = self.feed.missed.as_ref();
                let cursor = missed.and_then(|missed| missed.payouts_cursor.clone());
                let since = missed.filter(|missed| !missed.place_lost).map(|_| ALL_LISTED_META);
                let since = since.map(|key| tx.kept_text(key)).transpose()?.flatten();
                let updated_since_ms = since.and_then(|text| text.parse().ok());
                Operation::ListPayouts(ListQuery { updated_since_ms, status: None, cursor, limit: PAGE_ITEMS })
            }
            Asked::Payment(id) => {
                let amount = tx.payment(*id)?.map(|payment| payment.charge.amount);
                Operation::ReadPayment { payment_id: *id, amount }
            }
            Asked::Payout(id) => Operation::ReadPayout { payout_id: id.clone() },
            Asked::Entries(id) => {
                let cursor = self.feed.entries_cursor.as_ref();
                let cursor = cursor.filter(|(payout, _)| payout == id).map(|(_, cursor)| cursor.clone());
                Operation::PayoutEntries { payout_id: id.clone(), cursor, limit: PAGE_ITEMS }
            }
            _ => {
                let after = tx.kept_text(CURSOR_META)?.and_then(|text| text.parse().ok()).unwrap_or(0);
                Operation::Events { after, limit: PAGE_ITEMS, wait_s: 0 }
            }
        })
    }

    /// What came back to a question of the feed.
    pub(super) fn on_feed(&mut self, asked: Asked, heard: Result<Heard, Trouble>, now: Now) -> Result<(), TillError> {
        if let (Err(trouble), Some(run)) = (&heard, &mut self.run) {
            if run.asks_again(trouble) {
                run.report.detail = None;
                return Ok(());
            }
            run.payments_silent |= matches!(asked, Asked::Payment(_)) && trouble.is_silence();
            // A question without an answer: whatever news it was after is still unheard.
            run.feed_missed = true;
            run.news_waits |= match (&asked, trouble) {
                (Asked::Payment(_) | Asked::Payout(_) | Asked::Entries(_), trouble) => {
                    !matches!(trouble, Trouble::Refused { .. })
                }
                (Asked::Events, trouble) => !trouble.lost_our_place(),
                // What hints point at is read one by one instead.
                (Asked::Payments, _) => self.feed.missed.is_some(),
                _ => true,
            };
            if let (Asked::Payment(id), Trouble::Refused { .. }) = (&asked, trouble) {
                self.feed.asked_for.remove(id);
            }
        }
        match (asked, heard) {
            (_, Ok(Heard::Value(Value::Events(page)))) => self.on_events(&page),
            (_, Ok(Heard::Value(Value::Payment(report)))) => self.on_payment_read(&report, now),
            (Asked::EarlierPayments, Ok(Heard::Value(Value::Payments(page)))) => self.on_earlier_payments(&page, now),
            (Asked::EarlierPayouts, Ok(Heard::Value(Value::Payouts(page)))) => self.on_earlier_payouts(&page, now),
            (Asked::EarlierPayments | Asked::EarlierPayouts, Err(trouble)) => self.restore_trouble(&trouble),
            (_, Ok(Heard::Value(Value::Payments(page)))) => self.on_payments(&page, now),
            (_, Ok(Heard::Value(Value::Payout(report)))) => self.on_payout_read(&report, now),
            (_, Ok(Heard::Value(Value::Payouts(page)))) => self.on_payouts(&page, now),
            (_, Ok(Heard::Value(Value::PayoutEntries(page)))) => self.on_entries(&page, now),
            (Asked::Events, Err(trouble)) if trouble.lost_our_place() => {
                self.feed_lost_our_place(trouble.code().unwrap_or_default())
            }
            (Asked::Events, heard) => {
                self.feed_is_silent(matches!(heard, Err(Trouble::NotSent { .. })));
                Ok(())
            }
            (Asked::Payments, _) => {
                // The hints stay and are followed one by one.
                (self.feed.list, self.feed.listed, self.feed.missed) = (None, true, None);
                Ok(())
            }
            (Asked::Payouts, _) => {
                // The cursor stays where it was: the next contact begins this again.
                self.feed.missed = None;
                Ok(())
            }
            (Asked::Payment(id), _) => self.skip(id.to_string()),
            (Asked::Payout(id) | Asked::Entries(id), _) => self.skip(id.to_string()),
            _ => Ok(()),
        }
    }

    /// An answer that our own rules refuse. About one payment or payout another contact would hear the same: it stays noted,
    /// and nothing waits for it.
    pub(super) fn disbelieve_news(&mut self, asked: Asked, trouble: Trouble, now: Now) -> Result<(), TillError> {
        let about_one = matches!(asked, Asked::Payment(_) | Asked::Payout(_) | Asked::Entries(_));
        if let Asked::Payment(id) = &asked {
            self.feed.asked_for.remove(id);
        }
        let before = self.run.as_ref().map(|run| (run.news_waits, run.payments_silent));
        self.on_feed(asked, Err(trouble), now)?;
        if let Some((run, before)) = self.run.as_mut().zip(before).filter(|_| about_one) {
            (run.news_waits, run.payments_silent) = before;
        }
        Ok(())
    }

    /// The feed brings nothing. What waits must not wait for it: if nothing else was heard yet, a question that only the
    /// acquirer can answer tells a feed that is broken from a line that is somebody else's.
    fn feed_is_silent(&mut self, no_line: bool) {
        let Some(run) = &mut self.run else { return };
        run.feed_read = true;
        if !run.heard && !no_line && run.may_read_keys_again() {
            run.need_keys = true;
        }
    }

    /// This run could not read it; the hint stays for the next one.
    pub(super) fn skip(&mut self, subject: String) -> Result<(), TillError> {
        self.feed.skipped.insert(subject);
        Ok(())
    }

    pub(super) fn forget_skipped(&mut self) {
        self.feed.skipped.clear();
        self.take_up_restore();
        (self.feed.list, self.feed.listed, self.feed.missed) = (None, false, None);
    }

    /// Hints and cursor reach the disk together: a crash neither loses nor doubles one.
    fn on_events(&mut self, page: &EventsPage) -> Result<(), TillError> {
        let unknown_key = page.rejected.iter().any(|why| matches!(why, Unverified::UnknownKey { .. }));
        if let Some(run) = self.run.as_mut().filter(|_| unknown_key)
            && run.may_read_keys_again()
        {
            run.need_keys = true;
            return Ok(());
        }
        let mut tx = self.ledger.begin()?;
        for event in &page.events {
            tx.put_hint(&Hint {
                event_id: event.id.clone(),
                feed_seq: event.seq,
                kind: event.subject.kind.clone(),
                subject: event.subject.id.clone(),
                version: Some(event.subject.version),
            })?;
        }
        // What an event that cannot be believed was about is not known: our place is kept, and everything is listed.
        let all_believed = page.rejected.is_empty();
        if all_believed {
            tx.set_meta(CURSOR_META, page.next_after.to_string().as_bytes())?;
        }
        let ended = all_believed && page.events.len() < PAGE_ITEMS as usize;
        let listed_ms = tx.kept_text(ALL_LISTED_META)?.and_then(|text| text.parse::<i64>().ok());
        if ended && listed_ms.is_none() {
            tx.set_meta(ALL_LISTED_META, page.as_of_ms.to_string().as_bytes())?;
        }
        tx.commit()?;
        let is_long_ago = listed_ms.is_some_and(|at_ms| page.as_of_ms.saturating_sub(at_ms) >= LIST_AGAIN_MS);
        self.feed.listed = false;
        let Some(run) = &mut self.run else { return Ok(()) };
        let heard = u32::try_from(page.events.len()).unwrap_or(u32::MAX);
        run.report.events = run.report.events.saturating_add(heard);
        run.feed_read = heard < PAGE_ITEMS;
        run.feed_ended = run.feed_read && all_believed;
        run.feed_as_of_ms = Some(page.as_of_ms);
        if ended && is_long_ago && run.may_list_missed() {
            self.feed.missed = Some(Missed::everything(false));
        }
        if all_believed { Ok(()) } else { self.feed_lost_our_place("an event cannot be believed") }
    }

    fn on_payment_read(&mut self, report: &PaymentReport, now: Now) -> Result<(), TillError> {
        let rules = Rules { terms: self.documents.terms.as_ref(), calendar: self.documents.calendar() };
        let mut tx = self.ledger.begin()?;
        let version = |payment: Option<PaymentState>| payment?.report.map(|report| report.report_version);
        let known = version(tx.payment(report.payment_id)?);
        apply(&mut tx, now, None, report, Via::Feed, &rules)?;
        let payment = tx.payment(report.payment_id)?;
        tx.commit()?;
        self.feed.asked_for.remove(&report.payment_id);
        payment.iter().for_each(|payment| self.tell(payment));
        // Read, and no newer than before: asking on in this run would bring the same for ever.
        if known >= Some(report.version) { self.skip(report.payment_id.to_string()) } else { Ok(()) }
    }
}

/// The question a hint asks for; none if it says nothing new.
fn meaning(tx: &mut takings_store::Transaction<'_>, hint: &Hint) -> Result<Option<Asked>, TillError> {
    Ok(match hint.kind.as_str() {
        "payment" => match PaymentId::parse(&hint.subject) {
            Ok(id) => {
                let payment = tx.payment(id)?;
                let version = payment.map(|payment| payment.report.map_or(0, |report| report.report_version));
                version.is_some_and(|version| Some(version) < hint.version).then_some(Asked::Payment(id))
            }
            Err(_) => None,
        },
        "payout" => match PayoutId::new(hint.subject.clone()) {
            Ok(id) => match tx.payout(&id)? {
                Some(payout) if Some(payout.report.report_version) >= hint.version => {
                    (!payout.complete).then_some(Asked::Entries(id))
                }
                _ => Some(Asked::Payout(id)),
            },
            Err(_) => None,
        },
        _ => None,
    })
}
