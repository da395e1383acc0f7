//! The blocks of a pcapng file (draft-ietf-opsawg-pcapng).
//!
//! Takes interfaces and packets; gives blocks in little-endian byte order, with times in nanoseconds. Must not know
//! what the packets are for.

use std::fs::File;
use std::io;

use super::link_type;
use super::records::{WholeRecords, walk};
use crate::evidence::{PacketSource, RecordedPacket};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Major version 1, minor version 0.
const VERSION: [u16; 2] = [1, 0];
/// The length of a section that is not known.
const UNKNOWN_LENGTH: u64 = u64::MAX;

/// Options of blocks.
const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const APPLICATION: u16 = 4;
const INTERFACE_NAME: u16 = 2;
const CLOCK_RESOLUTION: u16 = 9;

/// Type, length, and the length again.
const FRAME_OF_BLOCK: usize = 12;
/// Interface, time in two halves, captured bytes, bytes on the wire.
const PACKET_FIELDS: usize = 20;
/// The longest value of an option.
const LONGEST_OPTION: usize = 65_532;

/// Bytes that a packet takes in a file.
pub(in crate::evidence) const fn packet_bytes(captured: usize) -> usize {
    FRAME_OF_BLOCK + PACKET_FIELDS + captured.next_multiple_of(4)
}

/// A section header with a comment. A comment of the same length, in bytes, can later take its place.
pub(super) fn section_header(comment: &str, application: &str) -> Vec<u8> {
    let mut body = BYTE_ORDER_MAGIC.to_le_bytes().to_vec();
    VERSION.iter().for_each(|half| body.extend(half.to_le_bytes()));
    body.extend(UNKNOWN_LENGTH.to_le_bytes());
    put_option(&mut body, COMMENT, comment.as_bytes());
    put_option(&mut body, APPLICATION, application.as_bytes());
    put_option(&mut body, END_OF_OPTIONS, &[]);
    let mut block = Vec::with_capacity(body.len() + FRAME_OF_BLOCK);
    put_block(&mut block, SECTION_HEADER, &body);
    block
}

/// `comment`, filled up with spaces to `length` bytes, or cut to it.
pub(super) fn padded(comment: &str, length: usize) -> String {
    let length = length.min(LONGEST_OPTION);
    let cut = (0..=length.min(comment.len())).rev().find(|at| comment.is_char_boundary(*at)).unwrap_or(0);
    let mut text = comment[..cut].to_owned();
    text.extend(std::iter::repeat_n(' ', length - text.len()));
    text
}

/// The description of an interface.
pub(super) fn put_interface(out: &mut Vec<u8>, source: &PacketSource) {
    const NANOSECONDS: u8 = 9;
    let mut body = link_type::in_files(source.link_type.0).to_le_bytes().to_vec();
    body.extend([0; 2]);
    body.extend(source.snap_length.to_le_bytes());
    put_option(&mut body, INTERFACE_NAME, source.interface.as_bytes());
    put_option(&mut body, CLOCK_RESOLUTION, &[NANOSECONDS]);
    put_option(&mut body, END_OF_OPTIONS, &[]);
    put_block(out, INTERFACE_DESCRIPTION, &body);
}

/// A packet of the interface with this number. Times before 1970 become 1970.
pub(super) fn put_packet(out: &mut Vec<u8>, interface: u32, packet: &RecordedPacket<'_>) {
    let time = packet.time.nanoseconds().max(0).cast_unsigned();
    let captured = packet.bytes.len();
    let length = packet_bytes(captured) as u32;
    let head =
        [ENHANCED_PACKET, length, interface, (time >> 32) as u32, time as u32, captured as u32, packet.wire_bytes];
    head.iter().for_each(|word| out.extend(word.to_le_bytes()));
    out.extend_from_slice(packet.bytes);
    out.resize(out.len() + captured.next_multiple_of(4) - captured, 0);
    out.extend(length.to_le_bytes());
}

fn put_block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = (FRAME_OF_BLOCK + body.len()) as u32;
    out.extend(kind.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend_from_slice(body);
    out.extend(length.to_le_bytes());
}

/// An option, filled up to a multiple of 4 bytes.
fn put_option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(LONGEST_OPTION)];
    out.extend(code.to_le_bytes());
    out.extend((value.len() as u16).to_le_bytes());
    out.extend_from_slice(value);
    out.resize(out.len() + value.len().next_multiple_of(4) - value.len(), 0);
}

/// The whole blocks at the start of a file. The section header and the description of an interface come before the first
/// packet.
pub(super) fn whole_blocks(file: &File, length: u64) -> io::Result<WholeRecords> {
    let (blocks, bytes) = walk(file, 0, length, |head: &[u8; 8]| {
        let [.., a, b, c, d] = *head;
        let block = u64::from(u32::from_le_bytes([a, b, c, d]));
        (block >= FRAME_OF_BLOCK as u64).then_some(block)
    })?;
    Ok(WholeRecords { packets: blocks.saturating_sub(2), bytes })
}
