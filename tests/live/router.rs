//! A router between two or three networks: each packet counts once, however many interfaces show it.

use std::net::UdpSocket;

use super::common::metrics::{COOKED_2, Counted, ETHERNET, Packets};
use super::common::monitor::Monitor;
use super::common::namespace::{End, Namespace, connect};
use super::host::child;
use super::traffic::send;

/// An address that asks and answers.
struct Node {
    address: String,
    client: UdpSocket,
    server: UdpSocket,
}

impl Node {
    /// `address` as it stands in front of a port.
    fn new(namespace: &Namespace, address: &str) -> Self {
        let at = |port| namespace.udp(&format!("{address}:{port}"));
        Self { address: address.trim_matches(['[', ']']).to_owned(), client: at(40_053), server: at(53) }
    }

    /// Sends queries; gives their flow.
    fn asks(&self, other: &Self, packets: Packets) -> String {
        send(&self.client, &other.server, packets);
        format!("{}->{} udp/53(domain)", self.address, other.address)
    }

    /// Sends answers; gives their flow.
    fn answers(&self, other: &Self, packets: Packets) -> String {
        send(&self.server, &other.client, packets);
        format!("{}->{} reply_udp/53(domain)", self.address, other.address)
    }
}

/// A router with eth0, eth1 and eth2 into the networks 10.0, 10.1 and 10.2, each with a host.
struct Networks {
    router: Namespace,
    _hosts: Vec<Namespace>,
    /// The hosts, by network.
    outside: Vec<Node>,
    /// The router, by network.
    own: Vec<Node>,
}

impl Networks {
    fn new() -> Self {
        let router = Namespace::router();
        Self::around(router, Namespace::new, |network, host| format!("10.{network}.0.{host}"), "24")
    }

    /// The networks are 2001:db8:1 to 2001:db8:3.
    fn with_ipv6() -> Self {
        let router = Namespace::with_ipv6();
        router.set("net/ipv6/conf/all/forwarding", "1");
        Self::around(router, Namespace::with_ipv6, |network, host| format!("2001:db8:{}::{host}", network + 1), "64")
    }

    fn around(
        router: Namespace,
        host: impl Fn() -> Namespace,
        address: impl Fn(usize, usize) -> String,
        prefix: &str,
    ) -> Self {
        let hosts: Vec<Namespace> = (0..3).map(|_| host()).collect();
        for (network, host) in hosts.iter().enumerate() {
            let [near, far] = [1, 2].map(|host| format!("{}/{prefix}", address(network, host)));
            let interface = format!("eth{network}");
            connect(&End::new(&router, &interface, &near), &End::new(host, "eth0", &far));
            let version = if prefix == "64" { "-6" } else { "-4" };
            host.ip(&format!("{version} route add default via {}", address(network, 1)));
        }
        let node = |namespace: &Namespace, address: String| match address.contains(':') {
            true => Node::new(namespace, &format!("[{address}]")),
            false => Node::new(namespace, &address),
        };
        let outside = hosts.iter().enumerate().map(|(network, host)| node(host, address(network, 2))).collect();
        let own = (0..3).map(|network| node(&router, address(network, 1))).collect();
        Self { router, _hosts: hosts, outside, own }
    }
}

/// Every flow is recognised by its bytes: so many packets, and so many bytes in each.
fn some(packets: u64, is_ipv6: bool) -> Packets {
    if is_ipv6 { Packets::udp_6(packets, packets + 3) } else { Packets::udp(packets, packets + 3) }
}

