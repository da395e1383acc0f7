//! The view of readers on the history: closed cells of the last hour.
//!
//! Takes cells; gives them by range, and rows that are summed up over a range. Must not know how cells are filled.
//!
//! Cells of 1, 10 and 60 s cover the same time. The rows of a range are those of its own cells, and of shorter cells
//! for the seconds since the last of them ended. So a range always reaches to the last second.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::cells::{DirectionSums, RowsCell, TotalsCell, add_sums};
use super::row::{HistoryRow, InterfaceIndex, RowKey};
use super::{MINUTES, SECONDS, TENS};
use crate::account::flow::Counters;
use crate::locality::Direction;
use crate::packet::{Protocol, Timestamp};
use crate::tables::hashing::{self, State};

/// A range of time that ends with the last closed second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HistoryRange {
    /// The last 60 s.
    Live,
    /// The last 5 minutes.
    FiveMinutes,
    /// The last hour.
    Hour,
}

impl HistoryRange {
    /// All, the shortest first.
    pub const ALL: [Self; 3] = [Self::Live, Self::FiveMinutes, Self::Hour];

    /// Its name in requests.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::FiveMinutes => "5m",
            Self::Hour => "1h",
        }
    }

    /// The length of a full cell of [`HistoryView::totals`].
    pub const fn totals_step(self) -> Duration {
        match self {
            Self::Live | Self::FiveMinutes => Duration::from_secs(1),
            Self::Hour => Duration::from_secs(10),
        }
    }

    /// The length of a full cell of [`HistoryView::rows`].
    pub const fn rows_step(self) -> Duration {
        match self {
            Self::Live => Duration::from_secs(1),
            Self::FiveMinutes => Duration::from_secs(10),
            Self::Hour => Duration::from_secs(60),
        }
    }
}

/// The closed cells of one moment. Cells are shared with later views.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryView {
    /// Grows with each second that is closed, and when the clock is set; 0 before the first.
    pub number: u64,
    /// Cells of 1 s, the oldest first.
    pub(super) totals: Vec<TotalsCell>,
    /// Cells of 10 s, the oldest first.
    pub(super) totals_of_tens: Vec<TotalsCell>,
    /// Cells of 1, 10 and 60 s, the oldest first.
    pub(super) rows: [Vec<Arc<RowsCell>>; 3],
    pub(super) interfaces: Arc<[Arc<str>]>,
    /// Memory of the history in bytes: its tables, its cells and this view.
    pub memory_bytes: u64,
}

impl HistoryView {
    /// The end of the last closed second; none before the first.
    pub fn end(&self) -> Option<Timestamp> {
        self.totals.last().map(TotalsCell::end)
    }

    /// The sums of all traffic in a range: cells of [`HistoryRange::totals_step`], the oldest first, without a gap.
    pub fn totals(&self, range: HistoryRange) -> &[TotalsCell] {
        match range {
            HistoryRange::Live => &self.totals[self.totals.len().saturating_sub(SECONDS.kept)..],
            HistoryRange::FiveMinutes => &self.totals,
            HistoryRange::Hour => &self.totals_of_tens,
        }
    }

    /// The sum of [`HistoryView::totals`] and of the seconds since its last cell ended; none before the first second.
    pub fn totals_sum(&self, range: HistoryRange) -> Option<TotalsCell> {
        let cells = self.totals(range);
        let since = cells.last().map_or(Timestamp::BEFORE_ALL, TotalsCell::end);
        let recent = self.totals.iter().filter(|cell| cell.start >= since);
        cells.iter().chain(recent).copied().reduce(|mut sum, next| {
            sum.add(&next);
            sum
        })
    }

    /// The rows of a range: cells of [`HistoryRange::rows_step`], the oldest first, without a gap.
    pub fn rows(&self, range: HistoryRange) -> &[Arc<RowsCell>] {
        &self.rows[range as usize]
    }

