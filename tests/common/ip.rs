//! IPv4 and IPv6 packets with whatever stands above them. Lengths are right unless a test makes them lie.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Addresses for documentation, RFC 5737 and RFC 3849.
pub const ALICE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub const BOB: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
pub const ALICE_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
pub const BOB_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

pub const HOP_BY_HOP: u8 = 0;
pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ROUTING: u8 = 43;
pub const FRAGMENT: u8 = 44;
pub const GRE: u8 = 47;
pub const AUTHENTICATION: u8 = 51;
pub const ICMPV6: u8 = 58;
pub const NO_NEXT_HEADER: u8 = 59;
pub const DESTINATION_OPTIONS: u8 = 60;

/// The layer above IP: its protocol number and its bytes.
#[derive(Debug, Clone)]
pub struct Transport {
    pub protocol: u8,
    pub bytes: Vec<u8>,
}

/// A TCP segment without options.
pub fn tcp(source_port: u16, destination_port: u16, flags: u8, payload: &[u8]) -> Transport {
    let mut bytes = [source_port.to_be_bytes(), destination_port.to_be_bytes()].concat();
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    bytes.extend(payload);
    Transport { protocol: TCP, bytes }
}

/// A TCP segment with so many words of options, which are no data.
pub fn tcp_with_options(words: u8, flags: u8, payload: &[u8]) -> Transport {
    let mut segment = tcp(40_000, 443, flags, b"");
    segment.bytes[12] += words << 4;
    segment.bytes.resize(segment.bytes.len() + usize::from(words) * 4, 1);
    segment.bytes.extend(payload);
    segment
}

/// A neighbor solicitation (135) or advertisement (136) for a target, with an option.
pub fn neighbor(kind: u8, target: Ipv6Addr) -> Transport {
    let option = [1, 1, 2, 0, 0, 0, 0, 9];
    Transport { protocol: ICMPV6, bytes: [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &target.octets(), &option].concat() }
}

/// An ARP message over Ethernet for IPv4: operation, sender, target.
pub fn arp(operation: u8, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let (head, hardware) = ([0, 1, 8, 0, 6, 4, 0, operation], [2, 0, 0, 0, 0, 7]);
    [&head[..], &hardware, &sender.octets(), &[0; 6], &target.octets()].concat()
}

