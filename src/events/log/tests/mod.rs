//! Tests of the event log.

mod faults;
mod files;
mod formats;
mod losses;

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;
use crate::alert::{AlertSink as _, Change};
use crate::detect::{Figures, Kind, Subject};
use crate::packet::{Addresses, Protocol, TcpFlags, Timestamp};
use crate::policy::{Action, SuppressedPackets, Violation, ViolationSink as _};

/// Longest time for any short operation on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);
const FORMATS: [EventFormat; 4] = [EventFormat::Console, EventFormat::Json, EventFormat::Csv, EventFormat::JsonLines];

pub(super) fn violation(number: u64) -> Violation {
    let first = Timestamp::from_nanoseconds(1_700_000_012_500_000_001 + i64::try_from(number).unwrap());
    Violation {
        first,
        last: first + Duration::from_millis(500),
        interface: "eth0".into(),
        addresses: Addresses::V4 { source: [203, 0, 113, 5].into(), destination: [10, 0, 0, 1].into() },
        protocol: Protocol::TCP,
        source_port: 40_000,
        destination_port: 22,
        tcp_flags: TcpFlags(0x12),
        packets: number,
        bytes: 60 * number,
        action: Action::Dropped,
        suppressed: 2,
    }
}

pub(super) fn suppressed(source: Option<&str>) -> SuppressedPackets {
    let last = Timestamp::from_nanoseconds(1_700_000_013_000_000_001);
    SuppressedPackets {
        source: source.map(|source| source.parse().unwrap()),
        last,
        packets: 120,
        action: Action::Dropped,
    }
}

fn change(rule: &str) -> Change {
    let figures =
        Figures { value: 16.0, limit: 15.0, window: Duration::from_secs(170), bytes: 640, ..Figures::default() };
    let subject = Subject::Source("2001:db8::5".parse().unwrap());
    Change::Fired(crate::alert::Alert {
        rule: rule.into(),
        ..crate::alert::tests::alert(Kind::HostScan, subject, figures)
    })
}

fn config(format: EventFormat, file: &Path) -> Config {
    Config { format, file: Some(file.to_owned()), ..Config::default() }
}

fn start(config: Config) -> EventLog {
    EventLog::start(config, Style::default(), Box::new(|_, _| true), None).unwrap()
}

fn finish(log: EventLog) {
    assert_eq!(log.finish(Instant::now() + DEADLINE), 0);
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn written(log: &EventLog) -> u64 {
    log.figures().written.load(Ordering::Relaxed)
}

/// The numbers of the violations in a file, each as its packets; fails if a line does not parse.
fn numbers(format: EventFormat, path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let packets = |event: &Value| event["packets"].as_u64().unwrap();
    match format {
        EventFormat::Json => {
            let events: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            events.iter().map(packets).collect()
        }
        EventFormat::JsonLines => {
            let event =
                |line: &str| packets(&serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}")));
            text.lines().map(event).collect()
        }
        EventFormat::Csv => {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), FIELDS);
            reader.records().map(|record| record.unwrap()[12].parse().unwrap()).collect()
        }
        EventFormat::Console => {
            let number = |line: &str| {
                assert!(line.starts_with("ts=2023-") && line.contains(" msg=\"source is not permitted\" "), "{line}");
                assert!(line.ends_with(" suppressed=2"), "{line}");
                line.split(" packets=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
            };
            text.lines().map(number).collect()
        }
    }
}

#[test]
fn violations_without_a_file_are_lines_of_the_console() {
    let (sender, lines) = std::sync::mpsc::sync_channel(10);
    let console = Box::new(move |line: String, _| sender.send(line).is_ok());
    let log = EventLog::start(Config::default(), Style::default(), console, None).unwrap();
    let mut events = log.sender(SendingPace::Live);
    events.report(&violation(3));
    [Some("203.0.113.5"), None].iter().for_each(|source| events.report_suppressed(&suppressed(*source)));
    finish(log);
    let lines: Vec<String> = lines.try_iter().collect();
    assert_eq!(
        lines,
        [
            concat!(
                "ts=2023-11-14T22:13:33.000000Z level=warn msg=\"source is not permitted\" ",
                "first=2023-11-14T22:13:32.500000004Z interface=eth0 src=203.0.113.5 src_port=40000 dst=10.0.0.1 dst_port=22 ",
                "protocol=tcp flags=SYN|ACK packets=3 bytes=180 action=dropped suppressed=2\n"
            ),
            concat!(
                "ts=2023-11-14T22:13:33.000000Z level=warn msg=\"source sent more packets that are not permitted\" ",
                "src=203.0.113.5 action=dropped suppressed=120\n"
            ),
            concat!(
                "ts=2023-11-14T22:13:33.000000Z level=warn ",
                "msg=\"several sources sent more packets that are not permitted\" action=dropped suppressed=120\n"
            ),
        ]
    );
}

