//! Explains why YAML text was refused: a slip in its notation, with line and column.
//!
//! Takes the text and the line where the reader stopped; gives nothing if it cannot explain more than the reader. Must
//! not know what values mean, but knows the names of keys.

mod line;

use line::{YamlLine, is_secret};

/// A slip of the notation. Line and column count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slip {
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
    /// The fault and its remedy, in words.
    pub problem: String,
}

impl Slip {
    fn at(line: &YamlLine<'_>, (column, problem): (usize, String)) -> Self {
        Self { line: line.number, column, problem }
    }
}

/// The slip that made the reader stop in the line `stopped`.
pub(super) fn find(text: &str, stopped: usize) -> Option<Slip> {
    let read: Vec<YamlLine<'_>> = lines(text).take_while(|line| line.number <= stopped).collect();
    let (last, before) = read.split_last()?;
    let own = || last.slip().map(|slip| Slip::at(last, slip));
    let above = || before.last().and_then(|line| Some(Slip::at(line, line.slip()?)));
    // The reader may stop before the blanks of the next line.
    let below =
        || lines(text).find(|line| line.number > stopped).and_then(|line| Some(Slip::at(&line, line.odd_blank()?)));
    unclosed(&read).or_else(own).or_else(above).or_else(|| indentation(last, before)).or_else(below)
}

/// `value` for messages; an ellipsis if this key may have a secret.
pub(super) fn shown<'a>(key: &str, value: &'a str) -> &'a str {
    if is_secret(key) { "…" } else { value }
}

/// The space that is missing in a line that was read as a value.
pub(super) fn find_missing_space(text: &str, read: usize) -> Option<Slip> {
    let line = lines(text).find(|line| line.number == read)?;
    line.missing_space().map(|slip| Slip::at(&line, slip))
}

/// A value that YAML takes for a tag or an anchor. It reads another value, or none, without an error.
pub(super) fn find_silent(text: &str) -> Option<Slip> {
    lines(text).find_map(|line| Some(Slip::at(&line, line.silent_slip()?)))
}

/// The lines that are not empty.
fn lines(text: &str) -> impl Iterator<Item = YamlLine<'_>> {
    let numbered = (1..).zip(text.trim_start_matches('\u{feff}').lines());
    numbered.map(|(number, written)| YamlLine::new(number, written)).filter(|line| !line.body.is_empty())
}

/// A quote or bracket that is opened and never closed.
fn unclosed(read: &[YamlLine<'_>]) -> Option<Slip> {
    read.iter().enumerate().rev().find_map(|(at, line)| {
        let (column, mark, closing) = line.opening()?;
        let is_closed = read[at + 1..].iter().any(|later| later.body.contains(closing));
        let what = if mark == closing { "quote" } else { "bracket" };
        (!is_closed).then(|| Slip::at(line, (column, format!("the {what} {mark} is not closed"))))
    })
}

/// A key that does not begin in the column of the keys beside it.
fn indentation(last: &YamlLine<'_>, before: &[YamlLine<'_>]) -> Option<Slip> {
    let key = last.key()?;
    let keys: Vec<&YamlLine<'_>> = before.iter().filter(|line| line.key().is_some()).collect();
    let above = keys.last()?;
    let beside = if last.indentation > above.indentation {
        // Below a key without a value the line would begin a section.
        Some(*above).filter(|above| !above.opens_section())
    } else {
        enclosing(&keys).into_iter().min_by_key(|line| line.indentation.abs_diff(last.indentation))
    }?;
    let problem = format!(
        "{key} begins in column {}, but {} (line {}) in column {}; keys of a section must be aligned",
        last.indentation + 1,
        beside.key()?,
        beside.number,
        beside.indentation + 1
    );
    (beside.indentation != last.indentation).then(|| Slip::at(last, (last.indentation + 1, problem)))
}

/// The last key of each section that is still open after `keys`, the innermost first.
fn enclosing<'a, 'b>(keys: &[&'a YamlLine<'b>]) -> Vec<&'a YamlLine<'b>> {
    keys.iter().rev().fold(Vec::new(), |mut open, line| {
        if open.last().is_none_or(|inner: &&YamlLine<'_>| line.indentation < inner.indentation) {
            open.push(line);
        }
        open
    })
}

#[cfg(test)]
mod tests;
