//! Names of options whose rooms are not built yet: known, so that nothing clashes with them and a misspelt one finds its
//! neighbour, but hidden from the help, and refused when they would do something.

use crate::config::{Kind, OptionDefinition, Role};

/// The reserved options, by the rooms that will take them.
pub static RESERVED: &[OptionDefinition] = &[
    // Other packet sources.
    reserved("daq", Kind::Value, Some("TRAFFICMONITOR_DAQ"), &["libpcap"]),
    // HTTP security.
    reserved("web.config.file", Kind::Value, Some("TRAFFICMONITOR_WEB_CONFIG_FILE"), &[]),
    // Policy events.
    reserved("drop-packets", Kind::Switch, Some("TRAFFICMONITOR_DROP_PACKETS"), &["false"]),
    reserved("log-format", Kind::Value, Some("TRAFFICMONITOR_EVENTS_FORMAT"), &[]),
    reserved("log-file", Kind::Value, Some("TRAFFICMONITOR_EVENTS_FILE"), &[]),
    reserved("log-buffer-size", Kind::Value, Some("TRAFFICMONITOR_EVENTS_BUFFER_SIZE"), &[]),
    OptionDefinition {
        short: Some('v'),
        ..reserved("verbose", Kind::Counting, Some("TRAFFICMONITOR_VERBOSE"), &["false"])
    },
    // Anomaly detection.
    reserved("anom_active_size", Kind::Value, Some("TRAFFICMONITOR_ANOM_ACTIVE_SIZE"), &[]),
    reserved("anom_gv_cap", Kind::Value, Some("TRAFFICMONITOR_ANOM_GV_CAP"), &[]),
    reserved("anom_lower_bound", Kind::Value, Some("TRAFFICMONITOR_ANOM_LOWER_BOUND"), &[]),
    reserved("anom_methods", Kind::List, Some("TRAFFICMONITOR_ANOM_METHODS"), &[]),
    reserved("anom_n_seasons", Kind::Value, Some("TRAFFICMONITOR_ANOM_N_SEASONS"), &[]),
    reserved("anom_sensitivity", Kind::Value, Some("TRAFFICMONITOR_ANOM_SENSITIVITY"), &[]),
    reserved("anom_upper_bound", Kind::Value, Some("TRAFFICMONITOR_ANOM_UPPER_BOUND"), &[]),
    reserved("anom.threshold", Kind::Value, Some("TRAFFICMONITOR_ANOM_THRESHOLD"), &[]),
    reserved("anom.min_bytes", Kind::Value, Some("TRAFFICMONITOR_ANOM_MIN_BYTES"), &[]),
    reserved("transfer_interval", Kind::Value, Some("TRAFFICMONITOR_TRANSFER_INTERVAL"), &[]),
    reserved("filter_ip_CIDR", Kind::Value, Some("TRAFFICMONITOR_FILTER_IP_CIDR"), &[]),
    reserved("filter_bool", Kind::Switch, Some("TRAFFICMONITOR_FILTER_BOOL"), &[]),
    reserved("filter_src", Kind::Switch, Some("TRAFFICMONITOR_FILTER_SRC"), &["false"]),
    reserved("filter_dst", Kind::Switch, Some("TRAFFICMONITOR_FILTER_DST"), &["false"]),
    reserved("explain", Kind::Switch, Some("TRAFFICMONITOR_EXPLAIN"), &["false"]),
    // Evidence.
    reserved("archive_dir", Kind::Value, Some("TRAFFICMONITOR_ARCHIVE_DIR"), &[]),
    OptionDefinition {
        long: None,
        short: Some('l'),
        ..reserved("l", Kind::Value, Some("TRAFFICMONITOR_LOG_DIR"), &[])
    },
    reserved("log_packets", Kind::Switch, Some("TRAFFICMONITOR_LOG_PACKETS"), &["false"]),
    reserved("max_pcap_log_size", Kind::Value, Some("TRAFFICMONITOR_MAX_PCAP_LOG_SIZE"), &[]),
    reserved("max_pcap_rotations", Kind::Value, Some("TRAFFICMONITOR_MAX_PCAP_ROTATIONS"), &[]),
    // Notification.
    reserved("slack_channel", Kind::Value, Some("TRAFFICMONITOR_SLACK_CHANNEL"), &[]),
    reserved("slack_emoji", Kind::Value, Some("TRAFFICMONITOR_SLACK_EMOJI"), &[]),
    reserved("slack_icon", Kind::Value, Some("TRAFFICMONITOR_SLACK_ICON"), &[]),
    reserved("slack_url", Kind::Value, Some("TRAFFICMONITOR_SLACK_URL"), &["nil"]),
    // Bandwidth and scan detection.
    reserved("TrafficInterval", Kind::Value, Some("TRAFFICMONITOR_TRAFFIC_INTERVAL"), &[]),
    reserved("ByteLimit", Kind::Value, Some("TRAFFICMONITOR_BYTE_LIMIT"), &[]),
    reserved("NoDestinations", Kind::Switch, Some("TRAFFICMONITOR_NO_DESTINATIONS"), &["false"]),
    reserved("ChartMinBytes", Kind::Value, Some("TRAFFICMONITOR_CHART_MIN_BYTES"), &[]),
    reserved("ContactedIPsAnalyze", Kind::Switch, Some("TRAFFICMONITOR_CONTACTED_IPS_ANALYZE"), &[]),
    reserved("NumberContactedIPs", Kind::Value, Some("TRAFFICMONITOR_NUMBER_CONTACTED_IPS"), &[]),
    reserved("AnalyzePorts", Kind::Switch, Some("TRAFFICMONITOR_ANALYZE_PORTS"), &[]),
    reserved("NumContactedPorts", Kind::Value, Some("TRAFFICMONITOR_NUM_CONTACTED_PORTS"), &[]),
    reserved("PortInterval", Kind::Value, Some("TRAFFICMONITOR_PORT_INTERVAL"), &[]),
    reserved("bandwidth.interval", Kind::Value, Some("TRAFFICMONITOR_BANDWIDTH_INTERVAL"), &[]),
    reserved("bandwidth.direction", Kind::Value, Some("TRAFFICMONITOR_BANDWIDTH_DIRECTION"), &[]),
    reserved("scan.interval", Kind::Value, Some("TRAFFICMONITOR_SCAN_INTERVAL"), &[]),
    reserved("scan.rule", Kind::Value, Some("TRAFFICMONITOR_SCAN_RULE"), &[]),
];

/// The subcommands whose rooms are not built yet.
pub const SUBCOMMANDS: &[&str] = &["analyze"];

/// A reserved option. The `accepted` values ask for what is done anyway.
const fn reserved(
    long: &'static str,
    kind: Kind,
    variable: Option<&'static str>,
    accepted: &'static [&'static str],
) -> OptionDefinition {
    OptionDefinition {
        long: Some(long),
        aliases: &[],
        short: None,
        value: "VALUE",
        kind,
        default: "",
        help: "",
        key: None,
        variable,
        role: Role::Reserved(accepted),
    }
}
