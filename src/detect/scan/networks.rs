//! The networks in which targets lie together.
//!
//! Takes addresses; gives the first address of a network around each. No packet tells the length of a prefix, so fixed
//! lengths stand for it. Must not know contacts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network of neighbours: a /24, over IPv6 a /112 (as many as a sweep that counts the last 16 bits meets).
pub(super) fn nearby(address: IpAddr) -> IpAddr {
    masked(address, 8, 16)
}

/// The network of a site: a /16, over IPv6 a /64.
pub(super) fn site(address: IpAddr) -> IpAddr {
    masked(address, 16, 64)
}

/// The address with its last bits cleared.
fn masked(address: IpAddr, bits_4: u32, bits_6: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() >> bits_4 << bits_4).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> bits_6 << bits_6).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_their_first_address() {
        let v4 = IpAddr::from([192, 0, 2, 77]);
        assert_eq!((nearby(v4), site(v4)), ([192, 0, 2, 0].into(), [192, 0, 0, 0].into()));
        let v6 = IpAddr::from([0x2001, 0xdb8, 1, 2, 3, 4, 5, 6]);
        let expected = ([0x2001, 0xdb8, 1, 2, 3, 4, 5, 0].into(), [0x2001, 0xdb8, 1, 2, 0, 0, 0, 0].into());
        assert_eq!((nearby(v6), site(v6)), expected);
    }
}
