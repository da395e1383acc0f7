//! Hash → position of a key that is kept elsewhere.
//!
//! A hash table by itself tells keys apart by 7 bits of their hash, so that about one look-up in sixteen for a key that is
//! not held would have to read another key, far away in memory. Here 32 bits more stand beside the position: of a flood
//! of ever new keys hardly any look-up goes past the index.

use hashbrown::HashTable;

/// Where a key is, and a part of its hash.
#[derive(Debug, Clone, Copy)]
struct Slot {
    check: u32,
    at: u32,
}

/// Bits that neither the table's 7 are taken from nor the place in any table that fits into memory.
#[inline(always)]
const fn check(hash: u64) -> u32 {
    (hash >> 25) as u32
}

/// Up to so many positions memory is doubled as it is needed; then it is taken for all at once. To move to ever larger
/// tables costs as much as to fill the last one, and memory that is new to the process more than both.
const FEW: usize = 4_096;
/// Nor is it taken for more than so many before they are there.
const MOST: usize = 262_144;

/// The positions of keys, by their hashes.
#[derive(Debug)]
pub struct Index {
    slots: HashTable<Slot>,
    limit: usize,
}

impl Index {
    /// Empty, without memory, for about `limit` positions.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { slots: HashTable::new(), limit }
    }

    /// The position for which `is_it` holds, of those whose keys may have this hash.
    #[must_use]
    #[inline(always)]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let found = self.slots.find(hash, |slot| slot.check == check(hash) && is_it(slot.at));
        found.map(|slot| slot.at)
    }

    /// Adds the position of a key that has none. `hash_of` gives the hash of the key at any position held.
    pub fn insert(&mut self, hash: u64, at: u32, hash_of: impl Fn(u32) -> u64) {
        if self.slots.len() == self.slots.capacity() && self.slots.len() >= FEW {
            let more = self.limit.min(MOST).saturating_sub(self.slots.len());
            self.slots.reserve(more, |slot| hash_of(slot.at));
        }
        self.slots.insert_unique(hash, Slot { check: check(hash), at }, |slot| hash_of(slot.at));
    }

    /// Takes the position of the key with this hash out; false if it is not there.
    pub fn remove(&mut self, hash: u64, at: u32) -> bool {
        self.slots.find_entry(hash, |slot| slot.at == at).map(|found| found.remove()).is_ok()
    }

    /// How many positions it holds.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it holds none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Forgets all positions.
    pub fn clear(&mut self) {
        self.slots.clear();
    }

    /// The memory that it takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.slots.allocation_size()
    }
}
