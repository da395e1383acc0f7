//! Metric families of the accounts and of capture. Takes a snapshot; gives samples. Must not know single flows.

use std::io::{self, Write};

use super::family::{self, Family};
use super::text::TextWriter;
use crate::account::delivery::Ended;
use crate::account::flow::Counters;
use crate::account::snapshot::{Capture, InterfaceEntry, Snapshot};
use crate::decode::NotIp;
use crate::locality::Direction;
use crate::packet::IpVersion;

pub(super) fn write<W: Write>(snapshot: &Snapshot, writer: &mut TextWriter<W>) -> io::Result<()> {
    write_traffic(snapshot, writer, &family::TRAFFIC_BYTES, |counters| counters.bytes)?;
    write_traffic(snapshot, writer, &family::TRAFFIC_PACKETS, |counters| counters.packets)?;
    writer.family(&family::UNDECODED_PACKETS)?;
    for reason in NotIp::ALL {
        let frames = snapshot.totals.not_ip[reason as usize];
        writer.sample(family::UNDECODED_PACKETS.name).label("reason", reason.reason()).value(frames)?;
    }
    write_interfaces(snapshot, writer, &family::INTERFACE_FRAMES, |interface| interface.frames.frames)?;
    write_interfaces(snapshot, writer, &family::INTERFACE_FRAME_BYTES, |interface| interface.frames.bytes)?;
    write_single(writer, &family::INTERFACES_RETIRED_UNREAD, snapshot.interfaces_retired_unread)?;
    write_single(writer, &family::DUPLICATE_FRAMES, snapshot.totals.copies.frames)?;
    write_captures(snapshot, writer)?;
    write_single(writer, &family::OVERFLOW_PACKETS, snapshot.overflow.packets)?;
    write_single(writer, &family::REFUSALS_LOST, snapshot.refusals_lost)?;
    write_single(writer, &family::CONVERSATIONS_FORGOTTEN, snapshot.conversations_forgotten)?;
    write_scrapes(snapshot, writer)?;
    write_single(writer, &family::HANDOVER_DELAYS, snapshot.handover_delays)
}

fn write_single<W: Write>(writer: &mut TextWriter<W>, family: &Family, value: u64) -> io::Result<()> {
    writer.family(family)?;
    writer.sample(family.name).value(value)
}

fn write_scrapes<W: Write>(snapshot: &Snapshot, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::SCRAPES)?;
    let Ended { complete, broken, untracked } = snapshot.scrapes;
    for (result, scrapes) in [("complete", complete), ("broken", broken)] {
        writer.sample(family::SCRAPES.name).label("result", result).value(scrapes)?;
    }
    write_single(writer, &family::SCRAPES_UNTRACKED, untracked)
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

fn write_interfaces<W: Write>(
    snapshot: &Snapshot,
    writer: &mut TextWriter<W>,
    family: &Family,
    value: impl Fn(&InterfaceEntry) -> u64,
) -> io::Result<()> {
    writer.family(family)?;
    for interface in &snapshot.interfaces {
        writer.sample(family.name).label("interface", &interface.name).value(value(interface))?;
    }
    Ok(())
}

fn write_captures<W: Write>(snapshot: &Snapshot, writer: &mut TextWriter<W>) -> io::Result<()> {
    let captures: Vec<(&str, Capture)> = snapshot
        .interfaces
        .iter()
        .filter_map(|interface| interface.capture.map(|capture| (interface.name.as_str(), capture)))
        .collect();
    // An interface that is gone has counters alone.
    let living: Vec<(&str, Capture)> = snapshot
        .interfaces
        .iter()
        .filter(|interface| interface.gone_since.is_none())
        .filter_map(|interface| Some((interface.name.as_str(), interface.capture?)))
        .collect();
    writer.family(&family::CAPTURE_UP)?;
    for (name, capture) in &living {
        writer.sample(family::CAPTURE_UP.name).label("interface", name).value(u64::from(capture.up))?;
    }
    writer.family(&family::CAPTURE_RECEIVED)?;
    for (name, capture) in &captures {
        writer.sample(family::CAPTURE_RECEIVED.name).label("interface", name).value(capture.received)?;
    }
    writer.family(&family::CAPTURE_DROPPED)?;
    for (name, capture) in &captures {
        for (reason, dropped) in [("kernel", capture.dropped_by_kernel), ("interface", capture.dropped_by_interface)] {
            let sample = writer.sample(family::CAPTURE_DROPPED.name).label("interface", name);
            sample.label("reason", reason).value(dropped)?;
        }
    }
    write_coverage(&living, writer)
}

fn write_coverage<W: Write>(captures: &[(&str, Capture)], writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::CAPTURE_COVERAGE)?;
    for (name, capture) in captures {
        if let Some(ratio) = capture.coverage.ratio() {
            writer.sample(family::CAPTURE_COVERAGE.name).label("interface", name).value_f64(ratio)?;
        }
    }
    writer.family(&family::CAPTURE_COMPARABLE)?;
    for (name, capture) in captures {
        let is_comparable = u64::from(capture.coverage.is_comparable);
        writer.sample(family::CAPTURE_COMPARABLE.name).label("interface", name).value(is_comparable)?;
    }
    Ok(())
}
