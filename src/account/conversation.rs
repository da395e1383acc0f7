//! The conversation: both ways of a 5-tuple under one key (RFC 5103's biflow), and which side of it serves.

use std::hash::{BuildHasher, Hash, Hasher};
use std::hint::select_unpredictable;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::packet::{Addresses, Protocol, TcpFlags, Timestamp};

/// An address of one IP version, as the tables hold it.
pub trait Address: Copy + Ord + Into<IpAddr> {
    /// No host's: all bits are 0.
    const BLANK: Self;

    /// Feeds the address to a hasher in as few words as it has.
    fn feed<H: Hasher>(self, hasher: &mut H);

    /// Feeds two addresses to a hasher, likewise.
    fn feed_both<H: Hasher>(source: Self, destination: Self, hasher: &mut H);

    /// Whether it is `other`.
    fn is(self, other: IpAddr) -> bool;

    /// Source and destination together.
    fn pair(source: Self, destination: Self) -> Addresses;

    /// Whether the first endpoint is not above the second one, by address, then port.
    fn is_in_order(first: &Endpoint<Self>, second: &Endpoint<Self>) -> bool;

    /// The first one where `is_first` holds, else the second one. Which it is is nothing that a processor could guess.
    fn choose(is_first: bool, first: Self, second: Self) -> Self;
}

impl Address for Ipv4Addr {
    const BLANK: Self = Self::UNSPECIFIED;

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

    #[inline(always)]
    fn is_in_order(first: &Endpoint<Self>, second: &Endpoint<Self>) -> bool {
        let word = |of: &Endpoint<Self>| u64::from(of.address.to_bits()) << 16 | u64::from(of.port);
        word(first) <= word(second)
    }

    #[inline(always)]
    fn choose(is_first: bool, first: Self, second: Self) -> Self {
        Self::from_bits(select_unpredictable(is_first, first.to_bits(), second.to_bits()))
    }
}

impl Address for Ipv6Addr {
    const BLANK: Self = Self::UNSPECIFIED;

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

    #[inline(always)]
    fn is_in_order(first: &Endpoint<Self>, second: &Endpoint<Self>) -> bool {
        (first.address.to_bits(), first.port) <= (second.address.to_bits(), second.port)
    }

    #[inline(always)]
    fn choose(is_first: bool, first: Self, second: Self) -> Self {
        Self::from_bits(select_unpredictable(is_first, first.to_bits(), second.to_bits()))
    }
}

/// One of the two ways of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the lower endpoint to the higher one.
    Up,
    /// From the higher endpoint to the lower one.
    Down,
}

impl Way {
    /// Both, in order.
    pub const BOTH: [Self; 2] = [Self::Up, Self::Down];

    /// The other one.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// An address with its port (0 where the protocol has none).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint<A> {
    /// The address.
    pub address: A,
    /// The port, 0 where there is none.
    pub port: u16,
}

/// The 5-tuple in a canonical order: the same for packets both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConversationKey<A> {
    low: Endpoint<A>,
    high: Endpoint<A>,
    protocol: Protocol,
}

impl<A: Address> ConversationKey<A> {
    /// No conversation's, for a place that is about to be filled.
    pub(super) const BLANK: Self = {
        let endpoint = Endpoint { address: A::BLANK, port: 0 };
        Self { low: endpoint, high: endpoint, protocol: Protocol(0) }
    };

    /// The key of a packet from `source` to `destination`, and the way that the packet goes.
    #[must_use]
    #[inline]
    pub fn new(source: Endpoint<A>, destination: Endpoint<A>, protocol: Protocol) -> (Self, Way) {
        let goes_up = A::is_in_order(&source, &destination);
        let choose = |up: &Endpoint<A>, down: &Endpoint<A>| Endpoint {
            address: A::choose(goes_up, up.address, down.address),
            port: select_unpredictable(goes_up, up.port, down.port),
        };
        let (low, high) = (choose(&source, &destination), choose(&destination, &source));
        (Self { low, high, protocol }, if goes_up { Way::Up } else { Way::Down })
    }

    /// Who sends and who receives the packets that go `way`.
    #[must_use]
    #[inline]
    pub fn endpoints(&self, way: Way) -> (Endpoint<A>, Endpoint<A>) {
        match way {
            Way::Up => (self.low, self.high),
            Way::Down => (self.high, self.low),
        }
    }

    /// The protocol above IP.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The hash of the key under `state`.
    #[inline]
    pub fn hash_under<S: BuildHasher>(&self, state: &S) -> u64 {
        state.hash_one(self)
    }
}

impl<A: Address> Hash for ConversationKey<A> {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.low.address.feed(hasher);
        self.high.address.feed(hasher);
        let ports = u64::from(self.low.port) << 16 | u64::from(self.high.port);
        hasher.write_u64(ports << 8 | u64::from(self.protocol.0));
    }
}

/// What is counted of a conversation one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OneWay {
    /// IP bytes.
    pub bytes: u64,
    /// When the first packet was captured; means nothing before a packet was.
    pub first: Timestamp,
    /// When the last packet was captured.
    pub last: Timestamp,
    /// The number of packets.
    pub packets: u32,
    /// What the first packet controlled.
    pub first_control: Control,
    /// The union of all packets' TCP flags.
    pub flags: TcpFlags,
    /// An ICMP error of this interval refused a packet that went this way. When, its list of refusals says, which also
    /// holds conversations without a row.
    pub refused: bool,
}

