//! Projections: tables that follow from the events and serve display and due work.
//!
//! A payment's rows are a function of its fold and of the payout it is in; a payout's of its fold. Sums are kept by
//! difference. So a rebuild, in whatever order it takes the subjects, ends with the same rows.
//!
//! * `row`: columns and values. [`payment`], [`payout`], [`told`], [`totals`]: the tables.
//! * `link`: which payout speaks for a payment. `apply`: what one event changes. `tables`: the set in force, or the next.

pub(crate) mod apply;
pub(crate) mod link;
pub mod payment;
pub mod payout;
pub(crate) mod row;
pub(crate) mod tables;
pub mod told;
pub mod totals;

/// The form of these tables. A change of any of them, or of the folds behind them, raises it: ledgers of an earlier one
/// make theirs anew.
pub(crate) const VERSION: u32 = 5;

/// The earliest version whose rows this build still reads and writes, once the columns it lacks are added: such tables
/// serve while the next ones are made. A word that is taken out of a list, or a column that changes its meaning, raises
/// it to [`VERSION`]: then the next tables are made before anything else happens.
pub(crate) const SERVES_SINCE: u32 = 4;

/// Makes the tables.
pub(crate) const SCHEMA: &str = include_str!("schema/projections.sql");

/// Every projection, with the columns that order its rows; those that refer come before those referred to.
pub(crate) const TABLES: [(&str, &str); 10] = [
    ("alert", "seq"),
    ("waiting", "what, currency"),
    ("takings", "captured_on, currency, stage"),
    ("balance", "account, currency, business_day"),
    ("to_do", "subject"),
    ("spread", "payout"),
    ("payout_entry", "payout, number"),
    ("attempt", "subject, number"),
    ("payout", "key"),
    ("payment", "key"),
];