    /// The cells of [`HistoryView::rows`], and shorter ones for the time since the last of them ended.
    pub fn all_rows(&self, range: HistoryRange) -> impl Iterator<Item = &RowsCell> {
        let mut since = Timestamp::BEFORE_ALL;
        let levels = self.rows[..=range as usize].iter().rev().map(move |cells| {
            let from = since;
            since = cells.last().map_or(since, |cell| cell.end());
            cells.iter().map(Arc::as_ref).filter(move |cell| cell.start >= from)
        });
        levels.flatten()
    }

    /// The time that [`HistoryView::all_rows`] covers.
    pub fn covered(&self, range: HistoryRange) -> Duration {
        Duration::from_secs(self.all_rows(range).map(|cell| u64::from(cell.seconds)).sum())
    }

    /// The name of an interface or file.
    pub fn interface(&self, index: InterfaceIndex) -> &str {
        self.interfaces.get(usize::from(index)).map_or("", |name| name)
    }

    /// The rows of a range, each summed up over its cells, in no particular order.
    pub fn rows_of(&self, range: HistoryRange) -> RangeRows<'_> {
        let mut positions: HashMap<RowKey, usize, State> = HashMap::with_hasher(hashing::state(self.number));
        let mut sums = RangeRows { covered: self.covered(range), ..RangeRows::default() };
        for cell in self.all_rows(range) {
            add_sums(&mut sums.unlisted, &cell.unlisted);
            for row in &cell.rows {
                match positions.entry(row.key) {
                    Entry::Occupied(entry) => sums.rows[*entry.get()].add(cell, row),
                    Entry::Vacant(entry) => {
                        entry.insert(sums.rows.len());
                        sums.rows.push(RangeRow::new(cell, row, self.interface(row.interface())));
                    }
                }
            }
        }
        sums
    }
}

const _: () = assert!(SECONDS.kept == 60 && TENS.kept == 30 && MINUTES.kept == 60);

/// The rows of a range, and the sum of its traffic without a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RangeRows<'a> {
    /// The time that the cells cover.
    pub covered: Duration,
    /// One row for each flow on each interface, and the sums of flows without one.
    pub rows: Vec<RangeRow<'a>>,
    /// The traffic without a row, by direction in the order of [`Direction::ALL`].
    pub unlisted: DirectionSums,
}

/// The traffic of a flow on one interface within a range, or of several flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeRow<'a> {
    /// The sender; none if the row is of several.
    pub source: Option<IpAddr>,
    /// The receiver; none if the row is of several.
    pub destination: Option<IpAddr>,
    /// The protocol above IP.
    pub protocol: Protocol,
    /// The port that the keying of flows takes, 0 if there is none; none if the row is of several.
    pub port: Option<u16>,
    /// True if the packets are replies: then the port is the source port.
    pub is_reply: bool,
    /// The direction of the packets.
    pub direction: Direction,
    /// The name of the interface or file.
    pub interface: &'a str,
    /// IP bytes.
    pub bytes: u64,
    /// Number of packets.
    pub packets: u64,
    /// The start of the second with the first packet.
    pub first_seen: Timestamp,
    /// The time of the last packet.
    pub last_seen: Timestamp,
}

impl<'a> RangeRow<'a> {
    fn new(cell: &RowsCell, row: &HistoryRow, interface: &'a str) -> Self {
        Self {
            source: row.source(),
            destination: row.destination(),
            protocol: row.protocol(),
            port: row.port(),
            is_reply: row.is_reply(),
            direction: row.direction(),
            interface,
            bytes: row.bytes,
            packets: row.packets,
            first_seen: cell.first_seen(row),
            last_seen: cell.last_seen(row),
        }
    }

    /// Packets and bytes.
    pub const fn counters(&self) -> Counters {
        Counters { packets: self.packets, bytes: self.bytes }
    }

    fn add(&mut self, cell: &RowsCell, row: &HistoryRow) {
        self.bytes += row.bytes;
        self.packets += row.packets;
        self.first_seen = self.first_seen.min(cell.first_seen(row));
        self.last_seen = self.last_seen.max(cell.last_seen(row));
    }
}
