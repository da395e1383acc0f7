//! Interfaces that end, that are called otherwise from now on, and that have names as the kernel allows them.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use super::common::link::Link;
use super::common::metrics::{Counted, Metrics, Packets};
use super::common::monitor::{Monitor, PROGRAM, refused};
use super::common::namespace::{End, Namespace, connect, wait_for};
use super::traffic::{Flood, Pair, send, send_frame};

const FRAMES: &str = "trafficmonitor_interface_frames_total";
const QUERIES: &str = "10.1.0.2->10.1.0.1 udp/53(domain)";

/// Interfaces that come and go in the test of many, and how many of them there are at once.
const MANY: usize = 1_100;
const AT_ONCE: usize = 100;

/// Many lines of `ip`, one after the other.
fn ip_batch(namespace: &Namespace, lines: &str) {
    let start = || Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn();
    let mut ip = namespace.enter(start).unwrap();
    ip.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(ip.wait().unwrap().success(), "{lines}");
}

fn lookups(pair: &Pair, counted: Counted, interface: &str) -> Counted {
    let (client, server) = pair.resolver();
    let there = Packets::udp(37, 31);
    send(&client, &server, there);
    counted.and(QUERIES, interface, there)
}

fn ready(monitor: &Monitor<'_>) -> Option<u16> {
    monitor.ask("GET", "/-/ready").map(|answer| answer.status)
}

/// The interfaces that a family has, in order.
fn interfaces_of(metrics: &Metrics, family: &str) -> Vec<String> {
    let mut names: Vec<String> =
        metrics.labelled(family, &["interface"]).into_iter().map(|(labels, _)| labels.concat()).collect();
    names.sort();
    names
}

#[test]
fn a_deleted_interface_is_frozen_until_it_was_read_and_is_retired_then() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &[]);
    let counted = lookups(&pair, Counted::default(), "eth0");
    monitor.expect(&counted);
    // More that no scrape has seen.
    let counted = lookups(&pair, counted, "eth0");
    pair.host.ip("link delete eth0");
    let last = monitor
        .wait_for("its gauges are gone", |metrics| interfaces_of(metrics, "trafficmonitor_capture_up").is_empty());
    assert_eq!(last.counted(), counted, "its last value waits for this scrape");
    for gauge in
        ["trafficmonitor_capture_up", "trafficmonitor_capture_coverage_comparable", "trafficmonitor_answers_visible"]
    {
        assert_eq!(interfaces_of(&last, gauge), [""; 0], "{gauge}");
    }
    let counted = counted.retired("eth0");
    monitor.expect(&counted);

    connect(&pair.end(), &End::new(&pair.other, "eth0", "10.1.0.2/24"));
    monitor.wait_until_up("eth0", true);
    assert_eq!(monitor.metrics().value(FRAMES, &[("interface", "eth0")]), Some(0));
    monitor.finish(&lookups(&pair, counted, "eth0"));
}

#[test]
fn an_interface_that_is_named_stays_at_0_and_readiness_ends_with_the_last_capture() {
    for (arguments, up_when_gone) in [(&["-iface", "eth0"][..], Some(false)), (&[], None)] {
        let pair = Pair::new();
        let monitor = Monitor::start(&pair.host, arguments);
        assert_eq!(ready(&monitor), Some(200));
        pair.host.ip("link delete eth0");
        wait_for("it is not ready", || (ready(&monitor) == Some(503)).then_some(()));
        let message = monitor.ask("GET", "/-/ready").unwrap().body;
        assert_eq!(message, "not ready: no interface is up and being captured\n");
        monitor.wait_for("capture_up", |metrics| metrics.is_up("eth0") == up_when_gone);
        connect(&pair.end(), &End::new(&pair.other, "eth0", "10.1.0.2/24"));
        wait_for("it is ready again", || (ready(&monitor) == Some(200)).then_some(()));
        monitor.stop();
    }
}

