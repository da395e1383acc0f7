//! The values of settings that are numbers: sizes, durations, counts.

use std::time::Duration;

use serde::Serializer;

use super::value::{Scalars, Value, expected};

/// Bytes kept of a packet: 1 to 65535, or [`LIBPCAP_WHOLE_PACKET_BYTES`]. A packet whose headers are cut counts as
/// truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapLength(pub u32);

/// "Everything" of the seeds, 64 KiB less one byte.
const WHOLE_PACKET_BYTES: u32 = 65_535;

/// "Everything" of libpcap and tcpdump (`MAXIMUM_SNAPLEN`).
const LIBPCAP_WHOLE_PACKET_BYTES: u32 = 262_144;

impl SnapLength {
    /// The bytes that are kept: more than 64 KiB less one byte no IP packet has.
    pub fn kept(self) -> u32 {
        self.0.min(WHOLE_PACKET_BYTES)
    }
}

impl Value for SnapLength {
    const EXPECTED: &'static str = "a number from 0 to 65535 (0, 65536 and 262144 mean 65535)";
    const SCALARS: Scalars = Scalars::Number;

    fn from_text(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(0 | 65_536) => Ok(Self(WHOLE_PACKET_BYTES)),
            Ok(bytes @ (1..=WHOLE_PACKET_BYTES | LIBPCAP_WHOLE_PACKET_BYTES)) => Ok(Self(bytes)),
            _ => Err(expected::<Self>()),
        }
    }

    fn text(&self) -> String {
        self.0.to_string()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

/// The size of a kernel ring in bytes; libpcap holds it in an `int`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingBytes(pub u32);

/// libpcap rounds what is less up to one block of the ring, and one block loses packets while it is read.
const SMALLEST_RING_BYTES: u64 = 1 << 20;
const LARGEST_RING_BYTES: u64 = i32::MAX as u64;

impl Value for RingBytes {
    const EXPECTED: &'static str = "a size from 1MiB to just under 2GiB, such as 32MiB, 32M or 33554432";
    const SCALARS: Scalars = Scalars::TextOrNumber;

    fn from_text(text: &str) -> Result<Self, String> {
        let bytes = parse_bytes(text).filter(|bytes| (SMALLEST_RING_BYTES..=LARGEST_RING_BYTES).contains(bytes));
        bytes.and_then(|bytes| u32::try_from(bytes).ok()).map(Self).ok_or_else(expected::<Self>)
    }

    fn text(&self) -> String {
        format_bytes(self.0.into())
    }
}

/// Units of sizes, the longest first where one ends in another. A bare letter counts in steps of 1024.
const UNITS: [(&str, u64); 12] = [
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

/// Bytes from a number with or without a unit.
fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, bytes)| text.strip_suffix(name).map(|number| (number, *bytes)))
        .unwrap_or((text, 1));
    number.trim_end().parse::<u64>().ok()?.checked_mul(unit)
}

/// The largest binary unit that divides it.
fn format_bytes(bytes: u64) -> String {
    let whole = UNITS[..3].iter().rev().find(|(_, unit)| bytes.is_multiple_of(*unit));
    whole.map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// How long libpcap may hold a block of packets back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadTimeout(pub Duration);

impl Value for ReadTimeout {
    const EXPECTED: &'static str = "a duration of at least 1ms, such as 100ms";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        let timeout = parse_duration(text).filter(|timeout| *timeout >= Duration::from_millis(1));
        timeout.map(Self).ok_or_else(expected::<Self>)
    }

    fn text(&self) -> String {
        humantime::format_duration(self.0).to_string()
    }
}

/// After how long a rest a flow leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdleTimeout(pub Duration);

/// Shorter than that, flows would leave between two of their packets.
const SHORTEST_IDLE_TIMEOUT: Duration = Duration::from_secs(1);
/// Longer than that it is none.
const LONGEST_IDLE_TIMEOUT: Duration = Duration::from_secs(366 * 24 * 3600);

impl Value for IdleTimeout {
    const EXPECTED: &'static str = "a duration from 1s to 366d, such as 15m";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        let fits = |timeout: &Duration| (SHORTEST_IDLE_TIMEOUT..=LONGEST_IDLE_TIMEOUT).contains(timeout);
        parse_duration(text).filter(fits).map(Self).ok_or_else(expected::<Self>)
    }

    fn text(&self) -> String {
        humantime::format_duration(self.0).to_string()
    }
}

/// How often a snapshot is published: seconds or a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh(pub Duration);

/// The smallest tick.
const SHORTEST_REFRESH: Duration = Duration::from_millis(100);
/// Longer than any scrape interval, and within any timer.
const LONGEST_REFRESH: Duration = Duration::from_secs(3600);

impl Value for Refresh {
    const EXPECTED: &'static str = "seconds or a duration from 100ms to 1h, such as 5, 0.5 or 5s";
    const SCALARS: Scalars = Scalars::TextOrNumber;

    fn from_text(text: &str) -> Result<Self, String> {
        let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let refresh = seconds.or_else(|| parse_duration(text));
        let fits = refresh.filter(|refresh| (SHORTEST_REFRESH..=LONGEST_REFRESH).contains(refresh));
        fits.map(Self).ok_or_else(expected::<Self>)
    }

