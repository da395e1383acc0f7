//! The detectors and the alerts together, live and for files. Takes merged rows and packet time for the detectors;
//! gives each change of an alert to its receiver. Must not know the rules, nor what the receiver does.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::clock::ClockObserver;
use crate::account::observer::RowObserver;
use crate::alert::AlertSink;
use crate::alert::{self, Alerts};
use crate::detect::{self, Detection, Detectors, Notes, Subject};
use crate::locality::Classifier;
use crate::packet::Timestamp;
use crate::time_grid::TimeGrid;

/// The detectors, the alerts that their detections become, and the receiver of changes.
#[derive(Debug)]
pub struct Alarms<T> {
    grids: Vec<TimeGrid>,
    detectors: Detectors,
    alerts: Alerts,
    sink: T,
    /// The time of the last packet, once the packets have ended for good.
    ended: Option<Timestamp>,
}

impl<T: AlertSink> Alarms<T> {
    /// Nothing found yet.
    pub fn new(detectors: Detectors, alerts: &alert::Config, sink: T) -> Self {
        let mut alerts = Alerts::new(alerts);
        alerts.expect_rules(detectors.rules());
        Self { grids: detectors.grids().to_vec(), detectors, alerts, sink, ended: None }
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
    }

    /// The state of detection and of alerts, for readers.
    pub fn view(&self) -> (detect::View, alert::AlertView) {
        let alerts = self.alerts.view();
        let subjects = alerts.firing.iter().map(|alert| alert.subject);
        let named: BTreeSet<IpAddr> = subjects.filter_map(source).collect();
        (self.detectors.view(&named), alerts)
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
        &mut self.detectors
    }

    fn grids(&self) -> Vec<TimeGrid> {
        self.grids.clone()
    }

    fn advance(&mut self, watermark: Timestamp) {
        let detections = self.detectors.advance(watermark);
        self.apply(&detections, watermark);
    }

    fn step(&mut self, to: Timestamp) {
        self.detectors.restart(to);
        self.alerts.restart(to);
    }

    fn finish(&mut self, end: Timestamp, last: Timestamp) {
        let (detections, now) = self.detectors.finish(end);
        self.apply(&detections, now);
        self.ended = Some(last);
    }
}
