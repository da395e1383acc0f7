//! Makes text from outside safe for a terminal. Takes names, filters and rules, which may contain any character; gives
//! the text without characters that control a terminal, reorder text or are invisible. Must not know where the text is
//! written.

use std::borrow::Cow;
use std::fmt::Write as _;

/// True for a character that controls the terminal, reorders the text around it, ends the line, or is invisible: C0 and
/// C1 controls, DEL, and Unicode's bidirectional, separator, format and default-ignorable characters.
pub fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{34f}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// `text` with its unsafe characters escaped: `\n`, `\u{9b}`, `\u{202e}`.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_unsafe(letter) { safe.extend(letter.escape_default()) } else { safe.push(letter) }
    }
    safe
}

/// A JSON text with the unsafe characters of its strings escaped: `\u009b`, `\u202e`. It keeps its value. Between its
/// tokens there must be no unsafe character, such as a line feed.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unsafe) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 8);
    for letter in json.chars() {
        if is_unsafe(letter) {
            // A string takes all that is written to it.
            let mut put = |unit: &u16| write!(safe, "\\u{unit:04x}").unwrap_or_default();
            letter.encode_utf16(&mut [0; 2]).iter().for_each(&mut put);
        } else {
            safe.push(letter);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of the characters, alone between two letters.
    const UNSAFE: &str = "\u{0}\u{7}\u{9}\u{a}\u{d}\u{1b}\u{7f}\u{80}\u{85}\u{9b}\u{9f}\u{ad}\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\
                          \u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2066}\u{2067}\u{2068}\u{2069}\
                          \u{feff}\u{e0001}\u{e0041}";

    #[test]
    fn text_that_commands_reorders_or_hides_is_escaped() {
        for letter in UNSAFE.chars() {
            let written = printable(&format!("a{letter}b"));
            assert_eq!(written, format!("a{}b", letter.escape_default()));
            assert!(written.is_ascii(), "{written:?}");
        }
        assert_eq!(printable("a\u{9b}31mb\u{202e}c"), "a\\u{9b}31mb\\u{202e}c");
    }

    #[test]
    fn letters_of_any_script_stay_as_they_are() {
        for text in ["eth0", "ünï ☃", "ёж", "网卡", "واجهة", "ממשק", "a\\b \"c\" 'd'"] {
            assert_eq!(printable(text), text);
            assert_eq!(printable_json(text), text);
        }
    }

    #[test]
    fn json_is_read_as_the_same_value() {
        for letter in UNSAFE.chars() {
            let value = serde_json::Value::from(format!("a{letter}b"));
            let written = value.to_string();
            let safe = printable_json(&written);
            assert!(safe.is_ascii(), "{safe:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        }
    }
}
