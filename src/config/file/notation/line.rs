//! One line of a YAML file, and the slips that can be seen without the other lines.
//!
//! Takes a line as people write it; gives its key, its value, or a slip with its column. Must not know the lines around it.

use crate::config::declarations::{SECTIONS, settings};
use crate::config::kinds::MAPPING_KEYS;

/// Keys whose values may be secrets: messages do not show them.
const SECRETS: [&str; 4] = ["url", "routing_key", "api_key", "slack_url"];

/// Characters that cannot begin a value without quotes.
const INDICATORS: [char; 8] = ['!', '&', '*', '%', '@', '`', '|', '>'];
/// Indicators that YAML reads without an error: a tag and an anchor.
const SILENT_INDICATORS: [char; 2] = ['!', '&'];

/// A line without its comment.
#[derive(Debug, Clone, Copy)]
pub(super) struct YamlLine<'a> {
    /// From 1.
    pub number: usize,
    /// The number of blanks at the beginning.
    pub indentation: usize,
    /// The text from there to the comment, without blanks at the end.
    pub body: &'a str,
    blanks: &'a str,
}

/// A slip: the column, and the fault in words.
pub(super) type InLine = (usize, String);

impl<'a> YamlLine<'a> {
    pub(super) fn new(number: usize, written: &'a str) -> Self {
        let body = without_comment(written).trim();
        let blanks = &written[..written.len() - written.trim_start().len()];
        Self { number, indentation: blanks.chars().count(), body, blanks }
    }

