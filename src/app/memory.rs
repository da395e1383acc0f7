//! The limit on memory that is in force: the configured one, else a share of what the control group allows. Takes the
//! configuration; gives it with budgets that fit, and the limit. Must not know what a budget is for.

use crate::config::Config;
use crate::config::memory::{self, BudgetLimit, Measure, Oversized, size};
use crate::os::cgroup::{self, MemoryLimit};

/// The share of a control group's limit that the program takes, in percent. The kernel counts pages of files and buffers
/// of sockets in the rest.
const GROUP_PERCENT: u64 = 90;

/// The outcome of a limit of a control group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GroupBudgets {
    /// The budgets fit as they are.
    Fit,
    /// They were derived from the limit. Before, they would have needed this many bytes.
    Derived(u64),
    /// Not even the smallest fit; these are taken.
    TooSmall(Oversized),
}

/// Bytes of a control group's limit that the program takes.
pub(super) const fn share(limit: &MemoryLimit) -> u64 {
    limit.bytes / 100 * GROUP_PERCENT
}

/// The smallest limit of a control group, in bytes and whole MiB, of which the program takes `share` bytes.
const fn group_for(share: u64) -> u64 {
    const MEBIBYTE: u64 = 1 << 20;
    (share.div_ceil(GROUP_PERCENT) * 100).next_multiple_of(MEBIBYTE)
}

/// Lets the budgets fit into the limit of the control group. Those that only a start can change are taken from the `running`
/// configuration, if there is one.
pub(super) fn fit_group(config: &mut Config, limit: &MemoryLimit, running: Option<&Config>) -> GroupBudgets {
    let limit = BudgetLimit { bytes: share(limit), measure: Measure::Charged, running };
    limit.keep_started(config);
    let needed = memory::needed(config, limit.measure);
    if needed <= limit.bytes {
        return GroupBudgets::Fit;
    }
    match limit.fit(config) {
        Ok(()) => GroupBudgets::Derived(needed),
        Err(mut oversized) => {
            limit.take_smallest(config);
            // The message names limits of the group, of which the program takes a share.
            oversized.least_bytes = group_for(oversized.least_bytes);
            GroupBudgets::TooSmall(oversized)
        }
    }
}

/// The limit that is in force.
#[derive(Debug, Clone)]
pub(super) enum LimitInForce {
    /// The configured one, in bytes.
    Configured(u64),
    /// That of the control group at the start.
    Group(MemoryLimit),
}

impl LimitInForce {
    /// The bytes that the program may take.
    pub(super) const fn bytes(&self) -> u64 {
        match self {
            Self::Configured(bytes) => *bytes,
            Self::Group(limit) => share(limit),
        }
    }

    /// Derives the budgets of a configuration that is read while the program runs, beside those of the `running` one that
    /// only a start can change.
    ///
    /// # Errors
    /// When the others do not fit beside them into the configured limit.
    pub(super) fn settle_again(&self, config: &mut Config, running: &Config) -> Result<(), Oversized> {
        match self {
            Self::Group(_) if config.memory.limit_bytes != 0 => {}
            Self::Group(limit) => {
                // First as the start did, so that an unchanged configuration gets the same budgets.
                fit_group(config, limit, None);
                if let GroupBudgets::TooSmall(oversized) = fit_group(config, limit, Some(running)) {
                    say_group(&GroupBudgets::TooSmall(oversized), config, limit);
                }
            }
            Self::Configured(bytes) => {
                BudgetLimit { bytes: *bytes, measure: Measure::Resident, running: Some(running) }.fit(config)?;
            }
        }
        Ok(())
    }
}

/// Settles the budgets and says so in the log; gives the limit in force, if there is one.
pub(super) fn settle(config: &mut Config) -> Option<LimitInForce> {
    let limit = match config.memory.limit_bytes {
        0 => {
            let limit = cgroup::memory_limit()?;
            say_group(&fit_group(config, &limit, None), config, &limit);
            LimitInForce::Group(limit)
        }
        bytes => {
            let (limit, flows) = (size(bytes), config.account.max_flows);
            tracing::info!(limit, flows, "budgets derived from --memory.limit");
            LimitInForce::Configured(bytes)
        }
    };
    Some(limit)
}

