//! The event log and its analysis, by the program itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "events/flowing.rs"]
mod flowing;

use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::client::get;
use common::compress::Form;
use common::exporter::{Exporter, program, wait_for};
use common::exposition::{parse, sum};
use common::ip::{Ipv4, Transport, icmp, tcp, udp};
use common::link::Link;
use common::savefile::Savefile;
use serde_json::Value;
use tempfile::TempDir;

/// Sources that each send more than the limit of these options.
const SOURCES: u32 = 400;
const LIMIT: [&str; 2] = ["-ByteLimit", "10"];

/// A capture with an alert for each of `SOURCES` sources, from the first one on.
fn alerts_from(folder: &Path, first: u32) -> PathBuf {
    let frame = |number: u32| {
        let packet = Ipv4::carrying(udp(40_000, 9, &[0; 100]));
        let source = Ipv4Addr::from(0x0a08_0000 + first + number);
        Link::ethernet().carrying(&packet.between(source, Ipv4Addr::new(10, 9, 0, 1)).build())
    };
    let add = |file: Savefile, number| file.frame_at(1_700_000_000 + first + number, 0, &frame(number));
    (0..SOURCES).fold(Savefile::new(1), add).write(folder, &format!("alerts-{first}.pcap"))
}

/// A replay that writes an event log.
fn logged(folder: &Path, format: &str, log: &str) -> Value {
    let file = alerts_from(folder, 1);
    let mut arguments = vec!["replay", file.to_str().unwrap(), "--output", "none", "--log-format", format];
    arguments.extend(LIMIT.iter().copied().chain(["--log-file", log]));
    let output = program(&arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    analyzed(folder, &[log]).1
}

/// The exit status of `analyze` with these arguments, its report, and all that it wrote.
fn analyzed(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let mut all = vec!["analyze"];
    all.extend(arguments.iter().copied().chain(["--export-report", "report.json"]));
    let output = program(&all).current_dir(folder).output().unwrap();
    let report = fs::read(folder.join("report.json")).unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), serde_json::from_slice(&report).unwrap(), text)
}

/// Removes the places of lines, which depend on the format: a header, brackets.
fn remove_places(report: &mut Value) {
    match report {
        Value::Object(members) => {
            members.retain(|name, _| !["first_line", "last_line"].contains(&name.as_str()));
            members.values_mut().for_each(remove_places);
        }
        Value::Array(values) => values.iter_mut().for_each(remove_places),
        _ => {}
    }
}

#[test]
fn replay_writes_logs_whose_analyses_are_equal() {
    let folder = tempfile::tempdir().unwrap();
    let reports = ["json", "jsonl", "csv"].map(|format| {
        let mut report = logged(folder.path(), format, &format!("events.{format}"));
        assert_eq!(report["logs"][0]["format"], format);
        report["logs"] = Value::Null;
        remove_places(&mut report);
        report
    });
    assert_eq!(reports[0], reports[1]);
    assert_eq!(reports[1], reports[2]);
    let alerts = &reports[0]["alerts"][0];
    let expected = (&"bandwidth".into(), &u64::from(SOURCES).into(), &u64::from(SOURCES).into());
    assert_eq!((&alerts["kind"], &alerts["fired"], &alerts["resolved"]), expected);
    let console = folder.path().join("events.txt");
    let file = alerts_from(folder.path(), 1);
    let output =
        program(["replay", file.to_str().unwrap(), "--log-file", console.to_str().unwrap()]).args(LIMIT).output();
    assert!(output.unwrap().status.success());
    assert_eq!(fs::read_to_string(&console).unwrap().lines().count() as u32, 2 * SOURCES);
}

/// An exporter that reads a stream of frames, with an event log of this format.
struct Streamed {
    folder: TempDir,
    exporter: Exporter,
    input: std::io::PipeWriter,
    log: PathBuf,
}

impl Streamed {
    fn start(format: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("events.log");
        let (reader, input) = std::io::pipe().unwrap();
        let mut command =
            program(["-promHTTP", "127.0.0.1:0", "-r", "-", "--log-format", format, "--summary-interval", "1s"]);
        command.args(LIMIT).arg("--log-file").arg(&log).stdin(Stdio::from(reader));
        let exporter = Exporter::spawn_onto(&mut command, 1, Stdio::null());
        Self { folder, exporter, input, log }
    }

