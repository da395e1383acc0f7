//! What ICMP errors refused between two hand-overs: each way of a conversation once, with the time.
//!
//! They stand beside the rows, not in them. A row would grow by the two times for what is rare. And a conversation that
//! began in an earlier interval, or that another thread counts, has no row here; to make one would let who forges errors
//! fill the table of those who send packets. So nothing that counts ever depends on a refusal.

use hashbrown::HashTable;

use super::conversation::{Address, ConversationKey, Way};
use crate::tables::hashing::State;

use crate::packet::Timestamp;

/// Refusals that an interval holds at most of each IP version: as many as rows. An interval is handed over at half of it,
/// so that only a late accountant lets it come to that.
pub const MAXIMUM_REFUSALS: usize = 32_768;

/// A way of a conversation that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused<A: Address> {
    /// Whose it is. It need not have a row.
    pub key: ConversationKey<A>,
    /// The way of the refused packet.
    pub way: Way,
    /// When the first error in the interval was captured that refused it.
    pub time: Timestamp,
}

/// The refusals of one IP version in the order of their errors, bounded.
#[derive(Debug)]
pub(super) struct Refusals<A: Address> {
    refused: Vec<Refused<A>>,
    /// The number of the frame that held each one's error.
    noted_by: Vec<u32>,
    index: HashTable<u32>,
    lost: u64,
}

impl<A: Address> Refusals<A> {
    pub(super) fn new() -> Self {
        Self { refused: Vec::new(), noted_by: Vec::new(), index: HashTable::new(), lost: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.refused.clear();
        self.noted_by.clear();
        self.index.clear();
        self.lost = 0;
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.refused.capacity() * size_of::<Refused<A>>() + self.index.allocation_size()
    }

    /// Holds what the frame with this number refused, whose key has this hash; false when it was known, or there is no
    /// room, which counts as lost.
    pub(super) fn note(&mut self, hash: u64, refused: Refused<A>, number: u32, state: &State) -> bool {
        if self.holds(hash, &refused.key, refused.way) {
            return false;
        }
        if self.refused.len() >= MAXIMUM_REFUSALS {
            self.lost += 1;
            return false;
        }
        let Self { refused: held, index, .. } = self;
        index.insert_unique(hash, held.len() as u32, |&at| held[at as usize].key.hash_under(state));
        held.push(refused);
        self.noted_by.push(number);
        true
    }

    /// Whether packets of the conversation that go `way` were refused.
    pub(super) fn holds(&self, hash: u64, key: &ConversationKey<A>, way: Way) -> bool {
        let is_same = |&at: &u32| self.refused[at as usize].key == *key && self.refused[at as usize].way == way;
        self.index.find(hash, is_same).is_some()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.refused.is_empty()
    }

    pub(super) fn as_slice(&self) -> &[Refused<A>] {
        &self.refused
    }

    pub(super) fn noted_by(&self) -> &[u32] {
        &self.noted_by
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}
