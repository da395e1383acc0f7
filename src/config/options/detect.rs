//! Options of bandwidth, of scans, and of what becomes of what is found. The names are TrafficAlerted's where it has one.

use crate::config::option::{Kind, OptionDefinition};

/// Bandwidth, scans, alerts.
pub(super) static OPTIONS: &[OptionDefinition] = &[
    // Before the two that set its uses apart, which lie over it.
    OptionDefinition {
        value: "SECONDS",
        default: "170",
        help: "Length of both the bandwidth window and the contacted-hosts window: seconds, or a duration such as 5m",
        keys: &[("bandwidth", "interval"), ("scan", "interval")],
        variable: Some("TRAFFICMONITOR_TRAFFIC_INTERVAL"),
        ..OptionDefinition::setting("TrafficInterval", |settings, texts| {
            settings.bandwidth.interval.set(texts)?;
            settings.scan.interval.set(texts)
        })
    },
    OptionDefinition {
        value: "BYTES",
        default: "1G",
        help: "Alert when a source sends more IP bytes than this within the window: a number, optionally with K, M, G or T (powers of 1000)",
        keys: &[("bandwidth", "limit")],
        variable: Some("TRAFFICMONITOR_BYTE_LIMIT"),
        ..OptionDefinition::setting("ByteLimit", |settings, texts| settings.bandwidth.limit.set(texts))
    },
    OptionDefinition {
        value: "SECONDS",
        default: "170",
        help: "Length of the bandwidth window, if different from -TrafficInterval",
        keys: &[("bandwidth", "interval")],
        variable: Some("TRAFFICMONITOR_BANDWIDTH_INTERVAL"),
        ..OptionDefinition::setting("bandwidth.interval", |settings, texts| settings.bandwidth.interval.set(texts))
    },
    OptionDefinition {
        value: "WHOSE",
        default: "source",
        help: "Which bytes of an address are limited: source (bytes it sends), destination (bytes it receives) or both",
        keys: &[("bandwidth", "direction")],
        variable: Some("TRAFFICMONITOR_BANDWIDTH_DIRECTION"),
        ..OptionDefinition::setting("bandwidth.direction", |settings, texts| settings.bandwidth.direction.set(texts))
    },
    OptionDefinition {
        value: "RULE",
        default: "evidence",
        help: "Which contacts count towards a scan: evidence (those refused or not answered) or contacts (all)",
        keys: &[("scan", "rule")],
        variable: Some("TRAFFICMONITOR_SCAN_RULE"),
        ..OptionDefinition::setting("scan.rule", |settings, texts| settings.scan.rule.set(texts))
    },
    OptionDefinition {
        value: "SECONDS",
        default: "170",
        help: "Length of the contacted-hosts window, if different from -TrafficInterval",
        keys: &[("scan", "interval")],
        variable: Some("TRAFFICMONITOR_SCAN_INTERVAL"),
        ..OptionDefinition::setting("scan.interval", |settings, texts| settings.scan.interval.set(texts))
    },
    OptionDefinition {
        kind: Kind::Switch,
        default: "true",
        help: "Detect host scans",
        keys: &[("scan", "analyze_hosts")],
        variable: Some("TRAFFICMONITOR_CONTACTED_IPS_ANALYZE"),
        ..OptionDefinition::setting("ContactedIPsAnalyze", |settings, texts| settings.scan.analyze_hosts.set(texts))
    },
    OptionDefinition {
        value: "N",
        default: "15",
        help: "Alert when a source contacts more hosts than this within the window",
        keys: &[("scan", "contacted_ips")],
        variable: Some("TRAFFICMONITOR_NUMBER_CONTACTED_IPS"),
        ..OptionDefinition::setting("NumberContactedIPs", |settings, texts| settings.scan.contacted_ips.set(texts))
    },
    OptionDefinition {
        kind: Kind::Switch,
        default: "true",
        help: "Detect port scans",
        keys: &[("scan", "analyze_ports")],
        variable: Some("TRAFFICMONITOR_ANALYZE_PORTS"),
        ..OptionDefinition::setting("AnalyzePorts", |settings, texts| settings.scan.analyze_ports.set(texts))
    },
    OptionDefinition {
        value: "N",
        default: "100",
        help: "Alert when a source contacts more ports than this within -PortInterval",
        keys: &[("scan", "contacted_ports")],
        variable: Some("TRAFFICMONITOR_NUM_CONTACTED_PORTS"),
        ..OptionDefinition::setting("NumContactedPorts", |settings, texts| settings.scan.contacted_ports.set(texts))
    },
    OptionDefinition {
        value: "SECONDS",
        default: "600",
        help: "Length of the contacted-ports window",
        keys: &[("scan", "port_interval")],
        variable: Some("TRAFFICMONITOR_PORT_INTERVAL"),
        ..OptionDefinition::setting("PortInterval", |settings, texts| settings.scan.port_interval.set(texts))
    },
    OptionDefinition {
        kind: Kind::Switch,
        default: "true",
        help: "Detect bandwidth violations, scans and anomalies; false only counts packets and uses less CPU and memory",
        keys: &[("detect", "enabled")],
        variable: Some("TRAFFICMONITOR_DETECT_ENABLED"),
        ..OptionDefinition::setting("detect.enabled", |settings, texts| settings.detect.enabled.set(texts))
    },
    OptionDefinition {
        kind: Kind::Switch,
        default: "false",
        help: "Do not store the destinations of sources; disables host-scan detection",
        keys: &[("detect", "no_destinations")],
        variable: Some("TRAFFICMONITOR_NO_DESTINATIONS"),
        ..OptionDefinition::setting("NoDestinations", |settings, texts| settings.detect.no_destinations.set(texts))
    },
    OptionDefinition {
        value: "BYTES",
        default: "5M",
        help: "Minimum bytes in the bandwidth window for a source to appear in /all",
        keys: &[("detect", "chart_min_bytes")],
        variable: Some("TRAFFICMONITOR_CHART_MIN_BYTES"),
        ..OptionDefinition::setting("ChartMinBytes", |settings, texts| settings.detect.chart_min_bytes.set(texts))
    },
    OptionDefinition {
        value: "N",
        default: "20",
        help: "How many sources, destinations and pairs to export figures for, highest first",
        keys: &[("detect", "top_sources")],
        variable: Some("TRAFFICMONITOR_DETECT_TOP_SOURCES"),
        ..OptionDefinition::setting("detect.top_sources", |settings, texts| settings.detect.top_sources.set(texts))
    },
    OptionDefinition {
        value: "DURATION",
        default: "0s",
        help: "How long a condition must last before its alert fires",
        keys: &[("alert", "pending")],
        variable: Some("TRAFFICMONITOR_ALERT_PENDING"),
        ..OptionDefinition::setting("alert.pending", |settings, texts| settings.alert.pending.set(texts))
    },
    OptionDefinition {
        value: "DURATION",
        default: "60s",
        help: "Minimum time that an alert fires",
        keys: &[("alert", "hold")],
        variable: Some("TRAFFICMONITOR_ALERT_HOLD"),
        ..OptionDefinition::setting("alert.hold", |settings, texts| settings.alert.hold.set(texts))
    },
    OptionDefinition {
        value: "KIND[.SIDE]=SEVERITY,...",
        kind: Kind::List,
        default: "host_scan.inside=warning,host_scan.outside=info,port_scan.inside=warning,port_scan.outside=info,\
                  bandwidth=warning,anomaly=info",
        help: "Severity of alerts by kind and, if given, by the side of the subject (inside or outside the local networks): \
               info, warning or critical; what is not named keeps its default",
        keys: &[("alert", "severity")],
        variable: Some("TRAFFICMONITOR_ALERT_SEVERITY"),
        ..OptionDefinition::setting("alert.severity", |settings, texts| settings.alert.severity.set(texts))
    },
    OptionDefinition {
        kind: Kind::Switch,
        default: "false",
        help: "Write each alert as one sentence: the host, how much, against which limit",
        keys: &[("alert", "explain")],
        variable: Some("TRAFFICMONITOR_EXPLAIN"),
        ..OptionDefinition::setting("explain", |settings, texts| settings.alert.explain.set(texts))
    },
];
