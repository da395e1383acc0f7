//! The life of alerts. Takes detections and packet time; gives changes of alerts. Must not read a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::active::Active;
use super::exclusion::exclude;
use super::resolved::ResolvedStore;
use super::space::AlertSpace;
use super::{AlertState, AlertView, Change, Config, DroppedDetections, Side};
use crate::detect::{Detection, Kind, Level, Subject};
use crate::locality::{self, Classifier};
use crate::packet::Timestamp;

/// At most one alert is active for each key.
type AlertKey = (Kind, Arc<str>, Subject);

/// The alerts that are pending or fire.
#[derive(Debug)]
pub struct Alerts {
    config: Config,
    classifier: Arc<Classifier>,
    active: BTreeMap<AlertKey, Active>,
    space: AlertSpace,
    /// Firing alerts, by the time at which they resolve.
    due: BTreeSet<(Timestamp, AlertKey)>,
    resolved: ResolvedStore,
    fired_total: BTreeMap<(Kind, Arc<str>), u64>,
    dropped_total: DroppedDetections,
    excluded_total: u64,
    /// The alerts that were active when the exclusions changed last, and had no detection since.
    unchecked: BTreeSet<AlertKey>,
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
            resolved: ResolvedStore::default(),
            fired_total: BTreeMap::new(),
            dropped_total: DroppedDetections::default(),
            excluded_total: 0,
            unchecked: BTreeSet::new(),
        }
    }

    /// Goes on with other settings. Existing alerts keep their severity. Those that are excluded now end with their next
    /// detection.
    pub fn configure(&mut self, config: &Config) {
        if config.exclusions != self.config.exclusions {
            self.unchecked = self.active.keys().cloned().collect();
        }
        self.space.set_limit(config.max_alerts);
        self.config = config.clone();
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
                self.end_excluded(detection);
            } else {
                self.check(detection);
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

    /// Notes that the new exclusions do not exclude a detection.
    fn check(&mut self, detection: &Detection) {
        if !self.unchecked.is_empty() {
            self.unchecked.remove(&(detection.kind, Arc::clone(&detection.rule), detection.subject));
        }
    }

    /// Ends an alert that began before its detections were excluded: after the hold, as if its figure were low.
    fn end_excluded(&mut self, detection: &Detection) {
        let key = (detection.kind, Arc::clone(&detection.rule), detection.subject);
        if !self.unchecked.remove(&key) {
            return;
        }
        match self.active.get(&key) {
            Some(active) if active.alert.state == AlertState::Firing => {
                let due = (active.since + self.config.hold).max(detection.at);
                self.set_due(&key, active.due.map_or(due, |before| before.min(due)));
            }
            Some(_) => drop(self.remove(&key)),
            None => {}
        }
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
            resolved: self.resolved.kept(),
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
