//! The networks in which targets lie together.
//!
//! Takes addresses; gives the first address of a network around each. No packet tells the length of a prefix, so fixed
//! lengths stand for it. Must not know contacts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::tables::sampling::mixed;

/// The network of neighbours: a /24, over IPv6 a /112 (as many as a sweep that counts the last 16 bits meets).
pub(super) fn nearby(address: IpAddr) -> IpAddr {
    masked(address, 8, 16)
}

/// A number for the network of neighbours of an address, below [`u32::MAX`]. Two IPv6 networks may share one.
pub(super) fn tag(address: IpAddr) -> u32 {
    match nearby(address) {
        IpAddr::V4(network) => network.to_bits() >> 8,
        IpAddr::V6(network) => {
            let bits = network.to_bits();
            (mixed(mixed(bits as u64) ^ (bits >> 64) as u64) >> 33) as u32
        }
    }
}

/// The network of a site: a /16, over IPv6 a /64.
pub(super) fn site(address: IpAddr) -> IpAddr {
    masked(address, 16, 64)
}

/// The network that [`nearby`] gives, with its length.
pub(super) fn nearby_net(network: IpAddr) -> IpNet {
    of_length(network, 24, 112)
}

/// The network that [`site`] gives, with its length.
pub(super) fn site_net(network: IpAddr) -> IpNet {
    of_length(network, 16, 64)
}

fn of_length(network: IpAddr, length_4: u8, length_6: u8) -> IpNet {
    let length = if network.is_ipv4() { length_4 } else { length_6 };
    IpNet::new(network, length).unwrap_or_else(|_| network.into()).trunc()
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
