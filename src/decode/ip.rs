//! From the IP header up: lengths, protocol, ports (CONTRACT rules 4 to 7). Takes the position of an IP header; gives
//! a packet. Must not know the link headers before it.
//!
//! `etherparse` reads the headers; the walk along IPv6 extension headers is our own, because the crate's stops at a
//! hop-by-hop header that is not first, walks through IPv4's AH and into later fragments.

use etherparse::{Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice};

use super::{Cursor, Inside, NotIp};
use crate::packet::{Addresses, IpVersion, Packet, Protocol, TcpFlags, Timestamp};

/// Reads the IP header at the start of `datagram`.
///
/// All of it is always inlined, and no value is an enum with large variants. Such an enum would be written to memory
/// and read back at once in other widths, which stalls the processor for longer than the rest of the function takes.
///
/// # Errors
/// [`NotIp::TruncatedIp`] before [`NotIp::MalformedIp`], as the kernel checks them.
#[inline(always)]
pub(super) fn decode(
    time: Timestamp,
    version: IpVersion,
    datagram: Cursor<'_>,
    outgoing: bool,
) -> Result<Packet, NotIp> {
    match version {
        IpVersion::V4 => {
            let (header, bytes, transport) = version_4(datagram)?;
            Ok(transport.packet(time, addresses_4(&header), bytes, outgoing))
        }
        IpVersion::V6 => {
            let (header, bytes, transport) = version_6(datagram)?;
            Ok(transport.packet(time, addresses_6(&header), bytes, outgoing))
        }
    }
}

/// Addresses and the payload of the IP headers. Fails as [`decode`] does.
pub(super) fn read<'a>(inside: &Inside<'a>) -> Result<(Addresses, Transport<'a>), NotIp> {
    match inside.version {
        IpVersion::V4 => version_4(inside.datagram).map(|(header, _, transport)| (addresses_4(&header), transport)),
        IpVersion::V6 => version_6(inside.datagram).map(|(header, _, transport)| (addresses_6(&header), transport)),
    }
}

/// Addresses and the payload of the IP headers of a quoted datagram. All quoted bytes belong to it: the quote is cut,
/// and its lengths are those of the whole datagram, or wrong. None if the quote ends inside the IP headers.
pub(super) fn read_quoted(version: IpVersion, quote: &[u8]) -> Option<(Addresses, Transport<'_>)> {
    match version {
        IpVersion::V4 => {
            let header = Ipv4HeaderSlice::from_slice(quote).ok()?;
            let bytes = if is_later_fragment(&header) { &[] } else { &quote[header.slice().len()..] };
            Some((addresses_4(&header), Transport { protocol: Protocol(header.protocol().0), bytes, wire_bytes: 0 }))
        }
        IpVersion::V6 => {
            let header = Ipv6HeaderSlice::from_slice(quote).ok()?;
            let transport = walk_extensions(header.next_header().0, &quote[IPV6_HEADER..]);
            (!is_extension(transport.protocol.0)).then(|| (addresses_6(&header), transport))
        }
    }
}

/// The payload of the IP headers: its protocol, and its bytes as far as they lie inside the packet and were captured.
/// A later fragment has no bytes of a transport header.
pub(super) struct Transport<'a> {
    pub(super) protocol: Protocol,
    pub(super) bytes: &'a [u8],
    /// The length of the transport header and its payload on the wire; 0 where it does not matter.
    wire_bytes: u32,
}

impl Transport<'_> {
    /// The packet. Ports need four bytes of the transport header and the flags fourteen, whatever the rest looks like.
    #[inline(always)]
    fn packet(&self, time: Timestamp, addresses: Addresses, bytes: u32, outgoing: bool) -> Packet {
        let (mut source_port, mut destination_port) = (0, 0);
        let (mut tcp_flags, mut icmp_type, mut has_payload) = (TcpFlags::default(), None, false);
        match (self.protocol, self.bytes) {
            (Protocol::TCP | Protocol::UDP, &[s0, s1, d0, d1, ref rest @ ..]) => {
                source_port = u16::from_be_bytes([s0, s1]);
                destination_port = u16::from_be_bytes([d0, d1]);
                if let (Protocol::TCP, Some(&[words, flags])) = (self.protocol, rest.get(8..10)) {
                    tcp_flags = TcpFlags(flags);
                    has_payload = self.wire_bytes > u32::from(words >> 4) * 4;
                }
            }
            (Protocol::ICMP | Protocol::ICMPV6, &[first, ..]) => icmp_type = Some(first),
            _ => {}
        }
        let protocol = self.protocol;
        Packet {
            time,
            addresses,
            protocol,
            source_port,
            destination_port,
            tcp_flags,
            has_payload,
            icmp_type,
            outgoing,
            bytes,
        }
    }
}

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

/// An IP header, the bytes of its packet, and its payload.
type HeaderAndPayload<'a, H> = (H, u32, Transport<'a>);

