//! The kinds of values that are durations.
//!
//! Takes a text with units, or seconds; gives a duration within its range. Must not know what is measured.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::given::Content;
use super::{Scalar, Scalars};

/// Longer than any memory for traffic: a mistake in the number.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
/// The smallest cell of packet time.
const TICK: Duration = Duration::from_millis(100);

/// The longest time that libpcap may delay a block of packets.
pub(crate) const READ_TIMEOUT: Scalar<Duration> = Scalar {
    form: "a duration of at least 1ms, such as 100ms",
    scalars: Scalars::Text,
    parse: |text| with_units(text).filter(|timeout| *timeout >= Duration::from_millis(1)),
    show: |duration| Content::Text(humantime::format_duration(*duration).to_string()),
    parse_raw: None,
};
/// The time after which an idle flow leaves. If it were shorter, flows would leave between two of their packets.
pub(crate) const IDLE_TIMEOUT: Scalar<Duration> = Scalar {
    form: "a duration from 1s to 366d, such as 15m",
    parse: |text| with_units(text).filter(|timeout| (Duration::from_secs(1)..=LONGEST).contains(timeout)),
    ..READ_TIMEOUT
};
pub(crate) const WAIT: Scalar<Duration> = Scalar {
    form: "seconds or a duration from 0s to 366d, such as 60 or 1m",
    scalars: Scalars::TextOrNumber,
    parse: |text| seconds_or_units(text, Duration::ZERO..=LONGEST),
    ..READ_TIMEOUT
};
pub(crate) const WINDOW: Scalar<Duration> = Scalar {
    form: "seconds or a duration from 100ms to 366d, such as 170 or 5m",
    parse: |text| seconds_or_units(text, TICK..=LONGEST),
    ..WAIT
};
/// The time that an answer or a use takes. Contacts wait so long in a bounded table.
pub(crate) const TIMEOUT: Scalar<Duration> = Scalar {
    form: "seconds or a duration from 100ms to 10m, such as 10, 3.5 or 10s",
    parse: |text| seconds_or_units(text, TICK..=Duration::from_secs(600)),
    ..WAIT
};
/// The time for which targets stay known.
pub(crate) const MEMORY: Scalar<Duration> = Scalar {
    form: "seconds or a duration from 1s to 366d, such as 3600 or 1h",
    parse: |text| seconds_or_units(text, Duration::from_secs(1)..=LONGEST),
    ..WAIT
};
/// The longest time of one attempt to deliver an alert.
pub(crate) const ATTEMPT_TIMEOUT: Scalar<Duration> = Scalar {
    form: "seconds or a duration from 100ms to 5m, such as 10 or 10s",
    parse: |text| seconds_or_units(text, TICK..=Duration::from_secs(300)),
    ..WAIT
};
/// The time for which packets are added to a file.
pub(crate) const EVIDENCE_TIME: Scalar<Duration> = Scalar {
    form: "seconds or a duration from 1s to 1d, such as 600 or 10m",
    parse: |text| seconds_or_units(text, Duration::from_secs(1)..=Duration::from_secs(24 * 3600)),
    ..WAIT
};
/// The age of a file that is rotated.
pub(crate) const LOG_AGE: Scalar<Duration> = Scalar {
    form: "seconds or a duration from 1s to 366d, such as 86400 or 1d",
    parse: |text| seconds_or_units(text, Duration::from_secs(1)..=LONGEST),
    ..WAIT
};
/// The time between two summaries in the log; 0 for none.
pub(crate) const SUMMARY_INTERVAL: Scalar<Duration> = Scalar {
    form: "0, or seconds or a duration from 1s to 366d, such as 60 or 1m",
    parse: |text| {
        seconds_or_units(text, Duration::ZERO..=LONGEST)
            .filter(|interval| interval.is_zero() || *interval >= Duration::from_secs(1))
    },
    ..WAIT
};
/// The time between two snapshots. The upper bound exceeds any scrape interval, and any timer can wait for it.
pub(crate) const REFRESH: Scalar<Duration> = Scalar {
    form: "seconds or a duration from 100ms to 1h, such as 5, 0.5 or 5s",
    parse: |text| seconds_or_units(text, TICK..=Duration::from_secs(3600)),
    ..WAIT
};

fn seconds_or_units(text: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.or_else(|| with_units(text)).filter(|duration| range.contains(duration))
}

/// A duration with units (`1m30s`), also with a fraction as Go writes it (`1.5s`).
fn with_units(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok().or_else(|| {
        let split = text.find(|letter: char| letter.is_ascii_alphabetic() || letter == 'µ')?;
        let (number, unit) = text.split_at(split);
        let unit = humantime::parse_duration(&format!("1{unit}")).ok()?;
        Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit.as_secs_f64()).ok()
    })
}
