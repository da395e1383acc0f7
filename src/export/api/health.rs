//! The state of the program in sentences: does it see all traffic, and does it lose anything? Takes the latest report,
//! the history and the program's own figures; gives checks as JSON. Must not change anything.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::check::{Check, Status, check, growth, lost_entries};
use super::words::listed;
use super::{ApiInputs, uncovered};
use crate::account::snapshot::{Capture, InterfaceEntry, Snapshot};
use crate::export::units::Units;
use crate::history::HistoryRange;

const HOUR: Duration = Duration::from_secs(3_600);
/// The part of packets whose loss is critical.
const CRITICAL_LOSS: f64 = 0.01;
/// Coverage below which a capture is incomplete, and below which it is critically so.
const GOOD_COVERAGE: f64 = 0.99;
const CRITICAL_COVERAGE: f64 = 0.9;

#[derive(Serialize)]
struct HealthAnswer<'a> {
    status: Status,
    sentence: String,
    checks: Vec<Check>,
    interfaces: Vec<InterfaceHealth<'a>>,
    memory: Vec<MemoryPart>,
    uptime_seconds: u64,
}

/// An interface, or a file. A file has no statistics of a capture.
#[derive(Serialize)]
struct InterfaceHealth<'a> {
    name: &'a str,
    up: Option<bool>,
    received: Option<u64>,
    dropped_by_kernel: Option<u64>,
    dropped_by_interface: Option<u64>,
    coverage_ratio: Option<f64>,
    frames: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct MemoryPart {
    part: &'static str,
    bytes: u64,
}

/// Writes the checks and their figures.
pub(super) fn write<W: Write>(inputs: &ApiInputs<'_>, out: W) -> io::Result<()> {
    let checks = checks(inputs);
    let (status, sentence) = worst(&checks, inputs);
    let answer = HealthAnswer {
        status,
        sentence,
        checks,
        interfaces: inputs.report.accounts.interfaces.iter().map(InterfaceHealth::of).collect(),
        memory: memory(inputs),
        uptime_seconds: inputs.running.as_secs(),
    };
    Ok(serde_json::to_writer(out, &answer)?)
}

/// The state of all checks together, and a sentence.
pub(super) fn summary(inputs: &ApiInputs<'_>) -> (Status, String) {
    worst(&checks(inputs), inputs)
}

/// The interfaces or files that exist.
pub(super) fn present(accounts: &Snapshot) -> impl Iterator<Item = &InterfaceEntry> {
    accounts.interfaces.iter().filter(|interface| interface.gone_since.is_none())
}

/// The worst status. The sentence is that of the first check with it; if all is well, it says what was looked at. What is
/// known about drops comes before something that is not known.
fn worst(checks: &[Check], inputs: &ApiInputs<'_>) -> (Status, String) {
    let status = checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok);
    let Some(first) = checks.iter().find(|check| check.status == status).filter(|_| status > Status::Ok) else {
        return (status, all_is_well(inputs));
    };
    let known = checks.iter().find(|check| check.name == "drops" && check.status < status);
    match known.filter(|_| status == Status::Unknown) {
        Some(drops) => (status, format!("{} {}", drops.sentence, first.sentence)),
        None => (status, first.sentence.clone()),
    }
}

fn all_is_well(inputs: &ApiInputs<'_>) -> String {
    if !inputs.settings.is_live {
        return file(inputs).sentence;
    }
    let captured = captured_words(captures(&inputs.report.accounts).count());
    format!("{captured}; no packet was dropped {}.", period(inputs))
}

fn checks(inputs: &ApiInputs<'_>) -> Vec<Check> {
    let mut checks = if inputs.settings.is_live {
        vec![interfaces(inputs), drops(inputs), coverage(&inputs.report.accounts)]
    } else {
        vec![file(inputs)]
    };
    checks.extend([threads(inputs), tables(&inputs.report.accounts)]);
    if inputs.settings.detects {
        checks.extend([detection(inputs), alerts(inputs)]);
    }
    checks.push(queues(inputs));
    checks.extend(deliveries(inputs));
    checks.extend(refused_reload(inputs));
    if inputs.settings.is_live {
        checks.push(scrapes(&inputs.report.accounts));
    }
    checks.push(memory_check(inputs));
    checks
}

/// The refusal of the last reload. There is no check while the configuration is as it was asked for.
fn refused_reload(inputs: &ApiInputs<'_>) -> Option<Check> {
    let reason = inputs.program.refused_reload()?;
    let sentence = format!("The last reload was refused, and the configuration before is in force: {reason}.");
    Some(check("configuration", Status::Warning, sentence))
}

