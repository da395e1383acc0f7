//! The analysis of event logs: totals, the top sources, targets and ports, the rate over time, and threats.
//!
//! Takes logs as streams of bytes; gives a report. Its tables are bounded, so that a log may be larger than memory. Must
//! not know where the logs lie.

mod activity;
mod alerts;
mod array;
mod busiest;
mod cells;
mod distinct;
mod lines;
mod object;
mod periods;
mod record;
mod report;
mod text;
mod threat_entries;
mod threats;
mod timeline;
mod values;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::IpAddr;

use super::top::TopTable;
use crate::capture::savefile::decompress;
use crate::packet::{Protocol, Timestamp};
use activity::{Activity, AlertLine, EventTally, LinePlace};
use alerts::{AlertSubject, AlertTable};
use array::ArrayEvents;
use cells::Columns;
use distinct::{Distinct, hash_of};
use lines::{LinePart, Lines};
use record::LogRecord;
pub use report::AnalysisReport;
use timeline::Timeline;

/// Sources, and targets, in the tables.
const MOST_ADDRESSES: usize = 65_536;
/// Hashes that are kept to count all different sources, and targets: the estimates have a standard error of 1.6 %.
const KEPT_OF_ALL: usize = 4_096;
/// Ports in the table: all of TCP and UDP.
const MOST_PORTS: usize = 131_072;
/// Kinds of alerts with their subjects in the table.
const MOST_ALERTS: usize = 65_536;
/// The format of a log without any byte, or with blanks alone.
const EMPTY: &str = "empty";
/// The fault of a log in the form of the console.
const CONSOLE_FORM: &str =
    "this is the console form, which analyze does not read; write the log with --log-format jsonl";

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
    /// Violations and suppressed packets.
    total: EventTally,
    /// Lines of alerts.
    alert_lines: EventTally,
    /// Lines that only tell of packets without an event of their own.
    suppressed_lines: u64,
    sources: TopTable<IpAddr, Activity>,
    targets: TopTable<IpAddr, Activity>,
    /// The different sources and targets, those too that the tables have forgotten.
    all_sources: Distinct<KEPT_OF_ALL>,
    all_targets: Distinct<KEPT_OF_ALL>,
    ports: TopTable<(u16, u8), EventTally>,
    protocols: TopTable<u8, EventTally>,
    timeline: Timeline,
    alerts: AlertTable,
    /// Alerts that fired and that resolved, by kind.
    alert_kinds: BTreeMap<&'static str, (u64, u64)>,
}

impl Default for Analysis {
    fn default() -> Self {
        Self {
            logs: Vec::new(),
            total: EventTally::default(),
            alert_lines: EventTally::default(),
            suppressed_lines: 0,
            sources: TopTable::new(MOST_ADDRESSES),
            targets: TopTable::new(MOST_ADDRESSES),
            all_sources: Distinct::default(),
            all_targets: Distinct::default(),
            ports: TopTable::new(MOST_PORTS),
            protocols: TopTable::new(usize::from(u8::MAX) + 1),
            timeline: Timeline::default(),
            alerts: AlertTable::new(MOST_ALERTS),
            alert_kinds: BTreeMap::new(),
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
        let mut lines = Lines::new(decompress(reader)?)?;
        let first = lines.first_byte();
        let format = match (format, first) {
            (Some(format), _) => format,
            (None, Some(b'[')) => LogFormat::Json,
            (None, Some(b'{')) => LogFormat::JsonLines,
            (None, _) => LogFormat::Csv,
        };
        let label = if first.is_none() { EMPTY } else { format.label() };
        self.logs.push(ReadLog { name: name.to_owned(), format: label, lines: 0, events: 0, broken_lines: 0 });
        match format {
            LogFormat::Json => self.read_array(&mut lines, &mut on_broken),
            LogFormat::JsonLines => self.read_objects(&mut lines, &mut on_broken),
            LogFormat::Csv => self.read_cells(&mut lines, &mut on_broken),
        }
    }

    /// The time of the earliest violation among the first bytes of a log, or else of the earliest alert; none without an
    /// event. The first line of a rotated log may be an alert that began before the last line of the log before it.
    pub(crate) fn first_time(format: Option<LogFormat>, start: &[u8]) -> Option<Timestamp> {
        let mut analysis = Self::default();
        // The cut at the end is an error of a compressed log.
        analysis.read("", format, start, |_| {}).unwrap_or_default();
        let span = analysis.total.span.or(analysis.alert_lines.span);
        span.map(|(first, _)| Timestamp::from_nanoseconds(first))
    }

    /// True if any line was an event.
    pub const fn has_events(&self) -> bool {
        self.total.events + self.alert_lines.events > 0
    }

    /// True if any line is neither an event nor empty.
    pub fn has_broken_lines(&self) -> bool {
        self.logs.iter().any(|log| log.broken_lines > 0)
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
            if is_first && bytes.starts_with(b"ts=") {
                return Err(io::Error::other(CONSOLE_FORM));
            }
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
        if let Some((alert, kind)) = record.alert() {
            let line = AlertLine { alert, kind, time: record.time.unwrap_or(0), place };
            return self.count_alert(record, &line);
        }
        self.total.add(record, record.suppressed, place);
        self.suppressed_lines += u64::from(record.packets() == 0);
        self.timeline.add(record.time.unwrap_or(0), record.packets(), record.suppressed);
        self.count_addresses(record);
        // Looked up together: the tables are large, so the processor waits for memory, but then only once.
        let source = record.source.map(|source| self.sources.entry(source));
        let target = record.destination.map(|target| self.targets.entry(target));
        let suppressed = source.map(|source| source.add_sent(record, place)).unwrap_or_default();
        if let Some(target) = target {
            target.add_received(record, suppressed, place);
        }
        if let Some(protocol) = record.protocol {
            self.protocols.entry(protocol.0).add(record, 0, place);
        }
        if let Some(port) = record.port {
            self.ports.entry((port, record.protocol.unwrap_or(Protocol(0)).0)).add(record, 0, place);
        }
    }

    #[inline]
    fn count_addresses(&mut self, record: &LogRecord) {
        if let Some(source) = record.source {
            self.all_sources.add(hash_of(source));
        }
        if let Some(target) = record.destination {
            self.all_targets.add(hash_of(target));
        }
    }

    fn count_alert(&mut self, record: &LogRecord, line: &AlertLine<'_>) {
        self.alert_lines.add_line(line.time, line.place);
        self.timeline.add(line.time, 0, 0);
        let (fired, resolved) = self.alert_kinds.entry(line.kind.label()).or_default();
        *if line.alert.is_resolved { resolved } else { fired } += 1;
        let (source, target) = (record.source, record.destination);
        let of_ends = source.map(AlertSubject::Source).or(target.map(AlertSubject::Target));
        self.count_addresses(record);
        let Some(subject) = of_ends.or(line.alert.network.map(AlertSubject::Network)) else { return };
        let is_first = self.alerts.add(subject, line);
        if let Some(source) = source {
            self.sources.entry(source).add_alert(line, target, is_first);
        }
        if let Some(target) = target {
            self.targets.entry(target).add_alert(line, source, is_first);
        }
    }
}

#[cfg(test)]
mod tests;
