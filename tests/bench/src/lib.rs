//! How fast and how much: the core against its limits and its peers, in one run.
//!
//! * [`syncs`], [`statements`]: what is counted. [`measure`]: how durations become a line. [`table`]: the lines.
//! * [`acquirer`], [`stall`], [`history`], [`bare`]: a sandbox behind a socket, a till with a reader, long ledgers,
//!   and plain SQLite and plain files to compare with.
//! * [`capture`], [`readers`], [`lists`], [`drain`], [`disk`] and, with the feature of that name, `peers`: what is measured. [`machine`]: on what.

pub mod acquirer;
pub mod bare;
pub mod capture;
pub mod disk;
pub mod drain;
pub mod history;
pub mod lists;
pub mod machine;
pub mod measure;
pub mod openings;
#[cfg(feature = "peers")]
pub mod peers;
pub mod readers;
pub mod stall;
pub mod statements;
pub mod syncs;
pub mod table;

/// A benchmark that cannot go on says why.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The ledger's key: one in builds with encryption, none in builds without.
#[cfg(feature = "sqlcipher")]
pub const KEY: Option<[u8; 32]> = Some([7; 32]);
/// The ledger's key: one in builds with encryption, none in builds without.
#[cfg(not(feature = "sqlcipher"))]
pub const KEY: Option<[u8; 32]> = None;

/// The smallest ciphertext the simulated reader gives, and so what a payment keeps until it is answered, bytes.
pub const BLOB_LEN: usize = 656;