// ---- Capture -------------------------------------------------------------------------------------------------------------

/// The present interfaces with their captures.
fn captures(accounts: &Snapshot) -> impl Iterator<Item = (&InterfaceEntry, Capture)> {
    present(accounts).filter_map(|interface| Some((interface, interface.capture?)))
}

fn captured_words(interfaces: usize) -> String {
    match interfaces {
        1 => "The only interface is captured".to_owned(),
        number => format!("All {number} interfaces are captured"),
    }
}

fn interfaces(inputs: &ApiInputs<'_>) -> Check {
    let accounts = &inputs.report.accounts;
    let down: Vec<&str> =
        captures(accounts).filter(|(_, capture)| !capture.up).map(|(interface, _)| interface.name.as_str()).collect();
    let all = captures(accounts).count();
    match (all, down.len()) {
        (0, _) => check("interfaces", Status::Critical, "No interface is captured yet."),
        (_, 0) => check("interfaces", Status::Ok, format!("{}.", captured_words(all))),
        (all, number) if number == all => {
            check("interfaces", Status::Critical, format!("No interface is captured: {} down.", are(&down)))
        }
        (all, number) => {
            let captured = all - number;
            check(
                "interfaces",
                Status::Warning,
                format!("{} down; {captured} of {all} interfaces are captured.", are(&down)),
            )
        }
    }
}

/// `eth1 is`, `eth1 and eth2 are`, `eth1, eth2 and 3 more are`.
fn are(names: &[&str]) -> String {
    format!("{} {}", listed(names), if names.len() == 1 { "is" } else { "are" })
}

