//! Alerts: pending, firing, resolved. Takes detections and packet time; gives changes of alerts. Must not know
//! receivers.
//!
//! One alert is one episode of a subject: a subject has at most one active alert for each kind and rule. The alert
//! fires when the rule has held for the pending time. It resolves when the figure is clearly below its limit
//! ([`Level::Under`]) and the alert has fired for the hold. This hysteresis keeps an alert about a source near its
//! limit from flapping. Start and end are Alertmanager's `startsAt` and `endsAt`; the pending time is `for` of
//! Prometheus' alerting rules.
//!
//! All times are packet time. It does not matter in how many calls detections come.
//!
//! [`Level::Under`]: crate::detect::Level::Under

mod active;
mod evidence;
mod exclusion;
mod explain;
mod fingerprint;
mod lifecycle;
mod names;
mod resolved;
mod severity;
mod space;
mod timeline;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::detect::scan::MAXIMUM_EXCLUDED;
use crate::detect::{Figures, Kind, LargestPeer, ScanEvidence, Span, Subject, Target};
use crate::packet::Timestamp;
pub use evidence::{EvidenceFile, EvidenceIndex};
pub use exclusion::Exclusion;
pub use fingerprint::Fingerprint;
pub use lifecycle::Alerts;
pub use names::{AlertNames, Conversation, EndNames, processes_of};
pub use resolved::{MAXIMUM_RESOLVED, ResolvedAlerts};
pub use severity::{Severities, Severity, SeverityRule, Side};
pub use timeline::AlertEvent;

/// Settings of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Time that a rule must hold before its alert fires.
    pub pending: Duration,
    /// Least time that an alert fires.
    pub hold: Duration,
    /// The most alerts that are pending or firing. A 24th of it is reserved for each kind on each side. At the limit a
    /// new alert is only counted. It fires later if its rule still holds when another alert has resolved. Existing
    /// alerts are kept. Of the kind policy at most 100 alerts of each side are active.
    pub max_alerts: usize,
    /// Detections that never become alerts.
    pub exclusions: Vec<Exclusion>,
    /// The severity of each kind on each side.
    pub severities: Severities,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            pending: Duration::ZERO,
            hold: Duration::from_secs(60),
            max_alerts: 10_000,
            exclusions: Vec::new(),
            severities: Severities::default(),
        }
    }
}

/// A mistake in a [`Config`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The limit on alerts is 0.
    #[error("max_alerts is 0: no alert could fire; give a number such as 10000")]
    NoRoom,
    /// An exclusion without any condition.
    #[error(
        "exclusion {0} excludes everything; give a network, a source, a destination, a port, a source_port or a kind"
    )]
    ExcludesEverything(usize),
    /// A port that no target has.
    #[error("exclusion {0}: 0 is not a valid port; use 1 to 65535")]
    PortZero(usize),
    /// A port of a source for alerts without contacts.
    #[error("exclusion {0}: {1} alerts know no ports; remove source_port, or the kind")]
    KindWithoutPorts(usize, &'static str),
    /// Both ends of traffic for alerts that are about one.
    #[error("exclusion {0}: a bandwidth alert is about one address; give either source or destination")]
    BothEndsOfBandwidth(usize),
    /// A destination for alerts that are about a source.
    #[error("exclusion {0}: a policy alert is about a source; remove destination")]
    DestinationOfPolicy(usize),
    /// Two ends between which there is no traffic.
    #[error("exclusion {0}: source {1} and destination {2} are of different IP versions, so nothing matches")]
    DifferentVersions(usize, IpNet, IpNet),
    /// More excluded contacts than each contact can be compared with.
    #[error("{0} exclusions with source, destination or source_port; use at most {MAXIMUM_EXCLUDED}")]
    TooManyContacts(usize),
}

impl Config {
    /// Checks the settings.
    ///
    /// # Errors
    /// The first thing that is wrong; exclusions are counted from 1.
    pub fn validate(&self) -> Result<(), Error> {
        if self.max_alerts == 0 {
            return Err(Error::NoRoom);
        }
        for (number, exclusion) in (1..).zip(&self.exclusions) {
            if *exclusion == Exclusion::default() {
                return Err(Error::ExcludesEverything(number));
            }
            exclusion.validate(number)?;
        }
        match self.exclusions.iter().filter_map(Exclusion::contacts).count() {
            0..=MAXIMUM_EXCLUDED => Ok(()),
            contacts => Err(Error::TooManyContacts(contacts)),
        }
    }
}

/// The state of an alert in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// The rule holds, but not yet for the pending time.
    Pending,
    /// The rule has held for the pending time.
    Firing,
    /// The episode is over.
    Resolved,
}

