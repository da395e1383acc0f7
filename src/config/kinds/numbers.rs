//! The kinds of values that are numbers: counts, bytes, sizes, probabilities.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::super::given::Content;
use super::{Scalars, ValueKind};

/// A whole number from the least to the most.
#[derive(Debug, Clone, Copy)]
pub struct Numbers<T> {
    noun: &'static str,
    least: T,
    most: T,
}

/// The entries of a table, or those of them that are exported. More than these are some gigabytes: a mistake in the number.
pub const ENTRIES: Numbers<usize> = Numbers { noun: "number", least: 1, most: 1 << 24 };
/// Threads that share a work. More threads than these no machine has a use for: a mistake in the number.
pub const WORKERS: Numbers<usize> = Numbers { noun: "number", least: 1, most: 64 };
/// Hosts or ports that may be contacted.
pub const CONTACTS: Numbers<u32> = Numbers { noun: "number", least: 1, most: 65_535 };
/// A TCP or UDP port.
pub const PORT: Numbers<u16> = Numbers { noun: "port", least: 1, most: 65_535 };

impl<T: FromStr + PartialOrd + Display + Copy + TryInto<u64>> ValueKind for Numbers<T> {
    type Value = T;

    fn form(&self) -> String {
        format!("a {} from {} to {}", self.noun, self.least, self.most)
    }

    fn scalars(&self) -> Scalars {
        Scalars::Number
    }

    fn parse(&self, text: &str) -> Result<T, String> {
        let number = text.parse().ok().filter(|number| (self.least..=self.most).contains(number));
        number.ok_or_else(|| self.expected())
    }

    fn show(&self, number: &T) -> Content {
        (*number).try_into().map_or(Content::Null, Content::Unsigned)
    }
}

/// A number with a fraction.
#[derive(Debug, Clone)]
pub struct Fractions {
    range: RangeInclusive<f64>,
    form: &'static str,
}

/// A bound of the fence test, in bytes per transfer interval.
pub const BOUND: Fractions =
    Fractions { range: f64::MIN..=f64::MAX, form: "a number of bytes, such as 1000 (5e-324 means none)" };
/// A magnitude, as a probability; above 1 it exceeds all.
pub const SENSITIVITY: Fractions =
    Fractions { range: 0.0..=f64::MAX, form: "a score from 0 to 1, such as 0.1, or a higher value to disable it" };
/// A probability.
pub const PROBABILITY: Fractions = Fractions { range: 0.0..=1.0, form: "a score from 0 to 1, such as 0.6" };

impl ValueKind for Fractions {
    type Value = f64;

    fn form(&self) -> String {
        self.form.to_owned()
    }

    fn scalars(&self) -> Scalars {
        Scalars::Number
    }

    fn parse(&self, text: &str) -> Result<f64, String> {
        text.parse().ok().filter(|number| self.range.contains(number)).ok_or_else(|| self.expected())
    }

    fn show(&self, number: &f64) -> Content {
        Content::Float(*number)
    }
}

/// A number of bytes of traffic, in powers of 1000.
#[derive(Debug, Clone, Copy)]
pub struct TrafficBytes {
    least: u64,
    form: &'static str,
}

/// A number of bytes that may not be exceeded.
pub const BYTE_LIMIT: TrafficBytes = TrafficBytes {
    least: 1,
    form: "a number of bytes above 0, alone or with K, M, G or T (powers of 1000), such as 1000000000 or 1G",
};
/// A number of bytes.
pub const BYTES: TrafficBytes = TrafficBytes {
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

/// The bytes that are captured of a packet, as they are given. A packet whose headers are cut counts as truncated.
#[derive(Debug, Clone, Copy)]
pub struct SnapLength;

impl SnapLength {
    /// "Everything" of the older programs, 64 KiB less one byte. No IP packet has more.
    pub const WHOLE_PACKET_BYTES: u32 = 65_535;
    /// "Everything" of libpcap and tcpdump (`MAXIMUM_SNAPLEN`).
    const LIBPCAP_WHOLE_PACKET_BYTES: u32 = 262_144;
}

impl ValueKind for SnapLength {
    type Value = u32;

    fn form(&self) -> String {
        "a number from 0 to 65535 (0, 65536 and 262144 mean 65535)".to_owned()
    }

    fn scalars(&self) -> Scalars {
        Scalars::Number
    }

    fn parse(&self, text: &str) -> Result<u32, String> {
        match text.parse() {
            Ok(0 | 65_536) => Ok(Self::WHOLE_PACKET_BYTES),
            Ok(bytes @ (1..=Self::WHOLE_PACKET_BYTES | Self::LIBPCAP_WHOLE_PACKET_BYTES)) => Ok(bytes),
            _ => Err(self.expected()),
        }
    }

    fn show(&self, bytes: &u32) -> Content {
        Content::Unsigned((*bytes).into())
    }
}

/// The size of a kernel ring in bytes; libpcap stores it in an `int`.
#[derive(Debug, Clone, Copy)]
pub struct RingBytes;

/// libpcap rounds what is less up to one block of the ring, and one block loses packets while it is read.
const SMALLEST_RING_BYTES: u64 = 1 << 20;
const LARGEST_RING_BYTES: u64 = i32::MAX as u64;

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

impl ValueKind for RingBytes {
    type Value = u32;

    fn form(&self) -> String {
        "a size from 1MiB to just under 2GiB, such as 32MiB, 32M or 33554432".to_owned()
    }

    fn scalars(&self) -> Scalars {
        Scalars::TextOrNumber
    }

    fn parse(&self, text: &str) -> Result<u32, String> {
        let bytes = bytes_of(text).filter(|bytes| (SMALLEST_RING_BYTES..=LARGEST_RING_BYTES).contains(bytes));
        bytes.and_then(|bytes| u32::try_from(bytes).ok()).ok_or_else(|| self.expected())
    }

    /// With the largest binary unit that divides it.
    fn show(&self, bytes: &u32) -> Content {
        let bytes = u64::from(*bytes);
        let whole = SIZE_UNITS[..3].iter().rev().find(|(_, unit)| bytes.is_multiple_of(*unit));
        Content::Text(whole.map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit)))
    }
}

/// The bytes of a number with or without a unit.
fn bytes_of(text: &str) -> Option<u64> {
    let unit = SIZE_UNITS.iter().find_map(|(name, bytes)| Some((text.strip_suffix(name)?, *bytes)));
    let (number, unit) = unit.unwrap_or((text, 1));
    number.trim_end().parse::<u64>().ok()?.checked_mul(unit)
}