/// A UDP datagram with a right length field.
pub fn udp(source_port: u16, destination_port: u16, payload: &[u8]) -> Transport {
    let mut bytes = [source_port.to_be_bytes(), destination_port.to_be_bytes()].concat();
    bytes.extend((8 + payload.len() as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    Transport { protocol: UDP, bytes }
}

/// An ICMP message for IPv4.
pub fn icmp(kind: u8) -> Transport {
    Transport { protocol: ICMP, bytes: vec![kind, 0, 0, 0, 0, 1, 0, 1] }
}

/// An ICMP message for IPv6.
pub fn icmpv6(kind: u8) -> Transport {
    Transport { protocol: ICMPV6, bytes: vec![kind, 0, 0, 0, 0, 1, 0, 1] }
}

/// An ICMP or ICMPv6 error with its quote.
pub fn icmp_error(protocol: u8, kind: u8, code: u8, quote: &[u8]) -> Transport {
    Transport { protocol, bytes: [&[kind, code, 0, 0, 0, 0, 0, 0], quote].concat() }
}

/// Bob's error to Alice that her packet could not be delivered, with so many bytes of it: port unreachable.
pub fn port_unreachable(packet: &[u8], quoted_bytes: usize) -> Ipv4 {
    Ipv4::carrying(icmp_error(ICMP, 3, 3, &packet[..quoted_bytes])).between(BOB, ALICE)
}

/// The same in IPv6.
pub fn port_unreachable_6(packet: &[u8], quoted_bytes: usize) -> Ipv6 {
    Ipv6::carrying(icmp_error(ICMPV6, 1, 4, &packet[..quoted_bytes])).between(BOB_6, ALICE_6)
}

/// Any other protocol over `bytes`.
pub fn other(protocol: u8, bytes: &[u8]) -> Transport {
    Transport { protocol, bytes: bytes.to_vec() }
}

/// An IPv4 packet.
#[derive(Debug, Clone)]
pub struct Ipv4 {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    version: u8,
    header_words: Option<u8>,
    option_words: u8,
    total_length: Option<u16>,
    fragment: u16,
    checksum_is_wrong: bool,
    above: Transport,
}

impl Ipv4 {
    /// From Alice to Bob.
    pub fn carrying(above: Transport) -> Self {
        Self {
            source: ALICE,
            destination: BOB,
            version: 4,
            header_words: None,
            option_words: 0,
            total_length: None,
            fragment: 0,
            checksum_is_wrong: false,
            above,
        }
    }

    pub fn between(mut self, source: Ipv4Addr, destination: Ipv4Addr) -> Self {
        (self.source, self.destination) = (source, destination);
        self
    }

    /// Options of so many 32-bit words, all of them "no operation".
    pub fn options(mut self, words: u8) -> Self {
        self.option_words = words;
        self
    }

    /// A header that claims to be of `version`.
    pub fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// A header that claims so many 32-bit words.
    pub fn header_words(mut self, words: u8) -> Self {
        self.header_words = Some(words);
        self
    }

    /// A header that claims so many bytes for the packet.
    pub fn total_length(mut self, bytes: u16) -> Self {
        self.total_length = Some(bytes);
        self
    }

    /// A fragment at `offset`, in units of eight bytes.
    pub fn fragment(mut self, offset: u16, more_follow: bool) -> Self {
        self.fragment = offset & 0x1fff | if more_follow { 0x2000 } else { 0 };
        self
    }

    /// A header with a wrong checksum.
    pub fn wrong_checksum(mut self) -> Self {
        self.checksum_is_wrong = true;
        self
    }

    /// The bytes of the packet.
    pub fn build(&self) -> Vec<u8> {
        let header_bytes = 20 + usize::from(self.option_words) * 4;
        let total = self.total_length.unwrap_or((header_bytes + self.above.bytes.len()) as u16);
        let words = self.header_words.unwrap_or(5 + self.option_words);
        let mut packet = vec![self.version << 4 | words & 0x0f, 0];
        packet.extend(total.to_be_bytes());
        packet.extend([0x12, 0x34]);
        packet.extend(self.fragment.to_be_bytes());
        packet.extend([64, self.above.protocol, 0, 0]);
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.resize(header_bytes, 1);
        packet.extend(&self.above.bytes);
        let checksum = checksum(&packet[..packet.len().min(usize::from(words) * 4)]);
        packet[10..12].copy_from_slice(&(checksum ^ u16::from(self.checksum_is_wrong)).to_be_bytes());
        packet
    }
}

/// The complement of the ones' complement sum of a header whose checksum is still 0 (RFC 1071).
fn checksum(header: &[u8]) -> u16 {
    let sum = header.chunks_exact(2).fold(0_u32, |sum, word| sum + u32::from(u16::from_be_bytes([word[0], word[1]])));
    !((sum % 0xffff) as u16)
}

/// One IPv6 extension header: its number and its bytes, the first of which will name the next header.
#[derive(Debug, Clone)]
pub struct Extension {
    pub number: u8,
    pub bytes: Vec<u8>,
}

/// Hop-by-hop, routing or destination options with a length field of `length` (eight bytes more for each).
pub fn options_header(number: u8, length: u8) -> Extension {
    let mut bytes = vec![0; (usize::from(length) + 1) * 8];
    bytes[1] = length;
    Extension { number, bytes }
}

/// A fragment header with `offset` in units of eight bytes.
pub fn fragment_header(offset: u16, more_follow: bool) -> Extension {
    let field = (offset << 3 | u16::from(more_follow)).to_be_bytes();
    Extension { number: FRAGMENT, bytes: vec![0, 0, field[0], field[1], 0, 0, 0, 1] }
}

/// An authentication header with a length field of `length`: (length + 2) × 4 bytes.
pub fn authentication_header(length: u8) -> Extension {
    let mut bytes = vec![0; (usize::from(length) + 2) * 4];
    bytes[1] = length;
    Extension { number: AUTHENTICATION, bytes }
}

/// An IPv6 packet.
#[derive(Debug, Clone)]
pub struct Ipv6 {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    version: u8,
    payload_length: Option<u16>,
    chain: Vec<Extension>,
    above: Transport,
}

impl Ipv6 {
    /// From Alice to Bob.
    pub fn carrying(above: Transport) -> Self {
        Self { source: ALICE_6, destination: BOB_6, version: 6, payload_length: None, chain: Vec::new(), above }
    }

    pub fn between(mut self, source: Ipv6Addr, destination: Ipv6Addr) -> Self {
        (self.source, self.destination) = (source, destination);
        self
    }

    /// A header that claims to be of `version`.
    pub fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// A header that claims so many bytes behind it.
    pub fn payload_length(mut self, bytes: u16) -> Self {
        self.payload_length = Some(bytes);
        self
    }

    /// One more extension header, behind those that are there.
    pub fn through(mut self, extension: Extension) -> Self {
        self.chain.push(extension);
        self
    }

    /// The bytes of the packet.
    pub fn build(&self) -> Vec<u8> {
        let payload = self.payload();
        let next_header = self.chain.first().map_or(self.above.protocol, |first| first.number);
        let mut packet = vec![self.version << 4, 0, 0, 0];
        packet.extend(self.payload_length.unwrap_or(payload.len() as u16).to_be_bytes());
        packet.extend([next_header, 64]);
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend(payload);
        packet
    }

    /// The chain, each header naming the next, and the layer above it.
    fn payload(&self) -> Vec<u8> {
        let numbers = self.chain.iter().skip(1).map(|extension| extension.number).chain([self.above.protocol]);
        let mut payload = Vec::new();
        for (extension, next) in self.chain.iter().zip(numbers) {
            let start = payload.len();
            payload.extend(&extension.bytes);
            payload[start] = next;
        }
        payload.extend(&self.above.bytes);
        payload
    }
}
