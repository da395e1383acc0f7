//! Ethernet and the headers between it and IP: VLAN tags, MPLS, PPPoE, 802.2 LLC with SNAP. Takes the bytes of a
//! frame; gives the IP header behind these headers. Must not know the fields of IP.

use super::{Cursor, Inside, NotIp, plausible, ppp};
use crate::packet::IpVersion;

/// Up to this value the field behind the addresses is a length, not a type (IEEE 802.3 clause 3.2.6).
pub(super) const MAXIMUM_LENGTH: u16 = 1500;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
pub(super) const ARP: u16 = 0x0806;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
const STACKED_VLAN: u16 = 0x9100;

/// The datagram of a frame in which IP follows Ethernet's header at once, as it does in most.
#[inline(always)]
pub(super) fn plain(frame: Cursor<'_>) -> Option<(IpVersion, Cursor<'_>)> {
    let (header, rest) = frame.take::<14>().ok()?;
    match u16::from_be_bytes([header[12], header[13]]) {
        IPV4 => Some((IpVersion::V4, rest)),
        IPV6 => Some((IpVersion::V6, rest)),
        _ => None,
    }
}

/// Destination, source, type.
pub(super) fn walk(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    let (header, rest) = frame.take::<14>()?;
    walk_type(u16::from_be_bytes([header[12], header[13]]), rest)
}

/// From an EtherType to IP, through any number of VLAN tags.
pub(super) fn walk_type(mut ether_type: u16, mut rest: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    loop {
        match ether_type {
            IPV4 => return Ok(Inside::v4(rest)),
            IPV6 => return Ok(Inside::v6(rest)),
            VLAN | SERVICE_VLAN | STACKED_VLAN => {
                let (tag, behind) = rest.take::<4>()?;
                ether_type = u16::from_be_bytes([tag[2], tag[3]]);
                rest = behind;
            }
            0..=MAXIMUM_LENGTH => return logical_link(rest),
            0x8847 | 0x8848 => return label_stack(rest),
            0x8864 => return ppp::walk_session(rest),
            0x8863 => return Err(NotIp::PppoeDiscovery),
            ARP | 0x8035 => return Err(NotIp::Arp),
            _ => return Err(NotIp::EtherType),
        }
    }
}

/// Reads a frame whose cooked header announces `ether_type`, although Linux left a VLAN tag before the packet that it
/// announces. From 6.10 on Linux skips all tags for the protocol of a frame on `any`, and leaves them in the frame.
///
/// None if the announced header passes as one, or if no header passes behind the tag.
pub(super) fn behind_hidden_tags(ether_type: u16, rest: Cursor<'_>) -> Option<Inside<'_>> {
    let announced = plain_type(ether_type, rest)?;
    let (tag, behind) = rest.take::<4>().ok()?;
    let hidden = match u16::from_be_bytes([tag[2], tag[3]]) {
        inner @ (IPV4 | IPV6 | VLAN | SERVICE_VLAN | STACKED_VLAN) => inner,
        _ => return None,
    };
    if plausible::passes(&announced) {
        return None;
    }
    behind_tags(hidden, behind).filter(plausible::passes)
}

/// The IP header behind VLAN tags alone.
fn behind_tags(ether_type: u16, rest: Cursor<'_>) -> Option<Inside<'_>> {
    let (ether_type, rest) = skip_tags(ether_type, rest)?;
    plain_type(ether_type, rest)
}

/// The payload of the type `wanted` behind VLAN tags alone.
pub(super) fn behind_tags_to(wanted: u16, ether_type: u16, rest: Cursor<'_>) -> Option<Cursor<'_>> {
    let (ether_type, rest) = skip_tags(ether_type, rest)?;
    (ether_type == wanted).then_some(rest)
}

fn skip_tags(mut ether_type: u16, mut rest: Cursor<'_>) -> Option<(u16, Cursor<'_>)> {
    while let VLAN | SERVICE_VLAN | STACKED_VLAN = ether_type {
        let (tag, behind) = rest.take::<4>().ok()?;
        ether_type = u16::from_be_bytes([tag[2], tag[3]]);
        rest = behind;
    }
    Some((ether_type, rest))
}

fn plain_type(ether_type: u16, rest: Cursor<'_>) -> Option<Inside<'_>> {
    match ether_type {
        IPV4 => Some(Inside::v4(rest)),
        IPV6 => Some(Inside::v6(rest)),
        _ => None,
    }
}

/// MPLS labels up to the bottom of the stack (RFC 3032). No field names the next header: the Ethernet frame of a
/// pseudowire may begin as an IP header does, so the header has to pass as one.
fn label_stack(mut rest: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    loop {
        let (label, behind) = rest.take::<4>()?;
        rest = behind;
        if label[2] & 1 == 1 {
            return Inside::by_nibble(rest, NotIp::Mpls).and_then(plausible::believed);
        }
    }
}

/// The payload of an 802.2 LLC header with a SNAP header of organisation 0, whose type is an EtherType (RFC 1042).
pub(super) fn logical_link(rest: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    const SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];
    if !rest.captured.starts_with(&SNAP) {
        let cut = rest.captured.len() < SNAP.len() && SNAP.starts_with(rest.captured);
        return Err(if cut { NotIp::TruncatedLink } else { NotIp::Llc });
    }
    let (header, rest) = rest.take::<8>()?;
    match u16::from_be_bytes([header[6], header[7]]) {
        0..=MAXIMUM_LENGTH => Err(NotIp::Llc),
        ether_type => walk_type(ether_type, rest),
    }
}
