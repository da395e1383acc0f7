//! What alerts is said while it happens.

use std::net::Ipv4Addr;

use super::common::ip::{Ipv4, tcp};
use super::common::link::Link;
use super::common::monitor::Monitor;
use super::common::namespace::wait_for;
use super::traffic::{Pair, send_frame};

const SYN: u8 = 0x02;

#[test]
fn a_scan_is_said_though_nothing_follows_it_and_another_interface_is_silent() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0,lo"]);
    for host in 1..=30 {
        let syn = Ipv4::carrying(tcp(50_000, 22, SYN, &[]));
        let probe = syn.between(Ipv4Addr::new(10, 1, 0, 2), Ipv4Addr::new(10, 9, 0, host));
        send_frame(&pair.other, "eth0", &Link::ethernet().carrying(&probe.build()), 1);
    }
    let line = wait_for("the scan is said", || {
        monitor.events().lines().find(|line| line.contains("kind=host_scan")).map(str::to_owned)
    });
    assert!(line.contains(" state=firing ") && line.contains(" src=10.1.0.2 "), "{line}");
    assert!(monitor.stop().status.success());
}
