//! Alerts: the active ones and the latest that resolved. Takes the alerts of a report; gives JSON. Must not know the
//! rules.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::Serialize;

use super::ApiInputs;
use super::filter::{AlertEnds, FlowFilter};
use super::moment::Rfc3339;
use super::query::{BadParameter, Parameters};
use super::words::{port_number, protocol_text};
use crate::alert::{Alert, AlertEvent, AlertState, AlertView, MAXIMUM_RESOLVED, processes_of};
use crate::detect::{Kind, ScanEvidence, Subject, Target};
use crate::export::family;
use crate::names::{HostName, HostNames, LocalProcess};
use crate::notify::runbook_address;
use crate::packet::Timestamp;
use crate::services::service_name;

/// Alerts of each list if an answer asks for no other number, and the most.
const DEFAULT_ALERTS: usize = 100;
const MAXIMUM_ALERTS: usize = 1_000;

pub(super) const PARAMETERS: [&str; 3] = ["state", "limit", "filter"];

/// The alerts that an answer lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListedStates {
    All,
    Active,
    Resolved,
}

/// A request for alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AlertQuery {
    states: ListedStates,
    limit: usize,
    filter: FlowFilter,
}

impl AlertQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, BadParameter> {
        use ListedStates::{Active, All, Resolved};
        Ok(Self {
            states: parameters.choice("state", &[("all", All), ("active", Active), ("resolved", Resolved)])?,
            limit: parameters.number("limit", DEFAULT_ALERTS, 1, MAXIMUM_ALERTS)?,
            filter: FlowFilter::parse(parameters.text("filter").unwrap_or_default())?,
        })
    }

    pub(super) fn write<W: Write>(&self, inputs: &ApiInputs<'_>, out: W) -> io::Result<()> {
        let view = &inputs.report.alerts;
        let answer = AlertAnswer {
            number: inputs.number,
            active: if self.states == ListedStates::Resolved { Vec::new() } else { self.active(view, inputs) },
            resolved: if self.states == ListedStates::Active { Vec::new() } else { self.resolved(view, inputs) },
            resolved_limit: MAXIMUM_RESOLVED,
            resolved_forgotten: view.resolved.forgotten(),
        };
        Ok(serde_json::to_writer(out, &answer)?)
    }

    /// Firing ones first, then the most severe, then the latest.
    fn active<'a>(&self, view: &'a AlertView, inputs: &'a ApiInputs<'_>) -> Vec<AlertEntry<'a>> {
        let active = view.firing.iter().chain(&view.pending);
        let mut alerts: Vec<&Alert> = active.filter(|alert| passes(alert, &self.filter, inputs)).collect();
        alerts.sort_by_key(|alert| {
            (alert.state != AlertState::Firing, Reverse(alert.severity), Reverse(alert.starts_at), alert.fingerprint)
        });
        alerts.into_iter().take(self.limit).map(|alert| AlertEntry::of(alert, inputs)).collect()
    }

    /// The one that resolved last comes first.
    fn resolved<'a>(&self, view: &'a AlertView, inputs: &'a ApiInputs<'_>) -> Vec<AlertEntry<'a>> {
        let latest = view.resolved.iter().rev().map(Arc::as_ref);
        let alerts = latest.filter(|alert| passes(alert, &self.filter, inputs));
        alerts.take(self.limit).map(|alert| AlertEntry::of(alert, inputs)).collect()
    }
}

fn passes(alert: &Alert, filter: &FlowFilter, inputs: &ApiInputs<'_>) -> bool {
    filter.is_empty() || filter.matches_alert(&ends(alert, inputs.names), inputs.names)
}

/// The firing alerts and those that resolved since `begin`, as many as a list has at most. None without a time.
pub(super) fn listed_in<'a>(inputs: &ApiInputs<'a>, begin: Option<Timestamp>, filter: &FlowFilter) -> Vec<&'a Alert> {
    let Some(begin) = begin else { return Vec::new() };
    let AlertView { firing, resolved, .. } = &inputs.report.alerts;
    let latest = resolved.iter().rev().map(Arc::as_ref).filter(|alert| alert.ends_at.is_some_and(|end| end >= begin));
    let alerts = firing.iter().chain(latest).filter(|alert| passes(alert, filter, inputs));
    alerts.take(MAXIMUM_ALERTS).collect()
}

