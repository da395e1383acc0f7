//! Files of test cases → cases with their configurations, for the subcommand `test`.
//!
//! Takes YAML files and the settings of the command line; gives cases whose every value is checked. Must not read
//! captures, nor know how alerts come about.

mod expectation;
mod file;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use crate::alert::{Severity, Side};
use crate::config::{Config, Error, Settings};
use crate::detect::Kind;
use crate::packet::Timestamp;

/// Larger files are a mistake.
const MOST_BYTES: u64 = 4 << 20;

/// A file of test cases.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CaseFile {
    /// The file as it was named.
    pub path: PathBuf,
    /// At least one, in the order of the file.
    pub cases: Vec<TestCase>,
}

/// Captures, a configuration, and the alerts that they must give.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TestCase {
    /// The name, which no other case of the file has.
    pub name: String,
    /// The files, in the order in which they are read; at least one.
    pub captures: Vec<PathBuf>,
    /// The `source` is none.
    pub config: Config,
    /// The alerts that must fire.
    pub alerts: Vec<Expectation>,
    /// Alerts that must not fire.
    pub absent: Vec<AlertPattern>,
    /// True if alerts that are not expected may fire.
    pub allows_others: bool,
}

/// A description of alerts. Each condition that is given must apply.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct AlertPattern {
    pub kind: Option<Kind>,
    /// The network that the sender is in.
    pub source: Option<IpNet>,
    /// The network that the receiver is in.
    pub destination: Option<IpNet>,
    /// The network that the subject, a network itself, lies in.
    pub network: Option<IpNet>,
    pub rule: Option<String>,
    /// The line of the description in its file, from 1.
    pub line: u64,
}

/// An alert that must fire. At least one alert of the pattern must have all that is given besides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expectation {
    pub pattern: AlertPattern,
    pub severity: Option<Severity>,
    pub side: Option<Side>,
    /// The least highest value.
    pub min_value: Option<f64>,
    /// The earliest moment at which the rule becomes true.
    pub after: Option<Moment>,
    /// The latest moment at which the rule becomes true.
    pub before: Option<Moment>,
}

/// A moment on the packets' clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Time since the first packet of the captures.
    SinceFirst(Duration),
    At(Timestamp),
}

/// Reads files of cases. The settings of a case lie over `base`.
///
/// # Errors
/// The first mistake, with file, line and column.
pub(super) fn read(paths: &[PathBuf], base: &Settings) -> Result<Vec<CaseFile>, Error> {
    paths.iter().map(|path| file::parse(&text_of(path)?, path, base)).collect()
}

fn text_of(path: &Path) -> Result<String, Error> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text));
    let problem = match read {
        Ok(bytes) if bytes as u64 <= MOST_BYTES => return Ok(text),
        Ok(_) => format!("more than {} MiB of cases; split the file", MOST_BYTES >> 20),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => "cannot read the cases: not UTF-8".to_owned(),
        Err(error) => format!("cannot read the cases: {error}"),
    };
    Err(Error::invalid(path.display().to_string(), problem))
}

/// The cases whose names contain `part`; files without such a case are left out.
pub(super) fn select(files: Vec<CaseFile>, part: &str) -> Vec<CaseFile> {
    let selected = files.into_iter().map(|file| {
        let cases = file.cases.into_iter().filter(|case| case.name.contains(part)).collect();
        CaseFile { cases, ..file }
    });
    selected.filter(|file| !file.cases.is_empty()).collect()
}

#[cfg(test)]
mod tests;