#[inline(always)]
fn version_4(datagram: Cursor<'_>) -> Result<HeaderAndPayload<'_, Ipv4HeaderSlice<'_>>, NotIp> {
    let captured = datagram.captured;
    if captured.len() < IPV4_HEADER || captured.len() < usize::from(captured[0] & 0x0f) * 4 {
        return Err(NotIp::TruncatedIp);
    }
    let header = Ipv4HeaderSlice::from_slice(captured).map_err(|_| NotIp::MalformedIp)?;
    let header_length = header.slice().len();
    let bytes = match header.total_len() {
        0 => datagram.wire_bytes,
        total if usize::from(total) < header_length => return Err(NotIp::MalformedIp),
        total => u32::from(total).min(datagram.wire_bytes),
    };
    let protocol = Protocol(header.protocol().0);
    let payload = if is_later_fragment(&header) { &[] } else { &within(captured, bytes)[header_length..] };
    let wire_bytes = bytes - header_length as u32;
    Ok((header, bytes, Transport { protocol, bytes: payload, wire_bytes }))
}

#[inline]
fn is_later_fragment(header: &Ipv4HeaderSlice<'_>) -> bool {
    header.fragments_offset().value() != 0
}

#[inline]
fn addresses_4(header: &Ipv4HeaderSlice<'_>) -> Addresses {
    Addresses::V4 { source: header.source_addr(), destination: header.destination_addr() }
}

#[inline(always)]
fn version_6(datagram: Cursor<'_>) -> Result<HeaderAndPayload<'_, Ipv6HeaderSlice<'_>>, NotIp> {
    const NO_NEXT_HEADER: u8 = 59;
    let captured = datagram.captured;
    if captured.len() < IPV6_HEADER {
        return Err(NotIp::TruncatedIp);
    }
    let header = Ipv6HeaderSlice::from_slice(captured).map_err(|_| NotIp::MalformedIp)?;
    let next = header.next_header().0;
    let bytes = match (header.payload_length(), next) {
        (0, NO_NEXT_HEADER) => IPV6_HEADER as u32,
        (0, _) => datagram.wire_bytes,
        (payload, _) => (IPV6_HEADER as u32 + u32::from(payload)).min(datagram.wire_bytes),
    };
    let (payload, wire_bytes) = (&within(captured, bytes)[IPV6_HEADER..], bytes - IPV6_HEADER as u32);
    let transport = if is_extension(next) {
        let transport = walk_extensions(next, payload);
        let extensions = (payload.len() - transport.bytes.len()) as u32;
        Transport { wire_bytes: wire_bytes - extensions, ..transport }
    } else {
        Transport { protocol: Protocol(next), bytes: payload, wire_bytes }
    };
    Ok((header, bytes, transport))
}

#[inline]
fn addresses_6(header: &Ipv6HeaderSlice<'_>) -> Addresses {
    Addresses::V6 { source: header.source_addr(), destination: header.destination_addr() }
}

/// The captured bytes that belong to the IP packet. A packet is never shorter than the header that was read.
#[inline]
fn within(captured: &[u8], bytes: u32) -> &[u8] {
    &captured[..captured.len().min(bytes as usize)]
}

/// Skips the extension headers that Linux skips (RFC 8200 section 4), any number of them in any order. The first header
/// that is none of these, or that is cut off, is the protocol.
fn walk_extensions(mut next: u8, mut payload: &[u8]) -> Transport<'_> {
    loop {
        let Some(step) = extension(next, payload) else {
            return Transport { protocol: Protocol(next), bytes: payload, wire_bytes: 0 };
        };
        next = step.next;
        if step.is_later_fragment {
            return Transport { protocol: Protocol(next), bytes: &[], wire_bytes: 0 };
        }
        payload = &payload[step.length..];
    }
}

struct Extension {
    next: u8,
    length: usize,
    is_later_fragment: bool,
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;

/// True if `number` is an extension header that the walk continues behind.
fn is_extension(number: u8) -> bool {
    matches!(number, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION_OPTIONS)
}

/// The extension header at the start of `payload`; none when `number` is no extension header or it is not whole.
#[inline]
fn extension(number: u8, payload: &[u8]) -> Option<Extension> {
    match number {
        HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => {
            let header = Ipv6RawExtHeaderSlice::from_slice(payload).ok()?;
            Some(Extension { next: header.next_header().0, length: header.slice().len(), is_later_fragment: false })
        }
        FRAGMENT => {
            let header = Ipv6FragmentHeaderSlice::from_slice(payload).ok()?;
            let is_later_fragment = header.fragment_offset().value() != 0;
            Some(Extension { next: header.next_header().0, length: header.slice().len(), is_later_fragment })
        }
        // RFC 4302: the length counts words of 4 bytes less 2. The crate's slice refuses length 0, which Linux walks.
        AUTHENTICATION => {
            let length = (usize::from(*payload.get(1)?) + 2) * 4;
            (payload.len() >= length).then(|| Extension { next: payload[0], length, is_later_fragment: false })
        }
        _ => None,
    }
}
