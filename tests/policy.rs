//! Permitted networks over the real binary: counts, alerts, and the forms of the lists.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use common::client::{self, get};
use common::event_log::{PolicyLine, policy_lines};
use common::exporter::{Exporter, program};
use common::exposition::{Family, family, parse};
use common::ip::{Ipv4, Ipv6, Transport, icmp, icmpv6, tcp, udp};
use common::link::{Link, Sample};
use common::replay::{number, replay};
use common::savefile::Savefile;
use serde_json::{Value, json};

const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PRINTER: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 9);
const STRANGER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const INSIDE_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const STRANGER_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

const SYN: u8 = 0x02;
const POLICY: &str = "policy:\n  permitted: [10.0.0.0/8, \"fd00::/8\"]\n  denied: [10.66.0.0/16]\n";

fn v4(source: Ipv4Addr, destination: Ipv4Addr, above: Transport) -> Vec<u8> {
    Ipv4::carrying(above).between(source, destination).build()
}

fn v6(source: Ipv6Addr, destination: Ipv6Addr, above: Transport) -> Vec<u8> {
    Ipv6::carrying(above).between(source, destination).build()
}

/// Packets of permitted sources, of a denied one and of strangers, on Ethernet with up to two tags.
fn packets() -> Vec<(Link, Vec<u8>)> {
    let plain = Link::ethernet;
    vec![
        (plain(), v4(INSIDE, STRANGER, tcp(40_000, 22, SYN, b""))),
        (plain(), v4(STRANGER, INSIDE, tcp(22, 40_000, 0x12, b""))),
        (plain().vlan(0x8100), v4(STRANGER, INSIDE, udp(5_000, 53, b"name?"))),
        (plain().vlan(0x88a8).vlan(0x8100), v4(PRINTER, INSIDE, udp(9_100, 9_100, &[0; 100]))),
        (plain(), v6(INSIDE_6, STRANGER_6, icmpv6(128))),
        (plain().vlan(0x8100), v6(STRANGER_6, INSIDE_6, icmpv6(129))),
        (plain(), v4(STRANGER, INSIDE, icmp(8))),
    ]
}

/// Packets and bytes: permitted, then not permitted.
const EXPECTED: [[u64; 2]; 2] = [[2, 40 + 48], [5, 40 + 33 + 128 + 48 + 28]];

