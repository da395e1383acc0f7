//! The outermost link header, by libpcap's link type (<https://www.tcpdump.org/linktypes.html>). Takes a frame; gives
//! the position of its IP header. Must not know the fields of IP.

use super::{Cursor, Inside, NotIp, ethernet, ppp, wireless};
use crate::packet::LinkType;

/// The link layers that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkLayer {
    Ethernet,
    /// Linux cooked capture, version 1.
    Cooked,
    /// Linux cooked capture, version 2.
    Cooked2,
    /// No link header; the first nibble says the version.
    Raw,
    Ipv4,
    Ipv6,
    /// BSD loopback: an address family in four bytes.
    Loopback,
    Ppp,
    /// PPP or Cisco HDLC in HDLC-like framing, RFC 1662.
    PppSerial,
    CiscoHdlc,
    Wireless,
    Radiotap,
    Prism,
    PerPacket,
    NetfilterLog,
    /// None of these: no packet is found.
    Unsupported,
}

/// The link types that are read, with the names that libpcap has for them.
const LINK_TYPES: [(i32, &str, LinkLayer); 18] = [
    (0, "NULL", LinkLayer::Loopback),
    (1, "EN10MB", LinkLayer::Ethernet),
    (9, "PPP", LinkLayer::Ppp),
    (12, "RAW", LinkLayer::Raw),
    (14, "RAW", LinkLayer::Raw),
    (50, "PPP_SERIAL", LinkLayer::PppSerial),
    (101, "RAW", LinkLayer::Raw),
    (104, "C_HDLC", LinkLayer::CiscoHdlc),
    (105, "IEEE802_11", LinkLayer::Wireless),
    (108, "LOOP", LinkLayer::Loopback),
    (113, "LINUX_SLL", LinkLayer::Cooked),
    (119, "PRISM_HEADER", LinkLayer::Prism),
    (127, "IEEE802_11_RADIO", LinkLayer::Radiotap),
    (192, "PPI", LinkLayer::PerPacket),
    (228, "IPV4", LinkLayer::Ipv4),
    (229, "IPV6", LinkLayer::Ipv6),
    (239, "NFLOG", LinkLayer::NetfilterLog),
    (276, "LINUX_SLL2", LinkLayer::Cooked2),
];

/// The link types that are read, for people: `NULL (0), EN10MB (1), …`.
pub(super) fn supported() -> String {
    LINK_TYPES.map(|(number, name, _)| format!("{name} ({number})")).join(", ")
}

impl LinkLayer {
    pub(super) fn of(link_type: LinkType) -> Option<Self> {
        LINK_TYPES.into_iter().find(|(number, ..)| *number == link_type.0).map(|(.., layer)| layer)
    }

    /// From the start of the frame to its IP header.
    pub(super) fn walk(self, frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
        match self {
            Self::Ethernet => ethernet::walk(frame),
            Self::Cooked => cooked(frame),
            Self::Cooked2 => cooked2(frame),
            Self::Raw => Inside::by_nibble(frame, NotIp::MalformedIp),
            Self::Ipv4 => Ok(Inside::v4(frame)),
            Self::Ipv6 => Ok(Inside::v6(frame)),
            Self::Loopback => loopback(frame),
            Self::Ppp => ppp::walk(frame),
            Self::PppSerial => walk_serial(frame),
            Self::CiscoHdlc => walk_cisco(frame),
            Self::Wireless => wireless::walk(frame),
            Self::Radiotap => wireless::walk_radiotap(frame),
            Self::Prism => wireless::walk_prism(frame),
            Self::PerPacket => per_packet(frame),
            Self::NetfilterLog => netfilter_log(frame),
            Self::Unsupported => Err(NotIp::Link),
        }
    }
}

impl LinkLayer {
    /// The EtherType that the link header announces, and the bytes behind it; none for other link layers.
    pub(super) fn ether_type(self, frame: Cursor<'_>) -> Option<(u16, Cursor<'_>)> {
        let of = |high: u8, low: u8| u16::from_be_bytes([high, low]);
        match self {
            Self::Ethernet => frame.take::<14>().ok().map(|(header, rest)| (of(header[12], header[13]), rest)),
            Self::Cooked => frame.take::<16>().ok().map(|(header, rest)| (of(header[14], header[15]), rest)),
            Self::Cooked2 => frame.take::<20>().ok().map(|(header, rest)| (of(header[0], header[1]), rest)),
            _ => None,
        }
    }
}

/// The packet type of a frame that this host sent, `PACKET_OUTGOING` in Linux's `if_packet.h`.
const OUTGOING: u16 = 4;

