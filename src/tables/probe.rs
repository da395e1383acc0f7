//! An open hash table from the hash of a row to its position.
//!
//! Takes hashes and positions; gives positions, or the slot for a new one. Must not know the rows.
//!
//! It uses linear probing (Knuth, The Art of Computer Programming, vol. 3, 6.4). Rows are only added, until all are
//! dropped at once, and at most every second slot is used. So a look-up mostly reads one word. A general table, which
//! also removes single rows and fills most slots, takes twice the instructions here (docs/performance-history.md).
//!
//! A multiplication spreads the slots where look-ups begin (Knuth, ibid., "Fibonacci hashing"). The keys of a scan are
//! steps of one, so the low bits of their hashes are steps of a fixed length and would collide in long runs.

const FEWEST: usize = 1 << 10;

/// 2⁶⁴ divided by the golden ratio: multiples of any number are spread far apart.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The bits of a slot that hold a position plus one, so that no used slot is 0. The bits above hold a part of the hash.
const POSITION: u32 = 0xffff;

const EMPTY: u32 = 0;

pub const MOST: usize = POSITION as usize;

/// The slot for a key that was not found.
#[derive(Debug, Clone, Copy)]
pub struct Vacant(usize);

#[derive(Debug)]
pub struct ProbeTable {
    /// A power of two of slots.
    slots: Vec<u32>,
    /// The number of low bits of a 64-bit product that are dropped to choose a slot.
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

    /// The position whose key may have this hash and for which `is_it` is true; or else the free slot for a new
    /// position.
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

    /// Puts a position into the slot that [`ProbeTable::find`] gave for it.
    #[inline(always)]
    pub fn fill(&mut self, vacant: Vacant, hash: u64, position: usize) {
        self.slots[vacant.0] = check(hash) | (position as u32 + 1);
    }

    /// Reserves slots for `count` positions. Those below `used` are in the table, with the hashes that `hash_of` gives.
    #[inline]
    pub fn reserve(&mut self, count: usize, used: usize, hash_of: impl Fn(usize) -> u64) {
        if count * 2 > self.slots.len() {
            self.grow(count, used, hash_of);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, count: usize, used: usize, hash_of: impl Fn(usize) -> u64) {
        self.clear_for(count);
        for position in 0..used {
            let hash = hash_of(position);
            if let Err(vacant) = self.find(hash, |_| false) {
                self.fill(vacant, hash, position);
            }
        }
    }

    /// Removes all positions and reserves slots for `count`.
    pub fn clear_for(&mut self, count: usize) {
        self.slots.clear();
        self.slots.resize((count * 2).next_power_of_two().max(FEWEST), EMPTY);
        self.shift = u64::BITS - self.slots.len().ilog2();
    }
}

#[inline(always)]
const fn check(hash: u64) -> u32 {
    (hash >> 32) as u32 & !POSITION
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::tables::sampling::mixed;

    /// Finds the key, or adds it, and gives its position.
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
    fn position_is_found_however_many_were_added_later() {
        // The second hash leaves all checks equal. With the third all keys begin in a few slots, with the fourth in the
        // last slot.
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

    /// The inverse of an odd number modulo 2^64 (Newton's iteration).
    fn inverse(odd: u64) -> u64 {
        (0..6).fold(odd, |found, _| found.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(found))))
    }

    /// The mean distance in slots between a key and the slot where its look-up begins.
    pub(crate) fn displacement(hashes: &[u64]) -> f64 {
        let (mut table, mut keys) = (ProbeTable::new(), Vec::new());
        (0..hashes.len() as u64).for_each(|at| _ = find_or_fill(&mut table, &mut keys, at, |at| hashes[at as usize]));
        let begins = |position: u32| (hashes[position as usize - 1].wrapping_mul(ODD) >> table.shift) as usize;
        let taken = (0..).zip(&table.slots).filter(|(_, slot)| **slot != EMPTY);
        let away = taken.map(|(at, slot): (usize, _)| at.wrapping_sub(begins(slot & POSITION)) % table.slots.len());
        away.sum::<usize>() as f64 / hashes.len() as f64
    }

    #[test]
    fn cleared_table_finds_nothing_and_keeps_memory_for_as_many() {
        let (mut table, mut keys) = (ProbeTable::new(), Vec::new());
        (0..20_000).for_each(|key| _ = find_or_fill(&mut table, &mut keys, key, mixed));
        table.clear_for(keys.len());
        assert!((0..20_000).all(|key| table.find(mixed(key), |_| true).is_err()));
        assert_eq!(table.slots.len(), 65_536);
        table.clear_for(100);
        assert_eq!((table.slots.len(), table.memory_bytes()), (FEWEST, 4 * 65_536));
    }
}
