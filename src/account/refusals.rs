//! The refusals of an interval: each direction of a conversation that an ICMP error refused, once, with the time.
//!
//! Takes refused keys and times; gives them in the order of the errors. Must not know the rows of the interval.
//!
//! Refusals are stored beside the rows: they are rare, and two more times would make every row larger. The refused
//! conversation may have no row here, because it began in an earlier interval or another thread counts it. A refusal
//! never makes a row, so that forged errors cannot fill the table. No counter depends on a refusal.

use hashbrown::HashTable;

use super::conversation::{Address, ConversationKey, Way};
use crate::tables::hashing::State;

use crate::packet::Timestamp;

/// The most refusals of each IP version in an interval: as many as rows. An interval is handed over when it is half
/// full, so only a late accountant lets it become full.
pub(crate) const MAXIMUM_REFUSALS: usize = 32_768;

/// A refused direction of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused<A: Address> {
    /// The conversation, which need not have a row.
    pub key: ConversationKey<A>,
    /// The direction of the refused packet.
    pub way: Way,
    /// The time of the first error in the interval that refused it.
    pub time: Timestamp,
}

/// The refusals of one IP version in the order of their errors, bounded.
#[derive(Debug)]
pub(super) struct Refusals<A: Address> {
    most: usize,
    refused: Vec<Refused<A>>,
    /// The number of the frame with the error, for each refusal.
    noted_by: Vec<u32>,
    index: HashTable<u32>,
    lost: u64,
}

impl<A: Address> Refusals<A> {
    /// No refusals yet, at most `most` of them and [`MAXIMUM_REFUSALS`].
    pub(super) fn new(most: usize) -> Self {
        let most = most.min(MAXIMUM_REFUSALS);
        Self { most, refused: Vec::new(), noted_by: Vec::new(), index: HashTable::new(), lost: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.refused.clear();
        self.noted_by.clear();
        self.index.clear();
        self.lost = 0;
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.refused.capacity() * size_of::<Refused<A>>()
            + self.noted_by.capacity() * size_of::<u32>()
            + self.index.allocation_size()
    }

    /// Adds a refusal by the frame with this number; `hash` is the hash of its key. False if the refusal is known
    /// already, or finds no space.
    pub(super) fn note(&mut self, hash: u64, refused: Refused<A>, number: u32, state: &State) -> bool {
        if self.holds(hash, &refused.key, refused.way) {
            return false;
        }
        if self.refused.len() >= self.most {
            self.lost += 1;
            return false;
        }
        let Self { refused: known, index, .. } = self;
        index.insert_unique(hash, known.len() as u32, |&at| known[at as usize].key.hash_under(state));
        known.push(refused);
        self.noted_by.push(number);
        true
    }

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
