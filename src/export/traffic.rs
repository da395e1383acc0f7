//! Metric families of the accounts and of capture. Takes a snapshot; gives samples. Must not know single flows.

use std::io::{self, Write};

use super::family::{self, Family};
use super::text::TextWriter;
use crate::account::delivery::EndedScrapes;
use crate::account::flow::Counters;
use crate::account::interval::KernelSums;
use crate::account::snapshot::{InterfaceEntry, Snapshot};
use crate::decode::NotIp;
use crate::locality::Direction;
use crate::packet::IpVersion;

pub(super) fn write<W: Write>(snapshot: &Snapshot, writer: &mut TextWriter<W>) -> io::Result<()> {
    write_traffic(snapshot, writer, &family::TRAFFIC_BYTES, |counters| counters.bytes)?;
    write_traffic(snapshot, writer, &family::TRAFFIC_PACKETS, |counters| counters.packets)?;
    write_kernel_sums(snapshot, writer)?;
    writer.family(&family::UNDECODED_PACKETS)?;
    for reason in NotIp::ALL {
        let frames = snapshot.totals.not_ip[reason as usize];
        writer.sample(family::UNDECODED_PACKETS.name).label("reason", reason.reason()).value(frames)?;
    }
    let interfaces = snapshot.interfaces.iter();
    let frames = interfaces.clone().map(|interface| (interface, interface.frames.frames));
    write_interfaces(writer, &family::INTERFACE_FRAMES, frames)?;
    let bytes = interfaces.map(|interface| (interface, interface.frames.bytes));
    write_interfaces(writer, &family::INTERFACE_FRAME_BYTES, bytes)?;
    writer.single(&family::INTERFACES_RETIRED_UNREAD, snapshot.interfaces_retired_unread)?;
    writer.single(&family::DUPLICATE_FRAMES, snapshot.totals.copies.frames)?;
    write_captures(snapshot, writer)?;
    writer.single(&family::OVERFLOW_PACKETS, snapshot.overflow.packets)?;
    writer.single(&family::REFUSALS_LOST, snapshot.refusals_lost)?;
    writer.single(&family::CONVERSATIONS_FORGOTTEN, snapshot.conversations_forgotten)?;
    write_scrapes(snapshot, writer)?;
    writer.single(&family::HANDOVER_DELAYS, snapshot.handover_delays)
}

/// The families of the kernel path, where it counts.
fn write_kernel_sums<W: Write>(snapshot: &Snapshot, writer: &mut TextWriter<W>) -> io::Result<()> {
    let Some(sums) = snapshot.totals.kernel else { return Ok(()) };
    if !sums.are_wire_packets_unknown {
        write_wire_packets(&sums, writer)?;
    }
    writer.single(&family::DROPPED_PACKETS, sums.dropped.packets)?;
    writer.single(&family::DROPPED_BYTES, sums.dropped.bytes)?;
    writer.single(&family::KERNEL_MESSAGES_LOST, sums.messages_lost)?;
    writer.single(&family::KERNEL_EVENTS_LOST, sums.events_lost)
}

fn write_wire_packets<W: Write>(sums: &KernelSums, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::TRAFFIC_WIRE_PACKETS)?;
    for direction in Direction::ALL {
        let sample = writer.sample(family::TRAFFIC_WIRE_PACKETS.name).label("direction", direction.label());
        sample.value(sums.wire_packets[direction as usize])?;
    }
    Ok(())
}

fn write_scrapes<W: Write>(snapshot: &Snapshot, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::SCRAPES)?;
    let EndedScrapes { complete, broken, untracked } = snapshot.scrapes;
    for (result, scrapes) in [("complete", complete), ("broken", broken)] {
        writer.sample(family::SCRAPES.name).label("result", result).value(scrapes)?;
    }
    writer.single(&family::SCRAPES_UNTRACKED, untracked)
}

fn write_traffic<W: Write>(
    snapshot: &Snapshot,
    writer: &mut TextWriter<W>,
    family: &Family,
    value: impl Fn(Counters) -> u64,
) -> io::Result<()> {
    writer.family(family)?;
    for direction in Direction::ALL {
        for version in IpVersion::ALL {
            let counters = snapshot.totals.traffic[direction as usize][version as usize];
            let sample = writer.sample(family.name).label("direction", direction.label());
            sample.label("ip_version", version.label()).value(value(counters))?;
        }
    }
    Ok(())
}

fn write_interfaces<'a, W: Write>(
    writer: &mut TextWriter<W>,
    family: &Family,
    values: impl Iterator<Item = (&'a InterfaceEntry, u64)>,
) -> io::Result<()> {
    writer.family(family)?;
    for (interface, value) in values {
        writer.sample(family.name).label("interface", &interface.name).value(value)?;
    }
    Ok(())
}

fn write_captures<W: Write>(snapshot: &Snapshot, writer: &mut TextWriter<W>) -> io::Result<()> {
    let captures = || snapshot.interfaces.iter().filter_map(|interface| Some((interface, interface.capture?)));
    // An interface that is gone has counters alone.
    let living = || captures().filter(|(interface, _)| interface.gone_since.is_none());
    let up = living().map(|(interface, capture)| (interface, u64::from(capture.up)));
    write_interfaces(writer, &family::CAPTURE_UP, up)?;
    let received = captures().map(|(interface, capture)| (interface, capture.received));
    write_interfaces(writer, &family::CAPTURE_RECEIVED, received)?;
    writer.family(&family::CAPTURE_DROPPED)?;
    for (interface, capture) in captures() {
        for (reason, dropped) in [("kernel", capture.dropped_by_kernel), ("interface", capture.dropped_by_interface)] {
            let sample = writer.sample(family::CAPTURE_DROPPED.name).label("interface", &interface.name);
            sample.label("reason", reason).value(dropped)?;
        }
    }
    writer.family(&family::CAPTURE_COVERAGE)?;
    for (interface, capture) in living() {
        if let Some(ratio) = capture.coverage.ratio() {
            writer.sample(family::CAPTURE_COVERAGE.name).label("interface", &interface.name).value_f64(ratio)?;
        }
    }
    let comparable = living().map(|(interface, capture)| (interface, u64::from(capture.coverage.is_comparable)));
    write_interfaces(writer, &family::CAPTURE_COMPARABLE, comparable)
}
