//! Events: the only thing that is ever written down. State is their fold.
//!
//! A body is JSON text, kept byte for byte; its `kind` and `body_version` stand beside it in the row. A kind or
//! version that this build does not know is an [`UnknownEvent`]: the ledger then opens read-only.

mod ledger;
mod payment;
mod payout;
mod words;

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

pub use ledger::*;
pub use payment::*;
pub use payout::*;
pub use words::*;

use crate::{Now, PaymentId, PayoutId};

/// An event that this build cannot read. The caller upgrades the app; the ledger stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnknownEvent {
    /// The kind or its version is newer than this build.
    #[error("event kind {kind} version {body_version} is not known to this version")]
    Kind {
        /// The kind as written.
        kind: String,
        /// The version as written.
        body_version: u32,
    },
    /// The body does not fit its kind.
    #[error("the body of an event of kind {kind} cannot be read")]
    Body {
        /// The kind as written.
        kind: String,
    },
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The ledger itself.
    Ledger,
    /// One payment.
    Payment(PaymentId),
    /// One payout.
    Payout(PayoutId),
}

/// An event as it stands in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded<E> {
    /// Its number in the ledger, from 1, without gaps.
    pub seq: u64,
    /// When it was written.
    pub at: Now,
    /// Who was at the till.
    pub operator: Option<String>,
    /// What happened.
    pub event: E,
}

/// Any event.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// About the ledger.
    Ledger(LedgerEvent),
    /// About a payment.
    Payment(PaymentEvent),
    /// About a payout.
    Payout(PayoutEvent),
}

impl Event {
    /// The kind, as the row carries it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ledger(event) => event.kind(),
            Self::Payment(event) => event.kind(),
            Self::Payout(event) => event.kind(),
        }
    }

    /// The version of the body's form.
    #[must_use]
    pub fn body_version(&self) -> u32 {
        1
    }

    /// The body, as JSON text.
    ///
    /// # Errors
    /// Never for the events of this crate; the error is serde's.
    pub fn body(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Ledger(event) => event.body(),
            Self::Payment(event) => event.body(),
            Self::Payout(event) => event.body(),
        }
    }

    /// Reads an event back.
    ///
    /// # Errors
    /// [`UnknownEvent`] if the kind or version is not known or the body does not fit.
    pub fn read(kind: &str, body_version: u32, body: &str) -> Result<Self, UnknownEvent> {
        let unknown = || UnknownEvent::Kind { kind: kind.to_owned(), body_version };
        if body_version != 1 {
            return Err(unknown());
        }
        if let Some(event) = LedgerEvent::read(kind, body)? {
            return Ok(Self::Ledger(event));
        }
        if let Some(event) = PaymentEvent::read(kind, body)? {
            return Ok(Self::Payment(event));
        }
        PayoutEvent::read(kind, body)?.map(Self::Payout).ok_or_else(unknown)
    }
}

fn parse<T: DeserializeOwned>(kind: &str, body: &str) -> Result<T, UnknownEvent> {
    serde_json::from_str(body).map_err(|_| UnknownEvent::Body { kind: kind.to_owned() })
}

fn write<T: Serialize>(body: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(body)
}

macro_rules! events {
    ($(#[$doc:meta])* $name:ident { $($variant:ident => $kind:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $name { $(#[doc = concat!("`", $kind, "`: see the struct of this name.")] $variant($variant)),+ }

        impl $name {
            /// Every kind of this subject.
            pub const KINDS: &'static [&'static str] = &[$($kind),+];

            /// The kind, as the row carries it.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind),+ }
            }

            /// The body, as JSON text.
            ///
            /// # Errors
            /// Never for these events; the error is serde's.
            pub fn body(&self) -> Result<String, serde_json::Error> {
                match self { $(Self::$variant(body) => crate::event::write(body)),+ }
            }

            pub(super) fn read(kind: &str, body: &str) -> Result<Option<Self>, crate::event::UnknownEvent> {
                match kind {
                    $($kind => crate::event::parse(kind, body).map(|body| Some(Self::$variant(body))),)+
                    _ => Ok(None),
                }
            }
        }

        $(impl From<$variant> for $name {
            fn from(body: $variant) -> Self { Self::$variant(body) }
        }
        impl From<$variant> for crate::event::Event {
            fn from(body: $variant) -> Self { $name::$variant(body).into() }
        })+
    };
}
use events;

impl From<LedgerEvent> for Event {
    fn from(event: LedgerEvent) -> Self {
        Self::Ledger(event)
    }
}
impl From<PaymentEvent> for Event {
    fn from(event: PaymentEvent) -> Self {
        Self::Payment(event)
    }
}
impl From<PayoutEvent> for Event {
    fn from(event: PayoutEvent) -> Self {
        Self::Payout(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LedgerId;

    #[test]
    fn an_event_reads_back_and_a_newer_one_is_named() {
        let event: Event =
            Opened { ledger_id: LedgerId::from_bytes([1; 16]), device_key_thumbprint: "t".into() }.into();
        let body = event.body().unwrap();
        assert_eq!(Event::read(event.kind(), event.body_version(), &body), Ok(event));
        assert!(matches!(Event::read("opened", 2, &body), Err(UnknownEvent::Kind { .. })));
        assert!(matches!(Event::read("opened", 1, "{}"), Err(UnknownEvent::Body { .. })));
        assert!(matches!(Event::read("teleported", 1, "{}"), Err(UnknownEvent::Kind { .. })));
    }

    #[test]
    fn no_kind_is_used_twice() {
        let mut kinds: Vec<_> = [LedgerEvent::KINDS, PaymentEvent::KINDS, PayoutEvent::KINDS].concat();
        let all = kinds.len();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), all);
    }
}
