//! A Bloom filter with one hash (Bloom, "Space/time trade-offs in hash coding with allowable errors", Communications of
//! the ACM 13 (7), 1970).
//!
//! Takes hashes of keys; a clear bit proves that a key was not inserted. Must not know the keys.

/// Number of bits per inserted key. With 8, the filter seems to contain about one in eight other keys.
const BITS_EACH: usize = 8;

/// A filter of bits that many hashes share.
#[derive(Debug, Default)]
pub struct BloomFilter {
    /// Empty, or a power of two of words.
    words: Vec<u64>,
}

impl BloomFilter {
    /// An empty filter without memory: it contains nothing.
    pub const fn new() -> Self {
        Self { words: Vec::new() }
    }

    /// Empties the filter and makes it large enough for `count` keys.
    pub fn clear_for(&mut self, count: usize) {
        let words = (count * BITS_EACH).div_ceil(64).next_power_of_two();
        self.words.clear();
        self.words.resize(words, 0);
    }

    /// Empties the filter and keeps its size.
    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
    }

    /// A filter with the same hashes that is no larger than `count` keys need.
    pub fn folded_for(&self, count: usize) -> Self {
        let needed = (count * BITS_EACH).div_ceil(64).next_power_of_two();
        let mut words = self.words.clone();
        // The place of a hash is taken modulo the size, so both halves of a filter can share one.
        while words.len() > needed {
            let upper = words.split_off(words.len() / 2);
            words.iter_mut().zip(upper).for_each(|(word, other)| *word |= other);
        }
        words.shrink_to_fit();
        Self { words }
    }

    /// Inserts a hash. Without memory, before [`BloomFilter::clear_for`], this does nothing.
    #[inline]
    pub fn insert(&mut self, hash: u64) {
        let (word, bit) = self.bit_of(hash);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    /// True if the hash was inserted; true also for a few other hashes.
    #[inline(always)]
    pub fn may_contain(&self, hash: u64) -> bool {
        let (word, bit) = self.bit_of(hash);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Memory in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    /// The word and the bit of a hash. They come from bits of the hash that hash tables do not use.
    #[inline(always)]
    fn bit_of(&self, hash: u64) -> (usize, u64) {
        let bits = (hash >> 20) as usize;
        ((bits / 64) & self.words.len().wrapping_sub(1), 1 << (bits % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::sampling::mixed;

    #[test]
    fn inserted_keys_are_contained_and_hardly_any_other() {
        for count in [1, 10, 1_000, 10_000] {
            let mut filter = BloomFilter::new();
            assert!(!filter.may_contain(mixed(1)));
            filter.clear_for(count);
            (0..count as u64).for_each(|number| filter.insert(mixed(number)));
            assert!((0..count as u64).all(|number| filter.may_contain(mixed(number))));
            let others = (1_000_000..1_100_000).filter(|number| filter.may_contain(mixed(*number))).count();
            assert!(others < 100_000 / 8 + 1_000, "{others} beside {count}");
            let folded = filter.folded_for(count.div_ceil(2));
            assert!(folded.memory_bytes() <= filter.memory_bytes());
            assert!((0..count as u64).all(|number| folded.may_contain(mixed(number))));
            filter.clear();
            assert!((0..count as u64).all(|number| !filter.may_contain(mixed(number))));
        }
    }
}
