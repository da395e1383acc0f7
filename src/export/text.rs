//! The writer of both text formats, Prometheus' 0.0.4 and OpenMetrics 1.0. Takes families and samples in order; gives
//! bytes in chunks. Must not know the meaning of values.
//!
//! The formats differ little. OpenMetrics names a counter's family without `_total`, escapes quotes in help texts, ends
//! with `# EOF`, and may have a line with the time at which a counter was 0 (`_created`).

use std::io::{self, Write};

use super::Format;
use super::family::{Family, MetricKind};
use crate::packet::Timestamp;

/// Number of bytes that are collected before they are written to the output.
const CHUNK: usize = 64 << 10;

/// Extra space for the sample that fills a chunk.
const SLACK: usize = 4 << 10;

/// The end of the names of counters. In OpenMetrics the name of the family lacks it.
const TOTAL: &str = "_total";

/// Writes families and samples to `out` in chunks.
pub struct TextWriter<W: Write> {
    out: W,
    buffer: Vec<u8>,
    format: Format,
    /// The time at which counters were 0, unless a sample sets another; none without `_created` lines.
    created: Option<Timestamp>,
    /// The families that are not written.
    omitted: &'static [Family],
    /// True if the family that was begun last is not written.
    is_omitted: bool,
}

impl<W: Write> TextWriter<W> {
    /// A writer of `format`. With `created`, each counter in OpenMetrics has a `_created` line with this time, or with
    /// the time that [`SampleWriter::since`] sets.
    pub fn new(format: Format, created: Option<Timestamp>, out: W) -> Self {
        let created = created.filter(|_| format == Format::OpenMetrics);
        let buffer = Vec::with_capacity(CHUNK + SLACK);
        Self { out, buffer, format, created, omitted: &[], is_omitted: false }
    }

    /// Does not write these families and their samples.
    #[must_use]
    pub(crate) fn without(self, omitted: &'static [Family]) -> Self {
        Self { omitted, ..self }
    }

    /// Begins a family: writes its `HELP` and `TYPE` lines.
    pub(crate) fn family(&mut self, family: &Family) -> io::Result<()> {
        if self.omitted.contains(family) {
            self.is_omitted = true;
            return Ok(());
        }
        self.introduce(family.name, family.help, family.kind)
    }

    /// Writes the `HELP` and `TYPE` lines of the family whose samples are called `name`.
    pub(super) fn introduce(&mut self, name: &str, help: &str, kind: MetricKind) -> io::Result<()> {
        self.is_omitted = false;
        let is_open = self.format == Format::OpenMetrics;
        let name = if is_open && kind == MetricKind::Counter { name.strip_suffix(TOTAL).unwrap_or(name) } else { name };
        for (word, text) in [("# HELP ", help), ("# TYPE ", kind.word())] {
            self.buffer.extend_from_slice(word.as_bytes());
            self.buffer.extend_from_slice(name.as_bytes());
            self.buffer.push(b' ');
            push_escaped(&mut self.buffer, text, is_open);
            self.buffer.push(b'\n');
        }
        self.write_out(CHUNK)
    }

    /// Writes a family with one sample, which has no labels.
    pub(super) fn single(&mut self, family: &Family, value: u64) -> io::Result<()> {
        self.family(family)?;
        self.sample(family.name).value(value)
    }

    /// Begins a sample.
    pub(crate) fn sample<'a>(&'a mut self, name: &'a str) -> SampleWriter<'a, W> {
        self.buffer.extend_from_slice(name.as_bytes());
        let labels_at = self.buffer.len();
        SampleWriter { writer: self, name, labels_at, since: None, has_labels: false }
    }

    /// Ends the exposition and writes the rest of the buffer.
    pub fn finish(mut self) -> io::Result<()> {
        if self.format == Format::OpenMetrics {
            self.buffer.extend_from_slice(b"# EOF\n");
        }
        self.write_out(1)?;
        self.out.flush()
    }

