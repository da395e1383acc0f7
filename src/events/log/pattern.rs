//! The pattern of the traffic in a while: how many events, and the sources, ports and protocols with the most packets.
//! Takes violations and alerts; gives a line of the program's own log. Must not know the clock.

use std::net::IpAddr;

use super::channel::LoggedEvent;
use super::fields::protocol_text;
use crate::events::top::TopTable;
use crate::packet::Protocol;
use crate::policy::{Action, SuppressedPackets, Violation};

/// Keys in the table of sources, and in that of ports.
const MOST_KEYS: usize = 4_096;
/// Keys that a summary lists of each table.
const LISTED: usize = 5;

#[derive(Debug)]
pub(super) struct TrafficPattern {
    violations: u64,
    alerts: u64,
    packets: u64,
    bytes: u64,
    dropped_packets: u64,
    suppressed_packets: u64,
    sources: TopTable<IpAddr, u64>,
    ports: TopTable<(Protocol, u16), u64>,
    protocols: TopTable<Protocol, u64>,
}

impl Default for TrafficPattern {
    fn default() -> Self {
        Self {
            violations: 0,
            alerts: 0,
            packets: 0,
            bytes: 0,
            dropped_packets: 0,
            suppressed_packets: 0,
            sources: TopTable::new(MOST_KEYS),
            ports: TopTable::new(MOST_KEYS),
            protocols: TopTable::new(usize::from(u8::MAX) + 1),
        }
    }
}

impl TrafficPattern {
    pub(super) fn count(&mut self, event: &LoggedEvent) {
        match event {
            LoggedEvent::Alert(_) => self.alerts += 1,
            LoggedEvent::Violation(violation) => self.count_violation(violation),
            LoggedEvent::Suppressed(SuppressedPackets { source, packets, .. }) => {
                self.suppressed_packets += packets;
                source.iter().for_each(|source| *self.sources.entry(*source) += packets);
            }
        }
    }

    fn count_violation(&mut self, violation: &Violation) {
        self.violations += 1;
        self.packets += violation.packets;
        self.bytes += violation.bytes;
        self.suppressed_packets += violation.suppressed;
        if violation.action == Action::Dropped {
            self.dropped_packets += violation.packets;
        }
        *self.sources.entry(violation.addresses.source()) += violation.packets + violation.suppressed;
        *self.protocols.entry(violation.protocol) += violation.packets;
        if violation.destination_port > 0 {
            *self.ports.entry((violation.protocol, violation.destination_port)) += violation.packets;
        }
    }

    /// True if there is something to say.
    pub(super) const fn has_events(&self) -> bool {
        self.has_violations() || self.alerts > 0
    }

    pub(super) const fn has_violations(&self) -> bool {
        self.violations + self.suppressed_packets > 0
    }

    /// Logs the summary, and begins anew.
    pub(super) fn log(&mut self, seconds: u64) {
        tracing::info!(
            seconds,
            violations = self.violations,
            alerts = self.alerts,
            packets = self.packets,
            bytes = self.bytes,
            dropped_packets = self.dropped_packets,
            suppressed_packets = self.suppressed_packets,
            sources = listed(&self.sources, IpAddr::to_string),
            ports = listed(&self.ports, |(protocol, port)| format!("{port}/{}", protocol_text(*protocol))),
            protocols = listed(&self.protocols, |protocol| protocol_text(*protocol)),
            "summary of events"
        );
        let Self { sources, ports, protocols, .. } = std::mem::take(self);
        (self.sources, self.ports, self.protocols) = (sources, ports, protocols);
        self.sources.clear();
        self.ports.clear();
        self.protocols.clear();
    }
}

/// `203.0.113.5 (10 packets), …`, the heaviest first.
fn listed<K: std::hash::Hash + Ord + Copy>(table: &TopTable<K, u64>, name: impl Fn(&K) -> String) -> String {
    let listed: Vec<String> =
        table.top(LISTED).iter().map(|(key, packets)| format!("{} ({packets} packets)", name(key))).collect();
    listed.join(", ")
}
