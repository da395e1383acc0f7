//! A million invented sources on the wire: nothing is lost from the totals, and memory stays within its budgets.

use super::common::exposition::parse;
use super::common::memory::most_besides_files;
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

#[test]
fn a_million_sources_are_counted_within_the_budgets() {
    let frames = frames_of(&Trace::SPOOF);
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0", "--metrics.seed=false", "-promRefresh", "1"]);
    send_and_count(&frames, AT_ONCE, &pair.other, &monitor);
    spoof::expect_all_counted(&parse(&monitor.ask("GET", "/metrics").unwrap().body));
    let kibibytes = most_besides_files(monitor.pid()).unwrap();
    println!("{kibibytes} KiB resident at most, besides rings and code");
    assert!(kibibytes <= RESIDENT_KIBIBYTES, "{kibibytes} KiB besides rings and code");
    let closing = monitor.stop().closing();
    assert_eq!((closing.captured, closing.received, closing.dropped), (spoof::PACKETS, spoof::PACKETS, 0));
}
