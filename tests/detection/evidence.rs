//! Evidence files prove their alerts: a file that says its window is complete raises the alert again.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use trafficmonitor::account::{self, interval::Interval, ledger::Ledger};
use trafficmonitor::alert::{self, AlertSink, Change, EvidenceIndex};
use trafficmonitor::capture::savefile::Savefile;
use trafficmonitor::decode::Decoder;
use trafficmonitor::detect::{self, Detectors, anomaly, bandwidth};
use trafficmonitor::events::json;
use trafficmonitor::evidence::{
    Config, DetectionFacts, Evidence, EvidenceSender, EvidenceSetup, FiguresReader, PacketRecorder, PacketSource,
    RecordedPacket, RecorderSettings,
};
use trafficmonitor::locality::{self, Classifier};
use trafficmonitor::packet::{Frame, LinkType, Packet, Timestamp};
use trafficmonitor::pipeline::alarms::Alarms;
use trafficmonitor::pipeline::replay::Replay;

use super::Capture;
use super::common::replay::replay;
use super::groups::{Network, sweep};
use super::traffic::{ACK, SYN, Traffic, at, later};

/// Packets that are handed over at once.
const CHUNK_PACKETS: u64 = 2_000;
/// Time for what takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(60);

/// A capture as a capture thread would see it: packets until an alert changes, then the change.
struct Feed {
    frames: Vec<(i64, Vec<u8>, u32)>,
    next: usize,
    recorder: PacketRecorder,
    sender: EvidenceSender,
    figures: FiguresReader,
    fed: u64,
}

impl Feed {
    fn until(&mut self, time: Timestamp) {
        let decoder = Decoder::new(LinkType(1)).unwrap();
        while let Some((at, bytes, wire_bytes)) = self.frames.get(self.next)
            && *at <= time.nanoseconds()
        {
            let packet = RecordedPacket { time: Timestamp::from_nanoseconds(*at), bytes, wire_bytes: *wire_bytes };
            let frame = Frame::new(packet.time, bytes, *wire_bytes);
            match decoder.decode(&frame) {
                Ok(decoded) => record(&mut self.recorder, packet, &frame, &decoder, &decoded),
                Err(reason) => {
                    let resolution = decoder.arp_resolution(&frame, reason);
                    resolution.iter().for_each(|found| {
                        self.recorder.note(found.asker);
                        self.recorder.note(found.target);
                    });
                    self.recorder.record_other(packet);
                }
            }
            (self.next, self.fed) = (self.next + 1, self.fed + 1);
            if self.fed.is_multiple_of(CHUNK_PACKETS) {
                self.hand_over();
            }
        }
        self.hand_over();
    }

    /// Hands over, and waits until the ring has it: a file is read faster than an interface.
    fn hand_over(&mut self) {
        self.recorder.hand_over();
        let deadline = Instant::now() + DEADLINE;
        while self.figures.read().kept_packets < self.fed {
            assert!(Instant::now() < deadline, "the evidence thread does not keep packets");
            std::thread::yield_now();
        }
    }
}

fn record(
    recorder: &mut PacketRecorder,
    packet: RecordedPacket<'_>,
    frame: &Frame<'_>,
    decoder: &Decoder,
    decoded: &Packet,
) {
    let neighbor = decoded.icmp_type.and_then(|kind| decoder.neighbor_resolution(frame, decoded.protocol, kind));
    neighbor.iter().for_each(|found| {
        recorder.note(found.asker);
        recorder.note(found.target);
    });
    recorder.record(packet, &decoded.addresses);
}

impl AlertSink for Feed {
    fn notify(&mut self, change: &Change) {
        // The verdict is given when the cell of its last packet has ended.
        let alert = change.alert();
        self.until(alert.ends_at.unwrap_or(alert.starts_at) + Duration::from_secs(1));
        self.sender.notify(change);
    }
}

fn describe(change: &Change) -> String {
    let mut line = Vec::new();
    json::write(change, false, &mut line).unwrap();
    String::from_utf8(line).unwrap()
}