fn say_group(budgets: &GroupBudgets, config: &Config, limit: &MemoryLimit) {
    let (file, share) = (limit.file.display(), share(limit));
    match budgets {
        GroupBudgets::Fit => {}
        GroupBudgets::Derived(needed) => tracing::info!(
            "the control group allows {} of memory ({file}), and the budgets may need {}: they are derived from \
             {GROUP_PERCENT} % of it ({}), such as --max-flows {}; --memory.limit sets another limit",
            size(limit.bytes),
            size(*needed),
            size(share),
            config.account.max_flows
        ),
        GroupBudgets::TooSmall(oversized) => tracing::warn!(
            "the control group allows {} of memory ({file}), which may not be enough even for the smallest budgets, which are \
             taken, and the kernel may end the program: {oversized}",
            size(limit.bytes)
        ),
    }
}

/// The derived budgets in lines, if there is a limit.
pub(super) fn derived(config: &Config) -> String {
    match config.memory.limit_bytes {
        0 => String::new(),
        limit => memory::table(config, limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Selection;

    fn group(bytes: u64) -> MemoryLimit {
        MemoryLimit { bytes, file: "/sys/fs/cgroup/memory.max".into() }
    }

    #[test]
    fn budgets_are_derived_only_where_the_defaults_do_not_fit() {
        let mut config = Config::default();
        assert_eq!(fit_group(&mut config, &group(1 << 40), None), GroupBudgets::Fit);
        assert_eq!(config, Config::default());
        let needed = memory::needed(&config, Measure::Charged);
        assert_eq!(fit_group(&mut config, &group(256 << 20), None), GroupBudgets::Derived(needed));
        assert!(config.account.max_flows < Config::default().account.max_flows);
        assert!(memory::needed(&config, Measure::Charged) <= share(&group(256 << 20)));
        // A group does not count rings.
        assert_eq!(config.capture, Config::default().capture);
    }

    #[test]
    fn reread_configuration_gets_the_budgets_of_the_start() {
        for (limit, workers) in (64..512).step_by(7).flat_map(|limit| [(limit, 1), (limit, 2), (limit, 16)]) {
            let read = || {
                let mut config = Config::default();
                config.capture.selection = Selection::Named(vec!["eth0".to_owned()]);
                config.capture.workers = workers;
                config
            };
            let (limit, mut running, mut again) = (group(limit << 20), read(), read());
            fit_group(&mut running, &limit, None);
            LimitInForce::Group(limit.clone()).settle_again(&mut again, &running).unwrap();
            assert_eq!(again, running, "{limit:?}, {workers} workers");
        }
    }

    #[test]
    fn group_that_is_too_small_gets_the_smallest_budgets_and_names_what_would_do() {
        let mut config = Config::default();
        let GroupBudgets::TooSmall(oversized) = fit_group(&mut config, &group(8 << 20), None) else {
            panic!("it fits")
        };
        assert!(oversized.least_bytes > 8 << 20);
        let mut smallest = Config::default();
        let outcome = fit_group(&mut smallest, &group(oversized.least_bytes), None);
        assert!(matches!(outcome, GroupBudgets::Derived(_)), "the limit that it names is enough: {outcome:?}");
        let almost = fit_group(&mut Config::default(), &group(oversized.least_bytes - (2 << 20)), None);
        assert!(matches!(almost, GroupBudgets::TooSmall(_)), "and not much more than that: {almost:?}");
        assert!(memory::needed(&config, Measure::Charged) <= memory::needed(&smallest, Measure::Charged));
        assert!(config.account.max_flows < Config::default().account.max_flows);
        assert!(config.kernel.max_conversations < Config::default().kernel.max_conversations);
    }
}
