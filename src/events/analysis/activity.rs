//! The activity of one source or target in a log: counts, times, different peers, the busiest second, periods. Takes
//! records; gives figures. Must not know thresholds.

use std::net::IpAddr;

use super::busiest::BusiestSecond;
use super::distinct::{Distinct, hash_of};
use super::periods::ActivePeriods;
use super::record::{AlertFields, LogRecord, LoggedKind};
use crate::events::top::Weighted;
use crate::tables::sampling::mixed;

/// The place of an event: the number of the file and of the line, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct LinePlace {
    pub(super) file: u32,
    pub(super) line: u64,
}

/// A line of an alert.
#[derive(Debug, Clone, Copy)]
pub(super) struct AlertLine<'a> {
    pub(super) alert: &'a AlertFields,
    pub(super) kind: LoggedKind,
    /// Nanoseconds since the epoch.
    pub(super) time: i64,
    pub(super) place: LinePlace,
}

/// Packets of a source without an event of their own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SuppressedShare {
    packets: u64,
    /// Time of the event of the source before; none if the log has none.
    since: Option<i64>,
}

/// Counts, times and places of events.
#[derive(Debug, Clone, Default)]
pub(super) struct EventTally {
    pub(super) events: u64,
    pub(super) alerts: u64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// With those that have no event of their own.
    pub(super) dropped_packets: u64,
    pub(super) suppressed_packets: u64,
    /// Nanoseconds since the epoch of the earliest and the latest event.
    pub(super) span: Option<(i64, i64)>,
    pub(super) first_place: LinePlace,
    pub(super) last_place: LinePlace,
}

impl EventTally {
    #[inline]
    pub(super) fn add(&mut self, record: &LogRecord, suppressed: u64, place: LinePlace) {
        self.add_line(record.time.unwrap_or(0), place);
        let packets = record.packets();
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(record.bytes);
        self.suppressed_packets = self.suppressed_packets.saturating_add(suppressed);
        if record.is_dropped {
            self.dropped_packets = self.dropped_packets.saturating_add(packets).saturating_add(suppressed);
        }
    }

    /// Adds a line whose packets do not count.
    #[inline]
    pub(super) fn add_line(&mut self, time: i64, place: LinePlace) {
        self.events += 1;
        let (first, last) = self.span.get_or_insert((i64::MAX, i64::MIN));
        if time < *first {
            (*first, self.first_place) = (time, place);
        }
        if time >= *last {
            (*last, self.last_place) = (time, place);
        }
    }
}

impl Weighted for EventTally {
    fn weight(&self) -> u64 {
        self.packets.saturating_add(self.suppressed_packets).saturating_add(self.alerts)
    }

    fn rank(&self) -> (u64, u64) {
        (self.packets.saturating_add(self.suppressed_packets), self.alerts)
    }
}

/// The activity of a source, or towards a target.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity {
    pub(super) tally: EventTally,
    /// The addresses at the other end.
    pub(super) peers: Distinct,
    /// The destination ports, with their protocols.
    pub(super) ports: Distinct,
    /// A destination port and protocol; that of all events if there is one port.
    pub(super) port: Option<(u16, u8)>,
    pub(super) busiest: BusiestSecond,
    pub(super) periods: ActivePeriods,
    violations: u64,
    /// The time of the latest violation.
    latest: i64,
    /// The hash of its target, if it has one.
    latest_target: Option<u64>,
}

impl Activity {
    /// Adds a violation of the source. Gives the packets before it without an event of their own, as far as they went to
    /// the same target: the event before was to it, too.
    #[inline]
    pub(super) fn add_sent(&mut self, record: &LogRecord, place: LinePlace) -> SuppressedShare {
        let time = record.time.unwrap_or(0);
        let target = record.destination.map(hash_of);
        let since = self.has_violations().then_some(self.latest.min(time));
        let share = SuppressedShare { packets: record.suppressed, since };
        let is_to_one_target = target.is_some() && target == self.latest_target;
        (self.latest, self.latest_target) = (time, target);
        self.add(record, target, share, place);
        if is_to_one_target { share } else { SuppressedShare::default() }
    }

    /// Adds a violation towards the target, with packets that have no event of their own.
    #[inline]
    pub(super) fn add_received(&mut self, record: &LogRecord, suppressed: SuppressedShare, place: LinePlace) {
        self.add(record, record.source.map(hash_of), suppressed, place);
    }

    #[inline]
    fn add(&mut self, record: &LogRecord, peer: Option<u64>, suppressed: SuppressedShare, place: LinePlace) {
        let time = record.time.unwrap_or(0);
        self.tally.add(record, suppressed.packets, place);
        self.violations += 1;
        if let Some(peer) = peer {
            self.peers.add(peer);
        }
        if let Some(port) = record.port {
            self.add_port(port, record.protocol.map_or(0, |protocol| protocol.0));
        }
        self.periods.add(time, time);
        // Without an event before, their time is unknown.
        if let (1.., Some(since)) = (suppressed.packets, suppressed.since) {
            self.busiest.spread(since, time, suppressed.packets);
        }
        self.busiest.add(time, record.packets());
    }

    #[inline]
    fn add_port(&mut self, port: u16, protocol: u8) {
        self.port = Some((port, protocol));
        self.ports.add(mixed(u64::from(port) << 8 | u64::from(protocol)));
    }

    /// Adds a line of an alert about the address, which may be the first one of its episode.
    pub(super) fn add_alert(&mut self, line: &AlertLine<'_>, peer: Option<IpAddr>, is_first: bool) {
        self.tally.add_line(line.time, line.place);
        self.tally.alerts += u64::from(is_first);
        if let Some(peer) = peer {
            self.peers.add(hash_of(peer));
        }
        for target in line.alert.contacts() {
            self.peers.add(hash_of(target.address));
            if let Some(port) = target.port {
                self.add_port(port, target.protocol.map_or(0, |protocol| protocol.0));
            }
        }
        let (first, last) = line.alert.active_time(line.time);
        self.periods.add(first, last);
    }

    /// True if a line of the address is no alert.
    pub(super) const fn has_violations(&self) -> bool {
        self.violations > 0
    }

    /// True if the number of peers or of ports is an estimate.
    pub(super) const fn is_estimate(&self) -> bool {
        self.peers.is_estimate() || self.ports.is_estimate()
    }
}

impl Weighted for Activity {
    fn weight(&self) -> u64 {
        self.tally.weight()
    }

    fn rank(&self) -> (u64, u64) {
        self.tally.rank()
    }
}
