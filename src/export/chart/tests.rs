use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::*;
use crate::detect::Figures;
use crate::export::tests::{firing, host};

fn alert(kind: Kind, subject: Subject, bytes: u64) -> Alert {
    firing(kind, subject, Figures { bytes, ..Figures::default() })
}

fn talker(source: u8, destinations: &[(u8, u64)]) -> Talker {
    Talker {
        source: host(source),
        total_bytes: destinations.iter().map(|(_, bytes)| bytes).sum(),
        destinations: destinations.iter().map(|&(destination, bytes)| (host(destination), bytes)).collect(),
    }
}

fn report(alerts: Vec<Alert>, chart: Vec<Talker>) -> Report {
    let mut report = Report::default();
    report.alerts.firing = alerts;
    report.detection.chart = chart;
    report
}

fn written(report: &Report, listed: Listed) -> Value {
    let mut out = Vec::new();
    write(report, listed, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn types(report: &Report) -> Vec<(String, String)> {
    let events = written(report, Listed::Active { explains: false });
    let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    events.as_array().unwrap().iter().map(|event| (text(event, "SourceIP"), text(event, "EventType"))).collect()
}

#[test]
fn list_without_sources_is_an_empty_array() {
    for listed in [Listed::Active { explains: false }, Listed::AtLeast(0)] {
        assert_eq!(written(&Report::default(), listed), json!([]));
    }
}

#[test]
fn a_source_is_written_in_the_words_of_trafficalerted() {
    let alerts = vec![alert(Kind::Bandwidth, Subject::Source(host(1)), 700)];
    let report = report(alerts, vec![talker(1, &[(3, 500), (2, 200)]), talker(9, &[(1, 5)])]);
    let event = json!({
        "EventType": "TRAFFIC",
        "SourceIP": "192.0.2.1",
        "DestinationIP": [{"IP": "192.0.2.3", "Bytes": 500}, {"IP": "192.0.2.2", "Bytes": 200}],
        "TotalBytes": 700,
    });
    assert_eq!(written(&report, Listed::Active { explains: false }), json!([event]));
    let other = json!({
        "EventType": "",
        "SourceIP": "192.0.2.9",
        "DestinationIP": [{"IP": "192.0.2.1", "Bytes": 5}],
        "TotalBytes": 5,
    });
    assert_eq!(written(&report, Listed::AtLeast(5)), json!([event, other]));
    assert_eq!(written(&report, Listed::AtLeast(6)), json!([event]));
}

#[test]
fn alerts_of_a_source_are_explained_if_that_is_asked_for() {
    let report = Report {
        alerts: crate::alert::AlertView {
            firing: vec![alert(Kind::Bandwidth, Subject::Source(host(1)), 100)],
            ..Default::default()
        },
        ..Report::default()
    };
    let explanations = |explains| written(&report, Listed::Active { explains })[0]["Explanations"].clone();
    assert_eq!(explanations(false), Value::Null);
    let sentences = explanations(true);
    assert!(sentences[0].as_str().unwrap().starts_with("192.0.2.1 sent 100 B "), "{sentences}");
}

#[test]
fn the_event_type_says_all_that_a_source_does_and_trafficalerted_knows() {
    let source = |number| Subject::Source(host(number));
    let pair = |number| Subject::Pair { source: host(number), destination: host(200) };
    let alerts = vec![
        alert(Kind::Bandwidth, source(1), 100),
        alert(Kind::HostScan, source(2), 90),
        alert(Kind::PortScan, source(3), 80),
        alert(Kind::PortScan, source(4), 70),
        alert(Kind::Bandwidth, source(4), 70),
        alert(Kind::Anomaly, pair(5), 60),
        alert(Kind::Anomaly, pair(1), 10),
        // Alerts that have no source.
        alert(Kind::Bandwidth, Subject::Destination(host(7)), 50),
        alert(Kind::Bandwidth, Subject::Network("192.0.2.0/24".parse().unwrap()), 50),
    ];
    let expected = [(1, "TRAFFIC"), (2, "SCANNING"), (3, "SCANNING"), (4, "TRAFFIC+SCANNING"), (5, "ANOMALY")];
    let expected = expected.map(|(number, event)| (host(number).to_string(), event.to_owned()));
    assert_eq!(types(&report(alerts, Vec::new())), expected);
}

#[test]
fn a_source_that_is_not_charted_has_the_bytes_of_its_alert() {
    let report = report(vec![alert(Kind::HostScan, Subject::Source(host(1)), 44)], Vec::new());
    let events = written(&report, Listed::Active { explains: false });
    assert_eq!((&events[0]["TotalBytes"], &events[0]["DestinationIP"]), (&json!(44), &json!([])));
}

#[test]
fn very_many_sources_are_all_listed_and_the_heaviest_in_detail() {
    let many = MAXIMUM_DETAILED as u32 + 10;
    let talker = |number: u32| Talker {
        source: Ipv4Addr::from_bits(0x0a00_0000 + number).into(),
        total_bytes: u64::from(number),
        destinations: vec![(host(1), u64::from(number))],
    };
    let report = report(Vec::new(), (0..many).map(talker).collect());
    let events = written(&report, Listed::AtLeast(0));
    let destinations: Vec<usize> =
        events.as_array().unwrap().iter().map(|event| event["DestinationIP"].as_array().unwrap().len()).collect();
    assert_eq!(destinations.len(), many as usize);
    assert_eq!(destinations.iter().position(|&listed| listed == 0), Some(MAXIMUM_DETAILED));
    assert_eq!(events[0]["TotalBytes"], json!(many - 1));
}

#[test]
fn the_settings_are_those_of_trafficalerted_and_nothing_else() {
    let bandwidth = bandwidth::Config { limit_bytes: 5_000_000_000_000, ..Default::default() };
    let scan = scan::Config { port_interval: Duration::from_millis(2_500), ..Default::default() };
    let capabilities = Capabilities::of(&bandwidth, &scan, &["lo".to_owned()]);
    let mut out = Vec::new();
    capabilities.write(&mut out).unwrap();
    let expected = json!({
        "TrafficInterval": 170,
        "ByteLimit": 5_000_000_000_000_u64,
        "NoDestinations": false,
        "ChartMinBytes": 5_000_000,
        "ExcludedInterfaces": ["lo"],
        "ContactedIPsAnalyze": true,
        "NumberContactedIPs": 15,
        "AnalyzePorts": true,
        "NumContactedPorts": 100,
        "PortInterval": 2.5,
    });
    assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected);
}
