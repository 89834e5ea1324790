//! P3 honest: an unknown outcome is shown as unknown; no time-out, default or unlisted code decides it.