fn read(file: &Path) -> Vec<(i64, Vec<u8>, u32)> {
    let mut frames = Vec::new();
    let mut savefile = Savefile::open(file, None).unwrap();
    let keep = |_, frame: Frame<'_>| {
        frames.push((frame.time.nanoseconds(), frame.captured.to_vec(), frame.wire_bytes));
    };
    savefile.read(usize::MAX, keep).unwrap();
    frames
}

/// Runs the detectors over a capture, with evidence in `archive`.
fn collect(file: &Path, archive: &Path, config: Config, detect: &detect::Config, configuration: &str) {
    let anomaly_history = Duration::from_secs(3_600);
    let detection = DetectionFacts { configuration: configuration.to_owned(), anomaly_history };
    let setup = EvidenceSetup {
        host: "test".to_owned(),
        version: "0".to_owned(),
        detection: detection.into(),
        index: EvidenceIndex::default(),
        kept_bytes: 256,
        describe_alert: describe,
    };
    let evidence = Evidence::start(Config { archive_dir: Some(archive.to_owned()), ..config }, setup).unwrap();
    let source = PacketSource { interface: "eth0".to_owned(), link_type: LinkType(1), snap_length: 65_535 };
    let feed = Feed {
        frames: read(file),
        next: 0,
        recorder: RecorderSettings::new(evidence.sender(), 256).recorder(source),
        sender: evidence.sender(),
        figures: evidence.figures(),
        fed: 0,
    };
    let classifier = Arc::new(Classifier::new(&locality::Config::default(), []));
    let mut alarms = Alarms::new(Detectors::new(detect, 1, None), &alert::Config::default(), feed);
    alarms.set_classifier(&classifier);
    let mut replay = Replay::new(
        Ledger::new(&account::Config::default(), 1),
        alarms,
        || Interval::new(Arc::clone(&classifier), 1),
        1,
    )
    .unwrap();
    replay.read(file, None, |_| ControlFlow::Continue(())).unwrap();
    let (_, alarms) = replay.finish().unwrap();
    let mut feed = alarms.resolve();
    feed.until(Timestamp::AFTER_ALL);
    drop(feed);
    assert!(evidence.finish(Instant::now() + DEADLINE), "the files are finished");
}

/// The verdicts in an archive, with their capture files.
fn verdicts(archive: &Path) -> Vec<(PathBuf, Value)> {
    let entries = std::fs::read_dir(archive).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    let read = |path: PathBuf| {
        let verdict = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        (path.with_extension("pcapng"), verdict)
    };
    files.into_iter().map(read).collect()
}

/// The fingerprints of the alerts that a file raises with the configuration that its verdict names.
fn raised(file: &Path, verdict: &Value) -> Vec<String> {
    let configuration = file.with_file_name(verdict["configuration"].as_str().unwrap());
    let arguments = [file, Path::new("--config.file"), &configuration, Path::new("--output"), Path::new("alerts")];
    let run = replay(arguments);
    run.lines().iter().map(|line| line["fingerprint"].as_str().unwrap().to_owned()).collect()
}

/// Each complete window raises its alert. Gives the numbers of files and of complete windows.
fn complete_windows_raise_their_alert(archive: &Path) -> (usize, usize) {
    let all = verdicts(archive);
    let complete: Vec<_> = all.iter().filter(|(_, verdict)| verdict["window"]["complete"] == true).collect();
    let mut silent = Vec::new();
    for (file, verdict) in &complete {
        let fingerprint = verdict["alert"]["fingerprint"].as_str().unwrap();
        if !raised(file, verdict).iter().any(|raised| raised == fingerprint) {
            silent.push(format!("{}: {}", file.display(), verdict["explanation"]));
        }
    }
    assert!(silent.is_empty(), "{} of {} raise no alert:\n{}", silent.len(), complete.len(), silent.join("\n"));
    (all.len(), complete.len())
}

fn whole_ring() -> Config {
    Config { ring_bytes: Some(1 << 30), ..Config::default() }
}

#[test]
fn evidence_of_scanners_raises_the_same_alerts_again() {
    let capture = Capture::new(1);
    println!("{}", capture.says());
    let archive = tempfile::tempdir().unwrap();
    let configuration = "log: {level: info}\n";
    let detect = detect::Config::default().for_alerts_alone();
    collect(&capture.file, archive.path(), whole_ring(), &detect, configuration);
    let (files, complete) = complete_windows_raise_their_alert(archive.path());
    println!("{files} files, {complete} complete");
    assert!(files > 20 && complete * 10 > files * 9, "{complete} of {files} windows are complete");
    let subjects = subjects(archive.path());
    let has = |kind: &str| subjects.iter().any(|subject| subject.starts_with(kind));
    assert!(has("host_scan ") && has("port_scan "), "{subjects:?}");
}

