//! The speed of `analyze`: lines of an event log per second of CPU time.
//!
//! `cargo bench --bench analyze` writes a log of 1,000,000 lines with the program's own event log, and reads it as the
//! program does, several times. It ends with status 1 if the best reading is below 1,000,000 lines per CPU-second. A log
//! of 50,000 sources is printed without a limit: its tables do not fit into caches. The thread's own CPU time is read
//! from the kernel, so other programs disturb it little.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout)]

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use trafficmonitor::events::analysis::Analysis;
use trafficmonitor::events::console::Style;
use trafficmonitor::events::log::{Config, EventFormat, EventLog, SendingPace};
use trafficmonitor::packet::{Addresses, Protocol, TcpFlags, Timestamp};
use trafficmonitor::policy::{Action, Violation, ViolationSink as _};

const LINES: u32 = 1_000_000;
const READINGS: usize = 7;
/// A log with its number of sources and of targets, and the least lines per CPU-second, if there is a limit.
const CASES: [(&str, u32, u32, Option<f64>); 2] =
    [("1,000 sources", 1_000, 250, Some(1_000_000.0)), ("50,000 sources", 50_000, 50_000, None)];

fn violation(number: u32, sources: u32, targets: u32) -> Violation {
    let drawn = number.wrapping_mul(0x9e37_79b1).rotate_left(15).wrapping_mul(0x85eb_ca6b);
    let time = Timestamp::from_nanoseconds(1_700_000_000_000_000_000 + i64::from(number) * 500_000);
    let packets = u64::from(1 + drawn % 3);
    Violation {
        first: time,
        last: time,
        interface: "eth0".into(),
        addresses: Addresses::V4 {
            source: Ipv4Addr::from_bits(0xc633_0000 + drawn % sources),
            destination: Ipv4Addr::from_bits(0x0a09_0000 + drawn / 7 % targets),
        },
        protocol: Protocol::TCP,
        source_port: 40_000,
        destination_port: (1 + drawn / 11 % 1_000) as u16,
        tcp_flags: TcpFlags::SYN,
        packets,
        bytes: packets * 60,
        action: Action::Logged,
        suppressed: u64::from(drawn % 5),
    }
}

/// Rewrites the log.
fn write(path: &Path, sources: u32, targets: u32) {
    std::fs::remove_file(path).ok();
    let config = Config { format: EventFormat::JsonLines, file: Some(path.to_owned()), ..Config::default() };
    let log = EventLog::start(config, Style::default(), Box::new(|_, _| true), None).expect("the log can be opened");
    let mut events = log.sender(SendingPace::File);
    (0..LINES).for_each(|number| events.report(&violation(number, sources, targets)));
    assert_eq!(log.finish(Instant::now() + Duration::from_secs(300)), 0, "all events are written");
}

fn cpu_seconds() -> f64 {
    // One number of nanoseconds first: this thread's time on a CPU.
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel's own count");
    text.split(' ').next().and_then(|first| first.parse().ok()).map_or(0.0, |nanoseconds: f64| nanoseconds / 1e9)
}

/// Lines per CPU-second of one reading, its report included.
fn reading(path: &Path) -> f64 {
    let file = File::open(path).expect("the log is there");
    let start = cpu_seconds();
    let mut analysis = Analysis::default();
    let mut broken = 0;
    analysis.read("log", None, file, |_| broken += 1).expect("the log can be read");
    let text = analysis.report(20).to_string();
    let seconds = cpu_seconds() - start;
    assert!(broken == 0 && text.contains(&format!("{LINES} violations")), "each line is an event: {text}");
    f64::from(LINES) / seconds
}

fn main() -> ExitCode {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("events.jsonl");
    let mut is_fast = true;
    for (name, sources, targets, least) in CASES {
        write(&path, sources, targets);
        let mut speeds: Vec<f64> = (0..READINGS).map(|_| reading(&path)).collect();
        speeds.sort_by(f64::total_cmp);
        let [lowest, median, highest] = [0, READINGS / 2, READINGS - 1].map(|at| speeds[at] / 1e6);
        let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len()) / u64::from(LINES);
        println!(
            "analyze/{name}: {highest:.2} million lines per CPU-second (median {median:.2}, lowest {lowest:.2}), \
             {bytes} bytes per line"
        );
        is_fast &= least.is_none_or(|least| speeds[READINGS - 1] >= least);
    }
    std::fs::remove_file(&path).ok();
    if is_fast { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
