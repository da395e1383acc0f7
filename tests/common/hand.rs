//! A second reader of frames, written from the text of the counting contract alone.
//!
//! It shares nothing with the decoder under test and no crate reads a header for it, so that the two can only agree by
//! both being right. It is slow and plain on purpose: every step is a sentence of the contract. Only `std` is used, so
//! that the fuzz target can include this file as it stands.
//!
//! Where the contract names a link layer and no more, the rest is its standard's: lengths end at 1500 (IEEE 802.3), an
//! 802.11 frame that aggregates several packets counts as none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A packet in the contract's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub source_port: u16,
    pub destination_port: u16,
    pub tcp_flags: u8,
    pub has_payload: bool,
    pub icmp_type: Option<u8>,
    pub outgoing: bool,
    pub bytes: u32,
}

/// The packet that an ICMP error says was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub source_port: u16,
    pub destination_port: u16,
}

/// A question for a link address, or its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    pub asker: IpAddr,
    pub target: IpAddr,
    pub is_answer: bool,
}

/// The reason why a frame is not IP, as far as the contract tells reasons apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCounted {
    /// No way leads to an IP header, or it ends on the way.
    NoWay,
    /// The IP header was not captured whole.
    Truncated,
    /// The IP header contradicts itself.
    Malformed,
}

/// The link types that must work, by their `DLT_` number.
pub const MUST: [i32; 10] = [1, 113, 276, 12, 14, 101, 228, 229, 0, 108];

/// The link types that should work.
pub const SHOULD: [i32; 8] = [9, 50, 104, 105, 119, 127, 192, 239];

/// Reads one frame. A link type that is in neither list has no way to an IP header.
pub fn read(link_type: i32, captured: &[u8], wire_bytes: u32) -> Result<Counted, NotCounted> {
    let wire = wire_bytes as usize;
    // Rule 1: captured bytes past the wire length do not exist.
    let frame = if captured.len() > wire { &captured[..wire] } else { captured };
    let found = way(link_type, &Frame { bytes: frame, wire, before: 0 }).ok_or(NotCounted::NoWay)?;
    let rest = At { bytes: &frame[found.offset..], wire: wire - found.offset };
    let mut counted = match found.version {
        Version::Four => ipv4(&rest)?,
        Version::Six => ipv6(&rest)?,
        Version::FirstNibble => match rest.bytes.first().map(|byte| byte >> 4) {
            Some(4) => ipv4(&rest)?,
            Some(6) => ipv6(&rest)?,
            _ => return Err(NotCounted::NoWay),
        },
    };
    counted.outgoing = found.outgoing;
    Ok(counted)
}

/// Reads the packet that a frame reports as refused, from the texts of RFC 792, RFC 1122 section 3.2.2 and RFC 4443
/// sections 2.4 and 3.
pub fn refused(link_type: i32, captured: &[u8], wire_bytes: u32) -> Option<Refused> {
    let error = read(link_type, captured, wire_bytes).ok()?;
    let frame = &captured[..captured.len().min(wire_bytes as usize)];
    let datagram = &frame[way(link_type, &Frame { bytes: frame, wire: wire_bytes as usize, before: 0 })?.offset..];
    // The error's message begins behind the header of IPv4, behind the chain of IPv6.
    let datagram = &datagram[..datagram.len().min(error.bytes as usize)];
    let version = datagram.first()? >> 4;
    let message = match version {
        4 if u16::from_be_bytes([datagram[6], datagram[7]]) & 0x1fff == 0 => {
            datagram.get(usize::from(datagram[0] & 15) * 4..)?
        }
        6 => walk(datagram[6], datagram.get(40..)?).1?,
        _ => return None,
    };
    let &[kind, code, _, _, _, _, _, _, ref quote @ ..] = message else { return None };
    let refuses = match (version, error.protocol, kind, code) {
        (4, 1, 3, code) => code != 4,
        (6, 58, 1, _) | (6, 58, 4, 1) => true,
        _ => false,
    };
    let refused = if version == 4 { quoted_ipv4(quote)? } else { quoted_ipv6(quote)? };
    // The error goes to the sender of the packet.
    (refuses && refused.source == error.destination).then_some(refused)
}

