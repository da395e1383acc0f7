//! The memory of each part of the program with given budgets, at most.
//!
//! Takes a configuration; gives bytes by part. Must not know a limit.
//!
//! The prices of entries are measured: a test floods the program and compares them with what its tables take
//! (`tests/live/memory.rs`). They are for IPv6, whose keys are longer, and include indexes and free space.

use std::ops::RangeInclusive;
use std::path::Path;

use crate::capture::Selection;
use crate::config::Config;
use crate::config::declaration::FileKey;
use crate::config::memory::Measure;
use crate::detect::bandwidth::BandwidthDirection;
use crate::kernel::Daq;

const KIBIBYTE: u64 = 1 << 10;
const MEBIBYTE: u64 = 1 << 20;

/// The code, as far as it is resident. That of a build for tests is larger.
const CODE: u64 = if cfg!(debug_assertions) { 34 * MEBIBYTE } else { 13 * MEBIBYTE };
/// Threads, lines that wait for the outputs, and what is too small to be counted.
const RUNTIME: u64 = 4 * MEBIBYTE;

/// A flow; a conversation of both IP versions in both generations; a host.
const FLOW: u64 = 112;
const CONVERSATION: u64 = 328;
const HOST: u64 = 96;
/// A row that is shown, in the builder and in three snapshots: the published one, the next one, and an older one that
/// slow clients still read.
const SERIES: u64 = 560;
/// Tables with a limit in this range reserve memory for as many entries, others for the next power of two.
const RESERVED_AT_ONCE: RangeInclusive<u64> = 4_096..=262_144;

/// A row and a refusal of both IP versions in both intervals of a capture thread.
const INTERVAL_ROW: u64 = 760;
/// Messages of address resolution, decoder and stack of a capture thread.
const CAPTURE_THREAD: u64 = MEBIBYTE;
/// The interfaces that are counted with `all` if nothing limits their number.
const USUAL_INTERFACES: usize = 16;

/// An address or a pair with a bandwidth window, and a cell of one.
const BANDWIDTH_ADDRESS: u64 = 104;
const BANDWIDTH_PAIR: u64 = 128;
const BANDWIDTH_CELL: u64 = 16;
/// A source, a target and a pending contact of scans; askers, known targets, networks and rows that are ahead.
const SCAN_SOURCE: u64 = 160;
const SCAN_TARGET: u64 = 88;
const SCAN_PENDING: u64 = 176;
const SCAN_TABLES: u64 = 4 * MEBIBYTE;
/// A pair of anomalies without its values, a value, and rows that are ahead.
const ANOMALY_PAIR: u64 = 480;
const ANOMALY_VALUE: u64 = 24;
const ANOMALY_AHEAD: u64 = MEBIBYTE;
/// A source that is not permitted, and a piece of its window, of which there are at most 100.
const POLICY_SOURCE: u64 = 1_024;
const POLICY_PIECE: u64 = 24;
const MOST_PIECES: u64 = 100;
const EVENT_PACE: u64 = 96;

/// An active alert with its copies for readers and for the outputs; a resolved one, of which 1,000 are kept.
const ALERT: u64 = 4_608;
const RESOLVED_ALERTS: u64 = 1_250 * KIBIBYTE;

/// The history with all its rows.
const HISTORY: u64 = 8 * MEBIBYTE;
/// Answers that are kept or rendered, and a connection.
const ANSWERS: u64 = 3 * MEBIBYTE;
const CONNECTION: u64 = 24 * KIBIBYTE;

/// Buffers of packets of a capture thread, and of the thread that writes them.
const RECORDER: u64 = 5 * MEBIBYTE;
const EVIDENCE_WRITER: u64 = 2 * MEBIBYTE;
/// Alerts that wait for all receivers, and those that wait for each.
const RECEIVERS: u64 = 6 * MEBIBYTE;
const RECEIVER: u64 = 4 * MEBIBYTE;
/// A host with names, in the tables and in what readers have; sockets; the contents of a file.
const NAMED_HOST: u64 = 768;
const SOCKETS: u64 = 4 * MEBIBYTE;
const NAMES_FILE: u64 = 8 * MEBIBYTE;
/// Rows and messages of the kernel path that are being read.
const KERNEL_READER: u64 = 16 * MEBIBYTE;

/// A part of the memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BudgetPart {
    /// Its name.
    pub name: &'static str,
    /// The most bytes.
    pub bytes: u64,
    /// The budgets that bound it, as options where there are such.
    pub budget: String,
    /// Budgets of it that were given, as options.
    pub given: Option<String>,
}

