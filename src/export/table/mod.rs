//! A table for people, 80 columns wide: what was read, the traffic by direction, the conversations with the most bytes, the
//! alerts.
//!
//! Takes the accounts of files and their alerts; the same input gives the same bytes. Knows nothing of how they were read.

mod alerts;
mod columns;
mod conversations;
mod head;

use std::io::{self, Write};
use std::time::Duration;

use super::units::Units;
use crate::account::snapshot::Snapshot;
use crate::alert::Alert;
use crate::packet::Timestamp;

/// No line is wider, but for one that holds a single longer word.
const WIDTH: usize = 80;

/// The part of the report that the table shows, and the form of its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Conversations and alerts that are listed, each; none lists all.
    pub top: Option<usize>,
    /// The form of figures.
    pub units: Units,
}

/// Everything that the table tells.
#[derive(Debug, Clone, Copy)]
pub struct Replayed<'a> {
    /// The accounts, with plain values, of all flows that are held.
    pub accounts: &'a Snapshot,
    /// The times of the earliest and the latest frame; none without frames.
    pub span: Option<(Timestamp, Timestamp)>,
    /// The filter that frames had to pass.
    pub filter: Option<&'a str>,
    /// The alerts in the order in which they began; a firing one still did when the frames ended.
    pub alerts: &'a [Alert],
    /// Alerts that are not among these.
    pub more_alerts: u64,
}

impl Replayed<'_> {
    /// The time from the earliest to the latest frame.
    fn duration(&self) -> Duration {
        self.span.map_or(Duration::ZERO, |(first, last)| last.since(first))
    }
}

/// Writes the table.
///
/// # Errors
/// When `out` cannot be written.
pub fn write<W: Write>(config: Config, replayed: &Replayed<'_>, mut out: W) -> io::Result<()> {
    head::write(config.units, replayed, &mut out)?;
    conversations::write(config, replayed.accounts, &mut out)?;
    alerts::write(replayed, &mut out)?;
    out.flush()
}

/// Keeps two words in one line; it is written as a blank.
const NO_BREAK: char = '\u{a0}';

/// Writes words in lines of the table's width, each line behind `indent`.
fn write_wrapped<W: Write>(out: &mut W, first: &str, indent: &str, words: &str) -> io::Result<()> {
    let (mut line, mut is_blank) = (first.to_owned(), true);
    for word in words.split(' ') {
        let space = if is_blank { "" } else { " " };
        if !is_blank && line.chars().count() + space.len() + word.chars().count() > WIDTH {
            write_unbroken(out, &line)?;
            line = format!("{indent}{word}");
        } else {
            line = format!("{line}{space}{word}");
        }
        is_blank = false;
    }
    write_unbroken(out, &line)
}

fn write_unbroken<W: Write>(out: &mut W, line: &str) -> io::Result<()> {
    writeln!(out, "{}", line.replace(NO_BREAK, " "))
}

#[cfg(test)]
mod tests;
