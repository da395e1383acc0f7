//! The analysis of event logs: totals, the top sources, targets and ports, the rate over time, and threats.
//!
//! Takes logs as streams of bytes; gives a report. Its tables are bounded, so that a log may be larger than memory. Must
//! not know where the logs lie.

mod activity;
mod array;
mod cells;
mod lines;
mod object;
mod record;
mod report;
mod text;
mod threats;
mod timeline;
mod values;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::IpAddr;

use super::top::TopTable;
use crate::capture::savefile::decompress;
use crate::packet::Protocol;
use activity::{Activity, EventTally, LinePlace};
use array::ArrayEvents;
use cells::Columns;
use lines::{LinePart, Lines};
use record::LogRecord;
pub use report::AnalysisReport;
use timeline::Timeline;

/// Sources, and targets, in the tables.
const MOST_ADDRESSES: usize = 65_536;
/// Ports in the table: all of TCP and UDP.
const MOST_PORTS: usize = 131_072;

/// The format of an event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON array.
    Json,
    /// One JSON object per line.
    JsonLines,
    /// Comma-separated values.
    Csv,
}

impl LogFormat {
    /// The word of the option `--format`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
        }
    }
}

/// A line that is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenLine {
    /// Counted from 1.
    pub number: u64,
    /// The fault, without any text of the line.
    pub reason: String,
}

/// The outcome of reading a log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ReadLog {
    name: String,
    format: &'static str,
    lines: u64,
    events: u64,
    broken_lines: u64,
}

/// All that is known of the logs read so far.
#[derive(Debug)]
pub struct Analysis {
    logs: Vec<ReadLog>,
    total: EventTally,
    sources: TopTable<IpAddr, Activity>,
    targets: TopTable<IpAddr, Activity>,
    ports: TopTable<(u16, u8), EventTally>,
    protocols: TopTable<u8, EventTally>,
    timeline: Timeline,
    /// Alerts that fired and that resolved, by kind.
    alerts: BTreeMap<&'static str, (u64, u64)>,
}

impl Default for Analysis {
    fn default() -> Self {
        Self {
            logs: Vec::new(),
            total: EventTally::default(),
            sources: TopTable::new(MOST_ADDRESSES),
            targets: TopTable::new(MOST_ADDRESSES),
            ports: TopTable::new(MOST_PORTS),
            protocols: TopTable::new(usize::from(u8::MAX) + 1),
            timeline: Timeline::default(),
            alerts: BTreeMap::new(),
        }
    }
}

impl Analysis {
    /// Reads a log to its end; without a `format` its first byte decides. Reports each line that is no event.
    ///
    /// # Errors
    /// When the log cannot be read further. The lines before are counted.
    pub fn read(
        &mut self,
        name: &str,
        format: Option<LogFormat>,
        reader: impl Read,
        mut on_broken: impl FnMut(BrokenLine),
    ) -> io::Result<()> {
        let mut lines = Lines::new(decompress(reader)?);
        let format = match format {
            Some(format) => format,
            None => match lines.first_byte()? {
                Some(b'[') => LogFormat::Json,
                Some(b'{') => LogFormat::JsonLines,
                _ => LogFormat::Csv,
            },
        };
        let log = ReadLog { name: name.to_owned(), format: format.label(), lines: 0, events: 0, broken_lines: 0 };
        self.logs.push(log);
        match format {
            LogFormat::Json => self.read_array(&mut lines, &mut on_broken),
            LogFormat::JsonLines => self.read_objects(&mut lines, &mut on_broken),
            LogFormat::Csv => self.read_cells(&mut lines, &mut on_broken),
        }
    }

    /// True if any line was an event.
    pub const fn has_events(&self) -> bool {
        self.total.events > 0
    }

    fn read_objects<R: Read>(
        &mut self,
        lines: &mut Lines<R>,
        on_broken: &mut impl FnMut(BrokenLine),
    ) -> io::Result<()> {
        while let Some(line) = self.next(lines, on_broken)? {
            if !line.bytes.trim_ascii().is_empty() {
                let (number, read) = (line.number, object::read(line.bytes));
                self.take(number, read, on_broken);
            }
        }
        Ok(())
    }

