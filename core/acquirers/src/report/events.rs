//! Events of the feed.

use crate::message::Unverified;

/// Something changed. A hint: the state comes from reading the subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id, for deduplication.
    pub id: String,
    /// Its number; rises by one per merchant.
    pub seq: u64,
    /// What happened, raw, e.g. `payout.arrived`.
    pub event_type: String,
    /// When, milliseconds UTC.
    pub at_ms: i64,
    /// When it was signed, Unix seconds.
    pub signed_at_s: i64,
    /// The merchant.
    pub merchant_id: String,
    /// To what.
    pub subject: EventSubject,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSubject {
    /// `payment`, `payout`, …, raw.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its version; read the subject only if this is newer than what is known.
    pub version: u64,
}

/// A page of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsPage {
    /// Events whose own signature held, in order.
    pub events: Vec<Event>,
    /// Why others were left out. After [`Unverified::UnknownKey`] read the keys, then this page again.
    pub rejected: Vec<Unverified>,
    /// The `after` of the next call.
    pub next_after: u64,
    /// The acquirer's time, milliseconds UTC.
    pub as_of_ms: i64,
}
