//! Tests of alerts in a log.

use super::{analyzed, threats, write};
use crate::events::log::EventFormat;

#[test]
fn alerts_are_counted_by_kind_and_no_traffic() {
    let line = |state: &str| {
        format!(
            r#"{{"event":"alert","ts":"2023-11-14T22:13:32Z","src":"203.0.113.5","bytes":9000,"kind":"host_scan","state":"{state}"}}"#
        )
    };
    let log = [line("firing"), line("resolved"), line("firing")].join("\n");
    let (report, broken) = analyzed(None, log.as_bytes());
    assert_eq!(broken, []);
    assert_eq!(report["alerts"], serde_json::json!([{"kind": "host_scan", "fired": 2, "resolved": 1}]));
    assert_eq!((&report["totals"]["bytes"], &report["totals"]["violations"]), (&0.into(), &0.into()));
    assert_eq!((&report["sources"][0]["alerts"], &report["sources"][0]["packets"]), (&2.into(), &0.into()));
}

/// A line of an alert with these fields.
fn alert_line(kind: &str, subject: &str, start: u32, end: Option<u32>, figures: &str) -> String {
    let at = |second: u32| 1_700_000_000 + second;
    let state = if end.is_some() { "resolved" } else { "firing" };
    format!(
        "{{\"event\":\"alert\",\"ts\":{},\"first\":{},\"last\":{},{subject},\"kind\":\"{kind}\",\"state\":\"{state}\",{figures},\"starts_at\":{}}}\n",
        at(end.map_or(start, |end| end + 100)),
        at(start),
        at(end.unwrap_or(start)),
        at(start),
    )
}

/// The start and the end of an episode.
fn episode(kind: &str, subject: &str, [start, end]: [u32; 2], figures: &str) -> String {
    alert_line(kind, subject, start, None, figures) + &alert_line(kind, subject, start, Some(end), figures)
}

/// Figures of a scan: the value, the limit of 15 and the peak.
const OF_15: &str = r#""value":16,"limit":15,"window_seconds":170,"peak":250"#;

/// Figures of an alert about traffic in a minute.
fn in_a_minute(value: f64, limit: f64, peak: f64) -> String {
    format!(r#""value":{value},"limit":{limit},"window_seconds":60,"peak":{peak}"#)
}

/// A source with its first and last targets.
fn scanner(source: &str, first: &str, last: &str) -> String {
    format!(r#""src":"{source}","first_target":"{first}/tcp","last_target":"{last}/tcp""#)
}

/// Episodes of alerts of each kind.
fn episodes() -> String {
    let one = |kind, subject: &str, figures: &str| episode(kind, subject, [0, 50], figures);
    let visit = |visit: u32| {
        episode("policy", r#""src":"203.0.113.7""#, [visit * 1_000, visit * 1_000 + 500], &in_a_minute(1.0, 0.0, 1.0))
    };
    [
        one("host_scan", &scanner("203.0.113.1", "10.0.0.1:23", "10.0.0.250:23"), OF_15),
        one("host_scan", &scanner("203.0.113.2", "10.0.0.1:23", "10.0.0.250:80"), OF_15),
        one("port_scan", &scanner("203.0.113.3", "10.0.0.1:1", "10.0.0.1:250"), OF_15),
        one("group_scan", r#""network":"198.51.100.0/24""#, OF_15),
        one("bandwidth", r#""src":"203.0.113.4""#, &in_a_minute(10.0, 1_000.0, 5_000.0)),
        one("bandwidth", r#""dst":"10.0.0.4""#, &in_a_minute(10.0, 1_000.0, 5_000.0)),
        one("policy", r#""src":"203.0.113.5""#, &in_a_minute(1.0, 0.0, 120_000.0)),
        one("policy", r#""src":"203.0.113.6""#, &in_a_minute(1.0, 0.0, 59_999.0)),
        (0..3).map(visit).collect(),
        one("anomaly", r#""src":"203.0.113.8","dst":"10.0.0.8""#, &in_a_minute(0.9, 0.5, 0.95)),
        one("of_a_later_version", r#""src":"203.0.113.9""#, OF_15),
    ]
    .concat()
}

#[test]
fn alerts_are_evidence_of_each_threat() {
    let (report, broken) = analyzed(None, episodes().as_bytes());
    assert_eq!(broken, []);
    assert_eq!(
        threats(&report),
        [
            ("host_scan", "203.0.113.2", 250.0),
            ("port_scan", "203.0.113.3", 250.0),
            ("group_scan", "198.51.100.0/24", 250.0),
            ("single_port_sweep", "203.0.113.1", 250.0),
            ("flood", "203.0.113.4", 5_000.0),
            ("flood", "203.0.113.5", 2_000.0),
            ("flooded_target", "10.0.0.4", 5_000.0),
            ("repeat_offender", "203.0.113.7", 3.0),
            ("anomaly", "203.0.113.8", 0.95),
        ]
    );
    for threat in report["threats"].as_array().unwrap() {
        assert_eq!(threat["basis"], "alerts", "{threat}");
        let episodes = if threat["kind"] == "repeat_offender" { 3 } else { 1 };
        let counts = ["episodes", "resolved"].map(|count| &threat["alerts"][0][count]);
        assert_eq!(counts, [episodes, episodes], "{threat}");
    }
}

#[test]
fn episodes_of_alerts_count_for_their_sources() {
    let (report, _) = analyzed(None, episodes().as_bytes());
    let sources = report["sources"].as_array().unwrap();
    let alerts = |address| &sources.iter().find(|source| source["address"] == address).unwrap()["alerts"];
    assert_eq!(["203.0.113.1", "203.0.113.7"].map(alerts), [1, 3]);
}

#[test]
fn end_of_an_alert_without_its_start_counts() {
    let log = alert_line("port_scan", r#""src":"203.0.113.3""#, 0, Some(50), OF_15);
    let (report, _) = analyzed(None, log.as_bytes());
    assert_eq!(threats(&report), [("port_scan", "203.0.113.3", 250.0)]);
    assert_eq!(report["threats"][0]["alerts"][0]["episodes"], 1);
    assert_eq!(report["sources"][0]["alerts"], 1);
}

#[test]
fn events_and_alerts_of_one_source_are_one_threat() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    write(EventFormat::JsonLines, &path);
    let figures = |peak: u32| format!(r#""value":16,"limit":15,"window_seconds":170,"peak":{peak}"#);
    let alerts = |peak| {
        let subject = r#""src":"203.0.113.1","first_target":"10.0.0.1:23/tcp","last_target":"10.0.0.9:23/tcp""#;
        episode("host_scan", subject, [1, 30], &figures(peak))
    };
    for (peak, value) in [(200, 200.0), (20, 30.0)] {
        let log = std::fs::read_to_string(&path).unwrap() + &alerts(peak);
        let (report, _) = analyzed(None, log.as_bytes());
        let of_sweeper: Vec<_> = threats(&report).into_iter().filter(|threat| threat.1 == "203.0.113.1").collect();
        assert_eq!(of_sweeper, [("single_port_sweep", "203.0.113.1", value)]);
        assert_eq!(
            (&report["threats"][1]["basis"], &report["threats"][1]["evidence"]["peers"]),
            (&"both".into(), &30.into())
        );
    }
}
