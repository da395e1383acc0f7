//! `--memory.limit` and the limits of control groups: a flood of invented sources stays below them, and each part takes
//! no more than its budget.

use std::collections::BTreeMap;
use std::process::Command;

use super::common::control_group::ControlGroup;
use super::common::memory::kibibytes;
use super::common::monitor::{Monitor, PROGRAM};
use super::common::namespace::wait_for;
use super::trace::{Content, Trace};
use super::traffic::{Pair, frames_of, send_and_count};

const LIMIT: &str = "64MiB";
const LIMIT_KIBIBYTES: u64 = 64 << 10;
/// Enough to fill every table several times over.
const PACKETS: u32 = 120_000;
/// Packets to send before waiting for their counts: the smallest ring holds as many.
const AT_ONCE: usize = 3_000;

/// The most that was resident so far, in KiB: tables, code and rings.
fn most_resident(monitor: &Monitor<'_>) -> u64 {
    kibibytes(monitor.pid(), "VmHWM").unwrap()
}

/// The MiB of each part, as `--config.check` derives them from the limit.
fn budgets() -> BTreeMap<String, f64> {
    let arguments = ["-iface", "eth0", "--memory.limit", LIMIT, "--config.check"];
    let output = Command::new(PROGRAM).args(arguments).env_clear().output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("memory limit 64.0 MiB: the parts take at most "), "{text}");
    assert!(text.ends_with("configuration OK\n"), "{text}");
    let parts = text.lines().filter_map(|line| line.strip_prefix("  ")?.split_once(" MiB"));
    let parts = parts.map(|(line, _)| line.rsplit_once(' ').unwrap());
    parts.map(|(name, size)| (name.trim().to_owned(), size.parse().unwrap())).collect()
}

#[test]
fn flood_stays_below_the_limit_and_each_part_below_its_budget() {
    let frames = frames_of(&Trace { packets: PACKETS, content: Content::Spoof, ..Trace::FULL });
    let pair = Pair::new();
    let arguments = ["-iface", "eth0", "--memory.limit", LIMIT];
    let monitor = Monitor::start(&pair.host, &arguments);
    send_and_count(&frames, AT_ONCE, &pair.other, &monitor);
    let kibibytes = most_resident(&monitor);
    println!("{kibibytes} KiB resident at most");
    assert!(kibibytes <= LIMIT_KIBIBYTES, "{kibibytes} KiB");
    let (metrics, budgets) = (monitor.metrics(), budgets());
    let value = |name: &str| metrics.sum(name);
    assert_eq!(value("trafficmonitor_memory_limit_bytes"), 64 << 20);
    assert!((1_024..65_536).contains(&value("trafficmonitor_flows_limit")));
    assert_eq!(value("trafficmonitor_flows"), value("trafficmonitor_flows_limit"), "the table is full");
    let part =
        |part: &str| metrics.number("trafficmonitor_memory_bytes", &[("part", part)]).unwrap() / f64::from(1 << 20);
    for (taken, of) in [
        (part("flows"), &["flows"][..]),
        (part("conversations"), &["conversations"]),
        (part("hosts"), &["hosts"]),
        (part("intervals"), &["intervals"]),
        (part("series") + part("snapshot"), &["series"]),
        (part("detection"), &["bandwidth", "scans", "anomalies"]),
        (part("alerts"), &["alerts"]),
        (part("history"), &["history"]),
        (metrics.number("trafficmonitor_ring_memory_bytes", &[]).unwrap() / f64::from(1 << 20), &["rings"]),
    ] {
        let budget: f64 = of.iter().map(|part| budgets[*part]).sum();
        // The table shows tenths.
        assert!(taken <= budget + 0.05 * of.len() as f64, "{of:?}: {taken} MiB of {budget}");
    }
    monitor.stop();
}

/// A limit of memory in bytes, and the files for it in the control groups of versions 1 and 2.
const GROUP_LIMIT: &str = "134217728";
const FIRST: (&str, &str) = ("memory.limit_in_bytes", GROUP_LIMIT);
const SECOND: (&str, &str) = ("memory.max", GROUP_LIMIT);

#[test]
fn budgets_are_derived_from_the_limit_of_a_control_group() {
    let Some(group) = ControlGroup::new("memory", FIRST, SECOND) else {
        eprintln!("no control group can be made here; unit tests read the files of made-up ones");
        return;
    };
    let pair = Pair::new();
    let monitor = Monitor::spawn(&pair.host, group.command(), &["-iface", "eth0"]).wait_until_ready();
    let messages = monitor.messages();
    assert!(messages.contains("the control group allows 128.0 MiB of memory ("), "{messages}");
    assert!(messages.contains("they are derived from 90 % of it (115.2 MiB), such as --max-flows "), "{messages}");
    let metrics = monitor.metrics();
    assert_eq!(metrics.sum("trafficmonitor_memory_limit_bytes"), (128 << 20) / 100 * 90);
    assert!(metrics.sum("trafficmonitor_flows_limit") < 65_536);
    // Derived budgets are no settings that have changed.
    monitor.signal(libc::SIGHUP);
    let unchanged = "the configuration was reread; it is unchanged";
    wait_for("the reload", || monitor.messages().contains(unchanged).then_some(()));
    monitor.stop();
}
