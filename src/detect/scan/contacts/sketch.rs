//! A sketch of how often each of very many sources began something, in little memory.
//!
//! Takes hashes; tells which were seen suspiciously often. Must not know the sources. It decides which sources are
//! admitted when their table is full.

use crate::tables::prefetch;

/// Counters, a power of two. At half a byte each they still fit into a processor's second-level cache.
const COUNTERS: usize = 1 << 20;

/// A source without an entry must have been seen this often to get one. In a flood from ever new sources, each counter
/// is at one or two, so hardly any source comes to this.
const SUSPICIOUS: u8 = 6;

/// Counters by hash. All are halved whenever as many were counted as there are counters.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    /// Two in a byte, up to 15 each.
    counters: Vec<u8>,
    counted: usize,
}

impl Sketch {
    /// Counts one more of `hash`; true if there were suspiciously many of it, or of others that share its counter.
    #[inline]
    pub(super) fn count(&mut self, hash: u64) -> bool {
        if self.counters.is_empty() {
            self.counters.resize(COUNTERS / 2, 0);
        }
        self.counted += 1;
        if self.counted > COUNTERS {
            self.counted = 0;
            self.counters.iter_mut().for_each(|both| *both = *both >> 1 & 0x77);
        }
        let place = hash as usize % COUNTERS;
        let (both, shift) = (&mut self.counters[place / 2], place % 2 * 4);
        let count = *both >> shift & 0xf;
        if count < 0xf {
            *both += 1 << shift;
        }
        count + 1 >= SUSPICIOUS
    }

    /// Reads ahead the counter that [`Sketch::count`] will write, so that cache misses overlap.
    #[inline(always)]
    pub(super) fn touch(&self, hash: u64) {
        prefetch(self.counters.get(hash as usize % COUNTERS / 2).copied());
    }

    pub(super) fn clear(&mut self) {
        self.counters.fill(0);
        self.counted = 0;
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.counters.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(number: u64) -> u64 {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn source_that_returns_often_stands_out_of_a_million() {
        let mut sketch = Sketch::default();
        let mut admitted = 0;
        let mut seen = 0;
        for number in 0..2_000_000 {
            admitted += u32::from(sketch.count(mixed(number)));
            if number % 50_000 == 0 {
                seen += u32::from(sketch.count(mixed(u64::MAX)));
            }
        }
        assert!(admitted < 40_000, "{admitted} of the flood");
        assert!(seen > 25, "{seen} of 40");
    }
}
