//! Rows and packet time → detections → alerts → who is told: the same live and from files.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::follow::Follow;
use crate::account::conversation::Address;
use crate::account::interface::InterfaceId;
use crate::account::observer::{RowBatch, RowObserver};
use crate::account::refusals::Refused;
use crate::alert::{self, Alerts};
use crate::detect::{self, Detection, Detectors, Subject};
use crate::events::Tell;
use crate::locality::Classifier;
use crate::packet::Timestamp;
use crate::time_grid::TimeGrid;

/// Detectors, the alerts that come of what they find, and who is told of these.
#[derive(Debug)]
pub struct Alarms<T> {
    grids: Vec<TimeGrid>,
    detectors: Detectors,
    alerts: Alerts,
    tell: T,
    /// When the packets ended, for good.
    ended: Option<Timestamp>,
}

impl<T: Tell> Alarms<T> {
    /// Nothing found yet.
    pub fn new(detectors: Detectors, alerts: &alert::Config, tell: T) -> Self {
        let mut alerts = Alerts::new(alerts);
        alerts.expect_rules(detectors.rules());
        Self { grids: detectors.grids().to_vec(), detectors, alerts, tell, ended: None }
    }

    /// Packet time is told in the cells of `grids` in place of those that the detectors need: where nothing is looked for
    /// intervals end as they do where something is, so that the same flows find room.
    #[must_use]
    pub fn in_cells_of(self, grids: Vec<TimeGrid>) -> Self {
        Self { grids, ..self }
    }

    /// Takes over what is local, which decides on the side of alerts.
    pub fn set_classifier(&mut self, classifier: &Arc<Classifier>) {
        self.alerts.set_classifier(Arc::clone(classifier));
    }

    fn apply(&mut self, detections: &[Detection], now: Timestamp) {
        for change in self.alerts.apply(detections, now) {
            self.tell.tell(&change);
        }
    }

    /// What readers see.
    #[must_use]
    pub fn view(&self) -> (detect::View, alert::AlertView) {
        let alerts = self.alerts.view();
        let subjects = alerts.firing.iter().map(|alert| alert.subject);
        let named: BTreeSet<IpAddr> = subjects.filter_map(source).collect();
        (self.detectors.view(&named), alerts)
    }

    /// The receiver of changes.
    #[must_use]
    pub fn told(&self) -> &T {
        &self.tell
    }

    /// Where packets have ended for good, so does what fires. Gives who was told.
    pub fn resolve(mut self) -> T {
        for change in self.ended.iter().flat_map(|ended| self.alerts.finish(*ended)) {
            self.tell.tell(&change);
        }
        self.tell
    }
}

const fn source(subject: Subject) -> Option<IpAddr> {
    match subject {
        Subject::Source(source) | Subject::Pair { source, .. } => Some(source),
        Subject::Destination(_) | Subject::Network(_) => None,
    }
}

impl<T> RowObserver for Alarms<T> {
    fn is_there(&self) -> bool {
        self.detectors.is_there()
    }

    #[inline]
    fn observe<A: Address>(&mut self, batch: &mut RowBatch<'_, A>) {
        self.detectors.observe(batch);
    }

    fn refuse<A: Address>(&mut self, interface: InterfaceId, refused: &Refused<A>) {
        self.detectors.refuse(interface, refused);
    }

    fn note_lost(&mut self, interface: InterfaceId, packets: u64, lost: u64, time: Timestamp) {
        self.detectors.note_lost(interface, packets, lost, time);
    }

    fn forget_interface(&mut self, interface: InterfaceId) {
        self.detectors.forget_interface(interface);
    }
}

impl<T: Tell> Follow for Alarms<T> {
    fn grids(&self) -> Vec<TimeGrid> {
        self.grids.clone()
    }

    fn advance(&mut self, watermark: Timestamp) {
        let detections = self.detectors.advance(watermark);
        self.apply(&detections, watermark);
    }

    fn step(&mut self, to: Timestamp) {
        self.detectors.clock_stepped(to);
        self.alerts.clock_stepped(to);
    }

    fn finish(&mut self, end: Timestamp) {
        let (detections, now) = self.detectors.finish(end);
        self.apply(&detections, now);
        self.ended = Some(now);
    }
}
