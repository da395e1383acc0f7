//! A grid of packet time: windows are whole cells, so that what is found in them depends on the packets alone.

use std::time::Duration;

use crate::packet::Timestamp;

/// The lengths that a cell may have, the longest first.
const LENGTHS: [Duration; 3] = [Duration::from_secs(1), Duration::from_millis(500), Duration::from_millis(100)];

/// A cell is at most this part of its window.
const CELLS_IN_WINDOW: u32 = 100;

/// Cells of one length, aligned to the Unix epoch.
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
}

impl TimeGrid {
    /// The grid for windows of a length: its cells are the longest of 1, 0.5 and 0.1 s of which a hundred make up at most
    /// the window, and 0.1 s for windows that are shorter than 10 s.
    #[must_use]
    pub fn for_window(window: Duration) -> Self {
        let fits = |length: &&Duration| **length * CELLS_IN_WINDOW <= window;
        let [.., shortest] = LENGTHS;
        Self::of(LENGTHS.iter().find(fits).copied().unwrap_or(shortest))
    }

    /// The grid of cells of the length `cell`; of a nanosecond at least.
    #[must_use]
    pub fn of(cell: Duration) -> Self {
        Self { nanoseconds: i64::try_from(cell.as_nanos()).unwrap_or(i64::MAX).max(1) }
    }

    /// How long a cell is.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_nanos(self.nanoseconds as u64)
    }

    /// The cell in which `time` lies.
    #[must_use]
    #[inline]
    pub const fn cell(self, time: Timestamp) -> Cell {
        Cell(time.nanoseconds().div_euclid(self.nanoseconds))
    }

    /// When a cell starts. That moment is its first.
    #[must_use]
    pub const fn start(self, cell: Cell) -> Timestamp {
        Timestamp::from_nanoseconds(cell.0.saturating_mul(self.nanoseconds))
    }

    /// When a cell ends. That moment is the next one's first.
    #[must_use]
    pub const fn end(self, cell: Cell) -> Timestamp {
        self.start(Cell(cell.0.saturating_add(1)))
    }

    /// How many cells make up a window, rounded up; one at least.
    #[must_use]
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
    fn the_ends_of_time_have_cells() {
        let grid = TimeGrid::of(Duration::from_millis(100));
        for time in [i64::MIN, i64::MAX] {
            let cell = grid.cell(at(time));
            assert!(grid.start(cell) <= at(time) && at(time) <= grid.end(cell));
        }
    }
}
