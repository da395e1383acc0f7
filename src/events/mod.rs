//! Changes of alerts → lines: for people on the console, for scripts as JSON.
//!
//! Knows nothing of what is found, nor of where lines go. What comes from outside (a rule's name) is escaped; the rest is
//! made of numbers, addresses and words of the program's own.

pub mod console;
pub mod json;
pub mod line;
pub mod queue;

use std::fmt;
use std::time::Duration;

use crate::alert::Change;
use crate::packet::Timestamp;
pub use queue::Queue;

/// Who is told what becomes of alerts.
pub trait Tell {
    /// Hears of a change, in the order of packet time.
    fn tell(&mut self, change: &Change);
}

/// Nobody.
impl Tell for () {
    fn tell(&mut self, _: &Change) {}
}

/// Nanoseconds as seconds with all their digits and no more: `1700000012.5`, `-0.000000001`, `170`.
#[derive(Debug, Clone, Copy)]
struct Seconds(i128);

impl Seconds {
    fn at(time: Timestamp) -> Self {
        Self(time.nanoseconds().into())
    }

    fn of(duration: Duration) -> Self {
        Self(duration.as_nanos().try_into().unwrap_or(i128::MAX))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NANOSECONDS_PER_SECOND: u128 = 1_000_000_000;
        let nanoseconds = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", nanoseconds / NANOSECONDS_PER_SECOND)?;
        match nanoseconds % NANOSECONDS_PER_SECOND {
            0 => Ok(()),
            fraction => write!(f, ".{}", format!("{fraction:09}").trim_end_matches('0')),
        }
    }
}

/// The word for what became of an alert.
const fn state(change: &Change) -> &'static str {
    change.alert().state.label()
}

#[cfg(test)]
mod tests {
    use super::*;

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
