//! The rows of a cell that is still open: a bounded table that keeps the heavy ones, and sums of those that left it.
//!
//! Takes rows with the hashes of their keys; gives a closed cell with the heaviest of them. Must not know packet time.

use super::cells::{DirectionSums, RowsCell, add_sums};
use super::condense::{condense, heaviest_first};
use super::row::HistoryRow;
use crate::packet::Timestamp;
use crate::tables::heavy::{HeavySlot, HeavyTable};
use crate::tables::sampling::Sampling;

/// Rows that left the table and are not yet added up. At the limit they are condensed to a quarter.
const MAXIMUM_EVICTED: usize = 2_048;

#[derive(Debug)]
pub(super) struct OpenRows {
    table: HeavyTable<HistoryRow>,
    /// Rows that left the table.
    evicted: Vec<HistoryRow>,
    /// The traffic without a row.
    unlisted: DirectionSums,
}

impl OpenRows {
    pub(super) fn new(limit: usize) -> Self {
        let evicted = Vec::with_capacity(MAXIMUM_EVICTED);
        Self { table: HeavyTable::new(limit), evicted, unlisted: DirectionSums::default() }
    }

    /// Adds a row whose key has this hash under `state`.
    #[inline]
    pub(super) fn add(&mut self, hash: u64, row: HistoryRow, state: &Sampling) {
        match self.table.add(hash, row.bytes, |known| known.key == row.key) {
            HeavySlot::Known(known) => known.add(&row),
            HeavySlot::New(slot) => *slot = row,
            HeavySlot::Evicted(slot) => {
                let evicted = std::mem::replace(slot, row);
                self.take_evicted(evicted, state);
            }
        }
    }

    fn take_evicted(&mut self, row: HistoryRow, state: &Sampling) {
        self.evicted.push(row);
        if self.evicted.len() == MAXIMUM_EVICTED {
            let most = MAXIMUM_EVICTED / 4;
            let left = condense(&mut self.evicted, most, [0, most / 2, most * 3 / 4], state);
            add_sums(&mut self.unlisted, &left);
        }
    }

    /// Adds traffic that has no row.
    pub(super) fn add_unlisted(&mut self, sums: &DirectionSums) {
        add_sums(&mut self.unlisted, sums);
    }

    /// Adds all of this cell to a longer one that began `seconds` earlier.
    pub(super) fn add_to(&self, longer: &mut Self, seconds: u32, state: &Sampling) {
        longer.add_unlisted(&self.unlisted);
        for row in self.table.iter() {
            longer.add(row.key.hash_under(state), row.in_earlier_cell(seconds), state);
        }
        self.evicted.iter().for_each(|row| longer.take_evicted(row.in_earlier_cell(seconds), state));
    }

    /// The closed cell, of at most `most` rows. The open one is empty afterwards.
    ///
    /// If there are more rows, the heaviest half keep their places. Of the others, those with the most in common are added
    /// up, by host, by service or by protocol.
    pub(super) fn close(&mut self, most: usize, start: Timestamp, seconds: u32, state: &Sampling) -> RowsCell {
        let mut unlisted = std::mem::take(&mut self.unlisted);
        let mut rows: Vec<HistoryRow> = self.table.iter().chain(&self.evicted).copied().collect();
        self.table.clear();
        self.evicted.clear();
        let left = condense(&mut rows, most, [most / 2, most * 3 / 4, most * 7 / 8], state);
        add_sums(&mut unlisted, &left);
        rows.sort_unstable_by(heaviest_first);
        rows.shrink_to_fit();
        RowsCell { start, seconds, rows, unlisted }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.evicted.clear();
        self.unlisted = DirectionSums::default();
    }

    /// Memory in bytes.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.evicted.capacity() * size_of::<HistoryRow>()
    }
}
