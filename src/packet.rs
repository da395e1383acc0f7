//! The data types that all rooms share: [`Frame`]s, which capture gives, and [`Packet`]s, which decode makes of them.
//!
//! Must not know the sources of frames, nor the tables.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment on the packets' clock, in nanoseconds since the Unix epoch (UTC).
///
/// Saturates at the ends of its range (the years 1677 and 2262).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Nanoseconds in a second.
pub const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

impl Timestamp {
    /// The earliest moment.
    pub const BEFORE_ALL: Self = Self(i64::MIN);

    /// A time after all others.
    pub const AFTER_ALL: Self = Self(i64::MAX);

    /// The moment `nanoseconds` after the epoch.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// The moment `nanoseconds` after the whole second `seconds`.
    #[inline]
    pub const fn from_seconds_and_nanoseconds(seconds: i64, nanoseconds: i64) -> Self {
        Self(seconds.saturating_mul(NANOSECONDS_PER_SECOND).saturating_add(nanoseconds))
    }

    /// Nanoseconds since the epoch.
    pub const fn nanoseconds(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(NANOSECONDS_PER_SECOND)
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let nanoseconds = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanoseconds| -nanoseconds),
        };
        Self(nanoseconds)
    }
}

/// A link type as libpcap numbers it (a `DLT_` value).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkType(pub i32);

/// One frame as libpcap handed it over. Its link type and its interface are its source's.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Time of capture.
    pub time: Timestamp,
    /// The captured bytes; never more than `wire_bytes`.
    pub captured: &'a [u8],
    /// The length on the wire, in bytes.
    pub wire_bytes: u32,
}

impl<'a> Frame<'a> {
    /// A frame from the parts of a libpcap header. `captured` is cut to the wire length.
    #[inline]
    pub fn new(time: Timestamp, captured: &'a [u8], wire_bytes: u32) -> Self {
        let kept = captured.len().min(wire_bytes as usize);
        Self { time, captured: &captured[..kept], wire_bytes }
    }
}

/// Source and destination of a packet; both are of one IP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// An IPv4 packet's.
    V4 {
        /// The source address, which may be spoofed.
        source: Ipv4Addr,
        /// The address that it goes to.
        destination: Ipv4Addr,
    },
    /// An IPv6 packet's.
    V6 {
        /// The source address, which may be spoofed.
        source: Ipv6Addr,
        /// The address that it goes to.
        destination: Ipv6Addr,
    },
}

impl Addresses {
    /// The source address, which may be spoofed.
    pub fn source(&self) -> IpAddr {
        match *self {
            Self::V4 { source, .. } => IpAddr::V4(source),
            Self::V6 { source, .. } => IpAddr::V6(source),
        }
    }

    /// The address that the packet goes to.
    pub fn destination(&self) -> IpAddr {
        match *self {
            Self::V4 { destination, .. } => IpAddr::V4(destination),
            Self::V6 { destination, .. } => IpAddr::V6(destination),
        }
    }

    /// The version that both addresses are of.
    pub fn ip_version(&self) -> IpVersion {
        match self {
            Self::V4 { .. } => IpVersion::V4,
            Self::V6 { .. } => IpVersion::V6,
        }
    }
}

/// The version of the Internet Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpVersion {
    /// RFC 791.
    V4,
    /// RFC 8200.
    V6,
}

impl IpVersion {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The value of the label `ip_version`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::V4 => "4",
            Self::V6 => "6",
        }
    }
}

/// The protocol above IP, an IANA protocol number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP for IPv4, RFC 792.
    pub const ICMP: Self = Self(1);
    /// RFC 9293.
    pub const TCP: Self = Self(6);
    /// RFC 768.
    pub const UDP: Self = Self(17);
    /// ICMP for IPv6, RFC 4443.
    pub const ICMPV6: Self = Self(58);
}

/// The flag bits of a TCP header, RFC 9293 section 3.1 (FIN is the lowest bit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// The sender asks to open a connection.
    pub const SYN: Self = Self(0x02);
    /// The sender refuses or aborts.
    pub const RST: Self = Self(0x04);
    /// The acknowledgment field is significant.
    pub const ACK: Self = Self(0x10);

    /// True if every bit of `flags` is set.
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// The bits of both.
    #[must_use]
    pub const fn union(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}

