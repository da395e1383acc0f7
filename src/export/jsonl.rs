//! JSON lines: one a flow, one a sum of what had no row, and one of totals (CONTRACT's neutral output).

use std::io::{self, Write};

use serde::Serialize;

use crate::account::flow::FlowKey;
use crate::account::flow::FlowKeying;
use crate::account::snapshot::{ShownRow, Snapshot};
use crate::locality::Direction;

#[derive(Serialize)]
struct FlowLine {
    src: std::net::IpAddr,
    dst: std::net::IpAddr,
    proto: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<bool>,
    packets: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct OtherLine {
    src: &'static str,
    dst: &'static str,
    proto: u8,
    direction: &'static str,
    packets: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct TotalsLine {
    non_ip_packets: u64,
    incoming_bytes: u64,
    outgoing_bytes: u64,
    local_bytes: u64,
    transit_bytes: u64,
}

/// Writes the flows in the order of their keys, then the others, then the totals.
///
/// # Errors
/// When `out` cannot be written.
pub fn write<W: Write>(snapshot: &Snapshot, mut out: W) -> io::Result<()> {
    let mut flows: Vec<&ShownRow<FlowKey>> = snapshot.flows.rows.iter().collect();
    flows.sort_unstable_by_key(|flow| flow.key);
    for flow in flows {
        write_line(&mut out, &flow_line(snapshot.flow_keying, flow))?;
    }
    for (&(direction, protocol), counters) in &snapshot.flows.other {
        let line = OtherLine {
            src: "other",
            dst: "other",
            proto: protocol.0,
            direction: direction.label(),
            packets: counters.packets,
            bytes: counters.bytes,
        };
        write_line(&mut out, &line)?;
    }
    let bytes = |direction| snapshot.totals.direction(direction).bytes;
    let totals = TotalsLine {
        non_ip_packets: snapshot.totals.not_ip(),
        incoming_bytes: bytes(Direction::Incoming),
        outgoing_bytes: bytes(Direction::Outgoing),
        local_bytes: bytes(Direction::Local),
        transit_bytes: bytes(Direction::Transit),
    };
    write_line(&mut out, &totals)?;
    out.flush()
}

fn flow_line(keying: FlowKeying, flow: &ShownRow<FlowKey>) -> FlowLine {
    let service = keying == FlowKeying::Service;
    FlowLine {
        src: flow.key.source,
        dst: flow.key.destination,
        proto: flow.key.protocol.0,
        dst_port: (keying == FlowKeying::DestinationPort).then_some(flow.key.port),
        port: service.then_some(flow.key.port),
        reply: service.then_some(flow.key.reply),
        packets: flow.lifetime.packets,
        bytes: flow.lifetime.bytes,
    }
}

fn write_line<W: Write>(out: &mut W, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
