//! The engine itself, for whoever brings time, line, disk and randomness of his own: the world simulator. No part of what
//! ships.
//!
//! [`Engine::open`], then [`Engine::handle`] for everything that happens; lists are read beside it by [`Reading`]. An engine
//! that is dropped was killed: nothing is finished, nothing is told.

pub use crate::engine::{Command, Effect, Engine, EngineConfig, Failures, Input, LinkEvent, Reply, Ticket};
pub use crate::outlook::Outlook;
pub use crate::reading::Reading;
