use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::account::conversation::{ConversationKey, DirectionSum, Endpoint, OneWay, Way};
use crate::account::interval::{CountedConversation, partial};
use crate::account::refusals::MAXIMUM_REFUSALS;
use crate::packet::{TcpFlags, Timestamp};
use crate::tables::probe;

const SEED: u64 = 3;

fn interval() -> Interval {
    Interval::new(Arc::new(Classifier::default()), SEED)
}

/// A host by its number, in IPv4 or IPv6.
fn addresses(is_v6: bool, source: u32, destination: u32) -> Addresses {
    if is_v6 {
        let host = |number: u32| Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number));
        Addresses::V6 { source: host(source), destination: host(destination) }
    } else {
        let host = |number: u32| Ipv4Addr::from_bits(0x0a00_0000 + number);
        Addresses::V4 { source: host(source), destination: host(destination) }
    }
}

fn packet(time: i64, addresses: Addresses, protocol: Protocol, ports: [u16; 2]) -> Packet {
    Packet {
        time: Timestamp::from_nanoseconds(time),
        addresses,
        protocol,
        source_port: ports[0],
        destination_port: ports[1],
        tcp_flags: TcpFlags::default(),
        has_payload: false,
        icmp_type: None,
        outgoing: false,
        bytes: 40,
    }
}

/// The word that `packet` was refused.
fn refusal(time: i64, packet: &Packet) -> Refusal {
    Refusal {
        time: Timestamp::from_nanoseconds(time),
        addresses: packet.addresses,
        protocol: packet.protocol,
        source_port: packet.source_port,
        destination_port: packet.destination_port,
    }
}

fn query(is_v6: bool, time: i64) -> Packet {
    packet(time, addresses(is_v6, 1, 2), Protocol::UDP, [50_000, 53])
}

/// The refusals of an interval with sources and times, v4 before v6.
fn refused(interval: &Interval) -> Vec<(IpAddr, u16, i64)> {
    fn plain<A: Address>(refused: &Refused<A>) -> (IpAddr, u16, i64) {
        let source = refused.key.endpoints(refused.way).0;
        (source.address.into(), source.port, refused.time.nanoseconds())
    }
    interval.refused_v4().iter().map(plain).chain(interval.refused_v6().iter().map(plain)).collect()
}

#[test]
fn a_row_is_no_larger_for_what_is_rare() {
    assert_eq!((size_of::<Row<Ipv4Addr>>(), size_of::<Row<Ipv6Addr>>()), (80, 104));
}

#[test]
fn each_way_keeps_the_type_of_its_first_icmp_packet() {
    let mut interval = interval();
    for (time, source, destination, icmp_type) in
        [(1, 1, 2, Some(8)), (2, 2, 1, Some(0)), (3, 1, 2, Some(13)), (4, 1, 3, None)]
    {
        let ping = packet(time, addresses(false, source, destination), Protocol::ICMP, [0, 0]);
        interval.observe(&Packet { icmp_type, ..ping }, 60);
    }
    interval
        .observe(&Packet { tcp_flags: TcpFlags::SYN, ..packet(5, addresses(false, 1, 4), Protocol::TCP, [5, 6]) }, 60);
    interval.settle();
    let types = |row: &Row<Ipv4Addr>| Way::BOTH.map(|way| row.ways[way as usize].icmp_type());
    assert_eq!(
        interval.rows_v4().iter().map(types).collect::<Vec<_>>(),
        [[Some(8), Some(0)], [None, None], [None, None]]
    );
    let first_flags = interval.rows_v4().iter().map(|row| row.ways[0].first_flags());
    assert_eq!(first_flags.collect::<Vec<_>>(), [TcpFlags::default(), TcpFlags::default(), TcpFlags::SYN]);
}

