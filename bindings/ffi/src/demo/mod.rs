//! A world without hardware and network: the sandbox acquirer and its bank, the line to them, the clock and a simulated
//! reader, all inside the library. For demonstrations, and for days at the market played in any language: the same seed
//! and the same calls make the same ledger.

mod card;
mod moods;
mod phone;
mod play;
mod reader;
mod surroundings;
mod world;

pub use card::{CardEntry, CardPlay, CardTaken, DemoCard};
pub use reader::DemoReader;
pub use world::DemoWorld;
