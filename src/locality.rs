//! The direction of packets, by the local networks: incoming, outgoing, local or transit. Takes networks and the host's
//! addresses; gives a [`Direction`] for each pair of addresses. Must not know interfaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::packet::Addresses;
use crate::tables::ranges::{Ranges, ends_v4, ends_v6};

/// The direction of a packet, seen from the local networks (CONTRACT rule 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Its destination is local, its source is not.
    Incoming,
    /// Its source is local, its destination is not.
    Outgoing,
    /// Both are local.
    Local,
    /// Neither is local.
    Transit,
}

impl Direction {
    /// All four, in order.
    pub const ALL: [Self; 4] = [Self::Incoming, Self::Outgoing, Self::Local, Self::Transit];

    /// The value of the label `direction`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
            Self::Local => "local",
            Self::Transit => "transit",
        }
    }

    /// The direction of the packets that go the other way.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Incoming => Self::Outgoing,
            Self::Outgoing => Self::Incoming,
            same => same,
        }
    }
}

/// Settings of locality.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The local networks. A given list replaces the default.
    pub networks: Vec<IpNet>,
    /// Further addresses of this host, besides those of its interfaces.
    pub own_addresses: Vec<IpAddr>,
}

impl Default for Config {
    /// The private networks of RFC 1918 and the unique local addresses of RFC 4193.
    fn default() -> Self {
        let networks = vec![
            v4([10, 0, 0, 0], 8).into(),
            v4([172, 16, 0, 0], 12).into(),
            v4([192, 168, 0, 0], 16).into(),
            v6(0xfc00 << 112, 7).into(),
        ];
        Self { networks, own_addresses: Vec::new() }
    }
}

impl Config {
    /// Each further address of this host, as a network.
    pub(crate) fn own_networks(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.own_addresses.iter().copied().map(IpNet::from)
    }
}

/// Gives the direction of packets. It is immutable: when addresses change, a new one is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Classifier {
    local_v4: Ranges<u32>,
    local_v6: Ranges<u128>,
}

/// The networks that are local: the configured ones and addresses, the addresses of the host's interfaces, and those
/// that can never be on the Internet.
pub fn local_networks(config: &Config, interface_addresses: impl IntoIterator<Item = IpAddr>) -> Vec<IpNet> {
    let own = config.own_addresses.iter().copied().chain(interface_addresses);
    let (version_4, version_6) = never_on_the_internet();
    let never = version_4.into_iter().map(IpNet::from).chain(version_6.into_iter().map(IpNet::from));
    config.networks.iter().copied().chain(own.map(IpNet::from)).chain(never).collect()
}

impl Classifier {
    /// A classifier for the configured networks and addresses, the addresses of the host's interfaces, and those that
    /// can never be on the Internet.
    pub fn new(config: &Config, interface_addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let own = config.own_addresses.iter().copied().chain(interface_addresses);
        let (mut local_v4, mut local_v6) = never_on_the_internet();
        for network in config.networks.iter().copied().chain(own.map(IpNet::from)) {
            match network {
                IpNet::V4(network) => local_v4.push(network),
                IpNet::V6(network) => local_v6.push(network),
            }
        }
        Self {
            local_v4: Ranges::new(local_v4.into_iter().map(ends_v4)),
            local_v6: Ranges::new(local_v6.into_iter().map(ends_v6)),
        }
    }

    /// True if an address is local.
    pub fn is_local(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.local_v4.contains(address.to_bits()),
            IpAddr::V6(address) => self.local_v6.contains(address.to_bits()),
        }
    }

    /// The direction of packets between two addresses of one IP version.
    pub fn direction_of(&self, source: IpAddr, destination: IpAddr) -> Direction {
        of_ends(self.is_local(source), self.is_local(destination))
    }

    /// The direction of a packet with these addresses.
    #[inline(always)]
    pub fn direction(&self, addresses: &Addresses) -> Direction {
        let (source, destination) = match *addresses {
            Addresses::V4 { source, destination } => {
                (self.local_v4.contains(source.to_bits()), self.local_v4.contains(destination.to_bits()))
            }
            Addresses::V6 { source, destination } => {
                (self.local_v6.contains(source.to_bits()), self.local_v6.contains(destination.to_bits()))
            }
        };
        of_ends(source, destination)
    }
}

