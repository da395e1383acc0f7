//! Tests of the analysis on logs that the event log writes, and on logs of other programs.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;
use crate::events::console::Style;
use crate::events::documented::documented_names;
use crate::events::log::{Config, ConsoleEvents, EventFormat, EventLog, SendingPace};
use crate::packet::{Addresses, TcpFlags, Timestamp};
use crate::policy::{Action, Violation, ViolationSink as _};

fn violation(second: u32, source: [u8; 4], destination: [u8; 4], port: u16, packets: u64) -> Violation {
    let time = Timestamp::from_nanoseconds((1_700_000_000 + i64::from(second)) * 1_000_000_000);
    Violation {
        first: time,
        last: time,
        interface: "eth0".into(),
        addresses: Addresses::V4 { source: source.into(), destination: destination.into() },
        protocol: Protocol::TCP,
        source_port: 40_000,
        destination_port: port,
        tcp_flags: TcpFlags::SYN,
        packets,
        bytes: packets * 60,
        action: if port == 23 { Action::Dropped } else { Action::Logged },
        suppressed: u64::from(port == 22),
    }
}

const SWEEPER: [u8; 4] = [203, 0, 113, 1];
const SCANNER: [u8; 4] = [203, 0, 113, 2];
const FLOODER: [u8; 4] = [203, 0, 113, 3];
const REGULAR: [u8; 4] = [203, 0, 113, 4];

/// One source of each threat.
fn violations() -> Vec<Violation> {
    let sweep = (1..=30).map(|host| violation(u32::from(host), SWEEPER, [10, 0, 0, host], 23, 1));
    let scan = (1..=40).map(|port| violation(100 + u32::from(port), SCANNER, [10, 0, 0, 1], port, 1));
    let flood = (0..5).map(|_| violation(200, FLOODER, [10, 0, 0, 9], 80, 500));
    let visits = (0..4).map(|visit| violation(visit * 1_000, REGULAR, [10, 0, 0, 1], 443, 1));
    sweep.chain(scan).chain(flood).chain(visits).collect()
}

fn write(format: EventFormat, path: &Path) {
    let config = Config { format, file: Some(path.to_owned()), ..Config::default() };
    let log = EventLog::start(config, Style::default(), ConsoleEvents::Violations(Box::new(|_| true))).unwrap();
    let mut events = log.sender(SendingPace::File);
    violations().iter().for_each(|violation| events.report(violation));
    assert_eq!(log.finish(Instant::now() + Duration::from_secs(60)), 0);
}

/// The report as JSON, and the broken lines.
fn analyzed(format: Option<LogFormat>, log: &[u8]) -> (Value, Vec<BrokenLine>) {
    let (mut analysis, mut broken) = (Analysis::default(), Vec::new());
    analysis.read("log", format, log, |line| broken.push(line)).unwrap();
    (serde_json::to_value(analysis.report(20)).unwrap(), broken)
}

#[test]
fn logs_of_all_formats_give_equal_reports() {
    let folder = tempfile::tempdir().unwrap();
    let reports = [(EventFormat::Json, "json"), (EventFormat::JsonLines, "jsonl"), (EventFormat::Csv, "csv")].map(
        |(format, word)| {
            let path = folder.path().join(word);
            write(format, &path);
            let (mut report, broken) = analyzed(None, &std::fs::read(&path).unwrap());
            assert_eq!(broken, []);
            assert_eq!(report["logs"][0]["format"], word);
            // Their lines differ: a header, brackets.
            report["logs"] = Value::Null;
            for threat in report["threats"].as_array_mut().unwrap() {
                threat["evidence"]["first_line"] = Value::Null;
                threat["evidence"]["last_line"] = Value::Null;
            }
            report
        },
    );
    assert_eq!(reports[0], reports[1]);
    assert_eq!(reports[1], reports[2]);
}

