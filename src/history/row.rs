//! A row of the history: the traffic of a flow on one interface within a cell, in 64 bytes.
//!
//! Takes addresses, counters and times; gives them back. Must not know cells.
//!
//! A row may be the sum of several flows. Then what they do not have in common is left open: the other end, both ends,
//! or the port.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::account::conversation::Address;
use crate::account::flow::Counters;
use crate::locality::Direction;
use crate::packet::{Addresses, Protocol};
use crate::tables::sampling::Sampling;

/// The number of an interface in the names of a view.
pub type InterfaceIndex = u16;

/// The address of an end, as a number. Two of different IP versions may be equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowEnd([u64; 2]);

impl Hash for RowEnd {
    /// Word by word; a derived implementation hashes bytes.
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.into_iter().for_each(|word| hasher.write_u64(word));
    }
}

/// The key of a row. The addresses are numbers, so that both IP versions take the same space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct RowKey {
    source: [u64; 2],
    destination: [u64; 2],
    others: OtherFields,
}

/// The fields beside the addresses, in one word: interface, port, protocol, and in the lowest byte the direction, reply
/// or not, the IP version, and the fields that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct OtherFields(u64);

const IS_V6: u64 = 1;
const IS_REPLY: u64 = 2;
const OPEN_SOURCE: u64 = 0x10;
const OPEN_DESTINATION: u64 = 0x20;
const OPEN_PORT: u64 = 0x40;
const PORT_BITS: u64 = 0xffff << 16;

impl OtherFields {
    #[inline(always)]
    fn new(
        interface: InterfaceIndex,
        port: u16,
        protocol: Protocol,
        direction: Direction,
        is_reply: bool,
        is_v6: bool,
    ) -> Self {
        let flags = (direction as u64) << 2 | if is_reply { IS_REPLY } else { 0 } | if is_v6 { IS_V6 } else { 0 };
        Self(u64::from(interface) << 32 | u64::from(port) << 16 | u64::from(protocol.0) << 8 | flags)
    }

    const fn direction(self) -> Direction {
        Direction::ALL[(self.0 >> 2 & 3) as usize]
    }
}

impl Hash for RowKey {
    #[inline(always)]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        if self.is_v6() {
            self.source.into_iter().chain(self.destination).for_each(|word| hasher.write_u64(word));
        } else {
            hasher.write_u64(self.source[1] << 32 | self.destination[1]);
        }
        hasher.write_u64(self.others.0);
    }
}

impl RowKey {
    /// The key of the packets from `source` to `destination`, and its hash.
    #[inline(always)]
    pub(super) fn new<A: Address>(
        (source, destination): (A, A),
        interface: InterfaceIndex,
        (port, is_reply): (u16, bool),
        protocol: Protocol,
        direction: Direction,
        state: &Sampling,
    ) -> (Self, u64) {
        let (source_words, destination_words, is_v6) = match A::pair(source, destination) {
            Addresses::V4 { source, destination } => {
                ([0, source.to_bits().into()], [0, destination.to_bits().into()], false)
            }
            Addresses::V6 { source, destination } => (words(source), words(destination), true),
        };
        let others = OtherFields::new(interface, port, protocol, direction, is_reply, is_v6);
        let key = Self { source: source_words, destination: destination_words, others };
        (key, key.hash_under(state))
    }

    /// The hash of the key.
    #[inline(always)]
    pub(super) fn hash_under(&self, state: &Sampling) -> u64 {
        state.hash_one(self)
    }

    const fn is_v6(&self) -> bool {
        self.others.0 & IS_V6 != 0
    }

    const fn has(&self, flag: u64) -> bool {
        self.others.0 & flag != 0
    }

    /// The sender; none if it is open.
    pub(super) fn source(&self) -> Option<IpAddr> {
        (!self.has(OPEN_SOURCE)).then(|| self.address(self.source))
    }

    /// The receiver; none if it is open.
    pub(super) fn destination(&self) -> Option<IpAddr> {
        (!self.has(OPEN_DESTINATION)).then(|| self.address(self.destination))
    }