/// Traffic between the networks 0 and 1 and the router itself, and the interface under which each packet must count
/// when both eth0 and eth1 are captured: `on` names it.
fn between_two(networks: &Networks, header: u64, on: [&str; 2], is_ipv6: bool) -> Counted {
    let some = |packets| some(packets, is_ipv6);
    let [a, b, own_a, own_b] = [&networks.outside[0], &networks.outside[1], &networks.own[0], &networks.own[1]];
    Counted::default()
        // Forwarded: where it came in.
        .and_behind(header, &a.asks(b, some(11)), on[0], some(11))
        .and_behind(header, &b.answers(a, some(13)), on[1], some(13))
        .and_behind(header, &b.asks(a, some(17)), on[1], some(17))
        .and_behind(header, &a.answers(b, some(19)), on[0], some(19))
        // To the router and from it, by its address on this side and on the other.
        .and_behind(header, &a.asks(own_a, some(23)), on[0], some(23))
        .and_behind(header, &own_a.answers(a, some(29)), on[0], some(29))
        .and_behind(header, &a.asks(own_b, some(31)), on[0], some(31))
        .and_behind(header, &own_b.answers(a, some(37)), on[0], some(37))
        .and_behind(header, &own_b.asks(b, some(41)), on[1], some(41))
        .and_behind(header, &b.answers(own_b, some(43)), on[1], some(43))
        .and_behind(header, &own_a.asks(b, some(47)), on[1], some(47))
}

/// Number of forwarded packets.
const FORWARDED: u64 = 11 + 13 + 17 + 19;

#[test]
fn on_one_interface_of_a_router_every_frame_counts() {
    let networks = Networks::new();
    let [a, b, own] = [&networks.outside[0], &networks.outside[1], &networks.own[0]];
    let monitor = Monitor::start(&networks.router, &["-iface", "eth0"]);
    let some = |packets| some(packets, false);
    b.asks(&networks.outside[2], some(50));
    let counted = Counted::default()
        .and(&a.asks(b, some(11)), "eth0", some(11))
        .and(&b.answers(a, some(13)), "eth0", some(13))
        .and(&b.asks(a, some(17)), "eth0", some(17))
        .and(&a.asks(own, some(23)), "eth0", some(23))
        .and(&own.answers(a, some(29)), "eth0", some(29));
    monitor.finish(&counted);
}

#[test]
fn on_both_interfaces_of_a_router_each_packet_counts_once() {
    let networks = Networks::new();
    let monitor = Monitor::start(&networks.router, &["-iface", "eth0,eth1"]);
    monitor.finish(&between_two(&networks, ETHERNET, ["eth0", "eth1"], false));
}

#[test]
fn on_all_interfaces_of_a_router_each_packet_counts_once() {
    let networks = Networks::new();
    let monitor = Monitor::start(&networks.router, &[]);
    let [b, c] = [&networks.outside[1], &networks.outside[2]];
    let some_more = some(53, false);
    let counted = between_two(&networks, ETHERNET, ["eth0", "eth1"], false)
        .and(&b.asks(c, some_more), "eth1", some_more)
        .and(&c.answers(b, some_more), "eth2", some_more);
    monitor.finish(&counted);
}

#[test]
fn on_two_of_three_interfaces_packets_from_the_third_count_when_they_leave() {
    let networks = Networks::new();
    let monitor = Monitor::start(&networks.router, &["-iface", "eth0,eth1"]);
    let [a, b, c] = [&networks.outside[0], &networks.outside[1], &networks.outside[2]];
    let own = &networks.own[2];
    let some = |packets| some(packets, false);
    let counted = between_two(&networks, ETHERNET, ["eth0", "eth1"], false)
        .and(&c.asks(a, some(53)), "eth0", some(53))
        .and(&a.answers(c, some(59)), "eth0", some(59))
        .and(&c.asks(b, some(61)), "eth1", some(61))
        .and(&b.asks(c, some(67)), "eth1", some(67))
        // The address of the interface that is not captured is the router's own all the same.
        .and(&own.asks(a, some(71)), "eth0", some(71));
    c.asks(own, some(50));
    monitor.finish(&counted);
}

