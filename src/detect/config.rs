//! The configuration of detection.
//!
//! Takes the configurations of the detectors; gives the grids that rows must respect. Must not know files or options.

use super::{anomaly, bandwidth, policy, scan};
use crate::time_grid::TimeGrid;

/// The configured detectors, and the amount of detail for readers.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Limits on bytes; none to detect nothing.
    pub bandwidth: Option<bandwidth::Config>,
    /// Limits on contacts; none to detect no scans.
    pub scan: Option<scan::Config>,
    /// Tests of pairs; none to detect no anomalies.
    pub anomaly: Option<anomaly::Config>,
    /// Sources that are not permitted; none without a policy.
    pub policy: Option<policy::Config>,
    /// Number of sources, destinations and pairs that readers see, the highest of each.
    pub top_sources: usize,
    /// A source is charted from this many bytes in its bandwidth window on.
    pub chart_min_bytes: u64,
    /// True if destinations of sources are not kept.
    pub no_destinations: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bandwidth: Some(bandwidth::Config::default()),
            scan: Some(scan::Config::default()),
            anomaly: Some(anomaly::Config::default()),
            policy: None,
            top_sources: 20,
            chart_min_bytes: 5_000_000,
            no_destinations: false,
        }
    }
}

impl Config {
    /// True if any detector is configured.
    pub const fn looks_for_something(&self) -> bool {
        self.bandwidth.is_some() || self.scan.is_some() || self.anomaly.is_some() || self.policy.is_some()
    }

    /// The configuration that detects nothing.
    pub const fn nothing() -> Self {
        Self {
            bandwidth: None,
            scan: None,
            anomaly: None,
            policy: None,
            top_sources: 0,
            chart_min_bytes: 0,
            no_destinations: true,
        }
    }

    /// The configuration without the things that only metrics show. Pairs are kept, because bandwidth alerts name
    /// peers.
    pub fn for_alerts_alone(&self) -> Self {
        let anomaly = self.anomaly.filter(|config| config.alerts);
        Self { anomaly, ..self.clone() }
    }

    /// The time grids, the finest first. A row must lie in one cell of each.
    pub fn grids(&self) -> Vec<TimeGrid> {
        let bandwidth = self.bandwidth.iter().flat_map(bandwidth::Config::intervals);
        let scan = self.scan.iter().flat_map(|config| [config.interval, config.port_interval]);
        let anomaly = self.anomaly.iter().map(|config| TimeGrid::of(config.transfer_interval));
        let policy = self.policy.iter().map(policy::Config::grid);
        let mut grids: Vec<TimeGrid> =
            bandwidth.chain(scan).map(TimeGrid::for_window).chain(anomaly).chain(policy).collect();
        grids.sort_unstable_by_key(|grid| grid.length());
        grids.dedup();
        grids
    }
}
