//! JSON lines (CONTRACT's neutral output): one per flow, one per sum of flows that have no line, and a last one of
//! totals. Takes a snapshot; gives text. Must not know how its rows were made.
//!
//! | key | meaning |
//! |---|---|
//! | `type` | `flow`, or `sums` in the last line |
//! | `src`, `dst`, `proto` | addresses and IANA's protocol number; both addresses are `other` in a sum of flows |
//! | `port`, `reply` | the port of the service, and whether the packets answer; with `--flow-key dst-port` `dst_port` instead, with `pair` nothing |
//! | `service` | IANA's name of the port; null if there is none |
//! | `direction` | `incoming`, `outgoing`, `local` or `transit` |
//! | `packets`, `bytes` | IP packets and their IP bytes |
//! | `permitted_packets`, `not_permitted_packets`, and the same with `bytes` | in the last line, with a policy: by the verdict on the source |
//! | `first`, `last` | times of the first packet that was read and of the latest one, in seconds since the epoch |

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::account::flow::{FlowKey, FlowKeying};
use crate::account::snapshot::{ShownRow, Snapshot};
use crate::locality::Direction;
use crate::packet::{Seconds, Timestamp};
use crate::policy::Verdict;
use crate::services::service_name;

#[derive(Serialize)]
struct FlowLine {
    r#type: &'static str,
    src: IpAddr,
    dst: IpAddr,
    proto: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<bool>,
    service: Option<&'static str>,
    direction: &'static str,
    packets: u64,
    bytes: u64,
    first: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct OtherLine {
    r#type: &'static str,
    src: &'static str,
    dst: &'static str,
    proto: u8,
    direction: &'static str,
    packets: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct TotalsLine {
    r#type: &'static str,
    non_ip_packets: u64,
    incoming_bytes: u64,
    outgoing_bytes: u64,
    local_bytes: u64,
    transit_bytes: u64,
    #[serde(flatten)]
    verdicts: Option<VerdictFields>,
}

/// With a policy only.
#[derive(Serialize)]
struct VerdictFields {
    permitted_packets: u64,
    permitted_bytes: u64,
    not_permitted_packets: u64,
    not_permitted_bytes: u64,
}

/// Writes the flows in the order of their keys, then the others, then the totals.
pub fn write<W: Write>(snapshot: &Snapshot, mut out: W) -> io::Result<()> {
    let mut flows: Vec<&ShownRow<FlowKey>> = snapshot.flows.rows.iter().collect();
    flows.sort_unstable_by_key(|flow| flow.key);
    for flow in flows {
        write_line(&mut out, &flow_line(snapshot.flow_keying, flow)?)?;
    }
    for (&(direction, protocol), counters) in &snapshot.flows.other {
        let line = OtherLine {
            r#type: "flow",
            src: "other",
            dst: "other",
            proto: protocol.0,
            direction: direction.label(),
            packets: counters.packets,
            bytes: counters.bytes,
        };
        write_line(&mut out, &line)?;
    }
    write_line(&mut out, &totals_line(snapshot))?;
    out.flush()
}

fn totals_line(snapshot: &Snapshot) -> TotalsLine {
    let bytes = |direction| snapshot.totals.direction(direction).bytes;
    TotalsLine {
        r#type: "sums",
        non_ip_packets: snapshot.totals.not_ip(),
        incoming_bytes: bytes(Direction::Incoming),
        outgoing_bytes: bytes(Direction::Outgoing),
        local_bytes: bytes(Direction::Local),
        transit_bytes: bytes(Direction::Transit),
        verdicts: snapshot.totals.verdicts.map(|sums| {
            let [permitted, others] = Verdict::ALL.map(|verdict| sums.of(verdict));
            VerdictFields {
                permitted_packets: permitted.packets,
                permitted_bytes: permitted.bytes,
                not_permitted_packets: others.packets,
                not_permitted_bytes: others.bytes,
            }
        }),
    }
}

fn flow_line(keying: FlowKeying, flow: &ShownRow<FlowKey>) -> io::Result<FlowLine> {
    let service = keying == FlowKeying::Service;
    Ok(FlowLine {
        r#type: "flow",
        src: flow.key.source,
        dst: flow.key.destination,
        proto: flow.key.protocol.0,
        dst_port: (keying == FlowKeying::DestinationPort).then_some(flow.key.port),
        port: service.then_some(flow.key.port),
        reply: service.then_some(flow.key.reply),
        service: service_name(flow.key.protocol, flow.key.port),
        direction: flow.key.direction.label(),
        packets: flow.lifetime.packets,
        bytes: flow.lifetime.bytes,
        first: seconds(flow.first_seen)?,
        last: flow.last_seen.map(seconds).transpose()?,
    })
}

/// A number with more digits than a float has.
fn seconds(time: Timestamp) -> io::Result<Box<RawValue>> {
    Ok(RawValue::from_string(Seconds::at(time).to_string())?)
}

fn write_line<W: Write>(out: &mut W, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
