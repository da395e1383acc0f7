//! A million invented sources: nothing is lost from the totals, and memory stays within its budgets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code)]

mod common;
#[path = "../benches/support/trace.rs"]
#[allow(dead_code)]
mod trace;

use std::fs::File;
use std::process::{Command, Stdio};

use common::exposition::{Family, parse};
use common::spoof;

/// Most resident memory in KiB: the promised limit; without detection a quarter less, so that growth of the accounts
/// is noticed in time.
const RESIDENT_KIBIBYTES: i64 = 64 << 10;
const RESIDENT_KIBIBYTES_OF_ACCOUNTS: i64 = 48 << 10;

/// The exposition of a replay with the default budgets, and the most memory that was resident.
#[allow(clippy::zombie_processes, reason = "`wait4` waits for it")]
fn replayed(file: &std::path::Path, options: &[&str]) -> (Vec<Family>, i64) {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("metrics");
    let mut command = Command::new(env!("CARGO_BIN_EXE_trafficmonitor"));
    command.arg("replay").arg(file).args(["--output", "prometheus"]).args(options).env_clear();
    let child = command.stdin(Stdio::null()).stdout(File::create(&output).unwrap()).spawn().unwrap();
    let mut status = 0;
    // SAFETY: `wait4` fills the structures that it is given; all-zero bytes are a valid `rusage`. The child was not
    // waited for, and is not afterwards.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage), child.id() as libc::pid_t);
        usage
    };
    assert_eq!(status, 0);
    (parse(&std::fs::read_to_string(output).unwrap()), usage.ru_maxrss)
}

#[test]
fn a_million_sources_are_counted_within_the_budgets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spoof.pcap");
    trace::write(&trace::Trace::SPOOF, &file).unwrap();
    for (options, most) in
        [(&[][..], RESIDENT_KIBIBYTES), (&["--detect.enabled=false"], RESIDENT_KIBIBYTES_OF_ACCOUNTS)]
    {
        let (families, resident_kibibytes) = replayed(&file, options);
        spoof::expect_all_counted(&families);
        println!("{options:?}: {resident_kibibytes} KiB resident at most");
        assert!(resident_kibibytes < most, "{options:?}: {resident_kibibytes} KiB");
    }
}