/// Its lengths have no meaning: the quote is cut, and some senders change them.
fn quoted_ipv4(quote: &[u8]) -> Option<Refused> {
    let header_bytes = usize::from(quote.first()? & 15) * 4;
    if quote[0] >> 4 != 4 || header_bytes < 20 || quote.len() < header_bytes {
        return None;
    }
    let address = |at: usize| IpAddr::V4(Ipv4Addr::new(quote[at], quote[at + 1], quote[at + 2], quote[at + 3]));
    let is_later_fragment = u16::from_be_bytes([quote[6], quote[7]]) & 0x1fff != 0;
    let above = if is_later_fragment { None } else { Some(&quote[header_bytes..]) };
    quoted(address(12), address(16), quote[9], above)
}

fn quoted_ipv6(quote: &[u8]) -> Option<Refused> {
    if quote.len() < 40 || quote[0] >> 4 != 6 {
        return None;
    }
    let address = |at: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&quote[at..at + 16]);
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    let (protocol, above) = walk(quote[6], &quote[40..]);
    // The quote ends inside the chain.
    if [0, 43, 44, 51, 60].contains(&protocol) {
        return None;
    }
    quoted(address(8), address(24), protocol, above)
}

/// Without its ports TCP and UDP could be any conversation's; no error is sent about an error or a redirect.
fn quoted(source: IpAddr, destination: IpAddr, protocol: u8, above: Option<&[u8]>) -> Option<Refused> {
    let above = above.unwrap_or(&[]);
    let (source_port, destination_port) = match protocol {
        6 | 17 => (be16(above, 0)?, be16(above, 2)?),
        1 if [3, 4, 5, 11, 12].contains(above.first()?) => return None,
        58 if *above.first()? < 128 || above[0] == 137 => return None,
        _ => (0, 0),
    };
    Some(Refused { source, destination, protocol, source_port, destination_port })
}

// ---- Rule 2: the way to the IP header ------------------------------------------------------------------------------

/// The source of the IP header's version.
#[derive(Clone, Copy)]
enum Version {
    Four,
    Six,
    FirstNibble,
}

/// The frame to read from: the captured bytes and the number of bytes on the wire.
struct Frame<'a> {
    bytes: &'a [u8],
    wire: usize,
    /// Bytes that were in front of these in the same frame.
    before: usize,
}

impl std::ops::Deref for Frame<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

/// The beginning of an IP header.
struct Found {
    offset: usize,
    version: Version,
    outgoing: bool,
}

fn found(offset: usize, version: Version) -> Option<Found> {
    Some(Found { offset, version, outgoing: false })
}

fn way(link_type: i32, frame: &Frame<'_>) -> Option<Found> {
    match link_type {
        1 => ethernet_type(frame, 12),
        113 => {
            let packet_type = be16(frame, 0)?;
            let found = cooked_protocol(frame, 14, 16)?;
            Some(Found { outgoing: packet_type == 4, ..found })
        }
        276 => {
            let packet_type = *frame.get(10)?;
            // The header is 20 bytes, its protocol stands in front.
            let found = cooked_protocol(frame, 0, 20)?;
            Some(Found { outgoing: packet_type == 4, ..found })
        }
        12 | 14 | 101 => found(0, Version::FirstNibble),
        228 => found(0, Version::Four),
        229 => found(0, Version::Six),
        0 | 108 => match frame.get(..4)? {
            [0, 0, 0, family] | [family, 0, 0, 0] => address_family(*family, 4),
            _ => None,
        },
        9 => ppp(frame, 0),
        50 => match frame.first()? {
            0x0f | 0x8f => cisco_hdlc(frame),
            _ => ppp(frame, 0),
        },
        104 => cisco_hdlc(frame),
        105 => wireless(frame, 0, false),
        119 => prism(frame),
        127 => radiotap(frame),
        192 => ppi(frame),
        239 => nflog(frame),
        _ => None,
    }
}

/// Family 2, or 10/24/28/30.
fn address_family(family: u8, offset: usize) -> Option<Found> {
    match family {
        2 => found(offset, Version::Four),
        10 | 24 | 28 | 30 => found(offset, Version::Six),
        _ => None,
    }
}