fn capture(folder: &Path) -> PathBuf {
    let arp = Link::ethernet().carrying_ether_type(0x0806, &[0; 46]);
    let frames: Vec<Sample> =
        packets().iter().map(|(link, packet)| link.clone().carrying(packet)).chain([arp]).collect();
    Savefile::new(1).frames(&frames).write(folder, "mixed.pcap")
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The samples of a family by verdict.
fn by_verdict(page: &[Family], name: &str) -> [u64; 2] {
    let samples = &family(page, name).samples;
    ["permitted", "not_permitted"]
        .map(|verdict| samples.iter().find(|sample| sample.label("verdict") == verdict).expect("the verdict").count())
}

fn is_as_expected(page: &[Family]) {
    let [packets, bytes] =
        ["packets", "bytes"].map(|unit| by_verdict(page, &format!("trafficmonitor_policy_{unit}_total")));
    assert_eq!([[packets[0], bytes[0]], [packets[1], bytes[1]]], EXPECTED);
    let all = |name: &str| family(page, name).samples.iter().map(common::exposition::Sample::count).sum::<u64>();
    assert_eq!(packets.iter().sum::<u64>(), all("trafficmonitor_traffic_packets_total"));
    assert_eq!(bytes.iter().sum::<u64>(), all("trafficmonitor_traffic_bytes_total"));
    let events =
        all("trafficmonitor_policy_event_packets_total") + all("trafficmonitor_policy_events_suppressed_total");
    assert_eq!(events, packets[1]);
    assert_eq!(all("trafficmonitor_policy_events_total"), 5, "each packet is a conversation of its own here");
}

#[test]
fn packets_are_counted_by_verdict_whatever_the_workers_and_the_form_of_the_lists() {
    let folder = tempfile::tempdir().unwrap();
    let file = capture(folder.path());
    let file = file.to_str().unwrap();
    let config = written(folder.path(), "policy.yml", POLICY);
    let by_options =
        ["--policy.permitted", "10.0.0.0/8", "--policy.permitted", "fd00::/8", "--policy.denied", "10.66.0.0/16"];
    for lists in [&["-c", &config][..], &by_options] {
        for workers in ["1", "2", "4"] {
            let fixed = [file, "--output", "prometheus", "--workers", workers];
            let run = replay(fixed.iter().chain(lists));
            assert_eq!(run.status, Some(0), "{}", run.messages);
            is_as_expected(&parse(&run.output));
            let fixed = [file, "--output", "jsonl", "--workers", workers];
            let sums = replay(fixed.iter().chain(lists)).sums();
            let [permitted, others] = ["permitted", "not_permitted"]
                .map(|verdict| ["packets", "bytes"].map(|unit| number(&sums, &format!("{verdict}_{unit}"))));
            assert_eq!([permitted, others], EXPECTED);
        }
    }
}

#[test]
fn page_of_a_file_shows_the_same_counts_and_the_sources() {
    let folder = tempfile::tempdir().unwrap();
    let file = capture(folder.path());
    let config = written(folder.path(), "policy.yml", POLICY);
    let mut command = program(["-r", file.to_str().unwrap(), "-c", &config, "-promHTTP", "127.0.0.1:0"]);
    let exporter = Exporter::spawn(command.stdout(Stdio::null()), 1);
    exporter.is_ready();
    is_as_expected(&parse(&get(exporter.address(), "/metrics")));
    let active: Value = serde_json::from_str(&client::get(exporter.address(), "/active")).unwrap();
    let mut events: Vec<(Value, Value)> = active
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["SourceIP"].clone(), event["EventType"].clone()))
        .collect();
    events.sort_by_key(|(source, _)| source.to_string());
    let expected = ["10.66.0.9", "198.51.100.7", "2001:db8::7"].map(|source| (json!(source), json!("POLICY")));
    assert_eq!(events, expected);
}

/// One packet of each of many sources within a second, and one that ends the second.
fn capture_of_strangers(folder: &Path) -> PathBuf {
    let packet = |number: u32| {
        let source = Ipv4Addr::from_bits(Ipv4Addr::new(203, 0, 0, 0).to_bits() + number);
        Link::ethernet().carrying(&v4(source, INSIDE, udp(5_000, 53, b"x")))
    };
    let strangers = (0..STRANGERS).map(|number| (10, number * 40, packet(number)));
    let frames = strangers.chain([(12, 0, packet(0))]);
    let file = frames.fold(Savefile::new(1), |file, (seconds, micros, frame)| file.frame_at(seconds, micros, &frame));
    file.write(folder, "strangers.pcap")
}

const STRANGERS: u32 = 20_000;

/// Reads slowly, so that the program's queues fill, until this line has come.
fn read_slowly(out: impl Read, last: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in BufReader::with_capacity(8 << 10, out).lines() {
        lines.push(line.unwrap());
        if lines.len() % 32 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        if lines.last().is_some_and(|line| line.contains(last)) {
            break;
        }
    }
    lines
}

#[test]
fn no_alert_overtakes_the_violations_before_it_on_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let file = capture_of_strangers(folder.path());
    let lists = ["--policy.permitted", "10.0.0.0/8", "--verbose", "-promHTTP", "127.0.0.1:0"];
    let (out, written) = std::io::pipe().unwrap();
    let mut command = program(["-r", file.to_str().unwrap()].iter().chain(&lists));
    let exporter = Exporter::spawn_onto(&mut command, 1, written.into());
    // The violation of the last packet comes after all.
    let lines = read_slowly(out, "ts=1970-01-01T00:00:12.000000Z level=warn msg=\"source is not permitted\"");
    drop(exporter);
    let first = lines.iter().position(|line| line.contains(" msg=\"alert firing\" ")).expect("an alert");
    let is_violation = |line: &&String| line.contains(" msg=\"source is not permitted\" ");
    assert_eq!(lines[first..].iter().filter(is_violation).count(), 1, "that of the last packet alone");
    assert!(lines[..first].iter().filter(is_violation).count() > 1_000, "the queues were full: {first}");
    assert!(lines.iter().all(|line| line.starts_with("ts=1970-01-01T00:00:1")), "a line is torn");
}

