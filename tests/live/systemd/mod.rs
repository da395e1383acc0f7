//! The unit that is shipped, run by a real systemd: its promises hold under all its restrictions, and a service that
//! hangs is started again.
//!
//! systemd boots as process 1 of namespaces of its own. Where the kernel does not allow that, the tests say so.

mod booted;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use super::common::metrics::Packets;
use super::common::namespace::wait_for;
use super::held::Held;
use super::sandbox::answering_threads_yield;
use super::traffic::{Pair, send};
use booted::Booted;

/// Short, so that the test is. The drop-in changes nothing else.
const SHORT_WATCHDOG: &str = "[Service]\nWatchdogSec=6s\nRestartSec=100ms\n";

#[test]
fn hung_service_is_started_again_and_a_quiet_one_is_not() {
    let pair = Pair::new();
    let Some(booted) = Booted::start(&pair.host, &[("short.conf", SHORT_WATCHDOG)], &["IFACE=eth0"], &[]) else {
        return;
    };
    let first = booted.main_process();
    // The unit lets the program give up all that it can.
    for part in ["capabilities", "no_new_privs", "seccomp", "landlock"] {
        booted.wait_for_metric(&format!("trafficmonitor_sandbox{{part=\"{part}\"}}"), 1);
    }
    answering_threads_yield(first);
    // Longer than the watchdog's time, without a packet.
    let quiet = Instant::now();
    wait_for("the quiet time is over", || (quiet.elapsed() > Duration::from_secs(9)).then_some(()));
    assert_eq!((booted.show("NRestarts"), booted.main_process()), ("0".to_owned(), first), "{}", booted.journal());
    assert_eq!(booted.show("StatusText"), "capturing eth0; 0 packets dropped by the kernel");

    let held = Held::hold(first, "capture-eth0");
    let stopped = Instant::now();
    wait_for("the service is started again", || {
        held.reap();
        (booted.show("NRestarts") == "1" && booted.is_active()).then_some(())
    });
    println!("started again {:?} after the thread hung", stopped.elapsed());
    assert_ne!(booted.main_process(), first);
    let journal = booted.journal();
    assert!(journal.contains("is not fed\" thread=capture-eth0"), "{journal}");
    assert!(journal.contains("Watchdog timeout"), "{journal}");
    booted.stop();
}

/// A webhook that nothing listens at, so that its alerts are kept; the names of hosts and processes.
const CONFIGURATION: &str = r#"
bandwidth: {limit: 2K, interval: 2s}
notify:
  receivers:
    - {name: hook, type: webhook, url_file: /run/credentials/trafficmonitor.service/hook}
names: {processes: true, hosts_file: /etc/trafficmonitor/hosts}
events: {file: /var/log/trafficmonitor/events.jsonl, format: jsonl}
evidence: {archive_dir: /var/lib/trafficmonitor/evidence}
"#;
const RIGHTS: &str = "[Service]
LoadCredential=hook:/etc/trafficmonitor/hook
AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH
CapabilityBoundingSet=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH
";

#[test]
fn promises_of_the_documents_hold_under_the_restrictions_of_the_unit() {
    let pair = Pair::new();
    let files = [
        ("etc/trafficmonitor/trafficmonitor.yml", CONFIGURATION, 0o644),
        ("etc/trafficmonitor/hosts", "10.1.0.2 desk\n", 0o644),
        ("etc/trafficmonitor/hook", "https://127.0.0.1:9/hook\n", 0o600),
    ];
    let settings = ["IFACE=eth0", "CONFIG=/etc/trafficmonitor/trafficmonitor.yml"];
    let Some(booted) = Booted::start(&pair.host, &[("rights.conf", RIGHTS)], &settings, &files) else { return };
    let process = booted.main_process();
    has_few_rights(process);
    answering_threads_yield(process);
    // A process of another user, with a conversation.
    let talk = "exec 3<>/dev/udp/10.1.0.2/5353; for i in $(seq 200); do printf %01000d 0 >&3; sleep 0.1; done";
    let _talking = booted.start_process(&["bash", "-c", talk]);
    let _resolver = pair.other.udp("10.1.0.2:5353");
    booted.wait_for_metric("trafficmonitor_names_entries{source=\"hosts\"}", 1);
    booted.wait_for_metric("trafficmonitor_names_entries{source=\"processes\"}", 1);
    keeps_its_files(&booted);
    // The credential is read, and only then is there no answer.
    wait_for("a try to deliver", || {
        booted.journal().contains("alerts are not delivered: connection refused").then_some(())
    });

    // Rotation, as logrotate does it by examples/logrotate.conf.
    booted.run(&format!("mv {EVENT_LOG} {EVENT_LOG}.1 && systemctl kill --signal=HUP trafficmonitor.service"));
    wait_for("the event log again", || booted.run(&format!("ls {EVENT_LOG}")).contains(EVENT_LOG).then_some(()));
    booted.run("systemctl reload trafficmonitor");
    wait_for("the end of the reload", || booted.is_active().then_some(()));
    assert_eq!((booted.main_process(), booted.show("NRestarts")), (process, "0".to_owned()), "{}", booted.journal());
    booted.stop();
}

const EVENT_LOG: &str = "/var/log/trafficmonitor/events.jsonl";

/// A user of its own, CAP_NET_RAW and the capabilities of the names of processes, and a filter of system calls.
fn has_few_rights(process: u32) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let allowed = status.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).unwrap();
    assert_eq!(u64::from_str_radix(allowed, 16).unwrap(), 1 << 13 | 1 << 2 | 1 << 19, "{status}");
    assert!(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"), "{status}");
    // systemd.exec(5): the range of DynamicUser=.
    let user = fs::metadata(format!("/proc/{process}")).unwrap().uid();
    assert!((61_184..=65_519).contains(&user), "{user}");
}

/// The evidence of an alert, the alert itself until it is delivered, and its line in the event log.
fn keeps_its_files(booted: &Booted<'_>) {
    let kept = |directory: &str| booted.run(&format!("find {directory} -type f -size +0"));
    wait_for("an evidence file", || kept("/var/lib/trafficmonitor/evidence").contains(".pcapng").then_some(()));
    wait_for("undelivered alerts", || kept("/var/lib/trafficmonitor/notify").contains("journal").then_some(()));
    let is_logged = || booted.run(&format!("cat {EVENT_LOG}")).contains("\"event\":\"alert\"");
    wait_for("the event log", || is_logged().then_some(()));
}

#[test]
fn kernel_path_runs_with_its_drop_in() {
    let pair = Pair::new();
    let drop_in = fs::read_to_string(booted::example("trafficmonitor.service.d/kernel-path.conf")).unwrap();
    let drop_ins = [("kernel-path.conf", drop_in.as_str())];
    let dropping = ["IFACE=eth0", "DAQ=xdp", "XDP_MODE=generic", "DROP_PACKETS=true", "POLICY_PERMITTED=10.1.0.0/24"];
    for settings in [&["IFACE=eth0", "DAQ=tc"][..], &dropping] {
        let Some(booted) = Booted::start(&pair.host, &drop_ins, settings, &[]) else { return };
        let (client, server) = pair.resolver();
        send(&client, &server, Packets::udp(37, 31));
        booted.wait_for_metric("trafficmonitor_traffic_packets_total{direction=\"local\",ip_version=\"4\"}", 37);
        // The unit hides the processes of other users, SSH servers among them: that is not taken as none.
        let is_warned = booted.journal().contains("the sockets of SSH servers cannot be seen");
        assert_eq!(is_warned, settings == dropping, "{}", booted.journal());
        booted.stop();
    }
}
