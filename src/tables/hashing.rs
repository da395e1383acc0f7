//! Hashing of keys that come from the network.
//!
//! Takes a seed; gives the hash state of a table. Must not know the keys.
//!
//! The hash combines 64 bits of a key with a constant. If they are equal, the result is 0, whatever the seed. The
//! constants of the crate are public, so an attacker could give all conversations the same hash by one IPv6 prefix.
//! Here the constants are random.

use std::sync::OnceLock;

use foldhash::SharedSeed;
pub use foldhash::fast::SeedableRandomState as State;

/// The hash state of a table. The constants are drawn from the first `seed` in this process.
pub fn state(seed: u64) -> State {
    static CONSTANTS: OnceLock<SharedSeed> = OnceLock::new();
    State::with_seed(seed, CONSTANTS.get_or_init(|| SharedSeed::from_u64(seed)))
}
