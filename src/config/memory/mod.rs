//! The limit on memory: the budgets of all tables, queues and rings derived from one number.
//!
//! Takes the configuration and a limit; gives budgets whose sum stays below it, or the sum by part that does not fit.
//! Must not know how a table spends its memory, nor where a limit came from.
//!
//! All budgets that are not given shrink from their defaults by one scale. The memory at a scale never falls when the
//! scale grows, so the largest scale that fits grows with the limit, and every budget with it.

mod budgets;
mod parts;

use std::fmt;

use parts::{BudgetPart, parts};

use super::declaration::FileKey;
use super::{Config as WholeConfig, Error, Settings, kernel_path};
use budgets::{GIVEN_BUDGETS, LARGEST_SCALE, keep_started, scaled};

/// One part in so many of a limit stays free, for what the allocator keeps and for pages that are partly used.
const SPARE_SHARE: u64 = 16;
const MEBIBYTE: u64 = 1 << 20;

const LIMIT: FileKey = ("memory", "limit");

/// The limit on memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// The most resident memory in bytes; 0 for no limit.
    pub limit_bytes: u64,
    /// The budgets that were given, which a limit leaves as they are.
    pub given: GivenBudgets,
}

impl Config {
    /// True if the value of this setting is derived from the limit.
    pub(super) fn derives(&self, key: FileKey) -> bool {
        GIVEN_BUDGETS.contains(&key) && !self.given.0.contains(&key)
    }

    /// True if both derive the same budgets.
    pub(super) fn derives_as(&self, other: &Self) -> bool {
        self.given.0 == other.given.0
    }
}

/// The budgets that were given. They are no part of a configuration's value: two configurations with the same budgets
/// are equal.
#[derive(Debug, Clone, Eq, Default)]
pub struct GivenBudgets(Vec<FileKey>);

impl PartialEq for GivenBudgets {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl GivenBudgets {
    fn has(&self, section: &str, key: &str) -> bool {
        self.0.contains(&(section, key))
    }
}

/// The memory that a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The resident memory of the process, with the kernel's rings.
    Resident,
    /// The memory that a control group counts: without the rings, which the kernel charges to no group.
    Charged,
}

/// A limit on memory, for a configuration that is to keep it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BudgetLimit<'a> {
    /// Bytes.
    pub bytes: u64,
    pub measure: Measure,
    /// The configuration in force: the budgets that only a start can change stay as they are there. None at a start.
    pub running: Option<&'a WholeConfig>,
}

impl BudgetLimit<'_> {
    /// The configuration with budgets at a scale.
    fn scaled(&self, config: &WholeConfig, scale: u64) -> WholeConfig {
        let mut scaled = scaled(config, scale, self.measure);
        scaled.kernel.max_conversations = kernel_path::conversations(scaled.account.max_flows);
        self.keep_started(&mut scaled);
        scaled
    }

    /// Takes the budgets that only a start can change from the running configuration, unless they are given.
    pub(crate) fn keep_started(&self, config: &mut WholeConfig) {
        self.running.iter().for_each(|running| keep_started(config, running));
    }

    /// Makes all budgets that were not given the smallest that are possible.
    pub(crate) fn take_smallest(&self, config: &mut WholeConfig) {
        *config = self.scaled(config, 1);
    }

    /// Derives the budgets that were not given, so that all parts fit.
    ///
    /// # Errors
    /// When not even the smallest budgets fit. The configuration is unchanged then.
    pub(crate) fn fit(&self, config: &mut WholeConfig) -> Result<(), Oversized> {
        let fits = |scale: u64| needed(&self.scaled(config, scale), self.measure) <= self.bytes;
        if !fits(1) {
            return Err(self.oversized(&self.scaled(config, 1)));
        }
        // The last scale that fits; all smaller ones do too.
        let (mut fitting, mut above) = (1, LARGEST_SCALE + 1);
        while above - fitting > 1 {
            let middle = fitting.midpoint(above);
            if fits(middle) {
                fitting = middle;
            } else {
                above = middle;
            }
        }
        *config = self.scaled(config, fitting);
        Ok(())
    }

    fn oversized(&self, smallest: &WholeConfig) -> Oversized {
        let mut parts = parts(smallest, self.measure);
        parts.sort_by_key(|part| std::cmp::Reverse(part.bytes));
        Oversized { least_bytes: needed(smallest, self.measure).next_multiple_of(MEBIBYTE), parts }
    }
}

/// Budgets that do not fit into a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Oversized {
    /// The smallest limit that would be enough, in bytes: whole MiB.
    pub least_bytes: u64,
    /// The parts with the smallest budgets, the largest part first.
    pub parts: Vec<BudgetPart>,
}

impl std::error::Error for Oversized {}

impl fmt::Display for Oversized {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum: u64 = self.parts.iter().map(|part| part.bytes).sum();
        write!(
            formatter,
            "too little memory: with the smallest budgets that are possible the parts need {}, and a sixteenth stays free; \
             give at least {}MiB, or lower the budgets that are given (",
            size(sum),
            self.least_bytes / MEBIBYTE
        )?;
        for (index, part) in self.parts.iter().filter(|part| part.bytes > 0).enumerate() {
            let before = if index == 0 { "" } else { ", " };
            write!(formatter, "{before}{} {}", part.name, size(part.bytes))?;
            if let Some(given) = &part.given {
                write!(formatter, " by {given}")?;
            }
        }
        formatter.write_str(")")
    }
}

/// A number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MEBIBYTE as f64)
}

/// Notes which budgets were given, and derives the others if there is a limit.
pub(super) fn complete(settings: &Settings, config: &mut WholeConfig) -> Result<(), Error> {
    config.memory.given = GivenBudgets(GIVEN_BUDGETS.into_iter().filter(|key| settings.gives(*key)).collect());
    match config.memory.limit_bytes {
        0 => Ok(()),
        bytes => BudgetLimit { bytes, measure: Measure::Resident, running: None }
            .fit(config)
            .map_err(|error| Error::invalid(settings.place(LIMIT), error.to_string())),
    }
}

/// The sum of all parts in bytes, with the share that stays free.
pub(crate) fn needed(config: &WholeConfig, measure: Measure) -> u64 {
    let sum: u64 = parts(config, measure).iter().map(|part| part.bytes).sum();
    sum.saturating_add(sum / (SPARE_SHARE - 1))
}

/// The limit and the memory of each part, a line each.
pub(crate) fn table(config: &WholeConfig, limit: u64) -> String {
    let parts = parts(config, Measure::Resident);
    let sum: u64 = parts.iter().map(|part| part.bytes).sum();
    let head = format!("memory limit {}: the parts take at most {}\n", size(limit), size(sum));
    parts
        .iter()
        .filter(|part| part.bytes > 0)
        .fold(head, |table, part| table + &format!("  {:<14} {:>10}  {}\n", part.name, size(part.bytes), part.budget))
}

#[cfg(test)]
mod tests;