/// The direction of a packet whose source and destination are local or not.
#[inline(always)]
const fn of_ends(source: bool, destination: bool) -> Direction {
    match (source, destination) {
        (false, true) => Direction::Incoming,
        (true, false) => Direction::Outgoing,
        (true, true) => Direction::Local,
        (false, false) => Direction::Transit,
    }
}

/// Unspecified, loopback, link-local, multicast and limited broadcast (IANA's special-purpose address registries).
fn never_on_the_internet() -> (Vec<Ipv4Net>, Vec<Ipv6Net>) {
    let version_4 =
        [([0, 0, 0, 0], 32), ([127, 0, 0, 0], 8), ([169, 254, 0, 0], 16), ([224, 0, 0, 0], 4), ([255; 4], 32)];
    let version_6 = [(0, 128), (1, 128), (0xfe80 << 112, 10), (0xff00 << 112, 8)];
    (
        version_4.map(|(octets, bits)| v4(octets, bits)).to_vec(),
        version_6.map(|(address, bits)| v6(address, bits)).to_vec(),
    )
}

fn v4(octets: [u8; 4], bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from(octets), bits)
}

fn v6(address: u128, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_bits(address), bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direction(classifier: &Classifier, source: &str, destination: &str) -> Direction {
        let addresses = match (source.parse().unwrap(), destination.parse().unwrap()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Addresses::V4 { source, destination },
            (IpAddr::V6(source), IpAddr::V6(destination)) => Addresses::V6 { source, destination },
            _ => panic!("two versions"),
        };
        classifier.direction(&addresses)
    }

    #[test]
    fn private_networks_are_local_by_default() {
        let classifier = Classifier::new(&Config::default(), []);
        assert_eq!(direction(&classifier, "10.0.0.1", "8.8.8.8"), Direction::Outgoing);
        assert_eq!(direction(&classifier, "8.8.8.8", "172.31.255.255"), Direction::Incoming);
        assert_eq!(direction(&classifier, "192.168.0.1", "172.16.0.0"), Direction::Local);
        assert_eq!(direction(&classifier, "172.32.0.0", "9.255.255.255"), Direction::Transit);
        assert_eq!(direction(&classifier, "fd00::1", "2001:db8::1"), Direction::Outgoing);
    }

    #[test]
    fn given_list_replaces_the_default_but_special_addresses_stay_local() {
        let config = Config { networks: vec!["198.51.100.0/24".parse().unwrap()], own_addresses: vec![] };
        let classifier = Classifier::new(&config, []);
        assert_eq!(direction(&classifier, "10.0.0.1", "198.51.100.7"), Direction::Incoming);
        for local in ["0.0.0.0", "127.9.9.9", "169.254.1.1", "224.0.0.251", "239.255.255.255", "255.255.255.255"] {
            assert_eq!(direction(&classifier, local, "8.8.8.8"), Direction::Outgoing, "{local}");
        }
        for local in ["::", "::1", "fe80::1", "febf::1", "ff02::fb"] {
            assert_eq!(direction(&classifier, local, "2001:db8::1"), Direction::Outgoing, "{local}");
        }
        for foreign in ["0.0.0.1", "128.0.0.0", "223.255.255.255", "240.0.0.0", "255.255.255.254"] {
            assert_eq!(direction(&classifier, foreign, "8.8.8.8"), Direction::Transit, "{foreign}");
        }
        for foreign in ["::2", "fec0::1", "fd00::1"] {
            assert_eq!(direction(&classifier, foreign, "2001:db8::1"), Direction::Transit, "{foreign}");
        }
    }

    #[test]
    fn own_addresses_are_local() {
        let config = Config { own_addresses: vec!["203.0.113.5".parse().unwrap()], ..Config::default() };
        let classifier = Classifier::new(&config, ["2001:db8::5".parse().unwrap()]);
        assert_eq!(direction(&classifier, "203.0.113.5", "8.8.8.8"), Direction::Outgoing);
        assert_eq!(direction(&classifier, "2001:db8::6", "2001:db8::5"), Direction::Incoming);
    }
}
