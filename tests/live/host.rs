//! A host with one interface or several, which forwards nothing.

use std::io::Write;
use std::net::Ipv4Addr;

use super::common::ip::{Ipv4, Ipv6, icmpv6, udp};
use super::common::link::Link;
use super::common::metrics::{COOKED_2, Counted, ETHERNET, Packets};
use super::common::monitor::{Monitor, refused};
use super::common::namespace::{End, Namespace, connect};
use super::traffic::{Pair, send, send_frame};

const QUERIES: &str = "10.1.0.2->10.1.0.1 udp/53(domain)";
const ANSWERS: &str = "10.1.0.1->10.1.0.2 reply_udp/53(domain)";

/// Queries and answers between the two, and their expected counts on the host's eth0.
fn lookups(pair: &Pair) -> Counted {
    let (client, server) = pair.resolver();
    let (there, back) = (Packets::udp(37, 31), Packets::udp(29, 480));
    send(&client, &server, there);
    send(&server, &client, back);
    Counted::default().and(QUERIES, "eth0", there).and(ANSWERS, "eth0", back)
}

#[test]
fn one_interface_of_a_host_counts_both_ways() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    let counted = lookups(&pair);
    let metrics = {
        monitor.expect(&counted);
        monitor.metrics()
    };
    let local = [("direction", "local"), ("ip_version", "4")];
    assert_eq!(metrics.value("trafficmonitor_traffic_packets_total", &local), Some(37 + 29));
    monitor.finish(&counted);
}

#[test]
fn traffic_with_the_internet_is_counted_by_direction() {
    let (host, other) = (Namespace::new(), Namespace::new());
    connect(&End::new(&host, "eth0", "10.1.0.1/24"), &End::new(&other, "eth0", "10.1.0.2/24"));
    other.ip("address add 198.51.100.7/32 dev lo");
    host.ip("route add default via 10.1.0.2");
    let monitor = Monitor::start(&host, &["-iface", "eth0"]);
    let (client, server) = (host.udp("10.1.0.1:40123"), other.udp("198.51.100.7:123"));
    let (there, back) = (Packets::udp(11, 48), Packets::udp(13, 52));
    send(&client, &server, there);
    send(&server, &client, back);
    let counted = Counted::default().and("10.1.0.1->198.51.100.7 udp/123(ntp)", "eth0", there).and(
        "198.51.100.7->10.1.0.1 reply_udp/123(ntp)",
        "eth0",
        back,
    );
    monitor.expect(&counted);
    let metrics = monitor.metrics();
    assert_eq!(metrics.sum("total_outgoing"), 11 * (28 + 48));
    assert_eq!(metrics.sum("total_incoming"), 13 * (28 + 52));
    monitor.finish(&counted);
}

#[test]
fn filter_counts_the_packets_that_it_accepts() {
    for filter in [&["-filter", "udp port 53"][..], &["udp", "port", "53"]] {
        let pair = Pair::new();
        let monitor = Monitor::start(&pair.host, &[&["-iface", "eth0"], filter].concat());
        let (client, server) = (pair.other.udp("10.1.0.2:40054"), pair.host.udp("10.1.0.1:54"));
        send(&client, &server, Packets::udp(50, 100));
        let counted = lookups(&pair);
        send(&server, &client, Packets::udp(50, 100));
        monitor.finish(&counted);
    }
}

#[test]
fn frames_that_are_not_ip_count_as_frames_alone() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    send_frame(&pair.other, "eth0", &Link::ethernet().carrying_ether_type(0x88cc, &[0; 46]), 5);
    let mut counted = lookups(&pair);
    let (frames, bytes) = counted.interfaces.get_mut("eth0").unwrap();
    (*frames, *bytes) = (*frames + 5, *bytes + 5 * 60);
    monitor.expect(&counted);
    assert_eq!(monitor.metrics().sum("trafficmonitor_undecoded_packets_total"), 5);
    monitor.finish(&counted);
}

/// Linux takes the outer tag off, and from 6.10 on says that IP follows while the inner tag is still there.
#[test]
fn qinq_frames_on_any_count_at_their_hosts() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "any", "-filter", "not tcp"]);
    let addresses = [Ipv4Addr::new(10, 9, 0, 2), Ipv4Addr::new(10, 9, 0, 1)];
    let packet = Ipv4::carrying(udp(40_053, 53, &[0x55; 72])).between(addresses[0], addresses[1]).build();
    let answer = Ipv4::carrying(udp(53, 40_053, &[0x55; 72])).between(addresses[1], addresses[0]).build();
    let tagged = |tags: &[u16]| tags.iter().fold(Link::ethernet(), |link, tag| link.vlan(*tag));
    for tags in [&[0x8100][..], &[0x88a8, 0x8100], &[0x88a8, 0x8100, 0x8100]] {
        send_frame(&pair.other, "eth0", &tagged(tags).carrying(&packet), 6);
        send_frame(&pair.host, "eth0", &tagged(tags).carrying(&answer), 5);
    }
    let there = ("10.9.0.2->10.9.0.1 udp/53(domain)", 18 * 100);
    let back = ("10.9.0.1->10.9.0.2 reply_udp/53(domain)", 15 * 100);
    let metrics = monitor.wait_for("both flows", |metrics| {
        [there, back].iter().all(|(flow, bytes)| metrics.flows().get(*flow) == Some(bytes))
    });
    assert_eq!(metrics.sum("trafficmonitor_undecoded_packets_total"), 0);
    monitor.stop();
}

