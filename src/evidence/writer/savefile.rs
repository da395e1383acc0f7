//! The records of a pcap savefile with nanoseconds (draft-ietf-opsawg-pcap).
//!
//! Takes a link type and packets; gives a file header and records in little-endian byte order. Must not know
//! conversations.

use std::fs::File;
use std::io;

use super::link_type;
use super::records::{WholeRecords, walk};
use crate::evidence::{PacketSource, RecordedPacket};
use crate::packet::NANOSECONDS_PER_SECOND;

/// The magic number of files with nanoseconds.
const MAGIC: u32 = 0xa1b2_3c4d;
/// Major version 2, minor version 4.
const VERSION: [u16; 2] = [2, 4];

/// The header of a file, in bytes.
const FILE_HEADER: u64 = 24;
/// Seconds, nanoseconds, captured bytes, bytes on the wire.
const RECORD_HEADER: usize = 16;

/// The header of a file.
pub(in crate::evidence) fn file_header(source: &PacketSource) -> Vec<u8> {
    let mut header = MAGIC.to_le_bytes().to_vec();
    VERSION.iter().for_each(|half| header.extend(half.to_le_bytes()));
    header.extend([0; 8]);
    header.extend(source.snap_length.to_le_bytes());
    header.extend(u32::from(link_type::in_files(source.link_type.0)).to_le_bytes());
    header
}

/// A packet. Times before 1970 become 1970. Readers know seconds until 2038.
pub(in crate::evidence) fn put_packet(out: &mut Vec<u8>, packet: &RecordedPacket<'_>) {
    let time = packet.time.nanoseconds().max(0);
    let (seconds, nanoseconds) = (time / NANOSECONDS_PER_SECOND, time % NANOSECONDS_PER_SECOND);
    let words = [seconds as u32, nanoseconds as u32, packet.bytes.len() as u32, packet.wire_bytes];
    words.iter().for_each(|word| out.extend(word.to_le_bytes()));
    out.extend_from_slice(packet.bytes);
}

/// The length of the whole records at the start of `records` that fit in `limit` bytes.
pub(in crate::evidence) fn whole_records(records: &[u8], limit: u64) -> usize {
    let mut whole = 0;
    while let Some(header) = records.get(whole..whole + RECORD_HEADER) {
        let captured = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let end = whole + RECORD_HEADER + captured as usize;
        if end as u64 > limit {
            break;
        }
        whole = end;
    }
    whole
}

/// The length of the first record.
pub(in crate::evidence) fn first_record(records: &[u8]) -> usize {
    records.get(8..12).map_or(records.len(), |length| {
        let captured = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
        records.len().min(RECORD_HEADER + captured as usize)
    })
}

/// The whole records at the start of a file. Zeros are no record: a power cut may leave them.
pub(in crate::evidence) fn whole_in_file(file: &File, length: u64) -> io::Result<WholeRecords> {
    let record = |head: &[u8; RECORD_HEADER]| {
        let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *head;
        let captured = u64::from(u32::from_le_bytes([a, b, c, d]));
        (*head != [0; RECORD_HEADER]).then_some(RECORD_HEADER as u64 + captured)
    };
    let (packets, bytes) = walk(file, FILE_HEADER, length, record)?;
    Ok(WholeRecords { packets, bytes })
}
