//! The life of alerts. Takes detections and packet time; gives changes of alerts. Must not read a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::exclusion::exclude;
use super::space::AlertSpace;
use super::{
    Alert, AlertNames, AlertState, AlertView, Change, Config, DroppedDetections, Fingerprint, Peak, ResolvedAlerts,
    Side,
};
use crate::detect::{Detection, Figures, Kind, Level, Span, Subject, Target};
use crate::locality::{self, Classifier};
use crate::packet::Timestamp;

/// At most one alert is active for each key.
type AlertKey = (Kind, Arc<str>, Subject);

/// An alert with the times that decide on its end.
#[derive(Debug)]
struct Active {
    alert: Alert,
    /// The time at which the rule first held. For a firing alert, the time at which it began to fire, or the clock was
    /// set.
    since: Timestamp,
    /// The time at which the alert resolves if no further detection comes.
    due: Option<Timestamp>,
    /// True if the figure was clearly below its limit, and not above it since.
    is_under: bool,
    /// The largest peers at the peak of a bandwidth alert; empty for others.
    peak_peers: Vec<Target>,
}

/// The alerts that are pending or fire.
#[derive(Debug)]
pub struct Alerts {
    config: Config,
    classifier: Arc<Classifier>,
    active: BTreeMap<AlertKey, Active>,
    space: AlertSpace,
    /// Firing alerts, by the time at which they resolve.
    due: BTreeSet<(Timestamp, AlertKey)>,
    resolved: ResolvedAlerts,
    fired_total: BTreeMap<(Kind, Arc<str>), u64>,
    dropped_total: DroppedDetections,
    excluded_total: u64,
}

