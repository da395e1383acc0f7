//! The sums of a window, for readers.
//!
//! Takes the window's cells; gives the bytes of subjects since a moment. Must not know the limits of rules.

use std::hash::Hash;

use super::pool::LowCell;
use super::{EntryState, Window, low};
use crate::packet::Timestamp;
use crate::tables::lookup::Lookup;
use crate::time_grid::Cell;

impl<K: Copy + Eq + Hash> Window<K> {
    /// The sums of all subjects at the end of the last judged cell, in no particular order, without those of 0.
    pub(crate) fn sums(&self) -> impl Iterator<Item = (K, u64)> + '_ {
        self.sums_to(self.judged.unwrap_or_default())
    }

    /// As [`Window::sums`], with the bytes that came since.
    pub(crate) fn sums_so_far(&self) -> impl Iterator<Item = (K, u64)> + '_ {
        self.sums_to(self.newest.max(self.judged).unwrap_or_default())
    }

    /// The kept bytes of a subject from a moment on, in cells that begin at it or later.
    pub(crate) fn sum_from(&self, key: K, begin: Timestamp) -> u64 {
        let hash = key.hash_under(self.entries.state());
        let at = self.entries.find(hash, |entry| entry.key == key);
        at.map_or(0, |at| self.bounds_from(at, begin)[1])
    }

    /// The positions and keys of all subjects.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (u32, K)> + '_ {
        let used = self.entries.iter().filter(|(_, entry)| entry.state != EntryState::Free);
        used.map(|(at, entry)| (at, entry.key))
    }

    /// The kept bytes of the subject at a position from a moment on: those of all cells that end after it, and those of
    /// cells that begin at it or later.
    pub(crate) fn bounds_from(&self, at: u32, begin: Timestamp) -> [u64; 2] {
        let cell = self.grid.cell(begin);
        let whole = if self.grid.start(cell) == begin { cell } else { cell.next() };
        let outside = [low(cell.back(1)), low(whole.back(1))];
        let entry = &self.entries[at];
        let cells = self.pool.cells(entry.list).chain([(entry.cell, entry.bytes)]);
        cells.fold([0; 2], |sums: [u64; 2], (of, bytes)| {
            let is_in = outside.map(|last_out| of.is_after(last_out));
            [0, 1].map(|end| if is_in[end] { sums[end].saturating_add(bytes) } else { sums[end] })
        })
    }

    /// The sums from the last judged window on, up to `last`.
    fn sums_to(&self, last: Cell) -> impl Iterator<Item = (K, u64)> + '_ {
        let (last, last_out) = (low(last), low(self.last_out()));
        let is_in = move |of: LowCell| of.is_after(last_out) && !of.is_after(last);
        let used = self.entries.iter().map(|(_, entry)| entry).filter(|entry| entry.state != EntryState::Free);
        used.filter_map(move |entry| {
            let listed = self.pool.cells(entry.list).filter(|(of, _)| is_in(*of)).map(|(_, bytes)| bytes).sum::<u64>();
            let bytes = listed.saturating_add(if is_in(entry.cell) { entry.bytes } else { 0 });
            (bytes > 0).then_some((entry.key, bytes))
        })
    }
}
