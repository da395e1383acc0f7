//! Capture under load: 200,000 packets a second on a veth pair while 100,000 rows are scraped every second, and the
//! same without scrapes, also with packets kept, written to an evidence file and logged; CPU time of the capture thread
//! and drops of the kernel. It ends with status 1 if an evidence file costs the capture thread too much CPU, or a packet.
//!
//! `cargo bench --bench live`, as root: it makes network namespaces, and no frame leaves them. Other work on the
//! machine shows in the drops: the load average stands beside each figure.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "support/tasks.rs"]
mod tasks;
#[path = "support/wire.rs"]
mod wire;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::monitor::{Monitor, PROGRAM};
use common::namespace::{End, Namespace, connect, wait_for};
use tasks::{Times, difference, times};
use wire::{Pieces, Wire};

const RATE: u64 = 200_000;
const FLOWS: u32 = 120_000;
const ROWS: u64 = 100_000;
/// Time of each measurement, and number of measurements, in turn.
const LASTS: Duration = Duration::from_secs(10);
const ROUNDS: usize = 3;
const SCRAPE_INTERVAL: Duration = Duration::from_secs(1);
const IDLE_LASTS: Duration = Duration::from_secs(20);
/// At once, every millisecond.
const BURST: usize = 200;
const PAUSE: Duration = Duration::from_micros(500);

/// Bytes in the window of the rule that only the talker sends, so that an alert about it fires all the time.
const TALKER_LIMIT: &str = "5000000";
/// The frame of a burst that always has the same source: 1,000 packets a second.
const TALKER: usize = 1;

/// The most CPU of the capture thread with an evidence file, in parts of that without packets kept.
const MOST_WITH_EVIDENCE: f64 = 1.25;
/// The setting that this limit is for.
const WITH_EVIDENCE: &str = "ring and evidence file";

const LIMITS: &[&str] = &["-iface", "eth0", "--max-series", "100000", "--max-flows", "200000", "-promRefresh", "1"];

fn main() -> ExitCode {
    if !may_make_namespaces() {
        println!("live: SKIPPED, it needs root and leave to make network namespaces");
        return ExitCode::SUCCESS;
    }
    println!(
        "live: {RATE} packets a second of {FLOWS} flows, {ROWS} rows, every {SCRAPE_INTERVAL:?} scraped with gzip"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let paths = ["archive", "log"].map(|name| folder.path().join(name));
    paths.iter().for_each(|path| std::fs::create_dir(path).expect("a directory"));
    let [archive, log] = paths.each_ref().map(|path| path.to_str().expect("a path in UTF-8"));
    let alone = under_load("workers 1", &["-ByteLimit", TALKER_LIMIT]);
    let mut faults = Vec::new();
    for (what, arguments) in [
        ("ring", &["--evidence.ring", "64MiB"][..]),
        (WITH_EVIDENCE, &["-archive_dir", archive]),
        ("ring, evidence file and packet log", &["-archive_dir", archive, "-log_packets", "-l", log]),
    ] {
        let with = under_load(&format!("workers 1, {what}"), &[&["-ByteLimit", TALKER_LIMIT], arguments].concat());
        let more = (with.capture / alone.capture - 1.0) * 100.0;
        println!("live/{what}: without scrapes capture takes {more:+.1} % CPU (asked for: at most 25 % more)");
        if what == WITH_EVIDENCE {
            faults = faults_of_evidence(&alone, &with);
        }
    }
    under_load("workers 2", &["--capture.workers", "2"]);
    for (arguments, what) in [
        (&[][..], "default settings"),
        (&["--capture.workers", "2"][..], "two workers"),
        (&["-w", "100ms"][..], "-w 100ms"),
    ] {
        let namespaces = [Namespace::new(), Namespace::new()];
        let monitor = start(&namespaces, &[&["-iface", "eth0"], arguments].concat());
        idle(&monitor, what);
    }
    faults.iter().for_each(|fault| println!("live/{WITH_EVIDENCE}: FAILED: {fault}"));
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The sentences about limits that are exceeded while an evidence file is written.
fn faults_of_evidence(alone: &Load, with: &Load) -> Vec<String> {
    let more = (with.capture / alone.capture - 1.0) * 100.0;
    let most = (MOST_WITH_EVIDENCE - 1.0) * 100.0;
    let of_cpu = (with.capture > alone.capture * MOST_WITH_EVIDENCE)
        .then(|| format!("the capture thread takes {more:.1} % more CPU; at most {most:.0} % more are allowed"));
    let of_drops =
        (with.dropped > 0).then(|| format!("the kernel dropped {} packets; none may be dropped", with.dropped));
    let of_file = (with.written == 0).then(|| "no packet was written to an evidence file".to_owned());
    of_cpu.into_iter().chain(of_drops).chain(of_file).collect()
}

fn may_make_namespaces() -> bool {
    Command::new("unshare").args(["--net", "true"]).output().is_ok_and(|output| output.status.success())
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").expect("the load");
    text.split(' ').next().expect("of the last minute").to_owned()
}

fn start<'a>([host, other]: &'a [Namespace; 2], arguments: &[&str]) -> Monitor<'a> {
    connect(&End::new(host, "eth0", "10.1.0.1/24"), &End::new(other, "eth0", "10.1.0.2/24"));
    Monitor::spawn(host, Command::new(PROGRAM), arguments).wait_until_ready()
}

