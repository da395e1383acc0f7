//! The alerts of a case, in the order in which they fire. Takes changes of alerts; keeps each alert as it fired, with the
//! highest value that it reaches. Must not know which alerts are expected.

use std::collections::HashMap;

use crate::alert::AlertSink;
use crate::alert::{Alert, Change, Fingerprint};

/// The most alerts of a case that are kept.
pub(super) const MOST_ALERTS: usize = 10_000;

/// An alert that fired.
#[derive(Debug, Clone)]
pub(super) struct FiredAlert {
    /// The alert when it fired.
    pub alert: Alert,
    /// The highest value of the episode.
    pub peak: f64,
    /// The sentence with the figures of the peak, once it has resolved.
    pub peak_sentence: Option<String>,
}

/// All alerts that fired, up to a limit.
#[derive(Debug, Default)]
pub(super) struct FiredAlerts {
    pub alerts: Vec<FiredAlert>,
    /// Alerts beyond the limit.
    pub more: u64,
    /// Positions of the alerts that still fire.
    firing: HashMap<Fingerprint, usize>,
}

impl AlertSink for FiredAlerts {
    fn notify(&mut self, change: &Change) {
        match change {
            Change::Fired(_) if self.alerts.len() == MOST_ALERTS => self.more += 1,
            Change::Fired(alert) => {
                self.firing.insert(alert.fingerprint, self.alerts.len());
                self.alerts.push(FiredAlert { alert: alert.clone(), peak: alert.peak.value, peak_sentence: None });
            }
            Change::Resolved(alert) => {
                if let Some(position) = self.firing.remove(&alert.fingerprint) {
                    let fired = &mut self.alerts[position];
                    (fired.peak, fired.peak_sentence) = (alert.peak.value, Some(alert.explain()));
                }
            }
        }
    }
}
