//! The packets of one source in its window, and its first and last targets.
//!
//! Takes packets of time cells; gives the sums of a window. Must not know limits.

use std::collections::VecDeque;

use crate::account::flow::Counters;
use crate::detect::{MAXIMUM_TARGETS, Target};
use crate::packet::Timestamp;
use crate::time_grid::Cell;

/// The most pieces of a window.
const MAXIMUM_PIECES: u32 = 100;

/// Packets and bytes in some time cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WindowSums {
    pub packets: u64,
    pub bytes: u64,
    /// The first and the last cell with packets.
    pub cells: [Cell; 2],
}

/// A window of so many time cells, in pieces of equal length: a cell each, or several where the window is long. A piece
/// leaves the window as a whole, once the last of its cells does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pieces {
    cells: u32,
    cells_in_piece: i64,
}

impl Pieces {
    pub(super) fn of(cells: u32) -> Self {
        Self { cells, cells_in_piece: i64::from(cells.div_ceil(MAXIMUM_PIECES).max(1)) }
    }

    const fn piece(self, cell: Cell) -> i64 {
        cell.0.div_euclid(self.cells_in_piece)
    }

    /// The first piece of the window that ends with `cell`.
    const fn first(self, cell: Cell) -> i64 {
        self.piece(cell.back(self.cells).next())
    }
}

/// A source that is not permitted.
#[derive(Debug, Default)]
pub(super) struct Sender {
    /// The cells with packets that are not in the window yet, in order. Few: capture threads are about as far.
    ahead: VecDeque<(Cell, Counters)>,
    /// The pieces of the window with packets, in order, each with the first of its cells that has any.
    window: VecDeque<(Cell, Counters)>,
    /// The sum of the window.
    sum: Counters,
    /// The last cell of the window with packets.
    last_cell: Cell,
    /// The cell in which the rule became true; none while it is not.
    pub since: Option<Cell>,
    /// The first targets, each once, the earliest first; at most [`MAXIMUM_TARGETS`].
    first: Vec<(Timestamp, Target)>,
    /// The last targets, each once, the latest last; at most as many.
    last: Vec<(Timestamp, Target)>,
}

