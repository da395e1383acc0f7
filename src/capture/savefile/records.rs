//! The records of plain pcap files, read in large pieces (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html>).
//!
//! libpcap reads a file by 4 KiB and copies each packet once more, which takes longer than all that is counted of a large
//! one. So what is plain is read here: a regular file in this machine's byte order, and in it one record after the other.
//! What is not, from the file's header to a record that is cut off, is left to libpcap, which says what to make of it.

use std::fs::File;
use std::io::{ErrorKind, Read};

use crate::packet::{Frame, NANOSECONDS_PER_SECOND, Timestamp};

/// Magic numbers of files whose times are in microseconds and in nanoseconds.
const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
/// The version of the format, 2.4, as the header has it.
const VERSION: [u16; 2] = [2, 4];

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// Bytes that are read at once: so few that they stay in a processor's second-level cache beside what is counted.
const PIECE: usize = 128 << 10;
/// The largest record that libpcap takes (`MAXIMUM_SNAPLEN`).
const LARGEST: u32 = 262_144;

/// What comes next in a file.
pub(super) enum Next<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// The file ends here, between two records.
    End,
    /// Something that libpcap has to say what it is.
    Odd,
}

/// How far reading on has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    /// All that was wanted is there.
    Whole,
    /// The file ends before.
    Ended,
    /// The file cannot be read on.
    Failed,
}

/// The records of a plain file from the first on.
pub(super) struct Records {
    file: File,
    buffer: Vec<u8>,
    /// What was read and not handed over yet lies between these.
    at: usize,
    end: usize,
    /// Nanoseconds in a unit of the times' fractions, and how many units make up a second.
    unit: u32,
    units_in_second: u32,
    largest: u32,
    /// Whether something came that libpcap has to say what it is.
    is_odd: bool,
}

impl Records {
    /// The records of `file`, which stands at its beginning; none when it is not plain.
    pub(super) fn of(mut file: File) -> Option<Self> {
        let mut header = [0; FILE_HEADER];
        file.read_exact(&mut header).ok()?;
        let (unit, units_in_second) = match word(&header, 0) {
            MICROSECONDS => (1_000, 1_000_000),
            NANOSECONDS => (1, 1_000_000_000),
            _ => return None,
        };
        let version = [4, 6].map(|at| u16::from_ne_bytes([header[at], header[at + 1]]));
        let snap_length = word(&header, 16);
        let is_plain = version == VERSION && (1..=i32::MAX.cast_unsigned()).contains(&snap_length);
        let largest = snap_length.min(LARGEST);
        is_plain.then(|| Self {
            file,
            buffer: vec![0; PIECE],
            at: 0,
            end: 0,
            unit,
            units_in_second,
            largest,
            is_odd: false,
        })
    }

    /// The next record. After [`Next::Odd`] nothing more is read here.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Next<'_> {
        if self.end - self.at < RECORD_HEADER {
            match self.fill(RECORD_HEADER) {
                Filled::Whole => {}
                Filled::Ended if self.at == self.end => return Next::End,
                Filled::Ended | Filled::Failed => return self.give_up(),
            }
        }
        let Some(header) = self.buffer[self.at..].first_chunk::<RECORD_HEADER>() else { return self.give_up() };
        let (seconds, fraction) = (word(header, 0), word(header, 4));
        let (captured, wire_bytes) = (word(header, 8), word(header, 12));
        if captured > self.largest || fraction >= self.units_in_second {
            return self.give_up();
        }
        let length = RECORD_HEADER + captured as usize;
        if self.end - self.at < length && self.fill(length) != Filled::Whole {
            return self.give_up();
        }
        let record = &self.buffer[self.at..][..length];
        self.at += length;
        // libpcap takes the seconds for a signed number. Of 32 bits none is so large that nanoseconds would not fit.
        let nanoseconds = i64::from(fraction) * i64::from(self.unit);
        let time = Timestamp::from_nanoseconds(i64::from(seconds.cast_signed()) * NANOSECONDS_PER_SECOND + nanoseconds);
        Next::Frame(Frame::new(time, &record[RECORD_HEADER..], wire_bytes))
    }

    /// Whether [`Next::Odd`] was given.
    pub(super) fn is_odd(&self) -> bool {
        self.is_odd
    }

    #[cold]
    fn give_up(&mut self) -> Next<'_> {
        self.is_odd = true;
        Next::Odd
    }

    /// Reads on until `wanted` bytes are there.
    #[cold]
    #[inline(never)]
    fn fill(&mut self, wanted: usize) -> Filled {
        self.buffer.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, self.end - self.at);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.end < wanted {
            match self.file.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Filled::Ended,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Filled::Failed,
            }
        }
        Filled::Whole
    }
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
