//! Who is looked up in a table, before there is a key of it.

use std::hash::{BuildHasher, Hash, Hasher};

/// Who is looked up in a table of keys `K`.
///
/// A key that is an enum or large is put together only where one is added: to write it to memory in pieces, just to hash
/// and compare it, and to read it back as a whole stalls the processor for longer than the look-up takes.
pub trait Lookup<K>: Copy {
    /// Feeds it to a hasher, as its key would be.
    fn feed<H: Hasher>(&self, hasher: &mut H);

    /// Whether `key` is its key.
    fn is(&self, key: &K) -> bool;

    /// Its key.
    fn key(self) -> K;

    /// The hash of its key under `state`.
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
