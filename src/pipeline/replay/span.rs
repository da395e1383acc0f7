//! The time from the first to the last frame of all files, as their frames are read.
//!
//! Knows nothing of what the frames hold: those that are not IP count as well.

use crate::packet::Timestamp;

/// The earliest and the latest time of the frames so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    earliest: Timestamp,
    latest: Timestamp,
}

impl Span {
    /// No frame yet: the earliest time is later than the latest.
    pub(super) const EMPTY: Self =
        Self { earliest: Timestamp::from_nanoseconds(i64::MAX), latest: Timestamp::from_nanoseconds(i64::MIN) };

    /// Widens the span to the time of one more frame.
    #[inline(always)]
    pub(super) fn include(&mut self, time: Timestamp) {
        self.earliest = self.earliest.min(time);
        self.latest = self.latest.max(time);
    }

    /// The earliest and the latest time; none before the first frame.
    pub(super) fn ends(self) -> Option<(Timestamp, Timestamp)> {
        (self.earliest <= self.latest).then_some((self.earliest, self.latest))
    }
}
