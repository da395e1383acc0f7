use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::alert::{Alert, AlertState, Severity};
use crate::detect::{Figures, Kind, ScanEvidence, Subject, Target};
use crate::export::tests::firing;

fn alert(kind: Kind, source: &str, severity: Severity, starts_at: i64) -> Alert {
    let target = Target { address: ip("203.0.113.7"), protocol: Some(Protocol::TCP), port: Some(22) };
    let figures = Figures { value: 20.0, limit: 15.0, first_targets: vec![target], ..Figures::default() };
    let subject = Subject::Source(ip(source));
    Alert { severity, starts_at: at(starts_at), ..firing(kind, subject, figures) }
}

fn served() -> Served {
    let mut served = Served::default();
    let pending = Alert { state: AlertState::Pending, ..alert(Kind::HostScan, "10.0.0.4", Severity::Critical, 9) };
    served.report.alerts.pending = vec![pending];
    served.report.alerts.firing = vec![
        alert(Kind::HostScan, "10.0.0.1", Severity::Warning, 1),
        alert(Kind::HostScan, "10.0.0.2", Severity::Critical, 2),
        alert(Kind::HostScan, "10.0.0.3", Severity::Critical, 3),
    ];
    served
}

fn sources(served: &Served, query: &str) -> Vec<String> {
    let answer = served.json(Resource::Alerts, query);
    let active = answer["active"].as_array().unwrap().iter();
    active.map(|alert| alert["source"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn scan_has_its_contacts_and_no_bytes() {
    let scan = ScanEvidence {
        port: Some((Protocol::TCP, 22)),
        network: Some("203.0.113.0/24".parse().unwrap()),
        failed: 38,
        touched: 3,
        used: 1,
        counts_ports: false,
        counts_touched: true,
        limit: 15,
        times: 1,
        setting: "NumContactedIPs",
        silencing_value: 42,
    };
    let mut served = served();
    for (kind, scan) in [(Kind::HostScan, Some(scan)), (Kind::HostScan, None), (Kind::Bandwidth, None)] {
        let figures = Figures { bytes: 70, scan, is_estimate: true, ..Figures::default() };
        served.report.alerts.firing = vec![firing(kind, Subject::Source(ip("10.0.0.1")), figures)];
        let alert = &served.json(Resource::Alerts, "state=active&limit=1")["active"][0];
        assert_eq!(alert["bytes"], if kind == Kind::Bandwidth { json!(70) } else { Value::Null });
        let expected = json!({
            "targets": "hosts", "network": "203.0.113.0/24", "protocol": "tcp", "port": 22,
            "tried": 42, "failed": 38, "touched": 3, "used": 1, "is_estimate": true,
        });
        assert_eq!(alert["scan"], scan.map_or(Value::Null, |_| expected));
    }
}

#[test]
fn firing_and_severe_and_late_alerts_come_first() {
    let served = served();
    assert_eq!(sources(&served, ""), ["10.0.0.3", "10.0.0.2", "10.0.0.1", "10.0.0.4"]);
    assert_eq!(sources(&served, "limit=1"), ["10.0.0.3"]);
    assert!(sources(&served, "state=resolved").is_empty());
}

#[test]
fn filter_looks_at_subjects_targets_and_words() {
    let served = served();
    for (filter, count) in [
        ("10.0.0.2", 1),
        ("src:10.0.0.0/30", 3),
        ("203.0.113.0/24", 4),
        ("src:203.0.113.7", 0),
        ("port:22", 4),
        ("service:ssh", 4),
        ("protocol:udp", 0),
        ("critical", 3),
        ("host_scan -10.0.0.2", 3),
        ("direction:incoming", 4),
        ("nothing", 0),
    ] {
        assert_eq!(sources(&served, &format!("filter={}", filter.replace(' ', "+"))).len(), count, "{filter}");
    }
}

#[test]
fn alert_has_its_sentence_figures_and_query() {
    let mut served = served();
    served.settings.runbooks = "https://wiki/{kind}".to_owned();
    served.report.alerts.firing[2].rule = Arc::from("odd\"rule\\");
    let answer = served.json(Resource::Alerts, "limit=1");
    let alert = &answer["active"][0];
    assert_eq!([&alert["value"], &alert["limit"], &alert["unit"]], [&json!(20.0), &json!(15.0), &json!("hosts")]);
    assert!(alert["sentence"].as_str().unwrap().starts_with("10.0.0.3 "), "{alert}");
    assert_eq!(alert["runbook_url"], json!("https://wiki/host_scan"));
    assert_eq!(alert["evidence_url"], Value::Null);
    assert_eq!(alert["first_targets"], json!(["203.0.113.7:22/tcp"]));
    let query = r#"trafficmonitor_alert_value{kind="host_scan",rule="odd\"rule\\",source="10.0.0.3"}"#;
    assert_eq!(alert["promql"], json!(query));
    assert_eq!(answer["resolved_limit"], json!(1_000));
}

#[test]
fn ends_targets_and_local_processes_have_their_names_as_text() {
    let hostile = "<img src=x onerror=alert(1)>\"\n\u{202e}";
    let mut served = Served::default();
    let pair = Subject::Pair { source: ip("10.0.0.3"), destination: ip("203.0.113.7") };
    served.report.alerts.firing = vec![alert(Kind::HostScan, "10.0.0.3", Severity::Warning, 1)];
    served.report.alerts.firing.push(Alert { subject: pair, ..alert(Kind::Anomaly, "10.0.0.3", Severity::Info, 1) });
    let names =
        HostName { dns: Some(hostile.into()), country: Some("NL".into()), asn: Some(64_500), ..HostName::default() };
    served.name("203.0.113.7", names);
    let ends = (ip("10.0.0.3"), ip("203.0.113.7"), Protocol::TCP, 22);
    served.process(ends, LocalProcess { pid: 7, name: hostile.into(), container: Some("docker/0123".into()) });
    let answer = served.json(Resource::Alerts, "");
    let [scan, anomaly] = [&answer["active"][0], &answer["active"][1]];
    let names = json!({"dns": hostile, "dhcp": null, "vendor": null, "mac": null, "country": "NL", "asn": 64_500,
        "organisation": null});
    let process = json!([{"pid": 7, "name": hostile, "container": "docker/0123"}]);
    for (key, value) in [
        ("source_name", json!(null)),
        ("source_names", json!(null)),
        ("destination_name", json!(hostile)),
        ("destination_names", names.clone()),
        ("processes", process.clone()),
    ] {
        assert_eq!(anomaly[key], value, "{key}");
    }
    for (filter, count) in [("onerror", 2), ("\"docker/0123\"", 2), ("-\"docker/0123\"", 0)] {
        assert_eq!(sources(&served, &format!("filter={filter}")).len(), count, "{filter}");
    }
    assert_eq!(scan["destination_names"], Value::Null);
    assert_eq!(scan["processes"], process);
    let target = json!({"target": "203.0.113.7:22/tcp", "address": "203.0.113.7", "service": "ssh", "name": hostile,
        "names": names});
    assert_eq!(scan["targets"], json!([target]));
    assert_eq!(scan["promql"], r#"trafficmonitor_alert_value{kind="host_scan",rule="host_scan",source="10.0.0.3"}"#);
}

#[test]
fn evidence_is_linked_once_there_is_a_file_of_the_episode() {
    let served = served();
    let alert = &served.report.alerts.firing[2];
    let file = crate::alert::EvidenceFile {
        starts_at: alert.starts_at,
        path: "x.pcapng".into(),
        is_finished: true,
        sha256: String::new(),
        packets: 1,
        is_complete: true,
    };
    served.evidence.note(alert.fingerprint, file);
    let answer = served.json(Resource::Alerts, "limit=1");
    assert_eq!(answer["active"][0]["evidence_url"], json!(format!("/alerts/{}/evidence", alert.fingerprint)));
}

#[test]
fn hosts_and_nodes_count_the_alerts_about_them() {
    let mut office = office();
    office.report.alerts.firing = vec![alert(Kind::HostScan, "10.0.0.5", Severity::Info, 1)];
    let row = &office.json(Resource::Hosts, "range=all&filter=10.0.0.5")["rows"][0];
    assert_eq!([&row["address"], &row["alerts"]], [&json!("10.0.0.5"), &json!(1)]);
    let nodes = office.json(Resource::Graph, "range=all&min_bytes=0")["nodes"].clone();
    let alerts: Vec<u64> = nodes.as_array().unwrap().iter().map(|node| node["alerts"].as_u64().unwrap()).collect();
    assert_eq!(alerts.iter().sum::<u64>(), 1);
}
