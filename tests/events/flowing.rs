//! The event log of the running program while violations go on: rotated, and killed.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::common::client::get;
use super::common::exporter::{Exporter, program, wait_for};
use super::common::exposition::{Family, parse, sum};
use super::common::ip::{Ipv4, udp};
use super::common::link::Link;
use super::common::savefile::Savefile;

/// Nothing that is sent here is permitted.
const POLICY: [&str; 2] = ["--policy.permitted", "192.0.2.0/24"];
/// Sources by turns. A tenth of all packets are of the first, more than it may cause events.
const SOURCES: u32 = 4_000;
/// Packets in a second of packet time.
const PER_SECOND: u32 = 20_000;
/// Packets that are written to the program at once.
const BATCH: u32 = 500;
const ROTATIONS: u32 = 4;
/// Number of kills in a test; more with this variable.
const KILLS: (&str, u32) = ("EVENT_LOG_TEST_KILLS", 12);
/// Kills come at most so long after the first event is in the log.
const LONGEST_LIFE: Duration = Duration::from_millis(150);

/// The records of a capture file: a batch of packets by number, and before the first its header.
fn records(first: u32) -> Vec<u8> {
    let packet = |number: u32| {
        let source = Ipv4Addr::from_bits(0x0a08_0000 + if number.is_multiple_of(10) { 0 } else { number % SOURCES });
        let packet = Ipv4::carrying(udp(1_024 + (number % 50_000) as u16, 9, &[0; 20]));
        Link::ethernet().carrying(&packet.between(source, Ipv4Addr::new(10, 9, 0, 1)).build())
    };
    let time = |number: u32| (1_700_000_000 + number / PER_SECOND, number % PER_SECOND * (1_000_000 / PER_SECOND));
    let add = |file: Savefile, number| file.frame_at(time(number).0, time(number).1, &packet(number));
    let bytes = (first..first + BATCH).fold(Savefile::new(1), add).build();
    if first == 0 { bytes } else { bytes[24..].to_vec() }
}

/// Packets without end into the program's input, as fast as it reads them.
struct Feeder {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u32>,
}

impl Feeder {
    fn start(mut input: std::io::PipeWriter) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut sent = 0;
            // A killed program ends it too.
            while !is_over.load(Ordering::Acquire) && input.write_all(&records(sent)).is_ok() {
                sent += BATCH;
            }
            sent
        });
        Self { stop, thread }
    }

    /// Ends the input; gives how many packets were sent.
    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap().into()
    }
}

/// The program reading from a pipe, with an event log in its folder.
fn command(folder: &Path, format: &str, log: &Path) -> (Command, std::io::PipeWriter) {
    let (reader, input) = std::io::pipe().unwrap();
    let mut command = program(["-promHTTP", "127.0.0.1:0", "-r", "-", "--log-format", format, "--log-file"]);
    command.arg(log).args(POLICY).current_dir(folder).stdin(Stdio::from(reader));
    (command, input)
}

struct Flowing {
    folder: TempDir,
    log: PathBuf,
    exporter: Exporter,
    feeder: Feeder,
}

impl Flowing {
    fn start(format: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("events.log");
        let (mut command, input) = command(folder.path(), format, &log);
        let exporter = Exporter::spawn_onto(&mut command, 1, Stdio::null());
        // The program alone has the reading end now, so that its end is seen.
        drop(command);
        Self { folder, log, exporter, feeder: Feeder::start(input) }
    }

    fn metrics(&self) -> Vec<Family> {
        parse(&get(self.exporter.address(), "/metrics"))
    }

    fn written(&self) -> u64 {
        sum(&self.metrics(), "trafficmonitor_events_written_total", None)
    }

    /// Waits until so many further events are written, or more.
    fn wait_for_more(&self, more: u64) {
        let enough = self.written() + more;
        wait_for("events", || (self.written() >= enough).then_some(()));
    }

