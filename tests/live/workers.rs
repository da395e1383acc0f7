//! Several workers an interface: together they count as one would.

use std::net::Ipv4Addr;

use super::common::metrics::{Counted, Metrics, Packets};
use super::common::monitor::{Monitor, refused};
use super::common::namespace::{End, Namespace, connect};
use super::traffic::{Flood, Pair, send};

const TWO: &[&str] = &["-iface", "eth0", "--capture.workers", "2", "--max-series", "65536"];
const STARTS: u64 = 20;
/// Number of ports of an address.
const PORTS: u64 = 50;

/// The address and the port of a packet encode its number. Ports that have no names.
fn destination(number: u64) -> (Ipv4Addr, u16) {
    let address = Ipv4Addr::new(10, 128, 0, 0).to_bits() + u32::try_from(number / PORTS).unwrap();
    (Ipv4Addr::from_bits(address), u16::try_from(61_000 + number % PORTS).unwrap())
}

fn flow_of(number: u64) -> String {
    let (address, port) = destination(number);
    format!("10.1.0.2->{address} udp/{port}")
}

/// Numbered packets from the other to the host, which is no router and drops them silently.
fn numbered(pair: &Pair) -> Flood {
    pair.other.ip("route replace 10.128.0.0/9 via 10.1.0.1");
    let client = pair.other.udp("10.1.0.2:40053");
    Flood::start(move |number| {
        client.send_to(&[0x55; 20], destination(number)).unwrap();
    })
}

/// Each number counted once at most; those from `ready` on all.
fn expect_each_once(metrics: &Metrics, ready: u64, sent: u64) -> u64 {
    let flows = metrics.flows();
    assert!(flows.values().all(|&bytes| bytes == 48), "a packet counted twice");
    let missing: Vec<u64> = (ready..sent).filter(|&number| !flows.contains_key(&flow_of(number))).collect();
    assert!(missing.is_empty(), "{ready} to {sent}, missing {missing:?}");
    (0..sent).filter(|&number| flows.contains_key(&flow_of(number))).count() as u64
}

#[test]
fn from_readiness_on_two_workers_count_each_packet_once() {
    for arguments in [TWO, &["-iface", "any", "-filter", "udp", "--capture.workers", "2", "--max-series", "65536"]] {
        for _ in 0..if arguments == TWO { STARTS } else { 3 } {
            let pair = Pair::new();
            let flood = numbered(&pair);
            let monitor = Monitor::start(&pair.host, arguments);
            let ready = flood.next();
            flood.wait_for_more(4_000);
            let sent = flood.stop();
            let total = |metrics: &Metrics| metrics.counted().packets;
            // Not for the last packet alone: each worker reports its received and counted packets together, so that
            // the sums agree though the other worker has not reported its last packets yet.
            let metrics = monitor.wait_for("every packet since readiness", |metrics| {
                let flows = metrics.flows();
                (ready..sent).all(|number| flows.contains_key(&flow_of(number)))
                    && total(metrics) == metrics.delivered()
            });
            let counted = expect_each_once(&metrics, ready, sent);
            assert_eq!(counted, total(&metrics));
            let closing = monitor.stop().closing();
            assert_eq!((closing.captured, closing.received, closing.dropped), (counted, counted, 0), "{arguments:?}");
        }
    }
}

#[test]
fn both_workers_have_their_part() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &[TWO, &["--log.level", "debug"]].concat());
    let flood = numbered(&pair);
    flood.wait_for_more(2_000);
    let sent = flood.stop();
    monitor.wait_for("all packets", |metrics| metrics.counted().packets == sent);
    let threads = std::fs::read_dir(format!("/proc/{}/task", monitor.pid())).unwrap();
    let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("capture-")).collect();
    names.sort();
    assert_eq!(names, ["capture-eth0-1\n", "capture-eth0-2\n"]);
    let messages = monitor.stop().messages;
    let closed = messages.lines().filter(|line| line.contains("handle closed"));
    let received =
        closed.map(|line| line.split("received=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap());
    let received: Vec<u64> = received.collect();
    assert_eq!((received.len(), received.iter().sum::<u64>()), (2, sent), "{messages}");
    assert!(received.iter().all(|&received| received > sent / 4), "{received:?}");
}

#[test]
fn term_amid_a_flood_loses_nothing_with_workers() {
    for arguments in [TWO, &["-iface", "eth0", "--capture.workers", "3"]] {
        let pair = Pair::new();
        let monitor = Monitor::start(&pair.host, arguments);
        let flood = numbered(&pair);
        monitor.wait_for("packets", |metrics| metrics.counted().packets > 5_000);
        let before = flood.sent();
        let closing = monitor.stop().closing();
        let after = flood.stop();
        assert_eq!(closing.captured, closing.received - closing.dropped, "{closing:?}");
        assert!((before..=after).contains(&closing.received), "{closing:?}, {before} before and {after} in all");
    }
}

#[test]
fn workers_follow_an_interface_that_is_deleted_and_made_again() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, TWO);
    let mut counted = Counted::default();
    for _ in 0..3 {
        // Many clients, so that each worker has some.
        for third in 0..20 {
            let (client, server) =
                (pair.other.udp(&format!("10.1.0.2:{}", 40_000 + third)), pair.host.udp("10.1.0.1:53"));
            let queries = Packets::udp(7, 31);
            send(&client, &server, queries);
            counted = counted.and("10.1.0.2->10.1.0.1 udp/53(domain)", "eth0", queries);
        }
        // At once, while the kernel still holds the packets back in its rings.
        pair.host.ip("link delete eth0");
        monitor.wait_until_up("eth0", false);
        monitor.expect(&counted);
        connect(&pair.end(), &End::new(&pair.other, "eth0", "10.1.0.2/24"));
        monitor.wait_until_up("eth0", true);
    }
    monitor.finish(&counted);
}

#[test]
fn more_workers_than_make_sense_are_refused() {
    let namespace = Namespace::new();
    for (workers, complaint) in
        [("0", "a number from 1 to 64"), ("65", "a number from 1 to 64"), ("two", "from 1 to 64")]
    {
        let (status, messages) = refused(&namespace, &["-iface", "lo", "--capture.workers", workers]);
        assert!(status == Some(2) && messages.contains(complaint), "{workers}: {messages}");
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    if cores * 4 < 64 {
        let (status, messages) =
            refused(&namespace, &["-iface", "lo", "--capture.workers", &format!("{}", cores * 4 + 1)]);
        assert!(status == Some(2) && messages.contains("too many for"), "{messages}");
    }
}
