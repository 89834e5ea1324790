//! MagTek DynaFlex II Go: messages, commands, card data, and the engine that drives it.
//!
//! Written from the maker's public documents and tested on the bytes printed there. The same messages
//! run on the whole family, over other transports.

pub mod card_data;
pub mod commands;
mod engine;
pub mod message;
pub mod property;
pub mod status;

pub use engine::Reader;
