//! What the shell lends the core: a clock, randomness, the device key. Nothing else comes from outside by itself.

use std::fmt;
use std::sync::Arc;

pub use takings_acquirers::http::Carried;
pub use takings_acquirers::{Answer, DeviceSigner, SignedRequest, SoftwareKey};
use takings_domain::Now;

/// The phone's clocks.
pub trait Clock: Send + Sync {
    /// One reading of all of them.
    fn now(&self) -> Now;
}

/// Randomness for ids, nonces and nothing else.
pub trait Randomness: Send + Sync {
    /// Fills the bytes. Two tills must never be filled alike.
    fn fill(&self, bytes: &mut [u8]);
}

/// A line to the acquirer that is not HTTP: a demonstration's, a test's.
///
/// It is used on the engine's own thread, one request after the other, and an answer that it gives at once is heard before
/// anything else: the same calls then make the same ledger. It does not call the till.
pub trait Line: Send + Sync {
    /// Carries one request, once, and says how far it came; none if that will be said by `later`.
    fn carry(&self, request: &SignedRequest, timeout_ms: u64, later: Later) -> Option<Carried>;
}

/// Brings the answer to one request that did not come at once. The till waits for it, and bounds nothing itself: a line that
/// keeps an answer says after the request's `timeout_ms` that the request may have arrived.
pub struct Later(Box<dyn FnOnce(Carried) + Send>);

impl Later {
    pub(crate) fn new(bring: impl FnOnce(Carried) + Send + 'static) -> Self {
        Self(Box::new(bring))
    }

    /// Brings it. A till that was shut down does not hear it.
    pub fn bring(self, carried: Carried) {
        (self.0)(carried);
    }
}

/// Everything the core borrows.
#[derive(Clone)]
pub struct Ports {
    /// The phone's clocks.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub randomness: Arc<dyn Randomness>,
    /// The key that signs requests: in hardware on a phone, P-256.
    pub device_key: Arc<dyn DeviceSigner>,
    /// The line to the acquirer; none: HTTP.
    pub line: Option<Arc<dyn Line>>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ports")
    }
}
