//! Every bounded table and queue counts its losses: each row of the limits table in docs/internals.md, and each
//! capacity in the source, has a metric that counts entries beyond the limit, or a reason why none is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use common::exporter::program;
use common::exposition::{parse, sum};
use common::ip::{Ipv4, tcp, udp};
use common::link::{Link, Sample};
use common::savefile::Savefile;

use trafficmonitor::export::family::{ALL, MetricKind};
use trafficmonitor::export::process::Queue;

/// The trace of an entry beyond the limit.
enum Trace {
    /// Each of these counters or rows has it. A label may follow.
    Counted(&'static [&'static str]),
    /// It is not lost, for this reason.
    Kept(&'static str),
}

use Trace::{Counted, Kept};

/// A row of the table: its beginning, the trace of entries beyond the limit, and the capacities in the source that it
/// is about.
struct Limit(&'static str, Trace, &'static [&'static str]);

const LIMITS: &[Limit] = &[
    Limit(
        "flow table and host table",
        Counted(&[
            "trafficmonitor_flows_evicted_total",
            "trafficmonitor_hosts_evicted_total",
            "trafficmonitor_flow_bytes_total{source=\"other\"}",
        ]),
        &["tables/index.rs MOST"],
    ),
    Limit(
        "rows exported",
        Counted(&[
            "trafficmonitor_flow_bytes_total{source=\"other\"}",
            "trafficmonitor_host_bytes_total{host=\"other\"}",
        ]),
        &[],
    ),
    Limit(
        "scrapers waited for",
        Counted(&["trafficmonitor_scrapes_untracked_total"]),
        &[
            "account/delivery/mod.rs MAXIMUM_SCRAPERS",
            "account/delivery/mod.rs MAXIMUM_UNDER_WAY",
            "account/delivery/mod.rs KEPT_INTERVALS",
        ],
    ),
    Limit(
        "reports of scrapes",
        Counted(&["trafficmonitor_queue_dropped_total{queue=\"scrapes\"}"]),
        &["http/scrape.rs MAXIMUM_REPORTS"],
    ),
    Limit(
        "first scrapes broken off",
        Counted(&["trafficmonitor_scrapes_total{result=\"broken\"}"]),
        &["account/delivery/mod.rs MAXIMUM_BROKEN"],
    ),
    Limit(
        "`other` rows that appear late",
        Counted(&["trafficmonitor_flow_bytes_total{protocol=\"other\"}"]),
        &["account/series/others.rs MAXIMUM_LATE_GROUPS"],
    ),
    Limit("conversations remembered", Counted(&["trafficmonitor_conversations_forgotten_total"]), &[]),
    Limit(
        "sources, and destinations, with a bandwidth window",
        Counted(&["trafficmonitor_detection_table_evicted_total{table=\"bandwidth_sources\"}"]),
        &[],
    ),
    Limit(
        "pairs of hosts with a bandwidth window",
        Counted(&["trafficmonitor_detection_table_evicted_total{table=\"bandwidth_pairs\"}"]),
        &[],
    ),
    Limit(
        "requests for a reload that wait",
        Kept("a further client is answered 503, and a further signal is served by the reload that waits"),
        &["http/lifecycle.rs MOST_WAITING"],
    ),
    Limit(
        "alert lines that wait",
        Counted(&["trafficmonitor_queue_dropped_total{queue=\"alerts\"}"]),
        &["app/output/mod.rs MAXIMUM_LINES", "app/output/mod.rs MAXIMUM_BYTES"],
    ),
    Limit("log lines that wait", Counted(&["trafficmonitor_queue_dropped_total{queue=\"log\"}"]), &[]),
    Limit(
        "events that wait for the event log",
        Counted(&["trafficmonitor_queue_dropped_total{queue=\"events\"}"]),
        &["events/log/channel.rs MAXIMUM_BYTES"],
    ),
    Limit(
        "sources and ports in a summary",
        Kept("a summary lists only the first ones"),
        &["events/log/pattern.rs MOST_KEYS"],
    ),
    Limit(
        "sources, targets, ports and alerts of an analysis",
        Kept("the report has the error of its counts"),
        &[
            "events/analysis/mod.rs MOST_ADDRESSES",
            "events/analysis/mod.rs MOST_PORTS",
            "events/analysis/mod.rs MOST_ALERTS",
        ],
    ),
    Limit(
        "notices that are not repeated",
        Kept("all are forgotten, so that one may be said again"),
        &["pipeline/notices.rs MAXIMUM_NOTICES"],
    ),
    Limit(
        "rows that are ahead of packet time, for anomalies",
        Kept("they count in the open interval"),
        &["detect/anomaly/watch.rs MAXIMUM_AHEAD"],
    ),
    Limit(
        "pairs with a series, for anomalies",
        Counted(&["trafficmonitor_detection_table_evicted_total{table=\"anomaly_pairs\"}"]),
        &[],
    ),
    Limit(
        "sources that are not permitted",
        Counted(&["trafficmonitor_detection_table_evicted_total{table=\"policy_sources\"}"]),
        &["detect/policy/sender.rs MAXIMUM_PIECES"],
    ),
    Limit("sources with a pace of events", Counted(&["trafficmonitor_policy_events_suppressed_total"]), &[]),
    Limit(
        "scanners: sources",
        Counted(&[
            "trafficmonitor_detection_table_evicted_total{table=\"scan_sources\"}",
            "trafficmonitor_unknown_contacts_total",
        ]),
        &["detect/scan/state.rs MOST_EVENTS"],
    ),
    Limit(
        "addresses and ports that asked many hosts",
        Counted(&["trafficmonitor_detection_table_evicted_total{table=\"scan_askers\"}"]),
        &[
            "detect/scan/contacts/askers.rs LIMIT",
            "detect/scan/contacts/askers.rs BUCKETS",
            "detect/scan/contacts/askers.rs IN_BUCKET",
        ],
    ),
    Limit(
        "targets that are known because they answered",
        Counted(&["trafficmonitor_detection_table_evicted_total{table=\"scan_known\"}"]),
        &["detect/scan/known.rs MOST_WAITING"],
    ),
    Limit(
        "networks of sources outside",
        Counted(&["trafficmonitor_detection_table_evicted_total{table=\"scan_prefixes\"}"]),
        &["detect/scan/groups.rs MOST_SOURCES", "detect/scan/prefixes.rs MOST"],
    ),
    Limit("hosts that were contacted", Kept("a filter has no entries"), &[]),
    Limit(
        "TCP conversations in the sample",
        Kept("a sample is meant to be small"),
        &["detect/scan/sample.rs MOST_OF_A_HOST"],
    ),
    Limit(
        "sources, destinations and pairs with figures",
        Kept("only the first of a list are exported; alerts are raised for all"),
        &["detect/anomaly/watch.rs MAXIMUM_SHOWN"],
    ),
    Limit(
        "alerts with rows",
        Counted(&["trafficmonitor_alerts_active"]),
        &["export/detection/mod.rs MAXIMUM_FIRING_ROWS"],
    ),
    Limit(
        "sources in `/all`",
        Counted(&["trafficmonitor_detection_table_evicted_total{table=\"bandwidth_pairs\"}"]),
        &[
            "detect/bandwidth/chart.rs MAXIMUM_TALKERS",
            "detect/bandwidth/chart.rs MAXIMUM_DESTINATIONS",
            "export/chart/mod.rs MAXIMUM_DETAILED",
        ],
    ),
    Limit("history: cells without rows", Kept("it shows the last hour, and older cells are to leave"), &[]),
    Limit(
        "history: cells with rows",
        Kept("the sum without rows has them, and older cells are to leave"),
        &["history/mod.rs KEPT_SECONDS"],
    ),
    Limit(
        "history: rows of an open cell",
        Kept("sums by host, service or protocol have them"),
        &["history/open.rs MAXIMUM_EVICTED"],
    ),
    Limit("history: names of interfaces", Kept("they count as interface other"), &["history/names.rs MAXIMUM_NAMES"]),
    Limit(
        "resolved alerts, for readers",
        Kept("the list has the number of those that were forgotten"),
        &["alert/resolved.rs MAXIMUM_RESOLVED", "alert/resolved.rs MOST_FORGOTTEN"],
    ),
    Limit(
        "alerts pending or firing",
        Counted(&["trafficmonitor_alerts_dropped_total"]),
        &["alert/space.rs MOST_OF_POLICY"],
    ),
    Limit(
        "rows of an interval",
        Counted(&["trafficmonitor_overflow_packets_total"]),
        &["account/interval/table.rs MAXIMUM_ROWS", "tables/probe.rs MOST"],
    ),
    Limit("conversations in the kernel", Counted(&["trafficmonitor_overflow_packets_total"]), &[]),
    Limit(
        "messages of the kernel",
        Counted(&["trafficmonitor_kernel_messages_lost_total"]),
        &["kernel/bpf/rings.rs MAXIMUM_MESSAGES"],
    ),
    Limit(
        "violations that the kernel reports",
        Counted(&["trafficmonitor_kernel_events_lost_total"]),
        &["kernel/bpf/rings.rs MAXIMUM_VIOLATIONS"],
    ),
    Limit(
        "interfaces of the kernel path",
        Kept("the interface is tried again; a line in the log names it"),
        &["kernel/bpf/memory.rs MOST_OVERFLOW", "kernel/bpf/memory.rs MOST_INTERFACES"],
    ),
    Limit(
        "refusals of an interval",
        Counted(&["trafficmonitor_refusals_lost_total"]),
        &["account/refusals.rs MAXIMUM_REFUSALS"],
    ),
    Limit(
        "messages of address resolution of an interval",
        Counted(&["trafficmonitor_refusals_lost_total"]),
        &["account/interval/mod.rs MAXIMUM_RESOLUTIONS"],
    ),
    Limit("intervals", Counted(&["trafficmonitor_handover_delays_total"]), &[]),
    Limit(
        "bytes of a capture that wait",
        Kept("the reader waits, or the file is refused in words"),
        &[
            "capture/savefile/ahead.rs PIECES",
            "capture/savefile/blocks/mod.rs LARGEST_BLOCK",
            "capture/savefile/blocks/mod.rs MOST_INTERFACES",
        ],
    ),
    Limit(
        "window of a compressed capture",
        Kept("the file is refused in words"),
        &["capture/savefile/compression.rs LARGEST_WINDOW", "capture/savefile/compression.rs LARGEST_XZ_KIB"],
    ),
    Limit(
        "networks in a filter, routes",
        Kept("a warning says what may count twice"),
        &["capture/once/mod.rs MAX_NETWORKS", "capture/once/mod.rs MAX_LEFT_OUT", "capture/network/mod.rs MAX_ROUTES"],
    ),
    Limit(
        "HTTP connections",
        Counted(&[
            "trafficmonitor_http_connections_refused_total",
            "trafficmonitor_http_connections_cut_total{reason=\"crowded\"}",
        ]),
        &["http/connection.rs MAXIMUM_CONNECTIONS"],
    ),
    Limit(
        "requests to the API that are being rendered",
        Counted(&["trafficmonitor_http_api_refused_total"]),
        &[
            "export/api/alerts.rs MAXIMUM_ALERTS",
            "export/api/graph/mod.rs MAXIMUM_EDGES",
            "export/api/graph/mod.rs MAXIMUM_NODES",
            "export/api/graph/mod.rs MAXIMUM_SERVICES",
            "export/api/search.rs MAXIMUM_SUGGESTIONS",
            "export/api/tables/mod.rs MAXIMUM_OFFSET",
            "export/api/tables/mod.rs MAXIMUM_ROWS",
            "http/api.rs MAXIMUM_RENDERINGS",
            "http/api.rs MAXIMUM_TRANSFERS",
        ],
    ),
    Limit(
        "streams of events",
        Counted(&["trafficmonitor_http_api_refused_total"]),
        &["http/connection.rs MAXIMUM_STREAMS"],
    ),
    Limit(
        "answers of the API that are kept",
        Kept("they are made again"),
        &["http/cache.rs MAXIMUM_ANSWERS", "http/cache.rs MAXIMUM_ANSWER_BYTES", "http/cache.rs MAXIMUM_BYTES"],
    ),
    Limit(
        "parameters of the API",
        Kept("the request is refused in words"),
        &[
            "export/api/filter.rs MAXIMUM_WORDS",
            "export/api/query.rs MAXIMUM_QUOTED",
            "export/api/query.rs MAXIMUM_VALUE",
        ],
    ),
    Limit(
        "head of a request",
        Counted(&["trafficmonitor_http_connections_cut_total{reason=\"invalid\"}"]),
        &["http/connection.rs MAXIMUM_HEAD"],
    ),
    Limit("TLS handshakes", Counted(&["trafficmonitor_http_connections_cut_total{reason=\"silent\"}"]), &[]),
    Limit(
        "checks of passwords",
        Counted(&["trafficmonitor_web_denied_total{reason=\"checks\"}"]),
        &["http/access/pace.rs MAXIMUM_CLIENTS", "http/access/passwords.rs MAXIMUM_CHECKS"],
    ),
    Limit(
        "pairs of user and password that are remembered",
        Kept("a pair that left is checked again"),
        &["http/access/passwords.rs MAXIMUM_WRONG_PAIRS"],
    ),
    Limit("web configuration file and each file that it names", Kept("the version is refused in words"), &[]),
    Limit("a client that sends no request", Counted(&["trafficmonitor_http_connections_cut_total"]), &[]),
    Limit(
        "interfaces that exist",
        Counted(&["trafficmonitor_interface_frames_total{interface=\"other\"}"]),
        &["account/interfaces/mod.rs MAXIMUM_LIVING"],
    ),
    Limit(
        "interfaces that no longer exist",
        Counted(&["trafficmonitor_interfaces_retired_unread_total"]),
        &["account/interfaces/mod.rs MAXIMUM_GONE"],
    ),
    Limit(
        "positions of interfaces in detection",
        Kept("a position is used again at once"),
        &["detect/scan/interface_positions.rs MAXIMUM_POSITIONS"],
    ),
    Limit(
        "kernel rings",
        Counted(&[
            "trafficmonitor_rings_refused_total",
            "trafficmonitor_capture_packets_dropped_total{reason=\"kernel\"}",
        ]),
        &["capture/mod.rs ALL_RINGS_BYTES"],
    ),
    Limit(
        "expositions and lists of sources under way",
        Counted(&["trafficmonitor_http_scrapes_refused_total"]),
        &["http/pages.rs MAXIMUM_RENDERINGS", "http/body.rs MAXIMUM_CHUNKS"],
    ),
    Limit("hosts with names", Kept("it stays without a name"), &[]),
    Limit(
        "leases, addresses of the hosts file",
        Counted(&["trafficmonitor_names_refused_total"]),
        &[
            "capture/network/neighbours.rs MAX_NEIGHBOURS",
            "capture/network/sockets.rs MAX_SOCKETS",
            "names/hosts_file.rs MOST_HOSTS",
            "names/leases/mod.rs MOST_LEASES",
            "names/vendors.rs MOST_PREFIXES",
        ],
    ),
    Limit("flows whose processes", Kept("it stays without a process"), &["app/naming.rs MOST_FLOWS"]),
    Limit(
        "evidence files that are being sent",
        Kept("the request is answered 503, and can be repeated"),
        &["http/pages.rs MAXIMUM_DOWNLOADS"],
    ),
    Limit(
        "packets and alerts that wait for the evidence thread",
        Counted(&["trafficmonitor_evidence_packets_lost_total", "trafficmonitor_evidence_alerts_lost_total"]),
        &["evidence/mod.rs MOST_CHANGES", "evidence/mod.rs MOST_WAITING"],
    ),
    Limit("ring of recent packets", Kept("it is meant to forget"), &[]),
    Limit(
        "evidence files open",
        Counted(&["trafficmonitor_evidence_files_refused_total"]),
        &["evidence/cases.rs MOST_CASES", "evidence/cases.rs MOST_OPEN"],
    ),
    Limit(
        "work for the thread that writes evidence",
        Counted(&["trafficmonitor_evidence_packets_missed_total"]),
        &["evidence/writer/jobs.rs MOST_JOBS"],
    ),
    Limit("files of the archive", Counted(&["trafficmonitor_evidence_files_removed_total"]), &[]),
    Limit("evidence files that can be found", Kept("the file stays in the archive"), &["alert/evidence.rs MOST_FILES"]),
    Limit(
        "conversations with logged packets",
        Counted(&["trafficmonitor_packet_log_packets_lost_total"]),
        &[
            "evidence/packet_log/log_files.rs MOST_OPEN",
            "evidence/packet_log/mod.rs MOST_CONVERSATIONS",
            "evidence/packet_log/queue.rs MOST_CHUNKS",
        ],
    ),
    Limit(
        "alerts on their way to receivers",
        Counted(&["trafficmonitor_notifications_failed_total{reason=\"queue_full\"}"]),
        &["notify/inbox.rs MOST_BYTES", "notify/inbox.rs MOST_ENDS", "notify/inbox.rs MOST_NOTICES"],
    ),
    Limit(
        "alerts that wait for a receiver",
        Counted(&["trafficmonitor_notifications_failed_total{reason=\"queue_full\"}"]),
        &["notify/queue.rs MOST_WAITING"],
    ),
    Limit(
        "delivered alerts whose end",
        Counted(&["trafficmonitor_notifications_untracked_total"]),
        &["notify/firing.rs MOST_FIRING"],
    ),
];

/// Capacities of no table and no queue: a greatest setting, a piece of work, the length of a text or of a list that is
/// always cut.
const OTHERS: &[&str] = &[
    "account/observer.rs MOST",
    "alert/names.rs MAXIMUM_PROCESSES",
    "app/check/interfaces.rs MOST_TRIED",
    "app/replay/mod.rs MOST_ALERTS",
    "app/start.rs MOST_LISTED",
    "app/test/fired.rs MOST_ALERTS",
    "capture/filter/mod.rs MAXIMUM_INSTRUCTIONS",
    "capture/filter/mod.rs MAXIMUM_TEXT",
    "capture/live/mod.rs MAXIMUM_CAPTURED",
    "capture/live/mod.rs MOST_DRAINED",
    "capture/network/changes.rs MOST_AT_ONCE",
    "capture/once/terms.rs MAX_TAGS",
    "capture/savefile/records.rs LARGEST",
    "capture/selection/mod.rs MOST_LISTED",
    "cli/cases/mod.rs MOST_BYTES",
    "config/delivery.rs MOST_RECEIVERS",
    "config/kinds/numbers.rs HIGHEST_CONTACT_LIMIT",
    "config/file/mod.rs LARGEST_BYTES",
    "config/kinds/numbers.rs LARGEST_RING_BYTES",
    "config/kinds/numbers.rs MOST_ENTRIES",
    "config/kinds/numbers.rs MOST_WORKERS",
    "config/memory/budgets.rs LARGEST_SCALE",
    "config/memory/budgets.rs MOST_INTERFACES",
    "config/memory/parts.rs MOST_PIECES",
    "decode/ethernet.rs MAXIMUM_LENGTH",
    "detect/anomaly/config.rs LARGEST_CAPACITY",
    "detect/anomaly/config.rs MOST_PAIRS",
    "detect/anomaly/config.rs MOST_PERMUTATIONS",
    "detect/bandwidth/limits.rs NEWCOMER_PART_OF_LIMIT",
    "detect/bandwidth/config.rs MAXIMUM_INTERVALS",
    "detect/bandwidth/config.rs MAXIMUM_NETWORKS",
    "detect/mod.rs MAXIMUM_TARGETS",
    "detect/scan/contacts/mark.rs MOST",
    "detect/scan/excluded.rs MAXIMUM_EXCLUDED",
    "detect/scan/masquerade.rs MOST_KNOWN",
    "detect/scan/masquerade.rs MOST_SEARCHES",
    "detect/scan/outcomes.rs MOST_BYTES",
    "detect/scan/outcomes.rs MOST_DATAGRAMS",
    "detect/scan/state.rs TIMES_LIMIT",
    "events/analysis/distinct.rs KEPT",
    "events/analysis/mod.rs KEPT_OF_ALL",
    "events/analysis/array.rs LARGEST_EVENT",
    "events/analysis/periods.rs KEPT_PERIODS",
    "events/analysis/timeline.rs MOST_PERIODS",
    "evidence/buffers.rs MOST_SPARE",
    "evidence/earlier.rs LARGEST",
    "evidence/writer/cut.rs LARGEST",
    "evidence/losses.rs MOST_LOSSES",
    "evidence/packet_log/mod.rs MOST_FIRING",
    "evidence/selection.rs MOST_ASKED",
    "evidence/selection.rs MOST_CONVERSATIONS",
    "evidence/selection.rs MOST_WITNESSES",
    "export/table/head.rs MOST_FILES",
    "export/units.rs LARGEST_WRITTEN_OUT",
    "http/access/settings.rs MAXIMUM_COST",
    "names/files.rs MOST_DATABASE_BYTES",
    "names/files.rs MOST_HOSTS_BYTES",
    "names/files.rs MOST_LEASE_BYTES",
    "names/files.rs MOST_VENDOR_BYTES",
    "names/dns/mod.rs MOST_SERVERS",
    "names/dns/wire.rs MOST_ALIASES",
    "names/processes/files.rs MOST_BYTES",
    "names/processes/files.rs MOST_FILES",
    "notify/client.rs MOST_ANSWER",
    "notify/receivers/alertmanager.rs MOST",
    "os/cgroup.rs NO_LIMIT",
    "os/processes.rs MOST_ANCESTORS",
];

/// The words by which the name of a capacity is known.
const WORDS: [&str; 11] =
    ["MOST", "MAXIMUM", "MAX", "WAITING", "LIMIT", "LARGEST", "PIECES", "CAPACITY", "BUCKET", "BUCKETS", "RINGS"];
/// The types of capacities.
const COUNTS: [&str; 5] = ["usize", "u64", "u32", "u16", "u8"];
/// The places where queues between threads are made. The unbounded ones carry a fixed number of messages: intervals
/// that go round, or one answer.
const CHANNELS: [&str; 18] = [
    "app/live/file.rs",
    "http/lifecycle.rs",
    "app/signals.rs",
    "capture/filter/mod.rs",
    "capture/savefile/ahead.rs",
    "evidence/buffers.rs",
    "evidence/packet_log/queue.rs",
    "evidence/start.rs",
    "evidence/writer/jobs.rs",
    "http/body.rs",
    "http/scrape.rs",
    "http/stream.rs",
    "notify/engine.rs",
    "notify/notifier.rs",
    "pipeline/handover/exchange.rs",
    "pipeline/settings.rs",
    "pipeline/supervisor/mod.rs",
    "pipeline/supervisor/thread.rs",
];
/// The same offline: batches come back before more are sent.
const OFFLINE_CHANNELS: [&str; 2] = ["pipeline/replay/dispatcher.rs", "pipeline/replay/worker.rs"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of the limits table, by their first cells.
fn rows() -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/internals.md")).unwrap();
    let table = text.lines().skip_while(|line| !line.starts_with("| limit | where | at the limit |")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('|').nth(1).unwrap().trim().to_owned()).collect()
}

/// The source files without their tests: path below `src/` and text.
fn source(folder: &Path) -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files = paths.into_iter().flat_map(|path| match path.is_dir() {
        true => source(&path),
        false => {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            vec![(path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned(), code)]
        }
    });
    files.filter(|(path, _)| path.ends_with(".rs") && !path.contains("tests")).collect()
}

/// The capacities that the source declares, each with its file.
fn capacities() -> BTreeSet<String> {
    let of_line = |line: &str| {
        let (name, rest) = line.split_once("const ")?.1.split_once(": ")?;
        let kind = rest.split_once(" =")?.0;
        let is_capacity = COUNTS.contains(&kind) && name.split('_').any(|word| WORDS.contains(&word) || word == "KEPT");
        is_capacity.then(|| name.to_owned())
    };
    let of_file = |(path, text): (String, String)| {
        text.lines().filter_map(of_line).map(|name| format!("{path} {name}")).collect::<Vec<_>>()
    };
    source(&root().join("src")).into_iter().flat_map(of_file).collect()
}

#[test]
fn every_row_of_the_limits_table_has_its_trace() {
    let rows = rows();
    assert!(rows.len() > 30, "{rows:?}");
    for row in &rows {
        assert!(LIMITS.iter().any(|Limit(begins, ..)| row.starts_with(begins)), "a limit without a metric: {row}");
    }
    for Limit(begins, ..) in LIMITS {
        assert_eq!(rows.iter().filter(|row| row.starts_with(begins)).count(), 1, "rows of docs/internals.md: {begins}");
    }
}

#[test]
fn every_trace_is_a_metric_with_that_label_or_a_reason() {
    for Limit(row, trace, _) in LIMITS {
        let metrics = match trace {
            Counted(metrics) => *metrics,
            Kept(reason) => {
                assert!(!reason.is_empty(), "{row}");
                continue;
            }
        };
        assert!(!metrics.is_empty(), "{row}");
        for metric in metrics {
            let (name, label) = metric.split_once('{').unwrap_or((metric, ""));
            let family = ALL.iter().find(|family| family.name == name);
            let family = family.unwrap_or_else(|| panic!("{row}: there is no metric {name}"));
            assert!(
                family.kind == MetricKind::Counter || name == "trafficmonitor_alerts_active",
                "{row}: {name} is no counter"
            );
            let label = label.split('=').next().unwrap();
            assert!(label.is_empty() || family.labels.contains(&label), "{row}: {name} has no label {label}");
        }
    }
}

#[test]
fn every_queue_with_a_counter_has_its_limit_and_the_reverse() {
    let label = |queue: &Queue| format!("trafficmonitor_queue_dropped_total{{queue=\"{}\"}}", queue.label());
    let named: BTreeSet<String> = LIMITS
        .iter()
        .filter_map(|Limit(_, trace, _)| if let Counted(metrics) = trace { Some(*metrics) } else { None })
        .flatten()
        .filter(|metric| metric.contains("queue_dropped_total"))
        .map(|metric| (*metric).to_owned())
        .collect();
    assert_eq!(named, Queue::ALL.iter().map(label).collect());
}

#[test]
fn every_capacity_in_the_source_belongs_to_a_limit() {
    let listed: BTreeSet<String> =
        LIMITS.iter().flat_map(|Limit(_, _, names)| *names).chain(OTHERS).map(|name| (*name).to_owned()).collect();
    let declared = capacities();
    let missing: Vec<_> = declared.difference(&listed).collect();
    assert!(missing.is_empty(), "capacities without a limit in this list: {missing:?}");
    let gone: Vec<_> = listed.difference(&declared).collect();
    assert!(gone.is_empty(), "capacities that are not in the source: {gone:?}");
}

#[test]
fn every_queue_between_threads_is_known() {
    let makes_a_channel =
        |text: &str| text.lines().any(|line| line.contains("channel(") && !line.trim_start().starts_with("//"));
    let made: BTreeSet<String> = source(&root().join("src"))
        .into_iter()
        .filter_map(|(path, text)| makes_a_channel(&text).then_some(path))
        .collect();
    let known: BTreeSet<String> = CHANNELS.iter().chain(&OFFLINE_CHANNELS).map(|path| (*path).to_owned()).collect();
    assert_eq!(made, known, "a queue that is new or gone: has it a limit and a counter?");
}

/// Sources of a flood that fills every table.
const SOURCES: u32 = 16_000;
/// The SYN flag of TCP.
const SYN: u8 = 2;

/// Datagrams and SYNs from many sources to many destinations, each of them more than the limit of its source.
fn flood() -> Vec<Sample> {
    let packet = |number: u32| {
        let above = if number.is_multiple_of(8) { tcp(40_000, 22, SYN, &[]) } else { udp(40_000, 9, &[0; 100]) };
        let (source, destination) = (Ipv4Addr::from(0x0b00_0000 + number), Ipv4Addr::from(0x0c00_0000 + number / 2));
        Link::ethernet().carrying(&Ipv4::carrying(above).between(source, destination).build())
    };
    (0..SOURCES).map(packet).collect()
}

#[test]
fn full_tables_move_their_counters() {
    let folder = tempfile::tempdir().unwrap();
    // The first ones come one a second, so that tables fill with entries that rest, and all others at once.
    let second = |number: usize| 1_700_000_000 + number.min(4_000) as u32;
    let add = |savefile: Savefile, (number, frame): (usize, &Sample)| savefile.frame_at(second(number), 0, frame);
    flood().iter().enumerate().fold(Savefile::new(1), add).write(folder.path(), "flood.pcap");
    let options = ["--output", "prometheus", "-ByteLimit", "10", "--max-flows", "1000", "--max-hosts", "1000"];
    let output = program(["replay", "flood.pcap"].iter().chain(&options)).current_dir(folder.path()).output().unwrap();
    let families = parse(&String::from_utf8(output.stdout).unwrap());
    for name in [
        "trafficmonitor_flows_evicted_total",
        "trafficmonitor_hosts_evicted_total",
        "trafficmonitor_conversations_forgotten_total",
        "trafficmonitor_alerts_dropped_total",
    ] {
        assert!(sum(&families, name, None) > 0, "{name} is 0");
    }
    assert!(sum(&families, "trafficmonitor_flow_bytes_total", Some(("source", "other"))) > 0);
    assert!(sum(&families, "trafficmonitor_host_bytes_total", Some(("host", "other"))) > 0);
}
