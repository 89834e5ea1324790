//! What the shell lends the core: a clock, randomness, the device key. Nothing else comes from outside by itself.

use std::fmt;
use std::sync::Arc;

pub use takings_acquirers::{DeviceSigner, SoftwareKey};
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

/// Everything the core borrows.
#[derive(Clone)]
pub struct Ports {
    /// The phone's clocks.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub randomness: Arc<dyn Randomness>,
    /// The key that signs requests: in hardware on a phone, P-256.
    pub device_key: Arc<dyn DeviceSigner>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ports")
    }
}
