//! The world simulator.

pub mod files;
pub mod oracle;
pub mod record;