#[test]
fn direction_of_a_refused_packet_is_marked_pending_or_not() {
    for is_v6 in [false, true] {
        for settles in [false, true] {
            let mut interval = interval();
            interval.observe(&query(is_v6, 1), 60);
            if settles {
                interval.settle();
            }
            interval.refuse(&refusal(2, &query(is_v6, 1)));
            interval.refuse(&refusal(3, &query(is_v6, 1)));
            interval.settle();
            let marks = |ways: &[OneWay; 2]| ways.map(|way| way.is_refused());
            let marked: Vec<_> = if is_v6 {
                interval.rows_v6().iter().map(|row| marks(&row.ways)).collect()
            } else {
                interval.rows_v4().iter().map(|row| marks(&row.ways)).collect()
            };
            assert_eq!(marked, [[true, false]], "v6 {is_v6}, settled {settles}");
            assert_eq!(refused(&interval), [(query(is_v6, 1).addresses.source(), 50_000, 2)], "the first error's time");
        }
    }
}

#[test]
fn both_ways_may_be_refused() {
    let mut interval = interval();
    let answer = packet(2, addresses(false, 2, 1), Protocol::UDP, [53, 50_000]);
    interval.observe(&query(false, 1), 60);
    interval.observe(&answer, 60);
    interval.refuse(&refusal(3, &answer));
    interval.refuse(&refusal(4, &query(false, 1)));
    interval.settle();
    assert_eq!(interval.rows_v4()[0].ways.map(|way| way.is_refused()), [true, true]);
    assert_eq!(
        refused(&interval).iter().map(|&(_, port, time)| (port, time)).collect::<Vec<_>>(),
        [(53, 3), (50_000, 4)]
    );
}

#[test]
fn a_conversation_without_a_row_is_refused_and_nothing_counts() {
    let mut interval = interval();
    interval.refuse(&refusal(5, &query(false, 1)));
    interval.refuse(&refusal(6, &query(true, 1)));
    interval.settle();
    assert!(interval.rows_v4().is_empty() && interval.rows_v6().is_empty() && interval.is_empty());
    assert_eq!(refused(&interval).len(), 2);
    // A later packet opens the conversation as ever.
    let answer = packet(7, addresses(false, 2, 1), Protocol::UDP, [53, 50_000]);
    interval.observe(&answer, 60);
    interval.settle();
    let row = &interval.rows_v4()[0];
    assert_eq!(
        (row.opener(), row.ways.map(|way| way.is_refused()), row.ways[0].packets),
        (Way::Backward, [true, false], 0)
    );
}

#[test]
fn refusal_without_room_is_counted_and_changes_no_row() {
    let mut interval = interval();
    let forged = |number: u32| refusal(1, &packet(1, addresses(false, number, 9), Protocol::TCP, [1, 2]));
    let room = MAXIMUM_REFUSALS as u32;
    for number in 10..10 + room + 5 {
        interval.refuse(&forged(number));
    }
    interval.refuse(&forged(10));
    interval.observe(&query(false, 2), 60);
    interval.refuse(&refusal(3, &query(false, 2)));
    interval.settle();
    assert_eq!((interval.refused_v4().len(), interval.refusals_lost()), (MAXIMUM_REFUSALS, 6));
    assert_eq!(interval.rows_v4()[0].ways.map(|way| way.is_refused()), [false, false]);
    assert_eq!((interval.rows_v4().len(), interval.frames().frames), (1, 1));
    assert!(interval.is_nearly_full(), "it should be handed over long before");
    interval.reset();
    assert_eq!((interval.refused_v4().len(), interval.refusals_lost()), (0, 0));
    assert!(!interval.is_nearly_full());
}

#[test]
fn refusals_take_memory_that_is_reported() {
    let mut interval = interval();
    let before = interval.memory_bytes();
    interval.refuse(&refusal(1, &query(true, 1)));
    assert!(interval.memory_bytes() >= before + size_of::<Refused<Ipv6Addr>>());
}

/// The content of a frame: a packet of one of few conversations, or an error about one, packet or not.
#[derive(Debug, Clone, Copy)]
struct Event {
    is_v6: bool,
    hosts: (u32, u32),
    is_error: bool,
    /// Looks up pending packets, as at a fill check of the replay.
    settles: bool,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (any::<bool>(), (0..6_u32, 0..6_u32), prop::bool::weighted(0.3), prop::bool::weighted(0.1));
    let event = event.prop_map(|(is_v6, hosts, is_error, settles)| Event { is_v6, hosts, is_error, settles });
    prop::collection::vec(event, 0..200)
}

