//! The report of an analysis, as JSON. Takes an analysis; gives plain values. Must not know how they were counted.
//!
//! docs/event-logs.md describes the fields. A change of their meaning raises [`SCHEMA`].

use serde::Serialize;

use super::activity::{Activity, EventTally, LinePlace};
use super::threats::{self, Threat};
use super::timeline::Timeline;
use super::{Analysis, ReadLog};
use crate::events::line::rfc_3339_nanoseconds;
use crate::packet::{Protocol, Timestamp};
use crate::services::{protocol_name, service_name};

/// The version of the schema.
const SCHEMA: u32 = 1;

/// The report of an analysis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnalysisReport {
    pub(super) schema: u32,
    pub(super) logs: Vec<LogEntry>,
    pub(super) totals: TotalFigures,
    pub(super) span: Option<TimeSpan>,
    pub(super) alerts: Vec<AlertFigures>,
    pub(super) sources: Vec<AddressFigures>,
    pub(super) targets: Vec<AddressFigures>,
    pub(super) ports: Vec<PortFigures>,
    pub(super) protocols: Vec<ProtocolFigures>,
    pub(super) rate: RateFigures,
    pub(super) threats: Vec<ThreatFigures>,
    pub(super) errors: EstimateErrors,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LogEntry {
    pub(super) name: String,
    pub(super) format: &'static str,
    pub(super) lines: u64,
    pub(super) events: u64,
    pub(super) broken_lines: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct TotalFigures {
    pub(super) events: u64,
    pub(super) violations: u64,
    pub(super) alerts: u64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) dropped_packets: u64,
    pub(super) suppressed_packets: u64,
    pub(super) broken_lines: u64,
    pub(super) sources: u64,
    pub(super) targets: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct TimeSpan {
    pub(super) first: String,
    pub(super) last: String,
    pub(super) seconds: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct AlertFigures {
    pub(super) kind: &'static str,
    pub(super) fired: u64,
    pub(super) resolved: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct AddressFigures {
    pub(super) address: String,
    pub(super) events: u64,
    pub(super) alerts: u64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) dropped_packets: u64,
    pub(super) suppressed_packets: u64,
    /// Different addresses at the other end.
    pub(super) peers: u64,
    pub(super) ports: u64,
    /// True if `peers` or `ports` is an estimate.
    pub(super) estimate: bool,
    pub(super) first: String,
    pub(super) last: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct PortFigures {
    pub(super) port: u16,
    pub(super) protocol: String,
    pub(super) service: Option<&'static str>,
    pub(super) events: u64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ProtocolFigures {
    pub(super) protocol: String,
    pub(super) events: u64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RateFigures {
    pub(super) period_seconds: i64,
    pub(super) periods: Vec<PeriodFigures>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct PeriodFigures {
    pub(super) start: String,
    pub(super) events: u64,
    pub(super) packets: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ThreatFigures {
    pub(super) kind: &'static str,
    pub(super) address: String,
    pub(super) value: u64,
    pub(super) threshold: u64,
    pub(super) estimate: bool,
    pub(super) evidence: ThreatEvidence,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ThreatEvidence {
    pub(super) events: u64,
    pub(super) packets: u64,
    pub(super) suppressed_packets: u64,
    pub(super) peers: u64,
    pub(super) ports: u64,
    /// A port, as `22/tcp`: the only one if `ports` is 1.
    pub(super) port: Option<String>,
    pub(super) peak_packets_per_second: u64,
    pub(super) peak_at: Option<String>,
    pub(super) visits: u64,
    pub(super) first: String,
    pub(super) last: String,
    pub(super) first_line: PlaceFigures,
    pub(super) last_line: PlaceFigures,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct PlaceFigures {
    pub(super) log: String,
    pub(super) line: u64,
}

/// The most packets that the counts of an entry may be too low by. 0 if they are exact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct EstimateErrors {
    pub(super) sources: u64,
    pub(super) targets: u64,
    pub(super) ports: u64,
}

impl Analysis {
    /// The report, with at most `most` entries in each list.
    pub fn report(&self, most: usize) -> AnalysisReport {
        AnalysisReport {
            schema: SCHEMA,
            logs: self.logs.iter().map(LogEntry::of).collect(),
            totals: self.totals(),
            span: self.total.span.map(|(first, last)| TimeSpan {
                first: time(first),
                last: time(last),
                seconds: last.saturating_sub(first) as f64 / 1e9,
            }),
            alerts: self
                .alerts
                .iter()
                .map(|(kind, (fired, resolved))| AlertFigures { kind, fired: *fired, resolved: *resolved })
                .collect(),
            sources: addresses(self.sources.top(most)),
            targets: addresses(self.targets.top(most)),
            ports: self.ports.top(most).into_iter().map(PortFigures::of).collect(),
            protocols: self.protocols.top(most).into_iter().map(ProtocolFigures::of).collect(),
            rate: RateFigures::of(&self.timeline),
            threats: self.threats(most),
            errors: EstimateErrors {
                sources: self.sources.forgotten(),
                targets: self.targets.forgotten(),
                ports: self.ports.forgotten(),
            },
        }
    }

    fn totals(&self) -> TotalFigures {
        let EventTally { events, alerts, packets, bytes, dropped_packets, suppressed_packets, .. } = self.total;
        TotalFigures {
            events,
            violations: events - alerts,
            alerts,
            packets,
            bytes,
            dropped_packets,
            suppressed_packets,
            broken_lines: self.logs.iter().map(|log| log.broken_lines).sum(),
            sources: self.sources.len() as u64,
            targets: self.targets.len() as u64,
        }
    }

    fn threats(&self, most: usize) -> Vec<ThreatFigures> {
        let threats = threats::find(self.sources.iter(), self.targets.iter(), most);
        threats.iter().map(|threat| self.threat(threat)).collect()
    }

    fn threat(&self, threat: &Threat<'_>) -> ThreatFigures {
        let Activity { tally, peers, ports, port, busiest, visits, .. } = threat.activity;
        let (first, last) = span(tally);
        ThreatFigures {
            kind: threat.kind.label(),
            address: threat.address.to_string(),
            value: threat.value,
            threshold: threat.threshold,
            estimate: peers.is_estimate() || ports.is_estimate(),
            evidence: ThreatEvidence {
                events: tally.events,
                packets: tally.packets,
                suppressed_packets: tally.suppressed_packets,
                peers: peers.count(),
                ports: ports.count(),
                port: port.map(|(port, protocol)| format!("{port}/{}", protocol_text(protocol))),
                peak_packets_per_second: busiest.peak,
                peak_at: (busiest.peak > 0).then(|| time(busiest.peak_second.saturating_mul(1_000_000_000))),
                visits: *visits,
                first,
                last,
                first_line: self.place(tally.first_place),
                last_line: self.place(tally.last_place),
            },
        }
    }

    fn place(&self, place: LinePlace) -> PlaceFigures {
        let log = (place.file as usize).checked_sub(1).and_then(|at| self.logs.get(at));
        PlaceFigures { log: log.map(|log| log.name.clone()).unwrap_or_default(), line: place.line }
    }
}

impl LogEntry {
    fn of(log: &ReadLog) -> Self {
        let ReadLog { name, format, lines, events, broken_lines } = log.clone();
        Self { name, format, lines, events, broken_lines }
    }
}

fn addresses(top: Vec<(std::net::IpAddr, &Activity)>) -> Vec<AddressFigures> {
    let figures = |(address, activity): (std::net::IpAddr, &Activity)| {
        let Activity { tally, peers, ports, .. } = activity;
        let (first, last) = span(tally);
        AddressFigures {
            address: address.to_string(),
            events: tally.events,
            alerts: tally.alerts,
            packets: tally.packets,
            bytes: tally.bytes,
            dropped_packets: tally.dropped_packets,
            suppressed_packets: tally.suppressed_packets,
            peers: peers.count(),
            ports: ports.count(),
            estimate: peers.is_estimate() || ports.is_estimate(),
            first,
            last,
        }
    };
    top.into_iter().map(figures).collect()
}

impl PortFigures {
    fn of(((port, protocol), tally): ((u16, u8), &EventTally)) -> Self {
        Self {
            port,
            protocol: protocol_text(protocol),
            service: service_name(Protocol(protocol), port),
            events: tally.events,
            packets: tally.packets,
            bytes: tally.bytes,
        }
    }
}

impl ProtocolFigures {
    fn of((protocol, tally): (u8, &EventTally)) -> Self {
        let EventTally { events, packets, bytes, .. } = *tally;
        Self { protocol: protocol_text(protocol), events, packets, bytes }
    }
}

impl RateFigures {
    fn of(timeline: &Timeline) -> Self {
        let period = |(start, events, packets): (i64, u64, u64)| PeriodFigures {
            start: time(start.saturating_mul(1_000_000_000)),
            events,
            packets,
        };
        Self { period_seconds: timeline.period_seconds(), periods: timeline.periods().map(period).collect() }
    }
}

fn time(nanoseconds: i64) -> String {
    rfc_3339_nanoseconds(Timestamp::from_nanoseconds(nanoseconds))
}

fn span(tally: &EventTally) -> (String, String) {
    let (first, last) = tally.span.unwrap_or_default();
    (time(first), time(last))
}

/// IANA's keyword of a protocol; `unknown` for 0, which a log without protocols has.
fn protocol_text(protocol: u8) -> String {
    match protocol {
        0 => "unknown".to_owned(),
        _ => protocol_name(Protocol(protocol)).map_or_else(|| protocol.to_string(), str::to_owned),
    }
}
