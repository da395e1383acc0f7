//! Conversations as they look on the wire: senders, sizes and times of their packets.
//!
//! Takes a host and the ends of a conversation, gives frames. Knows nothing of labels.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::common::ip::{ICMP, ICMPV6, Ipv4, Ipv6, TCP, Transport, UDP, icmp_error, other};
use super::super::common::link::Link;
use super::super::host::Host;
use super::super::traffic::{ACK, FIN, PUSH, RST, SYN, Time, Traffic, later};
use super::damage::ends;

/// An address and a port.
pub type End = (IpAddr, u16);

/// Bytes of a full segment.
const SEGMENT: u32 = 1_400;
/// The share of first SYNs that are lost and sent again.
const LOST_SYN: f64 = 0.01;

/// True if both addresses are in one /24, or in one /64.
pub fn are_neighbours(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => one.octets()[..3] == other.octets()[..3],
        (IpAddr::V6(one), IpAddr::V6(other)) => one.segments()[..4] == other.segments()[..4],
        _ => false,
    }
}

/// The first address of the /24 or /64 of `address`: its router.
pub fn router(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & 0xffff_ff00 | 1).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64 | 0xffff).into(),
    }
}

impl Traffic {
    /// SYN, SYN with ACK, ACK. Gives the moment from which the client may send.
    pub fn handshake(&mut self, time: Time, client: End, server: End, trip: f64) -> Time {
        self.tcp(time, client, server, SYN, 0);
        self.tcp(later(time, trip), server, client, SYN | ACK, 0);
        let open = later(time, trip + 0.000_1);
        self.tcp(open, client, server, ACK, 0);
        open
    }

    /// A request and its response on a connection that is open. Gives the moment at which the response is there.
    pub fn request(&mut self, time: Time, client: End, server: End, trip: f64, sizes: [u32; 2]) -> Time {
        let [request, response] = sizes;
        for (number, bytes) in segments(request).enumerate() {
            self.tcp(later(time, 0.000_01 * number as f64), client, server, PUSH | ACK, bytes);
        }
        let mut arrived = later(time, trip + 0.001);
        for bytes in segments(response) {
            arrived = later(arrived, 0.000_05);
            self.tcp(arrived, server, client, PUSH | ACK, bytes);
        }
        self.tcp(later(arrived, 0.000_1), client, server, ACK, 0);
        arrived
    }

    /// FIN, FIN, ACK; the client begins.
    pub fn close(&mut self, time: Time, client: End, server: End, trip: f64) {
        self.tcp(time, client, server, FIN | ACK, 0);
        self.tcp(later(time, trip), server, client, FIN | ACK, 0);
        self.tcp(later(time, trip + 0.000_1), client, server, ACK, 0);
    }

    /// A whole connection with one request and one response.
    pub fn conversation(&mut self, time: Time, client: End, server: End, trip: f64, sizes: [u32; 2]) -> Time {
        let open = self.handshake(time, client, server, trip);
        let arrived = self.request(open, client, server, trip, sizes);
        self.close(later(arrived, 0.01), client, server, trip);
        arrived
    }

    /// A question and its answer over UDP.
    pub fn asked(&mut self, time: Time, client: End, server: End, trip: f64, [question, answer]: [u16; 2]) {
        self.udp(time, client, server, question);
        self.udp(later(time, trip), server, client, answer);
    }

    /// An ARP request, or a neighbour solicitation, by `from` for `to`; an answer if `to` is there.
    pub fn resolve(&mut self, time: Time, from: IpAddr, to: IpAddr, is_there: bool) {
        match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let mut request = Link::ethernet().carrying_ether_type(0x0806, &arp(1, from, to)).padded(18);
                request.bytes[..6].fill(0xff);
                self.frames.push((time, request));
                if is_there {
                    let answer = Link::ethernet().carrying_ether_type(0x0806, &arp(2, to, from)).padded(18);
                    self.frames.push((later(time, 0.000_3), answer));
                }
            }
            (IpAddr::V6(source), IpAddr::V6(target)) => {
                let group = solicited_node(target);
                let ask = Ipv6::carrying(neighbour_message(135, target)).between(source, group).build();
                self.frames.push((time, Link::ethernet().carrying(&ask)));
                if is_there {
                    let answer = Ipv6::carrying(neighbour_message(136, target)).between(target, source).build();
                    self.frames.push((later(time, 0.000_3), Link::ethernet().carrying(&answer)));
                }
            }
            _ => panic!("two versions of IP in a question"),
        }
    }

    /// The message of `router` that the packet sent last had used up its hops.
    pub fn expired(&mut self, time: Time, router: IpAddr) {
        let Some((_, probe)) = self.frames.last() else { return };
        let quote = probe.bytes[14..].to_vec();
        let packet = match (router, ends(&probe.bytes)) {
            (IpAddr::V4(router), Some([IpAddr::V4(source), _])) => {
                Ipv4::carrying(icmp_error(ICMP, 11, 0, &quote)).between(router, source).build()
            }
            (IpAddr::V6(router), Some([IpAddr::V6(source), _])) => {
                Ipv6::carrying(icmp_error(ICMPV6, 3, 0, &quote)).between(router, source).build()
            }
            _ => panic!("two versions of IP on a way"),
        };
        self.frames.push((time, Link::ethernet().carrying(&packet)));
    }

    /// All frames moved in time, so that the first of them is at `time`.
    pub fn starting_at(mut self, time: Time) -> Self {
        let first = self.frames.iter().map(|(time, _)| *time).min().unwrap_or(time);
        self.frames.iter_mut().for_each(|(moment, _)| *moment += time - first);
        self
    }
}

