//! The kept cells: seconds, and longer cells that are made of them.
//!
//! Takes closed seconds; gives cells of 1, 10 and 60 s, as many as fit into their rings. Must not know rows that are
//! still being counted.

use std::collections::VecDeque;
use std::sync::Arc;

use super::cells::{RowsCell, TotalsCell};
use super::open::OpenRows;
use super::row::HistoryRow;
use super::{MINUTES, SECONDS, TENS, TOTALS_OF_SECONDS, TOTALS_OF_TENS};
use crate::packet::Timestamp;
use crate::tables::resident::resident;
use crate::tables::sampling::Sampling;
use crate::time_grid::Cell;

/// The length of a cell of rows, how many are kept, and the rows of each.
#[derive(Debug, Clone, Copy)]
pub(super) struct LevelSize {
    /// Seconds of a full cell.
    pub step: i64,
    /// The most cells.
    pub kept: usize,
    /// The most rows of a closed cell.
    pub rows: usize,
    /// The most rows of the cell that is open.
    pub open_rows: usize,
}

impl LevelSize {
    /// The same cells with one row in `divisor`.
    pub(super) const fn divided(self, divisor: usize) -> Self {
        Self { rows: self.rows / divisor, open_rows: self.open_rows / divisor, ..self }
    }
}

/// Appends to a ring, from which the oldest falls out past the limit.
fn push<T>(ring: &mut VecDeque<T>, cell: T, kept: usize) {
    if ring.len() == kept {
        ring.pop_front();
    }
    ring.push_back(cell);
}

/// The longer cells of one length.
#[derive(Debug)]
struct LongerCells {
    size: LevelSize,
    open: OpenRows,
    /// Start of the open cell, and the seconds that are in it.
    start: Timestamp,
    seconds: u32,
    closed: VecDeque<Arc<RowsCell>>,
    /// Memory for the rows of cells to come.
    reserved: Vec<Vec<HistoryRow>>,
}

impl LongerCells {
    fn new(size: LevelSize) -> Self {
        Self {
            size,
            open: OpenRows::new(size.open_rows),
            start: Timestamp::default(),
            seconds: 0,
            closed: VecDeque::with_capacity(size.kept),
            reserved: Vec::new(),
        }
    }

    /// The same, with the memory of all cells: it does not grow while the cells come.
    fn reserving(mut self) -> Self {
        let place = || {
            let mut rows = resident(HistoryRow::default(), self.size.rows);
            rows.clear();
            rows
        };
        self.reserved = (0..self.size.kept).map(|_| place()).collect();
        self
    }

    /// Adds a shorter cell, which starts at `start`.
    fn add(&mut self, shorter: &OpenRows, start: Timestamp, seconds: u32, state: &Sampling) {
        if self.seconds == 0 {
            self.start = start;
        }
        shorter.add_to(&mut self.open, self.seconds, state);
        self.seconds += seconds;
    }

    /// True if the open cell ends where the second `next` begins.
    const fn ends_before(&self, next: Cell) -> bool {
        next.0.rem_euclid(self.size.step) == 0
    }

    fn close(&mut self, state: &Sampling) {
        let seconds = std::mem::take(&mut self.seconds);
        let mut cell = self.open.close(self.size.rows, self.start, seconds, state);
        if let Some(mut place) = self.reserved.pop() {
            place.append(&mut cell.rows);
            cell.rows = place;
        }
        push(&mut self.closed, Arc::new(cell), self.size.kept);
    }

    fn clear(&mut self) {
        self.open.clear();
        self.seconds = 0;
        self.closed.clear();
    }

    fn memory_bytes(&self) -> usize {
        let reserved: usize = self.reserved.iter().map(Vec::capacity).sum();
        self.open.memory_bytes() + ring_bytes(&self.closed) + reserved * size_of::<HistoryRow>()
    }
}

fn ring_bytes(ring: &VecDeque<Arc<RowsCell>>) -> usize {
    ring.capacity() * size_of::<Arc<RowsCell>>() + ring.iter().map(|cell| cell.memory_bytes()).sum::<usize>()
}

#[derive(Debug)]
pub(super) struct Levels {
    pub(super) totals: VecDeque<TotalsCell>,
    pub(super) totals_of_tens: VecDeque<TotalsCell>,
    /// The cell of 10 s that is open; 0 seconds before its first.
    open_ten: TotalsCell,
    /// Rows of a closed second.
    rows_of_second: usize,
    seconds: VecDeque<Arc<RowsCell>>,
    tens: LongerCells,
    minutes: LongerCells,
}

impl Levels {
    /// No cells yet; each will have one row in `divisor` of the full size.
    pub(super) fn new(divisor: usize) -> Self {
        Self {
            rows_of_second: SECONDS.divided(divisor).rows,
            totals: VecDeque::with_capacity(TOTALS_OF_SECONDS),
            totals_of_tens: VecDeque::with_capacity(TOTALS_OF_TENS),
            open_ten: TotalsCell::default(),
            seconds: VecDeque::with_capacity(SECONDS.kept),
            tens: LongerCells::new(TENS.divided(divisor)),
            // They take an hour to come; the others take five minutes.
            minutes: LongerCells::new(MINUTES.divided(divisor)).reserving(),
        }
    }

    /// Takes the second `cell`, and closes the longer cells that end with it. The rows are empty afterwards.
    pub(super) fn take(&mut self, cell: Cell, totals: TotalsCell, rows: &mut OpenRows, state: &Sampling) {
        let (start, next) = (totals.start, cell.next());
        self.take_totals(totals, next);
        self.tens.add(rows, start, 1, state);
        push(&mut self.seconds, Arc::new(rows.close(self.rows_of_second, start, 1, state)), SECONDS.kept);
        if !self.tens.ends_before(next) {
            return;
        }
        self.minutes.add(&self.tens.open, self.tens.start, self.tens.seconds, state);
        self.tens.close(state);
        if self.minutes.ends_before(next) {
            self.minutes.close(state);
        }
    }

    fn take_totals(&mut self, totals: TotalsCell, next: Cell) {
        push(&mut self.totals, totals, TOTALS_OF_SECONDS);
        if self.open_ten.seconds == 0 {
            self.open_ten = totals;
        } else {
            self.open_ten.add(&totals);
        }
        if self.tens.ends_before(next) {
            push(&mut self.totals_of_tens, std::mem::take(&mut self.open_ten), TOTALS_OF_TENS);
        }
    }

    /// The closed cells of 1, 10 and 60 s.
    pub(super) fn closed(&self) -> [Vec<Arc<RowsCell>>; 3] {
        [&self.seconds, &self.tens.closed, &self.minutes.closed].map(|ring| ring.iter().map(Arc::clone).collect())
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.totals.clear();
        self.totals_of_tens.clear();
        self.open_ten = TotalsCell::default();
        self.seconds.clear();
        self.tens.clear();
        self.minutes.clear();
    }

    /// Memory of a view in bytes, without the cells of rows that it shares.
    pub(super) fn view_bytes(&self) -> usize {
        let totals = self.totals.len() + self.totals_of_tens.len();
        let rows = self.seconds.len() + self.tens.closed.len() + self.minutes.closed.len();
        totals * size_of::<TotalsCell>() + rows * size_of::<Arc<RowsCell>>()
    }

    /// Memory in bytes: the tables and the kept cells.
    pub(super) fn memory_bytes(&self) -> usize {
        let totals = self.totals.capacity() + self.totals_of_tens.capacity();
        let longer = self.tens.memory_bytes() + self.minutes.memory_bytes();
        totals * size_of::<TotalsCell>() + ring_bytes(&self.seconds) + longer
    }
}
