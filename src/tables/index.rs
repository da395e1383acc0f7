//! Index from a hash to the position of a key that is stored elsewhere.
//!
//! Takes hashes and positions; gives the positions whose keys may have a hash. Must not know the keys.
//!
//! A hash table alone distinguishes keys by 7 bits of their hash. So about one look-up in sixteen for a missing key
//! would read another key, far away in memory. Here a slot of 32 bits has a position, and in its free bits more bits of
//! the hash. So even in a flood of new keys, hardly any look-up reads memory outside the index, which is small.

use hashbrown::HashTable;

use super::bloom::BloomFilter;

/// A position in the low bits, and a part of the key's hash above them.
type Slot = u32;

/// No position.
pub const NOWHERE: u32 = u32::MAX;

/// Bits of a hash that choose neither the bucket nor the 7 bits of the hash table, in any table that fits into memory.
#[inline(always)]
const fn check(hash: u64) -> u32 {
    (hash >> 25) as u32
}

/// Up to this number of positions, memory is doubled when it is full. Beyond it, memory is reserved for all positions
/// at once: moving to a larger table costs as much as filling the last one, and new memory costs even more.
const FEW: usize = 4_096;
/// The most positions for which memory is reserved at once.
const MOST: usize = 262_144;

/// The number of positions for which to reserve memory, when the memory for `used` of them is full.
const fn more_than(used: usize, limit: usize) -> usize {
    let most = if limit < MOST { limit } else { MOST };
    if used >= FEW && most > used { most - used } else { 1 }
}

/// Pushes an entry whose position an index will hold. Reserves memory as the index does.
pub fn push<T>(entries: &mut Vec<T>, entry: T, limit: usize) {
    if entries.len() == entries.capacity() {
        entries.reserve(more_than(entries.len(), limit));
    }
    entries.push(entry);
}

/// An index. With `IS_FILTERED` a Bloom filter stands in front: it pays where most look-ups are for missing keys.
#[derive(Debug)]
pub struct Index<const IS_FILTERED: bool = false> {
    slots: HashTable<Slot>,
    limit: usize,
    /// Contains every position in the index, and some that were removed.
    filter: BloomFilter,
    /// Insertions since the filter was rebuilt.
    additions: usize,
    /// Mask of the bits of a slot that hold a position; wide enough for all positions so far.
    positions: u32,
}

impl<const IS_FILTERED: bool> Index<IS_FILTERED> {
    /// An empty index without memory, for about `limit` positions.
    pub const fn new(limit: usize) -> Self {
        Self {
            slots: HashTable::new(),
            limit,
            filter: BloomFilter::new(),
            additions: 0,
            positions: bits_of(if limit < MOST { limit } else { MOST } as u32),
        }
    }

    /// Reserves memory for about `limit` positions from now on.
    pub const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The position whose key may have this hash and for which `is_it` is true.
    #[inline(always)]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        if IS_FILTERED && !self.filter.may_contain(hash) {
            return None;
        }
        let (check, positions) = (check(hash) & !self.positions, self.positions);
        let found = self.slots.find(hash, |slot| slot & !positions == check && is_it(slot & positions));
        found.map(|slot| slot & positions)
    }

    /// The likely position of the key with this hash, or [`NOWHERE`]. No key is compared. Another key hardly ever has
    /// this position.
    #[inline(always)]
    pub(crate) fn guess(&self, hash: u64) -> u32 {
        self.find(hash, |_| true).unwrap_or(NOWHERE)
    }

    /// Rebuilds the filter from the positions in the index.
    #[cold]
    fn renew_filter(&mut self, hash_of: impl Fn(u32) -> u64) {
        self.filter.clear_for(self.slots.capacity());
        self.additions = 0;
        self.slots.iter().for_each(|slot| self.filter.insert(hash_of(slot & self.positions)));
    }

    /// Adds the position of a key that has none. `hash_of` gives the hash of the key at any position in the index.
    pub fn insert(&mut self, hash: u64, at: u32, hash_of: impl Fn(u32) -> u64) {
        if at > self.positions {
            self.widen(at, &hash_of);
        }
        let positions = self.positions;
        if self.slots.len() == self.slots.capacity() {
            self.make_space(&hash_of);
        } else if IS_FILTERED && self.additions > self.slots.capacity() {
            self.renew_filter(&hash_of);
        }
        if IS_FILTERED {
            self.filter.insert(hash);
            self.additions += 1;
        }
        self.slots.insert_unique(hash, check(hash) & !positions | at, |slot| hash_of(slot & positions));
    }

    /// Makes space for one more position. Some that were removed take space until the table is built again. hashbrown would
    /// take a table of twice the size for them, which never becomes smaller.
    #[cold]
    fn make_space(&mut self, hash_of: &impl Fn(u32) -> u64) {
        let positions = self.positions;
        let hash = |slot: &Slot| hash_of(slot & positions);
        if self.slots.len() < full_length(self.slots.num_buckets()) * 7 / 8 {
            let slots: Vec<Slot> = self.slots.drain().collect();
            for slot in slots {
                self.slots.insert_unique(hash(&slot), slot, hash);
            }
        } else {
            self.slots.reserve(more_than(self.slots.len(), self.limit), hash);
        }
        if IS_FILTERED {
            self.renew_filter(hash_of);
        }
    }

    /// Widens the part of slots that holds positions, so that `at` fits.
    #[cold]
    fn widen(&mut self, at: u32, hash_of: impl Fn(u32) -> u64) {
        let (before, positions) = (self.positions, bits_of(at));
        for slot in &mut self.slots {
            let at = *slot & before;
            *slot = check(hash_of(at)) & !positions | at;
        }
        self.positions = positions;
    }

    /// Removes the position of the key with this hash; false if it is not there.
    pub fn remove(&mut self, hash: u64, at: u32) -> bool {
        let positions = self.positions;
        self.slots.find_entry(hash, |slot| slot & positions == at).map(|found| found.remove()).is_ok()
    }

    /// The number of positions.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// True if there is no position.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Removes all positions and keeps the memory.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.filter.clear();
        self.additions = 0;
    }

    /// Memory in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.slots.allocation_size() + self.filter.memory_bytes()
    }
}

