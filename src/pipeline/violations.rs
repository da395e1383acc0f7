//! Violations of the policy as events, live and for files. Takes merged rows with their verdicts; gives events to a
//! sink, at the pace of each source, and counts the packets of both kinds. Must not know what the sink does.
//!
//! Packets of events + suppressed packets = packets of sources that are not permitted.

use std::fmt;
use std::sync::Arc;

use crate::account::InterfaceId;
use crate::account::conversation::{Address, Way};
use crate::account::interval::Row;
use crate::account::observer::RowBatch;
use crate::policy::{Action, EventBuckets, EventCounts, EventPace, Violation, ViolationSink};

/// The violations that the kernel reported in an interval.
#[derive(Debug, Default)]
pub(super) struct KernelReports {
    /// One packet each.
    pub violations: Vec<Violation>,
    /// Packets of sources that are not permitted without a report.
    pub suppressed_packets: u64,
}

/// Makes events of merged rows, or takes those that the kernel has made.
pub struct Violations {
    buckets: EventBuckets,
    sink: Box<dyn ViolationSink + Send>,
    counts: EventCounts,
    /// The interface whose rows are merged.
    interface: (InterfaceId, Arc<str>),
    /// True if the kernel makes the events.
    is_of_kernel: bool,
}

impl Violations {
    /// No event yet. `seed` as for [`EventBuckets::new`].
    pub fn new(pace: EventPace, seed: u64, sink: Box<dyn ViolationSink + Send>) -> Self {
        let interface = (InterfaceId::default(), Arc::from(""));
        Self {
            buckets: EventBuckets::new(pace, seed),
            sink,
            counts: EventCounts::default(),
            interface,
            is_of_kernel: false,
        }
    }

    /// Takes the events of the kernel and makes none.
    #[must_use]
    pub fn of_kernel(self) -> Self {
        Self { is_of_kernel: true, ..self }
    }

    /// Takes the violations that the kernel reported.
    pub(super) fn take_reports(&mut self, reports: KernelReports) {
        self.counts.suppressed_packets += reports.suppressed_packets;
        for violation in &reports.violations {
            self.counts.events += 1;
            self.counts.packets += violation.packets;
            self.sink.report(violation);
        }
    }

    /// The events and the suppressed packets so far.
    pub const fn counts(&self) -> EventCounts {
        self.counts
    }

    /// Notes the interface whose rows follow. Packets without a row have no event.
    pub(super) fn enter(&mut self, interface: InterfaceId, name: &str, not_permitted: u64) {
        self.counts.suppressed_packets += if self.is_of_kernel { 0 } else { not_permitted };
        if self.interface.0 != interface || *self.interface.1 != *name {
            self.interface = (interface, name.into());
        }
    }

    /// Makes an event of each direction whose source is not permitted, as far as the pace of the source allows.
    pub(super) fn observe<A: Address, N: Copy + Default>(&mut self, rows: &mut RowBatch<'_, A, N>) {
        if self.is_of_kernel {
            return;
        }
        for merged in rows.merged().0 {
            merged.row.each_way(|way, counted| {
                if !counted.is_permitted() {
                    self.take(merged.row, way);
                }
            });
        }
    }

    fn take<A: Address>(&mut self, row: &Row<A>, way: Way) {
        let (source, destination) = row.key.endpoints(way);
        let counted = &row.ways[way as usize];
        let packets = u64::from(counted.packets);
        let Some(suppressed) = self.buckets.take(source.address.into(), packets, counted.first) else {
            self.counts.suppressed_packets += packets;
            return;
        };
        self.counts.events += 1;
        self.counts.packets += packets;
        self.sink.report(&Violation {
            first: counted.first,
            last: counted.last,
            interface: Arc::clone(&self.interface.1),
            addresses: A::pair(source.address, destination.address),
            protocol: row.key.protocol(),
            source_port: source.port,
            destination_port: destination.port,
            tcp_flags: counted.flags,
            packets,
            bytes: counted.bytes,
            action: Action::Logged,
            suppressed,
        });
    }

    /// Starts again with full buckets, because the clock was set.
    pub(super) fn restart(&mut self) {
        self.buckets.restart();
    }
}