    /// Writes the buffer to the output if it has at least `enough` bytes.
    fn write_out(&mut self, enough: usize) -> io::Result<()> {
        if self.buffer.len() >= enough {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// A sample that is being written: first its labels in order, then its value.
pub(crate) struct SampleWriter<'a, W: Write> {
    writer: &'a mut TextWriter<W>,
    name: &'a str,
    /// The position in the buffer at which its labels begin.
    labels_at: usize,
    since: Option<Timestamp>,
    has_labels: bool,
}

impl<W: Write> SampleWriter<'_, W> {
    /// Writes a label. The value is escaped.
    #[must_use]
    pub(crate) fn label(mut self, name: &str, value: &str) -> Self {
        self.open(name);
        push_escaped(&mut self.writer.buffer, value, true);
        self.writer.buffer.push(b'"');
        self
    }

    /// Writes a label whose value `write` appends. The value must not contain quotes, backslashes or line feeds.
    #[must_use]
    pub(super) fn label_with(mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.open(name);
        write(&mut self.writer.buffer);
        self.writer.buffer.push(b'"');
        self
    }

    /// Writes a label whose value is one of the program's own words, which need no escaping.
    #[must_use]
    pub(crate) fn label_word(mut self, name: &str, value: &'static str) -> Self {
        self.open(name);
        self.writer.buffer.extend_from_slice(value.as_bytes());
        self.writer.buffer.push(b'"');
        self
    }

    /// Sets the time at which this counter was 0, for its `_created` line.
    #[must_use]
    pub(crate) fn since(mut self, time: Option<Timestamp>) -> Self {
        self.since = time;
        self
    }

    /// Ends the sample with its value, a whole number.
    pub(crate) fn value(self, value: u64) -> io::Result<()> {
        let mut digits = itoa::Buffer::new();
        self.end(digits.format(value))
    }

    /// Ends the sample with its value, a floating-point number.
    pub(super) fn value_f64(self, value: f64) -> io::Result<()> {
        match value {
            _ if value.is_nan() => self.end("NaN"),
            f64::INFINITY => self.end("+Inf"),
            f64::NEG_INFINITY => self.end("-Inf"),
            _ => self.end(&value.to_string()),
        }
    }

    fn open(&mut self, name: &str) {
        self.writer.buffer.push(if self.has_labels { b',' } else { b'{' });
        self.writer.buffer.extend_from_slice(name.as_bytes());
        self.writer.buffer.extend_from_slice(b"=\"");
        self.has_labels = true;
    }

    fn end(self, value: &str) -> io::Result<()> {
        let Self { writer, name, labels_at, since, has_labels } = self;
        if writer.is_omitted {
            writer.buffer.truncate(labels_at - name.len());
            return Ok(());
        }
        if has_labels {
            writer.buffer.push(b'}');
        }
        let labels = labels_at..writer.buffer.len();
        writer.buffer.push(b' ');
        writer.buffer.extend_from_slice(value.as_bytes());
        writer.buffer.push(b'\n');
        if let (Some(start), Some(family)) = (writer.created, name.strip_suffix(TOTAL)) {
            push_created(&mut writer.buffer, family, labels, since.unwrap_or(start));
        }
        writer.write_out(CHUNK)
    }
}

/// Appends the `_created` line: the time at which the counter was 0, in seconds since the epoch. Copies the labels from
/// their position in the buffer.
fn push_created(buffer: &mut Vec<u8>, family: &str, labels: std::ops::Range<usize>, time: Timestamp) {
    buffer.extend_from_slice(family.as_bytes());
    buffer.extend_from_slice(b"_created");
    buffer.extend_from_within(labels);
    // Writing to a `Vec` cannot fail.
    let milliseconds = time.nanoseconds().max(0) / 1_000_000;
    writeln!(buffer, " {}.{:03}", milliseconds / 1_000, milliseconds % 1_000).unwrap_or_default();
}

/// Appends `text` with escaped backslashes and line feeds; with `quotes`, also quotes. Label values need these, and
/// help texts of OpenMetrics.
fn push_escaped(buffer: &mut Vec<u8>, text: &str, quotes: bool) {
    for &byte in text.as_bytes() {
        match byte {
            b'\\' => buffer.extend_from_slice(b"\\\\"),
            b'\n' => buffer.extend_from_slice(b"\\n"),
            b'"' if quotes => buffer.extend_from_slice(b"\\\""),
            _ => buffer.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::family;

    fn written(write: impl FnOnce(&mut TextWriter<&mut Vec<u8>>)) -> String {
        written_as(Format::Text, Some(Timestamp::from_nanoseconds(1)), write)
    }

    fn written_as(
        format: Format,
        created: Option<Timestamp>,
        write: impl FnOnce(&mut TextWriter<&mut Vec<u8>>),
    ) -> String {
        let mut out = Vec::new();
        let mut writer = TextWriter::new(format, created, &mut out);
        write(&mut writer);
        writer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_family_is_introduced_and_its_samples_follow() {
        let text = written(|writer| {
            writer.family(&family::CAPTURE_UP).unwrap();
            writer.sample(family::CAPTURE_UP.name).label("interface", "eth0").value(1).unwrap();
        });
        assert_eq!(
            text,
            "# HELP trafficmonitor_capture_up 1 if the interface is up and being captured, otherwise 0.\n\
             # TYPE trafficmonitor_capture_up gauge\n\
             trafficmonitor_capture_up{interface=\"eth0\"} 1\n"
        );
    }

    #[test]
    fn in_openmetrics_families_of_counters_have_no_total_and_quotes_in_help_are_escaped() {
        let text = written_as(Format::OpenMetrics, None, |writer| {
            writer.introduce("x_total", "a \"b\\c\"", MetricKind::Counter).unwrap();
            writer.sample("x_total").value(1).unwrap();
            writer.introduce("y_total", "d", MetricKind::Gauge).unwrap();
        });
        assert_eq!(
            text,
            "# HELP x a \\\"b\\\\c\\\"\n# TYPE x counter\nx_total 1\n# HELP y_total d\n# TYPE y_total gauge\n# EOF\n"
        );
    }

    #[test]
    fn in_openmetrics_counters_say_when_they_began_where_that_is_asked_for() {
        let start = Timestamp::from_nanoseconds(5_007_999_999);
        let write = |writer: &mut TextWriter<&mut Vec<u8>>| {
            writer.sample("x_total").label("a", "\"").value(1).unwrap();
            writer.sample("x_total").since(Some(Timestamp::from_nanoseconds(6_000_000_000))).value(2).unwrap();
            writer.sample("y").value(3).unwrap();
        };
        assert_eq!(
            written_as(Format::OpenMetrics, Some(start), write),
            "x_total{a=\"\\\"\"} 1\nx_created{a=\"\\\"\"} 5.007\nx_total 2\nx_created 6.000\ny 3\n# EOF\n"
        );
        assert_eq!(written_as(Format::Text, Some(start), write), "x_total{a=\"\\\"\"} 1\nx_total 2\ny 3\n");
    }

    #[test]
    fn hostile_label_values_are_escaped() {
        let text = written(|writer| writer.sample("x").label("a", "\"} 1\n\\").label("b", "ü").value(7).unwrap());
        assert_eq!(text, "x{a=\"\\\"} 1\\n\\\\\",b=\"ü\"} 7\n");
    }

    #[test]
    fn floating_point_values_are_written_as_prometheus_reads_them() {
        let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.25, 1e21];
        let text = written(|writer| values.iter().for_each(|&value| writer.sample("x").value_f64(value).unwrap()));
        assert_eq!(text, "x NaN\nx +Inf\nx -Inf\nx 0.25\nx 1000000000000000000000\n");
    }

    #[test]
    fn names_are_unique_and_counters_end_in_total() {
        for (at, family) in family::ALL.iter().enumerate() {
            assert!(family::ALL[at + 1..].iter().all(|other| other.name != family.name), "{}", family.name);
            assert_eq!(family.kind == family::MetricKind::Counter, family.name.ends_with("_total"), "{}", family.name);
        }
    }
}
