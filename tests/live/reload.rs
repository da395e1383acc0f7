//! A reload of the permitted networks: verdicts change and no packet is lost, and lists that are refused change nothing.
//! [`Configuration`] is for the other tests of reloads too.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use tempfile::TempDir;

use super::common::client::Answer;
use super::common::metrics::Metrics;
use super::common::monitor::Monitor;
use super::common::namespace::wait_for;
use super::kernel::{CLSACT, GENERIC, NATIVE, TCX, received, start, verdicts};
use super::traffic::Pair;

const LIBPCAP: &[&str] = &["-iface", "eth0"];
const CLIENT: &str = "10.1.0.2";
pub(super) const SUCCESSFUL: &str = "trafficmonitor_config_last_reload_successful";
pub(super) const HASH: &str = "trafficmonitor_config_hash";
pub(super) const RELOADS: &str = "trafficmonitor_config_reloads_total";
const IN_FORCE: &str = "the configuration was reread and is in force";
const SUCCESS_TIME: &str = "trafficmonitor_config_last_reload_success_timestamp_seconds";

/// A configuration file that is changed, and the program's arguments with it.
struct Lists {
    folder: TempDir,
}

impl Lists {
    fn of(permitted: &str) -> Self {
        let lists = Self { folder: tempfile::tempdir().unwrap() };
        lists.write(&format!("permitted: [{permitted}]"));
        lists
    }

    fn write(&self, policy: &str) {
        fs::write(self.path(), format!("policy:\n  {policy}\n")).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("lists.yml")
    }

    fn start<'a>(&self, pair: &'a Pair, mode: &[&str]) -> Option<Monitor<'a>> {
        start(pair, &[mode, &["-c", self.path().to_str().unwrap(), "--detect.enabled=false"]].concat())
    }
}

/// A configuration file that is changed while the program runs.
pub(super) struct Configuration {
    folder: TempDir,
}

impl Configuration {
    pub(super) fn of(text: &str) -> Self {
        let configuration = Self { folder: tempfile::tempdir().unwrap() };
        configuration.write(text);
        configuration
    }

    pub(super) fn write(&self, text: impl AsRef<[u8]>) {
        fs::write(self.path(), text).unwrap();
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("t.yml")
    }

    /// Starts the program on eth0 with the file, and with reloads over HTTP.
    pub(super) fn start<'a>(&self, pair: &'a Pair, arguments: &[&str]) -> Monitor<'a> {
        let path = self.path();
        let with_file = ["-iface", "eth0", "-c", path.to_str().unwrap(), "--web.enable-lifecycle"];
        Monitor::start(&pair.host, &[&with_file[..], arguments].concat())
    }

    /// Changes the file and reloads: the new configuration is in force.
    pub(super) fn accept(&self, monitor: &Monitor<'_>, text: &str) {
        self.write(text);
        let answer = post(monitor);
        assert_eq!(answer.status, 200, "{text}: {}", answer.body);
        assert_eq!(monitor.metrics().value(SUCCESSFUL, &[]), Some(1));
    }

    /// Changes the file and reloads: that is refused with this reason, and nothing has changed.
    pub(super) fn refuse(&self, monitor: &Monitor<'_>, text: impl AsRef<[u8]>, reason: &str) {
        self.write(text);
        refused(monitor, reason);
    }
}

