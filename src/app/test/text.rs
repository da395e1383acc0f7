//! Results for people, in the manner of promtool: one line per case, then its differences. Takes results; gives text in
//! which every name is safe on a terminal. Must not know where it is written.

use std::path::Path;

use super::{CaseResult, FileResult, Outcome};
use crate::capture::printable;

/// The line before the cases of a file.
pub(super) fn file(path: &Path) -> String {
    format!("{}\n", printable(&path.to_string_lossy()))
}

/// The lines of a case.
pub(super) fn case(result: &CaseResult<'_>) -> String {
    let CaseResult { name, frames, alerts, outcome } = result;
    let counts = match outcome {
        Outcome::Unreadable(_) => String::new(),
        _ => format!(" ({}, {})", counted(*frames as u64, "frame"), counted(*alerts, "alert")),
    };
    let mark = if matches!(outcome, Outcome::Passed) { "ok  " } else { "FAIL" };
    let mut text = format!("  {mark}  {}{counts}\n", printable(name));
    for line in differences(outcome) {
        text += &format!("        {line}\n");
    }
    text
}

/// The differences of a case, line by line; the sentence of an alert follows its difference, indented.
pub(super) fn differences(outcome: &Outcome) -> Vec<String> {
    let findings = match outcome {
        Outcome::Passed => return Vec::new(),
        Outcome::Unreadable(reason) => return vec![printable(reason)],
        Outcome::Failed(findings) => findings,
    };
    let lines = findings.iter().flat_map(|finding| {
        let difference = printable(&format!("{}: {}", finding.label, finding.text));
        let sentence = finding.sentence.as_ref().map(|sentence| format!("  {}", printable(sentence)));
        std::iter::once(difference).chain(sentence)
    });
    lines.collect()
}

/// The last line.
pub(super) fn summary(files: &[FileResult<'_>]) -> String {
    let cases: usize = files.iter().map(|file| file.cases.len()).sum();
    let passed: usize = files.iter().map(|file| file.count(|outcome| matches!(outcome, Outcome::Passed))).sum();
    format!("{}: {passed} passed, {} failed\n", counted(cases as u64, "case"), cases - passed)
}

fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
