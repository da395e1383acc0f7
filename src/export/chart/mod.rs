//! The JSON of TrafficAlerted: sources with their destinations (`/active`, `/all`), and the limits (`/capabilities`).
//! Takes a report; gives JSON. Must not know requests.
//!
//! If an event type of TrafficAlerted applies to a source, it is used; otherwise one of the program's own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::Report;
use crate::alert::Alert;
use crate::detect::Talker;
use crate::detect::{Kind, Subject, bandwidth, scan};

/// Most sources whose destinations are listed; further sources come without destinations.
const MAXIMUM_DETAILED: usize = 1_000;

/// The sources to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Sources with a firing alert.
    Active {
        /// Explain each alert in a sentence.
        explains: bool,
    },
    /// Sources with at least this many bytes in their window.
    AtLeast(u64),
}

/// A source, its activity and its destinations.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Event<'a> {
    event_type: &'static str,
    #[serde(rename = "SourceIP")]
    source: IpAddr,
    #[serde(rename = "DestinationIP")]
    destinations: Vec<Destination>,
    total_bytes: u64,
    /// Its firing alerts in sentences, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    explanations: Vec<String>,
    #[serde(skip)]
    talker: Option<&'a Talker>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    #[serde(rename = "IP")]
    address: IpAddr,
    bytes: u64,
}

/// Writes the sources as a JSON array, the heaviest first. Writes one at a time, so that memory never has the whole
/// array.
pub fn write<W: Write>(report: &Report, listed: Listed, mut out: W) -> io::Result<()> {
    out.write_all(b"[")?;
    for (place, mut event) in events(report, listed).into_iter().enumerate() {
        if place > 0 {
            out.write_all(b",")?;
        }
        if place < MAXIMUM_DETAILED {
            event.destinations = event.talker.map(destinations).unwrap_or_default();
        }
        serde_json::to_writer(&mut out, &event)?;
    }
    out.write_all(b"]\n")
}

/// The sources in order, without their destinations.
fn events(report: &Report, listed: Listed) -> Vec<Event<'_>> {
    let firing = firing(&report.alerts.firing);
    let talkers: BTreeMap<IpAddr, &Talker> =
        report.detection.chart.iter().map(|talker| (talker.source, talker)).collect();
    let sources: BTreeSet<IpAddr> = match listed {
        Listed::Active { .. } => firing.keys().copied().collect(),
        Listed::AtLeast(bytes) => {
            talkers.values().filter(|talker| talker.total_bytes >= bytes).map(|talker| talker.source).collect()
        }
    };
    let explains = listed == Listed::Active { explains: true };
    let explanations = |source: IpAddr| {
        let of_source = report.alerts.firing.iter().filter(|alert| explains && sender(alert) == Some(source));
        of_source.flat_map(|alert| [Some(alert.explain()), alert.explain_evidence()]).flatten().collect()
    };
    let event = |source| {
        let (talker, alerts) = (talkers.get(&source).copied(), firing.get(&source).copied().unwrap_or_default());
        let total_bytes = talker.map_or(alerts.bytes, |talker| talker.total_bytes);
        Event {
            event_type: alerts.event_type(),
            source,
            destinations: Vec::new(),
            total_bytes,
            explanations: explanations(source),
            talker,
        }
    };
    let mut events: Vec<Event<'_>> = sources.into_iter().map(event).collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.total_bytes));
    events
}

fn destinations(talker: &Talker) -> Vec<Destination> {
    talker.destinations.iter().map(|&(address, bytes)| Destination { address, bytes }).collect()
}

/// The firing alerts of a source.
#[derive(Debug, Clone, Copy, Default)]
struct Firing {
    bandwidth: bool,
    scan: bool,
    anomaly: bool,
    policy: bool,
    /// The most bytes that its alerts name.
    bytes: u64,
}

impl Firing {
    const fn event_type(self) -> &'static str {
        match (self.bandwidth, self.scan) {
            (true, true) => "TRAFFIC+SCANNING",
            (true, false) => "TRAFFIC",
            (false, true) => "SCANNING",
            (false, false) if self.policy => "POLICY",
            (false, false) if self.anomaly => "ANOMALY",
            (false, false) => "",
        }
    }
}

fn sender(alert: &Alert) -> Option<IpAddr> {
    match alert.subject {
        Subject::Source(source) | Subject::Pair { source, .. } => Some(source),
        Subject::Destination(_) | Subject::Network(_) => None,
    }
}

fn firing(alerts: &[Alert]) -> BTreeMap<IpAddr, Firing> {
    let mut firing: BTreeMap<IpAddr, Firing> = BTreeMap::new();
    for alert in alerts {
        let Some(source) = sender(alert) else { continue };
        let of_source = firing.entry(source).or_default();
        of_source.bytes = of_source.bytes.max(alert.figures.bytes);
        match alert.kind {
            Kind::Bandwidth => of_source.bandwidth = true,
            Kind::HostScan | Kind::PortScan | Kind::GroupScan => of_source.scan = true,
            Kind::Anomaly => of_source.anomaly = true,
            Kind::Policy => of_source.policy = true,
        }
    }
    firing
}

/// TrafficAlerted's settings with their values.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Capabilities {
    /// The window of bandwidth, in seconds.
    #[serde(serialize_with = "in_seconds")]
    pub traffic_interval: Duration,
    /// Bytes that a source may send in it.
    pub byte_limit: u64,
    /// Destinations are not kept.
    pub no_destinations: bool,
    /// Sources with so many bytes are charted.
    pub chart_min_bytes: u64,
    /// Interfaces that are left out.
    pub excluded_interfaces: Vec<String>,
    /// True if contacted hosts are counted.
    #[serde(rename = "ContactedIPsAnalyze")]
    pub contacted_ips_analyze: bool,
    /// Hosts that a source may contact.
    #[serde(rename = "NumberContactedIPs")]
    pub number_contacted_ips: u32,
    /// True if contacted ports are counted.
    pub analyze_ports: bool,
    /// Ports that a source may contact.
    pub num_contacted_ports: u32,
    /// The window of contacted ports, in seconds.
    #[serde(serialize_with = "in_seconds")]
    pub port_interval: Duration,
    /// `/active` explains each alert.
    #[serde(skip)]
    pub explains: bool,
}

impl Default for Capabilities {
    /// The capabilities of the default configuration.
    fn default() -> Self {
        Self::of(&bandwidth::Config::default(), &scan::Config::default(), &[])
    }
}

impl Capabilities {
    /// These settings in TrafficAlerted's words.
    pub fn of(bandwidth: &bandwidth::Config, scan: &scan::Config, excluded_interfaces: &[String]) -> Self {
        Self {
            traffic_interval: bandwidth.interval,
            byte_limit: bandwidth.limit_bytes,
            no_destinations: bandwidth.no_destinations,
            chart_min_bytes: bandwidth.chart_min_bytes,
            excluded_interfaces: excluded_interfaces.to_vec(),
            contacted_ips_analyze: scan.analyze_hosts,
            number_contacted_ips: scan.contacted_ips,
            analyze_ports: scan.analyze_ports,
            num_contacted_ports: scan.contacted_ports,
            port_interval: scan.port_interval,
            explains: false,
        }
    }

    /// Writes them as a JSON object.
    pub fn write<W: Write>(&self, mut out: W) -> io::Result<()> {
        serde_json::to_writer(&mut out, self)?;
        out.write_all(b"\n")
    }
}

/// A whole number, as TrafficAlerted has it, where it is one.
fn in_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    match duration.subsec_nanos() {
        0 => serializer.serialize_u64(duration.as_secs()),
        _ => serializer.serialize_f64(duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests;
