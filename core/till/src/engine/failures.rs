//! Answers at which the engine failed (a panic). The engine is then opened again from the ledger and asks again, so one
//! answer could stop all payments for ever: what failed too often is not read any more. Its payment stays in doubt,
//! nothing is said of it, and the others go on. Kept in memory, beside the engine: a new process tries again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use takings_domain::PaymentId;

use super::exchange::Asked;

/// After so many failures at answers about one subject they are not read any more.
const ENOUGH: u32 = 3;

/// Outlives the engine; see the module.
#[derive(Clone, Default)]
pub struct Failures(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// The answer being read now, or being read when the engine failed.
    at_work: Option<Asked>,
    counts: BTreeMap<Asked, u32>,
    #[cfg(test)]
    planted: Option<PaymentId>,
}

impl Failures {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer is about to be read.
    pub(super) fn begin(&self, asked: &Asked) {
        self.known().at_work = Some(asked.clone());
        #[cfg(test)]
        self.fail_if_planted(asked);
    }

    /// It was read, and what was held against its subjects is forgotten.
    pub(super) fn end(&self) {
        let mut known = self.known();
        for subject in known.at_work.take().iter().flat_map(subjects) {
            known.counts.remove(&subject);
        }
    }

    /// An engine opens: what the one before it was reading is counted, and named.
    pub(super) fn count(&self) -> Option<Asked> {
        let mut known = self.known();
        let failed = known.at_work.take()?;
        for subject in subjects(&failed) {
            let count = known.counts.entry(subject).or_insert(0);
            *count = count.saturating_add(1);
        }
        Some(failed)
    }

    /// Answers to this are not read any more.
    pub(super) fn is_enough(&self, asked: &Asked) -> bool {
        let known = self.known();
        subjects(asked).iter().any(|subject| known.counts.get(subject).is_some_and(|count| *count >= ENOUGH))
    }

    /// How many of these payments may go in one batch: one that was in an answer that failed goes alone, so that it is
    /// known which of them it was.
    pub(super) fn together(&self, ids: &[PaymentId]) -> usize {
        let known = self.known();
        let is_suspect = |id: &PaymentId| known.counts.contains_key(&Asked::Drain(vec![*id]));
        ids.iter().position(is_suspect).map_or(ids.len(), |at| at.max(1))
    }

    /// From now on the engine fails at every answer about this payment.
    #[cfg(test)]
    pub(super) fn plant(&self, id: PaymentId) {
        self.known().planted = Some(id);
    }

    #[cfg(test)]
    fn fail_if_planted(&self, asked: &Asked) {
        let planted = self.known().planted;
        let about = match asked {
            Asked::Live(id) | Asked::Inquire(id) | Asked::Reverse(id) | Asked::Payment(id) => vec![*id],
            Asked::Drain(ids) => ids.clone(),
            _ => Vec::new(),
        };
        assert!(!about.iter().any(|id| Some(*id) == planted), "planted");
    }
}

/// What a failure is held against: each payment of a batch for itself.
fn subjects(asked: &Asked) -> Vec<Asked> {
    match asked {
        Asked::Drain(ids) => ids.iter().map(|id| Asked::Drain(vec![*id])).collect(),
        other => vec![other.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_once_starts_from_nothing() {
        let failures = Failures::default();
        let fail = || {
            failures.begin(&Asked::Events);
            assert_eq!(failures.count(), Some(Asked::Events));
            failures.is_enough(&Asked::Events)
        };
        assert_eq!([fail(), fail()], [false, false]);
        failures.begin(&Asked::Events);
        failures.end();
        assert_eq!([fail(), fail(), fail()], [false, false, true]);
        assert_eq!(failures.count(), None, "an engine that opens for another reason counts nothing");
        assert!(!failures.is_enough(&Asked::Keys));
    }
}
