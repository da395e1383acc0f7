//! The frames of all files: the time that they span, and when an interval of them is merged. Takes the times of frames
//! and the fill of intervals. Must not know what the frames hold: those that are not IP count as well.

use crate::account::fill::Fill;
use crate::packet::Timestamp;

/// Number of frames between two fill checks of the interval.
pub(super) const FRAMES_AT_ONCE: usize = 512;

/// An interval is handed over so many fill checks after it was found to be due, so that workers need not wait for each
/// other at every one. The rows of a nearly full interval and the frames of these checks stay below its bound.
pub(super) const CHECKS_BEHIND: usize = 4;

pub(super) fn is_to_be_merged(fill: Fill) -> bool {
    fill.is_nearly_full() || fill.gathers_little()
}

/// The earliest and the latest time of the frames so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameSpan {
    earliest: Timestamp,
    latest: Timestamp,
}

impl FrameSpan {
    /// No frame yet: the earliest time is later than the latest.
    pub(super) const EMPTY: Self =
        Self { earliest: Timestamp::from_nanoseconds(i64::MAX), latest: Timestamp::from_nanoseconds(i64::MIN) };

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
