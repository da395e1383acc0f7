//! The report of an analysis, as JSON. Takes an analysis; gives plain values. Must not know how they were counted.
//!
//! docs/event-logs.md describes the fields. A change of their meaning raises [`SCHEMA`].

use std::net::IpAddr;

use serde::Serialize;

use super::activity::{Activity, EventTally};
use super::distinct::Distinct;
use super::threat_entries::{ThreatEntry, protocol_text, time, times};
use super::timeline::{PeriodSums, Timeline};
use super::{Analysis, KEPT_OF_ALL, MOST_ADDRESSES, MOST_ALERTS, MOST_PORTS, ReadLog};
use crate::events::top::TopTable;
use crate::packet::Protocol;
use crate::services::service_name;

/// The version of the schema.
const SCHEMA: u32 = 2;

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
    pub(super) threats: Vec<ThreatEntry>,
    pub(super) errors: EstimateErrors,
    pub(super) bounds: TableBounds,
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
    pub(super) suppressed_lines: u64,
    pub(super) alerts: u64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) dropped_packets: u64,
    pub(super) suppressed_packets: u64,
    pub(super) broken_lines: u64,
    /// Different addresses; an estimate if their table has forgotten some.
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
    /// Packets without an event of their own that these events tell of.
    pub(super) suppressed_packets: u64,
}

/// The most packets, or episodes of alerts, that the counts of an entry may be too low by. 0 if they are exact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct EstimateErrors {
    pub(super) sources: u64,
    pub(super) targets: u64,
    pub(super) ports: u64,
    pub(super) alerts: u64,
}

/// The most entries of each table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct TableBounds {
    pub(super) sources: usize,
    pub(super) targets: usize,
    pub(super) ports: usize,
    pub(super) alerts: usize,
}

impl Analysis {
    /// The report, with at most `most` entries in each list.
    pub fn report(&self, most: usize) -> AnalysisReport {
        AnalysisReport {
            schema: SCHEMA,
            logs: self.logs.iter().map(LogEntry::of).collect(),
            totals: self.totals(),
            span: self.span(),
            alerts: self
                .alert_kinds
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
                alerts: self.alerts.forgotten(),
            },
            bounds: TableBounds {
                sources: MOST_ADDRESSES,
                targets: MOST_ADDRESSES,
                ports: MOST_PORTS,
                alerts: MOST_ALERTS,
            },
        }
    }

    /// The time of the earliest and the latest event.
    fn span(&self) -> Option<TimeSpan> {
        let spans = [self.total.span, self.alert_lines.span].into_iter().flatten();
        let (first, last) = spans.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))?;
        let seconds = last.saturating_sub(first) as f64 / 1e9;
        Some(TimeSpan { first: time(first), last: time(last), seconds })
    }

    fn totals(&self) -> TotalFigures {
        let EventTally { events, packets, bytes, dropped_packets, suppressed_packets, .. } = self.total;
        let alerts = self.alert_lines.events;
        TotalFigures {
            events: events + alerts,
            violations: events - self.suppressed_lines,
            suppressed_lines: self.suppressed_lines,
            alerts,
            packets,
            bytes,
            dropped_packets,
            suppressed_packets,
            broken_lines: self.logs.iter().map(|log| log.broken_lines).sum(),
            sources: different(&self.sources, &self.all_sources),
            targets: different(&self.targets, &self.all_targets),
        }
    }
}

/// The different addresses: those in the table, or an estimate if it has forgotten some.
fn different(table: &TopTable<IpAddr, Activity>, all: &Distinct<KEPT_OF_ALL>) -> u64 {
    if table.forgotten() == 0 { table.len() as u64 } else { all.count() }
}

impl LogEntry {
    fn of(log: &ReadLog) -> Self {
        let ReadLog { name, format, lines, events, broken_lines } = log.clone();
        Self { name, format, lines, events, broken_lines }
    }
}

fn addresses(top: Vec<(IpAddr, &Activity)>) -> Vec<AddressFigures> {
    let figures = |(address, activity): (IpAddr, &Activity)| {
        let Activity { tally, peers, ports, .. } = activity;
        let (first, last) = times(tally.span);
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
            estimate: activity.is_estimate(),
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
        let period = |(start, sums): (i64, PeriodSums)| PeriodFigures {
            start: time(start.saturating_mul(1_000_000_000)),
            events: sums.events,
            packets: sums.packets,
            suppressed_packets: sums.suppressed,
        };
        Self { period_seconds: timeline.period_seconds(), periods: timeline.periods().map(period).collect() }
    }
}
