//! Hash → position of a key that is kept elsewhere.
//!
//! A hash table by itself tells keys apart by 7 bits of their hash, so that about one look-up in sixteen for a key that is
//! not held would have to read another key, far away in memory. Here the bits that a position leaves free in a word of 32
//! hold more of the hash: of a flood of ever new keys hardly any look-up goes past the index, and that is small.

use hashbrown::HashTable;

use super::bloom::BloomFilter;

/// Where a key is, in the low bits, and above them a part of its hash.
type Slot = u32;

/// No position.
pub const NOWHERE: u32 = u32::MAX;

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

/// For how many more there should be memory where it is used up by so many.
const fn more_than(held: usize, limit: usize) -> usize {
    let most = if limit < MOST { limit } else { MOST };
    if held >= FEW && most > held { most - held } else { 1 }
}

/// Adds to what stands at the positions of an index, with memory for the same.
pub fn push<T>(kept: &mut Vec<T>, one: T, limit: usize) {
    if kept.len() == kept.capacity() {
        kept.reserve(more_than(kept.len(), limit));
    }
    kept.push(one);
}

/// The positions of keys, by their hashes.
#[derive(Debug)]
pub struct Index<const IS_FILTERED: bool = false> {
    slots: HashTable<Slot>,
    limit: usize,
    /// All that is held passes, and some of what was.
    filter: BloomFilter,
    /// How many positions were added since only those passed that were held.
    additions: usize,
    /// The bits of a slot that hold a position: enough for all that were added.
    positions: u32,
}

impl<const IS_FILTERED: bool> Index<IS_FILTERED> {
    /// Empty, without memory, for about `limit` positions.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            slots: HashTable::new(),
            limit,
            filter: BloomFilter::new(),
            additions: 0,
            positions: bits_of(if limit < MOST { limit } else { MOST } as u32),
        }
    }

    /// The position for which `is_it` holds, of those whose keys may have this hash.
    #[must_use]
    #[inline(always)]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        if IS_FILTERED && !self.filter.may_contain(hash) {
            return None;
        }
        let (check, positions) = (check(hash) & !self.positions, self.positions);
        let found = self.slots.find(hash, |slot| slot & !positions == check && is_it(slot & positions));
        found.map(|slot| slot & positions)
    }

    /// Where the key with this hash is, if it is held, and [`NOWHERE`] if it is not. (Another key's position, hardly ever:
    /// none is looked at.)
    #[must_use]
    #[inline(always)]
    pub fn guess(&self, hash: u64) -> u32 {
        self.find(hash, |_| true).unwrap_or(NOWHERE)
    }

    /// Lets what is held pass the sieve, and nothing else.
    #[cold]
    fn renew_filter(&mut self, hash_of: impl Fn(u32) -> u64) {
        self.filter.clear_for(self.slots.capacity());
        self.additions = 0;
        self.slots.iter().for_each(|slot| self.filter.insert(hash_of(slot & self.positions)));
    }

    /// Adds the position of a key that has none. `hash_of` gives the hash of the key at any position held.
    pub fn insert(&mut self, hash: u64, at: u32, hash_of: impl Fn(u32) -> u64) {
        if at > self.positions {
            self.widen(at, &hash_of);
        }
        let positions = self.positions;
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve(more_than(self.slots.len(), self.limit), |slot| hash_of(slot & positions));
            if IS_FILTERED {
                self.renew_filter(&hash_of);
            }
        } else if IS_FILTERED && self.additions > self.slots.capacity() {
            self.renew_filter(&hash_of);
        }
        if IS_FILTERED {
            self.filter.insert(hash);
            self.additions += 1;
        }
        self.slots.insert_unique(hash, check(hash) & !positions | at, |slot| hash_of(slot & positions));
    }

    /// Makes positions up to `at` fit into slots.
    #[cold]
    fn widen(&mut self, at: u32, hash_of: impl Fn(u32) -> u64) {
        let (before, positions) = (self.positions, bits_of(at));
        for slot in &mut self.slots {
            let at = *slot & before;
            *slot = check(hash_of(at)) & !positions | at;
        }
        self.positions = positions;
    }

    /// Takes the position of the key with this hash out; false if it is not there.
    pub fn remove(&mut self, hash: u64, at: u32) -> bool {
        let positions = self.positions;
        self.slots.find_entry(hash, |slot| slot & positions == at).map(|found| found.remove()).is_ok()
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
        self.filter.clear();
        self.additions = 0;
    }

    /// The memory that it takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.slots.allocation_size() + self.filter.memory_bytes()
    }
}

/// The hash and the position of who was held when last sought: what a scan sends comes in a row. What is at the position may
/// be another's by then.
#[derive(Debug, Clone, Copy)]
pub struct Recent {
    hash: u64,
    at: u32,
}

impl Recent {
    /// None was.
    pub const NOBODY: Self = Self { hash: 0, at: NOWHERE };

    /// Who is at `at` and has this hash.
    #[must_use]
    pub const fn of(hash: u64, at: u32) -> Self {
        Self { hash, at }
    }

    /// The position, if it was one of this hash; else [`NOWHERE`].
    #[must_use]
    #[inline(always)]
    pub const fn position(self, hash: u64) -> u32 {
        if self.hash == hash { self.at } else { NOWHERE }
    }
}

/// An index that is mostly asked for what it does not hold.
pub type FilteredIndex = Index<true>;

/// As many low bits as a position has.
const fn bits_of(position: u32) -> u32 {
    u32::MAX.unbounded_shr(position.leading_zeros())
}

#[cfg(test)]
mod tests {
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
    fn hardly_any_key_is_looked_at_that_is_another() {
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
    fn a_sieve_passes_all_that_is_held_and_little_else_however_many_came_and_went() {
        let mut index = FilteredIndex::new(4_096);
        for at in 0..4_096 {
            index.insert(hash_of(at), at, hash_of);
        }
        // Each place is taken by another key, again and again.
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
