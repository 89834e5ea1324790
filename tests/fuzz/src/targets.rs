//! The targets.

pub mod answers;
pub mod arguments;
pub mod days;
pub mod engine;
pub mod framing;
pub mod head;
pub mod ledger;
pub mod lines;
pub mod message;
pub mod reader;
pub mod tlv;
