//! A JSON object in one line → a record.
//!
//! Takes bytes; gives a record or the fault. Flat objects of plain texts and numbers, as the event log writes them, are
//! read without a parser of general JSON: that is several times as fast. All else goes to `serde_json`, with the same
//! result. Must not know what fields mean.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::record::{LogField, LogRecord};
use super::values::LogValue;

/// Reads one object.
pub(super) fn read(line: &[u8]) -> Result<LogRecord, String> {
    plain(line).map_or_else(|| general(line), Ok)
}

/// The record of a flat object without escapes; none for anything else.
pub(super) fn plain(line: &[u8]) -> Option<LogRecord> {
    let mut reader = PlainObject { bytes: line, at: 0 };
    let mut record = LogRecord::default();
    reader.expect(b'{')?;
    if reader.next() == Some(b'}') {
        return None;
    }
    loop {
        let name = reader.text()?;
        reader.expect(b':')?;
        let value = reader.value()?;
        if let Some(field) = LogField::of(name) {
            record.set(field, value);
        }
        match reader.next()? {
            b',' => reader.at += 1,
            b'}' => break,
            _ => return None,
        }
    }
    reader.at += 1;
    reader.next().is_none().then_some(record)
}

struct PlainObject<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> PlainObject<'a> {
    /// The next byte that is no blank.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at)? {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    #[inline]
    fn expect(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then(|| self.at += 1)
    }

    /// A text of ASCII letters without escapes.
    #[inline]
    fn text(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let rest = &self.bytes[self.at..];
        let length = plain_length(rest);
        if rest.get(length) != Some(&b'"') {
            return None;
        }
        self.at += length + 1;
        Some(&rest[..length])
    }

    #[inline]
    fn value(&mut self) -> Option<LogValue<'a>> {
        match self.next()? {
            b'"' => self.text().map(LogValue::Text),
            b'0'..=b'9' => self.number(),
            b'n' => self.word("null", LogValue::Other),
            b't' => self.word("true", LogValue::Bool(true)),
            b'f' => self.word("false", LogValue::Bool(false)),
            _ => None,
        }
    }

    fn word(&mut self, word: &str, value: LogValue<'a>) -> Option<LogValue<'a>> {
        self.bytes[self.at..].starts_with(word.as_bytes()).then(|| {
            self.at += word.len();
            value
        })
    }

    /// A number without sign and exponent, with at most 18 digits before the point.
    #[inline]
    fn number(&mut self) -> Option<LogValue<'a>> {
        let start = self.at;
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.at) {
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - start;
        if digits > 18 || (digits > 1 && self.bytes[start] == b'0') {
            return None;
        }
        match self.bytes.get(self.at) {
            Some(b'.') => self.fraction(start),
            Some(b'e' | b'E') => None,
            _ => Some(LogValue::Unsigned(number)),
        }
    }

    fn fraction(&mut self, start: usize) -> Option<LogValue<'a>> {
        self.at += 1;
        let digits = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        if digits == 0 || matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            return None;
        }
        std::str::from_utf8(&self.bytes[start..self.at]).ok()?.parse().ok().map(LogValue::Float)
    }
}

const ONES: u64 = u64::MAX / 0xff;
const HIGH_BITS: u64 = ONES << 7;

/// The number of bytes before the first quote, backslash, control character or letter beyond ASCII.
///
/// Eight bytes at a time: texts are most of a line. In each byte of a word the high bit becomes the mark. A mark may be
/// wrong after a right one, never before it (Warren, Hacker's Delight, section 6-1).
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
        let controls = word.wrapping_sub(ONES * 0x20) & !word;
        let quotes = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        let marks = (word | controls | quotes) & HIGH_BITS;
        if marks != 0 {
            return at * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let is_end = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20 | 0x80..);
    bytes.len() - rest.len() + rest.iter().position(is_end).unwrap_or(rest.len())
}

/// Reads any JSON object.
pub(super) fn general(line: &[u8]) -> Result<LogRecord, String> {
    let mut record = LogRecord::default();
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    deserializer
        .deserialize_map(RecordVisitor(&mut record))
        .and_then(|()| deserializer.end())
        .map(|()| record)
        .map_err(|error| fault(&error))
}