/// The most entries of hashbrown's table with so many buckets.
const fn full_length(buckets: usize) -> usize {
    if buckets < 8 { buckets.saturating_sub(1) } else { buckets / 8 * 7 }
}

/// A mask of as many low bits as `position` has.
const fn bits_of(position: u32) -> u32 {
    u32::MAX.unbounded_shr(position.leading_zeros())
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher as _;

    use super::super::hashing;
    use super::*;

    fn hash_of(at: u32) -> u64 {
        u64::from(at).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn is_found_like_others<const IS_FILTERED: bool>(limit: usize) {
        let mut index = Index::<IS_FILTERED>::new(limit);
        (0..20_000).for_each(|at| index.insert(hash_of(at), at, hash_of));
        assert!((0..20_000).all(|at| index.find(hash_of(at), |found| found == at) == Some(at)));
        assert!(index.remove(hash_of(7), 7) && !index.remove(hash_of(7), 7));
        assert_eq!((index.find(hash_of(7), |found| found == 7), index.len()), (None, 19_999));
    }

    #[test]
    fn positions_beyond_the_limit_are_found_like_others() {
        for limit in [0, 1, 100, 5_000] {
            is_found_like_others::<false>(limit);
            is_found_like_others::<true>(limit);
        }
    }

    #[test]
    fn positions_that_are_replaced_again_and_again_take_no_more_memory() {
        const COUNT: u32 = 12_000;
        // Random hashes, as real keys have: those of the other tests lie evenly in the table.
        let state = hashing::state(1);
        let hash_of = |key: u32| state.hash_one(key);
        let mut index = Index::<true>::new(COUNT as usize);
        (0..COUNT).for_each(|at| index.insert(hash_of(at), at, hash_of));
        let before = index.memory_bytes();
        let mut keys: Vec<u32> = (0..COUNT).collect();
        for key in COUNT..100 * COUNT {
            let at = key % COUNT;
            assert!(index.remove(hash_of(keys[at as usize]), at));
            keys[at as usize] = key;
            index.insert(hash_of(key), at, |at| hash_of(keys[at as usize]));
        }
        assert_eq!(index.memory_bytes(), before);
        assert!((0..COUNT).all(|at| index.find(hash_of(keys[at as usize]), |found| found == at) == Some(at)));
    }

    #[test]
    fn look_up_for_a_missing_key_hardly_ever_compares_a_key() {
        let mut index = Index::<false>::new(65_536);
        (0..65_536).for_each(|at| index.insert(hash_of(at), at, hash_of));
        let mut looks = 0;
        for at in 65_536..1_065_536 {
            let found = index.find(hash_of(at), |_| {
                looks += 1;
                false
            });
            assert_eq!(found, None);
        }
        assert!(looks < 1_000, "{looks}");
    }

    #[test]
    fn filter_contains_all_positions_and_few_others_however_many_were_replaced() {
        let mut index = Index::<true>::new(4_096);
        for at in 0..4_096 {
            index.insert(hash_of(at), at, hash_of);
        }
        // Each position is taken by another key, again and again.
        let key = |at: u32, round: u32| at + 4_096 * round;
        for round in 1..20 {
            for at in 0..4_096 {
                assert!(index.remove(hash_of(key(at, round - 1)), at));
                let key_at = |other: u32| key(other, if other < at { round } else { round - 1 });
                index.insert(hash_of(key(at, round)), at, |other| hash_of(key_at(other)));
            }
            assert!((0..4_096).all(|at| index.filter.may_contain(hash_of(key(at, round)))));
            let others = (0..4_096).filter(|at| index.filter.may_contain(hash_of(key(*at, round + 100)))).count();
            assert!(others < 4_096 / 3, "{others} in round {round}");
        }
        index.clear();
        assert!((0..4_096).all(|at| !index.filter.may_contain(hash_of(key(at, 19)))));
        index.insert(hash_of(7), 0, |_| hash_of(7));
        assert_eq!(index.find(hash_of(7), |at| at == 0), Some(0));
    }
}
