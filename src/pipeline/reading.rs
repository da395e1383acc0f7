//! Decides when the network is read again. Takes changes and outcomes of readings, with their times; gives whether a
//! reading is due. Must not know the network.
//!
//! A change is forgotten only after a reading that succeeded.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::export::vitals::Vitals;

/// A reading of the network is followed by a pause this many times as long, so that readings leave time for other
/// work on a router whose routes change all the time.
const READING_SHARE: u32 = 10;
/// The pause after a reading that failed: doubled each time, up to a bound.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Readings {
    has_changed: bool,
    next: Instant,
    pause: Duration,
    /// The reason of the failure that was logged last, while it lasts.
    said: Option<String>,
    vitals: Vitals,
}

impl Readings {
    /// The network was read just now.
    pub(super) fn new(now: Instant, vitals: Vitals) -> Self {
        vitals.set_network_stale(false);
        Self { has_changed: false, next: now, pause: FIRST_PAUSE, said: None, vitals }
    }

    /// The network has changed, or may have.
    pub(super) fn note_change(&mut self) {
        self.has_changed = true;
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.has_changed && now >= self.next
    }

    /// A reading that began at `started` has succeeded.
    pub(super) fn note_success(&mut self, started: Instant, now: Instant) {
        if self.said.take().is_some() {
            tracing::info!("interfaces and routes can be read again");
        }
        self.has_changed = false;
        self.next = now + READING_SHARE * now.saturating_duration_since(started);
        self.pause = FIRST_PAUSE;
        self.vitals.set_network_stale(false);
    }

    /// A reading has failed and is repeated after a pause. Each reason is logged once while it lasts.
    pub(super) fn note_failure(&mut self, now: Instant, error: &impl Display) {
        self.vitals.set_network_stale(true);
        self.has_changed = true;
        self.next = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let reason = error.to_string();
        if self.said.as_ref() != Some(&reason) {
            tracing::warn!(%error, "cannot read interfaces and routes; retrying");
            self.said = Some(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_is_forgotten_only_after_a_reading_that_succeeded() {
        let start = Instant::now();
        let mut readings = Readings::new(start, Vitals::new().unwrap());
        assert!(!readings.is_due(start));
        readings.note_change();
        let mut now = start;
        for pause in [200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            assert!(readings.is_due(now));
            readings.note_failure(now, &"no descriptor");
            let pause = Duration::from_millis(pause);
            assert!(!readings.is_due(now + pause - Duration::from_millis(1)), "it backs off");
            now += pause;
        }
        assert!(readings.is_due(now));
        readings.note_success(now, now);
        assert!(!readings.is_due(now + Duration::from_secs(60)));
        readings.note_change();
        readings.note_failure(now, &"no descriptor");
        assert!(readings.is_due(now + FIRST_PAUSE), "the pause starts short again");
    }

    #[test]
    fn slow_reading_is_followed_by_a_long_pause() {
        let start = Instant::now();
        let mut readings = Readings::new(start, Vitals::new().unwrap());
        let end = start + Duration::from_secs(1);
        readings.note_success(start, end);
        readings.note_change();
        assert!(!readings.is_due(end + Duration::from_secs(9)));
        assert!(readings.is_due(end + Duration::from_secs(10)));
    }
}
