//! A growing count that is logged at most once a minute. Takes the count and the time; gives the growth that a line is
//! due for. Must not know what is counted, nor the words of the line.

use std::time::{Duration, Instant};

/// The least time between two lines.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The part of a count that lines have told.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct MinutelyCount {
    /// The count at the last line.
    told: u64,
    /// The time of the last line.
    at: Option<Instant>,
}

impl MinutelyCount {
    /// The growth since the last line, if there is some and that line is a minute ago. Counts it as told.
    pub(crate) fn take(&mut self, count: u64, now: Instant) -> Option<u64> {
        if self.is_due_at(count).is_some_and(|due| now < due) { None } else { self.take_rest(count, now) }
    }

    /// The growth since the last line, however long that is ago. Counts it as told.
    pub(crate) fn take_rest(&mut self, count: u64, now: Instant) -> Option<u64> {
        let growth = count.saturating_sub(self.told);
        (growth > 0).then(|| {
            *self = Self { told: count, at: Some(now) };
            growth
        })
    }

    /// The time of the next line; none while there is no growth, and before the first line, which is due at once.
    pub(crate) fn is_due_at(&self, count: u64) -> Option<Instant> {
        self.at.filter(|_| count > self.told).map(|at| at + LOG_INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_once_a_minute_with_all_since() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut told = MinutelyCount::default();
        assert_eq!((told.take(0, at(0)), told.is_due_at(0)), (None, None));
        assert_eq!((told.take(5, at(1)), told.is_due_at(5)), (Some(5), None));
        assert_eq!((told.take(7, at(2)), told.is_due_at(7)), (None, Some(at(61))));
        assert_eq!([told.take(9, at(60)), told.take(10, at(61))], [None, Some(5)]);
        assert_eq!((told.take(10, at(200)), told.is_due_at(10)), (None, None));
        assert_eq!(told.take(11, at(201)), Some(1));
    }

    #[test]
    fn rest_is_told_at_once() {
        let now = Instant::now();
        let mut told = MinutelyCount::default();
        assert_eq!([told.take(5, now), told.take_rest(5, now), told.take_rest(6, now)], [Some(5), None, Some(1)]);
        assert_eq!(told.take(7, now), None, "a minute later");
    }
}
