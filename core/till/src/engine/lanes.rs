//! The three lanes of a contact: undoing, the live payment in doubt, and batches of what waits.

use takings_domain::event::Lane;
use takings_domain::payment::Task;
use takings_domain::{Now, PaymentId};
use takings_store::{DueItem, Patience};

use super::Engine;
use super::exchange::{Asked, Slot};
use super::run::BATCH_ITEMS;
use crate::error::TillError;

impl Engine {
    /// Starts what is due on every lane that is free.
    pub(super) fn start_lanes(&mut self, now: Now) -> Result<(), TillError> {
        if self.slot_free(Slot::Reversal) {
            for item in self.due(Lane::Reversal, 1, now)? {
                self.had_its_turn(Lane::Reversal, &item);
                #[cfg(feature = "planted")]
                if item.to_do.subject <= self.planted.opened_seq
                    && takings_domain::planted::is("reversal_forgotten_at_restart")
                {
                    continue;
                }
                self.start_reversal(item.payment_id, now)?;
            }
        }
        if self.slot_free(Slot::Live) {
            for item in self.due(Lane::Live, BATCH_ITEMS, now)? {
                self.had_its_turn(Lane::Live, &item);
                self.start_in_doubt(item.payment_id, now)?;
                if !self.slot_free(Slot::Live) {
                    break;
                }
            }
        }
        if self.slot_free(Slot::Drain) && self.session_valid(now) {
            let items = self.due(Lane::Drain, self.batch_items, now)?;
            let mut ids: Vec<PaymentId> = items.iter().map(|item| item.payment_id).collect();
            ids.truncate(self.failures.together(&ids));
            if let Some(last) = items.get(..ids.len()).and_then(<[DueItem]>::last) {
                self.had_its_turn(Lane::Drain, last);
                self.start_batch(&ids, now)?;
            }
        }
        Ok(())
    }

    fn had_its_turn(&mut self, lane: Lane, item: &DueItem) {
        if let Some(run) = &mut self.run {
            let passed = run.passed.entry(lane).or_insert(0);
            *passed = item.to_do.subject.max(*passed);
        }
    }

    /// What is due on this lane, oldest first: everything once where a person asked, then what its own pause allows.
    fn due(&mut self, lane: Lane, most: u32, now: Now) -> Result<Vec<DueItem>, TillError> {
        let Some(run) = &self.run else { return Ok(Vec::new()) };
        let mut tx = self.ledger.begin()?;
        if run.eager {
            let passed = run.passed.get(&lane).copied().unwrap_or(0);
            let found = tx.due(lane, now.wall_ms, Patience::Asked, passed, most)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(tx.due(lane, now.wall_ms, Patience::Due, 0, most)?)
    }

    /// A live payment in doubt: its id again while the customer waits, then a question, then undoing.
    fn start_in_doubt(&mut self, id: PaymentId, now: Now) -> Result<(), TillError> {
        let task = {
            let mut tx = self.ledger.begin()?;
            tx.payment(id)?.and_then(|payment| takings_domain::payment::task(&payment, now.wall_ms))
        };
        match task {
            Some(Task::Submit) if self.session_valid(now) => self.next_live(id, now),
            // An inquiry leaves no mark of its own: without this it would be repeated at once.
            Some(Task::Inquire) if self.run.as_mut().is_some_and(|run| run.inquired.insert(id)) => {
                self.ask(Asked::Inquire(id), now)
            }
            _ => Ok(()),
        }
    }
}
