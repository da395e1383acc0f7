//! A file that is one JSON array, with one event per line.
//!
//! Takes lines; writes each batch over the closing bracket, with a new bracket behind it, in one system call. So the file
//! is a valid array between any two batches. Repairs an array that a crash or a full disk has cut off. Must not know
//! events.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;

/// The end of the file: the line with the closing bracket.
const CLOSING: &[u8] = b"\n]\n";
/// The end of a cut-off file that is searched for whole lines.
const SEARCHED_BYTES: u64 = 1 << 20;

/// The place of the closing bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ArrayEnd {
    /// The end of the last event, or of the opening bracket.
    at: u64,
    is_empty: bool,
}

impl ArrayEnd {
    /// The length of a file without events.
    pub(super) const EMPTY_BYTES: u64 = 1 + CLOSING.len() as u64;

    /// The length of the file.
    pub(super) const fn file_bytes(self) -> u64 {
        self.at + CLOSING.len() as u64
    }

    /// Finds the end of the array in `file`, and repairs it. Begins an array in an empty file.
    pub(super) fn find(file: &File) -> io::Result<Self> {
        let end = match Self::inspect(file)? {
            Some(end) => end,
            None => {
                file.write_all_at(b"[", 0)?;
                Self { at: 1, is_empty: true }
            }
        };
        end.close(file)?;
        Ok(end)
    }

    /// The end of the array in `file`, which stays as it is; none in an empty file.
    pub(super) fn inspect(file: &File) -> io::Result<Option<Self>> {
        let length = file.metadata()?.len();
        let from = length.saturating_sub(SEARCHED_BYTES);
        let mut tail = vec![0; usize::try_from(length - from).unwrap_or(0)];
        file.read_exact_at(&mut tail, from)?;
        if length == 0 {
            return Ok(None);
        }
        begins_array(file)?;
        Self::of_tail(&tail, from).ok_or_else(refused).map(Some)
    }

    /// The end of an array whose last bytes are `tail`, which begins at `from`.
    fn of_tail(tail: &[u8], from: u64) -> Option<Self> {
        // Else whole lines, without the comma that stands before the next event.
        let events = whole_array(tail, from == 0).or_else(|| whole_lines(tail))?;
        Some(Self { at: from + events.len() as u64, is_empty: events.ends_with(b"[") })
    }

    /// Writes the closing bracket, and removes all behind it.
    fn close(self, file: &File) -> io::Result<()> {
        file.write_all_at(CLOSING, self.at)?;
        file.set_len(self.file_bytes())
    }

    /// Adds lines to the array: all, or none after an error.
    pub(super) fn append(&mut self, file: &File, lines: &[u8]) -> io::Result<()> {
        let bytes = joined(self.is_empty, lines);
        if let Err(error) = file.write_all_at(&bytes, self.at) {
            // The bracket was there before, so it needs no space.
            self.close(file).ok();
            return Err(error);
        }
        *self = Self { at: self.at + (bytes.len() - CLOSING.len()) as u64, is_empty: false };
        Ok(())
    }
}

/// Lines as the next events of an array, with its end.
fn joined(is_empty: bool, lines: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(lines.len() + 64);
    for (number, line) in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        bytes.extend_from_slice(if is_empty && number == 0 { b"\n" } else { b",\n" });
        bytes.extend_from_slice(line);
    }
    bytes.extend_from_slice(CLOSING);
    bytes
}

/// The bytes before the closing bracket of an array that is whole. Of a long one, whose start is not read, the bracket
/// must have a line of its own.
fn whole_array(tail: &[u8], is_all: bool) -> Option<&[u8]> {
    let inside = tail.trim_ascii_end().strip_suffix(b"]")?;
    let is_whole = match is_all {
        true => serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(tail).is_ok(),
        false => inside.ends_with(b"\n"),
    };
    let events = inside.trim_ascii_end();
    (is_whole && matches!(events.last(), Some(b'}' | b'['))).then_some(events)
}

/// The part of a cut-off array that ends in a whole event, or in the opening bracket.
fn whole_lines(tail: &[u8]) -> Option<&[u8]> {
    let mut end = tail.len();
    loop {
        let start = tail[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = tail[start..end].trim_ascii_end();
        let line = line.strip_suffix(b",").unwrap_or(line);
        let is_event = line.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
        if is_event || (line == b"[") {
            return Some(&tail[..start + line.len()]);
        }
        end = start.checked_sub(1)?;
    }
}

fn begins_array(file: &File) -> io::Result<()> {
    let mut first = [0; 64];
    let read = file.read_at(&mut first, 0)?;
    if first[..read].trim_ascii_start().starts_with(b"[") { Ok(()) } else { Err(refused()) }
}

fn refused() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "it is not a JSON array of events; name another file")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn file(text: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(text, 0).unwrap();
        file
    }

    fn text(file: &File) -> String {
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn events(file: &File) -> usize {
        serde_json::from_str::<Vec<Value>>(&text(file)).unwrap_or_else(|error| panic!("{error}: {}", text(file))).len()
    }

    #[test]
    fn file_is_an_array_after_each_batch() {
        let file = file(b"");
        let mut end = ArrayEnd::find(&file).unwrap();
        assert_eq!(text(&file), "[\n]\n");
        end.append(&file, b"{\"a\":1}\n{\"a\":2}\n").unwrap();
        assert_eq!(text(&file), "[\n{\"a\":1},\n{\"a\":2}\n]\n");
        end.append(&file, b"{\"a\":3}\n").unwrap();
        assert_eq!((events(&file), end.file_bytes()), (3, text(&file).len() as u64));
        assert_eq!(ArrayEnd::find(&file).unwrap(), end);
    }

    #[test]
    fn array_is_continued_however_it_was_written() {
        for (start, count) in [
            ("[]", 0),
            ("[ ]\n\n\n\n", 0),
            ("[{\"a\":1}]", 1),
            ("[\n  {\n    \"a\": []\n  }\n]  \n", 1),
            ("\n[{}\n,{}\n]", 2),
        ] {
            let file = file(start.as_bytes());
            let mut end = ArrayEnd::find(&file).unwrap();
            assert_eq!(events(&file), count, "{start}");
            end.append(&file, b"{\"b\":1}\n").unwrap();
            assert_eq!(events(&file), count + 1, "{start}");
        }
    }

    #[test]
    fn array_that_is_cut_off_anywhere_keeps_its_whole_events() {
        let whole = "[\n{\"a\":\"]\"},\n{\"a\":2},\n{\"b\":[{}]}\n]\n";
        for length in 1..whole.len() {
            let file = file(&whole.as_bytes()[..length]);
            let mut end = ArrayEnd::find(&file).unwrap_or_else(|error| panic!("{length}: {error}"));
            let kept = ["\"]\"}", "2}", "{}]}"].iter().filter(|last| whole[..length].contains(*last)).count();
            assert_eq!(events(&file), kept, "cut at {length}: {}", text(&file));
            end.append(&file, b"{\"c\":1}\n").unwrap();
            assert_eq!(events(&file), kept + 1, "cut at {length}");
        }
    }

    #[test]
    fn other_files_are_refused_and_stay_as_they_are() {
        for other in ["{\"a\":1}\n{\"a\":2}\n", "event,ts\n", "[1, 2, 3", "PNG"] {
            let file = file(other.as_bytes());
            assert!(ArrayEnd::find(&file).is_err(), "{other}");
            assert_eq!(text(&file), other);
        }
    }
}