#[test]
fn totals_and_lists_are_exact() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    write(EventFormat::JsonLines, &path);
    let (report, _) = analyzed(None, &std::fs::read(&path).unwrap());
    let totals = &report["totals"];
    assert_eq!([&totals["events"], &totals["violations"], &totals["alerts"]], [79, 79, 0]);
    // 30 of the sweep to port 23 and one of the scan are dropped; one of the scan is to port 22.
    assert_eq!([&totals["packets"], &totals["dropped_packets"], &totals["suppressed_packets"]], [2_574, 31, 1]);
    assert_eq!([&totals["sources"], &totals["targets"]], [4, 30]);
    assert_eq!(report["span"]["seconds"], 3_000.0);
    assert_eq!(report["sources"][0]["address"], "203.0.113.3");
    assert_eq!(report["targets"][0]["address"], "10.0.0.9");
    assert_eq!((&report["ports"][0]["port"], &report["ports"][0]["service"]), (&80.into(), &"http".into()));
    assert_eq!(
        (&report["protocols"][0]["protocol"], &report["protocols"][0]["packets"]),
        (&"tcp".into(), &2_574.into())
    );
    let periods = report["rate"]["periods"].as_array().unwrap();
    assert_eq!(periods.iter().map(|period| period["events"].as_u64().unwrap()).sum::<u64>(), 79);
    assert_eq!(report["errors"]["sources"], 0);
}

