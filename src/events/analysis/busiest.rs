//! The second with the most packets. Takes packets with their times; gives the highest sum. Must not know events.
//!
//! Packets without an event of their own are known as a number since the event before. They are spread evenly over that
//! time, so that a quiet minute is no flood.

const PER_SECOND: i64 = 1_000_000_000;
/// Seconds of a long time that get a share one by one; the shares of the others are no larger.
const SPREAD_SECONDS: i64 = 4;
/// A larger step back in time, in seconds, is no late event: another log begins, or the clock was set.
const STEP_BACK: i64 = 60;

/// Packets in one second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SecondSum {
    /// Packets of events.
    pub(super) counted: u64,
    /// The share of packets without an event of their own.
    pub(super) spread: u64,
}

impl SecondSum {
    pub(super) const fn total(self) -> u64 {
        self.counted.saturating_add(self.spread)
    }

    fn plus(self, other: Self) -> Self {
        Self { counted: self.counted.saturating_add(other.counted), spread: self.spread.saturating_add(other.spread) }
    }
}

/// The sums of the latest two seconds, and the highest of all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BusiestSecond {
    newest: i64,
    sum: SecondSum,
    before: SecondSum,
    peak: SecondSum,
    peak_second: i64,
}

impl BusiestSecond {
    /// Adds packets of an event at a time in nanoseconds.
    #[inline]
    pub(super) fn add(&mut self, time: i64, packets: u64) {
        self.add_to(time.div_euclid(PER_SECOND), SecondSum { counted: packets, spread: 0 });
    }

    /// Adds packets that came after `from` and not after `to`, in nanoseconds.
    pub(super) fn spread(&mut self, from: i64, to: i64, packets: u64) {
        let (first, last) = (from.div_euclid(PER_SECOND), to.div_euclid(PER_SECOND));
        let length = to.saturating_sub(from);
        let mut given = 0;
        for second in (first..last).take(SPREAD_SECONDS as usize) {
            let passed = (second + 1).saturating_mul(PER_SECOND).saturating_sub(from);
            let until = (packets as f64 * (passed as f64 / length as f64)) as u64;
            self.add_to(second, SecondSum { counted: 0, spread: until.saturating_sub(given) });
            given = until;
        }
        let of_last = if length > 0 && last > first {
            (packets as f64 * (to.rem_euclid(PER_SECOND) as f64 / length as f64)) as u64
        } else {
            packets
        };
        self.add_to(last, SecondSum { counted: 0, spread: of_last });
    }

    #[inline]
    fn add_to(&mut self, second: i64, added: SecondSum) {
        if second < self.newest - STEP_BACK {
            (self.newest, self.sum, self.before) = (second, SecondSum::default(), SecondSum::default());
        } else if second > self.newest {
            self.before = if second == self.newest + 1 { self.sum } else { SecondSum::default() };
            (self.newest, self.sum) = (second, SecondSum::default());
        }
        let sum = match self.newest - second {
            0 => {
                self.sum = self.sum.plus(added);
                self.sum
            }
            1 => {
                self.before = self.before.plus(added);
                self.before
            }
            // The other packets of that second are forgotten.
            _ => added,
        };
        if sum.total() > self.peak.total() {
            (self.peak, self.peak_second) = (sum, second);
        }
    }

    /// The highest sum.
    pub(super) const fn peak(&self) -> SecondSum {
        self.peak
    }

    /// Start of the second with the highest sum, in nanoseconds since the epoch; none without packets.
    pub(super) fn peak_at(&self) -> Option<i64> {
        (self.peak.total() > 0).then(|| self.peak_second.saturating_mul(PER_SECOND))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(number: f64) -> i64 {
        1_700_000_000 * PER_SECOND + (number * 1e9) as i64
    }

    fn peak(fill: impl FnOnce(&mut BusiestSecond)) -> (u64, u64, i64) {
        let mut busiest = BusiestSecond::default();
        fill(&mut busiest);
        let SecondSum { counted, spread } = busiest.peak();
        (counted, spread, (busiest.peak_at().unwrap() - seconds(0.0)) / PER_SECOND)
    }

    #[test]
    fn packets_of_a_second_are_added_also_a_second_late() {
        let peak = peak(|busiest| [0.1, 1.0, 0.9, 1.5, 0.2].iter().for_each(|time| busiest.add(seconds(*time), 2)));
        assert_eq!(peak, (6, 0, 0));
    }

    #[test]
    fn flood_after_a_step_back_in_time_is_found() {
        let peak = peak(|busiest| {
            [1_000.0, 1_000.1, 0.1, 0.2, 0.9, 1.0].iter().for_each(|time| busiest.add(seconds(*time), 2));
        });
        assert_eq!(peak, (6, 0, 0));
    }

    #[test]
    fn packets_without_an_event_are_spread_over_the_time_since_the_event_before() {
        assert_eq!(peak(|busiest| busiest.spread(seconds(0.0), seconds(0.0), 700)), (0, 700, 0));
        assert_eq!(peak(|busiest| busiest.spread(seconds(0.75), seconds(1.25), 1_000)), (0, 500, 0));
        assert_eq!(peak(|busiest| busiest.spread(seconds(0.5), seconds(3.0), 2_500)), (0, 1_000, 1));
        assert_eq!(peak(|busiest| busiest.spread(seconds(0.0), seconds(3_600.0), 3_600)), (0, 1, 0));
    }

    #[test]
    fn spread_packets_add_to_the_counted_ones_of_a_second() {
        let flood = |busiest: &mut BusiestSecond| {
            busiest.add(seconds(0.0), 1);
            for second in 1..=5 {
                busiest.spread(seconds(f64::from(second - 1)), seconds(f64::from(second)), 900);
                busiest.add(seconds(f64::from(second)), 200);
            }
        };
        assert_eq!(peak(flood), (200, 900, 1));
    }

    #[test]
    fn any_times_are_taken() {
        let mut busiest = BusiestSecond::default();
        for (from, to) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (-1, 1), (i64::MAX, i64::MAX)] {
            busiest.spread(from, to, u64::MAX);
            busiest.add(to, u64::MAX);
        }
        assert_eq!(busiest.peak().total(), u64::MAX);
    }
}