    fn text(&self) -> String {
        humantime::format_duration(self.0).to_string()
    }
}

/// A duration with units (`1m30s`), also with a fraction as Go writes it (`1.5s`).
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok().or_else(|| {
        let split = text.find(|letter: char| letter.is_ascii_alphabetic() || letter == 'µ')?;
        let (number, unit) = text.split_at(split);
        let unit = humantime::parse_duration(&format!("1{unit}")).ok()?;
        Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit.as_secs_f64()).ok()
    })
}

/// How many entries a table holds, or how many of them are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entries(pub usize);

/// Some gigabytes of rows: more is a mistake in the number.
const MOST_ENTRIES: usize = 1 << 24;

impl Value for Entries {
    const EXPECTED: &'static str = "a number from 1 to 16777216";
    const SCALARS: Scalars = Scalars::Number;

    fn from_text(text: &str) -> Result<Self, String> {
        let entries = text.parse().ok().filter(|entries| (1..=MOST_ENTRIES).contains(entries));
        entries.map(Self).ok_or_else(expected::<Self>)
    }

    fn text(&self) -> String {
        self.0.to_string()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0 as u64)
    }
}

/// More threads than machines have any use for: a mistake in the number.
const MOST_WORKERS: usize = 64;

/// How many threads share a work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers(pub usize);

impl Value for Workers {
    const EXPECTED: &'static str = "a number from 1 to 64";
    const SCALARS: Scalars = Scalars::Number;

    fn from_text(text: &str) -> Result<Self, String> {
        let workers = text.parse().ok().filter(|workers| (1..=MOST_WORKERS).contains(workers));
        workers.map(Self).ok_or_else(expected::<Self>)
    }

    fn text(&self) -> String {
        self.0.to_string()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0 as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024_and_of_1000() {
        let table = [
            ("33554432", Some(32 << 20)),
            ("32MiB", Some(32 << 20)),
            ("32 MiB", Some(32 << 20)),
            ("32M", Some(32 << 20)),
            ("32m", Some(32 << 20)),
            ("2048K", Some(2 << 20)),
            ("2048k", Some(2 << 20)),
            ("1GiB", Some(1 << 30)),
            ("1G", Some(1 << 30)),
            ("2000kB", Some(2_000_000)),
            ("2MB", Some(2_000_000)),
            ("1048576B", Some(1 << 20)),
            ("1048575", None),
            ("10", None),
            ("64K", None),
            ("2147483647", Some(i32::MAX as u32)),
            ("2GiB", None),
            ("0", None),
            ("-1", None),
            ("1.5M", None),
            ("M", None),
            ("1TiB", None),
            ("99999999999999999999G", None),
            ("18446744073709551615G", None),
        ];
        for (text, bytes) in table {
            assert_eq!(RingBytes::from_text(text).ok(), bytes.map(RingBytes), "{text}");
        }
    }

    #[test]
    fn sizes_are_written_as_they_are_read() {
        for (bytes, text) in
            [(1 << 20, "1MiB"), (1_048_577, "1048577"), (1025 << 10, "1025KiB"), (32 << 20, "32MiB"), (1 << 30, "1GiB")]
        {
            assert_eq!(RingBytes(bytes).text(), text);
            assert_eq!(RingBytes::from_text(text), Ok(RingBytes(bytes)));
        }
    }

    #[test]
    fn snap_lengths_are_read_as_the_older_programs_do() {
        for (text, bytes) in [("0", 65_535), ("65536", 65_535), ("1", 1), ("96", 96), ("65535", 65_535)] {
            assert_eq!(SnapLength::from_text(text), Ok(SnapLength(bytes)), "{text}");
        }
        for text in ["-1", "65537", "1.5"] {
            assert_eq!(SnapLength::from_text(text), Err(expected::<SnapLength>()), "{text}");
        }
    }

    #[test]
    fn durations_are_read_with_units_also_as_go_writes_them() {
        let table = [
            ("100ms", Some(100)),
            ("3s", Some(3000)),
            ("1.5s", Some(1500)),
            ("0.25s", Some(250)),
            ("1m30s", Some(90_000)),
            ("1m 30s", Some(90_000)),
            ("1ms", Some(1)),
            ("0.5ms", None),
            ("0", None),
            ("3", None),
            ("-3s", None),
            ("s", None),
            ("3 parsecs", None),
            ("NaNs", None),
            ("", None),
        ];
        for (text, milliseconds) in table {
            let expected = milliseconds.map(|milliseconds| ReadTimeout(Duration::from_millis(milliseconds)));
            assert_eq!(ReadTimeout::from_text(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn the_refresh_is_seconds_or_a_duration_within_its_bounds() {
        let table = [
            ("5", Some(5000)),
            ("0.5", Some(500)),
            ("5s", Some(5000)),
            ("100ms", Some(100)),
            ("1h", Some(3_600_000)),
            ("99ms", None),
            ("3601", None),
            ("0", None),
            ("-5", None),
            ("inf", None),
            ("NaN", None),
            ("1e300", None),
        ];
        for (text, milliseconds) in table {
            let expected = milliseconds.map(|milliseconds| Refresh(Duration::from_millis(milliseconds)));
            assert_eq!(Refresh::from_text(text).ok(), expected, "{text}");
        }
    }
}
