//! The rate of events over time, in at most 64 equal periods, whatever the length of the log. Takes times and counts;
//! gives periods. Must not know events.

/// Periods at most.
const MOST_PERIODS: usize = 64;
const PER_SECOND: i64 = 1_000_000_000;

/// Sums of one period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PeriodSums {
    pub(super) events: u64,
    pub(super) packets: u64,
    /// Packets without an event of their own that the events of the period tell of.
    pub(super) suppressed: u64,
}

impl PeriodSums {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.packets = self.packets.saturating_add(other.packets);
        self.suppressed = self.suppressed.saturating_add(other.suppressed);
    }
}

#[derive(Debug, Clone)]
pub(super) struct Timeline {
    /// Seconds of a period: a power of two.
    width: i64,
    /// The number of the first period since the epoch.
    origin: i64,
    periods: Vec<PeriodSums>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { width: 1, origin: 0, periods: Vec::new() }
    }
}

impl Timeline {
    /// Counts an event.
    #[inline]
    pub(super) fn add(&mut self, nanoseconds: i64, packets: u64, suppressed: u64) {
        let second = nanoseconds.div_euclid(PER_SECOND);
        if self.periods.is_empty() {
            self.origin = second.div_euclid(self.width);
        }
        let mut at = second.div_euclid(self.width) - self.origin;
        while at >= MOST_PERIODS as i64 || (at < 0 && self.periods.len() as i64 - at > MOST_PERIODS as i64) {
            self.double();
            at = second.div_euclid(self.width) - self.origin;
        }
        if at < 0 {
            let earlier = at.unsigned_abs() as usize;
            self.periods.splice(0..0, std::iter::repeat_n(PeriodSums::default(), earlier));
            (self.origin, at) = (self.origin + at, 0);
        }
        let at = at as usize;
        if self.periods.len() <= at {
            self.periods.resize(at + 1, PeriodSums::default());
        }
        self.periods[at].add(PeriodSums { events: 1, packets, suppressed });
    }

    /// Makes each period twice as long.
    fn double(&mut self) {
        let origin = self.origin.div_euclid(2);
        let mut periods: Vec<PeriodSums> = Vec::new();
        for (number, sums) in (self.origin..).zip(&self.periods) {
            let at = (number.div_euclid(2) - origin) as usize;
            if periods.len() <= at {
                periods.resize(at + 1, PeriodSums::default());
            }
            periods[at].add(*sums);
        }
        *self = Self { width: self.width * 2, origin, periods };
    }

    pub(super) const fn period_seconds(&self) -> i64 {
        self.width
    }

    /// The start of each period in seconds since the epoch, with its sums.
    pub(super) fn periods(&self) -> impl Iterator<Item = (i64, PeriodSums)> {
        let starts = (self.origin..).map(|number| number * self.width);
        starts.zip(self.periods.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(seconds: &[i64]) -> Timeline {
        let mut timeline = Timeline::default();
        seconds.iter().for_each(|second| timeline.add(second * PER_SECOND, 2, 3));
        timeline
    }

    #[test]
    fn periods_grow_with_the_log_and_lose_nothing() {
        for seconds in
            [vec![100], vec![100, 163], vec![100, 164], vec![164, 100], vec![1, 1_700_000_000, 5, 0], vec![-5, 5]]
        {
            let timeline = counted(&seconds);
            let periods: Vec<_> = timeline.periods().collect();
            assert!(periods.len() <= MOST_PERIODS, "{seconds:?}");
            assert_eq!(periods.iter().map(|(_, sums)| sums.events).sum::<u64>(), seconds.len() as u64);
            assert_eq!(periods.iter().map(|(_, sums)| sums.packets).sum::<u64>(), 2 * seconds.len() as u64);
            assert_eq!(periods.iter().map(|(_, sums)| sums.suppressed).sum::<u64>(), 3 * seconds.len() as u64);
            for second in seconds {
                let holds = |start: &i64| (*start..start + timeline.period_seconds()).contains(&second);
                assert!(periods.iter().any(|(start, sums)| holds(start) && sums.events > 0), "{second}");
            }
        }
        assert_eq!(counted(&[100, 163]).period_seconds(), 1);
        assert_eq!(counted(&[100, 164]).period_seconds(), 2);
    }
}
