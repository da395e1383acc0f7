//! An active alert: pending or firing. Takes detections; gives the time of its end. Must not know other alerts.

use std::sync::Arc;
use std::time::Duration;

use super::{Alert, AlertNames, AlertState, Change, Config, Fingerprint, Peak, Side};
use crate::detect::{Detection, Figures, Level, Span, Target};
use crate::packet::Timestamp;

/// An alert with the times that decide on its end.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) alert: Alert,
    /// The time at which the rule first held. For a firing alert, the time at which it began to fire, or the clock was
    /// set.
    pub(super) since: Timestamp,
    /// The time at which the alert resolves if no further detection comes.
    pub(super) due: Option<Timestamp>,
    /// True if the figure was clearly below its limit, and not above it since.
    pub(super) is_under: bool,
    /// The largest peers at the peak of a bandwidth alert; empty for others.
    pub(super) peak_peers: Vec<Target>,
}

impl Active {
    pub(super) fn new(detection: &Detection, config: &Config, side: Side) -> Self {
        let Detection { kind, subject, figures, .. } = detection;
        let alert = Alert {
            fingerprint: Fingerprint::of(*kind, &detection.rule, subject),
            kind: *kind,
            rule: Arc::clone(&detection.rule),
            subject: *subject,
            state: AlertState::Pending,
            severity: config.severities.of(*kind, side),
            side,
            starts_at: detection.since,
            fired_at: None,
            ends_at: None,
            span: figures.span,
            figures: figures.clone(),
            peak: Peak::of(detection),
            names: AlertNames::default(),
        };
        let peak_peers = peers_of(detection).to_vec();
        Self { alert, since: detection.at, due: None, is_under: false, peak_peers }
    }

    /// Memory in bytes, with the copy of the alert in the view that was published last.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + 2 * self.alert.memory_bytes() + self.peak_peers.capacity() * size_of::<Target>()
    }

    pub(super) fn fire(&mut self, at: Timestamp) -> Change {
        self.since = at;
        self.alert.state = AlertState::Firing;
        self.alert.fired_at = Some(at);
        Change::Fired(self.alert.clone())
    }

    /// Takes over the figures of a detection. Targets and span are taken only from detections over the limit.
    pub(super) fn update(&mut self, detection: &Detection) {
        let Alert { figures, peak, span, .. } = &mut self.alert;
        let is_peak = detection.level == Level::Over && detection.figures.value > peak.value;
        let first_targets = std::mem::take(&mut figures.first_targets);
        let last_targets = std::mem::take(&mut figures.last_targets);
        let largest_peer = figures.largest_peer;
        *figures = detection.figures.clone();
        // The first targets of a scan are those of the whole episode. Peers are those that were measured last.
        if !first_targets.is_empty() && peers_of(detection).is_empty() {
            figures.first_targets = first_targets;
        }
        figures.largest_peer = figures.largest_peer.or(largest_peer);
        if is_peak {
            *peak = Peak { largest_peer: figures.largest_peer, ..Peak::of(detection) };
            if figures.largest_peer.is_some() {
                self.peak_peers.clone_from(&figures.first_targets);
            }
        }
        if figures.last_targets.is_empty() || detection.level != Level::Over {
            figures.last_targets = last_targets;
        }
        if detection.level == Level::Over {
            *span = joined(*span, figures.span);
        }
    }

    /// The time at which the alert resolves if no further detection comes: after the hold if the figure is clearly
    /// below its limit, else after the window and the hold.
    pub(super) fn end(&mut self, detection: &Detection, hold: Duration) -> Timestamp {
        let was_under = self.is_under;
        self.is_under = match detection.level {
            Level::Over => false,
            Level::Near => was_under,
            Level::Under => true,
        };
        match (self.due, self.is_under) {
            (Some(due), true) if was_under => due,
            (_, true) => (self.since + hold).max(detection.at),
            (_, false) => detection.at + hold.saturating_add(detection.figures.window),
        }
    }
}

/// The largest peers of a detection; none if they were not measured.
fn peers_of(detection: &Detection) -> &[Target] {
    let Figures { largest_peer, first_targets, .. } = &detection.figures;
    if largest_peer.is_some() { first_targets } else { &[] }
}

/// The smallest span that contains both.
fn joined(one: Option<Span>, other: Option<Span>) -> Option<Span> {
    let (Some(one), Some(other)) = (one, other) else { return one.or(other) };
    let precision = one.precision.max(other.precision);
    Some(Span { first: one.first.min(other.first), last: one.last.max(other.last), precision })
}

impl Peak {
    const fn of(detection: &Detection) -> Self {
        let Detection { at, figures, .. } = detection;
        Self {
            value: figures.value,
            limit: figures.limit,
            bytes: figures.bytes,
            answered: figures.answered,
            scan: figures.scan,
            largest_peer: figures.largest_peer,
            is_estimate: figures.is_estimate,
            at: *at,
        }
    }
}
