//! Log lines about alerts that found no space. Takes the counters of such alerts; writes a line for each kind, at most
//! once a minute. Must not know detections.

use std::time::{Duration, Instant};

use crate::alert::DroppedDetections;
use crate::detect::Kind;

/// The least time between two lines about one kind.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The last line about each kind, in the order of [`Kind::ALL`].
#[derive(Debug, Default)]
pub(super) struct DropLog([LoggedDrops; Kind::ALL.len()]);

#[derive(Debug, Default, Clone, Copy)]
struct LoggedDrops {
    /// The counter at the last line.
    count: u64,
    /// The time of the last line.
    at: Option<Instant>,
}

impl DropLog {
    /// Logs the kinds that lack space since their last line, if that is a minute ago.
    pub(super) fn log(&mut self, dropped: &DroppedDetections, now: Instant) {
        self.log_if(dropped, now, |at| now.saturating_duration_since(at) >= LOG_INTERVAL);
    }

    /// Logs all that no line tells of yet.
    pub(super) fn log_rest(&mut self, dropped: &DroppedDetections, now: Instant) {
        self.log_if(dropped, now, |_| true);
    }

    fn log_if(&mut self, dropped: &DroppedDetections, now: Instant, is_due: impl Fn(Instant) -> bool) {
        for (kind, logged) in Kind::ALL.into_iter().zip(&mut self.0) {
            if let Some(detections) = logged.take(dropped[kind as usize], now, &is_due) {
                tracing::warn!(
                    kind = kind.label(),
                    detections,
                    "no space for further alerts of this kind: these detections are only counted"
                );
            }
        }
    }
}

impl LoggedDrops {
    /// The detections since the last line, if a line is due.
    fn take(&mut self, count: u64, now: Instant, is_due: impl Fn(Instant) -> bool) -> Option<u64> {
        let detections = count.saturating_sub(self.count);
        if detections == 0 || !self.at.is_none_or(is_due) {
            return None;
        }
        *self = Self { count, at: Some(now) };
        Some(detections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_kind_is_logged_once_a_minute_with_all_since() {
        let start = Instant::now();
        let mut logged = LoggedDrops::default();
        let mut take = |count, seconds| {
            let now = start + Duration::from_secs(seconds);
            logged.take(count, now, |at| now.saturating_duration_since(at) >= LOG_INTERVAL)
        };
        assert_eq!(take(0, 0), None);
        assert_eq!([take(5, 1), take(7, 2), take(9, 60), take(10, 61)], [Some(5), None, None, Some(5)]);
        assert_eq!([take(10, 200), take(11, 201)], [None, Some(1)]);
    }
}