    /// The text before the first colon, without the dash of a list.
    pub(super) fn key(&self) -> Option<&'a str> {
        let (key, _) = self.entry().split_once(':')?;
        (!key.is_empty() && !key.contains(['"', '\'', '[', '{'])).then_some(key.trim_end())
    }

    /// True for a key without a value.
    pub(super) fn opens_section(&self) -> bool {
        self.body.ends_with(':')
    }

    /// `value`, or an ellipsis if it may be a secret. A key that is not known may be the name of a header.
    fn shown(&self, value: &'a str) -> &'a str {
        let is_of_secret = self.entry().split([':', ' ', '=']).next().is_some_and(is_secret)
            || self.key().is_some_and(|key| !is_key(key));
        let is_near_secret = SECRETS.iter().any(|key| self.body.contains(&format!("{key}:")));
        if is_of_secret || is_near_secret { "…" } else { value }
    }

    /// The first slip that the line shows.
    pub(super) fn slip(&self) -> Option<InLine> {
        self.odd_blank()
            .or_else(|| self.missing_space())
            .or_else(|| self.missing_colon())
            .or_else(|| self.unquoted())
            .or_else(|| self.text_after_quote())
    }

    /// A value that YAML reads without an error, but with another meaning.
    pub(super) fn silent_slip(&self) -> Option<InLine> {
        let is_value = |at: usize| {
            let before = self.body[..at].trim_end();
            matches!(before, "" | "-") || before.ends_with([':', '[', '{', ','])
        };
        let is_quoted =
            |at: usize| self.body[..at].matches('"').count() % 2 == 1 || self.body[..at].matches('\'').count() % 2 == 1;
        let (at, _) = self.body.match_indices(SILENT_INDICATORS).find(|(at, _)| is_value(*at) && !is_quoted(*at))?;
        Some(self.needs_quotes(&self.body[at..], at))
    }

    /// A quote or bracket that opens the value and does not close in this line: its column, and the pair.
    pub(super) fn opening(&self) -> Option<(usize, char, char)> {
        let value = self.value()?;
        let (mark, closing) = match value.chars().next()? {
            '[' => ('[', ']'),
            '{' => ('{', '}'),
            quote @ ('"' | '\'') => (quote, quote),
            _ => return None,
        };
        (!value[1..].contains(closing)).then(|| (self.column_of(value), mark, closing))
    }

    /// The body without the dash of a list.
    fn entry(&self) -> &'a str {
        self.body.strip_prefix("- ").map_or(self.body, str::trim_start)
    }

    /// The text behind the colon and a blank, or behind the dash; not empty.
    fn value(&self) -> Option<&'a str> {
        let entry = self.entry();
        let behind_key = entry.split_once(": ").filter(|_| self.key().is_some()).map(|(_, value)| value.trim_start());
        let behind_dash = (entry.len() < self.body.len()).then_some(entry);
        behind_key.or(behind_dash).filter(|value| !value.is_empty())
    }

    /// A space that is missing after a dash or a colon.
    pub(super) fn missing_space(&self) -> Option<InLine> {
        self.missing_space_after_dash().or_else(|| self.missing_space_after_colon())
    }

    pub(super) fn odd_blank(&self) -> Option<InLine> {
        let (at, blank) = self.blanks.chars().enumerate().find(|(_, blank)| *blank != ' ')?;
        let problem = match blank {
            '\t' => "tab in the indentation; use spaces".to_owned(),
            other => format!("blank that is no space (U+{:04X}) in the indentation; use spaces", other as u32),
        };
        Some((at + 1, problem))
    }

    fn missing_space_after_dash(&self) -> Option<InLine> {
        let entry =
            self.body.strip_prefix('-').filter(|entry| entry.starts_with(|first: char| first.is_alphanumeric()))?;
        Some((self.indentation + 1, format!("a space is missing after the dash; write `- {entry}`")))
    }

    fn missing_space_after_colon(&self) -> Option<InLine> {
        let (key, value) = self.entry().split_once(':').filter(|(key, _)| is_key(key.trim()))?;
        let is_missing = value.starts_with(|first: char| !first.is_whitespace());
        is_missing.then(|| {
            let problem = format!("a space is missing after the colon; write `{key}: {}`", self.shown(value));
            (self.column_of(self.entry()), problem)
        })
    }

    fn missing_colon(&self) -> Option<InLine> {
        let entry = self.entry();
        let (key, rest) = entry.split_once([' ', '=']).unwrap_or((entry, ""));
        let value = self.shown(rest.trim_start_matches([' ', '=']));
        let problem = format!("a colon is missing after {key}; write `{}`", format!("{key}: {value}").trim_end());
        (is_key(key) && !rest.trim_start().starts_with(':')).then(|| (self.column_of(entry), problem))
    }

    /// A value that YAML reads only in quotes.
    fn unquoted(&self) -> Option<InLine> {
        let value = self.value()?;
        if value.starts_with(INDICATORS) {
            return Some(self.needs_quotes(value, self.offset_of(value)));
        }
        let (inner, _) = value.split_once(": ").filter(|_| !value.starts_with(['"', '\'', '[', '{']))?;
        let problem = if is_key(inner) {
            format!("{inner} follows another key; write each key on its own line")
        } else {
            format!("a value that contains a colon and a space must be quoted; write {}", quoted(self.shown(value)))
        };
        Some((self.column_of(value), problem))
    }

    fn text_after_quote(&self) -> Option<InLine> {
        let value = self.value()?;
        let quote = value.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
        let (_, behind) = value[1..].split_once(quote)?;
        let behind = behind.trim_start();
        let problem = format!("text after the closing quote; quote the whole value: {}", quoted(self.shown(value)));
        (!behind.is_empty() && !behind.starts_with(quote)).then(|| (self.column_of(behind), problem))
    }

    fn needs_quotes(&self, value: &'a str, offset: usize) -> InLine {
        let end = value.find([',', ']', '}']).filter(|_| self.body.contains(['[', '{'])).unwrap_or(value.len());
        let first = value.chars().next().unwrap_or_default();
        let value = quoted(self.shown(&value[..end]));
        let column = self.indentation + self.body[..offset].chars().count() + 1;
        (column, format!("a value that begins with {first} must be quoted; write {value}"))
    }

    /// The column of a part of the body.
    fn column_of(&self, part: &str) -> usize {
        self.indentation + self.body[..self.offset_of(part)].chars().count() + 1
    }

    /// The number of bytes before a part that ends where the body ends.
    fn offset_of(&self, part: &str) -> usize {
        self.body.len() - part.len()
    }
}

/// True for the key of a secret, and for the name of a header, which has capitals or dashes.
pub(super) fn is_secret(key: &str) -> bool {
    let is_of_header = |letter: char| letter.is_ascii_uppercase() || letter == '-';
    SECRETS.contains(&key) || key.eq_ignore_ascii_case("authorization") || key.contains(is_of_header)
}

/// True for the name of a section, of a key in any section, or of a key in a rule.
fn is_key(name: &str) -> bool {
    let is_section = SECTIONS.iter().any(|(section, _)| *section == name);
    let mut keys = settings().flat_map(|declaration| declaration.keys).map(|(_, key)| key);
    is_section || keys.any(|key| *key == name) || MAPPING_KEYS.iter().any(|keys| keys.contains(&name))
}

/// The text in quotes. It may contain one kind of quotes itself.
fn quoted(text: &str) -> String {
    if text.contains('\'') { format!("\"{}\"", text.replace('"', "\\\"")) } else { format!("'{text}'") }
}

/// The text before a `#` that follows a blank or begins the line, and is not quoted.
fn without_comment(line: &str) -> &str {
    let is_comment = |at: &usize| {
        let before = &line[..*at];
        let is_open = |quote: char| before.matches(quote).count() % 2 == 1;
        (before.is_empty() || before.ends_with([' ', '\t'])) && !is_open('"') && !is_open('\'')
    };
    line.match_indices('#').map(|(at, _)| at).find(is_comment).map_or(line, |at| &line[..at])
}
