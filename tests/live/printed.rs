//! The command lines that the XDP monitor's description prints, run as they stand there: by a shell, in a folder with
//! the configurations, on an interface that shows packets that are permitted and others.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::common::metrics::Metrics;
use super::common::monitor::{Monitor, PROGRAM};
use super::common::namespace::wait_for;
use super::seeds;
use super::traffic::Pair;

const RUNS_FOR: Duration = Duration::from_secs(1);
/// Packets from each source: one that the lists permit, and one that they do not. More cause no events at once.
const COUNT: u64 = 7;
const STRANGER: &str = "203.0.113.5";

/// A shell that runs `line` in `folder`; `more` are the last words of the program.
fn shell(folder: &Path, line: &str) -> Command {
    let script = format!("more=$*\ntrafficmonitor() {{ exec {PROGRAM} \"$@\" $more; }}\n{line}\n");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script, "sh"]).current_dir(folder);
    command
}

/// The hosts of a line. The list `strict.json` permits the address of this network too.
fn hosts() -> Pair {
    let pair = Pair::new();
    pair.host.ip("address add 192.168.1.1/24 dev eth0");
    pair.other.ip("address add 192.168.1.2/24 dev eth0");
    pair.other.ip(&format!("address add {STRANGER}/32 dev eth0"));
    pair
}

fn spawn<'a>(pair: &'a Pair, folder: &Path, line: &str) -> Monitor<'a> {
    Monitor::spawn(&pair.host, shell(folder, line), &[])
}

fn send(pair: &Pair) {
    for source in ["192.168.1.2", STRANGER] {
        let client = pair.other.udp(&format!("{source}:40053"));
        (0..COUNT).for_each(|_| assert_eq!(client.send_to(b"query", "10.1.0.1:53").unwrap(), 5));
    }
}

fn value(metrics: &Metrics, verdict: &str) -> Option<u64> {
    metrics.value("trafficmonitor_policy_packets_total", &[("verdict", verdict)])
}

/// Waits for the effects of a line, as its options promise them.
fn does_as_it_says(monitor: &Monitor<'_>, line: &str) {
    let metrics = monitor.wait_for(line, |metrics| metrics.sum("trafficmonitor_traffic_packets_total") >= 2 * COUNT);
    let has = |option: &str| line.contains(option);
    let judged = if has("configs/") { Some(COUNT) } else { None };
    assert_eq!([value(&metrics, "permitted"), value(&metrics, "not_permitted")], [judged; 2], "{line}");
    let dropped = metrics.value("trafficmonitor_policy_dropped_packets_total", &[]);
    assert_eq!(dropped.unwrap_or_default(), if has("--drop-packets") { COUNT } else { 0 }, "{line}");
    if has("configs/") && !has("--log-file") {
        wait_for(line, || monitor.events().contains(&format!("src={STRANGER}")).then_some(()));
    }
    // Without a file, the events on standard output say it already.
    if has("--verbose") && has("--log-file") {
        wait_for(line, || monitor.messages().contains(STRANGER).then_some(()));
    } else {
        assert!(!monitor.messages().contains(STRANGER), "{line}: told twice");
    }
}

fn analyze(folder: &Path, line: &str) -> Output {
    shell(folder, line).env_clear().stdin(Stdio::null()).output().unwrap()
}

#[test]
fn printed_command_lines_of_the_xdp_monitor_run() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("configs")).unwrap();
    for name in ["default.json", "strict.json"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(name);
        std::fs::copy(from, folder.path().join("configs").join(name)).unwrap();
    }
    let is_analysis = |line: &&str| line.starts_with("trafficmonitor analyze ");
    let lines = || seeds::XDP_TRAFFIC_MONITOR.iter().map(|(line, _)| *line);
    let running: Vec<&str> = lines().filter(|line| !is_analysis(line)).collect();
    let pairs: Vec<Pair> = running.iter().map(|_| hosts()).collect();
    // All at the same time: each has interfaces of its own.
    let spawned: Vec<Monitor<'_>> =
        running.iter().zip(&pairs).map(|(line, pair)| spawn(pair, folder.path(), line)).collect();
    let monitors: Vec<Monitor<'_>> = spawned.into_iter().map(Monitor::wait_until_ready).collect();
    let start = Instant::now();
    // Without them, the hosts would answer that the port is closed.
    let _resolvers: Vec<UdpSocket> = pairs.iter().map(|pair| pair.host.udp("10.1.0.1:53")).collect();
    pairs.iter().for_each(send);
    monitors.iter().zip(&running).for_each(|(monitor, line)| does_as_it_says(monitor, line));
    wait_for("each runs for a while", || (start.elapsed() >= RUNS_FOR).then_some(()));
    monitors.into_iter().for_each(|monitor| drop(monitor.stop()));

    let analyses: Vec<&str> = lines().filter(is_analysis).collect();
    assert_eq!((running.len(), analyses.len()), (12, 3));
    for line in analyses {
        let output = analyze(folder.path(), line);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(STRANGER), "{line}: {output:?}");
    }
    let array = std::fs::read(folder.path().join("traffic.json")).unwrap();
    let events: Vec<serde_json::Value> = serde_json::from_slice(&array).unwrap();
    assert!(events.iter().any(|event| event["src"] == STRANGER), "{events:?}");
    let report = std::fs::read(folder.path().join("analysis.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["totals"]["packets"], COUNT);
}
