//! The whole records at the start of a file.
//!
//! Takes a file and the form of its records; gives their number and their end. Must not know formats.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// The whole records at the start of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::evidence) struct WholeRecords {
    pub(super) packets: u64,
    /// The end of the last one.
    pub(super) bytes: u64,
}

/// Goes through the records of a file from `start` on. `length` gives the length of the record whose first `HEAD` bytes it
/// gets; none ends the walk. Gives the number and the end of the whole records.
pub(super) fn walk<const HEAD: usize>(
    file: &File,
    start: u64,
    end: u64,
    length: impl Fn(&[u8; HEAD]) -> Option<u64>,
) -> io::Result<(u64, u64)> {
    let (mut records, mut at) = (0, start);
    while at + HEAD as u64 <= end {
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, at)?;
        match length(&head) {
            Some(length) if at + length <= end => (records, at) = (records + 1, at + length),
            _ => break,
        }
    }
    Ok((records, at))
}
