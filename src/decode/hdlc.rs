//! Serial lines: PPP in HDLC-like framing (RFC 1662) and Cisco's HDLC.

use super::{Cursor, Inside, NotIp, ethernet, ppp};

/// `LINKTYPE_PPP_HDLC`: PPP, or Cisco's HDLC when the address is 0f (unicast) or 8f (broadcast).
pub(super) fn walk_serial(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    match frame.captured.first() {
        Some(0x0f | 0x8f) => walk_cisco(frame),
        _ => ppp::walk(frame),
    }
}

/// `LINKTYPE_C_HDLC`: address, control, EtherType.
pub(super) fn walk_cisco(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    let (header, rest) = frame.take::<4>()?;
    match u16::from_be_bytes([header[2], header[3]]) {
        0..=ethernet::MAXIMUM_LENGTH => Err(NotIp::Link),
        0x8035 => Err(NotIp::Link), // SLARP, Cisco's keep-alive; elsewhere this number is RARP
        ether_type => ethernet::walk_type(ether_type, rest),
    }
}
