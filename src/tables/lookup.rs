//! Look-ups by the parts of a key, before the key itself exists.
//!
//! Takes the parts; gives their hash, their equality with a key, and the key. Must not know the tables.

use std::hash::{BuildHasher, Hash, Hasher};

/// A value that can be looked up in a table of keys `K`.
///
/// So a large key, or an enum, is built only when an entry is added. If it were built just to be hashed and compared,
/// it would be written to memory in pieces and read back as a whole, which stalls the processor for longer than the
/// look-up takes.
pub trait Lookup<K>: Copy {
    /// Feeds the value to a hasher, exactly as its key would be.
    fn feed<H: Hasher>(&self, hasher: &mut H);

    /// True if `key` is the key of this value.
    fn is(&self, key: &K) -> bool;

    /// The key of this value.
    fn key(self) -> K;

    /// The hash of the key under `state`.
    #[inline(always)]
    fn hash_under<S: BuildHasher>(&self, state: &S) -> u64 {
        let mut hasher = state.build_hasher();
        self.feed(&mut hasher);
        hasher.finish()
    }
}

impl<K: Copy + Eq + Hash> Lookup<K> for K {
    #[inline(always)]
    fn feed<H: Hasher>(&self, hasher: &mut H) {
        self.hash(hasher);
    }

    #[inline(always)]
    fn is(&self, key: &K) -> bool {
        self == key
    }

    #[inline(always)]
    fn key(self) -> K {
        self
    }
}
