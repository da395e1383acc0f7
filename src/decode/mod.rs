//! Decodes frames. Takes a frame; gives a [`Packet`], or the reason why the frame is not IP. Must not know
//! conversations, or which networks are local.
//!
//! Our own code reads the link headers (`link` and the files that it calls); `etherparse` reads the IP header and the
//! headers above it (`ip`). Only the outermost IP header counts. The header that an ICMP error quotes describes the
//! refused packet (`quote`). Nothing here allocates, blocks or logs.

mod ethernet;
mod ip;
mod link;
mod plausible;
mod ppp;
mod quote;
mod resolution;
mod wireless;

use crate::packet::{Frame, IpVersion, LinkType, Packet, Protocol, Refusal, Resolution};

/// The reason why a frame does not count as IP. The list is closed: each is a value of the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotIp {
    /// The frame ends inside a link header.
    TruncatedLink,
    /// The IP header was not captured whole.
    TruncatedIp,
    /// An IP header with a wrong version, header length or total length.
    MalformedIp,
    /// ARP or RARP.
    Arp,
    /// 802.3 with a length field and no SNAP header that leads on.
    Llc,
    /// PPPoE discovery.
    PppoeDiscovery,
    /// A PPP protocol that is not IP (LCP, PAP, IPCP, …).
    Ppp,
    /// An MPLS label stack over something that is no IP header, an Ethernet pseudowire for one.
    Mpls,
    /// Another EtherType.
    EtherType,
    /// A frame without a network packet (802.11 management, an unknown address family, …).
    Link,
}

impl NotIp {
    /// Every reason, in the order of the way through a frame.
    pub const ALL: [Self; 10] = [
        Self::TruncatedLink,
        Self::TruncatedIp,
        Self::MalformedIp,
        Self::Arp,
        Self::Llc,
        Self::PppoeDiscovery,
        Self::Ppp,
        Self::Mpls,
        Self::EtherType,
        Self::Link,
    ];

    /// The value of the label `reason`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TruncatedLink => "truncated_link",
            Self::TruncatedIp => "truncated_ip",
            Self::MalformedIp => "malformed_ip",
            Self::Arp => "arp",
            Self::Llc => "llc",
            Self::PppoeDiscovery => "pppoe_discovery",
            Self::Ppp => "ppp",
            Self::Mpls => "mpls",
            Self::EtherType => "ethertype",
            Self::Link => "link",
        }
    }
}

/// A link type that this program does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("link type {} is not supported", .0.0)]
pub struct UnsupportedLinkType(pub LinkType);

impl UnsupportedLinkType {
    /// The decoder for frames of it: none is IP.
    pub fn decoder(self) -> Decoder {
        Decoder { layer: link::LinkLayer::Unsupported }
    }
}

/// The link types that this program reads, for people: `NULL (0), EN10MB (1), …`.
pub fn supported_link_types() -> String {
    link::supported()
}

/// Receives a decoded packet, or the reason why a frame is not IP.
///
/// A packet is handed over instead of returned, so that the work on it is compiled once for each IP version, with the
/// packet in registers. Without this and `Savefile::next_plain`, `replay` takes 20 to 40 % more instructions to count.
pub trait TakeDecoded {
    /// Receives most frames. To be inlined.
    fn take(self, decoded: Result<Packet, NotIp>);

    /// Receives the others.
    fn take_rare(self, decoded: Result<Packet, NotIp>);
}

/// Reads frames of one link type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoder {
    layer: link::LinkLayer,
}

impl Decoder {
    /// The decoder for `link_type`.
    ///
    /// # Errors
    /// When frames of that link type cannot be read.
    pub fn new(link_type: LinkType) -> Result<Self, UnsupportedLinkType> {
        link::LinkLayer::of(link_type).map(|layer| Self { layer }).ok_or(UnsupportedLinkType(link_type))
    }

    /// Decodes `frame`.
    ///
    /// # Errors
    /// The reason why the frame is not IP.
    #[inline(always)]
    pub fn decode(&self, frame: &Frame<'_>) -> Result<Packet, NotIp> {
        if self.layer == link::LinkLayer::Ethernet
            && let Some((version, datagram)) = ethernet::plain(Cursor::of(frame))
        {
            return ip::decode(frame.time, version, datagram, false);
        }
        self.decode_behind_others(frame)
    }

    /// As [`Decoder::decode`], with the result handed to `takes`.
    #[inline(always)]
    pub fn decode_for(&self, frame: &Frame<'_>, takes: impl TakeDecoded) {
        if self.layer == link::LinkLayer::Ethernet
            && let Some((version, datagram)) = ethernet::plain(Cursor::of(frame))
        {
            return match version {
                IpVersion::V4 => takes.take(ip::decode(frame.time, IpVersion::V4, datagram, false)),
                IpVersion::V6 => takes.take(ip::decode(frame.time, IpVersion::V6, datagram, false)),
            };
        }
        takes.take_rare(self.decode_behind_others(frame));
    }

