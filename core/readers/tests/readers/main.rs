//! The reader engine, judged from outside.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests, and the helpers of tests")]

#[cfg(test)]
mod again;
mod bench;
#[cfg(test)]
mod chance;
#[cfg(test)]
mod connecting;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod happy;
#[cfg(test)]
mod link;
#[cfg(test)]
mod meanings;
#[cfg(test)]
mod nonsense;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod printed;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod sdk;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod states;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod vendor;
#[cfg(test)]
mod vendor_random;
