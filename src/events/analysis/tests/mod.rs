//! Tests of the analysis on logs that the event log writes, and on logs of other programs.

mod alerts;
mod suppressed;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;
use crate::events::console::Style;
use crate::events::documented::documented_names;
use crate::events::log::{Config, EventFormat, EventLog, EventSender, SendingPace};
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

/// Writes a log of [`violations`].
fn write(format: EventFormat, path: &Path) {
    write_by(format, path, |events| violations().iter().for_each(|violation| events.report(violation)));
}

/// Writes a log of the events that `report` reports.
fn write_by(format: EventFormat, path: &Path, report: impl FnOnce(&mut EventSender)) {
    let config = Config { format, file: Some(path.to_owned()), ..Config::default() };
    let log = EventLog::start(config, Style::default(), Box::new(|_, _| true), None).unwrap();
    report(&mut log.sender(SendingPace::File));
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
    // 30 of the sweep to port 23 and one of the scan are dropped; one of the scan is to port 22, and has one before it.
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
        "contacted 40 ports of 1 target (by events)",
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
    assert_eq!(
        (broken[2].reason.as_str(), broken[3].reason.as_str()),
        ("no source address that can be read", "no time that can be read")
    );
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

/// The kinds, addresses and values of threats.
fn threats(report: &Value) -> Vec<(&str, &str, f64)> {
    fn text(value: &Value) -> &str {
        value.as_str().unwrap()
    }
    let threats = report["threats"].as_array().unwrap().iter();
    threats.map(|threat| (text(&threat["kind"]), text(&threat["address"]), threat["value"].as_f64().unwrap())).collect()
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
            let said = if analysis.has_events() { " violation" } else { "no events\n" };
            proptest::prop_assert!(report.to_string().contains(said));
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

#[test]
fn log_without_events_is_no_fault_and_says_so() {
    for log in ["", "[]\n", "[\n]", "\n\n", "event,ts,src\n"] {
        let mut analysis = Analysis::default();
        analysis.read("log", None, log.as_bytes(), |line| panic!("{log:?}: {line:?}")).unwrap();
        assert!(!analysis.has_events() && !analysis.has_broken_lines(), "{log:?}");
        let text = analysis.report(20).to_string();
        assert!(text.ends_with("0 events, 0 broken lines\nno events\n"), "{text}");
        assert_eq!(text.starts_with("log (empty): "), log.trim().is_empty(), "{text}");
    }
}

#[test]
fn byte_order_mark_does_not_hide_the_format() {
    let line = r#"{"timestamp":"2023-11-14T22:13:32Z","src_ip":"203.0.113.5"}"#;
    for (log, format) in [
        (format!("\u{feff}{line}\n"), "jsonl"),
        (format!("\u{feff}[\n{line}\n]\n"), "json"),
        ("\u{feff}src,ts\n203.0.113.5,1700000000\n".to_owned(), "csv"),
    ] {
        let (report, broken) = analyzed(None, log.as_bytes());
        assert_eq!(
            (&report["logs"][0]["format"], &report["totals"]["events"], broken),
            (&format.into(), &1.into(), vec![])
        );
    }
    let of_utf_16 = Analysis::default().read("log", None, &b"\xff\xfe{\0"[..], |_| {}).unwrap_err();
    assert!(of_utf_16.to_string().contains("UTF-16"), "{of_utf_16}");
}

#[test]
fn console_form_is_named_and_not_read_as_csv() {
    let log = "ts=2026-03-17T13:31:58.000000Z level=warn msg=\"packets from a source that is not permitted\"\n";
    for format in [None, Some(LogFormat::Csv)] {
        let mut analysis = Analysis::default();
        let fault = analysis.read("log", format, log.as_bytes(), |line| panic!("{line:?}")).unwrap_err();
        assert!(fault.to_string().starts_with("this is the console form, which analyze does not read"), "{fault}");
    }
}

#[test]
fn lists_show_the_packets_that_they_are_ordered_by() {
    let line = |source: &str, port: u16, packets: u32, suppressed: u32| {
        format!(
            r#"{{"event":"violation","ts":1700000000,"src":"{source}","dst":"10.0.0.1","dst_port":{port},"protocol":"tcp","packets":{packets},"bytes":1,"suppressed":{suppressed},"action":"dropped"}}"#
        ) + "\n"
    };
    let alert = r#"{"event":"alert","ts":1700000001,"src":"192.0.2.7","kind":"policy","state":"firing"}"#;
    let log = line("203.0.113.2", 80, 30, 0) + &line("203.0.113.1", 22, 1, 900_000) + alert;
    let mut analysis = Analysis::default();
    analysis.read("log", None, log.as_bytes(), |line| panic!("{line:?}")).unwrap();
    let text = analysis.report(20).to_string();
    let numbers = |start: &str| {
        let line =
            text.lines().find(|line| line.trim_start().starts_with(start)).unwrap_or_else(|| panic!("{start}: {text}"));
        line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect::<Vec<u64>>()
    };
    assert_eq!(numbers("203.0.113.1 "), [900_001, 900_000, 900_001, 1, 1, 1, 0]);
    assert_eq!(numbers("203.0.113.2 "), [30, 0, 30, 1, 1, 1, 0]);
    assert!(text.find("203.0.113.1 ") < text.find("203.0.113.2 "), "{text}");
    assert!(text.find("203.0.113.2 ") < text.find("192.0.2.7 "), "{text}");
    assert!(
        text.contains(
            "900031 packets not permitted: 900000 suppressed (without an event of their own), 900031 dropped\n"
        ),
        "{text}"
    );
    assert!(text.contains("\nTop ports (without suppressed packets, whose ports are unknown)\n"), "{text}");
    assert!(text.contains("            1 packet                1 byte\n"), "{text}");
    // The period of the alert alone has no bar.
    assert!(
        text.contains(&format!("2023-11-14T22:13:20Z          2       900031       900000 {}\n", "#".repeat(40))),
        "{text}"
    );
    assert!(text.contains("2023-11-14T22:13:21Z          1            0            0\n"), "{text}");
}

#[test]
fn many_alerts_do_not_move_a_source_above_more_packets() {
    let violation = |source: &str, packets: u32| {
        format!("{{\"event\":\"violation\",\"ts\":1700000000,\"src\":\"{source}\",\"packets\":{packets}}}\n")
    };
    let alert = |second: u32| {
        format!(
            "{{\"event\":\"alert\",\"ts\":{second},\"starts_at\":{second},\"src\":\"203.0.113.1\",\"kind\":\"policy\",\"state\":\"firing\"}}\n"
        )
    };
    let log = violation("203.0.113.1", 11) + &violation("203.0.113.2", 14) + &(1..=9).map(alert).collect::<String>();
    let (report, _) = analyzed(None, log.as_bytes());
    assert_eq!(report["sources"][0]["address"], "203.0.113.2");
    assert_eq!(report["sources"][1]["alerts"], 9);
}

#[test]
fn single_things_are_named_in_the_singular() {
    let line = r#"{"timestamp":"2023-11-14T22:13:32Z","src_ip":"203.0.113.5","dst_ip":"10.0.0.1","size":1}"#;
    let mut analysis = Analysis::default();
    analysis.read("log", None, format!("{line}\nx\n").as_bytes(), |_| {}).unwrap();
    let text = analysis.report(20).to_string();
    for expected in [
        "log (jsonl): 2 lines, 1 event, 1 broken line\n",
        "1 violation: 1 packet, 1 byte\n1 packet not permitted: 0 suppressed (without an event of their own), 0 dropped\n1 source, 1 target\n",
        "1 target, 0 ports, 0 alerts\n",
        "  from                     events      packets   suppressed\n  2023-11-14T22:13:32Z          1            1            0 #",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

/// One line of each of 100,000 sources to one target.
#[test]
fn more_sources_than_the_table_has_are_estimated() {
    use std::fmt::Write as _;
    let mut log = String::from("ts,event,src,dst,protocol,packets\n");
    for number in 0..100_000_u32 {
        let source = std::net::Ipv4Addr::from_bits(0x0b00_0000 + number);
        writeln!(log, "2026-01-01T00:00:00Z,violation,{source},10.0.0.1,tcp,1").unwrap();
    }
    let (report, broken) = analyzed(None, log.as_bytes());
    assert_eq!(broken, []);
    let sources = report["totals"]["sources"].as_u64().unwrap();
    assert!((95_000..105_000).contains(&sources), "{sources}");
    assert_eq!(report["totals"]["targets"], 1);
    let mut analysis = Analysis::default();
    analysis.read("log", None, log.as_bytes(), |_| ()).unwrap();
    let text = analysis.report(1).to_string();
    assert!(text.contains(&format!("about {sources} sources, 1 target\n")), "{text}");
}
