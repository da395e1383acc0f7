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
use common::exporter::{Exporter, program, wait_for};
use common::exposition::{parse, sum};
use common::ip::{Ipv4, udp};
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

#[test]
fn replay_writes_logs_whose_analyses_are_equal() {
    let folder = tempfile::tempdir().unwrap();
    let reports = ["json", "jsonl", "csv"].map(|format| {
        let mut report = logged(folder.path(), format, &format!("events.{format}"));
        assert_eq!(report["logs"][0]["format"], format);
        report["logs"] = Value::Null;
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

#[test]
fn log_that_nothing_reads_does_not_stop_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let file = alerts_from(folder.path(), 1);
    let arguments = ["-promHTTP", "127.0.0.1:0", "-r", file.to_str().unwrap(), "--log-format", "csv", "--log-file"];
    let exporter = Exporter::spawn_onto(program(arguments).arg(&pipe).args(LIMIT), 1, Stdio::null());
    exporter.is_ready();
    let families = parse(&get(exporter.address(), "/metrics"));
    assert_eq!(sum(&families, "trafficmonitor_alerts_total", None), u64::from(SOURCES));
    exporter.signal("TERM");
    let (status, messages) = exporter.ended();
    assert_eq!(status.code(), Some(0), "{messages}");
}

#[test]
fn log_that_cannot_be_opened_ends_the_start() {
    let output =
        program(["-r", "/dev/null", "-promHTTP", "127.0.0.1:0", "--log-file", "/missing/log"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.ends_with("/missing/log: cannot open the event log: No such file or directory (os error 2)\n"),
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
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "no temporary file");
}

#[test]
fn standard_input_is_analyzed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log"), "src_ip,timestamp\n203.0.113.5,1700000000\n").unwrap();
    let input = fs::File::open(folder.path().join("log")).unwrap();
    let output = program(["analyze", "-"]).stdin(input).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("1 violations: 1 packets"));
}
