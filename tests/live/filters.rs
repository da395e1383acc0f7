//! Long filters: lists of hosts work up to the kernel's limit, everything else is refused in time and in words.

use std::fmt::Write as _;
use std::net::UdpSocket;

use super::common::ip::{Ipv4, udp};
use super::common::link::Link;
use super::common::metrics::{Counted, Packets};
use super::common::monitor::{Monitor, refused};
use super::common::namespace::{End, Namespace, connect};
use super::traffic::{Pair, send, send_frame};

/// `host 172.16.0.0 or host 172.16.0.1 or …`, and one of the addresses of the tests at the end.
fn hosts(count: u32, last: &str) -> String {
    let mut list = String::new();
    for host in 0..count {
        write!(list, "host 172.16.{}.{} or ", host >> 8, host & 255).unwrap();
    }
    list + "host " + last
}

#[test]
fn list_of_a_thousand_hosts_counts_their_packets_alone() {
    let pair = Pair::new();
    pair.other.ip("address add 10.1.0.3/24 dev eth0");
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0", "-filter", &hosts(1_000, "10.1.0.2")]);
    let server = pair.host.udp("10.1.0.1:53");
    let (listed, other) = (pair.other.udp("10.1.0.2:40053"), pair.other.udp("10.1.0.3:40053"));
    send(&other, &server, Packets::udp(50, 100));
    send(&listed, &server, Packets::udp(37, 31));
    send(&server, &listed, Packets::udp(29, 480));
    let counted = Counted::default().and("10.1.0.2->10.1.0.1 udp/53(domain)", "eth0", Packets::udp(37, 31)).and(
        "10.1.0.1->10.1.0.2 reply_udp/53(domain)",
        "eth0",
        Packets::udp(29, 480),
    );
    monitor.finish(&counted);
}

/// A router, and a host on each of its two networks.
pub(super) fn routed() -> [Namespace; 3] {
    let (router, one, two) = (Namespace::router(), Namespace::new(), Namespace::new());
    connect(&End::new(&router, "eth0", "10.1.0.1/24"), &End::new(&one, "eth0", "10.1.0.2/24"));
    connect(&End::new(&router, "eth1", "10.2.0.1/24"), &End::new(&two, "eth0", "10.2.0.2/24"));
    one.ip("route add default via 10.1.0.1");
    two.ip("route add default via 10.2.0.1");
    [router, one, two]
}

/// Sends packets both ways between the hosts of [`routed`]; gives what counts.
pub(super) fn exchange(client: &UdpSocket, server: &UdpSocket) -> Counted {
    send(client, server, Packets::udp(11, 30));
    send(server, client, Packets::udp(13, 40));
    Counted::default().and("10.1.0.2->10.2.0.2 udp/53(domain)", "eth0", Packets::udp(11, 30)).and(
        "10.2.0.2->10.1.0.2 reply_udp/53(domain)",
        "eth1",
        Packets::udp(13, 40),
    )
}

/// With several interfaces the filter that leaves copies out is joined with the list.
#[test]
fn list_of_hosts_and_the_filter_that_counts_once_work_together() {
    let [router, one, two] = routed();
    let monitor = Monitor::start(&router, &["-iface", "eth0,eth1", "-filter", &hosts(700, "10.1.0.2")]);
    let (client, server) = (one.udp("10.1.0.2:40053"), two.udp("10.2.0.2:53"));
    let counted = exchange(&client, &server);
    monitor.expect(&counted);
    // A change of the network renews the program's part, and the list stays.
    router.ip("address add 10.3.0.1/24 dev eth1");
    send(&client, &server, Packets::udp(11, 30));
    let counted = counted.and("10.1.0.2->10.2.0.2 udp/53(domain)", "eth0", Packets::udp(11, 30));
    monitor.finish(&counted);
}

#[test]
fn filters_past_a_limit_are_refused_with_the_limit() {
    let pair = Pair::new();
    let slow = format!("{} or tcp[13] = 2", hosts(1_500, "10.1.0.2"));
    let long = format!("host 10.1.0.2 or host {}", "x".repeat(65_536));
    for (filter, words) in [
        (hosts(2_000, "10.1.0.2"), " instructions, the kernel takes 4096; name networks"),
        (slow, "compiling it takes longer than 5 s"),
        (long, "it has 65558 bytes, 65536 are allowed"),
    ] {
        let (status, messages) = refused(&pair.host, &["-iface", "eth0", "-filter", &filter]);
        assert_eq!(status, Some(2), "{messages}");
        assert!(messages.contains(words) && messages.contains("… ("), "{messages}");
        assert!(messages.lines().all(|line| line.len() < 700), "{messages}");
    }
}

/// The program of `vlan` depends on an open handle: the kernel takes the tag off the frame.
#[test]
fn filter_of_a_vlan_counts_tagged_frames_alone() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0", "-filter", "vlan 5"]);
    let packet = Ipv4::carrying(udp(40_053, 53, &[0x55; 40])).between([10, 1, 0, 2].into(), [10, 1, 0, 1].into());
    for (tag, count) in [(None, 20), (Some(0x8100), 17)] {
        let link = tag.map_or_else(Link::ethernet, |tag| Link::ethernet().vlan(tag));
        let mut frame = link.carrying(&packet.build());
        if tag.is_some() {
            // The VLAN's number, which the tag holds in its last 12 bits.
            frame.bytes[14..16].copy_from_slice(&[0, 5]);
        }
        send_frame(&pair.other, "eth0", &frame, count);
    }
    let flow = "10.1.0.2->10.1.0.1 udp/53(domain)";
    monitor.wait_for("the tagged frames", |metrics| metrics.flows().get(flow) == Some(&(17 * (20 + 8 + 40))));
    let ended = monitor.stop();
    assert_eq!(ended.closing().captured, 17, "{}", ended.messages);
}
