//! Bytes of each of many subjects in a sliding window, in whole cells of a grid, within bounds.
//!
//! A subject has cells only where it has bytes; the cell that it is in stands in its entry, so that who is seen in one
//! cell alone takes no room in the pool. A subject is looked at only while the sum of all that is kept of it is above its
//! limit: for nobody else can the sum of one window be.
//!
//! Rows may be ahead of the watermark by any number of cells, in any order. What comes after its cell was judged counts
//! in the first that was not.

mod eviction;
mod judging;
mod pool;

use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use crate::packet::Timestamp;
use crate::tables::hashing;
use crate::tables::index::NOWHERE;
use crate::tables::lookup::Lookup;
use crate::tables::prefetch;
use crate::tables::sampling::{Sampling, Seeds};
use crate::tables::slab::{Keyed, Slab};
use crate::time_grid::{Cell, TimeGrid};
use eviction::NewcomerBytes;
use pool::{List, Low, Pool};

/// How many cells before the first packet may still be judged: half of what [`Low`] can tell apart.
const FARTHEST_BACK: u32 = 1 << 30;

/// What a window holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Subjects. When hardly a sixteenth of the places is left, only newcomers of weight get one; when none is, the
    /// lightest subjects leave, down to fifteen sixteenths.
    pub subjects: usize,
    /// Cells of all subjects together, besides the one that each is in. When none is left, the lightest subjects leave.
    pub cells: usize,
    /// Bytes that a newcomer must have sent when places are short. They are not in its sum: a sum is never too high.
    pub newcomer_bytes: u64,
}

/// How full a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Occupancy {
    /// Subjects that are held.
    pub held: usize,
    /// Subjects that may be held.
    pub limit: usize,
    /// Cells that are held in the pool.
    pub cells: usize,
    /// Cells that may be held there.
    pub cells_limit: usize,
    /// Subjects that left to make room.
    pub evicted: u64,
    /// Rows whose bytes are in no sum: their subjects found no room.
    pub refused: u64,
}

/// How a sum stands to its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Above it.
    Over,
    /// Not above it, and not below nine tenths of it; or below, but not yet known for a whole window.
    Near,
    /// Below nine tenths of it.
    Under,
}

/// The sum of one subject in the window that ends with a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading<K> {
    /// Whose it is.
    pub key: K,
    /// Its class, as it was first added.
    pub class: u16,
    /// The window's last cell.
    pub cell: Cell,
    /// The cell with which the sum became more than the limit.
    pub since: Cell,
    /// The first cell of the window that has bytes; the window's last cell if none has.
    pub first: Cell,
    /// The last cell of the window that has bytes; likewise.
    pub last: Cell,
    /// Bytes in the window.
    pub bytes: u64,
    /// How they stand to the limit of the class.
    pub standing: Standing,
}

/// What becomes of an entry. (A byte with the class behind it: entries are many.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Free,
    Held,
    Watched,
}

#[derive(Debug, Clone, Copy)]
struct Entry<K> {
    key: K,
    mark: Mark,
    class: u16,
    /// The latest cell that it has bytes in.
    cell: Low,
    /// Its bytes there.
    bytes: u64,
    /// The cells before.
    list: List,
    /// The sum of those.
    listed: u64,
}

impl<K> Entry<K> {
    /// All bytes that are kept: no window has more.
    #[inline]
    const fn bound(&self) -> u64 {
        self.listed.saturating_add(self.bytes)
    }
}

impl<K: Hash> Keyed for Entry<K> {
    fn hash_under<S: BuildHasher>(&self, state: &S) -> u64 {
        state.hash_one(&self.key)
    }
}

/// A subject that may be over its limit, or was said to be.
#[derive(Debug, Clone, Copy)]
struct Watched {
    at: u32,
    since: Option<Cell>,
}

/// The two ends of a cell, so that times in it need no division, and the one in which its bytes count. Holds until cells are
/// judged.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: Timestamp,
    end: Timestamp,
    counts_in: Low,
}

impl Span {
    /// Holds no time.
    const NONE: Self = {
        let nothing = Timestamp::from_nanoseconds(0);
        Self { start: nothing, end: nothing, counts_in: Low(0) }
    };
}

/// Sliding sums of bytes.
#[derive(Debug)]
pub struct Window<K> {
    grid: TimeGrid,
    cells: u32,
    limits: Vec<u64>,
    bounds: Bounds,
    sampling: Sampling,
    entries: Slab<Entry<K>, true>,
    pool: Pool,
    newcomers: NewcomerBytes,
    watched: Vec<Watched>,
    span: Span,
    /// The last cell that was judged.
    judged: Option<Cell>,
    /// The first cell with bytes that was not, if any has.
    first_open: Option<Cell>,
    /// The latest cell that ever had bytes.
    newest: Option<Cell>,
    /// Before this cell the time since the clock stepped is less than a window.
    known_from: Option<Cell>,
    next_sweep: Option<Cell>,
    /// No room could be made at this cell: no use in trying again.
    exhausted: Option<Cell>,
    evicted: u64,
    refused: u64,
}

impl<K: Copy + Eq + Hash> Window<K> {
    /// Empty sums over `window`, rounded up to whole cells of [`TimeGrid::for_window`]. A subject of class *c* is read when
    /// it has more than `limits[c]` bytes in a window. `seeds` keep who chooses addresses from choosing hash collisions.
    #[must_use]
    pub fn new(window: Duration, limits: Vec<u64>, bounds: Bounds, seeds: impl Into<Seeds>) -> Self {
        Self::on(TimeGrid::for_window(window), window, limits, bounds, seeds)
    }

