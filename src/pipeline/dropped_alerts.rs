//! Log lines about alerts that found no space. Takes the counters of such alerts; writes a line for each kind, at most
//! once a minute. Must not know detections.

use std::time::Instant;

use crate::alert::DroppedDetections;
use crate::detect::Kind;
use crate::events::MinutelyCount;

/// The detections that lines have told, in the order of [`Kind::ALL`].
#[derive(Debug, Default)]
pub(super) struct DropLog([MinutelyCount; Kind::ALL.len()]);

impl DropLog {
    /// Logs the kinds that lack space since their last line, if that is a minute ago.
    pub(super) fn log(&mut self, dropped: &DroppedDetections, now: Instant) {
        self.log_each(dropped, |told, count| told.take(count, now));
    }

    /// Logs all that no line tells of yet.
    pub(super) fn log_rest(&mut self, dropped: &DroppedDetections, now: Instant) {
        self.log_each(dropped, |told, count| told.take_rest(count, now));
    }

    fn log_each(&mut self, dropped: &DroppedDetections, take: impl Fn(&mut MinutelyCount, u64) -> Option<u64>) {
        for (kind, told) in Kind::ALL.into_iter().zip(&mut self.0) {
            if let Some(detections) = take(told, dropped[kind as usize]) {
                tracing::warn!(
                    kind = kind.label(),
                    detections,
                    "no space for further alerts of this kind: these detections are only counted"
                );
            }
        }
    }
}