/// The sizes of the segments that carry so many bytes; at most four, because more of them change nothing.
fn segments(bytes: u32) -> impl Iterator<Item = u16> {
    let count = bytes.div_ceil(SEGMENT).min(4);
    (0..count).map(move |number| (bytes - number * SEGMENT).min(SEGMENT) as u16)
}

/// An ARP message of operation 1 (request) or 2 (reply).
fn arp(operation: u8, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 1];
    message.extend(sender.octets());
    message.extend([0; 6]);
    message.extend(target.octets());
    message
}

fn neighbour_message(kind: u8, target: Ipv6Addr) -> Transport {
    let mut message = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target.octets());
    message.extend([1, 1, 2, 0, 0, 0, 0, 1]);
    other(ICMPV6, &message)
}

/// The multicast group of neighbour solicitations for `target` (RFC 4291).
fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., high, low] = target.segments();
    [0xff02, 0, 0, 0, 0, 1, 0xff00 | high & 0xff, low].into()
}

impl Host {
    /// The near end of a new conversation.
    pub fn end(&mut self) -> End {
        (self.address, self.port())
    }

    /// Seconds to `to` and back: under 2 ms to a neighbour, else from 4 to 180 ms.
    pub fn trip(&mut self, to: IpAddr) -> f64 {
        let [low, high] = if are_neighbours(self.address, to) { [0.000_2, 0.002] } else { [0.004, 0.18] };
        self.dice.within(low, high)
    }

    /// When the SYN gets through that is first sent at `time`.
    fn after_loss(&mut self, time: Time, from: End, to: End) -> Time {
        if !self.dice.chance(LOST_SYN) {
            return time;
        }
        self.traffic.tcp(time, from, to, SYN, 0);
        later(time, 1.0)
    }

    /// A connection with a request and a response of so many bytes.
    pub fn used(&mut self, time: Time, to: End, sizes: [u32; 2]) -> Time {
        let (from, trip) = (self.end(), self.trip(to.0));
        let time = self.after_loss(time, from, to);
        self.traffic.conversation(time, from, to, trip, sizes)
    }

    /// A connection that is closed after so many seconds without a byte of payload.
    pub fn touched(&mut self, time: Time, to: End, seconds: f64) {
        let (from, trip) = (self.end(), self.trip(to.0));
        let open = self.traffic.handshake(time, from, to, trip);
        self.traffic.close(later(open, seconds), from, to, trip);
    }

    /// A connection that the target refuses.
    pub fn refused(&mut self, time: Time, to: End) {
        let (from, trip) = (self.end(), self.trip(to.0));
        self.traffic.tcp(time, from, to, SYN, 0);
        self.traffic.tcp(later(time, trip), to, from, RST | ACK, 0);
    }

    /// A connection that the router of the target's network refuses.
    pub fn unreachable(&mut self, time: Time, to: End) {
        let (from, trip) = (self.end(), self.trip(to.0));
        self.traffic.tcp(time, from, to, SYN, 0);
        self.traffic.unreachable(later(time, trip), router(to.0), from, to, TCP);
    }

    /// A question over UDP from a port of this host, and its answer.
    pub fn asks(&mut self, time: Time, port: u16, to: End, sizes: [u16; 2]) {
        let trip = self.trip(to.0);
        self.traffic.asked(time, (self.address, port), to, trip, sizes);
    }

    /// A question over UDP that is sent so many times, `gap` seconds apart, and never answered.
    pub fn asks_in_vain(&mut self, time: Time, port: u16, to: End, bytes: u16, (tries, gap): (u32, f64)) {
        for number in 0..tries {
            self.traffic.udp(later(time, f64::from(number) * gap), (self.address, port), to, bytes);
        }
    }

    /// A question over UDP that the target's system refuses: the port is closed.
    pub fn asks_closed(&mut self, time: Time, port: u16, to: End, bytes: u16) {
        let trip = self.trip(to.0);
        self.traffic.udp(time, (self.address, port), to, bytes);
        self.traffic.unreachable(later(time, trip), to.0, (self.address, port), to, UDP);
    }

    /// Echo requests, `gap` seconds apart.
    pub fn pings(&mut self, time: Time, to: IpAddr, (count, gap): (u32, f64), is_answered: bool) {
        for number in 0..count {
            let (time, trip) = (later(time, f64::from(number) * gap), self.trip(to));
            self.traffic.echo(time, self.address, to, true);
            if is_answered {
                self.traffic.echo(later(time, trip), to, self.address, false);
            }
        }
    }

    /// A name looked up at the resolver.
    pub fn looks_up(&mut self, time: Time, resolver: IpAddr) {
        let (port, sizes) = (self.port(), [self.dice.from(28, 60) as u16, self.dice.from(60, 240) as u16]);
        self.asks(time, port, (resolver, 53), sizes);
    }

    /// A client's connection to a port of this host, with a request and a response.
    pub fn serves(&mut self, time: Time, client: End, port: u16, sizes: [u32; 2]) {
        let trip = self.trip(client.0);
        self.traffic.conversation(time, client, (self.address, port), trip, sizes);
    }
}