    /// Sends the frames of a capture; the header of the first capture only.
    fn send(&mut self, first: u32) {
        let bytes = fs::read(alerts_from(self.folder.path(), first)).unwrap();
        let from = if first == 1 { 0 } else { 24 };
        self.input.write_all(&bytes[from..]).unwrap();
    }

    fn wait_for_events(&self, count: u64) {
        wait_for("events", || {
            let families = parse(&get(self.exporter.address(), "/metrics"));
            (sum(&families, "trafficmonitor_events_written_total", None) >= count).then_some(())
        });
    }

    /// Waits until no further events are written. While copytruncate copies, they would be lost.
    fn is_at_rest(&self) {
        let written =
            || sum(&parse(&get(self.exporter.address(), "/metrics")), "trafficmonitor_events_written_total", None);
        let mut before = (Instant::now(), written());
        wait_for("rest", || {
            let now = written();
            if now != before.1 {
                before = (Instant::now(), now);
            }
            // A line waits in the buffer for a second at most.
            (before.0.elapsed() > Duration::from_secs(3)).then_some(())
        });
    }

    /// Ends the input and then the program.
    fn end(self) -> (TempDir, PathBuf, String) {
        let Self { folder, mut exporter, input, log } = self;
        drop(input);
        exporter.line_with("the capture file is read");
        exporter.signal("TERM");
        let (status, messages) = exporter.ended();
        assert_eq!(status.code(), Some(0), "{messages}");
        (folder, log, messages)
    }
}

/// Alerts that fired, by their sources, in files of JSON lines.
fn fired(files: &[&Path]) -> Vec<String> {
    let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let events =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    let mut sources: Vec<String> = events
        .filter(|event| event["state"] == "firing")
        .map(|event| event["src"].as_str().unwrap().to_owned())
        .collect();
    sources.sort();
    sources.dedup();
    sources
}

#[test]
fn hangup_after_a_rename_begins_a_new_file_and_loses_nothing() {
    let mut streamed = Streamed::start("jsonl");
    streamed.send(1);
    streamed.wait_for_events(u64::from(SOURCES) - 10);
    let old = streamed.folder.path().join("events.log.1");
    fs::rename(&streamed.log, &old).unwrap();
    streamed.exporter.signal("HUP");
    wait_for("a new file", || streamed.log.exists().then_some(()));
    streamed.send(1_000);
    streamed.wait_for_events(2 * u64::from(SOURCES) - 10);
    let summary = streamed.exporter.line_with("summary of events");
    assert!(summary.contains(" seconds=1 violations=0 alerts="), "{summary}");
    let (_folder, log, _) = streamed.end();
    assert_eq!(fired(&[&old, &log]).len() as u32, 2 * SOURCES);
}

#[test]
fn verbose_shows_each_violation_once_and_no_ports_of_icmp() {
    let folder = tempfile::tempdir().unwrap();
    let add = |file: Savefile, above| {
        let packet = Ipv4::carrying(above).between(Ipv4Addr::new(10, 8, 0, 1), Ipv4Addr::new(10, 9, 0, 1)).build();
        file.frame_at(1_700_000_000, 0, &Link::ethernet().carrying(&packet))
    };
    [icmp(8), tcp(40_000, 22, 0x02, &[])].into_iter().fold(Savefile::new(1), add).write(folder.path(), "two.pcap");
    for log in [&["--log-file", "events.log"][..], &["--log-format", "console"]] {
        let replay = ["replay", "two.pcap", "--output", "none", "--policy.permitted", "192.0.2.1", "--verbose"];
        let output = program([&replay, log].concat()).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let messages = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<&str> = messages.lines().filter(|line| line.contains("\"source is not permitted\"")).collect();
        let [of_icmp, of_tcp] = ["protocol=icmp ", "protocol=tcp "].map(|protocol| {
            let of: Vec<&&str> = lines.iter().filter(|line| line.contains(protocol)).collect();
            assert_eq!(of.len(), 1, "{log:?}: {messages}");
            *of[0]
        });
        assert!(!of_icmp.contains("port=") && !of_icmp.contains("flags="), "{of_icmp}");
        assert!(of_tcp.contains(" dst_port=22 ") && of_tcp.contains(" flags=SYN "), "{of_tcp}");
    }
}