#[test]
fn on_any_copies_are_left_out_and_counted() {
    let networks = Networks::new();
    let monitor = Monitor::start(&networks.router, &["-iface", "any", "-filter", "not tcp"]);
    let counted = between_two(&networks, COOKED_2, ["any", "any"], false).and_copies(FORWARDED);
    let ended = monitor.finish(&counted);
    assert!(ended.closing().captured > FORWARDED);
}

#[test]
fn a_filter_and_several_interfaces_go_together() {
    let networks = Networks::new();
    let monitor = Monitor::start(&networks.router, &["-iface", "eth0,eth1", "udp", "dst", "port", "53"]);
    let [a, b] = [&networks.outside[0], &networks.outside[1]];
    let some = |packets| some(packets, false);
    a.answers(b, some(50));
    let counted = Counted::default()
        .and(&a.asks(b, some(11)), "eth0", some(11))
        .and(&b.asks(a, some(13)), "eth1", some(13))
        .and(&networks.own[0].asks(a, some(17)), "eth0", some(17));
    b.answers(a, some(50));
    monitor.finish(&counted);
}

#[test]
fn of_ipv6_each_packet_counts_once_too() {
    for (interfaces, header, on, copies) in
        [("eth0,eth1", ETHERNET, ["eth0", "eth1"], 0), ("any", COOKED_2, ["any", "any"], FORWARDED)]
    {
        let networks = Networks::with_ipv6();
        // By itself the kernel sends no UDP.
        let monitor = Monitor::start(&networks.router, &["-iface", interfaces, "-filter", "udp"]);
        monitor.finish(&between_two(&networks, header, on, true).and_copies(copies));
    }
}

#[test]
fn packet_forwarded_by_a_child_interface_counts_once_on_its_parent() {
    let (router, inside, outside) = (Namespace::router(), Namespace::new(), Namespace::new());
    connect(&End::new(&router, "eth0", "10.1.0.1/24"), &End::new(&inside, "eth0", "10.1.0.2/24"));
    connect(&End::new(&router, "eth1", "10.3.0.1/24"), &End::new(&outside, "eth0", "10.3.0.2/24"));
    let header = child(&router, &inside);
    inside.ip("route add 10.3.0.0/24 via 10.2.0.1");
    outside.ip("route add default via 10.3.0.1");
    let monitor = Monitor::start(&router, &[]);
    let (a, b) = (Node::new(&inside, "10.2.0.2"), Node::new(&outside, "10.3.0.2"));
    let some = |packets| some(packets, false);
    let counted = Counted::default().and_behind(header, &a.asks(&b, some(11)), "eth0", some(11)).and(
        &b.answers(&a, some(13)),
        "eth1",
        some(13),
    );
    monitor.finish(&counted);
}

/// A router from 192.168.1.0/24 into the Internet.
fn gateway() -> [Namespace; 3] {
    let [router, inside, outside] = [Namespace::router(), Namespace::new(), Namespace::new()];
    connect(&End::new(&router, "eth0", "203.0.113.2/24"), &End::new(&outside, "eth0", "203.0.113.1/24"));
    connect(&End::new(&router, "eth1", "192.168.1.1/24"), &End::new(&inside, "eth0", "192.168.1.2/24"));
    router.ip("route add default via 203.0.113.1");
    [router, inside, outside]
}

#[test]
fn a_likely_masquerade_is_reported_with_the_side_to_choose() {
    let [router, _inside, _outside] = gateway();
    for both in [&["-iface", "eth0,eth1"][..], &[]] {
        let messages = Monitor::start(&router, both).stop().messages;
        assert!(
            messages.contains("captures both: if it masquerades, outgoing packets are counted twice"),
            "{messages}"
        );
        assert!(messages.contains("capture only the inside: -iface eth1"), "{messages}");
    }
}

#[test]
fn on_one_side_of_a_masquerade_there_is_nothing_to_say() {
    let [router, _inside, _outside] = gateway();
    let messages = Monitor::start(&router, &["-iface", "eth1"]).stop().messages;
    assert!(!messages.contains("masquerade"), "{messages}");
}
