//! Moments as text: RFC 3339 in UTC with milliseconds. Takes packet times; gives text. Must not know their use.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::packet::Timestamp;

/// A moment, written as `2023-11-14T22:13:22.500Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rfc3339(pub Timestamp);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Cut to milliseconds here, because the crate would cut towards the epoch.
        let milliseconds = self.0.nanoseconds().div_euclid(1_000_000);
        match jiff::Timestamp::from_millisecond(milliseconds) {
            Ok(moment) => write!(f, "{moment:.3}"),
            // Every 64-bit number of nanoseconds is a moment that the crate knows.
            Err(_) => Err(fmt::Error),
        }
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_to_the_millisecond() {
        for (nanoseconds, text) in [
            (1_700_000_002_500_999_999, "2023-11-14T22:13:22.500Z"),
            (1_700_000_002_000_000_000, "2023-11-14T22:13:22.000Z"),
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (i64::MAX, "2262-04-11T23:47:16.854Z"),
            (i64::MIN, "1677-09-21T00:12:43.145Z"),
        ] {
            assert_eq!(Rfc3339(Timestamp::from_nanoseconds(nanoseconds)).to_string(), text);
        }
    }
}
