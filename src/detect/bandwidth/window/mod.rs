//! Bytes of many subjects in sliding windows, in whole cells of a grid, within bounds.
//!
//! Takes keys, times and bytes; gives the sums of subjects over their limits. Must not know what keys or limits mean.
//!
//! A subject has cells only for times at which it has bytes. Its current cell is part of its entry; earlier cells lie
//! in a pool that all subjects share. A subject is watched, and judged at every cell, only while the sum of all its
//! kept bytes is above its limit: no window of another subject can be above its limit.
//!
//! Rows may be any number of cells ahead of the watermark, in any order. A late row counts in the first open cell.

mod eviction;
mod judging;
mod pool;
mod sums;

use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use crate::detect::Level;
use crate::packet::Timestamp;
use crate::tables::hashing;
use crate::tables::index::NOWHERE;
use crate::tables::lookup::Lookup;
use crate::tables::prefetch;
use crate::tables::sampling::{Sampling, Seeds};
use crate::tables::slab::{Keyed, Slab};
use crate::time_grid::{Cell, TimeGrid};
use eviction::NewcomerWeights;
use pool::{CellList, LowCell, Pool};

/// The most cells before the first packet that may still be judged: half of those that [`LowCell`] can distinguish.
const FARTHEST_BACK: u32 = 1 << 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WindowBounds {
    /// The most subjects. When less than a sixteenth is free, only new subjects of weight get an entry; when none is
    /// free, the lightest leave, down to fifteen sixteenths.
    pub subjects: usize,
    /// The most cells of all subjects, besides the current one of each. When none is free, the lightest subjects leave.
    pub cells: usize,
    /// When the table is nearly full, a new subject gets an entry only after this many bytes. Its sum lacks these
    /// bytes, so it is never too high.
    pub newcomer_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Occupancy {
    pub entries: usize,
    pub limit: usize,
    /// Number of cells in the pool.
    pub cells: usize,
    pub cells_limit: usize,
    /// Subjects that left to make room.
    pub evicted: u64,
    /// Rows whose bytes are in no sum, because their subjects got no entry.
    pub refused: u64,
}

/// The sum of one subject in the window that ends with a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WindowReading<K> {
    pub key: K,
    /// The class of the subject when it was first added.
    pub class: u16,
    /// The window's last cell.
    pub cell: Cell,
    /// The cell at which the sum exceeded the limit.
    pub since: Cell,
    /// The first cell of the window with bytes; the window's last cell if none has any.
    pub first: Cell,
    /// The last cell of the window with bytes; likewise.
    pub last: Cell,
    pub bytes: u64,
    /// The level of the bytes under the limit of the class. [`Level::Near`] instead of `Under` while less than a whole
    /// window is known.
    pub level: Level,
}

/// The state of an entry: one byte, because entries are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntryState {
    Free,
    Kept,
    Watched,
}

#[derive(Debug, Clone, Copy)]
struct SubjectEntry<K> {
    key: K,
    state: EntryState,
    class: u16,
    /// The latest cell with bytes.
    cell: LowCell,
    /// Bytes in that cell.
    bytes: u64,
    /// The earlier cells with bytes.
    list: CellList,
    /// The sum of the earlier cells.
    listed: u64,
}

impl<K> SubjectEntry<K> {
    /// The sum of all kept bytes: no window has more.
    #[inline]
    const fn bound(&self) -> u64 {
        self.listed.saturating_add(self.bytes)
    }
}

impl<K: Hash> Keyed for SubjectEntry<K> {
    fn hash_under<S: BuildHasher>(&self, state: &S) -> u64 {
        state.hash_one(&self.key)
    }
}

/// A subject that may be over its limit, or was reported to be.
#[derive(Debug, Clone, Copy)]
struct WatchedSubject {
    at: u32,
    since: Option<Cell>,
}

/// The time cell of the last row, with both ends, so that a row of the same cell needs no division. Valid until cells
/// are judged.
#[derive(Debug, Clone, Copy)]
struct OpenCell {
    start: Timestamp,
    end: Timestamp,
    counts_in: LowCell,
}

