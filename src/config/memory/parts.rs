//! The memory of each part of the program with given budgets, at most.
//!
//! Takes a configuration; gives bytes by part. Must not know a limit.
//!
//! The prices of entries are measured: a test floods the program and compares them with what its tables take
//! (`tests/memory.rs`). They are for IPv6, whose keys are longer, and include indexes and free space.

use std::path::Path;

use crate::capture::Selection;
use crate::config::Config;
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
/// Up to this many entries, tables reserve memory for as many as they need; beyond, for the next power of two.
const RESERVED_AT_ONCE: u64 = 262_144;

/// A row and a refusal of both IP versions in both intervals of a capture thread.
const INTERVAL_ROW: u64 = 760;
/// Messages of address resolution, decoder and stack of a capture thread.
const CAPTURE_THREAD: u64 = MEBIBYTE;
/// The most capture threads that are counted with `all` if nothing limits them.
const MOST_THREADS: u64 = 64;

/// An address or a pair with a bandwidth window, and a cell of one.
const BANDWIDTH_ADDRESS: u64 = 104;
const BANDWIDTH_PAIR: u64 = 128;
const BANDWIDTH_CELL: u64 = 16;
/// A source, a target and a pending contact of scans; askers, known targets, networks and rows that are ahead.
const SCAN_SOURCE: u64 = 160;
const SCAN_TARGET: u64 = 88;
const SCAN_PENDING: u64 = 176;
const SCAN_TABLES: u64 = 3 * MEBIBYTE;
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
/// What waits for all receivers, and for each.
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
pub(crate) struct Part {
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
pub(crate) fn parts(config: &Config) -> Vec<Part> {
    let given = |section, key, option: String| config.memory.given.has(section, key).then_some(option);
    let part = |name, bytes, budget: String| Part { name, bytes, budget, given: None };
    let account = &config.account;
    let (flows, series) = (format!("--max-flows {}", account.max_flows), format!("--max-series {}", account.max_series));
    let hosts = format!("--max-hosts {}", account.max_hosts);
    let of_flows = given("account", "max_flows", flows.clone());
    let alerts = format!("alert.max_alerts {}", config.alert.max_alerts);
    vec![
        part("program", CODE + RUNTIME, "code, threads, lines that wait".to_owned()),
        rings(config),
        part("intervals", intervals(config), format!("{} rows, {} threads", config.pipeline.interval_rows, threads(config))),
        Part { given: of_flows.clone(), ..part("flows", entries(account.max_flows) * FLOW, flows.clone()) },
        Part { given: of_flows, ..part("conversations", entries(account.max_flows) * CONVERSATION, flows) },
        Part {
            given: given("account", "max_hosts", hosts.clone()),
            ..part("hosts", entries(account.max_hosts) * HOST, hosts)
        },
        Part {
            given: given("account", "max_series", series.clone()),
            ..part("series", (account.max_series + account.max_host_series) as u64 * SERIES, series)
        },
        part("bandwidth", of_bandwidth(config), "tables of bandwidth".to_owned()),
        part("scans", of_scans(config), "tables of scans".to_owned()),
        Part {
            given: given("anomaly", "max_pairs", "anomaly.max_pairs".to_owned()),
            ..part("anomalies", of_anomalies(config), "anomaly.max_pairs".to_owned())
        },
        Part {
            given: given("policy", "max_sources", "policy.max_sources".to_owned()),
            ..part("policy", of_policy(config), "policy.max_sources".to_owned())
        },
        Part {
            given: given("alert", "max_alerts", alerts.clone()),
            ..part("alerts", RESOLVED_ALERTS + config.alert.max_alerts as u64 * ALERT, alerts)
        },
        part("history", HISTORY / config.history.divisor as u64, format!("one row in {}", config.history.divisor)),
        part("events", 2 * config.events.queue_bytes as u64, "queue of the event log".to_owned()),
        evidence(config),
        part("receivers", of_receivers(config), "alerts that wait".to_owned()),
        Part {
            given: given("names", "max_hosts", format!("--names.max_hosts {}", config.names.max_hosts)),
            ..part("names", of_names(config), format!("--names.max_hosts {}", config.names.max_hosts))
        },
        part(
            "http",
            ANSWERS + config.http.most_connections as u64 * CONNECTION,
            format!("{} connections", config.http.most_connections),
        ),
        kernel_maps(config),
    ]
}

/// The entries for which a table of `limit` entries may have memory.
fn entries(limit: usize) -> u64 {
    let limit = limit as u64;
    if limit > RESERVED_AT_ONCE { limit.next_power_of_two() } else { limit }
}

/// The number of capture threads, at most.
fn threads(config: &Config) -> u64 {
    let capture = &config.capture;
    let interfaces = match &capture.selection {
        Selection::Named(names) => names.len(),
        Selection::Any => 1,
        Selection::All => return (capture.most_handles as u64).min(MOST_THREADS * capture.workers as u64),
    };
    (interfaces * capture.workers) as u64
}

fn reads_interfaces(config: &Config) -> bool {
    config.source.is_none()
}

fn rings(config: &Config) -> Part {
    let capture = &config.capture;
    let bytes = match capture.selection {
        _ if !reads_interfaces(config) || config.kernel.daq != Daq::Libpcap => 0,
        Selection::All => capture.all_rings_bytes,
        Selection::Any | Selection::Named(_) => threads(config) * u64::from(capture.buffer_bytes),
    };
    let option = format!("--buffer-size {}KiB", capture.buffer_bytes >> 10);
    let given = config.memory.given.has("capture", "buffer_size").then(|| option.clone());
    Part { name: "rings", bytes, budget: option, given }
}

fn intervals(config: &Config) -> u64 {
    threads(config) * (config.pipeline.interval_rows as u64 * INTERVAL_ROW + CAPTURE_THREAD)
}

/// Tables for each length of a window: sources, and destinations, sums and pairs where they are needed.
fn of_bandwidth(config: &Config) -> u64 {
    let Some(bandwidth) = &config.detect.bandwidth else { return 0 };
    let cells = |cells: usize| (cells as u64).next_power_of_two() * BANDWIDTH_CELL;
    let addresses = bandwidth.max_addresses as u64 * BANDWIDTH_ADDRESS + cells(bandwidth.max_cells);
    let ends = 1 + u64::from(bandwidth.direction != BandwidthDirection::Source);
    let has_totals = bandwidth.networks.iter().any(|network| network.total);
    let pairs = bandwidth.max_pairs as u64 * BANDWIDTH_PAIR + cells(bandwidth.max_pair_cells);
    let pairs = if bandwidth.no_destinations { 0 } else { pairs };
    let windows = addresses * (ends + u64::from(has_totals)) + pairs;
    windows * bandwidth.intervals().len() as u64
}

fn of_scans(config: &Config) -> u64 {
    config.detect.scan.as_ref().map_or(0, |scan| {
        let tables = [(scan.max_sources, SCAN_SOURCE), (scan.max_contacts, SCAN_TARGET), (scan.max_waiting, SCAN_PENDING)];
        SCAN_TABLES + tables.iter().map(|(entries, bytes)| *entries as u64 * bytes).sum::<u64>()
    })
}

fn of_anomalies(config: &Config) -> u64 {
    config.detect.anomaly.map_or(0, |anomaly| {
        let pair = ANOMALY_PAIR + anomaly.capacity as u64 * ANOMALY_VALUE;
        ANOMALY_AHEAD + anomaly.max_pairs as u64 * pair
    })
}

fn of_policy(config: &Config) -> u64 {
    let Some(policy) = &config.detect.policy else { return 0 };
    let pieces = policy.interval.as_secs().clamp(1, MOST_PIECES).next_power_of_two();
    let sources = policy.max_sources as u64 * (POLICY_SOURCE + pieces * POLICY_PIECE);
    sources + config.policy.events.max_sources as u64 * EVENT_PACE
}

fn evidence(config: &Config) -> Part {
    let evidence = &config.evidence;
    let is_kept = reads_interfaces(config) && (evidence.ring_bytes.is_some() || evidence.packet_log.is_on);
    let ring = evidence.ring_bytes.unwrap_or(0);
    let bytes = ring + evidence.queue_bytes as u64 + threads(config) * RECORDER + EVIDENCE_WRITER;
    let option = format!("--evidence.ring {}KiB", ring >> 10);
    let given = config.memory.given.has("evidence", "ring").then(|| option.clone());
    Part { name: "evidence", bytes: if is_kept { bytes } else { 0 }, budget: option, given }
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
fn kernel_maps(config: &Config) -> Part {
    let is_used = reads_interfaces(config) && config.kernel.daq != Daq::Libpcap;
    let bytes = config.kernel.map_bytes + 2 * u64::from(config.kernel.ring_bytes) + KERNEL_READER;
    let option = format!("--xdp.map-memory {}MiB", config.kernel.map_bytes >> 20);
    let given = config.memory.given.has("kernel", "map_memory").then(|| option.clone());
    Part { name: "kernel maps", bytes: if is_used { bytes } else { 0 }, budget: option, given }
}
