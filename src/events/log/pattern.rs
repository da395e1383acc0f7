//! The pattern of the traffic in a while: all packets by verdict, how many events, and the sources, ports and protocols
//! with the most packets of these. Takes violations, alerts and sums of all traffic; gives a line of the program's own
//! log. Must not know the clock.

use std::net::IpAddr;

use super::channel::LoggedEvent;
use super::fields::protocol_text;
use crate::account::flow::Counters;
use crate::account::snapshot::Totals;
use crate::events::line::counted;
use crate::events::top::TopTable;
use crate::packet::Protocol;
use crate::policy::{Action, SuppressedPackets, Verdict, Violation};

/// Keys in the table of sources, and in that of ports.
const MOST_KEYS: usize = 4_096;
/// Keys that a summary lists of each table.
const LISTED: usize = 5;

/// IP packets and bytes since the start, by the verdict on their source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrafficByVerdict {
    /// Packets of permitted sources.
    pub permitted: Counters,
    /// Packets of other sources.
    pub not_permitted: Counters,
    /// Packets of other sources that were dropped.
    pub dropped_packets: u64,
}

impl TrafficByVerdict {
    /// The sums of accounts; none without a policy.
    pub fn of(totals: &Totals) -> Option<Self> {
        let verdicts = totals.verdicts?;
        let dropped_packets = totals.kernel.map_or(0, |sums| sums.dropped.packets);
        let [permitted, not_permitted] =
            [Verdict::Permitted, Verdict::NotPermitted].map(|verdict| verdicts.of(verdict));
        Some(Self { permitted, not_permitted, dropped_packets })
    }

    /// The traffic since `earlier`.
    fn since(&self, earlier: &Self) -> Self {
        let of = |now: Counters, then: Counters| Counters {
            packets: now.packets.saturating_sub(then.packets),
            bytes: now.bytes.saturating_sub(then.bytes),
        };
        Self {
            permitted: of(self.permitted, earlier.permitted),
            not_permitted: of(self.not_permitted, earlier.not_permitted),
            dropped_packets: self.dropped_packets.saturating_sub(earlier.dropped_packets),
        }
    }
}

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
    /// All traffic up to the summary before.
    summed: TrafficByVerdict,
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
            summed: TrafficByVerdict::default(),
        }
    }
}

impl TrafficPattern {
    pub(super) fn count(&mut self, event: &LoggedEvent) {
        match event {
            LoggedEvent::Alert(_) => self.alerts += 1,
            LoggedEvent::Violation(violation) => self.count_violation(violation),
            LoggedEvent::Suppressed(SuppressedPackets { source, packets, action, .. }) => {
                self.suppressed_packets += packets;
                self.count_action(*action, *packets);
                source.iter().for_each(|source| *self.sources.entry(*source) += packets);
            }
        }
    }

    fn count_violation(&mut self, violation: &Violation) {
        self.violations += 1;
        self.packets += violation.packets;
        self.bytes += violation.bytes;
        self.suppressed_packets += violation.suppressed;
        self.count_action(violation.action, violation.packets + violation.suppressed);
        *self.sources.entry(violation.addresses.source()) += violation.packets + violation.suppressed;
        *self.protocols.entry(violation.protocol) += violation.packets;
        if violation.destination_port > 0 {
            *self.ports.entry((violation.protocol, violation.destination_port)) += violation.packets;
        }
    }

    fn count_action(&mut self, action: Action, packets: u64) {
        if action == Action::Dropped {
            self.dropped_packets += packets;
        }
    }

    /// True if there is something to say.
    pub(super) const fn has_events(&self) -> bool {
        self.has_violations() || self.alerts > 0
    }

    pub(super) const fn has_violations(&self) -> bool {
        self.violations + self.suppressed_packets > 0
    }

    /// Logs the summary of `seconds`, and starts over. `traffic` has the sums since the start; none without a policy.
    pub(super) fn log(&mut self, seconds: u64, traffic: Option<TrafficByVerdict>) {
        let all = self.advance(traffic);
        let (permitted, not_permitted) = (all.map(|all| all.permitted), all.map(|all| all.not_permitted));
        tracing::info!(
            seconds,
            permitted_packets = permitted.map(|sum| sum.packets),
            permitted_bytes = permitted.map(|sum| sum.bytes),
            not_permitted_packets = not_permitted.map(|sum| sum.packets),
            not_permitted_bytes = not_permitted.map(|sum| sum.bytes),
            violations = self.violations,
            alerts = self.alerts,
            packets = self.packets,
            bytes = self.bytes,
            dropped_packets = all.map_or(self.dropped_packets, |all| all.dropped_packets),
            suppressed_packets = self.suppressed_packets,
            sources = listed(&self.sources, IpAddr::to_string),
            ports = listed(&self.ports, |(protocol, port)| format!("{port}/{}", protocol_text(*protocol))),
            protocols = listed(&self.protocols, |protocol| protocol_text(*protocol)),
            "summary of events"
        );
        let Self { sources, ports, protocols, summed, .. } = std::mem::take(self);
        (self.sources, self.ports, self.protocols, self.summed) = (sources, ports, protocols, summed);
        self.sources.clear();
        self.ports.clear();
        self.protocols.clear();
    }

    /// The traffic since the summary before.
    fn advance(&mut self, traffic: Option<TrafficByVerdict>) -> Option<TrafficByVerdict> {
        let traffic = traffic?;
        Some(traffic.since(&std::mem::replace(&mut self.summed, traffic)))
    }
}

/// `203.0.113.5 (10 packets), …`, the heaviest first.
fn listed<K: std::hash::Hash + Ord + Copy>(table: &TopTable<K, u64>, name: impl Fn(&K) -> String) -> String {
    let listed: Vec<String> = table
        .top(LISTED)
        .iter()
        .map(|(key, packets)| format!("{} ({})", name(key), counted(**packets, "packet")))
        .collect();
    listed.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::log::tests::{suppressed, violation};

    #[test]
    fn summary_has_the_traffic_since_the_one_before() {
        let sums = |packets: u64| TrafficByVerdict {
            permitted: Counters { packets, bytes: 100 * packets },
            not_permitted: Counters { packets: 2 * packets, bytes: 50 * packets },
            dropped_packets: packets,
        };
        let mut pattern = TrafficPattern::default();
        assert_eq!(pattern.advance(Some(sums(7))), Some(sums(7)));
        pattern.log(60, Some(sums(10)));
        assert_eq!(pattern.advance(Some(sums(15))), Some(sums(5)));
        assert_eq!(pattern.advance(None), None);
    }

    #[test]
    fn dropped_packets_without_an_event_count_as_dropped() {
        let mut pattern = TrafficPattern::default();
        // Of 7 packets, and 2 before it.
        pattern.count(&LoggedEvent::Violation(violation(7)));
        pattern.count(&LoggedEvent::Violation(Violation { action: Action::Logged, ..violation(7) }));
        pattern.count(&LoggedEvent::Suppressed(suppressed(None)));
        pattern.count(&LoggedEvent::Suppressed(SuppressedPackets { action: Action::Logged, ..suppressed(None) }));
        assert_eq!((pattern.dropped_packets, pattern.suppressed_packets), (7 + 2 + 120, 2 * (2 + 120)));
        assert_eq!(listed(&pattern.ports, |_| "22/tcp".to_owned()), "22/tcp (14 packets)");
    }
}
