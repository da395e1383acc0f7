//! `check` on real interfaces: it says what a run would meet, and changes nothing.

use std::process::Command;

use super::common::monitor::{Monitor, PROGRAM};
use super::rights::Copy;
use super::traffic::Pair;

/// The status and the lines of a check in the host's namespace.
fn check(pair: &Pair, mut command: Command, arguments: &[&str]) -> (i32, String) {
    command.arg("check").args(arguments).env_clear();
    let output = pair.host.enter(|| command.output()).unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

const ADDRESS: [&str; 2] = ["-promHTTP", "127.0.0.1:8888"];

#[test]
fn run_that_will_work_passes_and_nothing_is_changed() {
    let pair = Pair::new();
    let arguments = ["-iface", "eth0", "-promisc", "-promHTTP", "127.0.0.1:8888", "udp", "port", "53"];
    let (status, text) = check(&pair, Command::new(PROGRAM), &arguments);
    assert_eq!(status, 0, "{text}");
    for line in [
        "ok       configuration: it is valid\n",
        "ok       filter: it compiles\n",
        "ok       interfaces: eth0 can be opened with a ring of 32.0 MiB\n",
        "ok       listen: 127.0.0.1:8888 can be listened on\n",
        "ok       sandbox: the kernel takes all its parts\n",
        "\nthe run will work; ",
    ] {
        assert!(text.contains(line), "no {line:?}: {text}");
    }
    assert!(pair.host.ip("-details link show dev eth0").contains("promiscuity 0"));
    // The address is free again, and the interface can be captured.
    Monitor::start(&pair.host, &arguments).stop();
}

#[test]
fn failures_are_named_with_their_remedies() {
    let (pair, copy) = (Pair::new(), Copy::new());
    let (status, text) = check(&pair, copy.unprivileged("-all"), &["-iface", "eth0", ADDRESS[0], ADDRESS[1]]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("failure  capture: this process may not open packet sockets"), "{text}");
    assert!(text.contains(&format!("setcap cap_net_raw=ep {}\n", copy.path.display())), "{text}");
    let running = Monitor::start(&pair.host, &["-iface", "eth0"]);
    let (status, text) = check(&pair, Command::new(PROGRAM), &["-iface", "eth9", ADDRESS[0], ADDRESS[1]]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("failure  interfaces: eth9: no such interface (have: "), "{text}");
    assert!(text.contains("failure  listen: cannot listen on 127.0.0.1:8888"), "{text}");
    assert!(text.contains("the run will not work: 2 failures, "), "{text}");
    running.stop();
}

#[test]
fn missing_rights_of_the_kernel_path_are_one_failure() {
    let (pair, copy) = (Pair::new(), Copy::new());
    let arguments = ["-daq", "tc", "-iface", "eth0", ADDRESS[0], ADDRESS[1]];
    let (status, text) = check(&pair, copy.unprivileged("-all"), &arguments);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("failure  capture: cannot load the kernel's program: CAP_BPF, "), "{text}");
    assert!(text.contains("the run will not work: 1 failure, "), "{text}");
}

#[test]
fn interface_that_refuses_the_kernel_path_is_named_before_the_start() {
    let pair = Pair::new();
    let failing = |daq: &[&str], interface: &str, reason: &str| {
        let arguments = [&["-iface", interface, "-promHTTP", "127.0.0.1:8889"][..], daq].concat();
        let (status, text) = check(&pair, Command::new(PROGRAM), &arguments);
        assert_eq!(status, 1, "{text}");
        assert!(text.contains(&format!("failure  interfaces: {interface}: {reason}")), "{text}");
    };
    pair.host.ip("tuntap add dev tun0 mode tun");
    pair.host.ip("link set tun0 up");
    failing(&["-daq", "tc"], "tun0", "not an Ethernet interface");
    for way in [&["-daq", "xdp"][..], &["-daq", "tc", "--tc.hook", "clsact"]] {
        let arguments = ["-iface", "eth0", ADDRESS[0], ADDRESS[1]];
        let running = Monitor::start(&pair.host, &[&arguments, way].concat());
        failing(way, "eth0", "another trafficmonitor (process ");
        running.stop();
        let (status, text) = check(&pair, Command::new(PROGRAM), &[&arguments, way].concat());
        assert_eq!(status, 0, "{text}");
        assert!(text.contains("ok       interfaces: eth0 is free for the kernel's program"), "{text}");
    }
}

#[test]
fn capability_net_raw_alone_passes() {
    let (pair, copy) = (Pair::new(), Copy::new());
    let arguments = ["-iface", "eth0", ADDRESS[0], ADDRESS[1]];
    let (status, text) = check(&pair, copy.unprivileged("-all,+net_raw"), &arguments);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("ok       capture: this process may open packet sockets (CAP_NET_RAW)\n"), "{text}");
}

#[test]
fn interface_that_is_down_is_waited_for() {
    let pair = Pair::new();
    pair.host.ip("link set dev eth0 down");
    let (status, text) = check(&pair, Command::new(PROGRAM), &["-iface", "eth0", ADDRESS[0], ADDRESS[1]]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("warning  interfaces: "), "{text}");
    assert!(text.contains("the run waits until eth0 is up\n"), "{text}");
}

/// The check and the start agree about the sandbox.
#[test]
fn part_of_the_sandbox_that_is_refused_fails_only_where_it_must_not_be() {
    let pair = Pair::new();
    let gap = "files stay in reach (Landlock): a thread that looks at other processes cannot have it";
    for (mode, outcome, status) in [("auto", "warning ", 0), ("strict", "failure ", 1)] {
        let options = ["-iface", "eth0", "--names.processes", "--sandbox", mode];
        let (found, text) = check(&pair, Command::new(PROGRAM), &[&options[..], &ADDRESS].concat());
        assert_eq!(found, status, "{text}");
        assert!(text.contains(&format!("{outcome} sandbox: {gap}")), "{text}");
        let monitor = Monitor::spawn(&pair.host, Command::new(PROGRAM), &options);
        if status == 0 {
            monitor.wait_until_ready().stop();
        } else {
            assert_eq!(monitor.wait().status.code(), Some(2));
        }
    }
}
