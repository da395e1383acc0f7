//! Memory, descriptors, processors and addresses to listen on. Takes the configuration; gives findings. Must not know
//! interfaces.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use rustix::process::{Resource, getrlimit};

use super::finding::CheckFinding;
use crate::app::live::FEWEST_DESCRIPTORS;
use crate::app::memory::{GroupBudgets, fit_group, share};
use crate::app::start;
use crate::config::Config;
use crate::config::memory::{Measure, needed, size};
use crate::http::Listeners;
use crate::os::cgroup;
use crate::pipeline::check_workers;

const MEMORY: &str = "memory";
const LISTEN: &str = "listen";
const DESCRIPTORS: &str = "descriptors";
const PROCESSORS: &str = "processors";

/// The memory of all parts against the limits. The budgets are those of the run afterwards.
pub(super) fn memory(config: &mut Config) -> Vec<CheckFinding> {
    let group = cgroup::memory_limit();
    let of_group = group.as_ref().map(|limit| {
        let (allowed, file) = (size(limit.bytes), limit.file.display());
        if config.memory.limit_bytes > limit.bytes {
            let text = format!("--memory.limit is above what the control group allows, {allowed} ({file}); lower it");
            return CheckFinding::warning(MEMORY, text);
        }
        if config.memory.limit_bytes > 0 {
            return CheckFinding::ok(MEMORY, format!("the control group allows {allowed} ({file})"));
        }
        match fit_group(config, limit, None) {
            GroupBudgets::Fit => {
                CheckFinding::ok(MEMORY, format!("the control group allows {allowed}, and all parts fit into it"))
            }
            GroupBudgets::Derived(needed) => CheckFinding::ok(
                MEMORY,
                format!(
                    "the control group allows {allowed} ({file}), less than the {} that the budgets may need; they are \
                     derived from {} of it, such as --max-flows {}",
                    size(needed),
                    size(share(limit)),
                    config.account.max_flows
                ),
            ),
            GroupBudgets::TooSmall(oversized) => {
                CheckFinding::warning(MEMORY, format!("the control group allows {allowed} ({file}): {oversized}"))
            }
        }
    });
    of_group.into_iter().chain([available(config), processors(config)]).collect()
}

/// The memory that the parts may need against what the host has free.
fn available(config: &Config) -> CheckFinding {
    let needed = needed(config, Measure::Resident);
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    match available_bytes(&text) {
        Some(available) if available < needed => CheckFinding::warning(
            MEMORY,
            format!(
                "under the heaviest load the parts may need {} with the kernel's rings, and {} are available; set --memory.limit, or smaller budgets",
                size(needed),
                size(available)
            ),
        ),
        _ => CheckFinding::ok(
            MEMORY,
            format!("under the heaviest load the parts need at most {} with the kernel's rings", size(needed)),
        ),
    }
}

fn available_bytes(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
}

/// The capture threads against the processors that this process may use.
fn processors(config: &Config) -> CheckFinding {
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = config.capture.workers;
    if let Err(error) = check_workers(workers) {
        return CheckFinding::failure(PROCESSORS, error);
    }
    let quota = cgroup::processor_quota().filter(|quota| *quota < 1.0);
    match quota {
        _ if workers > cores => CheckFinding::warning(
            PROCESSORS,
            format!(
                "{workers} capture threads per interface share {cores} processors; take at most {cores} (--capture.workers)"
            ),
        ),
        Some(quota) => CheckFinding::warning(
            PROCESSORS,
            format!(
                "the control group allows {:.0} % of one processor: while it makes the program wait, rings fill and packets \
                 are lost; raise the limit",
                quota * 100.0
            ),
        ),
        None => CheckFinding::ok(PROCESSORS, format!("processors: {cores}, capture threads per interface: {workers}")),
    }
}

/// The addresses, each bound for a moment.
pub(super) fn listening(config: &Config) -> Vec<CheckFinding> {
    let bound = match Listeners::bind(&config.http) {
        Ok(_) => {
            let addresses: Vec<String> = config.http.listen.iter().map(ToString::to_string).collect();
            CheckFinding::ok(LISTEN, format!("{} can be listened on", addresses.join(", ")))
        }
        Err(error) => CheckFinding::failure(LISTEN, error),
    };
    let warnings = start::serving_warnings(config).into_iter().map(|warning| CheckFinding::warning(LISTEN, warning));
    std::iter::once(bound).chain(warnings).collect()
}

/// The descriptors that the process may have.
pub(super) fn descriptors() -> CheckFinding {
    // Without a limit the number is the largest.
    let allowed = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    if allowed < FEWEST_DESCRIPTORS {
        let text = format!(
            "{allowed} are allowed, {FEWEST_DESCRIPTORS} are needed; raise the limit (`ulimit -n`, LimitNOFILE=)"
        );
        return CheckFinding::failure(DESCRIPTORS, text);
    }
    CheckFinding::ok(DESCRIPTORS, format!("{allowed} are allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::check::finding::CheckOutcome;

    #[test]
    fn available_memory_is_read_in_kibibytes() {
        let text = "MemTotal:       24684012 kB\nMemAvailable:   1024 kB\n";
        assert_eq!(available_bytes(text), Some(1 << 20));
        assert_eq!(available_bytes("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn more_workers_than_make_sense_are_a_failure() {
        let mut config = Config::default();
        config.capture.workers = 100_000;
        assert_eq!(processors(&config).outcome, CheckOutcome::Failure);
        config.capture.workers = 1;
        assert_ne!(processors(&config).outcome, CheckOutcome::Failure);
    }

    #[test]
    fn port_in_use_is_a_failure() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = Config::default();
        config.http.listen = vec![taken.local_addr().unwrap().to_string().parse().unwrap()];
        let findings = listening(&config);
        assert_eq!(findings[0].outcome, CheckOutcome::Failure);
        assert!(findings[0].text.contains("the port is in use"), "{findings:?}");
    }
}
