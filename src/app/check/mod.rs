//! `check`: says before a run what will not work, and why. Takes the configuration of that run; prints a line for each
//! check and gives an exit status. Must not change anything: what it opens, it closes at once.
//!
//! Each check asks the code that the run uses, so that a check and the run cannot disagree.

mod clock;
mod confinement;
mod files;
mod finding;
mod interfaces;
mod kernel;
mod resources;
mod rights;

use tracing::Level;

use super::{DONE, FAILED, log, print};
use crate::cli::CheckInvocation;
use crate::config::{Config, Log};
use finding::{CheckFinding, CheckOutcome};

/// Checks the run and prints the findings; status 0 if the run will work, 1 if not.
pub(super) fn run(check: CheckInvocation) -> anyhow::Result<u8> {
    // The findings say what a start would log.
    log::start(Log { level: check.config.log.level.min(Level::WARN), ..check.config.log });
    let findings = findings(check.config);
    let write = if check.is_json { CheckFinding::json } else { CheckFinding::line };
    let lines: String = findings.iter().map(write).collect();
    print(&lines)?;
    if !check.is_json {
        print(&summary(&findings))?;
    }
    Ok(if count(&findings, CheckOutcome::Failure) == 0 { DONE } else { FAILED })
}

/// All findings, in the order in which a start meets them.
fn findings(mut config: Config) -> Vec<CheckFinding> {
    let mut findings = resources::memory(&mut config);
    findings.splice(..0, settings(&config));
    findings.extend(files::check(&config));
    findings.extend(resources::listening(&config));
    findings.push(resources::descriptors());
    if config.source.is_none() {
        findings.push(rights::capture(&config));
        findings.extend(rights::processes(&config));
        findings.extend(kernel::check(&config));
        findings.extend(interfaces::check(&config));
        findings.extend(clock::check());
    }
    findings.extend(confinement::check(&config));
    findings
}

/// The configuration is valid, or the command line would have been refused.
fn settings(config: &Config) -> Vec<CheckFinding> {
    let filter = match super::live::user_filter(config) {
        Ok(None) => None,
        Ok(Some(_)) => Some(CheckFinding::ok("filter", "it compiles")),
        Err(error) => Some(CheckFinding::failure("filter", error)),
    };
    let notices = config.notices.iter().map(|notice| CheckFinding::warning("configuration", notice));
    std::iter::once(CheckFinding::ok("configuration", "it is valid")).chain(notices).chain(filter).collect()
}

fn count(findings: &[CheckFinding], outcome: CheckOutcome) -> usize {
    findings.iter().filter(|finding| finding.outcome == outcome).count()
}

fn summary(findings: &[CheckFinding]) -> String {
    let number = |outcome, what: &str| match count(findings, outcome) {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    };
    let warnings = number(CheckOutcome::Warning, "warning");
    match count(findings, CheckOutcome::Failure) {
        0 => format!("the run will work; {warnings}\n"),
        _ => format!("the run will not work: {}, {warnings}\n", number(CheckOutcome::Failure, "failure")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_counts_failures_and_warnings() {
        let ok = || CheckFinding::ok("clock", "synchronised");
        assert_eq!(summary(&[ok()]), "the run will work; 0 warnings\n");
        assert_eq!(summary(&[ok(), CheckFinding::warning("clock", "x")]), "the run will work; 1 warning\n");
        let failed = [CheckFinding::failure("listen", "x"), CheckFinding::failure("memory", "x"), ok()];
        assert_eq!(summary(&failed), "the run will not work: 2 failures, 0 warnings\n");
    }

    #[test]
    fn every_check_of_a_run_says_something() {
        let mut config = Config::default();
        config.http.listen = vec!["127.0.0.1:0".parse().unwrap()];
        let findings = findings(config);
        for check in
            ["configuration", "memory", "files", "listen", "descriptors", "capture", "clock", "sandbox", "processors"]
        {
            assert!(findings.iter().any(|finding| finding.check == check), "{check}: {findings:?}");
        }
    }
}
