//! The conversation: both directions of a 5-tuple under one key (a biflow, RFC 5103), and which endpoint is the server.
//!
//! Takes endpoints of packets; gives canonical keys, the counters of one direction, and the direction of requests. Must
//! not know tables.

mod ends;
mod request;

use std::fmt::Debug;
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::locality::Direction;
use crate::packet::{Addresses, Protocol, TcpFlags, Timestamp};
pub use ends::{Endpoint, Ends};
pub use request::request_way;
pub(crate) use request::request_way_by_ports;

/// An address of one IP version.
pub trait Address: Debug + Copy + Ord + Hash + Into<IpAddr> {
    /// A placeholder: all bits are 0.
    const BLANK: Self;

    /// The ends of a conversation, with its protocol.
    type Ends: Ends<Self>;

    /// Feeds the address to a hasher, in as few words as possible.
    fn feed<H: Hasher>(self, hasher: &mut H);

    /// Feeds two addresses to a hasher, in as few words as possible.
    fn feed_both<H: Hasher>(source: Self, destination: Self, hasher: &mut H);

    /// True if `other` is this address.
    fn is(self, other: IpAddr) -> bool;

    /// Source and destination together.
    fn pair(source: Self, destination: Self) -> Addresses;
}

impl Address for Ipv4Addr {
    const BLANK: Self = Self::UNSPECIFIED;

    type Ends = ends::PackedEnds;

    #[inline]
    fn feed<H: Hasher>(self, hasher: &mut H) {
        hasher.write_u32(self.to_bits());
    }

    #[inline]
    fn feed_both<H: Hasher>(source: Self, destination: Self, hasher: &mut H) {
        hasher.write_u64(u64::from(source.to_bits()) << 32 | u64::from(destination.to_bits()));
    }

    #[inline]
    fn is(self, other: IpAddr) -> bool {
        matches!(other, IpAddr::V4(other) if other == self)
    }

    #[inline]
    fn pair(source: Self, destination: Self) -> Addresses {
        Addresses::V4 { source, destination }
    }
}

impl Address for Ipv6Addr {
    const BLANK: Self = Self::UNSPECIFIED;

    type Ends = ends::PlainEnds;

    #[inline]
    fn feed<H: Hasher>(self, hasher: &mut H) {
        hasher.write_u128(self.to_bits());
    }

    #[inline]
    fn feed_both<H: Hasher>(source: Self, destination: Self, hasher: &mut H) {
        hasher.write_u128(source.to_bits());
        hasher.write_u128(destination.to_bits());
    }

    #[inline]
    fn is(self, other: IpAddr) -> bool {
        matches!(other, IpAddr::V6(other) if other == self)
    }

    #[inline]
    fn pair(source: Self, destination: Self) -> Addresses {
        Addresses::V6 { source, destination }
    }
}

/// One of the two directions of a conversation. ([`Direction`] is another thing: incoming, outgoing, local or transit.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the lower endpoint to the higher one.
    Forward,
    /// From the higher endpoint to the lower one.
    Backward,
}

impl Way {
    /// Both, forward first.
    pub const BOTH: [Self; 2] = [Self::Forward, Self::Backward];

    /// The other one.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Forward => Self::Backward,
            Self::Backward => Self::Forward,
        }
    }
}

/// The 5-tuple in a canonical order: the same for the packets of both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConversationKey<A: Address> {
    ends: A::Ends,
}

impl<A: Address> ConversationKey<A> {
    pub(super) const BLANK: Self = Self { ends: A::Ends::BLANK };

    /// The key of a packet from `source` to `destination`, and the direction in which the packet goes.
    #[inline]
    pub fn new(source: Endpoint<A>, destination: Endpoint<A>, protocol: Protocol) -> (Self, Way) {
        let (ends, goes_forward) = A::Ends::of(source, destination, protocol);
        (Self { ends }, if goes_forward { Way::Forward } else { Way::Backward })
    }

    /// The sender and the receiver of the packets of this direction.
    #[inline]
    pub fn endpoints(&self, way: Way) -> (Endpoint<A>, Endpoint<A>) {
        let [low, high] = self.ends.both();
        match way {
            Way::Forward => (low, high),
            Way::Backward => (high, low),
        }
    }

    /// The protocol above IP.
    #[inline]
    pub fn protocol(&self) -> Protocol {
        self.ends.protocol()
    }

    /// The hash of the key under `state`.
    #[inline]
    pub(crate) fn hash_under<S: BuildHasher>(&self, state: &S) -> u64 {
        state.hash_one(self)
    }
}