/// What a packet's transport header says of its part in the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// TCP's control bits; none in other protocols.
    Flags(TcpFlags),
    /// The type of the ICMP or ICMPv6 message.
    Icmp(u8),
}

impl Default for Control {
    fn default() -> Self {
        Self::Flags(TcpFlags::default())
    }
}

impl OneWay {
    /// Before any packet.
    pub(super) const NOTHING: Self = Self {
        bytes: 0,
        first: Timestamp::from_nanoseconds(0),
        last: Timestamp::from_nanoseconds(0),
        packets: 0,
        first_control: Control::Flags(TcpFlags(0)),
        flags: TcpFlags(0),
        refused: false,
    };

    /// Counts one packet.
    #[inline]
    pub fn count(&mut self, time: Timestamp, flags: TcpFlags, icmp_type: Option<u8>, bytes: u32) {
        if self.packets == 0 {
            self.first = time;
            self.first_control = icmp_type.map_or(Control::Flags(flags), Control::Icmp);
        }
        self.last = time;
        self.flags = self.flags.union(flags);
        self.packets += 1;
        self.bytes += u64::from(bytes);
    }

    /// The first packet's TCP flags; none where it was not TCP.
    #[must_use]
    pub fn first_flags(&self) -> TcpFlags {
        match self.first_control {
            Control::Flags(flags) => flags,
            Control::Icmp(_) => TcpFlags::default(),
        }
    }

    /// The first packet's ICMP or ICMPv6 type, where the protocol is one of these and the type was captured: an echo
    /// request is told from its reply. None for a later fragment.
    #[must_use]
    pub fn icmp_type(&self) -> Option<u8> {
        match self.first_control {
            Control::Flags(_) => None,
            Control::Icmp(icmp_type) => Some(icmp_type),
        }
    }
}

/// The way that requests go: towards the endpoint that serves. Decided by the first packet seen of the conversation
/// alone, so that it does not depend on where an interval ends.
///
/// Who answers or is sent a SYN serves; else who was spoken to first. A conversation that was first seen in its middle
/// (TCP without SYN; UDP from a system port to another) goes by its ports: a system port (RFC 6335, below 1024)
/// against another serves, else the lower one.
#[must_use]
pub fn request_way<A: Address>(key: &ConversationKey<A>, opener: Way, first_flags: TcpFlags) -> Way {
    let (source, destination) = key.endpoints(opener);
    let source_serves = if key.protocol == Protocol::TCP {
        match (first_flags.contains(TcpFlags::SYN), first_flags.contains(TcpFlags::ACK)) {
            (true, answers) => answers,
            (false, _) => ports_favour_source(source.port, destination.port),
        }
    } else {
        is_system(source.port) && !is_system(destination.port)
    };
    if source_serves { opener.reversed() } else { opener }
}

/// The way of requests, where any packet of the conversation says the same: who saw none before loses nothing.
///
/// A SYN and its answer speak for themselves; every other packet goes by the ports, if those tell the sides apart.
#[must_use]
pub fn request_way_by_ports<A: Address>(key: &ConversationKey<A>) -> Option<Way> {
    let decided = Way::BOTH.map(|opener| request_way(key, opener, TcpFlags::default()));
    (decided[0] == decided[1]).then_some(decided[0])
}

fn ports_favour_source(source: u16, destination: u16) -> bool {
    match (is_system(source), is_system(destination)) {
        (true, false) => true,
        (false, true) => false,
        _ => source < destination,
    }
}

fn is_system(port: u16) -> bool {
    (1..1024).contains(&port)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn endpoints_are_in_order_by_address_and_then_by_port() {
        fn check<A: Address + std::fmt::Debug>(addresses: [A; 3]) {
            let ends = addresses
                .into_iter()
                .flat_map(|address| [0, 255, 256, u16::MAX].map(|port| Endpoint { address, port }));
            let ends: Vec<_> = ends.collect();
            for (first, second) in ends.iter().flat_map(|first| ends.iter().map(move |second| (first, second))) {
                assert_eq!(A::is_in_order(first, second), first <= second, "{first:?} {second:?}");
                let (key, way) = ConversationKey::new(*first, *second, Protocol::UDP);
                assert_eq!(key.endpoints(way), (*first, *second));
                assert_eq!(way == Way::Up, first <= second);
            }
        }
        check([[0, 0, 0, 0], [10, 0, 0, 1], [200, 0, 0, 0]].map(Ipv4Addr::from));
        check([0, 1 << 64, u128::MAX].map(Ipv6Addr::from_bits));
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
    fn who_is_sent_a_syn_serves_whatever_the_ports() {
        assert_eq!(serving_port(Protocol::TCP, 80, 50_000, 0x02), 50_000);
        assert_eq!(serving_port(Protocol::TCP, 50_000, 80, 0x02), 80);
    }

    #[test]
    fn who_answers_a_syn_serves() {
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
}
