//! Who of many finds room, or is in a sample: told by a hash that is not the tables'.
//!
//! What is chosen so shows in what is found. Where keys stand in a table must not; there the seed is drawn anew in each
//! process, so that nobody can make keys that collide. Here it may be fixed, where the same files have to give the same
//! bytes: who then chooses addresses can choose to be in a sample, and what he makes costs nobody time.

use std::hash::{BuildHasher, Hasher};

/// What tables start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeds {
    /// Where keys stand. Nothing that is found depends on it.
    pub tables: u64,
    /// Who finds room where not all do, and who is in a sample.
    pub sampling: u64,
}

/// One seed for both.
impl From<u64> for Seeds {
    fn from(seed: u64) -> Self {
        Self { tables: seed, sampling: seed }
    }
}

/// Hashes to select by.
#[derive(Debug, Clone, Copy)]
pub struct Sampling(u64);

impl Sampling {
    /// The hashes of a seed: the same in every process.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(mixed(seed))
    }
}

impl BuildHasher for Sampling {
    type Hasher = Rank;

    #[inline(always)]
    fn build_hasher(&self) -> Rank {
        Rank(self.0)
    }
}

/// The hash of what it is fed, word by word.
#[derive(Debug)]
pub struct Rank(u64);

impl Hasher for Rank {
    #[inline(always)]
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline(always)]
    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    #[inline(always)]
    fn write_u64(&mut self, word: u64) {
        self.0 = mixed(self.0.rotate_left(32) ^ word);
    }

    #[inline(always)]
    fn write_u128(&mut self, word: u128) {
        self.write_u64(word as u64);
        self.write_u64((word >> 64) as u64);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): every
/// bit of `value` changes about half of the result's.
#[must_use]
#[inline]
pub const fn mixed(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}
