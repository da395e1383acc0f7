//! Declarations: bandwidth, scans and alerts. The options have TrafficAlerted's names where it has the setting. Gives
//! the declarations. Must not know where a value comes from.

use super::{access, detector};
use crate::alert::Severities;
use crate::config::declaration::{Access, Arity, Declaration, setting};
use crate::config::given::Content;
use crate::config::kinds::durations::{WAIT, WINDOW};
use crate::config::kinds::keywords::{BOOLEAN, DIRECTION, SCAN_RULE};
use crate::config::kinds::numbers::{BYTE_LIMIT, BYTES, CONTACTS, ENTRIES};
use crate::config::kinds::rules::{ExcludedTraffic, LimitOfNetwork, SeverityOfKind};
use crate::config::kinds::{ListOf, ValueKind as _};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    // It comes before the options for each of its two keys, so that they override it.
    setting(&[("bandwidth", "interval"), ("scan", "interval")], BOTH_INTERVALS)
        .named("TrafficInterval", "TRAFFICMONITOR_TRAFFIC_INTERVAL", "SECONDS", "170")
        .live()
        .help("Length of both the bandwidth window and the contacted-hosts window: seconds, or a duration such as 5m"),
    setting(&[("bandwidth", "limit")], detector!(BYTE_LIMIT, bandwidth.limit_bytes))
        .named("ByteLimit", "TRAFFICMONITOR_BYTE_LIMIT", "BYTES", "1G")
        .live()
        .help("Alert when a source sends more IP bytes than this within the window: a number, optionally with K, M, G or T (powers of 1000)"),
    setting(&[("bandwidth", "interval")], detector!(WINDOW, bandwidth.interval))
        .named("bandwidth.interval", "TRAFFICMONITOR_BANDWIDTH_INTERVAL", "SECONDS", "170")
        .live()
        .help("Length of the bandwidth window, if different from -TrafficInterval"),
    setting(&[("bandwidth", "direction")], detector!(DIRECTION, bandwidth.direction))
        .named("bandwidth.direction", "TRAFFICMONITOR_BANDWIDTH_DIRECTION", "WHOSE", "source")
        .live()
        .help("Which bytes of an address are limited: source (bytes it sends), destination (bytes it receives) or both"),
    setting(&[("bandwidth", "networks")], detector!(ListOf(LimitOfNetwork), bandwidth.networks))
        .taking(Arity::List)
        .live()
        .help("Separate limits for some networks: entries such as {network: 192.0.2.0/24, limit: 5G, interval: 10m, rule: lab, \
               total: true}, of which network and limit are required. The most specific network that contains an address \
               applies to it; rule names the rule in alerts; with total the limit applies to all addresses together"),
    setting(&[("scan", "rule")], detector!(SCAN_RULE, scan.rule))
        .named("scan.rule", "TRAFFICMONITOR_SCAN_RULE", "RULE", "evidence")
        .live()
        .help("Which contacts count towards a scan: evidence (those refused or not answered) or contacts (all)"),
    setting(&[("scan", "interval")], detector!(WINDOW, scan.interval))
        .named("scan.interval", "TRAFFICMONITOR_SCAN_INTERVAL", "SECONDS", "170")
        .live()
        .help("Length of the contacted-hosts window, if different from -TrafficInterval"),
    setting(&[("scan", "analyze_hosts")], detector!(BOOLEAN, scan.analyze_hosts))
        .switch("ContactedIPsAnalyze", "TRAFFICMONITOR_CONTACTED_IPS_ANALYZE", "true")
        .live()
        .help("Detect host scans"),
    setting(&[("scan", "contacted_ips")], detector!(CONTACTS, scan.contacted_ips))
        .named("NumberContactedIPs", "TRAFFICMONITOR_NUMBER_CONTACTED_IPS", "N", "15")
        .live()
        .help("Alert when a source contacts more hosts than this within the window"),
    setting(&[("scan", "analyze_ports")], detector!(BOOLEAN, scan.analyze_ports))
        .switch("AnalyzePorts", "TRAFFICMONITOR_ANALYZE_PORTS", "true")
        .live()
        .help("Detect port scans"),
    setting(&[("scan", "contacted_ports")], detector!(CONTACTS, scan.contacted_ports))
        .named("NumContactedPorts", "TRAFFICMONITOR_NUM_CONTACTED_PORTS", "N", "100")
        .live()
        .help("Alert when a source contacts more ports than this within -PortInterval"),
    setting(&[("scan", "port_interval")], detector!(WINDOW, scan.port_interval))
        .named("PortInterval", "TRAFFICMONITOR_PORT_INTERVAL", "SECONDS", "600")
        .live()
        .help("Length of the contacted-ports window"),
    setting(&[("detect", "enabled")], ENABLED)
        .switch("detect.enabled", "TRAFFICMONITOR_DETECT_ENABLED", "true")
        .live()
        .help("Detect bandwidth violations, scans and anomalies; false only counts packets and uses less CPU and memory"),
    setting(&[("detect", "no_destinations")], access!(BOOLEAN, config.detect.no_destinations))
        .switch("NoDestinations", "TRAFFICMONITOR_NO_DESTINATIONS", "false")
        .live()
        .help("Do not store the destinations of sources; disables host-scan detection"),
    setting(&[("detect", "chart_min_bytes")], access!(BYTES, config.detect.chart_min_bytes))
        .named("ChartMinBytes", "TRAFFICMONITOR_CHART_MIN_BYTES", "BYTES", "5M")
        .live()
        .help("Minimum bytes for a host past the 15 largest to have a node of its own in the dashboard's chart, and for a source to appear in /all"),
    setting(&[("detect", "top_sources")], access!(ENTRIES, config.detect.top_sources))
        .named("detect.top_sources", "TRAFFICMONITOR_DETECT_TOP_SOURCES", "N", "20")
        .live()
        .help("How many sources, destinations and pairs to export figures for, highest first"),
    setting(&[("alert", "pending")], access!(WAIT, config.alert.pending))
        .named("alert.pending", "TRAFFICMONITOR_ALERT_PENDING", "DURATION", "0s")
        .live()
        .help("How long a condition must last before its alert fires"),
    setting(&[("alert", "hold")], access!(WAIT, config.alert.hold))
        .named("alert.hold", "TRAFFICMONITOR_ALERT_HOLD", "DURATION", "60s")
        .live()
        .help("Minimum time that an alert fires"),
    setting(&[("alert", "max_alerts")], access!(ENTRIES, config.alert.max_alerts))
        .value("N", "10000")
        .live()
        .help("Maximum number of alerts that are pending or firing; half of it is reserved in equal shares for each kind inside and outside"),
    setting(&[("alert", "exclusions")], access!(ListOf(ExcludedTraffic), config.alert.exclusions))
        .taking(Arity::List)
        .live()
        .help("Traffic that raises no alerts: entries with some or all of {network: 192.0.2.0/24, source: 192.0.2.0/24, \
               destination: 198.51.100.0/24, port: 53, source_port: 53, kind: host_scan}, all of which must match. Contacts that \
               match an entry with source, destination or source_port, or with a port alone, do not count"),
    setting(&[("alert", "severity")], SEVERITIES)
        .named("alert.severity", "TRAFFICMONITOR_ALERT_SEVERITY", "KIND[.SIDE]=SEVERITY,...", "host_scan.inside=warning,host_scan.outside=info,port_scan.inside=warning,port_scan.outside=info,\
                  group_scan.inside=warning,group_scan.outside=info,bandwidth=warning,anomaly=info,policy=warning")
        .taking(Arity::List)
        .live()
        .help("Severity of alerts by kind and, if given, by the side of the subject (inside or outside the local networks): \
               info, warning or critical; what is not named keeps its default"),
    setting(&[("alert", "explain")], access!(BOOLEAN, config.explain))
        .switch("explain", "TRAFFICMONITOR_EXPLAIN", "false")
        .help("Write each alert as one sentence: the host, how much, against which limit"),
];

const BOTH_INTERVALS: Access = Access {
    apply: |config, given| {
        let interval = WINDOW.parse_given(given)?;
        config.detect.bandwidth.get_or_insert_default().interval = interval;
        config.detect.scan.get_or_insert_default().interval = interval;
        Ok(())
    },
    show: |_| Content::Null,
    // Each of its two keys has a declaration of its own.
    is_same: |_, _| true,
    ..access!(WINDOW)
};

/// Detection is switched off once all its settings are checked.
const ENABLED: Access = Access {
    show: |config| Content::Bool(config.detect.looks_for_something()),
    is_same: |one, other| one.detect.looks_for_something() == other.detect.looks_for_something(),
    ..access!(BOOLEAN)
};

const SEVERITIES: Access = Access {
    apply: |config, given| {
        config.alert.severities = Severities::default().with(&ListOf(SeverityOfKind).parse_given(given)?);
        Ok(())
    },
    show: |config| ListOf(SeverityOfKind).show(&config.alert.severities.rules()),
    is_same: |one, other| one.alert.severities == other.alert.severities,
    ..access!(ListOf(SeverityOfKind))
};