/// `LINKTYPE_LINUX_SLL`: packet type, ARPHRD, address length, address, protocol; 16 bytes.
fn cooked(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    let (header, rest) = frame.take::<16>()?;
    let outgoing = u16::from_be_bytes([header[0], header[1]]) == OUTGOING;
    cooked_protocol(u16::from_be_bytes([header[14], header[15]]), rest, outgoing)
}

/// `LINKTYPE_LINUX_SLL2`: protocol, reserved, interface index, ARPHRD, packet type, address length, address; 20 bytes.
fn cooked2(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    let (header, rest) = frame.take::<20>()?;
    let outgoing = u16::from(header[10]) == OUTGOING;
    cooked_protocol(u16::from_be_bytes([header[0], header[1]]), rest, outgoing)
}

/// The protocol of a cooked header is an EtherType, or one of Linux's own numbers for 802.2 and the like.
fn cooked_protocol(protocol: u16, rest: Cursor<'_>, outgoing: bool) -> Result<Inside<'_>, NotIp> {
    const ETH_P_802_2: u16 = 4;
    let inside = match protocol {
        ETH_P_802_2 => ethernet::logical_link(rest)?,
        0..=ethernet::MAXIMUM_LENGTH => return Err(NotIp::EtherType),
        ether_type => match ethernet::behind_hidden_tags(ether_type, rest) {
            Some(inside) => inside,
            None => ethernet::walk_type(ether_type, rest)?,
        },
    };
    Ok(Inside { outgoing, ..inside })
}

/// `LINKTYPE_PPP_HDLC`: PPP, or Cisco's HDLC when the address is 0f (unicast) or 8f (broadcast).
fn walk_serial(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    match frame.captured.first() {
        Some(0x0f | 0x8f) => walk_cisco(frame),
        _ => ppp::walk(frame),
    }
}

/// `LINKTYPE_C_HDLC`: address, control, EtherType.
fn walk_cisco(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    let (header, rest) = frame.take::<4>()?;
    match u16::from_be_bytes([header[2], header[3]]) {
        0..=ethernet::MAXIMUM_LENGTH => Err(NotIp::Link),
        0x8035 => Err(NotIp::Link), // SLARP, Cisco's keep-alive; elsewhere this number is RARP
        ether_type => ethernet::walk_type(ether_type, rest),
    }
}

/// `LINKTYPE_NULL` and `LINKTYPE_LOOP`: the address family in the byte order of the capturing machine.
fn loopback(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    let (family, rest) = frame.take::<4>()?;
    let family = u32::from_be_bytes(*family);
    by_family(if family > 0xffff { family.swap_bytes() } else { family }, rest)
}

/// IPv4 is family 2 everywhere; IPv6 is 10 on Linux, 24, 28 and 30 on the BSDs and macOS.
fn by_family(family: u32, rest: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    match family {
        2 => Ok(Inside::v4(rest)),
        10 | 24 | 28 | 30 => Ok(Inside::v6(rest)),
        _ => Err(NotIp::Link),
    }
}

/// `LINKTYPE_PPI`: version, flags, length (little-endian), then the link type of the next header.
fn per_packet(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    let (header, _) = frame.take::<8>()?;
    let length = usize::from(u16::from_le_bytes([header[2], header[3]]));
    let inner = i32::from_le_bytes([header[4], header[5], header[6], header[7]]);
    if length < header.len() {
        return Err(NotIp::Link);
    }
    let rest = frame.skip(length)?;
    match LinkLayer::of(LinkType(inner)) {
        None | Some(LinkLayer::PerPacket) => Err(NotIp::Link),
        Some(layer) => layer.walk(rest),
    }
}

/// `LINKTYPE_NFLOG`: family, version, resource, then attributes (length and type in the byte order of the capturing
/// host, padded to four bytes), one of which is the packet. Types are below 256, so the first one shows the order.
fn netfilter_log(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    const PAYLOAD: u16 = 9; // NFULA_PAYLOAD in nfnetlink_log.h
    let (header, mut rest) = frame.take::<4>()?;
    let mut is_swapped = None;
    loop {
        let (attribute, value) = rest.take::<4>()?;
        let [length, kind] = [[attribute[0], attribute[1]], [attribute[2], attribute[3]]].map(u16::from_ne_bytes);
        let is_swapped = *is_swapped.get_or_insert(kind & 0xff == 0);
        let [length, kind] = [length, kind].map(|half| if is_swapped { half.swap_bytes() } else { half });
        let length = usize::from(length);
        if length < attribute.len() {
            return Err(NotIp::Link);
        }
        if kind == PAYLOAD {
            return by_family(u32::from(header[0]), value);
        }
        rest = rest.skip(length.next_multiple_of(4))?;
    }
}
