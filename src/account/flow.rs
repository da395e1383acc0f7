//! Flows and hosts: their keys and counters.
//!
//! Takes the fields of a packet; gives its flow's key, in one of three keyings, and its host. Must not know tables.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use super::conversation::Address;
use crate::locality::Direction;
use crate::packet::Protocol;
use crate::tables::lookup::Lookup;

/// The fields that make a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlowKeying {
    /// Source, destination, protocol and service port. Ephemeral ports are left out. Replies are a flow of their own.
    #[default]
    Service,
    /// Source, destination, protocol and destination port as it stands in the packet.
    DestinationPort,
    /// Source, destination and protocol.
    Pair,
}

impl FlowKeying {
    /// The port of a flow, and true if its packets are replies. The ports are those of its packets; `is_request` is true
    /// if they go to the server.
    #[inline]
    pub(crate) const fn port_and_reply(self, source_port: u16, destination_port: u16, is_request: bool) -> (u16, bool) {
        let has_ports = source_port != 0 || destination_port != 0;
        match self {
            Self::Service if has_ports && !is_request => (source_port, true),
            Self::Service | Self::DestinationPort => (destination_port, false),
            Self::Pair => (0, false),
        }
    }
}

/// The key of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowKey {
    /// Sender address.
    pub source: IpAddr,
    /// Receiver address.
    pub destination: IpAddr,
    /// The protocol above IP.
    pub protocol: Protocol,
    /// The port that the keying takes; 0 if there is none.
    pub port: u16,
    /// True if the packets are replies: then `port` is the source port. Only the service keying sets it.
    pub reply: bool,
    /// Direction of the packets. When the local networks change, the same packets become another flow.
    pub direction: Direction,
}

impl Hash for FlowKey {
    /// Hashes in few words; a derived implementation feeds an address byte by byte.
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Address::feed_both(source, destination, hasher),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Address::feed_both(source, destination, hasher),
            // No packet mixes IP versions.
            (source, destination) => [source, destination].into_iter().for_each(|address| feed(address, hasher)),
        }
        hasher.write_u64(self.rest());
    }
}

impl FlowKey {
    /// The fields beside the addresses, in one word.
    #[inline(always)]
    fn rest(&self) -> u64 {
        rest(self.protocol, self.port, self.reply, self.direction)
    }
}

#[inline(always)]
fn rest(protocol: Protocol, port: u16, reply: bool, direction: Direction) -> u64 {
    (u64::from(port) << 8 | u64::from(protocol.0)) << 16 | u64::from(reply) << 8 | direction as u64
}

/// A [`FlowKey`] with addresses of one version, for look-ups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FlowOf<A> {
    /// Sender address.
    pub source: A,
    /// Receiver address.
    pub destination: A,
    /// As in [`FlowKey`].
    pub protocol: Protocol,
    /// As in [`FlowKey`].
    pub port: u16,
    /// As in [`FlowKey`].
    pub reply: bool,
    /// As in [`FlowKey`].
    pub direction: Direction,
}

impl<A: Address> Lookup<FlowKey> for FlowOf<A> {
    #[inline(always)]
    fn feed<H: Hasher>(&self, hasher: &mut H) {
        A::feed_both(self.source, self.destination, hasher);
        hasher.write_u64(rest(self.protocol, self.port, self.reply, self.direction));
    }

    #[inline(always)]
    fn is(&self, key: &FlowKey) -> bool {
        let rest = rest(self.protocol, self.port, self.reply, self.direction);
        self.source.is(key.source) && self.destination.is(key.destination) && rest == key.rest()
    }

    #[inline(always)]
    fn key(self) -> FlowKey {
        let Self { source, destination, protocol, port, reply, direction } = self;
        FlowKey { source: source.into(), destination: destination.into(), protocol, port, reply, direction }
    }
}