/// Feeds the events of which `is_mine` holds.
fn fed(events: &[Event], settles: bool, is_mine: impl Fn(&Event) -> bool) -> Box<Interval> {
    let mut interval = Box::new(interval());
    for (number, event) in events.iter().enumerate().filter(|(_, event)| is_mine(event)) {
        let packet = packet(number as i64, addresses(event.is_v6, event.hosts.0, event.hosts.1), Protocol::UDP, [7, 7]);
        if event.is_error {
            interval.refuse_nth(&refusal(number as i64, &packet), number as u32);
        } else {
            interval.observe_nth(&packet, 60, number as u32);
        }
        if settles && event.settles {
            interval.settle();
        }
    }
    interval.settle();
    interval
}

/// Rows with their marks, then refusals, of the intervals of several threads together.
fn observed(partial: &[Box<Interval>]) -> (Vec<String>, Vec<String>) {
    let rows = partial::rows_v4(partial).map(|row| format!("{row:?}"));
    let rows = rows.chain(partial::rows_v6(partial).map(|row| format!("{row:?}"))).collect();
    let refused = partial::refused_v4(partial).map(|refused| format!("{refused:?}"));
    (rows, refused.chain(partial::refused_v6(partial).map(|refused| format!("{refused:?}"))).collect())
}

proptest! {
    #[test]
    fn neither_threads_nor_looks_show_in_marks(events in events(), threads in 1_u32..5) {
        let alone = observed(&[fed(&events, false, |_| true)]);
        prop_assert_eq!(&alone, &observed(&[fed(&events, true, |_| true)]));
        let part = |thread| fed(&events, true, |event: &Event| (event.hosts.0 ^ event.hosts.1) % threads == thread);
        let partial: Vec<_> = (0..threads).map(part).collect();
        prop_assert_eq!(&alone, &observed(&partial));
    }

    #[test]
    fn forged_errors_change_nothing_that_counts(events in events()) {
        let with = fed(&events, true, |_| true);
        let without = fed(&events, true, |event| !event.is_error);
        let counted = |interval: &Interval| {
            let v4: Vec<_> = interval.rows_v4().iter().map(|row| (row.key, row.opener(), row.ways.map(marked))).collect();
            let v6: Vec<_> = interval.rows_v6().iter().map(|row| (row.key, row.opener(), row.ways.map(marked))).collect();
            (v4, v6, interval.frames())
        };
        prop_assert_eq!(counted(&with), counted(&without));
        // A row is marked just where its key is among what was refused.
        for row in with.rows_v4() {
            for way in Way::BOTH {
                let is_refused = with.refused_v4().iter().any(|refused| refused.key == row.key && refused.way == way);
                prop_assert_eq!(row.ways[way as usize].is_refused(), is_refused);
            }
        }
    }
}

/// With the mark, whether it had it or not.
fn marked(mut way: OneWay) -> OneWay {
    way.refuse();
    way
}

#[test]
fn scans_do_not_stand_in_a_row_whatever_the_seed() {
    let end = |address: u32, port: u32| Endpoint { address: Ipv4Addr::from_bits(address), port: port as u16 };
    let key = |source, target| ConversationKey::new(source, target, Protocol::TCP).0;
    let hosts = |number: u32| key(end(0xc0a8_0007, 40_000), end(0x0a00_0000 + number, 22));
    let ports = |number: u32| key(end(0xc0a8_0007, 40_000), end(0x0a00_0001, 1 + number));
    let sources = |number: u32| key(end(0xc0a8_0007, 10_000 + number), end(0x0a00_0001, 443));
    for seed in 0..200 {
        for scan in [&hosts as &dyn Fn(u32) -> _, &ports, &sources] {
            let keys: Vec<_> = (0..2_048_u32).map(scan).collect();
            let state = hashing::state(seed);
            let hashes: Vec<u64> = keys.iter().map(|key| key.hash_under(&state)).collect();
            let away = probe::tests::displacement(&hashes);
            assert!(away < 1.0, "{away} slots with seed {seed}");
        }
    }
}