#[test]
fn console_receives_alerts_too_in_their_order() {
    let (sender, lines) = std::sync::mpsc::sync_channel(10);
    let console = Box::new(move |line: String, _| sender.send(line).is_ok());
    let log = EventLog::start(Config::default(), Style::default(), console, None).unwrap();
    let mut events = log.sender(SendingPace::File);
    events.report(&violation(3));
    events.notify(&change("of the console"));
    events.report(&violation(4));
    finish(log);
    let messages: Vec<String> = lines.try_iter().map(|line| line.split('"').nth(1).unwrap().to_owned()).collect();
    assert_eq!(messages, ["source is not permitted", "alert firing", "source is not permitted"]);
}

#[test]
fn violation_that_would_delay_an_alert_does_not_wait_for_space() {
    let ((urgencies, received), (permits, permitted)) = (channel(), channel());
    let console = Box::new(move |_: String, urgency| {
        urgencies.send(urgency).unwrap();
        permitted.recv().is_ok()
    });
    let log = EventLog::start(Config::default(), Style::default(), console, None).unwrap();
    let mut events = log.sender(SendingPace::Live);
    events.report(&violation(1));
    assert_eq!(received.recv(), Ok(LineUrgency::Patient));
    // These come while the first line waits.
    events.report(&violation(2));
    events.notify(&change("scan"));
    events.report(&violation(3));
    // More than the writer takes at once, and then another alert.
    (0..300).for_each(|number| events.report(&violation(number)));
    events.notify(&change("scan"));
    (0..306).for_each(|_| permits.send(()).unwrap());
    finish(log);
    let urgencies: Vec<LineUrgency> = received.iter().collect();
    let of_alert = |urgency: &LineUrgency| *urgency == LineUrgency::Alert;
    let alerts: Vec<usize> = (0..urgencies.len()).filter(|index| of_alert(&urgencies[*index])).collect();
    assert_eq!((alerts, urgencies.len()), (vec![1, 303], 304));
    assert_eq!(urgencies.iter().filter(|urgency| **urgency == LineUrgency::BeforeAlert).count(), 302);
}

#[test]
fn console_without_space_loses_violations_and_counts_them() {
    let console = Box::new(|_, _| false);
    let log = EventLog::start(Config::default(), Style::default(), console, None).unwrap();
    let mut events = log.sender(SendingPace::Live);
    let lost = events.lost();
    (0..5).for_each(|number| events.report(&violation(number)));
    finish(log);
    assert_eq!(lost.load(Ordering::Relaxed), 5);
}

#[test]
fn full_queue_loses_events_and_never_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // The pipe takes 64 KiB and has no reader.
    let log = start(config(EventFormat::JsonLines, &pipe));
    let mut events = log.sender(SendingPace::Live);
    let started = Instant::now();
    (0..200_000).for_each(|number| events.report(&violation(number)));
    assert!(started.elapsed() < DEADLINE, "{:?}", started.elapsed());
    assert!(events.lost().load(Ordering::Relaxed) > 0);
    assert!(log.finish(Instant::now() + Duration::from_millis(50)) > 0, "unwritten events are reported");
}

#[test]
fn events_are_written_within_seconds_and_at_once_without_a_buffer() {
    let folder = tempfile::tempdir().unwrap();
    for (name, buffer_bytes) in [("buffered", 1 << 20), ("at once", 0)] {
        let path = folder.path().join(name);
        let log = start(Config { buffer_bytes, ..config(EventFormat::JsonLines, &path) });
        log.sender(SendingPace::Live).report(&violation(7));
        wait_for("a line", || numbers(EventFormat::JsonLines, &path) == [7]);
        finish(log);
    }
}
