//! The observer of merged rows: the interface between the ledger and the detectors.
//!
//! Takes rows as the ledger merges them; gives them to an observer in batches, with notes of the observer's own. Must
//! not know what is observed or what the notes mean.

use super::InterfaceId;
use super::conversation::{Address, OneWay, Way};
use super::flow::Counters;
use super::interval::{Interval, Row};
use super::refusals::Refused;
use crate::locality::Direction;
use crate::packet::{Resolution, Timestamp};
use crate::tables::index::NOWHERE;

/// Packets of an interval whose sources are not permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NotPermittedSums {
    /// All of them.
    pub all: u64,
    /// The part that has no row.
    pub without_row: u64,
    /// The part that the kernel dropped.
    pub dropped: u64,
}

/// A conversation in one interval, as the ledger merged it.
#[derive(Debug, Clone, Copy)]
pub struct MergedRow<'a, A: Address> {
    /// The counters. They lie in one cell of the finest grid in use.
    pub row: &'a Row<A>,
    /// The interface that captured it.
    pub interface: InterfaceId,
    /// True if the ledger remembered the conversation. Its memory is bounded, so an unknown conversation may be an old
    /// one.
    pub is_known: bool,
    /// The direction of requests, as the first packet of the conversation decided it.
    pub request_way: Way,
    /// True for each direction, forward first, that has had packets in this interval or while the ledger remembered it.
    pub seen: [bool; 2],
    /// The position of the conversation in the ledger's memory from now on; [`NOWHERE`] if it is not remembered.
    pub remembered_at: u32,
}

/// One direction of a merged row.
#[derive(Debug, Clone, Copy)]
pub struct DirectedRow<A> {
    /// The sender.
    pub source: A,
    /// The receiver.
    pub destination: A,
    /// IP bytes.
    pub bytes: u64,
    /// The time of the last packet.
    pub last: Timestamp,
    /// The position of the merged row, and of its notes, in the batch.
    pub row: u32,
    /// Forward or backward.
    pub way: Way,
}

impl<A: Address> DirectedRow<A> {
    const BLANK: Self = Self {
        source: A::BLANK,
        destination: A::BLANK,
        bytes: 0,
        last: Timestamp::from_nanoseconds(0),
        row: NOWHERE,
        way: Way::Forward,
    };
}

/// The memory of a batch, which the next batch uses again.
#[derive(Debug)]
pub struct BatchMemory<A, N> {
    directed: Vec<DirectedRow<A>>,
    notes: Vec<N>,
}

impl<A, N> Default for BatchMemory<A, N> {
    fn default() -> Self {
        Self { directed: Vec::new(), notes: Vec::new() }
    }
}

impl<A, N> BatchMemory<A, N> {
    /// Its size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.directed.capacity() * size_of::<DirectedRow<A>>() + self.notes.capacity() * size_of::<N>()
    }
}

/// Merged rows that are observed at once, their directed rows, and the observer's notes on each conversation.
#[derive(Debug)]
pub struct RowBatch<'a, A: Address, N> {
    merged: Vec<MergedRow<'a, A>>,
    /// As many entries as a batch can have. Those from `directed_count` on belong to earlier batches.
    directed: Vec<DirectedRow<A>>,
    directed_count: usize,
    notes: Vec<N>,
}

impl<'a, A: Address, N: Copy + Default> RowBatch<'a, A, N> {
    /// The most merged rows in one batch: all of it fits into a processor's second-level cache.
    pub const MOST: usize = 256;

    /// A batch for an observer that is not active: it has no memory and takes no rows.
    pub(crate) const fn unobserved() -> Self {
        Self { merged: Vec::new(), directed: Vec::new(), directed_count: 0, notes: Vec::new() }
    }

    /// An empty batch in the memory of an earlier one.
    pub fn new(memory: BatchMemory<A, N>) -> Self {
        let BatchMemory { mut directed, mut notes } = memory;
        directed.resize(2 * Self::MOST, DirectedRow::BLANK);
        notes.resize(Self::MOST, N::default());
        Self { merged: Vec::with_capacity(Self::MOST), directed, directed_count: 0, notes }
    }

    pub(crate) fn into_memory(self) -> BatchMemory<A, N> {
        BatchMemory { directed: self.directed, notes: self.notes }
    }