/// The time that the history of an hour covers.
fn period(inputs: &ApiInputs<'_>) -> &'static str {
    if inputs.running < HOUR { "since the start" } else { "in the last hour" }
}

/// Packets that were dropped in the last hour, compared with all that were captured in it.
fn drops(inputs: &ApiInputs<'_>) -> Check {
    let Some(hour) = inputs.history.totals_sum(HistoryRange::Hour) else {
        return check("drops", Status::Unknown, "Drops are not known yet: no second has been counted.");
    };
    let (dropped, period) = (hour.dropped(), period(inputs));
    if dropped == 0 {
        return check("drops", Status::Ok, format!("No packet was dropped {period}."));
    }
    let share = dropped as f64 / (hour.ip().packets + hour.not_ip + dropped) as f64;
    let status = if share < CRITICAL_LOSS { Status::Warning } else { Status::Critical };
    let (count, percent) = (Units::Human.count(dropped), share * 100.0);
    check(
        "drops",
        status,
        format!("{count} packets ({percent:.2} %) were dropped {period} before they could be counted."),
    )
}

fn coverage(accounts: &Snapshot) -> Check {
    let ratio = |(interface, capture): (_, Capture)| Some((interface, capture.coverage.ratio()?));
    let known: Vec<(&InterfaceEntry, f64)> = captures(accounts).filter_map(ratio).collect();
    let Some((lowest, ratio)) = known.iter().copied().min_by(|one, other| one.1.total_cmp(&other.1)) else {
        return check("coverage", Status::Unknown, uncovered::sentence(&captures(accounts).collect::<Vec<_>>()));
    };
    let status = match ratio {
        _ if ratio >= GOOD_COVERAGE => Status::Ok,
        _ if ratio >= CRITICAL_COVERAGE => Status::Warning,
        _ => Status::Critical,
    };
    let percent = (ratio * 100.0).min(100.0);
    let seen = match known.len() {
        1 => format!("At least {percent:.1} % of the packets of {} were seen", lowest.name),
        all => format!(
            "At least {percent:.1} % of the packets of each of {all} interfaces were seen (lowest: {})",
            lowest.name
        ),
    };
    let unknown = match captures(accounts).count() - known.len() {
        0 => String::new(),
        1 => "; the coverage of 1 other is not known".to_owned(),
        others => format!("; the coverage of {others} others is not known"),
    };
    check("coverage", status, format!("{seen}{unknown}."))
}

fn file(inputs: &ApiInputs<'_>) -> Check {
    let frames = Units::Human.count(inputs.report.accounts.totals.frames.frames);
    let sentence = if inputs.is_ready {
        format!("The capture file is read: {frames} frames.")
    } else {
        format!("The capture file is being read: {frames} frames so far.")
    };
    check("file", Status::Ok, sentence)
}

// ---- The program ---------------------------------------------------------------------------------------------------------

fn threads(inputs: &ApiInputs<'_>) -> Check {
    match inputs.program.dead_thread() {
        Some(thread) => check("threads", Status::Critical, format!("The thread {thread} does not work any more.")),
        None => check("threads", Status::Ok, "All threads work."),
    }
}

fn tables(accounts: &Snapshot) -> Check {
    let (flows, hosts) = (accounts.flows.figures, accounts.hosts.figures);
    let full = [("flows", flows), ("hosts", hosts)]
        .into_iter()
        .find(|(_, figures)| figures.limit > 0 && figures.entries >= figures.limit);
    match full {
        Some((table, figures)) => check(
            "tables",
            Status::Warning,
            format!("The table of {table} is full ({}): further {table} count as other.", figures.limit),
        ),
        None => check("tables", Status::Ok, "No table is full."),
    }
}

/// Packets that were counted without a flow, and messages of the kernel path that found no room.
fn detection(inputs: &ApiInputs<'_>) -> Check {
    let accounts = &inputs.report.accounts;
    let of_kernel = accounts.totals.kernel.map_or(0, |sums| sums.messages_lost);
    let none = "Detection saw all packets.";
    let some = |count: &str| format!("Detection did not see {count} packets");
    growth(inputs, "detection", accounts.overflow.packets + of_kernel, none, some)
}

fn alerts(inputs: &ApiInputs<'_>) -> Check {
    let dropped = inputs.report.alerts.dropped_total.iter().sum();
    let some = |count: &str| format!("{count} alerts were dropped for want of room");
    growth(inputs, "alerts", dropped, "No alert was dropped.", some)
}

fn queues(inputs: &ApiInputs<'_>) -> Check {
    let lost: Vec<_> = inputs.program.lost_entries().collect();
    let names: Vec<_> = lost.iter().map(|(queue, _)| queue.label()).collect();
    let what = if names.is_empty() {
        "entries of queues".to_owned()
    } else {
        format!("entries of queues ({})", names.join(", "))
    };
    lost_entries(inputs, "queues", lost.iter().map(|(_, lost)| lost).sum(), &what)
}

/// Receivers, the event log and evidence, where they are used.
fn deliveries(inputs: &ApiInputs<'_>) -> Vec<Check> {
    let program = inputs.program;
    let parts = [
        ("receivers", program.lost_notices(), "notices to receivers"),
        ("event_log", program.event_log_errors(), "writes of the event log"),
        ("evidence", program.lost_evidence(), "packets or files of evidence"),
    ];
    let used = parts.into_iter().filter_map(|(name, count, what)| Some((name, count?, what)));
    used.map(|(name, count, what)| lost_entries(inputs, name, count, what)).collect()
}

fn scrapes(accounts: &Snapshot) -> Check {
    let (complete, broken) = (accounts.scrapes.complete, accounts.scrapes.broken);
    check("scrapes", Status::Ok, format!("{complete} scrapes were read completely, {broken} broke off."))
}

fn memory(inputs: &ApiInputs<'_>) -> Vec<MemoryPart> {
    let accounts = inputs.report.accounts.memory.iter().map(|&(part, bytes)| MemoryPart { part, bytes });
    let others = [
        ("detection", inputs.report.detection.memory_bytes),
        ("alerts", inputs.report.alerts.memory_bytes),
        ("history", inputs.history.memory_bytes),
    ];
    accounts.chain(others.map(|(part, bytes)| MemoryPart { part, bytes })).collect()
}

fn memory_check(inputs: &ApiInputs<'_>) -> Check {
    let bytes = memory(inputs).iter().map(|part| part.bytes).sum();
    check("memory", Status::Ok, format!("The tables take {}.", Units::Human.bytes(bytes)))
}

impl<'a> InterfaceHealth<'a> {
    fn of(interface: &'a InterfaceEntry) -> Self {
        let of_capture = |value: fn(Capture) -> u64| interface.capture.map(value);
        Self {
            name: &interface.name,
            up: interface.capture.map(|capture| capture.up),
            received: of_capture(|capture| capture.received),
            dropped_by_kernel: of_capture(|capture| capture.dropped_by_kernel),
            dropped_by_interface: of_capture(|capture| capture.dropped_by_interface),
            coverage_ratio: interface.capture.and_then(|capture| capture.coverage.ratio()),
            frames: interface.frames.frames,
            bytes: interface.frames.bytes,
        }
    }
}
