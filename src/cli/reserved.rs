//! The options and subcommands that are not built yet.
//!
//! Gives their names, so that no other option takes them, and advice for each. They are hidden from the help, and
//! refused if they would change something. Must not know how arguments are read.

use std::ffi::OsStr;

use crate::config::{Arity, Declaration, Role, Unavailable};

// Advice until they are built.
const HTTP_SECURITY: &str =
    "serve one address (--web.listen-address 127.0.0.1:8888), behind a proxy that authenticates if others scrape it";
const POLICY_EVENTS: &str = "redirect standard output to a file: it has a line for each change of an alert";
const VERBOSITY: &str = "take --log.level debug for more of the program's own log";
const ANALYSIS: &str = "read captures with `trafficmonitor replay FILE --output jsonl`";

/// The reserved options, by the rooms that will take them.
pub(super) static RESERVED: &[Declaration] = &[
    reserved("web.config.file", "TRAFFICMONITOR_WEB_CONFIG_FILE", &[], HTTP_SECURITY),
    // Policy events.
    reserved("log-format", "TRAFFICMONITOR_EVENTS_FORMAT", &[], POLICY_EVENTS),
    reserved("log-file", "TRAFFICMONITOR_EVENTS_FILE", &[], POLICY_EVENTS),
    reserved("log-buffer-size", "TRAFFICMONITOR_EVENTS_BUFFER_SIZE", &[], POLICY_EVENTS),
    reserved("verbose", "TRAFFICMONITOR_VERBOSE", &["false"], VERBOSITY).letter('v').taking(Arity::Counting),
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
