//! Decides whether bytes are an IP header, if the link headers do not tell reliably.
//!
//! Takes the position of a possible IP header; gives it back if it is plausible. Must not know the link headers.
//!
//! Behind MPLS labels there may be an Ethernet frame that begins with the nibble 4 or 6. In a cooked frame there may be
//! a VLAN tag where the header announces IP. So the lengths in the header must fit the frame, or its checksum must be
//! right.

use super::{Cursor, Inside, NotIp};
use crate::packet::IpVersion;

/// Up to this length on the wire a frame may have been padded (IEEE 802.3's shortest).
const PADDED_FRAME: u32 = 64;
/// A frame check sequence that was captured.
const CHECK_SEQUENCE: u32 = 4;

const IPV6_HEADER: u32 = 40;

/// The header if it is a plausible IP header; otherwise the reason why the frame is not IP.
pub(super) fn believed(inside: Inside<'_>) -> Result<Inside<'_>, NotIp> {
    if passes(&inside) { Ok(inside) } else { Err(NotIp::Mpls) }
}

/// True if the header is plausible. A header that is cut off before the compared fields is plausible: it counts as
/// truncated.
pub(super) fn passes(inside: &Inside<'_>) -> bool {
    let datagram = inside.datagram;
    match inside.version {
        IpVersion::V4 => passes_4(datagram),
        IpVersion::V6 => passes_6(datagram),
    }
}

fn passes_4(datagram: Cursor<'_>) -> bool {
    let Some(&[first, _, high, low]) = datagram.captured.first_chunk::<4>() else {
        return datagram.captured.first().is_none_or(|first| first >> 4 == 4 && first & 0x0f >= 5);
    };
    let header_bytes = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header_bytes < 20 {
        return false;
    }
    fills(datagram, u32::from(u16::from_be_bytes([high, low]))) || checksum_may_be_right(datagram, header_bytes)
}

/// True if the checksum is right or was not captured. False if it was captured and the rest of the header was not.
fn checksum_may_be_right(datagram: Cursor<'_>, header_bytes: usize) -> bool {
    const CHECKSUM_END: usize = 12;
    match datagram.captured.get(..header_bytes) {
        Some(header) => is_checksum_right(header),
        None => datagram.captured.len() < CHECKSUM_END,
    }
}

/// RFC 791 section 3.1: the ones' complement sum over the header, its checksum included, has all bits set.
fn is_checksum_right(header: &[u8]) -> bool {
    let words = header.as_chunks::<2>().0.iter();
    let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    // Thirty words at most: after the first fold no more than one carry is left.
    let folded = (sum >> 16) + (sum & 0xffff);
    (folded >> 16) + (folded & 0xffff) == 0xffff
}

fn passes_6(datagram: Cursor<'_>) -> bool {
    let Some(&[first, _, _, _, high, low]) = datagram.captured.first_chunk::<6>() else {
        return datagram.captured.first().is_none_or(|first| first >> 4 == 6);
    };
    let payload_bytes = u32::from(u16::from_be_bytes([high, low]));
    first >> 4 == 6 && (payload_bytes == 0 || fills(datagram, IPV6_HEADER + payload_bytes))
}

/// True if a packet of so many bytes fills the frame on the wire, except for a check sequence or padding.
fn fills(datagram: Cursor<'_>, packet_bytes: u32) -> bool {
    match datagram.wire_bytes.checked_sub(packet_bytes) {
        Some(0 | CHECK_SEQUENCE) => true,
        Some(_) => datagram.frame_bytes <= PADDED_FRAME,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_rfc_1071_example_is_right() {
        let header = [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 192, 168, 0, 1, 192, 168, 0, 199];
        assert!(is_checksum_right(&header));
        for at in 0..header.len() {
            let mut wrong = header;
            wrong[at] ^= 1;
            assert!(!is_checksum_right(&wrong), "byte {at}");
        }
    }

    #[test]
    fn checksum_that_carries_twice_is_right() {
        let mut header = [0xff; 60];
        header[10..12].copy_from_slice(&[0, 0]);
        assert!(is_checksum_right(&[&[0xff; 20][..], &[0; 2], &[0xff; 38]].concat()));
        header[59] = 0xfe;
        assert!(!is_checksum_right(&header));
    }
}
