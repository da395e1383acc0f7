//! Admission and eviction of a window.
//!
//! Takes new subjects and the current cell; gives positions, and evicts other subjects for them. Must not know the
//! limits of rules.

use std::hash::Hash;

use super::pool::{CellList, LowCell};
use super::{EntryState, Occupancy, OpenCell, SubjectEntry, Window, low};
use crate::tables::lookup::Lookup;
use crate::time_grid::Cell;

/// One entry in this number is reserved for heavy new subjects. When none of these is left, an eviction frees as many.
const RESERVE: usize = 16;

/// An eviction frees one cell in this number. Cells are used up faster than entries.
const FREE_CELLS: usize = 4;

impl<K: Copy + Eq + Hash> Window<K> {
    /// The position of a new subject; none if it gets no entry.
    #[inline(always)]
    pub(super) fn admit(
        &mut self,
        hash: u64,
        lookup: impl Lookup<K>,
        class: u16,
        cell: LowCell,
        bytes: u64,
    ) -> Option<u32> {
        if self.is_nearly_full()
            && !self.newcomer_weights.weigh(lookup.hash_under(&self.sampling), bytes, self.bounds.newcomer_bytes)
        {
            return None;
        }
        self.replace_lightest(hash, lookup.key(), class, cell)
    }

    /// The position of a heavy new subject; none if no entry can be freed.
    #[inline(never)]
    fn replace_lightest(&mut self, hash: u64, key: K, class: u16, cell: LowCell) -> Option<u32> {
        if self.entries.len() >= self.bounds.subjects {
            self.evict_lightest(None);
        }
        (self.entries.len() < self.bounds.subjects).then(|| self.insert(hash, key, class, cell))
    }

    /// True if less than a sixteenth of the entries is free.
    pub(super) fn is_nearly_full(&self) -> bool {
        self.entries.len() >= self.bounds.subjects - self.bounds.subjects / RESERVE
    }

    pub(super) fn insert(&mut self, hash: u64, key: K, class: u16, cell: LowCell) -> u32 {
        let entry =
            SubjectEntry { key, state: EntryState::Kept, class, cell, bytes: 0, list: CellList::EMPTY, listed: 0 };
        self.entries.insert(hash, entry)
    }

    /// Removes the cells of an entry that are neither in a window to be judged nor in the last judged one.
    pub(super) fn expire(&mut self, at: u32) {
        let last_out = low(self.last_out());
        self.expire_up_to(at, last_out);
    }

    /// The last cell before the window that was judged last.
    pub(super) fn last_out(&self) -> Cell {
        self.judged.unwrap_or_default().back(self.cells)
    }

    pub(super) fn expire_up_to(&mut self, at: u32, last_out: LowCell) {
        let entry = &mut self.entries[at];
        let gone = self.pool.expire(&mut entry.list, last_out);
        entry.listed = entry.listed.saturating_sub(gone);
        if !entry.cell.is_after(last_out) {
            entry.bytes = 0;
            // Not too far back: otherwise the low bits of the cell would seem to lie ahead one day.
            entry.cell = last_out;
        }
    }

    /// Removes cells older than the last window, and subjects without bytes.
    pub(super) fn sweep(&mut self) {
        let last_out = low(self.last_out());
        for at in 0..self.entries.positions() as u32 {
            if self.entries[at].state != EntryState::Free {
                self.expire_up_to(at, last_out);
                let entry = &self.entries[at];
                if entry.state == EntryState::Kept && entry.bound() == 0 {
                    self.remove(at);
                }
            }
        }
        self.pool.set_expired(last_out);
        self.newcomer_weights.clear();
    }

    /// Frees entries and cells: removes subjects without bytes, then the lightest ones, but not `spared` and watched
    /// ones.
    pub(super) fn evict_lightest(&mut self, spared: Option<u32>) {
        if self.exhausted.is_some() && self.exhausted == self.judged {
            return;
        }
        self.sweep();
        let mut lightest = if self.has_reserve() { Vec::new() } else { self.lightest_last(spared) };
        while !self.has_reserve() {
            let Some((_, at)) = lightest.pop() else {
                self.exhausted = self.judged;
                return;
            };
            self.remove(at);
            self.evicted += 1;
        }
    }

    /// True if enough entries and cells are free, so that the next eviction is not due soon.
    fn has_reserve(&self) -> bool {
        let is_free = |used: usize, limit: usize, part: usize| limit.saturating_sub(used) >= (limit / part).max(1);
        is_free(self.entries.len(), self.bounds.subjects, RESERVE)
            && is_free(self.pool.used(), self.pool.limit(), FREE_CELLS)
    }

    fn lightest_last(&self, spared: Option<u32>) -> Vec<(u64, u32)> {
        let kept = self.entries.iter().filter(|(at, entry)| entry.state == EntryState::Kept && Some(*at) != spared);
        let mut weights: Vec<(u64, u32)> = kept.map(|(at, entry)| (entry.bound(), at)).collect();
        weights.sort_unstable_by(|one, other| other.cmp(one));
        weights
    }

    fn remove(&mut self, at: u32) {
        let entry = &mut self.entries[at];
        self.pool.release(&mut entry.list);
        entry.state = EntryState::Free;
        self.entries.remove(at);
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.pool.clear();
        self.newcomer_weights.clear();
        self.watched.clear();
        self.open = OpenCell::NONE;
        self.first_open = None;
        self.newest = None;
        self.next_sweep = None;
        self.exhausted = None;
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        Occupancy {
            entries: self.entries.len(),
            limit: self.bounds.subjects,
            cells: self.pool.used(),
            cells_limit: self.pool.limit(),
            evicted: self.evicted,
            refused: self.refused,
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.entries.memory_bytes()
            + self.watched.capacity() * size_of::<super::WatchedSubject>()
            + self.pool.memory_bytes()
            + self.newcomer_weights.memory_bytes()
    }
}

/// The number of counters. Even 1,000 light subjects that share a counter have few bytes together.
const SLOTS: usize = 8_192;

/// Bytes of new subjects, by a hash of the subject. Subjects that share a counter are admitted earlier, never later.
#[derive(Debug, Default)]
pub(super) struct NewcomerWeights {
    slots: Vec<u32>,
}

impl NewcomerWeights {
    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
    }

    pub(super) fn clear(&mut self) {
        self.slots.fill(0);
    }

    /// Adds bytes under a hash; true, and reset, if their sum has reached `enough`.
    #[inline]
    pub(super) fn weigh(&mut self, hash: u64, bytes: u64, enough: u64) -> bool {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, 0);
        }
        let slot = &mut self.slots[hash as usize % SLOTS];
        let counted = u64::from(*slot).saturating_add(bytes);
        let has_weight = counted >= enough.min(u64::from(u32::MAX));
        *slot = if has_weight { 0 } else { u32::try_from(counted).unwrap_or(u32::MAX) };
        has_weight
    }
}