/// The source that an alert is about.
pub(super) fn source_of(alert: &Alert) -> Option<IpAddr> {
    subject(alert.subject).0
}

/// The parts of an alert that a filter looks at.
fn ends<'a>(alert: &'a Alert, names: &'a HostNames) -> AlertEnds<'a> {
    let (source, destination, network) = subject(alert.subject);
    let targets = || alert.figures.first_targets.iter().chain(&alert.figures.last_targets);
    let addresses = targets().map(|target| IpNet::from(target.address));
    AlertEnds {
        sources: source.map(IpNet::from).into_iter().chain(network).collect(),
        destinations: destination.map(IpNet::from).into_iter().chain(addresses).collect(),
        ports: targets().filter_map(|target| Some((target.protocol?, target.port))).collect(),
        words: vec![alert.kind.label(), &alert.rule, alert.severity.label()],
        processes: processes_of(alert, names),
    }
}

/// The source, the destination and the network that an alert is about.
fn subject(subject: Subject) -> (Option<IpAddr>, Option<IpAddr>, Option<IpNet>) {
    match subject {
        Subject::Source(source) => (Some(source), None, None),
        Subject::Destination(destination) => (None, Some(destination), None),
        Subject::Pair { source, destination } => (Some(source), Some(destination), None),
        Subject::Network(network) => (None, None, Some(network)),
    }
}

/// The number of firing alerts about each address.
pub(super) fn firing_of(alerts: &AlertView) -> BTreeMap<IpAddr, u64> {
    let mut firing = BTreeMap::new();
    for alert in &alerts.firing {
        let (source, destination, _) = subject(alert.subject);
        source.into_iter().chain(destination).for_each(|address| *firing.entry(address).or_default() += 1);
    }
    firing
}

#[derive(Serialize)]
struct AlertAnswer<'a> {
    number: u64,
    active: Vec<AlertEntry<'a>>,
    resolved: Vec<AlertEntry<'a>>,
    resolved_limit: usize,
    resolved_forgotten: u64,
}

#[derive(Serialize)]
struct AlertEntry<'a> {
    fingerprint: String,
    kind: &'static str,
    rule: &'a str,
    state: &'static str,
    severity: &'static str,
    side: &'static str,
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    network: Option<IpNet>,
    source_name: Option<&'a str>,
    source_names: Option<&'a HostName>,
    destination_name: Option<&'a str>,
    destination_names: Option<&'a HostName>,
    starts_at: Rfc3339,
    ends_at: Option<Rfc3339>,
    sentence: String,
    explanation: Option<String>,
    value: f64,
    limit: f64,
    unit: &'static str,
    peak: PeakEntry,
    /// None for scans, which count contacts.
    bytes: Option<u64>,
    scan: Option<ScanEntry>,
    first_targets: Vec<String>,
    last_targets: Vec<String>,
    targets: Vec<TargetEntry<'a>>,
    processes: Vec<&'a LocalProcess>,
    timeline: Vec<TimelineEntry>,
    evidence_url: Option<String>,
    runbook_url: String,
    promql: String,
}

/// A target, with its service and its names as far as they are known.
#[derive(Serialize)]
struct TargetEntry<'a> {
    /// As the lists of targets have it.
    target: String,
    address: IpAddr,
    service: Option<&'static str>,
    name: Option<&'a str>,
    names: Option<&'a HostName>,
}

impl<'a> TargetEntry<'a> {
    fn of(target: &Target, names: &'a HostNames) -> Self {
        let port = target.protocol.zip(target.port);
        Self {
            target: target.to_string(),
            address: target.address,
            service: port.and_then(|(protocol, port)| service_name(protocol, port)),
            name: names.best(target.address),
            names: names.host(target.address),
        }
    }
}

#[derive(Serialize)]
struct PeakEntry {
    value: f64,
    limit: f64,
    at: Rfc3339,
}

/// The contacts that a scan was found by. `tried` is the sum of the three behind it.
#[derive(Serialize)]
struct ScanEntry {
    targets: &'static str,
    network: Option<IpNet>,
    protocol: Option<String>,
    port: Option<u16>,
    tried: u64,
    failed: u64,
    touched: u64,
    used: u64,
    is_estimate: bool,
}

