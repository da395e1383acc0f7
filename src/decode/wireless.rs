//! IEEE 802.11 data frames, bare or behind a Radiotap, Prism or AVS header. Takes a frame; gives the IP header. Must
//! not know encryption: such frames hold no packet that can be read.

use super::{Cursor, Inside, NotIp, ethernet};

/// A data frame in the clear leads to an LLC header; all others carry no packet that can be read.
pub(super) fn walk(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    walk_padded(frame, false)
}

/// `padded`: the header is filled up to a multiple of four bytes, as some drivers do.
fn walk_padded(frame: Cursor<'_>, padded: bool) -> Result<Inside<'_>, NotIp> {
    let (control, _) = frame.take::<2>()?;
    let is_data = control[0] & 0x0f == 0x08; // type 2, version 0
    let carries_payload = control[0] & 0x40 == 0;
    let protected = control[1] & 0x40 != 0;
    if !is_data || !carries_payload || protected {
        return Err(NotIp::Link);
    }
    let length = header_length(control);
    let header = frame.captured.get(..length).ok_or(NotIp::TruncatedLink)?;
    if aggregates(control, header) {
        return Err(NotIp::Link);
    }
    let length = if padded { length.next_multiple_of(4) } else { length };
    ethernet::logical_link(frame.skip(length)?)
}

/// IEEE 802.11 clause 9.3.2: a fourth address when the frame goes from one distribution system to another; QoS
/// control in QoS frames, and then HT control when the order bit is set.
fn header_length(control: &[u8; 2]) -> usize {
    let four_addresses = control[1] & 0x03 == 0x03;
    let ht_control = control[1] & 0x80 != 0;
    24 + if four_addresses { 6 } else { 0 }
        + match (is_qos(control), ht_control) {
            (true, true) => 6,
            (true, false) => 2,
            (false, _) => 0,
        }
}

fn is_qos(control: &[u8; 2]) -> bool {
    control[0] & 0x80 != 0
}

/// An A-MSDU holds several packets with headers of their own; it counts as none.
fn aggregates(control: &[u8; 2], header: &[u8]) -> bool {
    let qos_at = if control[1] & 0x03 == 0x03 { 30 } else { 24 };
    is_qos(control) && header.get(qos_at).is_some_and(|qos| qos & 0x80 != 0)
}

/// <https://www.radiotap.org>: version, pad, length (little-endian), presence words, fields.
pub(super) fn walk_radiotap(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    let (header, _) = frame.take::<8>()?;
    let length = usize::from(u16::from_le_bytes([header[2], header[3]]));
    if length < header.len() {
        return Err(NotIp::Link);
    }
    let behind = frame.skip(length)?;
    let flags = radiotap_flags(&frame.captured[..length]);
    walk_padded(behind, flags & 0x20 != 0)
}

/// The field "flags" (bit 1), which only the MAC time (bit 0, 8 bytes, aligned to 8) may precede; 0 where absent.
fn radiotap_flags(header: &[u8]) -> u8 {
    let word =
        |at: usize| header.get(at..at + 4).map_or(0, |word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    let present = word(4);
    if present & 0x02 == 0 {
        return 0;
    }
    let mut fields_at = 8;
    while word(fields_at - 4) & 0x8000_0000 != 0 && fields_at < header.len() {
        fields_at += 4;
    }
    let flags_at = if present & 0x01 != 0 { fields_at.next_multiple_of(8) + 8 } else { fields_at };
    header.get(flags_at).copied().unwrap_or(0)
}

/// `LINKTYPE_IEEE802_11_PRISM`: a Prism header, always 144 bytes whatever its length field says in whichever byte
/// order (as tcpdump reads it), or an AVS header in its place, recognised by its magic number and with a length of
/// its own.
pub(super) fn walk_prism(frame: Cursor<'_>) -> Result<Inside<'_>, NotIp> {
    const PRISM_HEADER: usize = 144;
    const AVS_MAGIC: [u32; 2] = [0x8021_1001, 0x8021_1002];
    let (&[m0, m1, m2, m3, l0, l1, l2, l3], _) = frame.take::<8>()?;
    if !AVS_MAGIC.contains(&u32::from_be_bytes([m0, m1, m2, m3])) {
        return walk(frame.skip(PRISM_HEADER)?);
    }
    match usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])) {
        Ok(length @ 8..) => walk(frame.skip(length)?),
        _ => Err(NotIp::Link),
    }
}
