//! Sampling: a hash of its own decides which keys get an entry or belong to a sample.
//!
//! Takes a seed and keys; gives ranks. Must not know the tables.
//!
//! The choice shows in the results, so `replay` fixes its seed: the same files give the same bytes. The positions of
//! keys in tables must not show. Their seed is drawn for each process, so that an attacker cannot make keys that
//! collide. An attacker who knows the fixed seed can choose to be in a sample, but gains no processor time by that.

use std::hash::{BuildHasher, Hasher};

/// The seeds of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeds {
    /// Decides the positions of keys. No result depends on it.
    pub tables: u64,
    /// Decides which keys get an entry when not all can, and which belong to a sample.
    pub sampling: u64,
}

/// Uses one seed for both.
impl From<u64> for Seeds {
    fn from(seed: u64) -> Self {
        Self { tables: seed, sampling: seed }
    }
}

/// A hash state that is the same in every process.
#[derive(Debug, Clone, Copy)]
pub struct Sampling(u64);

impl Sampling {
    /// The hash state of a seed.
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

/// The rank of a key, fed word by word.
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
#[inline]
pub const fn mixed(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}
