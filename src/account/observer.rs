//! The observer of merged rows: the interface between the ledger and the detectors.
//!
//! Takes rows as the ledger merges them; gives them to an observer in batches, with notes of the observer's own. Must not
//! know what is observed or what the notes mean.

use super::InterfaceId;
use super::conversation::{Address, OneWay, Way};
use super::interval::Row;
use super::refusals::Refused;
use crate::packet::{Resolution, Timestamp};
use crate::tables::index::NOWHERE;

/// A conversation in one interval, as the ledger merged it.
#[derive(Debug, Clone, Copy)]
pub struct MergedRow<'a, A: Address> {
    /// The counters. They lie in one cell of the finest grid in use.
    pub row: &'a Row<A>,
    /// The interface that captured it.
    pub interface: InterfaceId,
    /// True if the ledger remembers the conversation from before. Memory is bounded: an unknown one may be old.
    pub is_known: bool,
    /// The way of requests, as the conversation's first packet decided it.
    pub request_way: Way,
    /// True for each way, forward first, that had packets in this interval or in one that the ledger remembers.
    pub seen: [bool; 2],
    /// The position at which the ledger remembers the conversation from now on; [`NOWHERE`] if it does not.
    pub remembered_at: u32,
}

/// The packets that went one way of a merged row.
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
    /// The way.
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

/// The memory of a batch, which the next one uses again.
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
    pub fn bytes(&self) -> usize {
        self.directed.capacity() * size_of::<DirectedRow<A>>() + self.notes.capacity() * size_of::<N>()
    }
}

/// Merged rows that are observed at once, their directed rows, and the observer's notes on each conversation.
#[derive(Debug)]
pub struct RowBatch<'a, A: Address, N> {
    merged: Vec<MergedRow<'a, A>>,
    /// As many entries as a batch can have; those behind `directed_count` are of earlier batches.
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

    /// Adds a row, of which there may be [`RowBatch::MOST`], with the notes of its conversation. (Both ways are written,
    /// and then those with packets are counted: a processor could not predict a branch.)
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

    /// True without merged rows.
    pub fn is_empty(&self) -> bool {
        self.merged.is_empty()
    }

    /// The merged rows, and the notes of each at the same position.
    pub fn merged(&mut self) -> (&[MergedRow<'a, A>], &mut [N]) {
        (&self.merged, &mut self.notes[..self.merged.len()])
    }

    /// The directed rows in the order of the merged ones, and the notes at the positions that [`DirectedRow::row`] gives.
    pub fn directed(&mut self) -> (&[DirectedRow<A>], &mut [N]) {
        (&self.directed[..self.directed_count], &mut self.notes)
    }

    /// Removes all rows.
    pub fn clear(&mut self) {
        self.merged.clear();
        self.directed_count = 0;
    }
}

/// Observes everything that the ledger merges.
pub trait RowObserver {
    /// The value that the ledger stores with each conversation for the observer, and shows it again with the conversation's
    /// next row. The ledger does not read it, and may replace it by the default when it runs out of memory.
    type Notes: Copy + Default;

    /// False if rows need not be shown.
    fn is_active(&self) -> bool {
        true
    }

    /// Takes merged rows. The rows of one cell come in no particular order, and rows of a capture thread that is ahead come
    /// before others of earlier cells. (A batch lets an observer with several tables go through the rows once a table: its
    /// cache lines stay near, and the misses of neighbouring rows overlap.)
    fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, Self::Notes>);

    /// Takes the refusal of a packet by an ICMP error. A row of its conversation in the interval was observed before.
    #[inline]
    fn refuse<A: Address>(&mut self, _interface: InterfaceId, _refused: &Refused<A>) {}

    /// Takes a message of address resolution.
    #[inline]
    fn resolve(&mut self, _interface: InterfaceId, _resolution: &Resolution) {}

    /// Takes the number of packets of an interface since the last call, and how many of them were lost before they could be
    /// counted. `time` is that of the packets around.
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
