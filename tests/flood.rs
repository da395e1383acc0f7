//! A million invented sources: nothing is lost from the totals, and memory stays within its budgets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "../benches/support/trace.rs"]
#[allow(dead_code)]
mod trace;

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use common::exposition::{Family, parse};
use common::memory::most_besides_files;
use common::spoof;

/// Most resident memory in KiB, besides the program's code. 64 MiB are promised with the code of a release, which has
/// at most 12 MiB; these are less, so that growth is noticed in time: today's 32 MiB and 16 MiB with little room.
const RESIDENT_KIBIBYTES: u64 = 34 << 10;
const RESIDENT_KIBIBYTES_OF_ACCOUNTS: u64 = 18 << 10;
/// Full tables take more than this in any case.
const RESIDENT_KIBIBYTES_AT_LEAST: u64 = 8 << 10;

/// The exposition of a replay with the default budgets, and the most KiB that were resident besides the code.
fn replayed(file: &Path, options: &[&str]) -> (Vec<Family>, u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trafficmonitor"));
    command.arg("replay").arg(file).args(["--output", "prometheus"]).args(options).env_clear();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let (mut text, mut part, mut most) = (Vec::new(), [0; 1 << 16], 0);
    // The exposition is longer than a pipe holds, so the program waits with full tables while memory is read.
    loop {
        let length = output.read(&mut part).unwrap();
        most = most_besides_files(child.id()).unwrap_or(0).max(most);
        if length == 0 {
            break;
        }
        text.extend_from_slice(&part[..length]);
    }
    assert!(child.wait().unwrap().success());
    (parse(&String::from_utf8(text).unwrap()), most)
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
        println!("{options:?}: {resident_kibibytes} KiB resident at most, besides code");
        let right = RESIDENT_KIBIBYTES_AT_LEAST..most;
        assert!(right.contains(&resident_kibibytes), "{options:?}: {resident_kibibytes} KiB of {right:?}");
    }
}