#[test]
fn each_packet_over_loopback_counts_once() {
    let host = Namespace::new();
    // The tests themselves ask over loopback, by TCP.
    let monitor = Monitor::start(&host, &["-iface", "lo", "-filter", "not tcp"]);
    let (client, server) = (host.udp("127.0.0.1:40053"), host.udp("127.0.0.2:53"));
    let (there, back) = (Packets::udp(41, 33), Packets::udp(43, 99));
    send(&client, &server, there);
    send(&server, &client, back);
    let counted = Counted::default().and("127.0.0.1->127.0.0.2 udp/53(domain)", "lo", there).and(
        "127.0.0.2->127.0.0.1 reply_udp/53(domain)",
        "lo",
        back,
    );
    monitor.finish(&counted);
}

#[test]
fn without_a_filter_loopback_adds_up_too() {
    let host = Namespace::new();
    for interface in ["lo", "any"] {
        let monitor = Monitor::start(&host, &["-iface", interface]);
        let (client, server) = (host.udp("127.0.0.1:40053"), host.udp("127.0.0.2:53"));
        send(&client, &server, Packets::udp(41, 33));
        let flow = "127.0.0.1->127.0.0.2 udp/53(domain)";
        monitor.wait_for("the flow", |metrics| metrics.flows().get(flow) == Some(&(41 * (28 + 33))));
        let closing = monitor.stop().closing();
        assert_eq!(closing.captured, closing.received - closing.dropped, "{interface}");
        assert!(closing.captured > 41, "{closing:?}: the tests' own requests count as well");
    }
}

#[test]
fn on_any_a_host_counts_each_packet_once() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "any", "-filter", "not tcp"]);
    let (client, server) = pair.resolver();
    let (there, back) = (Packets::udp(37, 31), Packets::udp(29, 480));
    send(&client, &server, there);
    send(&server, &client, back);
    let (near, nearer) = (pair.host.udp("127.0.0.1:40123"), pair.host.udp("127.0.0.1:123"));
    let inside = Packets::udp(23, 7);
    send(&near, &nearer, inside);
    let counted = Counted::default()
        .and_behind(COOKED_2, QUERIES, "any", there)
        .and_behind(COOKED_2, ANSWERS, "any", back)
        .and_behind(COOKED_2, "127.0.0.1->127.0.0.1 udp/123(ntp)", "any", inside);
    monitor.finish(&counted);
}

/// Gives eth0 of both a child with the network 10.2.0.0/24; the bytes of the link headers on eth0 then. A VLAN needs a
/// kernel that has them; a macvlan shows its frames on its parent just as well.
pub fn child(host: &Namespace, other: &Namespace) -> u64 {
    let tagged = "link add link eth0 name eth0.10 type vlan id 10";
    let (kind, header, addresses) = if host.try_ip(tagged).is_ok() {
        other.ip(tagged);
        ("a VLAN", ETHERNET + 4, ["02:00:00:0a:00:01", "02:00:00:0a:00:02"])
    } else {
        host.ip("link add link eth0 name eth0.10 type macvlan mode bridge");
        other.ip("link add link eth0 name eth0.10 type macvlan mode bridge");
        ("a macvlan: this kernel has no VLANs", ETHERNET, ["02:00:00:0b:00:01", "02:00:00:0b:00:02"])
    };
    // Past the test runner, which shows the output of failed tests alone.
    std::io::stderr().write_all(format!("eth0.10 is {kind} ... ").as_bytes()).unwrap();
    for (end, at) in [(host, 0), (other, 1)] {
        end.ip(&format!("link set eth0.10 address {}", addresses[at]));
        end.ip(&format!("address add 10.2.0.{}/24 dev eth0.10", at + 1));
        end.ip("link set eth0.10 up");
    }
    for (end, at) in [(host, 0), (other, 1)] {
        End::new(end, "eth0.10", "").wait_for_carrier();
        let lladdr = addresses[1 - at];
        end.ip(&format!("neigh replace 10.2.0.{} lladdr {lladdr} dev eth0.10 nud permanent", 2 - at));
    }
    header
}

#[test]
fn the_frames_of_a_child_interface_count_once() {
    let pair = Pair::new();
    let header = child(&pair.host, &pair.other);
    let monitor = Monitor::start(&pair.host, &[]);
    let (client, server) = (pair.other.udp("10.2.0.2:40123"), pair.host.udp("10.2.0.1:123"));
    let (there, back) = (Packets::udp(19, 48), Packets::udp(17, 52));
    send(&client, &server, there);
    send(&server, &client, back);
    let counted = lookups(&pair).and_behind(header, "10.2.0.2->10.2.0.1 udp/123(ntp)", "eth0", there).and_behind(
        header,
        "10.2.0.1->10.2.0.2 reply_udp/123(ntp)",
        "eth0",
        back,
    );
    monitor.expect(&counted);
    assert_eq!(monitor.metrics().is_up("eth0.10"), None);
    monitor.finish(&counted);
}

