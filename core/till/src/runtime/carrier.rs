//! What carries requests to the acquirer: HTTP on tokio, or a line lent by the app.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use takings_acquirers::SignedRequest;
use takings_acquirers::http::{Carried, HttpConfig, HttpTransport};
use takings_domain::OperationId;
use tokio::runtime::Handle;

use super::Message;
use crate::config::TillConfig;
use crate::error::TillError;
use crate::ports::{Later, Line};

/// What carries sends out and brings answers back.
pub(super) struct Carrier {
    pub(super) inbox: Sender<Message>,
    pub(super) way: Way,
    pub(super) handle: Handle,
}

/// How a request reaches the acquirer.
pub(super) enum Way {
    Http(Arc<HttpTransport>),
    Lent(Arc<dyn Line>),
}

impl Way {
    /// The line that was lent, else HTTP.
    pub(super) fn of(config: &TillConfig, lent: Option<&Arc<dyn Line>>) -> Result<Self, TillError> {
        Ok(match lent {
            Some(line) => Self::Lent(Arc::clone(line)),
            None => Self::Http(transport(config)?),
        })
    }
}

impl Carrier {
    /// Carries a request. A lent line's answer may be there at once; any other comes as a message.
    pub(super) fn carry(&self, op: OperationId, request: SignedRequest, timeout_ms: u64) -> Option<Carried> {
        let inbox = self.inbox.clone();
        // A stopped engine finds the send without an end when it opens again.
        let bring = move |carried| drop(inbox.send(Message::Answer(op, carried)));
        match &self.way {
            Way::Lent(line) => catch_unwind(AssertUnwindSafe(|| line.carry(&request, timeout_ms, Later::new(bring))))
                .unwrap_or_else(|_| Some(Carried::Maybe("the line failed".to_owned()))),
            Way::Http(transport) => {
                let transport = Arc::clone(transport);
                self.handle.spawn(async move { bring(transport.send(&request, timeout_ms).await) });
                None
            }
        }
    }
}

fn transport(config: &TillConfig) -> Result<Arc<HttpTransport>, TillError> {
    let mut http = HttpConfig::new(config.acquirer_url.clone());
    http.connect_timeout_ms = config.connect_timeout_ms;
    http.read_timeout_ms = config.request_timeout_ms;
    HttpTransport::new(&http).map(Arc::new).map_err(|error| TillError::fix_input("acquirer_url", error))
}
