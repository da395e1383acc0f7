//! PPP (RFC 1661): in PPPoE sessions (RFC 2516), bare, or with the address and control bytes of RFC 1662.

use super::{Cursor, Inside, NotIp};

/// Six bytes of PPPoE header. Its length field is not used.
pub(super) fn walk_session(rest: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    let (_, rest) = rest.take::<6>()?;
    let (protocol, rest) = rest.take::<2>()?;
    by_protocol(u16::from_be_bytes(*protocol), rest)
}

/// `LINKTYPE_PPP`: address and control (ff 03) may be there or left out, and so may the protocol's first byte.
pub(super) fn walk(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    let rest = if frame.captured.starts_with(&[0xff, 0x03]) { frame.skip(2)? } else { frame };
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
