//! Interfaces that go and come.

use std::time::Duration;

use super::common::metrics::{Counted, Packets};
use super::common::monitor::Monitor;
use super::common::namespace::{End, Namespace, connect, wait_for};
use super::traffic::{Pair, send};

const QUERIES: &str = "10.1.0.2->10.1.0.1 udp/53(domain)";
const ANSWERS: &str = "10.1.0.1->10.1.0.2 reply_udp/53(domain)";

/// Counts on `counted` the packets between a client and the resolver on the host.
fn lookups(pair: &Pair, counted: Counted) -> Counted {
    let (client, server) = pair.resolver();
    let (there, back) = (Packets::udp(37, 31), Packets::udp(29, 480));
    send(&client, &server, there);
    send(&server, &client, back);
    counted.and(QUERIES, "eth0", there).and(ANSWERS, "eth0", back)
}

/// The captured interface, named or as one of all.
const EITHER: [&[&str]; 2] = [&["-iface", "eth0"], &[]];

#[test]
fn counting_goes_on_when_the_interface_was_deleted_and_made_again() {
    for arguments in EITHER {
        let pair = Pair::new();
        let monitor = Monitor::start(&pair.host, arguments);
        let mut counted = lookups(&pair, Counted::default());
        for _ in 0..2 {
            monitor.expect(&counted);
            pair.host.ip("link delete eth0");
            if arguments.is_empty() {
                monitor.wait_until_gone("eth0");
                counted = counted.retired("eth0");
            } else {
                monitor.wait_until_up("eth0", false);
            }
            monitor.expect(&counted);
            connect(&pair.end(), &End::new(&pair.other, "eth0", "10.1.0.2/24"));
            monitor.wait_until_up("eth0", true);
            counted = lookups(&pair, counted);
        }
        monitor.finish(&counted);
    }
}

#[test]
fn frames_before_the_deletion_of_an_interface_are_not_lost() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    // At once, while the kernel still holds the packets back in its ring.
    let counted = lookups(&pair, Counted::default());
    pair.host.ip("link delete eth0");
    monitor.wait_until_up("eth0", false);
    monitor.finish(&counted);
}

#[test]
fn counting_goes_on_when_the_interface_was_down() {
    for arguments in EITHER {
        let pair = Pair { host: Namespace::new(), other: Namespace::new() };
        let (near, far) = (pair.end(), End::new(&pair.other, "eth0", "10.1.0.2/24"));
        connect(&near, &far);
        let monitor = Monitor::start(&pair.host, arguments);
        let mut counted = lookups(&pair, Counted::default());
        for _ in 0..2 {
            monitor.expect(&counted);
            pair.host.ip("link set eth0 down");
            monitor.wait_until_up("eth0", false);
            near.up();
            near.wait_for_carrier();
            far.wait_for_carrier();
            near.know(&far);
            monitor.wait_until_up("eth0", true);
            counted = lookups(&pair, counted);
        }
        monitor.finish(&counted);
    }
}

#[test]
fn named_interface_that_goes_down_or_away_is_reported_and_so_is_its_return() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    pair.host.ip("link set eth0 down");
    wait_for("a word of the end", || {
        monitor.messages().contains("msg=\"the interface is down; waiting for it\" interface=eth0").then_some(())
    });
    pair.host.ip("link set eth0 up");
    wait_for("a word of the return", || monitor.messages().contains("the interface is up again").then_some(()));
    pair.host.ip("link delete eth0");
    wait_for("a word of the deletion", || {
        monitor.messages().contains("the interface does not exist any more; waiting for it").then_some(())
    });
    monitor.stop();
}

/// Gives an interface another name. Before Linux 6.3 it has to be down for that.
fn rename(end: &End<'_>, name: &'static str, other: &End<'_>) {
    let change = format!("link set {} name {name}", end.interface);
    if end.namespace.try_ip(&change).is_err() {
        end.namespace.ip(&format!("link set {} down", end.interface));
        end.namespace.ip(&change);
    }
    let end = End { interface: name, ..end.clone() };
    end.up();
    end.wait_for_carrier();
    other.wait_for_carrier();
    end.know(other);
}

#[test]
fn an_interface_that_has_another_name_now_is_not_counted_without_its_filter() {
    let pair = Pair { host: Namespace::new(), other: Namespace::new() };
    let (near, far) = (pair.end(), End::new(&pair.other, "eth0", "10.1.0.2/24"));
    connect(&near, &far);
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0", "-filter", "udp port 53"]);
    let counted = lookups(&pair, Counted::default());
    monitor.expect(&counted);
    rename(&near, "wan0", &far);
    monitor.wait_until_up("eth0", false);
    let (client, server) = (pair.other.udp("10.1.0.2:40054"), pair.host.udp("10.1.0.1:54"));
    send(&client, &server, Packets::udp(50, 100));
    lookups(&pair, Counted::default());
    rename(&End { interface: "wan0", ..near.clone() }, "eth0", &far);
    monitor.wait_until_up("eth0", true);
    send(&client, &server, Packets::udp(50, 100));
    monitor.finish(&lookups(&pair, counted));
}