#[test]
fn closing_summary_has_the_traffic_by_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let file = alerts_from(folder.path(), 1);
    let mut command = program(["-promHTTP", "127.0.0.1:0", "-r", file.to_str().unwrap()]);
    // The sources are 10.8.0.1 and those after it.
    command.args(["--policy.permitted", "10.8.0.0/30", "--detect.enabled=false"]);
    let mut exporter = Exporter::spawn_onto(&mut command, 1, Stdio::null());
    exporter.line_with("the capture file is read");
    exporter.signal("TERM");
    let (status, messages) = exporter.ended();
    assert_eq!(status.code(), Some(0), "{messages}");
    let summaries: Vec<&str> = messages.lines().filter(|line| line.contains("summary of events")).collect();
    let [summary] = summaries[..] else { panic!("{messages}") };
    let others = SOURCES - 3;
    // 128 bytes each: an IPv4 and a UDP header and 100 bytes.
    let expected = format!(
        " permitted_packets=3 permitted_bytes=384 not_permitted_packets={others} not_permitted_bytes={} violations={others} alerts=0 ",
        128 * others
    );
    assert!(summary.contains(&expected) && summary.contains(" dropped_packets=0 "), "{summary}");
    assert!(summary.contains("10.8.0.4 (1 packet)"), "{summary}");
}

/// Rotates a log once by `logrotate` itself. `way` is one of its two ways; `script` runs after it.
fn logrotate(folder: &Path, log: &Path, way: &str, script: &str) {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/usr");
    let (configuration, state) = (folder.join("conf"), folder.join("state"));
    let text = format!("{} {{\n {way}\n rotate 9\n su root root\n {script}\n}}\n", log.display());
    fs::write(&configuration, text).unwrap();
    let rotated = Command::new(tools.join("sbin/logrotate"))
        .env("LD_LIBRARY_PATH", tools.join("lib").join(format!("{}-linux-gnu", std::env::consts::ARCH)))
        .args(["--force", "--state"])
        .args([&state, &configuration])
        .output()
        .expect("the tests need logrotate: scripts/unpack.sh logrotate libpopt0");
    assert!(rotated.status.success(), "{rotated:?}");
}

/// `logrotate`, with each of its two ways.
#[test]
#[ignore = "needs root: logrotate refuses files of others"]
fn logrotate_rotates_the_log() {
    for (way, script) in [("create", "postrotate\n kill -HUP PROCESS\n endscript"), ("copytruncate", "")] {
        let mut streamed = Streamed::start("jsonl");
        streamed.send(1);
        streamed.wait_for_events(u64::from(SOURCES) - 10);
        streamed.is_at_rest();
        let script = script.replace("PROCESS", &streamed.exporter.id().to_string());
        logrotate(streamed.folder.path(), &streamed.log, way, &script);
        streamed.send(1_000);
        streamed.wait_for_events(2 * u64::from(SOURCES) - 10);
        let (folder, log, _) = streamed.end();
        let old = folder.path().join("events.log.1");
        assert!(!fs::read(&log).unwrap().contains(&0), "{way}: a hole");
        assert_eq!(fired(&[&old, &log]).len() as u32, 2 * SOURCES, "{way}");
        assert!(fired(&[&log]).len() as u32 >= SOURCES, "{way}");
    }
}

/// The program with alerts for a log that is a pipe, which has space for a part of them.
fn logging_to_a_pipe(folder: &Path, format: &str) -> (Exporter, PathBuf) {
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let file = alerts_from(folder, 1);
    let arguments = ["-promHTTP", "127.0.0.1:0", "-r", file.to_str().unwrap(), "--log-format", format, "--log-file"];
    let exporter = Exporter::spawn_onto(program(arguments).arg(&pipe).args(LIMIT), 1, Stdio::null());
    exporter.is_ready();
    let families = parse(&get(exporter.address(), "/metrics"));
    assert_eq!(sum(&families, "trafficmonitor_alerts_total", None), u64::from(SOURCES));
    (exporter, pipe)
}

#[test]
fn log_that_nothing_reads_does_not_stop_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let (exporter, _) = logging_to_a_pipe(folder.path(), "csv");
    exporter.signal("TERM");
    let (status, messages) = exporter.ended();
    assert_eq!(status.code(), Some(0), "{messages}");
    assert!(messages.contains("events were lost at the end"), "{messages}");
}