#[test]
fn without_a_policy_nothing_is_said_about_verdicts() {
    let folder = tempfile::tempdir().unwrap();
    let file = capture(folder.path());
    let file = file.to_str().unwrap();
    for output in ["prometheus", "jsonl", "table", "alerts"] {
        let run = replay([file, "--output", output]);
        assert!(!run.output.contains("policy") && !run.output.contains("permitted"), "{}", run.output);
    }
}

#[test]
fn empty_list_permits_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = capture(folder.path());
    let config = written(folder.path(), "none.json", "{\"permitted_cidrs\": []}");
    let run = replay([file.to_str().unwrap(), "--output", "jsonl", "-c", &config]);
    assert!(run.messages.contains("none.json:1:21: the list is empty, so no source is permitted"), "{}", run.messages);
    let sums = run.sums();
    assert_eq!([number(&sums, "permitted_packets"), number(&sums, "not_permitted_packets")], [0, 7]);
}

#[test]
fn each_source_that_is_not_permitted_raises_one_alert_and_the_same_with_several_workers() {
    let folder = tempfile::tempdir().unwrap();
    let file = capture(folder.path());
    let config = written(folder.path(), "policy.yml", POLICY);
    let lines = |workers: &str, more: &[&str]| {
        let fixed = [file.to_str().unwrap(), "-c", &config, "--output", "alerts", "--explain", "--workers", workers];
        let run = replay(fixed.iter().chain(more));
        assert_eq!(run.status, Some(0), "{}", run.messages);
        run.output
    };
    let text = lines("1", &[]);
    let alerts: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let fired: Vec<&Value> = alerts.iter().filter(|alert| alert["state"] == "firing").collect();
    let named: Vec<(&str, &str, &str)> = fired
        .iter()
        .map(|alert| {
            let text = |key: &str| alert[key].as_str().unwrap();
            (text("src"), text("kind"), text("severity"))
        })
        .collect();
    let expected = [
        ("198.51.100.7", "policy", "warning"),
        ("10.66.0.9", "policy", "warning"),
        ("2001:db8::7", "policy", "warning"),
    ];
    assert_eq!(named, expected);
    assert!(
        text.contains(
            "198.51.100.7, which is not permitted, sent 1 packet (40 B) in the last 60 s: first 10.0.0.1:40000/tcp"
        ),
        "{text}"
    );
    let resolved = alerts.iter().find(|alert| alert["state"] == "resolved" && alert["src"] == "198.51.100.7").unwrap();
    assert_eq!(resolved["peak"], 3, "{resolved}");
    for workers in ["2", "4"] {
        assert_eq!(lines(workers, &[]), text, "{workers} workers");
    }
    assert_eq!(lines("1", &["--policy.limit_packets", "2"]).lines().count(), 2, "one source, fired and resolved");
    assert_eq!(lines("1", &["--detect.enabled=false"]), "");
    let by_exclusion = written(
        folder.path(),
        "excluded.yml",
        &format!("{POLICY}alert:\n  exclusions: [{{source: 198.51.100.0/24, kind: policy}}]\n"),
    );
    let run = replay([file.to_str().unwrap(), "-c", &by_exclusion, "--output", "alerts"]);
    assert_eq!((run.output.lines().count(), run.output.contains("198.51.100.7")), (4, false), "{}", run.output);
}

