//! `analyze`: reads event logs and prints what is found. Takes files; writes text to standard output and a report to a
//! file, then gives an exit status. Must not know the formats of logs.

mod order;
mod report_file;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Read, Write as _};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use super::{DONE, FAILED, print, say};
use crate::capture::file_name;
use crate::cli::{AnalyzeInvocation, Top};
use crate::events::analysis::{Analysis, AnalysisReport, BrokenLine};
use order::LogInput;
use report_file::ReportFile;

/// Entries in each list; the help has no other number.
const DEFAULT_TOP: usize = 20;
/// Broken lines of a file that are named; the others are counted.
const NAMED: u64 = 10;

/// Reads the logs in the order of their events. Status 0 if any line was an event and every file could be read.
pub(super) fn run(analysis: AnalyzeInvocation) -> anyhow::Result<u8> {
    super::log::start(analysis.log);
    // Before the logs are read, which may take long.
    let create = |path| ReportFile::create(path, &analysis.files).map_err(|error| unwritable(path, &error));
    let file = analysis.report.as_deref().map(create).transpose()?;
    let mut found = Analysis::default();
    let mut is_whole = true;
    for input in order::in_order_of_time(&analysis.files, analysis.format) {
        let name = file_name(&input.path);
        if let Err(error) = read(&mut found, &analysis, &name, input) {
            say(&format!("trafficmonitor: {name}: {error}"));
            is_whole = false;
        }
    }
    let most = match analysis.top {
        Some(Top::All) => usize::MAX,
        Some(Top::Most(most)) => most,
        None => DEFAULT_TOP,
    };
    let report = found.report(most);
    if found.has_events() {
        if let (Some(file), Some(path)) = (file, &analysis.report) {
            file.finish(|file| export(&report, file)).map_err(|error| unwritable(path, &error))?;
        }
        print(&report.to_string())?;
    } else {
        file.into_iter().for_each(ReportFile::discard);
        say("trafficmonitor: no line is an event; the formats are json, jsonl and csv (see --format)");
    }
    Ok(if found.has_events() && is_whole { DONE } else { FAILED })
}

fn read(found: &mut Analysis, analysis: &AnalyzeInvocation, name: &str, input: LogInput) -> io::Result<()> {
    let (bar, file): (ProgressBar, Box<dyn Read>) = match input.stream {
        Some(stream) => (ProgressBar::hidden(), stream),
        None => {
            let file = File::open(&input.path)?;
            let bar = progress_bar(&file);
            (bar.clone(), Box::new(bar.wrap_read(file)))
        }
    };
    let mut broken = 0_u64;
    let outcome = found.read(name, analysis.format, file, |line| {
        broken += 1;
        if broken <= NAMED {
            bar.suspend(|| say_broken(name, &line));
        }
    });
    bar.finish_and_clear();
    if broken > NAMED {
        say(&format!("{name}: {} more broken lines were skipped", broken - NAMED));
    }
    outcome
}

fn say_broken(name: &str, line: &BrokenLine) {
    say(&format!("{name}:{}: skipped: {}", line.number, line.reason));
}

fn export(report: &AnalysisReport, file: &File) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    serde_json::to_writer_pretty(&mut out, report).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    out.flush()
}

fn unwritable(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{}: cannot write the report: {error}", path.display())
}

/// Bytes that were read over the size of the file; hidden where standard error is not a terminal.
fn progress_bar(file: &File) -> ProgressBar {
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    if !io::stderr().is_terminal() || size == 0 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    style.map_or_else(|_| ProgressBar::hidden(), |style| ProgressBar::new(size).with_style(style))
}
