//! What readers beside the engine need to know of it: the acquirer's clock and its calendar.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use chrono::NaiveDate;
use takings_domain::settlement::expected_if_accepted;
use takings_domain::{Calendar, Now, SettlementTerms, TimeAnchor};

/// How a receipt writes an instant.
const TIME_FORMAT: &str = "%Y-%m-%d %H:%M:%S %:z";

/// The acquirer's clock as well as the till knows it; the phone's own before the first sign-on.
#[derive(Clone, Copy, Default)]
pub(crate) struct ServerClock {
    pub(crate) anchor: Option<TimeAnchor>,
    /// What a refusal for clock skew said since: it counts on by the monotonic clock, whatever is done to the wall clock.
    pub(crate) told: Option<TimeAnchor>,
}

impl ServerClock {
    /// Milliseconds UTC.
    pub(crate) fn server_ms(self, now: Now) -> i64 {
        self.told.or(self.anchor).map_or(now.wall_ms, |anchor| anchor.trusted_ms(now))
    }
}

/// What the engine knows of time and of days to come; it keeps this current for those who read beside it.
#[derive(Clone, Default)]
pub struct Outlook(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    documents: Option<(SettlementTerms, Calendar)>,
    clock: ServerClock,
}

impl Outlook {
    /// What expected days are computed from.
    pub(crate) fn set(&self, terms: SettlementTerms, calendar: Calendar) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).documents = Some((terms, calendar));
    }

    pub(crate) fn set_clock(&self, clock: ServerClock) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clock = clock;
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether money is late is judged by the acquirer's clock, not by a phone's that somebody set; milliseconds UTC.
    pub(crate) fn server_ms(&self, now: Now) -> i64 {
        self.known().clock.server_ms(now)
    }

    /// This instant (milliseconds UTC) as the acquirer's zone writes it, with its offset; UTC before the first terms.
    pub(crate) fn local_time(&self, at_ms: i64) -> String {
        let zone = self.known().documents.as_ref().map(|(terms, _)| terms.timezone);
        let Some(at) = chrono::DateTime::from_timestamp_millis(at_ms) else { return String::new() };
        match zone {
            Some(zone) => at.with_timezone(&zone).format(TIME_FORMAT).to_string(),
            None => at.format(TIME_FORMAT).to_string(),
        }
    }

    /// The day the money would come if the payment were accepted at this instant, milliseconds UTC.
    pub(crate) fn if_sent_at(&self, at_ms: i64) -> Option<NaiveDate> {
        let known = self.known();
        let (terms, calendar) = known.documents.as_ref()?;
        expected_if_accepted(terms, calendar, at_ms).ok().map(|expected| expected.date)
    }
}