impl Alerts {
    /// No alerts yet. Until [`Alerts::set_classifier`] is called, the private networks are local.
    pub fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            classifier: Arc::new(Classifier::new(&locality::Config::default(), [])),
            active: BTreeMap::new(),
            space: AlertSpace::new(config.max_alerts),
            due: BTreeSet::new(),
            resolved: ResolvedAlerts::default(),
            fired_total: BTreeMap::new(),
            dropped_total: DroppedDetections::default(),
            excluded_total: 0,
        }
    }

    /// Sets the local networks. Existing alerts keep their side.
    pub fn set_classifier(&mut self, classifier: Arc<Classifier>) {
        self.classifier = classifier;
    }

    /// Registers the rules that may fire, so that their counters start at 0.
    pub fn expect_rules<'a>(&mut self, rules: impl IntoIterator<Item = &'a (Kind, Arc<str>)>) {
        for rule in rules {
            self.fired_total.entry(rule.clone()).or_default();
        }
    }

    /// Takes detections; gives the changes of alerts up to `now`, ordered by time, then kind, rule and subject. No
    /// later call may have a detection from before `now`.
    pub fn apply(&mut self, detections: &[Detection], now: Timestamp) -> Vec<Change> {
        let mut ordered: Vec<&Detection> = detections.iter().collect();
        ordered.sort_by_key(|found| (found.at, found.kind, &found.rule, found.subject));
        let mut changes = Vec::new();
        for detection in ordered {
            self.resolve_due(|due| due < detection.at, &mut changes);
            if exclude(&self.config.exclusions, detection) {
                self.excluded_total += u64::from(detection.level == Level::Over);
            } else {
                changes.extend(self.take(detection));
            }
        }
        self.resolve_due(|due| due <= now, &mut changes);
        changes
    }

    fn take(&mut self, detection: &Detection) -> Option<Change> {
        let key = (detection.kind, Arc::clone(&detection.rule), detection.subject);
        if detection.level == Level::Over && !self.active.contains_key(&key) {
            let side = Side::of(&detection.subject, &self.classifier);
            if !self.space.has_space(detection.kind, side) {
                self.dropped_total[detection.kind as usize] += 1;
                return None;
            }
            self.space.add(detection.kind, side);
            self.active.insert(key.clone(), Active::new(detection, &self.config, side));
        }
        let active = self.active.get_mut(&key)?;
        let is_pending = active.alert.state == AlertState::Pending;
        if is_pending && detection.level != Level::Over {
            self.remove(&key);
            return None;
        }
        active.update(detection);
        if is_pending && detection.at.since(active.since) < self.config.pending {
            return None;
        }
        let fired = is_pending.then(|| active.fire(detection.at));
        let due = active.end(detection, self.config.hold);
        self.set_due(&key, due);
        if fired.is_some() {
            *self.fired_total.entry((key.0, key.1)).or_default() += 1;
        }
        fired
    }

    fn remove(&mut self, key: &AlertKey) -> Option<Active> {
        let active = self.active.remove(key)?;
        self.space.remove(active.alert.kind, active.alert.side);
        Some(active)
    }

    fn forget_pending(&mut self) {
        let space = &mut self.space;
        self.active.retain(|_, Active { alert, .. }| {
            let is_kept = alert.state == AlertState::Firing;
            if !is_kept {
                space.remove(alert.kind, alert.side);
            }
            is_kept
        });
    }

    fn set_due(&mut self, key: &AlertKey, due: Timestamp) {
        let Some(active) = self.active.get_mut(key) else { return };
        let before = active.due.replace(due);
        if before == Some(due) {
            return;
        }
        if let Some(before) = before {
            self.due.remove(&(before, key.clone()));
        }
        self.due.insert((due, key.clone()));
    }

    /// Resolves the alerts that are due, in order.
    fn resolve_due(&mut self, is_due: impl Fn(Timestamp) -> bool, changes: &mut Vec<Change>) {
        while self.due.first().is_some_and(|(due, _)| is_due(*due)) {
            if let Some((due, key)) = self.due.pop_first() {
                changes.extend(self.resolve(&key, due));
            }
        }
    }

    fn resolve(&mut self, key: &AlertKey, at: Timestamp) -> Option<Change> {
        let Active { mut alert, peak_peers, .. } = self.remove(key)?;
        if !peak_peers.is_empty() {
            alert.figures.first_targets = peak_peers;
        }
        alert.state = AlertState::Resolved;
        alert.ends_at = Some(at.max(alert.starts_at));
        self.resolved.push(alert.clone());
        Some(Change::Resolved(alert))
    }

    /// Continues after the clock was set to `to`. Firing alerts fire for at least the hold; pending ones are forgotten.
    pub fn restart(&mut self, to: Timestamp) {
        self.forget_pending();
        self.due.clear();
        for (key, active) in &mut self.active {
            active.since = to;
            // Times before and after the clock was set cannot be compared.
            active.alert.span = None;
            active.is_under = false;
            let due = to + self.config.hold.saturating_add(active.alert.figures.window);
            active.due = Some(due);
            self.due.insert((due, key.clone()));
        }
    }

    /// The packets of a file ended with the one at `last`: firing alerts are resolved then, or when they began if that is
    /// later. Pending ones are forgotten.
    pub fn finish(&mut self, last: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        self.resolve_due(|due| due <= last, &mut changes);
        self.due.clear();
        self.forget_pending();
        while let Some((key, _)) = self.active.first_key_value() {
            let key = key.clone();
            changes.extend(self.resolve(&key, last));
        }
        changes
    }

    /// The detections over their limit that found no space for an alert, since the start.
    pub(crate) const fn dropped(&self) -> &DroppedDetections {
        &self.dropped_total
    }

    /// The alerts, for readers.
    pub fn view(&self) -> AlertView {
        let alerts = self.active.values().map(|active| active.alert.clone());
        let (firing, pending) = alerts.partition(|alert| alert.state == AlertState::Firing);
        AlertView {
            firing,
            pending,
            resolved: self.resolved.clone(),
            memory_bytes: self.memory_bytes() as u64,
            limit: self.config.max_alerts,
            fired_total: self.fired_total.clone(),
            dropped_total: self.dropped_total,
            excluded_total: self.excluded_total,
        }
    }

    /// Memory in bytes, with the copies of active alerts in the view that was published last.
    fn memory_bytes(&self) -> usize {
        let keys = self.active.len() * (size_of::<AlertKey>() + size_of::<(Timestamp, AlertKey)>());
        let alerts = self.active.values().map(|active| active.memory_bytes());
        keys + alerts.sum::<usize>() + self.resolved.memory_bytes()
    }
}

impl Active {
    fn new(detection: &Detection, config: &Config, side: Side) -> Self {
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
    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + 2 * self.alert.memory_bytes() + self.peak_peers.capacity() * size_of::<Target>()
    }

    fn fire(&mut self, at: Timestamp) -> Change {
        self.since = at;
        self.alert.state = AlertState::Firing;
        self.alert.fired_at = Some(at);
        Change::Fired(self.alert.clone())
    }

    /// Takes over the figures of a detection. Targets and span are taken only from detections over the limit.
    fn update(&mut self, detection: &Detection) {
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
    fn end(&mut self, detection: &Detection, hold: Duration) -> Timestamp {
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