#[test]
fn replay_writes_events_to_standard_error_if_the_console_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = capture(folder.path());
    let config = written(folder.path(), "policy.yml", POLICY);
    for output in ["table", "jsonl", "csv", "prometheus", "alerts", "none"] {
        let fixed = [file.to_str().unwrap(), "-c", &config, "--output", output];
        let run = |more: &[&str]| replay(fixed.iter().chain(more));
        let (without, with) = (run(&[]), run(&["--log-format", "console"]));
        assert_eq!((without.messages.as_str(), &without.output), ("", &with.output), "{output}");
        let count = |message: &str| with.messages.lines().filter(|line| line.contains(message)).count();
        let counts = ["source is not permitted", "alert firing", "alert resolved"].map(count);
        assert_eq!(counts, [5, 3, 3], "{output}: {}", with.messages);
        assert_eq!(with.messages.lines().count(), 11, "{output}: {}", with.messages);
    }
    let log = folder.path().join("events.log");
    let fixed = [file.to_str().unwrap(), "-c", &config, "--log-format", "console", "--log-file", log.to_str().unwrap()];
    assert_eq!(replay(fixed).messages, "", "a file takes the place of the console");
    assert_eq!(fs::read_to_string(log).unwrap().lines().count(), 11);
}

#[test]
fn cases_of_a_rule_test_expect_policy_alerts() {
    let folder = tempfile::tempdir().unwrap();
    capture(folder.path());
    let cases = written(
        folder.path(),
        "cases.yml",
        "defaults:\n  capture: mixed.pcap\n  config: {policy: {permitted: [10.0.0.0/8, \"::/0\"]}}\ncases:\n\
         - name: the stranger is found\n  alerts:\n  - {kind: policy, source: 198.51.100.7, severity: warning, min_value: 3}\n\
         - name: the stranger is permitted\n  options: --policy.permitted 0.0.0.0/0,::/0\n",
    );
    let ended = program(["test", &cases]).output().unwrap();
    let text = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{text}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(text.contains("2 passed, 0 failed"), "{text}");
}

#[test]
fn ten_thousand_networks_are_taken_and_the_longest_prefix_decides() {
    let folder = tempfile::tempdir().unwrap();
    let file = capture(folder.path());
    let networks = (0..10_000u32).map(|number| format!("\"{}/24\"", Ipv4Addr::from_bits(0x2000_0000 + (number << 9))));
    let list = networks.chain(["\"198.51.100.7\"".to_owned()]).collect::<Vec<_>>().join(",\n");
    let config = written(folder.path(), "many.json", &format!("{{\"permitted_cidrs\": [{list}]}}"));
    let run = replay([file.to_str().unwrap(), "--output", "jsonl", "-c", &config]);
    assert_eq!(run.messages, "");
    let sums = run.sums();
    assert_eq!([number(&sums, "permitted_packets"), number(&sums, "not_permitted_packets")], [3, 4]);
}

/// Two strangers send 50 packets each, one of them in the first second, the other in the last one.
fn bursts(folder: &Path) -> PathBuf {
    let frame = |source, port| Link::ethernet().carrying(&v4(source, INSIDE, udp(5_000, port, b"")));
    let mut file = Savefile::new(1);
    for (second, source) in [(0, STRANGER), (40, PRINTER)] {
        for port in 1..=50 {
            file = file.frame_at(1_700_000_000 + second, u32::from(port), &frame(source, port));
        }
        file = file.frame_at(1_700_000_020 + second, 0, &frame(INSIDE, 53));
    }
    file.write(folder, "bursts.pcap")
}

/// The packets that are not permitted; 0 before the first snapshot with a policy.
fn not_permitted(page: &str) -> u64 {
    const FAMILY: &str = "trafficmonitor_policy_packets_total";
    if page.contains(FAMILY) { by_verdict(&parse(page), FAMILY)[1] } else { 0 }
}

fn sum(lines: &[PolicyLine]) -> u64 {
    lines.iter().map(PolicyLine::all).sum()
}