    fn read_array<R: Read>(&mut self, lines: &mut Lines<R>, on_broken: &mut impl FnMut(BrokenLine)) -> io::Result<()> {
        let mut array = ArrayEvents::default();
        let mut read = |analysis: &mut Self, number: u64, event: Option<&[u8]>| {
            let read = event.map_or_else(|| Err("cut off".to_owned()), object::read);
            analysis.take(number, read, on_broken);
        };
        while let Some(line) = lines.next_part()? {
            if line.ends {
                self.count_line();
            }
            array.read(&line, |number, event| read(self, number, event));
        }
        array.finish(|number, event| read(self, number, event));
        Ok(())
    }

    fn read_cells<R: Read>(&mut self, lines: &mut Lines<R>, on_broken: &mut impl FnMut(BrokenLine)) -> io::Result<()> {
        let mut columns = Columns::default();
        let mut is_first = true;
        while let Some(line) = self.next(lines, on_broken)? {
            let bytes = line.bytes.trim_ascii_end();
            if !bytes.is_empty() && !columns.take_header(bytes, std::mem::take(&mut is_first)) {
                let (number, read) = (line.number, columns.read(bytes));
                self.take(number, read, on_broken);
            }
        }
        Ok(())
    }

    /// The next line that is not too long.
    fn next<'a, R: Read>(
        &mut self,
        lines: &'a mut Lines<R>,
        on_broken: &mut impl FnMut(BrokenLine),
    ) -> io::Result<Option<LinePart<'a>>> {
        let Some(line) = lines.next()? else { return Ok(None) };
        self.count_line();
        if !line.ends {
            self.take(line.number, Err("longer than 1 MiB".to_owned()), on_broken);
            return Ok(Some(LinePart { bytes: b"", ..line }));
        }
        Ok(Some(line))
    }

    fn count_line(&mut self) {
        if let Some(log) = self.logs.last_mut() {
            log.lines += 1;
        }
    }

    /// Counts a record, or reports the fault of its line.
    fn take(&mut self, number: u64, read: Result<LogRecord, String>, on_broken: &mut impl FnMut(BrokenLine)) {
        let file = u32::try_from(self.logs.len()).unwrap_or(u32::MAX);
        let Some(log) = self.logs.last_mut() else { return };
        match read.and_then(|record| record.fault().map_or(Ok(record), |fault| Err(fault.to_owned()))) {
            Ok(record) => {
                log.events += 1;
                self.count(&record, LinePlace { file, line: number });
            }
            Err(reason) => {
                log.broken_lines += 1;
                on_broken(BrokenLine { number, reason });
            }
        }
    }

    #[inline]
    fn count(&mut self, record: &LogRecord, place: LinePlace) {
        self.total.add(record, place);
        if let Some(time) = record.time {
            let packets = if record.is_alert() { 0 } else { record.packets().saturating_add(record.suppressed) };
            self.timeline.add(time, packets);
        }
        if let Some(kind) = record.kind.filter(|_| record.is_alert()) {
            let (fired, resolved) = self.alerts.entry(kind).or_default();
            *if record.is_resolved { resolved } else { fired } += 1;
            if record.is_resolved {
                return;
            }
        }
        if let Some(source) = record.source {
            self.sources.entry(source).add(record, record.destination, place);
        }
        if let Some(target) = record.destination {
            self.targets.entry(target).add(record, record.source, place);
        }
        if record.is_alert() {
            return;
        }
        if let Some(protocol) = record.protocol {
            self.protocols.entry(protocol.0).add(record, place);
        }
        if let Some(port) = record.port {
            self.ports.entry((port, record.protocol.unwrap_or(Protocol(0)).0)).add(record, place);
        }
    }
}

#[cfg(test)]
mod tests;