/// The counters of one direction of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneWay {
    /// IP bytes.
    pub bytes: u64,
    /// The time of the first packet; without meaning if there is no packet.
    pub first: Timestamp,
    /// The latest time of a packet. Usually that of the last packet.
    pub last: Timestamp,
    /// The number of packets.
    pub packets: u32,
    /// The first packet's TCP flags, or its ICMP type.
    first_control: u8,
    /// The union of all packets' TCP flags.
    pub flags: TcpFlags,
    /// The direction of the packets relative to the local networks.
    pub direction: Direction,
    marks: u8,
}

/// Bits of [`OneWay::marks`].
const OPENS: u8 = 1;
const REFUSED: u8 = 2;
const HAS_ICMP_TYPE: u8 = 4;
const HAS_PAYLOAD: u8 = 8;
const NOT_PERMITTED: u8 = 16;

/// One direction of a conversation as another counter summed it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectionSum {
    /// Number of packets.
    pub packets: u32,
    /// IP bytes.
    pub bytes: u64,
    /// Time of the first packet.
    pub first: Timestamp,
    /// Time of the last packet.
    pub last: Timestamp,
    /// The first packet's TCP flags.
    pub first_flags: TcpFlags,
    /// The first packet's ICMP type.
    pub icmp_type: Option<u8>,
    /// The union of all packets' TCP flags.
    pub flags: TcpFlags,
    /// True if a packet was TCP with data.
    pub has_payload: bool,
}

impl From<DirectionSum> for OneWay {
    fn from(sum: DirectionSum) -> Self {
        let DirectionSum { packets, bytes, first, last, first_flags, icmp_type, flags, has_payload } = sum;
        let marks = if icmp_type.is_some() { HAS_ICMP_TYPE } else { 0 } | if has_payload { HAS_PAYLOAD } else { 0 };
        let first_control = icmp_type.unwrap_or(first_flags.0);
        Self { packets, bytes, first, last, first_control, flags, marks, ..Self::NOTHING }
    }
}

impl OneWay {
    /// Adds the counters of later packets of the same direction.
    pub(super) fn add(&mut self, later: &Self) {
        if self.packets == 0 {
            (self.first, self.last, self.first_control) = (later.first, later.last, later.first_control);
            self.marks |= later.marks;
        }
        self.marks |= later.marks & HAS_PAYLOAD;
        self.last = self.last.max(later.last);
        self.flags = self.flags.union(later.flags);
        self.packets += later.packets;
        self.bytes += later.bytes;
    }

    /// The counters before the first packet.
    pub(super) const NOTHING: Self = Self {
        bytes: 0,
        first: Timestamp::from_nanoseconds(0),
        last: Timestamp::from_nanoseconds(0),
        packets: 0,
        first_control: 0,
        flags: TcpFlags(0),
        direction: Direction::Transit,
        marks: 0,
    };

    /// Notes that the first packet of the row goes in this direction. It is counted afterwards.
    #[inline]
    pub(super) const fn open(&mut self) {
        self.marks |= OPENS;
    }

    /// Counts one packet.
    #[inline]
    pub(crate) fn count(
        &mut self,
        time: Timestamp,
        flags: TcpFlags,
        has_payload: bool,
        icmp_type: Option<u8>,
        bytes: u32,
    ) {
        if self.packets == 0 {
            (self.first, self.last) = (time, time);
            self.first_control = icmp_type.unwrap_or(flags.0);
            self.marks |= if icmp_type.is_some() { HAS_ICMP_TYPE } else { 0 };
        }
        if time > self.last {
            self.last = time;
        }
        self.flags = self.flags.union(flags);
        self.marks |= if has_payload { HAS_PAYLOAD } else { 0 };
        self.packets += 1;
        self.bytes += u64::from(bytes);
    }

    /// True if the first packet of the row went in this direction.
    #[inline]
    pub(crate) const fn opens(&self) -> bool {
        self.marks & OPENS != 0
    }

    /// Notes that an ICMP error refused a packet of this direction.
    pub(super) const fn refuse(&mut self) {
        self.marks |= REFUSED;
    }

    /// True if an ICMP error of this interval refused a packet of this direction. The interval's refusals have its
    /// time.
    pub const fn is_refused(&self) -> bool {
        self.marks & REFUSED != 0
    }

    /// Notes that the sender of this direction is not permitted.
    pub(super) const fn forbid(&mut self) {
        self.marks |= NOT_PERMITTED;
    }

    /// False if a policy does not permit the sender of this direction.
    #[inline]
    pub const fn is_permitted(&self) -> bool {
        self.marks & NOT_PERMITTED == 0
    }

