//! Values of log lines: times, addresses, protocols, actions. Takes texts and numbers; gives values. Must not know the
//! names of fields.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

use crate::packet::Protocol;
use crate::services::protocol_name;

const PER_SECOND: i64 = 1_000_000_000;

/// A value of a JSON member or of a CSV cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum LogValue<'a> {
    /// UTF-8.
    Text(&'a [u8]),
    Unsigned(u64),
    Float(f64),
    Bool(bool),
    /// Null, an array or an object.
    Other,
}

/// A target of an alert: `10.0.0.1:22/tcp`, `10.0.0.1 icmp`, `[2001:db8::1]:53/udp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogTarget {
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
    pub(super) protocol: Option<Protocol>,
}

impl LogValue<'_> {
    /// The value of a text in another notation.
    fn parsed<T: FromStr>(self) -> Option<T> {
        let Self::Text(text) = self else { return None };
        std::str::from_utf8(text).ok()?.trim().parse().ok()
    }

    #[inline]
    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Text(text) => ipv4(text).map(IpAddr::V4).or_else(|| std::str::from_utf8(text).ok()?.parse().ok()),
            _ => None,
        }
    }

    pub(super) fn network(self) -> Option<IpNet> {
        self.parsed()
    }

    pub(super) fn target(self) -> Option<LogTarget> {
        let Self::Text(text) = self else { return None };
        let text = std::str::from_utf8(text).ok()?;
        let (end, protocol) = text.split_once(['/', ' ']).unwrap_or((text, ""));
        let number = protocol.strip_prefix("protocol ").unwrap_or(protocol);
        let protocol = LogValue::Text(number.as_bytes()).protocol();
        let at = |address, port| LogTarget { address, port, protocol };
        let with_port = || end.parse::<SocketAddr>().ok().map(|end| at(end.ip(), Some(end.port())));
        end.parse().ok().map(|address| at(address, None)).or_else(with_port)
    }

    /// A whole number, also as text.
    #[inline]
    pub(super) fn number(self) -> Option<u64> {
        match self {
            Self::Unsigned(number) => Some(number),
            Self::Text(_) => self.parsed(),
            Self::Float(number) if number >= 0.0 && number < u64::MAX as f64 => Some(number as u64),
            _ => None,
        }
    }

    /// A finite number that is not negative, also as text.
    pub(super) fn figure(self) -> Option<f64> {
        let figure = match self {
            Self::Unsigned(number) => Some(number as f64),
            Self::Float(number) => Some(number),
            Self::Text(_) => self.parsed(),
            _ => None,
        };
        figure.filter(|number| number.is_finite() && *number >= 0.0)
    }

    #[inline]
    pub(super) fn port(self) -> Option<u16> {
        self.number().and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0)
    }

    /// Nanoseconds since the epoch, from RFC 3339 or from a number of seconds, milli-, micro- or nanoseconds.
    #[inline]
    pub(super) fn time(self) -> Option<i64> {
        match self {
            Self::Text(text) => rfc_3339(text).or_else(|| of_number(self.parsed()?)),
            Self::Unsigned(number) => of_whole(number),
            Self::Float(number) => of_number(number),
            Self::Bool(_) | Self::Other => None,
        }
    }

    /// The protocol of an IANA number or keyword, in any case.
    #[inline]
    pub(super) fn protocol(self) -> Option<Protocol> {
        match self {
            Self::Text(text) => protocol_of(text).or_else(|| self.parsed().map(Protocol)),
            _ => self.number().and_then(|number| u8::try_from(number).ok()).map(Protocol),
        }
    }

    /// True for the words that say that a packet was dropped.
    pub(super) fn is_drop(self) -> bool {
        match self {
            Self::Text(text) => {
                ["dropped", "drop", "xdp_drop", "true"].iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
            }
            Self::Bool(dropped) => dropped,
            _ => false,
        }
    }

    #[inline]
    pub(super) fn is_text(self, expected: &str) -> bool {
        matches!(self, Self::Text(text) if text == expected.as_bytes())
    }
}

/// An IPv4 address in the notation with points, without leading zeros; none for all else.
#[inline]
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let (mut at, mut octet, mut digits) = (0, 0_u32, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits < 3 && (digits == 0 || octet > 0) => {
                octet = octet * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && at < 3 => {
                octets[at] = u8::try_from(octet).ok()?;
                (at, octet, digits) = (at + 1, 0, 0);
            }
            _ => return None,
        }
    }
    octets[3] = u8::try_from(octet).ok().filter(|_| at == 3 && digits > 0)?;
    Some(octets.into())
}

fn protocol_of(text: &[u8]) -> Option<Protocol> {
    match text {
        b"tcp" | b"TCP" => Some(Protocol::TCP),
        b"udp" | b"UDP" => Some(Protocol::UDP),
        b"icmp" | b"ICMP" => Some(Protocol::ICMP),
        b"icmpv6" | b"ICMPv6" | b"ICMPV6" => Some(Protocol::ICMPV6),
        b"" => None,
        _ => (0..=u8::MAX)
            .map(Protocol)
            .find(|protocol| protocol_name(*protocol).is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(text))),
    }
}

/// The unit follows from the size: seconds until the year 5138, then milli-, micro- and nanoseconds.
const UNITS: [(u64, i64); 4] =
    [(100_000_000_000, PER_SECOND), (100_000_000_000_000, 1_000_000), (100_000_000_000_000_000, 1_000), (u64::MAX, 1)];

fn of_whole(number: u64) -> Option<i64> {
    let (_, unit) = UNITS.iter().find(|(limit, _)| number < *limit)?;
    i64::try_from(number).ok()?.checked_mul(*unit)
}

