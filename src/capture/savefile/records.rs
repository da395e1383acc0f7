//! Reads plain pcap files (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html>). Takes bytes; gives
//! frames. Must not know what the frames contain.
//!
//! Plain is version 2.4 in either byte order, with whole records. Everything else, from an unusual header to a record
//! that is cut off, is left to libpcap and its error messages. libpcap reads a file in pieces of 4 KiB and copies each
//! packet once more, which takes longer than counting a large packet.

use super::input::{Filled, Input};
use crate::packet::{Frame, LinkType, NANOSECONDS_PER_SECOND, Timestamp};

/// Magic numbers of files with times in microseconds and in nanoseconds.
const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
/// The version of the format, 2.4, as the header has it.
const VERSION: [u16; 2] = [2, 4];

pub(super) const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// The largest record that libpcap takes (`MAXIMUM_SNAPLEN`).
pub(super) const LARGEST: u32 = 262_144;

/// The next item of a file.
pub(super) enum NextRecord<'a> {
    Frame(Frame<'a>),
    Waiting,
    /// The file ends here, between two records.
    End,
    /// libpcap has to read the rest of the file.
    Odd,
}

/// The records of a plain file from the first on.
pub(super) struct Records {
    input: Input,
    header: [u8; FILE_HEADER],
    pub(super) link_type: LinkType,
    /// The file was written in the other byte order.
    is_swapped: bool,
    /// The unit of the fractions of times, in nanoseconds.
    unit: u32,
    units_in_second: u32,
    largest: u32,
    is_odd: bool,
}

impl Records {
    /// The records of `input`, which is at its beginning. Gives the input back if it is not plain.
    pub(super) fn of(mut input: Input) -> Result<Self, Input> {
        input.wait_for(FILE_HEADER);
        let Some(&header) = input.unused().first_chunk::<FILE_HEADER>() else { return Err(input) };
        match PcapHeader::of(&header) {
            Some(PcapHeader { is_swapped, unit, units_in_second, snap_length, link_type }) => {
                input.take(FILE_HEADER);
                let largest = snap_length.min(LARGEST);
                Ok(Self { input, header, link_type, is_swapped, unit, units_in_second, largest, is_odd: false })
            }
            None => Err(input),
        }
    }

    /// The next record. After [`NextRecord::Odd`] nothing more is read here.
    #[inline(always)]
    pub(super) fn next(&mut self) -> NextRecord<'_> {
        if self.input.available() < RECORD_HEADER {
            match self.input.fill(RECORD_HEADER) {
                Filled::Whole => {}
                Filled::Waiting => return NextRecord::Waiting,
                Filled::Ended if self.input.available() == 0 => return NextRecord::End,
                Filled::Ended => return self.give_up(),
            }
        }
        let Some(header) = self.input.unused().first_chunk::<RECORD_HEADER>() else { return self.give_up() };
        let mut words = [0, 4, 8, 12].map(|at| word(header, at));
        if self.is_swapped {
            words = words.map(u32::swap_bytes);
        }
        let [seconds, fraction, captured, wire_bytes] = words;
        if captured > self.largest || fraction >= self.units_in_second {
            return self.give_up();
        }
        let length = RECORD_HEADER + captured as usize;
        if self.input.available() < length {
            match self.input.fill(length) {
                Filled::Whole => {}
                Filled::Waiting => return NextRecord::Waiting,
                Filled::Ended => return self.give_up(),
            }
        }
        // As libpcap does: seconds are signed in the byte order of this machine, and unsigned in the other one. With 32
        // bits the nanoseconds always fit.
        let seconds = if self.is_swapped { i64::from(seconds) } else { i64::from(seconds.cast_signed()) };
        let nanoseconds = i64::from(fraction) * i64::from(self.unit);
        let time = Timestamp::from_nanoseconds(seconds * NANOSECONDS_PER_SECOND + nanoseconds);
        NextRecord::Frame(Frame::new(time, &self.input.take(length)[RECORD_HEADER..], wire_bytes))
    }

    /// True if [`NextRecord::Odd`] was given.
    pub(super) fn is_odd(&self) -> bool {
        self.is_odd
    }

    pub(super) fn failure(&mut self) -> Option<std::io::Error> {
        self.input.failure()
    }

    /// The file's header and the rest of the file.
    pub(super) fn into_rest(self) -> ([u8; FILE_HEADER], Input) {
        (self.header, self.input)
    }

    #[cold]
    fn give_up(&mut self) -> NextRecord<'_> {
        self.is_odd = true;
        NextRecord::Odd
    }
}

struct PcapHeader {
    is_swapped: bool,
    unit: u32,
    units_in_second: u32,
    snap_length: u32,
    link_type: LinkType,
}

impl PcapHeader {
    fn of(header: &[u8; FILE_HEADER]) -> Option<Self> {
        let magic = word(header, 0);
        let is_swapped = matches!(magic.swap_bytes(), MICROSECONDS | NANOSECONDS);
        let word = |at| if is_swapped { word(header, at).swap_bytes() } else { word(header, at) };
        let (unit, units_in_second) = match word(0) {
            MICROSECONDS => (1_000, 1_000_000),
            NANOSECONDS => (1, 1_000_000_000),
            _ => return None,
        };
        let half = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
        let version = [half(4), half(6)].map(|part| if is_swapped { part.swap_bytes() } else { part });
        let (snap_length, link_type) = (word(16), word(20));
        // The upper half has flags, and numbers for private use.
        let link_type = u16::try_from(link_type).ok().map(|number| LinkType(number.into()))?;
        let is_plain = version == VERSION && (1..=i32::MAX.cast_unsigned()).contains(&snap_length);
        is_plain.then_some(Self { is_swapped, unit, units_in_second, snap_length, link_type })
    }
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