/// An EtherType at `at`, or in its place an 802.3 length; the announced header follows it.
fn ethernet_type(frame: &Frame<'_>, at: usize) -> Option<Found> {
    match be16(frame, at)? {
        0..=1500 => snap(frame, at + 2),
        other => ether_type(frame, other, at + 2),
    }
}

/// The header that `ether_type` announces begins at `offset`, behind any number of VLAN tags.
fn ether_type(frame: &Frame<'_>, mut ether_type: u16, mut offset: usize) -> Option<Found> {
    while let 0x8100 | 0x88a8 | 0x9100 = ether_type {
        ether_type = be16(frame, offset + 2)?;
        offset += 4;
        if ether_type <= 1500 {
            return snap(frame, offset);
        }
    }
    match ether_type {
        0x0800 => found(offset, Version::Four),
        0x86dd => found(offset, Version::Six),
        0x8847 | 0x8848 => mpls(frame, offset),
        // Version and type, code, session, length; then PPP.
        0x8864 => ppp_protocol(frame, offset + 6),
        _ => None,
    }
}

/// LLC with SNAP and organisation 0: its last two bytes are an EtherType.
fn snap(frame: &Frame<'_>, at: usize) -> Option<Found> {
    match frame.get(at..at + 8)? {
        [0xaa, 0xaa, 0x03, 0, 0, 0, high, low] => ether_type(frame, u16::from_be_bytes([*high, *low]), at + 8),
        _ => None,
    }
}

/// Label entries of four bytes up to the one with the bottom bit.
fn mpls(frame: &Frame<'_>, mut at: usize) -> Option<Found> {
    while frame.get(at..at + 4)?[2] & 1 == 0 {
        at += 4;
    }
    at += 4;
    match frame.get(at) {
        Some(first) => match first >> 4 {
            4 if ipv4_passes(frame, at) => found(at, Version::Four),
            6 if ipv6_passes(frame, at) => found(at, Version::Six),
            _ => None,
        },
        None => found(at, Version::FirstNibble),
    }
}

/// Does an IPv4 header at `at` pass where nothing proves that it is one?
fn ipv4_passes(frame: &Frame<'_>, at: usize) -> bool {
    let header = &frame[at..];
    match header.first() {
        None => return true,
        Some(first) if first >> 4 != 4 || first & 15 < 5 => return false,
        Some(_) => {}
    }
    let Some(total) = be16(header, 2) else { return true };
    if length_fits(frame, at, usize::from(total)) || header.len() < 12 {
        return true;
    }
    let Some(header) = header.get(..usize::from(header[0] & 15) * 4) else { return false };
    // The sum of all words but the checksum, with the carries brought back, is the checksum's complement.
    let mut sum = 0_u64;
    for word in (0..header.len()).step_by(2).filter(|word| *word != 10) {
        sum += u64::from(be16(header, word).unwrap_or(0));
    }
    while sum > 0xffff {
        sum = sum % 0x1_0000 + sum / 0x1_0000;
    }
    let (checksum, right) = (u64::from(be16(header, 10).unwrap_or(0)), 0xffff - sum);
    // Zero has two forms in ones' complement.
    checksum == right || checksum % 0xffff == 0 && right % 0xffff == 0
}

fn ipv6_passes(frame: &Frame<'_>, at: usize) -> bool {
    let header = &frame[at..];
    match header.first() {
        None => return true,
        Some(first) if first >> 4 != 6 => return false,
        Some(_) => {}
    }
    match be16(header, 4) {
        None | Some(0) => true,
        Some(payload) => length_fits(frame, at, 40 + usize::from(payload)),
    }
}

/// True for the bytes left on the wire, 4 less, or any less in a frame of at most 64 bytes on the wire.
fn length_fits(frame: &Frame<'_>, at: usize, length: usize) -> bool {
    let left = frame.wire - at;
    length == left || length + 4 == left || (length < left && frame.before + frame.wire <= 64)
}

/// The protocol field of a cooked header, with Linux's own numbers below 1536: 4 is an LLC frame.
fn cooked_protocol(frame: &Frame<'_>, at: usize, header: usize) -> Option<Found> {
    frame.get(..header)?;
    match be16(frame, at)? {
        4 => snap(frame, header),
        0x0800 if !ipv4_passes(frame, header) => hidden_tags(frame, header).or(found(header, Version::Four)),
        0x86dd if !ipv6_passes(frame, header) => hidden_tags(frame, header).or(found(header, Version::Six)),
        other => ether_type(frame, other, header),
    }
}

