//! Who is held, and who leaves to make room.

use std::hash::Hash;

use super::pool::{List, Low};
use super::{Entry, Mark, Occupancy, Span, Window, low};
use crate::tables::lookup::Lookup;
use crate::time_grid::Cell;

/// This part of the places is kept for newcomers of weight, and is made free at once when there is none left.
const RESERVE: usize = 16;

/// This part of the cells is made free at once: cells are used up faster than places.
const FREE_CELLS: usize = 4;

impl<K: Copy + Eq + Hash> Window<K> {
    /// The place of a newcomer, if there is one for it.
    #[inline(always)]
    pub(super) fn admit(
        &mut self,
        hash: u64,
        lookup: impl Lookup<K>,
        class: u16,
        cell: Low,
        bytes: u64,
    ) -> Option<u32> {
        if self.is_crowded()
            && !self.newcomers.weigh(lookup.hash_under(&self.sampling), bytes, self.bounds.newcomer_bytes)
        {
            return None;
        }
        self.seat(hash, lookup.key(), class, cell)
    }

    /// The place of who is worth one, if any can be made free.
    #[inline(never)]
    fn seat(&mut self, hash: u64, key: K, class: u16, cell: Low) -> Option<u32> {
        if self.entries.len() >= self.bounds.subjects {
            self.make_room(None);
        }
        (self.entries.len() < self.bounds.subjects).then(|| self.insert(hash, key, class, cell))
    }

    /// Whether hardly a sixteenth of the places is left.
    pub(super) fn is_crowded(&self) -> bool {
        self.entries.len() >= self.bounds.subjects - self.bounds.subjects / RESERVE
    }

    pub(super) fn insert(&mut self, hash: u64, key: K, class: u16, cell: Low) -> u32 {
        let entry = Entry { key, mark: Mark::Held, class, cell, bytes: 0, list: List::EMPTY, listed: 0 };
        self.entries.insert(hash, entry)
    }

    /// Lets the cells of an entry go that are in no window to be judged, nor in the last one that was.
    pub(super) fn expire(&mut self, at: u32) {
        let last_out = low(self.last_out());
        self.expire_up_to(at, last_out);
    }

    /// The last cell before the window that was judged last.
    pub(super) fn last_out(&self) -> Cell {
        self.judged.unwrap_or_default().back(self.cells)
    }

    pub(super) fn expire_up_to(&mut self, at: u32, last_out: Low) {
        let entry = &mut self.entries[at];
        let gone = self.pool.expire(&mut entry.list, last_out);
        entry.listed = entry.listed.saturating_sub(gone);
        if !entry.cell.is_after(last_out) {
            entry.bytes = 0;
            // Not so far back that it would seem to lie ahead one day.
            entry.cell = last_out;
        }
    }

    /// Lets go what is older than the last window, and who has nothing left.
    pub(super) fn sweep(&mut self) {
        let last_out = low(self.last_out());
        for at in 0..self.entries.positions() as u32 {
            if self.entries[at].mark != Mark::Free {
                self.expire_up_to(at, last_out);
                let entry = &self.entries[at];
                if entry.mark == Mark::Held && entry.bound() == 0 {
                    self.remove(at);
                }
            }
        }
        self.pool.set_expired(last_out);
        self.newcomers.clear();
    }

    /// Makes places and cells free: of who rests, then of the lightest, but for `kept` and who is watched.
    pub(super) fn make_room(&mut self, kept: Option<u32>) {
        if self.exhausted.is_some() && self.exhausted == self.judged {
            return;
        }
        self.sweep();
        let mut lightest = if self.is_roomy() { Vec::new() } else { self.lightest_last(kept) };
        while !self.is_roomy() {
            let Some((_, at)) = lightest.pop() else {
                self.exhausted = self.judged;
                return;
            };
            self.remove(at);
            self.evicted += 1;
        }
    }

    /// Whether there is so much room that the next time is far.
    fn is_roomy(&self) -> bool {
        let is_free = |used: usize, limit: usize, part: usize| limit.saturating_sub(used) >= (limit / part).max(1);
        is_free(self.entries.len(), self.bounds.subjects, RESERVE)
            && is_free(self.pool.used(), self.pool.limit(), FREE_CELLS)
    }

    fn lightest_last(&self, kept: Option<u32>) -> Vec<(u64, u32)> {
        let held = self.entries.iter().filter(|(at, entry)| entry.mark == Mark::Held && Some(*at) != kept);
        let mut weights: Vec<(u64, u32)> = held.map(|(at, entry)| (entry.bound(), at)).collect();
        weights.sort_unstable_by(|one, other| other.cmp(one));
        weights
    }

    fn remove(&mut self, at: u32) {
        let entry = &mut self.entries[at];
        self.pool.release(&mut entry.list);
        entry.mark = Mark::Free;
        self.entries.remove(at);
    }

    /// Forgets every subject.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.pool.clear();
        self.newcomers.clear();
        self.watched.clear();
        self.span = Span::NONE;
        self.first_open = None;
        self.newest = None;
        self.next_sweep = None;
        self.exhausted = None;
    }

    /// How full it is.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        Occupancy {
            held: self.entries.len(),
            limit: self.bounds.subjects,
            cells: self.pool.used(),
            cells_limit: self.pool.limit(),
            evicted: self.evicted,
            refused: self.refused,
        }
    }

    /// The memory that it takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.entries.memory_bytes()
            + self.watched.capacity() * size_of::<super::Watched>()
            + self.pool.memory_bytes()
            + self.newcomers.memory_bytes()
    }
}

/// How many counters there are. Even 1,000 subjects that share one weigh little.
const SLOTS: usize = 8_192;

/// Counters of bytes. Subjects that share one are let in earlier, never later.
#[derive(Debug, Default)]
pub(super) struct NewcomerBytes {
    slots: Vec<u32>,
}

impl NewcomerBytes {
    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
    }

    pub(super) fn clear(&mut self) {
        self.slots.fill(0);
    }

    /// Whether what was counted under this hash, with these bytes, has reached `enough`; it is then counted anew.
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
