//! Who is certainly not held: one bit tells it of most (Bloom, "Space/time trade-offs in hash coding with allowable
//! errors", Communications of the ACM 13 (7), 1970; with a single hash).

/// Bits for each that is admitted. Of others about one in eight passes then, and fewer before.
const BITS_EACH: usize = 8;

/// A bit for each hash, which many share.
#[derive(Debug, Default)]
pub struct BloomFilter {
    /// None, or a power of two.
    words: Vec<u64>,
}

impl BloomFilter {
    /// One that nobody passes.
    #[must_use]
    pub const fn new() -> Self {
        Self { words: Vec::new() }
    }

    /// Lets nobody pass, with bits for `count` that will be let.
    pub fn clear_for(&mut self, count: usize) {
        let words = (count * BITS_EACH).div_ceil(64).next_power_of_two();
        self.words.clear();
        self.words.resize(words, 0);
    }

    /// Lets nobody pass.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Lets who has this hash pass. There is no bit before [`BloomFilter::clear_for`] was told for how many.
    #[inline]
    pub fn insert(&mut self, hash: u64) {
        let (word, bit) = self.place(hash);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether who has this hash passes: who was admitted does, of others few.
    #[must_use]
    #[inline(always)]
    pub fn may_contain(&self, hash: u64) -> bool {
        let (word, bit) = self.place(hash);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// The memory that it takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    /// Which word, and which bit of it, belongs to a hash: by bits of it that say little of where it stands in a table.
    #[inline(always)]
    fn place(&self, hash: u64) -> (usize, u64) {
        let bits = (hash >> 20) as usize;
        ((bits / 64) & self.words.len().wrapping_sub(1), 1 << (bits % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::sampling::mixed;

    #[test]
    fn who_was_admitted_passes_and_hardly_anybody_else() {
        for count in [1, 10, 1_000, 10_000] {
            let mut filter = BloomFilter::new();
            assert!(!filter.may_contain(mixed(1)));
            filter.clear_for(count);
            (0..count as u64).for_each(|number| filter.insert(mixed(number)));
            assert!((0..count as u64).all(|number| filter.may_contain(mixed(number))));
            let others = (1_000_000..1_100_000).filter(|number| filter.may_contain(mixed(*number))).count();
            assert!(others < 100_000 / 8 + 1_000, "{others} beside {count}");
            filter.clear();
            assert!((0..count as u64).all(|number| !filter.may_contain(mixed(number))));
        }
    }
}
