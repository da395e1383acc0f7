//! Figures and times for people: a number with its unit in few characters, or exact. Takes numbers; gives text. Bytes
//! go in steps of 1000, as in the sentences of alerts. Must not know the meaning of figures.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::packet::{Seconds, Timestamp};

const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];

/// Counts up to this are written out; they fit a column of seven.
const LARGEST_WRITTEN_OUT: u64 = 9_999_999;

const BITS_PER_BYTE: f64 = 8.0;

/// No rate is given for a shorter time: it would mean nothing.
const SHORTEST: Duration = Duration::from_millis(1);

/// The form of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Units {
    /// Three significant digits and a unit: `1.23 MB`.
    #[default]
    Human,
    /// All digits, without a unit: `1234567`.
    Exact,
}

impl Units {
    /// `999 B`, `1.23 kB`; exact `1234`.
    pub fn bytes(self, bytes: u64) -> String {
        match self {
            Self::Human if bytes < 1_000 => format!("{bytes} B"),
            Self::Human => scaled(bytes as f64, "B"),
            Self::Exact => bytes.to_string(),
        }
    }

    /// The same in a sentence, where an exact number needs its unit too.
    pub(super) fn bytes_in_words(self, bytes: u64) -> String {
        match self {
            Self::Human => self.bytes(bytes),
            Self::Exact => format!("{bytes} bytes"),
        }
    }

    /// `1234567`, `12.3 M`.
    pub(crate) fn count(self, count: u64) -> String {
        match self {
            Self::Human if count > LARGEST_WRITTEN_OUT => scaled(count as f64, "").trim_end().to_owned(),
            _ => count.to_string(),
        }
    }

    /// `46.6 kbit/s`; exact in whole bits. None over less than a millisecond.
    pub(super) fn bit_rate(self, bytes: u64, time: Duration) -> Option<String> {
        let rate = per_second(bytes as f64 * BITS_PER_BYTE, time)?;
        Some(match self {
            Self::Human => scaled(rate, "bit/s"),
            Self::Exact => format!("{rate:.0} bit/s"),
        })
    }

    /// `4.333 s`, `2 min 5 s`, `3 d 4 h`; exact with all digits in seconds.
    pub(crate) fn duration(self, duration: Duration) -> String {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let seconds = duration.as_secs();
        match seconds {
            _ if self == Self::Exact => format!("{} s", Seconds::of(duration)),
            0..MINUTE => format!("{:.3} s", duration.as_secs_f64()),
            MINUTE..HOUR => format!("{} min {} s", seconds / MINUTE, seconds % MINUTE),
            HOUR..DAY => format!("{} h {} min", seconds / HOUR, seconds % HOUR / MINUTE),
            _ => format!("{} d {} h", seconds / DAY, seconds % DAY / HOUR),
        }
    }
}

/// A number per second, with one decimal where it is small; none over less than a millisecond.
pub(super) fn rate(count: u64, time: Duration) -> Option<String> {
    let rate = per_second(count as f64, time)?;
    Some(if rate < 100.0 { format!("{rate:.1}") } else { format!("{rate:.0}") })
}

/// `91 %`; neither `0 %` nor `100 %` unless it is that.
pub(super) fn share(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0 %".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    match percent.round() {
        0.0 => "<1 %".to_owned(),
        rounded if rounded >= 100.0 && part < whole => ">99 %".to_owned(),
        rounded => format!("{rounded} %"),
    }
}

/// `2023-11-14 22:13:22.500` in UTC, cut to milliseconds.
pub(super) fn utc(time: Timestamp) -> String {
    let moment = jiff::Timestamp::from_nanosecond(time.nanoseconds().into());
    let text = moment.map(|moment| moment.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string());
    // Every 64-bit number of nanoseconds is a moment that the crate knows.
    text.unwrap_or_default()
}

fn per_second(amount: f64, time: Duration) -> Option<f64> {
    (time >= SHORTEST).then(|| amount / time.as_secs_f64())
}

/// Three significant digits, with the prefix that leaves one to three of them before the point.
fn scaled(value: f64, unit: &str) -> String {
    let (mut value, mut step) = (value, 0);
    // A value that would be rounded to 1000 takes the next prefix.
    while value >= 999.5 && step + 1 < PREFIXES.len() {
        value /= 1_000.0;
        step += 1;
    }
    let decimals = match value {
        _ if value < 9.995 => 2,
        _ if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}{unit}", PREFIXES[step])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_have_three_digits_and_a_unit() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (9_994, "9.99 kB"),
            (9_995, "10.0 kB"),
            (99_949, "99.9 kB"),
            (99_950, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(Units::Human.bytes(bytes), text);
            assert_eq!(Units::Exact.bytes(bytes), bytes.to_string());
        }
    }

    proptest! {
        #[test]
        fn human_bytes_are_short_and_near_the_truth(bytes: u64) {
            let text = Units::Human.bytes(bytes);
            let (number, unit) = text.split_once(' ').unwrap();
            let step = PREFIXES.iter().position(|prefix| format!("{prefix}B") == unit).unwrap();
            let value = number.parse::<f64>().unwrap() * 1_000_f64.powi(step as i32);
            prop_assert!(text.len() <= 7, "{}", text);
            prop_assert!((value - bytes as f64).abs() <= bytes as f64 * 0.005_01, "{} is not {}", text, bytes);
        }
    }

    #[test]
    fn counts_are_written_out_as_long_as_they_are_short() {
        assert_eq!(Units::Human.count(9_999_999), "9999999");
        assert_eq!(Units::Human.count(10_000_000), "10.0 M");
        assert_eq!(Units::Exact.count(10_000_000), "10000000");
    }

    #[test]
    fn rates_need_time() {
        let second = Duration::from_secs(1);
        assert_eq!(Units::Human.bit_rate(1, Duration::ZERO), None);
        assert_eq!(Units::Human.bit_rate(125_000, second).unwrap(), "1.00 Mbit/s");
        assert_eq!(Units::Exact.bit_rate(125_000, 2 * second).unwrap(), "500000 bit/s");
        assert_eq!(rate(1, Duration::from_micros(999)), None);
        assert_eq!(rate(1, Duration::from_millis(1)).unwrap(), "1000");
        assert_eq!(rate(3, 2 * second).unwrap(), "1.5");
        assert_eq!(rate(12_345, second).unwrap(), "12345");
    }

    #[test]
    fn a_share_is_all_or_nothing_only_where_it_is() {
        for (part, whole, text) in
            [(0, 0, "0 %"), (0, 9, "0 %"), (1, 1_000, "<1 %"), (1, 2, "50 %"), (999, 1_000, ">99 %"), (9, 9, "100 %")]
        {
            assert_eq!(share(part, whole), text);
        }
    }

    #[test]
    fn durations_have_their_two_largest_units() {
        for (milliseconds, text) in [
            (0, "0.000 s"),
            (4_333, "4.333 s"),
            (125_000, "2 min 5 s"),
            (3_720_000, "1 h 2 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(Units::Human.duration(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(Units::Exact.duration(Duration::from_nanos(75_540_000_001)), "75.540000001 s");
    }

    #[test]
    fn every_time_is_a_moment_in_utc() {
        for (nanoseconds, text) in [
            (1_700_000_002_500_999_999, "2023-11-14 22:13:22.500"),
            (-1, "1969-12-31 23:59:59.999"),
            (i64::MAX, "2262-04-11 23:47:16.854"),
            (i64::MIN, "1677-09-21 00:12:43.145"),
        ] {
            assert_eq!(utc(Timestamp::from_nanoseconds(nanoseconds)), text);
        }
    }
}
