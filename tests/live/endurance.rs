//! For `make soak`: hours of traffic from new addresses, with scans, alerts, evidence and clients. Memory, descriptors and
//! threads stay as they are after the first eighth.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::common::ip::{Ipv4, tcp, udp};
use super::common::link::Link;
use super::common::memory::kibibytes;
use super::common::monitor::Monitor;
use super::common::namespace::{DEADLINE, wait_for};
use super::common::webhook::Webhook;
use super::traffic::{Pair, send_frames};
use super::wire::Wire;

/// The time that it takes, in minutes, where the variable does not say another one.
const MINUTES: &str = "120";
const VARIABLE: &str = "SOAK_MINUTES";
/// This part of the time passes before memory is compared.
const WARM_UP: u32 = 8;
/// Growth in KiB an hour.
const MOST_GROWTH: f64 = 1024.0;

/// New clients a second; each asks one server, which answers.
const CLIENTS: u64 = 1_000;
const SERVERS: u64 = 500;
/// A new scanner every so many seconds, and the hosts that it tries.
const SCANNER_EVERY: u64 = 60;
const SCANNED: u64 = 40;
const SYN: u8 = 0x02;

/// Pauses between batches of frames, scrapes and samples.
const PAUSE: Duration = Duration::from_millis(100);
const SCRAPE_EVERY: Duration = Duration::from_secs(15);
/// Not a divisor of a minute, so that samples meet every moment of what happens each minute.
const SAMPLE_EVERY: Duration = Duration::from_secs(37);
/// Time for the last alerts to resolve, and their evidence to be finished.
const QUIET: Duration = Duration::from_secs(1_200);

/// The state of the process at one time.
#[derive(Debug, Clone, Copy)]
struct Sample {
    hours: f64,
    resident_kibibytes: f64,
    /// Descriptors without those of evidence.
    descriptors: usize,
    /// Evidence files that are being written: more while more alerts fire.
    evidence_files: usize,
    threads: usize,
}

/// The state of a process that writes evidence to this folder, whose path has no links.
fn sample(pid: u32, hours: f64, evidence: &Path) -> Sample {
    let entries = |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().map(|entry| entry.unwrap().path());
    // A descriptor that is closed meanwhile is not counted.
    let files = entries("fd").filter_map(|link| fs::read_link(link).ok());
    let (evidence_files, others): (Vec<_>, Vec<_>) = files.partition(|file| file.starts_with(evidence));
    Sample {
        hours,
        resident_kibibytes: kibibytes(pid, "VmRSS").unwrap() as f64,
        descriptors: others.len(),
        evidence_files: evidence_files.len(),
        threads: entries("task").count(),
    }
}

/// The slope of the line with the least squares, in KiB an hour.
fn growth(samples: &[Sample]) -> f64 {
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / samples.len() as f64;
    let (hours, kibibytes) = (mean(&|one| one.hours), mean(&|one| one.resident_kibibytes));
    let both = mean(&|one| (one.hours - hours) * (one.resident_kibibytes - kibibytes));
    both / mean(&|one| (one.hours - hours).powi(2))
}

fn address(first: u8, number: u64) -> Ipv4Addr {
    let [.., high, middle, low] = number.to_be_bytes();
    Ipv4Addr::new(first, high, middle, low)
}

fn frame(packet: &Ipv4) -> Vec<u8> {
    Link::ethernet().carrying(&packet.build()).bytes
}

/// The question of a client that was never there before, and its answer.
fn question(number: u64) -> [Vec<u8>; 2] {
    let (client, server) = (address(11 + (number >> 24) as u8, number), address(100, number % SERVERS));
    let port = 20_000 + (number % 40_000) as u16;
    let ask = Ipv4::carrying(udp(port, 53, &[0x55; 31])).between(client, server);
    let answer = Ipv4::carrying(udp(53, port, &[0x55; 120])).between(server, client);
    [frame(&ask), frame(&answer)]
}

/// The probes of a scanner that was never there before. Nothing answers.
fn scan(number: u64) -> impl Iterator<Item = Vec<u8>> {
    let probe = move |host| {
        let packet = Ipv4::carrying(tcp(40_000, 22, SYN, &[]));
        frame(&packet.between(address(10, 0x20_0000 + number), address(101, number << 8 | host)))
    };
    (0..SCANNED).map(probe)
}

/// Traffic from new addresses, as much as is due.
struct Traffic {
    wire: Wire,
    clients: u64,
    scanners: u64,
    frames: u64,
}