    /// Ends the input; returns once all packets are counted.
    fn end_input(self) -> Counted {
        let sent = self.feeder.stop();
        let mut exporter = self.exporter;
        exporter.line_with("the capture file is read");
        let all = |families: &[Family]| {
            sum(families, "trafficmonitor_policy_event_packets_total", None)
                + sum(families, "trafficmonitor_policy_events_suppressed_total", None)
        };
        let families = || Some(parse(&get(exporter.address(), "/metrics")));
        let families = wait_for("all packets", || families().filter(|families| all(families) >= sent));
        assert_eq!(all(&families), sent, "each packet has an event or is suppressed");
        Counted { folder: self.folder, exporter, sent, families }
    }
}

/// The program after its input has ended.
struct Counted {
    folder: TempDir,
    exporter: Exporter,
    /// Number of packets.
    sent: u64,
    families: Vec<Family>,
}

impl Counted {
    fn figure(&self, name: &str) -> u64 {
        sum(&self.families, &format!("trafficmonitor_{name}"), None)
    }

    /// Ends the program once the files have all violations; gives these.
    fn end_with_all_events(self, files: &[PathBuf]) -> Vec<Value> {
        let written = |file| fs::read_to_string(file).unwrap().matches(r#""event":"violation""#).count() as u64;
        let total = self.figure("policy_events_total");
        wait_for("all events", || (files.iter().map(written).sum::<u64>() >= total).then_some(()));
        let _folder = self.end();
        files.iter().flat_map(|file| violations(file)).collect()
    }

    /// Ends the program; gives its folder.
    fn end(self) -> TempDir {
        self.exporter.signal("TERM");
        let (status, messages) = self.exporter.ended();
        assert_eq!(status.code(), Some(0), "{messages}");
        self.folder
    }
}

/// The violations of a file of JSON lines, every line of which must be whole.
fn violations(path: &Path) -> Vec<Value> {
    let bytes = fs::read(path).unwrap();
    assert!(!bytes.contains(&0), "{}: a hole", path.display());
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "{}: a torn line", path.display());
    let text = String::from_utf8(bytes).unwrap();
    let read =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}: {line}", path.display()));
    text.lines().map(read).filter(|event: &Value| event["event"] == "violation").collect()
}

#[test]
fn renames_with_hangups_lose_no_event_while_events_flow() {
    let flowing = Flowing::start("jsonl");
    let mut files = Vec::new();
    for number in 1..=ROTATIONS {
        flowing.wait_for_more(2_000);
        let old = flowing.folder.path().join(format!("events.log.{number}"));
        fs::rename(&flowing.log, &old).unwrap();
        flowing.exporter.signal("HUP");
        wait_for("a new file", || flowing.log.exists().then_some(()));
        files.push(old);
    }
    flowing.wait_for_more(2_000);
    files.push(flowing.log.clone());
    let counted = flowing.end_input();
    let suppressed = counted.figure("policy_events_suppressed_total");
    assert!(suppressed > 0, "no packet was suppressed");
    let (total, of_packets) = (counted.figure("policy_events_total"), counted.figure("policy_event_packets_total"));
    let sent = counted.sent;
    let events = counted.end_with_all_events(&files);
    let packets: u64 = events.iter().map(|event| event["packets"].as_u64().unwrap()).sum();
    assert_eq!(events.len() as u64, total);
    assert_eq!(packets, of_packets);
    assert_eq!(packets + suppressed, sent);
    let distinct: BTreeSet<String> = events.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), events.len(), "an event twice");
}

/// `logrotate` copies and then truncates: what is written between the two is lost, and all else is whole.
#[test]
#[ignore = "needs root: logrotate refuses files of others"]
fn copytruncate_leaves_no_hole_and_no_torn_line_while_events_flow() {
    let flowing = Flowing::start("jsonl");
    for _ in 0..ROTATIONS {
        flowing.wait_for_more(2_000);
        super::logrotate(flowing.folder.path(), &flowing.log, "copytruncate", "");
    }
    flowing.wait_for_more(2_000);
    let log = flowing.log.clone();
    let counted = flowing.end_input();
    let total = counted.figure("policy_events_total");
    let folder = counted.end();
    let mut events = violations(&log).len();
    assert!(events >= 2_000, "{events} events since the last rotation");
    for number in 1..=ROTATIONS {
        let copy = folder.path().join(format!("events.log.{number}"));
        // A copy may end amid the write that it raced with; logrotate then truncates the rest away.
        let bytes = fs::read(&copy).unwrap();
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        fs::write(&copy, &bytes[..end]).unwrap();
        events += violations(&copy).len();
    }
    assert!(events as u64 <= total, "an event twice");
}

