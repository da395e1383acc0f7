//! A million invented sources on the wire: nothing is lost from the totals, and memory stays within its budgets.

use super::common::exposition::parse;
use super::common::monitor::Monitor;
use super::common::spoof;
use super::trace::Trace;
use super::traffic::{Pair, frames_of, send_and_count};

/// Resident at most besides the kernel's rings and the program's code, in KiB. 64 MiB are asked for with the code, which
/// takes 9 MiB where it is optimised, and twice as much in a test.
const RESIDENT_KIBIBYTES: u64 = 54 << 10;
/// Packets to send before waiting for their counts: the kernel's ring holds more, so that none is dropped however
/// slow the machine is.
const AT_ONCE: usize = 100_000;

/// The KiB that lines which begin with `name` give, all added up.
fn kibibytes(text: &str, name: &str) -> u64 {
    let values =
        text.lines().filter_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok());
    values.sum()
}

/// The most that was resident so far of memory that is no file's. The rings, which are shared with the kernel, and the
/// program's code are mapped files.
fn resident_besides_files(monitor: &Monitor<'_>) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", monitor.pid())).unwrap();
    kibibytes(&status, "VmHWM:").checked_sub(kibibytes(&status, "RssFile:")).unwrap()
}

#[test]
fn a_million_sources_are_counted_within_the_budgets() {
    let frames = frames_of(&Trace::SPOOF);
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0", "--metrics.seed=false", "-promRefresh", "1"]);
    send_and_count(&frames, AT_ONCE, &pair.other, &monitor);
    spoof::expect_all_counted(&parse(&monitor.ask("GET", "/metrics").unwrap().body));
    let kibibytes = resident_besides_files(&monitor);
    println!("{kibibytes} KiB resident at most, besides rings and code");
    assert!(kibibytes <= RESIDENT_KIBIBYTES, "{kibibytes} KiB besides rings and code");
    let closing = monitor.stop().closing();
    assert_eq!((closing.captured, closing.received, closing.dropped), (spoof::PACKETS, spoof::PACKETS, 0));
}
