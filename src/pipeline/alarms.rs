//! The detectors, the alerts, the events of violations and the history together, live and for files. Takes merged rows
//! and packet time; gives each change of an alert to its receiver. Must not know the rules, nor what the receiver does.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::ClockObserver;
use super::dropped_alerts::DropLog;
use super::violations::{KernelReports, Violations};
use crate::account::InterfaceId;
use crate::account::conversation::Address;
use crate::account::observer::{NotPermittedSums, RowBatch, RowObserver, RowlessSums};
use crate::account::refusals::Refused;
use crate::account::snapshot::Capture;
use crate::alert::AlertSink;
use crate::alert::{self, Alerts};
use crate::detect::{self, Detection, Detectors, Notes, Subject};
use crate::history::{self, History};
use crate::locality::Classifier;
use crate::packet::{Resolution, Timestamp};
use crate::policy::EventCounts;
use crate::time_grid::TimeGrid;

/// The cell of events, where no detector has another.
const EVENT_CELL: Duration = Duration::from_secs(1);

/// The time grids of a live capture with these detectors, and with events of violations if there is a policy: an interval
/// lies in one cell of each.
pub(super) fn grids_of(detect: &detect::Config, has_policy: bool) -> Vec<TimeGrid> {
    with_history_grid(with_event_cells(detect.grids(), has_policy), true)
}

fn with_event_cells(mut grids: Vec<TimeGrid>, has_events: bool) -> Vec<TimeGrid> {
    if has_events && grids.is_empty() {
        grids.push(TimeGrid::of(EVENT_CELL));
    }
    grids
}

fn with_history_grid(mut grids: Vec<TimeGrid>, has_history: bool) -> Vec<TimeGrid> {
    if has_history && !grids.contains(&history::GRID) {
        grids.push(history::GRID);
    }
    grids
}

/// The observers of merged rows: the detectors, the events of violations if there is a policy, and the history if it is
/// served.
#[derive(Debug)]
struct Observers {
    detectors: Detectors,
    violations: Option<Violations>,
    history: Option<History>,
}

/// The detectors, the alerts that their detections become, and the receiver of changes.
#[derive(Debug)]
pub struct Alarms<T> {
    grids: Vec<TimeGrid>,
    observers: Observers,
    alerts: Alerts,
    drops: DropLog,
    sink: T,
    /// The time of the last packet, once the packets have ended for good.
    ended: Option<Timestamp>,
}

impl<T: AlertSink> Alarms<T> {
    /// Nothing found yet.
    pub fn new(detectors: Detectors, alerts: &alert::Config, sink: T) -> Self {
        let mut alerts = Alerts::new(alerts);
        alerts.expect_rules(detectors.rules());
        let grids = detectors.grids().to_vec();
        let observers = Observers { detectors, violations: None, history: None };
        Self { grids, observers, alerts, drops: DropLog::default(), sink, ended: None }
    }

    /// Makes events of violations too. They need packet time, with detectors or without.
    #[must_use]
    pub fn with_violations(mut self, violations: Option<Violations>) -> Self {
        self.grids = with_event_cells(self.grids, violations.is_some());
        self.observers.violations = violations;
        self
    }

    /// Keeps a history too. Intervals then end with each second.
    #[must_use]
    pub fn with_history(mut self, history: Option<History>) -> Self {
        self.grids = with_history_grid(self.grids, history.is_some());
        self.observers.history = history;
        self
    }

    /// Goes on with new detectors and new settings of alerts. A detector whose windows change starts over; alerts go on.
    /// `tick` as for [`Detectors::new`].
    pub fn configure(&mut self, detect: &detect::Config, alert: &alert::Config, tick: Duration) {
        self.observers.detectors.configure(detect, Some(tick));
        self.alerts.configure(alert);
        self.alerts.expect_rules(self.observers.detectors.rules());
    }

    /// The history; none if it is not served.
    pub const fn history(&self) -> Option<&History> {
        self.observers.history.as_ref()
    }

    /// Memory of the history in bytes; none without a history.
    pub fn history_bytes(&self) -> Option<u64> {
        self.history().map(|history| history.memory_bytes() as u64)
    }

    /// Takes the drops of the capture whose rows were merged last.
    pub(super) fn count_dropped(&mut self, capture: &Capture) {
        if let Some(history) = &mut self.observers.history {
            history.count_dropped(capture.dropped_by_kernel, capture.dropped_by_interface);
        }
    }

    /// Observes packet time in the cells of `grids` instead of the grids that the detectors need. Intervals then end at
    /// the same moments with and without detectors, so that the same flows are admitted.
    #[must_use]
    pub fn in_cells_of(self, grids: Vec<TimeGrid>) -> Self {
        Self { grids, ..self }
    }

    /// Sets what is local, which decides on the side of alerts.
    pub fn set_classifier(&mut self, classifier: &Arc<Classifier>) {
        self.alerts.set_classifier(Arc::clone(classifier));
    }

