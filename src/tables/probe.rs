//! Where the rows of an interval are, by the hashes of their keys.
//!
//! An open table with linear probing (Knuth, The Art of Computer Programming, vol. 3, 6.4): rows only come, until all go
//! at once, and at most every second slot is taken. So a look-up mostly reads one word. A library's table, which must also
//! do where most slots are taken and rows go one by one, takes twice the instructions here
//! (docs/performance-history.md).
//!
//! Where a look-up begins, a multiplication has spread (Knuth, ibid., "Fibonacci hashing"): the keys of a scan are steps
//! of one, and their hashes in the low bits steps of another length, which would stand in a row.

/// ProbeTable at least.
const FEWEST: usize = 1 << 10;

/// 2⁶⁴ over the golden ratio: it puts steps of any length far apart.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The bits of a slot that hold a position and one, so that none is 0. Above them are as many of the hash.
const POSITION: u32 = 0xffff;

/// Nobody's.
const EMPTY: u32 = 0;

/// Positions at most.
pub const MOST: usize = POSITION as usize;

/// The slot in which who was not found can be put.
#[derive(Debug, Clone, Copy)]
pub struct Vacant(usize);

/// The positions of rows.
#[derive(Debug)]
pub struct ProbeTable {
    /// A power of two of them.
    slots: Vec<u32>,
    /// Of a product of 64 bits, those that are not needed to tell the slots apart.
    shift: u32,
}

impl ProbeTable {
    pub fn new() -> Self {
        let mut empty = Self { slots: Vec::new(), shift: 0 };
        empty.clear_for(0);
        empty
    }

    pub fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
    }

    /// The position for which `is_it` holds, of those whose keys may have this hash; else where it can be put.
    #[inline(always)]
    pub fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Result<usize, Vacant> {
        let mask = self.slots.len() - 1;
        let check = check(hash);
        let mut at = (hash.wrapping_mul(ODD) >> self.shift) as usize;
        loop {
            let slot = self.slots[at];
            if slot == EMPTY {
                return Err(Vacant(at));
            }
            let position = ((slot & POSITION) - 1) as usize;
            if slot & !POSITION == check && is_it(position) {
                return Ok(position);
            }
            at = (at + 1) & mask;
        }
    }

    /// Puts a position where it was not found when it was sought last.
    #[inline(always)]
    pub fn fill(&mut self, vacant: Vacant, hash: u64, position: usize) {
        self.slots[vacant.0] = check(hash) | (position as u32 + 1);
    }

    /// Makes room for `count` positions, of which those below `held` have the hashes that `hash_of` gives.
    #[inline]
    pub fn reserve(&mut self, count: usize, held: usize, hash_of: impl Fn(usize) -> u64) {
        if count * 2 > self.slots.len() {
            self.grow(count, held, hash_of);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, count: usize, held: usize, hash_of: impl Fn(usize) -> u64) {
        self.clear_for(count);
        for position in 0..held {
            let hash = hash_of(position);
            if let Err(vacant) = self.find(hash, |_| false) {
                self.fill(vacant, hash, position);
            }
        }
    }

    /// Forgets all; then there is room for `count`.
    pub fn clear_for(&mut self, count: usize) {
        self.slots.clear();
        self.slots.resize((count * 2).next_power_of_two().max(FEWEST), EMPTY);
        self.shift = u64::BITS - self.slots.len().ilog2();
    }
}

/// Bits of a hash that do not say where to begin, in their place in a slot.
#[inline(always)]
const fn check(hash: u64) -> u32 {
    (hash >> 32) as u32 & !POSITION
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::tables::sampling::mixed;

    /// Puts in who is not found yet, and gives the position.
    fn find_or_fill(table: &mut ProbeTable, keys: &mut Vec<u64>, key: u64, hash_of: impl Fn(u64) -> u64) -> usize {
        table.reserve(keys.len() + 1, keys.len(), |at| hash_of(keys[at]));
        match table.find(hash_of(key), |at| keys[at] == key) {
            Ok(at) => at,
            Err(vacant) => {
                keys.push(key);
                table.fill(vacant, hash_of(key), keys.len() - 1);
                keys.len() - 1
            }
        }
    }

    #[test]
    fn each_is_found_where_it_was_put_however_many_came_after() {
        // By the second the check tells none apart. By the third all begin in a few slots, by the fourth in the last one.
        let last = |_: u64| u64::MAX.wrapping_mul(inverse(ODD));
        let cases: [(&dyn Fn(u64) -> u64, u64); 4] =
            [(&mixed, MOST as u64), (&|key| key, MOST as u64), (&|key| key % 7, 500), (&last, 500)];
        for (hash_of, count) in cases {
            let (mut table, mut keys) = (ProbeTable::new(), Vec::new());
            for round in 0..2 {
                for key in 0..count {
                    let at = find_or_fill(&mut table, &mut keys, key, hash_of);
                    assert_eq!(at as u64, key, "round {round}");
                }
            }
            assert_eq!(keys.len() as u64, count);
            assert!(table.slots.len() >= 2 * keys.len());
        }
    }

    /// What an odd number is to be multiplied with to give 1 (Newton's iteration, modulo 2^64).
    fn inverse(odd: u64) -> u64 {
        (0..6).fold(odd, |found, _| found.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(found))))
    }

    /// How many slots on average a key is away from where its look-up begins.
    pub(crate) fn displacement(hashes: &[u64]) -> f64 {
        let (mut table, mut held) = (ProbeTable::new(), Vec::new());
        (0..hashes.len() as u64).for_each(|at| _ = find_or_fill(&mut table, &mut held, at, |at| hashes[at as usize]));
        let begins = |position: u32| (hashes[position as usize - 1].wrapping_mul(ODD) >> table.shift) as usize;
        let taken = (0..).zip(&table.slots).filter(|(_, slot)| **slot != EMPTY);
        let away = taken.map(|(at, slot): (usize, _)| at.wrapping_sub(begins(slot & POSITION)) % table.slots.len());
        away.sum::<usize>() as f64 / hashes.len() as f64
    }

    #[test]
    fn nobody_is_found_after_all_were_forgotten_and_memory_is_for_as_many_as_before() {
        let (mut table, mut keys) = (ProbeTable::new(), Vec::new());
        (0..20_000).for_each(|key| _ = find_or_fill(&mut table, &mut keys, key, mixed));
        table.clear_for(keys.len());
        assert!((0..20_000).all(|key| table.find(mixed(key), |_| true).is_err()));
        assert_eq!(table.slots.len(), 65_536);
        table.clear_for(100);
        assert_eq!((table.slots.len(), table.memory_bytes()), (FEWEST, 4 * 65_536));
    }
}
