//! The Ethernet addresses of devices on the links of this host. Takes the kernel's neighbour table and this host's own
//! interfaces; gives pairs of an IP address and an Ethernet address. Must not know names.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkHeader, LinkMessage};
use netlink_packet_route::neighbour::NeighbourMessage;

use super::Error;
use super::rtnetlink::{LINK_HEADER_BYTES, address, attribute, dump, read_addresses};

/// The most neighbours that are read. The kernel keeps 1,024 of each IP version, unless it is told otherwise.
pub const MAX_NEIGHBOURS: usize = 65_536;

/// `struct ndmsg`: family (u8), padding, interface (i32), state (u16), flags (u8), type (u8).
const NEIGHBOUR_HEADER_BYTES: usize = 12;
const STATE_POSITION: usize = 8;

/// States of an entry whose Ethernet address is known (linux/neighbour.h); of failed and incomplete ones it is not.
const KNOWN_STATES: u16 = REACHABLE | STALE | DELAY | PROBE | PERMANENT;
const REACHABLE: u16 = 0x02;
const STALE: u16 = 0x04;
const DELAY: u16 = 0x08;
const PROBE: u16 = 0x10;
const PERMANENT: u16 = 0x80;

/// An IP address with its Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// The IP address.
    pub address: IpAddr,
    /// The Ethernet address.
    pub mac: [u8; 6],
}

/// The neighbours, and this host itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Neighbours {
    /// In the kernel's order.
    pub entries: Vec<Neighbour>,
    /// The broadcast addresses of this host's links.
    pub broadcasts: Vec<Ipv4Addr>,
    /// Entries past [`MAX_NEIGHBOURS`].
    pub refused: u64,
}

impl Neighbours {
    /// Reads the table of the current network namespace.
    ///
    /// # Errors
    /// When the kernel refuses, or its answer cannot be read.
    pub fn read() -> Result<Self, Error> {
        let question = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        let mut neighbours = dump("neighbours", &[question], read_neighbours)?;
        let links = [RouteNetlinkMessage::GetLink(LinkMessage::default())];
        let macs = dump("links", &links, read_macs)?;
        let addresses = [RouteNetlinkMessage::GetAddress(AddressMessage::default())];
        for (index, network) in dump("addresses", &addresses, read_addresses)? {
            macs.get(&index).iter().for_each(|mac| neighbours.put(network.addr(), **mac));
            neighbours.broadcasts.extend(broadcast(network));
        }
        Ok(neighbours)
    }

    fn put(&mut self, address: IpAddr, mac: [u8; 6]) {
        // An address of zeros is that of a loopback device, one with the lowest bit that of a group.
        if mac == [0; 6] || mac[0] & 1 != 0 || address.is_multicast() {
            return;
        }
        if self.entries.len() < MAX_NEIGHBOURS {
            self.entries.push(Neighbour { address, mac });
        } else {
            self.refused += 1;
        }
    }
}

/// The broadcast address of a network; links of at most two addresses have none (RFC 3021).
fn broadcast(network: IpNet) -> Option<Ipv4Addr> {
    match network {
        IpNet::V4(network) if network.prefix_len() < 31 => Some(network.broadcast()),
        IpNet::V4(_) | IpNet::V6(_) => None,
    }
}

/// The addresses of this host's interfaces.
///
/// # Errors
/// When the kernel refuses, or its answer cannot be read.
pub fn own_addresses() -> Result<Vec<IpAddr>, Error> {
    let addresses = [RouteNetlinkMessage::GetAddress(AddressMessage::default())];
    let networks = dump("addresses", &addresses, read_addresses)?;
    Ok(networks.into_iter().map(|(_, network)| network.addr()).collect())
}

fn read_neighbours(neighbours: &mut Neighbours, message: &[u8]) -> Option<()> {
    let header = message.first_chunk::<NEIGHBOUR_HEADER_BYTES>()?;
    let state = u16::from_ne_bytes([header[STATE_POSITION], header[STATE_POSITION + 1]]);
    let ip = attribute(message, NEIGHBOUR_HEADER_BYTES, libc::NDA_DST).and_then(address);
    let mac = attribute(message, NEIGHBOUR_HEADER_BYTES, libc::NDA_LLADDR).and_then(mac);
    if let (Some(ip), Some(mac), true) = (ip, mac, state & KNOWN_STATES != 0) {
        neighbours.put(ip, mac);
    }
    Some(())
}

