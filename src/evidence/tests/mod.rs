//! Tests of this room as a whole, and what its tests share.

mod archive;
mod collecting;
mod faults;
mod frames;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::alert::tests::alert as firing;
use crate::alert::{Alert, AlertState, EvidenceIndex};
use crate::capture::savefile::Savefile;
use crate::detect::{Figures, Kind, Subject};
use crate::packet::LinkType;
pub(super) use frames::{ETHERNET, FIN, SYN, tcp};

/// Time for what takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(60);

pub(super) fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_nanoseconds(seconds * 1_000_000_000)
}

/// An alert with a window of 60 s, which fires at second 100.
pub(super) fn alert(kind: Kind, subject: Subject) -> Alert {
    let window = Duration::from_secs(60);
    firing(kind, subject, Figures { value: 16.0, limit: 15.0, window, ..Figures::default() })
}

pub(super) fn resolved(alert: &Alert, second: i64) -> Change {
    Change::Resolved(Alert { state: AlertState::Resolved, ends_at: Some(seconds(second)), ..alert.clone() })
}

pub(super) fn source(link_type: i32) -> PacketSource {
    PacketSource { interface: "eth0".to_owned(), link_type: crate::packet::LinkType(link_type), snap_length: 262_144 }
}

/// A chunk of packets, by second.
pub(super) fn chunk(interface: &str, packets: &[(i64, &[u8])]) -> Chunk {
    filled(interface, |recorder| {
        packets.iter().for_each(|(second, bytes)| recorder.record_other(recorded(seconds(*second), bytes)));
    })
}

/// A chunk with a packet about an address.
pub(super) fn chunk_about(address: IpAddr, second: i64) -> Chunk {
    filled("eth0", |recorder| {
        recorder.note(address);
        recorder.record_other(recorded(seconds(second), &[0; 60]));
    })
}

fn filled(interface: &str, fill: impl FnOnce(&mut PacketRecorder)) -> Chunk {
    let (sender, messages) = channel();
    let source = PacketSource { interface: interface.to_owned(), ..source(1) };
    let mut recorder = PacketRecorder::new(source, 65_535, EvidenceSender::new(sender, Arc::default()));
    fill(&mut recorder);
    recorder.hand_over();
    match messages.recv().unwrap() {
        Message::Packets(chunk) => chunk,
        other => panic!("{other:?}"),
    }
}

fn recorded(time: Timestamp, bytes: &[u8]) -> RecordedPacket<'_> {
    RecordedPacket { time, bytes, wire_bytes: bytes.len() as u32 }
}

/// Running threads with a recorder.
struct Run {
    evidence: Evidence,
    recorder: PacketRecorder,
    index: EvidenceIndex,
}

impl Run {
    fn start(archive: &Path, config: Config) -> Self {
        let index = EvidenceIndex::default();
        let detection =
            DetectionFacts { configuration: "scan: {}\n".to_owned(), anomaly_history: Duration::from_secs(60) };
        let setup = EvidenceSetup {
            host: "host".to_owned(),
            version: "1.2.3".to_owned(),
            detection: detection.into(),
            index: index.clone(),
            kept_bytes: 256,
            describe_alert: |change| {
                format!("{{\"fingerprint\":\"{}\",\"ts\":{}}}", change.alert().fingerprint, change.alert().starts_at)
            },
        };
        let config = Config { archive_dir: Some(archive.to_owned()), ..config };
        let evidence = Evidence::start(config, setup).unwrap();
        let recorder = PacketRecorder::new(source(ETHERNET), 65_535, evidence.sender());
        Self { evidence, recorder, index }
    }

    fn record(&mut self, second: i64, frame: &[u8]) {
        let decoder = crate::decode::Decoder::new(LinkType(ETHERNET)).unwrap();
        let packet = recorded(seconds(second), frame);
        if let Some((ends, _)) = selection::ends(&decoder, &packet) {
            ends.into_iter().for_each(|end| self.recorder.note(end));
        }
        self.recorder.record_other(packet);
    }

    /// A packet from one address to another, in a chunk of its own.
    fn send(&mut self, second: i64, from: [u8; 4], to: [u8; 4]) {
        self.record(second, &tcp((from, 1_000), (to, 80), SYN));
        self.recorder.hand_over();
    }

    fn fire(&self, alert: &Alert) {
        self.evidence.sender().notify(&Change::Fired(alert.clone()));
    }

    fn resolve(&self, alert: &Alert, second: i64) {
        self.evidence.sender().notify(&resolved(alert, second));
    }

    fn finish(mut self) -> EvidenceFigures {
        self.recorder.hand_over();
        let figures = self.evidence.figures();
        assert!(self.evidence.finish(Instant::now() + DEADLINE), "{:?}", figures.read());
        figures.read()
    }

    /// Waits until the figures are as expected.
    fn wait_until(&self, what: &str, is_reached: impl Fn(&EvidenceFigures) -> bool) -> EvidenceFigures {
        let figures = self.evidence.figures();
        let deadline = Instant::now() + DEADLINE;
        loop {
            let now = figures.read();
            if is_reached(&now) {
                return now;
            }
            assert!(Instant::now() < deadline, "not {what}: {now:?}");
            std::thread::yield_now();
        }
    }
}

/// The files in a directory with this ending, in the order of their names.
pub(super) fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    files.sort();
    files
}

/// The only file in a directory with this ending.
fn only(directory: &Path, ending: &str) -> PathBuf {
    let files = files(directory, ending);
    let [file] = files.as_slice() else { panic!("{files:?}") };
    file.clone()
}

fn verdict(directory: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(only(directory, ".json")).unwrap()).unwrap()
}

/// Link type, time, bytes and wire length of each packet in a file.
pub(super) fn read(file: &Path) -> Vec<(i32, Timestamp, Vec<u8>, u32)> {
    let mut packets = Vec::new();
    let mut savefile = Savefile::open(file, None).unwrap();
    let keep = |link_type: LinkType, frame: crate::packet::Frame<'_>| {
        packets.push((link_type.0, frame.time, frame.captured.to_vec(), frame.wire_bytes));
    };
    savefile.read(usize::MAX, keep).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    packets
}

/// The output of a program; none if it is not installed.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The messages at the levels `info` and above.
pub(super) struct LogLines(Arc<Mutex<Vec<String>>>);

impl LogLines {
    /// Gives the messages of this thread while it works.
    pub(super) fn of(work: impl FnOnce()) -> Vec<String> {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        tracing::subscriber::with_default(Self(Arc::clone(&lines)), work);
        std::mem::take(&mut lines.lock().unwrap())
    }

    /// Gives the messages of the process from now on. Only for a test with a process of its own.
    fn of_process() -> Arc<Mutex<Vec<String>>> {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        tracing::subscriber::set_global_default(Self(Arc::clone(&lines))).unwrap();
        lines
    }
}

impl tracing::Subscriber for LogLines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            if field.name() == "message" {
                self.0.lock().unwrap().push(format!("{value:?}"));
            }
        });
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// The seconds of the packets in a file.
fn times(file: &Path) -> Vec<i64> {
    read(file).iter().map(|(_, time, ..)| time.seconds()).collect()
}

fn address(host: u8) -> IpAddr {
    [10, 0, 0, host].into()
}
