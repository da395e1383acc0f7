//! `test`: runs test cases through the reader of `replay`, and compares the alerts with the expected ones. Takes cases;
//! writes results as text and as JUnit XML, then gives an exit status. Must not know detection, nor how cases are
//! written down.

mod fired;
mod judge;
mod junit;
mod text;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::replay::{self, ReadOutputs};
use super::{DONE, FAILED, print};
use crate::cli::TestInvocation;
use crate::cli::cases::TestCase;
use crate::packet::Timestamp;
use fired::{FiredAlerts, MOST_ALERTS};
use judge::Finding;

/// The results of the cases of a file.
struct FileResult<'a> {
    path: &'a Path,
    cases: Vec<CaseResult<'a>>,
}

impl FileResult<'_> {
    fn count(&self, is_it: impl Fn(&Outcome) -> bool) -> usize {
        self.cases.iter().filter(|case| is_it(&case.outcome)).count()
    }
}

struct CaseResult<'a> {
    name: &'a str,
    /// Frames that the filter let through.
    frames: usize,
    /// Alerts that fired.
    alerts: u64,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    /// The alerts differ from the expected ones; at least one finding.
    Failed(Vec<Finding>),
    /// The captures cannot be read, for this reason.
    Unreadable(String),
}

/// Runs the cases in order; status 1 if one of them fails.
pub(super) fn run(test: TestInvocation) -> anyhow::Result<u8> {
    super::log::start(test.log);
    warn_once(test.files.iter().flat_map(|file| &file.cases));
    let junit = test.junit.map(ResultFile::create).transpose()?;
    let mut files = Vec::new();
    for file in &test.files {
        print(&text::file(&file.path))?;
        let mut cases = Vec::new();
        for case in &file.cases {
            let result = run_case(case);
            print(&text::case(&result))?;
            cases.push(result);
        }
        files.push(FileResult { path: &file.path, cases });
    }
    print(&text::summary(&files))?;
    junit.map_or(Ok(()), |junit| junit.write(&files))?;
    let all_passed = files.iter().all(|file| file.count(|outcome| !matches!(outcome, Outcome::Passed)) == 0);
    Ok(if all_passed { DONE } else { FAILED })
}

/// The file for the results as JUnit XML. It is created before the cases run, which may take long.
struct ResultFile {
    path: PathBuf,
    file: File,
}

impl ResultFile {
    fn create(path: PathBuf) -> anyhow::Result<Self> {
        match File::create(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(cannot_write(&path, &error)),
        }
    }

    fn write(self, files: &[FileResult<'_>]) -> anyhow::Result<()> {
        let mut out = BufWriter::new(self.file);
        junit::write(files, &mut out).and_then(|()| out.flush()).map_err(|error| cannot_write(&self.path, &error))
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{}: cannot write the results: {error}", path.display())
}

/// Writes the notices about the configurations, each once.
fn warn_once<'a>(cases: impl Iterator<Item = &'a TestCase>) {
    let mut said = HashSet::new();
    let notices = cases.flat_map(|case| &case.config.notices);
    notices.filter(|notice| said.insert(*notice)).for_each(|notice| tracing::warn!("{notice}"));
}

fn run_case(case: &TestCase) -> CaseResult<'_> {
    let detect = case.config.detect.for_alerts_alone();
    let outputs = ReadOutputs { sink: FiredAlerts::default(), violations: Box::new(()), history: None };
    let mut frames = 0;
    let mut read = replay::read(&case.captures, &case.config, &detect, 1, outputs, |progress| {
        frames += progress.frames;
        ControlFlow::Continue(())
    });
    let fired = read.resolve().unwrap_or_default();
    let outcome = match (read.outcome, read.span) {
        (Err(error), _) => Outcome::Unreadable(error.to_string()),
        (Ok(()), None) => {
            Outcome::Unreadable("no frame was read; the captures are empty, or the filter rejects all".to_owned())
        }
        (Ok(()), Some((first, _))) => judged(case, &fired, first),
    };
    CaseResult { name: &case.name, frames, alerts: fired.alerts.len() as u64 + fired.more, outcome }
}

fn judged(case: &TestCase, fired: &FiredAlerts, first: Timestamp) -> Outcome {
    let mut findings = judge::findings(case, &fired.alerts, first);
    if fired.more > 0 {
        let text = format!("{} alerts fired beyond the {MOST_ALERTS} that are compared", fired.more);
        findings.push(Finding { label: "too many", text, sentence: None });
    }
    if findings.is_empty() { Outcome::Passed } else { Outcome::Failed(findings) }
}

#[cfg(test)]
mod tests;