/// One IP packet, as a frame holds it.
///
/// Only the outermost IP header is described; a tunnelled packet stays inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Time of capture.
    pub time: Timestamp,
    /// Source and destination.
    pub addresses: Addresses,
    /// The protocol above IP.
    pub protocol: Protocol,
    /// The TCP or UDP source port; 0 if there is none (another protocol, a later fragment, cut off).
    pub source_port: u16,
    /// The TCP or UDP destination port; 0 if there is none.
    pub destination_port: u16,
    /// The TCP flags; none where the packet is not TCP or they were not captured.
    pub tcp_flags: TcpFlags,
    /// True if the packet is TCP and has data behind its header. False if the header was not captured up to its flags.
    pub has_payload: bool,
    /// The ICMP or ICMPv6 type, where the protocol is one of these and its first byte was captured.
    pub icmp_type: Option<u8>,
    /// True if this host sent the frame. Only cooked link headers tell; with others it is false.
    pub outgoing: bool,
    /// Octets from the IP header to the end of the packet, but no more than were on the wire (RFC 7011
    /// octetDeltaCount).
    pub bytes: u32,
}

/// A packet that an ICMP error reports as not delivered, by the header that the error quotes.
///
/// Errors can be forged and quote anything, so a refusal changes no counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Time at which the error was captured.
    pub time: Timestamp,
    /// Source and destination of the refused packet.
    pub addresses: Addresses,
    /// Its protocol above IP.
    pub protocol: Protocol,
    /// Its TCP or UDP source port; 0 where the protocol has none.
    pub source_port: u16,
    /// Its TCP or UDP destination port; 0 where the protocol has none.
    pub destination_port: u16,
}

/// One message of address resolution: ARP (RFC 826), or a neighbor solicitation or advertisement (RFC 4861).
///
/// It tells which hosts look for which on a link, and changes no counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    /// Time of capture.
    pub time: Timestamp,
    /// The address that looks for another.
    pub asker: IpAddr,
    /// The address that is looked for.
    pub target: IpAddr,
    /// True if this is the target's answer.
    pub is_answer: bool,
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.seconds(), self.0.rem_euclid(NANOSECONDS_PER_SECOND))
    }
}

/// Nanoseconds, written as seconds without trailing zeros: `1700000012.5`, `-0.000000001`, `170`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub i128);

impl Seconds {
    /// A moment in seconds since the epoch.
    pub fn at(time: Timestamp) -> Self {
        Self(time.nanoseconds().into())
    }

    /// The seconds of a duration.
    pub fn of(duration: Duration) -> Self {
        Self(duration.as_nanos().try_into().unwrap_or(i128::MAX))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PER_SECOND: u128 = NANOSECONDS_PER_SECOND.unsigned_abs() as u128;
        let nanoseconds = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", nanoseconds / PER_SECOND)?;
        match nanoseconds % PER_SECOND {
            0 => Ok(()),
            fraction => write!(f, ".{}", format!("{fraction:09}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_with_durations_saturate() {
        let (first, last) = (Timestamp(i64::MIN), Timestamp(i64::MAX));
        assert_eq!(Timestamp(5) + Duration::from_nanos(7), Timestamp(12));
        assert_eq!(Timestamp(5) - Duration::from_nanos(7), Timestamp(-2));
        assert_eq!([last + Duration::from_nanos(1), Timestamp(1) + Duration::MAX], [last; 2]);
        assert_eq!([first - Duration::from_nanos(1), Timestamp(-2) - Duration::MAX], [first; 2]);
    }

    #[test]
    fn times_are_written_to_the_nanosecond_and_without_noise() {
        for (nanoseconds, text) in [
            (1_700_000_012_500_000_000, "1700000012.5"),
            (1_700_000_012_123_456_789, "1700000012.123456789"),
            (1_700_000_012_100_000_000, "1700000012.1"),
            (1_700_000_012_000_000_001, "1700000012.000000001"),
            (1_700_000_012_000_000_000, "1700000012"),
            (0, "0"),
            (-1, "-0.000000001"),
            (-1_500_000_000, "-1.5"),
            (i64::MAX, "9223372036.854775807"),
            (i64::MIN, "-9223372036.854775808"),
        ] {
            assert_eq!(Seconds::at(Timestamp::from_nanoseconds(nanoseconds)).to_string(), text);
        }
    }
}
