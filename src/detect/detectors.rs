//! All detectors together. Each observes every row, and judges a time cell when packet time has left it.
//!
//! Takes merged rows and packet time; gives detections, and a view of the detectors' state. Must not know how a
//! detector judges.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::anomaly::Anomalies;
use super::bandwidth::Bandwidth;
use super::policy::Policy;
use super::scan::Scan;
use super::{Config, Detection, Kind, Notes, View, rules};
use crate::account::InterfaceId;
use crate::account::conversation::Address;
use crate::account::observer::{RowBatch, RowObserver};
use crate::account::refusals::Refused;
use crate::packet::{Resolution, Timestamp};
use crate::tables::sampling::Seeds;
use crate::time_grid::TimeGrid;

/// The longest cell of any detector whose windows slide.
const LONGEST_CELL: Duration = Duration::from_secs(1);

/// The detectors that are configured.
#[derive(Debug)]
pub struct Detectors {
    grids: Vec<TimeGrid>,
    bandwidth: Option<Bandwidth>,
    scan: Option<Scan>,
    scan_timeout: Duration,
    anomaly: Option<Anomalies>,
    policy: Option<Policy>,
    top_sources: usize,
    rules: BTreeSet<(Kind, Arc<str>)>,
    /// A view with the configured limits alone.
    limits: View,
    seeds: Seeds,
}

fn limits(config: &Config) -> View {
    let of_scan = |scan: &super::scan::Config| {
        let hosts = scan.analyze_hosts.then_some((Kind::HostScan, u64::from(scan.contacted_ips)));
        let ports = scan.analyze_ports.then_some((Kind::PortScan, u64::from(scan.contacted_ports)));
        let least = hosts.iter().chain(&ports).map(|&(_, limit)| limit).min();
        let groups = least.filter(|_| scan.looks_for_groups());
        let groups = groups.map(|limit| (Kind::GroupScan, limit * u64::from(scan.group_factor)));
        hosts.into_iter().chain(ports).chain(groups).collect()
    };
    View {
        bandwidth_limit_bytes: config.bandwidth.as_ref().map(|bandwidth| bandwidth.limit_bytes),
        scan_limits: config.scan.as_ref().map(of_scan).unwrap_or_default(),
        anomalies_alert: config.anomaly.as_ref().map(|anomaly| anomaly.alerts),
        ..View::default()
    }
}

impl Detectors {
    /// Detectors without any row. `tick` is the time between two advances: long evaluations are spread over several
    /// ticks, or done at once without a tick. `seeds` prevent senders from choosing addresses whose hashes collide.
    pub fn new(config: &Config, seeds: impl Into<Seeds>, tick: Option<Duration>) -> Self {
        let seeds = seeds.into();
        let scan = config.scan.as_ref().filter(|config| config.looks_for_something());
        Self {
            grids: config.grids(),
            bandwidth: config.bandwidth.as_ref().map(|config| Bandwidth::new(config, seeds)),
            scan: scan.map(|config| Scan::new(config, seeds)),
            scan_timeout: scan.map_or(Duration::ZERO, super::scan::Config::longest_wait),
            anomaly: config.anomaly.as_ref().map(|config| Anomalies::new(config, rules::ANOMALY, tick)),
            policy: config.policy.as_ref().map(|config| Policy::new(config, seeds)),
            top_sources: config.top_sources,
            rules: rules::configured(config),
            limits: limits(config),
            seeds,
        }
    }

    /// Goes on with another configuration. A detector takes new limits at once and judges the next cell by them. One whose
    /// windows or tables change starts over, empty. `tick` as for [`Detectors::new`].
    pub fn configure(&mut self, config: &Config, tick: Option<Duration>) {
        let seeds = self.seeds;
        replace_unless(&mut self.bandwidth, config.bandwidth.as_ref(), Bandwidth::configure, |config, _| {
            Bandwidth::new(config, seeds)
        });
        let scan = config.scan.as_ref().filter(|config| config.looks_for_something());
        replace_unless(&mut self.scan, scan, Scan::configure, |config, before| match before {
            Some(before) => before.succeeded_by(config, seeds),
            None => Scan::new(config, seeds),
        });
        replace_unless(&mut self.anomaly, config.anomaly.as_ref(), Anomalies::configure, |config, _| {
            Anomalies::new(config, rules::ANOMALY, tick)
        });
        replace_unless(&mut self.policy, config.policy.as_ref(), Policy::configure, |config, _| {
            Policy::new(config, seeds)
        });
        self.grids = config.grids();
        self.scan_timeout = scan.map_or(Duration::ZERO, super::scan::Config::longest_wait);
        self.top_sources = config.top_sources;
        self.rules = rules::configured(config);
        self.limits = limits(config);
    }

    /// The rules that may alert.
    pub const fn rules(&self) -> &BTreeSet<(Kind, Arc<str>)> {
        &self.rules
    }

    /// As [`Config::grids`].
    pub fn grids(&self) -> &[TimeGrid] {
        &self.grids
    }

    /// The detections of all cells that end by `watermark`. Only late packets are older than the watermark.
    pub fn advance(&mut self, watermark: Timestamp) -> Vec<Detection> {
        let mut found = Vec::new();
        found.extend(self.bandwidth.iter_mut().flat_map(|bandwidth| bandwidth.advance(watermark)));
        found.extend(self.scan.iter_mut().flat_map(|scan| scan.advance(watermark)));
        found.extend(self.anomaly.iter_mut().flat_map(|anomaly| anomaly.advance(watermark)));
        found.extend(self.policy.iter_mut().flat_map(|policy| policy.advance(watermark)));
        found
    }

