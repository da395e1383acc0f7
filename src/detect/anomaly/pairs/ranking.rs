//! Ranks of pairs: who of many newcomers finds room.

use std::hash::{BuildHasher, Hasher};

use super::super::generator::mixed;

/// What ranks start from. Unlike those of a hash table they are the same in every process, so that the same pairs find
/// room. Who chooses addresses can therefore choose low ranks, and has no more of it than a place for them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ranking(pub(super) u64);

/// The rank of what it is fed, word by word.
#[derive(Debug)]
pub(super) struct Rank(u64);

impl BuildHasher for Ranking {
    type Hasher = Rank;

    #[inline(always)]
    fn build_hasher(&self) -> Rank {
        Rank(self.0)
    }
}

impl Hasher for Rank {
    #[inline(always)]
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline(always)]
    fn write_u32(&mut self, word: u32) {
        self.0 = mixed(self.0.rotate_left(32) ^ u64::from(word));
    }

    #[inline(always)]
    fn write_u128(&mut self, word: u128) {
        self.0 = mixed(mixed(self.0 ^ word as u64) ^ (word >> 64) as u64);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u32(byte.into()));
    }
}
