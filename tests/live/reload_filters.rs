//! Reloads of the filter that libpcap or the kernel refuses only once it is put into force, and of filters that depend on an
//! open handle.

use std::fmt::Write as _;
use std::path::Path;

use super::common::ip::{Ipv4, udp};
use super::common::link::Link;
use super::common::monitor::Monitor;
use super::filters::{exchange, routed};
use super::reload::{Configuration, SUCCESSFUL, post};
use super::traffic::{Pair, send_frame};

/// The memory that the kernel gives a socket for its filters, in bytes.
const OPTION_MEMORY: &str = "net/core/optmem_max";

/// A configuration with a list of this number of hosts, and of one of the tests.
fn list(hosts: u64) -> String {
    let mut list = "capture:\n  filter: ".to_owned();
    (0..hosts).for_each(|host| write!(list, "host 172.16.{}.{} or ", host >> 8, host & 255).unwrap());
    list + "host 10.1.0.2\n"
}

#[test]
fn list_that_does_not_fit_beside_the_own_filter_is_refused_and_capturing_goes_on() {
    let [router, one, two] = routed();
    if !router.enter(|| Path::new("/proc/sys").join(OPTION_MEMORY).exists()) {
        return eprintln!("skipped: this kernel has one {OPTION_MEMORY} for all namespaces");
    }
    router.set(OPTION_MEMORY, "1048576");
    let file = Configuration::of(&list(10));
    let path = file.path();
    let options = ["-iface", "eth0,eth1", "-c", path.to_str().unwrap(), "--web.enable-lifecycle"];
    let monitor = Monitor::start(&router, &options);
    // A short filter before each list: the kernel has no memory for two long ones.
    let outcome = |hosts| {
        file.accept(&monitor, &list(10));
        file.write(list(hosts));
        post(&monitor)
    };
    // The shortest list that is refused: one host less is taken, so it would fit without the program's own filter.
    let (mut taken, mut refused) = (1_000, 2_500);
    while refused - taken > 1 {
        let hosts = (taken + refused) / 2;
        if outcome(hosts).status == 200 {
            taken = hosts;
        } else {
            refused = hosts;
        }
    }
    assert_eq!(outcome(taken).status, 200);
    let answer = outcome(refused);
    assert_eq!(answer.status, 500, "{}", answer.body);
    assert!(answer.body.contains("t.yml:2:11: filter `host 172.16.0.0 or "), "{}", answer.body);
    assert!(answer.body.contains(" instructions, the kernel takes 4096"), "{}", answer.body);
    assert_eq!(monitor.metrics().value(SUCCESSFUL, &[]), Some(0));

    // A long filter in the place of another one. The former one stays attached, so nothing has to be taken back.
    file.accept(&monitor, &list(taken));
    let bounds = (0..).map(|number| 1_000_000 >> number).take_while(|bound| *bound > 4_096);
    let refused = bounds.zip([taken - 1, taken].into_iter().cycle()).find_map(|(bound, hosts): (u32, u64)| {
        router.set(OPTION_MEMORY, &bound.to_string());
        file.write(list(hosts));
        Some(post(&monitor)).filter(|answer| answer.status != 200)
    });
    let answer = refused.expect("with less memory one is refused");
    assert_eq!(answer.status, 500, "{}", answer.body);
    assert!(answer.body.contains("it needs memory for both); raise net.core.optmem_max"), "{}", answer.body);
    let messages = monitor.messages();
    assert!(!messages.contains("settings of the refused configuration may be in force"), "{messages}");

    let counted = exchange(&one.udp("10.1.0.2:40053"), &two.udp("10.2.0.2:53"));
    monitor.expect(&counted);
    file.accept(&monitor, &list(100));
    monitor.finish(&counted);
}

/// The program of `vlan` depends on an open handle, which the thread that reloads may not open.
#[test]
fn filter_of_a_vlan_is_reloaded_and_one_that_does_not_compile_is_named() {
    let pair = Pair::new();
    let file = Configuration::of("capture: {filter: vlan 6}\n");
    let monitor = file.start(&pair, &[]);
    file.accept(&monitor, "capture: {filter: vlan 5}\n");
    // It compiles for frames of 802.11 alone.
    file.refuse(&monitor, "capture: {filter: vlan and type mgt}\n", "t.yml:1:19: filter `vlan and type mgt` does not");
    let packet = Ipv4::carrying(udp(40_053, 53, &[0x55; 40])).between([10, 1, 0, 2].into(), [10, 1, 0, 1].into());
    for (vlan, count) in [(6, 20), (5, 17)] {
        let mut frame = Link::ethernet().vlan(0x8100).carrying(&packet.build());
        frame.bytes[14..16].copy_from_slice(&[0, vlan]);
        send_frame(&pair.other, "eth0", &frame, count);
    }
    let flow = "10.1.0.2->10.1.0.1 udp/53(domain)";
    monitor.wait_for("frames of VLAN 5", |metrics| metrics.flows().get(flow) == Some(&(17 * (20 + 8 + 40))));
    let ended = monitor.stop();
    assert_eq!(ended.closing().captured, 17, "{}", ended.messages);
}
