//! What is looked for, and how much of it is shown.

use super::{anomaly, bandwidth, scan};
use crate::time_grid::TimeGrid;

/// What is looked for, none where it is not, and how much of it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Who may send or receive how much.
    pub bandwidth: Option<bandwidth::Config>,
    /// What is a scan.
    pub scan: Option<scan::Config>,
    /// What is an anomaly.
    pub anomaly: Option<anomaly::Config>,
    /// How many sources, destinations and pairs readers see, the highest of each.
    pub top_sources: usize,
    /// A source with so many bytes in the window of bandwidth is charted.
    pub chart_min_bytes: u64,
    /// Destinations of sources are not kept.
    pub no_destinations: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bandwidth: Some(bandwidth::Config::default()),
            scan: Some(scan::Config::default()),
            anomaly: Some(anomaly::Config::default()),
            top_sources: 20,
            chart_min_bytes: 5_000_000,
            no_destinations: false,
        }
    }
}

impl Config {
    /// Whether anything is looked for.
    #[must_use]
    pub const fn looks_for_something(&self) -> bool {
        self.bandwidth.is_some() || self.scan.is_some() || self.anomaly.is_some()
    }

    /// Nothing is looked for.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { bandwidth: None, scan: None, anomaly: None, top_sources: 0, chart_min_bytes: 0, no_destinations: true }
    }

    /// The configuration that finds alerts and keeps nothing that only metrics show. (Alerts on bandwidth name peers, so pairs are kept.)
    #[must_use]
    pub fn for_alerts_alone(&self) -> Self {
        let anomaly = self.anomaly.filter(|config| config.alerts);
        Self { anomaly, ..self.clone() }
    }

    /// The grids of which no row may span two cells, the finest first.
    #[must_use]
    pub fn grids(&self) -> Vec<TimeGrid> {
        let bandwidth = self.bandwidth.iter().flat_map(bandwidth::Config::intervals);
        let scan = self.scan.iter().flat_map(|config| [config.interval, config.port_interval]);
        let anomaly = self.anomaly.iter().map(|config| TimeGrid::of(config.transfer_interval));
        let mut grids: Vec<TimeGrid> = bandwidth.chain(scan).map(TimeGrid::for_window).chain(anomaly).collect();
        grids.sort_unstable_by_key(|grid| grid.length());
        grids.dedup();
        grids
    }
}