#[test]
fn a_name_that_is_another_interfaces_now_stands_for_that_one() {
    let pair = Pair::new();
    let third = Namespace::new();
    connect(&End::new(&pair.host, "eth1", "10.2.0.1/24"), &End::new(&third, "eth0", "10.2.0.2/24"));
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    let mut counted = lookups(&pair, Counted::default());
    monitor.expect(&counted);

    // The program sees the names as they are in the end only.
    monitor.signal(libc::SIGSTOP);
    for change in ["eth0 name away", "eth1 name eth0", "away name eth1"] {
        pair.host.ip(&format!("link set {change}"));
    }
    monitor.signal(libc::SIGCONT);
    wait_for("it captures again", || (monitor.messages().matches("msg=capturing").count() == 2).then_some(()));
    lookups(&pair, Counted::default());
    let (client, server) = (third.udp("10.2.0.2:40123"), pair.host.udp("10.2.0.1:123"));
    let there = Packets::udp(19, 48);
    send(&client, &server, there);
    counted = counted.and("10.2.0.2->10.2.0.1 udp/123(ntp)", "eth0", there);
    monitor.finish(&counted);
}

#[test]
fn a_new_address_is_local_from_its_first_packet_on() {
    let pair = Pair::new();
    pair.other.ip("route add 203.0.113.0/24 via 10.1.0.1");
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0", "-promRefresh", "1", "--log.level", "debug"]);
    let there = Packets::udp(20, 100);
    pair.host.ip("address add 203.0.113.5/32 dev eth0");
    wait_for("the plan is followed", || monitor.messages().contains("local networks updated").then_some(()));
    send(&pair.other.udp("10.1.0.2:40123"), &pair.host.udp("203.0.113.5:123"), there);
    let metrics = monitor
        .wait_for("the packets", |metrics| metrics.flows().values().any(|&bytes| bytes == there.count * there.bytes));
    let local = metrics.value("trafficmonitor_traffic_bytes_total", &[("direction", "local"), ("ip_version", "4")]);
    assert_eq!(local, Some(there.count * there.bytes));
}

#[test]
fn an_interface_that_flaps_is_captured_in_the_end() {
    for arguments in EITHER {
        let pair = Pair { host: Namespace::new(), other: Namespace::new() };
        let (near, far) = (pair.end(), End::new(&pair.other, "eth0", "10.1.0.2/24"));
        connect(&near, &far);
        let monitor = Monitor::start(&pair.host, arguments);
        // The pauses are there to meet the program at different moments.
        for pause in (0..300).step_by(30) {
            pair.host.ip("link set eth0 down");
            std::thread::sleep(Duration::from_millis(pause));
            near.up();
        }
        near.wait_for_carrier();
        far.wait_for_carrier();
        near.know(&far);
        let (client, server) = pair.resolver();
        wait_for("a packet counts", || {
            send(&client, &server, Packets::udp(1, 31));
            monitor.metrics().flows().contains_key(QUERIES).then_some(())
        });
        let closing = monitor.stop().closing();
        assert_eq!(closing.captured, closing.received - closing.dropped, "{closing:?}");
    }
}

#[test]
fn among_all_an_interface_counts_when_it_appears_and_no_more_when_it_is_gone() {
    let pair = Pair::new();
    let late = Namespace::new();
    let monitor = Monitor::start(&pair.host, &[]);
    let mut counted = lookups(&pair, Counted::default());
    monitor.expect(&counted);
    assert_eq!(monitor.metrics().is_up("eth1"), None);

    connect(&End::new(&pair.host, "eth1", "10.2.0.1/24"), &End::new(&late, "eth0", "10.2.0.2/24"));
    monitor.wait_until_up("eth1", true);
    let (client, server) = (late.udp("10.2.0.2:40123"), pair.host.udp("10.2.0.1:123"));
    let there = Packets::udp(19, 48);
    send(&client, &server, there);
    counted = lookups(&pair, counted.and("10.2.0.2->10.2.0.1 udp/123(ntp)", "eth1", there));
    monitor.expect(&counted);

    pair.host.ip("link delete eth1");
    monitor.wait_until_gone("eth1");
    counted = lookups(&pair, counted.retired("eth1"));
    monitor.expect(&counted);
    assert_eq!(monitor.metrics().is_up("eth0"), Some(true));
    monitor.finish(&counted);
}

#[test]
fn a_new_interface_of_a_router_does_not_make_packets_count_twice() {
    let pair = Pair::new();
    pair.host.set("net/ipv4/ip_forward", "1");
    pair.other.ip("route add default via 10.1.0.1");
    let late = Namespace::new();
    let monitor = Monitor::start(&pair.host, &["--log.level", "debug"]);
    connect(&End::new(&pair.host, "eth1", "10.2.0.1/24"), &End::new(&late, "eth0", "10.2.0.2/24"));
    late.ip("route add default via 10.2.0.1");
    monitor.wait_until_up("eth1", true);
    // eth0 takes over its new filter between two polls, so for one read timeout a packet may count twice.
    let is_renewed =
        |line: &str| ["filter updated", "interface=eth0", "10.2.0.0/24"].iter().all(|words| line.contains(words));
    wait_for("eth0 has its new filter", || monitor.messages().lines().any(is_renewed).then_some(()));
    let (client, server) = (pair.other.udp("10.1.0.2:40123"), late.udp("10.2.0.2:123"));
    let (there, back) = (Packets::udp(37, 48), Packets::udp(29, 52));
    send(&client, &server, there);
    send(&server, &client, back);
    let counted = Counted::default().and("10.1.0.2->10.2.0.2 udp/123(ntp)", "eth0", there).and(
        "10.2.0.2->10.1.0.2 reply_udp/123(ntp)",
        "eth1",
        back,
    );
    monitor.finish(&counted);
}
