//! The time between two attempts, and the log lines about it.
//!
//! Takes the number of failures in a row; gives a delay. Must not know what failed.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

/// Delays that double from one failure to the next, each with a random part of up to a quarter, so that programs that
/// failed together do not come back together.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    random: RandomState,
}

impl Backoff {
    /// With its random part at most 60 s.
    const LONGEST: Duration = Duration::from_secs(48);

    /// The delay after one more failure: 1 s after the first, at most 60 s.
    pub(super) fn next(&mut self) -> Duration {
        let shortest = Duration::from_secs(1 << self.failures.min(6)).min(Self::LONGEST);
        self.failures = self.failures.saturating_add(1);
        let random = (self.random.hash_one(self.failures) >> 40) as f64 / (1_u64 << 24) as f64;
        shortest.mul_f64(1.0 + random / 4.0)
    }

    /// True after a failure.
    pub(super) fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// Starts over after a success.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Lets a log line pass at most once in 10 s.
#[derive(Debug, Default)]
pub(super) struct RareLog(Option<Instant>);

impl RareLog {
    const INTERVAL: Duration = Duration::from_secs(10);

    pub(super) fn may_log(&mut self, now: Instant) -> bool {
        let passes = self.0.is_none_or(|last| now.duration_since(last) >= Self::INTERVAL);
        if passes {
            self.0 = Some(now);
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_from_one_second_to_a_minute() {
        let mut backoff = Backoff::default();
        for shortest in [1, 2, 4, 8, 16, 32, 48, 48, 48] {
            let shortest = Duration::from_secs(shortest);
            let delay = backoff.next();
            assert!((shortest..=shortest.mul_f64(1.25)).contains(&delay), "{delay:?} after {shortest:?}");
            assert!(delay <= Duration::from_secs(60));
        }
        backoff.reset();
        assert!(backoff.next() < Duration::from_secs(2));
    }

    #[test]
    fn receiver_that_was_down_for_a_minute_is_tried_within_half_a_minute() {
        for _ in 0..1_000 {
            let mut backoff = Backoff::default();
            let mut attempt = Duration::ZERO;
            while attempt < Duration::from_secs(60) {
                attempt += backoff.next();
            }
            assert!(attempt < Duration::from_secs(85), "{attempt:?}");
        }
    }

    #[test]
    fn two_receivers_do_not_retry_in_step() {
        let delays = || {
            let mut backoff = Backoff::default();
            std::array::from_fn::<_, 8, _>(|_| backoff.next())
        };
        assert_ne!(delays(), delays());
    }

    #[test]
    fn log_line_passes_once_in_ten_seconds() {
        let (mut log, start) = (RareLog::default(), Instant::now());
        let passed = (0..25).filter(|second| log.may_log(start + Duration::from_secs(*second))).count();
        assert_eq!(passed, 3);
    }
}