    /// Empties all windows, because the clock was set to `to`.
    pub fn restart(&mut self, to: Timestamp) {
        self.bandwidth.iter_mut().for_each(|bandwidth| bandwidth.restart(to));
        self.scan.iter_mut().for_each(Scan::restart);
        self.anomaly.iter_mut().for_each(|anomaly| anomaly.restart(to));
        self.policy.iter_mut().for_each(|policy| policy.restart(to));
    }

    /// The last detections, and the time up to which they are. No packet follows, and the last cell ends at `end`.
    /// Contacts that have no answer yet count as unanswered.
    pub fn finish(&mut self, end: Timestamp) -> (Vec<Detection>, Timestamp) {
        let grid = TimeGrid::of(LONGEST_CELL);
        let last = end - Duration::from_nanos(1);
        let end = grid.end(grid.cell(last));
        let deadline = end + self.scan_timeout;
        let mut found = Vec::new();
        found.extend(self.bandwidth.iter_mut().flat_map(|bandwidth| bandwidth.advance(end)));
        found.extend(self.policy.iter_mut().flat_map(|policy| policy.advance(end)));
        // Contacts wait for an answer until a deadline, so the last cell to judge is that of the last deadline.
        let judged = grid.end(grid.cell(deadline));
        found.extend(self.scan.iter_mut().flat_map(|scan| scan.advance(judged)));
        found.extend(self.anomaly.iter_mut().flat_map(Anomalies::finish));
        (found, judged)
    }

    /// The state for readers. The addresses in `named` are charted even if they sent little.
    pub fn view(&self, named: &BTreeSet<IpAddr>) -> View {
        let mut view = View { memory_bytes: self.memory_bytes(), ..self.limits.clone() };
        if let Some(bandwidth) = &self.bandwidth {
            view.window_bytes = bandwidth.window_bytes(self.top_sources);
            view.chart = bandwidth.talkers(named);
            view.tables.extend(bandwidth.tables());
        }
        if let Some(scan) = &self.scan {
            let seen = scan.view(self.top_sources);
            view.contacted_hosts = seen.contacted_hosts;
            view.contacted_ports = seen.contacted_ports;
            view.unanswered_contacts = seen.unanswered_contacts;
            view.answers_visible = seen.answers_visible;
            view.unknown_contacts = seen.unknown_contacts;
            view.tables.extend(seen.tables);
        }
        if let Some(anomaly) = &self.anomaly {
            view.anomalies = anomaly.probabilities(self.top_sources);
            view.tables.extend(anomaly.tables());
        }
        view.tables.extend(self.policy.iter().map(Policy::table));
        view
    }

    /// The memory that the tables take, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let bandwidth = self.bandwidth.as_ref().map_or(0, Bandwidth::memory_bytes);
        let scan = self.scan.as_ref().map_or(0, Scan::memory_bytes);
        let anomaly = self.anomaly.as_ref().map_or(0, Anomalies::memory_bytes);
        let policy = self.policy.as_ref().map_or(0, Policy::memory_bytes);
        (bandwidth + scan + anomaly + policy) as u64
    }
}

/// Lets a detector go on with its new configuration; or makes a new one where it cannot, or there was none.
fn replace_unless<D, C>(
    detector: &mut Option<D>,
    config: Option<&C>,
    go_on: impl FnOnce(&mut D, &C) -> bool,
    new: impl FnOnce(&C, Option<&D>) -> D,
) {
    let Some(config) = config else {
        *detector = None;
        return;
    };
    let goes_on = detector.as_mut().is_some_and(|detector| go_on(detector, config));
    if !goes_on {
        *detector = Some(new(config, detector.as_ref()));
    }
}

impl RowObserver for Detectors {
    type Notes = Notes;

    fn is_active(&self) -> bool {
        self.bandwidth.is_some() || self.scan.is_some() || self.anomaly.is_some() || self.policy.is_some()
    }

    fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, Notes>) {
        self.bandwidth.iter_mut().for_each(|bandwidth| bandwidth.observe(rows));
        self.scan.iter_mut().for_each(|scan| scan.observe(rows));
        self.anomaly.iter_mut().for_each(|anomaly| anomaly.observe(rows));
        self.policy.iter_mut().for_each(|policy| policy.observe(rows));
    }

    fn refuse<A: Address>(&mut self, interface: InterfaceId, refused: &Refused<A>) {
        if let Some(scan) = &mut self.scan {
            let Refused { key, way, time } = refused;
            scan.refuse(key, *way, *time, interface);
        }
    }

    fn resolve(&mut self, interface: InterfaceId, resolution: &Resolution) {
        if let Some(scan) = &mut self.scan {
            scan.resolve(resolution, interface);
        }
    }

    fn note_lost(&mut self, interface: InterfaceId, packets: u64, lost: u64, time: Timestamp) {
        if let Some(scan) = &mut self.scan {
            scan.note_capture(interface, packets, lost, time);
        }
    }

    fn forget_interface(&mut self, interface: InterfaceId) {
        if let Some(scan) = &mut self.scan {
            scan.forget_interface(interface);
        }
    }
}