/// VLAN tags at `at`, one or more, in front of an IP header that passes.
fn hidden_tags(frame: &Frame<'_>, at: usize) -> Option<Found> {
    match be16(frame, at + 2)? {
        0x0800 if ipv4_passes(frame, at + 4) => found(at + 4, Version::Four),
        0x86dd if ipv6_passes(frame, at + 4) => found(at + 4, Version::Six),
        0x8100 | 0x88a8 | 0x9100 => hidden_tags(frame, at + 4),
        _ => None,
    }
}

/// PPP, with address and control in front or without.
fn ppp(frame: &Frame<'_>, at: usize) -> Option<Found> {
    ppp_protocol(frame, if frame.get(at..)?.starts_with(&[0xff, 0x03]) { at + 2 } else { at })
}

/// A protocol number of two bytes, or of one, which is odd.
fn ppp_protocol(frame: &Frame<'_>, at: usize) -> Option<Found> {
    match frame.get(at..)? {
        [0x21, ..] => found(at + 1, Version::Four),
        [0x57, ..] => found(at + 1, Version::Six),
        [0, 0x21, ..] => found(at + 2, Version::Four),
        [0, 0x57, ..] => found(at + 2, Version::Six),
        _ => None,
    }
}

/// Address, control, then an EtherType.
fn cisco_hdlc(frame: &Frame<'_>) -> Option<Found> {
    ether_type(frame, be16(frame, 2)?, 4)
}

/// An 802.11 frame at `at`: unprotected data with LLC/SNAP.
fn wireless(frame: &Frame<'_>, at: usize, padded_header: bool) -> Option<Found> {
    let control = frame.get(at..at + 2)?;
    let (version, kind, subtype, flags) = (control[0] & 3, control[0] >> 2 & 3, control[0] >> 4, control[1]);
    let (quality_of_service, no_payload) = (subtype & 8 != 0, subtype & 4 != 0);
    let (four_addresses, protected, order) = (flags & 3 == 3, flags & 0x40 != 0, flags & 0x80 != 0);
    if version != 0 || kind != 2 || no_payload || protected {
        return None;
    }
    let mut header = 24;
    if four_addresses {
        header += 6;
    }
    if quality_of_service {
        let aggregated = frame.get(at + header)? & 0x80 != 0;
        if aggregated {
            return None;
        }
        header += if order { 6 } else { 2 };
    }
    if padded_header {
        header = header.div_ceil(4) * 4;
    }
    snap(frame, at + header)
}

/// A radiotap header says its own length, and in its flags whether the 802.11 header is padded to four bytes.
fn radiotap(frame: &Frame<'_>) -> Option<Found> {
    let length = usize::from(le16(frame, 2)?);
    let header = frame.get(..length).filter(|header| header.len() >= 8)?;
    wireless(frame, length, radiotap_flags(header).unwrap_or(0) & 0x20 != 0)
}

/// The second field, where it is present; the first, a clock, is eight bytes on an eight-byte boundary.
fn radiotap_flags(header: &[u8]) -> Option<u8> {
    let mut fields = 8;
    // The top bit of a presence word says that another one follows.
    while header.get(fields - 1)? & 0x80 != 0 {
        fields += 4;
    }
    if header[4] & 1 != 0 {
        fields = fields.div_ceil(8) * 8 + 8;
    }
    if header[4] & 2 != 0 { header.get(fields).copied() } else { None }
}

/// A Prism header of 144 bytes, or an AVS header in its place that says its own length, big endian.
fn prism(frame: &Frame<'_>) -> Option<Found> {
    let length = match *frame.get(..8)? {
        [0x80, 0x21, 0x10, 1 | 2, a, b, c, d] => u32::from_be_bytes([a, b, c, d]) as usize,
        _ => 144,
    };
    if length < 8 || length > frame.len() { None } else { wireless(frame, length, false) }
}

