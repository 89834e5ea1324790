//! The ledger on the phone: one SQLite file to which events are appended and from which everything else follows.
//!
//! * [`Ledger`]: the one writer. [`Transaction`]: one handled input, all or nothing, one fsync.
//! * `due`, `kept`: what a transaction asks and keeps beside the events.
//! * [`config`], [`error`], `opening`: how a ledger is opened and what can go wrong.
//! * `room`: what is kept free on the disk for answers.
//! * `connection`, [`settings`], `lock`, `migration`: one file, one writer, settings that were read back.
//! * `write_ahead`: the log in front of the file, and what an opening does with the one it finds.
//! * [`head`]: the witness beside the file: how long the history is and how much is at stake.
//! * [`hash`], `event_log`: the chain of events.
//! * [`projection`]: the tables that follow from it. [`reading`]: lists for the screen.
//! * `verify`, `schema_check`: checking everything. `rebuild`, `fit`: projections made anew, and the old ones serving meanwhile.

#[cfg(test)]
extern crate self as takings_store;

#[cfg(not(any(feature = "bundled", feature = "sqlcipher")))]
compile_error!("choose a feature: `bundled` (plain SQLite) or `sqlcipher` (encrypted)");

pub mod config;
mod connection;
mod due;
pub mod error;
mod event_log;
mod find;
mod fit;
pub mod hash;
pub mod head;
mod kept;
mod ledger;
mod lock;
mod migration;
mod opening;
pub mod projection;
pub mod reading;
mod rebuild;
mod room;
mod schema_check;
pub mod settings;
mod transaction;
mod verify;
mod write_ahead;

pub use config::{DatabaseKey, OpenConfig};
pub use due::{DueItem, NextNotices, Patience};
pub use error::StoreError;
pub use event_log::EventRow;
pub use head::{Head, HeadState, Unsent};
pub use kept::Hint;
pub use ledger::{Ledger, Rebuild};
pub use opening::{OpenReport, begin_anew};
pub use projection::payment::PaymentRow;
pub use projection::payout::{EntryRow, PayoutRow};
pub use projection::told::ToDoRow;
pub use projection::totals::{BalanceRow, WaitingRow};
pub use reading::alerts::Alert;
pub use reading::payments::PaymentFilter;
pub use reading::payouts::PayoutDetail;
pub use reading::takings::TakingsSum;
pub use reading::{Page, PageKey, PaymentDetail, Reader, Status};
pub use transaction::{Committed, Transaction};
pub use verify::Verification;
