//! Durations become medians and ratios. Whole numbers only: hundredths where a ratio needs them.

use std::time::{Duration, Instant};

use crate::Outcome;

/// Many durations of the same thing.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// One more.
    pub fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// Times `work` and keeps it.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn time<T>(&mut self, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let began = Instant::now();
        let done = work()?;
        self.push(began.elapsed());
        Ok(done)
    }

    /// The middle one.
    #[must_use]
    pub fn p50(&self) -> Duration {
        self.at(50)
    }

    /// The one that only one in a hundred exceeds.
    #[must_use]
    pub fn p99(&self) -> Duration {
        self.at(99)
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn at(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (sorted.len().saturating_sub(1)) * percent / 100;
        sorted.get(place).copied().unwrap_or_default()
    }
}

/// Runs the contenders in turns, `rounds` times each, so that what else the machine does meets all of them alike.
///
/// # Errors
/// The first of a contender.
pub fn in_turns(rounds: usize, contenders: &mut [&mut dyn FnMut() -> Outcome<()>]) -> Outcome<()> {
    for _ in 0..rounds {
        for contender in &mut *contenders {
            contender()?;
        }
    }
    Ok(())
}

/// `a / b` to two places.
#[must_use]
pub fn ratio(a: Duration, b: Duration) -> String {
    hundredths(a.as_nanos(), b.as_nanos())
}

/// `a / b` to two places.
#[must_use]
pub fn hundredths(a: u128, b: u128) -> String {
    if b == 0 {
        return "–".to_owned();
    }
    let hundred_times = (a * 100 + b / 2) / b;
    format!("{}.{:02}", hundred_times / 100, hundred_times % 100)
}

/// A duration as people read it.
#[must_use]
pub fn shown(took: Duration) -> String {
    let ns = took.as_nanos();
    match ns {
        0..10_000 => format!("{}.{} us", ns / 1_000, ns / 100 % 10),
        10_000..10_000_000 => format!("{} us", ns / 1_000),
        10_000_000..10_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{}.{} s", ns / 1_000_000_000, ns / 100_000_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ratios() {
        let mut samples = Samples::default();
        for ms in (1..=101).rev() {
            samples.push(Duration::from_millis(ms));
        }
        assert_eq!((samples.p50(), samples.p99()), (Duration::from_millis(51), Duration::from_millis(100)));
        assert_eq!(ratio(Duration::from_millis(125), Duration::from_millis(100)), "1.25");
        assert_eq!(hundredths(2, 3), "0.67");
        assert_eq!(shown(Duration::from_micros(1_234)), "1234 us");
        assert_eq!(shown(Duration::from_nanos(5_678)), "5.6 us");
    }
}