/// The fault of a line; it names no part of the line, which may hold anything.
fn fault(error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "cut off" } else { "no JSON object" };
    format!("{what} (column {})", error.column())
}

struct RecordVisitor<'a>(&'a mut LogRecord);

impl<'de> Visitor<'de> for RecordVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(FieldName(field)) = members.next_key()? {
            match field {
                Some(field) => members.next_value_seed(IntoRecord(self.0, field))?,
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct FieldName(Option<LogField>);

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = FieldName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<FieldName, E> {
                Ok(FieldName(LogField::of(name.as_bytes())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// Puts the value of a field into a record.
struct IntoRecord<'a>(&'a mut LogRecord, LogField);

impl<'de> serde::de::DeserializeSeed<'de> for IntoRecord<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IntoRecord<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.set(self.1, LogValue::Text(text.as_bytes()));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.0.set(self.1, LogValue::Unsigned(number));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.0.set(self.1, LogValue::Float(number as f64));
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.0.set(self.1, LogValue::Float(number));
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.0.set(self.1, LogValue::Bool(truth));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.set(self.1, LogValue::Other);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        self.visit_unit()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.visit_unit()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VIOLATION: &str = r#"{"event":"violation","ts":"2023-11-14T22:13:32.500000000Z","src":"203.0.113.5","src_port":40000,"dst":"10.0.0.1","dst_port":22,"protocol":"tcp","packets":3,"bytes":180,"action":"dropped","suppressed":2}"#;

    #[test]
    fn violation_is_read_by_both_ways_alike() {
        let record = plain(VIOLATION.as_bytes()).unwrap();
        assert_eq!(general(VIOLATION.as_bytes()).unwrap(), record);
        assert_eq!((record.packets(), record.bytes, record.suppressed, record.is_dropped), (3, 180, 2, true));
        assert_eq!((record.port, record.time), (Some(22), Some(1_700_000_012_500_000_000)));
        assert!(record.alert().is_none() && record.fault().is_none());
    }

    #[test]
    fn names_of_other_programs_are_read() {
        let line = r#"{"timestamp":1700000012,"src_ip":"203.0.113.5","destination_ip":"2001:db8::1","dst_port":"443","protocol":17,"packet_size":60,"action":"DROP","extra":{"a":[1,null]}}"#;
        let record = read(line.as_bytes()).unwrap();
        assert_eq!((record.packets(), record.bytes, record.port, record.is_dropped), (1, 60, Some(443), true));
        assert_eq!(record.fault(), None);
    }

    #[test]
    fn broken_lines_are_refused() {
        for line in [
            "",
            "{",
            "{}x",
            "[1]",
            "{\"a\":}",
            "{\"a\":01}",
            "{\"a\":1,}",
            "{\"a\":\"b}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\" 1}",
            "null",
        ] {
            assert!(read(line.as_bytes()).is_err(), "{line}");
            assert!(plain(line.as_bytes()).is_none(), "{line}");
        }
        assert!(read(b"{\"src\":\"\xff\"}").is_err());
        assert!(!read(b"{\"secret").unwrap_err().contains("secret"));
    }

    proptest! {
        #[test]
        fn plain_texts_end_where_they_end_byte_by_byte(bytes in proptest::collection::vec(prop_oneof![8 => 0x20_u8..0x80, 1 => any::<u8>()], 0..40)) {
            let is_end = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20 | 0x80..);
            prop_assert_eq!(plain_length(&bytes), bytes.iter().position(is_end).unwrap_or(bytes.len()));
        }

        /// The fast reader accepts nothing that the general one refuses, and reads the same.
        #[test]
        fn fast_reader_agrees_with_the_general_one(mut bytes in Just(VIOLATION.as_bytes().to_vec()), changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4), cut in any::<Option<proptest::sample::Index>>()) {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Some(record) = plain(&bytes) {
                prop_assert_eq!(general(&bytes), Ok(record));
            }
        }
    }
}
