//! The kinds of values that are numbers: counts, bytes, sizes, probabilities.
//!
//! Takes a text with or without a unit; gives a number within its range. Must not know what is counted.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::super::given::Content;
use super::{Scalar, Scalars, ValueKind};

/// Some gigabytes of rows: more is a mistake in the number.
const MOST_ENTRIES: usize = 1 << 24;
/// More threads than any machine has a use for: a mistake in the number.
const MOST_WORKERS: usize = 64;
/// The number of ports.
const HIGHEST_CONTACT_LIMIT: u32 = 65_535;
/// libpcap stores the size of a ring in an `int`.
const LARGEST_RING_BYTES: u64 = i32::MAX as u64;
/// libpcap rounds what is less up to one block of the ring, and one block loses packets while it is read.
const SMALLEST_RING_BYTES: u64 = 1 << 20;

/// The entries of a table, or those of them that are exported.
pub(crate) const ENTRIES: Scalar<usize> =
    Scalar { form: "a number from 1 to 16777216", parse: |text| within(text, 1..=MOST_ENTRIES), ..COUNT };
pub const WORKERS: Scalar<usize> =
    Scalar { form: "a number from 1 to 64", parse: |text| within(text, 1..=MOST_WORKERS), ..COUNT };

const COUNT: Scalar<usize> = Scalar {
    form: "a number",
    scalars: Scalars::Number,
    parse: |text| text.parse().ok(),
    show: |number| Content::Unsigned(*number as u64),
    parse_raw: None,
};

/// Packets in a window.
pub(crate) const PACKETS: Scalar<u64> = Scalar {
    form: "a number of packets from 0 to 1000000000000",
    scalars: Scalars::Number,
    parse: |text| within(text, 0..=1_000_000_000_000),
    show: |packets| Content::Unsigned(*packets),
    parse_raw: None,
};

/// Hosts or ports that may be contacted.
pub(crate) const CONTACTS: Scalar<u32> =
    Scalar { form: "a number from 1 to 65535", parse: |text| within(text, 1..=HIGHEST_CONTACT_LIMIT), ..SNAP_LENGTH };

/// A count or a factor of the evidence rule. Larger ones would silence it.
pub(crate) const FEW: Scalar<u32> =
    Scalar { form: "a number from 1 to 1000", parse: |text| within(text, 1..=1_000), ..SNAP_LENGTH };
/// As [`FEW`], where 0 has a meaning too.
pub(crate) const FEW_OR_NONE: Scalar<u32> =
    Scalar { form: "a number from 0 to 1000", parse: |text| within(text, 0..=1_000), ..SNAP_LENGTH };
/// Bytes of few packets.
pub(crate) const PACKET_BYTES: Scalar<u32> =
    Scalar { form: "a number of bytes from 1 to 65535", parse: |text| within(text, 1..=65_535), ..SNAP_LENGTH };

/// Bytes of a packet that hold its headers: of Ethernet with two tags, IPv6 with extensions, and TCP.
pub(crate) const KEPT_BYTES: Scalar<u32> =
    Scalar { form: "a number of bytes from 128 to 65535", parse: |text| within(text, 128..=65_535), ..SNAP_LENGTH };

/// The bytes that are captured of a packet, as they are given. A packet whose headers are cut counts as truncated.
pub(crate) const SNAP_LENGTH: Scalar<u32> = Scalar {
    form: "a number from 0 to 65535 (0, 65536 and 262144 mean 65535)",
    scalars: Scalars::Number,
    parse: |text| match text.parse() {
        Ok(0 | 65_536) => Some(WHOLE_PACKET_BYTES),
        Ok(bytes @ (1..=WHOLE_PACKET_BYTES | LIBPCAP_WHOLE_PACKET_BYTES)) => Some(bytes),
        _ => None,
    },
    show: |number| Content::Unsigned((*number).into()),
    parse_raw: None,
};
/// "Everything" of the older programs, 64 KiB less one byte. No IP packet has more.
pub(crate) const WHOLE_PACKET_BYTES: u32 = 65_535;
/// "Everything" of libpcap and tcpdump (`MAXIMUM_SNAPLEN`).
const LIBPCAP_WHOLE_PACKET_BYTES: u32 = 262_144;

pub(crate) const PORT: Scalar<u16> = Scalar {
    form: "a port from 1 to 65535",
    scalars: Scalars::Number,
    parse: |text| within(text, 1..=u16::MAX),
    show: |port| Content::Unsigned((*port).into()),
    parse_raw: None,
};

