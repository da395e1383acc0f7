//! The files and directories of the configuration. Takes the configuration; gives findings. Must not create or change
//! any.

use super::finding::Finding;
use crate::app::start;
use crate::config::Config;

const FILES: &str = "files";

/// Every fault, or that there is none.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let failures = start::all_faults(config).into_iter().map(|fault| Finding::failure(FILES, fault));
    let source = start::check_source_file(config).err().map(|error| Finding::failure(FILES, error));
    let names = config.names.faults_of_files();
    let names = names.into_iter().map(|fault| Finding::warning(FILES, fault));
    let mut findings: Vec<Finding> = failures.chain(source).chain(names).chain(locked(config)).collect();
    if findings.is_empty() {
        findings.push(Finding::ok(FILES, "all files and directories that are named can be used"));
    }
    findings
}

/// Files that another process keeps locked.
fn locked(config: &Config) -> Vec<Finding> {
    match start::locked_files(config) {
        Ok(locked) => locked.into_iter().map(|locked| Finding::failure(FILES, locked)).collect(),
        Err(error) => vec![Finding::failure(FILES, error)],
    }
}
