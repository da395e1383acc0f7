//! The values of settings that are numbers of detection: bytes, windows, contacts, probabilities.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serializer;

use super::quantities::parse_duration;
use super::value::{Scalars, Value, expected};

/// A number of bytes that may not be exceeded, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteLimit(pub u64);

impl Value for ByteLimit {
    const EXPECTED: &'static str =
        "a number of bytes above 0, alone or with K, M, G or T (powers of 1000), such as 1000000000 or 1G";
    const SCALARS: Scalars = Scalars::TextOrNumber;

    fn from_text(text: &str) -> Result<Self, String> {
        match bytes_of::<Self>(text)? {
            0 => Err(format!("a limit of 0 would alert on every packet; {}", expected::<Self>())),
            bytes => Ok(Self(bytes)),
        }
    }

    fn text(&self) -> String {
        with_unit(self.0)
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl Value for Bytes {
    const EXPECTED: &'static str =
        "a number of bytes, alone or with K, M, G or T (powers of 1000), such as 5000000 or 5M";
    const SCALARS: Scalars = Scalars::TextOrNumber;

    fn from_text(text: &str) -> Result<Self, String> {
        bytes_of::<Self>(text).map(Self)
    }

    fn text(&self) -> String {
        with_unit(self.0)
    }
}

/// TrafficAlerted's units. It knew none above G, because it counted in 32 bits.
const UNITS: [(char, u64); 4] = [('K', 1_000), ('M', 1_000_000), ('G', 1_000_000_000), ('T', 1_000_000_000_000)];

fn bytes_of<T: Value>(text: &str) -> Result<u64, String> {
    let unit = UNITS.iter().find(|(letter, _)| text.ends_with([*letter, letter.to_ascii_lowercase()]));
    let (number, factor) = unit.map_or((text, 1), |(_, factor)| (&text[..text.len() - 1], *factor));
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(expected::<T>());
    }
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    bytes.ok_or_else(|| format!("the limit cannot exceed {} bytes; {}", u64::MAX, expected::<T>()))
}

/// With the largest unit that divides it.
fn with_unit(bytes: u64) -> String {
    let whole = UNITS.iter().rev().find(|(_, factor)| bytes != 0 && bytes.is_multiple_of(*factor));
    whole.map_or_else(|| bytes.to_string(), |(letter, factor)| format!("{}{letter}", bytes / factor))
}

/// A window of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(pub Duration);

/// The smallest cell of packet time.
const SHORTEST_WINDOW: Duration = Duration::from_millis(100);
/// Longer than any memory for traffic: a mistake in the number.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

impl Value for Window {
    const EXPECTED: &'static str = "seconds or a duration from 100ms to 366d, such as 170 or 5m";
    const SCALARS: Scalars = Scalars::TextOrNumber;

    fn from_text(text: &str) -> Result<Self, String> {
        duration_of::<Self>(text, SHORTEST_WINDOW..=LONGEST).map(Self)
    }

    fn text(&self) -> String {
        humantime::format_duration(self.0).to_string()
    }
}

/// How long something lasts that may also be nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub Duration);

impl Value for Wait {
    const EXPECTED: &'static str = "seconds or a duration from 0s to 366d, such as 60 or 1m";
    const SCALARS: Scalars = Scalars::TextOrNumber;

    fn from_text(text: &str) -> Result<Self, String> {
        duration_of::<Self>(text, Duration::ZERO..=LONGEST).map(Self)
    }

    fn text(&self) -> String {
        humantime::format_duration(self.0).to_string()
    }
}

fn duration_of<T: Value>(text: &str, bounds: RangeInclusive<Duration>) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let duration = seconds.or_else(|| parse_duration(text)).filter(|duration| bounds.contains(duration));
    duration.ok_or_else(expected::<T>)
}

/// How many hosts or ports may be contacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactLimit(pub u32);

/// As many ports as there are.
const HIGHEST_CONTACT_LIMIT: u32 = 65_535;

impl Value for ContactLimit {
    const EXPECTED: &'static str = "a number from 1 to 65535";
    const SCALARS: Scalars = Scalars::Number;

    fn from_text(text: &str) -> Result<Self, String> {
        let limit = text.parse().ok().filter(|limit| (1..=HIGHEST_CONTACT_LIMIT).contains(limit));
        limit.map(Self).ok_or_else(expected::<Self>)
    }

