//! Process CPU of `replay` over that of iterating the same file by `dispatch` with an empty callback: counting alone
//! (`--output none --detect.enabled=false`), and looking for everything, alerts for anomalies included (`--output alerts`).
//!
//! `cargo bench --bench replay` prints, for each trace, the ratio of each pair of runs. The two run in turn, so that a
//! change of the machine's speed meets both.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout)]

#[path = "support/trace.rs"]
mod trace;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use trace::Trace;

const PAIRS: usize = 9;

/// Traces, and the ratios that are asked for of each: of [`COUNTS`] and of [`DETECTS`].
const TRACES: [(&str, Trace, [f64; 2]); 4] = [
    ("full", Trace::FULL, [1.7, 2.2]),
    ("cut", Trace::CUT, [2.4, 3.0]),
    ("spoof", Trace::SPOOF, [3.0, 4.0]),
    ("scan", Trace::SCAN, [3.0, 4.0]),
];

const COUNTS: [&str; 3] = ["--output", "none", "--detect.enabled=false"];
const DETECTS: [&str; 3] = ["--output", "alerts", "--anom.alerts"];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, file] = &arguments[..]
        && mode == "iterate"
    {
        return iterate(Path::new(file));
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    for (name, trace, asked) in TRACES {
        let path = folder.join(format!("{name}.pcap"));
        trace::write(&trace, &path).expect("the trace is written");
        measure(&format!("{name}/counted"), &path, &COUNTS, asked[0]);
        measure(&format!("{name}/detected"), &path, &DETECTS, asked[1]);
    }
}

/// The floor: libpcap reads, and nothing is counted.
fn iterate(path: &Path) {
    let mut capture = pcap::Capture::from_file(path).expect("a capture");
    let mut frames = 0_u64;
    while capture.dispatch(Some(4_096), |_| frames += 1).expect("frames") > 0 {}
    assert!(frames > 0);
}

fn measure(name: &str, path: &Path, options: &[&str], asked: f64) {
    let this = std::env::current_exe().expect("this program");
    let mut floor = Command::new(this);
    floor.arg("iterate").arg(path);
    let mut replay = Command::new(env!("CARGO_BIN_EXE_trafficmonitor"));
    replay.arg("replay").arg(path).args(options);
    let mut ratios = Vec::new();
    let mut last = (Cost::default(), Cost::default());
    for pair in 0..=PAIRS {
        last = (cost(&mut replay), cost(&mut floor));
        if pair > 0 {
            ratios.push(last.0.cpu.as_secs_f64() / last.1.cpu.as_secs_f64());
        }
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "replay/{name}: {:.2} x libpcap iteration (asked for: {asked}; median of {PAIRS} pairs; {:.2} to {:.2}; \
         last pair {:.0} ms over {:.0} ms; {:.1} MiB resident at most)",
        ratios[PAIRS / 2],
        ratios[0],
        ratios[PAIRS - 1],
        last.0.cpu.as_secs_f64() * 1e3,
        last.1.cpu.as_secs_f64() * 1e3,
        last.0.resident_kibibytes as f64 / 1024.0,
    );
}

/// CPU time and memory of one run of a program.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    /// User and system time.
    cpu: Duration,
    /// The most memory that was resident at a time; the file's pages, which libpcap reads, are not among it.
    resident_kibibytes: i64,
}

/// Runs `command` to its end.
#[allow(unsafe_code)]
#[allow(clippy::zombie_processes, reason = "`wait4` waits for it")]
fn cost(command: &mut Command) -> Cost {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command runs");
    let mut status = 0;
    // SAFETY: `wait4` fills the structures that it is given; all-zero bytes are a valid `rusage`. The child was not waited
    // for, and is not afterwards.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage), child.id() as libc::pid_t);
        usage
    };
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{command:?} failed");
    let time = |value: libc::timeval| Duration::new(value.tv_sec as u64, value.tv_usec as u32 * 1_000);
    Cost { cpu: time(usage.ru_utime) + time(usage.ru_stime), resident_kibibytes: usage.ru_maxrss }
}
