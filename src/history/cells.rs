//! The cells of the history: sums of all traffic, and the heaviest rows, each of one piece of packet time.
//!
//! Takes counters and rows; gives immutable cells. Must not know how long cells are kept.

use std::time::Duration;

use super::row::HistoryRow;
use crate::account::flow::Counters;
use crate::locality::Direction;
use crate::packet::Timestamp;

/// Counters in the order of [`Direction::ALL`].
pub type DirectionSums = [Counters; Direction::ALL.len()];

/// The sums of all frames of a cell. They are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TotalsCell {
    /// The first moment of the cell.
    pub start: Timestamp,
    /// Seconds that the cell covers: fewer than its step if the history began within the cell.
    pub seconds: u32,
    /// IP packets and bytes by direction, in the order of [`Direction::ALL`].
    pub traffic: DirectionSums,
    /// Packets that the kernel dropped because its ring was full.
    pub dropped_by_kernel: u64,
    /// Packets that the network interface or its driver dropped.
    pub dropped_by_interface: u64,
    /// Frames that are not IP.
    pub not_ip: u64,
}

impl TotalsCell {
    /// The first moment after the cell.
    pub fn end(&self) -> Timestamp {
        self.start + Duration::from_secs(self.seconds.into())
    }

    /// The IP packets and bytes of all directions.
    pub fn ip(&self) -> Counters {
        self.traffic.into_iter().fold(Counters::default(), Counters::plus)
    }

    /// Packets that were dropped, by the kernel or an interface.
    pub const fn dropped(&self) -> u64 {
        self.dropped_by_kernel + self.dropped_by_interface
    }

    /// Adds the next cell.
    pub(super) fn add(&mut self, next: &Self) {
        self.seconds += next.seconds;
        add_sums(&mut self.traffic, &next.traffic);
        self.dropped_by_kernel += next.dropped_by_kernel;
        self.dropped_by_interface += next.dropped_by_interface;
        self.not_ip += next.not_ip;
    }
}

/// The heaviest rows of a cell, and the sum of all traffic without a row. Both together are exact.
///
/// A row may lack bytes of its flow: those from before it entered a full table. They are in `unlisted`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowsCell {
    /// The first moment of the cell.
    pub start: Timestamp,
    /// Seconds that the cell covers: fewer than its step if the history began within the cell.
    pub seconds: u32,
    /// The heaviest rows by bytes, the heaviest first.
    pub rows: Vec<HistoryRow>,
    /// The traffic without a row, by direction in the order of [`Direction::ALL`].
    pub unlisted: DirectionSums,
}

impl RowsCell {
    /// The first moment after the cell.
    pub fn end(&self) -> Timestamp {
        self.start + Duration::from_secs(self.seconds.into())
    }

    /// The start of the second with the first packet of a row of this cell.
    pub fn first_seen(&self, row: &HistoryRow) -> Timestamp {
        self.start + Duration::from_secs(row.first_second.into())
    }

    /// The time of the last packet of a row of this cell.
    pub fn last_seen(&self, row: &HistoryRow) -> Timestamp {
        self.start + Duration::from_micros(row.last.into())
    }

    /// All traffic of the cell, with and without a row, by direction.
    pub fn traffic(&self) -> DirectionSums {
        let mut sums = self.unlisted;
        self.rows.iter().for_each(|row| sums[row.direction() as usize].add(row.counters()));
        sums
    }

    /// Memory in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.rows.capacity() * size_of::<HistoryRow>()
    }
}

/// Adds `other` to `sums`, direction by direction.
pub(super) fn add_sums(sums: &mut DirectionSums, other: &DirectionSums) {
    sums.iter_mut().zip(other).for_each(|(sum, other)| sum.add(*other));
}
