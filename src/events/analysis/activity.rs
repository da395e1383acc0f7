//! The activity of one source, target or port in a log: counts, times, different targets, the highest rate. Takes
//! records; gives figures. Must not know thresholds.

use std::net::IpAddr;

use super::record::LogRecord;
use crate::events::top::Weighted;
use crate::tables::sampling::mixed;

const PER_SECOND: i64 = 1_000_000_000;
/// The smallest hashes that are kept to count different keys. So many keys are counted exactly, more are estimated within
/// about an eighth.
const KEPT_HASHES: usize = 64;
/// A source that is silent for so long has paused.
const PAUSE_SECONDS: i64 = 300;

/// The place of an event: the number of the file and of the line, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct LinePlace {
    pub(super) file: u32,
    pub(super) line: u64,
}

/// A count of different keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Distinct {
    /// The smallest hashes, in order.
    hashes: Vec<u64>,
}

impl Distinct {
    #[inline]
    pub(super) fn add(&mut self, hash: u64) {
        let is_full = self.hashes.len() == KEPT_HASHES;
        if is_full && self.hashes.last().is_some_and(|largest| hash >= *largest) {
            return;
        }
        if let Err(at) = self.hashes.binary_search(&hash) {
            if is_full {
                self.hashes.pop();
            }
            self.hashes.insert(at, hash);
        }
    }

    pub(super) fn is_estimate(&self) -> bool {
        self.hashes.len() == KEPT_HASHES
    }

    /// The number of different keys.
    pub(super) fn count(&self) -> u64 {
        match self.hashes.last() {
            Some(largest) if self.is_estimate() => {
                let share = *largest as f64 / u64::MAX as f64;
                ((KEPT_HASHES - 1) as f64 / share) as u64
            }
            _ => self.hashes.len() as u64,
        }
    }
}

/// A hash of an address, always the same.
#[inline]
pub(super) fn hash_of(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => mixed(address.to_bits().into()),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            mixed((bits >> 64) as u64 ^ mixed(bits as u64))
        }
    }
}

/// The second with the most packets.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BusiestSecond {
    second: i64,
    packets: u64,
    pub(super) peak: u64,
    pub(super) peak_second: i64,
}

impl BusiestSecond {
    #[inline]
    fn add(&mut self, second: i64, packets: u64) {
        if second != self.second {
            (self.second, self.packets) = (second, 0);
        }
        self.packets += packets;
        if self.packets > self.peak {
            (self.peak, self.peak_second) = (self.packets, second);
        }
    }
}

/// Counts, times and places of events.
#[derive(Debug, Clone, Default)]
pub(super) struct EventTally {
    pub(super) events: u64,
    pub(super) alerts: u64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) dropped_packets: u64,
    pub(super) suppressed_packets: u64,
    /// Nanoseconds since the epoch of the earliest and the latest event.
    pub(super) span: Option<(i64, i64)>,
    pub(super) first_place: LinePlace,
    pub(super) last_place: LinePlace,
}

impl EventTally {
    #[inline]
    pub(super) fn add(&mut self, record: &LogRecord, place: LinePlace) {
        if self.events == 0 {
            self.first_place = place;
        }
        self.last_place = place;
        self.events += 1;
        if let Some(time) = record.time {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
        }
        if record.is_alert() {
            self.alerts += 1;
            return;
        }
        let packets = record.packets();
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(record.bytes);
        self.suppressed_packets = self.suppressed_packets.saturating_add(record.suppressed);
        if record.is_dropped {
            self.dropped_packets = self.dropped_packets.saturating_add(packets);
        }
    }
}

impl Weighted for EventTally {
    fn weight(&self) -> u64 {
        self.packets.saturating_add(self.suppressed_packets).saturating_add(self.alerts)
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
    /// Periods of activity between pauses.
    pub(super) visits: u64,
    last_time: i64,
}

impl Activity {
    #[inline]
    pub(super) fn add(&mut self, record: &LogRecord, peer: Option<IpAddr>, place: LinePlace) {
        self.tally.add(record, place);
        if let Some(peer) = peer {
            self.peers.add(hash_of(peer));
        }
        if let Some(port) = record.port {
            let protocol = record.protocol.map_or(0, |protocol| protocol.0);
            self.port = Some((port, protocol));
            self.ports.add(mixed(u64::from(port) << 8 | u64::from(protocol)));
        }
        let time = record.time.unwrap_or(0);
        if self.visits == 0 || time.saturating_sub(self.last_time) >= PAUSE_SECONDS * PER_SECOND {
            self.visits += 1;
        }
        self.last_time = self.last_time.max(time);
        if !record.is_alert() {
            let packets = record.packets().saturating_add(record.suppressed);
            self.busiest.add(time.div_euclid(PER_SECOND), packets);
        }
    }
}

impl Weighted for Activity {
    fn weight(&self) -> u64 {
        self.tally.weight()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_keys_are_counted_exactly_and_many_estimated() {
        let mut distinct = Distinct::default();
        for number in 0..63 {
            (0..3).for_each(|_| distinct.add(mixed(number)));
        }
        assert_eq!((distinct.count(), distinct.is_estimate()), (63, false));
        (0..100_000).for_each(|number| distinct.add(mixed(number)));
        assert!(distinct.is_estimate() && (65_000..150_000).contains(&distinct.count()), "{}", distinct.count());
    }
}
