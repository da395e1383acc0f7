//! The rows of flows and hosts: what is shown, what is not, and what went.

use std::io::{self, Write};

use super::family::{self, Family};
use super::text::TextWriter;
use super::words::{push_address, push_protocol};
use crate::account::flow::{FlowKey, SeriesKey};
use crate::account::held::Eviction;
use crate::account::snapshot::{Figures, Shown, ShownRow, Snapshot};

const OTHER: &str = "other";

pub(super) fn write<W: Write>(snapshot: &Snapshot, writer: &mut TextWriter<W>) -> io::Result<()> {
    write_flows(&snapshot.flows, writer)?;
    write_hosts(snapshot, writer)?;
    let flows = (&family::FLOWS, &family::FLOWS_LIMIT, &family::SERIES, &family::SERIES_LIMIT, &family::FLOWS_EVICTED);
    write_figures(&snapshot.flows, flows, writer)?;
    let hosts = (
        &family::HOSTS,
        &family::HOSTS_LIMIT,
        &family::HOST_SERIES,
        &family::HOST_SERIES_LIMIT,
        &family::HOSTS_EVICTED,
    );
    write_figures(&snapshot.hosts, hosts, writer)
}

fn write_flows<W: Write>(flows: &Shown<FlowKey>, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::FLOW_BYTES)?;
    for ShownRow { key, value, .. } in &flows.rows {
        writer
            .sample(family::FLOW_BYTES.name)
            .label_with("source", |buffer| push_address(buffer, key.source))
            .label_with("destination", |buffer| push_address(buffer, key.destination))
            .label_with("protocol", |buffer| push_protocol(buffer, key.protocol))
            .label_with("port", |buffer| push_port(buffer, key.port))
            .label("reply", if key.reply { "true" } else { "false" })
            .label("direction", key.direction.label())
            .value(value.bytes)?;
    }
    for (&(direction, protocol), counters) in &flows.other {
        writer
            .sample(family::FLOW_BYTES.name)
            .label("source", OTHER)
            .label("destination", OTHER)
            .label_with("protocol", |buffer| push_protocol(buffer, protocol))
            .label("port", "")
            .label("reply", "false")
            .label("direction", direction.label())
            .value(counters.bytes)?;
    }
    writer.family(&family::FLOW_RETIRED_BYTES)?;
    for (&(direction, protocol), counters) in &flows.retired {
        writer
            .sample(family::FLOW_RETIRED_BYTES.name)
            .label("direction", direction.label())
            .label_with("protocol", |buffer| push_protocol(buffer, protocol))
            .value(counters.bytes)?;
    }
    Ok(())
}

fn write_hosts<W: Write>(snapshot: &Snapshot, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::HOST_BYTES)?;
    for ShownRow { key, value, .. } in &snapshot.hosts.rows {
        let sample = writer.sample(family::HOST_BYTES.name).label_with("host", |buffer| push_address(buffer, key.host));
        sample.label("direction", key.direction.label()).value(value.bytes)?;
    }
    for (direction, counters) in &snapshot.hosts.other {
        let sample = writer.sample(family::HOST_BYTES.name).label("host", OTHER);
        sample.label("direction", direction.label()).value(counters.bytes)?;
    }
    writer.family(&family::HOST_RETIRED_BYTES)?;
    for (direction, counters) in &snapshot.hosts.retired {
        let sample = writer.sample(family::HOST_RETIRED_BYTES.name).label("direction", direction.label());
        sample.value(counters.bytes)?;
    }
    Ok(())
}

/// No port is an empty label, which Prometheus takes for none.
fn push_port(buffer: &mut Vec<u8>, port: u16) {
    if port != 0 {
        buffer.extend_from_slice(itoa::Buffer::new().format(port).as_bytes());
    }
}

/// Held, its limit, shown, its limit, evicted.
type Families<'a> = (&'a Family, &'a Family, &'a Family, &'a Family, &'a Family);

fn write_figures<K: SeriesKey, W: Write>(
    shown: &Shown<K>,
    (held, limit, rows, row_limit, evicted): Families<'_>,
    writer: &mut TextWriter<W>,
) -> io::Result<()> {
    let Figures { held: held_now, limit: held_limit, row_limit: rows_limit, evicted: left } = shown.figures;
    for (family, value) in [(held, held_now), (limit, held_limit), (rows, shown.rows.len()), (row_limit, rows_limit)] {
        writer.family(family)?;
        writer.sample(family.name).value(value as u64)?;
    }
    writer.family(evicted)?;
    for reason in Eviction::ALL {
        writer.sample(evicted.name).label("reason", reason.reason()).value(left[reason as usize])?;
    }
    Ok(())
}
