//! The world simulator.

pub mod disk;
pub mod files;
pub mod oracle;
pub mod record;