impl Sender {
    /// Adds packets that it sent in a cell, which is later than the window.
    pub(super) fn add(&mut self, cell: Cell, counters: Counters) {
        let at = self.ahead.partition_point(|(of, _)| *of < cell);
        match self.ahead.get_mut(at).filter(|(of, _)| *of == cell) {
            Some((_, sums)) => sums.add(counters),
            None => self.ahead.insert(at, (cell, counters)),
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

    /// Moves the window so that it ends with `cell`.
    pub(super) fn advance(&mut self, cell: Cell, pieces: Pieces) {
        while let Some(&(next, counters)) = self.ahead.front()
            && next <= cell
        {
            self.ahead.pop_front();
            self.sum.add(counters);
            self.last_cell = next;
            match self.window.back_mut().filter(|(of, _)| pieces.piece(*of) == pieces.piece(next)) {
                Some((_, sum)) => sum.add(counters),
                None => self.window.push_back((next, counters)),
            }
        }
        let first = pieces.first(cell);
        while let Some(&(of, Counters { packets, bytes })) = self.window.front()
            && pieces.piece(of) < first
        {
            self.window.pop_front();
            self.sum.packets -= packets;
            self.sum.bytes -= bytes;
        }
    }

    /// The sums of the window; none if it has no packet.
    pub(super) fn sums(&self) -> Option<WindowSums> {
        let (first, _) = self.window.front()?;
        let Counters { packets, bytes } = self.sum;
        Some(WindowSums { packets, bytes, cells: [*first, self.last_cell] })
    }

    /// Ends the episode: the next one has its own targets.
    pub(super) fn end_episode(&mut self) {
        self.since = None;
        self.first.clear();
        self.last.clear();
    }

    /// Forgets all packets, but not that the rule is true.
    pub(super) fn forget_packets(&mut self) {
        self.ahead.clear();
        self.window.clear();
        self.sum = Counters::default();
    }

    /// The first cell with packets behind the window.
    pub(super) fn next_cell(&self) -> Option<Cell> {
        self.ahead.front().map(|(cell, _)| *cell)
    }

    /// True if nothing is known of it.
    pub(super) fn is_idle(&self) -> bool {
        self.since.is_none() && self.ahead.is_empty() && self.window.is_empty()
    }

    /// The first and the last targets.
    pub(super) fn targets(&self) -> [Vec<Target>; 2] {
        [&self.first, &self.last].map(|steps| steps.iter().map(|(_, target)| *target).collect())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        (self.ahead.capacity() + self.window.capacity()) * size_of::<(Cell, Counters)>()
            + (self.first.capacity() + self.last.capacity()) * size_of::<(Timestamp, Target)>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_packet() -> Counters {
        Counters { packets: 1, bytes: 100 }
    }

    #[test]
    fn window_of_a_day_takes_little_memory_and_is_right_within_a_hundredth() {
        const DAY: i64 = 86_400;
        let pieces = Pieces::of(DAY as u32);
        let mut sender = Sender::default();
        for second in 0..3 * DAY {
            sender.add(Cell(second), one_packet());
            sender.advance(Cell(second), pieces);
        }
        let WindowSums { packets, bytes, cells } = sender.sums().unwrap();
        assert!((DAY as u64..=(DAY + DAY / 100) as u64).contains(&packets), "{packets}");
        assert_eq!((bytes, cells[1]), (100 * packets, Cell(3 * DAY - 1)));
        assert!(sender.memory_bytes() < 8_192, "{} bytes", sender.memory_bytes());
        sender.advance(Cell(4 * DAY + DAY / 100), pieces);
        assert_eq!(sender.sums(), None);
        assert!(sender.is_idle());
    }

    #[test]
    fn short_window_is_right_to_the_cell_at_both_edges() {
        let pieces = Pieces::of(60);
        let mut sender = Sender::default();
        sender.add(Cell(5), one_packet());
        let mut packets_at = |cell| {
            sender.advance(Cell(cell), pieces);
            sender.sums().map_or(0, |sums| sums.packets)
        };
        assert_eq!([4, 5, 64, 65].map(&mut packets_at), [0, 1, 1, 0]);
    }

    proptest! {
        /// Never less than the packets of the window, and at most those of a window that is longer by a piece.
        #[test]
        fn sums_are_right_within_a_piece(
            added in prop::collection::vec((0i64..900, 1u64..9), 0..60),
            ends in prop::collection::btree_set(0i64..1_000, 1..20), cells in 1u32..350
        ) {
            let (pieces, window) = (Pieces::of(cells), i64::from(cells));
            let longest = if cells <= MAXIMUM_PIECES { window } else { window + i64::from(cells.div_ceil(MAXIMUM_PIECES)) };
            let (mut sender, mut to_add, mut all, mut behind) = (Sender::default(), added, Vec::new(), 0);
            for end in ends {
                // Some are late, and some are ahead.
                for (cell, packets) in to_add.extract_if(.., |(cell, _)| *cell <= end + 5) {
                    let cell = cell.max(behind);
                    sender.add(Cell(cell), Counters { packets, bytes: 2 * packets });
                    all.push((cell, packets));
                }
                behind = end + 1;
                sender.advance(Cell(end), pieces);
                let exact = |length: i64| {
                    all.iter().filter(|(cell, _)| *cell <= end && *cell > end - length).map(|(_, packets)| packets).sum::<u64>()
                };
                let sums = sender.sums();
                let packets = sums.map_or(0, |sums| sums.packets);
                prop_assert!((exact(window)..=exact(longest)).contains(&packets), "{} to {}: {}", exact(window), exact(longest), packets);
                prop_assert_eq!(sums.map_or(0, |sums| sums.bytes), 2 * packets);
                let latest = all.iter().map(|(cell, _)| *cell).filter(|cell| *cell <= end).max();
                prop_assert!(sums.is_none_or(|sums| Some(sums.cells[1].0) == latest && sums.cells[0] <= sums.cells[1]));
            }
        }
    }
}
