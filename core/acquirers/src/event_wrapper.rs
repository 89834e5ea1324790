//! The wrapper of an event: the same signed bytes in the feed and in a push.

use serde::Deserialize;

use crate::encoding::from_base64url;
use crate::keys::KeyRing;
use crate::message::Unverified;
use crate::report::{Event, EventSubject, EventsPage};
use crate::webhook::signed_input;
use crate::wire::value::{Instant, List, Name, Text, Version, read};

/// The most bytes of a push: what every channel carries.
const MAX_PUSH_LEN: usize = 4096;

#[derive(Deserialize)]
pub(crate) struct WireWrapper {
    v: u32,
    kid: Name,
    id: Name,
    ts: i64,
    p: Text<4000>,
    s: Text<86>,
}

#[derive(Deserialize)]
struct WireEvent {
    id: Name,
    #[serde(rename = "type")]
    event_type: Text<81>,
    timestamp: Instant,
    merchant_id: Name,
    seq: Version,
    subject: WireSubject,
}

#[derive(Deserialize)]
struct WireSubject {
    kind: Name,
    id: Name,
    version: Version,
}

/// Verifies and reads one event, as a push brings it.
///
/// # Errors
/// [`Unverified`]: count it, drop it, and read the feed soon.
pub fn verify_event(bytes: &[u8], keys: &KeyRing) -> Result<Event, Unverified> {
    if bytes.len() > MAX_PUSH_LEN {
        return Err(Unverified::TooLarge);
    }
    open(&read(bytes)?, keys)
}

fn open(wrapper: &WireWrapper, keys: &KeyRing) -> Result<Event, Unverified> {
    if wrapper.v != 1 {
        return Err(Unverified::malformed("a wrapper of an unknown version"));
    }
    let payload = from_base64url(&wrapper.p.0).ok_or_else(|| Unverified::malformed("a payload"))?;
    let signature = from_base64url(&wrapper.s.0).ok_or(Unverified::BadSignature)?;
    keys.check(&wrapper.kid.0, &signed_input(&wrapper.id.0, wrapper.ts, &payload), &signature)?;
    let event: WireEvent = read(&payload)?;
    if event.id != wrapper.id {
        return Err(Unverified::Mismatch { field: "id" });
    }
    Ok(Event {
        id: event.id.0,
        seq: event.seq.0,
        event_type: event.event_type.0,
        at_ms: event.timestamp.0,
        signed_at_s: wrapper.ts,
        merchant_id: event.merchant_id.0,
        subject: EventSubject { kind: event.subject.kind.0, id: event.subject.id.0, version: event.subject.version.0 },
    })
}

#[derive(Deserialize)]
pub(crate) struct WireEventPage {
    data: List<WireWrapper, 200>,
    next_after: u64,
    as_of: Instant,
}

impl WireEventPage {
    /// The page, if it leads on from `after`.
    pub(crate) fn into_page(self, after: u64, keys: &KeyRing) -> Result<EventsPage, Unverified> {
        let (mut events, mut rejected) = (Vec::new(), Vec::new());
        for wrapper in &self.data.0 {
            match open(wrapper, keys) {
                Ok(event) => events.push(event),
                Err(why) => rejected.push(why),
            }
        }
        let last = events.iter().map(|event| event.seq).max().unwrap_or(after).max(after);
        // The contract: the last of this page, or what was asked. Further ahead, events would be lost. Of those that
        // cannot be believed the number is not known.
        if self.next_after < last || (rejected.is_empty() && self.next_after > last) {
            return Err(Unverified::Mismatch { field: "next_after" });
        }
        Ok(EventsPage { events, rejected, next_after: self.next_after, as_of_ms: self.as_of.0 })
    }
}
