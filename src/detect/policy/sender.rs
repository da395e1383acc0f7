//! The packets of one source in its window, and its first and last targets.
//!
//! Takes packets of time cells; gives the sums of a window. Must not know limits.

use std::collections::VecDeque;

use crate::account::flow::Counters;
use crate::detect::{MAXIMUM_TARGETS, Target};
use crate::packet::Timestamp;
use crate::time_grid::Cell;

/// Packets and bytes in some time cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WindowSums {
    pub packets: u64,
    pub bytes: u64,
    /// The first and the last cell with packets.
    pub cells: [Cell; 2],
}

/// A source that is not permitted.
#[derive(Debug, Default)]
pub(super) struct Sender {
    /// The cells with packets, in order.
    cells: VecDeque<(Cell, Counters)>,
    /// The cell in which the rule became true; none while it is not.
    pub since: Option<Cell>,
    /// The first targets, each once, the earliest first; at most [`MAXIMUM_TARGETS`].
    first: Vec<(Timestamp, Target)>,
    /// The last targets, each once, the latest last; at most as many.
    last: Vec<(Timestamp, Target)>,
}

impl Sender {
    /// Adds packets that it sent in a cell.
    pub(super) fn add(&mut self, cell: Cell, counters: Counters) {
        let at = self.cells.partition_point(|(of, _)| *of < cell);
        match self.cells.get_mut(at).filter(|(of, _)| *of == cell) {
            Some((_, sums)) => sums.add(counters),
            None => self.cells.insert(at, (cell, counters)),
        }
    }

    /// Notes the times of the first and of the last packet to a target.
    pub(super) fn note_target(&mut self, target: Target, [first, last]: [Timestamp; 2]) {
        if !self.first.iter().any(|(_, known)| *known == target) {
            self.first.insert(self.first.partition_point(|(time, _)| *time <= first), (first, target));
            self.first.truncate(MAXIMUM_TARGETS);
        }
        self.last.retain(|(time, known)| *known != target || *time > last);
        if !self.last.iter().any(|(_, known)| *known == target) {
            self.last.insert(self.last.partition_point(|(time, _)| *time <= last), (last, target));
            let surplus = self.last.len().saturating_sub(MAXIMUM_TARGETS);
            self.last.drain(..surplus);
        }
    }

    /// The sums of the cells up to `cell`; none if they have no packet.
    pub(super) fn sums_to(&self, cell: Cell) -> Option<WindowSums> {
        let mut cells = self.cells.iter().take_while(|(of, _)| *of <= cell);
        let &(first, Counters { packets, bytes }) = cells.next()?;
        let sums = WindowSums { packets, bytes, cells: [first; 2] };
        Some(cells.fold(sums, |sums, &(cell, Counters { packets, bytes })| WindowSums {
            packets: sums.packets + packets,
            bytes: sums.bytes + bytes,
            cells: [first, cell],
        }))
    }

    /// Forgets the cells up to `cell`.
    pub(super) fn forget_to(&mut self, cell: Cell) {
        let gone = self.cells.partition_point(|(of, _)| *of <= cell);
        self.cells.drain(..gone);
    }

    /// Ends the episode: the next one has its own targets.
    pub(super) fn end_episode(&mut self) {
        self.since = None;
        self.first.clear();
        self.last.clear();
    }

    /// Forgets all packets, but not that the rule is true.
    pub(super) fn forget_packets(&mut self) {
        self.cells.clear();
    }

    /// The first cell with packets from `from` on.
    pub(super) fn next_cell(&self, from: Cell) -> Option<Cell> {
        self.cells.get(self.cells.partition_point(|(of, _)| *of < from)).map(|(of, _)| *of)
    }

    /// True if nothing is known of it.
    pub(super) fn is_idle(&self) -> bool {
        self.since.is_none() && self.cells.is_empty()
    }

    /// The first and the last targets.
    pub(super) fn targets(&self) -> [Vec<Target>; 2] {
        [&self.first, &self.last].map(|steps| steps.iter().map(|(_, target)| *target).collect())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.cells.capacity() * size_of::<(Cell, Counters)>()
            + (self.first.capacity() + self.last.capacity()) * size_of::<(Timestamp, Target)>()
    }
}
