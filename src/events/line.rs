//! One line of the program's output: time, level, message and fields, as logfmt or JSON. Takes times, texts and
//! numbers; gives a line. Must not know their meaning.
//!
//! The program's log and the lines of alerts are both written here, so that they have one form: `ts` (RFC 3339, UTC),
//! `level`, `msg`, then the fields.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::time::{Duration, UNIX_EPOCH};

use crate::capture::printable::{is_unsafe, printable_json};
use crate::packet::Timestamp;

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineForm {
    /// `ts=2026-03-17T13:31:58.000000Z level=warn msg="alert firing" src=203.0.113.5 …`
    #[default]
    Logfmt,
    /// `{"ts":"2026-03-17T13:31:58.000000Z","level":"warn","msg":"alert firing","src":"203.0.113.5",…}`
    Json,
}

/// A line that is being written. Line feeds in its fields are escaped.
#[derive(Debug)]
pub struct LogLine {
    text: String,
    form: LineForm,
}

impl LogLine {
    /// A line with a time, a level (error, warn, info, debug, trace) and a message.
    pub fn new(form: LineForm, time: Timestamp, level: &str, message: &str) -> Self {
        let text = String::new();
        let mut line = if form == LineForm::Json { Self::object() } else { Self { text, form } };
        line.put_text("ts", &rfc_3339(time));
        line.put_text("level", level);
        line.put_text("msg", message);
        line
    }

    /// A JSON object without fields.
    pub(super) fn object() -> Self {
        Self { text: "{".to_owned(), form: LineForm::Json }
    }

    /// A field that is a text.
    pub fn put_text(&mut self, key: &str, text: &str) {
        match self.form {
            LineForm::Logfmt => self.put_raw(key, quoted(text)),
            LineForm::Json => self.put_raw(key, printable_json(&serde_json::Value::from(text).to_string())),
        }
    }

    /// A field that is a whole number or a truth value.
    pub fn put(&mut self, key: &str, value: impl Display) {
        self.put_raw(key, value);
    }

    /// A field that is a number. JSON has no notation for infinities and NaN.
    pub fn put_number(&mut self, key: &str, number: f64) {
        match self.form {
            LineForm::Json if !number.is_finite() => self.put_raw(key, "null"),
            _ => self.put_raw(key, number),
        }
    }

    fn put_raw(&mut self, key: &str, value: impl Display) {
        let is_first = self.text.len() <= 1;
        // A string takes all that is written to it.
        match self.form {
            LineForm::Logfmt if is_first => write!(self.text, "{key}={value}"),
            LineForm::Logfmt => write!(self.text, " {key}={value}"),
            LineForm::Json if is_first => write!(self.text, "\"{key}\":{value}"),
            LineForm::Json => write!(self.text, ",\"{key}\":{value}"),
        }
        .unwrap_or_default();
    }

    /// The whole line, with its line feed.
    pub fn finish(self) -> String {
        self.close() + "\n"
    }

    /// The whole line, without its line feed.
    pub(super) fn close(self) -> String {
        self.text + if self.form == LineForm::Json { "}" } else { "" }
    }
}

/// `1 packet`, `2 packets`: a number with its noun.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `2026-03-17T13:31:58.000000Z`. A time before 1970, which only a broken file has, is written as 1970.
pub(crate) fn rfc_3339(time: Timestamp) -> String {
    let since_epoch = Duration::from_nanos(u64::try_from(time.nanoseconds()).unwrap_or(0));
    humantime::format_rfc3339_micros(UNIX_EPOCH + since_epoch).to_string()
}

/// `2026-03-17T13:31:58.000000001Z`, as [`rfc_3339`].
pub(crate) fn rfc_3339_nanoseconds(time: Timestamp) -> String {
    let since_epoch = Duration::from_nanos(u64::try_from(time.nanoseconds()).unwrap_or(0));
    humantime::format_rfc3339_nanos(UNIX_EPOCH + since_epoch).to_string()
}

/// A value, in quotes if it is not one word. Control characters are escaped.
fn quoted(value: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| letter.is_ascii_graphic() && !matches!(letter, '"' | '=' | '\\');
    if !value.is_empty() && value.chars().all(is_plain) {
        return Cow::Borrowed(value);
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for letter in value.chars() {
        match letter {
            '\'' => quoted.push('\''),
            _ if is_unsafe(letter) => quoted.extend(letter.escape_default()),
            // Quotes, backslashes, and characters that cannot stand alone.
            _ => quoted.extend(letter.escape_debug()),
        }
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(form: LineForm, put: impl FnOnce(&mut LogLine)) -> String {
        let mut line =
            LogLine::new(form, Timestamp::from_nanoseconds(1_700_000_012_500_000_999), "info", "it's \"so\"");
        put(&mut line);
        line.finish()
    }

    fn fields(line: &mut LogLine) {
        line.put_text("name", "two words");
        line.put("count", 7);
        line.put_number("share", 0.5);
    }

    #[test]
    fn both_forms_have_the_same_fields_in_the_same_order() {
        assert_eq!(
            line(LineForm::Logfmt, fields),
            "ts=2023-11-14T22:13:32.500000Z level=info msg=\"it's \\\"so\\\"\" name=\"two words\" count=7 share=0.5\n"
        );
        assert_eq!(
            line(LineForm::Json, fields),
            "{\"ts\":\"2023-11-14T22:13:32.500000Z\",\"level\":\"info\",\"msg\":\"it's \\\"so\\\"\",\
             \"name\":\"two words\",\"count\":7,\"share\":0.5}\n"
        );
    }

    #[test]
    fn every_time_is_written() {
        for (nanoseconds, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1970-01-01T00:00:00.000000Z"),
            (i64::MIN, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775Z"),
        ] {
            assert_eq!(rfc_3339(Timestamp::from_nanoseconds(nanoseconds)), text);
        }
    }

    #[test]
    fn hostile_texts_stay_within_their_field_and_their_line() {
        for (text, written) in [
            ("two words", "\"two words\""),
            ("a=b", "\"a=b\""),
            ("", "\"\""),
            ("a\"\n\u{1b}[31mb", "\"a\\\"\\n\\u{1b}[31mb\""),
            ("a\u{202e}b", "\"a\\u{202e}b\""),
            ("a\u{9b}31m\u{7f}\u{200b}b", "\"a\\u{9b}31m\\u{7f}\\u{200b}b\""),
            ("a\u{2066}\u{3164}\u{e0001}b", "\"a\\u{2066}\\u{3164}\\u{e0001}b\""),
            ("plain", "plain"),
        ] {
            let logfmt = line(LineForm::Logfmt, |line| line.put_text("x", text));
            assert!(logfmt.ends_with(&format!(" x={written}\n")), "{logfmt}");
            let json = line(LineForm::Json, |line| line.put_text("x", text));
            assert_eq!(json.lines().count(), 1);
            assert!(!json.trim_end().contains(is_unsafe), "{json:?}");
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(read["x"], text);
        }
    }

    #[test]
    fn json_stays_json_where_a_number_is_none() {
        let json = line(LineForm::Json, |line| line.put_number("x", f64::NAN));
        assert!(json.ends_with(",\"x\":null}\n"), "{json}");
    }
}