#[test]
fn each_threat_is_found_with_its_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    write(EventFormat::JsonLines, &path);
    let (report, _) = analyzed(None, &std::fs::read(&path).unwrap());
    let threats: Vec<(&str, &str, u64)> = report["threats"]
        .as_array()
        .unwrap()
        .iter()
        .map(|threat| {
            (threat["kind"].as_str().unwrap(), threat["address"].as_str().unwrap(), threat["value"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(
        threats,
        [
            ("port_scan", "203.0.113.2", 40),
            ("single_port_sweep", "203.0.113.1", 30),
            ("flood", "203.0.113.3", 2_500),
            ("flooded_target", "10.0.0.9", 2_500),
            ("repeat_offender", "203.0.113.4", 4),
        ]
    );
    let sweep = &report["threats"][1]["evidence"];
    assert_eq!(
        (&sweep["port"], &sweep["events"], &sweep["first_line"]["line"]),
        (&"23/tcp".into(), &30.into(), &1.into())
    );
    assert_eq!(sweep["last_line"]["line"], 30);
    let flood = &report["threats"][2]["evidence"];
    assert_eq!(flood["peak_at"], "2023-11-14T22:16:40.000000000Z");
}

#[test]
fn text_names_every_threat() {
    let mut analysis = Analysis::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    write(EventFormat::Csv, &path);
    analysis.read("a\u{202e}b", None, &*std::fs::read(&path).unwrap(), |_| panic!("a broken line")).unwrap();
    let text = analysis.report(20).to_string();
    for words in [
        "79 violations: 2574 packets",
        "contacted 30 targets on port 23/tcp",
        "contacted 40 ports of 1 targets",
        "up to 2500 packets per second, at 2023-11-14T22:16:40",
        "returned after pauses: 4 periods of activity",
        "a\\u{202e}b line",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn broken_lines_are_reported_with_their_numbers_and_skipped() {
    let good = r#"{"ts":"2023-11-14T22:13:32Z","src":"203.0.113.5"}"#;
    let log = format!(
        "{good}\n{{\"ts\":\"torn\n\n{good}\nnonsense\n{{\"ts\":1,\"src\":\"x\"}}\n{{\"src\":\"203.0.113.5\"}}\n{good}"
    );
    let (report, broken) = analyzed(None, log.as_bytes());
    assert_eq!(report["totals"]["events"], 3);
    let numbers: Vec<u64> = broken.iter().map(|line| line.number).collect();
    assert_eq!(numbers, [2, 5, 6, 7]);
    assert_eq!((broken[2].reason.as_str(), broken[3].reason.as_str()), ("no source address", "no time"));
    assert_eq!(report["logs"][0]["broken_lines"], 4);
}

#[test]
fn long_line_is_skipped() {
    let good = r#"{"ts":"2023-11-14T22:13:32Z","src":"203.0.113.5"}"#;
    let log = format!("{good}\n{{\"x\":\"{}\"}}\n{good}\n", "y".repeat(3 << 20));
    let (report, broken) = analyzed(None, log.as_bytes());
    assert_eq!(report["totals"]["events"], 2);
    assert_eq!(broken, [BrokenLine { number: 2, reason: "longer than 1 MiB".to_owned() }]);
}

#[test]
fn array_in_one_long_line_is_streamed() {
    let event = r#"{"timestamp":"2023-11-14T22:13:32Z","source_ip":"203.0.113.5","note":"}{"}"#;
    let log = format!("[{}]", vec![event; 60_000].join(","));
    assert!(log.len() > 3 << 20);
    let (report, broken) = analyzed(None, log.as_bytes());
    assert_eq!((&report["totals"]["events"], broken), (&60_000.into(), Vec::new()));
}

#[test]
fn compressed_logs_are_read() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    write(EventFormat::JsonLines, &path);
    let plain = std::fs::read(&path).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&plain).unwrap();
    let compressed = encoder.finish().unwrap();
    assert_eq!(analyzed(None, &compressed).0, analyzed(None, &plain).0);
    let mut analysis = Analysis::default();
    let cut = analysis.read("log", None, &compressed[..compressed.len() / 2], |_| {}).unwrap_err();
    assert!(cut.to_string().contains("ends early"), "{cut}");
    assert!(analysis.has_events(), "the part before the cut counts");
}

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

/// Lines of violations: the second, the source, the target, the suppressed packets.
fn suppressing(lines: &[(u32, &str, &str, u64)]) -> String {
    let line = |(second, source, target, suppressed): &(u32, &str, &str, u64)| {
        format!(
            r#"{{"event":"violation","ts":{},"src":"{source}","dst":"{target}","packets":1,"suppressed":{suppressed}}}"#,
            1_700_000_000 + second
        )
    };
    lines.iter().map(|fields| line(fields) + "\n").collect()
}

/// The kinds, addresses and values of threats.
fn threats(report: &Value) -> Vec<(&str, &str, f64)> {
    fn text(value: &Value) -> &str {
        value.as_str().unwrap()
    }
    let threats = report["threats"].as_array().unwrap().iter();
    threats.map(|threat| (text(&threat["kind"]), text(&threat["address"]), threat["value"].as_f64().unwrap())).collect()
}

#[test]
fn suppressed_packets_of_a_quiet_hour_are_no_flood() {
    let (source, target) = ("203.0.113.5", "10.0.0.1");
    let quiet = suppressing(&[(0, source, target, 0), (3_600, source, target, 7_200)]);
    let (report, _) = analyzed(None, quiet.as_bytes());
    assert_eq!(threats(&report), []);
    assert_eq!(report["sources"][0]["suppressed_packets"], 7_200);
    let fast = suppressing(&[(0, source, target, 0), (1, source, target, 900), (2, source, target, 3_000)]);
    let (report, _) = analyzed(None, fast.as_bytes());
    assert_eq!(threats(&report), [("flood", source, 3_001.0), ("flooded_target", target, 3_001.0)]);
    let evidence = &report["threats"][0]["evidence"];
    assert_eq!(
        (&evidence["peak_suppressed_per_second"], &evidence["peak_at"]),
        (&3_000.into(), &"2023-11-14T22:13:21.000000000Z".into())
    );
}

#[test]
fn suppressed_packets_count_for_a_target_between_two_events_to_it() {
    let source = "203.0.113.5";
    let log =
        suppressing(&[(0, source, "10.0.0.1", 0), (1, source, "10.0.0.2", 2_000), (2, source, "10.0.0.2", 3_000)]);
    let (report, _) = analyzed(None, log.as_bytes());
    assert_eq!(threats(&report), [("flood", source, 3_001.0), ("flooded_target", "10.0.0.2", 3_001.0)]);
    assert_eq!(report["totals"]["suppressed_packets"], 5_000);
    let of_targets: Vec<(&str, u64)> = report["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| (target["address"].as_str().unwrap(), target["suppressed_packets"].as_u64().unwrap()))
        .collect();
    assert_eq!(of_targets, [("10.0.0.2", 3_000), ("10.0.0.1", 0)]);
}

#[test]
fn line_of_suppressed_packets_alone_counts_no_other_packet() {
    let log = concat!(
        r#"{"event":"suppressed","ts":1700000000,"src":"203.0.113.5","packets":0,"suppressed":40}"#,
        "\n",
        r#"{"event":"suppressed","ts":1700000001,"suppressed":7}"#,
        "\n",
        r#"{"event":"suppressed","ts":1700000001}"#,
    );
    let (report, broken) = analyzed(None, log.as_bytes());
    assert_eq!(broken, [BrokenLine { number: 3, reason: "no source address".to_owned() }]);
    assert_eq!((&report["totals"]["packets"], &report["totals"]["suppressed_packets"]), (&0.into(), &47.into()));
    assert_eq!((&report["totals"]["violations"], &report["totals"]["suppressed_lines"]), (&0.into(), &2.into()));
    assert_eq!((&report["totals"]["sources"], &report["sources"][0]["suppressed_packets"]), (&1.into(), &40.into()));
    let periods = report["rate"]["periods"].as_array().unwrap();
    assert_eq!(periods.iter().map(|period| period["suppressed_packets"].as_u64().unwrap()).sum::<u64>(), 47);
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

#[test]
fn alerts_are_evidence_of_each_threat() {
    const OF_15: &str = r#""value":16,"limit":15,"window_seconds":170,"peak":250"#;
    let log = [
        episode(
            "host_scan",
            r#""src":"203.0.113.1","first_target":"10.0.0.1:23/tcp","last_target":"10.0.0.250:23/tcp""#,
            [0, 50],
            OF_15,
        ),
        episode(
            "host_scan",
            r#""src":"203.0.113.2","first_target":"10.0.0.1:23/tcp","last_target":"10.0.0.250:80/tcp""#,
            [0, 50],
            OF_15,
        ),
        episode(
            "port_scan",
            r#""src":"203.0.113.3","first_target":"10.0.0.1:1/tcp","last_target":"10.0.0.1:250/tcp""#,
            [0, 50],
            OF_15,
        ),
        episode("group_scan", r#""network":"198.51.100.0/24""#, [0, 50], OF_15),
        episode(
            "bandwidth",
            r#""src":"203.0.113.4""#,
            [0, 50],
            r#""value":10,"limit":1000,"window_seconds":60,"peak":5000"#,
        ),
        episode(
            "bandwidth",
            r#""dst":"10.0.0.4""#,
            [0, 50],
            r#""value":10,"limit":1000,"window_seconds":60,"peak":5000"#,
        ),
        episode(
            "policy",
            r#""src":"203.0.113.5""#,
            [0, 50],
            r#""value":1,"limit":0,"window_seconds":60,"peak":120000"#,
        ),
        episode("policy", r#""src":"203.0.113.6""#, [0, 50], r#""value":1,"limit":0,"window_seconds":60,"peak":59999"#),
        (0..3)
            .map(|visit| {
                episode(
                    "policy",
                    r#""src":"203.0.113.7""#,
                    [visit * 1_000, visit * 1_000 + 500],
                    r#""value":1,"peak":1,"limit":0,"window_seconds":60"#,
                )
            })
            .collect(),
        episode(
            "anomaly",
            r#""src":"203.0.113.8","dst":"10.0.0.8""#,
            [0, 50],
            r#""value":0.9,"limit":0.5,"window_seconds":60,"peak":0.95"#,
        ),
        episode("of_a_later_version", r#""src":"203.0.113.9""#, [0, 50], OF_15),
    ]
    .concat();
    let (report, broken) = analyzed(None, log.as_bytes());
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
        assert_eq!(
            (&threat["alerts"][0]["episodes"], &threat["alerts"][0]["resolved"]),
            (&episodes.into(), &episodes.into())
        );
    }
    let alerts = |address: &str| {
        report["sources"].as_array().unwrap().iter().find(|source| source["address"] == address).unwrap()["alerts"]
            .clone()
    };
    assert_eq!((alerts("203.0.113.1"), alerts("203.0.113.7")), (1.into(), 3.into()));
}

#[test]
fn end_of_an_alert_without_its_start_counts() {
    let figures = r#""value":16,"limit":15,"window_seconds":170,"peak":250"#;
    let log = alert_line("port_scan", r#""src":"203.0.113.3""#, 0, Some(50), figures);
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
        let log = fs_text(&path) + &alerts(peak);
        let (report, _) = analyzed(None, log.as_bytes());
        let of_sweeper: Vec<_> = threats(&report).into_iter().filter(|threat| threat.1 == "203.0.113.1").collect();
        assert_eq!(of_sweeper, [("single_port_sweep", "203.0.113.1", value)]);
        assert_eq!(
            (&report["threats"][1]["basis"], &report["threats"][1]["evidence"]["peers"]),
            (&"both".into(), &30.into())
        );
    }
}

fn fs_text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn empty_log_has_an_empty_report() {
    let (report, broken) = analyzed(None, b"");
    assert_eq!((&report["totals"]["events"], &report["span"], broken), (&0.into(), &Value::Null, Vec::new()));
}

proptest::proptest! {
    /// Also with pieces of good lines, so that parsers get beyond the first byte.
    #[test]
    fn no_bytes_stop_the_analysis(pieces in proptest::collection::vec((proptest::prelude::any::<Vec<u8>>(), 0..6_usize), 0..20)) {
        let good: [&[u8]; 6] = [
            b"", b"[", b"\n", b",\n", b"{\"ts\":1,\"src\":\"203.0.113.5\",\"dst_port\":1}", b"violation,2023-11-14T22:13:32Z,,,,203.0.113.5",
        ];
        let log: Vec<u8> = pieces.iter().flat_map(|(bytes, at)| [bytes, good[*at]].concat()).collect();
        for format in [None, Some(LogFormat::Json), Some(LogFormat::JsonLines), Some(LogFormat::Csv)] {
            let mut analysis = Analysis::default();
            let mut broken = 0;
            // Bytes that look compressed end with an error.
            let is_read = analysis.read("log", format, &*log, |_| broken += 1).is_ok();
            let report = analysis.report(5);
            proptest::prop_assert!(!is_read || report.totals.broken_lines == broken);
            proptest::prop_assert_eq!(report.totals.events, report.logs.iter().map(|log| log.events).sum::<u64>());
            proptest::prop_assert!(report.to_string().contains("violations"));
        }
    }
}

/// The keys of the report, with those of the entries of lists.
fn keys(prefix: &str, value: &Value, found: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            let path = format!("{prefix}/{name}");
            if !value.is_object() && !value.is_array() {
                found.insert(path.clone());
            }
            keys(&path, value, found);
        }),
        Value::Array(values) => values.iter().for_each(|value| keys(&format!("{prefix}/*"), value, found)),
        _ => {}
    }
}

#[test]
fn report_has_the_documented_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    write(EventFormat::JsonLines, &path);
    let alert = r#"{"ts":1,"src":"203.0.113.5","kind":"host_scan","state":"firing","peak":0.5}"#;
    let log = [&*std::fs::read(&path).unwrap(), alert.as_bytes()].concat();
    let (report, _) = analyzed(None, &log);
    let mut found = std::collections::BTreeSet::new();
    keys("", &report, &mut found);
    let documented = documented_names("| key of the report |").into_iter().collect();
    assert_eq!(found, documented);
}
