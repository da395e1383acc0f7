//! The first part of the table: the files, their time, their frames, and the IP traffic by direction. Takes the
//! accounts; gives lines of text. Must not know single flows.

use std::io::{self, Write};

use super::{NO_BREAK, Replayed, write_wrapped};
use crate::account::flow::Counters;
use crate::account::snapshot::{InterfaceEntry, Totals};
use crate::capture::printable;
use crate::decode::NotIp;
use crate::export::units::{Units, rate, share, utc};
use crate::locality::Direction;
use crate::policy::Verdict;

/// The width of the names before the text.
const NAME: usize = 10;

/// Files that are named; the others are counted.
const MOST_FILES: usize = 20;

const HINT: &str = "Hint: most of this traffic is transit, and no local host sends to others. The local networks are \
                    probably not those of this capture: name them, as in -localNetworks\u{a0}192.0.2.0/24.";

pub(super) fn write<W: Write>(units: Units, replayed: &Replayed<'_>, out: &mut W) -> io::Result<()> {
    let totals = &replayed.accounts.totals;
    write_files(units, &replayed.accounts.interfaces, out)?;
    write_time(units, replayed, out)?;
    write_frames(units, replayed, out)?;
    write_not_ip(units, totals, out)?;
    if totals.ip().is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    write_directions(units, replayed, out)?;
    if is_mostly_transit(totals) {
        writeln!(out)?;
        write_wrapped(out, "", "", HINT)?;
    }
    Ok(())
}

fn write_line<W: Write>(out: &mut W, name: &str, words: &str) -> io::Result<()> {
    write_wrapped(out, &format!("{name:<NAME$}"), &" ".repeat(NAME), words)
}

fn write_files<W: Write>(units: Units, files: &[InterfaceEntry], out: &mut W) -> io::Result<()> {
    if let [file] = files {
        return write_line(out, "File", &printable(&file.name));
    }
    for (at, file) in files.iter().take(MOST_FILES).enumerate() {
        let name = if at == 0 { "Files" } else { "" };
        let frames = frames(units, file.frames.frames);
        write_line(out, name, &format!("{} ({frames})", printable(&file.name)))?;
    }
    let more = files.len().saturating_sub(MOST_FILES);
    if more > 0 { write_line(out, "", &format!("and {more} more")) } else { Ok(()) }
}

fn write_time<W: Write>(units: Units, replayed: &Replayed<'_>, out: &mut W) -> io::Result<()> {
    let Some((first, last)) = replayed.span else { return Ok(()) };
    let (from, to) = (utc(first), utc(last));
    if from == to {
        return write_line(out, "Time", &format!("{from} UTC"));
    }
    // The date once, where both are of one day.
    let to = match (from.split_once(' '), to.split_once(' ')) {
        (Some((from, _)), Some((day, clock))) if from == day => clock,
        _ => &to,
    };
    write_line(out, "Time", &format!("{from} to {to} UTC ({})", units.duration(replayed.duration())))
}

fn write_frames<W: Write>(units: Units, replayed: &Replayed<'_>, out: &mut W) -> io::Result<()> {
    let (frames, time) = (replayed.accounts.totals.frames, replayed.duration());
    if frames.frames == 0 {
        let why = match replayed.filter {
            Some(filter) => format!("0: no frame passes the filter {}", printable(filter)),
            None => "0: there is no frame in it".to_owned(),
        };
        return write_line(out, "Frames", &why);
    }
    let rates = match (rate(frames.frames, time), units.bit_rate(frames.bytes, time)) {
        (Some(frames), Some(bits)) => format!(", {frames} frames/s, {bits}"),
        _ => String::new(),
    };
    let bytes = units.bytes_in_words(frames.bytes);
    write_line(out, "Frames", &format!("{}, {bytes} on the wire{rates}", units.count(frames.frames)))
}

fn write_not_ip<W: Write>(units: Units, totals: &Totals, out: &mut W) -> io::Result<()> {
    let not_ip = totals.not_ip();
    if not_ip == 0 {
        return Ok(());
    }
    let reasons = NotIp::ALL.iter().map(|&reason| (reason.reason(), totals.not_ip[reason as usize]));
    let reasons: Vec<String> = reasons
        .filter(|&(_, frames)| frames > 0)
        .map(|(reason, frames)| format!("{reason} {}", units.count(frames)).replace(['_', ' '], &NO_BREAK.to_string()))
        .collect();
    let frames =
        if totals.ip().is_empty() { "all: no frame holds an IP packet".to_owned() } else { frames(units, not_ip) };
    write_line(out, "Not IP", &format!("{frames} ({})", reasons.join(", ")))
}

fn frames(units: Units, frames: u64) -> String {
    if frames == 1 { "1 frame".to_owned() } else { format!("{} frames", units.count(frames)) }
}

fn write_directions<W: Write>(units: Units, replayed: &Replayed<'_>, out: &mut W) -> io::Result<()> {
    let totals = &replayed.accounts.totals;
    let (all, time) = (totals.ip(), replayed.duration());
    let figures = |Counters { packets, bytes }| {
        let rate = units.bit_rate(bytes, time).filter(|_| bytes > 0).unwrap_or_default();
        [units.count(packets), units.bytes(bytes), share(bytes, all.bytes), rate]
    };
    let head = ["PACKETS", "BYTES", "SHARE", "RATE"].map(str::to_owned);
    let directions = Direction::ALL.map(|direction| (direction.label(), figures(totals.direction(direction))));
    let verdicts = totals.verdicts.iter().flat_map(|sums| {
        [("permitted", Verdict::Permitted), ("not permitted", Verdict::NotPermitted)]
            .map(|(name, verdict)| (name, figures(sums.of(verdict))))
    });
    let verdicts: Vec<_> = verdicts.collect();
    let lines = [[("DIRECTION", head)].as_slice(), &directions, &[("all IP", figures(all))], &verdicts].concat();
    let name_width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let width = |column: usize| lines.iter().map(|(_, cells)| cells[column].len()).max().unwrap_or(0);
    let widths: [usize; 4] = std::array::from_fn(width);
    for (name, cells) in &lines {
        let cells: String = cells.iter().zip(widths).map(|(cell, width)| format!("  {cell:>width$}")).collect();
        writeln!(out, "{}", format!("{name:<name_width$}{cells}").trim_end())?;
    }
    Ok(())
}

/// Multicast counts as local, so incoming packets to multicast groups do not show that hosts are local.
fn is_mostly_transit(totals: &Totals) -> bool {
    let transit = totals.direction(Direction::Transit).bytes;
    totals.direction(Direction::Outgoing).is_empty() && transit > totals.ip().bytes / 2
}
