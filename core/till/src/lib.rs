//! The till: an engine that decides, a runtime that carries, one facade.
//!
//! * [`Till`]: what a shell calls. [`Charge`]: one card at one reader.
//! * [`views`]: what a shell reads. [`TillError`]: what a shell does next.
//! * [`texts`]: what a merchant and a customer read, Chinese and English.
//! * [`ports`], [`TillConfig`]: what a shell lends and sets.

pub mod charge;
pub mod config;
mod engine;
pub mod error;
mod hex;
mod outlook;
pub mod ports;
mod reading;
mod receipt;
mod runtime;
pub mod texts;
mod till;
pub mod views;

pub use charge::{
    Asked, ChargeOutcome, ChargeRequest, EntryMode, Interface, PromptView, ReaderOutcome, SensitiveBytes, Step,
    VendorAbout, VendorAsk, VendorCard, VendorCommand, VendorEvent, VendorStart,
};
pub use config::TillConfig;
pub use error::TillError;
pub use ports::{Clock, DeviceSigner, Line, Ports, Randomness, SoftwareKey};
pub use till::{Charge, Till};
