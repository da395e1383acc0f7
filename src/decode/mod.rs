//! Frame → [`Packet`], or a typed reason why not.

use crate::packet::{Frame, LinkType, Packet};

/// Why a frame does not count as IP. The list is closed: each is a value of the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotIp {
    /// The frame ends inside a link header.
    TruncatedLink,
    /// The IP header was not captured whole.
    TruncatedIp,
    /// An IP header that contradicts itself: version, header length or total length.
    MalformedIp,
    /// ARP or RARP.
    Arp,
    /// 802.3 with a length field and no SNAP header that leads to IP.
    Llc,
    /// PPPoE discovery.
    PppoeDiscovery,
    /// A PPP protocol that is not IP (LCP, PAP, IPCP, …).
    Ppp,
    /// An MPLS label stack over something that is not IP.
    Mpls,
    /// Another EtherType.
    EtherType,
    /// A link-layer frame that carries no network packet (802.11 management, an unknown address family, …).
    Link,
}

/// Reads frames of one link type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoder {}

/// A link type that this program does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("link type {} is not supported", .0.0)]
pub struct UnsupportedLinkType(pub LinkType);

impl Decoder {
    /// The decoder for `link_type`.
    ///
    /// # Errors
    /// When no link layer of that number is known.
    pub fn new(link_type: LinkType) -> Result<Self, UnsupportedLinkType> {
        Err(UnsupportedLinkType(link_type))
    }

    /// What `frame` counts as.
    ///
    /// # Errors
    /// The reason why the frame is not IP.
    pub fn decode(&self, frame: &Frame<'_>) -> Result<Packet, NotIp> {
        let _ = frame;
        Err(NotIp::Link)
    }
}
