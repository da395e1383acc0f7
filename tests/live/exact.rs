//! Start and stop under load: nothing between the first packet that counts and the last is missing.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;

use super::common::metrics::{Counted, Packets};
use super::common::monitor::{Ended, Monitor, PROGRAM};
use super::common::namespace::{End, Namespace, connect, wait_for};
use super::traffic::{Flood, Pair};

/// A flood of queries from the other to the host.
fn queries(pair: &Pair) -> (Flood, UdpSocket) {
    let (client, server) = pair.resolver();
    let to = server.local_addr().unwrap();
    let query = move |_| assert_eq!(client.send_to(&[0x55; 100], to).unwrap(), 100);
    (Flood::start(query), server)
}

/// Stops it by `signal` in the middle of a flood: all packets sent before are counted, and so are those that the
/// kernel received.
fn stop_amid(arguments: &[&str], signal: i32) -> Ended {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, arguments);
    let (flood, _server) = queries(&pair);
    monitor.wait_for("packets", |metrics| metrics.counted().packets > 5_000);
    let before = flood.sent();
    let ended = monitor.stop_with(signal);
    let after = flood.stop();
    let closing = ended.closing();
    assert_eq!(closing.captured, closing.received - closing.dropped, "{closing:?}");
    assert!((before..=after).contains(&closing.received), "{closing:?}, {before} sent before and {after} in all");
    ended
}

#[test]
fn term_amid_a_flood_loses_nothing() {
    stop_amid(&["-iface", "eth0"], libc::SIGTERM);
}

#[test]
fn int_amid_a_flood_loses_nothing() {
    stop_amid(&["-iface", "eth0"], libc::SIGINT);
}

#[test]
fn on_any_too() {
    stop_amid(&["-iface", "any", "-filter", "udp"], libc::SIGTERM);
}

#[test]
fn a_long_read_timeout_still_stops_in_time() {
    stop_amid(&["-iface", "eth0", "-w", "500ms"], libc::SIGTERM);
}

#[test]
fn a_second_signal_forces() {
    let pair = Pair::new();
    // It waits for twice the read timeout when it stops.
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0", "-w", "500ms"]);
    monitor.signal(libc::SIGTERM);
    wait_for("it says that it stops", || monitor.messages().contains("stopping").then_some(()));
    monitor.signal(libc::SIGINT);
    let ended = monitor.wait();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.messages);
    assert!(!ended.messages.contains("captured,"), "{}", ended.messages);
}

/// The address of a packet, which encodes its number.
fn address_of(number: u64) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(10, 128, 0, 0).to_bits() + u32::try_from(number).unwrap())
}

fn flow_of(number: u64) -> String {
    format!("10.1.0.2->{} udp/53(domain)", address_of(number))
}

#[test]
fn from_the_first_packet_that_counts_none_is_missing() {
    for selection in [&["-iface", "eth0"][..], &["-iface", "eth0,eth1"], &["-iface", "any", "-filter", "udp"]] {
        // Every packet is a flow of its own, and all are shown.
        let arguments = &[selection, &["--max-series", "65536"]].concat();
        let pair = Pair::new();
        let third = Namespace::new();
        connect(&End::new(&pair.host, "eth1", "10.2.0.1/24"), &End::new(&third, "eth0", "10.2.0.2/24"));
        // The host is no router: it drops them silently.
        pair.other.ip("route add 10.128.0.0/9 via 10.1.0.1");
        let client = pair.other.udp("10.1.0.2:40053");
        let flood = Flood::start(move |number| {
            client.send_to(&[0x55; 20], (address_of(number), 53)).unwrap();
        });
        let monitor = Monitor::start(&pair.host, arguments);
        flood.wait_for_more(8_000);
        let sent = flood.stop();
        let last = flow_of(sent - 1);
        let metrics = monitor.wait_for("the last packet", |metrics| metrics.flows().contains_key(&last));
        let flows = metrics.flows();
        let first = (0..sent).find(|&number| flows.contains_key(&flow_of(number))).unwrap();
        assert!(first > 0, "the flood ran before the program did");
        let missing: Vec<u64> = (first..sent).filter(|&number| !flows.contains_key(&flow_of(number))).collect();
        assert!(missing.is_empty(), "{arguments:?}: {first} to {sent}, missing {missing:?}");
        assert!(flows.values().all(|&bytes| bytes == 48), "{arguments:?}: a packet counted twice");
        let closing = monitor.stop().closing();
        let expected = sent - first;
        assert_eq!((closing.captured, closing.received, closing.dropped), (expected, expected, 0), "{arguments:?}");
    }
}

#[test]
fn a_stop_right_after_the_start_is_orderly() {
    let pair = Pair::new();
    let monitor = Monitor::spawn(&pair.host, Command::new(PROGRAM), &["-iface", "eth0"]);
    wait_for("it captures", || monitor.messages().contains("capturing").then_some(()));
    monitor.stop();
}

#[test]
fn a_flood_counts_to_the_byte() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    let (flood, _server) = queries(&pair);
    flood.wait_for_more(20_000);
    let sent = flood.stop();
    let flow = "10.1.0.2->10.1.0.1 udp/53(domain)";
    monitor.finish(&Counted::default().and(flow, "eth0", Packets::udp(sent, 100)));
}