/// The verdict of the only file in an archive.
fn only_verdict(archive: &Path) -> Value {
    let all = verdicts(archive);
    let [(_, verdict)] = all.as_slice() else { panic!("{all:?}") };
    verdict.clone()
}

/// A slow scanner that nothing answers and that has forgotten connections, among hosts that talk to each other.
fn slow_scan() -> Traffic {
    let address = |text: &str| text.parse().unwrap();
    let mut traffic = Traffic::default();
    for number in 0..40_u8 {
        let time = at(f64::from(number) * 8.0);
        traffic.tcp(
            time,
            (address("10.0.0.5"), 50_000 + u16::from(number)),
            ([198, 51, 100, number].into(), 22),
            SYN,
            0,
        );
        // Single packets of conversations that go on: where nothing answers, they blind an interface.
        let forgotten = (address("10.0.0.5"), 60_000 + u16::from(number));
        traffic.tcp(later(time, 0.5), forgotten, ([203, 0, 113, number].into(), 80), ACK, 0);
        let (client, server) = ((address("10.0.0.6"), 40_000 + u16::from(number)), (address("192.0.2.1"), 443));
        traffic.tcp(later(time, 1.0), client, server, SYN, 0);
        traffic.tcp(later(time, 1.01), server, client, SYN | ACK, 0);
        traffic.tcp(later(time, 1.02), client, server, ACK, 200);
    }
    traffic.sorted()
}

#[test]
fn evidence_of_a_silent_scan_shows_that_answers_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let file = slow_scan().write(folder.path(), "slow.pcap");
    // The packets of the scanner alone could come from an interface that shows no answers: they raise nothing.
    let alone = replay([file.to_str().unwrap(), "-filter", "host 10.0.0.5", "--output", "alerts"]);
    assert_eq!(alone.lines(), [Value::Null; 0]);
    let archive = folder.path().join("archive");
    let detect = detect::Config::default().for_alerts_alone();
    collect(&file, &archive, whole_ring(), &detect, "log: {level: info}\n");
    assert_eq!(complete_windows_raise_their_alert(&archive), (1, 1));
    let verdict = only_verdict(&archive);
    assert_eq!(verdict["alert"]["kind"], "host_scan");
    assert!(verdict["file"]["packets"].as_u64().unwrap() < 140, "a few packets of others: {verdict}");
}

/// Two minutes of two sources with a burst after 80 s, among so many packets of another one each second.
fn burst(others: u32) -> Traffic {
    let mut traffic = Traffic::default();
    let [source, of_office, other, destination] =
        ["10.0.0.5", "10.7.0.5", "10.0.0.6", "192.0.2.1"].map(|text| (text.parse().unwrap(), 1_000_u16));
    for second in 0..120_u32 {
        let time = at(f64::from(second));
        let payload = if second == 80 { 60_000 } else { 100 + (second % 7) as u16 };
        traffic.udp(time, source, destination, payload);
        traffic.udp(time, of_office, other, payload);
        (0..others).for_each(|number| traffic.udp(later(time, 0.001 * f64::from(number)), other, destination, 100));
    }
    traffic.sorted()
}

/// Detection of a burst, with the same settings as a configuration.
fn detection_of_bursts() -> (detect::Config, &'static str) {
    let bandwidth = bandwidth::Config {
        limit_bytes: 50_000,
        interval: Duration::from_secs(20),
        direction: bandwidth::BandwidthDirection::Both,
        networks: vec![bandwidth::NetworkLimit {
            network: "10.7.0.0/24".parse().unwrap(),
            limit_bytes: 55_000,
            interval: Some(Duration::from_secs(10)),
            rule: Some("office".to_owned()),
            total: true,
        }],
        ..Default::default()
    };
    let anomaly = anomaly::Config { alerts: true, ..Default::default() };
    let detect = detect::Config { bandwidth: Some(bandwidth), anomaly: Some(anomaly), ..detect::Config::default() };
    let configuration = "anomaly: {alerts: true}\nbandwidth:\n  {limit: 50000, interval: 20, direction: both, networks: \
         [{network: 10.7.0.0/24, limit: 55000, interval: 10s, rule: office, total: true}]}\n";
    (detect.for_alerts_alone(), configuration)
}