impl ScanEntry {
    fn of(scan: &ScanEvidence, is_estimate: bool) -> Self {
        let &ScanEvidence { network, failed, touched, used, .. } = scan;
        Self {
            targets: if scan.counts_ports { "ports" } else { "hosts" },
            network,
            protocol: scan.port.map(|(protocol, _)| protocol_text(protocol)),
            port: scan.port.and_then(|(_, port)| port_number(port)),
            tried: failed + touched + used,
            failed,
            touched,
            used,
            is_estimate,
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
struct TimelineEntry {
    at: Rfc3339,
    event: &'static str,
}

impl From<(Timestamp, AlertEvent)> for TimelineEntry {
    fn from((at, event): (Timestamp, AlertEvent)) -> Self {
        Self { at: Rfc3339(at), event: event.label() }
    }
}

impl<'a> AlertEntry<'a> {
    fn of(alert: &'a Alert, inputs: &'a ApiInputs<'_>) -> Self {
        let (source, destination, network) = subject(alert.subject);
        let (shown, names) = (alert.shown(), inputs.names);
        let of = |address: Option<IpAddr>| address.and_then(|address| names.host(address));
        let texts = |targets: &[Target]| targets.iter().map(Target::to_string).collect();
        let has_evidence = inputs.evidence.find_episode(alert.fingerprint, alert.starts_at).is_some();
        Self {
            fingerprint: alert.fingerprint.to_string(),
            kind: alert.kind.label(),
            rule: &alert.rule,
            state: alert.state.label(),
            severity: alert.severity.label(),
            side: alert.side.label(),
            source,
            destination,
            network,
            source_name: of(source).and_then(HostName::best),
            source_names: of(source),
            destination_name: of(destination).and_then(HostName::best),
            destination_names: of(destination),
            starts_at: Rfc3339(alert.starts_at),
            ends_at: alert.ends_at.map(Rfc3339),
            sentence: alert.explain(),
            explanation: alert.explain_evidence(),
            value: shown.value,
            limit: shown.limit,
            unit: unit(alert),
            peak: PeakEntry { value: alert.peak.value, limit: alert.peak.limit, at: Rfc3339(alert.peak.at) },
            bytes: (!alert.kind.is_scan()).then_some(shown.bytes),
            scan: shown.scan.map(|scan| ScanEntry::of(&scan, shown.is_estimate)),
            first_targets: texts(&alert.figures.first_targets),
            last_targets: texts(&alert.figures.last_targets),
            targets: alert.all_targets().iter().map(|target| TargetEntry::of(target, names)).collect(),
            processes: processes_of(alert, names),
            timeline: alert.timeline().into_iter().map(TimelineEntry::from).collect(),
            evidence_url: has_evidence.then(|| format!("/alerts/{}/evidence", alert.fingerprint)),
            runbook_url: runbook_address(&inputs.settings.runbooks, alert.kind),
            promql: promql(alert),
        }
    }
}

/// The unit of value and limit.
fn unit(alert: &Alert) -> &'static str {
    match alert.kind {
        Kind::Bandwidth => "bytes",
        Kind::HostScan => "hosts",
        Kind::PortScan => "ports",
        Kind::GroupScan if alert.shown().scan.is_some_and(|scan| scan.counts_ports) => "ports",
        Kind::GroupScan => "hosts",
        Kind::Anomaly => "probability",
        Kind::Policy => "packets",
    }
}

/// The query that shows the value of an alert in Prometheus.
fn promql(alert: &Alert) -> String {
    let (source, destination, network) = subject(alert.subject);
    let mut query =
        format!("{}{{kind=\"{}\",rule=\"{}\"", family::ALERT_VALUE.name, alert.kind.label(), escaped(&alert.rule));
    let mut label = |name: &str, value: Option<String>| {
        // Writing to a text never fails.
        value.map(|value| write!(query, ",{name}=\"{value}\"").ok());
    };
    label("source", source.map(|source| source.to_string()));
    label("destination", destination.map(|destination| destination.to_string()));
    label("network", network.map(|network| network.to_string()));
    query.push('}');
    query
}

/// The value of a label in a query of Prometheus.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