#[test]
fn without_any_interface_to_capture_it_is_not_ready() {
    let host = Namespace::new();
    let monitor = Monitor::spawn(&host, Command::new(PROGRAM), &[]);
    wait_for("it answers", || (ready(&monitor) == Some(503)).then_some(()));
    monitor.wait_for("it serves", |metrics| metrics.sum(FRAMES) == 0);
    assert_eq!(ready(&monitor), Some(503));
    monitor.stop();
}

#[test]
fn many_short_lived_interfaces_leave_nothing_and_those_that_exist_are_shown() {
    let pair = Pair::new();
    let far = Namespace::new();
    let monitor = Monitor::start(&pair.host, &[]);
    let mut counted = lookups(&pair, Counted::default(), "eth0");
    monitor.expect(&counted);
    let frame = Link::ethernet().carrying_ether_type(0x88cc, &[0; 46]);
    for batch in 0..MANY / AT_ONCE {
        let names = || (0..AT_ONCE).map(|number| format!("veth{}", batch * AT_ONCE + number));
        let add = |name: String| {
            format!("link add {name} type veth peer name {name}p\nlink set {name}p up\nlink set {name} up\n")
        };
        ip_batch(&pair.host, &names().map(add).collect::<String>());
        // The far ends are captured too.
        let all_up = |metrics: &Metrics| interfaces_of(metrics, "trafficmonitor_capture_up").len() == 1 + 2 * AT_ONCE;
        monitor.wait_for("all are captured", |metrics| {
            all_up(metrics) && metrics.sum("trafficmonitor_capture_up") == 1 + 2 * AT_ONCE as u64
        });
        send_frame(&pair.host, &names().next().unwrap(), &frame, 3);
        let deleted = names().map(|name| format!("link delete {name}\n")).collect::<String>();
        monitor.wait_for("the frames", |metrics| metrics.sum(FRAMES) == 37 + 6 * (batch as u64 + 1));
        ip_batch(&pair.host, &deleted);
        monitor.wait_for("only eth0 is there", |metrics| {
            interfaces_of(metrics, "trafficmonitor_capture_up") == ["eth0"]
                && interfaces_of(metrics, FRAMES) == ["eth0", "retired"]
        });
    }
    let sent = 6 * (MANY / AT_ONCE) as u64;
    let retired = |metrics: &Metrics| metrics.value(FRAMES, &[("interface", "retired")]);
    assert_eq!(retired(&monitor.metrics()), Some(sent));

    for (name, near, other) in [("last0", "10.7.0.1/24", "10.7.0.2/24"), ("last1", "10.8.0.1/24", "10.8.0.2/24")] {
        connect(&End::new(&pair.host, name, near), &End::new(&far, name, other));
        monitor.wait_until_up(name, true);
    }
    send(&far.udp("10.8.0.2:40123"), &pair.host.udp("10.8.0.1:123"), Packets::udp(19, 48));
    counted = lookups(&pair, counted, "eth0");
    let metrics = monitor.wait_for("all packets", |metrics| metrics.counted().packets == counted.packets + 19);
    assert_eq!(interfaces_of(&metrics, "trafficmonitor_capture_up"), ["eth0", "last0", "last1"]);
    assert_eq!(metrics.value(FRAMES, &[("interface", "last1")]), Some(19));
    assert_eq!(retired(&metrics), Some(sent));
    assert_eq!(metrics.sum("trafficmonitor_interfaces_retired_unread_total"), 0);
    monitor.stop();
}

/// Renames an interface that is up.
fn rename(namespace: &Namespace, from: &str, to: &str) {
    namespace.ip(&format!("link set {from} name {to}"));
}

