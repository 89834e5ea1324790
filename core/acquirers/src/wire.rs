//! The contract's JSON: what requests are written as, what answers are read as. Bounds are checked while reading;
//! unknown members are ignored.

pub(crate) mod payment;
pub(crate) mod payout;
pub(crate) mod send;
pub(crate) mod terminal;
pub(crate) mod value;
