//! Time as it enters from outside. Nothing in this crate reads a clock.

use serde::{Deserialize, Serialize};

/// One reading of the phone's clocks, passed with every input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// The wall clock, milliseconds since 1970 UTC. May be wrong, may jump.
    pub wall_ms: i64,
    /// Milliseconds since an arbitrary point of this boot, time asleep included. Never goes back within one boot.
    pub monotonic_ms: i64,
    /// Differs between boots of the phone; equal means `monotonic_ms` may be compared.
    pub boot_id: u64,
}

/// The acquirer's clock as it was heard at the last sign-on, with the phone's own clocks at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeAnchor {
    /// The server's time, milliseconds since 1970 UTC.
    pub server_ms: i64,
    /// The phone's reading when the answer came.
    pub heard_at: Now,
}

impl TimeAnchor {
    /// The best guess at the server's time: server time plus monotonic time since, or after a reboot the wall
    /// clock corrected by the offset heard then, and never before the sign-on: a wall clock that was wrong at the
    /// sign-on and put right since would date a sale weeks back, past its deadline.
    #[must_use]
    pub fn trusted_ms(&self, now: Now) -> i64 {
        if now.boot_id == self.heard_at.boot_id {
            self.server_ms.saturating_add(now.monotonic_ms.saturating_sub(self.heard_at.monotonic_ms).max(0))
        } else {
            now.wall_ms.saturating_add(self.offset_ms()).max(self.server_ms)
        }
    }

    /// The reading that makes things older: what limits of age are judged by (our decision, promise P9).
    #[must_use]
    pub fn pessimistic_ms(&self, now: Now) -> i64 {
        #[cfg(feature = "planted")]
        if crate::planted::is("policy_by_optimistic_clock") {
            return self.trusted_ms(now).min(now.wall_ms.saturating_add(self.offset_ms())).max(self.server_ms);
        }
        self.trusted_ms(now).max(now.wall_ms.saturating_add(self.offset_ms())).max(self.server_ms)
    }

    /// Server time less the phone's wall clock at the sign-on, in milliseconds.
    #[must_use]
    pub fn offset_ms(&self) -> i64 {
        self.server_ms.saturating_sub(self.heard_at.wall_ms)
    }

    /// How long ago the server's clock was heard, in milliseconds, by the pessimistic reading.
    #[must_use]
    pub fn age_ms(&self, now: Now) -> i64 {
        self.pessimistic_ms(now).saturating_sub(self.server_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall_ms: i64, monotonic_ms: i64, boot_id: u64) -> Now {
        Now { wall_ms, monotonic_ms, boot_id }
    }

    #[test]
    fn a_clock_set_back_does_not_make_things_younger() {
        let anchor = TimeAnchor { server_ms: 1_000_000, heard_at: at(990_000, 500, 1) };
        let later = at(0, 60_500, 1);
        assert_eq!(anchor.trusted_ms(later), 1_060_000);
        assert_eq!(anchor.pessimistic_ms(later), 1_060_000);
        assert_eq!(anchor.age_ms(later), 60_000);
    }

    #[test]
    fn after_a_reboot_the_wall_clock_counts_and_never_before_the_sign_on() {
        let anchor = TimeAnchor { server_ms: 1_000_000, heard_at: at(990_000, 500, 1) };
        assert_eq!(anchor.trusted_ms(at(1_000_000, 5, 2)), 1_010_000);
        assert_eq!(anchor.pessimistic_ms(at(100, 5, 2)), 1_000_000);
        assert_eq!(anchor.trusted_ms(at(100, 5, 2)), 1_000_000);
    }
}
