//! Log lines about lost events. Takes the number of events that were lost since the start; writes a line at most once a
//! minute, with the number since the last one. Must not know the queue.

use std::time::Instant;

use crate::events::MinutelyCount;

/// The lost events that the program's log has told.
#[derive(Debug, Default)]
pub(super) struct LostEventLog {
    told: MinutelyCount,
    /// True if the log could not be written at any time since the last line.
    has_failed: bool,
}

impl LostEventLog {
    /// Notes that the log could not be written.
    pub(super) const fn note_failure(&mut self) {
        self.has_failed = true;
    }

    /// The time of the next line, while so many events were lost; none if all are told.
    pub(super) fn is_due_at(&self, lost: u64) -> Option<Instant> {
        self.told.is_due_at(lost)
    }

    /// Logs the events that were lost since the last line, if that is a minute ago.
    pub(super) fn log(&mut self, lost: u64, now: Instant, is_file: bool) {
        if let Some((events, reason)) = self.take(lost, now, is_file) {
            tracing::warn!(
                events,
                reason,
                "events have no line in the event log; their packets are in a later line of suppressed packets"
            );
        }
    }

    fn take(&mut self, lost: u64, now: Instant, is_file: bool) -> Option<(u64, &'static str)> {
        let events = self.told.take(lost, now)?;
        let reason = match (is_file, std::mem::take(&mut self.has_failed)) {
            (true, true) => "the log could not be written",
            (true, false) => "more events came at once than the queue takes",
            (false, _) => "standard output did not take the lines fast enough",
        };
        Some((events, reason))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn line_has_the_reason_since_the_one_before() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut log = LostEventLog::default();
        assert_eq!(log.take(5, at(1), true), Some((5, "more events came at once than the queue takes")));
        log.note_failure();
        assert_eq!((log.take(9, at(2), true), log.is_due_at(9)), (None, Some(at(61))));
        assert_eq!(log.take(12, at(61), true), Some((7, "the log could not be written")));
        assert_eq!(log.take(13, at(201), true), Some((1, "more events came at once than the queue takes")));
        assert_eq!(log.take(14, at(301), false), Some((1, "standard output did not take the lines fast enough")));
    }
}
