//! Violations of the policy as events, live and for files. Takes merged rows with their verdicts, and packet time; gives
//! events to a sink, at the pace of each source, and counts the packets of both kinds. Must not know what the sink does.
//!
//! Packets of events + suppressed packets = packets of sources that are not permitted. The sink is told of each
//! suppressed packet once: by the next event of its source, or else when the source has been silent for a while. Packets
//! that the kernel dropped and packets that went on are told apart.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::account::InterfaceId;
use crate::account::conversation::{Address, Way};
use crate::account::interval::Row;
use crate::account::observer::{NotPermittedSums, RowBatch};
use crate::packet::{Protocol, Timestamp};
use crate::policy::{Action, EventBuckets, EventCounts, EventPace, Violation, ViolationSink};

/// The violations that the kernel reported in an interval.
#[derive(Debug, Default)]
pub(super) struct KernelReports {
    /// One packet each.
    pub violations: Vec<Violation>,
    /// Packets that the kernel left to this program to read, one each. They become events at the pace of their source.
    pub unread: Vec<Violation>,
    /// Packets of sources that are not permitted without a report.
    pub suppressed_packets: u64,
}

/// Messages of neighbour discovery, by their ICMP types (RFC 4861): they are never dropped.
const NEIGHBOR_DISCOVERY: std::ops::RangeInclusive<u8> = 133..=137;

/// Packets of a row whose source is not permitted, where the kernel drops such packets.
#[derive(Debug, Clone, Copy)]
struct JudgedRow {
    source: IpAddr,
    packets: u64,
    /// Times of the first and the last packet.
    span: [Timestamp; 2],
    /// Order in which the packets that were not dropped are taken from rows: 0 for neighbour discovery, which the kernel
    /// never drops, 1 for other ICMPv6, 2 for the rest.
    rank: u8,
}

