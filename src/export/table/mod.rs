//! A table for people, 80 columns wide: the input, the traffic by direction, the conversations with the most bytes,
//! the alerts. Takes the accounts of files and their alerts; the same input gives the same bytes. Must not know how
//! the files were read.

mod columns;
mod conversations;
mod head;

use std::io::{self, Write};
use std::time::Duration;

use super::units::{Units, utc};
use crate::account::snapshot::Snapshot;
use crate::alert::{Alert, AlertState};
use crate::capture::printable;
use crate::packet::Timestamp;

/// Width of a line; only a single longer word exceeds it.
const WIDTH: usize = 80;

/// Before the sentence of an alert.
const ALERT_INDENT: &str = "    ";

/// The part of the report that the table shows, and the form of its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Conversations and alerts that are listed, each; none lists all.
    pub top: Option<usize>,
    /// The form of figures.
    pub units: Units,
}

/// The contents of the table.
#[derive(Debug, Clone, Copy)]
pub struct Replayed<'a> {
    /// The accounts, with plain values, of all flows in the table of flows.
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
    fn duration(&self) -> Duration {
        self.span.map_or(Duration::ZERO, |(first, last)| last.since(first))
    }
}

/// Writes the table.
pub fn write<W: Write>(config: Config, replayed: &Replayed<'_>, mut out: W) -> io::Result<()> {
    head::write(config.units, replayed, &mut out)?;
    conversations::write(config, replayed.accounts, &mut out)?;
    write_alerts(replayed, &mut out)?;
    out.flush()
}

/// Each alert with its time, its state and a sentence.
fn write_alerts<W: Write>(replayed: &Replayed<'_>, out: &mut W) -> io::Result<()> {
    writeln!(out, "\nAlerts")?;
    if replayed.alerts.is_empty() && replayed.more_alerts == 0 {
        return writeln!(out, "none");
    }
    replayed.alerts.iter().try_for_each(|alert| write_alert(alert, out))?;
    match replayed.more_alerts {
        0 => Ok(()),
        more => write_wrapped(out, "", "", &format!("and {more} more; --output\u{a0}alerts lists all.")),
    }
}

fn write_alert<W: Write>(alert: &Alert, out: &mut W) -> io::Result<()> {
    // The sentence says that a resolved one is.
    let state = match alert.state {
        AlertState::Resolved => "",
        AlertState::Pending | AlertState::Firing => ", still firing at the end",
    };
    let (severity, side) = (alert.severity.label(), alert.side.label());
    let kind = alert.kind.label();
    let rule = if *alert.rule == *kind { String::new() } else { format!(" (rule {})", printable(&alert.rule)) };
    write_wrapped(
        out,
        "",
        ALERT_INDENT,
        &format!("{} UTC  {kind}{rule}, {severity}, {side}{state}", utc(alert.starts_at)),
    )?;
    write_wrapped(out, ALERT_INDENT, ALERT_INDENT, &alert.explain())
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
mod tests {
    use super::*;

    fn wrapped(words: &str) -> String {
        let mut out = Vec::new();
        write_wrapped(&mut out, "Name  ", "      ", words).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn words_go_on_behind_the_indent() {
        let twenty = "x".repeat(20);
        let text = [twenty.as_str(); 4].join(" ");
        assert_eq!(wrapped(&text), format!("Name  {twenty} {twenty} {twenty}\n      {twenty}\n"));
    }

    #[test]
    fn a_word_that_is_too_long_is_not_broken() {
        let long = "x".repeat(100);
        assert_eq!(wrapped(&long), format!("Name  {long}\n"));
        assert_eq!(wrapped(&format!("a {long}")), format!("Name  a\n      {long}\n"));
    }

    #[test]
    fn words_that_belong_together_stay_in_one_line() {
        let text = format!("{} a{NO_BREAK}b", "x".repeat(71));
        assert_eq!(wrapped(&text), format!("Name  {}\n      a b\n", "x".repeat(71)));
    }
}
