//! Results as JUnit XML, as continuous integration reads it: a suite per file, and a test case per case. Takes results;
//! writes a document, the same bytes for the same results. Must not know how cases are judged.
//!
//! Four elements do not need a crate that knows all of XML. Text is escaped twice: first as for a terminal, which leaves
//! no control character, then as XML asks.

use std::io::{self, Write};

use super::{CaseResult, FileResult, Outcome, text};
use crate::capture::printable;

/// Writes the document.
pub(super) fn write(files: &[FileResult<'_>], mut out: impl Write) -> io::Result<()> {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"trafficmonitor\" {}>", counts(files))?;
    for file in files {
        let name = attribute(&file.path.to_string_lossy());
        writeln!(out, "  <testsuite name=\"{name}\" {}>", counts(std::slice::from_ref(file)))?;
        file.cases.iter().try_for_each(|case| write_case(case, &name, &mut out))?;
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn counts(files: &[FileResult<'_>]) -> String {
    let sum = |count: fn(&FileResult<'_>) -> usize| files.iter().map(count).sum::<usize>();
    let tests = sum(|file| file.cases.len());
    let failures = sum(|file| file.count(|outcome| matches!(outcome, Outcome::Failed(_))));
    let errors = sum(|file| file.count(|outcome| matches!(outcome, Outcome::Unreadable(_))));
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"")
}

fn write_case(case: &CaseResult<'_>, file: &str, out: &mut impl Write) -> io::Result<()> {
    let (element, kind) = match &case.outcome {
        Outcome::Passed => {
            return writeln!(out, "    <testcase name=\"{}\" classname=\"{file}\"/>", attribute(case.name));
        }
        Outcome::Failed(findings) => ("failure", findings.first().map_or("", |first| first.label)),
        Outcome::Unreadable(_) => ("error", "unreadable"),
    };
    let lines = text::differences(&case.outcome);
    let first = lines.first().map(|first| attribute(first)).unwrap_or_default();
    writeln!(out, "    <testcase name=\"{}\" classname=\"{file}\">", attribute(case.name))?;
    write!(out, "      <{element} message=\"{first}\" type=\"{kind}\">")?;
    writeln!(out, "{}</{element}>", lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("\n"))?;
    writeln!(out, "    </testcase>")
}

/// Text from outside as the value of an attribute.
fn attribute(text: &str) -> String {
    escaped(&printable(text))
}

/// Text without control characters, escaped so that any XML reader takes it for text.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // XML 1.0 has no way to write these.
            '\u{fffe}' | '\u{ffff}' => escaped.extend(letter.escape_default()),
            _ => escaped.push(letter),
        }
    }
    escaped
}
