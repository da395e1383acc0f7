//! Bounded containers and the hashing under them; sets of addresses.
//!
//! Takes keys, hashes and limits; gives positions, counts and samples. Must not know what is counted or why.

pub mod bloom;
pub mod generations;
pub(crate) mod hashing;
pub mod heavy;
pub mod index;
pub mod lookup;
pub(crate) mod probe;
pub mod ranges;
pub(crate) mod resident;
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

/// The reason why an entry left a bounded table. docs/admission-and-eviction.md lists the policies of all tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Eviction {
    /// Nothing was counted for the idle timeout, or in any value of its series.
    Idle,
    /// Room was needed, and the policy of the table chose this entry.
    Full,
}

impl Eviction {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::Idle, Self::Full];

    /// The value of the label `reason`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Full => "full",
        }
    }
}
