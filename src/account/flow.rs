//! What makes a flow: its key in each of the three keyings, its counters.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use crate::locality::Direction;
use crate::packet::Protocol;

/// What tells flows apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlowKeying {
    /// Source, destination, protocol and the port of the service; ephemeral ports are folded away, and replies are the
    /// same flow the other way with the reply mark.
    #[default]
    Service,
    /// Source, destination, protocol and destination port as it stands in the packet.
    DestinationPort,
    /// Source, destination and protocol.
    Pair,
}

/// What a flow is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowKey {
    /// Who sends.
    pub source: IpAddr,
    /// Who receives.
    pub destination: IpAddr,
    /// The protocol above IP.
    pub protocol: Protocol,
    /// The port that the keying takes; 0 where there is none.
    pub port: u16,
    /// The packets answer: `port` is the source's. Only the service keying sets it.
    pub reply: bool,
    /// Where the packets go. When what is local changes, a flow that goes elsewhere is another one.
    pub direction: Direction,
}

impl Hash for FlowKey {
    /// In as few words as there are: a derived one feeds an address byte by byte.
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                hasher.write_u64(u64::from(source.to_bits()) << 32 | u64::from(destination.to_bits()));
            }
            (source, destination) => {
                feed(source, hasher);
                feed(destination, hasher);
            }
        }
        let port_and_protocol = u64::from(self.port) << 8 | u64::from(self.protocol.0);
        hasher.write_u64(port_and_protocol << 16 | u64::from(self.reply) << 8 | self.direction as u64);
    }
}

fn feed<H: Hasher>(address: IpAddr, hasher: &mut H) {
    match address {
        IpAddr::V4(address) => hasher.write_u32(address.to_bits()),
        IpAddr::V6(address) => hasher.write_u128(address.to_bits()),
    }
}

/// What rows are made of: a key that belongs to one of few groups, each of which has its own *other* and *retired*.
pub trait SeriesKey: Copy + Ord + Hash {
    /// What *other* and *retired* are told apart by.
    type Group: Copy + Ord;

    /// The group of this key.
    fn group(&self) -> Self::Group;

    /// Where the packets of a group go.
    fn direction(group: Self::Group) -> Direction;

    /// The groups whose *other* is there before there is traffic: `increase()` misses what a series has at first.
    fn groups_from_the_start() -> Vec<Self::Group>;
}

/// The protocols that are in all traffic.
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

/// What a host is known by: itself and where its packets go.
///
/// Each packet counts for one host: the local one, or its source where both or neither are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostKey {
    /// The host.
    pub host: IpAddr,
    /// Where the packets go.
    pub direction: Direction,
}

impl Hash for HostKey {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        feed(self.host, hasher);
        hasher.write_u64(self.direction as u64);
    }
}

impl HostKey {
    /// The host for which packets from `source` to `destination` count.
    #[must_use]
    pub fn of(source: IpAddr, destination: IpAddr, direction: Direction) -> Self {
        let host = if direction == Direction::Incoming { destination } else { source };
        Self { host, direction }
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
    /// The number of packets.
    pub packets: u64,
    /// The sum of their IP bytes (RFC 7011 `octetDeltaCount`).
    pub bytes: u64,
}

impl Counters {
    /// Counts one packet of `bytes` IP bytes.
    #[inline]
    pub fn count(&mut self, bytes: u32) {
        self.packets += 1;
        self.bytes += u64::from(bytes);
    }

    /// Adds what another counted.
    #[inline]
    pub fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, bytes: self.bytes + other.bytes }
    }

    /// What was counted beyond `base`, which was counted before.
    #[must_use]
    pub const fn less(self, base: Self) -> Self {
        Self { packets: self.packets - base.packets, bytes: self.bytes - base.bytes }
    }

    /// Whether nothing was counted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.packets == 0
    }
}
