//! Entries at fixed positions, found by the hashes of their keys: a dense vector, a free list and an index.
//!
//! Takes entries and a limit; gives positions, which stay valid until the entry is removed. Must not know which entry
//! has to leave at the limit: that is the policy of the table around it.

use std::hash::BuildHasher;

use super::hashing::State;
use super::index::{self, Index, NOWHERE};

/// An entry of a [`Slab`]: it can hash its key.
pub trait Keyed {
    /// The hash of its key under `state`.
    fn hash_under<S: BuildHasher>(&self, state: &S) -> u64;
}

/// A bounded number of entries. A removed entry keeps its value until its position is used again. So an owner that
/// visits all positions must mark the entries that it removes.
#[derive(Debug)]
pub struct Slab<T, const IS_FILTERED: bool = false> {
    limit: usize,
    state: State,
    index: Index<IS_FILTERED>,
    entries: Vec<T>,
    free: Vec<u32>,
    /// The hash and the position of the entry that [`Slab::find_again`] found last.
    recent: (u64, u32),
}

impl<T: Keyed, const IS_FILTERED: bool> Slab<T, IS_FILTERED> {
    /// An empty slab without memory. The caller must not insert more than `limit` entries.
    pub const fn new(limit: usize, state: State) -> Self {
        Self { limit, state, index: Index::new(limit), entries: Vec::new(), free: Vec::new(), recent: (0, NOWHERE) }
    }

    /// The most entries that it should hold.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Sets the most entries. More may be in it already.
    pub const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.index.set_limit(limit);
    }

    /// The hash state of its keys.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The number of entries that can be found.
    #[inline]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True if no entry can be found.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The number of positions that were ever used.
    pub const fn positions(&self) -> usize {
        self.entries.len()
    }

    /// The number of positions that are in use now.
    #[inline]
    pub const fn used(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// The position of the entry with this hash for which `is_it` holds.
    #[inline(always)]
    pub fn find(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<u32> {
        self.index.find(hash, |at| is_it(&self.entries[at as usize]))
    }

    /// As [`Slab::find`], but first tries the entry that this method found last: packets of one source come in a row.
    #[inline(always)]
    pub fn find_again(&mut self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<u32> {
        let (recent_hash, at) = self.recent;
        if recent_hash == hash && self.get(at).is_some_and(&is_it) {
            return Some(at);
        }
        let found = self.find(hash, is_it)?;
        self.recent = (hash, found);
        Some(found)
    }

    /// True if an entry may have this hash. Reads no entry. It is hardly ever true without such an entry.
    #[inline(always)]
    pub fn may_contain(&self, hash: u64) -> bool {
        self.index.guess(hash) != NOWHERE
    }

    /// The entry at a position, if the position was ever used.
    #[inline(always)]
    pub fn get(&self, at: u32) -> Option<&T> {
        self.entries.get(at as usize)
    }

    /// All positions with their entries, removed ones included.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(&self.entries)
    }

    /// Adds an entry whose key has this hash and is not in the slab.
    pub fn insert(&mut self, hash: u64, entry: T) -> u32 {
        let at = match self.free.pop() {
            Some(at) => {
                self.entries[at as usize] = entry;
                at
            }
            None => {
                index::push(&mut self.entries, entry, self.limit);
                (self.entries.len() - 1) as u32
            }
        };
        let Self { index, entries, state, .. } = self;
        index.insert(hash, at, |at| entries[at as usize].hash_under(state));
        self.recent = (hash, at);
        at
    }

    /// Removes the entry at a position and frees the position; false if it was removed before.
    pub fn remove(&mut self, at: u32) -> bool {
        let is_there = self.hide(at);
        if is_there {
            self.free(at);
        }
        is_there
    }

    /// Removes the entry from the index. Its position stays in use until [`Slab::free`].
    pub fn hide(&mut self, at: u32) -> bool {
        if self.recent.1 == at {
            self.recent.1 = NOWHERE;
        }
        self.index.remove(self.entries[at as usize].hash_under(&self.state), at)
    }

    /// Frees the position of an entry that cannot be found any more.
    pub fn free(&mut self, at: u32) {
        self.free.push(at);
    }

    /// Removes all entries and keeps the memory.
    pub fn clear(&mut self) {
        self.index.clear();
        self.entries.clear();
        self.free.clear();
        self.recent.1 = NOWHERE;
    }

    /// Memory in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<T>() + self.free.capacity() * size_of::<u32>() + self.index.memory_bytes()
    }
}

impl<T, const IS_FILTERED: bool> std::ops::Index<u32> for Slab<T, IS_FILTERED> {
    type Output = T;

    #[inline(always)]
    fn index(&self, at: u32) -> &T {
        &self.entries[at as usize]
    }
}

impl<T, const IS_FILTERED: bool> std::ops::IndexMut<u32> for Slab<T, IS_FILTERED> {
    #[inline(always)]
    fn index_mut(&mut self, at: u32) -> &mut T {
        &mut self.entries[at as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::hashing;

    impl Keyed for u64 {
        fn hash_under<S: BuildHasher>(&self, state: &S) -> u64 {
            state.hash_one(self)
        }
    }

    fn add(slab: &mut Slab<u64>, key: u64) -> u32 {
        slab.insert(key.hash_under(&hashing::state(1)), key)
    }

    fn find(slab: &mut Slab<u64>, key: u64) -> Option<u32> {
        slab.find_again(key.hash_under(&hashing::state(1)), |entry| *entry == key)
    }

    #[test]
    fn removed_entry_is_not_found_and_its_position_is_used_again() {
        let mut slab = Slab::new(4, hashing::state(1));
        let positions = [5, 6, 7].map(|key| add(&mut slab, key));
        assert_eq!(positions, [0, 1, 2]);
        assert_eq!([5, 6, 7, 8].map(|key| find(&mut slab, key)), [Some(0), Some(1), Some(2), None]);
        assert!(slab.remove(2) && !slab.remove(2));
        assert_eq!((find(&mut slab, 7), slab.len(), slab.used(), slab.positions()), (None, 2, 2, 3));
        assert_eq!((add(&mut slab, 9), find(&mut slab, 9), find(&mut slab, 7)), (2, Some(2), None));
    }

    #[test]
    fn hidden_entry_keeps_its_position_until_it_is_freed() {
        let mut slab = Slab::new(4, hashing::state(1));
        add(&mut slab, 5);
        assert!(slab.hide(0));
        assert_eq!((find(&mut slab, 5), slab.len(), slab.used(), slab[0]), (None, 0, 1, 5));
        assert_eq!(add(&mut slab, 6), 1);
        slab.free(0);
        assert_eq!(add(&mut slab, 7), 0);
    }
}
