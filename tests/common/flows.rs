//! Flows as `hosts_src_dst` names them, read from an exposition or made from the JSON lines of `replay`.

use std::collections::BTreeMap;

use serde_json::Value;
use trafficmonitor::packet::Protocol;
use trafficmonitor::services::{protocol_name, service_name};

use super::exposition::{Family, family};

/// The labels `addr` and `port` with the bytes.
pub type Flows = BTreeMap<(String, String), u64>;

/// The rows of `hosts_src_dst`.
pub fn of_exposition(families: &[Family]) -> Flows {
    let rows = family(families, "hosts_src_dst").samples.iter();
    rows.map(|row| ((row.label("addr").to_owned(), row.label("port").to_owned()), row.count())).collect()
}

/// The lines that are flows; the line of sums is passed over.
pub fn of_json_lines(lines: &str) -> Flows {
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")));
    lines.filter(|line: &Value| !line["src"].is_null()).map(|line| flow(&line)).collect()
}

fn flow(line: &Value) -> ((String, String), u64) {
    let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("no {name}: {line}"));
    let number = |name: &str| line[name].as_u64().unwrap_or_else(|| panic!("no {name}: {line}"));
    let protocol = Protocol(number("proto") as u8);
    let name = protocol_name(protocol).map_or_else(|| protocol.0.to_string(), str::to_owned);
    let reply = if line["reply"] == true { "reply_" } else { "" };
    let number_of_port = number("port") as u16;
    let port = match service_name(protocol, number_of_port) {
        _ if number_of_port == 0 => String::new(),
        None => format!("/{number_of_port}"),
        Some(service) => format!("/{number_of_port}({service})"),
    };
    ((format!("{}->{}, proto: {name}", text("src"), text("dst")), format!("{reply}{name}{port}")), number("bytes"))
}