#[test]
fn a_rename_while_frames_arrive_neither_loses_nor_doubles_them() {
    for workers in ["1", "2"] {
        let pair = Pair::new();
        let monitor = Monitor::start(&pair.host, &["--capture.workers", workers]);
        let (client, server) = pair.resolver();
        let to = server.local_addr().unwrap();
        let flood = Flood::start(move |_| {
            client.send_to(&[0x55; 20], to).unwrap();
        });
        for names in ["eth0", "wan0", "eth0", "wan0", "lan0"].windows(2) {
            rename(&pair.host, names[0], names[1]);
            monitor.wait_for("the new name", |metrics| {
                metrics.is_up(names[1]) == Some(true) && metrics.is_up(names[0]).is_none()
            });
            flood.wait_for_more(2_000);
        }
        let sent = flood.stop();
        let metrics = monitor.wait_for("all packets", |metrics| metrics.counted().packets >= sent);
        assert_eq!((metrics.counted().packets, metrics.sum(FRAMES)), (sent, sent));
        monitor
            .wait_for("the former names are retired", |metrics| interfaces_of(metrics, FRAMES) == ["lan0", "retired"]);
        let messages = monitor.messages();
        let captures = messages.matches("msg=capturing ").count();
        assert_eq!(captures.to_string(), workers, "the handles stay open: {messages}");
        let closing = monitor.stop().closing();
        assert_eq!((closing.captured, closing.received, closing.dropped), (sent, sent, 0));
    }
}

#[test]
fn interfaces_that_swap_their_names_keep_their_frames_apart() {
    let pair = Pair::new();
    let third = Namespace::new();
    connect(&End::new(&pair.host, "eth1", "10.2.0.1/24"), &End::new(&third, "eth0", "10.2.0.2/24"));
    let monitor = Monitor::start(&pair.host, &[]);
    let mut counted = lookups(&pair, Counted::default(), "eth0");
    monitor.expect(&counted);
    // The program sees the names as they are in the end only.
    monitor.signal(libc::SIGSTOP);
    for [from, to] in [["eth0", "away"], ["eth1", "eth0"], ["away", "eth1"]] {
        rename(&pair.host, from, to);
    }
    monitor.signal(libc::SIGCONT);
    wait_for("both are followed", || (monitor.messages().matches("has another name now").count() == 2).then_some(()));
    counted = lookups(&pair, counted, "eth1");
    let there = Packets::udp(19, 48);
    send(&third.udp("10.2.0.2:40123"), &pair.host.udp("10.2.0.1:123"), there);
    counted = counted.and("10.2.0.2->10.2.0.1 udp/123(ntp)", "eth0", there);
    monitor.finish(&counted);
}

#[test]
fn an_alternative_name_stands_for_its_interface_which_is_captured_once() {
    let pair = Pair::new();
    pair.host.ip("link property add dev eth0 altname uplink-to-the-provider");
    for names in ["uplink-to-the-provider", "eth0,uplink-to-the-provider", "uplink-to-the-provider,eth0"] {
        let monitor = Monitor::start(&pair.host, &["-iface", names]);
        monitor.finish(&lookups(&pair, Counted::default(), "eth0"));
    }
    let monitor = Monitor::start(&pair.host, &["-iface", "uplink-to-the-provider"]);
    let counted = lookups(&pair, Counted::default(), "eth0");
    monitor.expect(&counted);
    rename(&pair.host, "eth0", "wan0");
    monitor.wait_for("the new name", |metrics| metrics.is_up("wan0") == Some(true) && metrics.is_up("eth0").is_none());
    monitor.finish(&lookups(&pair, counted.retired("eth0"), "wan0"));
}

#[test]
fn an_interface_is_excluded_by_its_alternative_name_too() {
    let pair = Pair::new();
    let third = Namespace::new();
    connect(&End::new(&pair.host, "eth1", "10.2.0.1/24"), &End::new(&third, "eth0", "10.2.0.2/24"));
    pair.host.ip("link property add dev eth1 altname management");
    let monitor = Monitor::start(&pair.host, &["-ExcludedInterfaces", "management"]);
    send(&third.udp("10.2.0.2:40123"), &pair.host.udp("10.2.0.1:123"), Packets::udp(19, 48));
    monitor.finish(&lookups(&pair, Counted::default(), "eth0"));
}

