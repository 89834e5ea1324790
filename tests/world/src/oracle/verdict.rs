//! What was found broken.

use std::collections::BTreeSet;

use crate::record::Violation;

/// One broken promise can show at thousands of places: so many are named.
const MOST: usize = 200;

/// The violations so far, each said once.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    found: Vec<Violation>,
    said: BTreeSet<(&'static str, Option<usize>, String)>,
}

/// When and where something was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) ms: i64,
    pub(super) phone: usize,
}

impl Verdict {
    pub(super) fn found(&self) -> &[Violation] {
        &self.found
    }

    /// A promise was broken at a phone.
    pub(super) fn broken(&mut self, promise: &'static str, at: At, what: String) {
        self.note(promise, at.ms, Some(at.phone), what);
    }

    /// A promise was broken in the books.
    pub(super) fn in_book(&mut self, promise: &'static str, at_ms: i64, what: String) {
        self.note(promise, at_ms, None, what);
    }

    /// Broken unless `holds`.
    pub(super) fn check(&mut self, holds: bool, promise: &'static str, at: At, what: impl FnOnce() -> String) {
        if !holds {
            self.broken(promise, at, what());
        }
    }

    /// The two must be the same.
    pub(super) fn same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        promise: &'static str,
        at: At,
        name: &str,
        seen: &T,
        wanted: &T,
    ) {
        if seen != wanted {
            self.broken(promise, at, format!("{name}: seen {seen:?}, should be {wanted:?}"));
        }
    }

    fn note(&mut self, promise: &'static str, at_ms: i64, phone: Option<usize>, what: String) {
        if self.found.len() < MOST && self.said.insert((promise, phone, what.clone())) {
            self.found.push(Violation { promise, at_ms, phone, what });
        }
    }
}