// ---- Kills -----------------------------------------------------------------------------------------------------------

/// Killed when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Runs the program until it is killed, at a moment from the first event on.
fn run_until_killed(folder: &Path, format: &str, log: &Path, life: Duration) {
    let (mut command, input) = command(folder, format, log);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    let mut child = Killed(child);
    let feeder = Feeder::start(input);
    let size = || fs::metadata(log).map_or(0, |metadata| metadata.len());
    let empty = if format == "csv" { 300 } else { 10 };
    wait_for("events", || (size() > empty).then_some(()));
    std::thread::sleep(life);
    assert!(child.0.try_wait().unwrap().is_none(), "it ended by itself");
    drop(child);
    feeder.stop();
}

/// Sources of the events in a log, line by line; a line that does not parse fails.
fn sources(format: &str, text: &str) -> Vec<String> {
    let source = |value: Value| value["src"].as_str().unwrap_or_else(|| panic!("no source: {value}")).to_owned();
    let json = |line: &str| source(serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    match format {
        "csv" => {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let at = reader.headers().unwrap().iter().position(|name| name == "src").unwrap();
            reader.records().map(|record| record.unwrap()[at].to_owned()).collect()
        }
        "json" => text
            .lines()
            .map(|line| line.trim_matches([',', '[', ']']))
            .filter(|line| !line.is_empty())
            .map(json)
            .collect(),
        _ => text.lines().map(json).collect(),
    }
}

/// A log without the line that was cut off, if one was.
fn whole_lines(log: &Path) -> String {
    let text = String::from_utf8(fs::read(log).unwrap()).unwrap();
    let end = text.rfind('\n').map_or(0, |at| at + 1);
    let (whole, rest) = text.split_at(end);
    // The array of JSON has its end without the end of a line.
    if rest == "]" { text } else { whole.to_owned() }
}

/// The next run goes on behind what was cut off.
fn goes_on(folder: &Path, format: &str, log: &Path) {
    let file = folder.join("next.pcap");
    fs::write(&file, records(0)).unwrap();
    let mut next =
        program(["replay", file.to_str().unwrap(), "--output", "none", "--log-format", format, "--log-file"]);
    let output = next.arg(log).args(POLICY).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn every_whole_line_of_the_killed_program_parses() {
    let kills = std::env::var(KILLS.0).ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS.1);
    let mut state = u64::from(std::process::id()) + 1;
    println!("seed {state}");
    let (mut events, mut torn) = (0, 0);
    for number in 0..kills {
        let format = ["jsonl", "csv", "json"][number as usize % 3];
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("events.log");
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let life = LONGEST_LIFE.mul_f64((state >> 40) as f64 / (1_u64 << 24) as f64);
        run_until_killed(folder.path(), format, &log, life);
        let whole = whole_lines(&log);
        let before = sources(format, &whole);
        assert!(!before.is_empty(), "{format}: no event");
        let is_torn = whole.len() as u64 != fs::metadata(&log).unwrap().len();
        torn += u32::from(is_torn);
        events += before.len();
        goes_on(folder.path(), format, &log);
        let text = fs::read_to_string(&log).unwrap();
        // The array of JSON is repaired; in the other forms a torn line stays, with an end.
        let behind = if format == "json" {
            let array: Vec<Value> = serde_json::from_str(&text).unwrap();
            assert_eq!(sources(format, &text)[..before.len()], before, "{} events", array.len());
            array.len() - before.len()
        } else {
            assert!(text.starts_with(&whole), "{format}: the log was changed");
            text[whole.len()..].lines().count() - usize::from(is_torn)
        };
        assert!(behind as u32 > BATCH / 2, "{format}: {behind} events behind those of the killed program");
    }
    println!("{events} events in the logs of {kills} killed programs, {torn} with a torn line");
    assert!(events > 1_000, "{events} events");
}
