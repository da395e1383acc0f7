//! Periods of activity between pauses. Takes times; gives the number of periods. Must not know events.
//!
//! Times may come in any order: an interval that fills a pause joins the periods around it. The latest 16 periods can
//! still be joined, earlier ones are only counted.

/// An address that is silent for so long has paused.
const PAUSE: i64 = 300 * 1_000_000_000;
/// Earlier periods that a late event can still join.
const KEPT_PERIODS: usize = 15;

/// A period in nanoseconds since the epoch, both ends included.
type FromTo = (i64, i64);

#[derive(Debug, Clone, Default)]
pub(super) struct ActivePeriods {
    latest: Option<FromTo>,
    /// Periods before the latest one, in order.
    earlier: Vec<FromTo>,
    /// Periods that are no longer kept.
    closed: u64,
}

impl ActivePeriods {
    /// Adds activity from `first` to `last`.
    #[inline]
    pub(super) fn add(&mut self, first: i64, last: i64) {
        match &mut self.latest {
            Some((start, end)) if first >= *start && first < end.saturating_add(PAUSE) => *end = last.max(*end),
            _ => self.insert((first, last.max(first))),
        }
    }

    fn insert(&mut self, mut added: FromTo) {
        self.earlier.extend(self.latest.take());
        self.earlier.retain(|(start, end)| {
            let joins = *start < added.1.saturating_add(PAUSE) && added.0 < end.saturating_add(PAUSE);
            if joins {
                added = (added.0.min(*start), added.1.max(*end));
            }
            !joins
        });
        let at = self.earlier.partition_point(|period| *period < added);
        self.earlier.insert(at, added);
        self.latest = self.earlier.pop();
        if self.earlier.len() > KEPT_PERIODS {
            self.earlier.remove(0);
            self.closed += 1;
        }
    }

    /// The number of periods.
    pub(super) fn count(&self) -> u64 {
        self.closed + self.earlier.len() as u64 + u64::from(self.latest.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(intervals: &[(i64, i64)]) -> u64 {
        let mut periods = ActivePeriods::default();
        intervals.iter().for_each(|(first, last)| periods.add(first * 1_000_000_000, last * 1_000_000_000));
        periods.count()
    }

    #[test]
    fn periods_are_apart_by_a_pause() {
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[(0, 0), (299, 299), (598, 598)]), 1);
        assert_eq!(count(&[(0, 0), (300, 300), (600, 600)]), 3);
    }

    #[test]
    fn interval_that_fills_a_pause_joins_the_periods_around_it() {
        let apart = [(0, 0), (1_000, 1_000), (2_000, 2_000)];
        assert_eq!(count(&apart), 3);
        assert_eq!(count(&[apart[0], apart[1], apart[2], (0, 900)]), 2);
        assert_eq!(count(&[apart[0], apart[1], apart[2], (100, 1_900)]), 1);
    }

    #[test]
    fn order_of_the_events_does_not_matter() {
        let times = [0, 200, 700, 1_500, 1_700, 2_900];
        let mut order: Vec<i64> = times.to_vec();
        for _ in 0..times.len() {
            order.rotate_left(1);
            for swapped in 1..times.len() {
                order.swap(0, swapped);
                let intervals: Vec<(i64, i64)> = order.iter().map(|time| (*time, *time)).collect();
                assert_eq!(count(&intervals), 4, "{order:?}");
            }
        }
    }

    #[test]
    fn many_periods_are_counted_in_bounded_memory() {
        let mut periods = ActivePeriods::default();
        (0..1_000).for_each(|number| periods.add(number * PAUSE, number * PAUSE));
        assert_eq!(periods.count(), 1_000);
        assert!(periods.earlier.capacity() <= 2 * (KEPT_PERIODS + 1));
    }
}
