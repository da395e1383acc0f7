//! The header that an ICMP error quotes: it names the refused packet.
//!
//! A packet counts as refused when its destination, or a router or firewall in its place, says that it is not
//! delivered: *destination unreachable* (RFC 792, RFC 4443 section 3.1). *Fragmentation needed* (code 4) is none: it
//! asks for smaller packets (RFC 1191), as *packet too big* does in IPv6. *Parameter problem* in IPv6 refuses only
//! with *unrecognized next header* (RFC 4443 section 3.4, code 1), which IPv4 calls *protocol unreachable*. *Time
//! exceeded* is no refusal: it reports about the path, not about the destination, and every hop of a traceroute to an
//! open port sends one. Nor are *redirect*, *source quench* and the other *parameter problem*s. A contact that gets
//! no answer for their reasons is still unanswered.
//!
//! Errors that no honest sender makes are ignored: an error about an error or a redirect, or one that does not go to
//! the sender of the packet (RFC 1122 section 3.2.2, RFC 4443 section 2.4). So are quotes that end before the ports or
//! are of a later fragment: they could belong to any conversation. Must not know the conversation that is refused.

use super::Inside;
use super::ip::{self, Transport};
use crate::packet::{IpVersion, Protocol, Refusal, Timestamp};

const DESTINATION_UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const DESTINATION_UNREACHABLE_6: u8 = 1;
const PARAMETER_PROBLEM_6: u8 = 4;
const UNRECOGNIZED_NEXT_HEADER: u8 = 1;

/// True if a packet of this protocol and ICMP type may be an error that refuses.
#[inline]
pub(super) const fn may_refuse(protocol: Protocol, icmp_type: u8) -> bool {
    matches!(
        (protocol, icmp_type),
        (Protocol::ICMP, DESTINATION_UNREACHABLE) | (Protocol::ICMPV6, DESTINATION_UNREACHABLE_6 | PARAMETER_PROBLEM_6)
    )
}

/// The refused packet that an ICMP error quotes. `inside` is the IP header of the error.
pub(super) fn read(time: Timestamp, inside: &Inside<'_>) -> Option<Refusal> {
    let (outer, message) = ip::read(inside).ok()?;
    let (&[icmp_type, code, ..], quote) = message.bytes.split_first_chunk::<8>()?;
    let (addresses, transport) = ip::read_quoted(inside.version, quote)?;
    let refuses = match inside.version {
        IpVersion::V4 => message.protocol == Protocol::ICMP && refuses_4(icmp_type, code),
        IpVersion::V6 => message.protocol == Protocol::ICMPV6 && refuses_6(icmp_type, code),
    };
    if !refuses || addresses.source() != outer.destination() {
        return None;
    }
    let (source_port, destination_port) = ports(&transport)?;
    Some(Refusal { time, addresses, protocol: transport.protocol, source_port, destination_port })
}

fn refuses_4(icmp_type: u8, code: u8) -> bool {
    icmp_type == DESTINATION_UNREACHABLE && code != FRAGMENTATION_NEEDED
}

fn refuses_6(icmp_type: u8, code: u8) -> bool {
    icmp_type == DESTINATION_UNREACHABLE_6 || (icmp_type, code) == (PARAMETER_PROBLEM_6, UNRECOGNIZED_NEXT_HEADER)
}

/// The ports under which the refused packet counts; none if they are unknown, or if no error may be sent about it.
fn ports(transport: &Transport<'_>) -> Option<(u16, u16)> {
    match (transport.protocol, transport.bytes) {
        (Protocol::TCP | Protocol::UDP, &[s0, s1, d0, d1, ..]) => {
            Some((u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])))
        }
        (Protocol::TCP | Protocol::UDP, _) => None,
        (Protocol::ICMP, &[icmp_type, ..]) => (!is_error_4(icmp_type)).then_some((0, 0)),
        (Protocol::ICMPV6, &[icmp_type, ..]) => (!is_error_6(icmp_type)).then_some((0, 0)),
        (Protocol::ICMP | Protocol::ICMPV6, []) => None,
        _ => Some((0, 0)),
    }
}

/// Destination unreachable, source quench, redirect, time exceeded, parameter problem (RFC 1122 section 3.2.2).
fn is_error_4(icmp_type: u8) -> bool {
    matches!(icmp_type, 3 | 4 | 5 | 11 | 12)
}

/// The types below 128, and redirect (RFC 4443 sections 2.1 and 2.4).
fn is_error_6(icmp_type: u8) -> bool {
    icmp_type < 128 || icmp_type == 137
}
