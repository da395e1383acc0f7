//! The options that are not built yet.
//!
//! Gives their names, so that no other option takes them, and advice for each. They are hidden from the help, and
//! refused if they would change something. Must not know how arguments are read.

use crate::config::{Declaration, Role};

// Advice until they are built.
const HTTP_SECURITY: &str =
    "serve one address (--web.listen-address 127.0.0.1:8888), behind a proxy that authenticates if others scrape it";

/// The reserved options, by the rooms that will take them.
pub(super) static RESERVED: &[Declaration] = &[
    reserved("web.config.file", "TRAFFICMONITOR_WEB_CONFIG_FILE", &[], HTTP_SECURITY),
    // Policy events.
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