#[test]
fn a_child_alone_counts_its_own_frames() {
    let pair = Pair::new();
    child(&pair.host, &pair.other);
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0.10"]);
    let (client, server) = (pair.other.udp("10.2.0.2:40123"), pair.host.udp("10.2.0.1:123"));
    let there = Packets::udp(19, 48);
    send(&client, &server, there);
    lookups(&pair);
    monitor.finish(&Counted::default().and("10.2.0.2->10.2.0.1 udp/123(ntp)", "eth0.10", there));
}

#[test]
fn a_child_named_beside_its_parent_is_refused() {
    let pair = Pair::new();
    child(&pair.host, &pair.other);
    let (status, messages) = refused(&pair.host, &["-iface", "eth0,eth0.10"]);
    assert_eq!(status, Some(2), "{messages}");
    assert!(messages.contains("eth0.10 and eth0 are both named"), "{messages}");
    assert!(messages.contains("would be counted twice; name only one of them"), "{messages}");
}

#[test]
fn packet_without_an_address_counts_on_each_interface_that_it_leaves_by() {
    let (host, one, two) = (Namespace::new(), Namespace::new(), Namespace::new());
    connect(&End::new(&host, "eth0", "10.1.0.1/24"), &End::new(&one, "eth0", "10.1.0.2/24"));
    connect(&End::new(&host, "eth1", "10.2.0.1/24"), &End::new(&two, "eth0", "10.2.0.2/24"));
    let monitor = Monitor::start(&host, &["-iface", "eth0,eth1"]);
    let discover = Ipv4::carrying(udp(68, 67, &[0; 300])).between(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);
    let discover = Link::ethernet().carrying(&discover.build());
    send_frame(&host, "eth0", &discover, 3);
    send_frame(&host, "eth1", &discover, 4);
    let flow = "0.0.0.0->255.255.255.255 udp/67(bootps)";
    let counted = Counted::default().and(flow, "eth0", Packets::udp(3, 300)).and(flow, "eth1", Packets::udp(4, 300));
    monitor.finish(&counted);
}

#[test]
fn duplicate_address_detection_counts_on_each_interface() {
    let (host, one, two) = (Namespace::new(), Namespace::new(), Namespace::new());
    connect(&End::new(&host, "eth0", "10.1.0.1/24"), &End::new(&one, "eth0", "10.1.0.2/24"));
    connect(&End::new(&host, "eth1", "10.2.0.1/24"), &End::new(&two, "eth0", "10.2.0.2/24"));
    let monitor = Monitor::start(&host, &["-iface", "eth0,eth1"]);
    let solicitation = Ipv6::carrying(icmpv6(135)).between("::".parse().unwrap(), "ff02::1:ff00:1".parse().unwrap());
    let frame = Link::ethernet().carrying(&solicitation.build());
    send_frame(&host, "eth0", &frame, 3);
    send_frame(&host, "eth1", &frame, 4);
    let (flow, bytes) = ("::->ff02::1:ff00:1 ipv6-icmp", 40 + 8);
    let counted = Counted::default().and(flow, "eth0", Packets { count: 3, bytes }).and(
        flow,
        "eth1",
        Packets { count: 4, bytes },
    );
    monitor.finish(&counted);
}

#[test]
fn ipv6_counts_both_ways() {
    let (host, other) = (Namespace::with_ipv6(), Namespace::with_ipv6());
    connect(&End::new(&host, "eth0", "2001:db8:1::1/64"), &End::new(&other, "eth0", "2001:db8:1::2/64"));
    // The kernel tells the routers of a wire its multicast groups, at times of its own choice.
    let monitor = Monitor::start(&host, &["-iface", "eth0", "-filter", "udp"]);
    let (client, server) = (other.udp("[2001:db8:1::2]:40053"), host.udp("[2001:db8:1::1]:53"));
    let (there, back) = (Packets::udp_6(37, 31), Packets::udp_6(29, 480));
    send(&client, &server, there);
    send(&server, &client, back);
    let counted = Counted::default().and("2001:db8:1::2->2001:db8:1::1 udp/53(domain)", "eth0", there).and(
        "2001:db8:1::1->2001:db8:1::2 reply_udp/53(domain)",
        "eth0",
        back,
    );
    monitor.expect(&counted);
    let packets = |direction| {
        let labels = [("direction", direction), ("ip_version", "6")];
        monitor.metrics().value("trafficmonitor_traffic_packets_total", &labels)
    };
    assert_eq!((packets("incoming"), packets("outgoing")), (Some(37), Some(29)), "its own address alone is local");
    monitor.finish(&counted);
}
