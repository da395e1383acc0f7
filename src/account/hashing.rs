//! How the tables hash keys that come from the network.
//!
//! The hash folds 64 bits of a key with a constant; a key that equals the constant folds to 0, whatever the seed. The
//! crate's fixed constants are public, so with them one IPv6 prefix would put every conversation into one slot. Here
//! they are drawn as well.

use std::sync::OnceLock;

use foldhash::SharedSeed;
pub(super) use foldhash::fast::SeedableRandomState as State;

/// The state of a table. The constants are those of the first `seed` in this process.
pub(super) fn state(seed: u64) -> State {
    static CONSTANTS: OnceLock<SharedSeed> = OnceLock::new();
    State::with_seed(seed, CONSTANTS.get_or_init(|| SharedSeed::from_u64(seed)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::Ipv6Addr;

    use super::*;
    use crate::account::conversation::{ConversationKey, Endpoint};
    use crate::packet::Protocol;

    #[test]
    fn no_public_prefix_makes_conversations_collide() {
        // The crate's fixed constants: digits of pi.
        const CONSTANTS: [u64; 7] = [
            0x243f_6a88_85a3_08d3,
            0xc0ac_29b7_c97c_50dd,
            0x3f84_d5b5_b547_0917,
            0x9216_d5d9_8979_fb1b,
            0xd131_0ba6_98df_b5ac,
            0x2ffd_72db_d01a_dfb7,
            0xb8e1_afed_6a26_7e96,
        ];
        let state = state(7);
        let client = Endpoint { address: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), port: 4_000 };
        for constant in CONSTANTS {
            let server = |host: u128| Ipv6Addr::from_bits(u128::from(constant) << 64 | host);
            let key =
                |host| ConversationKey::new(client, Endpoint { address: server(host), port: 53 }, Protocol::UDP).0;
            let hashes: BTreeSet<u64> = (0..1_000).map(|host| key(host).hash_under(&state)).collect();
            assert_eq!(hashes.len(), 1_000, "{constant:x}::/64");
        }
    }
}