#[test]
fn ending_program_waits_for_a_slow_reader_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (exporter, pipe) = logging_to_a_pipe(folder.path(), "jsonl");
    let mut reader = fs::File::open(pipe).unwrap();
    exporter.signal("TERM");
    std::thread::sleep(Duration::from_millis(400));
    let log = folder.path().join("read");
    std::io::copy(&mut reader, &mut fs::File::create(&log).unwrap()).unwrap();
    assert_eq!(fired(&[&log]).len() as u32, SOURCES);
    let (status, messages) = exporter.ended();
    assert_eq!(status.code(), Some(0), "{messages}");
    assert!(!messages.contains("events were lost"), "{messages}");
}

#[test]
fn log_that_cannot_be_opened_ends_the_start() {
    let output =
        program(["-r", "/dev/null", "-promHTTP", "127.0.0.1:0", "--log-file", "/missing/log"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.ends_with("/missing/log: cannot open the event log: No such file or directory (os error 2); create the directory /missing\n"),
        "{message}"
    );
}

#[test]
fn broken_lines_are_named_and_do_not_matter_unless_there_are_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let good = r#"{"timestamp":"2023-11-14T22:13:32Z","src_ip":"203.0.113.5","dst_ip":"10.0.0.1"}"#;
    let log = format!("{good}\n{}{good}\n", "{\"secret\n".repeat(12));
    fs::write(folder.path().join("a.jsonl"), log).unwrap();
    let (status, report, text) = analyzed(folder.path(), &["a.jsonl"]);
    assert_eq!(
        (status, &report["totals"]["events"], &report["totals"]["broken_lines"]),
        (Some(0), &2.into(), &12.into())
    );
    assert!(text.contains("a.jsonl:2: skipped: cut off"), "{text}");
    assert!(text.contains("a.jsonl: 2 more broken lines were skipped") && !text.contains("secret"), "{text}");
    fs::write(folder.path().join("b.jsonl"), "{\"secret\n").unwrap();
    let (status, _, text) = analyzed(folder.path(), &["b.jsonl"]);
    assert_eq!(status, Some(1));
    assert!(text.contains("no line is an event"), "{text}");
    let (status, report, text) = analyzed(folder.path(), &["missing", "a.jsonl"]);
    assert_eq!((status, &report["totals"]["events"]), (Some(1), &2.into()));
    assert!(text.contains("missing: No such file or directory"), "{text}");
}

#[test]
fn log_that_cannot_be_read_is_one_message_and_an_empty_log_is_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    for (name, content) in [("empty.json", "[]\n"), ("empty.jsonl", "")] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    for name in ["missing", "folder"] {
        let output = program(["analyze", name]).current_dir(folder.path()).output().unwrap();
        let messages = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), messages.lines().count()), (Some(1), 1), "{messages}");
        assert!(messages.starts_with(&format!("trafficmonitor: {name}: ")), "{messages}");
    }
    for name in ["empty.json", "empty.jsonl"] {
        let (status, report, text) = analyzed(folder.path(), &[name]);
        assert_eq!((status, &report["totals"]["events"]), (Some(0), &0.into()), "{name}");
        assert!(text.ends_with("0 events, 0 broken lines\nno events\n"), "{text}");
    }
    let (status, _, messages) = analyzed(folder.path(), &["empty.json", "missing"]);
    assert_eq!((status, messages.lines().count()), (Some(1), 1), "{messages}");
}