fn read_macs(macs: &mut BTreeMap<u32, [u8; 6]>, message: &[u8]) -> Option<()> {
    let header = LinkHeader::parse(message).ok()?;
    let own = attribute(message, LINK_HEADER_BYTES, libc::IFLA_ADDRESS).and_then(mac);
    macs.extend(own.map(|mac| (header.index, mac)));
    Some(())
}

fn mac(value: &[u8]) -> Option<[u8; 6]> {
    value.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry of the table with attributes, as (type, value).
    fn entry(state: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = vec![0; NEIGHBOUR_HEADER_BYTES];
        message[STATE_POSITION..STATE_POSITION + 2].copy_from_slice(&state.to_ne_bytes());
        for (kind, value) in attributes {
            message.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
            message.extend(kind.to_ne_bytes());
            message.extend_from_slice(value);
            message.resize(message.len().next_multiple_of(4), 0);
        }
        message
    }

    const MAC: [u8; 6] = [0, 0x1b, 0xc5, 0, 0, 1];

    fn read(message: &[u8]) -> Vec<Neighbour> {
        let mut neighbours = Neighbours::default();
        read_neighbours(&mut neighbours, message);
        neighbours.entries
    }

    #[test]
    fn known_entries_are_read_and_others_left_out() {
        let address = IpAddr::from([10, 0, 0, 5]);
        let of = |state, ip: &[u8], mac: &[u8]| read(&entry(state, &[(libc::NDA_DST, ip), (libc::NDA_LLADDR, mac)]));
        for state in [0x02, 0x04, 0x08, 0x10, 0x80] {
            assert_eq!(of(state, &[10, 0, 0, 5], &MAC), [Neighbour { address, mac: MAC }]);
        }
        // Incomplete, failed, without resolution.
        for state in [0x00, 0x01, 0x20, 0x40] {
            assert_eq!(of(state, &[10, 0, 0, 5], &MAC), []);
        }
        assert_eq!(of(0x02, &[10, 0, 0], &MAC), [], "no address");
        assert_eq!(of(0x02, &[10, 0, 0, 5], &MAC[..4]), [], "not Ethernet");
        assert_eq!(of(0x02, &[10, 0, 0, 5], &[0; 6]), [], "loopback");
        assert_eq!(of(0x02, &[224, 0, 0, 5], &[1, 0, 0x5e, 0, 0, 5]), [], "a group");
        let whole = entry(0x02, &[(libc::NDA_DST, &[10, 0, 0, 5]), (libc::NDA_LLADDR, &MAC)]);
        (0..whole.len() - 2).for_each(|end| assert_eq!(read(&whole[..end]), [], "cut at {end}"));
    }

    #[test]
    fn links_of_more_than_two_addresses_have_a_broadcast_address() {
        let of = |network: &str| broadcast(network.parse().unwrap()).map(|address| address.to_string());
        assert_eq!(of("10.1.2.3/24").as_deref(), Some("10.1.2.255"));
        assert_eq!(of("10.1.2.3/28").as_deref(), Some("10.1.2.15"));
        assert_eq!([of("10.1.2.3/31"), of("10.1.2.3/32"), of("fd00::1/64")], [None, None, None]);
    }

    #[test]
    fn table_is_bounded() {
        let mut neighbours = Neighbours::default();
        let address = |number: u32| IpAddr::from((0x0a00_0000 + number).to_be_bytes());
        (0..MAX_NEIGHBOURS as u32 + 5).for_each(|number| neighbours.put(address(number), MAC));
        assert_eq!((neighbours.entries.len(), neighbours.refused), (MAX_NEIGHBOURS, 5));
    }

    #[test]
    fn kernel_gives_its_table() {
        let neighbours = Neighbours::read().unwrap();
        assert!(neighbours.entries.iter().all(|neighbour| !neighbour.address.is_loopback()));
    }
}