/// Makes events of merged rows, or takes those that the kernel has made.
pub struct Violations {
    /// Packets that went on.
    logged: EventBuckets,
    /// Packets that the kernel dropped.
    dropped: EventBuckets,
    sink: Box<dyn ViolationSink + Send>,
    counts: EventCounts,
    /// The interface whose rows are merged.
    interface: (InterfaceId, Arc<str>),
    /// True if the kernel makes the events.
    is_of_kernel: bool,
    /// True if the kernel drops packets that are not permitted.
    is_dropping: bool,
    /// Number of packets that were not dropped and whose row has not come yet. Negative while an interval has the sum of
    /// dropped packets before their rows.
    passed: i64,
    /// Rows that may have packets that went on, until the interval ends.
    open_rows: Vec<JudgedRow>,
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
            logged: EventBuckets::new(pace, seed, Action::Logged),
            dropped: EventBuckets::new(pace, seed, Action::Dropped),
            sink,
            counts: EventCounts::default(),
            interface,
            is_of_kernel: false,
            is_dropping: false,
            passed: 0,
            open_rows: Vec::new(),
            without_row: 0,
            watermark: Timestamp::default(),
        }
    }

    /// Takes the events of the kernel and makes none. The kernel drops what is not permitted, or lets it go on.
    #[must_use]
    pub fn of_kernel(self, is_dropping: bool) -> Self {
        Self { is_of_kernel: true, is_dropping, ..self }
    }

    fn buckets(&mut self, action: Action) -> &mut EventBuckets {
        match action {
            Action::Logged => &mut self.logged,
            Action::Dropped => &mut self.dropped,
        }
    }

    /// Takes the violations of an interval. Their suppressed packets are those that were counted and that no line tells
    /// yet: the kernel does not know what a closed bucket gave, and forgets sources if it knows too many.
    pub(super) fn take_reports(&mut self, reports: KernelReports) {
        self.close_unread_rows(&reports.unread);
        self.close_rows();
        self.counts.suppressed_packets += reports.suppressed_packets;
        for violation in self.pay_in_order(reports) {
            self.counts.events += 1;
            self.counts.packets += violation.packets;
            let buckets = self.buckets(violation.action);
            let suppressed = buckets.settle(violation.addresses.source(), violation.suppressed);
            self.sink.report(&Violation { suppressed, ..violation });
        }
    }

    /// Pays for the events of an interval in the order of their times; gives them.
    fn pay_in_order(&mut self, reports: KernelReports) -> Vec<Violation> {
        let reported = reports.violations.into_iter().map(|violation| (true, violation));
        let unread = reports.unread.into_iter().map(|violation| (false, violation));
        let mut events: Vec<(bool, Violation)> = reported.chain(unread).collect();
        events.sort_by_key(|(_, violation)| violation.first);
        events.into_iter().filter_map(|(is_reported, violation)| self.pay(is_reported, violation)).collect()
    }

    /// The kernel keeps the pace of what it reports. Other violations are suppressed if their source cannot pay.
    fn pay(&mut self, is_reported: bool, violation: Violation) -> Option<Violation> {
        let (source, packets, time) = (violation.addresses.source(), violation.packets, violation.first);
        let buckets = self.buckets(violation.action);
        if is_reported {
            buckets.pay(source, packets, time);
            return Some(violation);
        }
        let Some(suppressed) = buckets.try_pay(source, packets, time) else {
            self.counts.suppressed_packets += packets;
            return None;
        };
        Some(Violation { suppressed, ..violation })
    }

    /// The events and the suppressed packets so far.
    pub const fn counts(&self) -> EventCounts {
        self.counts
    }

    /// Notes the interface whose rows follow. Packets without a row have no event.
    pub(super) fn enter(&mut self, interface: InterfaceId, name: &str, not_permitted: NotPermittedSums) {
        self.close_rows();
        let NotPermittedSums { all, without_row, dropped } = not_permitted;
        self.counts.suppressed_packets += if self.is_of_kernel { 0 } else { without_row };
        self.without_row += without_row;
        if self.is_dropping {
            self.passed = self.passed.saturating_add_unsigned(all).saturating_sub_unsigned(dropped);
        }
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
            let rank = match (row.key.protocol(), counted.icmp_type()) {
                (Protocol::ICMPV6, Some(kind)) if NEIGHBOR_DISCOVERY.contains(&kind) => 0,
                (Protocol::ICMPV6, _) => 1,
                _ => 2,
            };
            return self.count(JudgedRow { source: source.address.into(), packets, span, rank });
        }
        let Some(suppressed) = self.logged.take(source.address.into(), packets, span) else {
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

    /// Counts packets whose events the kernel makes, or keeps them until it is clear which of them went on.
    fn count(&mut self, row: JudgedRow) {
        let JudgedRow { source, packets, span, .. } = row;
        match (self.is_dropping, self.passed) {
            (false, _) => self.logged.count(source, packets, span),
            (true, ..=0) => self.dropped.count(source, packets, span),
            (true, _) => self.open_rows.push(row),
        }
    }

    /// Counts the packets of the open rows: as many as went on in the likeliest rows, the others as dropped.
    fn close_rows(&mut self) {
        let mut rows = std::mem::take(&mut self.open_rows);
        rows.sort_by_key(|row| row.rank);
        for JudgedRow { source, packets, span, .. } in rows.drain(..) {
            let logged = self.take_passed(packets);
            if logged > 0 {
                self.logged.count(source, logged, span);
            }
            if packets > logged {
                self.dropped.count(source, packets - logged, span);
            }
        }
        self.open_rows = rows;
    }

    /// Counts the packets of open rows that the kernel did not read: these went on.
    fn close_unread_rows(&mut self, unread: &[Violation]) {
        let mut left: BTreeMap<IpAddr, u64> = BTreeMap::new();
        for violation in unread.iter().filter(|_| self.is_dropping) {
            *left.entry(violation.addresses.source()).or_default() += violation.packets;
        }
        let mut rows = std::mem::take(&mut self.open_rows);
        for row in &mut rows {
            let Some(left) = left.get_mut(&row.source) else { continue };
            let logged = self.take_passed(row.packets.min(*left));
            if logged > 0 {
                self.logged.count(row.source, logged, row.span);
            }
            *left -= logged;
            row.packets -= logged;
        }
        rows.retain(|row| row.packets > 0);
        self.open_rows = rows;
    }

    /// Takes up to so many of the packets that went on.
    fn take_passed(&mut self, most: u64) -> u64 {
        let taken = u64::try_from(self.passed).unwrap_or(0).min(most);
        self.passed = self.passed.saturating_sub_unsigned(taken);
        taken
    }

    /// Reports the suppressed packets of sources that have been silent for long at `watermark`, and of no one source.
    pub(super) fn advance(&mut self, watermark: Timestamp) {
        self.watermark = watermark;
        self.suppress_without_row();
        self.logged.advance(watermark);
        self.dropped.advance(watermark);
        self.report_closed();
    }

    /// Reports all suppressed packets, because the clock was set or no packet follows. Starts again with full buckets.
    pub(super) fn close(&mut self) {
        self.suppress_without_row();
        self.logged.close();
        self.dropped.close();
        self.report_closed();
    }

    fn suppress_without_row(&mut self) {
        self.close_rows();
        let packets = std::mem::take(&mut self.without_row);
        let logged = if self.is_dropping { self.take_passed(packets) } else { packets };
        self.logged.suppress(logged, self.watermark);
        self.dropped.suppress(packets - logged, self.watermark);
    }

    fn report_closed(&mut self) {
        let closed = self.logged.closed().chain(self.dropped.closed());
        closed.for_each(|suppressed| self.sink.report_suppressed(&suppressed));
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
    use crate::account::flow::Counters;
    use crate::account::interval::{Interval, KernelSums};
    use crate::account::ledger::Ledger;
    use crate::alert;
    use crate::detect::{self, Detectors, Notes};
    use crate::packet::{Addresses, Packet, TcpFlags};
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
        /// With a kernel that makes the events if `dropping` is given.
        fn new(dropping: Option<bool>) -> Self {
            let kept = Kept::default();
            let pace = EventPace { burst: 2, per_second: 1, max_sources: 10 };
            let violations = Violations::new(pace, 1, Box::new(kept.clone()));
            let violations = match dropping {
                Some(is_dropping) => violations.of_kernel(is_dropping),
                None => violations,
            };
            let detectors = Detectors::new(&detect::Config::nothing(), 1, None);
            let alarms = Alarms::new(detectors, &alert::Config::default(), ()).with_violations(Some(violations));
            let mut ledger = Ledger::<Notes>::new(&Config::default(), 1);
            ledger.count_verdicts();
            Self { kept, alarms, ledger }
        }

        /// Merges the packets of a time cell.
        fn merge(&mut self, packets: &[Packet]) {
            self.merge_dropped(packets, 0);
        }

        /// Merges packets of which the kernel dropped so many.
        fn merge_dropped(&mut self, packets: &[Packet], dropped: u64) {
            let mut interval = Interval::new(Arc::default(), 1);
            interval.judge_by(Some(Arc::new(Networks::new(&["10.0.0.0/8".parse().unwrap()], &[]))));
            packets.iter().for_each(|packet| interval.observe(packet, packet.bytes));
            interval.close();
            let dropped = Counters { packets: dropped, bytes: 60 * dropped };
            interval.add_kernel_sums(&KernelSums { dropped, ..KernelSums::default() });
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
        let mut watched = Watched::new(None);
        for packets in seconds {
            watched.merge(packets);
            watched.advance(packets.last().map_or(0, |packet| packet.time.seconds() + 1));
        }
        watched.alarms.report_rest();
        (watched.lines(), watched.alarms.event_counts().unwrap(), watched.not_permitted())
    }

    fn suppressed(source: u8, seconds: i64, packets: u64) -> SuppressedPackets {
        let source = Some(IpAddr::from([198, 51, 100, source]));
        SuppressedPackets {
            source,
            last: Timestamp::from_seconds_and_nanoseconds(seconds, 0),
            packets,
            action: Action::Logged,
        }
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
        let mut watched = Watched::new(None);
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
            action: Action::Logged,
            suppressed,
        };
        KernelReports { violations: told.map(violation).to_vec(), unread: Vec::new(), suppressed_packets: 3 }
    }

    #[test]
    fn events_of_the_kernel_tell_no_packet_twice() {
        let mut watched = Watched::new(Some(false));
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
        watched.alarms.report_rest();
        let lines = watched.lines();
        assert_eq!((told(&lines), &lines.suppressed[..]), (vec![3, 0, 0, 0], &[suppressed(1, 62, 3)][..]));
        assert_eq!(lines.packets(), 10);
    }

    #[test]
    fn packet_that_the_kernel_reports_before_it_is_counted_is_in_one_line() {
        let mut watched = Watched::new(Some(false));
        watched.alarms.take_reports(kernel_reports(5, [0, 0]));
        watched.merge(&[1, 2].map(|host| packet(1, host, 5)));
        watched.advance(60);
        watched.alarms.report_rest();
        let lines = watched.lines();
        assert_eq!((lines.packets(), lines.suppressed.len(), watched.not_permitted()), (2, 0, 2));
    }

    fn unread(packet: &Packet) -> Violation {
        let mut reports = kernel_reports(packet.time.seconds(), [0, 0]);
        let violation = reports.violations.remove(0);
        Violation { addresses: packet.addresses, destination_port: 53, ..violation }
    }

    #[test]
    fn packets_that_the_kernel_has_not_read_become_events_at_the_pace_of_their_source() {
        let mut watched = Watched::new(Some(false));
        let second = |seconds, count| (0..count).map(move |host| packet(1, host, seconds)).collect::<Vec<_>>();
        for (seconds, count) in [(5, 5), (7, 1)] {
            let packets = second(seconds, count);
            watched.merge(&packets);
            let unread = packets.iter().map(unread).collect();
            watched.alarms.take_reports(KernelReports { unread, ..KernelReports::default() });
        }
        let counts = watched.alarms.event_counts().unwrap();
        assert_eq!(counts, EventCounts { events: 3, packets: 3, suppressed_packets: 3 });
        watched.alarms.report_rest();
        let lines = watched.lines();
        let told: Vec<_> = lines.violations.iter().map(|line| (line.destination_port, line.suppressed)).collect();
        assert_eq!((told, lines.suppressed), (vec![(53, 0), (53, 0), (53, 3)], vec![]));
    }

    #[test]
    fn packets_that_the_kernel_has_not_read_are_told_as_logged_while_others_are_dropped() {
        let mut watched = Watched::new(Some(true));
        let dropped = [1, 2, 3, 4].map(|host| packet(1, host, 5));
        let passed = [1, 2, 3, 4, 5].map(|host| packet(2, host, 5));
        watched.merge_dropped(&[&dropped[..], &passed].concat(), 4);
        let unread = passed.iter().map(unread).collect();
        watched.alarms.take_reports(KernelReports { unread, suppressed_packets: 4, ..KernelReports::default() });
        watched.advance(60);
        let lines = watched.lines();
        assert_eq!(lines.violations.iter().map(|line| line.action).collect::<Vec<_>>(), [Action::Logged; 2]);
        let dropped = SuppressedPackets { action: Action::Dropped, ..suppressed(1, 5, 4) };
        assert_eq!(lines.suppressed, [suppressed(2, 5, 3), dropped]);
    }

    /// A message from a source that is not permitted.
    fn icmpv6(icmp_type: u8, seconds: i64) -> Packet {
        let address = |last| std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
        let addresses = Addresses::V6 { source: address(7), destination: address(u16::from(icmp_type)) };
        let (protocol, icmp_type, tcp_flags) = (Protocol::ICMPV6, Some(icmp_type), TcpFlags::default());
        let ports = Packet { source_port: 0, destination_port: 0, ..packet(1, 1, seconds) };
        Packet { addresses, protocol, icmp_type, tcp_flags, ..ports }
    }

    fn by_action(lines: &Lines) -> Vec<(Action, u64)> {
        let of_violations = lines.violations.iter().map(|line| (line.action, line.packets + line.suppressed));
        of_violations.chain(lines.suppressed.iter().map(|line| (line.action, line.packets))).collect()
    }

    #[test]
    fn suppressed_packets_that_were_dropped_are_told_as_dropped() {
        let mut watched = Watched::new(Some(true));
        watched.merge_dropped(&[1, 2, 3, 4, 5].map(|host| packet(1, host, 5)), 5);
        let mut reports = kernel_reports(5, [0, 0]);
        reports.violations.iter_mut().for_each(|violation| violation.action = Action::Dropped);
        watched.alarms.take_reports(reports);
        watched.advance(60);
        let lines = watched.lines();
        let expected = [(Action::Dropped, 1), (Action::Dropped, 1), (Action::Dropped, 3)];
        assert_eq!(by_action(&lines), expected);
        assert_eq!(lines.suppressed, [SuppressedPackets { action: Action::Dropped, ..suppressed(1, 5, 3) }]);
    }

    #[test]
    fn source_with_dropped_packets_and_others_has_a_line_of_each() {
        let mut watched = Watched::new(Some(true));
        // An echo request is dropped, neighbour discovery is not.
        let packets = [128, 135, 128, 128, 135].map(|icmp_type| icmpv6(icmp_type, 5));
        watched.merge_dropped(&packets, 3);
        watched.advance(60);
        assert_eq!(by_action(&watched.lines()), [(Action::Logged, 2), (Action::Dropped, 3)]);
        // The sum of dropped packets comes with the first of two intervals.
        watched.merge_dropped(&[icmpv6(128, 61), icmpv6(128, 61)], 3);
        watched.merge_dropped(&[icmpv6(135, 61), icmpv6(128, 61)], 0);
        watched.advance(120);
        let lines = watched.lines();
        let of = |action| by_action(&lines).iter().filter(|line| line.0 == action).map(|line| line.1).sum::<u64>();
        assert_eq!([Action::Logged, Action::Dropped].map(of), [1, 3]);
    }
}