    /// Decodes a frame of a link type other than Ethernet.
    #[inline(never)]
    fn decode_behind_others(&self, frame: &Frame<'_>) -> Result<Packet, NotIp> {
        let Inside { version, datagram, outgoing } = self.layer.walk(Cursor::of(frame))?;
        ip::decode(frame.time, version, datagram, outgoing)
    }

    /// The packet that `packet`, decoded from `frame`, reports as refused. None unless it is an ICMP error that
    /// refuses; `quote` has the rules. (Frames are walked again: errors are rare, and a field for their quote would make
    /// every packet larger.)
    pub fn refusal(&self, frame: &Frame<'_>, packet: &Packet) -> Option<Refusal> {
        packet.icmp_type.and_then(|icmp_type| self.read_refusal(frame, packet.protocol, icmp_type))
    }

    /// As [`Decoder::refusal`], for a packet of this protocol and ICMP type.
    pub fn read_refusal(&self, frame: &Frame<'_>, protocol: Protocol, icmp_type: u8) -> Option<Refusal> {
        if !quote::may_refuse(protocol, icmp_type) {
            return None;
        }
        quote::read(frame.time, &self.layer.walk(Cursor::of(frame)).ok()?)
    }

    /// The message of neighbor discovery that a frame is, which holds a packet of this protocol and ICMP type.
    pub fn neighbor_resolution(&self, frame: &Frame<'_>, protocol: Protocol, icmp_type: u8) -> Option<Resolution> {
        if !resolution::may_resolve(protocol, icmp_type) {
            return None;
        }
        resolution::read_neighbor(frame.time, &self.layer.walk(Cursor::of(frame)).ok()?)
    }

    /// The ARP message that a frame is, if it is not IP for the reason [`NotIp::Arp`].
    pub fn arp_resolution(&self, frame: &Frame<'_>, reason: NotIp) -> Option<Resolution> {
        if reason == NotIp::Arp { resolution::read_arp(self.layer, frame) } else { None }
    }
}

/// The rest of a frame behind the link headers read so far.
#[derive(Debug, Clone, Copy)]
struct Cursor<'a> {
    /// The captured bytes from here on.
    captured: &'a [u8],
    /// The bytes that were on the wire from here on; never fewer than were captured.
    wire_bytes: u32,
    /// The bytes of the whole frame on the wire.
    frame_bytes: u32,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn of(frame: &Frame<'a>) -> Self {
        Self { captured: frame.captured, wire_bytes: frame.wire_bytes, frame_bytes: frame.wire_bytes }
    }

    /// The first `N` bytes and the rest behind them.
    #[inline]
    fn take<const N: usize>(self) -> Result<(&'a [u8; N], Self), NotIp> {
        let (header, captured) = self.captured.split_first_chunk::<N>().ok_or(NotIp::TruncatedLink)?;
        Ok((header, Self { captured, wire_bytes: self.wire_bytes - N as u32, ..self }))
    }

    /// The rest behind the next `length` bytes.
    fn skip(self, length: usize) -> Result<Self, NotIp> {
        let captured = self.captured.get(length..).ok_or(NotIp::TruncatedLink)?;
        Ok(Self { captured, wire_bytes: self.wire_bytes - length as u32, ..self })
    }
}

/// The IP header that the link headers led to, of the version that they name.
#[derive(Debug, Clone, Copy)]
struct Inside<'a> {
    version: IpVersion,
    datagram: Cursor<'a>,
    /// True if a cooked header says that this host sent the frame.
    outgoing: bool,
}

impl<'a> Inside<'a> {
    fn v4(datagram: Cursor<'a>) -> Self {
        Self { version: IpVersion::V4, datagram, outgoing: false }
    }

    fn v6(datagram: Cursor<'a>) -> Self {
        Self { version: IpVersion::V6, datagram, outgoing: false }
    }

    /// The IP version by the first nibble, if no header names it (RAW, MPLS). Fails with `otherwise` if it is neither.
    fn by_nibble(datagram: Cursor<'a>, otherwise: NotIp) -> Result<Self, NotIp> {
        match datagram.captured.first().map(|byte| byte >> 4) {
            Some(4) => Ok(Self::v4(datagram)),
            Some(6) => Ok(Self::v6(datagram)),
            Some(_) => Err(otherwise),
            None => Err(NotIp::TruncatedIp),
        }
    }
}
