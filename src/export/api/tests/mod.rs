mod alerts;
mod filter;
mod graph;
mod health;
mod tables;

use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::Value;

use super::*;
use crate::account::flow::{Counters, FlowKey, FlowKeying};
use crate::account::snapshot::{ShownRow, Snapshot};
use crate::history::History;
use crate::locality::Direction;
use crate::names::{HostName, LocalProcess, ProcessEnds};
use crate::packet::Protocol;

/// The inputs of answers, as a test sets them.
struct Served {
    report: Report,
    history: HistoryView,
    names: HostNames,
    evidence: EvidenceIndex,
    program: SelfMetrics,
    memory: ApiMemory,
    settings: ApiSettings,
    now: Timestamp,
}

impl Default for Served {
    fn default() -> Self {
        Self {
            report: Report::default(),
            history: HistoryView::default(),
            names: HostNames::default(),
            evidence: EvidenceIndex::default(),
            program: SelfMetrics::new("1.2.3", "abc", "libpcap").unwrap(),
            memory: ApiMemory::default(),
            settings: ApiSettings { is_live: true, ..ApiSettings::default() },
            now: at(10),
        }
    }
}

impl Served {
    /// A report with these flows.
    fn with_flows(rows: Vec<ShownRow<FlowKey>>) -> Self {
        let mut accounts = Snapshot::default();
        for row in &rows {
            accounts.totals.traffic[row.key.direction as usize][0].add(row.lifetime);
        }
        accounts.flows.rows = rows;
        Self { report: accounts.into(), ..Self::default() }
    }

    /// With a history of one second without packets.
    fn with_a_second(mut self) -> Self {
        let mut history = History::new(FlowKeying::Service, 1);
        (1..=3).for_each(|second| history.advance(at(second)));
        self.history = history.view();
        self
    }

    fn inputs(&self) -> ApiInputs<'_> {
        ApiInputs {
            report: &self.report,
            number: 3,
            history: &self.history,
            names: &self.names,
            evidence: &self.evidence,
            program: &self.program,
            memory: &self.memory,
            settings: &self.settings,
            is_ready: true,
            now: self.now,
            running: self.now.since(self.settings.started),
        }
    }

    fn name(&mut self, address: &str, names: HostName) {
        self.names.hosts.insert(ip(address), names);
    }

    fn process(&mut self, ends: ProcessEnds, process: LocalProcess) {
        self.names.processes = HashMap::from([(ends, process)]).into();
    }

    /// The answer as text.
    fn text(&self, resource: Resource, query: &str) -> String {
        let mut bytes = Vec::new();
        ApiRequest::parse(resource, query).unwrap().write(&self.inputs(), &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn json(&self, resource: Resource, query: &str) -> Value {
        serde_json::from_str(&self.text(resource, query)).unwrap()
    }

    /// The values of a column in the range since the start.
    fn column(&self, resource: Resource, query: &str, column: &str) -> Vec<Value> {
        let answer = self.json(resource, &format!("range=all&{query}"));
        answer["rows"].as_array().unwrap().iter().map(|row| row[column].clone()).collect()
    }
}

fn refusal(resource: Resource, query: &str) -> String {
    ApiRequest::parse(resource, query).unwrap_err().to_string()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_nanoseconds(second * 1_000_000_000)
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

/// A flow of TCP with so many bytes in a packet, seen in the given seconds.
fn flow(source: &str, destination: &str, port: u16, direction: Direction, bytes: u64) -> ShownRow<FlowKey> {
    let (source, destination, protocol) = (ip(source), ip(destination), Protocol::TCP);
    let counters = Counters { packets: 1, bytes };
    ShownRow {
        key: FlowKey { source, destination, protocol, port, reply: false, direction },
        first_seen: at(1),
        last_seen: Some(at(5)),
        shown_since: at(1),
        value: Counters::default(),
        lifetime: counters,
    }
}

/// Two local hosts that talk to a server and to each other, and an answer of the server.
fn office() -> Served {
    use Direction::{Incoming, Local, Outgoing};
    Served::with_flows(vec![
        flow("10.0.0.5", "198.51.100.9", 443, Outgoing, 300),
        flow("198.51.100.9", "10.0.0.5", 443, Incoming, 5_000),
        flow("10.0.0.6", "198.51.100.9", 80, Outgoing, 200),
        flow("10.0.0.5", "10.0.0.6", 22, Local, 1_000),
        flow("fd00::5", "2001:db8::9", 443, Outgoing, 70),
    ])
}