    fn apply(&mut self, detections: &[Detection], now: Timestamp) {
        for change in self.alerts.apply(detections, now) {
            self.sink.notify(&change);
        }
        self.drops.log(self.alerts.dropped(), Instant::now());
    }

    /// The state of detection and of alerts, for readers.
    pub fn view(&self) -> (detect::View, alert::AlertView) {
        let alerts = self.alerts.view();
        let subjects = alerts.firing.iter().map(|alert| alert.subject);
        let named: BTreeSet<IpAddr> = subjects.filter_map(source).collect();
        (self.observers.detectors.view(&named), alerts)
    }

    /// Takes the violations that the kernel reported.
    pub(super) fn take_reports(&mut self, reports: KernelReports) {
        if let Some(violations) = &mut self.observers.violations {
            violations.take_reports(reports);
        }
    }

    /// The events of violations so far; none if none are made.
    pub fn event_counts(&self) -> Option<EventCounts> {
        self.observers.violations.as_ref().map(Violations::counts)
    }

    /// Reports the packets of violations that have no event, and logs the alerts that found no space: no packet follows.
    pub(super) fn report_rest(&mut self) {
        self.observers.violations.iter_mut().for_each(Violations::close);
        self.drops.log_rest(self.alerts.dropped(), Instant::now());
    }

    /// The receiver of changes.
    pub fn sink(&self) -> &T {
        &self.sink
    }

    /// Resolves firing alerts if the packets have ended for good: they end with the last packet. Gives the receiver of
    /// changes.
    pub fn resolve(mut self) -> T {
        for change in self.ended.iter().flat_map(|last| self.alerts.finish(*last)) {
            self.sink.notify(&change);
        }
        self.sink
    }
}

const fn source(subject: Subject) -> Option<IpAddr> {
    match subject {
        Subject::Source(source) | Subject::Pair { source, .. } => Some(source),
        Subject::Destination(_) | Subject::Network(_) => None,
    }
}

impl<T: AlertSink> ClockObserver for Alarms<T> {
    type Notes = Notes;

    #[inline]
    fn rows(&mut self) -> &mut impl RowObserver<Notes = Notes> {
        &mut self.observers
    }

    fn grids(&self) -> Vec<TimeGrid> {
        self.grids.clone()
    }

    fn advance(&mut self, watermark: Timestamp) {
        self.observers.history.iter_mut().for_each(|history| history.advance(watermark));
        // Violations first: an alert comes after the packets that caused it.
        self.observers.violations.iter_mut().for_each(|violations| violations.advance(watermark));
        let detections = self.observers.detectors.advance(watermark);
        self.apply(&detections, watermark);
    }

    fn step(&mut self, to: Timestamp) {
        self.observers.detectors.restart(to);
        self.observers.history.iter_mut().for_each(|history| history.restart(to));
        self.observers.violations.iter_mut().for_each(Violations::close);
        self.alerts.restart(to);
    }

    fn finish(&mut self, end: Timestamp, last: Timestamp) {
        self.observers.history.iter_mut().for_each(|history| history.finish(end));
        self.observers.violations.iter_mut().for_each(Violations::close);
        let (detections, now) = self.observers.detectors.finish(end);
        self.apply(&detections, now);
        self.report_rest();
        self.ended = Some(last);
    }
}

impl RowObserver for Observers {
    type Notes = Notes;

    fn is_active(&self) -> bool {
        self.detectors.is_active() || self.violations.is_some() || self.history.is_some()
    }

    fn enter(&mut self, interface: InterfaceId, name: &str, not_permitted: NotPermittedSums) {
        if let Some(violations) = &mut self.violations {
            violations.enter(interface, name, not_permitted);
        }
        self.history.iter_mut().for_each(|history| history.enter(name));
    }

    #[inline]
    fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, Notes>) {
        self.detectors.observe(rows);
        if let Some(violations) = &mut self.violations {
            violations.observe(rows);
        }
        self.history.iter_mut().for_each(|history| history.observe(rows));
    }

    fn count_rowless(&mut self, sums: &RowlessSums) {
        self.history.iter_mut().for_each(|history| history.count_rowless(sums));
    }

    #[inline]
    fn refuse<A: Address>(&mut self, interface: InterfaceId, refused: &Refused<A>) {
        self.detectors.refuse(interface, refused);
    }

    #[inline]
    fn resolve(&mut self, interface: InterfaceId, resolution: &Resolution) {
        self.detectors.resolve(interface, resolution);
    }

    fn note_lost(&mut self, interface: InterfaceId, packets: u64, lost: u64, time: Timestamp) {
        self.detectors.note_lost(interface, packets, lost, time);
    }

    fn forget_interface(&mut self, interface: InterfaceId) {
        self.detectors.forget_interface(interface);
    }
}
