//! Address resolution: the questions for link addresses and their answers.
//!
//! Takes a frame that holds ARP, or a neighbor solicitation or advertisement; gives the asker and the target. Gratuitous
//! messages, probes for duplicate addresses and answers to all hosts tell nothing about a question, and are ignored. Must not
//! know what is done with them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::link::LinkLayer;
use super::{Cursor, Inside, ethernet, ip};
use crate::packet::{Frame, IpVersion, Protocol, Resolution, Timestamp};

/// Types of ICMPv6 (RFC 4861 sections 4.3 and 4.4).
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// True if a packet of this protocol and ICMP type is a message of neighbor discovery.
#[inline]
pub(super) const fn may_resolve(protocol: Protocol, icmp_type: u8) -> bool {
    matches!((protocol, icmp_type), (Protocol::ICMPV6, SOLICITATION | ADVERTISEMENT))
}

/// The ARP message of a frame. Its link headers are Ethernet or Linux's cooked ones, with any VLAN tags.
pub(super) fn read_arp(layer: LinkLayer, frame: &Frame<'_>) -> Option<Resolution> {
    const ETHERNET_AND_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
    const REQUEST: u8 = 1;
    const REPLY: u8 = 2;
    let (ether_type, rest) = layer.ether_type(Cursor::of(frame))?;
    let (message, _) = ethernet::behind_tags_to(ethernet::ARP, ether_type, rest)?.take::<28>().ok()?;
    if !message.starts_with(&ETHERNET_AND_IPV4) || message[6] != 0 {
        return None;
    }
    let address = |at: usize| <[u8; 4]>::try_from(&message[at..at + 4]).ok().map(Ipv4Addr::from);
    let (sender, target) = (address(14)?, address(24)?);
    let (asker, target, is_answer) = match message[7] {
        REQUEST => (sender, target, false),
        REPLY => (target, sender, true),
        _ => return None,
    };
    resolution(frame.time, asker.into(), target.into(), is_answer)
}

/// The message of neighbor discovery behind an IP header.
pub(super) fn read_neighbor(time: Timestamp, inside: &Inside<'_>) -> Option<Resolution> {
    if inside.version != IpVersion::V6 {
        return None;
    }
    let (addresses, message) = ip::read(inside).ok()?;
    let target: [u8; 16] = message.bytes.get(8..24)?.try_into().ok()?;
    let target = IpAddr::V6(Ipv6Addr::from(target));
    match message.bytes.first()? {
        &SOLICITATION => resolution(time, addresses.source(), target, false),
        _ => resolution(time, addresses.destination(), target, true),
    }
}

/// A message between two different hosts; none if one of the addresses is not a host's.
fn resolution(time: Timestamp, asker: IpAddr, target: IpAddr, is_answer: bool) -> Option<Resolution> {
    let is_host = |address: IpAddr| !address.is_unspecified() && !address.is_multicast();
    let is_question = asker != target && is_host(asker) && is_host(target);
    is_question.then_some(Resolution { time, asker, target, is_answer })
}
