//! Directed broadcasts: contacts with the last addresses of networks, which nothing answers.
//!
//! Takes the failed contacts of one source. No packet tells how large a network is; but a source that contacts last
//! addresses clearly more often than a sweep meets them knows the networks. Must not know the other sources.

use std::net::IpAddr;

use super::contacts::HostPort;
use crate::packet::Protocol;

/// A kind of last addresses of networks, and how much more often than by chance a source must contact them before they
/// are taken for broadcast addresses: a sweep of all addresses meets one in 256, or one in 16, of them.
struct LastAddresses {
    /// Low bits of the address that are ones.
    ones: usize,
    /// Failed contacts with them, at least.
    fewest: u64,
    /// They must be more than one in so many failed contacts.
    one_in: u64,
}

/// The last address of a /24, and of what is left those of networks down to a /28.
const LAST_ADDRESSES: [LastAddresses; 2] =
    [LastAddresses { ones: 8, fewest: 3, one_in: 64 }, LastAddresses { ones: 4, fewest: 6, one_in: 4 }];

/// The number of ones that the broadcast addresses end in that a source contacts; none where it meets them by chance. A
/// station that wakes hosts in many networks sends to the broadcast address of each. Takes the failed contacts of the
/// source, each with the number of those that it stands for.
pub(super) fn ones_at_end<'a>(failed: impl Iterator<Item = (&'a HostPort, u64)>) -> Option<u32> {
    let mut by_ones = [0_u64; 33];
    for (place, weight) in failed.filter(|(place, _)| may_be_one(place, 0)) {
        by_ones[ones(place.address) as usize] += weight;
    }
    let mut found = None;
    for LastAddresses { ones, fewest, one_in } in LAST_ADDRESSES {
        let left = found.unwrap_or(by_ones.len());
        let (all, last): (u64, u64) = (by_ones[..left].iter().sum(), by_ones[ones..left].iter().sum());
        if last >= fewest && last * one_in > all {
            found = Some(ones);
        }
    }
    found.map(|ones| ones as u32)
}

/// True if a contact may have been with a broadcast address that ends in so many ones: no TCP goes there.
pub(super) fn may_be_one(place: &HostPort, at_least: u32) -> bool {
    matches!(place.protocol, Protocol::UDP | Protocol::ICMP) && ones(place.address) >= at_least
}

/// The number of ones that an IPv4 address ends in: n for the last address of a block of 2^n. 0 for IPv6.
fn ones(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits().trailing_ones(),
        IpAddr::V6(_) => 0,
    }
}