impl OpenCell {
    const NONE: Self = {
        let nothing = Timestamp::from_nanoseconds(0);
        Self { start: nothing, end: nothing, counts_in: LowCell(0) }
    };
}

#[derive(Debug)]
pub struct Window<K> {
    grid: TimeGrid,
    cells: u32,
    limits: Vec<u64>,
    bounds: WindowBounds,
    sampling: Sampling,
    entries: Slab<SubjectEntry<K>, true>,
    pool: Pool,
    newcomer_weights: NewcomerWeights,
    watched: Vec<WatchedSubject>,
    open: OpenCell,
    /// The last cell that was judged.
    judged: Option<Cell>,
    /// The first cell with bytes that was not judged, if there is one.
    first_open: Option<Cell>,
    /// The latest cell that ever had bytes.
    newest: Option<Cell>,
    /// Before this cell, less than a window has passed since the clock was set.
    known_from: Option<Cell>,
    next_sweep: Option<Cell>,
    /// In this cell an eviction freed no entry, so another attempt would fail too.
    exhausted: Option<Cell>,
    evicted: u64,
    refused: u64,
}

impl<K: Copy + Eq + Hash> Window<K> {
    /// Empty sums over `window`, rounded up to whole cells of [`TimeGrid::for_window`]. A subject of class *c* is read
    /// when it has more than `limits[c]` bytes in a window. `seeds` keep hash collisions unknown to senders.
    pub(crate) fn new(window: Duration, limits: Vec<u64>, bounds: WindowBounds, seeds: impl Into<Seeds>) -> Self {
        Self::on(TimeGrid::for_window(window), window, limits, bounds, seeds)
    }

    /// As [`Window::new`], with the cells of another grid.
    pub(crate) fn on(
        grid: TimeGrid,
        window: Duration,
        limits: Vec<u64>,
        bounds: WindowBounds,
        seeds: impl Into<Seeds>,
    ) -> Self {
        let Seeds { tables, sampling } = seeds.into();
        Self {
            grid,
            cells: grid.cells(window),
            limits,
            bounds,
            sampling: Sampling::new(sampling),
            entries: Slab::new(bounds.subjects, hashing::state(tables)),
            pool: Pool::new(bounds.cells),
            newcomer_weights: NewcomerWeights::default(),
            watched: Vec::new(),
            open: OpenCell::NONE,
            judged: None,
            first_open: None,
            newest: None,
            known_from: None,
            next_sweep: None,
            exhausted: None,
            evicted: 0,
            refused: 0,
        }
    }

    /// Sets the limit of each class, and the bytes of newcomers. The next cell is judged by them.
    pub(crate) fn set_limits(&mut self, limits: Vec<u64>, newcomer_bytes: u64) {
        self.limits = limits;
        self.bounds.newcomer_bytes = newcomer_bytes;
        for at in 0..self.entries.positions() as u32 {
            let limit = self.limit(self.entries[at].class);
            let entry = &mut self.entries[at];
            if entry.state == EntryState::Kept && entry.bound() > limit {
                entry.state = EntryState::Watched;
                self.watched.push(WatchedSubject { at, since: None });
            }
        }
    }

    pub(crate) fn grid(&self) -> TimeGrid {
        self.grid
    }

    /// The length of its windows: whole cells.
    pub(crate) fn length(&self) -> Duration {
        self.grid.length().saturating_mul(self.cells)
    }

    /// Adds bytes of `time` to the sum of a subject; false if the subject gets no entry. The class of a subject is that
    /// of its first bytes.
    ///
    /// Always inlined, so that a key that was just built stays in registers.
    #[inline(always)]
    pub(crate) fn add(&mut self, lookup: impl Lookup<K>, class: u16, time: Timestamp, bytes: u64) -> bool {
        self.add_at(&mut { NOWHERE }, lookup, class, time, bytes)
    }

