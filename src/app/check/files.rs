//! The files and directories of the configuration. Takes the configuration; gives findings. Must not create or change
//! any.

use super::finding::CheckFinding;
use crate::app::start;
use crate::config::Config;

const FILES: &str = "files";

/// Every fault, or that there is none.
pub(super) fn check(config: &Config) -> Vec<CheckFinding> {
    let failures = start::all_faults(config).into_iter().map(|fault| CheckFinding::failure(FILES, fault));
    let source = start::check_source_file(config).err().map(|error| CheckFinding::failure(FILES, error));
    let names = config.names.faults_of_files();
    let names = names.into_iter().map(|fault| CheckFinding::warning(FILES, fault));
    let mut findings: Vec<CheckFinding> = failures.chain(source).chain(names).chain(locked(config)).collect();
    if findings.is_empty() {
        findings.push(CheckFinding::ok(FILES, "all files and directories that are named can be used"));
    }
    findings
}

/// Files that another process keeps locked.
fn locked(config: &Config) -> Vec<CheckFinding> {
    match start::locked_files(config) {
        Ok(locked) => locked.into_iter().map(|locked| CheckFinding::failure(FILES, locked)).collect(),
        Err(error) => vec![CheckFinding::failure(FILES, error)],
    }
}
