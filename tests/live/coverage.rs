//! Captured frames beside the interface's own count.

use std::process::Command;

use super::common::metrics::{Metrics, Packets};
use super::common::monitor::Monitor;
use super::common::namespace::Namespace;
use super::common::xdp::Xdp;
use super::traffic::{Pair, send};

const RATIO: &str = "trafficmonitor_capture_coverage_ratio";
const COMPARABLE: &str = "trafficmonitor_capture_coverage_comparable";

fn offloads(namespace: &Namespace, state: &str) {
    let features = ["tso", "gso", "gro", "lro"].map(|feature| [feature, state]).concat();
    // Some, such as lro on veth, are fixed.
    namespace.enter(|| Command::new("ethtool").args(["-K", "eth0"]).args(features).output()).unwrap();
}

fn is_comparable(metrics: &Metrics) -> Option<u64> {
    metrics.value(COMPARABLE, &[("interface", "eth0")])
}

fn ratio(metrics: &Metrics) -> Option<f64> {
    metrics.number(RATIO, &[("interface", "eth0")])
}

fn exchange(pair: &Pair, packets: u64) {
    let (client, server) = pair.resolver();
    send(&client, &server, Packets::udp(packets, 100));
    send(&server, &client, Packets::udp(packets, 400));
}

#[test]
fn all_that_the_interface_counts_is_captured() {
    let pair = Pair::new();
    offloads(&pair.host, "off");
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    exchange(&pair, 500);
    let metrics =
        monitor.wait_for("all packets", |metrics| metrics.counted().packets == 1_000 && ratio(metrics).is_some());
    assert_eq!((is_comparable(&metrics), ratio(&metrics)), (Some(1), Some(1.0)));
    pair.host.ip("link set eth0 down");
    let down = monitor.wait_for("it is down", |metrics| is_comparable(metrics) == Some(0));
    assert_eq!(ratio(&down), None);
}

#[test]
fn incomparable_counters_are_not_compared() {
    for (state, options) in [
        ("on", &["-iface", "eth0"][..]),
        ("off", &["-iface", "eth0", "-filter", "udp"]),
        ("off", &["-iface", "eth0", "--capture.workers", "2"]),
    ] {
        let pair = Pair::new();
        offloads(&pair.host, state);
        let monitor = Monitor::start(&pair.host, options);
        exchange(&pair, 50);
        let metrics = monitor.wait_for("all packets", |metrics| metrics.counted().packets == 100);
        assert_eq!((is_comparable(&metrics), ratio(&metrics)), (Some(0), None), "{options:?}");
    }
}

#[test]
fn offloads_that_are_switched_on_end_the_comparison() {
    let pair = Pair::new();
    offloads(&pair.host, "off");
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    monitor.wait_for("it is comparable", |metrics| is_comparable(metrics) == Some(1));
    offloads(&pair.host, "on");
    monitor.wait_for("it is not any more", |metrics| is_comparable(metrics) == Some(0));
}

#[test]
fn a_program_that_may_drop_frames_first_ends_the_comparison() {
    let pair = Pair::new();
    offloads(&pair.host, "off");
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    monitor.wait_for("it is comparable", |metrics| is_comparable(metrics) == Some(1));
    let program = Xdp::attach(&pair.host, "eth0").expect("the kernel takes a program (CONFIG_BPF_SYSCALL)");
    let metrics = monitor.wait_for("it is not any more", |metrics| is_comparable(metrics) == Some(0));
    assert_eq!(ratio(&metrics), None);
    drop(program);
}
