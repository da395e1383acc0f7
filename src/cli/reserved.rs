//! The options that are not built yet.
//!
//! Gives their names, so that no other option takes them, and advice for each. They are hidden from the help, and
//! refused if they would change something. Must not know how arguments are read.

use crate::config::{Arity, Declaration, Role};

// Advice until they are built.
const PACKET_SOURCE: &str = "let libpcap capture, which needs no option";
const HTTP_SECURITY: &str =
    "serve one address (--web.listen-address 127.0.0.1:8888), behind a proxy that authenticates if others scrape it";
const DROPPING: &str = "drop packets with a firewall such as nftables";

/// The reserved options, by the rooms that will take them.
pub(super) static RESERVED: &[Declaration] = &[
    reserved("daq", "TRAFFICMONITOR_DAQ", &["libpcap"], PACKET_SOURCE),
    reserved("web.config.file", "TRAFFICMONITOR_WEB_CONFIG_FILE", &[], HTTP_SECURITY),
    // Policy events.
    reserved("drop-packets", "TRAFFICMONITOR_DROP_PACKETS", &["false"], DROPPING).taking(Arity::Switch),
];

/// A reserved option with a value. The `accepted` values change nothing.
const fn reserved(
    long: &'static str,
    variable: &'static str,
    accepted: &'static [&'static str],
    meanwhile: &'static str,
) -> Declaration {
    Declaration::option(long, Role::Reserved { accepted, meanwhile }).value("VALUE", "").variable(variable)
}
