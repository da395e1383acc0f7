//! The labels of every metric: their values, or where these come from. docs/metrics.md lists them.

use std::collections::BTreeSet;

use trafficmonitor::alert::{Severity, Side};
use trafficmonitor::decode::NotIp;
use trafficmonitor::detect::Kind;
use trafficmonitor::export::access::DenialReason;
use trafficmonitor::export::family::{ALL, Family, LIVE_ONLY};
use trafficmonitor::export::process::Queue;
use trafficmonitor::export::sandbox::SandboxPart;
use trafficmonitor::locality::Direction;
use trafficmonitor::names::{LookupResult, NameSource};
use trafficmonitor::notify::FailureReason;
use trafficmonitor::packet::IpVersion;
use trafficmonitor::policy::Verdict;

use super::exposition;

/// The values of a label.
enum Values {
    /// The values of a type of the program.
    Typed(fn() -> Vec<&'static str>),
    /// A closed list that no type of the program declares.
    Listed(&'static [&'static str]),
    /// An open list: the sentence says where the values come from.
    Open(&'static str),
}

use Values::{Listed, Open, Typed};

impl Values {
    fn closed(&self) -> Option<Vec<&'static str>> {
        match self {
            Typed(values) => Some(values()),
            Listed(values) => Some(values.to_vec()),
            Open(_) => None,
        }
    }