impl fmt::Debug for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Violations").field("counts", &self.counts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Mutex;

    use super::*;
    use crate::account::Config;
    use crate::account::interval::Interval;
    use crate::account::ledger::Ledger;
    use crate::alert;
    use crate::detect::{self, Detectors, Notes};
    use crate::packet::{Addresses, Packet, Protocol, TcpFlags, Timestamp};
    use crate::pipeline::alarms::Alarms;
    use crate::pipeline::clock::ClockObserver as _;
    use crate::policy::{Networks, Verdict};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<Violation>>>);

    impl ViolationSink for Kept {
        fn report(&mut self, violation: &Violation) {
            self.0.lock().unwrap().push(violation.clone());
        }
    }

    fn packet(source: u8, host: u8, seconds: i64) -> Packet {
        let (source, destination) = (Ipv4Addr::new(198, 51, 100, source), Ipv4Addr::new(10, 0, 0, host));
        Packet {
            time: Timestamp::from_seconds_and_nanoseconds(seconds, 0),
            addresses: Addresses::V4 { source, destination },
            protocol: Protocol::TCP,
            source_port: 40_000,
            destination_port: 22,
            tcp_flags: TcpFlags::SYN,
            has_payload: false,
            icmp_type: None,
            outgoing: false,
            bytes: 60,
        }
    }

    /// The events of packets in one interval a second, their counts, and the packets that are not permitted.
    fn events(seconds: &[Vec<Packet>]) -> (Vec<Violation>, EventCounts, u64) {
        let kept = Kept::default();
        let pace = EventPace { burst: 2, per_second: 1, max_sources: 10 };
        let violations = Violations::new(pace, 1, Box::new(kept.clone()));
        let detectors = Detectors::new(&detect::Config::nothing(), 1, None);
        let mut alarms = Alarms::new(detectors, &alert::Config::default(), ()).with_violations(Some(violations));
        let mut ledger = Ledger::<Notes>::new(&Config::default(), 1);
        ledger.count_verdicts();
        let networks = Arc::new(Networks::new(&["10.0.0.0/8".parse().unwrap()], &[]));
        for packets in seconds {
            let mut interval = Interval::new(Arc::default(), 1);
            interval.judge_by(Some(Arc::clone(&networks)));
            packets.iter().for_each(|packet| interval.observe(packet, packet.bytes));
            interval.close();
            let interface = ledger.interface("eth0");
            ledger.merge(interface, &interval, alarms.rows());
        }
        let not_permitted = ledger.totals().verdicts.unwrap().of(Verdict::NotPermitted).packets;
        let events = std::mem::take(&mut *kept.0.lock().unwrap());
        (events, alarms.event_counts().unwrap(), not_permitted)
    }

    #[test]
    fn each_direction_of_a_conversation_is_one_event() {
        let reply = Packet {
            addresses: Addresses::V4 { source: [10, 0, 0, 1].into(), destination: [198, 51, 100, 1].into() },
            source_port: 22,
            destination_port: 40_000,
            ..packet(1, 1, 5)
        };
        let (events, counts, _) = events(&[vec![packet(1, 1, 5), packet(1, 1, 6), reply]]);
        let [event] = &events[..] else { panic!("{events:?}") };
        assert_eq!((&*event.interface, event.packets, event.bytes, event.suppressed), ("eth0", 2, 120, 0));
        assert_eq!((event.source_port, event.destination_port), (40_000, 22));
        assert_eq!((event.protocol, event.tcp_flags, event.action), (Protocol::TCP, TcpFlags::SYN, Action::Logged));
        assert_eq!(event.addresses.source(), IpAddr::from([198, 51, 100, 1]));
        assert_eq!((event.first, event.last), (packet(1, 1, 5).time, packet(1, 1, 6).time));
        assert_eq!(counts, EventCounts { events: 1, packets: 2, suppressed_packets: 0 });
    }

    #[test]
    fn packets_of_events_and_suppressed_packets_are_all_that_are_not_permitted() {
        let second = |seconds| (0..40).map(|host| packet(host % 4, host, seconds)).collect::<Vec<_>>();
        let flood = (0..33_000u32).map(|number| Packet {
            addresses: Addresses::V4 {
                source: Ipv4Addr::from_bits(0xc000_0200 + number),
                destination: Ipv4Addr::new(10, 0, 0, 1),
            },
            ..packet(1, 1, 3)
        });
        let (events, counts, not_permitted) = events(&[second(1), second(2), flood.collect()]);
        assert_eq!(not_permitted, 80 + 33_000);
        assert_eq!(counts.packets + counts.suppressed_packets, not_permitted);
        assert_eq!(events.len() as u64, counts.events);
        assert_eq!(events.iter().map(|event| event.packets).sum::<u64>(), counts.packets);
        let of_second = |seconds| events.iter().filter(|event| event.first == packet(0, 0, seconds).time).count();
        assert_eq!([1, 2].map(of_second), [8, 4], "4 sources with a burst of 2, then 1 a second");
        let suppressed =
            events.iter().filter(|event| event.first == packet(0, 0, 2).time).map(|event| event.suppressed);
        assert_eq!(suppressed.collect::<Vec<_>>(), [8; 4]);
    }
}
