//! Declarations: bandwidth, scans and alerts. The options have TrafficAlerted's names where it has the setting.

use super::{access, detector};
use crate::alert::Severities;
use crate::config::declaration::{Access, Arity, Declaration, setting};
use crate::config::given::Content;
use crate::config::kinds::durations::{WAIT, WINDOW};
use crate::config::kinds::keywords::{DIRECTION, SCAN_RULE, TRUTH};
use crate::config::kinds::numbers::{BYTE_LIMIT, BYTES, CONTACTS, ENTRIES};
use crate::config::kinds::rules::{ExcludedTraffic, LimitOfNetwork, SeverityOfKind};
use crate::config::kinds::{ListOf, ValueKind as _};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    // It comes before the options for each of its two keys, so that they override it.
    setting(&[("bandwidth", "interval"), ("scan", "interval")], BOTH_INTERVALS)
        .named("TrafficInterval", "SECONDS", "170")
        .variable("TRAFFICMONITOR_TRAFFIC_INTERVAL")
        .help("Length of both the bandwidth window and the contacted-hosts window: seconds, or a duration such as 5m"),
    setting(&[("bandwidth", "limit")], detector!(BYTE_LIMIT, bandwidth.limit_bytes))
        .named("ByteLimit", "BYTES", "1G")
        .variable("TRAFFICMONITOR_BYTE_LIMIT")
        .reloadable()
        .help("Alert when a source sends more IP bytes than this within the window: a number, optionally with K, M, G or T (powers of 1000)"),
    setting(&[("bandwidth", "interval")], detector!(WINDOW, bandwidth.interval))
        .named("bandwidth.interval", "SECONDS", "170")
        .variable("TRAFFICMONITOR_BANDWIDTH_INTERVAL")
        .help("Length of the bandwidth window, if different from -TrafficInterval"),
    setting(&[("bandwidth", "direction")], detector!(DIRECTION, bandwidth.direction))
        .named("bandwidth.direction", "WHOSE", "source")
        .variable("TRAFFICMONITOR_BANDWIDTH_DIRECTION")
        .reloadable()
        .help("Which bytes of an address are limited: source (bytes it sends), destination (bytes it receives) or both"),
    setting(&[("bandwidth", "networks")], detector!(ListOf(LimitOfNetwork), bandwidth.networks))
        .taking(Arity::List)
        .reloadable()
        .help("Separate limits for some networks: entries such as {network: 192.0.2.0/24, limit: 5G, interval: 10m, rule: lab, \
               total: true}, of which network and limit are required. The most specific network that contains an address \
               applies to it; rule names the rule in alerts; with total the limit applies to all addresses together"),
    setting(&[("scan", "rule")], detector!(SCAN_RULE, scan.rule))
        .named("scan.rule", "RULE", "evidence")
        .variable("TRAFFICMONITOR_SCAN_RULE")
        .reloadable()
        .help("Which contacts count towards a scan: evidence (those refused or not answered) or contacts (all)"),
    setting(&[("scan", "interval")], detector!(WINDOW, scan.interval))
        .named("scan.interval", "SECONDS", "170")
        .variable("TRAFFICMONITOR_SCAN_INTERVAL")
        .help("Length of the contacted-hosts window, if different from -TrafficInterval"),
    setting(&[("scan", "analyze_hosts")], detector!(TRUTH, scan.analyze_hosts))
        .switch("ContactedIPsAnalyze", "true")
        .variable("TRAFFICMONITOR_CONTACTED_IPS_ANALYZE")
        .reloadable()
        .help("Detect host scans"),
    setting(&[("scan", "contacted_ips")], detector!(CONTACTS, scan.contacted_ips))
        .named("NumberContactedIPs", "N", "15")
        .variable("TRAFFICMONITOR_NUMBER_CONTACTED_IPS")
        .reloadable()
        .help("Alert when a source contacts more hosts than this within the window"),
    setting(&[("scan", "analyze_ports")], detector!(TRUTH, scan.analyze_ports))
        .switch("AnalyzePorts", "true")
        .variable("TRAFFICMONITOR_ANALYZE_PORTS")
        .reloadable()
        .help("Detect port scans"),
    setting(&[("scan", "contacted_ports")], detector!(CONTACTS, scan.contacted_ports))
        .named("NumContactedPorts", "N", "100")
        .variable("TRAFFICMONITOR_NUM_CONTACTED_PORTS")
        .reloadable()
        .help("Alert when a source contacts more ports than this within -PortInterval"),
    setting(&[("scan", "port_interval")], detector!(WINDOW, scan.port_interval))
        .named("PortInterval", "SECONDS", "600")
        .variable("TRAFFICMONITOR_PORT_INTERVAL")
        .help("Length of the contacted-ports window"),
    setting(&[("detect", "enabled")], ENABLED)
        .switch("detect.enabled", "true")
        .variable("TRAFFICMONITOR_DETECT_ENABLED")
        .help("Detect bandwidth violations, scans and anomalies; false only counts packets and uses less CPU and memory"),
    setting(&[("detect", "no_destinations")], access!(TRUTH, config.detect.no_destinations))
        .switch("NoDestinations", "false")
        .variable("TRAFFICMONITOR_NO_DESTINATIONS")
        .help("Do not store the destinations of sources; disables host-scan detection"),
    setting(&[("detect", "chart_min_bytes")], access!(BYTES, config.detect.chart_min_bytes))
        .named("ChartMinBytes", "BYTES", "5M")
        .variable("TRAFFICMONITOR_CHART_MIN_BYTES")
        .reloadable()
        .help("Minimum bytes in the bandwidth window for a source to appear in /all"),
    setting(&[("detect", "top_sources")], access!(ENTRIES, config.detect.top_sources))
        .named("detect.top_sources", "N", "20")
        .variable("TRAFFICMONITOR_DETECT_TOP_SOURCES")
        .reloadable()
        .help("How many sources, destinations and pairs to export figures for, highest first"),
    setting(&[("alert", "pending")], access!(WAIT, config.alert.pending))
        .named("alert.pending", "DURATION", "0s")
        .variable("TRAFFICMONITOR_ALERT_PENDING")
        .reloadable()
        .help("How long a condition must last before its alert fires"),
    setting(&[("alert", "hold")], access!(WAIT, config.alert.hold))
        .named("alert.hold", "DURATION", "60s")
        .variable("TRAFFICMONITOR_ALERT_HOLD")
        .reloadable()
        .help("Minimum time that an alert fires"),
    setting(&[("alert", "max_alerts")], access!(ENTRIES, config.alert.max_alerts))
        .value("N", "10000")
        .help("Maximum number of alerts that are pending or firing; when it is reached, no new alert starts until one resolves"),
    setting(&[("alert", "exclusions")], access!(ListOf(ExcludedTraffic), config.alert.exclusions))
        .taking(Arity::List)
        .reloadable()
        .help("Traffic that raises no alerts: entries with some or all of {network: 192.0.2.0/24, port: 53, kind: host_scan}, \
               all of which must match. A port given alone is also not counted as a contact"),
    setting(&[("alert", "severity")], SEVERITIES)
        .named("alert.severity", "KIND[.SIDE]=SEVERITY,...", "host_scan.inside=warning,host_scan.outside=info,port_scan.inside=warning,port_scan.outside=info,\
                  bandwidth=warning,anomaly=info")
        .taking(Arity::List)
        .variable("TRAFFICMONITOR_ALERT_SEVERITY")
        .reloadable()
        .help("Severity of alerts by kind and, if given, by the side of the subject (inside or outside the local networks): \
               info, warning or critical; what is not named keeps its default"),
    setting(&[("alert", "explain")], access!(TRUTH, config.explain))
        .switch("explain", "false")
        .variable("TRAFFICMONITOR_EXPLAIN")
        .reloadable()
        .help("Write each alert as one sentence: the host, how much, against which limit"),
];

const BOTH_INTERVALS: Access = Access {
    apply: |config, given| {
        let interval = WINDOW.read(given)?;
        config.detect.bandwidth.get_or_insert_default().interval = interval;
        config.detect.scan.get_or_insert_default().interval = interval;
        Ok(())
    },
    show: |_| Content::Null,
    ..access!(WINDOW)
};

/// Detection is switched off once all its settings are checked.
const ENABLED: Access = Access { show: |config| Content::Truth(config.detect.looks_for_something()), ..access!(TRUTH) };

const SEVERITIES: Access = Access {
    apply: |config, given| {
        config.alert.severities = Severities::default().with(&ListOf(SeverityOfKind).read(given)?);
        Ok(())
    },
    show: |config| ListOf(SeverityOfKind).show(&config.alert.severities.rules()),
    ..access!(ListOf(SeverityOfKind))
};
