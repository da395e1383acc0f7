//! Names of devices, hosts and processes of a real network.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use super::common::monitor::Monitor;
use super::common::namespace::wait_for;
use super::traffic::Pair;

/// The first row of a table whose `key` is `value`.
fn row(monitor: &Monitor<'_>, table: &str, key: &str, value: &str) -> Option<Value> {
    let answer = monitor.ask("GET", &format!("/api/v1/{table}?range=5m&limit=1000"))?;
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    answer["rows"].as_array()?.iter().find(|row| row[key] == value).cloned()
}

/// The Ethernet address of an interface of `namespace`.
fn mac(of: &super::common::namespace::Namespace) -> String {
    let link = of.ip("-oneline link show dev eth0");
    link.split_once("link/ether ").unwrap().1.split(' ').next().unwrap().to_owned()
}

#[test]
fn devices_have_their_addresses_and_flows_their_process() {
    let pair = Pair::new();
    let files = tempfile::tempdir().unwrap();
    let leases = files.path().join("leases");
    std::fs::write(&leases, "0 06:00:00:00:00:01 10.1.0.2 <b>phone</b> *\n").unwrap();
    pair.other.ip("address add 10.1.0.3/24 dev eth0");
    pair.host.ip(&format!("neigh replace 10.1.0.3 lladdr {} dev eth0 nud permanent", mac(&pair.other)));
    let leases = leases.to_str().unwrap();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0", "--names.processes", "--names.lease_files", leases]);
    let listener = pair.host.enter(|| TcpListener::bind("10.1.0.1:4443")).unwrap();
    let mut client = pair.other.enter(|| TcpStream::connect("10.1.0.1:4443")).unwrap();
    let (mut served, _) = listener.accept().unwrap();
    let datagrams = pair.other.udp("10.1.0.3:5000");
    let named = wait_for("the names are known", || {
        client.write_all(&[0; 100]).unwrap();
        served.write_all(&[0; 100]).unwrap();
        datagrams.send_to(&[0; 100], "10.1.0.1:5001").unwrap();
        let flow = row(&monitor, "flows", "source", "10.1.0.2").filter(|row| row["process"].is_object())?;
        let device = row(&monitor, "devices", "mac", &mac(&pair.other));
        let device = device.filter(|device| device["addresses"].as_array().is_some_and(|all| all.len() == 2))?;
        Some((flow, device, row(&monitor, "hosts", "address", "10.1.0.1")?))
    });
    let (flow, device, host) = named;
    assert_eq!(flow["process"]["pid"], std::process::id());
    assert_eq!(flow["source_name"], "<b>phone</b>", "text of the network, as it is");
    assert_eq!(device["addresses"], serde_json::json!(["10.1.0.2", "10.1.0.3"]));
    assert_eq!(device["vendor"], "locally administered (may be random)");
    assert_eq!(host["names"]["mac"], mac(&pair.host), "the monitor's own interface");
    let metrics = monitor.ask("GET", "/metrics").unwrap().body;
    assert!(!metrics.contains("phone"), "no name is in a label");
    assert!(
        metrics.contains("trafficmonitor_names_lookups_total{source=\"processes\",result=\"found\"} "),
        "{metrics}"
    );
    monitor.stop();
}

#[test]
fn alerts_name_both_ends_and_the_process_and_no_label_does() {
    let pair = Pair::new();
    let files = tempfile::tempdir().unwrap();
    let [leases, hosts] = ["leases", "hosts"].map(|name| files.path().join(name));
    std::fs::write(&leases, "0 06:00:00:00:00:01 10.1.0.2 <b>phone</b> *\n").unwrap();
    std::fs::write(&hosts, "10.1.0.1 server.example\n").unwrap();
    let [leases, hosts] = [&leases, &hosts].map(|file| file.to_str().unwrap());
    let names = ["--names.processes", "--names.lease_files", leases, "--names.hosts_file", hosts];
    let limit = ["-iface", "eth0", "-ByteLimit", "100000"];
    let monitor = Monitor::start(&pair.host, &[&limit[..], &names[..]].concat());
    let listener = pair.host.enter(|| TcpListener::bind("10.1.0.1:4443")).unwrap();
    let mut client = pair.other.enter(|| TcpStream::connect("10.1.0.1:4443")).unwrap();
    let (mut served, _) = listener.accept().unwrap();
    let alert = wait_for("an alert with names", || {
        client.write_all(&[0; 50_000]).unwrap();
        std::io::Read::read_exact(&mut served, &mut [0; 50_000]).unwrap();
        let answer: Value = serde_json::from_str(&monitor.ask("GET", "/api/v1/alerts")?.body).unwrap();
        let alert = answer["active"].as_array()?.iter().find(|alert| alert["source"] == "10.1.0.2")?.clone();
        (!alert["processes"].as_array()?.is_empty()).then_some(alert)
    });
    assert_eq!(alert["source_name"], "<b>phone</b>");
    assert_eq!(alert["source_names"]["vendor"], "locally administered (may be random)");
    assert_eq!(alert["processes"][0]["pid"], std::process::id());
    let target = &alert["targets"][0];
    assert_eq!((&target["address"], &target["name"]), (&"10.1.0.1".into(), &"server.example".into()));
    let metrics = monitor.ask("GET", "/metrics").unwrap().body;
    assert!(metrics.contains("trafficmonitor_alert_firing{") && !metrics.contains("phone"), "no name is in a label");
    monitor.stop();
}