/// A PPI header says its own length, at least its fixed eight bytes, and the link type behind it.
fn ppi(frame: &Frame<'_>) -> Option<Found> {
    let length = usize::from(le16(frame, 2)?);
    if length < 8 {
        return None;
    }
    let inner = match *frame.get(4..8)? {
        [low, high, 0, 0] => i32::from(u16::from_le_bytes([low, high])),
        _ => return None,
    };
    if inner == 192 {
        return None;
    }
    let bytes = frame.get(length..)?;
    let found = way(inner, &Frame { bytes, wire: frame.wire - length, before: frame.before + length })?;
    Some(Found { offset: length + found.offset, ..found })
}

/// Family, version, resource; then attributes in the byte order of some machine, of which 9 is the packet.
fn nflog(frame: &Frame<'_>) -> Option<Found> {
    let family = *frame.get(..4)?.first()?;
    let little = frame.get(4..8)?[if cfg!(target_endian = "little") { 2 } else { 3 }] != 0;
    let little = little == cfg!(target_endian = "little");
    let half = |bytes: [u8; 2]| if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) };
    let mut at = 4;
    loop {
        let header = frame.get(at..at + 4)?;
        let length = usize::from(half([header[0], header[1]]));
        if length < 4 {
            return None;
        }
        if half([header[2], header[3]]) == 9 {
            return address_family(family, at + 4);
        }
        at += length.div_ceil(4) * 4;
    }
}

// ---- Rules 4 to 7: the IP header and what stands above it ----------------------------------------------------------

/// The rest behind the link header: the captured bytes, and how many there were on the wire.
struct At<'a> {
    bytes: &'a [u8],
    wire: usize,
}

fn ipv4(rest: &At<'_>) -> Result<Counted, NotCounted> {
    let header = rest.bytes.get(..20).ok_or(NotCounted::Truncated)?;
    let header_length = usize::from(header[0] & 0x0f) * 4;
    if rest.bytes.len() < header_length {
        return Err(NotCounted::Truncated);
    }
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[0] >> 4 != 4 || header_length < 20 || (total > 0 && total < header_length) {
        return Err(NotCounted::Malformed);
    }
    let bytes = if total == 0 { rest.wire } else { total.min(rest.wire) };
    let later_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
    let above = if later_fragment { None } else { inside(rest, bytes).get(header_length..) };
    let address = |at: usize| IpAddr::V4(Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]));
    Ok(counted(address(12), address(16), header[9], (above, bytes - header_length), bytes))
}

fn ipv6(rest: &At<'_>) -> Result<Counted, NotCounted> {
    let header = rest.bytes.get(..40).ok_or(NotCounted::Truncated)?;
    if header[0] >> 4 != 6 {
        return Err(NotCounted::Malformed);
    }
    let bytes = match (u16::from_be_bytes([header[4], header[5]]), header[6]) {
        (0, 59) => 40.min(rest.wire),
        (0, _) => rest.wire,
        (payload, _) => (40 + usize::from(payload)).min(rest.wire),
    };
    let payload = inside(rest, bytes).get(40..).unwrap_or(&[]);
    let (protocol, above) = walk(header[6], payload);
    // Extension headers are captured whole, or the walk ends at them.
    let extensions = payload.len() - above.unwrap_or(&[]).len();
    let address = |at: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&header[at..at + 16]);
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    Ok(counted(address(8), address(24), protocol, (above, bytes - 40 - extensions), bytes))
}

/// The captured bytes inside the IP length.
fn inside<'a>(rest: &At<'a>, bytes: usize) -> &'a [u8] {
    &rest.bytes[..bytes.min(rest.bytes.len())]
}

/// The protocol at the end of the chain, and its bytes unless this is a later fragment.
fn walk(first: u8, payload: &[u8]) -> (u8, Option<&[u8]>) {
    let (mut protocol, mut left) = (first, payload);
    loop {
        let length = match (protocol, left) {
            (44, [_, _, _, _, _, _, _, _, ..]) => 8,
            (0 | 43 | 60, [_, length, ..]) => (usize::from(*length) + 1) * 8,
            (51, [_, length, ..]) => (usize::from(*length) + 2) * 4,
            _ => return (protocol, Some(left)),
        };
        let Some(after) = left.get(length..) else { return (protocol, Some(left)) };
        if protocol == 44 && u16::from_be_bytes([left[2], left[3]]) >> 3 != 0 {
            return (left[0], None);
        }
        (protocol, left) = (left[0], after);
    }
}

