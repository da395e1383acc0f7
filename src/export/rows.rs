//! Metric families of flows and hosts: the rows that are shown, those that are not, and those that left. Takes a
//! snapshot; gives samples. Must not know which rows are admitted.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Config;
use super::family::{self, Family};
use super::text::TextWriter;
use super::words::{push_address, push_protocol};
use crate::account::flow::{Counters, FlowKey, HostKey, SeriesKey};
use crate::account::series::OutsideRows;
use crate::account::series::others::ByDirection;
use crate::account::snapshot::{Shown, ShownRow, Snapshot, TableFigures};
use crate::locality::Direction;
use crate::packet::{Protocol, Timestamp};
use crate::tables::Eviction;

const OTHER: &str = "other";

pub(super) fn write<W: Write>(config: &Config, snapshot: &Snapshot, writer: &mut TextWriter<W>) -> io::Result<()> {
    let flows = &snapshot.flows;
    write_flows(flows, &family::FLOW_BYTES, BYTES, writer)?;
    if config.flow_packets {
        write_flows(flows, &family::FLOW_PACKETS, PACKETS, writer)?;
    }
    for (pending, retired, value) in flow_sums(config.flow_packets) {
        write_sums(flows, &flows.pending, pending, value, writer)?;
        write_sums(flows, &flows.retired, retired, value, writer)?;
    }
    write_hosts(&snapshot.hosts, writer)?;
    let families =
        (&family::FLOWS, &family::FLOWS_LIMIT, &family::SERIES, &family::SERIES_LIMIT, &family::FLOWS_EVICTED);
    write_figures(flows, families, writer)?;
    let families = (
        &family::HOSTS,
        &family::HOSTS_LIMIT,
        &family::HOST_SERIES,
        &family::HOST_SERIES_LIMIT,
        &family::HOSTS_EVICTED,
    );
    write_figures(&snapshot.hosts, families, writer)
}

/// The counter that a family shows.
type ShownCounter = fn(&Counters) -> u64;

const BYTES: ShownCounter = |counters| counters.bytes;
const PACKETS: ShownCounter = |counters| counters.packets;

/// The families of sums outside rows: pending and retired.
fn flow_sums(with_packets: bool) -> impl Iterator<Item = (&'static Family, &'static Family, ShownCounter)> {
    let bytes = (&family::FLOW_PENDING_BYTES, &family::FLOW_RETIRED_BYTES, BYTES);
    let packets = (&family::FLOW_PENDING_PACKETS, &family::FLOW_RETIRED_PACKETS, PACKETS);
    std::iter::once(bytes).chain(with_packets.then_some(packets))
}

fn write_flows<W: Write>(
    flows: &Shown<FlowKey>,
    family: &Family,
    value: ShownCounter,
    writer: &mut TextWriter<W>,
) -> io::Result<()> {
    writer.family(family)?;
    for row in &flows.rows {
        let key = &row.key;
        writer
            .sample(family.name)
            .label_with("source", |buffer| push_address(buffer, key.source))
            .label_with("destination", |buffer| push_address(buffer, key.destination))
            .label_with("protocol", |buffer| push_protocol(buffer, key.protocol))
            .label_with("port", |buffer| push_port(buffer, key.port))
            .label_word("reply", if key.reply { "true" } else { "false" })
            .label_word("direction", key.direction.label())
            .since(began(flows, row))
            .value(value(&row.value))?;
    }
    for (protocol, direction, counters) in groups(flows, &flows.other, &flows.rarer_other) {
        writer
            .sample(family.name)
            .label_word("source", OTHER)
            .label_word("destination", OTHER)
            .label_with("protocol", |buffer| push_group(buffer, protocol))
            .label_word("port", "")
            .label_word("reply", "false")
            .label_word("direction", direction.label())
            .value(value(counters))?;
    }
    Ok(())
}