#[test]
fn report_takes_the_place_of_no_log_and_an_earlier_one_stays_without_events() {
    let folder = tempfile::tempdir().unwrap();
    let log = "{\"timestamp\":\"2023-11-14T22:13:32Z\",\"src_ip\":\"203.0.113.5\",\"dst_ip\":\"10.0.0.1\"}\n";
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a.jsonl"), log).unwrap();
    std::os::unix::fs::symlink("a.jsonl", path("link")).unwrap();
    fs::write(path("empty.jsonl"), "nothing\n").unwrap();
    fs::write(path("report"), "earlier").unwrap();
    let run = |log: &str, report: &str| {
        let output = program(["analyze", log, "--export-report", report]).current_dir(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for report in ["a.jsonl", "link"] {
        let (status, messages) = run("a.jsonl", report);
        assert_eq!((status, fs::read_to_string(path("a.jsonl")).unwrap().as_str()), (Some(1), log));
        assert!(messages.contains("it is one of the logs; name another file"), "{messages}");
    }
    assert_eq!(run("empty.jsonl", "report").0, Some(1));
    assert_eq!(fs::read_to_string(path("report")).unwrap(), "earlier");
    assert_eq!(run("a.jsonl", "report").0, Some(0));
    let report: Value = serde_json::from_str(&fs::read_to_string(path("report")).unwrap()).unwrap();
    assert_eq!(report["totals"]["events"], 1);
    fs::write(path("report"), "earlier").unwrap();
    std::os::unix::fs::symlink("report", path("latest")).unwrap();
    assert_eq!(run("a.jsonl", "latest").0, Some(0));
    assert!(path("latest").is_symlink() && fs::read_to_string(path("report")).unwrap().starts_with('{'));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5, "no temporary file");
}

#[test]
fn standard_input_is_analyzed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log"), "src_ip,timestamp\n203.0.113.5,1700000000\n").unwrap();
    let input = fs::File::open(folder.path().join("log")).unwrap();
    let output = program(["analyze", "-"]).stdin(input).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("1 violation: 1 packet, "));
}

// ---- Threats, from the packets to the report -----------------------------------------------------------------------------

const SWEEPER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
const SCANNER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 11);
const FLOODER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 12);
const OFFENDER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 13);
const FLOODED: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 1);

/// Times in microseconds, with packets.
type Timed = Vec<(u64, Vec<u8>)>;

/// A refused connection: SYN and RST.
fn refused(time: u64, source: Ipv4Addr, target: Ipv4Addr, port: u16) -> Timed {
    let packet = |from, to, above: Transport| Ipv4::carrying(above).between(from, to).build();
    vec![
        (time, packet(source, target, tcp(40_000, port, 0x02, b""))),
        (time + 100, packet(target, source, tcp(port, 40_000, 0x14, b""))),
    ]
}

/// A sweep of 60 hosts, a scan of 150 ports, a flood of 3,000 packets per second for 4 s, and a source that comes four
/// times. Scans end within two seconds: most of their packets have no event.
fn attack(folder: &Path) -> PathBuf {
    let sweep = (1..=60).flat_map(|host| refused(u64::from(host) * 20_000, SWEEPER, Ipv4Addr::new(10, 0, 0, host), 23));
    let scan =
        (1..=150).flat_map(|port| refused(5_000_000 + u64::from(port) * 10_000, SCANNER, [10, 0, 1, 1].into(), port));
    let flood = (0..12_000_u64).map(|number| {
        let datagram = udp(20_000 + number as u16, 9, &[0; 8]);
        (10_000_000 + number * 1_000 / 3, Ipv4::carrying(datagram).between(FLOODER, FLOODED).build())
    });
    let visits =
        (0..4).flat_map(|visit| refused(visit * 1_000_000_000 + 30_000_000, OFFENDER, [10, 0, 3, 1].into(), 443));
    let mut packets: Timed = sweep.chain(scan).chain(flood).chain(visits).collect();
    packets.sort();
    let add = |file: Savefile, (time, packet): &(u64, Vec<u8>)| {
        let seconds = 1_700_000_000 + (time / 1_000_000) as u32;
        file.frame_at(seconds, (time % 1_000_000) as u32, &Link::ethernet().carrying(packet))
    };
    packets.iter().fold(Savefile::new(1), add).write(folder, "attack.pcap")
}

