//! Log lines about lost events. Takes the number of events that were lost since the start; writes a line at most once a
//! minute, with the number since the last one. Must not know the queue.

use std::time::{Duration, Instant};

/// The least time between two lines.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The lost events that the program's log has told.
#[derive(Debug, Default)]
pub(super) struct LostEventLog {
    /// The number that was lost at the last line.
    logged: u64,
    /// The time of the last line.
    at: Option<Instant>,
    /// True if the log could not be written at any time since then.
    has_failed: bool,
}

impl LostEventLog {
    /// Notes that the log could not be written.
    pub(super) const fn note_failure(&mut self) {
        self.has_failed = true;
    }

    /// The time of the next line, while so many events were lost; none if all are told.
    pub(super) fn is_due_at(&self, lost: u64) -> Option<Instant> {
        self.at.filter(|_| lost > self.logged).map(|at| at + LOG_INTERVAL)
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
        let events = lost.saturating_sub(self.logged);
        if events == 0 || self.is_due_at(lost).is_some_and(|due| now < due) {
            return None;
        }
        let reason = match (is_file, self.has_failed) {
            (true, true) => "the log could not be written",
            (true, false) => "more events came at once than the queue takes",
            (false, _) => "standard output did not take the lines fast enough",
        };
        *self = Self { logged: lost, at: Some(now), has_failed: false };
        Some((events, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_events_are_logged_once_a_minute_with_all_since_and_the_reason() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut log = LostEventLog::default();
        assert_eq!((log.take(0, at(0), true), log.is_due_at(0)), (None, None));
        assert_eq!(log.take(5, at(1), true), Some((5, "more events came at once than the queue takes")));
        log.note_failure();
        assert_eq!((log.take(9, at(2), true), log.is_due_at(9)), (None, Some(at(61))));
        assert_eq!(log.take(12, at(61), true), Some((7, "the log could not be written")));
        assert_eq!((log.take(12, at(200), true), log.is_due_at(12)), (None, None));
        assert_eq!(log.take(13, at(201), false), Some((1, "standard output did not take the lines fast enough")));
    }
}
