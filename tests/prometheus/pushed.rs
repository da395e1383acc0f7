//! The exporter pushes its alerts to a real Alertmanager, which shows, groups and resolves them.

use serde_json::Value;

use super::chain::{ALERTMANAGER, Alertmanager, WEBHOOK, scan};
use super::common::exporter::wait_for;
use super::common::monitor::Monitor;
use super::common::namespace::{End, Namespace, connect};
use super::common::webhook::Webhook;
use super::tool;

/// The alerts that `amtool alert` lists, one in a line, with its state.
fn listed(namespace: &Namespace) -> Vec<String> {
    let mut command = std::process::Command::new(tool("amtool"));
    command.args([&format!("--alertmanager.url=http://{ALERTMANAGER}"), "alert", "query", "--output", "json"]);
    let output = namespace.enter(|| command.output()).unwrap();
    assert!(output.status.success(), "amtool: {}", String::from_utf8_lossy(&output.stderr));
    let alerts: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let name =
        |alert: &Value| format!("{} {}", alert["labels"]["alertname"], alert["labels"]["source"]).replace('"', "");
    let mut names: Vec<String> = alerts.iter().map(name).collect();
    names.sort();
    names
}

#[test]
fn pushed_scans_are_shown_grouped_notified_and_resolved() {
    let (inside, outside) = (Namespace::new(), Namespace::new());
    let (near, far) = (End::new(&inside, "near", "10.9.0.1/24"), End::new(&outside, "far", "10.9.0.2/24"));
    connect(&near, &far);
    outside.ip("address add 10.9.0.3/24 dev far");
    outside.ip("route add 10.128.0.0/9 via 10.9.0.1");
    let webhook = Webhook::listen(&inside, WEBHOOK);
    let _alertmanager = Alertmanager::telling(&inside);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trafficmonitor.yml");
    let receiver = format!("{{name: pushed, type: alertmanager, url: 'http://{ALERTMANAGER}'}}");
    std::fs::write(&path, format!("notify:\n  receivers:\n  - {receiver}\n")).unwrap();
    let options =
        ["-iface", "near", "--scan.interval", "5s", "--alert.hold", "1s", "--config.file", path.to_str().unwrap()];
    let monitor = Monitor::start(&inside, &options);

    scan(&outside.udp("10.9.0.2:40053"), 1, 40);
    scan(&outside.udp("10.9.0.3:40053"), 1, 40);
    let both = ["TrafficmonitorHostScan 10.9.0.2", "TrafficmonitorHostScan 10.9.0.3"];
    wait_for("amtool lists both scans", || (listed(&inside) == both).then_some(()));
    let is_over = |taken: &[Value]| taken.iter().any(|notification| notification["status"] == "resolved");
    let taken = wait_for("the end of both is notified", || Some(webhook.taken()).filter(|taken| is_over(taken)));
    let last = taken.last().unwrap();
    assert_eq!(last["alerts"].as_array().unwrap().len(), 2, "one group: {last:#}");
    assert_eq!(last["groupLabels"]["alertname"], "TrafficmonitorHostScan");
    assert_eq!(listed(&inside), [""; 0], "resolved alerts are listed no more");
    let delivered = |metrics: &super::common::metrics::Metrics| metrics.sum("trafficmonitor_notifications_total");
    assert_eq!(delivered(&monitor.metrics()), 4, "two scans and two ends");
    monitor.stop();
}