/// All parts, in the order of a packet's way.
pub(super) fn parts(config: &Config, measure: Measure) -> Vec<BudgetPart> {
    let mut parts = vec![
        part("program", CODE + RUNTIME, "code, threads, lines that wait"),
        rings(config, measure),
        kernel_maps(config),
        part(
            "intervals",
            intervals(config),
            &format!("{} rows a thread, threads: {}", config.pipeline.interval_rows, threads(config)),
        ),
    ];
    parts.extend(accounts(config));
    parts.extend(detection(config));
    parts.extend(outputs(config));
    parts
}

/// A part without a budget that can be given.
fn part(name: &'static str, bytes: u64, budget: &str) -> BudgetPart {
    BudgetPart { name, bytes, budget: budget.to_owned(), given: None }
}

/// A part that is bounded by a setting, shown as an option.
fn set_part(config: &Config, name: &'static str, bytes: u64, (section, key): FileKey, option: String) -> BudgetPart {
    let given = config.memory.given.has(section, key).then(|| option.clone());
    BudgetPart { name, bytes, budget: option, given }
}

fn accounts(config: &Config) -> [BudgetPart; 4] {
    let account = &config.account;
    let flows = || format!("--max-flows {}", account.max_flows);
    let series = (account.max_series + account.max_host_series) as u64 * SERIES;
    let of = |name, bytes, key, option| set_part(config, name, bytes, ("account", key), option);
    [
        of("flows", entries(account.max_flows) * FLOW, "max_flows", flows()),
        of("conversations", entries(account.max_flows) * CONVERSATION, "max_flows", flows()),
        of("hosts", entries(account.max_hosts) * HOST, "max_hosts", format!("--max-hosts {}", account.max_hosts)),
        of("series", series, "max_series", format!("--max-series {}", account.max_series)),
    ]
}

fn detection(config: &Config) -> [BudgetPart; 5] {
    let of =
        |name, bytes, key: FileKey, count| set_part(config, name, bytes, key, format!("{}.{} {count}", key.0, key.1));
    let pairs = config.detect.anomaly.map_or(0, |anomaly| anomaly.max_pairs);
    let alerts = RESOLVED_ALERTS + config.alert.max_alerts as u64 * ALERT;
    [
        part("bandwidth", of_bandwidth(config), "tables of bandwidth"),
        part("scans", of_scans(config), "tables of scans"),
        of("anomalies", of_anomalies(config), ("anomaly", "max_pairs"), pairs),
        of("policy", of_policy(config), ("policy", "max_sources"), config.policy.max_sources),
        of("alerts", alerts, ("alert", "max_alerts"), config.alert.max_alerts),
    ]
}

fn outputs(config: &Config) -> [BudgetPart; 6] {
    let (divisor, connections) = (config.history.divisor as u64, config.http.most_connections as u64);
    let names = format!("--names.max_hosts {}", config.names.max_hosts);
    [
        part(
            "history",
            HISTORY / divisor,
            &if divisor == 1 { "all rows".to_owned() } else { format!("one row in {divisor}") },
        ),
        part("events", 2 * config.events.queue_bytes as u64, "queue of the event log"),
        evidence(config),
        part("receivers", of_receivers(config), "alerts that wait"),
        set_part(config, "names", of_names(config), ("names", "max_hosts"), names),
        part("http", ANSWERS + connections * CONNECTION, &format!("{connections} connections")),
    ]
}

/// The entries for which a table of `limit` entries may have memory.
fn entries(limit: usize) -> u64 {
    let limit = limit as u64;
    if RESERVED_AT_ONCE.contains(&limit) { limit } else { limit.next_power_of_two() }
}

/// The number of capture threads, at most.
fn threads(config: &Config) -> u64 {
    let capture = &config.capture;
    let interfaces = match &capture.selection {
        Selection::Named(names) => names.len(),
        Selection::Any => 1,
        Selection::All if capture.most_handles == usize::MAX => USUAL_INTERFACES,
        Selection::All => return capture.most_handles as u64,
    };
    (interfaces * capture.workers) as u64
}

fn reads_interfaces(config: &Config) -> bool {
    config.source.is_none()
}

fn rings(config: &Config, measure: Measure) -> BudgetPart {
    let capture = &config.capture;
    let bytes = match capture.selection {
        _ if !reads_interfaces(config) || config.kernel.daq != Daq::Libpcap || measure == Measure::Charged => 0,
        Selection::All => capture.all_rings_bytes,
        Selection::Any | Selection::Named(_) => threads(config) * u64::from(capture.buffer_bytes),
    };
    let option = format!("--buffer-size {}KiB", capture.buffer_bytes >> 10);
    set_part(config, "rings", bytes, ("capture", "buffer_size"), option)
}

