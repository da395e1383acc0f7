//! A table for people: the flows by their bytes, then the sums.

use std::io::{self, Write};

use super::words::push_protocol;
use crate::account::flow::{Counters, FlowKey};
use crate::account::snapshot::{ShownRow, Snapshot};
use crate::decode::NotIp;
use crate::locality::Direction;
use crate::packet::Protocol;
use crate::services::service_name;

/// The columns of numbers are aligned to the right.
const HEADS: [(&str, Align); 7] = [
    ("SOURCE", Align::Left),
    ("DESTINATION", Align::Left),
    ("PROTOCOL", Align::Left),
    ("PORT", Align::Left),
    ("DIRECTION", Align::Left),
    ("PACKETS", Align::Right),
    ("BYTES", Align::Right),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

type Line = [String; HEADS.len()];

/// Writes the flows, the heaviest first, what had no row, and the sums.
///
/// # Errors
/// When `out` cannot be written.
pub fn write<W: Write>(snapshot: &Snapshot, mut out: W) -> io::Result<()> {
    let mut flows: Vec<&ShownRow<FlowKey>> = snapshot.flows.rows.iter().collect();
    flows.sort_unstable_by_key(|flow| (std::cmp::Reverse(flow.lifetime.bytes), flow.key));
    let others = snapshot.flows.other.iter().map(|(&(direction, protocol), &counters)| {
        line(["other"; 2].map(str::to_owned), protocol, "", direction, counters)
    });
    let lines: Vec<Line> = flows.into_iter().map(flow_line).chain(others).collect();
    let heads: Line = HEADS.map(|(head, _)| head.to_owned());
    let widths: [usize; HEADS.len()] =
        std::array::from_fn(|column| lines.iter().chain([&heads]).map(|line| line[column].len()).max().unwrap_or(0));
    std::iter::once(&heads).chain(&lines).try_for_each(|line| write_line(&mut out, line, &widths))?;
    write_sums(snapshot, &mut out)?;
    out.flush()
}

fn flow_line(flow: &ShownRow<FlowKey>) -> Line {
    let port = match (flow.key.port, service_name(flow.key.protocol, flow.key.port)) {
        (0, _) => String::new(),
        (port, None) => port.to_string(),
        (port, Some(name)) => format!("{port}({name})"),
    };
    let port = if flow.key.reply { format!("reply {port}") } else { port };
    let ends = [flow.key.source.to_string(), flow.key.destination.to_string()];
    line(ends, flow.key.protocol, port.trim_end(), flow.key.direction, flow.lifetime)
}

fn line(ends: [String; 2], protocol: Protocol, port: &str, direction: Direction, counters: Counters) -> Line {
    let [source, destination] = ends;
    let mut name = Vec::new();
    push_protocol(&mut name, protocol);
    [
        source,
        destination,
        String::from_utf8_lossy(&name).into_owned(),
        port.to_owned(),
        direction.label().to_owned(),
        counters.packets.to_string(),
        counters.bytes.to_string(),
    ]
}

fn write_line<W: Write>(out: &mut W, line: &Line, widths: &[usize; HEADS.len()]) -> io::Result<()> {
    let mut text = String::new();
    for (column, cell) in line.iter().enumerate() {
        let width = widths[column];
        text += &match HEADS[column].1 {
            Align::Left => format!("{cell:<width$}  "),
            Align::Right => format!("{cell:>width$}  "),
        };
    }
    writeln!(out, "{}", text.trim_end())
}

fn write_sums<W: Write>(snapshot: &Snapshot, out: &mut W) -> io::Result<()> {
    let totals = &snapshot.totals;
    let ip = totals.ip();
    writeln!(out)?;
    writeln!(out, "frames    {} ({} bytes on the wire)", totals.frames.frames, totals.frames.bytes)?;
    writeln!(out, "ip        {} packets, {} bytes, {} flows", ip.packets, ip.bytes, snapshot.flows.figures.held)?;
    for direction in Direction::ALL {
        let sum = totals.direction(direction);
        writeln!(out, "{:<8}  {} packets, {} bytes", direction.label(), sum.packets, sum.bytes)?;
    }
    let reasons: Vec<String> = NotIp::ALL
        .iter()
        .map(|&reason| (reason.reason(), totals.not_ip[reason as usize]))
        .filter(|&(_, frames)| frames > 0)
        .map(|(reason, frames)| format!("{reason} {frames}"))
        .collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    writeln!(out, "non-ip    {} frames{reasons}", totals.not_ip())
}
