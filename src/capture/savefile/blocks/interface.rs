//! The interfaces of a pcapng section, with link type, snap length and clock; and the faults that a file can have.
//! Takes the body of a block; gives an interface, and the times of its packets. Must not know the blocks of packets.

use std::io;

use super::PacketPlace;
use crate::capture::savefile::records::LARGEST;
use crate::packet::{LinkType, NANOSECONDS_PER_SECOND, Timestamp};

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const MAJOR_VERSION: u16 = 1;

/// Options of an interface description.
const END_OF_OPTIONS: u16 = 0;
const CLOCK_RESOLUTION: u16 = 9;
const CLOCK_OFFSET: u16 = 14;

/// A fault of a pcapng file.
#[derive(Debug, thiserror::Error)]
pub(in crate::capture::savefile) enum Fault {
    #[error("{0}")]
    Input(io::Error),
    #[error("the file ends inside a block: of {0} bytes there are {1}")]
    Truncated(usize, usize),
    #[error("a block says that it has {0} bytes: a multiple of 4 from 12 to 16 MiB is expected")]
    BlockLength(u32),
    #[error("a block says {1} bytes at its start and {0} at its end")]
    Trailer(u32, usize),
    #[error("a block of type {0} is too short for what it must hold")]
    ShortBlock(u32),
    #[error("a section has no byte order that is known")]
    ByteOrder,
    #[error("a section is of version {0}, and version 1 is read")]
    Version(u16),
    #[error("a packet is of interface {0}, which is not described before it")]
    NoInterface(u32),
    #[error("a packet has {0} captured bytes: at most {1} fit its block and its interface")]
    CapturedLength(u32, u32),
    #[error("an interface has a clock with a resolution that is not known ({0:#04x})")]
    Resolution(u8),
    #[error("more than 65,536 interfaces in one section")]
    TooManyInterfaces,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// The byte order, by the magic number at the start of a section's body.
    pub(super) fn of_magic(bytes: &[u8]) -> Option<Self> {
        let magic = *bytes.first_chunk::<4>()?;
        [Self::Little, Self::Big].into_iter().find(|order| order.word(&magic, 0) == BYTE_ORDER_MAGIC)
    }

    /// The number at `at`, where four bytes are.
    #[inline]
    pub(super) fn word(self, bytes: &[u8], at: usize) -> u32 {
        let bytes = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        if self == Self::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    }

    /// The number at `at`, where two bytes are.
    #[inline]
    pub(super) fn half(self, bytes: &[u8], at: usize) -> u16 {
        let bytes = [bytes[at], bytes[at + 1]];
        if self == Self::Little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
    }

    /// Refuses a section of another major version.
    pub(super) fn check_version(self, body: &[u8]) -> Result<(), Fault> {
        match body.get(4..6).map(|version| self.half(version, 0)) {
            Some(MAJOR_VERSION) => Ok(()),
            Some(version) => Err(Fault::Version(version)),
            None => Err(Fault::ShortBlock(super::SECTION_HEADER)),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct DescribedInterface {
    pub(super) link_type: LinkType,
    /// The most bytes of a packet that can have been captured.
    pub(super) largest: u32,
    clock: Clock,
}

/// The clock of an interface: the unit and offset of its timestamps.
#[derive(Debug, Clone, Copy)]
struct Clock {
    units_in_second: u64,
    offset_seconds: i64,
}

impl DescribedInterface {
    /// The interface, from the body of an interface description block.
    pub(super) fn of(order: Order, body: &[u8]) -> Result<Self, Fault> {
        const FIXED: usize = 8;
        let Some(options) = body.get(FIXED..) else { return Err(Fault::ShortBlock(super::INTERFACE_DESCRIPTION)) };
        // A snap length of 0 is none.
        let largest = match order.word(body, 4) {
            0 => LARGEST,
            snap_length => snap_length.min(LARGEST),
        };
        let clock = Clock::of(order, options)?;
        Ok(Self { link_type: LinkType(order.half(body, 0).into()), largest, clock })
    }

    /// A packet of this interface, with its bytes from `start` of the body of its block.
    pub(super) fn packet(
        &self,
        units: u64,
        captured: u32,
        wire_bytes: u32,
        start: usize,
        body: &[u8],
    ) -> Result<PacketPlace, Fault> {
        let room = body.len().saturating_sub(start);
        let largest = self.largest.min(u32::try_from(room).unwrap_or(u32::MAX));
        if captured > largest {
            return Err(Fault::CapturedLength(captured, largest));
        }
        let (link_type, time) = (self.link_type, self.clock.time(units));
        Ok(PacketPlace { link_type, time, start, captured: captured as usize, wire_bytes })
    }
}

impl Clock {
    /// The clock, from the options of an interface description. Options that are cut off do not count.
    fn of(order: Order, mut options: &[u8]) -> Result<Self, Fault> {
        let mut clock = Self { units_in_second: 1_000_000, offset_seconds: 0 };
        while let Some((head, rest)) = options.split_first_chunk::<4>() {
            let (code, length) = (order.half(head, 0), usize::from(order.half(head, 2)));
            let Some(value) = rest.get(..length) else { break };
            match (code, value) {
                (END_OF_OPTIONS, _) => break,
                (CLOCK_RESOLUTION, &[exponent]) => clock.units_in_second = units_in_second(exponent)?,
                (CLOCK_OFFSET, &[_, _, _, _, _, _, _, _]) => clock.offset_seconds = offset(order, value),
                _ => {}
            }
            options = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        }
        Ok(clock)
    }

    /// The time of a timestamp. A time out of range becomes the nearest one in range.
    fn time(&self, units: u64) -> Timestamp {
        let whole = i128::from(units / self.units_in_second) + i128::from(self.offset_seconds);
        let second = i128::from(NANOSECONDS_PER_SECOND);
        let fraction =
            u128::from(units % self.units_in_second) * second.cast_unsigned() / u128::from(self.units_in_second);
        let nanoseconds = whole * second + fraction.cast_signed();
        let limit = if nanoseconds < 0 { i64::MIN } else { i64::MAX };
        Timestamp::from_nanoseconds(i64::try_from(nanoseconds).unwrap_or(limit))
    }
}

/// The number of units in a second: the exponent is of 10, or of 2 if the top bit is set. Fails if 64 bits are too few.
fn units_in_second(exponent: u8) -> Result<u64, Fault> {
    let units = match exponent & 0x7f {
        power if exponent & 0x80 != 0 => 1_u64.checked_shl(power.into()),
        power => 10_u64.checked_pow(power.into()),
    };
    units.ok_or(Fault::Resolution(exponent))
}

fn offset(order: Order, value: &[u8]) -> i64 {
    let words = [order.word(value, 0), order.word(value, 4)].map(u64::from);
    let [high, low] = if order == Order::Little { [words[1], words[0]] } else { words };
    (high << 32 | low).cast_signed()
}
