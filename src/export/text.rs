//! Prometheus' text format 0.0.4, streamed
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::io::{self, Write};

use super::family::Family;

/// Bytes gathered before they go on.
const CHUNK: usize = 64 << 10;

/// Writes families and samples to `out` in chunks.
pub struct TextWriter<W: Write> {
    out: W,
    buffer: Vec<u8>,
}

impl<W: Write> TextWriter<W> {
    /// A writer with nothing written.
    pub fn new(out: W) -> Self {
        Self { out, buffer: Vec::with_capacity(CHUNK + 4_096) }
    }

    /// The two lines that introduce a family.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn family(&mut self, family: &Family) -> io::Result<()> {
        self.introduce(family.name, family.help, family.kind.word())
    }

    /// The two lines that introduce the family `name`.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn introduce(&mut self, name: &str, help: &str, kind: &str) -> io::Result<()> {
        for (word, text) in [("# HELP ", help), ("# TYPE ", kind)] {
            self.buffer.extend_from_slice(word.as_bytes());
            self.buffer.extend_from_slice(name.as_bytes());
            self.buffer.push(b' ');
            push_escaped(&mut self.buffer, text, false);
            self.buffer.push(b'\n');
        }
        self.pass_on(CHUNK)
    }

    /// Starts a sample.
    pub fn sample(&mut self, name: &str) -> Sample<'_, W> {
        self.buffer.extend_from_slice(name.as_bytes());
        Sample { writer: self, has_labels: false }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.pass_on(1)?;
        self.out.flush()
    }

    /// Writes the buffer out once it holds `enough` bytes.
    fn pass_on(&mut self, enough: usize) -> io::Result<()> {
        if self.buffer.len() >= enough {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// A sample being written: its labels in order, then its value.
pub struct Sample<'a, W: Write> {
    writer: &'a mut TextWriter<W>,
    has_labels: bool,
}

impl<W: Write> Sample<'_, W> {
    /// A label. Its value is escaped.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.open(name);
        push_escaped(&mut self.writer.buffer, value, true);
        self.writer.buffer.push(b'"');
        self
    }

    /// A label whose value `write` appends. It must hold neither quotes, backslashes nor line feeds.
    #[must_use]
    pub fn label_with(mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.open(name);
        write(&mut self.writer.buffer);
        self.writer.buffer.push(b'"');
        self
    }

    /// Ends the sample with a whole number.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn value(self, value: u64) -> io::Result<()> {
        let mut digits = itoa::Buffer::new();
        self.end(digits.format(value))
    }

    /// Ends the sample with a floating-point number.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn value_f64(self, value: f64) -> io::Result<()> {
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
        let buffer = &mut self.writer.buffer;
        buffer.extend_from_slice(if self.has_labels { b"} " } else { b" " });
        buffer.extend_from_slice(value.as_bytes());
        buffer.push(b'\n');
        self.writer.pass_on(CHUNK)
    }
}

/// A backslash and a line feed are escaped everywhere, a quote inside label values only.
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
        let mut out = Vec::new();
        let mut writer = TextWriter::new(&mut out);
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
            "# HELP trafficmonitor_capture_up Whether the interface is up and being captured.\n\
             # TYPE trafficmonitor_capture_up gauge\n\
             trafficmonitor_capture_up{interface=\"eth0\"} 1\n"
        );
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
            assert_eq!(family.kind == family::Kind::Counter, family.name.ends_with("_total"), "{}", family.name);
        }
    }
}
