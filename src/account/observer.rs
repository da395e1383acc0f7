//! What the ledger tells of each row that it merges, to who watches.

use super::conversation::{Address, OneWay, Way};
use super::interface::InterfaceId;
use super::interval::Row;
use super::refusals::Refused;
use crate::packet::Timestamp;
use crate::tables::index::NOWHERE;

/// Where who watches found what it holds of one way of a conversation, so that it need not be looked up again: kept with
/// the conversation for as long as that is remembered, or forgotten. What is at a position may be another's by then: who
/// follows a bookmark looks whose it is. They are those of one watcher, which lives as long as the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotHints {
    /// The source.
    pub source: u32,
    /// The pair of source and destination, or that it is not held.
    pub pair: u32,
}

impl Default for SlotHints {
    fn default() -> Self {
        Self { source: NOWHERE, pair: NOWHERE }
    }
}

/// A word that the observer keeps with a conversation; the ledger does not read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ObserverNote(pub u32);

/// A conversation in one interval, as the ledger merged it.
#[derive(Debug, Clone, Copy)]
pub struct MergedRow<'a, A: Address> {
    /// What was counted. It lies in one cell of the finest grid in use.
    pub row: &'a Row<A>,
    /// Where it was captured.
    pub interface: InterfaceId,
    /// Whether the conversation is remembered from an earlier interval. One that is not may still be an old one: memory
    /// is bounded.
    pub is_known: bool,
    /// The way of requests, as the conversation's first packet decided it.
    pub request_way: Way,
    /// Whether packets of either way, up first, were seen in this or, as far as it is remembered, an earlier interval.
    pub seen: [bool; 2],
    /// Where the ledger remembers the conversation from here on; [`NOWHERE`] if it does not.
    pub remembered_at: u32,
    /// What was heeded of it when it was told of last; kept with it.
    pub note: ObserverNote,
}

/// What went one way of a conversation in one interval.
#[derive(Debug, Clone, Copy)]
pub struct DirectedRow<A> {
    /// Who sent it.
    pub source: A,
    /// Who received it.
    pub destination: A,
    /// IP bytes.
    pub bytes: u64,
    /// When the last packet was captured.
    pub last: Timestamp,
    /// The bookmarks of this way; kept with the conversation.
    pub hints: SlotHints,
    /// As in [`MergedRow`].
    pub remembered_at: u32,
    /// Which way it is.
    pub way: Way,
}

impl<A: Address> DirectedRow<A> {
    const BLANK: Self = Self {
        source: A::BLANK,
        destination: A::BLANK,
        bytes: 0,
        last: Timestamp::from_nanoseconds(0),
        hints: SlotHints { source: NOWHERE, pair: NOWHERE },
        remembered_at: NOWHERE,
        way: Way::Up,
    };
}

/// Rows that are told of at once.
#[derive(Debug)]
pub struct RowBatch<'a, A: Address> {
    merged: Vec<MergedRow<'a, A>>,
    /// What is told, and behind it what was told before.
    directed: Vec<DirectedRow<A>>,
    count: usize,
}

impl<'a, A: Address> RowBatch<'a, A> {
    /// The most rows that one holds. What is told of them fits into a processor's second-level cache.
    pub const MOST: usize = 256;

    /// Of none, and for none: without memory.
    #[must_use]
    pub const fn for_nobody() -> Self {
        Self { merged: Vec::new(), directed: Vec::new(), count: 0 }
    }

    /// Of none yet, in memory that was that of another batch.
    #[must_use]
    pub fn in_place_of(mut directed: Vec<DirectedRow<A>>) -> Self {
        directed.resize(2 * Self::MOST, DirectedRow::BLANK);
        Self { merged: Vec::with_capacity(Self::MOST), directed, count: 0 }
    }

    /// Its memory, for another one.
    #[must_use]
    pub fn into_memory(self) -> Vec<DirectedRow<A>> {
        self.directed
    }

    /// Adds a row, of which there is room for [`RowBatch::MOST`], with the bookmarks of both ways, up first. (Both ways are
    /// written, and then one counts that has packets: which of them have is nothing that a processor could guess.)
    #[inline(always)]
    pub fn add(&mut self, merged: MergedRow<'a, A>, hints: [SlotHints; 2]) {
        let MergedRow { row, remembered_at, .. } = merged;
        let (low, high) = row.key.endpoints(Way::Up);
        let ends = [[low.address, high.address], [high.address, low.address]];
        for (way, [source, destination]) in Way::BOTH.into_iter().zip(ends) {
            let OneWay { bytes, last, packets, .. } = row.ways[way as usize];
            let hints = hints[way as usize];
            self.directed[self.count] = DirectedRow { source, destination, bytes, last, hints, remembered_at, way };
            self.count += usize::from(packets > 0);
        }
        self.merged.push(merged);
    }

    /// How many rows it is of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.merged.len()
    }

    /// Whether it is of none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.merged.is_empty()
    }

    /// The rows.
    #[must_use]
    pub fn merged(&mut self) -> &mut [MergedRow<'a, A>] {
        &mut self.merged
    }

    /// The ways of the rows that have packets, in the same order.
    #[must_use]
    pub fn directed(&mut self) -> &mut [DirectedRow<A>] {
        &mut self.directed[..self.count]
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.merged.clear();
        self.count = 0;
    }
}

/// Who is told of all that is merged.
pub trait RowObserver {
    /// Whether there is anybody who wants to be told of rows.
    fn is_there(&self) -> bool {
        true
    }

    /// Takes in rows. Rows of one cell come in no particular order, and those of a capture thread that is ahead before
    /// others of earlier cells. (Many at once: who keeps several tables goes through the rows with each of them in turn. Its
    /// lines stay in the processor's caches, and the misses of neighbouring rows overlap.)
    fn observe<A: Address>(&mut self, batch: &mut RowBatch<'_, A>);

    /// Takes in that an ICMP error refused a packet. Its conversation need not have a row in the same interval; if it has
    /// one, that was seen before.
    #[inline]
    fn refuse<A: Address>(&mut self, _interface: InterfaceId, _refused: &Refused<A>) {}

    /// Takes in how many packets of an interface there were and how many of them were lost, so that nobody saw them, since
    /// this was last said; `time` is that of the packets around.
    fn note_lost(&mut self, _interface: InterfaceId, _packets: u64, _lost: u64, _time: Timestamp) {}

    /// Forgets an interface that does not exist any more.
    fn forget_interface(&mut self, _interface: InterfaceId) {}
}

/// Nobody.
impl RowObserver for () {
    fn is_there(&self) -> bool {
        false
    }

    fn observe<A: Address>(&mut self, _: &mut RowBatch<'_, A>) {}
}
