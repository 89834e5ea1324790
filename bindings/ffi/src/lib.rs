//! The till for Kotlin, Swift and Python: the only crate that knows UniFFI.
//!
//! It holds no decision. Its records are copies of the core's, converted with every field named, so that a field added
//! there does not compile here until it is added here.
//!
//! * [`Till`], [`Charge`]: what a shell calls. [`at_stake`], [`begin_anew`], [`text_of`]: what needs no till.
//! * [`stop_calling_out`]: for hosts that end before their process.
//! * [`records`]: what goes in and comes out. [`TakingsError`]: what a shell does next.
//! * [`DeviceKey`], [`KeyVault`], [`LogSink`], [`VendorReader`]: what a shell implements. [`VendorLane`]: the way to the last.
//! * [`demo`]: a world without hardware and network.
//!
//! Inside: `guard` makes a panic an error; `calls` brings each call to its end on the till's own runtime, whatever becomes
//! of the caller; `callbacks` and `lane` keep foreign code away from the engine's thread; `clock` reads the phone's clocks.

mod callbacks;
mod calls;
mod charge;
mod clock;
#[cfg(feature = "demo")]
pub mod demo;
mod device_key;
mod error;
mod guard;
mod key_vault;
mod lane;
mod log_sink;
mod opening;
#[cfg(feature = "planted")]
pub mod planted;
pub mod records;
mod texts;
mod till;
mod vendor_reader;
mod wire;

pub use callbacks::stop_calling_out;
pub use charge::Charge;
pub use device_key::DeviceKey;
pub use error::TakingsError;
pub use key_vault::KeyVault;
pub use log_sink::LogSink;
pub use texts::{WordKind, text_of};
pub use till::{Till, at_stake, begin_anew};
pub use vendor_reader::{VendorLane, VendorReader};

uniffi::setup_scaffolding!("takings");