#[test]
fn every_packet_that_is_not_permitted_is_in_one_line_of_the_event_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = bursts(folder.path());
    let suppressed = ["198.51.100.7", "10.66.0.9"].map(|source| PolicyLine {
        event: "suppressed".to_owned(),
        source: source.to_owned(),
        action: "logged".to_owned(),
        packets: 0,
        suppressed: 40,
    });
    for (format, more) in [
        ("console", &[][..]),
        ("json", &["--workers", "3"]),
        ("csv", &["--detect.enabled=false"]),
        ("jsonl", &["--workers", "2", "--detect.enabled=false"]),
    ] {
        let log = folder.path().join(format);
        let fixed = [file.to_str().unwrap(), "--output", "prometheus", "--policy.permitted", "10.0.0.0/16"];
        let written = ["--log-format", format, "--log-file", log.to_str().unwrap()];
        let run = replay(fixed.iter().chain(&written).chain(more));
        assert_eq!((run.status, not_permitted(&run.output)), (Some(0), 100), "{}", run.messages);
        let lines = policy_lines(&log, format);
        assert_eq!(sum(&lines), 100, "{format}: {lines:?}");
        let of_silent: Vec<&PolicyLine> = lines.iter().filter(|line| line.event == "suppressed").collect();
        assert_eq!(of_silent, suppressed.iter().collect::<Vec<_>>(), "{format}");
        let position = |wanted| lines.iter().position(|line| line == wanted).unwrap();
        let first_of_second = lines.iter().position(|line| line.source == "10.66.0.9").unwrap();
        assert!(position(&suppressed[0]) < first_of_second, "{format}: the first is told when its source is silent");
    }
}

#[test]
fn sources_past_the_limit_do_not_get_the_suppressed_packets_of_others() {
    const SOURCES: u32 = 65_600;
    let folder = tempfile::tempdir().unwrap();
    let frame = |number: u32| {
        Link::ethernet().carrying(&v4(Ipv4Addr::from_bits(0x2000_0000 + number), INSIDE, udp(5_000, 53, b"")))
    };
    let file = (0..SOURCES).fold(Savefile::new(1), |file, number| file.frame_at(1_700_000_000, number, &frame(number)));
    let file = file.write(folder.path(), "many.pcap");
    let log = folder.path().join("log");
    let run = replay([
        file.to_str().unwrap(),
        "--output",
        "prometheus",
        "--policy.permitted",
        "10.0.0.0/8",
        "--log-format",
        "jsonl",
        "--log-file",
        log.to_str().unwrap(),
    ]);
    assert_eq!(not_permitted(&run.output), u64::from(SOURCES), "{}", run.messages);
    let (violations, others): (Vec<_>, Vec<_>) =
        policy_lines(&log, "jsonl").into_iter().partition(|line| line.event == "violation");
    assert!(violations.iter().all(|line| line.suppressed == 0));
    assert_eq!((violations.len(), others.len()), (65_536 + 10, 1), "ten events of those that share a bucket");
    assert_eq!((others[0].source.as_str(), others[0].suppressed), ("", u64::from(SOURCES) - 65_536 - 10));
}

#[test]
fn suppressed_packets_are_in_the_log_after_a_stop_by_signal() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(bursts(folder.path())).unwrap();
    let (reader, mut input) = std::io::pipe().unwrap();
    let log = folder.path().join("log");
    let mut command = program(["-promHTTP", "127.0.0.1:0", "-r", "-", "--policy.permitted", "10.0.0.0/16"]);
    command.args(["--log-format", "jsonl", "--log-file", log.to_str().unwrap()]).stdin(Stdio::from(reader));
    let exporter = Exporter::spawn_onto(&mut command, 1, Stdio::null());
    // All but the last packet, and the input stays open.
    input.write_all(&bytes[..bytes.len() - 58]).unwrap();
    common::exporter::wait_for("all packets", || {
        (not_permitted(&get(exporter.address(), "/metrics")) == 100).then_some(())
    });
    exporter.signal("TERM");
    let (status, messages) = exporter.ended();
    assert_eq!(status.code(), Some(0), "{messages}");
    assert_eq!(sum(&policy_lines(&log, "jsonl")), 100);
}
