//! Protocols, ports and services as cells, and names in a sentence. Takes numbers and names; gives text. Must not know the
//! tables.

use super::cell::CellValue;
use crate::packet::Protocol;
use crate::services::{protocol_name, service_name};

/// The word for all that have no row of their own.
const OTHER: &str = "other";

/// IANA's keyword, or the number if there is none.
pub(super) fn protocol_text(protocol: Protocol) -> String {
    protocol_name(protocol).map_or_else(|| protocol.0.to_string(), str::to_owned)
}

/// The keyword or the number of a protocol.
pub(super) fn protocol_cell(protocol: Protocol) -> CellValue<'static> {
    protocol_name(protocol)
        .map_or_else(|| CellValue::Text(protocol.0.to_string().into()), |name| CellValue::Text(name.into()))
}

/// A port; absent if it is 0, or if the row is of several ports.
pub(super) fn port_cell(port: Option<u16>) -> CellValue<'static> {
    port.and_then(port_number).map_or(CellValue::Null, |port| CellValue::Count(port.into()))
}

/// A port; none if it is 0.
pub(super) fn port_number(port: u16) -> Option<u16> {
    Some(port).filter(|port| *port != 0)
}

/// IANA's name of a port; `other` for a row of several ports.
pub(super) fn service_text(protocol: Protocol, port: Option<u16>) -> Option<&'static str> {
    port.map_or(Some(OTHER), |port| service_name(protocol, port))
}

/// The name of a port as [`service_text`] gives it.
pub(super) fn service_cell(protocol: Protocol, port: Option<u16>) -> CellValue<'static> {
    CellValue::text(service_text(protocol, port))
}

/// `eth1`, `eth1 and eth2`, `eth1, eth2 and 3 more`.
pub(super) fn listed(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} and {two}"),
        [one, two, more @ ..] => format!("{one}, {two} and {} more", more.len()),
    }
}
