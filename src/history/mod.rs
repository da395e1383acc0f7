//! The history: the traffic of the last hour in cells of packet time, for the dashboard.
//!
//! Takes merged rows, counters of captures and packet time; gives [`HistoryView`]s of closed cells. Must not know
//! requests, nor read a clock.
//!
//! The totals of a cell are exact. Of its rows the heaviest stay: the table of an open cell is bounded and keeps the
//! heavy ones ([`crate::tables::heavy`]), and a closed cell keeps fewer. The other rows are added up by what they have in
//! common, so that a host with thousands of small flows is seen. What has no row at last is the cell's `unlisted` sum.

mod cells;
mod condense;
mod levels;
mod names;
mod open;
mod row;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::account::FlowKeying;
use crate::account::conversation::{Address, OneWay, Way};
use crate::account::interval::Row;
use crate::account::observer::{RowBatch, RowlessSums};
use crate::packet::Timestamp;
use crate::tables::sampling::{Sampling, Seeds};
use crate::time_grid::{Cell, TimeGrid};
use cells::add_sums;
pub use cells::{DirectionSums, RowsCell, TotalsCell};
use levels::{LevelSize, Levels};
use names::InterfaceNames;
use open::OpenRows;
use row::RowKey;
pub use row::{HistoryRow, InterfaceIndex};
pub use view::{HistoryRange, HistoryView, RangeRow, RangeRows};

/// The size of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The history has one row in so many of its full size: 1, 2 or 4.
    pub divisor: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { divisor: 1 }
    }
}

/// The grid of the shortest cells. An interval must lie in one cell of it.
pub const GRID: TimeGrid = TimeGrid::SECONDS;

/// Kept cells of 1 s without rows.
const TOTALS_OF_SECONDS: usize = 300;
/// Kept cells of 10 s without rows.
const TOTALS_OF_TENS: usize = 360;
const SECONDS: LevelSize = LevelSize { step: 1, kept: 60, rows: 320, open_rows: 4_096 };
const TENS: LevelSize = LevelSize { step: 10, kept: 30, rows: 1_024, open_rows: 8_192 };
const MINUTES: LevelSize = LevelSize { step: 60, kept: 60, rows: 640, open_rows: 4_096 };

/// The longest time that is kept, in seconds.
const KEPT_SECONDS: u32 = 3_600;

/// Seconds that are open at once: capture threads are ahead of packet time, which is that of the slowest, by a tick and
/// by the read timeout of a thread without frames. Earlier rows count in the first of them, later ones in the last.
const OPEN_SECONDS: usize = 3;

/// A second that rows still count in.
#[derive(Debug)]
struct OpenSecond {
    totals: TotalsCell,
    rows: OpenRows,
}

/// The traffic of the last hour. Only the accountant writes it.
#[derive(Debug)]
pub struct History {
    keying: FlowKeying,
    state: Sampling,
    names: InterfaceNames,
    /// The interface whose rows come.
    interface: InterfaceIndex,
    /// The first open second; none before the first frame.
    first: Option<Cell>,
    open: VecDeque<OpenSecond>,
    /// The position of the open second in which the last row counted.
    latest: usize,
    levels: Levels,
    number: u64,
}

impl History {
    /// An empty history of flows that are keyed by `keying`. With the same `seeds` the same rows stay, also past the
    /// limits.
    pub fn new(keying: FlowKeying, seeds: impl Into<Seeds>) -> Self {
        Self::sized(keying, seeds, &Config::default())
    }

    /// As [`History::new`], of the size in `config`.
    pub fn sized(keying: FlowKeying, seeds: impl Into<Seeds>, config: &Config) -> Self {
        let divisor = config.divisor.clamp(1, 4);
        let open_rows = SECONDS.divided(divisor).open_rows;
        let second = || OpenSecond { totals: TotalsCell::default(), rows: OpenRows::new(open_rows) };
        Self {
            keying,
            state: Sampling::new(seeds.into().sampling),
            names: InterfaceNames::default(),
            interface: 0,
            first: None,
            open: (0..OPEN_SECONDS).map(|_| second()).collect(),
            latest: 0,
            levels: Levels::new(divisor),
            number: 0,
        }
    }

    /// Takes the name of the interface or file whose rows follow.
    pub fn enter(&mut self, name: &str) {
        let now = self.first.unwrap_or_default();
        self.interface = self.names.number(name, now, now.back(KEPT_SECONDS + MINUTES.step as u32));
        self.latest = 0;
    }

    /// Takes merged rows. Each direction counts in the second of its last packet, if that is open.
    pub fn observe<A: Address, N: Copy + Default>(&mut self, rows: &mut RowBatch<'_, A, N>) {
        for merged in rows.merged().0 {
            let row = merged.row;
            row.each_way(|way, counted| self.count(row, way, counted, merged.request_way));
        }
    }