impl AlertState {
    /// The value of the label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// The figures of the moment at which the value was highest in an episode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// The value that is compared with the limit.
    pub value: f64,
    /// The limit at that moment. That of a scan grows with the answered contacts.
    pub limit: f64,
    /// IP bytes in the window at that moment.
    pub bytes: u64,
    /// Contacts that were answered in the window at that moment; none for rules that do not ask.
    pub answered: Option<u64>,
    /// The targets that a scan was found by at that moment; none for other rules.
    pub scan: Option<ScanEvidence>,
    /// The largest peer of a subject over its bandwidth limit, as it was measured last at that moment.
    pub largest_peer: Option<LargestPeer>,
    /// True if `value` and `answered` are estimates.
    pub is_estimate: bool,
    /// The moment at which the value was first so high.
    pub at: Timestamp,
}

/// An alert in its present state.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The same in every episode of the same subject, kind and rule.
    pub fingerprint: Fingerprint,
    /// Kind of activity.
    pub kind: Kind,
    /// The rule's name.
    pub rule: Arc<str>,
    /// The addresses or network that it is about.
    pub subject: Subject,
    /// Pending, firing or resolved.
    pub state: AlertState,
    /// Its urgency. It stays the same for as long as the alert lives.
    pub severity: Severity,
    /// The side that the subject was on when the alert began.
    pub side: Side,
    /// The moment on the packets' clock at which the rule became true.
    pub starts_at: Timestamp,
    /// The moment at which it began to fire; none while it is pending.
    pub fired_at: Option<Timestamp>,
    /// The moment at which it resolved.
    pub ends_at: Option<Timestamp>,
    /// The first and the last packet that counted while the rule held.
    pub span: Option<Span>,
    /// The latest figures. The first targets are those of the episode, the last ones the latest over the limit. For
    /// bandwidth, the first targets are the largest peers as they were measured last; for a resolved alert, at its peak.
    pub figures: Figures,
    /// The highest figures so far.
    pub peak: Peak,
    /// Names for people, as far as the receivers of changes know them. Detection knows none.
    pub names: AlertNames,
}

impl Alert {
    /// Memory in bytes. The name of the rule is shared.
    fn memory_bytes(&self) -> usize {
        let Figures { first_targets, last_targets, .. } = &self.figures;
        size_of::<Self>() + (first_targets.capacity() + last_targets.capacity()) * size_of::<Target>()
    }

    /// The figures to show, all of one moment: the latest while it fires, those of the peak once it has resolved.
    pub fn shown(&self) -> Peak {
        let Figures { value, limit, bytes, answered, scan, largest_peer, is_estimate, .. } = self.figures;
        match self.state {
            AlertState::Resolved => self.peak,
            AlertState::Pending | AlertState::Firing => {
                Peak { value, limit, bytes, answered, scan, largest_peer, is_estimate, at: self.peak.at }
            }
        }
    }
}

/// A change of an alert.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It fires now.
    Fired(Alert),
    /// It is over.
    Resolved(Alert),
}

impl Change {
    /// The same change with names.
    #[must_use]
    pub fn with_names(&self, names: AlertNames) -> Self {
        match self.clone() {
            Self::Fired(alert) => Self::Fired(Alert { names, ..alert }),
            Self::Resolved(alert) => Self::Resolved(Alert { names, ..alert }),
        }
    }

    /// The alert as it is now.
    pub const fn alert(&self) -> &Alert {
        match self {
            Self::Fired(alert) | Self::Resolved(alert) => alert,
        }
    }
}

/// Receives the changes of alerts.
pub trait AlertSink {
    /// Receives a change, in the order of packet time.
    fn notify(&mut self, change: &Change);
}

/// Discards all changes.
impl AlertSink for () {
    fn notify(&mut self, _: &Change) {}
}

/// Numbers of detections over their limit that found no space for an alert, in the order of [`Kind::ALL`].
pub type DroppedDetections = [u64; Kind::ALL.len()];

/// The alerts, as readers see them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlertView {
    /// Firing alerts, ordered by kind, rule and subject.
    pub firing: Vec<Alert>,
    /// Pending alerts, in the same order.
    pub pending: Vec<Alert>,
    /// The last alerts that resolved.
    pub resolved: ResolvedAlerts,
    /// Most alerts that may be pending or firing.
    pub limit: usize,
    /// Number of alerts that fired since the start, by kind and rule. Configured rules are there from the start, with
    /// 0.
    pub fired_total: BTreeMap<(Kind, Arc<str>), u64>,
    /// Number of detections over their limit since the start that found no space for an alert.
    pub dropped_total: DroppedDetections,
    /// Number of detections over their limit since the start that were excluded.
    pub excluded_total: u64,
    /// Memory of all alerts in bytes: active ones with their copies in this view, and resolved ones.
    pub memory_bytes: u64,
}

#[cfg(test)]
pub(crate) mod tests;
