//! The frames of all files: the time that they span, and when an interval of them is merged. Takes the times of frames
//! and the fill of intervals. Must not know what the frames hold: those that are not IP count as well.

use crate::account::fill::Fill;
use crate::packet::Timestamp;
use crate::pipeline::clock::TimeAdvance;

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
    // Since the clock was set last.
    earliest: Timestamp,
    latest: Timestamp,
    /// The earliest and the latest time before that.
    before: (Timestamp, Timestamp),
}

/// The earliest and the latest time of no frame: the one is later than the other.
const NO_FRAME: (Timestamp, Timestamp) = (Timestamp::from_nanoseconds(i64::MAX), Timestamp::from_nanoseconds(i64::MIN));

impl FrameSpan {
    /// No frame yet.
    pub(super) const EMPTY: Self = Self { earliest: NO_FRAME.0, latest: NO_FRAME.1, before: NO_FRAME };

    #[inline(always)]
    pub(super) fn include(&mut self, time: Timestamp) {
        self.earliest = self.earliest.min(time);
        self.latest = self.latest.max(time);
    }

    /// The next frame comes after this advance of packet time, which may mean that the clock was set.
    pub(super) fn restart_after(&mut self, advance: TimeAdvance) {
        if matches!(advance, TimeAdvance::Step { .. }) {
            *self = Self { before: self.whole(), ..Self::EMPTY };
        }
    }

    /// The earliest and the latest time; none before the first frame.
    pub(super) fn ends(self) -> Option<(Timestamp, Timestamp)> {
        let (earliest, latest) = self.whole();
        (earliest <= latest).then_some((earliest, latest))
    }

    /// The latest time since the clock was set last; none before the first frame.
    pub(super) fn last(self) -> Option<Timestamp> {
        (self.earliest <= self.latest).then_some(self.latest)
    }

    fn whole(self) -> (Timestamp, Timestamp) {
        (self.before.0.min(self.earliest), self.before.1.max(self.latest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds_and_nanoseconds(seconds, 0)
    }

    #[test]
    fn a_clock_that_is_set_ends_no_span_but_moves_the_last_frame() {
        let mut span = FrameSpan::EMPTY;
        assert_eq!((span.ends(), span.last()), (None, None));
        [20, 18, 19].into_iter().for_each(|seconds| span.include(at(seconds)));
        span.restart_after(TimeAdvance::Onward(at(19)));
        assert_eq!((span.ends(), span.last()), (Some((at(18), at(20))), Some(at(20))));
        span.restart_after(TimeAdvance::Step { until: at(21), to: at(5) });
        span.include(at(6));
        assert_eq!((span.ends(), span.last()), (Some((at(6), at(20))), Some(at(6))));
    }
}
