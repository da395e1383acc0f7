//! The parameters of a request. Takes the query of a URL; gives values within their bounds, or a sentence that names
//! the wrong parameter. Must not know what the parameters select.

use std::fmt::Display;
use std::str::FromStr;

/// The longest value of a parameter, in bytes.
const MAXIMUM_VALUE: usize = 1_000;
/// The most characters of a value that a message repeats.
const MAXIMUM_QUOTED: usize = 40;

/// Characters that a message repeats as they are, though Rust escapes them.
const NOT_ESCAPED: &str = "\"'\\";

/// A mistake in a request, as a sentence that names the parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadParameter(String);

impl BadParameter {
    /// The mistake `problem` of a parameter.
    pub(super) fn new(name: &str, problem: impl Display) -> Self {
        Self(format!("{name}: {problem}"))
    }
}

/// The first characters of a value as it was typed, for a message, in quotes that a filter does not use.
pub(super) fn quoted(value: &str) -> String {
    format!("‘{}’", visible(value))
}

/// The first characters of a value as it was typed, for a message. Characters that would not be seen, or that would change
/// how the others are seen, are written as escapes: `\n`, `\u{202e}`.
pub(super) fn visible(value: &str) -> String {
    let mut shown = String::new();
    for letter in value.chars().take(MAXIMUM_QUOTED) {
        if NOT_ESCAPED.contains(letter) {
            shown.push(letter);
        } else {
            shown.extend(letter.escape_debug());
        }
    }
    if value.chars().nth(MAXIMUM_QUOTED).is_some() {
        shown.push('…');
    }
    shown
}

/// The parameters of one request, each given at most once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    /// Reads a query. Only the parameters that are `known` may be given.
    ///
    /// # Errors
    /// At an unknown or repeated parameter, and at a value that is too long or no UTF-8.
    pub(super) fn parse(query: &str, known: &[&'static str]) -> Result<Self, BadParameter> {
        let mut given: Vec<(&'static str, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name).unwrap_or_else(|| name.to_owned());
            let Some(&name) = known.iter().find(|known| **known == name) else {
                let problem = if known.is_empty() {
                    "unknown parameter; this path has none".to_owned()
                } else {
                    format!("unknown parameter; known are {}", known.join(", "))
                };
                return Err(BadParameter::new(&quoted(&name), problem));
            };
            if given.iter().any(|(before, _)| *before == name) {
                return Err(BadParameter::new(name, "given twice; give it once"));
            }
            if value.len() > MAXIMUM_VALUE {
                return Err(BadParameter::new(name, format!("longer than {MAXIMUM_VALUE} bytes")));
            }
            let value = decoded(value).ok_or_else(|| BadParameter::new(name, "not UTF-8 behind its % signs"))?;
            given.push((name, value));
        }
        Ok(Self(given))
    }

    /// The value of a parameter; none if it is absent or empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(given, _)| *given == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// A whole number from `least` to `most`, or `default` if it is absent.
    pub(super) fn number<N>(&self, name: &str, default: N, least: N, most: N) -> Result<N, BadParameter>
    where
        N: FromStr + PartialOrd + Display + Copy,
    {
        let Some(text) = self.text(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| {
            BadParameter::new(name, format!("{} is not a whole number from {least} to {most}", quoted(text)))
        })
    }

    /// One of `choices`, or the first of them if the parameter is absent.
    pub(super) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<T, BadParameter> {
        let Some(text) = self.text(name) else { return Ok(choices[0].1) };
        let chosen = choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
        chosen.ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            BadParameter::new(name, format!("{} is not one of {}", quoted(text), words.join(", ")))
        })
    }
}

/// Text without its percent-encoding, as forms send it: `+` is a space. None if it is not UTF-8 then.
fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = bytes.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(hexadecimal);
        decoded.push(match byte {
            b'+' => b' ',
            byte => escaped.unwrap_or(byte),
        });
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).ok()
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [high, low] = digits else { return None };
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["filter", "limit", "order"];

    fn parsed(query: &str) -> Result<Parameters, String> {
        Parameters::parse(query, &KNOWN).map_err(|error| error.to_string())
    }

    #[test]
    fn values_lose_their_percent_encoding() {
        for (query, filter) in [
            ("filter=host%3A10.0.0.5+-port:53", Some("host:10.0.0.5 -port:53")),
            ("filter=%e4%BD%A0&limit=3", Some("你")),
            ("filter=100%", Some("100%")),
            ("filter=%zz%4", Some("%zz%4")),
            ("filter=", None),
            ("filter", None),
            ("", None),
            ("&&limit=1&", None),
            ("%66ilter=a", Some("a")),
        ] {
            assert_eq!(parsed(query).unwrap().text("filter"), filter, "{query}");
        }
    }

    #[test]
    fn mistakes_are_sentences_that_name_the_parameter() {
        let long = format!("filter={}", "x".repeat(1_001));
        for (query, message) in [
            ("sort=bytes", "‘sort’: unknown parameter; known are filter, limit, order"),
            ("limit=1&limit=2", "limit: given twice; give it once"),
            ("filter=%ff", "filter: not UTF-8 behind its % signs"),
            (long.as_str(), "filter: longer than 1000 bytes"),
        ] {
            assert_eq!(parsed(query).unwrap_err(), message);
        }
        let none = Parameters::parse("a=1", &[]).unwrap_err().to_string();
        assert_eq!(none, "‘a’: unknown parameter; this path has none");
        let hostile = parsed(&format!("{}%0a%1b[31m=1", "<b>".repeat(50))).unwrap_err();
        assert!(hostile.len() < 200 && hostile.chars().all(|letter| !letter.is_control()), "{hostile}");
    }

    #[test]
    fn values_are_repeated_as_they_were_typed() {
        for (typed, shown) in [
            (r#""john"#, r#"‘"john’"#),
            (r#"a\"b\\'c'"#, r#"‘a\"b\\'c'’"#),
            ("Büro 你", "‘Büro 你’"),
            ("a\nb\u{1b}[31m\u{202e}\0", r"‘a\nb\u{1b}[31m\u{202e}\0’"),
            (&"x".repeat(40), &format!("‘{}’", "x".repeat(40))),
            (&"é".repeat(41), &format!("‘{}…’", "é".repeat(40))),
        ] {
            assert_eq!(quoted(typed), shown);
        }
    }

    #[test]
    fn numbers_keep_their_bounds() {
        let limit = |query: &str| parsed(query).unwrap().number("limit", 100_u32, 1, 500).map_err(|e| e.to_string());
        assert_eq!((limit(""), limit("limit=1"), limit("limit=500")), (Ok(100), Ok(1), Ok(500)));
        for value in ["0", "501", "-1", "1.5", "x", "99999999999999999999", "1e2"] {
            let message = limit(&format!("limit={value}")).unwrap_err();
            assert_eq!(message, format!("limit: ‘{value}’ is not a whole number from 1 to 500"));
        }
    }

    #[test]
    fn choices_are_named_when_another_word_is_given() {
        let order = |query: &str| {
            let parameters = parsed(query).unwrap();
            parameters.choice("order", &[("desc", true), ("asc", false)]).map_err(|error| error.to_string())
        };
        assert_eq!((order(""), order("order=asc")), (Ok(true), Ok(false)));
        assert_eq!(order("order=DESC").unwrap_err(), "order: ‘DESC’ is not one of desc, asc");
    }
}