/// The figures of one setting under load.
struct Load {
    /// CPU time of the capture threads in seconds per million packets: the median of the passes without scrapes.
    capture: f64,
    /// Packets that the kernel dropped in a pass: the median of all passes.
    dropped: u64,
    /// Packets in evidence files, of all passes.
    written: u64,
}

/// Measures one setting.
fn under_load(setting: &str, arguments: &[&str]) -> Load {
    let (mut capture, mut dropped, mut written) = (Vec::new(), Vec::new(), 0);
    let namespaces = [Namespace::new(), Namespace::new()];
    let monitor = start(&namespaces, &[LIMITS, arguments].concat());
    let sender = Sender::start(&namespaces[1]);
    wait_for("all rows are shown", || {
        std::thread::sleep(SCRAPE_INTERVAL);
        scrape(&namespaces[0]);
        (Reading::of(&monitor).rows >= ROWS).then_some(())
    });
    for round in 0..ROUNDS * 2 {
        let is_scraped = round % 2 == 0;
        let before = (Reading::of(&monitor), times(monitor.pid()), sender.sent());
        let scrapes = pass(&namespaces[0], is_scraped);
        let (times, sent) = (difference(&times(monitor.pid()), &before.1), sender.sent() - before.2);
        let after = Reading::of(&monitor);
        let what = if is_scraped { format!("{scrapes} scrapes") } else { "without scrapes".to_owned() };
        if !is_scraped {
            let spent = times.iter().filter(|(name, _)| name.starts_with("capture")).map(|(_, seconds)| seconds);
            capture.push(spent.sum::<f64>() * 1e6 / sent as f64);
        }
        dropped.push(after.dropped - before.0.dropped);
        written += after.written - before.0.written;
        println!(
            "live/{setting}/{what}: {sent} sent, {} dropped by the kernel, {} delays, {} rows, {} written, {} logged; {}; load {}",
            after.dropped - before.0.dropped,
            after.delays - before.0.delays,
            after.rows,
            after.written - before.0.written,
            after.logged - before.0.logged,
            per_million(&times, sent),
            load(),
        );
    }
    let sent = sender.stop();
    wait_for("all is counted", || (Reading::of(&monitor).received >= sent).then_some(()));
    idle(&monitor, &format!("{ROWS} rows held and shown, {setting}"));
    println!("live/{setting}: {sent} sent in all; {:?}", monitor.stop().closing());
    capture.sort_by(f64::total_cmp);
    dropped.sort_unstable();
    Load { capture: capture[capture.len() / 2], dropped: dropped[dropped.len() / 2], written }
}

/// Ten seconds, in which the exporter is scraped every second or not at all; gives the number of scrapes.
fn pass(host: &Namespace, is_scraped: bool) -> u32 {
    let (start, mut scrapes) = (Instant::now(), 0);
    while start.elapsed() < LASTS {
        if is_scraped {
            scrape(host);
            scrapes += 1;
        }
        let next = if is_scraped { SCRAPE_INTERVAL * scrapes } else { LASTS };
        std::thread::sleep(next.saturating_sub(start.elapsed()));
    }
    scrapes
}

/// The whole answer, thrown away.
fn scrape(host: &Namespace) {
    let mut stream = host.enter(|| TcpStream::connect("127.0.0.1:8888")).expect("it accepts");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\nconnection: close\r\n\r\n")
        .expect("it listens");
    let mut buffer = vec![0; 1 << 16];
    while stream.read(&mut buffer).expect("it answers") > 0 {}
}

fn per_million(times: &Times, packets: u64) -> String {
    let of = |(name, seconds): (&String, &f64)| format!("{name} {:.3}", seconds * 1e6 / packets as f64);
    format!("CPU s per million packets: {}", times.iter().map(of).collect::<Vec<_>>().join(", "))
}

fn idle(monitor: &Monitor<'_>, what: &str) {
    let (start, before) = (Instant::now(), times(monitor.pid()));
    std::thread::sleep(IDLE_LASTS);
    let spent: f64 = difference(&times(monitor.pid()), &before).values().sum();
    println!("idle/{what}: {:.2} % of a core; load {}", spent * 100.0 / start.elapsed().as_secs_f64(), load());
}

