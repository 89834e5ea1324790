//! The till: an engine that decides, a runtime that carries, one facade.
//!
//! * [`Till`]: what a shell calls. [`Charge`]: one card at one reader.
//! * [`views`]: what a shell reads. [`TillError`]: what a shell does next.
//! * [`texts`]: what a merchant and a customer read, Chinese and English.
//! * [`ports`], [`TillConfig`]: what a shell lends and sets.
//! * `simulation`: the engine itself, for whoever brings time, line and disk of his own. No part of what ships.

pub mod charge;
pub mod config;
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "the simulator's face"))]
mod engine;
pub mod error;
mod hex;
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "the simulator's face"))]
mod outlook;
pub mod ports;
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "the simulator's face"))]
mod reading;
mod receipt;
mod runtime;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod texts;
mod till;
pub mod views;

pub use charge::{
    Asked, ChargeOutcome, ChargeRequest, EntryMode, Interface, PromptView, ReaderOutcome, SensitiveBytes, Step,
    VendorAbout, VendorAsk, VendorCard, VendorCommand, VendorEvent, VendorReceipt, VendorStart,
};
pub use config::TillConfig;
pub use error::TillError;
pub use ports::{Clock, DeviceSigner, Line, Ports, Randomness, SoftwareKey};
pub use till::{Charge, Till};