    /// The same in cells of another grid.
    #[must_use]
    pub fn on(grid: TimeGrid, window: Duration, limits: Vec<u64>, bounds: Bounds, seeds: impl Into<Seeds>) -> Self {
        let Seeds { tables, sampling } = seeds.into();
        Self {
            grid,
            cells: grid.cells(window),
            limits,
            bounds,
            sampling: Sampling::new(sampling),
            entries: Slab::new(bounds.subjects, hashing::state(tables)),
            pool: Pool::new(bounds.cells),
            newcomers: NewcomerBytes::default(),
            watched: Vec::new(),
            span: Span::NONE,
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

    /// The grid that its cells are of.
    #[must_use]
    pub fn grid(&self) -> TimeGrid {
        self.grid
    }

    /// The length of its windows: whole cells.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.grid.length().saturating_mul(self.cells)
    }

    /// Adds bytes of `time` to the sum of who is sought; false when there is no room for it. The class is that of the first
    /// time.
    ///
    /// Inlined by force: a key that was put together just before stays in registers.
    #[inline(always)]
    pub fn add(&mut self, lookup: impl Lookup<K>, class: u16, time: Timestamp, bytes: u64) -> bool {
        self.add_at(&mut { NOWHERE }, lookup, class, time, bytes)
    }

    /// The same for who was last seen at `hint`, if it still is there; it then says where.
    #[inline(always)]
    pub fn add_at(&mut self, hint: &mut u32, lookup: impl Lookup<K>, class: u16, time: Timestamp, bytes: u64) -> bool {
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
            self.turn(at, cell, bytes);
        }
        let limit = self.limit(self.entries[at].class);
        let entry = &mut self.entries[at];
        if entry.bound() > limit && entry.mark == Mark::Held {
            entry.mark = Mark::Watched;
            self.watched.push(Watched { at, since: None });
        }
        true
    }

    /// Whether who is sought is held at a position.
    #[inline(always)]
    fn is_at(&self, position: u32, lookup: impl Lookup<K>) -> bool {
        self.entries.get(position).is_some_and(|entry| entry.mark != Mark::Free && lookup.is(&entry.key))
    }

    #[inline(always)]
    fn find_or_admit(&mut self, lookup: impl Lookup<K>, class: u16, cell: Low, bytes: u64) -> Option<u32> {
        let hash = lookup.hash_under(self.entries.state());
        let found = self.entries.find_again(hash, |entry| lookup.is(&entry.key));
        found.or_else(|| self.admit(hash, lookup, class, cell, bytes))
    }

    /// Reads what [`Window::add_at`] will need of who is at `hint`, so that the misses of several overlap.
    #[inline(always)]
    pub fn touch(&self, hint: u32) {
        prefetch(self.entries.get(hint).map(|entry| entry.cell));
    }

    /// The limit of a class; none for one that was not named.
    #[inline]
    fn limit(&self, class: u16) -> u64 {
        self.limits.get(usize::from(class)).copied().unwrap_or(u64::MAX)
    }

    /// The cell in which bytes of `time` count.
    #[inline(always)]
    fn open_cell(&mut self, time: Timestamp) -> Low {
        if !(self.span.start..self.span.end).contains(&time) {
            self.open_span(time);
        }
        self.span.counts_in
    }

    /// Goes to the cell of `time`, or to the first that was not judged.
    #[cold]
    fn open_span(&mut self, time: Timestamp) {
        let of_time = self.grid.cell(time);
        let judged = *self.judged.get_or_insert(of_time.back(FARTHEST_BACK));
        let cell = of_time.max(judged.next());
        self.first_open = Some(self.first_open.map_or(cell, |first| first.min(cell)));
        self.newest = self.newest.max(Some(cell));
        self.span = Span { start: self.grid.start(of_time), end: self.grid.end(of_time), counts_in: low(cell) };
    }

    /// Adds bytes to an entry that has its latest bytes in another cell.
    fn turn(&mut self, at: u32, cell: Low, bytes: u64) {
        self.expire(at);
        if self.pool.used() == self.pool.limit() {
            self.make_room(Some(at));
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

    /// The sums at the end of the last judged cell, of who has any, in no order that means anything.
    pub fn sums(&self) -> impl Iterator<Item = (K, u64)> + '_ {
        self.sums_to(self.judged.unwrap_or_default())
    }

    /// The same with all that came since.
    pub fn sums_so_far(&self) -> impl Iterator<Item = (K, u64)> + '_ {
        self.sums_to(self.newest.max(self.judged).unwrap_or_default())
    }

    /// What lies in the last judged window, and up to `last`.
    fn sums_to(&self, last: Cell) -> impl Iterator<Item = (K, u64)> + '_ {
        let (last, last_out) = (low(last), low(self.last_out()));
        let is_in = move |of: Low| of.is_after(last_out) && !of.is_after(last);
        let held = self.entries.iter().map(|(_, entry)| entry).filter(|entry| entry.mark != Mark::Free);
        held.filter_map(move |entry| {
            let listed = self.pool.cells(entry.list).filter(|(of, _)| is_in(*of)).map(|(_, bytes)| bytes).sum::<u64>();
            let bytes = listed.saturating_add(if is_in(entry.cell) { entry.bytes } else { 0 });
            (bytes > 0).then_some((entry.key, bytes))
        })
    }
}

const fn low(cell: Cell) -> Low {
    Low(cell.0 as u32)
}

#[cfg(test)]
mod tests;
