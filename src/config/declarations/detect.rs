//! Declarations: bandwidth, scans and alerts. The options have TrafficAlerted's names where it has the setting.

use super::{access, detector};
use crate::alert::Severities;
use crate::config::declaration::{Access, Arity, Declaration};
use crate::config::given::Content;
use crate::config::kinds::durations::{WAIT, WINDOW};
use crate::config::kinds::keywords::{DIRECTION, SCAN_RULE, TruthValue};
use crate::config::kinds::numbers::{BYTE_LIMIT, BYTES, CONTACTS, ENTRIES};
use crate::config::kinds::rules::{ExcludedTraffic, LimitOfNetwork, SeverityOfKind};
use crate::config::kinds::{ListOf, ValueKind as _};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    // Before the two that set its uses apart, which lie over it.
    Declaration {
        value: "SECONDS",
        default: "170",
        help: "Length of both the bandwidth window and the contacted-hosts window: seconds, or a duration such as 5m",
        keys: &[("bandwidth", "interval"), ("scan", "interval")],
        variable: Some("TRAFFICMONITOR_TRAFFIC_INTERVAL"),
        ..Declaration::setting("TrafficInterval", BOTH_INTERVALS)
    },
    Declaration {
        value: "BYTES",
        default: "1G",
        help: "Alert when a source sends more IP bytes than this within the window: a number, optionally with K, M, G or T (powers of 1000)",
        keys: &[("bandwidth", "limit")],
        variable: Some("TRAFFICMONITOR_BYTE_LIMIT"),
        reloadable: true,
        ..Declaration::setting("ByteLimit", detector!(BYTE_LIMIT, bandwidth.limit_bytes))
    },
    Declaration {
        value: "SECONDS",
        default: "170",
        help: "Length of the bandwidth window, if different from -TrafficInterval",
        keys: &[("bandwidth", "interval")],
        variable: Some("TRAFFICMONITOR_BANDWIDTH_INTERVAL"),
        ..Declaration::setting("bandwidth.interval", detector!(WINDOW, bandwidth.interval))
    },
    Declaration {
        value: "WHOSE",
        default: "source",
        help: "Which bytes of an address are limited: source (bytes it sends), destination (bytes it receives) or both",
        keys: &[("bandwidth", "direction")],
        variable: Some("TRAFFICMONITOR_BANDWIDTH_DIRECTION"),
        reloadable: true,
        ..Declaration::setting("bandwidth.direction", detector!(DIRECTION, bandwidth.direction))
    },
    Declaration {
        help: "Separate limits for some networks: entries such as {network: 192.0.2.0/24, limit: 5G, interval: 10m, rule: lab, \
               total: true}, of which network and limit are required. The most specific network that contains an address \
               applies to it; rule names the rule in alerts; with total the limit applies to all addresses together",
        keys: &[("bandwidth", "networks")],
        reloadable: true,
        ..Declaration::unnamed(detector!(ListOf(LimitOfNetwork), bandwidth.networks))
    },
    Declaration {
        value: "RULE",
        default: "evidence",
        help: "Which contacts count towards a scan: evidence (those refused or not answered) or contacts (all)",
        keys: &[("scan", "rule")],
        variable: Some("TRAFFICMONITOR_SCAN_RULE"),
        reloadable: true,
        ..Declaration::setting("scan.rule", detector!(SCAN_RULE, scan.rule))
    },
    Declaration {
        value: "SECONDS",
        default: "170",
        help: "Length of the contacted-hosts window, if different from -TrafficInterval",
        keys: &[("scan", "interval")],
        variable: Some("TRAFFICMONITOR_SCAN_INTERVAL"),
        ..Declaration::setting("scan.interval", detector!(WINDOW, scan.interval))
    },
    Declaration {
        default: "true",
        help: "Detect host scans",
        keys: &[("scan", "analyze_hosts")],
        variable: Some("TRAFFICMONITOR_CONTACTED_IPS_ANALYZE"),
        reloadable: true,
        ..Declaration::switch("ContactedIPsAnalyze", detector!(TruthValue, scan.analyze_hosts))
    },
    Declaration {
        value: "N",
        default: "15",
        help: "Alert when a source contacts more hosts than this within the window",
        keys: &[("scan", "contacted_ips")],
        variable: Some("TRAFFICMONITOR_NUMBER_CONTACTED_IPS"),
        reloadable: true,
        ..Declaration::setting("NumberContactedIPs", detector!(CONTACTS, scan.contacted_ips))
    },
    Declaration {
        default: "true",
        help: "Detect port scans",
        keys: &[("scan", "analyze_ports")],
        variable: Some("TRAFFICMONITOR_ANALYZE_PORTS"),
        reloadable: true,
        ..Declaration::switch("AnalyzePorts", detector!(TruthValue, scan.analyze_ports))
    },
    Declaration {
        value: "N",
        default: "100",
        help: "Alert when a source contacts more ports than this within -PortInterval",
        keys: &[("scan", "contacted_ports")],
        variable: Some("TRAFFICMONITOR_NUM_CONTACTED_PORTS"),
        reloadable: true,
        ..Declaration::setting("NumContactedPorts", detector!(CONTACTS, scan.contacted_ports))
    },
    Declaration {
        value: "SECONDS",
        default: "600",
        help: "Length of the contacted-ports window",
        keys: &[("scan", "port_interval")],
        variable: Some("TRAFFICMONITOR_PORT_INTERVAL"),
        ..Declaration::setting("PortInterval", detector!(WINDOW, scan.port_interval))
    },
    Declaration {
        default: "true",
        help: "Detect bandwidth violations, scans and anomalies; false only counts packets and uses less CPU and memory",
        keys: &[("detect", "enabled")],
        variable: Some("TRAFFICMONITOR_DETECT_ENABLED"),
        ..Declaration::switch("detect.enabled", ENABLED)
    },
    Declaration {
        default: "false",
        help: "Do not store the destinations of sources; disables host-scan detection",
        keys: &[("detect", "no_destinations")],
        variable: Some("TRAFFICMONITOR_NO_DESTINATIONS"),
        ..Declaration::switch("NoDestinations", access!(TruthValue, config.detect.no_destinations))
    },
    Declaration {
        value: "BYTES",
        default: "5M",
        help: "Minimum bytes in the bandwidth window for a source to appear in /all",
        keys: &[("detect", "chart_min_bytes")],
        variable: Some("TRAFFICMONITOR_CHART_MIN_BYTES"),
        reloadable: true,
        ..Declaration::setting("ChartMinBytes", access!(BYTES, config.detect.chart_min_bytes))
    },
    Declaration {
        value: "N",
        default: "20",
        help: "How many sources, destinations and pairs to export figures for, highest first",
        keys: &[("detect", "top_sources")],
        variable: Some("TRAFFICMONITOR_DETECT_TOP_SOURCES"),
        reloadable: true,
        ..Declaration::setting("detect.top_sources", access!(ENTRIES, config.detect.top_sources))
    },
    Declaration {
        value: "DURATION",
        default: "0s",
        help: "How long a condition must last before its alert fires",
        keys: &[("alert", "pending")],
        variable: Some("TRAFFICMONITOR_ALERT_PENDING"),
        reloadable: true,
        ..Declaration::setting("alert.pending", access!(WAIT, config.alert.pending))
    },
    Declaration {
        value: "DURATION",
        default: "60s",
        help: "Minimum time that an alert fires",
        keys: &[("alert", "hold")],
        variable: Some("TRAFFICMONITOR_ALERT_HOLD"),
        reloadable: true,
        ..Declaration::setting("alert.hold", access!(WAIT, config.alert.hold))
    },
    Declaration {
        default: "10000",
        help: "Maximum number of alerts that are pending or firing; when it is reached, no new alert starts until one resolves",
        keys: &[("alert", "max_alerts")],
        ..Declaration::unnamed(access!(ENTRIES, config.alert.max_alerts))
    },
    Declaration {
        help: "Traffic that raises no alerts: entries with some or all of {network: 192.0.2.0/24, port: 53, kind: host_scan}, \
               all of which must match. A port given alone is also not counted as a contact",
        keys: &[("alert", "exclusions")],
        reloadable: true,
        ..Declaration::unnamed(access!(ListOf(ExcludedTraffic), config.alert.exclusions))
    },
    Declaration {
        value: "KIND[.SIDE]=SEVERITY,...",
        arity: Arity::List,
        default: "host_scan.inside=warning,host_scan.outside=info,port_scan.inside=warning,port_scan.outside=info,\
                  bandwidth=warning,anomaly=info",
        help: "Severity of alerts by kind and, if given, by the side of the subject (inside or outside the local networks): \
               info, warning or critical; what is not named keeps its default",
        keys: &[("alert", "severity")],
        variable: Some("TRAFFICMONITOR_ALERT_SEVERITY"),
        reloadable: true,
        ..Declaration::setting("alert.severity", SEVERITIES)
    },
    Declaration {
        default: "false",
        help: "Write each alert as one sentence: the host, how much, against which limit",
        keys: &[("alert", "explain")],
        variable: Some("TRAFFICMONITOR_EXPLAIN"),
        reloadable: true,
        ..Declaration::switch("explain", access!(TruthValue, config.explain))
    },
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
const ENABLED: Access =
    Access { show: |config| Content::Truth(config.detect.looks_for_something()), ..access!(TruthValue) };

const SEVERITIES: Access = Access {
    apply: |config, given| {
        config.alert.severities = Severities::default().with(&ListOf(SeverityOfKind).read(given)?);
        Ok(())
    },
    show: |config| ListOf(SeverityOfKind).show(&config.alert.severities.rules()),
    ..access!(ListOf(SeverityOfKind))
};