fn intervals(config: &Config) -> u64 {
    threads(config) * (config.pipeline.interval_rows as u64 * INTERVAL_ROW + CAPTURE_THREAD)
}

/// Tables for each length of a window: sources, and destinations, sums and pairs where they are needed.
fn of_bandwidth(config: &Config) -> u64 {
    let Some(bandwidth) = &config.detect.bandwidth else { return 0 };
    let cells = |cells: usize| (cells as u64).next_power_of_two() * BANDWIDTH_CELL;
    let addresses = entries(bandwidth.max_addresses) * BANDWIDTH_ADDRESS + cells(bandwidth.max_cells);
    let ends = 1 + u64::from(bandwidth.direction != BandwidthDirection::Source);
    let has_totals = bandwidth.networks.iter().any(|network| network.total);
    let pairs = entries(bandwidth.max_pairs) * BANDWIDTH_PAIR + cells(bandwidth.max_pair_cells);
    let pairs = if bandwidth.no_destinations { 0 } else { pairs };
    let windows = addresses * (ends + u64::from(has_totals)) + pairs;
    windows * bandwidth.intervals().len() as u64
}

fn of_scans(config: &Config) -> u64 {
    config.detect.scan.as_ref().map_or(0, |scan| {
        let tables =
            [(scan.max_sources, SCAN_SOURCE), (scan.max_contacts, SCAN_TARGET), (scan.max_waiting, SCAN_PENDING)];
        SCAN_TABLES + tables.iter().map(|(limit, bytes)| entries(*limit) * bytes).sum::<u64>()
    })
}

fn of_anomalies(config: &Config) -> u64 {
    config.detect.anomaly.map_or(0, |anomaly| {
        let pair = ANOMALY_PAIR + anomaly.capacity as u64 * ANOMALY_VALUE;
        ANOMALY_AHEAD + entries(anomaly.max_pairs) * pair
    })
}

fn of_policy(config: &Config) -> u64 {
    let Some(policy) = &config.detect.policy else { return 0 };
    let pieces = policy.interval.as_secs().clamp(1, MOST_PIECES).next_power_of_two();
    let sources = entries(policy.max_sources) * (POLICY_SOURCE + pieces * POLICY_PIECE);
    sources + entries(config.policy.events.max_sources) * EVENT_PACE
}

fn evidence(config: &Config) -> BudgetPart {
    let evidence = &config.evidence;
    let is_kept = reads_interfaces(config) && (evidence.ring_bytes.is_some() || evidence.packet_log.is_on);
    let ring = evidence.ring_bytes.unwrap_or(0);
    let bytes = ring + evidence.queue_bytes as u64 + threads(config) * RECORDER + EVIDENCE_WRITER;
    let option = format!("--evidence.ring {}KiB", ring >> 10);
    set_part(config, "evidence", if is_kept { bytes } else { 0 }, ("evidence", "ring"), option)
}

fn of_receivers(config: &Config) -> u64 {
    match config.notify.receivers.len() as u64 {
        0 => 0,
        receivers => RECEIVERS + receivers * RECEIVER,
    }
}

/// Databases are counted with the size of usual extracts; what a file has beyond that is not known before it is read.
fn of_names(config: &Config) -> u64 {
    let names = &config.names;
    if names.is_off() {
        return 0;
    }
    let single = [&names.hosts_file, &names.oui_file, &names.country_file, &names.asn_file];
    let files: Vec<&Path> =
        single.into_iter().flatten().chain(&names.lease_files).map(std::path::PathBuf::as_path).collect();
    let sockets = if names.processes { SOCKETS } else { 0 };
    names.max_hosts as u64 * NAMED_HOST + sockets + files.len() as u64 * NAMES_FILE
}

/// The maps are memory of the kernel, which a cgroup counts as that of the process.
fn kernel_maps(config: &Config) -> BudgetPart {
    let is_used = reads_interfaces(config) && config.kernel.daq != Daq::Libpcap;
    let bytes = config.kernel.map_bytes + 2 * u64::from(config.kernel.ring_bytes) + KERNEL_READER;
    let option = format!("--xdp.map-memory {}MiB", config.kernel.map_bytes >> 20);
    set_part(config, "kernel maps", if is_used { bytes } else { 0 }, ("kernel", "map_memory"), option)
}