/// A reload that is refused with this reason. Nothing has changed.
pub(super) fn refused(monitor: &Monitor<'_>, reason: &str) {
    let before = monitor.metrics().value(HASH, &[]).unwrap();
    let answer = post(monitor);
    assert_eq!(answer.status, 500, "{}", answer.body);
    assert!(answer.body.contains(reason), "no {reason:?} in {}", answer.body);
    let metrics = monitor.metrics();
    assert_eq!((metrics.value(SUCCESSFUL, &[]), metrics.value(HASH, &[])), (Some(0), Some(before)));
    let health = monitor.ask("GET", "/api/v1/health").expect("an answer").body;
    assert!(health.contains("The last reload was refused") && health.contains(r#""name":"configuration""#), "{health}");
}

pub(super) fn post(monitor: &Monitor<'_>) -> Answer {
    monitor.ask("POST", "/-/reload").expect("an answer")
}

/// Sends HUP, and waits for a new line with these words.
pub(super) fn reload(monitor: &Monitor<'_>, words: &str) {
    let count = || monitor.messages().matches(words).count();
    let before = count();
    monitor.signal(libc::SIGHUP);
    wait_for(words, || (count() > before).then_some(()));
}

fn send_query(pair: &Pair) {
    let client = pair.other.udp(&format!("{CLIENT}:40053"));
    assert_eq!(client.send_to(&[0x55; 31], "10.1.0.1:53").unwrap(), 31);
}

fn is_successful(metrics: &Metrics) -> bool {
    assert!(metrics.value(SUCCESS_TIME, &[]).unwrap() > 1_700_000_000);
    metrics.value(SUCCESSFUL, &[]) == Some(1)
}

/// Sends queries until one has the verdict with this number; gives how many it sent.
fn send_until(pair: &Pair, monitor: &Monitor<'_>, verdict: usize) -> u64 {
    let before = verdicts(&monitor.metrics())[verdict];
    let mut sent = 0;
    wait_for("a packet with the new verdict", || {
        send_query(pair);
        sent += 1;
        (verdicts(&monitor.metrics())[verdict] > before).then_some(())
    });
    sent
}

#[test]
fn changed_list_changes_verdicts_at_hangup_and_loses_no_packet() {
    for mode in [LIBPCAP, NATIVE, TCX, CLSACT] {
        let pair = Pair::new();
        let _server = pair.host.udp("10.1.0.1:53");
        let lists = Lists::of("10.1.0.1");
        let Some(monitor) = lists.start(&pair, mode) else { continue };
        assert!(is_successful(&monitor.metrics()));
        let mut sent = send_until(&pair, &monitor, 1);
        lists.write("permitted: [10.1.0.1, 10.1.0.2]\n  limit_packets: 7");
        reload(&monitor, IN_FORCE);
        let changed = "changed=\"policy.permitted, policy.limit_packets\"";
        assert!(monitor.messages().contains(changed), "{}", monitor.messages());
        sent += send_until(&pair, &monitor, 0);
        monitor.wait_for("all packets", |metrics| verdicts(metrics).iter().sum::<u64>() == sent);
        lists.write("permitted: [10.1.0.0/24]\n  denied: [10.1.0.2]");
        reload(&monitor, IN_FORCE);
        sent += send_until(&pair, &monitor, 1);
        let metrics = monitor.wait_for("all packets", |metrics| verdicts(metrics).iter().sum::<u64>() == sent);
        assert_eq!(metrics.sum("trafficmonitor_traffic_packets_total"), sent, "{mode:?}");
        assert!(is_successful(&metrics));
        reload(&monitor, "it is unchanged");
        monitor.stop();
    }
}

#[test]
fn refused_lists_change_nothing_and_are_named_with_their_place() {
    let pair = Pair::new();
    let _server = pair.host.udp("10.1.0.1:53");
    let lists = Lists::of("10.1.0.2");
    let monitor = lists.start(&pair, LIBPCAP).unwrap();
    for (policy, place, reason) in [
        ("permitted: [10.1.0.0/33]", ":2:", "10.1.0.0/33"),
        ("denied: [10.1.0.2]", ":2:", "none is permitted"),
        ("permitted: [10.1.0.1]\n  denied: [10.1.0.1]", ":3:", "10.1.0.1/32 is permitted too"),
        ("limit_packets: 7", "policy.permitted", "the list is gone"),
    ] {
        lists.write(policy);
        reload(&monitor, "the reload is refused, and the running configuration stays in force");
        let messages = monitor.messages();
        let line = messages.lines().rfind(|line| line.contains("the reload is refused")).unwrap();
        assert!(line.contains(place) && line.contains(reason), "{line}");
        assert!(!is_successful(&monitor.metrics()));
    }
    let sent = send_until(&pair, &monitor, 0);
    assert_eq!(verdicts(&monitor.metrics())[1], 0);
    lists.write("permitted: [10.1.0.1]");
    reload(&monitor, IN_FORCE);
    assert!(is_successful(&monitor.metrics()));
    let sent = sent + send_until(&pair, &monitor, 1);
    monitor.wait_for("all packets", |metrics| verdicts(metrics).iter().sum::<u64>() == sent);
    monitor.stop();
}

#[test]
fn reload_that_would_cut_the_host_off_is_refused_while_packets_are_dropped() {
    let pair = Pair::new();
    pair.host.ip("route add default via 10.1.0.2");
    let server = pair.host.udp("10.1.0.1:53");
    let lists = Lists::of("10.1.0.2");
    let Some(monitor) = lists.start(&pair, &[GENERIC, &["--drop-packets"]].concat()) else { return };
    for (policy, reason) in [
        ("permitted: [10.9.0.0/16]", "--drop-packets would cut this host off: the default gateway 10.1.0.2"),
        ("permitted: []", "no network is permitted"),
    ] {
        lists.write(policy);
        reload(&monitor, "the reload is refused");
        assert!(monitor.messages().contains(reason), "{}", monitor.messages());
    }
    let sent = send_until(&pair, &monitor, 0);
    assert_eq!(received(&server), sent);
    pair.host.ip("route delete default");
    lists.write("permitted: [10.9.0.0/16]");
    reload(&monitor, IN_FORCE);
    send_until(&pair, &monitor, 1);
    let dropped = monitor.metrics().sum("trafficmonitor_policy_dropped_packets_total");
    assert!(dropped > 0, "{}", monitor.messages());
    monitor.stop();
}

/// The kernel refuses the lists after the other settings were taken.
#[test]
fn settings_that_came_with_lists_that_the_kernel_refuses_are_taken_back() {
    let pair = Pair::new();
    let file = Configuration::of(
        "policy: {permitted: [10.0.0.0/8]}\nbandwidth: {limit: 1M, interval: 10}\nalert: {hold: 0s}\n",
    );
    let path = file.path();
    let options = ["-c", path.to_str().unwrap(), "--web.enable-lifecycle"];
    let Some(monitor) = start(&pair, &[TCX, &options].concat()) else { return };
    // More than the kernel's table of networks holds; no two of them make one.
    let networks = (0..140_000).map(|number| format!("{}/32", Ipv4Addr::from_bits(0x0b00_0000 + 2 * number)));
    let networks: Vec<String> = networks.collect();
    let lists = |limit: &str| {
        format!(
            "policy: {{permitted: [{}]}}\nbandwidth: {{limit: {limit}, interval: 10}}\nalert: {{hold: 0s}}\n",
            networks.join(", ")
        )
    };
    file.refuse(&monitor, lists("10"), "the kernel did not take the permitted networks");
    assert_eq!(monitor.metrics().value("trafficmonitor_bandwidth_limit_bytes", &[]), Some(1_000_000));
    // With the refused limit this would be an alert.
    send_query(&pair);
    let metrics = monitor.wait_for("the query", |metrics| metrics.sum("trafficmonitor_source_window_bytes") > 10);
    assert_eq!(metrics.sum("trafficmonitor_alerts_total"), 0);
    monitor.stop();
}