    fn markdown(&self) -> String {
        match (self, self.closed()) {
            (Open(sentence), _) => (*sentence).to_owned(),
            (_, values) => {
                values.unwrap_or_default().iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// The metrics of a row.
enum Metrics {
    /// Every metric that has the label.
    Every,
    /// Metrics whose names begin with one of these.
    Prefixed(&'static [&'static str]),
}

use Metrics::{Every, Prefixed};

/// A label of some metrics. The first row that fits counts.
struct Label(&'static str, Metrics, Values);

/// More metrics than these are not named if they are all that have the label.
const MOST_NAMED: usize = 6;

const NAMES: Metrics = Prefixed(&["trafficmonitor_names_"]);
const ALERTS: Metrics = Prefixed(&["trafficmonitor_alert_"]);

const LABELS: &[Label] = &[
    Label("addr", Every, Open("`SOURCE->DESTINATION, proto: PROTOCOL`")),
    Label("dstPort", Every, Open("`PROTOCOL/PORT(SERVICE)`, with `reply_` in front for the answers of a service")),
    Label("port", Prefixed(&["hosts_src_dst"]), Open("The same as `dstPort`")),
    Label("firstSeen", Every, Open("Time of the first packet in UTC, such as `2026 03 17 13:31:58`")),
    Label("kind", Prefixed(&["trafficmonitor_scan_limit"]), Listed(&["host_scan", "port_scan", "group_scan"])),
    Label("kind", Every, Typed(|| Kind::ALL.map(Kind::label).to_vec())),
    Label(
        "rule",
        Every,
        Open(
            "`bandwidth`, `host_scan`, `port_scan`, `group_scan`, `anomaly`, `policy`, or the `rule` of an entry of `bandwidth.networks` or of `policy`",
        ),
    ),
    Label("source", NAMES, Typed(|| NameSource::ALL.map(NameSource::label).to_vec())),
    Label("result", NAMES, Typed(|| LookupResult::ALL.map(LookupResult::label).to_vec())),
    Label("source", ALERTS, Open("Address of the source if the alert is about a source or a pair, otherwise empty")),
    Label("destination", ALERTS, Open("Address of the destination if the alert is about one, otherwise empty")),
    Label(
        "network",
        Every,
        Open(
            "The network if the alert is about a network: a `group_scan`, or an entry of `bandwidth.networks` with `total`",
        ),
    ),
    Label("severity", Every, Typed(|| Severity::ALL.map(Severity::label).to_vec())),
    Label("side", Every, Typed(|| Side::BOTH.map(Side::label).to_vec())),
    Label(
        "target",
        Every,
        Open("`ADDRESS:PORT/PROTOCOL`, `ADDRESS PROTOCOL` without ports, or the `ADDRESS` of a peer"),
    ),
    Label("source", Prefixed(&["trafficmonitor_flow_"]), Open("IP address; `other` for flows without a row")),
    Label("destination", Prefixed(&["trafficmonitor_flow_"]), Open("IP address; `other` for flows without a row")),
    Label("source", Every, Open("IP address of the sender")),
    Label("destination", Every, Open("IP address of the receiver")),
    Label(
        "protocol",
        Every,
        Open("IANA's keyword of the IP protocol (`tcp`, `udp`, `icmp`, …), its number if it has none, or `other`"),
    ),
    Label("port", Every, Open("Port number by `--flow-key`; empty for protocols without ports and for `other`")),
    Label("reply", Every, Listed(&["false", "true"])),
    Label("direction", Every, Typed(|| Direction::ALL.map(Direction::label).to_vec())),
    Label("ip_version", Every, Typed(|| IpVersion::ALL.map(IpVersion::label).to_vec())),
    Label("host", Every, Open("IP address; `other` for hosts without a row")),
    Label(
        "interface",
        Every,
        Open(
            "Name of the interface or capture file; `retired` for those that no longer exist; `other` for those over the limit of 1,024",
        ),
    ),
    Label(
        "reason",
        Prefixed(&["trafficmonitor_flows_evicted_total", "trafficmonitor_hosts_evicted_total"]),
        Listed(&["idle", "full"]),
    ),
    Label(
        "reason",
        Prefixed(&["trafficmonitor_undecoded_packets_total"]),
        Typed(|| NotIp::ALL.map(NotIp::reason).to_vec()),
    ),
    Label("reason", Prefixed(&["trafficmonitor_capture_packets_dropped_total"]), Listed(&["kernel", "interface"])),
    Label(
        "reason",
        Prefixed(&["trafficmonitor_http_connections_cut_total"]),
        Listed(&["idle", "silent", "slow", "stalled", "crowded", "invalid"]),
    ),
    Label("reason", Prefixed(&["trafficmonitor_http_connections_refused_total"]), Listed(&["full", "share", "accept"])),
    Label(
        "reason",
        Prefixed(&["trafficmonitor_http_scrapes_refused_total", "trafficmonitor_http_api_refused_total"]),
        Listed(&["full", "share"]),
    ),
    Label(
        "reason",
        Prefixed(&["trafficmonitor_web_denied_total"]),
        Typed(|| DenialReason::ALL.map(DenialReason::label).to_vec()),
    ),
    Label("result", Prefixed(&["trafficmonitor_scrapes_total"]), Listed(&["complete", "broken"])),
    Label("result", Prefixed(&["trafficmonitor_config_reloads_total"]), Listed(&["accepted", "refused"])),
    Label("thread", Every, Listed(&["accountant", "supervisor", "capture"])),
    Label("part", Prefixed(&["trafficmonitor_sandbox"]), Typed(|| SandboxPart::ALL.map(SandboxPart::label).to_vec())),
    Label(
        "part",
        Prefixed(&["trafficmonitor_memory_bytes"]),
        Listed(&[
            "flows",
            "hosts",
            "conversations",
            "intervals",
            "series",
            "snapshot",
            "detection",
            "alerts",
            "history",
        ]),
    ),
    Label(
        "table",
        Every,
        Listed(&[
            "bandwidth_sources",
            "bandwidth_destinations",
            "bandwidth_networks",
            "bandwidth_pairs",
            "scan_sources",
            "scan_targets",
            "scan_waiting",
            "scan_askers",
            "scan_known",
            "scan_prefixes",
            "anomaly_pairs",
            "policy_sources",
        ]),
    ),
    Label(
        "reason",
        Prefixed(&["trafficmonitor_notifications_failed_total"]),
        Typed(|| FailureReason::OF_LOSS.iter().map(|reason| reason.label()).collect()),
    ),
    Label(
        "reason",
        Prefixed(&["trafficmonitor_notification_attempts_failed_total"]),
        Typed(|| FailureReason::OF_ATTEMPTS.iter().map(|reason| reason.label()).collect()),
    ),
    Label("receiver", Every, Open("Name of the receiver in the configuration")),
    Label("le", Every, Open("Upper end of the bucket, in seconds")),
    Label("verdict", Every, Typed(|| Verdict::ALL.map(Verdict::label).to_vec())),
    Label("queue", Every, Typed(|| Queue::ALL.iter().map(|queue| queue.label()).collect())),
    Label("version", Every, Open("Version of the program")),
    Label("commit", Every, Open("Commit that it was built from")),
    Label("libpcap", Every, Open("Version of libpcap")),
];

impl Label {
    fn fits(&self, metric: &str, label: &str) -> bool {
        let Self(name, metrics, _) = self;
        let is_among = match metrics {
            Every => true,
            Prefixed(prefixes) => prefixes.iter().any(|prefix| metric.starts_with(prefix)),
        };
        *name == label && is_among
    }

    /// The declared metrics to which this row applies.
    fn metrics(&self) -> impl Iterator<Item = &'static Family> {
        ALL.iter().filter(move |family| {
            family.labels.iter().any(|label| row_of(family.name, label).is_some_and(|row| std::ptr::eq(row, self)))
        })
    }
}

fn row_of(metric: &str, label: &str) -> Option<&'static Label> {
    LABELS.iter().find(|row| row.fits(metric, label))
}

/// The labels as a Markdown table.
pub fn markdown() -> String {
    let head = "| label | metrics | values |\n|---|---|---|\n".to_owned();
    LABELS.iter().fold(head, |table, row| {
        let names: Vec<&str> = row.metrics().map(|family| family.name).collect();
        assert!(!names.is_empty(), "no metric has the label {}", row.0);
        let named = ALL.iter().filter(|family| family.labels.contains(&row.0)).count();
        let is_long = names.len() == named && names.len() > MOST_NAMED;
        let metrics = if is_long { "all that have it".to_owned() } else { shortened(&names) };
        table + &format!("| `{}` | {metrics} | {} |\n", row.0, row.2.markdown())
    })
}

/// The names without what all have in common.
fn shortened(names: &[&str]) -> String {
    let names = names.iter().map(|name| format!("`{}`", name.trim_start_matches("trafficmonitor_")));
    names.collect::<Vec<_>>().join(", ")
}

/// The labels of declared metrics that the table lacks.
pub fn unlisted() -> Vec<String> {
    let labels = ALL.iter().flat_map(|family| family.labels.iter().map(|label| (family.name, *label)));
    let unlisted = labels.filter(|(metric, label)| row_of(metric, label).is_none());
    unlisted.map(|(metric, label)| format!("{metric}: {label}")).collect()
}

/// The label values of a page that the table lacks.
pub fn unlisted_values(page: &[exposition::Family]) -> BTreeSet<String> {
    let samples = page.iter().flat_map(|family| family.samples.iter().map(|sample| (family.name.as_str(), sample)));
    let labels =
        samples.flat_map(|(metric, sample)| sample.labels.iter().map(move |(name, value)| (metric, name, value)));
    let is_unlisted = |(metric, name, value): &(&str, &String, &String)| {
        let closed = row_of(metric, name).and_then(|row| row.2.closed());
        closed.is_some_and(|values| !values.contains(&value.as_str()))
    };
    labels.filter(is_unlisted).map(|(metric, name, value)| format!("{metric}{{{name}={value:?}}}")).collect()
}

/// The listed values that a page lacks: in the metrics of a live capture alone, or in all others.
pub fn values_never_shown(page: &[exposition::Family], is_live: bool) -> BTreeSet<String> {
    let listed = LABELS.iter().filter_map(|row| if let Listed(values) = &row.2 { Some((row, *values)) } else { None });
    let missing = listed.flat_map(|(row, values)| {
        let metrics: Vec<&Family> = row.metrics().filter(|family| LIVE_ONLY.contains(family) == is_live).collect();
        values.iter().filter_map(move |value| {
            let shows = |family: &exposition::Family| {
                metrics.iter().any(|metric| metric.name == family.name)
                    && family.samples.iter().any(|sample| sample.label(row.0) == *value)
            };
            let is_missing = !metrics.is_empty() && !page.iter().any(shows);
            is_missing.then(|| format!("{}={value:?}", row.0))
        })
    });
    missing.collect()
}