/// Replays the attack into a log of this format; gives its path in `folder`.
fn attack_log(folder: &Path, format: &str) -> String {
    let (capture, log) = (attack(folder), format!("attack.{format}"));
    let arguments = ["replay", capture.to_str().unwrap(), "--output", "none", "--policy.permitted", "10.0.0.0/8"];
    let output =
        program(arguments).args(["--log-format", format, "--log-file", &log]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    log
}

/// The kind, address, value and basis of each threat.
fn threats(report: &Value) -> Vec<(String, String, u64, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let threats = report["threats"].as_array().unwrap().iter();
    threats
        .map(|threat| {
            let value = threat["value"].as_u64().unwrap();
            (text(&threat["kind"]), text(&threat["address"]), value, text(&threat["basis"]))
        })
        .collect()
}

/// Checks that each threat of the attack is named, with its source and its figure.
fn attack_is_found(report: &Value) {
    let found = threats(report);
    let expected = [
        ("port_scan", SCANNER, 150, "alerts"),
        ("single_port_sweep", SWEEPER, 60, "alerts"),
        ("flood", FLOODER, 3_000, "events"),
        ("flooded_target", FLOODED, 3_000, "events"),
        ("repeat_offender", OFFENDER, 4, "both"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((kind, address, value, basis), of) in expected.iter().zip(&found) {
        assert_eq!((of.0.as_str(), of.1.as_str(), of.3.as_str()), (*kind, address.to_string().as_str(), *basis));
        // The value of an alert is that of the last moment over its limit; a second of a flood begins anywhere.
        assert!((value - value / 20..=value + value / 20).contains(&of.2), "{of:?}");
    }
    let flood = &report["threats"][2]["evidence"];
    let peak = ["peak_packets_per_second", "peak_suppressed_per_second"].map(|key| flood[key].as_u64().unwrap());
    assert!(peak[1] > 2_900 && peak[1] < peak[0], "nearly all are without an event: {peak:?}");
    let offender = &report["threats"][4]["alerts"][0];
    assert_eq!(
        (&offender["kind"], &offender["episodes"], &offender["resolved"]),
        (&"policy".into(), &4.into(), &4.into())
    );
}

#[test]
fn analyze_names_each_threat_of_a_replayed_attack_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["jsonl", "json", "csv"] {
        let log = attack_log(folder.path(), format);
        let (status, report, text) = analyzed(folder.path(), &[&log]);
        assert_eq!(status, Some(0), "{text}");
        attack_is_found(&report);
        for words in
            ["targets on port 23/tcp (by alerts)", "periods of activity (by alerts and events)", "1 alert of port_scan"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}

#[test]
fn csv_log_that_lost_its_header_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let log = attack_log(folder.path(), "csv");
    let text = fs::read_to_string(folder.path().join(&log)).unwrap();
    let (header, rest) = text.split_once('\n').unwrap();
    assert!(header.starts_with("event,ts,"));
    // As after copytruncate: a header may also follow.
    let (first, last) = rest.split_at(rest.len() / 2 + rest[rest.len() / 2..].find('\n').unwrap() + 1);
    for lines in [rest.to_owned(), format!("{first}{header}\n{last}")] {
        fs::write(folder.path().join("rest.csv"), lines).unwrap();
        let (status, report, text) = analyzed(folder.path(), &["rest.csv"]);
        assert_eq!((status, &report["totals"]["broken_lines"]), (Some(0), &0.into()), "{text}");
        attack_is_found(&report);
    }
}

#[test]
fn order_in_which_rotated_logs_are_named_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let log = attack_log(folder.path(), "jsonl");
    let text = fs::read_to_string(folder.path().join(&log)).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let third = lines.len() / 3;
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("a.jsonl", lines[2 * third..].concat().as_bytes());
    write("b.jsonl.1", lines[third..2 * third].concat().as_bytes());
    write("c.jsonl.2.gz", &Form::Gzip.of(lines[..third].concat().as_bytes()));
    let in_order = ["c.jsonl.2.gz", "b.jsonl.1", "a.jsonl"];
    let (_, expected, _) = analyzed(folder.path(), &in_order);
    attack_is_found(&expected);
    let names: Vec<&str> =
        expected["logs"].as_array().unwrap().iter().map(|log| log["name"].as_str().unwrap()).collect();
    assert_eq!(names, in_order);
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (status, report, _) = analyzed(folder.path(), &order.map(|at| in_order[at]));
        assert_eq!((status, &report), (Some(0), &expected), "{order:?}");
    }
    // Standard input cannot be read twice.
    let input = fs::File::open(folder.path().join("b.jsonl.1")).unwrap();
    let output = program(["analyze", "a.jsonl", "-", "c.jsonl.2.gz", "--export-report", "report.json"])
        .current_dir(folder.path())
        .stdin(input)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(report["logs"][1]["name"], "standard input");
    assert_eq!((&report["totals"], threats(&report)), (&expected["totals"], threats(&expected)));
}
