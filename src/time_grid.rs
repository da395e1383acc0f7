//! Cells of packet time, aligned to the Unix epoch.
//!
//! Takes times and windows; gives cells and their ends. Must not know what is counted in a cell. Windows consist of
//! whole cells, so results depend on the packets alone.

use std::time::Duration;

use crate::packet::Timestamp;

/// The possible lengths of a cell, the longest first.
const LENGTHS: [Duration; 3] = [Duration::from_secs(1), Duration::from_millis(500), Duration::from_millis(100)];

/// A window has at least this number of cells.
const CELLS_IN_WINDOW: u32 = 100;

/// A grid of cells of one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeGrid {
    nanoseconds: i64,
}

/// A cell by its number since the epoch; negative before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cell(pub i64);

impl Cell {
    /// The cell `count` cells before this one.
    #[must_use]
    pub const fn back(self, count: u32) -> Self {
        Self(self.0.saturating_sub(count as i64))
    }

    /// The cell after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl TimeGrid {
    /// The grid of whole seconds.
    pub const SECONDS: Self = Self { nanoseconds: 1_000_000_000 };

    /// The grid for windows of a length. Its cells last 1, 0.5 or 0.1 s: the longest of these of which a hundred fit
    /// into the window, and 0.1 s for windows shorter than 10 s.
    pub fn for_window(window: Duration) -> Self {
        let fits = |length: &&Duration| **length * CELLS_IN_WINDOW <= window;
        let [.., shortest] = LENGTHS;
        Self::of(LENGTHS.iter().find(fits).copied().unwrap_or(shortest))
    }

    /// The grid of cells of the length `cell`, a nanosecond at least.
    pub fn of(cell: Duration) -> Self {
        Self { nanoseconds: i64::try_from(cell.as_nanos()).unwrap_or(i64::MAX).max(1) }
    }

    /// The length of a cell.
    pub const fn length(self) -> Duration {
        Duration::from_nanos(self.nanoseconds as u64)
    }

    /// The cell that contains `time`.
    #[inline]
    pub const fn cell(self, time: Timestamp) -> Cell {
        Cell(time.nanoseconds().div_euclid(self.nanoseconds))
    }

    /// The first moment of a cell.
    pub const fn start(self, cell: Cell) -> Timestamp {
        Timestamp::from_nanoseconds(cell.0.saturating_mul(self.nanoseconds))
    }

    /// The first moment after a cell.
    pub const fn end(self, cell: Cell) -> Timestamp {
        self.start(cell.next())
    }

    /// The number of cells in a window, rounded up; one at least.
    pub fn cells(self, window: Duration) -> u32 {
        let cells = window.as_nanos().div_ceil(self.nanoseconds as u128);
        u32::try_from(cells).unwrap_or(u32::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanoseconds: i64) -> Timestamp {
        Timestamp::from_nanoseconds(nanoseconds)
    }

    #[test]
    fn a_cell_is_at_most_a_hundredth_of_its_window() {
        let length = |seconds: f64| TimeGrid::for_window(Duration::from_secs_f64(seconds)).length().as_millis();
        assert_eq!([600.0, 170.0, 100.0].map(length), [1_000; 3]);
        assert_eq!([99.9, 60.0, 50.0].map(length), [500; 3]);
        assert_eq!([49.9, 10.0, 1.0, 0.05].map(length), [100; 4]);
    }

    #[test]
    fn a_window_is_rounded_up_to_whole_cells() {
        let cells = |seconds: f64| {
            let window = Duration::from_secs_f64(seconds);
            TimeGrid::for_window(window).cells(window)
        };
        assert_eq!([170.0, 170.2, 50.0, 1.25, 0.1, 0.01].map(cells), [170, 171, 100, 13, 1, 1]);
    }

    #[test]
    fn a_cell_holds_its_start_and_not_its_end() {
        let grid = TimeGrid::of(Duration::from_secs(1));
        for number in [-2, -1, 0, 1, 1_700_000_000] {
            let cell = Cell(number);
            assert_eq!(grid.cell(grid.start(cell)), cell);
            assert_eq!(grid.cell(at(grid.end(cell).nanoseconds() - 1)), cell);
            assert_eq!(grid.cell(grid.end(cell)), Cell(number + 1));
        }
    }

    #[test]
    fn every_time_lies_in_a_cell() {
        let grid = TimeGrid::of(Duration::from_secs(5));
        for (nanoseconds, cell) in [(0, 0), (4_999_999_999, 0), (5_000_000_000, 1), (-1, -1)] {
            assert_eq!(grid.cell(at(nanoseconds)), Cell(cell), "{nanoseconds}");
        }
        assert_eq!((grid.end(Cell(0)), grid.end(Cell(i64::MAX))), (at(5_000_000_000), at(i64::MAX)));
    }

    #[test]
    fn the_ends_of_time_have_cells() {
        let grid = TimeGrid::of(Duration::from_millis(100));
        for time in [i64::MIN, i64::MAX] {
            let cell = grid.cell(at(time));
            assert!(grid.start(cell) <= at(time) && at(time) <= grid.end(cell));
        }
    }
}
