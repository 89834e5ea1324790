//! What planted bugs remember between two inputs. No part of what ships.

use takings_acquirers::Operation;
use takings_domain::event::{Lane, SendStarted};
use takings_domain::{Now, OperationId, PaymentId};
use takings_readers::OnlineRequest;

use super::Engine;
use super::book::Book;

/// See the module.
#[derive(Default)]
pub(super) struct Memory {
    /// Cards that were accepted and not written, and whether they are being written now.
    pub(super) cards: Vec<(PaymentId, OnlineRequest, OperationId)>,
    pub(super) writing: bool,
    /// Live requests that left before their starts were written.
    pub(super) sends: Vec<(PaymentId, OperationId)>,
    /// The newest event when the ledger was opened.
    pub(super) opened_seq: u64,
    /// A trace number was used since.
    pub(super) numbered: bool,
}

impl Engine {
    /// A sale came: nobody waits for the batch any more.
    pub(super) fn drop_batch_under_way(&mut self) {
        if takings_domain::planted::is("drain_restarted_by_sale") {
            self.in_flight.retain(|_, flight| !matches!(flight.operation, Operation::Batch(_)));
        }
    }

    /// Writes what should have been written with the last input.
    pub(super) fn write_postponed(&mut self, now: Now) {
        self.planted.writing = true;
        for (id, request, op) in std::mem::take(&mut self.planted.cards) {
            let _ = self.keep_card(id, &request, op, now);
        }
        self.planted.writing = false;
        for (id, op) in std::mem::take(&mut self.planted.sends) {
            let _ = self.ledger.begin().and_then(|mut tx| {
                tx.append_payment(now, None, id, SendStarted { op, n: 1, lane: Lane::Live }.into())?;
                tx.commit()
            });
        }
    }
}
