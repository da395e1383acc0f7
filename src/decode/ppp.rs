//! PPP (RFC 1661): in PPPoE sessions (RFC 2516), bare, or with the address and control bytes of RFC 1662. Takes the
//! bytes behind other headers; gives the IP header. Must not know these headers.

use super::{Cursor, Inside, NotIp};

/// Six bytes of PPPoE header, then the protocol. The length field of the header is not used.
pub(super) fn walk_session(rest: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    let (_, rest) = rest.take::<6>()?;
    walk_protocol(rest)
}

/// `LINKTYPE_PPP`: address and control (ff 03) may be there or left out.
pub(super) fn walk(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    walk_protocol(if frame.captured.starts_with(&[0xff, 0x03]) { frame.skip(2)? } else { frame })
}

/// The protocol number has two bytes, or one where the peers agreed on compression: an odd first byte is the whole
/// number (RFC 1661 sections 2 and 6.5).
fn walk_protocol(rest: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    let (first, behind) = rest.take::<1>()?;
    if first[0] & 1 == 1 {
        return by_protocol(u16::from(first[0]), behind);
    }
    let (protocol, rest) = rest.take::<2>()?;
    by_protocol(u16::from_be_bytes(*protocol), rest)
}

/// IANA's PPP protocol numbers of IP.
fn by_protocol(protocol: u16, rest: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    match protocol {
        0x0021 => Ok(Inside::v4(rest)),
        0x0057 => Ok(Inside::v6(rest)),
        _ => Err(NotIp::Ppp),
    }
}
