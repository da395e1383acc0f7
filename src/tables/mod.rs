//! Bounded containers and the hashing under them.
//!
//! Takes keys, hashes and limits; gives positions, counts and samples. Must not know what is counted or why.

pub mod bloom;
pub mod eviction;
pub mod generations;
pub(crate) mod hashing;
pub mod index;
pub mod lookup;
pub(crate) mod probe;
pub mod sampling;
pub mod slab;
pub mod top;

/// Reads `value` ahead of its use; the compiler must not leave the read out.
///
/// Call it for several positions in a row, before the first of them is used: their cache misses then overlap.
#[inline(always)]
pub fn prefetch<T>(value: T) {
    std::hint::black_box(value);
}
