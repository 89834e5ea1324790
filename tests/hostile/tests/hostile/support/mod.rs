//! A till with its surroundings: a phone, a reader, a customer, and an acquirer that lies when told to.

mod acquirer;
mod lie;
mod phone;
mod process;
mod seal;

pub(crate) use acquirer::{Acquirer, START_MS};
pub(crate) use lie::{Lie, unsigned_lies};
pub(crate) use phone::{Card, KEY, Phone, Stall, charge_request, is_error, offline};
pub(crate) use process::{Process, till_process};
