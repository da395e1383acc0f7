//! The settings of the detector of sources that are not permitted. Takes nothing; gives the settings. Must not know
//! which sources are permitted.

use std::sync::Arc;
use std::time::Duration;

use crate::policy;
use crate::time_grid::TimeGrid;

/// Windows from this length on have cells of a second.
const SHORTEST_WITH_SECONDS: Duration = Duration::from_secs(10);

/// Settings of the detector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The name of the rule.
    pub rule: Arc<str>,
    /// The most packets that a source may send in the window.
    pub limit_packets: u64,
    /// The window.
    pub interval: Duration,
    /// The most sources whose packets are summed. At the limit no new source is added until another has sent nothing for
    /// a window.
    pub max_sources: usize,
}

impl Config {
    /// The settings of the detector among those of the policy.
    pub fn of(policy: &policy::Config) -> Self {
        Self {
            rule: policy.rule.as_str().into(),
            limit_packets: policy.limit_packets,
            interval: policy.interval,
            max_sources: policy.max_sources,
        }
    }

    /// The cells of the window: a second each, as most detectors have them; shorter ones for a short window.
    pub fn grid(&self) -> TimeGrid {
        if self.interval < SHORTEST_WITH_SECONDS {
            TimeGrid::for_window(self.interval)
        } else {
            TimeGrid::of(Duration::from_secs(1))
        }
    }
}