fn of_number(number: f64) -> Option<i64> {
    if !(0.0..1e18).contains(&number) {
        return None;
    }
    let whole = number.trunc();
    let (_, unit) = UNITS.iter().find(|(limit, _)| (whole as u64) < *limit)?;
    (whole as i64).checked_mul(*unit)?.checked_add(((number - whole) * *unit as f64) as i64)
}

/// `2026-03-17T13:31:58.000000001Z`, also with a space for the T, without a fraction, and with an offset.
fn rfc_3339(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(19)?;
    let number = |from: usize, to: usize| {
        date[from..to]
            .iter()
            .try_fold(0_i64, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
    };
    let separators = [date[4], date[7], date[10], date[13], date[16]];
    if !matches!(separators, [b'-', b'-', b'T' | b't' | b' ', b':', b':']) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, rest) = fraction(rest);
    let offset = offset(rest)?;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    seconds.checked_mul(PER_SECOND)?.checked_add(fraction)
}

/// Nanoseconds of `.123…`, and the rest of the text.
fn fraction(text: &[u8]) -> (i64, &[u8]) {
    let Some(digits) = text.strip_prefix(b".") else { return (0, text) };
    let count = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at(count);
    let padded = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
    (padded.fold(0, |number, digit| number * 10 + i64::from(digit - b'0')), rest)
}

/// Seconds east of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let digit = |at: usize| text.get(at).filter(|digit| digit.is_ascii_digit()).map(|digit| i64::from(digit - b'0'));
    match text {
        [] | [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let seconds = (digit(1)? * 10 + digit(2)?) * 3_600 + (digit(4)? * 10 + digit(5)?) * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar. March is the first month of the computation, so that the
/// leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::line::rfc_3339_nanoseconds;
    use crate::packet::Timestamp;

    #[test]
    fn times_are_read_as_they_are_written() {
        for nanoseconds in
            [0, 1, 951_782_400_000_000_000, 1_700_000_012_123_456_789, 4_102_444_799_999_999_999, i64::MAX]
        {
            let text = rfc_3339_nanoseconds(Timestamp::from_nanoseconds(nanoseconds));
            assert_eq!(LogValue::Text(text.as_bytes()).time(), Some(nanoseconds), "{text}");
        }
    }

    #[test]
    fn times_of_other_programs_are_read() {
        let expected = Some(1_700_000_012_500_000_000);
        for value in [
            LogValue::Text(b"2023-11-14T22:13:32.5Z"),
            LogValue::Text(b"2023-11-14 22:13:32.5"),
            LogValue::Text(b"2023-11-15T00:43:32.500+02:30"),
            LogValue::Text(b"1700000012.5"),
            LogValue::Float(1_700_000_012.5),
            LogValue::Unsigned(1_700_000_012_500),
            LogValue::Unsigned(1_700_000_012_500_000),
            LogValue::Unsigned(1_700_000_012_500_000_000),
        ] {
            assert_eq!(value.time(), expected, "{value:?}");
        }
        for value in [
            LogValue::Text(b"yesterday"),
            LogValue::Text(b""),
            LogValue::Text(b"2023-13-14T22:13:32Z"),
            LogValue::Text(b"2023-11-14T22:13:32+0230"),
            LogValue::Text(b"9999999-11-14T22:13:32Z"),
            LogValue::Float(f64::NAN),
            LogValue::Float(-1.0),
            LogValue::Float(1e300),
            LogValue::Other,
        ] {
            assert_eq!(value.time(), None, "{value:?}");
        }
    }

    #[test]
    fn protocols_have_names_and_numbers() {
        for value in [LogValue::Text(b"TCP"), LogValue::Text(b"tcp"), LogValue::Text(b"6"), LogValue::Unsigned(6)] {
            assert_eq!(value.protocol(), Some(Protocol::TCP), "{value:?}");
        }
        assert_eq!(LogValue::Text(b"Ipv6-ICMP").protocol(), Some(Protocol::ICMPV6));
        assert_eq!(LogValue::Text(b"nonsense").protocol(), None);
        assert_eq!(LogValue::Unsigned(256).protocol(), None);
    }

    #[test]
    fn targets_of_alerts_are_read_as_they_are_written() {
        use crate::detect::Target;
        for (address, port, protocol) in [
            ("10.0.0.1", Some(22), Some(Protocol::TCP)),
            ("10.0.0.1", Some(22), None),
            ("10.0.0.1", None, Some(Protocol::ICMP)),
            ("10.0.0.1", None, Some(Protocol(253))),
            ("10.0.0.1", None, None),
            ("2001:db8::1", Some(53), Some(Protocol::UDP)),
            ("2001:db8::1", None, Some(Protocol::ICMPV6)),
            ("2001:db8::1", None, None),
        ] {
            let address = address.parse().unwrap();
            let text = Target { address, protocol, port }.to_string();
            assert_eq!(LogValue::Text(text.as_bytes()).target(), Some(LogTarget { address, port, protocol }), "{text}");
        }
        for text in ["", "a host", "10.0.0.1:", "[10.0.0.1]:22/tcp", "10.0.0.1:99999/tcp"] {
            assert_eq!(LogValue::Text(text.as_bytes()).target(), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn addresses_are_those_of_the_standard_library(text in "[0-9a.:]{0,16}|([0-9]{1,3}\\.){3}[0-9]{1,3}") {
            proptest::prop_assert_eq!(LogValue::Text(text.as_bytes()).address(), text.parse().ok());
        }
    }
}
