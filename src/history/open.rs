//! The rows of a cell that is still open: a bounded table that keeps the heavy ones.
//!
//! Takes rows with the hashes of their keys; gives a closed cell with the heaviest of them. Must not know packet time.

use super::cells::{DirectionSums, RowsCell, add_sums};
use super::row::HistoryRow;
use crate::packet::Timestamp;
use crate::tables::heavy::{HeavySlot, HeavyTable};
use crate::tables::sampling::Sampling;

#[derive(Debug)]
pub(super) struct OpenRows {
    table: HeavyTable<HistoryRow>,
    /// The traffic of rows that left the table.
    unlisted: DirectionSums,
}

impl OpenRows {
    pub(super) fn new(limit: usize) -> Self {
        Self { table: HeavyTable::new(limit), unlisted: DirectionSums::default() }
    }

    /// Adds a row whose key has this hash.
    #[inline]
    pub(super) fn add(&mut self, hash: u64, row: HistoryRow) {
        match self.table.add(hash, row.bytes, |known| known.key == row.key) {
            HeavySlot::Known(known) => known.add(&row),
            HeavySlot::New(slot) => *slot = row,
            HeavySlot::Evicted(slot) => {
                self.unlisted[slot.direction() as usize].add(slot.counters());
                *slot = row;
            }
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
            longer.add(row.key.hash_under(state), row.in_earlier_cell(seconds));
        }
    }

    /// The closed cell with the `most` heaviest rows. The open one is empty afterwards.
    pub(super) fn close(&mut self, most: usize, start: Timestamp, seconds: u32) -> RowsCell {
        let mut unlisted = std::mem::take(&mut self.unlisted);
        let mut rows: Vec<HistoryRow> = self.table.iter().copied().collect();
        self.table.clear();
        let heaviest_first =
            |one: &HistoryRow, other: &HistoryRow| other.bytes.cmp(&one.bytes).then_with(|| one.key.cmp(&other.key));
        if rows.len() > most {
            rows.select_nth_unstable_by(most, heaviest_first);
            rows[most..].iter().for_each(|row| unlisted[row.direction() as usize].add(row.counters()));
            rows.truncate(most);
        }
        rows.sort_unstable_by(heaviest_first);
        RowsCell { start, seconds, rows: rows.into_boxed_slice(), unlisted }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.unlisted = DirectionSums::default();
    }

    pub(super) const fn memory_bytes(&self) -> usize {
        self.table.memory_bytes()
    }
}
