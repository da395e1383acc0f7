//! Threats in a log: scanners, floods, sweeps, sources that return. Takes activities and alerts; gives threats with the
//! figures that prove them. Must not know formats.
//!
//! Violations and alerts of one address are one threat of each kind: they are two views of the same packets.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::activity::Activity;
use super::alerts::{AlertHistory, AlertSubject};
use super::record::LoggedKind;
use crate::detect::Kind;

/// Different targets, or ports, from which a source counts as a scanner.
const SCANNED: f64 = 15.0;
/// Packets in one second from which they count as a flood.
const FLOOD_PACKETS: f64 = 1_000.0;
/// Periods of activity, each after a pause, from which a source counts as one that returns.
const VISITS: f64 = 3.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ThreatKind {
    /// Many targets on several ports.
    HostScan,
    /// Many ports of few targets.
    PortScan,
    /// Sources of one network that scan together.
    GroupScan,
    /// Many targets on one port.
    SinglePortSweep,
    /// Many packets per second, or many bytes, from one source or network.
    Flood,
    /// Many packets per second, or many bytes, towards one target.
    FloodedTarget,
    /// Activity after several pauses.
    RepeatOffender,
    /// Traffic that differs from its past.
    Anomaly,
}

impl ThreatKind {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::HostScan => "host_scan",
            Self::PortScan => "port_scan",
            Self::GroupScan => "group_scan",
            Self::SinglePortSweep => "single_port_sweep",
            Self::Flood => "flood",
            Self::FloodedTarget => "flooded_target",
            Self::RepeatOffender => "repeat_offender",
            Self::Anomaly => "anomaly",
        }
    }
}

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ThreatUnit {
    Targets,
    Ports,
    PacketsPerSecond,
    Bytes,
    Periods,
    Score,
}

impl ThreatUnit {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Targets => "targets",
            Self::Ports => "ports",
            Self::PacketsPerSecond => "packets_per_second",
            Self::Bytes => "bytes",
            Self::Periods => "periods",
            Self::Score => "score",
        }
    }
}

/// A figure that reached its threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ThreatFigure {
    pub(super) value: f64,
    pub(super) threshold: f64,
    pub(super) unit: ThreatUnit,
}

impl ThreatFigure {
    /// The multiple of the threshold, which compares figures of different units.
    fn excess(self) -> f64 {
        self.value / self.threshold.max(f64::MIN_POSITIVE)
    }
}

/// The alerts of one subject, by kind.
pub(super) type SubjectAlerts<'a> = Vec<(LoggedKind, &'a AlertHistory)>;

/// A threat, with the activity and the alerts that prove it.
#[derive(Debug, Clone)]
pub(super) struct Threat<'a> {
    pub(super) kind: ThreatKind,
    pub(super) subject: AlertSubject,
    pub(super) figure: ThreatFigure,
    /// True if the violations alone reach the threshold.
    pub(super) rests_on_events: bool,
    /// The alerts that it rests on.
    pub(super) alerts: SubjectAlerts<'a>,
    /// All that the subject did; none for a network.
    pub(super) activity: Option<&'a Activity>,
}

/// The threats of all sources, targets and networks: by kind, those furthest over their threshold first, at most `most`
/// of each kind.
pub(super) fn find<'a>(
    sources: impl Iterator<Item = (&'a IpAddr, &'a Activity)>,
    targets: impl Iterator<Item = (&'a IpAddr, &'a Activity)>,
    alerts: impl Iterator<Item = (LoggedKind, AlertSubject, &'a AlertHistory)>,
    most: usize,
) -> Vec<Threat<'a>> {
    let mut by_subject: BTreeMap<AlertSubject, SubjectAlerts<'a>> = BTreeMap::new();
    for (kind, subject, history) in alerts {
        by_subject.entry(subject).or_default().push((kind, history));
    }
    let sources = sources.map(|(source, activity)| (AlertSubject::Source(*source), activity));
    let targets = targets.map(|(target, activity)| (AlertSubject::Target(*target), activity));
    let mut threats = Vec::new();
    for (subject, activity) in sources.chain(targets) {
        let alerts = by_subject.remove(&subject).unwrap_or_default();
        threats.extend(Findings { subject, activity: Some(activity), alerts }.threats());
    }
    // Networks, and addresses that the full tables have forgotten.
    for (subject, alerts) in by_subject {
        threats.extend(Findings { subject, activity: None, alerts }.threats());
    }
    threats.sort_by(order);
    let mut listed: (Option<ThreatKind>, usize) = (None, 0);
    threats.retain(|threat| {
        listed = if listed.0 == Some(threat.kind) { (listed.0, listed.1 + 1) } else { (Some(threat.kind), 1) };
        listed.1 <= most
    });
    threats
}