impl Traffic {
    fn send_until(&mut self, elapsed: Duration) {
        let due = elapsed.as_millis() as u64 * CLIENTS / 1_000;
        let mut frames: Vec<Vec<u8>> = (self.clients..due).flat_map(question).collect();
        self.clients = due.max(self.clients);
        let scanners = elapsed.as_secs() / SCANNER_EVERY;
        frames.extend((self.scanners..scanners).flat_map(scan));
        self.scanners = scanners;
        send_frames(&self.wire, &frames);
        self.frames += frames.len() as u64;
    }
}

fn scrape(monitor: &Monitor<'_>) {
    for page in ["/metrics", "/api/v1/hosts?range=1h&limit=100", "/api/v1/flows?range=5m&limit=100", "/api/v1/alerts"] {
        let answer = wait_for(page, || monitor.ask("GET", page));
        assert_eq!(answer.status, 200, "{page}");
    }
}

#[test]
fn soak_hours_of_new_addresses_cost_no_more_memory_descriptors_or_threads() {
    let minutes = std::env::var(VARIABLE).unwrap_or_else(|_| MINUTES.to_owned());
    let lasts = Duration::from_secs(60 * minutes.parse::<u64>().unwrap());
    let (pair, folder) = (Pair::new(), tempfile::tempdir().unwrap());
    let webhook = Webhook::listen(&pair.host, "127.0.0.1:9101");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let receivers = "notify:\n  receivers:\n  - {name: team, type: webhook, url: 'http://127.0.0.1:9101/'}\n";
    fs::write(path("monitor.yml"), receivers).unwrap();
    fs::create_dir(path("evidence")).unwrap();
    let evidence = fs::canonicalize(path("evidence")).unwrap();
    let files = [path("monitor.yml"), path("evidence"), path("events.jsonl")];
    let options = ["-c", &files[0], "-archive_dir", &files[1], "--log-format", "jsonl", "--log-file", &files[2]];
    let more = ["-iface", "eth0", "--evidence.quota", "64MiB", "-promRefresh", "5"];
    let monitor = Monitor::start(&pair.host, &[&options[..], &more].concat());
    let wire = pair.other.enter(|| Wire::open("eth0")).unwrap();
    let mut traffic = Traffic { wire, clients: 0, scanners: 0, frames: 0 };
    let (start, mut samples) = (Instant::now(), Vec::new());
    let (mut scraped, mut sampled) = (start, start);
    while start.elapsed() < lasts {
        traffic.send_until(start.elapsed());
        // Before the scrape, whose connections would count.
        if sampled.elapsed() >= SAMPLE_EVERY {
            sampled = Instant::now();
            let one = sample(monitor.pid(), start.elapsed().as_secs_f64() / 3_600.0, &evidence);
            println!("{one:?}");
            samples.push(one);
        } else if scraped.elapsed() >= SCRAPE_EVERY {
            scraped = Instant::now();
            scrape(&monitor);
        }
        sleep(PAUSE);
    }
    let metrics = monitor
        .wait_for("all frames", |metrics| metrics.sum("trafficmonitor_interface_frames_total") >= traffic.frames);
    assert_eq!(metrics.sum("trafficmonitor_interface_frames_total"), traffic.frames);
    assert_eq!(metrics.sum("trafficmonitor_capture_packets_dropped_total"), 0);
    assert!(metrics.sum("trafficmonitor_alerts_total") >= traffic.scanners.saturating_sub(1), "scanners are found");
    assert!(start.elapsed() < lasts + DEADLINE + SAMPLE_EVERY, "the machine is too slow for the traffic");
    let after = lasts.as_secs_f64() / 3_600.0 / f64::from(WARM_UP);
    let late: Vec<Sample> = samples.iter().filter(|one| one.hours >= after).copied().collect();
    let (first, last) = late.split_at(late.len() / 2);
    let most = |of: fn(&Sample) -> usize| [first, last].map(|half| half.iter().map(of).max().unwrap());
    let (descriptors, threads) = (most(|one| one.descriptors), most(|one| one.threads));
    let growth = growth(&late);
    println!("{growth:.0} KiB an hour; in each half at most {descriptors:?} descriptors besides those of evidence");
    println!("and {threads:?} threads");
    println!("{} frames, {} scanners, {} messages", traffic.frames, traffic.scanners, webhook.requests().len());
    assert!(growth <= MOST_GROWTH, "{growth} KiB an hour: {late:?}");
    for (what, [before, now]) in [("descriptors", descriptors), ("threads", threads)] {
        assert!(now <= before, "{what}: {before}, then {now}: {late:?}");
    }
    assert!(samples.iter().any(|one| one.evidence_files > 0), "evidence is written");
    let ended = Instant::now();
    while sample(monitor.pid(), 0.0, &evidence).evidence_files > 0 {
        assert!(ended.elapsed() < QUIET, "evidence files are open without alerts");
        sleep(Duration::from_secs(1));
    }
    monitor.stop();
}
