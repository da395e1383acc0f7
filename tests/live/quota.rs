//! The quota of processor time of a control group: clients that scrape leave a part of it to capture.

use std::time::{Duration, Instant};

use super::common::control_group::ControlGroup;
use super::common::monitor::Monitor;
use super::crowd::cpu_time;
use super::trace::{Content, Trace};
use super::traffic::{Pair, frames_of, send_and_count};

/// Processors whose time the group may use, and the files that say so: microseconds in a period of 100 ms.
const QUOTA: f64 = 0.4;
const FIRST: (&str, &str) = ("cpu.cfs_quota_us", "40000");
const SECOND: (&str, &str) = ("cpu.max", "40000 100000");
/// Enough for all rows of the exposition; the ring holds as many.
const PACKETS: u32 = 12_000;
const SCRAPING: Duration = Duration::from_secs(6);

#[test]
fn scrapes_without_pause_leave_a_part_of_the_quota_to_capture() {
    let Some(group) = ControlGroup::new("cpu", FIRST, SECOND) else {
        eprintln!("no control group with a quota can be made here; unit tests compute the waits");
        return;
    };
    let frames = frames_of(&Trace { packets: PACKETS, content: Content::Spoof, ..Trace::FULL });
    let pair = Pair::new();
    let monitor =
        Monitor::spawn(&pair.host, group.command(), &["-iface", "eth0", "-promRefresh", "5"]).wait_until_ready();
    send_and_count(&frames, frames.len(), &pair.other, &monitor);
    let (before, start) = (cpu_time(monitor.pid(), ""), Instant::now());
    let (mut scrapes, mut bytes) = (0, 0);
    while start.elapsed() < SCRAPING {
        let answer = monitor.ask("GET", "/metrics").expect("an answer");
        assert_eq!(answer.status, 200);
        (scrapes, bytes) = (scrapes + 1, bytes + answer.body.len());
    }
    let used = (cpu_time(monitor.pid(), "") - before).as_secs_f64() / start.elapsed().as_secs_f64();
    println!("{scrapes} scrapes, {bytes} bytes: {used:.3} processors of {QUOTA}");
    assert!(scrapes > 0 && bytes > 1 << 20, "{scrapes} scrapes, {bytes} bytes");
    // Rendering takes half of the quota; sending and counting come on top.
    assert!(used < 0.8 * QUOTA, "{used} processors of {QUOTA}");
    monitor.stop();
}
