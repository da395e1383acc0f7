//! Comma-separated values, RFC 4180: a header line, then one line per flow, as the JSON lines have them. Takes a
//! snapshot; gives text. Must not know how its rows were made.
//!
//! | column | meaning |
//! |---|---|
//! | `src`, `dst` | addresses; both `other` for the sum of flows that have no line of their own |
//! | `proto`, `protocol` | IANA's number and keyword; the keyword is empty where IANA gives none |
//! | `port` | the port of the service; the destination port with `--flow-key dst-port`; empty if there is none |
//! | `reply` | `true` or `false`: the packets answer, and `port` is their source port; only with `--flow-key service` |
//! | `service` | IANA's name of the port; empty if there is none |
//! | `direction` | `incoming`, `outgoing`, `local` or `transit` |
//! | `packets`, `bytes` | IP packets and their IP bytes |
//! | `first`, `last` | times of the first packet that was read and of the latest one, in seconds since the epoch; empty for `other` |

use std::io::{self, Write};

use crate::account::flow::{Counters, FlowKey, FlowKeying};
use crate::account::snapshot::{ShownRow, Snapshot};
use crate::locality::Direction;
use crate::packet::{Protocol, Seconds};
use crate::services::{protocol_name, service_name};

/// The columns in their order.
pub(crate) const COLUMNS: [&str; 12] =
    ["src", "dst", "proto", "protocol", "port", "reply", "service", "direction", "packets", "bytes", "first", "last"];

type Record = [String; COLUMNS.len()];

/// Writes the header, the flows in the order of their keys, then the sums of those that have no line.
pub fn write<W: Write>(snapshot: &Snapshot, mut out: W) -> io::Result<()> {
    write_record(&mut out, &COLUMNS.map(str::to_owned))?;
    let mut flows: Vec<&ShownRow<FlowKey>> = snapshot.flows.rows.iter().collect();
    flows.sort_unstable_by_key(|flow| flow.key);
    for flow in flows {
        write_record(&mut out, &flow_record(snapshot.flow_keying, flow))?;
    }
    for (&(direction, protocol), &counters) in &snapshot.flows.other {
        write_record(&mut out, &other_record(direction, protocol, counters))?;
    }
    out.flush()
}

fn flow_record(keying: FlowKeying, flow: &ShownRow<FlowKey>) -> Record {
    let FlowKey { source, destination, protocol, port, reply, direction } = flow.key;
    [
        source.to_string(),
        destination.to_string(),
        protocol.0.to_string(),
        keyword(protocol),
        if port == 0 { String::new() } else { port.to_string() },
        if keying == FlowKeying::Service { reply.to_string() } else { String::new() },
        service_name(protocol, port).unwrap_or_default().to_owned(),
        direction.label().to_owned(),
        flow.lifetime.packets.to_string(),
        flow.lifetime.bytes.to_string(),
        Seconds::at(flow.first_seen).to_string(),
        flow.last_seen.map(|last| Seconds::at(last).to_string()).unwrap_or_default(),
    ]
}

fn other_record(direction: Direction, protocol: Protocol, Counters { packets, bytes }: Counters) -> Record {
    let mut record = Record::default();
    record[0] = "other".to_owned();
    record[1] = "other".to_owned();
    record[2] = protocol.0.to_string();
    record[3] = keyword(protocol);
    record[7] = direction.label().to_owned();
    record[8] = packets.to_string();
    record[9] = bytes.to_string();
    record
}

fn keyword(protocol: Protocol) -> String {
    protocol_name(protocol).unwrap_or_default().to_owned()
}

/// Writes a line.
pub(super) fn write_record<W: Write>(out: &mut W, record: &[String]) -> io::Result<()> {
    let fields: Vec<String> = record.iter().map(|field| quoted(field)).collect();
    writeln!(out, "{}", fields.join(","))
}

/// The field, in quotes if it holds a character that would end it.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        for (field, written) in
            [("10.0.0.1", "10.0.0.1"), ("", ""), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), ("a\nb", "\"a\nb\"")]
        {
            assert_eq!(quoted(field), written);
        }
    }
}