/// A bound of the fence test, in bytes per transfer interval.
pub(crate) const BOUND: Scalar<f64> = Scalar {
    form: "a number of bytes, such as 1000 (5e-324 means none)",
    scalars: Scalars::Number,
    parse: |text| within(text, f64::MIN..=f64::MAX),
    show: |number| Content::Float(*number),
    parse_raw: None,
};
/// A magnitude, as a probability; above 1 it exceeds all.
pub(crate) const SENSITIVITY: Scalar<f64> = Scalar {
    form: "a score from 0 to 1, such as 0.1, or a higher value to disable it",
    parse: |text| within(text, 0.0..=f64::MAX),
    ..BOUND
};
pub(crate) const PROBABILITY: Scalar<f64> =
    Scalar { form: "a score from 0 to 1, such as 0.6", parse: |text| within(text, 0.0..=1.0), ..BOUND };

fn within<T: FromStr + PartialOrd>(text: &str, range: RangeInclusive<T>) -> Option<T> {
    text.parse().ok().filter(|number| range.contains(number))
}

/// The size of a kernel ring in bytes.
pub(crate) const RING_BYTES: Scalar<u32> = Scalar {
    form: "a size from 1MiB to just under 2GiB, such as 32MiB, 32M or 33554432",
    scalars: Scalars::TextOrNumber,
    parse: |text| {
        u32::try_from(bytes_of(text).filter(|bytes| (SMALLEST_RING_BYTES..=LARGEST_RING_BYTES).contains(bytes))?).ok()
    },
    show: |bytes| Content::Text(size(u64::from(*bytes))),
    parse_raw: None,
};

/// The size of a ring of the kernel path in bytes.
pub(crate) const KERNEL_RING_BYTES: Scalar<u32> = Scalar {
    form: "a power of two from 64KiB to 1GiB, such as 256KiB, 1MiB or 262144",
    parse: |text| {
        let bytes = u32::try_from(bytes_of(text)?).ok()?;
        (bytes.is_power_of_two() && (64 << 10..=1 << 30).contains(&bytes)).then_some(bytes)
    },
    ..RING_BYTES
};

/// Memory of the kernel path's maps.
pub(crate) const KERNEL_MAP_BYTES: Scalar<u64> = Scalar {
    form: "a size from 16MiB to 64GiB, such as 256MiB, 1GiB or 268435456",
    parse: |text| bytes_of(text).filter(|bytes| (16 * MIB..=64 << 30).contains(bytes)),
    ..EVIDENCE_RING
};

/// The limit on memory; 0 for none.
pub(crate) const MEMORY_LIMIT: Scalar<u64> = Scalar {
    form: "a size from 1MiB to 1024GiB, such as 64MiB, 100MB or 67108864, or 0",
    parse: |text| bytes_of(text).filter(|bytes| *bytes == 0 || (MIB..=1 << 40).contains(bytes)),
    ..EVIDENCE_RING
};

/// Memory for recent packets; 0 for none. Each capture thread fills a chunk of 1 MiB.
pub(crate) const EVIDENCE_RING: Scalar<u64> = Scalar {
    form: "a size from 4MiB to 64GiB, such as 64MiB, 100MB or 67108864, or 0",
    scalars: Scalars::TextOrNumber,
    parse: |text| bytes_of(text).filter(|bytes| *bytes == 0 || (4 * MIB..=64 << 30).contains(bytes)),
    show: |bytes| Content::Text(size(*bytes)),
    parse_raw: None,
};
/// The size of a file.
pub(crate) const FILE_BYTES: Scalar<u64> = Scalar {
    form: "a size from 1MiB to 1024GiB, such as 64MiB, 100MB or 67108864",
    parse: |text| bytes_of(text).filter(|bytes| (MIB..=1 << 40).contains(bytes)),
    ..EVIDENCE_RING
};
/// The size of all files in a directory.
pub(crate) const QUOTA_BYTES: Scalar<u64> = Scalar {
    form: "a size from 1MiB to 1048576GiB, such as 1GiB, 100GB or 1073741824",
    parse: |text| bytes_of(text).filter(|bytes| (MIB..=1 << 50).contains(bytes)),
    ..EVIDENCE_RING
};
/// The size of a file in whole megabytes, as wherefore has it; the value is in bytes.
pub(crate) const MEGABYTES: Scalar<u64> = Scalar {
    form: "a number of megabytes from 1 to 100000",
    scalars: Scalars::Number,
    parse: |text| within(text, 1..=100_000).map(|megabytes: u64| megabytes * MEGABYTE),
    show: |bytes| Content::Unsigned(bytes / MEGABYTE),
    parse_raw: None,
};
/// Bytes of events that are gathered; 0 writes each event at once.
pub(crate) const LOG_BUFFER: Scalar<usize> = Scalar {
    form: "a size from 0 to 16MiB, such as 8192 or 64KiB",
    scalars: Scalars::TextOrNumber,
    parse: |text| usize::try_from(bytes_of(text).filter(|bytes| *bytes <= 16 * MIB)?).ok(),
    show: |bytes| Content::Unsigned(*bytes as u64),
    parse_raw: None,
};
/// The number of rotated files that are kept.
pub(crate) const ROTATIONS: Scalar<u32> =
    Scalar { form: "a number from 1 to 1000", parse: |text| within(text, 1..=1_000), ..SNAP_LENGTH };

