//! A TCP relay between a till and its acquirer: the line, and everything that can happen to it.
//!
//! * [`Relay`]: listens on a free port of this machine and passes bytes to an upstream that may change.
//! * [`Mode`]: pass, refuse, cut, delay; changed at run time by the owner, also for connections that are open.
//! * [`Relay::aim`]: cuts that concern some requests only; [`Exchange`]: what passed with them.
//!
//! While it refuses, a connect is refused by the system itself: to the caller nothing has left. The port is kept.

mod aim;
mod connection;
mod mode;
mod port;
mod relay;

pub use aim::Exchange;
pub use mode::Mode;
pub use relay::Relay;