    /// As [`Window::add`], for a subject that was last found at the position `hint`, which may be stale. Updates
    /// `hint`.
    #[inline(always)]
    pub(crate) fn add_at(
        &mut self,
        hint: &mut u32,
        lookup: impl Lookup<K>,
        class: u16,
        time: Timestamp,
        bytes: u64,
    ) -> bool {
        let cell = self.open_cell(time);
        if !self.is_at(*hint, lookup) {
            let Some(at) = self.find_or_admit(lookup, class, cell, bytes) else {
                self.refused += 1;
                return false;
            };
            *hint = at;
        }
        let at = *hint;
        let entry = &mut self.entries[at];
        if entry.cell == cell {
            entry.bytes = entry.bytes.saturating_add(bytes);
        } else {
            self.add_in_other_cell(at, cell, bytes);
        }
        let limit = self.limit(self.entries[at].class);
        let entry = &mut self.entries[at];
        if entry.bound() > limit && entry.state == EntryState::Kept {
            entry.state = EntryState::Watched;
            self.watched.push(WatchedSubject { at, since: None });
        }
        true
    }

    #[inline(always)]
    fn is_at(&self, position: u32, lookup: impl Lookup<K>) -> bool {
        self.entries.get(position).is_some_and(|entry| entry.state != EntryState::Free && lookup.is(&entry.key))
    }

    #[inline(always)]
    fn find_or_admit(&mut self, lookup: impl Lookup<K>, class: u16, cell: LowCell, bytes: u64) -> Option<u32> {
        let hash = lookup.hash_under(self.entries.state());
        let found = self.entries.find_again(hash, |entry| lookup.is(&entry.key));
        found.or_else(|| self.admit(hash, lookup, class, cell, bytes))
    }

    /// Reads ahead the entry that [`Window::add_at`] will need, so that cache misses overlap.
    #[inline(always)]
    pub(crate) fn touch(&self, hint: u32) {
        prefetch(self.entries.get(hint).map(|entry| entry.cell));
    }

    /// The limit of a class; none for an unknown class.
    #[inline]
    fn limit(&self, class: u16) -> u64 {
        self.limits.get(usize::from(class)).copied().unwrap_or(u64::MAX)
    }

    /// The cell in which bytes of `time` count.
    #[inline(always)]
    fn open_cell(&mut self, time: Timestamp) -> LowCell {
        if !(self.open.start..self.open.end).contains(&time) {
            self.open_other_cell(time);
        }
        self.open.counts_in
    }

    /// Goes to the cell of `time`, or to the first cell that was not judged.
    #[cold]
    fn open_other_cell(&mut self, time: Timestamp) {
        let of_time = self.grid.cell(time);
        let judged = *self.judged.get_or_insert(of_time.back(FARTHEST_BACK));
        let cell = of_time.max(judged.next());
        self.first_open = Some(self.first_open.map_or(cell, |first| first.min(cell)));
        self.newest = self.newest.max(Some(cell));
        self.open = OpenCell { start: self.grid.start(of_time), end: self.grid.end(of_time), counts_in: low(cell) };
    }

    /// Adds bytes to an entry whose latest bytes are in another cell.
    fn add_in_other_cell(&mut self, at: u32, cell: LowCell, bytes: u64) {
        self.expire(at);
        if self.pool.used() == self.pool.limit() {
            self.evict_lightest(Some(at));
        }
        let Self { entries, pool, .. } = self;
        let entry = &mut entries[at];
        let (is_kept, listed) = if cell.is_after(entry.cell) {
            let before = (entry.cell, entry.bytes);
            (entry.cell, entry.bytes) = (cell, bytes);
            (before.1 == 0 || pool.push(&mut entry.list, before.0, before.1), before.1)
        } else {
            (pool.add(&mut entry.list, cell, bytes), bytes)
        };
        if is_kept {
            entry.listed = entry.listed.saturating_add(listed);
        } else {
            self.refused += 1;
        }
    }
}

const fn low(cell: Cell) -> LowCell {
    LowCell(cell.0 as u32)
}

#[cfg(test)]
mod tests;