const MIB: u64 = 1 << 20;
const MEGABYTE: u64 = 1_000_000;

/// A size with the largest binary unit that divides it.
fn size(bytes: u64) -> String {
    let whole = SIZE_UNITS[..3].iter().rev().find(|(_, unit)| bytes != 0 && bytes.is_multiple_of(*unit));
    whole.map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// Units of sizes, the longest first where one ends in another. A bare letter counts in steps of 1024.
const SIZE_UNITS: [(&str, u64); 12] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("K", 1 << 10),
    ("k", 1 << 10),
    ("M", 1 << 20),
    ("m", 1 << 20),
    ("G", 1 << 30),
    ("B", 1),
];

/// The bytes of a number with or without a unit.
fn bytes_of(text: &str) -> Option<u64> {
    let unit = SIZE_UNITS.iter().find_map(|(name, bytes)| Some((text.strip_suffix(name)?, *bytes)));
    let (number, unit) = unit.unwrap_or((text, 1));
    number.trim_end().parse::<u64>().ok()?.checked_mul(unit)
}

/// A number of bytes of traffic, in powers of 1000.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrafficBytes {
    least: u64,
    form: &'static str,
}

pub(crate) const BYTE_LIMIT: TrafficBytes = TrafficBytes {
    least: 1,
    form: "a number of bytes above 0, alone or with K, M, G or T (powers of 1000), such as 1000000000 or 1G",
};
pub(crate) const BYTES: TrafficBytes = TrafficBytes {
    least: 0,
    form: "a number of bytes, alone or with K, M, G or T (powers of 1000), such as 5000000 or 5M",
};

/// TrafficAlerted's units. It knew none above G, because it counted in 32 bits.
const TRAFFIC_UNITS: [(char, u64); 4] =
    [('K', 1_000), ('M', 1_000_000), ('G', 1_000_000_000), ('T', 1_000_000_000_000)];

impl ValueKind for TrafficBytes {
    type Value = u64;

    fn form(&self) -> String {
        self.form.to_owned()
    }

    fn scalars(&self) -> Scalars {
        Scalars::TextOrNumber
    }

    fn parse(&self, text: &str) -> Result<u64, String> {
        let ends = |letter: char| text.ends_with([letter, letter.to_ascii_lowercase()]);
        let unit = TRAFFIC_UNITS.iter().find(|(letter, _)| ends(*letter));
        let (number, factor) = unit.map_or((text, 1), |(_, factor)| (&text[..text.len() - 1], *factor));
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.expected());
        }
        match number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)) {
            None => Err(format!("the limit cannot exceed {} bytes; {}", u64::MAX, self.expected())),
            Some(bytes) if bytes < self.least => {
                Err(format!("a limit of 0 would alert on every packet; {}", self.expected()))
            }
            Some(bytes) => Ok(bytes),
        }
    }

    /// With the largest unit that divides it.
    fn show(&self, bytes: &u64) -> Content {
        let whole = TRAFFIC_UNITS.iter().rev().find(|(_, factor)| *bytes != 0 && bytes.is_multiple_of(*factor));
        Content::Text(whole.map_or_else(|| bytes.to_string(), |(letter, factor)| format!("{}{letter}", bytes / factor)))
    }
}
