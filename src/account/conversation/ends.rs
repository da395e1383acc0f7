//! Both ends of a conversation in a canonical order, packed as densely as each IP version allows.
//!
//! Takes endpoints and a protocol; gives them back in order. Must not know which side is the server.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::hint::select_unpredictable;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::packet::Protocol;

/// An address with its port (0 where the protocol has none).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint<A> {
    /// The address.
    pub address: A,
    /// The port, 0 if there is none.
    pub port: u16,
}

/// The two ends of a conversation and its protocol. The end with the lower address, or else the lower port, comes
/// first.
pub trait Ends<A>: Debug + Copy + Eq + Hash {
    /// A placeholder, to be overwritten.
    const BLANK: Self;

    /// The ends of a packet, and true if it goes from the lower end to the higher one. (Written without a branch, which
    /// a processor could not predict.)
    fn of(source: Endpoint<A>, destination: Endpoint<A>, protocol: Protocol) -> (Self, bool);

    /// The lower end and the higher one.
    fn both(&self) -> [Endpoint<A>; 2];

    /// The protocol above IP.
    fn protocol(&self) -> Protocol;
}

/// Each end in one word: its address above its port. The protocol stands above both in the word of the lower end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedEnds {
    low: u64,
    high: u64,
}

const END_BITS: u32 = 48;

impl Ends<Ipv4Addr> for PackedEnds {
    const BLANK: Self = Self { low: 0, high: 0 };

    #[inline(always)]
    fn of(source: Endpoint<Ipv4Addr>, destination: Endpoint<Ipv4Addr>, protocol: Protocol) -> (Self, bool) {
        let [source, destination] = [word(source), word(destination)];
        let low = source.min(destination) | u64::from(protocol.0) << END_BITS;
        (Self { low, high: source.max(destination) }, source <= destination)
    }

    #[inline(always)]
    fn both(&self) -> [Endpoint<Ipv4Addr>; 2] {
        [end(self.low), end(self.high)]
    }

    #[inline(always)]
    fn protocol(&self) -> Protocol {
        Protocol((self.low >> END_BITS) as u8)
    }
}

#[inline(always)]
fn word(end: Endpoint<Ipv4Addr>) -> u64 {
    u64::from(end.address.to_bits()) << 16 | u64::from(end.port)
}

#[inline(always)]
const fn end(word: u64) -> Endpoint<Ipv4Addr> {
    Endpoint { address: Ipv4Addr::from_bits((word >> 16) as u32), port: word as u16 }
}

impl Hash for PackedEnds {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.low);
        hasher.write_u64(self.high);
    }
}

/// The ends unpacked, because IPv6 addresses fill whole words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainEnds {
    low: Endpoint<Ipv6Addr>,
    high: Endpoint<Ipv6Addr>,
    protocol: Protocol,
}

impl Ends<Ipv6Addr> for PlainEnds {
    const BLANK: Self = {
        let end = Endpoint { address: Ipv6Addr::UNSPECIFIED, port: 0 };
        Self { low: end, high: end, protocol: Protocol(0) }
    };

    #[inline(always)]
    fn of(source: Endpoint<Ipv6Addr>, destination: Endpoint<Ipv6Addr>, protocol: Protocol) -> (Self, bool) {
        let in_order = |end: &Endpoint<Ipv6Addr>| (end.address.to_bits(), end.port);
        let goes_forward = in_order(&source) <= in_order(&destination);
        let choose = |first: &Endpoint<Ipv6Addr>, second: &Endpoint<Ipv6Addr>| Endpoint {
            address: Ipv6Addr::from_bits(select_unpredictable(
                goes_forward,
                first.address.to_bits(),
                second.address.to_bits(),
            )),
            port: select_unpredictable(goes_forward, first.port, second.port),
        };
        (Self { low: choose(&source, &destination), high: choose(&destination, &source), protocol }, goes_forward)
    }

    #[inline(always)]
    fn both(&self) -> [Endpoint<Ipv6Addr>; 2] {
        [self.low, self.high]
    }

    #[inline(always)]
    fn protocol(&self) -> Protocol {
        self.protocol
    }
}

impl Hash for PlainEnds {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u128(self.low.address.to_bits());
        hasher.write_u128(self.high.address.to_bits());
        let ports = u64::from(self.low.port) << 16 | u64::from(self.high.port);
        hasher.write_u64(ports << 8 | u64::from(self.protocol.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::conversation::Address;

    fn check<A: Address + Debug>(addresses: [A; 3]) {
        let ends =
            addresses.into_iter().flat_map(|address| [0, 255, 256, u16::MAX].map(|port| Endpoint { address, port }));
        let ends: Vec<_> = ends.collect();
        for (first, second) in ends.iter().flat_map(|first| ends.iter().map(move |second| (first, second))) {
            for protocol in [0, 6, 17, u8::MAX].map(Protocol) {
                let (both, goes_forward) = A::Ends::of(*first, *second, protocol);
                let expected = if first <= second { [*first, *second] } else { [*second, *first] };
                assert_eq!((both.both(), goes_forward, both.protocol()), (expected, first <= second, protocol));
                assert_eq!(A::Ends::of(*second, *first, protocol).0, both);
                assert_ne!(A::Ends::of(*first, *second, Protocol(99)).0, both);
            }
        }
    }

    #[test]
    fn ends_are_in_order_by_address_and_then_by_port_and_lose_nothing() {
        check([[0, 0, 0, 0], [10, 0, 0, 1], [255, 255, 255, 255]].map(Ipv4Addr::from));
        check([0, 1 << 64, u128::MAX].map(Ipv6Addr::from_bits));
    }
}
