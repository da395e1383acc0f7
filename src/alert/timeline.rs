//! The life of an alert as a list of moments.
//!
//! Takes an alert; gives its events in the order of time. Must not know other alerts.

use super::Alert;
use crate::packet::Timestamp;

/// An event in the life of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertEvent {
    /// The rule became true.
    Pending,
    /// The alert began to fire.
    Fired,
    /// The value was highest.
    Peak,
    /// The episode was over.
    Resolved,
}

impl AlertEvent {
    /// Its name in JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Fired => "firing",
            Self::Peak => "peak",
            Self::Resolved => "resolved",
        }
    }
}

impl Alert {
    /// The events so far. They are ordered by life rather than by time where the packets' clock was set meanwhile.
    pub fn timeline(&self) -> Vec<(Timestamp, AlertEvent)> {
        let fired = self.fired_at.map(|at| (at, AlertEvent::Fired));
        let peak = (self.peak.at, AlertEvent::Peak);
        let [before, after] = match fired {
            Some((fired_at, _)) if self.starts_at <= peak.0 && peak.0 < fired_at => [Some(peak), None],
            _ => [None, Some(peak)],
        };
        let resolved = self.ends_at.map(|at| (at, AlertEvent::Resolved));
        let pending = Some((self.starts_at, AlertEvent::Pending));
        [pending, before, fired, after, resolved].into_iter().flatten().collect()
    }
}