    /// The sender and the receiver, each none if it is open, in the form that hashes quickly.
    pub(super) fn ends(&self) -> [Option<RowEnd>; 2] {
        let end = |flag, words| (!self.has(flag)).then_some(RowEnd(words));
        [end(OPEN_SOURCE, self.source), end(OPEN_DESTINATION, self.destination)]
    }

    pub(super) const fn is_reply(&self) -> bool {
        self.has(IS_REPLY)
    }

    /// The protocol, and the port; none if it is open.
    pub(super) const fn service(&self) -> (Protocol, Option<u16>) {
        let port = if self.has(OPEN_PORT) { None } else { Some((self.others.0 >> 16) as u16) };
        (Protocol((self.others.0 >> 8) as u8), port)
    }

    /// The key of all senders.
    pub(super) const fn with_open_source(mut self) -> Self {
        self.source = [0; 2];
        self.others.0 |= OPEN_SOURCE;
        self.without_version()
    }

    /// The key of all receivers.
    pub(super) const fn with_open_destination(mut self) -> Self {
        self.destination = [0; 2];
        self.others.0 |= OPEN_DESTINATION;
        self.without_version()
    }

    /// The key of all ports; the same key if there is no port.
    pub(super) const fn with_open_port(mut self) -> Self {
        if self.others.0 & PORT_BITS != 0 {
            self.others.0 = self.others.0 & !PORT_BITS | OPEN_PORT;
        }
        self
    }

    /// Without an address the IP version does not matter.
    const fn without_version(mut self) -> Self {
        if self.has(OPEN_SOURCE) && self.has(OPEN_DESTINATION) {
            self.others.0 &= !IS_V6;
        }
        self
    }

    fn address(&self, [high, low]: [u64; 2]) -> IpAddr {
        if self.is_v6() {
            Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).into()
        } else {
            Ipv4Addr::from_bits(low as u32).into()
        }
    }
}

fn words(address: Ipv6Addr) -> [u64; 2] {
    let bits = address.to_bits();
    [(bits >> 64) as u64, bits as u64]
}

/// Microseconds of a second.
const MICROSECONDS: u32 = 1_000_000;

/// The traffic of a flow on one interface within a cell, or of several flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HistoryRow {
    pub(super) key: RowKey,
    /// IP bytes.
    pub bytes: u64,
    /// Number of packets.
    pub packets: u64,
    /// The second of the first packet, counted from the start of the cell. (Its time is not known to more than that: it
    /// would depend on the moments at which intervals are merged.)
    pub first_second: u32,
    /// The time of the last packet, in microseconds since the start of the cell.
    pub last: u32,
}

const _: () = assert!(size_of::<HistoryRow>() == 64);

impl HistoryRow {
    /// The sender; none if the row is of several.
    pub fn source(&self) -> Option<IpAddr> {
        self.key.source()
    }

    /// The receiver; none if the row is of several.
    pub fn destination(&self) -> Option<IpAddr> {
        self.key.destination()
    }

    /// The protocol above IP.
    pub const fn protocol(&self) -> Protocol {
        self.key.service().0
    }

    /// The port that the keying of flows takes, 0 if there is none; none if the row is of several.
    pub const fn port(&self) -> Option<u16> {
        self.key.service().1
    }

    /// True if the packets are replies: then the port is the source port.
    pub const fn is_reply(&self) -> bool {
        self.key.is_reply()
    }

    /// The direction of the packets.
    pub const fn direction(&self) -> Direction {
        self.key.others.direction()
    }

    /// The interface, for [`super::HistoryView::interface`].
    pub const fn interface(&self) -> InterfaceIndex {
        (self.key.others.0 >> 32) as InterfaceIndex
    }

    /// Packets and bytes.
    pub const fn counters(&self) -> Counters {
        Counters { packets: self.packets, bytes: self.bytes }
    }

    /// Adds another row of the same key and cell.
    #[inline]
    pub(super) fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.packets += other.packets;
        self.first_second = self.first_second.min(other.first_second);
        self.last = self.last.max(other.last);
    }

    /// The same row in a cell that starts `seconds` earlier, less than a minute.
    pub(super) const fn in_earlier_cell(self, seconds: u32) -> Self {
        Self { first_second: self.first_second + seconds, last: self.last + seconds * MICROSECONDS, ..self }
    }
}