    fn text(&self) -> String {
        self.0.to_string()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

/// Declares a value that is a number with a fraction.
macro_rules! fraction {
    ($(#[$doc:meta])* $name:ident, $bounds:expr, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name(pub f64);

        impl Value for $name {
            const EXPECTED: &'static str = $expected;
            const SCALARS: Scalars = Scalars::Number;

            fn from_text(text: &str) -> Result<Self, String> {
                let number = text.parse().ok().filter(|number| ($bounds).contains(number));
                number.map(Self).ok_or_else(expected::<Self>)
            }

            fn text(&self) -> String {
                self.0.to_string()
            }

            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_f64(self.0)
            }
        }
    };
}

fraction! {
    /// A bound of the fence, in bytes a transfer interval.
    Bound, f64::MIN..=f64::MAX, "a number of bytes, such as 1000 (5e-324 means none)"
}
fraction! {
    /// A magnitude, as a probability; above 1 it exceeds all.
    Sensitivity, 0.0..=f64::MAX, "a score from 0 to 1, such as 0.1, or a higher value to disable it"
}
fraction! {
    /// A probability.
    Probability, 0.0..=1.0, "a score from 0 to 1, such as 0.6"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_limits_count_in_powers_of_1000_and_have_no_32_bit_limit() {
        for (text, bytes) in [
            ("1000000000", 1_000_000_000),
            ("1G", 1_000_000_000),
            ("5G", 5_000_000_000),
            ("5g", 5_000_000_000),
            ("3T", 3_000_000_000_000),
            ("7M", 7_000_000),
            ("9K", 9_000),
            ("1", 1),
            ("18446744073709551615", u64::MAX),
            ("18446744T", 18_446_744_000_000_000_000),
        ] {
            assert_eq!(ByteLimit::from_text(text), Ok(ByteLimit(bytes)), "{text}");
            assert_eq!(ByteLimit::from_text(&ByteLimit(bytes).text()), Ok(ByteLimit(bytes)), "{text}");
        }
        assert_eq!((ByteLimit(1_000_000_000).text(), Bytes(1_500).text()), ("1G".to_owned(), "1500".to_owned()));
    }

    #[test]
    fn what_is_no_number_of_bytes_is_refused_with_what_would_be_right() {
        for text in ["-1", "-1G", "", "G", "1X", "1.5G", "1e9", "1_000", "+1", "0x10", "1 G", "1GB", "ten"] {
            assert_eq!(ByteLimit::from_text(text), Err(expected::<ByteLimit>()), "{text}");
        }
        for text in ["18446744073709551616", "18446744073709551615K", "99999999999T"] {
            let problem = ByteLimit::from_text(text).unwrap_err();
            assert!(problem.starts_with("the limit cannot exceed 18446744073709551615 bytes; expected"), "{problem}");
        }
        for text in ["0", "0G", "000"] {
            assert!(
                ByteLimit::from_text(text)
                    .unwrap_err()
                    .starts_with("a limit of 0 would alert on every packet; expected"),
                "{text}"
            );
        }
        assert_eq!((Bytes::from_text("0"), Bytes(0).text()), (Ok(Bytes(0)), "0".to_owned()));
    }

    #[test]
    fn windows_are_seconds_or_durations_and_never_negative() {
        for (text, milliseconds) in
            [("170", 170_000), ("170s", 170_000), ("2m50s", 170_000), ("0.5", 500), ("100ms", 100)]
        {
            assert_eq!(Window::from_text(text), Ok(Window(Duration::from_millis(milliseconds))), "{text}");
        }
        for text in ["-170", "-5s", "0", "99ms", "367d", "inf", "NaN", "ten", "", "1e300"] {
            assert_eq!(Window::from_text(text), Err(expected::<Window>()), "{text}");
        }
        assert_eq!(Wait::from_text("0"), Ok(Wait(Duration::ZERO)));
        assert!(Wait::from_text("-1s").is_err());
    }

    #[test]
    fn limits_of_nothing_are_refused() {
        for text in ["0", "-1", "1.5", "65536", "many", ""] {
            assert_eq!(ContactLimit::from_text(text), Err(expected::<ContactLimit>()), "{text}");
        }
        assert_eq!(ContactLimit::from_text("65535"), Ok(ContactLimit(65_535)));
    }

    #[test]
    fn fractions_are_numbers_within_their_bounds() {
        assert_eq!(Bound::from_text("5e-324"), Ok(Bound(5e-324)));
        assert_eq!(Bound::from_text(&Bound(5e-324).text()), Ok(Bound(5e-324)));
        assert_eq!(Bound::from_text("-500"), Ok(Bound(-500.0)));
        assert_eq!(Sensitivity::from_text("2"), Ok(Sensitivity(2.0)));
        assert_eq!(Probability::from_text("1"), Ok(Probability(1.0)));
        for text in ["inf", "NaN", "x", ""] {
            assert!(Bound::from_text(text).is_err() && Sensitivity::from_text(text).is_err(), "{text}");
        }
        for text in ["-0.1", "1.1", "60%"] {
            assert!(Probability::from_text(text).is_err(), "{text}");
        }
        assert!(Sensitivity::from_text("-0.1").is_err());
    }
}
