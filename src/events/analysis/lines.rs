//! The lines of a log, one after the other, with their numbers. Takes bytes; gives lines of a bounded length. Must not
//! know formats.

use std::io::{self, BufRead, BufReader, Read};

/// Bytes that are read at once.
const BYTES_AT_ONCE: usize = 256 << 10;
/// The longest line. The rest of a longer one is skipped.
const LONGEST_LINE: usize = 1 << 20;

pub(super) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    number: u64,
    /// The next part begins a line.
    begins: bool,
}

/// A line without its line feed, or a part of a long one.
pub(super) struct LinePart<'a> {
    pub(super) bytes: &'a [u8],
    /// Number of the line, counted from 1.
    pub(super) number: u64,
    /// True for the first part of a line.
    pub(super) begins: bool,
    /// True for the last part of a line.
    pub(super) ends: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        let reader = BufReader::with_capacity(BYTES_AT_ONCE, reader);
        Self { reader, line: Vec::new(), number: 0, begins: true }
    }

    /// The first byte that is no blank, without consuming it; none at the end.
    pub(super) fn first_byte(&mut self) -> io::Result<Option<u8>> {
        let found = self.reader.fill_buf()?.iter().find(|byte| !byte.is_ascii_whitespace());
        Ok(found.copied())
    }

    /// The next line; none at the end. Of a line that is too long only the first part is given.
    pub(super) fn next(&mut self) -> io::Result<Option<LinePart<'_>>> {
        if !self.fill()? {
            return Ok(None);
        }
        let ends = self.ends_line();
        if !ends {
            self.reader.skip_until(b'\n')?;
        }
        Ok(Some(self.part(true, ends)))
    }

    /// The next line or part of a line; none at the end.
    pub(super) fn next_part(&mut self) -> io::Result<Option<LinePart<'_>>> {
        let begins = self.begins;
        if !self.fill()? {
            return Ok(None);
        }
        let ends = self.ends_line();
        self.begins = ends;
        Ok(Some(self.part(begins, ends)))
    }

    /// Reads up to the end of the line, or to the longest length. False at the end of the log.
    fn fill(&mut self) -> io::Result<bool> {
        self.line.clear();
        let is_read = self.reader.by_ref().take(LONGEST_LINE as u64).read_until(b'\n', &mut self.line)? > 0;
        self.number += u64::from(is_read && self.begins);
        Ok(is_read)
    }

    fn ends_line(&self) -> bool {
        self.line.len() < LONGEST_LINE || self.line.ends_with(b"\n")
    }

    fn part(&self, begins: bool, ends: bool) -> LinePart<'_> {
        let bytes = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        LinePart { bytes, number: self.number, begins, ends }
    }
}
