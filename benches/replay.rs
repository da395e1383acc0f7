//! Process CPU of `replay --output none` over that of iterating the same file by `dispatch` with an empty callback.
//!
//! `cargo bench --bench replay` prints, for each trace, the ratio of each pair of runs. The two run in turn, so that a
//! change of the machine's speed meets both.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout)]

#[path = "support/trace.rs"]
mod trace;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const PAIRS: usize = 9;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, file] = &arguments[..]
        && mode == "iterate"
    {
        return iterate(Path::new(file));
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    for (name, trace) in [("full", trace::Trace::FULL), ("cut", trace::Trace::CUT)] {
        let path = folder.join(format!("{name}.pcap"));
        trace::write(&trace, &path).expect("the trace is written");
        measure(name, &path);
    }
}

/// The floor: libpcap reads, nobody looks.
fn iterate(path: &Path) {
    let mut capture = pcap::Capture::from_file(path).expect("a capture");
    let mut frames = 0_u64;
    while capture.dispatch(Some(4_096), |_| frames += 1).expect("frames") > 0 {}
    assert!(frames > 0);
}

fn measure(name: &str, path: &Path) {
    let this = std::env::current_exe().expect("this program");
    let mut floor = Command::new(this);
    floor.arg("iterate").arg(path);
    let mut replay = Command::new(env!("CARGO_BIN_EXE_trafficmonitor"));
    replay.arg("replay").arg(path).args(["--output", "none"]);
    let mut ratios = Vec::new();
    let mut last = (Duration::ZERO, Duration::ZERO);
    for pair in 0..=PAIRS {
        last = (cpu_time(&mut replay), cpu_time(&mut floor));
        if pair > 0 {
            ratios.push(last.0.as_secs_f64() / last.1.as_secs_f64());
        }
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "replay/{name}: {:.2} x libpcap iteration (median of {PAIRS} pairs; {:.2} to {:.2}; last pair {:.0} ms over {:.0} ms)",
        ratios[PAIRS / 2],
        ratios[0],
        ratios[PAIRS - 1],
        last.0.as_secs_f64() * 1e3,
        last.1.as_secs_f64() * 1e3,
    );
}

/// User and system time of one run of `command`.
fn cpu_time(command: &mut Command) -> Duration {
    let before = children_cpu_time();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the command runs");
    assert!(status.success(), "{command:?} failed");
    children_cpu_time() - before
}

#[allow(unsafe_code)]
fn children_cpu_time() -> Duration {
    // SAFETY: `getrusage` fills the structure that it is given; all-zero bytes are a valid one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage), 0);
        usage
    };
    let time = |value: libc::timeval| Duration::new(value.tv_sec as u64, value.tv_usec as u32 * 1_000);
    time(usage.ru_utime) + time(usage.ru_stime)
}
