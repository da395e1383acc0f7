//! The options and subcommands that are not built yet.
//!
//! Gives their names, so that no other option takes them, and advice for each. They are hidden from the help, and
//! refused if they would change something. Must not know how arguments are read.

use std::ffi::OsStr;

use crate::config::{Arity, Declaration, Role, Unavailable};

// Advice until they are built.
const PACKET_SOURCE: &str = "let libpcap capture, which needs no option";
const HTTP_SECURITY: &str =
    "serve one address (--web.listen-address 127.0.0.1:8888), behind a proxy that authenticates if others scrape it";
const DROPPING: &str = "drop packets with a firewall such as nftables";
const POLICY_EVENTS: &str = "redirect standard output to a file: it has a line for each change of an alert";
const VERBOSITY: &str = "take --log.level debug for more of the program's own log";
const RECORDING: &str = "record packets with tcpdump -w and read them with `trafficmonitor replay`";
const DELIVERY: &str = "let Alertmanager deliver alerts, by the rules in alerts.rules.yml";
const ANALYSIS: &str = "read captures with `trafficmonitor replay FILE --output jsonl`";

/// The reserved options, by the rooms that will take them.
pub(super) static RESERVED: &[Declaration] = &[
    reserved("daq", "TRAFFICMONITOR_DAQ", &["libpcap"], PACKET_SOURCE),
    reserved("web.config.file", "TRAFFICMONITOR_WEB_CONFIG_FILE", &[], HTTP_SECURITY),
    // Policy events.
    reserved("drop-packets", "TRAFFICMONITOR_DROP_PACKETS", &["false"], DROPPING).taking(Arity::Switch),
    reserved("log-format", "TRAFFICMONITOR_EVENTS_FORMAT", &[], POLICY_EVENTS),
    reserved("log-file", "TRAFFICMONITOR_EVENTS_FILE", &[], POLICY_EVENTS),
    reserved("log-buffer-size", "TRAFFICMONITOR_EVENTS_BUFFER_SIZE", &[], POLICY_EVENTS),
    reserved("verbose", "TRAFFICMONITOR_VERBOSE", &["false"], VERBOSITY).letter('v').taking(Arity::Counting),
    // Evidence.
    reserved("archive_dir", "TRAFFICMONITOR_ARCHIVE_DIR", &[], RECORDING),
    Declaration { long: None, ..reserved("l", "TRAFFICMONITOR_LOG_DIR", &[], POLICY_EVENTS).letter('l') },
    reserved("log_packets", "TRAFFICMONITOR_LOG_PACKETS", &["false"], RECORDING).taking(Arity::Switch),
    reserved("max_pcap_log_size", "TRAFFICMONITOR_MAX_PCAP_LOG_SIZE", &[], RECORDING),
    reserved("max_pcap_rotations", "TRAFFICMONITOR_MAX_PCAP_ROTATIONS", &[], RECORDING),
    // Notification.
    reserved("slack_channel", "TRAFFICMONITOR_SLACK_CHANNEL", &[], DELIVERY),
    reserved("slack_emoji", "TRAFFICMONITOR_SLACK_EMOJI", &[], DELIVERY),
    reserved("slack_icon", "TRAFFICMONITOR_SLACK_ICON", &[], DELIVERY),
    reserved("slack_url", "TRAFFICMONITOR_SLACK_URL", &["nil"], DELIVERY),
];

/// The subcommands that are not built yet.
pub(crate) const SUBCOMMANDS: &[&str] = &["analyze"];

pub(crate) fn subcommand(name: &OsStr) -> Option<Unavailable> {
    let name = SUBCOMMANDS.iter().find(|known| name == **known)?;
    Some(Unavailable { what: (*name).to_owned(), meanwhile: ANALYSIS })
}

/// A reserved option with a value. The `accepted` values change nothing.
const fn reserved(
    long: &'static str,
    variable: &'static str,
    accepted: &'static [&'static str],
    meanwhile: &'static str,
) -> Declaration {
    Declaration::option(long, Role::Reserved { accepted, meanwhile }).value("VALUE", "").variable(variable)
}