    /// Adds a row with the notes of its conversation; at most [`RowBatch::MOST`] rows are allowed. (Both directions are
    /// written in any case, and only those with packets are kept: a processor could not predict a branch.)
    #[inline(always)]
    pub fn add(&mut self, merged: MergedRow<'a, A>, notes: N) {
        let row = merged.row;
        let position = self.merged.len();
        let (low, high) = row.key.endpoints(Way::Forward);
        let ends = [[low.address, high.address], [high.address, low.address]];
        for (way, [source, destination]) in Way::BOTH.into_iter().zip(ends) {
            let OneWay { bytes, last, packets, .. } = row.ways[way as usize];
            self.directed[self.directed_count] =
                DirectedRow { source, destination, bytes, last, row: position as u32, way };
            self.directed_count += usize::from(packets > 0);
        }
        self.notes[position] = notes;
        self.merged.push(merged);
    }

    /// The number of merged rows.
    pub fn len(&self) -> usize {
        self.merged.len()
    }

    /// True if there is no merged row.
    pub fn is_empty(&self) -> bool {
        self.merged.is_empty()
    }

    /// The merged rows, and the notes of each at the same position.
    pub fn merged(&mut self) -> (&[MergedRow<'a, A>], &mut [N]) {
        (&self.merged, &mut self.notes[..self.merged.len()])
    }

    /// The directed rows in the order of the merged ones, and the notes at the positions that [`DirectedRow::row`]
    /// gives.
    pub fn directed(&mut self) -> (&[DirectedRow<A>], &mut [N]) {
        (&self.directed[..self.directed_count], &mut self.notes)
    }

    /// Removes all rows.
    pub fn clear(&mut self) {
        self.merged.clear();
        self.directed_count = 0;
    }
}

/// The sums of an interval that none of its rows has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowlessSums {
    /// IP packets and bytes that found no space for a row, in the order of [`Direction::ALL`].
    pub overflow: [Counters; Direction::ALL.len()],
    /// Frames that are not IP.
    pub not_ip: u64,
}

impl RowlessSums {
    /// Adds those of another interval.
    pub(super) fn add(&mut self, interval: &Interval) {
        for ((direction, ..), counters) in interval.overflow().iter() {
            self.overflow[direction as usize].add(counters);
        }
        self.not_ip += interval.not_ip().iter().sum::<u64>();
    }
}

/// Observes everything that the ledger merges.
pub trait RowObserver {
    /// The notes of the observer on a conversation. The ledger stores them and gives them back with the next row of the
    /// conversation. It does not read them, and may replace them by the default when its memory is full.
    type Notes: Copy + Default;

    /// False if rows need not be shown.
    fn is_active(&self) -> bool {
        true
    }

    /// Takes the name of the interface whose rows follow, and the packets of sources that are not permitted and have no
    /// row.
    fn enter(&mut self, _interface: InterfaceId, _name: &str, _not_permitted: NotPermittedSums) {}

    /// Takes merged rows. The rows of one time cell come in no particular order. A capture thread that is ahead may
    /// give rows of a later cell first. (Rows come in batches, so that an observer can go through all of them for one
    /// table after the other: cache lines stay near, and cache misses overlap.)
    fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, Self::Notes>);

    /// Takes the sums of the interval whose rows were shown since [`RowObserver::enter`] that none of them has.
    fn count_rowless(&mut self, _sums: &RowlessSums) {}

    /// Takes the refusal of a packet by an ICMP error. A row of its conversation in the interval was observed before.
    #[inline]
    fn refuse<A: Address>(&mut self, _interface: InterfaceId, _refused: &Refused<A>) {}

    /// Takes a message of address resolution.
    #[inline]
    fn resolve(&mut self, _interface: InterfaceId, _resolution: &Resolution) {}

    /// Takes the number of packets of an interface since the last call, and the number of them that were lost
    /// uncounted. `time` is about the time of these packets.
    fn note_lost(&mut self, _interface: InterfaceId, _packets: u64, _lost: u64, _time: Timestamp) {}

    /// Forgets an interface that no longer exists.
    fn forget_interface(&mut self, _interface: InterfaceId) {}
}

/// Observes nothing.
impl RowObserver for () {
    type Notes = ();

    fn is_active(&self) -> bool {
        false
    }

    fn observe<A: Address>(&mut self, _: &mut RowBatch<'_, A, ()>) {}
}
