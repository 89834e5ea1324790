//! The world simulator: the real engine and the real ledger under virtual time and every fault we can name, judged by
//! whoever knows only the customers' cards, the acquirer's and the bank's books, what the screens showed and what the
//! files hold.
//!
//! * [`plan`]: a day as it is drawn from its seed: customers and faults. [`streams`]: chance, by name.
//! * [`world`]: the loop that plays it. [`phone`], [`charge`], [`network`]: what it is made of.
//! * [`disk`]: the disk under a phone: it loses what was not synced, fails when told to, dies with the process.
//! * [`directory`]: where a phone's files lie.
//! * [`record`]: what a judge may know. [`oracle`]: the judge. [`files`]: a ledger's rows, read by his own connection.
//! * [`rare`]: states that must not stay unreached. [`trace`]: what happened, as a hash and as lines.
//! * [`stall`]: a short day without a judge; [`power`]: the power cut in it; [`sweep`]: the disk failing in it; [`tamper`]: its
//!   files changed by hand.
//! * [`kill`]: real processes killed at each sync and at any moment.

pub mod charge;
pub mod directory;
pub mod disk;
pub mod files;
pub mod kill;
pub mod network;
pub mod oracle;
pub mod phone;
pub mod plan;
pub mod power;
pub mod rare;
pub mod record;
pub mod stall;
pub mod streams;
pub mod sweep;
pub mod tamper;
pub mod trace;
pub mod world;