/// Kind and subject of each alert in an archive.
fn subjects(archive: &Path) -> BTreeSet<String> {
    let subject = |(_, verdict): &(PathBuf, Value)| {
        let ends = ["src", "dst", "network"].map(|key| verdict["alert"][key].as_str().unwrap_or("-"));
        format!("{} {}", verdict["alert"]["kind"].as_str().unwrap(), ends.join(" "))
    };
    verdicts(archive).iter().map(subject).collect()
}

#[test]
fn evidence_of_bandwidth_and_of_an_anomaly_raises_the_same_alerts_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = burst(1).write(folder.path(), "burst.pcap");
    let (detect, configuration) = detection_of_bursts();
    let archive = folder.path().join("archive");
    collect(&file, &archive, whole_ring(), &detect, configuration);
    let expected = [
        "anomaly 10.0.0.5 192.0.2.1 -",
        "anomaly 10.7.0.5 10.0.0.6 -",
        "bandwidth 10.0.0.5 - -",
        "bandwidth - 10.0.0.6 -",
        "bandwidth - 192.0.2.1 -",
        "bandwidth - - 10.7.0.0/24",
    ];
    assert_eq!(subjects(&archive), expected.map(str::to_owned).into());
    assert_eq!(complete_windows_raise_their_alert(&archive), (expected.len(), expected.len()));
}

#[test]
fn evidence_of_an_anomaly_whose_past_has_left_the_ring_is_not_called_complete() {
    let folder = tempfile::tempdir().unwrap();
    let file = burst(100).write(folder.path(), "burst.pcap");
    let (detect, configuration) = detection_of_bursts();
    let archive = folder.path().join("archive");
    let small = Config { ring_bytes: Some(500 << 10), ..Config::default() };
    collect(&file, &archive, small, &detect, configuration);
    let all = verdicts(&archive);
    let anomalies: Vec<&Value> =
        all.iter().map(|(_, verdict)| verdict).filter(|verdict| verdict["alert"]["kind"] == "anomaly").collect();
    assert!(!anomalies.is_empty(), "{:?}", subjects(&archive));
    for verdict in anomalies {
        assert_eq!(verdict["window"]["complete"], false, "{verdict:#}");
        let reason = "the rule compares with traffic from before the ring";
        assert!(verdict["window"]["reasons"].as_array().unwrap().contains(&reason.into()), "{verdict:#}");
    }
}

#[test]
fn evidence_of_sources_that_scan_together_raises_the_same_alert_again() {
    let folder = tempfile::tempdir().unwrap();
    for (network, prefix) in [(Network::Outside4, "198.51.100.0/24"), (Network::Outside6, "2001:db8:7:9::/64")] {
        let file = sweep(network, 20, 10).write(folder.path(), "group.pcap");
        let archive = folder.path().join(prefix.replace(['/', ':'], "_"));
        let detect = detect::Config::default().for_alerts_alone();
        collect(&file, &archive, whole_ring(), &detect, "log: {level: info}\n");
        assert_eq!(subjects(&archive), [format!("group_scan - - {prefix}")].into());
        assert_eq!(complete_windows_raise_their_alert(&archive), (1, 1));
    }
}

#[test]
fn evidence_of_a_small_ring_is_not_called_complete_and_proves_what_it_calls_complete() {
    let capture = Capture::new(1);
    println!("{}", capture.says());
    let archive = tempfile::tempdir().unwrap();
    let detect = detect::Config::default().for_alerts_alone();
    let small = Config { ring_bytes: Some(300 << 10), ..Config::default() };
    collect(&capture.file, archive.path(), small, &detect, "log: {level: info}\n");
    let (files, complete) = complete_windows_raise_their_alert(archive.path());
    println!("{files} files, {complete} complete");
    assert!(files > 20 && complete < files, "{complete} of {files}");
}
