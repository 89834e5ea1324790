//! When the till speaks again by itself: not before the acquirer asked to wait, and after contacts that got nowhere
//! with growing rests. Both count by the monotonic clock: a wall clock that is set must not make anybody wait for years.

use takings_domain::Now;
use takings_domain::payment::pause_ms;

use super::Engine;

/// The shortest rest after a contact that left something undone, milliseconds.
const LEAST_REST_MS: i64 = 500;
/// What is overdue for another reason than the line is looked at again after this long, milliseconds.
pub(super) const LOOK_AGAIN_MS: i64 = 60_000;

/// See the module. Instants on the monotonic clock, milliseconds.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The acquirer asked everybody to wait until then.
    hold_until_ms: i64,
    /// Nothing is begun by itself before.
    rest_until_ms: i64,
    /// Contacts in a row that left undone what was due.
    fruitless: u32,
}

impl Engine {
    /// The acquirer asked for a pause: it binds everybody.
    pub(super) fn hold(&mut self, wait_ms: i64, now: Now) {
        let until_ms = now.monotonic_ms.saturating_add(wait_ms);
        self.pace.hold_until_ms = self.pace.hold_until_ms.max(until_ms);
    }

    pub(super) fn held(&self, now: Now) -> bool {
        self.pace.hold_until_ms > now.monotonic_ms
    }

    /// The till rests, or was asked to wait: it begins nothing by itself.
    pub(super) fn rests(&self, now: Now) -> bool {
        self.held(now) || self.pace.rest_until_ms > now.monotonic_ms
    }

    /// The end of the acquirer's pause on the wall clock, milliseconds UTC; now if there is none.
    pub(super) fn held_until_wall_ms(&self, now: Now) -> i64 {
        wall_ms(self.pace.hold_until_ms, now)
    }

    /// The end of every pause on the wall clock, milliseconds UTC; now if there is none.
    pub(super) fn rest_until_wall_ms(&self, now: Now) -> i64 {
        wall_ms(self.pace.hold_until_ms.max(self.pace.rest_until_ms), now)
    }

    /// A contact ended. What it left undone is not tried again at once.
    pub(super) fn rest_after(&mut self, left_undone: bool, now: Now) {
        if !left_undone {
            return self.rest_over();
        }
        self.pace.fruitless = self.pace.fruitless.saturating_add(1);
        let rest_ms = pause_ms(self.new_operation(now), self.pace.fruitless).max(LEAST_REST_MS);
        self.pace.rest_until_ms = now.monotonic_ms.saturating_add(rest_ms);
    }

    /// Somebody waits, or something new is known: what failed before counts no more.
    pub(super) fn rest_over(&mut self) {
        (self.pace.fruitless, self.pace.rest_until_ms) = (0, 0);
    }
}

fn wall_ms(monotonic_ms: i64, now: Now) -> i64 {
    now.wall_ms.saturating_add(monotonic_ms.saturating_sub(now.monotonic_ms).max(0))
}