    /// True if a packet was TCP with data.
    #[inline]
    pub const fn has_payload(&self) -> bool {
        self.marks & HAS_PAYLOAD != 0
    }

    /// The TCP flags of the first packet; none for other protocols.
    #[inline]
    pub const fn first_flags(&self) -> TcpFlags {
        TcpFlags(if self.marks & HAS_ICMP_TYPE == 0 { self.first_control } else { 0 })
    }

    /// The ICMP or ICMPv6 type of the first packet, if it was captured; none for other protocols and later fragments.
    #[inline]
    pub const fn icmp_type(&self) -> Option<u8> {
        if self.marks & HAS_ICMP_TYPE == 0 { None } else { Some(self.first_control) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::tables::hashing;

    const CLIENT: [u8; 4] = [10, 0, 0, 2];
    const SERVER: [u8; 4] = [10, 0, 0, 1];

    fn endpoint(address: [u8; 4], port: u16) -> Endpoint<Ipv4Addr> {
        Endpoint { address: address.into(), port }
    }

    /// The port that serves when the first packet goes from `source` to `destination`.
    fn serving_port(protocol: Protocol, source: u16, destination: u16, flags: u8) -> u16 {
        let (key, opener) = ConversationKey::new(endpoint(CLIENT, source), endpoint(SERVER, destination), protocol);
        key.endpoints(request_way(&key, opener, TcpFlags(flags))).1.port
    }

    #[test]
    fn both_ways_of_a_conversation_have_one_key() {
        let (there, way) = ConversationKey::new(endpoint(CLIENT, 50_000), endpoint(SERVER, 443), Protocol::TCP);
        let (back, other) = ConversationKey::new(endpoint(SERVER, 443), endpoint(CLIENT, 50_000), Protocol::TCP);
        assert_eq!(there, back);
        assert_eq!(way, other.reversed());
        assert_eq!(there.endpoints(way), (endpoint(CLIENT, 50_000), endpoint(SERVER, 443)));
    }

    #[test]
    fn receiver_of_a_syn_is_the_server_whatever_the_ports() {
        assert_eq!(serving_port(Protocol::TCP, 80, 50_000, 0x02), 50_000);
        assert_eq!(serving_port(Protocol::TCP, 50_000, 80, 0x02), 80);
    }

    #[test]
    fn sender_of_a_syn_with_ack_is_the_server() {
        assert_eq!(serving_port(Protocol::TCP, 50_000, 80, 0x12), 50_000);
    }

    #[test]
    fn tcp_first_seen_in_the_middle_goes_by_its_ports() {
        assert_eq!(serving_port(Protocol::TCP, 443, 50_000, 0x10), 443);
        assert_eq!(serving_port(Protocol::TCP, 50_000, 443, 0x10), 443);
        assert_eq!(serving_port(Protocol::TCP, 50_000, 8080, 0x18), 8080);
        assert_eq!(serving_port(Protocol::TCP, 8080, 50_000, 0x18), 8080);
        assert_eq!(serving_port(Protocol::TCP, 22, 443, 0x10), 22);
    }

    #[test]
    fn ports_decide_for_every_packet_or_for_none() {
        let decided = |protocol, low, high| {
            let (key, _) = ConversationKey::new(endpoint(SERVER, low), endpoint(CLIENT, high), protocol);
            request_way_by_ports(&key).map(|way| key.endpoints(way).1.port)
        };
        assert_eq!(decided(Protocol::TCP, 80, 50_000), Some(80));
        assert_eq!(decided(Protocol::TCP, 50_000, 40_000), Some(40_000));
        assert_eq!(decided(Protocol::TCP, 179, 179), None);
        assert_eq!(decided(Protocol::UDP, 50_000, 53), Some(53));
        assert_eq!(decided(Protocol::UDP, 50_000, 40_000), None);
        assert_eq!(decided(Protocol::UDP, 67, 68), None);
        assert_eq!(decided(Protocol::ICMP, 0, 0), None);
    }

    #[test]
    fn udp_serves_where_it_was_spoken_to_first_unless_a_system_port_spoke() {
        assert_eq!(serving_port(Protocol::UDP, 40_000, 50_000, 0), 50_000);
        assert_eq!(serving_port(Protocol::UDP, 50_000, 40_000, 0), 40_000);
        assert_eq!(serving_port(Protocol::UDP, 53, 50_000, 0), 53);
        assert_eq!(serving_port(Protocol::UDP, 67, 68, 0), 68);
    }

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
        let state = hashing::state(7);
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