/// Figures from the program's own metrics.
#[derive(Debug, Clone, Copy)]
struct Reading {
    received: u64,
    dropped: u64,
    delays: u64,
    rows: u64,
    /// Packets in evidence files, and in logged files.
    written: u64,
    logged: u64,
}

impl Reading {
    fn of(monitor: &Monitor<'_>) -> Self {
        let answer = monitor.ask("GET", "/metrics").expect("it answers");
        let sum = |start: &str| {
            let lines = answer.body.lines().filter(|line| line.starts_with(start));
            lines
                .map(|line| line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok()).expect("a count"))
                .sum()
        };
        Self {
            received: sum("trafficmonitor_capture_packets_received_total{"),
            dropped: sum("trafficmonitor_capture_packets_dropped_total{"),
            delays: sum("trafficmonitor_handover_delays_total"),
            rows: sum("trafficmonitor_series "),
            written: sum("trafficmonitor_evidence_packets_written_total"),
            logged: sum("trafficmonitor_packet_log_packets_total"),
        }
    }
}

// ---- The packets -------------------------------------------------------------------------------------------------------

/// Sends [`RATE`] packets a second until it is stopped.
struct Sender {
    is_over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Sender {
    fn start(namespace: &Namespace) -> Self {
        let wire = namespace.enter(|| Wire::open("eth0")).expect("it may send");
        let (is_over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stop, count) = (Arc::clone(&is_over), Arc::clone(&sent));
        let thread = std::thread::spawn(move || {
            let (start, mut burst) = (Instant::now(), Burst::new());
            while !stop.load(Ordering::Acquire) {
                let due = start.elapsed().as_micros() as u64 * RATE / 1_000_000;
                while count.load(Ordering::Relaxed) + BURST as u64 <= due {
                    burst.send(&wire, count.fetch_add(BURST as u64, Ordering::AcqRel));
                }
                std::thread::sleep(PAUSE);
            }
        });
        Self { is_over, sent, thread }
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    fn stop(self) -> u64 {
        self.is_over.store(true, Ordering::Release);
        self.thread.join().expect("it sends");
        self.sent.load(Ordering::Acquire)
    }
}

/// Frames of [`BURST`] flows: one in five IPv6; of ten four small, two middling, four full, 725 bytes on average.
struct Burst {
    headers: Vec<Vec<u8>>,
    payload: Vec<u8>,
}

const PAYLOADS: [usize; 10] = [18, 1_400, 24, 500, 1_400, 30, 1_400, 600, 1_400, 20];
const ADDRESS_4: usize = 26;
const ADDRESS_6: usize = 34;

impl Burst {
    fn new() -> Self {
        Self { headers: (0..BURST).map(header).collect(), payload: vec![0x55; 1_400] }
    }

    /// Sends a burst of frames from `first` on, which is a multiple of the burst.
    fn send(&mut self, wire: &Wire, first: u64) {
        for (place, header) in self.headers.iter_mut().enumerate() {
            let flow = if place == TALKER { TALKER as u32 } else { (first + place as u64) as u32 % FLOWS };
            let at = if is_v6(place) { ADDRESS_6 } else { ADDRESS_4 };
            // The last three bytes of the source address.
            header[at + 1..at + 4].copy_from_slice(&flow.to_be_bytes()[1..]);
        }
        let payload = |place: usize| &self.payload[..PAYLOADS[place % PAYLOADS.len()]];
        let frames: Vec<Pieces<'_>> =
            self.headers.iter().enumerate().map(|(place, header)| [header.as_slice(), payload(place)]).collect();
        wire.send(&frames).expect("it sends");
    }
}

fn is_v6(place: usize) -> bool {
    place.is_multiple_of(5)
}

/// Ethernet, IP and UDP, to a port without a name. No interface has the hardware address, so the kernel drops the
/// packet early.
fn header(place: usize) -> Vec<u8> {
    let udp_bytes = 8 + PAYLOADS[place % PAYLOADS.len()] as u16;
    let mut header = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    if is_v6(place) {
        header.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        header.extend(udp_bytes.to_be_bytes());
        header.extend([17, 64, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        header.extend([0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    } else {
        header.extend([0x08, 0x00, 0x45, 0]);
        header.extend((20 + udp_bytes).to_be_bytes());
        header.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 11, 0, 0, 0, 10, 1, 0, 1]);
    }
    header.extend([0xc3, 0x50, 0xea, 0x62]);
    header.extend(udp_bytes.to_be_bytes());
    header.extend([0, 0]);
    header
}