#[test]
fn each_direction_is_judged_by_its_source_and_packets_without_a_row_are_too() {
    use crate::policy::{Networks, Verdict};
    for is_v6 in [false, true] {
        let permitted = if is_v6 { "2001:db8::1/128" } else { "10.0.0.1/32" };
        let mut interval = interval();
        interval.judge_by(Some(Arc::new(Networks::new(&[permitted.parse().unwrap()], &[]))));
        for (source, destination) in [(1, 2), (1, 2), (2, 1), (3, 1), (3, 4)] {
            interval.observe(&packet(1, addresses(is_v6, source, destination), Protocol::UDP, [5, 5]), 60);
        }
        let full = table::MAXIMUM_ROWS as u32;
        (10..10 + full).for_each(|host| {
            interval.observe(&packet(1, addresses(is_v6, host, 1), Protocol::UDP, [5, 5]), 60);
        });
        interval.close();
        assert_eq!(interval.overflow().not_permitted(), 3);
        let verdict = |verdict| interval.verdicts().of(verdict);
        assert_eq!(verdict(Verdict::Permitted), Counters { packets: 2, bytes: 80 });
        let others = 3 + u64::from(full);
        assert_eq!(verdict(Verdict::NotPermitted), Counters { packets: others, bytes: 40 * others });
        let marks = |ways: &[OneWay; 2]| ways.map(|way| (way.packets, way.is_permitted()));
        let first = if is_v6 { marks(&interval.rows_v6()[0].ways) } else { marks(&interval.rows_v4()[0].ways) };
        assert_eq!(first, [(2, true), (1, false)]);
        interval.reset();
        interval.close();
        assert_eq!(*interval.verdicts(), VerdictCounters::default());
    }
}

#[test]
fn counted_packets_without_a_row_have_verdicts_too() {
    use crate::policy::{Networks, Verdict};
    let mut interval = interval();
    interval.judge_by(Some(Arc::new(Networks::new(&["10.0.0.1/32".parse().unwrap()], &[]))));
    (10..10 + table::MAXIMUM_ROWS as u32).for_each(|host| {
        interval.observe(&packet(1, addresses(false, 1, host), Protocol::UDP, [5, 5]), 60);
    });
    interval.settle();
    let end = |number: u8| Endpoint { address: Ipv4Addr::new(10, 0, 0, number), port: 5 };
    let time = Timestamp::from_nanoseconds(1);
    let sum = DirectionSum {
        packets: 7,
        bytes: 280,
        first: time,
        last: time,
        first_flags: TcpFlags::default(),
        icmp_type: None,
        flags: TcpFlags::default(),
        has_payload: false,
    };
    let (key, opener) = ConversationKey::new(end(2), end(1), Protocol::UDP);
    assert_eq!(opener, Way::Backward);
    interval.add_v4(&CountedConversation { key, opener, sums: [None, Some(sum)], wire_packets: [0, 7] });
    let mut judged = VerdictCounters::default();
    judged.add(Verdict::NotPermitted, Counters { packets: 5, bytes: 500 });
    interval.add_verdicts(&judged);
    interval.close();
    assert_eq!(interval.overflow().not_permitted(), 12);
    let packets = Verdict::ALL.map(|verdict| interval.verdicts().of(verdict).packets);
    assert_eq!(packets, [table::MAXIMUM_ROWS as u64, 12]);
}

#[test]
fn bounded_interval_is_handed_over_half_full_and_loses_no_packet() {
    let mut interval = interval();
    interval.bound(1_024);
    for host in 0..1_500 {
        assert_eq!(interval.is_nearly_full(), interval.rows_v4().len() >= 512, "{host}");
        interval.observe(&packet(1, addresses(false, 1, 10 + host), Protocol::UDP, [5, 5]), 60);
    }
    interval.close();
    assert_eq!(interval.rows_v4().len(), 1_024);
    let overflow: u64 = interval.overflow().iter().map(|(_, counters)| counters.packets).sum();
    assert_eq!(overflow, 1_500 - 1_024);
}

#[test]
fn without_a_policy_nothing_is_judged() {
    let mut interval = interval();
    interval.observe(&query(false, 1), 60);
    interval.close();
    assert_eq!(*interval.verdicts(), VerdictCounters::default());
    assert!(interval.rows_v4()[0].ways[0].is_permitted());
}
