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
        keys: &[],
        variable,
        role: Role::Reserved(accepted),
    }
}