fn write_sums<W: Write>(
    flows: &Shown<FlowKey>,
    sums: &OutsideRows<(Direction, Protocol)>,
    family: &Family,
    value: ShownCounter,
    writer: &mut TextWriter<W>,
) -> io::Result<()> {
    writer.family(family)?;
    for (protocol, direction, counters) in groups(flows, &sums.by_group, &sums.rarer) {
        let sample = writer.sample(family.name).label_word("direction", direction.label());
        sample.label_with("protocol", |buffer| push_group(buffer, protocol)).value(value(counters))?;
    }
    Ok(())
}

/// Sums outside rows by protocol and direction, then those of the rarer protocols together, which plain values lack.
fn groups<'a>(
    flows: &Shown<FlowKey>,
    by_group: &'a BTreeMap<(Direction, Protocol), Counters>,
    rarer: &'a ByDirection,
) -> impl Iterator<Item = (Option<Protocol>, Direction, &'a Counters)> {
    let rarer = Direction::ALL.into_iter().zip(rarer).filter(|_| !flows.is_plain);
    let by_group = by_group.iter().map(|(&(direction, protocol), counters)| (Some(protocol), direction, counters));
    by_group.chain(rarer.map(|(direction, counters)| (None, direction, counters)))
}

fn push_group(buffer: &mut Vec<u8>, protocol: Option<Protocol>) {
    match protocol {
        Some(protocol) => push_protocol(buffer, protocol),
        None => buffer.extend_from_slice(OTHER.as_bytes()),
    }
}

/// The time at which a row was 0. None for a file: its counters were 0 when the program started, like all others.
fn began<K: SeriesKey>(shown: &Shown<K>, row: &ShownRow<K>) -> Option<Timestamp> {
    (!shown.is_plain).then_some(row.shown_since)
}

fn write_hosts<W: Write>(hosts: &Shown<HostKey>, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::HOST_BYTES)?;
    for row in &hosts.rows {
        let sample = writer.sample(family::HOST_BYTES.name);
        let sample = sample.label_with("host", |buffer| push_address(buffer, row.key.host));
        let sample = sample.label_word("direction", row.key.direction.label()).since(began(hosts, row));
        sample.value(row.value.bytes)?;
    }
    for (direction, counters) in &hosts.other {
        let sample = writer.sample(family::HOST_BYTES.name).label_word("host", OTHER);
        sample.label_word("direction", direction.label()).value(counters.bytes)?;
    }
    for (family, sums) in [(&family::HOST_PENDING_BYTES, &hosts.pending), (&family::HOST_RETIRED_BYTES, &hosts.retired)]
    {
        writer.family(family)?;
        for (direction, counters) in &sums.by_group {
            let sample = writer.sample(family.name).label_word("direction", direction.label());
            sample.value(counters.bytes)?;
        }
    }
    Ok(())
}

/// Appends a port; nothing for port 0, because Prometheus ignores a label with an empty value.
fn push_port(buffer: &mut Vec<u8>, port: u16) {
    if port != 0 {
        buffer.extend_from_slice(itoa::Buffer::new().format(port).as_bytes());
    }
}

/// Families of: rows in the table, its limit, rows shown, their limit, rows evicted.
type Families<'a> = (&'a Family, &'a Family, &'a Family, &'a Family, &'a Family);

fn write_figures<K: SeriesKey, W: Write>(
    shown: &Shown<K>,
    (entries, limit, rows, row_limit, evicted): Families<'_>,
    writer: &mut TextWriter<W>,
) -> io::Result<()> {
    let TableFigures { entries: used, limit: entry_limit, row_limit: rows_limit, evicted: left } = shown.figures;
    for (family, value) in [(entries, used), (limit, entry_limit), (rows, shown.rows.len()), (row_limit, rows_limit)] {
        writer.single(family, value as u64)?;
    }
    writer.family(evicted)?;
    for reason in Eviction::ALL {
        writer.sample(evicted.name).label("reason", reason.reason()).value(left[reason as usize])?;
    }
    Ok(())
}