/// Joins the parts. `above` is the part of the transport header that lies inside the IP length and was captured, with how
/// many bytes of it were on the wire.
fn counted(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    (above, above_on_wire): (Option<&[u8]>, usize),
    bytes: usize,
) -> Counted {
    let above = above.unwrap_or(&[]);
    let (source_port, destination_port) = match (protocol, above) {
        (6 | 17, [a, b, c, d, ..]) => (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])),
        _ => (0, 0),
    };
    Counted {
        source,
        destination,
        protocol,
        source_port,
        destination_port,
        tcp_flags: if protocol == 6 { above.get(13).copied().unwrap_or(0) } else { 0 },
        // The header says its own length in words of four bytes. It is believed if the flags behind it were captured, too.
        has_payload: protocol == 6 && above.len() >= 14 && above_on_wire > usize::from(above[12] >> 4) * 4,
        icmp_type: if protocol == 1 || protocol == 58 { above.first().copied() } else { None },
        outgoing: false,
        bytes: bytes as u32,
    }
}

// ---- Address resolution ----------------------------------------------------------------------------------------

/// Reads the question for a link address that a frame is, or its answer: from the texts of RFC 826 and RFC 4861 sections
/// 4.3 and 4.4. ARP is read in Ethernet and cooked frames, behind VLAN tags or none.
pub fn resolved(link_type: i32, captured: &[u8], wire_bytes: u32) -> Option<Resolved> {
    let frame = &captured[..captured.len().min(wire_bytes as usize)];
    let resolved = arp(link_type, frame).or_else(|| neighbor(link_type, frame, wire_bytes))?;
    let is_host = |address: IpAddr| !(address.is_unspecified() || address.is_multicast());
    let makes_sense = resolved.asker != resolved.target && is_host(resolved.asker) && is_host(resolved.target);
    makes_sense.then_some(resolved)
}

fn arp(link_type: i32, frame: &[u8]) -> Option<Resolved> {
    let (mut announced, mut at) = match link_type {
        1 => (be16(frame, 12)?, 14),
        113 => (be16(frame, 14)?, 16),
        276 => (be16(frame, 0)?, 20),
        _ => return None,
    };
    while let 0x8100 | 0x88a8 | 0x9100 = announced {
        announced = be16(frame, at + 2)?;
        at += 4;
    }
    let message = frame.get(at..at + 28).filter(|_| announced == 0x0806)?;
    let (hardware, protocol, operation) = (be16(message, 0)?, be16(message, 2)?, be16(message, 6)?);
    if (hardware, protocol, message[4], message[5]) != (1, 0x0800, 6, 4) {
        return None;
    }
    let address = |at: usize| IpAddr::from([message[at], message[at + 1], message[at + 2], message[at + 3]]);
    let (sender, target) = (address(14), address(24));
    match operation {
        1 => Some(Resolved { asker: sender, target, is_answer: false }),
        2 => Some(Resolved { asker: target, target: sender, is_answer: true }),
        _ => None,
    }
}

fn neighbor(link_type: i32, frame: &[u8], wire_bytes: u32) -> Option<Resolved> {
    let packet = read(link_type, frame, wire_bytes).ok()?;
    let wire = wire_bytes as usize;
    let found = way(link_type, &Frame { bytes: frame, wire, before: 0 })?;
    let rest = At { bytes: &frame[found.offset..], wire: wire - found.offset };
    if packet.protocol != 58 || !packet.source.is_ipv6() {
        return None;
    }
    let payload = inside(&rest, packet.bytes as usize).get(40..)?;
    let (_, message) = walk(rest.bytes[6], payload);
    let message = message?.get(..24)?;
    let mut octets = [0; 16];
    octets.copy_from_slice(&message[8..]);
    let target = IpAddr::from(octets);
    match message[0] {
        135 => Some(Resolved { asker: packet.source, target, is_answer: false }),
        136 => Some(Resolved { asker: packet.destination, target, is_answer: true }),
        _ => None,
    }
}

// ---- Numbers ---------------------------------------------------------------------------------------------------

fn be16(frame: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]))
}

fn le16(frame: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes([*frame.get(at)?, *frame.get(at + 1)?]))
}
