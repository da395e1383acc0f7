//! Violations of the policy as events, live and for files. Takes merged rows with their verdicts, and packet time; gives
//! events to a sink, at the pace of each source, and counts the packets of both kinds. Must not know what the sink does.
//!
//! Packets of events + suppressed packets = packets of sources that are not permitted. The sink is told of each
//! suppressed packet once: by the next event of its source, or else when the source has been silent for a while.

use std::fmt;
use std::sync::Arc;

use crate::account::InterfaceId;
use crate::account::conversation::{Address, Way};
use crate::account::interval::Row;
use crate::account::observer::RowBatch;
use crate::packet::Timestamp;
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
    /// Packets without a row, since the last advance of packet time.
    without_row: u64,
    /// The packet time that was reached last.
    watermark: Timestamp,
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
            without_row: 0,
            watermark: Timestamp::default(),
        }
    }

    /// Takes the events of the kernel and makes none.
    #[must_use]
    pub fn of_kernel(self) -> Self {
        Self { is_of_kernel: true, ..self }
    }

    /// Takes the violations that the kernel reported. Their suppressed packets are those that were counted and that no
    /// line tells yet: the kernel does not know what a closed bucket gave, and forgets sources if it knows too many.
    pub(super) fn take_reports(&mut self, reports: KernelReports) {
        self.counts.suppressed_packets += reports.suppressed_packets;
        for violation in &reports.violations {
            self.counts.events += 1;
            self.counts.packets += violation.packets;
            self.buckets.pay(violation.addresses.source(), violation.packets, violation.first);
        }
        for violation in reports.violations {
            let suppressed = self.buckets.settle(violation.addresses.source(), violation.suppressed);
            self.sink.report(&Violation { suppressed, ..violation });
        }
    }

    /// The events and the suppressed packets so far.
    pub const fn counts(&self) -> EventCounts {
        self.counts
    }

    /// Notes the interface whose rows follow. Packets without a row have no event.
    pub(super) fn enter(&mut self, interface: InterfaceId, name: &str, not_permitted: u64) {
        self.counts.suppressed_packets += if self.is_of_kernel { 0 } else { not_permitted };
        self.without_row += not_permitted;
        if self.interface.0 != interface || *self.interface.1 != *name {
            self.interface = (interface, name.into());
        }
    }

    /// Makes an event of each direction whose source is not permitted, as far as the pace of the source allows.
    pub(super) fn observe<A: Address, N: Copy + Default>(&mut self, rows: &mut RowBatch<'_, A, N>) {
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
        let (packets, span) = (u64::from(counted.packets), [counted.first, counted.last]);
        if self.is_of_kernel {
            return self.buckets.count(source.address.into(), packets, span);
        }
        let Some(suppressed) = self.buckets.take(source.address.into(), packets, span) else {
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

    /// Reports the suppressed packets of sources that have been silent for long at `watermark`, and of no one source.
    pub(super) fn advance(&mut self, watermark: Timestamp) {
        self.watermark = watermark;
        self.suppress_without_row();
        self.buckets.advance(watermark);
        self.report_closed();
    }

    /// Reports all suppressed packets, because the clock was set or no packet follows. Starts again with full buckets.
    pub(super) fn close(&mut self) {
        self.suppress_without_row();
        self.buckets.close();
        self.report_closed();
    }

    fn suppress_without_row(&mut self) {
        self.buckets.suppress(std::mem::take(&mut self.without_row), self.watermark);
    }

    fn report_closed(&mut self) {
        self.buckets.closed().for_each(|suppressed| self.sink.report_suppressed(&suppressed));
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
    use crate::policy::{Networks, SuppressedPackets, Verdict};

    /// The lines of the log: violations, and suppressed packets.
    #[derive(Debug, Clone, Default)]
    struct Lines {
        violations: Vec<Violation>,
        suppressed: Vec<SuppressedPackets>,
    }

    impl Lines {
        /// The packets of all lines.
        fn packets(&self) -> u64 {
            let of_violations = self.violations.iter().map(|violation| violation.packets + violation.suppressed);
            of_violations.chain(self.suppressed.iter().map(|suppressed| suppressed.packets)).sum()
        }
    }

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Lines>>);

    impl ViolationSink for Kept {
        fn report(&mut self, violation: &Violation) {
            self.0.lock().unwrap().violations.push(violation.clone());
        }

        fn report_suppressed(&mut self, suppressed: &SuppressedPackets) {
            self.0.lock().unwrap().suppressed.push(*suppressed);
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

    /// Violations behind a ledger, as in the program.
    struct Watched {
        kept: Kept,
        alarms: Alarms<()>,
        ledger: Ledger<Notes>,
    }

    impl Watched {
        fn new(of_kernel: bool) -> Self {
            let kept = Kept::default();
            let pace = EventPace { burst: 2, per_second: 1, max_sources: 10 };
            let violations = Violations::new(pace, 1, Box::new(kept.clone()));
            let violations = if of_kernel { violations.of_kernel() } else { violations };
            let detectors = Detectors::new(&detect::Config::nothing(), 1, None);
            let alarms = Alarms::new(detectors, &alert::Config::default(), ()).with_violations(Some(violations));
            let mut ledger = Ledger::<Notes>::new(&Config::default(), 1);
            ledger.count_verdicts();
            Self { kept, alarms, ledger }
        }

        /// Merges the packets of a time cell.
        fn merge(&mut self, packets: &[Packet]) {
            let mut interval = Interval::new(Arc::default(), 1);
            interval.judge_by(Some(Arc::new(Networks::new(&["10.0.0.0/8".parse().unwrap()], &[]))));
            packets.iter().for_each(|packet| interval.observe(packet, packet.bytes));
            interval.close();
            let interface = self.ledger.interface("eth0");
            self.ledger.merge(interface, &interval, self.alarms.rows());
        }

        fn advance(&mut self, seconds: i64) {
            self.alarms.advance(Timestamp::from_seconds_and_nanoseconds(seconds, 0));
        }

        fn not_permitted(&self) -> u64 {
            self.ledger.totals().verdicts.unwrap().of(Verdict::NotPermitted).packets
        }

        /// The lines since the last call.
        fn lines(&self) -> Lines {
            std::mem::take(&mut self.kept.0.lock().unwrap())
        }
    }

    /// The lines of packets in one interval a second, the counts of events, and the packets that are not permitted.
    fn events(seconds: &[Vec<Packet>]) -> (Lines, EventCounts, u64) {
        let mut watched = Watched::new(false);
        for packets in seconds {
            watched.merge(packets);
            watched.advance(packets.last().map_or(0, |packet| packet.time.seconds() + 1));
        }
        watched.alarms.end_violations();
        (watched.lines(), watched.alarms.event_counts().unwrap(), watched.not_permitted())
    }

    fn suppressed(source: u8, seconds: i64, packets: u64) -> SuppressedPackets {
        let source = Some(IpAddr::from([198, 51, 100, source]));
        SuppressedPackets { source, last: Timestamp::from_seconds_and_nanoseconds(seconds, 0), packets }
    }

    #[test]
    fn each_direction_of_a_conversation_is_one_event() {
        let reply = Packet {
            addresses: Addresses::V4 { source: [10, 0, 0, 1].into(), destination: [198, 51, 100, 1].into() },
            source_port: 22,
            destination_port: 40_000,
            ..packet(1, 1, 5)
        };
        let (lines, counts, _) = events(&[vec![packet(1, 1, 5), packet(1, 1, 6), reply]]);
        let [event] = &lines.violations[..] else { panic!("{lines:?}") };
        assert_eq!((&*event.interface, event.packets, event.bytes, event.suppressed), ("eth0", 2, 120, 0));
        assert_eq!((event.source_port, event.destination_port), (40_000, 22));
        assert_eq!((event.protocol, event.tcp_flags, event.action), (Protocol::TCP, TcpFlags::SYN, Action::Logged));
        assert_eq!(event.addresses.source(), IpAddr::from([198, 51, 100, 1]));
        assert_eq!((event.first, event.last), (packet(1, 1, 5).time, packet(1, 1, 6).time));
        assert_eq!(counts, EventCounts { events: 1, packets: 2, suppressed_packets: 0 });
        assert_eq!(lines.suppressed, []);
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
        let (lines, counts, not_permitted) = events(&[second(1), second(2), flood.collect()]);
        let events = &lines.violations;
        assert_eq!(not_permitted, 80 + 33_000);
        assert_eq!(counts.packets + counts.suppressed_packets, not_permitted);
        assert_eq!(events.len() as u64, counts.events);
        assert_eq!(events.iter().map(|event| event.packets).sum::<u64>(), counts.packets);
        let of_second = |seconds| events.iter().filter(|event| event.first == packet(0, 0, seconds).time).count();
        assert_eq!([1, 2].map(of_second), [8, 4], "4 sources with a burst of 2, then 1 a second");
        let suppressed =
            events.iter().filter(|event| event.first == packet(0, 0, 2).time).map(|event| event.suppressed);
        assert_eq!(suppressed.collect::<Vec<_>>(), [8; 4]);
        assert_eq!(lines.packets(), not_permitted, "each packet is in one line");
        let of_sources = lines.suppressed.iter().filter(|suppressed| suppressed.source.is_some());
        assert_eq!(of_sources.map(|suppressed| suppressed.packets).collect::<Vec<_>>(), [9; 4]);
        let [.., last] = &lines.suppressed[..] else { panic!("{lines:?}") };
        assert!(last.source.is_none() && last.packets > 30_000, "{last:?}");
    }

    #[test]
    fn suppressed_packets_are_reported_when_their_source_falls_silent_or_the_clock_is_set() {
        let mut watched = Watched::new(false);
        watched.merge(&[1, 2, 3, 4, 5].map(|host| packet(1, host, 5)));
        watched.advance(6);
        assert_eq!(watched.lines().suppressed, []);
        watched.advance(7);
        assert_eq!(watched.lines().suppressed, [suppressed(1, 5, 3)]);
        watched.merge(&[1, 2, 3].map(|host| packet(1, host, 8)));
        watched.alarms.step(packet(1, 1, 1).time);
        assert_eq!(watched.lines().suppressed, [suppressed(1, 8, 1)]);
    }

    /// Two events of a source that sent five packets in a second, as the kernel reports them.
    fn kernel_reports(seconds: i64, told: [u64; 2]) -> KernelReports {
        let violation = |suppressed| Violation {
            first: packet(1, 1, seconds).time,
            last: packet(1, 1, seconds).time,
            interface: "eth0".into(),
            addresses: packet(1, 1, seconds).addresses,
            protocol: Protocol::TCP,
            source_port: 40_000,
            destination_port: 22,
            tcp_flags: TcpFlags::SYN,
            packets: 1,
            bytes: 60,
            action: Action::Dropped,
            suppressed,
        };
        KernelReports { violations: told.map(violation).to_vec(), suppressed_packets: 3 }
    }

    #[test]
    fn events_of_the_kernel_tell_no_packet_twice() {
        let mut watched = Watched::new(true);
        let second = |seconds| [1, 2, 3, 4, 5].map(|host| packet(1, host, seconds));
        let told = |lines: &Lines| lines.violations.iter().map(|violation| violation.suppressed).collect::<Vec<_>>();
        watched.merge(&second(5));
        watched.alarms.take_reports(kernel_reports(5, [0, 0]));
        watched.merge(&second(6));
        watched.alarms.take_reports(kernel_reports(6, [3, 0]));
        watched.advance(7);
        let lines = watched.lines();
        assert_eq!((told(&lines), lines.suppressed), (vec![0, 0, 3, 0], vec![]));
        watched.advance(60);
        assert_eq!(watched.lines().suppressed, [suppressed(1, 6, 3)]);
        // The kernel still has these three, and lost the count of the second after.
        watched.merge(&second(61));
        watched.alarms.take_reports(kernel_reports(61, [3, 0]));
        watched.merge(&second(62));
        watched.alarms.take_reports(kernel_reports(62, [0, 0]));
        watched.alarms.end_violations();
        let lines = watched.lines();
        assert_eq!((told(&lines), &lines.suppressed[..]), (vec![3, 0, 0, 0], &[suppressed(1, 62, 3)][..]));
        assert_eq!(lines.packets(), 10);
    }

    #[test]
    fn packet_that_the_kernel_reports_before_it_is_counted_is_in_one_line() {
        let mut watched = Watched::new(true);
        watched.alarms.take_reports(kernel_reports(5, [0, 0]));
        watched.merge(&[1, 2].map(|host| packet(1, host, 5)));
        watched.advance(60);
        watched.alarms.end_violations();
        let lines = watched.lines();
        assert_eq!((lines.packets(), lines.suppressed.len(), watched.not_permitted()), (2, 0, 2));
    }
}