fn order(one: &Threat<'_>, other: &Threat<'_>) -> Ordering {
    let by_excess = other.figure.excess().total_cmp(&one.figure.excess());
    one.kind.cmp(&other.kind).then(by_excess).then(one.subject.cmp(&other.subject))
}

/// All that the log has of a subject.
struct Findings<'a> {
    subject: AlertSubject,
    activity: Option<&'a Activity>,
    alerts: SubjectAlerts<'a>,
}

impl<'a> Findings<'a> {
    fn threats(&self) -> impl Iterator<Item = Threat<'a>> {
        let found = match self.subject {
            AlertSubject::Source(_) => vec![
                self.scan_of_hosts(),
                self.by(ThreatKind::PortScan, self.ports(), Kind::PortScan, ThreatUnit::Ports),
                self.flood(ThreatKind::Flood),
                self.repeat_offender(),
                self.by(ThreatKind::Anomaly, None, Kind::Anomaly, ThreatUnit::Score),
            ],
            AlertSubject::Target(_) => vec![self.flood(ThreatKind::FloodedTarget)],
            AlertSubject::Network(_) => vec![
                self.by(ThreatKind::GroupScan, None, Kind::GroupScan, ThreatUnit::Targets),
                self.flood(ThreatKind::Flood),
            ],
        };
        found.into_iter().flatten()
    }

    fn scan_of_hosts(&self) -> Option<Threat<'a>> {
        let is_sweep = self.activity.is_some_and(|activity| activity.ports.count() == 1);
        let kind = if is_sweep { ThreatKind::SinglePortSweep } else { ThreatKind::HostScan };
        let targets = self.figure(SCANNED, ThreatUnit::Targets, |activity| activity.peers.count());
        self.by(kind, targets, Kind::HostScan, ThreatUnit::Targets)
    }

    fn ports(&self) -> Option<ThreatFigure> {
        self.figure(SCANNED, ThreatUnit::Ports, |activity| activity.ports.count())
    }

    fn flood(&self, kind: ThreatKind) -> Option<Threat<'a>> {
        let unit = ThreatUnit::PacketsPerSecond;
        let events = self.figure(FLOOD_PACKETS, unit, |activity| activity.busiest.peak().total());
        let figures = self.alerts.iter().filter_map(|(kind, history)| {
            let (value, threshold, unit) = match kind {
                LoggedKind::Known(Kind::Bandwidth) => (history.peak, history.limit, ThreatUnit::Bytes),
                // The busiest second of a window has at least the mean.
                LoggedKind::Known(Kind::Policy) if history.peak_per_second() >= FLOOD_PACKETS => {
                    (history.peak_per_second(), FLOOD_PACKETS, unit)
                }
                _ => return None,
            };
            Some((*kind, *history, ThreatFigure { value, threshold, unit }))
        });
        self.threat(kind, events, figures.collect())
    }

    fn repeat_offender(&self) -> Option<Threat<'a>> {
        let figure = self.figure(VISITS, ThreatUnit::Periods, |activity| activity.periods.count())?;
        let has_events = self.activity.is_some_and(Activity::has_violations);
        let figures = self.alerts.iter().map(|(kind, history)| (*kind, *history, figure)).collect();
        self.threat(ThreatKind::RepeatOffender, has_events.then_some(figure), figures)
    }

    /// The threat of events that reach their threshold and of alerts of one kind.
    fn by(&self, kind: ThreatKind, events: Option<ThreatFigure>, of: Kind, unit: ThreatUnit) -> Option<Threat<'a>> {
        let alerts = self.alerts.iter().filter(|(kind, _)| *kind == LoggedKind::Known(of));
        let figures = alerts.map(|(kind, history)| {
            (*kind, *history, ThreatFigure { value: history.peak, threshold: history.limit, unit })
        });
        self.threat(kind, events, figures.collect())
    }

    /// The figure of the activity, if it reaches the threshold.
    fn figure(&self, threshold: f64, unit: ThreatUnit, value: impl Fn(&Activity) -> u64) -> Option<ThreatFigure> {
        let value = self.activity.map(value)? as f64;
        (value >= threshold).then_some(ThreatFigure { value, threshold, unit })
    }

    /// The threat with the figure of the events; with that of an alert if it is the only one, or higher in the same unit.
    fn threat(
        &self,
        kind: ThreatKind,
        events: Option<ThreatFigure>,
        alerts: Vec<(LoggedKind, &'a AlertHistory, ThreatFigure)>,
    ) -> Option<Threat<'a>> {
        let figure = alerts.iter().map(|(_, _, figure)| *figure).fold(events, |best, figure| match best {
            Some(best) if best.unit != figure.unit || best.value >= figure.value => Some(best),
            _ => Some(figure),
        })?;
        Some(Threat {
            kind,
            subject: self.subject,
            figure,
            rests_on_events: events.is_some(),
            alerts: alerts.into_iter().map(|(kind, history, _)| (kind, history)).collect(),
            activity: self.activity,
        })
    }
}