fn feed<H: Hasher>(address: IpAddr, hasher: &mut H) {
    match address {
        IpAddr::V4(address) => hasher.write_u32(address.to_bits()),
        IpAddr::V6(address) => hasher.write_u128(address.to_bits()),
    }
}

/// The key of a row. Each key belongs to one of few groups, and each group has its own *other* and *retired*.
pub trait SeriesKey: Copy + Ord + Hash {
    /// The group of keys that share *other* and *retired*.
    type Group: Copy + Ord;

    /// The group of this key.
    fn group(&self) -> Self::Group;

    /// The direction of a group.
    fn direction(group: Self::Group) -> Direction;

    /// The groups whose *other* exists from the start, because `increase()` misses the first value of a series.
    fn groups_from_the_start() -> Vec<Self::Group>;
}

const USUAL_PROTOCOLS: [Protocol; 4] = [Protocol::ICMP, Protocol::TCP, Protocol::UDP, Protocol::ICMPV6];

impl SeriesKey for FlowKey {
    type Group = (Direction, Protocol);

    fn group(&self) -> Self::Group {
        (self.direction, self.protocol)
    }

    fn direction((direction, _): Self::Group) -> Direction {
        direction
    }

    fn groups_from_the_start() -> Vec<Self::Group> {
        let of = |direction| USUAL_PROTOCOLS.map(|protocol| (direction, protocol));
        Direction::ALL.into_iter().flat_map(of).collect()
    }
}

/// The key of a host: its address and the direction of the packets.
///
/// Each packet counts for one host: the local one, or its source where both or neither are local.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostKey {
    /// The host.
    pub host: IpAddr,
    /// Direction of the packets.
    pub direction: Direction,
}

impl Hash for HostKey {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        feed(self.host, hasher);
        hasher.write_u64(self.direction as u64);
    }
}

/// A [`HostKey`] with an address of one version, for look-ups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostOf<A> {
    host: A,
    direction: Direction,
}

impl<A: Address> HostOf<A> {
    /// The host for which packets from `source` to `destination` count.
    #[inline(always)]
    pub(crate) fn for_packets(source: A, destination: A, direction: Direction) -> Self {
        let host = if direction == Direction::Incoming { destination } else { source };
        Self { host, direction }
    }
}

impl<A: Address> Lookup<HostKey> for HostOf<A> {
    #[inline(always)]
    fn feed<H: Hasher>(&self, hasher: &mut H) {
        self.host.feed(hasher);
        hasher.write_u64(self.direction as u64);
    }

    #[inline(always)]
    fn is(&self, key: &HostKey) -> bool {
        self.host.is(key.host) && self.direction == key.direction
    }

    #[inline(always)]
    fn key(self) -> HostKey {
        HostKey { host: self.host.into(), direction: self.direction }
    }
}

impl SeriesKey for HostKey {
    type Group = Direction;

    fn group(&self) -> Direction {
        self.direction
    }

    fn direction(group: Direction) -> Direction {
        group
    }

    fn groups_from_the_start() -> Vec<Direction> {
        Direction::ALL.to_vec()
    }
}

/// Packets and their IP bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Number of packets.
    pub packets: u64,
    /// Sum of their IP bytes (RFC 7011 `octetDeltaCount`).
    pub bytes: u64,
}

impl Counters {
    /// Counts one packet of `bytes` IP bytes.
    #[inline]
    pub(crate) fn count(&mut self, bytes: u32) {
        self.packets += 1;
        self.bytes += u64::from(bytes);
    }

    /// Adds other counters.
    #[inline]
    pub fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }

    /// The sum of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, bytes: self.bytes + other.bytes }
    }

    /// These counters minus `base`, which is never greater.
    #[must_use]
    pub(crate) const fn less(self, base: Self) -> Self {
        Self { packets: self.packets - base.packets, bytes: self.bytes - base.bytes }
    }

    /// True if no packet was counted.
    pub const fn is_empty(&self) -> bool {
        self.packets == 0
    }
}