#[test]
fn a_name_with_a_comma_works_as_it_stands_and_in_quotes() {
    let pair = Pair::new();
    rename(&pair.host, "eth0", "a,b");
    for arguments in [&["-iface", "a,b"][..], &["-iface", "\"a,b\""], &[]] {
        let monitor = Monitor::start(&pair.host, arguments);
        monitor.finish(&lookups(&pair, Counted::default(), "a,b"));
    }
    for excluded in ["a,b", "\"a,b\""] {
        let interfaces = pair
            .host
            .enter(|| Command::new(PROGRAM).args(["interfaces", "-ExcludedInterfaces", excluded]).output().unwrap());
        let table = String::from_utf8(interfaces.stdout).unwrap();
        assert!(
            table.lines().any(|line| line.starts_with("a,b ") && line.ends_with("no: excluded by configuration")),
            "{table}"
        );
    }
}

#[test]
fn a_name_that_is_not_utf_8_works() {
    let pair = Pair::new();
    let name = OsStr::from_bytes(b"eth\xff");
    let renamed = pair.host.enter(|| Command::new("ip").args(["link", "set", "eth0", "name"]).arg(name).status());
    assert!(renamed.unwrap().success());
    // A backslash in a label is written twice.
    let label = "eth\\\\xff";
    let with = |option: &OsStr| {
        let mut command = Command::new(PROGRAM);
        command.arg("-iface").arg(option);
        Monitor::spawn(&pair.host, command, &[]).wait_until_ready()
    };
    for option in [name, OsStr::new("eth\\xff"), OsStr::new("all")] {
        with(option).finish(&lookups(&pair, Counted::default(), label));
    }
    // The coverage asks the kernel by the name as well.
    let features = ["tso", "gso", "gro"].map(|feature| [feature, "off"]).concat();
    pair.host.enter(|| Command::new("ethtool").arg("-K").arg(name).args(features).output()).unwrap();
    let monitor = with(name);
    let counted = lookups(&pair, Counted::default(), label);
    let ratio = |metrics: &Metrics| metrics.number("trafficmonitor_capture_coverage_ratio", &[("interface", label)]);
    monitor.wait_for("its coverage", |metrics| ratio(metrics) == Some(1.0));
    monitor.finish(&counted);
}

#[test]
fn an_interface_called_any_is_never_captured_twice() {
    let pair = Pair::new();
    let third = Namespace::new();
    connect(&End::new(&pair.host, "any", "10.2.0.1/24"), &End::new(&third, "eth0", "10.2.0.2/24"));
    pair.host.ip("link property add dev any altname mine");
    let ntp = || send(&third.udp("10.2.0.2:40123"), &pair.host.udp("10.2.0.1:123"), Packets::udp(19, 48));

    let monitor = Monitor::start(&pair.host, &[]);
    ntp();
    let ended = monitor.finish(&lookups(&pair, Counted::default(), "eth0"));
    let reason =
        "the interface any is not captured: libpcap has a device of its own with this name; rename the interface";
    assert!(ended.messages.contains(reason), "{}", ended.messages);

    let monitor = Monitor::start(&pair.host, &["-iface", "any", "-filter", "udp"]);
    ntp();
    let (client, server) = pair.resolver();
    send(&client, &server, Packets::udp(37, 31));
    let metrics = monitor.wait_for("both flows", |metrics| metrics.counted().packets >= 19 + 37);
    assert_eq!((metrics.counted().packets, metrics.sum(FRAMES)), (19 + 37, 19 + 37));
    monitor.stop();

    let (status, messages) = refused(&pair.host, &["-iface", "mine"]);
    assert_eq!(status, Some(2), "{messages}");
    assert!(messages.contains("libpcap has a device of its own with this name"), "{messages}");
}
