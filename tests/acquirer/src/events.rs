//! The event feed: per merchant, in order, signed once when the event happens.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::book::{Payment, Payout};
use crate::instant::rfc3339;
use crate::message::Request;
use crate::problem::Problem;
use crate::render;
use crate::reply::{Reply, Search};
use crate::sandbox::Sandbox;

/// How long an event is kept, in milliseconds: 35 days.
const KEPT_MS: i64 = 35 * 86_400_000;

/// An event in its wrapper.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    at_ms: i64,
    seq: u64,
    pub(crate) kind: String,
    wrapper: Value,
}

/// The feed of each merchant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Feeds(BTreeMap<String, Feed>);

#[derive(Clone, Debug, Default)]
struct Feed {
    last_seq: u64,
    events: std::collections::VecDeque<Event>,
}

/// What an event is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) kind: &'a str,
    pub(crate) id: &'a str,
    pub(crate) version: u32,
}

impl Feeds {
    /// Drops what is older than the retention.
    pub(crate) fn forget(&mut self, now_ms: i64) {
        for feed in self.0.values_mut() {
            while feed.events.front().is_some_and(|event| event.at_ms < now_ms - KEPT_MS) {
                feed.events.pop_front();
            }
        }
    }

    /// Whether the feed holds anything after `after`.
    pub(crate) fn has_after(&self, merchant_id: &str, after: u64) -> bool {
        self.0.get(merchant_id).is_some_and(|feed| feed.last_seq > after)
    }

    /// Emitted events by type and merchant, for the ledger.
    pub(crate) fn summary(&self) -> Value {
        let feed = |feed: &Feed| {
            let events: Vec<Value> = feed
                .events
                .iter()
                .map(|event| json!({"seq": event.seq, "type": event.kind, "id": event.wrapper["id"]}))
                .collect();
            json!({"last_seq": feed.last_seq, "events": events})
        };
        Value::Object(self.0.iter().map(|(merchant, events)| (merchant.clone(), feed(events))).collect())
    }
}

impl Sandbox {
    /// Emits an event of a merchant's, signed now.
    pub(crate) fn emit(&mut self, merchant_id: &str, kind: &str, subject: Subject<'_>, data: &Value) {
        let feed = self.feeds.0.entry(merchant_id.to_owned()).or_default();
        feed.last_seq += 1;
        let seq = feed.last_seq;
        let id = format!("evt_{merchant_id}_{seq:08}");
        let event = json!({
            "id": id, "type": kind, "timestamp": rfc3339(self.now_ms), "merchant_id": merchant_id, "seq": seq,
            "subject": {"kind": subject.kind, "id": subject.id, "version": subject.version}, "data": data,
        });
        let wrapper = self.keys.wrap(&id, self.now_ms.div_euclid(1000), event.to_string().as_bytes());
        feed.events.push_back(Event { at_ms: self.now_ms, seq, kind: kind.to_owned(), wrapper });
    }

    /// Emits an event about a payment as it stands.
    pub(crate) fn emit_payment(&mut self, kind: &str, payment: &Payment) {
        let subject = Subject { kind: "payment", id: &payment.payment_id, version: payment.version };
        self.emit(&payment.merchant_id, kind, subject, &render::payment_event_data(payment));
    }

    /// Emits an event about a payout as it stands.
    pub(crate) fn emit_payout(&mut self, kind: &str, payout: &Payout) {
        let subject = Subject { kind: "payout", id: &payout.payout_id, version: payout.version };
        self.emit(&payout.merchant_id, kind, subject, &json!({"status": payout.status, "evidence": payout.evidence}));
    }

    /// `GET /v1/events`.
    pub(crate) fn list_events(&self, merchant_id: &str, search: &Search) -> Result<Reply, Problem> {
        let after =
            search.int("after", 0, crate::input::MAX_INTEGER)?.ok_or_else(|| Problem::invalid("/after", "missing"))?;
        let limit = search.limit()?;
        search.int("wait_s", 0, 25)?;
        let after = u64::try_from(after).unwrap_or(0);
        let empty = Feed::default();
        let feed = self.feeds.0.get(merchant_id).unwrap_or(&empty);
        let oldest = feed.events.front().map_or(feed.last_seq + 1, |event| event.seq);
        // 0 asks for all that is kept.
        if after > 0 && after + 1 < oldest && after < feed.last_seq {
            return Err(Problem::new("cursor-expired"));
        }
        let first = usize::try_from((after + 1).saturating_sub(oldest)).unwrap_or(usize::MAX);
        let page: Vec<&Event> = feed.events.iter().skip(first).take(limit).collect();
        let next_after = page.last().map_or(after, |event| event.seq);
        let data: Vec<&Value> = page.iter().map(|event| &event.wrapper).collect();
        Ok(Reply::json(200, &json!({"data": data, "next_after": next_after, "as_of": rfc3339(self.now_ms)})))
    }

    /// How long, in seconds, this request would wait for an event that is not there yet. `None` if it
    /// would be answered at once. Nothing is verified: the answer is still to be asked for.
    #[must_use]
    pub fn feed_wait_s(&self, request: &Request) -> Option<u64> {
        if request.method != "GET" || request.path() != "/v1/events" {
            return None;
        }
        let search = Search::of(request.query());
        let terminal = self.book.terminals.get(request.header("x-terminal-id")?)?;
        let after = search.int("after", 0, crate::input::MAX_INTEGER).ok()??;
        let wait_s = search.int("wait_s", 0, 25).ok()??;
        let waits = !self.feeds.has_after(&terminal.merchant_id, u64::try_from(after).ok()?);
        if waits { u64::try_from(wait_s).ok() } else { None }
    }
}
