//! Who asked about which payment, when, and how it was answered: from this a judge can tell how long a customer waited.

use serde::Serialize;
use serde_json::Value;

use crate::faults::Kind;
use crate::message::Request;
use crate::routes::{Operation, route};
use crate::sandbox::Sandbox;

/// One request about one payment. Batches are not in here: nobody waits for them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Contact {
    at_ms: i64,
    operation: &'static str,
    payment_id: String,
    /// HTTP status; 0 where nothing was answered.
    status: u16,
    /// What spoiled it.
    fault: Option<Kind>,
}

impl Sandbox {
    /// Notes a request about one payment.
    pub(crate) fn note_contact(&mut self, request: &Request, status: u16, fault: Option<&Kind>) {
        let Ok(operation) = route(&request.method, request.path()) else { return };
        let body = || serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
        let id = |named: &Value| named.get("payment_id").and_then(Value::as_str).map(str::to_owned);
        let payment_ids: Vec<String> = match &operation {
            Operation::Payment(id) | Operation::Reverse(id) => vec![id.clone()],
            Operation::CreatePayment => body().get("payment").and_then(id).into_iter().collect(),
            Operation::Inquire => {
                body().get("lookups").and_then(Value::as_array).into_iter().flatten().filter_map(id).collect()
            }
            _ => return,
        };
        let (at_ms, operation) = (self.now_ms, operation.name());
        let contact = |payment_id| Contact { at_ms, operation, payment_id, status, fault: fault.cloned() };
        self.contacts.extend(payment_ids.into_iter().map(contact));
    }
}
