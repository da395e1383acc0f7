//! The blocks of a pcapng file (draft-ietf-opsawg-pcapng).
//!
//! Takes interfaces and packets; gives blocks in little-endian byte order, with times in nanoseconds. Must not know
//! what the packets are for.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::facts::{FileContents, FileInterface};
use super::link_type;
use super::records::{WholeRecords, walk};
use crate::evidence::{PacketSource, RecordedPacket};
use crate::packet::Timestamp;

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

/// The packets and interfaces in a file of whole blocks that this program wrote.
pub(super) fn contents(file: &File) -> io::Result<(FileContents, Vec<FileInterface>)> {
    /// Type, length, interface, and the time in two halves. No block is shorter.
    const HEAD: usize = 20;
    let mut contents = FileContents::without_packets(file.metadata()?.len());
    let mut interfaces: Vec<FileInterface> = Vec::new();
    let mut at = 0;
    while at + HEAD as u64 <= contents.bytes {
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, at)?;
        let [kind, length, interface, high, low] = words(&head);
        match kind {
            INTERFACE_DESCRIPTION => interfaces.push(read_interface(file, at, length)?),
            ENHANCED_PACKET => {
                let time = i64::from(high) << 32 | i64::from(low);
                contents.note(Timestamp::from_nanoseconds(time));
                interfaces.get_mut(interface as usize).into_iter().for_each(|interface| interface.packets += 1);
            }
            _ => {}
        }
        at += u64::from(length).max(FRAME_OF_BLOCK as u64);
    }
    Ok((contents, interfaces))
}

/// The words of 4 bytes in `bytes`; zeros where there are none.
fn words<const WORDS: usize>(bytes: &[u8]) -> [u32; WORDS] {
    let (whole, _) = bytes.as_chunks();
    std::array::from_fn(|at| whole.get(at).map_or(0, |word| u32::from_le_bytes(*word)))
}

/// The interface whose description is at this place in a file.
fn read_interface(file: &File, at: u64, length: u32) -> io::Result<FileInterface> {
    /// The offset of the options.
    const OPTIONS: usize = 16;
    let mut block = vec![0; (length as usize).min(LONGEST_OPTION)];
    file.read_exact_at(&mut block, at)?;
    let [_, _, link_type] = words(&block);
    let (mut name, mut at) = (String::new(), OPTIONS);
    while let [head] = words(block.get(at..).unwrap_or_default())
        && head as u16 != END_OF_OPTIONS
    {
        let (code, length) = (head as u16, (head >> 16) as usize);
        if code == INTERFACE_NAME {
            let value = block.get(at + 4..at + 4 + length).unwrap_or_default();
            name = String::from_utf8_lossy(value).into_owned();
        }
        at += 4 + length.next_multiple_of(4);
    }
    Ok(FileInterface { name, link_type: link_type as u16, packets: 0 })
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
