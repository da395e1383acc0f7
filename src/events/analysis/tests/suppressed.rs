//! Tests of packets without an event of their own.

use std::net::IpAddr;

use super::{SWEEPER, analyzed, threats, violation, write_by};
use crate::events::analysis::BrokenLine;
use crate::events::log::EventFormat;
use crate::packet::Timestamp;
use crate::policy::{Action, SuppressedPackets, Violation, ViolationSink as _};

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
    assert_eq!(broken, [BrokenLine { number: 3, reason: "no source address that can be read".to_owned() }]);
    assert_eq!((&report["totals"]["packets"], &report["totals"]["suppressed_packets"]), (&0.into(), &47.into()));
    assert_eq!((&report["totals"]["violations"], &report["totals"]["suppressed_lines"]), (&0.into(), &2.into()));
    assert_eq!((&report["totals"]["sources"], &report["sources"][0]["suppressed_packets"]), (&1.into(), &40.into()));
    let periods = report["rate"]["periods"].as_array().unwrap();
    assert_eq!(periods.iter().map(|period| period["suppressed_packets"].as_u64().unwrap()).sum::<u64>(), 47);
}

#[test]
fn dropped_packets_are_those_with_and_without_an_event() {
    let folder = tempfile::tempdir().unwrap();
    for (format, word) in [(EventFormat::Json, "json"), (EventFormat::JsonLines, "jsonl"), (EventFormat::Csv, "csv")] {
        let path = folder.path().join(word);
        write_by(format, &path, |events| {
            for action in [Action::Dropped, Action::Logged] {
                events.report(&Violation { action, suppressed: 4, ..violation(1, SWEEPER, [10, 0, 0, 1], 23, 3) });
                let source = Some(IpAddr::from(SWEEPER));
                let last = Timestamp::from_nanoseconds(1_700_000_009_000_000_000);
                events.report_suppressed(&SuppressedPackets { source, last, packets: 70, action });
            }
        });
        let (report, broken) = analyzed(None, &std::fs::read(&path).unwrap());
        assert_eq!(broken, []);
        for figures in [&report["totals"], &report["sources"][0]] {
            let of = ["packets", "suppressed_packets", "dropped_packets"].map(|name| &figures[name]);
            assert_eq!(of, [6, 148, 77], "{word}");
        }
    }
}

#[test]
fn suppressed_line_without_an_action_is_read() {
    let line = r#"{"event":"suppressed","ts":"2023-11-14T22:13:33Z","src":"203.0.113.5","packets":0,"suppressed":120}"#;
    let (report, broken) = analyzed(None, line.as_bytes());
    assert_eq!(broken, []);
    let of = ["packets", "suppressed_packets", "dropped_packets"].map(|name| &report["totals"][name]);
    assert_eq!(of, [0, 120, 0]);
}
