//! The lines of a log, one after the other, with their numbers. Takes bytes; gives lines of a bounded length. Must not
//! know formats.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

/// The mark that some editors and spreadsheets write before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The marks of UTF-16, little and big endian.
const MARKS_OF_UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];
/// Bytes that are read at once.
const BYTES_AT_ONCE: usize = 256 << 10;
/// The longest line. The rest of a longer one is skipped.
const LONGEST_LINE: usize = 1 << 20;

pub(super) struct Lines<R> {
    /// The first bytes, which tell the encoding and the format, and the rest.
    reader: BufReader<Chain<Cursor<Vec<u8>>, R>>,
    first_byte: Option<u8>,
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

/// The first bytes: enough for a byte order mark and the first letter, unless the log is shorter or all blank. No more,
/// because an error behind them must not lose them.
fn read_start(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let (mut start, mut length) = (vec![0; BYTES_AT_ONCE], 0);
    while length < start.len() && (length < BYTE_ORDER_MARK.len() || start[..length].trim_ascii().is_empty()) {
        match reader.read(&mut start[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    start.truncate(length);
    Ok(start)
}

impl<R: Read> Lines<R> {
    /// The lines after a byte order mark, if there is one.
    ///
    /// # Errors
    /// When the log cannot be read, or is a text in UTF-16.
    pub(super) fn new(mut reader: R) -> io::Result<Self> {
        let mut start = read_start(&mut reader)?;
        if MARKS_OF_UTF_16.iter().any(|mark| start.starts_with(mark)) {
            return Err(io::Error::other("a text in UTF-16; convert it first (iconv -f UTF-16 -t UTF-8)"));
        }
        if start.starts_with(BYTE_ORDER_MARK) {
            start.drain(..BYTE_ORDER_MARK.len());
        }
        let first_byte = start.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        let reader = BufReader::with_capacity(BYTES_AT_ONCE, Cursor::new(start).chain(reader));
        Ok(Self { reader, first_byte, line: Vec::new(), number: 0, begins: true })
    }

    /// The first byte that is no blank; none if there is none among the first 256 KiB.
    pub(super) const fn first_byte(&self) -> Option<u8> {
        self.first_byte
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
