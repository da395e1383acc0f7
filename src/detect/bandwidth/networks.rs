//! The rule of the most specific network that contains an address.
//!
//! Takes networks with the numbers of their rules; gives the rule of an address. Must not know the rules.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

/// The networks of one IP version with one prefix length, in the order of their bits.
#[derive(Debug)]
struct Length {
    mask: u128,
    networks: Vec<(u128, u16)>,
}

/// The rules of networks by prefix length, the longest first.
#[derive(Debug, Default)]
pub(super) struct RulesByNetwork {
    v4: Vec<Length>,
    v6: Vec<Length>,
}

impl RulesByNetwork {
    /// Takes each network with the number of its rule. Of two equal networks the first counts.
    pub(super) fn new(networks: impl Iterator<Item = (IpNet, u16)>) -> Self {
        let mut by_length: [BTreeMap<u8, BTreeMap<u128, u16>>; 2] = Default::default();
        for (network, rule) in networks {
            let (bits, length) = (bits(network.network()), network.prefix_len());
            let of_version = &mut by_length[usize::from(network.addr().is_ipv6())];
            of_version.entry(length).or_default().entry(bits).or_insert(rule);
        }
        let [v4, v6] = by_length;
        Self { v4: longest_first(v4, 32), v6: longest_first(v6, 128) }
    }

    /// The rule of an address; 0 if no network contains it.
    #[inline]
    pub(super) fn rule_of(&self, address: IpAddr) -> u16 {
        let lengths = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        if lengths.is_empty() {
            return 0;
        }
        let bits = bits(address);
        lengths.iter().find_map(|length| length.rule_of(bits)).unwrap_or(0)
    }
}

impl Length {
    fn rule_of(&self, bits: u128) -> Option<u16> {
        let of_network = |(network, _): &(u128, u16)| *network;
        let found = self.networks.binary_search_by_key(&(bits & self.mask), of_network).ok()?;
        Some(self.networks[found].1)
    }
}

fn longest_first(by_length: BTreeMap<u8, BTreeMap<u128, u16>>, width: u32) -> Vec<Length> {
    let lengths = by_length.into_iter().rev();
    let mask = |length: u8| u128::MAX.checked_shl(width - u32::from(length)).unwrap_or(0);
    lengths.map(|(length, networks)| Length { mask: mask(length), networks: networks.into_iter().collect() }).collect()
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> RulesByNetwork {
        RulesByNetwork::new((1..).zip(texts).map(|(rule, text)| (text.parse().unwrap(), rule)))
    }

    #[test]
    fn the_most_specific_network_wins_whatever_the_order() {
        let networks = networks(&["0.0.0.0/0", "10.1.0.0/16", "10.0.0.0/8", "10.1.2.3/32", "fd00::/8", "::/0"]);
        let rule = |address: &str| networks.rule_of(address.parse().unwrap());
        assert_eq!(["10.1.2.3", "10.1.2.4", "10.2.0.0", "11.0.0.0"].map(rule), [4, 2, 3, 1]);
        assert_eq!(["fd00::1", "2001:db8::1"].map(rule), [5, 6]);
    }

    #[test]
    fn an_address_outside_of_all_networks_has_the_rule_0() {
        let networks = networks(&["10.0.0.0/8", "fd00::/8"]);
        for address in ["9.255.255.255", "11.0.0.0", "fc00::1", "::ffff:10.0.0.1", "::10.0.0.1"] {
            assert_eq!(networks.rule_of(address.parse().unwrap()), 0, "{address}");
        }
    }
}
