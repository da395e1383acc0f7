//! The time cells of one stream of frames. Takes the times of frames; gives the advances of packet time. Must not know
//! what is counted.
//!
//! The frames between two hand-overs lie in one cell of each time grid, so that the ledger's observer knows their time.
//! A frame that is a little late counts in the present cell. A time that is farther off means that the clock was set,
//! or that another file begins: packet time starts again there.

use std::time::Duration;

use super::clock::TimeAdvance;
use crate::packet::Timestamp;
use crate::time_grid::TimeGrid;

/// A frame that is older than the present cell by at most this is late. An older one means that the clock was set back.
const LATEST: Duration = Duration::from_secs(2);
/// A frame that is farther ahead of the present cell than this means that the clock was set forward.
const FARTHEST: Duration = Duration::from_secs(3_600);

/// True if two times of frames, `before` and then `time`, mean that the clock was set between them.
pub(super) fn is_step(before: Timestamp, time: Timestamp) -> bool {
    before.since(time) > LATEST || time.since(before) > FARTHEST
}

#[derive(Debug, Clone)]
pub(super) struct Cells {
    grids: Vec<TimeGrid>,
    start: Timestamp,
    /// Frames from this time to `last` count in the present cell.
    earliest: Timestamp,
    last: Timestamp,
    has_begun: bool,
}

impl Cells {
    /// The cells of all `grids`: a cell ends where a cell of any grid ends. Without a grid the only cell never ends.
    pub(super) fn of(grids: Vec<TimeGrid>) -> Self {
        let [first, last] = [i64::MIN, i64::MAX].map(Timestamp::from_nanoseconds);
        let (earliest, latest) = if grids.is_empty() { (first, last) } else { (last, first) };
        Self { grids, start: first, earliest, last: latest, has_begun: false }
    }

    /// True if they are the cells of these grids.
    pub(super) fn are_of(&self, grids: &[TimeGrid]) -> bool {
        self.grids == grids
    }

    /// True if a frame of `time` counts in the present cell.
    #[inline]
    pub(super) fn contain(&self, time: Timestamp) -> bool {
        self.earliest <= time && time <= self.last
    }

    /// Enters the cell of `time`, which does not count in the present cell.
    #[cold]
    pub(super) fn enter(&mut self, time: Timestamp) -> TimeAdvance {
        let (before, until) = (self.start, self.end());
        let had_begun = std::mem::replace(&mut self.has_begun, true);
        let starts = self.grids.iter().map(|grid| grid.start(grid.cell(time)));
        let ends = self.grids.iter().map(|grid| grid.end(grid.cell(time)));
        self.start = starts.max().unwrap_or(self.start);
        let end = ends.min().unwrap_or(self.last).nanoseconds();
        self.earliest = self.start - LATEST;
        // The end of all time has no moment after it.
        self.last = Timestamp::from_nanoseconds(if end == i64::MAX { end } else { end - 1 });
        if had_begun && is_step(before, time) {
            TimeAdvance::Step { until, to: self.start }
        } else {
            TimeAdvance::Onward(self.start)
        }
    }

    /// Ends the present cell by the clock, if its frames must have arrived by now: all that are older than `clock` by
    /// `delay`. Gives the advance of packet time if the cell has ended.
    pub(super) fn pass(&mut self, clock: Timestamp, delay: Duration) -> Option<TimeAdvance> {
        let reached = clock - delay;
        let has_ended = self.has_begun && reached > self.last || !self.has_begun && !self.contain(reached);
        if has_ended {
            return Some(self.enter(reached));
        }
        (clock < self.earliest).then(|| self.enter(clock))
    }

    /// The start of the present cell; none before the first.
    pub(super) fn start(&self) -> Option<Timestamp> {
        self.has_begun.then_some(self.start)
    }

    pub(super) fn end(&self) -> Timestamp {
        self.last + Duration::from_nanos(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_nanoseconds((seconds * 1e9) as i64)
    }

    fn cells(lengths: &[u64]) -> Cells {
        Cells::of(lengths.iter().map(|&length| TimeGrid::of(Duration::from_millis(length))).collect())
    }

    #[test]
    fn cell_holds_its_own_frames_and_slightly_late_ones() {
        let mut cells = cells(&[1_000]);
        assert!(!cells.contain(at(10.5)));
        assert_eq!(cells.enter(at(10.5)), TimeAdvance::Onward(at(10.0)));
        for (time, is_held) in
            [(10.0, true), (10.999_999_999, true), (11.0, false), (8.0, true), (7.999_999_999, false)]
        {
            assert_eq!(cells.contain(at(time)), is_held, "{time}");
        }
        assert_eq!(cells.enter(at(11.0)), TimeAdvance::Onward(at(11.0)));
        assert_eq!((cells.start(), cells.end()), (Some(at(11.0)), at(12.0)));
    }

    #[test]
    fn a_cell_ends_where_one_of_any_grid_does() {
        let mut cells = cells(&[1_000, 2_500]);
        let starts = [4.2, 5.1, 7.0, 7.4, 7.5, 8.0].map(|time| match cells.contain(at(time)) {
            true => cells.start().unwrap(),
            false => {
                cells.enter(at(time));
                cells.start().unwrap()
            }
        });
        assert_eq!(starts, [4.0, 5.0, 7.0, 7.0, 7.5, 8.0].map(at));
    }

    #[test]
    fn without_a_grid_it_never_ends() {
        let cells = cells(&[]);
        for time in [i64::MIN, 0, i64::MAX] {
            assert!(cells.contain(Timestamp::from_nanoseconds(time)));
        }
    }

    #[test]
    fn a_clock_that_is_set_starts_anew() {
        let mut cells = cells(&[1_000]);
        cells.enter(at(10_000.5));
        let step = |until, to| TimeAdvance::Step { until: at(until), to: at(to) };
        assert_eq!(cells.enter(at(9_997.9)), step(10_001.0, 9_997.0));
        assert_eq!(cells.enter(at(9_997.0 + 3_600.0)), TimeAdvance::Onward(at(9_997.0 + 3_600.0)));
        assert_eq!(cells.enter(at(0.0)), step(13_598.0, 0.0));
        assert_eq!(cells.enter(at(3_600.000_001)), step(1.0, 3_600.0));
    }

    #[test]
    fn the_ends_of_time_are_cells_like_others() {
        let mut cells = cells(&[1_000]);
        for time in [i64::MAX, i64::MIN, i64::MAX - SECOND, 0].map(Timestamp::from_nanoseconds) {
            cells.enter(time);
            assert!(cells.contain(time), "{time}");
        }
    }

    #[test]
    fn silence_lets_time_pass_and_shows_a_clock_that_was_set() {
        let mut cells = cells(&[1_000]);
        let delay = Duration::from_secs(3);
        assert_eq!(cells.pass(at(13.5), delay), Some(TimeAdvance::Onward(at(10.0))));
        assert_eq!(cells.pass(at(13.9), delay), None);
        assert_eq!(cells.pass(at(14.0), delay), Some(TimeAdvance::Onward(at(11.0))));
        // A frame that is read late does not mean that the clock went back.
        assert_eq!(cells.pass(at(9.0), delay), None);
        assert_eq!(cells.pass(at(8.9), delay), Some(TimeAdvance::Step { until: at(12.0), to: at(8.0) }));
        assert_eq!(super::Cells::of(Vec::new()).pass(at(13.5), delay), None);
    }
}
