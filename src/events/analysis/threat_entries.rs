//! The threats of a report. Takes threats; gives plain values. Must not know how they were found.

use serde::{Serialize, Serializer};

use super::Analysis;
use super::activity::{Activity, EventTally, LinePlace};
use super::alerts::{AlertHistory, AlertSubject};
use super::record::LoggedKind;
use super::threats::{self, Threat};
use crate::events::line::rfc_3339_nanoseconds;
use crate::packet::{Protocol, Timestamp};
use crate::services::protocol_name;

/// A number, whole if it can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ThreatNumber(pub(super) f64);

impl Serialize for ThreatNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && (0.0..u64::MAX as f64).contains(&self.0) {
            serializer.serialize_u64(self.0 as u64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ThreatEntry {
    pub(super) kind: &'static str,
    /// An address or a network.
    pub(super) address: String,
    pub(super) value: ThreatNumber,
    pub(super) threshold: ThreatNumber,
    pub(super) unit: &'static str,
    pub(super) estimate: bool,
    /// `events`, `alerts` or `both`.
    pub(super) basis: &'static str,
    pub(super) evidence: ThreatEvidence,
    /// The alerts that it rests on.
    pub(super) alerts: Vec<AlertEvidence>,
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
    /// The part of the peak that is a share of suppressed packets.
    pub(super) peak_suppressed_per_second: u64,
    pub(super) peak_at: Option<String>,
    pub(super) visits: u64,
    pub(super) first: String,
    pub(super) last: String,
    pub(super) first_line: LineEntry,
    pub(super) last_line: LineEntry,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LineEntry {
    pub(super) log: String,
    pub(super) line: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct AlertEvidence {
    pub(super) kind: &'static str,
    /// The start and the end of each taken together.
    pub(super) episodes: u64,
    pub(super) resolved: u64,
    pub(super) peak: ThreatNumber,
    pub(super) limit: ThreatNumber,
    pub(super) window_seconds: ThreatNumber,
    pub(super) first: String,
    pub(super) last: String,
    pub(super) first_line: LineEntry,
    pub(super) last_line: LineEntry,
}

impl Analysis {
    /// The threats, at most `most` of each kind.
    pub(super) fn threats(&self, most: usize) -> Vec<ThreatEntry> {
        let threats = threats::find(self.sources.iter(), self.targets.iter(), self.alerts.iter(), most);
        threats.iter().map(|threat| self.threat(threat)).collect()
    }

    fn threat(&self, threat: &Threat<'_>) -> ThreatEntry {
        ThreatEntry {
            kind: threat.kind.label(),
            address: match threat.subject {
                AlertSubject::Source(address) | AlertSubject::Target(address) => address.to_string(),
                AlertSubject::Network(network) => network.to_string(),
            },
            value: ThreatNumber(threat.figure.value),
            threshold: ThreatNumber(threat.figure.threshold),
            unit: threat.figure.unit.label(),
            estimate: threat.activity.is_some_and(Activity::is_estimate),
            basis: match (threat.rests_on_events, threat.alerts.is_empty()) {
                (true, true) => "events",
                (true, false) => "both",
                (false, _) => "alerts",
            },
            evidence: match (threat.activity, threat.alerts.first()) {
                (Some(activity), _) => self.evidence(activity, &activity.tally),
                // Without an activity there is an alert.
                (None, alert) => {
                    let tally = alert.map(|(_, history)| history.tally.clone()).unwrap_or_default();
                    self.evidence(&Activity::default(), &tally)
                }
            },
            alerts: threat.alerts.iter().map(|(kind, history)| self.alert(*kind, history)).collect(),
        }
    }

    fn evidence(&self, activity: &Activity, tally: &EventTally) -> ThreatEvidence {
        let Activity { peers, ports, port, busiest, periods, .. } = activity;
        let (first, last) = times(tally.span);
        let peak = busiest.peak();
        ThreatEvidence {
            events: tally.events,
            packets: tally.packets,
            suppressed_packets: tally.suppressed_packets,
            peers: peers.count(),
            ports: ports.count(),
            port: port.map(|(port, protocol)| format!("{port}/{}", protocol_text(protocol))),
            peak_packets_per_second: peak.total(),
            peak_suppressed_per_second: peak.spread,
            peak_at: busiest.peak_at().map(time),
            visits: periods.count(),
            first,
            last,
            first_line: self.place(tally.first_place),
            last_line: self.place(tally.last_place),
        }
    }

    fn alert(&self, kind: LoggedKind, history: &AlertHistory) -> AlertEvidence {
        let (first, last) = times(history.active);
        AlertEvidence {
            kind: kind.label(),
            episodes: history.episodes(),
            resolved: history.resolved,
            peak: ThreatNumber(history.peak),
            limit: ThreatNumber(history.limit),
            window_seconds: ThreatNumber(history.window_seconds),
            first,
            last,
            first_line: self.place(history.tally.first_place),
            last_line: self.place(history.tally.last_place),
        }
    }

    fn place(&self, place: LinePlace) -> LineEntry {
        let log = (place.file as usize).checked_sub(1).and_then(|at| self.logs.get(at));
        LineEntry { log: log.map(|log| log.name.clone()).unwrap_or_default(), line: place.line }
    }
}

pub(super) fn time(nanoseconds: i64) -> String {
    rfc_3339_nanoseconds(Timestamp::from_nanoseconds(nanoseconds))
}

/// The first and the last time as texts.
pub(super) fn times(span: Option<(i64, i64)>) -> (String, String) {
    let (first, last) = span.unwrap_or_default();
    (time(first), time(last))
}

/// IANA's keyword of a protocol; `unknown` for 0, which a log without protocols has.
pub(super) fn protocol_text(protocol: u8) -> String {
    match protocol {
        0 => "unknown".to_owned(),
        _ => protocol_name(Protocol(protocol)).map_or_else(|| protocol.to_string(), str::to_owned),
    }
}
