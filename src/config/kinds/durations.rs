//! The kinds of values that are durations.

use std::time::Duration;

use super::super::given::Content;
use super::{Scalars, ValueKind};

/// A duration with units, from `shortest` to `longest`.
#[derive(Debug, Clone, Copy)]
pub struct Durations {
    shortest: Duration,
    longest: Duration,
    /// True if a number without a unit is a number of seconds.
    takes_seconds: bool,
    form: &'static str,
}

/// Longer than any memory for traffic: a mistake in the number.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The longest time that libpcap may delay a block of packets.
pub const READ_TIMEOUT: Durations = Durations {
    shortest: Duration::from_millis(1),
    longest: Duration::MAX,
    takes_seconds: false,
    form: "a duration of at least 1ms, such as 100ms",
};
/// The time after which an idle flow leaves. If it were shorter, flows would leave between two of their packets.
pub const IDLE_TIMEOUT: Durations = Durations {
    shortest: Duration::from_secs(1),
    longest: LONGEST,
    takes_seconds: false,
    form: "a duration from 1s to 366d, such as 15m",
};
/// The time between two snapshots: from the smallest tick to more than any scrape interval, and within any timer.
pub const REFRESH: Durations = Durations {
    shortest: Duration::from_millis(100),
    longest: Duration::from_secs(3600),
    takes_seconds: true,
    form: "seconds or a duration from 100ms to 1h, such as 5, 0.5 or 5s",
};
/// The length of a window, at least the smallest cell of packet time.
pub const WINDOW: Durations = Durations {
    shortest: Duration::from_millis(100),
    longest: LONGEST,
    takes_seconds: true,
    form: "seconds or a duration from 100ms to 366d, such as 170 or 5m",
};
/// A time that may be zero.
pub const WAIT: Durations = Durations {
    shortest: Duration::ZERO,
    longest: LONGEST,
    takes_seconds: true,
    form: "seconds or a duration from 0s to 366d, such as 60 or 1m",
};

impl ValueKind for Durations {
    type Value = Duration;

    fn form(&self) -> String {
        self.form.to_owned()
    }

    fn scalars(&self) -> Scalars {
        if self.takes_seconds { Scalars::TextOrNumber } else { Scalars::Text }
    }

    fn parse(&self, text: &str) -> Result<Duration, String> {
        let seconds = text.parse().ok().filter(|_| self.takes_seconds);
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let duration = duration.or_else(|| with_units(text));
        let fits = duration.filter(|duration| (self.shortest..=self.longest).contains(duration));
        fits.ok_or_else(|| self.expected())
    }

    fn show(&self, duration: &Duration) -> Content {
        Content::Text(humantime::format_duration(*duration).to_string())
    }
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