    #[inline(always)]
    fn count<A: Address>(&mut self, row: &Row<A>, way: Way, counted: &OneWay, request_way: Way) {
        let (source, destination) = row.key.endpoints(way);
        let service = self.keying.port_and_reply(source.port, destination.port, way == request_way);
        let (protocol, direction) = (row.key.protocol(), counted.direction);
        let addresses = (source.address, destination.address);
        let (key, hash) = RowKey::new(addresses, self.interface, service, protocol, direction, &self.state);
        self.latest = self.position(counted.last);
        let second = &mut self.open[self.latest];
        let last = microseconds(second.totals.start, counted.last);
        let row = HistoryRow { key, bytes: counted.bytes, packets: counted.packets.into(), first_second: 0, last };
        second.totals.traffic[direction as usize].add(row.counters());
        second.rows.add(hash, row, &self.state);
    }

    /// Takes the sums that the interval of the last rows has beside them. They count in the second of the last row, or in
    /// the first open one if there was no row.
    pub fn count_rowless(&mut self, sums: &RowlessSums) {
        let second = &mut self.open[self.latest];
        add_sums(&mut second.totals.traffic, &sums.overflow);
        second.rows.add_unlisted(&sums.overflow);
        second.totals.not_ip += sums.not_ip;
    }

    /// Takes the packets that the kernel and the network interface dropped during the interval of the last rows. They
    /// count as [`History::count_rowless`] says.
    pub fn count_dropped(&mut self, by_kernel: u64, by_interface: u64) {
        let totals = &mut self.open[self.latest].totals;
        totals.dropped_by_kernel += by_kernel;
        totals.dropped_by_interface += by_interface;
    }

    /// The position of the open second that a packet of `time` counts in.
    #[inline(always)]
    fn position(&mut self, time: Timestamp) -> usize {
        let cell = GRID.cell(time);
        let first = match self.first {
            Some(first) => first,
            None => self.begin(cell),
        };
        (cell.0 - first.0).clamp(0, OPEN_SECONDS as i64 - 1) as usize
    }

    /// Opens the seconds from `first` on. They keep what was counted before.
    #[cold]
    fn begin(&mut self, first: Cell) -> Cell {
        self.first = Some(first);
        for (second, ahead) in self.open.iter_mut().zip(0..) {
            (second.totals.start, second.totals.seconds) = (GRID.start(Cell(first.0 + ahead)), 1);
        }
        first
    }

    /// Closes the seconds that end by `watermark`. Only late packets are older than the watermark.
    pub fn advance(&mut self, watermark: Timestamp) {
        let next = GRID.cell(watermark);
        let first = self.first.unwrap_or_else(|| self.begin(next));
        if next.0 - first.0 > i64::from(KEPT_SECONDS) {
            return self.restart(watermark);
        }
        (first.0..next.0).for_each(|second| self.close(Cell(second)));
    }

    /// Closes the first open second, which is `cell`.
    fn close(&mut self, cell: Cell) {
        let Some(mut second) = self.open.pop_front() else { return };
        self.levels.take(cell, second.totals, &mut second.rows, &self.state);
        let last = Cell(cell.0 + OPEN_SECONDS as i64);
        second.totals = TotalsCell { start: GRID.start(last), seconds: 1, ..TotalsCell::default() };
        self.open.push_back(second);
        self.first = Some(cell.next());
        self.latest = 0;
        self.number += 1;
    }

    /// Starts again at `to`, without any cell: the packets' clock was set, or stood still for longer than is kept.
    pub fn restart(&mut self, to: Timestamp) {
        for second in &mut self.open {
            second.totals = TotalsCell::default();
            second.rows.clear();
        }
        self.levels.clear();
        self.names = InterfaceNames::default();
        (self.interface, self.latest) = (0, 0);
        self.number += 1;
        self.begin(GRID.cell(to));
    }

    /// Closes the seconds until `end`, the end of the last cell of any grid. No packet follows.
    pub fn finish(&mut self, end: Timestamp) {
        self.advance(GRID.end(GRID.cell(end - Duration::from_nanos(1))));
    }

    /// Grows with each closed second, and when the history starts again.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The closed cells, for readers.
    pub fn view(&self) -> HistoryView {
        let Levels { totals, totals_of_tens, .. } = &self.levels;
        HistoryView {
            number: self.number,
            totals: totals.iter().copied().collect(),
            totals_of_tens: totals_of_tens.iter().copied().collect(),
            rows: self.levels.closed(),
            interfaces: Arc::clone(self.names.shared()),
            memory_bytes: self.memory_bytes() as u64,
        }
    }

    /// Memory in bytes, with the view that was published last.
    pub fn memory_bytes(&self) -> usize {
        let open: usize = self.open.iter().map(|second| size_of::<OpenSecond>() + second.rows.memory_bytes()).sum();
        open + self.names.memory_bytes() + self.levels.memory_bytes() + self.levels.view_bytes()
    }
}

/// Microseconds from the start of a second to `time`, within the second.
#[inline(always)]
fn microseconds(start: Timestamp, time: Timestamp) -> u32 {
    let nanoseconds = time.nanoseconds().saturating_sub(start.nanoseconds());
    (nanoseconds / 1_000).clamp(0, 999_999) as u32
}

#[cfg(test)]
mod tests;
